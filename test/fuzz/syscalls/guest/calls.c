// Random system calls, drawn from the grammar that the driver derives from the
// syscall table. Process 1 forks rounds of children, each with a seed; a child
// calls until its time is over. After every round process 1 kills all others
// and waits for the last one: one that does not die is a finding.
//
// usage: calls GRAMMAR SEED CHILDREN
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUND_MS 400
#define STUCK_MS 15000

typedef uint64_t u64;

// The grammar, as grammar.go writes it.
struct field { int off, size, set; };
struct type { int size, nfields; struct field *fields; };
struct arg { char kind; int param; };
struct call { int nr, nargs; char name[32]; struct arg args[6]; };
static struct { int n; u64 *v; } *sets;
static struct type *types;
static struct call *calls;
static int nsets, ntypes, ncalls;

static void parse(const char *path) {
	FILE *f = fopen(path, "r");
	if (!f || fscanf(f, "%d %d %d", &nsets, &ntypes, &ncalls) != 3) exit(3);
	sets = calloc(nsets + 1, sizeof *sets);
	types = calloc(ntypes + 1, sizeof *types);
	calls = calloc(ncalls + 1, sizeof *calls);
	int bad = 0;
	for (int i = 0; i < nsets; i++) {
		bad |= fscanf(f, "%d", &sets[i].n) != 1;
		sets[i].v = calloc(sets[i].n + 1, 8);
		for (int j = 0; j < sets[i].n; j++) bad |= fscanf(f, "%lu", &sets[i].v[j]) != 1;
	}
	for (int i = 0; i < ntypes; i++) {
		struct type *t = &types[i];
		bad |= fscanf(f, "%d %d", &t->size, &t->nfields) != 2;
		t->fields = calloc(t->nfields + 1, sizeof *t->fields);
		for (int j = 0; j < t->nfields; j++)
			bad |= fscanf(f, "%d %d %d", &t->fields[j].off, &t->fields[j].size, &t->fields[j].set) != 3;
	}
	for (int i = 0; i < ncalls; i++) {
		struct call *c = &calls[i];
		bad |= fscanf(f, "%d %31s %d", &c->nr, c->name, &c->nargs) != 3;
		for (int j = 0; j < c->nargs; j++) bad |= fscanf(f, " %c %d", &c->args[j].kind, &c->args[j].param) != 2;
	}
	if (bad) exit(3);
	fclose(f);
}

// xorshift64*; a thread has its own state.
static __thread u64 state;
static u64 rnd(void) {
	state ^= state >> 12; state ^= state << 25; state ^= state >> 27;
	return state * 2685821657736338717ull;
}
static u64 upto(u64 n) { return rnd() % n; }
static int chance(int percent) { return (int)upto(100) < percent; }
#define PICK(a) ((a)[upto(sizeof(a) / sizeof *(a))])

#define ARENA (1 << 20)
static char *arena;  // writable, with a hole after it
static char *rdonly; // one page that cannot be written

static u64 address(void) {
	u64 p = (u64)arena + (upto(ARENA) & ~7ull);
	switch (upto(16)) {
	case 0: return 0;
	case 1: return (u64)arena + ARENA - upto(64);
	case 2: return (u64)rdonly + upto(4096);
	case 3: return p | upto(8);
	case 4: return PICK(((u64[]){1, 4096, 0x7ffffffff000, 0x7fffffffe000, 0x800000000000, 0xffff800000000000, ~0ull, ~0ull << 12, 0xffffffffff600000}));
	case 5: case 6: case 7: return p & ~4095ull;
	default: return p;
	}
}

static u64 number(void) {
	switch (upto(6)) {
	case 0: return upto(16);
	case 1: return 1ull << upto(64);
	case 2: return (1ull << upto(64)) - 1;
	case 3: return -upto(5000);
	case 4: return PICK(((u64[]){0, 1, 4095, 4096, 4097, 65535, 65536, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000}));
	default: return rnd() >> upto(64);
	}
}

static u64 size(void) {
	switch (upto(8)) {
	case 0: return number();
	case 1: return upto(9) * 4096;
	case 2: return PICK(((u64[]){1, 2, 4, 8, 8, 16, 24, 28, 64, 88, 110}));
	case 3: return 8;
	default: return upto(300);
	}
}

