// Looks for a way out. usage: escape TOKEN MODE [PATH...]; prints "leak: HOW" for
// each place where a file that holds TOKEN could be read, "odd: WHAT" for what
// should have been refused, and "tried N" at the end.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static const char *token;
static int tried;

// look reads what fd names and reports the secret.
static int look(int fd, const char *how) {
	char b[4096];
	tried++;
	if (fd < 0) return 0;
	ssize_t n = read(fd, b, sizeof b - 1);
	close(fd);
	if (n <= 0) return 0;
	b[n] = 0;
	if (!strstr(b, token)) return 0;
	printf("leak: %s\n", how);
	return 1;
}

static int try(const char *path) { return look(open(path, O_RDONLY | O_NONBLOCK), path); }

static void odd(int bad, const char *what) {
	tried++;
	if (bad) printf("odd: %s\n", what);
}

static void paths(char **p) {
	char b[8192];
	for (; *p; p++) {
		try(*p);
		static const char *const before[] = {"/proc/self/root", "/proc/1/root", "/proc/self/cwd", "/proc/thread-self/root", "/proc/self/task/1/root", "/../../../../../../../..",
			"/proc/self/fd/../../../..", "/dev/fd/../../../../..", "/proc/self/cwd/../../../../.."};
		for (unsigned i = 0; i < sizeof before / sizeof *before; i++) {
			snprintf(b, sizeof b, "%s/%s", before[i], *p);
			try(b);
		}
	}
}

// From descriptors of directories, and out of a changed root.
static void descriptors(const char *secret) {
	char b[256];
	int root = open("/", O_PATH | O_DIRECTORY);
	const char *rel = secret + 1;
	look(openat(root, rel, O_RDONLY), "openat of the root");
	snprintf(b, sizeof b, "../../../../../../..%s", secret);
	look(openat(root, b, O_RDONLY), "openat above the root");
	snprintf(b, sizeof b, "/proc/self/fd/%d/../../..%s", root, secret);
	try(b);
	for (int i = 0; i < 64; i++) {
		snprintf(b, sizeof b, "/proc/self/fd/%d%s", i, secret);
		try(b);
		snprintf(b, sizeof b, "/proc/1/fd/%d%s", i, secret);
		try(b);
		look(openat(i, rel, O_RDONLY), "openat of an inherited descriptor");
	}
	// A handle of the host's: what name_to_handle_at gives for the host's root inode 2.
	struct { unsigned n; int type; unsigned ino, gen; } h = {8, 1, 2, 0};
	for (int type = 0; type < 4; type++) {
		h.type = type;
		int d = syscall(SYS_open_by_handle_at, root, &h, O_RDONLY | O_DIRECTORY);
		if (d >= 0) look(openat(d, rel, O_RDONLY), "open_by_handle_at");
		tried++;
	}
	// The classic way out of chroot(2).
	mkdir("/tmp/jail", 0755);
	int out = open("/", O_RDONLY | O_DIRECTORY);
	if (chroot("/tmp/jail") == 0) {
		if (fchdir(out)) perror("fchdir");
		for (int i = 0; i < 64; i++)
			if (chdir("..")) break;
		if (chroot(".")) perror("chroot");
		try(secret);
	}
	if (chdir("/")) perror("chdir");
}

static void mounts(const char *secret) {
	char b[256];
	mkdir("/tmp/m", 0755);
	snprintf(b, sizeof b, "/tmp/m%s", secret);
	if (mount("/", "/tmp/m", 0, MS_BIND | MS_REC, 0) == 0) { try(b); umount2("/tmp/m", MNT_DETACH); }
	if (mount("/..", "/tmp/m", 0, MS_BIND, 0) == 0) { try(b); umount2("/tmp/m", MNT_DETACH); }
	static const char *const kinds[] = {"ext4", "ext3", "xfs", "btrfs", "9p", "nfs", "fuse", "debugfs", "securityfs", "virtiofs", "hugetlbfs", "bpf"};
	static const char *const from[] = {"/dev/vda", "/dev/vda1", "/dev/sda1", "/dev/root", "none", "hostshare", "/tmp/disk"};
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
		for (unsigned j = 0; j < sizeof from / sizeof *from; j++)
			if (mount(from[j], "/tmp/m", kinds[i], 0, "trans=fd,rfdno=3,wfdno=4") == 0) { try(b); odd(strcmp(kinds[i], "debugfs") == 0, "debugfs could be mounted"); umount2("/tmp/m", MNT_DETACH); }
	if (mount("proc", "/tmp/m", "proc", 0, 0) == 0) { snprintf(b, sizeof b, "/tmp/m/1/root%s", secret); try(b); umount2("/tmp/m", MNT_DETACH); }
	if (unshare(CLONE_NEWNS) == 0) { umount2("/", MNT_DETACH); try(secret); }
}

