// The mounter: how mounts that a guest makes come to the host.
//
// The Sentry makes mounts in its own tree. A volume that is shared on the host and in
// the configuration, as is the root, asks for the guest's mounts below it on the host
// (Kubernetes' Bidirectional): then, and only then, there is a mounter. In a mount
// namespace of its own it has nothing but the container's trees, by their names in the
// gofer: each as the gofer has it, to bind from, and those volumes once more as peers of
// the host's mounts, with a ">" after the name, to mount on. It makes there the mounts
// that the Sentry asks for, which come to the host by themselves, and takes away what it
// has made, nothing else. Paths go through no link and nothing but ordinary names. It
// ends when the Sentry's end of the socket is closed; the mounts stay, as runc's do.
//
//	Sentry --request, target, source or options--> mounter
//	       <--the mount's number--

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "enter.h"

// Fixed descriptors: mounter.go has the first, too.
enum { FD_READY = 3, FD_SENTRY = 4, FD_ROOT = 5 };

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000
#endif
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

enum { MS_SHARED_ = 1 << 20, DETACH = 2 | 8 /* MNT_DETACH, UMOUNT_NOFOLLOW */ };

// What sentry/hostmount has likewise.
enum { BIND = 1, TMPFS, UNMOUNT };
enum { MAX_TEXT = 4096, MAX_MADE = 1024 };

struct request {
	uint32_t op, attrs; // MOUNT_ATTR_*, of a tmpfs
	uint64_t id;        // UNMOUNT: the mount
	uint64_t dev, ino;  // BIND: what the source is
	// Strings with their ends: the target, and the source or the tmpfs' options.
	char text[2 * MAX_TEXT];
};

static struct request req;
static uint64_t made[MAX_MADE]; // 0: none

void cordon_enter_mounter(int count, char **trees, const char *names)
{
	int *fds = calloc(count + 1, sizeof *fds), n = 0;
	struct cordon_tree *all = calloc(2 * count + 1, sizeof *all);
	char *rest = strdup(names);
	if (!fds || !all || !rest)
		cordon_fail("%d trees", count);
	for (int i = 0; i < count; i++) {
		const char *name = strsep(&rest, ",");
		if (!name)
			cordon_fail("%d trees have %d names", count, i);
		snprintf(all[i].name, sizeof all->name, "%s", name);
		all[i].path = trees[i] + 3;
	}
	n = count;
	// While this namespace's mounts are still peers of the host's.
	for (int i = 0; i < count; i++) {
		if (!cordon_hosted(trees[i]))
			continue;
		all[n].fd = cordon_clone_tree(all[i].path, trees[i][1], 0, 0);
		all[n].path = all[i].path;
		snprintf(all[n++].name, sizeof all->name, "%.60s>", all[i].name);
	}
	cordon_clone_trees(count, trees, fds);
	for (int i = 0; i < count; i++)
		all[i].fd = fds[i];
	cordon_empty_root(all, n);
	for (int i = 0; i < n; i++)
		close(all[i].fd);
	free(all);
	free(fds);
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || (root != FD_ROOT && dup3(root, FD_ROOT, O_CLOEXEC) < 0))
		cordon_fail("opening the root");
	if (root != FD_ROOT)
		close(root);
	cordon_drop_rights((1ull << CAP_SYS_ADMIN) | (1ull << CAP_DAC_READ_SEARCH), -1);
}

