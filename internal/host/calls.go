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
		{unix.SYS_PREAD64, "pread64", "what the host says of its memory"},
		{unix.SYS_CLOSE, "close", "ends of donated descriptors"},
		{unix.SYS_FCNTL, "fcntl", "flags, duplicates and seals of descriptors"},
		{unix.SYS_SYSINFO, "sysinfo", "the memory of the machine, which a sandbox without a limit shows"},
		{unix.SYS_FUTEX, "futex", "hand-off between the Sentry and its stubs"},
		{unix.SYS_EVENTFD2, "eventfd2", "waking threads that poll"},
		{unix.SYS_EPOLL_CREATE1, "epoll_create1", "readiness of host descriptors"},
		{unix.SYS_EPOLL_CTL, "epoll_ctl", "readiness of host descriptors"},
		{unix.SYS_EPOLL_PWAIT, "epoll_pwait", "readiness of host descriptors"},
		{unix.SYS_PPOLL, "ppoll", "readiness of one host descriptor"},
		{unix.SYS_RECVMSG, "recvmsg", "descriptors that the gofer donates"},
		{unix.SYS_SENDMSG, "sendmsg", "descriptors for the gofer and for stubs"},
		{unix.SYS_GETRANDOM, "getrandom", "the guest's random numbers"},
	}
}