// What child opens, by number, for calls whose names begin like this.
static const struct { const char *begin; int first, n; } openings[] = {
	{"socket", 8, 5}, {"recv", 8, 5}, {"send", 8, 5}, {"accept", 8, 5}, {"bind", 8, 3}, {"listen", 8, 3}, {"connect", 8, 3}, {"shutdown", 8, 5},
	{"getsock", 8, 5}, {"setsock", 8, 5}, {"getpeer", 8, 5}, {"epoll", 13, 1}, {"timerfd", 15, 1}, {"inotify", 17, 1}, {"signalfd", 18, 1}, {"ioctl", 3, 18},
	{"splice", 5, 2}, {"tee", 5, 2}, {"vmsplice", 5, 2}, {"getdents", 4, 1}, {"pidfd", 21, 1}, {"fallocate", 16, 1}, {"copy_file", 3, 1}, {"sendfile", 3, 2},
	{"f", 3, 2}, {"p", 3, 1}, {"mmap", 16, 1}, {"open", 4, 1}, {"link", 4, 1}, {"rename", 4, 1}, {"unlink", 4, 1}, {"mk", 4, 1}, {"name_to", 4, 1},
};
static __thread const char *calling = "";

static u64 fd(void) {
	if (chance(50))
		for (unsigned i = 0; i < sizeof openings / sizeof *openings; i++)
			if (!strncmp(calling, openings[i].begin, strlen(openings[i].begin))) return openings[i].first + upto(openings[i].n);
	switch (upto(12)) {
	case 0: return number();
	case 1: return AT_FDCWD;
	case 2: return -1;
	default: return upto(24);
	}
}

static u64 pid(void) {
	int self = getpid();
	switch (upto(6)) {
	case 0: return 0;
	case 1: return self + 1;
	case 2: return -self;
	case 3: return 99999 + upto(1000000);
	case 4: return syscall(SYS_gettid);
	default: return self;
	}
}

static u64 member(int set) {
	if (set < 0 || sets[set].n == 0 || chance(4)) return number();
	if (chance(20)) return 0;
	u64 v = sets[set].v[upto(sets[set].n)];
	if (chance(65)) return v;
	for (int n = upto(4); n > 0; n--) v |= sets[set].v[upto(sets[set].n)];
	return v;
}

static const char *const names[] = {
	"a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/f", ".", "..", "/", "", "a/", "d/..", "./d/../a", "../../..", "/tmp", "link", "loop", "d/../link/a",
	"/proc", "/proc/self", "/proc/self/fd/3", "/proc/self/fd/4", "/proc/self/fd/5", "/proc/self/mem", "/proc/self/maps", "/proc/self/smaps", "/proc/self/exe",
	"/proc/self/root", "/proc/self/cwd", "/proc/self/stat", "/proc/self/status", "/proc/self/cmdline", "/proc/self/environ", "/proc/self/auxv", "/proc/self/limits",
	"/proc/self/mounts", "/proc/self/mountinfo", "/proc/self/fdinfo/3", "/proc/self/ns/net", "/proc/self/ns/mnt", "/proc/self/task", "/proc/self/comm",
	"/proc/self/oom_score_adj", "/proc/self/pagemap", "/proc/self/wchan", "/proc/self/io", "/proc/self/net/dev", "/proc/self/uid_map", "/proc/self/timers",
	"/proc/thread-self/stat", "/proc/meminfo", "/proc/stat", "/proc/net/tcp", "/proc/net/unix", "/proc/net/route", "/proc/sys/kernel/hostname",
	"/proc/sys/kernel/pid_max", "/proc/sys/vm/overcommit_memory", "/proc/sys", "/proc/locks", "/proc/filesystems", "/proc/sys/fs/file-nr",
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/pts/0", "/dev/shm/x", "/dev/fd/3",
	"/sys", "/sys/devices/system/cpu/online", "/sys/class/net/lo/mtu", "/etc/passwd", "/etc", "/usr/bin/env", "/bin/true", "/usr", "/lib64", "/etc/hostname",
	"fifo", "sock", "tmpfs", "proc", "sysfs", "devpts", "overlay", "bind", "user.x", "security.x", "trusted.y", "system.posix_acl_access", "lo", "eth0",
	"size=1m", "lowerdir=a,upperdir=b,workdir=c", "mode=755",
};

