package unix

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A state is where a socket stands:
//
//	idle --listen--> listening
//	idle --connect, accept, socketpair--> connected
//	any --last close--> dead
//
// Datagram sockets stay idle; connect gives them a peer.
type state uint8

const (
	idle state = iota
	listening
	connected
	dead
)

// A peer is what SO_PEERCRED tells of the other side.
type peer struct {
	creds  socket.Creds
	groups []uint32
}

// A Socket is one end.
type Socket struct {
	socket.Base

	// immutable
	provider *Provider

	// atomic
	sent atomic.Int64 // what is charged to this socket in others' queues

	reading lock.Mutex[lock.SocketRead]

	mu lock.Mutex[lock.Socket]
	// guarded by mu
	state     state
	name      string   // "" unbound, a path, or NUL and an abstract name
	file      fileID   // of a path
	at        vfs.Path // of a path, counted
	peer      *Socket
	who       *peer // the peer's identity; a listener's own
	queue     messages
	accepts   []*Socket
	backlog   int
	readShut  bool
	writeShut bool
	err       linux.Errno
	waiters   map[*Socket]struct{} // who waits for room here
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
	writable = wait.Out | wait.WrNorm | wait.WrBand
)

// stream reports whether bytes have no borders; connects whether there are connections.
func (s *Socket) stream() bool   { return s.Info().Type == linux.SOCK_STREAM }
func (s *Socket) connects() bool { return s.Info().Type != linux.SOCK_DGRAM }

// limit is sk_sndbuf.
func (s *Socket) limit() int64 {
	if n := s.SendBuffer(); n != 0 {
		return int64(2 * n)
	}
	return 2 * socket.DefaultBuffer
}

// roomy is what poll(2) calls writable: a quarter of the buffer is used at most.
func (s *Socket) roomy() bool { return 4*s.sent.Load() <= s.limit() }

// Readiness implements vfs.Poller.
func (s *Socket) Readiness(mask wait.Events) wait.Events {
	var ev wait.Events
	s.mu.Lock()
	if s.state != listening && s.roomy() {
		ev |= writable
	}
	peer := s.peer
	if s.queue.n > 0 || s.readShut || len(s.accepts) > 0 {
		ev |= readable
	}
	if s.readShut {
		ev |= wait.RdHup
	}
	if s.readShut && s.writeShut || s.connects() && s.state == idle {
		ev |= wait.Hup
	}
	if s.err != 0 {
		ev |= wait.Err
	}
	s.mu.Unlock()
	if !s.connects() && peer != nil && ev&writable != 0 && peer.fullFor(s, true) {
		ev &^= writable
	}
	return ev & (mask | wait.Always)
}

// fullFor reports whether s's queue has no room for a datagram of from, which then is told when it has.
func (s *Socket) fullFor(from *Socket, tell bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fullForLocked(from, tell)
}

func (s *Socket) fullForLocked(from *Socket, tell bool) bool {
	s.mu.AssertHeld()
	if s == from || s.peer == from || s.state == dead || s.queue.n <= MaxQueue {
		return false
	}
	if tell {
		s.waitLocked(from)
	}
	return true
}

func (s *Socket) waitLocked(who *Socket) {
	if s.waiters == nil {
		s.waiters = make(map[*Socket]struct{})
	}
	s.waiters[who] = struct{}{}
}

// wake tells those who waited for room that there is some.
func wake(waiters map[*Socket]struct{}) {
	for w := range waiters {
		w.Queue().Notify(writable)
	}
}

func (s *Socket) takeWaitersLocked() map[*Socket]struct{} {
	w := s.waiters
	s.waiters = nil
	return w
}

// charge and uncharge keep account of what a sender has in queues.
func (s *Socket) charge(m *message, n int) {
	m.sender, m.charge = s, n
	s.sent.Add(int64(n))
}

func (s *Socket) uncharge(n int) {
	if s == nil || n == 0 {
		return
	}
	was := s.sent.Add(int64(-n)) + int64(n)
	if limit := s.limit(); 4*was > limit && 4*(was-int64(n)) <= limit {
		s.Queue().Notify(writable)
	}
}

