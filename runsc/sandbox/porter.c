// The porter: how a sandbox that is to be in the host's IPC namespace is.
//
// The Sentry makes no System V calls of its own and is in an empty IPC namespace. A
// container whose configuration names no IPC namespace, or the host's, asks for the
// host's objects: then, and only then, there is a porter. It stays in the host's IPC
// namespace and makes for the Sentry the calls below, as the user and the groups that
// the Sentry names, and never waits in one. A segment that it attaches comes as a
// descriptor of its memory; it stays attached, and so counted, until the Sentry lets
// go of it. It ends when the Sentry's end of the socket is closed.
//
//	Sentry --request, bytes--> porter
//	       <--answer, bytes, a segment's descriptor--

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter.h"

// Fixed descriptors: porter.go has the first, too.
enum { FD_SENTRY = 3, FD_MAPPINGS = 4 };

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif
#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

// What sentry/ipc/host.go has likewise.
enum { SHMGET = 1, SHMCTL, SHMAT, SHMDT, SEMGET, SEMCTL, SEMOP, MSGGET, MSGCTL, MSGSND, MSGRCV };
enum { MAX_GROUPS = 32, MAX_DATA = 65536 + 64, MAX_ATTACHED = 4096, OPS = 500 };

struct request {
	uint32_t op, uid, gid, owner; // owner: with CAP_IPC_OWNER
	int64_t a[4];
	uint32_t groups, out; // how many, and how many bytes of data are wanted
	uint32_t group[MAX_GROUPS];
	unsigned char data[MAX_DATA];
};

struct answer {
	int64_t ret; // less than zero: an error number
	unsigned char data[MAX_DATA];
};

static struct request req;
static struct answer ans;
static struct {
	void *at;
} attached[MAX_ATTACHED];

// only_port leaves the porter the calls of its loop. It opens below its own list of
// mappings, by names that it makes itself.
static void only_port(void)
{
	struct sock_filter code[] = {
		CALLS,
		LET(SYS_read), LET(SYS_sendmsg), LET(SYS_close), LET(SYS_setresuid), LET(SYS_setresgid), LET(SYS_setgroups),
		LET(SYS_capset), LET(SYS_shmget), LET(SYS_shmctl), LET(SYS_shmat), LET(SYS_shmdt), LET(SYS_semget), LET(SYS_semctl),
		LET(SYS_semop), LET(SYS_msgget), LET(SYS_msgctl), LET(SYS_msgsnd), LET(SYS_msgrcv),
		LET(SYS_exit_group), LET(SYS_rt_sigreturn), LET(SYS_restart_syscall),
		NR(SYS_openat, 2), LOAD(args[0]), IF(FD_MAPPINGS, 1, 0), KILL, ALLOW,
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	cordon_only_calls(&prog);
}

static uint64_t allowed; // capabilities that this process may have

static int set_caps(uint64_t caps)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];
	for (int i = 0; i < 2; i++) {
		d[i].permitted = (uint32_t)(allowed >> (32 * i));
		d[i].effective = (uint32_t)((caps & allowed) >> (32 * i));
		d[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, d);
}

enum { OWNER = CAP_IPC_OWNER };
#define SWITCH ((1ull << CAP_SETUID) | (1ull << CAP_SETGID))

// become makes the process whom the request is of; own is who it is between them. The
// calls are the kernel's own: this process has one thread.
static int become(void)
{
	if (set_caps(SWITCH) < 0 || req.groups > MAX_GROUPS || syscall(SYS_setgroups, req.groups, req.group) < 0 ||
	    syscall(SYS_setresgid, -1, req.gid, -1) < 0 || syscall(SYS_setresuid, -1, req.uid, -1) < 0)
		return -1;
	return set_caps(req.owner ? 1ull << OWNER : 0);
}

static void own(void)
{
	if (set_caps(SWITCH) < 0 || syscall(SYS_setresuid, -1, 0, -1) < 0 || syscall(SYS_setresgid, -1, 0, -1) < 0 ||
	    syscall(SYS_setgroups, 0, NULL) < 0 || set_caps(0) < 0)
		_exit(1);
}

// answer sends ans with n bytes of data, and fd unless it is less than zero.
static void answer(size_t n, int fd)
{
	if (cordon_answer(FD_SENTRY, &ans, offsetof(struct answer, data) + n, fd) < 0)
		_exit(0);
}

// attach maps segment a[0] and opens its memory. The answer is the place in attached,
// and the size.
static int64_t attach(int *fd)
{
	int h = 0;
	while (h < MAX_ATTACHED && attached[h].at)
		h++;
	if (h == MAX_ATTACHED)
		return -EMFILE;
	int flags = req.a[1] & (SHM_RDONLY | SHM_EXEC);
	long at = syscall(SYS_shmat, (int)req.a[0], NULL, flags);
	if (at == -1)
		return -errno;
	// The size is told to everybody; the segment cannot go meanwhile.
	struct shmid_ds ds;
	if (syscall(SYS_shmctl, (int)req.a[0], SHM_STAT_ANY, &ds) < 0)
		goto failed;
	uint64_t size = ds.shm_segsz;
	char name[64];
	snprintf(name, sizeof name, "%lx-%lx", at, at + (long)((size + 4095) & ~4095ul));
	own();
	if (set_caps(1ull << CAP_CHECKPOINT_RESTORE) < 0)
		goto failed;
	*fd = syscall(SYS_openat, FD_MAPPINGS, name, (flags & SHM_RDONLY ? O_RDONLY : O_RDWR) | O_CLOEXEC, 0);
	int e = errno;
	set_caps(0);
	if (*fd < 0) {
		errno = e;
		goto failed;
	}
	attached[h].at = (void *)at;
	memcpy(ans.data, &size, sizeof size);
	return h;
failed:
	e = errno;
	syscall(SYS_shmdt, at);
	return -e;
}