static char *room(int n) { return arena + (upto(ARENA - n) & ~7ull); }

static u64 string(void) {
	if (chance(6)) return address();
	char *p = room(8192);
	static const char *const inside[] = {"a", "b", "d", "d/a", "d/e", "d/e/f", "new", "d/new", "link/x", "sock", "fifo"};
	const char *s = chance(60) ? PICK(inside) : PICK(names);
	strcpy(p, s);
	if (chance(8)) { strcat(p, "/"); strcat(p, PICK(names)); }
	if (chance(2)) { int n = PICK(((int[]){254, 255, 256, 257, 4094, 4095, 4096, 5000})); memset(p, chance(50) ? 'x' : '/', n); p[n] = 0; }
	if (chance(2)) { for (int i = 0; i < 40; i++) p[i] = rnd() | 1; p[40] = 0; }
	return (u64)p;
}

static void fill(char *p, int n);

static u64 word(void) {
	switch (upto(5)) {
	case 0: return address();
	case 1: return fd();
	case 2: return size();
	case 3: return 0;
	default: return number();
	}
}

static void structure(char *p, struct type *t) {
	if (chance(5)) { fill(p, t->size); return; }
	memset(p, 0, t->size);
	for (int i = 0; i < t->nfields; i++) {
		struct field *f = &t->fields[i];
		u64 v = f->set >= 0 ? member(f->set) : chance(30) ? 0 : word();
		if (f->set == -2) v = upto(3); // seconds: a call should end
		memcpy(p + f->off, &v, f->size);
	}
}

// pointer gives an argument of a type, filled in unless it is only written.
static u64 pointer(int type, int in) {
	if (chance(8)) return 0;
	if (chance(8)) return address();
	struct type *t = &types[type];
	int n = 1 + (chance(30) ? upto(8) : 0);
	char *p = room(t->size * n + 64);
	if (in)
		for (int i = 0; i < n; i++) structure(p + i * t->size, t);
	return (u64)p;
}

// fill writes what some call may make sense of: addresses, netlink messages,
// control messages, text or noise.
static void fill(char *p, int n) {
	if (n <= 0) return;
	char b[128] = {0};
	int k = 0;
	switch (upto(8)) {
	case 0: { // sockaddr_un
		uint16_t f = 1; memcpy(b, &f, 2); strcpy(b + 2 + upto(2), PICK(((char *[]){"sock", "a", "/tmp/s", "abstract"}))); k = 110; break; }
	case 1: { // sockaddr_in
		uint16_t f = 2, port = htobe16(1 + upto(4) * 1000); memcpy(b, &f, 2); memcpy(b + 2, &port, 2); b[4] = chance(80) ? 127 : 0; b[7] = b[4] ? 1 : 0; k = 16; break; }
	case 2: { // sockaddr_in6
		uint16_t f = 10, port = htobe16(1 + upto(4) * 1000); memcpy(b, &f, 2); memcpy(b + 2, &port, 2); b[23] = chance(80); k = 28; break; }
	case 3: { // nlmsghdr and noise; also sockaddr_nl
		uint32_t len = chance(80) ? (uint32_t)n : number(); uint16_t ty = chance(90) ? 16 + upto(100) : number(), fl = chance(50) ? 0x301 : number();
		if (chance(20)) { b[0] = 16; k = 12; break; }
		memcpy(b, &len, 4); memcpy(b + 4, &ty, 2); memcpy(b + 6, &fl, 2);
		for (int i = 16; i < 64; i += 4) { uint32_t v = chance(50) ? 0 : upto(70000); memcpy(b + i, &v, 4); }
		k = 64; break; }
	case 4: { // cmsghdr
		u64 len = chance(80) ? 16 + 4 * upto(5) : number(); int level = PICK(((int[]){1, 0, 41, 6, 17})), ty = upto(4);
		memcpy(b, &len, 8); memcpy(b + 8, &level, 4); memcpy(b + 12, &ty, 4);
		for (int i = 16; i < 36; i += 4) { int v = fd(); memcpy(b + i, &v, 4); }
		k = 40; break; }
	case 5: strcpy(b, "#!/bin/sh\n"); k = 11; break;
	case 6: k = 0; break;
	default: k = n < 128 ? n : 128; for (int i = 0; i < k; i += 8) { u64 v = word(); memcpy(b + i, &v, 8); }
	}
	memset(p, 0, n);
	memcpy(p, b, k < n ? k : n);
}

