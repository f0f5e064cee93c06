package hostinet

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Socket is a socket of the host.
type Socket struct {
	socket.Base

	// immutable
	fd       int
	provider *Provider
	passed   bool // made by others (Pass)

	// atomic
	late atomic.Uint32 // an errno that the host told when there was something else to tell the guest

	mu lock.Mutex[lock.Socket]
	// guarded by mu
	dest socket.Address // of a connect under way
}

var (
	_ socket.Listed        = (*Socket)(nil)
	_ socket.Hooks         = (*Socket)(nil)
	_ socket.Listing       = (*Socket)(nil)
	_ vfs.CallerReader     = (*Socket)(nil)
	_ vfs.CallerWriter     = (*Socket)(nil)
	_ vfs.Ioctler          = (*Socket)(nil)
	_ vfs.DescriptionAware = (*Socket)(nil)
)

func (s *Socket) tcp() bool { return s.Info().Type == linux.SOCK_STREAM }

// Release implements vfs.File.
func (s *Socket) Release() {
	s.provider.notifier.Unwatch(s.fd)
	_ = unix.Close(s.fd)
	s.Namespace().Remove(s)
}

// Readiness implements vfs.Poller.
func (s *Socket) Readiness(mask wait.Events) wait.Events {
	const asked = wait.In | wait.Pri | wait.Out | wait.RdNorm | wait.RdBand | wait.WrNorm | wait.WrBand | wait.RdHup
	p := [1]unix.PollFd{{Fd: int32(s.fd), Events: int16(mask & asked)}}
	for {
		if _, err := unix.Poll(p[:], 0); err != unix.EINTR {
			return wait.Events(uint16(p[0].Revents)) & (mask | wait.Always)
		}
	}
}

// check refuses addresses that are none of ours; the rest is the host's to judge.
func check(a socket.Address) error {
	if len(a) < 2 || len(a) > maxAddress {
		return linux.EINVAL
	}
	switch familyOf(a) {
	case linux.AF_UNSPEC, linux.AF_INET, linux.AF_INET6:
		return nil
	}
	return linux.EAFNOSUPPORT
}

func familyOf(a []byte) linux.AddressFamily {
	return linux.AddressFamily(binary.LittleEndian.Uint16(a))
}

// Bind implements socket.Namer.
func (s *Socket) Bind(_ *vfs.Caller, a socket.Address) error {
	if s.passed {
		return linux.EINVAL
	}
	if err := check(a); err != nil {
		return err
	}
	return bind(s.fd, a)
}

// LocalName implements socket.Namer.
func (s *Socket) LocalName() (socket.Address, error) {
	a, err := name(unix.SYS_GETSOCKNAME, s.fd)
	return a, err
}

// PeerName implements socket.Namer.
func (s *Socket) PeerName() (socket.Address, error) {
	a, err := name(unix.SYS_GETPEERNAME, s.fd)
	return a, err
}

// Connect implements socket.Connector.
func (s *Socket) Connect(_ *vfs.Caller, a socket.Address) error {
	if s.passed {
		return linux.EISCONN
	}
	if err := check(a); err != nil {
		return err
	}
	err := connect(s.fd, a)
	if err == error(linux.EINPROGRESS) {
		s.mu.Lock()
		s.dest = append(socket.Address(nil), a...)
		s.mu.Unlock()
	}
	return err
}

// ConnectResult implements socket.Connector. The host tells how a connect went who asks for it once more.
func (s *Socket) ConnectResult() error {
	s.mu.Lock()
	dest := s.dest
	s.mu.Unlock()
	if !s.tcp() || dest == nil {
		return nil
	}
	switch err := connect(s.fd, dest); err {
	case error(linux.EALREADY), error(linux.EINPROGRESS):
		return linux.EAGAIN
	case error(linux.EISCONN):
		return nil
	default:
		return err
	}
}

// Listen implements socket.Connector.
func (s *Socket) Listen(_ *vfs.Caller, backlog int) error { return listen(s.fd, backlog) }

// Accept implements socket.Connector.
func (s *Socket) Accept(*vfs.Caller) (socket.Socket, socket.Address, error) {
	fd, from, err := accept(s.fd)
	if err != nil {
		return nil, nil, err
	}
	child, err := s.provider.wrap(s.Namespace(), s.Info(), fd, s.passed)
	if err != nil {
		return nil, nil, err
	}
	child.Inherit(s.Options())
	return child, from, nil
}

// Shutdown implements socket.Connector.
func (s *Socket) Shutdown(how linux.ShutdownHow) error {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	return host.Error(unix.Shutdown(s.fd, int(how)))
}

// ReadAs and WriteAs implement vfs.CallerReader and vfs.CallerWriter.
func (s *Socket) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	return s.Receive(c, &socket.Incoming{Data: dst})
}

func (s *Socket) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	return s.Send(c, &socket.Outgoing{Data: src})
}

// Ioctl implements vfs.Ioctler.
func (s *Socket) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	switch linux.IoctlCmd(req) {
	case linux.FIONREAD, linux.TIOCOUTQ, linux.SIOCATMARK:
		n, err := unix.IoctlGetInt(s.fd, uint(req))
		if err != nil {
			return 0, host.Errno(err)
		}
		_, err = mem.CopyOut(arg, socket.SizeOf(n))
		return 0, err
	}
	return socket.DeviceIoctl(s.Namespace(), c, mem, req, arg)
}

// Listing implements socket.Listing.
func (s *Socket) Listing() (netstack.EndpointInfo, bool) {
	i := s.Info()
	e := netstack.EndpointInfo{Kind: netstack.TCP, Family: netstack.IPv4, Protocol: uint8(i.Protocol), State: netstack.StateClose}
	if i.Family == linux.AF_INET6 {
		e.Family = netstack.IPv6
	}
	local, err := s.LocalName()
	if err != nil {
		return e, false
	}
	e.Local = parse(local)
	peer, err := s.PeerName()
	if err == nil {
		e.Remote = parse(peer)
	}
	if n, err := unix.IoctlGetInt(s.fd, unix.TIOCINQ); err == nil {
		e.ReceiveQueue = n
	}
	switch {
	case s.tcp():
		var state [1]byte // the first of struct tcp_info
		if n, err := getOption(s.fd, int(linux.SOL_TCP), int(linux.TCP_INFO), state[:]); err == nil && n == 1 {
			e.State = netstack.State(state[0])
		}
		return e, e.State != netstack.StateClose
	case linux.IPProto(i.Protocol) == linux.IPPROTO_UDP:
		e.Kind = netstack.UDP
	default:
		e.Kind = netstack.Ping
	}
	if err == nil {
		e.State = netstack.StateEstablished
	}
	return e, e.Local.Port != 0
}

// parse reads an address of the host.
func parse(a []byte) netstack.Addr {
	switch {
	case len(a) >= 16 && familyOf(a) == linux.AF_INET:
		return netstack.Addr{IP: netip.AddrFrom4([4]byte(a[4:8])), Port: binary.BigEndian.Uint16(a[2:])}
	case len(a) >= 28 && familyOf(a) == linux.AF_INET6:
		return netstack.Addr{IP: netip.AddrFrom16([16]byte(a[8:24])), Port: binary.BigEndian.Uint16(a[2:])}
	}
	return netstack.Addr{}
}
