// The view: a mount namespace with a container's files for tools of the host.
//
// Podman's cp, and nsenter(1), enter the mount namespace of the process that stands
// for a container and expect its root there. So that is what this namespace has at its
// root: a clone of the container's root directory with its bind mounts, not set-id
// and without devices. The process itself sees nothing of it: its own root and
// working directory are an empty directory that is not mounted anywhere, and it has
// no descriptor of the tree. What cannot be cloned or has no place is left out.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter.h"

int umount2(const char *, int);
enum { MNT_DETACH_ = 2 };

// MOST bounds the mounts; more than a container has.
enum { MOST = 256 };

static int clone_for_view(const char *path, int read_only)
{
	int fd = syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return -1;
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0),
	};
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

// find opens a path of the container, which leads nowhere else.
static int find(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

// place finds a path, or makes it, as a directory or a file, with the directories
// above: the Sentry would, a moment later.
static int place(char *path, int dir)
{
	int at = find(path);
	char *base = strrchr(path, '/');
	if (at >= 0 || errno != ENOENT || !base || !base[1] || strcmp(base, "/..") == 0)
		return at;
	*base = 0;
	int parent = base == path ? find("/") : place(path, 1);
	*base = '/';
	if (parent < 0)
		return -1;
	if (dir)
		mkdirat(parent, base + 1, 0755);
	else
		mknodat(parent, base + 1, S_IFREG | 0644, 0);
	close(parent);
	return find(path);
}

// attach mounts a clone at a path.
static void attach(int fd, char *to)
{
	struct stat st;
	int at = fstat(fd, &st) < 0 ? -1 : place(to, S_ISDIR(st.st_mode));
	if (at < 0)
		return;
	// A place of the other kind, file or directory, is no place.
	syscall(SYS_move_mount, fd, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	close(at);
}

// cordon_view makes the view that list describes, entries of "ro" or "rw", a path,
// \1, the path in the container, \2, the root first. It returns less than zero, and has
// done nothing, if the root cannot be had. empty is a detached mount for the process, proc
// one of the container's processes or less than zero.
int cordon_view(const char *list, int empty, int proc)
{
	char *text = strdup(list), *rest = text;
	int fds[MOST], n = 0;
	char *to[MOST];
	while (text && n < MOST && *rest) {
		char *path = rest, *end = strchr(path, '\2'), *mid = strchr(path, '\1');
		if (!end || !mid || mid > end || mid - path < 2)
			break;
		*mid = *end = 0;
		rest = end + 1;
		int fd = clone_for_view(path + 2, path[1] == 'o');
		if (fd < 0 && n == 0)
			break; // the root
		if (fd < 0)
			continue;
		fds[n] = fd;
		to[n++] = mid + 1;
	}
	if (n == 0) {
		free(text);
		return -1;
	}
	if (syscall(SYS_move_mount, fds[0], "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		cordon_fail("mounting the container's root");
	if (fchdir(fds[0]) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		cordon_fail("pivot_root to the container's root");
	if (umount2(".", MNT_DETACH_) < 0 || chdir("/") < 0)
		cordon_fail("unmounting the old root");
	close(fds[0]);
	if (proc >= 0) {
		char at[] = "/proc";
		attach(proc, at);
		close(proc);
	}
	for (int i = 1; i < n; i++) {
		attach(fds[i], to[i]);
		close(fds[i]);
	}
	if (fchdir(empty) < 0 || chroot(".") < 0)
		cordon_fail("entering the empty root");
	free(text);
	return 0;
}
