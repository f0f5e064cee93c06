// Asks a web server on this machine for one file again and again. usage: load
// PORT CONNECTIONS SECONDS; prints answers per second. Each connection is kept
// and has one request under way.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)

static const char request[] = "GET /file HTTP/1.1\r\nHost: localhost\r\n\r\n";

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

// dial waits a while for the server to stand.
static int dial(int port) {
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	for (int try = 0; try < 1000; try++) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
		CHECK(s >= 0);
		if (!connect(s, (void *)&a, sizeof a)) {
			setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			return s;
		}
		CHECK(errno == ECONNREFUSED);
		close(s);
		usleep(10000);
	}
	perror("connect");
	exit(1);
}

static void ask(int s) { CHECK(send(s, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1); }

// answer reads one; the whole of a small file comes in one piece or follows.
static void answer(int s) {
	char b[16384];
	ssize_t n = recv(s, b, sizeof b - 1, 0);
	CHECK(n > 0);
	b[n] = 0;
	char *end = strstr(b, "\r\n\r\n"), *len = strcasestr(b, "Content-Length:");
	if (strncmp(b, "HTTP/1.1 200", 12) || !end || !len) {
		fprintf(stderr, "unexpected answer: %.200s\n", b);
		exit(1);
	}
	for (ssize_t left = end + 4 - b + atol(len + 15) - n; left > 0; left -= n) CHECK((n = recv(s, b, sizeof b, 0)) > 0);
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	int port = atoi(argv[1]), n = atoi(argv[2]), ep = epoll_create1(EPOLL_CLOEXEC);
	double seconds = atof(argv[3]);
	CHECK(ep >= 0);
	for (int i = 0; i < n; i++) {
		int s = dial(port);
		struct epoll_event e = {.events = EPOLLIN, .data.fd = s};
		CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
		ask(s);
	}
	long answers = 0;
	double warm = now() + seconds / 5, end = warm + seconds, start = 0, t;
	while ((t = now()) < end) {
		if (!start && t >= warm) start = t, answers = 0;
		struct epoll_event e[64];
		int k = epoll_wait(ep, e, 64, 1000);
		CHECK(k >= 0);
		for (int i = 0; i < k; i++, answers++) {
			answer(e[i].data.fd);
			ask(e[i].data.fd);
		}
	}
	printf("%.1f\n", answers / (t - start));
	return 0;
}
