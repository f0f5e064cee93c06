// The opener: how a sandbox gets interfaces that come to its network namespace later.
//
// A packet socket takes a right that the Sentry has not got. The opener keeps that
// right, in the container's network namespace and nowhere else: asked for an
// interface by its index it opens a socket of its frames and hands it over. It ends
// when the Sentry's end of the socket is closed.
//
//	Sentry --index--> opener
//	       <--0 or less than zero an errno, socket--

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter.h"

// Fixed descriptor: opener.go has the same number.
enum { FD_SENTRY = 3 };

enum { RECEIVE_BUFFER = 4 << 20 };

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

// only_open leaves the opener the calls of its loop, and packet sockets alone.
static void only_open(void)
{
	struct sock_filter code[] = {
		CALLS,
		LET(SYS_read), LET(SYS_close), LET(SYS_setsockopt), LET(SYS_bind), LET(SYS_sendmsg),
		LET(SYS_exit_group), LET(SYS_rt_sigreturn), LET(SYS_restart_syscall),
		NR(SYS_socket, 2), LOAD(args[0]), IF(AF_PACKET, 1, 0), KILL, ALLOW,
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	cordon_only_calls(&prog);
}

// open_link is packetSocket of package network, or less than zero.
static int open_link(int index)
{
	// Without a protocol it receives nothing before it is bound.
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int on = 1, size = RECEIVE_BUFFER, e;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0)
		goto failed;
	// A wish: Linux 4.20.
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0)
		errno = 0;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0)
		goto failed;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
		goto failed;
	if (bind(fd, (struct sockaddr *)&to, sizeof to) < 0)
		goto failed;
	return fd;
failed:
	e = errno;
	close(fd);
	return -e;
}

void cordon_opener(void)
{
	cordon_drop_rights((1ull << CAP_NET_RAW) | (1ull << CAP_NET_ADMIN), -1);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	only_open();
	for (;;) {
		int index;
		int n = read(FD_SENTRY, &index, sizeof index);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof index)
			_exit(0);
		int fd = open_link(index);
		int64_t answer = fd < 0 ? fd : 0;
		if (cordon_answer(FD_SENTRY, &answer, sizeof answer, fd) < 0)
			_exit(0);
		if (fd >= 0)
			close(fd);
	}
}
