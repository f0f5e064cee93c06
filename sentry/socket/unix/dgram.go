package unix

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

const overflowID = cred.OverflowID

// viewer is the user namespace that ids are shown in: the receiver's opener's.
func (s *Socket) viewer() *cred.UserNamespace {
	if d := s.Description(); d != nil && d.Cred() != nil {
		return d.Cred().UserNS
	}
	return s.Namespace().UserNS
}

func (s *Socket) sendDatagram(c *vfs.Caller, m *socket.Outgoing, who sending) (int, error) {
	to, named, err := s.recipient(c, m)
	if err != nil {
		return 0, err
	}
	if s.Has(socket.PassCred) && !s.connects() && !s.bound() {
		if err := s.autobind(); err != nil {
			return 0, err
		}
	}
	limit := s.limit()
	if m.Data.Len() > uint64(limit-32) {
		return 0, linux.EMSGSIZE
	}
	if s.sent.Load() >= limit {
		return 0, linux.EAGAIN
	}
	whole := *m.Data
	to.mu.Lock()
	b := to.queue.datagram(int(m.Data.Len()))
	to.mu.Unlock()
	if _, err := m.Data.CopyIn(b.data); err != nil {
		return 0, err
	}
	b.creds = who.forMessage(s, to)
	s.mu.Lock()
	b.from = s.name
	s.mu.Unlock()
	var r *rights
	if m.Control != nil {
		if r, err = s.provider.attach(c, m.Control.Rights); err != nil {
			return 0, err
		}
	}
	b.rights = r
	if err := s.deliver(to, named, b); err != nil {
		if r != nil {
			s.provider.detach(r)
		}
		*m.Data = whole // to be sent again, perhaps
		return 0, err
	}
	if r != nil { // b is the receiver's by now, and may be another message
		m.Control.Rights = nil
	}
	return int(whole.Len()), nil
}

// recipient returns whom a datagram goes to, and whether the message names it.
func (s *Socket) recipient(c *vfs.Caller, m *socket.Outgoing) (*Socket, bool, error) {
	if s.connects() {
		to, err := s.target(m) // as in Linux, seqpacket ignores an address
		return to, false, err
	}
	s.mu.Lock()
	peer, shut := s.peer, s.writeShut
	s.mu.Unlock()
	if len(m.To) > 0 {
		to, err := s.find(c, m.To)
		if err == nil && shut {
			err = linux.EPIPE
		}
		return to, true, err
	}
	if peer == nil {
		return nil, false, linux.ENOTCONN
	}
	if shut {
		return nil, false, linux.EPIPE
	}
	return peer, false, nil
}

// deliver puts a datagram into the recipient's queue.
func (s *Socket) deliver(to *Socket, named bool, b *message) error {
	to.mu.Lock()
	switch {
	case to.state == dead:
		to.mu.Unlock()
		if s.connects() {
			return linux.EPIPE
		}
		if !named {
			s.mu.Lock()
			if s.peer == to {
				s.peer = nil
			}
			s.mu.Unlock()
		}
		return linux.ECONNREFUSED
	case to.peer != nil && to.peer != s && !s.connects():
		to.mu.Unlock()
		return linux.EPERM
	case to.readShut:
		to.mu.Unlock()
		return linux.EPIPE
	case to.fullForLocked(s, true):
		to.mu.Unlock()
		return linux.EAGAIN
	}
	s.charge(b, len(b.data)+messageCharge)
	to.queue.push(b)
	to.mu.Unlock()
	to.Queue().Notify(readable)
	return nil
}

// receiveDatagram copies out the first datagram. done are descriptors that nobody takes.
func (s *Socket) receiveDatagram(c *vfs.Caller, in *socket.Incoming) (n int, done []*rights, err error) {
	peek := in.Flags&linux.MSG_PEEK != 0
	s.mu.Lock()
	if err := s.takeErrorLocked(); err != nil {
		s.mu.Unlock()
		return 0, nil, err
	}
	if s.connects() && s.state != connected && s.state != dead {
		s.mu.Unlock()
		return 0, nil, linux.ENOTCONN
	}
	m := s.queue.first
	skip := 0
	if peek {
		skip = s.PeekOff()
		for m != nil && skip >= len(m.data) && skip > 0 {
			skip -= len(m.data)
			m = m.next
		}
	}
	if m == nil {
		err := s.emptyLocked()
		s.mu.Unlock()
		return 0, nil, err
	}
	var waiters map[*Socket]struct{}
	if peek {
		if m.rights != nil {
			in.Control.Rights = m.rights.share()
		}
	} else {
		s.queue.pop()
		waiters = s.takeWaitersLocked()
	}
	s.mu.Unlock()

	n, err = s.copyDatagram(in, m, skip)
	if peek {
		if err == nil {
			s.MovePeekOff(n)
		}
	} else {
		m.sender.uncharge(m.charge)
		wake(waiters)
		s.MovePeekOff(-len(m.data))
		if m.rights != nil && err != nil {
			done = append(done, m.rights)
		} else if m.rights != nil {
			in.Control.Rights = s.provider.detach(m.rights)
		}
		s.mu.Lock()
		if s.state != dead && len(done) == 0 {
			s.queue.recycle(m)
		}
		s.mu.Unlock()
	}
	in.Control.Cloexec = in.Flags&linux.MSG_CMSG_CLOEXEC != 0
	return n, done, err
}

func (s *Socket) copyDatagram(in *socket.Incoming, m *message, skip int) (int, error) {
	data := m.data[skip:]
	n, err := in.Data.CopyOut(data)
	if err != nil {
		return 0, err
	}
	if m.from != "" && !in.NoFrom {
		in.From = address(m.from)
	}
	if n < len(data) {
		in.OutFlags |= linux.MSG_TRUNC
		if in.Flags&linux.MSG_TRUNC != 0 {
			n = len(data)
		}
	}
	s.addCreds(in, m.creds)
	return n, nil
}
