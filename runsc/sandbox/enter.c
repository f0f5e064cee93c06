// What the boot and gofer processes do before the Go runtime has threads.
//
// Capabilities, the bounding set and securebits belong to a thread, so they
// have to be given up while there is one: a constructor runs before main. The
// parent has put the process into new namespaces by clone(2); this code makes
// the file system empty and then gives the rights away. A failure is one line,
// "E" and a text, on the ready descriptor, and exit status 1.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enter.h"

#define fail cordon_fail

// Fixed descriptors: sandbox.go has the same numbers.
enum { FD_READY = 3, FD_MEMFILE = 5, FD_PROC = 6, FD_ROOTS = 7, FD_MEMMOUNT = 1000 };

// What the gofer keeps: acting on files of any owner.
#define KEEP_GOFER                                                          \
	((1ull << CAP_CHOWN) | (1ull << CAP_DAC_OVERRIDE) |                 \
	 (1ull << CAP_DAC_READ_SEARCH) | (1ull << CAP_FOWNER) |             \
	 (1ull << CAP_FSETID) | (1ull << CAP_MKNOD) | (1ull << CAP_SETFCAP) | \
	 (1ull << CAP_LEASE))

void cordon_fail(const char *fmt, ...)
{
	char text[512];
	int saved = errno;
	text[0] = 'E';
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text + 1, sizeof text - 64, fmt, ap);
	va_end(ap);
	if (n > (int)sizeof text - 66)
		n = sizeof text - 66;
	n += snprintf(text + 1 + n, 60, ": %s", strerror(saved));
	if (write(FD_READY, text, n + 1) < 0) {
		// The parent is gone; the exit status is all that is left.
	}
	_exit(1);
}

// place_fd gives fd the number to.
static void place_fd(int fd, int to, const char *what)
{
	if (fd == to)
		return;
	if (dup3(fd, to, O_CLOEXEC) < 0)
		fail("placing the descriptor of %s", what);
	close(fd);
}

