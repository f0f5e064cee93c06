// Measures what one more costs when there are many. usage: growth ROW N...;
// prints "N NANOSECONDS" for each N.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)
enum { PAGE = 4096, STACK = 64 << 10 };

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void allow_files(long n) {
	struct rlimit r;
	CHECK(!getrlimit(RLIMIT_NOFILE, &r));
	if (r.rlim_cur < (rlim_t)n + 64) {
		r.rlim_cur = n + 64;
		if (r.rlim_max < r.rlim_cur) r.rlim_max = r.rlim_cur;
		CHECK(!setrlimit(RLIMIT_NOFILE, &r));
	}
}

// open_files makes sure that n descriptors more than the first ones are open.
static void open_files(long n) {
	static long have;
	allow_files(n);
	for (; have < n; have++) CHECK(open("/etc/passwd", O_RDONLY) >= 0);
}

// files: open and close one more with n open.
static double files(long n) {
	open_files(n);
	const long rounds = 5000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		int f = open("/etc/passwd", O_RDONLY);
		CHECK(f >= 0);
		close(f);
	}
	return (now() - start) / rounds;
}

// holes: close the first and the last of n and open both again: the lowest free
// number is far from the last one.
static double holes(long n) {
	open_files(n);
	const long rounds = 2000;
	const int low = 3, high = n + 2;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		close(low), close(high);
		CHECK(dup(0) == low);
		if (high != low) CHECK(dup(0) == high);
	}
	return (now() - start) / rounds;
}

// fdlist: a listing of n descriptors, per descriptor.
static double fdlist(long n) {
	open_files(n);
	const long rounds = 20000 / (n + 20) + 3;
	long seen = 0;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		DIR *d = opendir("/proc/self/fd");
		CHECK(d);
		while (readdir(d)) seen++;
		closedir(d);
	}
	double v = (now() - start) / seen;
	CHECK(seen >= rounds * n);
	return v;
}

// forks is what a fork, an exit and a wait cost.
static double forks(long rounds) {
	double start = now();
	for (long i = 0; i < rounds; i++) {
		pid_t p = fork();
		CHECK(p >= 0);
		if (!p) _exit(0);
		CHECK(waitpid(p, 0, 0) == p);
	}
	return (now() - start) / rounds;
}

// fdfork: fork and exit of a process that has n open.
static double fdfork(long n) {
	open_files(n);
	return forks(30);
}

static int events[10001];
static long events_made;

static void make_events(long n) {
	CHECK(n <= 10000);
	allow_files(n);
	for (; events_made < n; events_made++) CHECK((events[events_made] = eventfd(0, EFD_NONBLOCK)) >= 0);
}

// polls: poll n descriptors of which the last is ready, per descriptor.
static double polls(long n) {
	static struct pollfd p[10000];
	make_events(n);
	for (long i = 0; i < n; i++) p[i] = (struct pollfd){events[i], POLLIN, 0};
	eventfd_write(events[n - 1], 1);
	const long rounds = 20000 / n + 20;
	double start = now();
	for (long i = 0; i < rounds; i++) CHECK(poll(p, n, -1) == 1);
	double v = (now() - start) / (rounds * n);
	eventfd_t got;
	eventfd_read(events[n - 1], &got);
	return v;
}

// epolls: one of n registered descriptors becomes ready, is reported and read.
static double epolls(long n) {
	static int ep = -1;
	static long have;
	make_events(n);
	if (ep < 0) CHECK((ep = epoll_create1(0)) >= 0);
	for (; have < n; have++) {
		struct epoll_event e = {.events = EPOLLIN, .data.u64 = have};
		CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, events[have], &e));
	}
	const long rounds = 5000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		struct epoll_event e;
		eventfd_t got;
		long which = i * 7919 % n;
		eventfd_write(events[which], 1);
		CHECK(epoll_wait(ep, &e, 1, -1) == 1 && (long)e.data.u64 == which);
		eventfd_read(events[which], &got);
	}
	return (now() - start) / rounds;
}

static void *nothing(void *p) { return p; }

static pthread_t start_thread(void *(*run)(void *), void *arg) {
	pthread_attr_t a;
	pthread_t t;
	pthread_attr_init(&a);
	CHECK(!pthread_attr_setstacksize(&a, STACK));
	int e = pthread_create(&t, &a, run, arg);
	if (e) { fprintf(stderr, "pthread_create: %d\n", e); exit(1); }
	pthread_attr_destroy(&a);
	return t;
}

