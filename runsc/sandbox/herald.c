// The herald: how the host learns that a guest ran out of memory.
//
// Memory that a guest may not have is refused inside the sandbox, so the host's
// memory cgroup never sees an event, and whoever watches that cgroup (Docker,
// containerd with runc's shim, conmon, the kubelet) would never say "OOMKilled".
// The herald is a process in the container's memory cgroup that waits for a byte
// from the Sentry. For each it lowers the cgroup's limit to what is in use, and a
// child of its own, whose oom_score_adj is the highest there is, takes memory until
// the host's killer takes it: a real event, of the container's own cgroup. Then the
// limit is what it was.
//
//	Sentry -'m'/'e'> herald --fork--> child   1000, takes BALLAST
//	                  |  limit = usage + SLACK
//	                  |---'g'--------> takes more, is killed: event
//	                  |  limit as before
//	       <--'y'/'n'-'
//
// Nobody else can be the one. The killer takes whoever has most, with oom_score_adj
// as a share of the limit: of the lowered one, which makes it worth little. So the
// child also has more mapped than all others can have together, which costs page
// tables alone: the same two megabytes many times. And while there are processes of
// the guest whose score is above their size, or that are very large, only the
// container's end is announced. The child takes at most MOST for at most SECONDS, and
// never beyond the limit. Where the cgroup's killer is off, or takes the whole group,
// nothing happens.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enter.h"

// Fixed descriptors: herald.go has the same numbers.
enum { FD_SENTRY = 3, FD_LIFELINE = 4 };

// What the lifeline and the Sentry say: that it may announce while processes of
// the guest are there, and that there are none any more.
enum { ALWAYS = 'a', LAST = 'e' };

// What is left between use and limit, and what the child has before that: so much
// is free again when it is gone. MOST is beyond all caches that the host gives up
// before it kills.
enum { SLACK = 1 << 20, BALLAST = 8 << 20, MOST = 1 << 30, SECONDS = 10, TRIES = 2 };

// What the child has mapped beyond twice what is in use (programs are not in use of
// this cgroup, but of their processes), in pieces; and what may be in use.
enum { MORE = 64 << 20, PIECE = 2 << 20 };
static const long long MOST_LIVE = 4ll << 30, MOST_LAST = 32ll << 30;

// A limit is a file with a bound and one with what is in use, of one kind of memory.
struct limit {
	int max, now;
	char old[32]; // what max is when nothing is announced
};

// memory is version 1's memory or version 2's; swap is memory and swap together
// there, and swap alone here.
static struct limit memory = {-1, -1}, swap = {-1, -1};
static int control = -1; // memory.oom_control or memory.oom.group
static int unified;

static int open_in(const char *group, const char *name, int flags)
{
	char path[4096];
	if (snprintf(path, sizeof path, "%s/%s", group, name) >= (int)sizeof path)
		return -1;
	return open(path, flags | O_CLOEXEC);
}

static void open_group(const char *group)
{
	memory.max = open_in(group, "memory.max", O_RDWR);
	unified = memory.max >= 0;
	if (unified) {
		memory.now = open_in(group, "memory.current", O_RDONLY);
		swap.max = open_in(group, "memory.swap.max", O_RDWR);
		swap.now = open_in(group, "memory.swap.current", O_RDONLY);
		control = open_in(group, "memory.oom.group", O_RDONLY);
	} else {
		memory.max = open_in(group, "memory.limit_in_bytes", O_RDWR);
		memory.now = open_in(group, "memory.usage_in_bytes", O_RDONLY);
		swap.max = open_in(group, "memory.memsw.limit_in_bytes", O_RDWR);
		swap.now = open_in(group, "memory.memsw.usage_in_bytes", O_RDONLY);
		control = open_in(group, "memory.oom_control", O_RDONLY);
	}
	if (memory.max < 0 || memory.now < 0)
		_exit(0); // somebody else's: there is nobody to tell
}

static int text_of(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	if (n < 0)
		return -1;
	text[n] = 0;
	return 0;
}

static long long number_of(int fd)
{
	char text[32];
	return text_of(fd, text, sizeof text) < 0 ? -1 : strtoll(text, NULL, 10);
}

static int set(int fd, const char *text)
{
	return pwrite(fd, text, strlen(text), 0) < 0 ? -1 : 0;
}

// killer_is_on reports whether the host's killer would take one process.
static int killer_is_on(void)
{
	char text[256];
	if (text_of(control, text, sizeof text) < 0)
		return 1; // older than the file
	return unified ? text[0] == '0' : strstr(text, "oom_kill_disable 0") != NULL;
}

// lower bounds a kind of memory by what is in use and slack more.
static int lower(struct limit *l, long long slack)
{
	char text[32];
	long long now = number_of(l->now);
	if (now < 0 || text_of(l->max, l->old, sizeof l->old) < 0)
		return -1;
	if (strncmp(l->old, "max", 3) != 0 && strtoll(l->old, NULL, 10) <= now + slack)
		return 0; // near enough
	snprintf(text, sizeof text, "%lld", now + slack);
	return set(l->max, text);
}

