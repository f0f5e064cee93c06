package client

import (
	"slices"
	"sync"
	"sync/atomic"

	"cordon/gofer/donate"
	"cordon/gofer/p9"
	"cordon/internal/host"
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
	op donate.Op
	r  *donate.Reply

	// state is what its caller waits on, in the host: callers are tasks on threads of
	// their own, which Go's scheduler wakes by way of another.
	state atomic.Uint32

	// guarded by channels.mu
	asleep bool // on state
}

// States of a call.
const (
	underWay uint32 = iota
	replied         // r is filled
	receives        // its caller is to receive for all
)

// becomeLocked sets w's state, which it may be asleep on.
func (w *call) becomeLocked(state uint32) {
	w.state.Store(state)
	if w.asleep {
		w.asleep = false
		_, _ = host.FutexWake(w.word(), 1)
	}
}

// channels is the Transport on two sockets.
type channels struct {
	// immutable
	side    *donate.Conn
	ninep   *p9.Session
	dead    chan struct{}
	calls   sync.Pool // of *call
	watcher sync.WaitGroup
	active  sync.WaitGroup // calls that use the sockets; added to under mu
	closing sync.Once

	// by the caller that receives
	in []byte

	mu lock.Mutex[lock.Gofer]

	// guarded by mu
	pending  map[uint32]*call
	received bool    // by a caller, for all of them
	sleepers []*call // that wait meanwhile, and some that have been answered
	lastTag  uint32
	ended    bool
	root     *p9.Fid
	fids     map[uint64]*p9.Fid // by handle
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
		in:      make([]byte, donate.MaxPacket),
		pending: map[uint32]*call{}, fids: map[uint64]*p9.Fid{},
	}
	c.calls.New = func() any { return &call{} }
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
	for _, w := range c.pending {
		w.r.Errno = linux.EIO
		w.becomeLocked(replied)
	}
	c.pending = nil
	c.mu.Unlock()

	close(c.dead)
	c.side.Shutdown()
	c.ninep.Shutdown()
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
	c.put(w)
}

func (c *channels) put(w *call) {
	w.r = nil
	w.state.Store(underWay)
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
			// Who ended the connection has answered, or who received last is about to.
			c.mu.Lock()
			w.asleep = w.state.Load() == underWay
			c.mu.Unlock()
			w.sleep()
		}
		c.put(w)
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

// wait returns when w has its reply. Who finds nobody receiving receives, until it
// has its own; then another does who waits.
func (c *channels) wait(w *call) {
	if w.state.Load() == replied {
		return
	}
	c.mu.Lock()
	switch {
	case w.state.Load() == replied:
		c.mu.Unlock()
		return
	case c.received:
		w.asleep = true
		c.sleepers = append(c.sleepers, w)
		c.mu.Unlock()
		w.sleep()
		if w.state.Load() == replied {
			return
		}
	default:
		c.received = true
		c.mu.Unlock()
	}
	for w.state.Load() != replied {
		if !c.receiveOne() {
			c.Break()
			break
		}
	}
	c.pass()
}

// sleep returns when w is not under way any more.
func (w *call) sleep() {
	for w.state.Load() == underWay {
		_ = host.FutexWait(w.word(), underWay)
	}
}

// pass has another caller receive, if one waits.
func (c *channels) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.sleepers) > 0 {
		w := c.sleepers[0]
		c.sleepers = slices.Delete(c.sleepers, 0, 1)
		if w.asleep && w.state.Load() == underWay {
			w.becomeLocked(receives)
			return
		}
	}
	c.received = false
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
	c.mu.Lock()
	w.becomeLocked(replied)
	c.mu.Unlock()
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
