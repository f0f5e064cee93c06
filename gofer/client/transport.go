package client

import (
	"sync"

	"cordon/gofer/donate"
	"cordon/gofer/p9"
	"cordon/internal/linux"
	"cordon/internal/lock"

	"golang.org/x/sys/unix"
)

// A Transport carries operations to a gofer.
type Transport interface {
	// Do performs q and fills r. After the connection has ended r.Errno is
	// EIO. A descriptor in r is the caller's.
	Do(q *donate.Request, r *donate.Reply)
	// Begin is Do without waiting for r: that is what wait does, and it must
	// be called, once. q and r are the transport's until then.
	Begin(q *donate.Request, r *donate.Reply) (wait func())
	// Post sends a request that has no reply.
	Post(q *donate.Request)
	// Dead is closed when the connection has ended.
	Dead() <-chan struct{}
	// Break ends the connection: the gofer cannot be trusted.
	Break()
	// Close ends the connection and releases it.
	Close()
}

// A call waits for its reply.
type call struct {
	op   donate.Op
	r    *donate.Reply
	done chan struct{} // holds one token when r is filled
}

// channels is the Transport on two sockets.
type channels struct {
	// immutable
	side  *donate.Conn
	ninep *p9.Session
	dead  chan struct{}
	calls sync.Pool // of *call
	// receiver holds a token while a caller receives for all of them.
	receiver chan struct{}
	watcher  sync.WaitGroup
	active   sync.WaitGroup // calls that use the sockets; added to under mu
	closing  sync.Once

	// by the holder of receiver
	in []byte

	mu lock.Mutex[lock.Gofer]

	// guarded by mu
	pending map[uint32]*call
	lastTag uint32
	ended   bool
	root    *p9.Fid
	fids    map[uint64]*p9.Fid // by handle
}

// Dial takes over the two sockets, a stream for 9P and a SEQPACKET for the
// side channel, both in blocking mode, and begins the session.
func Dial(fd9p, fdSide int) (*Client, error) {
	stream := p9.NewStream(fd9p)
	ninep, e := p9.Dial(stream)
	if e != 0 {
		stream.Close()
		unix.Close(fdSide)
		return nil, e
	}
	c := &channels{
		side: donate.NewConn(fdSide), ninep: ninep, dead: make(chan struct{}),
		receiver: make(chan struct{}, 1), in: make([]byte, donate.MaxPacket),
		pending: map[uint32]*call{}, fids: map[uint64]*p9.Fid{},
	}
	c.calls.New = func() any { return &call{done: make(chan struct{}, 1)} }
	// Nobody receives while there is no call, and death is to be seen then.
	c.watcher.Go(func() {
		c.side.WaitHangup()
		c.Break()
	})
	return New(c), nil
}

func (c *channels) Dead() <-chan struct{} { return c.dead }

// Break ends the connection and every call in progress.
func (c *channels) Break() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	pending := c.pending
	c.pending = nil
	c.mu.Unlock()

	close(c.dead)
	c.side.Shutdown()
	c.ninep.Shutdown()
	for _, w := range pending {
		w.r.Errno = linux.EIO
		w.done <- struct{}{}
	}
}

// Close ends the connection and releases the sockets when the last caller is
// out of them.
func (c *channels) Close() {
	c.closing.Do(func() {
		c.Break()
		c.watcher.Wait()
		c.active.Wait()
		c.side.Close()
		c.ninep.Close()
	})
}

// enter reports whether the sockets may be used, until c.active.Done.
func (c *channels) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	c.active.Add(1)
	return true
}

func (c *channels) Do(q *donate.Request, r *donate.Reply) {
	r.FD = -1
	if !c.enter() {
		r.Errno = linux.EIO
		return
	}
	defer c.active.Done()
	switch q.Op {
	case donate.OpUnlink, donate.OpStatFS:
		c.do9p(q, r)
		return
	case donate.OpAttach:
		if r.Errno = c.attach9p(q.Name); r.Errno != 0 {
			return
		}
	}
	w := c.calls.Get().(*call)
	w.op, w.r = q.Op, r
	if !c.register(q, w) {
		r.Errno = linux.EIO
		return
	}
	c.send(q)
	c.wait(w)
	w.r = nil
	c.calls.Put(w)
}

// Begin implements Transport for what goes over the side channel. The reply stays
// in the socket until somebody receives: this call's waiter or another.
func (c *channels) Begin(q *donate.Request, r *donate.Reply) (wait func()) {
	r.FD = -1
	w := c.calls.Get().(*call)
	w.op, w.r = q.Op, r
	if !c.enter() {
		r.Errno = linux.EIO
		return func() {}
	}
	defer c.active.Done()
	if !c.register(q, w) {
		r.Errno = linux.EIO
		return func() {}
	}
	c.send(q)
	return func() {
		if c.enter() {
			c.wait(w)
			c.active.Done()
		} else {
			<-w.done
		}
		w.r = nil
		c.calls.Put(w)
	}
}