// A ring of threads: each waits for its word, then wakes the next.
static struct { int word; char pad[60]; } ring[1024];
static long ring_size, hops;
static int ring_over;
static double ring_end;

static void futex(int *w, int op, int v) { syscall(SYS_futex, w, op | FUTEX_PRIVATE_FLAG, v, 0, 0, 0); }

static void await(long i) {
	while (!__atomic_exchange_n(&ring[i].word, 0, __ATOMIC_ACQUIRE)) futex(&ring[i].word, FUTEX_WAIT, 0);
}

static void pass(long i) {
	__atomic_store_n(&ring[i].word, 1, __ATOMIC_RELEASE);
	futex(&ring[i].word, FUTEX_WAKE, 1);
}

static void *runner(void *arg) {
	long me = (long)arg;
	for (long i = 0; i < hops; i++) {
		await(me);
		if (i == hops - 1 && me == ring_size - 1) {
			ring_end = now();
			__atomic_store_n(&ring_over, 1, __ATOMIC_RELEASE);
			futex(&ring_over, FUTEX_WAKE, 1);
		}
		pass((me + 1) % ring_size);
	}
	return 0;
}

// threads: create and join one more while n sleep.
static double threads(long n) {
	static pthread_t t[1024];
	CHECK(n <= 1024);
	ring_size = n + 1, hops = 1;
	for (long i = 0; i < n; i++) t[i] = start_thread(runner, (void *)i);
	usleep(100000); // they sleep
	const long rounds = 1000;
	double start = now();
	for (long i = 0; i < rounds; i++) pthread_join(start_thread(nothing, 0), 0);
	double v = (now() - start) / rounds;
	pass(0);
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	ring[n].word = 0;
	return v;
}

// switches: a wake goes round n threads, each of which sleeps. Their ends are not
// in the figure.
static double switches(long n) {
	static pthread_t t[1024];
	CHECK(n > 1 && n <= 1024);
	ring_size = n, hops = 8000 / n + 4;
	for (long i = 0; i < n; i++) t[i] = start_thread(runner, (void *)i);
	usleep(100000);
	ring_over = 0;
	double start = now();
	pass(0);
	while (!__atomic_load_n(&ring_over, __ATOMIC_ACQUIRE)) futex(&ring_over, FUTEX_WAIT, 0);
	double v = (ring_end - start) / (n * hops);
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	ring[0].word = 0;
	return v;
}

// broadcast: n threads wait for one word, one wakes them all, per thread.
static int gate, arrived, left;

static void *waiter(void *arg) {
	for (long round = 1; round <= (long)arg; round++) {
		__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
		int g;
		while ((g = __atomic_load_n(&gate, __ATOMIC_ACQUIRE)) < round) futex(&gate, FUTEX_WAIT, g);
		__atomic_add_fetch(&left, 1, __ATOMIC_ACQ_REL);
	}
	return 0;
}

static double broadcast(long n) {
	static pthread_t t[1024];
	const long rounds = 8;
	CHECK(n <= 1024);
	gate = arrived = left = 0;
	for (long i = 0; i < n; i++) t[i] = start_thread(waiter, (void *)rounds);
	double spent = 0;
	for (long round = 1; round <= rounds; round++) {
		while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < round * n) usleep(1000);
		usleep(20000); // they sleep
		double start = now();
		__atomic_store_n(&gate, round, __ATOMIC_RELEASE);
		futex(&gate, FUTEX_WAKE, 1 << 20);
		while (__atomic_load_n(&left, __ATOMIC_ACQUIRE) < round * n) sched_yield();
		spent += now() - start;
	}
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	return spent / (rounds * n);
}

// timers: set and stop one more with n set.
static double timers(long n) {
	static timer_t t;
	static long have;
	struct sigevent e = {.sigev_notify = SIGEV_NONE};
	struct itimerspec on = {.it_value.tv_sec = 1000}, off = {0};
	for (; have <= n; have++) {
		CHECK(!timer_create(CLOCK_MONOTONIC, &e, &t));
		on.it_value.tv_nsec = have * 1000;
		CHECK(!timer_settime(t, 0, &on, 0));
	}
	const long rounds = 5000;
	double start = now();
	for (long i = 0; i < rounds; i++) CHECK(!timer_settime(t, 0, &off, 0) && !timer_settime(t, 0, &on, 0));
	return (now() - start) / rounds;
}

static int stop, go_on, ready;

// worker computes a little and calls the kernel, again and again. The work is in
// registers: what memory costs depends on more than who runs it.
static void *worker(void *arg) {
	long done = 0;
	__atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
	while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE)) {}
	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); done++) {
		for (int i = 0; i < 2000; i++) __asm__ volatile("" : "+r"(i));
		syscall(SYS_getppid);
	}
	*(long *)arg = done;
	return 0;
}

