// Collects objects of the kernel's without end, for at most some seconds, and says
// how many it has and what stopped it: hoard WHAT [SECONDS].
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

static char name[64];
static long n;

static char *numbered(const char *form)
{
	snprintf(name, sizeof name, form, n);
	return name;
}

// Each step takes one thing more and is less than zero with errno when it cannot.

static int vmas(void)
{
	// Neighbours with different rights are not merged.
	static char *at;
	if (!at)
		at = mmap(NULL, 1l << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return -1;
	return mprotect(at + n * 8192, 4096, PROT_READ);
}

static void *wait_forever(void *arg)
{
	pause();
	return arg;
}

static int threads(void)
{
	pthread_t t;
	pthread_attr_t a;
	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	int e = pthread_create(&t, &a, wait_forever, NULL);
	errno = e;
	return -(e != 0);
}

static int timers(void)
{
	timer_t t;
	struct sigevent e = {.sigev_notify = SIGEV_NONE};
	if (timer_create(CLOCK_MONOTONIC, &e, &t) < 0)
		return -1;
	struct itimerspec s = {{1000, 0}, {1000, 0}};
	return timer_settime(t, 0, &s, NULL);
}

static int timerfds(void) { return timerfd_create(CLOCK_MONOTONIC, 0); }

static int queued(void)
{
	union sigval v = {0};
	if (n == 0) {
		sigset_t s;
		sigfillset(&s);
		sigprocmask(SIG_BLOCK, &s, NULL);
	}
	return sigqueue(getpid(), SIGRTMIN, v);
}

static int watches(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = inotify_init1(0);
	if (mkdir(numbered("/tmp/w%ld"), 0700) < 0)
		return -1;
	return inotify_add_watch(fd, name, IN_ALL_EVENTS);
}

static int instances(void) { return inotify_init1(0); }

static int unread(void)
{
	// Events that nobody reads: a bound of each queue.
	static int fd = -1, file;
	if (fd < 0) {
		fd = inotify_init1(0);
		mkdir("/tmp/unread", 0700);
		inotify_add_watch(fd, "/tmp/unread", IN_ALL_EVENTS);
	}
	file = open(numbered("/tmp/unread/a-name-of-some-length-%ld"), O_CREAT | O_WRONLY, 0600);
	if (file < 0)
		return -1;
	close(file);
	return unlink(name);
}

static int epolls(void)
{
	// One more epoll instance each time, with a pipe of its own.
	int p[2], e = epoll_create1(0);
	struct epoll_event v = {.events = EPOLLIN};
	return e < 0 || pipe(p) < 0 ? -1 : epoll_ctl(e, EPOLL_CTL_ADD, p[0], &v);
}

static int registrations(void)
{
	// All pairs of instances and descriptors.
	static int e[2000], p[2000], made;
	struct epoll_event v = {.events = EPOLLIN};
	if (!made) {
		for (; made < 2000; made++)
			if ((e[made] = epoll_create1(0)) < 0 || (p[made] = eventfd(0, 0)) < 0)
				return -1;
	}
	if (n >= 2000l * 2000) {
		errno = ERANGE;
		return -1;
	}
	return epoll_ctl(e[n / 2000], EPOLL_CTL_ADD, p[n % 2000], &v);
}

static int pipes(void)
{
	static char data[1 << 20];
	int p[2];
	if (pipe2(p, O_NONBLOCK) < 0)
		return -1;
	fcntl(p[1], F_SETPIPE_SZ, sizeof data);
	while (write(p[1], data, sizeof data) > 0)
		;
	return 0;
}

// send_fd sends fd over s.
static int send_fd(int s, int fd)
{
	char b = 0, space[CMSG_SPACE(sizeof fd)] = {0};
	struct iovec v = {&b, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	return sendmsg(s, &m, MSG_DONTWAIT);
}

static int circles(void)
{
	// A pair that holds itself, and nobody else does.
	int s[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return -1;
	int r = send_fd(s[0], s[1]);
	r = r < 0 ? r : send_fd(s[1], s[0]);
	int e = errno;
	close(s[0]);
	close(s[1]);
	errno = e;
	return r;
}

static int flights(void)
{
	// Descriptors in flight, which are open nowhere.
	static int s[2] = {-1, -1};
	if (s[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return -1;
	int fd = eventfd(0, 0), r = send_fd(s[0], fd);
	if (r < 0 && errno == EAGAIN) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
			return -1;
		r = send_fd(s[0], fd);
	}
	int e = errno;
	close(fd);
	errno = e;
	return r;
}

static int unixes(void)
{
	static char data[1 << 16];
	int s[2], size = 1 << 30;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) < 0)
		return -1;
	setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	while (write(s[0], data, sizeof data) > 0)
		;
	return 0;
}

static int datagrams(void)
{
	// To itself, over the loopback, with a buffer as large as it gets.
	static char data[1400];
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 1 << 30;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	if (s < 0 || bind(s, (void *)&a, sizeof a) < 0)
		return -1;
	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	getsockname(s, (void *)&a, &len);
	for (int i = 0; i < 20000 && sendto(s, data, sizeof data, 0, (void *)&a, sizeof a) > 0; i++)
		;
	return 0;
}

static int connections(void)
{
	static char data[1 << 16];
	static int l = -1;
	static struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	if (l < 0) {
		l = socket(AF_INET, SOCK_STREAM, 0);
		a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (bind(l, (void *)&a, sizeof a) < 0 || listen(l, 100) < 0)
			return -1;
		getsockname(l, (void *)&a, &len);
	}
	int c = socket(AF_INET, SOCK_STREAM, 0), size = 1 << 30;
	if (c < 0)
		return -1;
	setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(c, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (connect(c, (void *)&a, sizeof a) < 0 || accept(l, NULL, NULL) < 0)
		return -1;
	fcntl(c, F_SETFL, O_NONBLOCK);
	while (write(c, data, sizeof data) > 0)
		;
	return 0;
}

static int packets(void)
{
	int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	struct tpacket_req r = {1 << 20, 64, 1 << 11, (1 << 20) / (1 << 11) * 64};
	return s < 0 ? -1 : setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof r);
}

static int netlinks(void)
{
	// Requests for a dump that nobody reads.
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} r = {{sizeof r, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (s < 0)
		return -1;
	for (int i = 0; i < 1000 && send(s, &r, sizeof r, 0) > 0; i++)
		;
	return 0;
}

// ask sends one request that is answered by an error number.
static int ask(const void *r, size_t size)
{
	static int s = -1;
	char answer[8192];
	if (s < 0)
		s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (send(s, r, size, 0) < 0 || recv(s, answer, sizeof answer, 0) < 0)
		return -1;
	errno = -((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)answer))->error;
	return -(errno != 0);
}

static int addresses(void)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr a;
		uint32_t ip;
	} r = {{sizeof r, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 1, 0}, {AF_INET, 32, 0, 0, 1}, {8, IFA_LOCAL}, htonl(0x0b000000 + n)};
	return ask(&r, sizeof r);
}