// register gives q a tag under which w waits.
func (c *channels) register(q *donate.Request, w *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return false
	}
	for {
		c.lastTag++
		if _, used := c.pending[c.lastTag]; !used && c.lastTag != 0 {
			break
		}
	}
	q.Tag = c.lastTag
	c.pending[q.Tag] = w
	return true
}

// send sends q; when that fails everybody who waits is told.
func (c *channels) send(q *donate.Request) {
	var buf [512]byte
	if c.side.Send(q.Append(buf[:0]), -1) != 0 {
		c.Break()
	}
}

func (c *channels) Post(q *donate.Request) {
	if !c.enter() {
		return
	}
	defer c.active.Done()
	for _, h := range q.Handles {
		c.unbind(h)
	}
	c.send(q)
}

// wait returns when w has its reply. Who finds nobody receiving receives.
func (c *channels) wait(w *call) {
	for {
		select {
		case <-w.done:
			return
		case c.receiver <- struct{}{}:
		}
		for {
			select {
			case <-w.done:
				<-c.receiver
				return
			default:
			}
			if !c.receiveOne() {
				c.Break()
				<-c.receiver
				<-w.done
				return
			}
		}
	}
}

// receiveOne receives one reply and gives it to its caller.
func (c *channels) receiveOne() bool {
	n, fds, e := c.side.RecvAll(c.in)
	if e != 0 && e != linux.ENFILE {
		return false
	}
	var r donate.Reply
	ok := r.Decode(c.in[:n])
	if e != 0 {
		ok = ok && r.Op.GivesFD()
	}
	if len(fds) > 0 {
		ok = ok && r.Op.GivesFD() && r.Op != donate.OpDonation && (len(fds) == 1 || r.Op == donate.OpOpenMany)
	}
	var w *call
	if ok {
		c.mu.Lock()
		w = c.pending[r.Tag]
		if w != nil && w.op == r.Op {
			delete(c.pending, r.Tag)
		} else {
			w = nil
		}
		c.mu.Unlock()
	}
	if w == nil {
		donate.CloseAll(fds)
		return false
	}
	if e != 0 && r.Errno == 0 {
		c.undonated(&r)
	} else if r.Op == donate.OpOpenMany {
		r.FDs = fds
		if r.Inline != 0 {
			r.Packet, c.in = c.in, packets.Get().(*packet)[:]
		}
	} else if len(fds) > 0 {
		r.FD = fds[0]
	}
	*w.r = r
	w.done <- struct{}{}
	return true
}

// undonated makes a reply of which the descriptors could not be received an error. What
// a walk has found is good without.
func (c *channels) undonated(r *donate.Reply) {
	if r.Op == donate.OpWalk {
		return
	}
	clunk := donate.Request{Op: donate.OpClunk}
	for i := range r.Entries {
		if h := r.Entries[i].Handle; h != donate.NoHandle {
			clunk.Handles = append(clunk.Handles, h)
		}
	}
	*r = donate.Reply{Tag: r.Tag, Op: r.Op, Errno: linux.ENFILE, FD: -1}
	if len(clunk.Handles) > 0 {
		c.send(&clunk)
	}
}

// attach9p opens the 9P session's root at the first attach, and has 9P agree
// to every later one.
func (c *channels) attach9p(name string) linux.Errno {
	fid, e := c.ninep.Attach(name)
	if e != 0 {
		return e
	}
	c.mu.Lock()
	first := c.root == nil
	if first {
		c.root = fid
	}
	c.mu.Unlock()
	if !first {
		fid.Clunk()
	}
	return 0
}

// do9p performs an operation that goes over 9P.
func (c *channels) do9p(q *donate.Request, r *donate.Reply) {
	fid, e := c.bind(q.Handle)
	if e != 0 {
		r.Errno = e
		return
	}
	switch q.Op {
	case donate.OpUnlink:
		r.Errno = fid.Unlink(q.Name, linux.AtFlags(q.Flags))
	case donate.OpStatFS:
		r.StatFS, r.Errno = fid.StatFS()
	}
	if r.Errno == linux.EIO && c.ninep.Broken() {
		c.Break()
	}
}

// bind returns the fid of a handle, which stays until the handle is clunked.
func (c *channels) bind(handle uint64) (*p9.Fid, linux.Errno) {
	c.mu.Lock()
	fid, root, ended := c.fids[handle], c.root, c.ended
	c.mu.Unlock()
	switch {
	case ended || root == nil:
		return nil, linux.EIO
	case fid != nil:
		return fid, 0
	}
	fid, e := root.Handle(handle)
	if e != 0 {
		return nil, e
	}
	c.mu.Lock()
	other := c.fids[handle]
	if other == nil {
		c.fids[handle] = fid
	}
	c.mu.Unlock()
	if other != nil {
		fid.Clunk()
		return other, 0
	}
	return fid, 0
}

// unbind forgets the fid of a handle that is being clunked.
func (c *channels) unbind(handle uint64) {
	c.mu.Lock()
	fid := c.fids[handle]
	delete(c.fids, handle)
	c.mu.Unlock()
	if fid != nil && c.enter() {
		// The library waits for the answer; nobody else has to.
		go func() {
			defer c.active.Done()
			fid.Clunk()
		}()
	}
}
