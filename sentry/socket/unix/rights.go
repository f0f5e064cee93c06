package unix

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// attach turns descriptors that a message is to carry into rights. The references become the message's; on failure they
// stay the caller's.
func (p *Provider) attach(c *vfs.Caller, files []*vfs.Description) (*rights, error) {
	if len(files) == 0 {
		return nil, nil
	}
	r := &rights{files: files}
	mayMore := false
	if c != nil {
		r.uid = c.Cred.RUID
		mayMore = c.Cred.HasRoot(linux.CAP_SYS_RESOURCE) || c.Cred.HasRoot(linux.CAP_SYS_ADMIN)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users[r.uid]+len(files) > MaxInFlight && !mayMore {
		return nil, linux.ETOOMANYREFS
	}
	p.countLocked(r, 1)
	return r, nil
}

func (p *Provider) countLocked(r *rights, by int) {
	p.mu.AssertHeld()
	if p.users[r.uid] += by * len(r.files); p.users[r.uid] == 0 {
		delete(p.users, r.uid)
	}
	for _, d := range r.files {
		if s, ok := d.File().(*Socket); ok {
			if p.flight[s] += by; p.flight[s] == 0 {
				delete(p.flight, s)
			}
		}
	}
}

// detach gives the descriptors of a received message to its receiver.
func (p *Provider) detach(r *rights) []*vfs.Description {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.countLocked(r, -1)
	return r.files
}

// drop throws rights away. Closing one socket can throw more away: that is done by whoever began, in a loop, so that a
// long chain of sockets within sockets needs no deep stack.
func (p *Provider) drop(r *rights) {
	if r == nil {
		return
	}
	p.mu.Lock()
	p.countLocked(r, -1)
	p.dropped = append(p.dropped, r.files...)
	if p.dropping {
		p.mu.Unlock()
		return
	}
	p.dropping = true
	for len(p.dropped) > 0 {
		d := p.dropped[len(p.dropped)-1]
		p.dropped = p.dropped[:len(p.dropped)-1]
		p.mu.Unlock()
		d.DecRef()
		p.mu.Lock()
	}
	p.dropping, p.dropped = false, nil
	p.mu.Unlock()
}

// collect finds sockets that nothing but messages in each other's queues holds, and drops these messages. A socket whose
// references are all in messages is a candidate; a candidate is alive if a message holds it that is not in a candidate's
// queue, or that is in the queue of a live candidate.
func (p *Provider) collect() {
	p.mu.Lock()
	left := make(map[*Socket]int)
	for s, n := range p.flight {
		if d := s.Description(); d != nil && d.References() == int64(n) {
			left[s] = n
		}
	}
	holds := make(map[*Socket][]*Socket, len(left))
	for s := range left {
		holds[s] = s.inQueues()
		for _, h := range holds[s] {
			if _, ok := left[h]; ok {
				left[h]--
			}
		}
	}
	var live []*Socket
	for s, n := range left {
		if n > 0 {
			live = append(live, s)
		}
	}
	for len(live) > 0 {
		s := live[len(live)-1]
		live = live[:len(live)-1]
		if _, ok := left[s]; !ok {
			continue
		}
		delete(left, s)
		live = append(live, holds[s]...)
	}
	p.mu.Unlock()
	for s := range left {
		s.dropRights()
	}
}

// queues returns s and the sockets that wait in it to be accepted.
func (s *Socket) queues() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Socket{s}, s.accepts...)
}

// inQueues lists the sockets that messages to s hold.
func (s *Socket) inQueues() []*Socket {
	var out []*Socket
	for _, q := range s.queues() {
		q.mu.Lock()
		for m := q.queue.first; m != nil; m = m.next {
			if m.rights == nil {
				continue
			}
			for _, d := range m.rights.files {
				if f, ok := d.File().(*Socket); ok {
					out = append(out, f)
				}
			}
		}
		q.mu.Unlock()
	}
	return out
}

// dropRights takes the descriptors out of all messages to s, which nobody can receive.
func (s *Socket) dropRights() {
	var rs []*rights
	for _, q := range s.queues() {
		q.mu.Lock()
		for m := q.queue.first; m != nil; m = m.next {
			if m.rights != nil {
				rs = append(rs, m.rights)
				m.rights = nil
			}
		}
		q.mu.Unlock()
	}
	for _, r := range rs {
		s.provider.drop(r)
	}
}

// inFlight reports whether there is anything to collect.
func (p *Provider) inFlight() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.flight) > 0
}

// share returns the descriptors of a message that stays where it is, with further references. The owner's mu is held, so
// that the message is still there.
func (r *rights) share() []*vfs.Description {
	files := append([]*vfs.Description(nil), r.files...)
	for _, d := range files {
		d.IncRef()
	}
	return files
}