static struct { pthread_t t; long done; } workers[1024];

// work has n threads work at once for a time in nanoseconds, which it returns.
// All have started before.
static double work(long n, long length) {
	CHECK(n <= 1024);
	stop = go_on = ready = 0;
	for (long i = 0; i < n; i++) workers[i].t = start_thread(worker, &workers[i].done);
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < n) usleep(1000);
	__atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
	double start = now();
	usleep(length / 1000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (long i = 0; i < n; i++) pthread_join(workers[i].t, 0);
	return now() - start;
}

// runnable: time per unit of work of all together.
static double runnable(long n) {
	double spent = work(n, 500e6);
	long done = 0;
	for (long i = 0; i < n; i++) done += workers[i].done;
	return spent / done;
}

// fairness: how much more the luckiest did than the unluckiest, and 1 for all.
static double fairness(long n) {
	work(n, 2000e6);
	long most = 0, least = workers[0].done;
	for (long i = 0; i < n; i++) {
		if (workers[i].done > most) most = workers[i].done;
		if (workers[i].done < least) least = workers[i].done;
	}
	return (double)most / (least ? least : 1);
}

static char *maps;
static long maps_made;

// make_maps makes n mappings that do not merge.
static void make_maps(long n) {
	if (!maps) CHECK((maps = mmap(0, 65536L * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) != MAP_FAILED);
	for (; maps_made < n; maps_made += 2) CHECK(!mprotect(maps + maps_made * PAGE, PAGE, PROT_READ | PROT_WRITE));
}

// mappings: map, touch and unmap one more with n that do not merge.
static double mappings(long n) {
	make_maps(n);
	const long rounds = 2000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		char *p = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED);
		*(volatile char *)p = 1;
		munmap(p, PAGE);
	}
	return (now() - start) / rounds;
}

// remaps: take one of n away, map it again and touch it: all over the list.
static double remaps(long n) {
	make_maps(n);
	const long rounds = 2000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		char *p = maps + i * 7919 % ((n + 1) / 2) * 2 * PAGE;
		CHECK(!munmap(p, PAGE));
		CHECK(mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
		*(volatile char *)p = 1;
	}
	return (now() - start) / rounds;
}

// protects: change the protection of one of n, and change it back.
static double protects(long n) {
	make_maps(n);
	const long rounds = 2000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		char *p = maps + i * 7919 % ((n + 1) / 2) * 2 * PAGE;
		CHECK(!mprotect(p, PAGE, PROT_READ) && !mprotect(p, PAGE, PROT_READ | PROT_WRITE));
	}
	return (now() - start) / rounds;
}

// mapfork: fork and exit of a process with n mappings, all touched.
static double mapfork(long n) {
	make_maps(n);
	for (long i = 0; i < n; i += 2) maps[i * PAGE] = 1;
	return forks(5);
}

// maplist: /proc/self/maps with n mappings, per mapping.
static double maplist(long n) {
	static char buf[1 << 16];
	make_maps(n);
	const long rounds = 3;
	long lines = 0;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		int f = open("/proc/self/maps", O_RDONLY);
		CHECK(f >= 0);
		for (ssize_t k; (k = read(f, buf, sizeof buf)) > 0;)
			for (char *p = buf; p < buf + k; p++) lines += *p == '\n';
		close(f);
	}
	CHECK(lines >= rounds * n);
	return (now() - start) / lines;
}

static const struct { const char *name; double (*run)(long); } rows[] = {
	{"files", files}, {"holes", holes}, {"fdlist", fdlist}, {"fdfork", fdfork}, {"polls", polls}, {"epolls", epolls},
	{"threads", threads}, {"switches", switches}, {"broadcast", broadcast}, {"timers", timers},
	{"runnable", runnable}, {"fairness", fairness},
	{"mappings", mappings}, {"remaps", remaps}, {"protects", protects}, {"mapfork", mapfork}, {"maplist", maplist},
};

int main(int argc, char **argv) {
	for (unsigned j = 0; argc > 2 && j < sizeof rows / sizeof *rows; j++) {
		if (strcmp(argv[1], rows[j].name)) continue;
		rows[j].run(atol(argv[2])); // what is touched for the first time
		for (int i = 2; i < argc; i++) {
			printf("%s %.1f\n", argv[i], rows[j].run(atol(argv[i])));
			fflush(stdout);
		}
		return 0;
	}
	return 2;
}
