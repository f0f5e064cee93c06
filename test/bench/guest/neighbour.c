// A small server, who asks it, and bad neighbours of its machine. usage:
//   neighbour serve PORT                    answers each byte on any number of connections with one
//   neighbour ask ADDRESS PORT SECONDS US   one request after the other, US microseconds apart: prints p50 and p99 in ns
//   neighbour flood ADDRESS                 sends datagrams without end
//   neighbour fork                          forks without end, up to its limit
//   neighbour allocate                      touches memory without end, up to its limit, again and again
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static struct sockaddr_in address(const char *ip, const char *port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	CHECK(inet_pton(AF_INET, ip, &a.sin_addr) == 1);
	return a;
}

static int serve(const char *port) {
	struct sockaddr_in a = address("0.0.0.0", port);
	int l = socket(AF_INET, SOCK_STREAM, 0), e = epoll_create1(0), one = 1;
	CHECK(l >= 0 && e >= 0);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	CHECK(!bind(l, (void *)&a, sizeof a) && !listen(l, 100));
	struct epoll_event v = {.events = EPOLLIN, .data.fd = l};
	CHECK(!epoll_ctl(e, EPOLL_CTL_ADD, l, &v));
	for (;;) {
		char b[64];
		if (epoll_wait(e, &v, 1, -1) != 1)
			continue;
		if (v.data.fd == l) {
			int c = accept(l, 0, 0);
			if (c < 0)
				continue;
			setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			v = (struct epoll_event){.events = EPOLLIN, .data.fd = c};
			CHECK(!epoll_ctl(e, EPOLL_CTL_ADD, c, &v));
			continue;
		}
		ssize_t n = read(v.data.fd, b, sizeof b);
		if (n <= 0 || write(v.data.fd, b, n) != n)
			close(v.data.fd);
	}
}

static int less(const void *a, const void *b) {
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

static int ask(const char *ip, const char *port, double seconds, int pause) {
	struct sockaddr_in a = address(ip, port);
	int s = -1, one = 1;
	for (int try = 0; try < 2000; try++) { // until the server stands
		s = socket(AF_INET, SOCK_STREAM, 0);
		CHECK(s >= 0);
		if (!connect(s, (void *)&a, sizeof a))
			break;
		close(s);
		s = -1;
		usleep(5000);
	}
	CHECK(s >= 0);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	static double took[1 << 20];
	size_t n = 0;
	char b = 1;
	for (double end = now() + seconds * 1e9; now() < end && n < sizeof took / sizeof *took; n++) {
		double begin = now();
		CHECK(write(s, &b, 1) == 1 && read(s, &b, 1) == 1);
		took[n] = now() - begin;
		if (pause)
			usleep(pause);
	}
	CHECK(n > 0);
	qsort(took, n, sizeof *took, less);
	printf("%.0f %.0f\n", took[n / 2], took[n - 1 - n / 100]);
	return 0;
}

static int flood(const char *ip) {
	static char b[1400];
	struct sockaddr_in a = address(ip, "9");
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(s >= 0);
	for (;;)
		sendto(s, b, sizeof b, 0, (void *)&a, sizeof a);
}

static int forks(void) {
	for (;;) {
		pid_t p = fork();
		if (p == 0) {
			for (int i = 0; i < 8; i++)
				fork();
			_exit(0);
		}
		while (waitpid(-1, 0, WNOHANG) > 0)
			;
	}
}

static int allocate(void) {
	for (;;) {
		pid_t p = fork();
		if (p < 0)
			continue;
		if (p > 0) {
			waitpid(p, 0, 0); // killed for want of memory
			continue;
		}
		for (;;) {
			char *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (m == MAP_FAILED)
				_exit(0);
			memset(m, 1, 1 << 20);
		}
	}
}

int main(int argc, char **argv) {
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv[3], atof(argv[4]), atoi(argv[5]));
	if (argc == 3 && !strcmp(argv[1], "flood"))
		return flood(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "fork"))
		return forks();
	if (argc == 2 && !strcmp(argv[1], "allocate"))
		return allocate();
	fprintf(stderr, "usage: see the source\n");
	return 2;
}
