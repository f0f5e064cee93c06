package hostinet

import (
	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// An Argument is the value that one argument of a call has, as a 32-bit number seen through Mask.
type Argument struct {
	Index uint
	Mask  uint32
	Value uint32
}

// A Syscall is a call of the host that this package makes, with the arguments that are fixed.
type Syscall struct {
	Name   string
	Args   []Argument
	Reason string
}

func exactly(index uint, v uint32) Argument { return Argument{index, ^uint32(0), v} }

// Syscalls lists the calls, for the system call filter. accept4, sendmsg, recvmsg, shutdown, poll and close are on it
// for others already.
func Syscalls() []Syscall {
	const made = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	var out []Syscall
	add := func(reason, name string, args ...Argument) { out = append(out, Syscall{name, args, reason}) }
	for _, k := range kinds() {
		add("a guest's socket", "socket", exactly(0, uint32(k.Family)), exactly(1, uint32(k.Type)|made), exactly(2, uint32(k.Protocol)))
	}
	add("what interfaces and routes there are", "socket",
		exactly(0, unix.AF_NETLINK), exactly(1, unix.SOCK_RAW|made), exactly(2, unix.NETLINK_ROUTE))
	add("what sockets there are, for /proc/net", "socket",
		exactly(0, unix.AF_NETLINK), exactly(1, unix.SOCK_RAW|made), exactly(2, unix.NETLINK_SOCK_DIAG))
	add("netlink: a guest's strict questions", "setsockopt", exactly(1, unix.SOL_NETLINK), exactly(2, unix.NETLINK_GET_STRICT_CHK))
	for _, name := range []string{"bind", "connect", "listen", "getsockname", "getpeername"} {
		add("a guest's socket", name)
	}
	for _, p := range passedOptions() {
		if p.get > 0 {
			add("option "+p.name, "getsockopt", exactly(1, uint32(p.level)), exactly(2, uint32(p.opt)))
		}
		if p.set > 0 {
			add("option "+p.name, "setsockopt", exactly(1, uint32(p.level)), exactly(2, uint32(p.opt)))
		}
	}
	for _, o := range []linux.SockOpt{linux.SO_ERROR, linux.SO_ACCEPTCONN, linux.SO_SNDBUF, linux.SO_RCVBUF} {
		add("option "+o.String(), "getsockopt", exactly(1, unix.SOL_SOCKET), exactly(2, uint32(o)))
	}
	for _, o := range commonOptions() {
		add("option "+o.String(), "setsockopt", exactly(1, unix.SOL_SOCKET), exactly(2, uint32(o)))
	}
	for _, c := range []linux.IoctlCmd{linux.TIOCINQ, linux.TIOCOUTQ, linux.SIOCATMARK} {
		add("queue lengths", "ioctl", exactly(1, uint32(c)))
	}
	return out
}