static u64 vector(void) {
	if (chance(8)) return address();
	struct iovec *v = (void *)room(16 * sizeof *v);
	for (int i = 0; i < 16; i++) { v[i].iov_base = (void *)address(); v[i].iov_len = chance(90) ? upto(5000) : number(); }
	return (u64)v;
}

static u64 strings(void) {
	if (chance(8)) return address();
	u64 *v = (void *)room(10 * 8);
	int n = upto(6);
	for (int i = 0; i < n; i++) v[i] = string();
	v[n] = 0;
	return (u64)v;
}

// attribute names an extended attribute or another string.
static u64 attribute(void) {
	if (chance(20)) return string();
	char *p = room(64);
	strcpy(p, PICK(((char *[]){"user.x", "user.y", "user.", "trusted.z", "security.s", "system.posix_acl_access", "none"})));
	return (u64)p;
}

static u64 kindOfFS(void) {
	char *p = room(64);
	strcpy(p, PICK(((char *[]){"tmpfs", "proc", "sysfs", "devpts", "overlay", "mqueue", "cgroup2", "ramfs", "devtmpfs", "ext4"})));
	return (u64)p;
}

static u64 argument(struct arg *a) {
	switch (a->kind) {
	case 'f': return fd();
	case 'p': return string();
	case 'c': return attribute();
	case 'i': return pointer(a->param, 1);
	case 'o': return pointer(a->param, chance(20));
	case 'b': { if (chance(10)) return address(); char *p = room(4096); fill(p, 512); return (u64)p; }
	case 'w': return address();
	case 'v': return vector();
	case 's': return strings();
	case 'a': return address();
	case 'n': return size();
	case 'd': return pid();
	case 'm': return member(a->param);
	case 't': return chance(70) ? upto(20) : number() & 0x3f; // milliseconds
	case 'h': return word();
	default: return chance(50) ? upto(80) : number();
	}
}

static void onalarm(int s) { (void)s; }

// armed makes what blocks end: the alarm interrupts it.
static void armed(void) {
	struct sigaction sa = {.sa_handler = onalarm};
	sigaction(SIGALRM, &sa, 0);
	struct itimerval it = {{0, 20000}, {0, 20000}};
	setitimer(ITIMER_REAL, &it, 0);
}

static u64 nowms(void) {
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ull + ts.tv_nsec / 1000000;
}

static u64 deadline;

static void *run(void *seed) {
	state = (u64)seed | 1;
	for (int i = 0; i < 8; i++) rnd();
	// A run prefers some calls, so that states build up.
	struct call *liked[12];
	for (int i = 0; i < 12; i++) liked[i] = &calls[upto(ncalls)];
	while (nowms() < deadline) {
		struct call *c = chance(60) ? PICK(liked) : &calls[upto(ncalls)];
		// These end the caller or stop it for long.
		if ((c->nr == SYS_exit || c->nr == SYS_exit_group || c->nr == SYS_pause || c->nr == SYS_vfork || c->nr == SYS_rt_sigreturn) && !chance(2)) continue;
		if ((c->nr == SYS_munmap || c->nr == SYS_mmap || c->nr == SYS_mremap) && chance(50)) continue;
		if (c->nargs == 0 && chance(80)) continue;
		calling = c->name;
		u64 a[6] = {0};
		for (int j = 0; j < 6; j++) a[j] = j < c->nargs ? argument(&c->args[j]) : rnd();
		if (c->nr == SYS_mount && chance(60)) a[2] = kindOfFS();
		long r = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		int forks = c->nr == SYS_fork || c->nr == SYS_vfork || c->nr == SYS_clone || c->nr == SYS_clone3;
		if (r == 0 && forks) { // a child of the child
			state ^= getpid() * 0x9e3779b97f4a7c15ull;
			armed();
		}
		// Write through mappings that were made.
		if (c->nr == SYS_mmap && r > 0 && chance(50)) *(volatile char *)r = 1;
	}
	return 0;
}

