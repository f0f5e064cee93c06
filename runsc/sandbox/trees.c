// The trees of the host that a process of a sandbox has, and the empty root that it
// has beside them.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enter.h"

#define fail cordon_fail

// Declared here: <sys/mount.h> and <linux/mount.h> clash in some versions.
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);
enum { MS_REC_ = 16384, MS_PRIVATE_ = CORDON_PRIVATE, MS_SLAVE_ = 1 << 19, MNT_DETACH_ = 2 };

int cordon_tmpfs(const char *keys[][2], unsigned attrs)
{
	int fs = syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
	if (fs < 0)
		fail("opening a tmpfs");
	for (int i = 0; keys[i][0]; i++) {
		// A kernel without huge pages refuses the key; it is a wish.
		if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, keys[i][0], keys[i][1], 0) < 0 &&
		    strcmp(keys[i][0], "huge") != 0)
			fail("tmpfs option %s=%s", keys[i][0], keys[i][1]);
	}
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		fail("creating a tmpfs");
	int mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attrs);
	if (mnt < 0)
		fail("mounting a tmpfs");
	close(fs);
	return mnt;
}

void cordon_private_mounts(void)
{
	if (mount(NULL, "/", NULL, MS_REC_ | MS_PRIVATE_, NULL) < 0)
		fail("making mounts private");
}

// hang mounts a tree in the directory mnt: mounts come to what is mounted only.
static void hang(int mnt, const struct cordon_tree *tree)
{
	struct stat st;
	if (fstat(tree->fd, &st) < 0)
		fail("stat of %s", tree->path);
	int r = S_ISDIR(st.st_mode) ? mkdirat(mnt, tree->name, 0500) : mknodat(mnt, tree->name, S_IFREG | 0400, 0);
	if (r < 0 || syscall(SYS_move_mount, tree->fd, "", mnt, tree->name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail("mounting %s", tree->path);
}

void cordon_empty_root(const struct cordon_tree *trees, int count)
{
	char inodes[16];
	snprintf(inodes, sizeof inodes, "%d", count + 1);
	const char *keys[][2] = {{"size", "4096"}, {"nr_inodes", inodes}, {"mode", "555"}, {NULL, NULL}};
	int mnt = cordon_tmpfs(keys, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (syscall(SYS_move_mount, mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		fail("mounting the empty root");
	for (int i = 0; i < count; i++)
		hang(mnt, trees + i);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	if (syscall(SYS_mount_setattr, mnt, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
		fail("closing the empty root");
	if (fchdir(mnt) < 0)
		fail("entering the empty root");
	close(mnt);
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		fail("pivot_root");
	if (umount2(".", MNT_DETACH_) < 0)
		fail("unmounting the old root");
	if (chdir("/") < 0)
		fail("chdir to the empty root");
}

int cordon_clone_tree(const char *path, char access, int alone, unsigned long propagation)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	int fd = -1;
	errno = EINVAL;
	if (alone)
		fd = syscall(SYS_open_tree, AT_FDCWD, path, flags);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_open_tree, AT_FDCWD, path, flags | AT_RECURSIVE);
	if (fd < 0)
		fail("cloning the tree at %s", path);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (access == 'o' ? MOUNT_ATTR_RDONLY : 0),
		.attr_clr = access == 'W' ? MOUNT_ATTR_RDONLY : 0,
		.propagation = propagation,
	};
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
		fail("setting the attributes of %s", path);
	return fd;
}

static int made(const char *tree) { return tree[2] == '='; }
static int alone(const char *tree) { return tree[2] == '.'; }
int cordon_hosted(const char *tree) { return tree[2] == '>'; }
int cordon_follows(const char *tree) { return tree[2] == '<' || cordon_hosted(tree); }

void cordon_clone_trees(int count, char **trees, int *fds)
{
	// While this namespace's mounts are still peers of the host's.
	for (int i = 0; i < count; i++)
		fds[i] = cordon_follows(trees[i]) ? cordon_clone_tree(trees[i] + 3, trees[i][1], 0, MS_SLAVE_) : -1;
	cordon_private_mounts();
	for (int last = 0; last < 2; last++) {
		for (int i = 0; i < count; i++) {
			const char *path = trees[i] + 3;
			if (!cordon_follows(trees[i]) && !made(trees[i]) && (strcmp(path, "/") == 0) == last)
				fds[i] = cordon_clone_tree(path, trees[i][1], alone(trees[i]), 0);
		}
		const char *cover[] = {"/proc", "/sys", "/dev"};
		for (int i = 0; i < 3 && !last; i++) {
			if (mount("none", cover[i], "tmpfs", 1 /* MS_RDONLY */, "size=4096,mode=755") < 0 && errno != ENOENT)
				fail("covering %s", cover[i]);
		}
	}
}
