package syscalls

// keeps says how much of the Sentry's memory a call may keep when it has returned: a
// few objects, or what it is given, whose length is one of its arguments.
type keeps uint8

const (
	keepsNothing keeps = iota
	keepsObject
	keepsText    // paths and attributes, rings and rules
	keepsArg2    // as many bytes as its third argument says
	keepsMessage // likewise, and what answers it
)

// What a call is reckoned to keep, in bytes. A page and more for an object is twice
// what most take.
const (
	objectBytes = 4 << 10
	textBytes   = 64 << 10
	leastBytes  = 256
	mostBytes   = 1 << 20
)

func (k keeps) bytes(args *[6]uintptr) int {
	switch k {
	case keepsObject:
		return objectBytes
	case keepsArg2:
		return int(min(args[2]+leastBytes, mostBytes))
	case keepsMessage:
		return int(min(args[2], mostBytes)) + objectBytes
	}
	return textBytes
}

// keepers are the calls that keep something.
var keepers = keepersByKind(map[keeps][]string{
	keepsObject: {
		"open", "openat", "openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat", "rename", "renameat", "renameat2",
		"dup", "dup2", "dup3", "fcntl", "flock", "pipe", "pipe2", "socket", "socketpair", "accept", "accept4", "connect", "bind", "eventfd", "eventfd2",
		"signalfd", "signalfd4", "timerfd_create", "timer_create", "epoll_create", "epoll_create1", "epoll_ctl", "inotify_init", "inotify_init1",
		"inotify_add_watch", "fanotify_init", "fanotify_mark", "memfd_create", "userfaultfd", "pidfd_open", "pidfd_getfd", "mmap", "mremap", "mprotect",
		"madvise", "mlock", "mlock2", "munlock", "mbind", "shmget", "shmat", "msgget", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "setns", "mq_open", "mq_notify", "tkill", "ioctl",
	},
	keepsText: {
		"fork", "vfork", "clone", "clone3", "execve", "execveat", "unshare", "mount", "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr",
		"setxattr", "lsetxattr", "fsetxattr", "setxattrat", "semget", "semop", "semtimedop", "setsockopt", "seccomp", "bpf", "add_key", "io_setup",
		"io_uring_setup", "sendmsg", "sendmmsg", "writev", "pwritev", "pwritev2", "vmsplice", "msgsnd", "sched_setattr",
	},
	keepsArg2:    {"write", "pwrite64", "mq_timedsend"},
	keepsMessage: {"sendto"},
})

func keepersByKind(kinds map[keeps][]string) map[string]keeps {
	all := make(map[string]keeps)
	for k, names := range kinds {
		for _, n := range names {
			all[n] = k
		}
	}
	return all
}
