package inet

import (
	"sync/atomic"
	"time"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Socket is an inet socket.
type Socket struct {
	socket.Base

	// atomic
	cur         atomic.Pointer[netstack.Endpoint] // another one after a failed connect is tried again
	readShut    atomic.Bool                       // by shutdown(2)
	writeShut   atomic.Bool                       // by shutdown(2)
	told        atomic.Bool                       // the error that ended the connection was told
	icmpFilter  atomic.Uint32                     // of raw ICMP: types that are not wanted
	backlog     atomic.Int32                      // of a listener, as it asked for
	recvErr     atomic.Uint32                     // recvErr4 and recvErr6, of datagram sockets
	fastOpen    atomic.Int32                      // TCP_FASTOPEN
	fastConnect atomic.Bool                       // TCP_FASTOPEN_CONNECT

	errors errorQueue

	mu lock.Mutex[lock.Socket]
	// guarded by mu
	dest    netstack.Addr // of a connect under way, or of a raw socket
	watch   *netstack.ErrorWatch
	bound   netstack.Addr // what bind(2) was given
	isBound bool
}

var (
	_ socket.Listed        = (*Socket)(nil)
	_ socket.Hooks         = (*Socket)(nil)
	_ vfs.CallerReader     = (*Socket)(nil)
	_ vfs.CallerWriter     = (*Socket)(nil)
	_ vfs.Ioctler          = (*Socket)(nil)
	_ vfs.DescriptionAware = (*Socket)(nil)
)

const (
	readable = wait.In | wait.RdNorm
	writable = wait.Out | wait.WrNorm
)

func (s *Socket) v6() bool  { return s.Info().Family == linux.AF_INET6 }
func (s *Socket) tcp() bool { return s.ep().Kind() == netstack.TCP }

func (s *Socket) ep() *netstack.Endpoint { return s.cur.Load() }

// Endpoint returns the endpoint, for listings.
func (s *Socket) Endpoint() *netstack.Endpoint { return s.ep() }

// Release implements vfs.File.
func (s *Socket) Release() {
	if o := s.Options(); s.tcp() && o.LingerOn {
		s.ep().SetLinger(true, time.Duration(o.LingerSec)*time.Second)
	}
	s.mu.Lock()
	if s.watch != nil {
		s.watch.Close()
		s.watch = nil
	}
	s.mu.Unlock()
	s.ep().Close()
	s.Namespace().Remove(s)
}

// Readiness implements vfs.Poller.
func (s *Socket) Readiness(mask wait.Events) wait.Events {
	if s.tcp() {
		return s.tcpReadiness() & (mask | wait.Always)
	}
	r := wait.Events(s.ep().Readiness(netstack.EventIn | netstack.EventOut))
	ev := r & wait.Err
	if r&wait.In != 0 {
		ev |= readable
	}
	if r&wait.Out != 0 {
		ev |= writable | wait.WrBand
	}
	if s.readShut.Load() {
		ev |= readable | wait.RdHup
		if s.writeShut.Load() {
			ev |= wait.Hup
		}
	}
	if s.ep().PeekQueuedError() != nil || s.hasErrors() {
		ev |= wait.Err
	}
	return ev & (mask | wait.Always)
}

// tcpReadiness follows tcp_poll: what the stack reports of closed endpoints says less.
func (s *Socket) tcpReadiness() wait.Events {
	var ev wait.Events
	switch s.ep().Phase() {
	case netstack.Fresh:
		return writable | wait.Hup
	case netstack.Failed:
		ev = readable | writable | wait.RdHup | wait.Hup
		if !s.told.Load() {
			ev |= wait.Err
		}
		return ev
	case netstack.Closed:
		return readable | writable | wait.RdHup | wait.Hup
	}
	r := wait.Events(s.ep().Readiness(netstack.EventIn | netstack.EventOut | netstack.EventRdHUp))
	if r&wait.In != 0 {
		ev |= readable
	}
	switch s.ep().State() {
	case netstack.StateListen:
		return ev
	case netstack.StateSynSent, netstack.StateSynRecv:
		return 0
	}
	if r&wait.Out != 0 {
		ev |= writable
	}
	rd, wr := s.readShut.Load() || r&wait.RdHup != 0, s.writeShut.Load()
	switch s.ep().State() {
	case netstack.StateCloseWait, netstack.StateLastAck, netstack.StateClosing, netstack.StateTimeWait:
		rd = true // the peer is done
	}
	if rd {
		ev |= readable | wait.RdHup
		if wr {
			ev |= wait.Hup
		}
	}
	return ev
}

// Bind implements socket.Namer.
func (s *Socket) Bind(c *vfs.Caller, a socket.Address) error {
	// As in Linux, AF_UNSPEC with the unspecified address passes for AF_INET.
	if !s.v6() && len(a) >= sizeIn && familyOf(a) == linux.AF_UNSPEC && [4]byte(a[4:8]) == [4]byte{} {
		a = append(socket.Address{byte(linux.AF_INET), 0}, a[2:]...)
	}
	if s.v6() && len(a) >= 2 && familyOf(a) == linux.AF_INET {
		return linux.EAFNOSUPPORT
	}
	n, err := s.parse(a, linux.EAFNOSUPPORT)
	if err != nil {
		return err
	}
	switch s.ep().Kind() {
	case netstack.TCP, netstack.UDP:
		if n.Port != 0 && int32(n.Port) < s.Namespace().Knobs().FreePort && !s.Namespace().Capable(c, linux.CAP_NET_BIND_SERVICE) {
			return linux.EACCES
		}
	case netstack.Raw:
		n.Port = 0
	}
	if s.tcp() && n.IP.IsMulticast() {
		return linux.EADDRNOTAVAIL
	}
	if err := s.ep().Bind(n); err != nil {
		return err
	}
	s.mu.Lock()
	s.bound, s.isBound = n, true
	s.mu.Unlock()
	return nil
}

// LocalName implements socket.Namer.
func (s *Socket) LocalName() (socket.Address, error) {
	n, err := s.ep().LocalAddr()
	if err != nil {
		return nil, err
	}
	return s.format(n), nil
}

// PeerName implements socket.Namer.
func (s *Socket) PeerName() (socket.Address, error) {
	if s.tcp() && (s.ep().Phase() != netstack.Live || s.ep().State() == netstack.StateTimeWait) {
		return nil, linux.ENOTCONN
	}
	n, ok := s.remote()
	if !ok {
		return nil, linux.ENOTCONN
	}
	return s.format(n), nil
}

// Connect implements socket.Connector.
func (s *Socket) Connect(c *vfs.Caller, a socket.Address) error {
	if len(a) < 2 {
		return linux.EINVAL
	}
	if familyOf(a) == linux.AF_UNSPEC {
		if s.tcp() && s.ep().Phase() == netstack.Fresh {
			return nil
		}
		return s.ep().Disconnect()
	}
	n, err := s.parse(a, linux.EAFNOSUPPORT)
	if err != nil {
		return err
	}
	n = toPeer(n)
	if !s.tcp() {
		if s.ep().Kind() == netstack.Raw {
			n.Port = 0
		}
		if n.IP == broadcast && !s.Has(socket.Broadcast) {
			return linux.EACCES
		}
		if err := s.ep().Connect(n); err != nil {
			return err
		}
		if s.ep().Kind() == netstack.Raw {
			s.mu.Lock()
			s.dest = n
			s.mu.Unlock()
		}
		return nil
	}
	if n.IP.IsMulticast() {
		return linux.ENETUNREACH
	}
	if s.ep().State() == netstack.StateListen {
		return linux.EISCONN
	}
	if s.ep().Phase() == netstack.Failed {
		if !s.told.Load() {
			return s.lastError()
		}
		if err := s.renew(); err != nil {
			return err
		}
	}
	err = s.ep().Connect(n)
	if err == error(linux.EINPROGRESS) {
		s.mu.Lock()
		s.dest = n
		s.mu.Unlock()
	}
	return err
}

// lastError tells the error that ended a connection, once; after that the socket is closed.
func (s *Socket) lastError() error {
	if s.ep().Phase() != netstack.Failed {
		return nil
	}
	if s.told.Swap(true) {
		return linux.ECONNABORTED
	}
	return s.ep().TakeError()
}

// renew replaces the endpoint of a connection that failed, so that connect can be tried again.
func (s *Socket) renew() error {
	old := s.ep()
	ep, err := s.Namespace().Stack.NewEndpoint(old.Kind(), old.Family(), old.Protocol())
	if err != nil {
		return err
	}
	ep.CopyOptions(old)
	old.Close()
	s.mu.Lock()
	bound, isBound := s.bound, s.isBound
	s.mu.Unlock()
	if isBound {
		if err := ep.Bind(bound); err != nil {
			ep.Close()
			return err
		}
	}
	ep.Attach(s.notify)
	s.readShut.Store(false)
	s.writeShut.Store(false)
	s.cur.Store(ep)
	s.told.Store(false)
	return nil
}

// ConnectResult implements socket.Connector.
func (s *Socket) ConnectResult() error {
	if !s.tcp() {
		return nil
	}
	if s.ep().Connecting() {
		return linux.EAGAIN
	}
	if err := s.lastError(); err != nil {
		return err
	}
	// The stack says once that a connect has succeeded: it has now been said.
	s.mu.Lock()
	dest := s.dest
	s.mu.Unlock()
	if err := s.ep().Connect(dest); err != nil && err != error(linux.EISCONN) {
		return nil // established, and ended since: reads and writes tell
	}
	return nil
}

// Listen implements socket.Connector.
func (s *Socket) Listen(_ *vfs.Caller, backlog int) error {
	if !s.tcp() {
		return linux.EOPNOTSUPP
	}
	if s.ep().Phase() == netstack.Live && s.ep().State() != netstack.StateListen {
		return linux.EINVAL
	}
	backlog = s.Namespace().Backlog(backlog)
	if err := s.ep().Listen(backlog + 1); err != nil { // as in Linux, one more than asked for
		return err
	}
	s.backlog.Store(int32(backlog))
	return nil
}

// Backlog is what listen(2) asked for, for listings.
func (s *Socket) Backlog() int { return int(s.backlog.Load()) }

// Shut is which halves shutdown(2) has ended, for listings: 1 reading, 2 writing.
func (s *Socket) Shut() (v uint8) {
	if s.readShut.Load() {
		v |= 1
	}
	if s.writeShut.Load() {
		v |= 2
	}
	return v
}

// Accept implements socket.Connector.
func (s *Socket) Accept(*vfs.Caller) (socket.Socket, socket.Address, error) {
	if !s.tcp() {
		return nil, nil, linux.EOPNOTSUPP
	}
	if s.ep().State() != netstack.StateListen {
		return nil, nil, linux.EINVAL
	}
	ep, from, err := s.ep().Accept()
	if err != nil {
		return nil, nil, err
	}
	ep.InheritTCP(s.ep())
	child := newSocket(s.Namespace(), s.Info(), ep)
	child.Inherit(s.Options())
	return child, child.format(from), nil
}

// Shutdown implements socket.Connector. The reading half is shut here: the stack would answer unread data with a reset,
// which Linux leaves to close(2).
func (s *Socket) Shutdown(how linux.ShutdownHow) error {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	rd, wr := how != linux.SHUT_WR, how != linux.SHUT_RD
	if s.tcp() {
		if s.ep().State() == netstack.StateListen {
			if !rd {
				return nil
			}
			return s.ep().Shutdown(netstack.DirRead)
		}
		if s.ep().Phase() != netstack.Live || s.ep().Connecting() {
			return linux.ENOTCONN
		}
	} else if _, err := s.ep().RemoteAddr(); err != nil {
		s.shut(rd, wr)
		return linux.ENOTCONN
	}
	if wr {
		if err := s.ep().Shutdown(netstack.DirWrite); err != nil {
			return err
		}
	}
	s.shut(rd, wr)
	return nil
}

func (s *Socket) shut(rd, wr bool) {
	if rd {
		s.readShut.Store(true)
	}
	if wr {
		s.writeShut.Store(true)
	}
	s.Queue().Notify(readable | writable | wait.RdHup | wait.Hup)
}

// TakeError implements socket.Hooks.
func (s *Socket) TakeError() error {
	if !s.tcp() {
		if err := s.pendingError(); err != nil {
			return err
		}
		return s.ep().TakeError()
	}
	if s.ep().Phase() == netstack.Failed {
		if s.told.Swap(true) {
			return nil
		}
	}
	return s.ep().TakeError()
}

// Listening implements socket.Hooks.
func (s *Socket) Listening() bool { return s.tcp() && s.ep().State() == netstack.StateListen }

// Buffers implements socket.Hooks.
func (s *Socket) Buffers(o *socket.Options) (send, receive int) {
	send, receive = s.ep().SendBuffer()/2, s.ep().ReceiveBuffer()/2
	// What was asked for is told, also where the stack's least is more.
	if o.SendBuffer != 0 {
		send = o.SendBuffer
	}
	if o.ReceiveBuffer != 0 {
		receive = o.ReceiveBuffer
	}
	return send, receive
}

// ReadAs and WriteAs implement vfs.CallerReader and vfs.CallerWriter.
func (s *Socket) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	in := socket.Incoming{Data: dst}
	return s.Receive(c, &in)
}

func (s *Socket) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	return s.Send(c, &socket.Outgoing{Data: src})
}