// Nodes of the host's devices: made here, and lying in the tree from outside.
static void devices(char **made) {
	static const int nodes[][3] = {{S_IFBLK, 8, 0}, {S_IFBLK, 253, 0}, {S_IFBLK, 254, 0}, {S_IFBLK, 259, 0}, {S_IFBLK, 7, 0}, {S_IFCHR, 1, 1}, {S_IFCHR, 1, 2}, {S_IFCHR, 1, 4}, {S_IFCHR, 1, 11},
		{S_IFCHR, 10, 232}, {S_IFCHR, 10, 237}, {S_IFCHR, 10, 229}, {S_IFCHR, 4, 0}, {S_IFCHR, 4, 64}};
	for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		char b[64];
		snprintf(b, sizeof b, "/tmp/node%u", i);
		if (mknod(b, nodes[i][0] | 0666, makedev(nodes[i][1], nodes[i][2]))) continue;
		int fd = open(b, O_RDWR | O_NONBLOCK);
		snprintf(b, sizeof b, "device %d:%d could be opened", nodes[i][1], nodes[i][2]);
		odd(fd >= 0, b);
	}
	for (; *made; made++) {
		int fd = open(*made, O_RDONLY | O_NONBLOCK);
		char b[256];
		snprintf(b, sizeof b, "the host's node %s could be opened", *made);
		odd(fd >= 0, b);
	}
}

// A listening socket of the host lies in the tree; who answers passes on the secret.
static void sockets(const char *path) {
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type++) {
		int s = socket(AF_UNIX, type, 0);
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		strncpy(a.sun_path, path, sizeof a.sun_path - 1);
		tried++;
		if (s < 0 || type == 3 || type == 4 || connect(s, (void *)&a, sizeof a)) { close(s); continue; }
		printf("odd: connected to the host's socket\n");
		char data[16], room[256];
		struct iovec v = {data, sizeof data};
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
		if (recvmsg(s, &m, 0) > 0 && CMSG_FIRSTHDR(&m)) look(*(int *)CMSG_DATA(CMSG_FIRSTHDR(&m)), "a descriptor from the host");
		close(s);
	}
}

// Walks through directories that somebody outside swaps for links. A mount that
// nobody else writes to may remember what it saw first: so there are several.
static void race(const char *dir, int rounds) {
	char b[256];
	int safe = 0;
	printf("racing\n");
	fflush(stdout);
	for (int i = 0; i < rounds; i++) {
		snprintf(b, sizeof b, "%s%d/s%d", dir, i % 40, i / 40 % 50);
		int fd = open(b, O_RDONLY);
		if (fd >= 0) safe++;
		if (look(fd, b)) return;
		snprintf(b, sizeof b, "%s%d/new%d", dir, i % 40, i);
		fd = open(b, O_CREAT | O_WRONLY, 0600);
		if (fd >= 0) close(fd);
	}
	if (safe == 0) printf("odd: the race never found the directory\n");
}

int main(int argc, char **argv) {
	if (argc < 4) return 2;
	token = argv[1];
	setvbuf(stdout, 0, _IOLBF, 0);
	const char *mode = argv[2];
	if (!strcmp(mode, "paths")) paths(argv + 3);
	if (!strcmp(mode, "descriptors")) descriptors(argv[3]);
	if (!strcmp(mode, "mounts")) mounts(argv[3]);
	if (!strcmp(mode, "devices")) devices(argv + 3);
	if (!strcmp(mode, "sockets")) sockets(argv[3]);
	if (!strcmp(mode, "race")) race(argv[3], atoi(argv[4]));
	printf("tried %d\n", tried);
	return 0;
}