long cordon_answer(int to, const void *data, size_t n, int fd)
{
	struct iovec iov = {(void *)data, n};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof control.room;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

void cordon_drop_rights(uint64_t keep, long id)
{
	for (int c = 0; c < 64; c++) {
		if (keep >> c & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break;
			fail("dropping capability %d from the bounding set", c);
		}
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		fail("clearing ambient capabilities");
	if (prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
				     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
				     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED, 0, 0, 0) < 0)
		fail("setting securebits");
	if (id >= 0) {
		if (setgroups(0, NULL) < 0)
			fail("setgroups");
		if (setresgid(id, id, id) < 0)
			fail("setresgid");
		if (setresuid(id, id, id) < 0)
			fail("setresuid");
	}
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct now[2], want[2];
	if (syscall(SYS_capget, &head, now) < 0)
		fail("capget");
	for (int i = 0; i < 2; i++) {
		uint32_t k = now[i].permitted & (uint32_t)(keep >> (32 * i));
		want[i].effective = want[i].permitted = k;
		want[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, want) < 0)
		fail("capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("no_new_privs");
}

// make_proc returns a detached mount that shows the processes of this process's PID
// namespace, or -1: a host may refuse it, and does where parts of its own are covered.
static int make_proc(void)
{
	int mnt = -1, fs = syscall(SYS_fsopen, "proc", 1 /* FSOPEN_CLOEXEC */);
	if (fs >= 0 && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fs >= 0)
		close(fs);
	return mnt;
}

// seen_from_outside makes the view of a container, with the mount proc in its /proc
// unless that is -1, and this process in an empty directory beside it; 0 if there is
// none.
static int seen_from_outside(const char *view, int proc)
{
	const char *keys[][2] = {{"size", "4096"}, {"nr_inodes", "1"}, {"mode", "555"}, {NULL, NULL}};
	if (!view)
		return 0;
	int empty = cordon_tmpfs(keys, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int made = cordon_view(view, empty, proc) == 0;
	if (proc >= 0 && !made)
		close(proc);
	close(empty);
	return made;
}

// show_as gives the process the name of the guest's program.
static void show_as(const char *program)
{
	const char *base = strrchr(program, '/');
	prctl(PR_SET_NAME, base ? base + 1 : program, 0, 0, 0);
}

// boot: the memory file, then an empty root and no rights at all.
// memory bounds what guests have, in bytes; "0" is no bound.
static void enter_boot(long id, const char *memory, const char *program, const char *view)
{
	if (program) // after "--"
		show_as(program);
	cordon_private_mounts();
	// Not noexec: guests execute from this file.
	const char *keys[][2] = {{"size", memory}, {"huge", "advise"}, {"mode", "700"}, {NULL, NULL}};
	int mnt = cordon_tmpfs(keys, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	int file = openat(mnt, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		fail("making the memory file");
	// mincore(2) tells only those who may write a file which pages it has;
	// nobody else can name this one.
	if (fchmod(file, 0666) < 0)
		fail("sharing the memory file");
	// By the mount an update of the limits resizes it.
	place_fd(mnt, FD_MEMMOUNT, "the memory file's mount");
	place_fd(file, FD_MEMFILE, "the memory file");
	if (!view || !seen_from_outside(view, make_proc()))
		cordon_empty_root(NULL, 0);
	cordon_drop_rights(0, id);
	// Stubs are traced by a process without CAP_SYS_PTRACE.
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		fail("PR_SET_DUMPABLE");
}

// net and switch: the network namespace that they were started in, an empty
// root, and no rights at all.
static void enter_net(long id)
{
	cordon_private_mounts();
	cordon_empty_root(NULL, 0);
	cordon_drop_rights(0, id);
}

// gofer: a clone of each tree it serves, and nothing else.
static void enter_gofer(int count, char **trees)
{
	int *fds = calloc(count + 1, sizeof *fds), n = 0;
	struct cordon_tree *followed = calloc(count + 1, sizeof *followed);
	if (!fds || !followed)
		fail("%d trees", count);
	// A mount whose root is this process's own directory of descriptors: ".."
	// leads nowhere from there.
	place_fd(cordon_clone_tree("/proc/self/fd", 'o', 0, CORDON_PRIVATE), FD_PROC, "/proc/self/fd");
	cordon_clone_trees(count, trees, fds);
	for (int i = 0; i < count; i++) {
		if (fds[i] >= 0)
			place_fd(fds[i], FD_ROOTS + i, trees[i] + 3);
		if (!cordon_follows(trees[i]))
			continue;
		followed[n].fd = FD_ROOTS + i;
		followed[n].path = trees[i] + 3;
		snprintf(followed[n++].name, sizeof followed->name, "%d", i);
	}
	cordon_empty_root(followed, n);
	free(followed);
	free(fds);
	cordon_drop_rights(KEEP_GOFER, -1);
}

// The keeper of a container that joined a sandbox: a host process with nothing
// but a pid. Its descriptors, after FD_READY: the socket to the Sentry and the
// lifeline from its parent, as the boot process has, and the sandbox's PID namespace.
enum { FD_SENTRY = 4, FD_LIFELINE = 5, FD_PIDS = 6 };

// pass_on tells the Sentry of a signal that came to the keeper.
static void pass_on(int sig)
{
	unsigned char b = sig;
	int saved = errno;
	if (write(FD_SENTRY, &b, 1) < 0) {
		// The Sentry is gone: the next read says so.
	}
	errno = saved;
}

static void catch_signals(void)
{
	struct sigaction act = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	static const int fatal[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT, SIGCHLD, SIGPIPE};
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		int own = 0;
		for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++)
			own |= sig == fatal[i];
		// The C library keeps two for itself.
		if (!own && sigaction(sig, &act, NULL) < 0 && errno != EINVAL)
			fail("catching signal %d", sig);
	}
	signal(SIGPIPE, SIG_IGN);
}

// only_keep leaves the keeper the calls of its loop.
static void only_keep(void)
{
	struct sock_filter code[] = {
		CALLS,
		LET(SYS_read), LET(SYS_write), LET(SYS_ppoll), LET(SYS_close), LET(SYS_exit_group), LET(SYS_exit),
		LET(SYS_rt_sigreturn), LET(SYS_restart_syscall),
		KILL,
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	cordon_only_calls(&prog);
}

void cordon_only_calls(struct sock_fprog *prog)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog) < 0)
		fail("installing a filter");
}

// keep waits for the exit code of the container's first process and ends with
// it. It never returns. When the Sentry goes away, or the parent before it has
// detached this process, the container was killed.
static void keep(void)
{
	const int killed = 128 + SIGKILL;
	struct pollfd fds[2] = {{FD_SENTRY, POLLIN, 0}, {FD_LIFELINE, POLLIN, 0}};
	unsigned char code[4];
	int have = 0;
	if (write(FD_READY, "{}", 2) < 0)
		_exit(1);
	close(FD_READY);
	for (;;) {
		if (syscall(SYS_ppoll, fds, 2, NULL, NULL, 0) < 0) {
			if (errno == EINTR)
				continue;
			_exit(killed);
		}
		if (fds[0].revents) {
			int n = read(FD_SENTRY, code + have, sizeof code - have);
			if (n == 0 || (n < 0 && errno != EINTR))
				_exit(killed);
			if (n > 0 && (have += n) == sizeof code)
				_exit(code[0]);
		}
		if (fds[1].revents) {
			char b = 0;
			int n = read(FD_LIFELINE, &b, 1);
			if (n != 1 || b != 'd')
				_exit(killed);
			fds[1].fd = -1; // detached
		}
	}
}

// proc_of is make_proc for another PID namespace: a process in it makes the mount, and
// shares its descriptors.
static int proc_of(int pids)
{
	int mnt = -1, status;
	if (setns(pids, CLONE_NEWPID) < 0)
		return -1;
	// As vfork(2), which has no flag for the descriptors.
	int child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0) {
		mnt = make_proc();
		_exit(mnt < 0 || mnt > 255 ? 255 : mnt);
	}
	if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 255)
		mnt = WEXITSTATUS(status);
	return mnt;
}

