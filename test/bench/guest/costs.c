// Measures what system calls cost. usage:
//   costs ROW            prints nanoseconds per operation of the row
//   costs idle           says so and sleeps
//   costs time N CMD...  prints nanoseconds per run of the command, of N runs
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static const char *file = "/etc/passwd"; // of the root
static char tmp[] = "/dev/shm/cordon-bench-XXXXXX"; // of a tmpfs
static char buf[1 << 20];

static void getpid_(long n) { while (n--) syscall(SYS_getpid); }
static void stat_(long n) { struct stat s; while (n--) CHECK(!stat(file, &s)); }
static void open_(long n) { while (n--) { int f = open(file, O_RDONLY); CHECK(f >= 0); close(f); } }

static void read_(long n) {
	int f = open(tmp, O_RDWR | O_CREAT, 0600);
	CHECK(f >= 0 && write(f, buf, sizeof buf) == sizeof buf);
	for (long i = 0; i < n; i++) {
		if (i % (sizeof buf / 64) == 0) lseek(f, 0, SEEK_SET);
		CHECK(read(f, buf, 64) == 64);
	}
	close(f);
}

static void write_(long n) {
	int f = open(tmp, O_RDWR | O_CREAT, 0600);
	CHECK(f >= 0 && write(f, buf, sizeof buf) == sizeof buf);
	for (long i = 0; i < n; i++) {
		if (i % (sizeof buf / 4096) == 0) lseek(f, 0, SEEK_SET);
		CHECK(write(f, buf, 4096) == 4096);
	}
	close(f);
}

static void pipe_(long n) {
	int p[2];
	CHECK(!pipe(p));
	while (n--) CHECK(write(p[1], buf, 1) == 1 && read(p[0], buf, 1) == 1);
	close(p[0]); close(p[1]);
}

static void pingpong(long n) {
	int a[2], b[2];
	CHECK(!pipe(a) && !pipe(b));
	pid_t p = fork();
	CHECK(p >= 0);
	if (p == 0) {
		close(a[1]);
		while (read(a[0], buf, 1) == 1) CHECK(write(b[1], buf, 1) == 1);
		_exit(0);
	}
	while (n--) CHECK(write(a[1], buf, 1) == 1 && read(b[0], buf, 1) == 1);
	close(a[0]); close(a[1]); close(b[0]); close(b[1]);
	waitpid(p, 0, 0);
}

static void mmap_(long n) {
	while (n--) {
		char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p != MAP_FAILED);
		*(volatile char *)p = 1;
		munmap(p, 4096);
	}
}

static void touch_(long n) {
	char *p = mmap(0, n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	for (long i = 0; i < n; i++) ((volatile char *)p)[i * 4096] = 1;
	munmap(p, n * 4096);
}

static void clock_(long n) { struct timespec t; while (n--) clock_gettime(CLOCK_MONOTONIC, &t); }

static void fork_(long n) {
	while (n--) {
		pid_t p = fork();
		CHECK(p >= 0);
		if (p == 0) _exit(0);
		CHECK(waitpid(p, 0, 0) == p);
	}
}

// fork200 forks with much memory to copy or share.
static void fork200(long n) {
	const size_t size = 200 << 20;
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	memset(p, 1, size);
	double start = now();
	fork_(n);
	printf("%.1f\n", (now() - start) / n);
	exit(0);
}

static void exec_(long n) {
	while (n--) {
		pid_t p = fork();
		CHECK(p >= 0);
		if (p == 0) { execl("/bin/true", "true", (char *)0); _exit(1); }
		int status;
		CHECK(waitpid(p, &status, 0) == p && status == 0);
	}
}

static const struct { const char *name; void (*run)(long); long n; } rows[] = {
	{"getpid", getpid_, 200000}, {"stat", stat_, 20000}, {"open", open_, 20000}, {"read", read_, 40000}, {"write", write_, 20000}, {"pipe", pipe_, 20000},
	{"pingpong", pingpong, 5000}, {"mmap", mmap_, 5000}, {"touch", touch_, 16384}, {"clock", clock_, 1000000}, {"fork", fork_, 300}, {"fork200", fork200, 20},
	{"exec", exec_, 50},
};

extern char **environ;

// run starts a command whose output goes nowhere and waits for it.
static void run(char **argv) {
	posix_spawn_file_actions_t to;
	posix_spawn_file_actions_init(&to);
	posix_spawn_file_actions_addopen(&to, 1, "/dev/null", O_WRONLY, 0);
	pid_t p;
	int status, e = posix_spawnp(&p, argv[0], &to, 0, argv, environ);
	if (e) { fprintf(stderr, "%s: %s\n", argv[0], strerror(e)); exit(1); }
	CHECK(waitpid(p, &status, 0) == p);
	if (status) { fprintf(stderr, "%s: status %#x\n", argv[0], status); exit(1); }
}

static int time_(long n, char **argv) {
	double start = now();
	for (long i = 0; i < n; i++) run(argv);
	printf("%.1f\n", (now() - start) / n);
	return 0;
}

int main(int argc, char **argv) {
	if (argc == 2 && !strcmp(argv[1], "idle")) {
		printf("idle 0\n");
		fflush(stdout);
		for (;;) pause();
	}
	if (argc > 3 && !strcmp(argv[1], "time")) return time_(atol(argv[2]), argv + 3);
	if (argc != 2) return 2;
	memset(buf, 1, sizeof buf);
	int fd = mkstemp(tmp);
	CHECK(fd >= 0);
	close(fd);
	for (unsigned j = 0; j < sizeof rows / sizeof *rows; j++)
		if (!strcmp(argv[1], rows[j].name)) {
			if (rows[j].run == fork200) {
				unlink(tmp);
				fork200(rows[j].n);
			}
			rows[j].run(rows[j].n / 10 + 1);
			double start = now();
			rows[j].run(rows[j].n);
			printf("%.1f\n", (now() - start) / rows[j].n);
			unlink(tmp);
			return 0;
		}
	return 2;
}
