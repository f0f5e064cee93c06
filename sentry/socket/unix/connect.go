package unix

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// Connect implements socket.Connector.
func (s *Socket) Connect(c *vfs.Caller, a socket.Address) error {
	if len(a) >= 2 && a[0] == 0 && a[1] == 0 && !s.connects() {
		return s.setPeer(nil) // AF_UNSPEC undoes it
	}
	if !s.connects() {
		return s.connectDatagram(c, a)
	}
	return s.connectStream(c, a)
}

// ConnectResult implements socket.Connector. Nothing is ever under way: a Connect that has to wait is made again.
func (s *Socket) ConnectResult() error { return nil }

func (s *Socket) connectDatagram(c *vfs.Caller, a socket.Address) error {
	other, err := s.find(c, a)
	if err != nil {
		return err
	}
	if s.Has(socket.PassCred) && !s.bound() {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	other.mu.Lock()
	mayNot := other.peer != nil && other.peer != s
	other.mu.Unlock()
	if mayNot {
		return linux.EPERM
	}
	return s.setPeer(other)
}

// setPeer changes whom a datagram socket talks to. As in Linux, what came from the old one is lost, and it is told if it
// talked to us.
func (s *Socket) setPeer(to *Socket) error {
	s.mu.Lock()
	if s.state == dead {
		s.mu.Unlock()
		return linux.ECONNREFUSED
	}
	old := s.peer
	s.peer = to
	var first *message
	if old != nil && old != to {
		first = s.queue.take()
	}
	s.mu.Unlock()
	if old == nil || old == to {
		return nil
	}
	s.discard(first)
	old.mu.Lock()
	delete(old.waiters, s)
	told := old.peer == s
	if told {
		old.err = linux.ECONNRESET
	}
	old.mu.Unlock()
	if told {
		old.Queue().Notify(readable | wait.Err)
	}
	return nil
}

func (s *Socket) connectStream(c *vfs.Caller, a socket.Address) error {
	if s.Has(socket.PassCred) && !s.bound() {
		if err := s.autobind(); err != nil {
			return err
		}
	}
	other, err := s.find(c, a)
	if err != nil {
		return err
	}
	child := s.provider.newSocket(other.Namespace(), s.Info().Type)
	child.Inherit(other.Options())
	if err := s.join(other, child, peerOf(c)); err != nil {
		child.end(embryo)
		return err
	}
	other.Queue().Notify(readable)
	s.Queue().Notify(writable)
	return nil
}

// join makes s and child a connection that waits in other to be accepted.
func (s *Socket) join(other, child *Socket, me *peer) error {
	lock.Two(&s.mu, &other.mu)
	defer lock.UnlockTwo(&s.mu, &other.mu)
	// As in Linux, the listener is looked at first: who is connected already waits for room too.
	if other.state != listening || other.readShut {
		return linux.ECONNREFUSED
	}
	if len(other.accepts) > other.backlog {
		other.waitLocked(s)
		return linux.EAGAIN
	}
	switch s.state {
	case connected:
		return linux.EISCONN
	case listening, dead:
		return linux.EINVAL
	}
	// Nobody else knows child yet.
	child.state, child.peer, child.who, child.name = connected, s, me, other.name
	s.state, s.peer, s.who = connected, child, other.who
	other.accepts = append(other.accepts, child)
	return nil
}

// Listen implements socket.Connector.
func (s *Socket) Listen(c *vfs.Caller, backlog int) error {
	if !s.connects() {
		return linux.EOPNOTSUPP
	}
	who := peerOf(c) // asks the process
	s.mu.Lock()
	if s.name == "" || s.state != idle && s.state != listening {
		s.mu.Unlock()
		return linux.EINVAL
	}
	var waiters map[*Socket]struct{}
	backlog = s.Namespace().Backlog(backlog)
	if backlog > s.backlog {
		waiters = s.takeWaitersLocked()
	}
	s.state, s.backlog, s.who = listening, backlog, who
	s.mu.Unlock()
	wake(waiters)
	return nil
}

// Accept implements socket.Connector.
func (s *Socket) Accept(*vfs.Caller) (socket.Socket, socket.Address, error) {
	if !s.connects() {
		return nil, nil, linux.EOPNOTSUPP
	}
	s.mu.Lock()
	if s.state != listening {
		s.mu.Unlock()
		return nil, nil, linux.EINVAL
	}
	if len(s.accepts) == 0 {
		shut := s.readShut
		s.mu.Unlock()
		if shut {
			return nil, nil, linux.EINVAL
		}
		return nil, nil, linux.EAGAIN
	}
	child := s.accepts[0]
	s.accepts[0] = nil
	s.accepts = s.accepts[1:]
	waiters := s.takeWaitersLocked()
	s.mu.Unlock()
	wake(waiters)
	from := address("")
	child.mu.Lock()
	peer := child.peer
	child.mu.Unlock()
	if peer != nil {
		peer.mu.Lock()
		from = address(peer.name)
		peer.mu.Unlock()
	}
	return child, from, nil
}
