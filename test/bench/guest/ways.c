// What the host's ways of catching a system call and of handing it to another thread cost,
// there and back: the floors of a platform. Run natively (make bench ROWS=ways).
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { fprintf(stderr, "%s: %s\n", #x, strerror(errno)); exit(1); } } while (0)
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS // Linux 6.6
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1
#endif
#define CAUGHT 1000 // a call that no kernel has
#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void pin(int cpu) {
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	CHECK(!sched_setaffinity(0, sizeof s, &s));
}

static double loop(long n) {
	for (int i = 0; i < 100; i++) syscall(CAUGHT);
	double start = now();
	for (long i = 0; i < n; i++) syscall(CAUGHT);
	return (now() - start) / n;
}

static int filter(unsigned action, unsigned flags) {
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CAUGHT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = {4, f};
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
	CHECK(fd >= 0);
	return fd;
}

static void answer(int sig, siginfo_t *info, void *context) {
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 7;
}

static void handler(void) {
	struct sigaction a = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
	CHECK(!sigaction(SIGSYS, &a, 0));
}

// trap: seccomp's SIGSYS, answered in the handler, sigreturn.
static double trap(void) { handler(); filter(SECCOMP_RET_TRAP, 0); return loop(200000); }

// dispatch: the same signal by syscall user dispatch.
static volatile char selector;
static void redirect(int sig, siginfo_t *info, void *context) {
	selector = 0;
	answer(sig, info, context);
}
static double dispatch(void) {
	struct sigaction a = {.sa_sigaction = redirect, .sa_flags = SA_SIGINFO | SA_NODEFER};
	CHECK(!sigaction(SIGSYS, &a, 0));
	CHECK(!prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector));
	double start = now();
	long n = 200000;
	for (long i = 0; i < n; i++) { selector = 1; syscall(CAUGHT); }
	double took = (now() - start) / n;
	prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0);
	return took;
}

// notify: a user notification to another process, on the same CPU or the next.
static double notify(int sync, int other) {
	int s[2];
	CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
	pin(0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		char go;
		int fd = filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
		struct iovec io = {&fd, sizeof fd};
		char c[CMSG_SPACE(sizeof fd)] = {0};
		struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET; h->cmsg_type = SCM_RIGHTS; h->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(h), &fd, sizeof fd);
		CHECK(sendmsg(s[1], &m, 0) > 0 && read(s[1], &go, 1) == 1);
		double took = loop(50000);
		CHECK(write(s[1], &took, sizeof took) == sizeof took);
		_exit(0);
	}
	int fd;
	struct iovec io = {&fd, sizeof fd};
	char c[CMSG_SPACE(sizeof fd)];
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
	CHECK(recvmsg(s[0], &m, 0) > 0);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	if (sync) CHECK(!ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP));
	if (other) pin(1);
	CHECK(write(s[0], "g", 1) == 1);
	struct seccomp_notif req;
	for (long i = 0; i < 50100; i++) {
		memset(&req, 0, sizeof req);
		CHECK(!ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &req));
		struct seccomp_notif_resp r = {.id = req.id, .val = 7};
		CHECK(!ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r));
	}
	double took;
	CHECK(read(s[0], &took, sizeof took) == sizeof took);
	waitpid(child, 0, 0);
	return took;
}

// traced: PTRACE_SYSEMU, tracer on the same CPU or the next.
static double traced(int other) {
	pin(0);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		CHECK(!ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		for (;;) syscall(CAUGHT);
	}
	int st;
	CHECK(waitpid(child, &st, 0) == child);
	if (other) pin(1);
	long n = 50000;
	double start = now();
	for (long i = 0; i < n; i++) CHECK(!ptrace(PTRACE_SYSEMU, child, 0, 0) && waitpid(child, &st, __WALL) == child);
	double took = (now() - start) / n;
	kill(child, SIGKILL);
	waitpid(child, &st, 0);
	return took;
}

// shared: a word that says whose turn it is, handed over by futexes, or looked at all the time.
static double shared(int spin, int other) {
	volatile unsigned *turn = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(turn != MAP_FAILED);
	long n = 50000;
	pin(0);
	pid_t child = fork();
	CHECK(child >= 0);
	unsigned me = child == 0;
	if (!me && other) pin(1);
	double start = now();
	for (long i = 0; i < n; i++) {
		while (*turn != me) {
			if (spin) __builtin_ia32_pause();
			else syscall(SYS_futex, turn, FUTEX_WAIT, !me, 0, 0, 0);
		}
		__sync_lock_test_and_set(turn, !me);
		if (!spin) syscall(SYS_futex, turn, FUTEX_WAKE, 1, 0, 0, 0);
	}
	if (me) _exit(0);
	waitpid(child, 0, 0);
	return (now() - start) / n;
}

static void show(const char *what, double (*f)(void)) {
	fflush(stdout);
	if (fork() == 0) { printf("%-60s %6.2f us\n", what, f() / 1e3); fflush(stdout); _exit(0); }
	wait(0);
}
static double plain(void) { return loop(500000); }
static double n00(void) { return notify(0, 0); }
static double n10(void) { return notify(1, 0); }
static double n01(void) { return notify(0, 1); }
static double n11(void) { return notify(1, 1); }
static double f0(void) { return shared(0, 0); }
static double f1(void) { return shared(0, 1); }
static double s1(void) { return shared(1, 1); }
static double t0(void) { return traced(0); }
static double t1(void) { return traced(1); }

int main(void) {
	show("a call the kernel refuses", plain);
	show("seccomp RET_TRAP, answered in the handler", trap);
	show("syscall user dispatch, answered in the handler", dispatch);
	show("user notification, one CPU", n00);
	show("user notification, one CPU, synchronous wake-up", n10);
	show("user notification, two CPUs", n01);
	show("user notification, two CPUs, synchronous wake-up", n11);
	show("shared word and futexes, one CPU", f0);
	show("shared word and futexes, two CPUs", f1);
	show("shared word, both looking all the time, two CPUs", s1);
	show("PTRACE_SYSEMU, one CPU, no registers read", t0);
	show("PTRACE_SYSEMU, two CPUs", t1);
}