static int routes(void)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr a;
		uint32_t ip;
		struct rtattr o;
		uint32_t dev;
	} r = {{sizeof r, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 1, 0},
	       {AF_INET, 32, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST}, {8, RTA_DST}, htonl(0x0b000000 + n), {8, RTA_OIF}, 1};
	return ask(&r, sizeof r);
}

static int arguments(void)
{
	// As much as execve takes, from a process that waits with it.
	static char *argv[200000], text[128 << 10];
	if (!argv[0]) {
		memset(text, 'x', sizeof text - 1);
		argv[0] = "/proc/self/exe";
		argv[1] = "wait";
		for (int i = 2; i < 199999; i++)
			argv[i] = i < 46 ? text : "";
	}
	pid_t p = fork();
	if (p == 0) {
		execv("/proc/self/exe", argv);
		_exit(errno == E2BIG ? 7 : 8);
	}
	int status;
	if (p > 0 && waitpid(p, &status, n < 2 ? 0 : WNOHANG) == p && WIFEXITED(status)) {
		errno = WEXITSTATUS(status) == 7 ? E2BIG : ENOMEM;
		return -1;
	}
	return p;
}

static int directories(void)
{
	if (n == 0)
		chdir("/tmp");
	return mkdir("d", 0700) < 0 ? -1 : chdir("d");
}

