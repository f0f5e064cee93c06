package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/bpf"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// maxSend is the longest message that is read.
const maxSend = 64 << 10

// A Provider makes netlink sockets.
type Provider struct{}

var _ socket.Provider = Provider{}

// Families implements socket.Provider.
func (Provider) Families() []linux.AddressFamily { return []linux.AddressFamily{linux.AF_NETLINK} }

// NewSocket implements socket.Provider.
func (Provider) NewSocket(_ *vfs.Caller, ns *socket.Namespace, _ linux.AddressFamily, typ linux.SockType, protocol int32) (socket.Socket, error) {
	if typ != linux.SOCK_RAW && typ != linux.SOCK_DGRAM {
		return nil, linux.ESOCKTNOSUPPORT
	}
	switch linux.NetlinkProto(protocol) {
	case linux.NETLINK_ROUTE, linux.NETLINK_KOBJECT_UEVENT, linux.NETLINK_SOCK_DIAG,
		linux.NETLINK_NETFILTER:
	default:
		return nil, linux.EPROTONOSUPPORT
	}
	s := &Socket{}
	s.Init(ns, socket.Info{Family: linux.AF_NETLINK, Type: typ, Protocol: protocol}, s)
	ns.Add(s)
	return s, nil
}

// A Socket is a netlink socket.
type Socket struct {
	socket.Base

	mu lock.Mutex[lock.Socket]
	// guarded by mu
	port   uint32 // 0: not bound
	groups uint64 // bit n-1 for group n
	peer   uint32 // of connect(2): a port, and groups
	peerTo uint32
	queue  [][]byte
	bytes  int
	err    linux.Errno
	flags  flags
}

// flags are the options of SOL_NETLINK.
type flags uint16

const (
	pktInfo flags = 1 << iota
	broadcastError
	noENOBUFS
	capAck
	extAck
	strictCheck
	listenAll
)

var (
	_ socket.Listed        = (*Socket)(nil)
	_ socket.Hooks         = (*Socket)(nil)
	_ socket.Observer      = (*Socket)(nil)
	_ socket.Filtering     = (*Socket)(nil)
	_ vfs.CallerReader     = (*Socket)(nil)
	_ vfs.CallerWriter     = (*Socket)(nil)
	_ vfs.Ioctler          = (*Socket)(nil)
	_ vfs.DescriptionAware = (*Socket)(nil)
)

const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

// Port and Groups are what /proc/net/netlink lists.
func (s *Socket) Port() uint32 { s.mu.Lock(); defer s.mu.Unlock(); return s.port }

// Groups returns the multicast groups, as a mask.
func (s *Socket) Groups() uint64 { s.mu.Lock(); defer s.mu.Unlock(); return s.groups }

// Queued returns how many bytes wait to be read.
func (s *Socket) Queued() int { s.mu.Lock(); defer s.mu.Unlock(); return s.bytes }

// Release implements vfs.File.
func (s *Socket) Release() { s.Namespace().Remove(s) }

// Readiness implements vfs.Poller.
func (s *Socket) Readiness(mask wait.Events) wait.Events {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev := writable
	if len(s.queue) > 0 {
		ev |= readable
	}
	if s.err != 0 {
		ev |= wait.Err
	}
	return ev & (mask | wait.Always)
}

func parse(a socket.Address) (port, groups uint32, err error) {
	if len(a) < 12 {
		return 0, 0, linux.EINVAL
	}
	if linux.AddressFamily(binary.LittleEndian.Uint16(a)) != linux.AF_NETLINK {
		return 0, 0, linux.EINVAL
	}
	return binary.LittleEndian.Uint32(a[4:]), binary.LittleEndian.Uint32(a[8:]), nil
}

func address(port, groups uint32) socket.Address {
	a := make(socket.Address, 12)
	binary.LittleEndian.PutUint16(a, uint16(linux.AF_NETLINK))
	binary.LittleEndian.PutUint32(a[4:], port)
	binary.LittleEndian.PutUint32(a[8:], groups)
	return a
}

// Bind implements socket.Namer.
func (s *Socket) Bind(c *vfs.Caller, a socket.Address) error {
	port, groups, err := parse(a)
	if err != nil {
		return err
	}
	if have := s.Port(); have != 0 && port != 0 && port != have {
		return linux.EINVAL
	} else if have == 0 {
		if port == 0 {
			s.autobind(c)
		} else if !s.setPort(port) {
			return linux.EADDRINUSE
		}
	}
	s.mu.Lock()
	s.groups = s.groups&^0xffffffff | uint64(groups)
	s.mu.Unlock()
	return nil
}

// setPort takes a port that no other socket of the protocol has.
func (s *Socket) setPort(port uint32) bool {
	for _, o := range s.Namespace().Sockets(linux.AF_NETLINK) {
		if n, ok := o.(*Socket); ok && n != s && n.Info().Protocol == s.Info().Protocol && n.Port() == port {
			return false
		}
	}
	s.mu.Lock()
	s.port = port
	s.mu.Unlock()
	return true
}

// autobind takes the caller's pid as port, or where that is taken a number no pid has.
func (s *Socket) autobind(c *vfs.Caller) {
	if s.Port() != 0 {
		return
	}
	port := uint32(0)
	if c != nil && c.Job != nil {
		port = uint32(c.Job.FromRootPID(c.Job.PID()))
	}
	for port == 0 || !s.setPort(port) {
		port = ^uint32(4096) - uint32(s.Namespace().NextName()&0xffffff)
	}
}

// LocalName implements socket.Namer.
func (s *Socket) LocalName() (socket.Address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return address(s.port, uint32(s.groups)), nil
}