// only_mount leaves the mounter the calls of its loop. It opens below its own root.
static void only_mount(void)
{
	struct sock_filter code[] = {
		CALLS,
		LET(SYS_read), LET(SYS_sendmsg), LET(SYS_close), LET(SYS_fchdir), LET(SYS_statx), LET(SYS_statmount),
		LET(SYS_mount_setattr), LET(SYS_move_mount), LET(SYS_fsopen), LET(SYS_fsconfig), LET(SYS_fsmount),
		LET(SYS_exit_group), LET(SYS_rt_sigreturn), LET(SYS_restart_syscall),
		NR(SYS_openat2, 4), LOAD(args[0]), IF(FD_ROOT, 1, 0), KILL, ALLOW,
		NR(SYS_open_tree, 4), LOAD(args[2]), IF(AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, 1, 0), KILL, ALLOW,
		NR(SYS_umount2, 4), LOAD(args[1]), IF(DETACH, 1, 0), KILL, ALLOW,
		KILL,
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	cordon_only_calls(&prog);
}

// plain reports whether path is ordinary names below a tree, one to mount on if hosted.
static int plain(const char *path, int hosted)
{
	for (int first = 1;; first = 0) {
		size_t n = strcspn(path, "/");
		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return 0;
		if (first && (path[n - 1] == '>') != hosted)
			return 0;
		if (!path[n])
			return 1;
		path += n + 1;
	}
}

// reach returns what is at path, through what is mounted there.
static int reach(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	return syscall(SYS_openat2, FD_ROOT, path, &how, sizeof how);
}

// look tells what is at name in the directory fd. The mount's number is never used again
// where the kernel has such.
static int look(int fd, const char *name, struct statx *st)
{
	int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	if (syscall(SYS_statx, fd, name, flags, STATX_TYPE | STATX_INO | STATX_MNT_ID_UNIQUE, st) < 0)
		return -1;
	if (st->stx_mask & STATX_MNT_ID_UNIQUE)
		return 0;
	return syscall(SYS_statx, fd, name, flags, STATX_TYPE | STATX_INO | STATX_MNT_ID, st);
}

// The beginnings of the structures of statmount(2), which not all headers have.
struct mnt_id_req_ {
	uint32_t size, spare;
	uint64_t mnt_id, param;
};
struct statmount_ {
	uint64_t ignored[9];
	uint64_t propagation;
	uint64_t rest[54];
};
_Static_assert(sizeof(struct statmount_) == 512, "the size of struct statmount");

// is_shared reports whether what is mounted on the mount id comes to others. A kernel
// that cannot tell is taken to say yes: the mount is made here alone then.
static int is_shared(uint64_t id)
{
	struct mnt_id_req_ ask = {.size = sizeof ask, .mnt_id = id, .param = 2 /* STATMOUNT_MNT_BASIC */};
	struct statmount_ st;
	memset(&st, 0, sizeof st);
	if (syscall(SYS_statmount, &ask, &st, sizeof st, 0) < 0)
		return errno == ENOSYS || errno == ENOENT;
	return (st.propagation & MS_SHARED_) != 0;
}

// put mounts the detached mount on the target and closes both. The answer is its number.
static int64_t put(int mnt, int target, uint64_t *place)
{
	struct statx st;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .propagation = CORDON_PRIVATE};
	int64_t r = -1;
	if (mnt >= 0 && syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0 &&
	    syscall(SYS_move_mount, mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0 &&
	    look(mnt, "", &st) == 0)
		*place = r = st.stx_mnt_id;
	int e = errno;
	if (mnt >= 0)
		close(mnt);
	close(target);
	return r < 0 ? -e : r;
}

// make_tmpfs returns a detached mount of a new tmpfs with the options of text, which it
// takes apart.
static int make_tmpfs(char *text, uint32_t attrs)
{
	static const char *const known[] = {"size", "nr_blocks", "nr_inodes", "mode", "uid", "gid"};
	int mnt = -1, fs = syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	if (fs < 0)
		return -1;
	int bad = syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0;
	for (char *o; !bad && (o = strsep(&text, ","));) {
		if (!*o)
			continue;
		char *value = strchr(o, '=');
		int found = 0;
		if (value)
			*value++ = 0;
		for (unsigned i = 0; value && i < sizeof known / sizeof *known; i++)
			found |= strcmp(o, known[i]) == 0;
		errno = EINVAL;
		bad = !found || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, o, value, 0) < 0;
	}
	if (!bad && syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC));
	int e = errno;
	close(fs);
	errno = e;
	return mnt;
}

// clone returns a detached mount of the source, which has to be what the Sentry means.
static int clone_source(const char *source)
{
	struct statx st;
	int mnt = -1, from = reach(source);
	if (from < 0)
		return -1;
	if (look(from, "", &st) == 0) {
		if (st.stx_ino == req.ino && makedev(st.stx_dev_major, st.stx_dev_minor) == req.dev)
			mnt = syscall(SYS_open_tree, from, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		else
			errno = ESTALE;
	}
	int e = errno;
	close(from);
	errno = e;
	return mnt;
}

// make makes a mount. The answer is its number, 0 where what is mounted on is the
// container's own.
static int64_t make(char *target, char *what)
{
	struct statx st;
	uint64_t *place = made;
	if (!plain(target, 1) || (req.op == BIND && !plain(what, 0)))
		return -EINVAL;
	while (place < made + MAX_MADE && *place)
		place++;
	if (place == made + MAX_MADE)
		return -ENOSPC;
	int on = reach(target);
	if (on < 0)
		return -errno;
	if (look(on, "", &st) < 0 || !is_shared(st.stx_mnt_id)) {
		close(on);
		return 0;
	}
	return put(req.op == BIND ? clone_source(what) : make_tmpfs(what, req.attrs), on, place);
}

// unmake takes the mount at target away, if it is the one that is meant and there.
static int64_t unmake(char *target)
{
	struct statx st;
	int i = 0;
	while (i < MAX_MADE && (made[i] == 0 || made[i] != req.id))
		i++;
	if (i == MAX_MADE || !plain(target, 1))
		return -EINVAL;
	made[i] = 0;
	char *name = strrchr(target, '/');
	int dir = FD_ROOT;
	if (name) {
		*name++ = 0;
		dir = reach(target);
	} else {
		name = target;
	}
	if (dir < 0 || syscall(SYS_fchdir, dir) < 0)
		return -errno;
	int64_t r = 0;
	if (look(dir, name, &st) == 0 && st.stx_mnt_id == req.id && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
		r = syscall(SYS_umount2, name, DETACH) < 0 ? -errno : 0;
	syscall(SYS_fchdir, FD_ROOT);
	if (dir != FD_ROOT)
		close(dir);
	return r;
}

static int64_t serve(ssize_t n)
{
	char *end = (char *)&req + n, *target = req.text;
	char *what = memchr(target, 0, end - target);
	if (!what || ++what >= end || !memchr(what, 0, end - what))
		return -EINVAL;
	switch (req.op) {
	case BIND:
	case TMPFS:
		return make(target, what);
	case UNMOUNT:
		return unmake(target);
	}
	return -ENOSYS;
}

void cordon_mounter(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (syscall(SYS_write, FD_READY, "{}", 2) < 0)
		_exit(1);
	close(FD_READY);
	only_mount();
	for (;;) {
		ssize_t n = syscall(SYS_read, FD_SENTRY, &req, sizeof req);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)offsetof(struct request, text))
			_exit(0);
		int64_t answer = serve(n);
		if (cordon_answer(FD_SENTRY, &answer, sizeof answer, -1) < 0)
			_exit(0);
	}
}
