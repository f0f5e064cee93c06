// Takes something without end, or as often as it is told, and says how far it
// came: memory, mapping, forks, files, sockets, processor, turns.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void memory(size_t most)
{
	const size_t step = 1 << 20;
	for (size_t n = 0; n < most; n += step) {
		char *p = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) {
			printf("mmap: %s\n", strerror(errno));
			exit(3);
		}
		memset(p, 1, step);
	}
	printf("memory\n");
}

static void mapping(void)
{
	const size_t n = (size_t)8 << 30;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		exit(3);
	memset(p, 1, n);
}

static void forks(int most)
{
	int n = 0, error = 0;
	pid_t *child = malloc(most * sizeof *child);
	for (; n < most; n++) {
		child[n] = fork();
		if (child[n] == 0) {
			pause();
			_exit(0);
		}
		if (child[n] < 0) {
			error = errno;
			break;
		}
	}
	for (int i = 0; i < n; i++) {
		kill(child[i], SIGKILL);
		waitpid(child[i], NULL, 0);
	}
	printf("forks %d %s\n", n, strerror(error));
}

static void files(void)
{
	struct rlimit all = {1 << 20, 1 << 20};
	setrlimit(RLIMIT_NOFILE, &all);
	int n = 0;
	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	printf("files %d %s\n", n > 1000, strerror(errno));
	int e = eventfd(0, 0);
	printf("eventfd %d\n", e >= 0);
}

static void processor(double seconds)
{
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	do
		clock_gettime(CLOCK_MONOTONIC, &b);
	while (b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9 < seconds);
}

// turns is processor until some second, and says how much it could do.
static void turns(double end)
{
	struct timespec now;
	long n = 0;
	do {
		for (volatile int i = 0; i < 100000; i++)
			;
		n++;
		clock_gettime(CLOCK_REALTIME, &now);
	} while (now.tv_sec < end);
	printf("%ld\n", n);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	double n = argc > 2 ? atof(argv[2]) : 1e18;
	if (strcmp(what, "memory") == 0)
		memory(n > 1e15 ? (size_t)1 << 50 : (size_t)n << 20);
	else if (strcmp(what, "mapping") == 0)
		mapping();
	else if (strcmp(what, "forks") == 0)
		forks(n > 1e5 ? 100000 : (int)n);
	else if (strcmp(what, "files") == 0)
		files();
	else if (strcmp(what, "processor") == 0)
		processor(n);
	else if (strcmp(what, "turns") == 0)
		turns(n);
	else
		return 2;
	return 0;
}