static int files(void)
{
	int fd = open(numbered("/tmp/f%ld"), O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int negatives(void)
{
	struct stat s;
	return stat(numbered("/etc/no-such-name-of-a-file-that-is-nowhere-%ld"), &s) < 0 && errno != ENOENT ? -1 : 0;
}

static int links(void) { return symlink("/a/text/of/some/length/that/is/kept/somewhere/by/the/kernel", numbered("/tmp/l%ld")); }

static int attributes(void)
{
	static char data[65536];
	if (n % 64 == 0) {
		int fd = open(numbered("/tmp/x%ld"), O_CREAT | O_WRONLY, 0600);
		if (fd < 0)
			return -1;
		close(fd);
	}
	char file[64];
	snprintf(file, sizeof file, "/tmp/x%ld", n / 64 * 64);
	int r = setxattr(file, numbered("user.a%ld"), data, 1024, 0);
	if (r < 0 && errno == ENOSPC)
		r = 0; // of this file
	return r;
}

static int locks(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = open("/tmp/locks", O_CREAT | O_RDWR, 0600);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = n * 2, .l_len = 1};
	return fcntl(fd, F_SETLK, &l);
}

static int mounts(void)
{
	if (n == 0) {
		mkdir("/tmp/m", 0700);
		return mount("none", "/tmp/m", "tmpfs", 0, "size=4096");
	}
	// Each doubles nothing: one on another.
	return mount("/tmp/m", "/tmp/m", NULL, MS_BIND, NULL);
}

static int doubles(void)
{
	// Each copies all of them.
	if (n == 0) {
		mkdir("/tmp/m", 0700);
		if (mount("none", "/tmp/m", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/m/a", 0700) < 0)
			return -1;
	}
	return mount("/tmp", "/tmp/m/a", NULL, MS_BIND | MS_REC, NULL);
}

static int namespaces(void)
{
	// A chain: each holds the one before.
	if (unshare(CLONE_NEWUSER) < 0)
		return -1;
	return 0;
}

static int spaces(void)
{
	// Kept open by files.
	static const int kinds[] = {CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS};
	static const char *const file[] = {"uts", "ipc", "net", "mnt"};
	char path[64];
	if (unshare(kinds[n % 4]) < 0)
		return -1;
	snprintf(path, sizeof path, "/proc/self/ns/%s", file[n % 4]);
	return open(path, O_RDONLY);
}

static int semaphores(void) { return semget(IPC_PRIVATE, 32000, 0600); }
static int segments(void) { return shmget(IPC_PRIVATE, 4096, 0600); }

static int messages(void)
{
	static int q = -1;
	struct {
		long type;
		char data[8000];
	} m = {1};
	if (q < 0)
		q = msgget(IPC_PRIVATE, 0600);
	if (q < 0)
		return -1;
	if (msgsnd(q, &m, sizeof m.data, IPC_NOWAIT) < 0) {
		if (errno != EAGAIN)
			return -1;
		q = -1;
	}
	return 0;
}

static int mqueues(void)
{
	static char data[8192];
	struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = sizeof data};
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	if (n == 0 && setrlimit(RLIMIT_MSGQUEUE, &all) < 0)
		return -1;
	mqd_t q = mq_open(numbered("/q%ld"), O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);
	if (q < 0)
		return -1;
	while (mq_send(q, data, sizeof data, 0) == 0)
		;
	return mq_unlink(name); // those with names outlive the process
}

static int filters(void)
{
	static struct sock_filter code[4096];
	for (int i = 0; i < 4096; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = {4096, code};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p);
}

static int socketfilters(void)
{
	static struct sock_filter code[4096];
	for (int i = 0; i < 4096; i++)
		code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog p = {4096, code};
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	return s < 0 ? -1 : setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}

static int terminals(void) { return posix_openpt(O_RDWR | O_NOCTTY); }
static int memfds(void)
{
	int fd = memfd_create("m", 0);
	return fd < 0 ? -1 : write(fd, "x", 1);
}

static int keys(void)
{
	static char data[20000];
	return syscall(SYS_add_key, "user", numbered("k%ld"), data, sizeof data, -2);
}

static int groups(void) { return mkdir(numbered("/tmp/cg/g%ld"), 0700); }

static int aio(void)
{
	unsigned long ctx = 0;
	return syscall(SYS_io_setup, 10000, &ctx);
}

static int uring(void)
{
	char params[120] = {0};
	return syscall(SYS_io_uring_setup, 4096, params);
}

static int processes(void)
{
	pid_t p = fork();
	if (p == 0) {
		pause();
		_exit(0);
	}
	return p;
}

static int zombies(void)
{
	pid_t p = fork();
	if (p == 0)
		_exit(0);
	return p;
}

static int fdtables(void)
{
	// A descriptor of a high number makes the table large, in each process.
	pid_t p = fork();
	if (p == 0) {
		struct rlimit all = {1 << 20, 1 << 20};
		setrlimit(RLIMIT_NOFILE, &all);
		getrlimit(RLIMIT_NOFILE, &all);
		dup2(0, all.rlim_cur - 1);
		pause();
		_exit(0);
	}
	return p;
}

static const struct {
	const char *name;
	int (*step)(void);
} all[] = {
#define IS(f) {#f, f}
	IS(vmas), IS(threads), IS(timers), IS(timerfds), IS(queued), IS(watches), IS(instances), IS(unread), IS(epolls), IS(registrations),
	IS(pipes), IS(circles), IS(flights), IS(unixes), IS(datagrams), IS(connections), IS(packets), IS(netlinks), IS(addresses), IS(routes),
	IS(arguments), IS(directories), IS(files), IS(negatives), IS(links), IS(attributes), IS(locks), IS(mounts), IS(doubles), IS(namespaces),
	IS(spaces), IS(semaphores), IS(segments), IS(messages), IS(mqueues), IS(filters), IS(socketfilters), IS(terminals), IS(memfds), IS(keys),
	IS(groups), IS(aio), IS(uring), IS(processes), IS(zombies), IS(fdtables),
};

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	double seconds = argc > 2 ? atof(argv[2]) : 5;
	struct timespec a, b;
	struct rlimit most = {1 << 20, 1 << 20};
	if (strcmp(what, "wait") == 0)
		pause();
	if (strcmp(what, "list") == 0) {
		for (size_t i = 0; i < sizeof all / sizeof *all; i++)
			printf("%s\n", all[i].name);
		return 0;
	}
	setrlimit(RLIMIT_NOFILE, &most);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(what, all[i].name) != 0)
			continue;
		int error = 0;
		clock_gettime(CLOCK_MONOTONIC, &a);
		for (;; n++) {
			errno = 0;
			if (all[i].step() < 0) {
				error = errno;
				break;
			}
			clock_gettime(CLOCK_MONOTONIC, &b);
			if (b.tv_sec - a.tv_sec + (b.tv_nsec - a.tv_nsec) / 1e9 > seconds)
				break;
		}
		printf("%s %ld %s\n", what, n, strerror(error));
		fflush(stdout);
		signal(SIGTERM, SIG_IGN);
		kill(0, SIGTERM);
		return 0;
	}
	return 2;
}