static void enter_keeper(const char *name, const char *view)
{
	if (view) { // it has a mount namespace of its own
		cordon_private_mounts();
		if (!seen_from_outside(view, proc_of(FD_PIDS)))
			cordon_empty_root(NULL, 0);
	}
	close(FD_PIDS);
	show_as(name);
	if (geteuid() == 0)
		cordon_drop_rights(0, -1);
	// Others of its user could take its place.
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	catch_signals();
}

// The Go runtime raises the soft limit of descriptors when it starts.
static struct rlimit descriptors_at_start;

unsigned long long cordon_descriptor_limit(void)
{
	return descriptors_at_start.rlim_cur;
}

// CORDON_ZONE is "boot" or "net", each with ":ID" to become that user and group, "gofer",
// "keeper", "herald", "opener", "porter", with ":owner" for CAP_IPC_OWNER, or "mounter"; a
// "+" at its end asks to be killed when the parent dies.
__attribute__((constructor)) static void enter(int argc, char **argv, char **envp)
{
	const char *zone = NULL, *memory = "0", *group = "", *view = NULL, *names = "";
	getrlimit(RLIMIT_NOFILE, &descriptors_at_start);
	for (char **e = envp; e && *e; e++) {
		if (strncmp(*e, "CORDON_ZONE=", 12) == 0)
			zone = *e + 12;
		else if (strncmp(*e, "CORDON_MEMORY=", 14) == 0)
			memory = *e + 14;
		else if (strncmp(*e, "CORDON_GROUP=", 13) == 0)
			group = *e + 13;
		else if (strncmp(*e, "CORDON_VIEW=", 12) == 0)
			view = *e + 12;
		else if (strncmp(*e, "CORDON_TREES=", 13) == 0)
			names = *e + 13;
	}
	if (!zone || argc < 1)
		return;
	int keeper = strncmp(zone, "keeper", 6) == 0;
	int herald = strcmp(zone, "herald") == 0, opener = strcmp(zone, "opener") == 0;
	int porter = strncmp(zone, "porter", 6) == 0, mounter = strcmp(zone, "mounter") == 0;
	if (keeper)
		enter_keeper(argv[0], view);
	else if (herald || opener || porter)
		;
	else if (mounter)
		cordon_enter_mounter(argc - 2, argv + 2, names);
	else if (argc < 2)
		return;
	else if (strncmp(zone, "boot", 4) == 0 && strcmp(argv[1], "boot") == 0)
		enter_boot(zone[4] == ':' ? strtol(zone + 5, NULL, 10) : -1, memory, argc > 3 ? argv[3] : NULL, view);
	else if (strncmp(zone, "net", 3) == 0 && (strcmp(argv[1], "net") == 0 || strcmp(argv[1], "switch") == 0))
		enter_net(zone[3] == ':' ? strtol(zone + 4, NULL, 10) : -1);
	else if (strncmp(zone, "gofer", 5) == 0 && strcmp(argv[1], "gofer") == 0)
		enter_gofer(argc - 2, argv + 2);
	else
		return;
	// With several arenas the C library asks /sys how many processors there
	// are, at a time of its own choosing, which no filter allows.
	mallopt(M_ARENA_MAX, 1);
	// A crash must not write guest memory to the host's disk.
	struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		fail("setrlimit");
	// Last: a change of credentials clears it.
	if (zone[strlen(zone) - 1] == '+' && prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0) < 0)
		fail("PR_SET_PDEATHSIG");
	if (herald)
		cordon_herald(group);
	if (opener)
		cordon_opener();
	if (porter)
		cordon_porter(zone[6] == ':');
	if (mounter)
		cordon_mounter();
	if (keeper) {
		only_keep();
		keep();
	}
}