static int64_t detach(void)
{
	if (req.a[0] < 0 || req.a[0] >= MAX_ATTACHED || !attached[req.a[0]].at)
		return -EINVAL;
	int64_t r = syscall(SYS_shmdt, attached[req.a[0]].at);
	attached[req.a[0]].at = NULL;
	return r;
}

// control is semctl, whose arrays are as long as the set.
static int64_t control(void)
{
	int cmd = req.a[2];
	if (cmd == SETVAL)
		return syscall(SYS_semctl, (int)req.a[0], (int)req.a[1], cmd, (long)req.a[3]);
	if (cmd == GETALL || cmd == SETALL) {
		struct semid_ds ds;
		if (syscall(SYS_semctl, (int)req.a[0], 0, SEM_STAT_ANY, &ds) < 0)
			return -1;
		if (ds.sem_nsems * sizeof(unsigned short) > MAX_DATA) {
			errno = ENOMEM;
			return -1;
		}
	}
	memcpy(ans.data, req.data, MAX_DATA);
	return syscall(SYS_semctl, (int)req.a[0], (int)req.a[1], cmd, ans.data);
}

static int64_t operate(void)
{
	struct sembuf ops[OPS];
	if (req.a[1] < 1 || req.a[1] > OPS) {
		errno = E2BIG;
		return -1;
	}
	memcpy(ops, req.data, req.a[1] * sizeof *ops);
	for (int i = 0; i < req.a[1]; i++)
		ops[i].sem_flg = IPC_NOWAIT; // what is to be undone would be at the end of all
	return syscall(SYS_semop, (int)req.a[0], ops, (size_t)req.a[1]);
}

static int64_t port(void)
{
	int64_t *a = req.a;
	switch (req.op) {
	case SHMGET:
		return syscall(SYS_shmget, (int)a[0], (size_t)a[1], (int)a[2]);
	case SHMCTL:
		memcpy(ans.data, req.data, sizeof(struct shmid_ds));
		return syscall(SYS_shmctl, (int)a[0], (int)a[2], ans.data);
	case SEMGET:
		return syscall(SYS_semget, (int)a[0], (int)a[1], (int)a[2]);
	case SEMCTL:
		return control();
	case SEMOP:
		return operate();
	case MSGGET:
		return syscall(SYS_msgget, (int)a[0], (int)a[2]);
	case MSGCTL:
		memcpy(ans.data, req.data, sizeof(struct msqid_ds));
		return syscall(SYS_msgctl, (int)a[0], (int)a[2], ans.data);
	case MSGSND:
	case MSGRCV:
		if (a[1] < 0 || a[1] > MAX_DATA - (int)sizeof(long)) {
			errno = EINVAL;
			return -1;
		}
		if (req.op == MSGSND)
			return syscall(SYS_msgsnd, (int)a[0], req.data, (size_t)a[1], (int)a[2] | IPC_NOWAIT);
		return syscall(SYS_msgrcv, (int)a[0], ans.data, (size_t)a[1], (long)a[3], (int)a[2] | IPC_NOWAIT);
	}
	errno = ENOSYS;
	return -1;
}

static void serve(void)
{
	int fd = -1;
	memset(ans.data, 0, req.out < MAX_DATA ? req.out : MAX_DATA);
	if (req.op == SHMDT) {
		ans.ret = detach();
	} else if (become() < 0) {
		ans.ret = -EPERM;
	} else if (req.op == SHMAT) {
		ans.ret = attach(&fd);
	} else {
		ans.ret = port();
		if (ans.ret < 0)
			ans.ret = -errno;
	}
	own();
	answer(ans.ret < 0 ? 0 : req.out < MAX_DATA ? req.out : MAX_DATA, fd);
	if (fd >= 0)
		close(fd);
}

void cordon_porter(int owner)
{
	int fd = open("/proc/self/map_files", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fd != FD_MAPPINGS) {
		dup3(fd, FD_MAPPINGS, O_CLOEXEC);
		close(fd);
	}
	allowed = SWITCH | 1ull << CAP_CHECKPOINT_RESTORE;
	if (owner)
		allowed |= 1ull << OWNER;
	cordon_drop_rights(allowed, -1);
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct have[2];
	if (syscall(SYS_capget, &head, have) < 0)
		_exit(1);
	allowed = have[0].permitted | (uint64_t)have[1].permitted << 32;
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	only_port();
	for (;;) {
		ssize_t n = read(FD_SENTRY, &req, sizeof req);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)offsetof(struct request, data))
			_exit(0);
		memset((char *)&req + n, 0, sizeof req - n);
		serve();
	}
}
