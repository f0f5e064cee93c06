package unix

import (
	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// Send implements socket.Mover.
func (s *Socket) Send(c *vfs.Caller, m *socket.Outgoing) (int, error) {
	n, err := s.send(c, m)
	m.Control.Release()
	return n, err
}

func (s *Socket) send(c *vfs.Caller, m *socket.Outgoing) (int, error) {
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if !s.stream() { // streams say EPIPE and leave the error to a read
		if err := s.TakeError(); err != nil {
			return 0, err
		}
	}
	creds, err := s.checkCreds(c, m.Control)
	if err != nil {
		return 0, err
	}
	if s.stream() {
		return s.sendStream(c, m, creds)
	}
	return s.sendDatagram(c, m, creds)
}

// sending is who sends: credentials go along when they were given, or when either side wants them.
type sending struct {
	by    *vfs.Caller
	given *socket.Creds
}

func (s *Socket) checkCreds(c *vfs.Caller, ctl *socket.Control) (sending, error) {
	if c == nil || c.Cred == nil || ctl == nil || ctl.Creds == nil {
		return sending{by: c}, nil
	}
	creds, err := ctl.Check(c)
	return sending{c, &creds}, err
}

func (w *sending) forMessage(from, to *Socket) *socket.Creds {
	if w.given != nil {
		return w.given
	}
	if !from.Has(socket.PassCred) && !to.Has(socket.PassCred) && to.Description() != nil {
		return nil
	}
	c := socket.RealCreds(w.by)
	return &c
}

// target returns the peer of a connection that can be sent to.
func (s *Socket) target(m *socket.Outgoing) (*Socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(m.To) > 0 && s.stream() {
		if s.state == connected {
			return nil, linux.EISCONN
		}
		return nil, linux.EOPNOTSUPP
	}
	if s.state == dead || s.writeShut {
		return nil, linux.EPIPE
	}
	if s.state != connected || s.peer == nil {
		return nil, linux.ENOTCONN
	}
	return s.peer, nil
}

func (s *Socket) sendStream(c *vfs.Caller, m *socket.Outgoing, who sending) (int, error) {
	to, err := s.target(m)
	if err != nil {
		return 0, err
	}
	var r *rights
	if m.Control != nil && len(m.Control.Rights) > 0 && m.Data.Len() > 0 {
		if r, err = s.provider.attach(c, m.Control.Rights); err != nil {
			return 0, err
		}
	}
	done, limit := 0, s.limit()
	for m.Data.Len() > 0 {
		if s.sent.Load() >= limit {
			err = linux.EAGAIN
			break
		}
		n := int(min(m.Data.Len(), largeBuffer, uint64(max(limit/2, smallBuffer))))
		if n, err = s.sendChunk(to, m, n, who.forMessage(s, to), r); n > 0 {
			done += n
			if r != nil {
				m.Control.Rights, r = nil, nil // the message has them
			}
		}
		if err != nil {
			break
		}
	}
	if r != nil {
		s.provider.detach(r) // nothing was sent: they are the caller's again
	}
	if done > 0 {
		return done, nil
	}
	return 0, err
}

// sendChunk moves up to n bytes into the peer's queue.
func (s *Socket) sendChunk(to *Socket, m *socket.Outgoing, n int, creds *socket.Creds, r *rights) (int, error) {
	to.mu.Lock()
	b := to.queue.buffer(n)
	to.mu.Unlock()
	n, err := m.Data.CopyIn(b.data)
	b.data = b.data[:n]
	if n == 0 {
		return 0, err
	}
	b.creds, b.rights = creds, r
	to.mu.Lock()
	if to.state == dead || to.readShut {
		to.mu.Unlock()
		return 0, linux.EPIPE
	}
	if creds == nil && r == nil && to.queue.join(b.data, s) {
		s.sent.Add(int64(n))
		to.queue.recycle(b)
	} else {
		s.charge(b, n)
		to.queue.push(b)
	}
	to.mu.Unlock()
	to.Queue().Notify(readable)
	return n, err
}

// Receive implements socket.Mover.
func (s *Socket) Receive(c *vfs.Caller, in *socket.Incoming) (int, error) {
	if in.Flags&linux.MSG_OOB != 0 {
		if s.stream() {
			return 0, linux.EINVAL
		}
		return 0, linux.EOPNOTSUPP
	}
	if in.Flags&linux.MSG_ERRQUEUE != 0 {
		return 0, linux.EAGAIN // as an empty error queue
	}
	s.reading.Lock()
	n, done, err := 0, []*rights(nil), error(nil)
	if s.stream() {
		n, err = s.receiveStream(c, in)
	} else {
		n, done, err = s.receiveDatagram(c, in)
	}
	s.reading.Unlock()
	for _, r := range done {
		s.provider.drop(r)
	}
	return n, err
}

// emptyLocked is what a receiver is told when there is nothing.
func (s *Socket) emptyLocked() error {
	if err := s.takeErrorLocked(); err != nil {
		return err
	}
	if s.readShut {
		return nil
	}
	if s.connects() && s.state != connected {
		if s.stream() {
			return linux.EINVAL
		}
		return linux.ENOTCONN
	}
	return linux.EAGAIN
}

// receiveStream copies bytes out until there are no more, credentials change, or a message with descriptors was begun.
func (s *Socket) receiveStream(c *vfs.Caller, in *socket.Incoming) (int, error) {
	peek := in.Flags&linux.MSG_PEEK != 0
	skip := 0
	if peek {
		skip = s.PeekOff()
	}
	done := 0
	var creds *socket.Creds
	var at *message // the message before the next one, when peeking
	for in.Data.Len() > 0 || done == 0 {
		s.mu.Lock()
		m := s.queue.first
		if at != nil {
			m = at.next
		}
		for m != nil && skip > 0 && skip >= len(m.data) {
			skip -= len(m.data)
			m, at = m.next, m
		}
		if m == nil {
			err := s.emptyLockedAfter(done)
			s.mu.Unlock()
			return s.received(in, creds, done, peek, err)
		}
		if done > 0 && s.Has(socket.PassCred) && !sameCreds(creds, m.creds) || in.Data.Len() == 0 {
			s.mu.Unlock()
			break
		}
		data := m.data[skip:]
		s.mu.Unlock()

		n, err := in.Data.CopyOut(data)
		done += n
		creds = m.creds
		if err != nil && n == 0 {
			return s.received(in, creds, done, peek, err)
		}
		stop := s.consume(in, m, n, peek)
		if peek {
			at, skip = m, 0
		}
		if stop || n < len(data) {
			break
		}
	}
	return s.received(in, creds, done, peek, nil)
}

func (s *Socket) emptyLockedAfter(done int) error {
	if done > 0 {
		return nil
	}
	return s.emptyLocked()
}

// consume takes n bytes off the first message, and its descriptors; stop says that the receive ends here.
func (s *Socket) consume(in *socket.Incoming, m *message, n int, peek bool) (stop bool) {
	s.mu.Lock()
	r := m.rights
	if peek {
		if r != nil {
			in.Control.Rights = r.share()
			in.Control.Cloexec = in.Flags&linux.MSG_CMSG_CLOEXEC != 0
		}
		s.mu.Unlock()
		return r != nil
	}
	m.rights = nil
	if s.state == dead {
		s.mu.Unlock()
		return true
	}
	m.data = m.data[n:]
	s.queue.bytes -= n
	sender, charge := m.sender, n
	m.charge -= n
	if len(m.data) == 0 {
		charge += m.charge
		s.queue.recycle(s.queue.pop())
	}
	s.mu.Unlock()
	sender.uncharge(charge)
	if r == nil {
		return false
	}
	in.Control.Rights = s.provider.detach(r)
	in.Control.Cloexec = in.Flags&linux.MSG_CMSG_CLOEXEC != 0
	return true
}

// received finishes a receive from a stream.
func (s *Socket) received(in *socket.Incoming, creds *socket.Creds, done int, peek bool, err error) (int, error) {
	if done == 0 && err != nil {
		return 0, err
	}
	if done > 0 {
		if peek {
			s.MovePeekOff(done)
		} else {
			s.MovePeekOff(-done)
		}
	}
	if !in.NoFrom {
		in.From = s.peerAddress()
	}
	if done > 0 {
		s.addCreds(in, creds)
	}
	return done, nil
}

// peerAddress is the peer's name, nil if there is none.
func (s *Socket) peerAddress() socket.Address {
	s.mu.Lock()
	peer := s.peer
	s.mu.Unlock()
	if peer == nil {
		return nil
	}
	peer.mu.Lock()
	defer peer.mu.Unlock()
	if peer.name == "" {
		return nil
	}
	return address(peer.name)
}

func sameCreds(a, b *socket.Creds) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// addCreds puts SCM_CREDENTIALS before everything else, if the receiver asked for it.
func (s *Socket) addCreds(in *socket.Incoming, creds *socket.Creds) {
	if !s.Has(socket.PassCred) {
		return
	}
	u := linux.Ucred{UID: overflowID, GID: overflowID}
	if creds != nil {
		u = creds.Ucred(s.viewer())
	}
	in.Control.Add(linux.SOL_SOCKET, int32(linux.SCM_CREDENTIALS), socket.AppendUcred(nil, u))
}