static void lower_all(void)
{
	// What uses memory meanwhile makes version 1 refuse.
	for (int i = 1; i <= 4 && lower(&memory, (long long)i * SLACK) < 0; i++)
		;
	if (swap.max >= 0 && swap.now >= 0)
		lower(&swap, unified ? 0 : 2 * SLACK);
}

// raise puts the bounds back; version 1 wants memory with swap to be the larger.
static void raise_all(void)
{
	if (swap.max >= 0 && swap.old[0])
		set(swap.max, swap.old);
	if (memory.old[0])
		set(memory.max, memory.old);
	swap.old[0] = memory.old[0] = 0;
}

// The address of this text is the one that the filter lets be opened.
static const char score_file[] = "/proc/self/oom_score_adj";

static volatile char *touch(size_t size, int flags)
{
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	return p;
}

// seem makes the process as large as size by mapping the same pages.
static void seem(long long size)
{
	char *piece = (char *)touch(PIECE, MAP_SHARED), sum = 0;
	for (; size > 0; size -= PIECE) {
		volatile char *p = mremap(piece, 0, PIECE, MREMAP_MAYMOVE);
		if (p == MAP_FAILED)
			_exit(1);
		for (size_t i = 0; i < PIECE; i += 4096)
			sum += p[i];
	}
	*piece = sum;
}

// victim is the child's life.
static void victim(int ready, int go, long long size)
{
	struct itimerval end = {.it_value.tv_sec = SECONDS};
	char b = 'b';
	setitimer(ITIMER_REAL, &end, NULL);
	int fd = syscall(SYS_openat, AT_FDCWD, score_file, O_WRONLY);
	if (fd < 0 || write(fd, "1000", 4) != 4)
		_exit(1);
	seem(size);
	touch(BALLAST, MAP_PRIVATE);
	if (write(ready, &b, 1) == 1 && read(go, &b, 1) == 1)
		touch(MOST, MAP_PRIVATE);
	_exit(0);
}

// announce makes an event. It reports whether the host killed the child.
static int announce(long long most)
{
	int ready[2], go[2], status = 0;
	char b = 'g';
	long long now = number_of(memory.now);
	if (now < 0 || now > most)
		return 0;
	if (pipe2(ready, O_CLOEXEC) < 0)
		return 0;
	if (pipe2(go, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return 0;
	}
	int pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		victim(ready[1], go[0], 2 * now + MORE);
	close(ready[1]);
	// Its end is an end of file: by the limit as it is, perhaps.
	if (pid > 0 && read(ready[0], &b, 1) == 1) {
		lower_all();
		b = 'g';
		if (write(go[1], &b, 1) < 0) {
			// It is gone: the status says how.
		}
	}
	close(ready[0]);
	close(go[1]);
	if (pid > 0)
		syscall(SYS_wait4, pid, &status, 0, NULL);
	raise_all();
	close(go[0]);
	return pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

// only_announce leaves the herald and its children the calls above.
static void only_announce(void)
{
	const uint64_t name = (uintptr_t)score_file;
#define ARG(i, half) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[i]) + 4 * (half))
#define IS(k) IF((uint32_t)(k), 1, 0), KILL
	struct sock_filter code[] = {
		CALLS,
		LET(SYS_read), LET(SYS_write), LET(SYS_pread64), LET(SYS_pwrite64), LET(SYS_close), LET(SYS_pipe2), LET(SYS_wait4), LET(SYS_mremap),
		LET(SYS_setitimer), LET(SYS_exit_group), LET(SYS_exit), LET(SYS_rt_sigreturn), LET(SYS_restart_syscall),
		NR(SYS_clone, 4), ARG(0, 0), IS(SIGCHLD), ALLOW,
		NR(SYS_mmap, 4), ARG(2, 0), IS(PROT_READ | PROT_WRITE), ALLOW,
		NR(SYS_openat, 7), ARG(1, 0), IS(name), ARG(1, 1), IS(name >> 32), ALLOW,
		KILL,
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	cordon_only_calls(&prog);
}

void cordon_herald(const char *group)
{
	char b = 0, when = 0;
	prctl(PR_SET_NAME, "runsc herald", 0, 0, 0);
	// Its parent tells when the group is there, or ends.
	if (read(FD_LIFELINE, &when, 1) != 1)
		_exit(0);
	close(FD_LIFELINE);
	open_group(group);
	if (geteuid() == 0)
		cordon_drop_rights(0, -1);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	only_announce();
	for (;;) {
		ssize_t n = read(FD_SENTRY, &b, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != 1)
			_exit(0);
		int told = 0, may = when == ALWAYS || b == LAST;
		for (int i = 0; may && i < TRIES && !told && killer_is_on(); i++)
			told = announce(b == LAST ? MOST_LAST : MOST_LIVE);
		if (write(FD_SENTRY, told ? "y" : "n", 1) < 0)
			_exit(0);
	}
}