// PeerName implements socket.Namer.
func (s *Socket) PeerName() (socket.Address, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return address(s.peer, s.peerTo), nil
}

// Connect implements socket.Connector.
func (s *Socket) Connect(c *vfs.Caller, a socket.Address) error {
	if len(a) >= 2 && a[0] == 0 && a[1] == 0 {
		s.setPeer(0, 0)
		return nil
	}
	port, groups, err := parse(a)
	if err != nil {
		return err
	}
	if (port != 0 || groups != 0) && !s.Namespace().Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	s.autobind(c)
	s.setPeer(port, groups)
	return nil
}

func (s *Socket) setPeer(port, groups uint32) {
	s.mu.Lock()
	s.peer, s.peerTo = port, groups
	s.mu.Unlock()
}

// What connections need is not there.
func (s *Socket) ConnectResult() error { return nil }

func (s *Socket) Listen(*vfs.Caller, int) error { return linux.EOPNOTSUPP }

func (s *Socket) Accept(*vfs.Caller) (socket.Socket, socket.Address, error) {
	return nil, nil, linux.EOPNOTSUPP
}

func (s *Socket) Shutdown(linux.ShutdownHow) error { return linux.EOPNOTSUPP }

// Send implements socket.Mover.
func (s *Socket) Send(c *vfs.Caller, m *socket.Outgoing) (int, error) {
	defer m.Control.Release()
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	s.mu.Lock()
	port, groups := s.peer, s.peerTo
	s.mu.Unlock()
	if len(m.To) > 0 {
		var err error
		if port, groups, err = parse(m.To); err != nil {
			return 0, err
		}
		if (port != 0 || groups != 0) && !s.Namespace().Capable(c, linux.CAP_NET_ADMIN) {
			return 0, linux.EPERM
		}
	}
	if m.Data.Len() > maxSend {
		return 0, linux.EMSGSIZE
	}
	s.autobind(c)
	b := make([]byte, m.Data.Len())
	if _, err := m.Data.CopyIn(b); err != nil {
		return 0, err
	}
	if port != 0 || linux.NetlinkProto(s.Info().Protocol) == linux.NETLINK_KOBJECT_UEVENT {
		return 0, linux.ECONNREFUSED // nobody but the kernel is there
	}
	s.handle(c, b)
	return len(b), nil
}

// FilterAttached implements socket.Filtering.
func (s *Socket) FilterAttached(*bpf.Program) error { return nil }

// push puts a datagram into the queue if the filter lets it pass, or notes that it was lost.
func (s *Socket) push(b []byte) {
	n := s.Passes(&bpf.Packet{Bytes: b})
	if n == 0 {
		return
	}
	b = b[:n]
	o := s.Options()
	_, room := s.Buffers(&o)
	s.mu.Lock()
	if s.bytes+len(b) > 2*room && len(s.queue) > 0 {
		if s.flags&noENOBUFS == 0 {
			s.err = linux.ENOBUFS
		}
		s.mu.Unlock()
		s.Queue().Notify(wait.Err)
		return
	}
	s.queue = append(s.queue, b)
	s.bytes += len(b)
	s.mu.Unlock()
	s.Queue().Notify(readable)
}

// Receive implements socket.Mover.
func (s *Socket) Receive(_ *vfs.Caller, in *socket.Incoming) (int, error) {
	if in.Flags&(linux.MSG_OOB|linux.MSG_ERRQUEUE) != 0 {
		return 0, linux.EOPNOTSUPP
	}
	s.mu.Lock()
	if s.err != 0 {
		err := s.err
		s.err = 0
		s.mu.Unlock()
		return 0, err
	}
	if len(s.queue) == 0 {
		s.mu.Unlock()
		return 0, linux.EAGAIN
	}
	b, info := s.queue[0], s.flags&pktInfo != 0
	if in.Flags&linux.MSG_PEEK == 0 {
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.bytes -= len(b)
	}
	s.mu.Unlock()
	n, err := in.Data.CopyOut(b)
	if err != nil {
		return 0, err
	}
	in.From = address(0, 0)
	if n < len(b) {
		in.OutFlags |= linux.MSG_TRUNC
		if in.Flags&linux.MSG_TRUNC != 0 {
			n = len(b)
		}
	}
	if s.Has(socket.PassCred) {
		in.Control.Add(linux.SOL_SOCKET, int32(linux.SCM_CREDENTIALS), socket.AppendUcred(nil, linux.Ucred{}))
	}
	if info {
		in.Control.Add(linux.SOL_NETLINK, linux.NETLINK_PKTINFO, make([]byte, 4))
	}
	return n, nil
}

// ReadAs and WriteAs implement vfs.CallerReader and vfs.CallerWriter.
func (s *Socket) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	return s.Receive(c, &socket.Incoming{Data: dst})
}

func (s *Socket) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	return s.Send(c, &socket.Outgoing{Data: src})
}

// Changed, TakeError, Listening and Buffers implement socket.Hooks.
func (s *Socket) Changed(*vfs.Caller, linux.SockOpt, *socket.Options) error { return nil }

func (s *Socket) TakeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.err; e != 0 {
		s.err = 0
		return e
	}
	return nil
}

func (s *Socket) Listening() bool { return false }

func (s *Socket) Buffers(o *socket.Options) (send, receive int) {
	send, receive = o.SendBuffer, o.ReceiveBuffer
	if send == 0 {
		send = socket.DefaultBuffer
	}
	if receive == 0 {
		receive = socket.DefaultBuffer
	}
	return send, receive
}

// Ioctl implements vfs.Ioctler.
func (s *Socket) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	return socket.DeviceIoctl(s.Namespace(), c, mem, req, arg)
}
