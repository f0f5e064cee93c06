// Measures what one more costs when there are many. usage: growth ROW N...;
// prints "N NANOSECONDS" for each N.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)
enum { PAGE = 4096, STACK = 64 << 10 };

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

// files: open and close one more with n open.
static double files(long n) {
	static long have;
	struct rlimit r;
	CHECK(!getrlimit(RLIMIT_NOFILE, &r));
	if (r.rlim_cur < (rlim_t)n + 64) {
		r.rlim_cur = n + 64;
		if (r.rlim_max < r.rlim_cur) r.rlim_max = r.rlim_cur;
		CHECK(!setrlimit(RLIMIT_NOFILE, &r));
	}
	for (; have < n; have++) CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	const long rounds = 5000;
	double start = now();
	for (long i = 0; i < rounds; i++) {
		int f = open("/etc/passwd", O_RDONLY);
		CHECK(f >= 0);
		close(f);
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
	const long rounds = 300;
	double start = now();
	for (long i = 0; i < rounds; i++) pthread_join(start_thread(nothing, 0), 0);
	double v = (now() - start) / rounds;
	pass(0);
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	ring[n].word = 0;
	return v;
}

// switches: a wake goes round n threads, each of which sleeps.
static double switches(long n) {
	static pthread_t t[1024];
	CHECK(n > 1 && n <= 1024);
	ring_size = n, hops = 4000 / n + 2;
	for (long i = 0; i < n; i++) t[i] = start_thread(runner, (void *)i);
	usleep(100000);
	double start = now();
	pass(0);
	for (long i = 0; i < n; i++) pthread_join(t[i], 0);
	double v = (now() - start) / (n * hops);
	ring[0].word = 0;
	return v;
}

static int stop;

// worker computes a little and calls the kernel, again and again.
static void *worker(void *arg) {
	long done = 0;
	for (; !__atomic_load_n(&stop, __ATOMIC_RELAXED); done++) {
		for (volatile int i = 0; i < 2000; i++) {}
		syscall(SYS_getppid);
	}
	*(long *)arg = done;
	return 0;
}

// runnable: n threads work at once; time per unit of work of all together.
static double runnable(long n) {
	static struct { pthread_t t; long done; } w[1024];
	CHECK(n <= 1024);
	stop = 0;
	double start = now();
	for (long i = 0; i < n; i++) w[i].t = start_thread(worker, &w[i].done);
	usleep(500000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	long done = 0;
	for (long i = 0; i < n; i++) {
		pthread_join(w[i].t, 0);
		done += w[i].done;
	}
	return (now() - start) / done;
}

// mappings: map and unmap one more with n that do not merge.
static double mappings(long n) {
	static char *base;
	static long have;
	if (!base) CHECK((base = mmap(0, 65536L * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) != MAP_FAILED);
	for (; have < n; have += 2) CHECK(!mprotect(base + have * PAGE, PAGE, PROT_READ));
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

static const struct { const char *name; double (*run)(long); } rows[] = {
	{"files", files}, {"threads", threads}, {"switches", switches}, {"runnable", runnable}, {"mappings", mappings},
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