// Release implements vfs.File.
func (s *Socket) Release() {
	s.end(accepted)
	if s.provider.inFlight() {
		s.provider.collect()
	}
}

// Whether the socket that ends was ever accepted: if not, its peer's connection is reset.
type ending bool

const (
	accepted ending = false
	embryo   ending = true
)

// end takes a socket out of the world.
func (s *Socket) end(how ending) {
	s.mu.Lock()
	if s.state == dead {
		s.mu.Unlock()
		return
	}
	was := s.state
	s.state = dead
	name, file, at, peer := s.name, s.file, s.at, s.peer
	first, accepts, waiters := s.queue.take(), s.accepts, s.takeWaitersLocked()
	s.peer, s.accepts, s.at, s.readShut, s.writeShut = nil, nil, vfs.Path{}, true, true
	s.mu.Unlock()

	// An accepted socket shows its listener's name, but the name is not its own.
	if name != "" {
		s.unbind(name, file, at)
	}
	if peer != nil {
		peer.peerGone(s, was == connected, first != nil || how == embryo)
	}
	for _, a := range accepts {
		a.end(embryo)
	}
	wake(waiters)
	s.discard(first)
	s.Namespace().Remove(s)
}

// peerGone is told by the other side's end. reset says that it left something unread.
func (s *Socket) peerGone(other *Socket, connection, reset bool) {
	s.mu.Lock()
	delete(s.waiters, other)
	mine := s.peer == other
	if mine && connection {
		s.readShut, s.writeShut = true, true
		if reset {
			s.err = linux.ECONNRESET
		}
	}
	s.mu.Unlock()
	if mine {
		s.Queue().Notify(readable | writable | wait.Hup | wait.RdHup | wait.Err)
	}
}

// discard throws messages away.
func (s *Socket) discard(m *message) {
	for ; m != nil; m = m.next {
		m.sender.uncharge(m.charge)
		s.provider.drop(m.rights)
	}
}

func (s *Socket) unbind(name string, file fileID, at vfs.Path) {
	if name[0] == 0 {
		s.Namespace().UnbindAbstract(name, s)
		return
	}
	if !at.Valid() {
		return
	}
	s.provider.mu.Lock()
	if s.provider.bound[file] == s {
		delete(s.provider.bound, file)
	}
	s.provider.mu.Unlock()
	at.DecRef()
}

// Shutdown implements socket.Connector.
func (s *Socket) Shutdown(how linux.ShutdownHow) error {
	if how < linux.SHUT_RD || how > linux.SHUT_RDWR {
		return linux.EINVAL
	}
	rd, wr := how != linux.SHUT_WR, how != linux.SHUT_RD
	s.mu.Lock()
	s.readShut, s.writeShut = s.readShut || rd, s.writeShut || wr
	peer := s.peer
	s.mu.Unlock()
	s.Queue().Notify(readable | writable | wait.Hup | wait.RdHup)
	if peer == nil || !s.connects() {
		return nil
	}
	peer.mu.Lock()
	peer.readShut, peer.writeShut = peer.readShut || wr, peer.writeShut || rd
	peer.mu.Unlock()
	peer.Queue().Notify(readable | writable | wait.Hup | wait.RdHup)
	return nil
}

// TakeError implements socket.Hooks.
func (s *Socket) TakeError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.takeErrorLocked()
}

func (s *Socket) takeErrorLocked() error {
	if e := s.err; e != 0 {
		s.err = 0
		return e
	}
	return nil
}

// Listening implements socket.Hooks.
func (s *Socket) Listening() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == listening
}

// Buffers implements socket.Hooks.
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

// ReadAs and WriteAs implement vfs.CallerReader and vfs.CallerWriter.
func (s *Socket) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	in := socket.Incoming{Data: dst}
	n, err := s.Receive(c, &in)
	in.Control.Release()
	return n, err
}

func (s *Socket) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	return s.Send(c, &socket.Outgoing{Data: src})
}
