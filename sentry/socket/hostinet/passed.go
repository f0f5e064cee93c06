package hostinet

import (
	"slices"

	"golang.org/x/sys/unix"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/socket"
)

// Pass makes a Socket of one that whoever started the sandbox passes on: a stream or datagrams of AF_INET, AF_INET6 or
// AF_UNIX, connected or listening. It takes fd over where it succeeds; another socket is EOPNOTSUPP. A listening socket does
// not block from now on, for others who have it either.
//
// It cannot be bound or connected anew, and carries neither descriptors nor credentials.
func Pass(n *hostfd.Notifier, ns *socket.Namespace, fd int) (*Socket, error) {
	i, err := infoOf(fd)
	if err != nil {
		return nil, err
	}
	if listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil {
		return nil, host.Errno(err)
	} else if listening != 0 {
		if err := unix.SetNonblock(fd, true); err != nil {
			return nil, host.Errno(err)
		}
	}
	return NewProvider(n).newSocket(ns, i, fd, true)
}

// infoOf asks the host what a socket is.
func infoOf(fd int) (i socket.Info, err error) {
	var v [3]int
	for n, opt := range [...]int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_PROTOCOL} {
		if v[n], err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, opt); err != nil {
			return i, host.Errno(err)
		}
	}
	i = socket.Info{Family: linux.AddressFamily(v[0]), Type: linux.SockType(v[1]), Protocol: int32(v[2])}
	switch i.Family {
	case linux.AF_UNIX:
		if i.Type == linux.SOCK_STREAM || i.Type == linux.SOCK_DGRAM || i.Type == linux.SOCK_SEQPACKET {
			return i, nil
		}
	case linux.AF_INET, linux.AF_INET6:
		if i.Type == linux.SOCK_STREAM || i.Type == linux.SOCK_DGRAM {
			return i, nil
		}
	}
	return i, linux.EOPNOTSUPP
}

// local reports whether the socket is the host's AF_UNIX.
func (s *Socket) local() bool { return s.Info().Family == linux.AF_UNIX }

// controlRoom is how many bytes of control messages the host may give. With none it throws descriptors away.
func (s *Socket) controlRoom() int {
	if s.local() {
		return 0
	}
	return maxReceivedControl
}

// PassedSyscalls lists the calls for sockets that are passed on, beside those that every sandbox makes: none makes, binds or
// connects one. Pass itself is called before there is a filter.
func PassedSyscalls() []Syscall {
	return slices.DeleteFunc(Syscalls(), func(c Syscall) bool { return c.Name == "socket" || c.Name == "bind" || c.Name == "connect" })
}
