package host

import "golang.org/x/sys/unix"

// A Call is one system call that this package makes, and what for.
type Call struct {
	Number uintptr
	Name   string
	Reason string
}

// Calls lists them. A test holds the list against the source.
func Calls() []Call {
	return []Call{
		{unix.SYS_READ, "read", "streams of donated descriptors, event counters"},
		{unix.SYS_WRITE, "write", "streams of donated descriptors, event counters, the log"},
		{unix.SYS_PREAD64, "pread64", "data of donated files"},
		{unix.SYS_PWRITE64, "pwrite64", "data of donated files"},
		{unix.SYS_PREADV2, "preadv2", "data of donated files into scattered guest memory"},
		{unix.SYS_PWRITEV2, "pwritev2", "data of donated files from scattered guest memory"},
		{unix.SYS_LSEEK, "lseek", "size and holes of donated files, committed guest memory"},
		{unix.SYS_CLOSE, "close", "ends of donated descriptors"},
		{unix.SYS_FSTAT, "fstat", "attributes of donated files, size of guest memory"},
		{unix.SYS_FCNTL, "fcntl", "flags, duplicates and seals of descriptors"},
		{unix.SYS_FTRUNCATE, "ftruncate", "size of guest memory and donated files"},
		{unix.SYS_FALLOCATE, "fallocate", "holes in guest memory and donated files"},
		{unix.SYS_FSYNC, "fsync", "a guest's fsync of a donated file"},
		{unix.SYS_FDATASYNC, "fdatasync", "a guest's fdatasync of a donated file"},
		{unix.SYS_COPY_FILE_RANGE, "copy_file_range", "copies between donated files"},
		{unix.SYS_IOCTL, "ioctl", "terminals and queue lengths of donated descriptors"},
		{unix.SYS_MMAP, "mmap", "windows of guest memory and donated files"},
		{unix.SYS_MUNMAP, "munmap", "windows of guest memory and donated files"},
		{unix.SYS_MPROTECT, "mprotect", "windows of guest memory"},
		{unix.SYS_MADVISE, "madvise", "huge pages and release of guest memory"},
		{unix.SYS_MREMAP, "mremap", "growing windows"},
		{unix.SYS_SYSINFO, "sysinfo", "the memory of the machine, which a sandbox without a limit shows"},
		{unix.SYS_MEMFD_CREATE, "memfd_create", "guest memory"},
		{unix.SYS_FUTEX, "futex", "hand-off between the Sentry and its stubs"},
		{unix.SYS_EVENTFD2, "eventfd2", "waking threads that poll"},
		{unix.SYS_EPOLL_CREATE1, "epoll_create1", "readiness of host descriptors"},
		{unix.SYS_EPOLL_CTL, "epoll_ctl", "readiness of host descriptors"},
		{unix.SYS_EPOLL_PWAIT, "epoll_pwait", "readiness of host descriptors"},
		{unix.SYS_PPOLL, "ppoll", "readiness of one host descriptor"},
		{unix.SYS_RECVMSG, "recvmsg", "descriptors that the gofer donates"},
		{unix.SYS_SENDMSG, "sendmsg", "descriptors for the gofer and for stubs"},
		{unix.SYS_SHUTDOWN, "shutdown", "orderly end of a connection to the gofer"},
		{unix.SYS_CLOCK_GETTIME, "clock_gettime", "the guest's clocks"},
		{unix.SYS_GETRANDOM, "getrandom", "the guest's random numbers"},
		{unix.SYS_SCHED_GETAFFINITY, "sched_getaffinity", "number of CPUs"},
		{unix.SYS_SCHED_SETAFFINITY, "sched_setaffinity", "a stub and its thread on one CPU"},
		{unix.SYS_GETTID, "gettid", "the calling thread, for tgkill"},
		{unix.SYS_GETPID, "getpid", "the Sentry, for tgkill"},
		{unix.SYS_TGKILL, "tgkill", "interrupting a thread that waits for a stub"},
	}
}