static void child(u64 seed, int index) {
	state = seed | 1;
	// Earlier children may have spoilt any place: a new one each time.
	char dir[64];
	snprintf(dir, sizeof dir, "/tmp/%lx.%d", seed, index);
	if (mkdir(dir, 0777) || chdir(dir)) {
		snprintf(dir, sizeof dir, "/%lx.%d", seed, index);
		mkdir(dir, 0777);
		if (chdir(dir)) (void)!chdir("/");
	}
	if (chance(70)) unshare(CLONE_NEWNS);
	mkdir("d", 0755); mkdir("d/e", 0755); mknod("fifo", S_IFIFO | 0644, 0);
	(void)!symlink("d", "link"); (void)!symlink("loop", "loop");
	close(open("a", O_CREAT | O_RDWR, 0644));
	arena = mmap(0, ARENA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(arena + ARENA, 4096);
	rdonly = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int null = open("/dev/null", O_RDWR);
	for (int i = 0; i < 3; i++) dup2(null, i);
	syscall(SYS_close_range, 3, ~0u, 0);
	// Descriptors of many kinds to begin with: 3 and up.
	int p[2];
	open("a", O_RDWR); open("d", O_RDONLY | O_DIRECTORY); (void)!pipe(p); open("fifo", O_RDWR | O_NONBLOCK);
	static const int socks[][3] = {{1, 1, 0}, {1, 2, 0}, {2, 1, 0}, {2, 2, 0}, {10, 1, 0}, {16, 3, 0}, {16, 2, 0}, {2, 3, 1}, {17, 3, 0x300}};
	int s = upto(9);
	for (int i = 0; i < 3; i++) syscall(SYS_socket, socks[(s + i) % 9][0], socks[(s + i) % 9][1] | 04000, socks[(s + i) % 9][2]);
	syscall(SYS_socketpair, 1, 1 + upto(2), 0, p);
	syscall(SYS_epoll_create1, 0); syscall(SYS_eventfd2, 0, 0); syscall(SYS_timerfd_create, 1, 0); syscall(SYS_memfd_create, "m", 2);
	syscall(SYS_inotify_init1, 0); syscall(SYS_signalfd4, -1, arena, 8, 0);
	open("/dev/ptmx", O_RDWR | O_NOCTTY); open("/proc/self/maps", O_RDONLY); syscall(SYS_pidfd_open, getpid(), 0);
	struct rlimit as = {1 << 30, 1 << 30}, fsize = {16 << 20, 16 << 20};
	setrlimit(RLIMIT_AS, &as); setrlimit(RLIMIT_FSIZE, &fsize);
	signal(SIGXFSZ, SIG_IGN); signal(SIGPIPE, SIG_IGN);
	setpgid(0, 0);
	armed();
	if (chance(20)) { if (setgid(1000) || setuid(1000)) _exit(1); }
	deadline = nowms() + ROUND_MS;
	u64 other = rnd(), mine = rnd();
	if (chance(50)) {
		pthread_t t;
		pthread_create(&t, 0, run, (void *)other);
	}
	run((void *)mine);
	_exit(0);
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	parse(argv[1]);
	u64 seed = strtoull(argv[2], 0, 0);
	int children = atoi(argv[3]);
	for (int s = 1; s < 65; s++)
		if (s != SIGCHLD) signal(s, SIG_IGN);
	for (u64 round = seed;; round++) {
		dprintf(1, "round %lu\n", round);
		for (int i = 0; i < children; i++) {
			pid_t p = fork();
			if (p == 0) {
				for (int s = 1; s < 65; s++) signal(s, SIG_DFL);
				child((round * children + i) * 0x9e3779b97f4a7c15ull + 1, i);
			}
			if (p < 0) { dprintf(1, "fork: %s\n", strerror(errno)); return 4; }
		}
		u64 start = nowms(), killed = 0;
		for (;;) {
			pid_t p = waitpid(-1, 0, WNOHANG | __WALL);
			if (p < 0) break; // nobody is left
			if (p > 0) continue;
			u64 t = nowms();
			if (t - start > ROUND_MS * 2 && t - killed > 100) { kill(-1, SIGKILL); killed = t; }
			if (t - start > STUCK_MS) { dprintf(1, "stuck %lu\n", round); return 5; }
			usleep(2000);
		}
		kill(-1, SIGKILL);
	}
}
