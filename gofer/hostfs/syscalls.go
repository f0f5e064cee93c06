package hostfs

// A Syscall is one that the gofer makes after its start, for its filter.
type Syscall struct {
	Name   string
	Args   string // what is known of the arguments, for whoever narrows the filter
	Reason string
}

// Syscalls is what a gofer needs from Serve on, besides what the Go runtime
// needs in every process (futex, mmap, clone, signals, nanosleep, ...).
func Syscalls() []Syscall {
	return []Syscall{
		{"recvmsg", "the side channel", "receive a request"},
		{"sendmsg", "the two channels", "send a reply or a donation"},
		{"read", "the 9P stream", "receive 9P messages"},
		{"poll", "the side channel, POLLRDHUP", "see the Sentry go"},
		{"ppoll", "", "poll on arm64"},
		{"shutdown", "the two channels, SHUT_RDWR", "end a session"},
		{"close", "", "nodes, donated descriptors"},
		{"fchdir", "Config.ProcFD, at the start", "name inodes to connect(2)"},
		{"umask", "0, at the start", "modes come from the Sentry"},
		{"capget", "at the start", "know whether owners can be set"},
		{"openat2", "RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS", "walk one component, create, list, O_TMPFILE"},
		{"openat", "/proc/self/fd", "open the inode of a node; at the start, roots given as paths"},
		{"statx", "", "attributes"},
		{"readlinkat", "", "symbolic links"},
		{"getdents64", "", "listings"},
		{"lseek", "", "continue a listing"},
		{"fstatfs", "", "statfs"},
		{"fstat", "", "the Go runtime and os package"},
		{"mkdirat", "", "mkdir"},
		{"mknodat", "FIFO, socket, regular file, 0:0 device", "mknod, whiteouts"},
		{"symlinkat", "", "symlink"},
		{"linkat", "from /proc/self/fd, AT_SYMLINK_FOLLOW", "link"},
		{"unlinkat", "", "unlink, rmdir"},
		{"renameat2", "", "rename"},
		{"fchownat", "AT_EMPTY_PATH", "owners"},
		{"fchmodat", "/proc/self/fd", "modes"},
		{"utimensat", "/proc/self/fd", "times"},
		{"ftruncate", "", "size"},
		{"fallocate", "", "fallocate"},
		{"fsync", "", "fsync"},
		{"fdatasync", "", "fsync"},
		{"pread64", "", "reads over 9P of files that could not be donated"},
		{"pwrite64", "", "writes over 9P of files that could not be donated"},
		{"getxattrat", "/proc/self/fd", "extended attributes (Linux 6.13)"},
		{"setxattrat", "/proc/self/fd", "extended attributes (Linux 6.13)"},
		{"listxattrat", "/proc/self/fd", "extended attributes (Linux 6.13)"},
		{"removexattrat", "/proc/self/fd", "extended attributes (Linux 6.13)"},
		{"fgetxattr", "", "extended attributes before 6.13"},
		{"fsetxattr", "", "extended attributes before 6.13"},
		{"flistxattr", "", "extended attributes before 6.13"},
		{"fremovexattr", "", "extended attributes before 6.13"},
		{"flock", "LOCK_NB", "flock for shared mounts"},
		{"fcntl", "F_OFD_SETLK, F_OFD_GETLK, F_DUPFD_CLOEXEC", "record locks for shared mounts"},
		{"socket", "AF_UNIX", "connect to a host process, where allowed"},
		{"connect", "AF_UNIX", "connect to a host process, where allowed"},
	}
}
