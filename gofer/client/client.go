package client

import (
	"cordon/gofer/donate"
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// The wire's types, so that users need not know the wire.
type (
	Attr    = donate.Attr
	SetAttr = donate.SetAttr
	SetMask = donate.SetMask
	Time    = donate.Time
	StatFS  = donate.StatFS
	Lock    = donate.Lock
)

// clunkBatch is how many handles are given back at once.
const clunkBatch = 32

// A Client is a connection to a gofer.
type Client struct {
	t Transport // immutable

	mu lock.Mutex[lock.Gofer]

	// guarded by mu
	clunks []uint64
}

// New returns a client on t.
func New(t Transport) *Client { return &Client{t: t} }

// Dead is closed when the connection has ended.
func (c *Client) Dead() <-chan struct{} { return c.t.Dead() }

// Close ends the connection.
func (c *Client) Close() { c.t.Close() }

// Flush sends the clunks that have gathered: the host frees an unlinked file
// only then.
func (c *Client) Flush() {
	c.mu.Lock()
	h := c.clunks
	c.clunks = nil
	c.mu.Unlock()
	if len(h) > 0 {
		c.t.Post(&donate.Request{Op: donate.OpClunk, Handles: h})
	}
}

func (c *Client) clunk(h uint64) {
	c.mu.Lock()
	c.clunks = append(c.clunks, h)
	full := len(c.clunks) >= clunkBatch
	c.mu.Unlock()
	if full {
		c.Flush()
	}
}

// Attach returns the root of the mount called name.
func (c *Client) Attach(name string) (*Node, Attr, error) {
	if e := checkName(name); e != 0 {
		return nil, Attr{}, e
	}
	return c.made(&donate.Request{Op: donate.OpAttach, Name: name}, linux.FileMode(0))
}

// do performs q with checked results.
func (c *Client) do(q *donate.Request, r *donate.Reply) linux.Errno {
	c.t.Do(q, r)
	return c.checked(q, r)
}

// checked checks the reply r to q.
func (c *Client) checked(q *donate.Request, r *donate.Reply) linux.Errno {
	if !checkReply(q, r) {
		c.distrust(r)
		return linux.EIO
	}
	return r.Errno
}

// distrust ends the connection for a reply that failed a check.
func (c *Client) distrust(r *donate.Reply) {
	closeFD(r)
	r.Entries = nil
	c.t.Break()
}

// made performs an operation that returns an inode with a handle, of the type
// want if that is not 0.
func (c *Client) made(q *donate.Request, want linux.FileMode) (*Node, Attr, error) {
	var r donate.Reply
	if e := c.do(q, &r); e != 0 {
		closeFD(&r)
		return nil, Attr{}, e
	}
	n, a, e := c.madeNode(&r, want)
	closeFD(&r)
	return n, a, asError(e)
}

func (c *Client) madeNode(r *donate.Reply, want linux.FileMode) (*Node, Attr, linux.Errno) {
	ent := &r.Entries[0]
	if ent.Handle == donate.NoHandle || want != 0 && ent.Attr.Mode.Type() != want {
		c.distrust(r)
		return nil, Attr{}, linux.EIO
	}
	return &Node{c: c, handle: ent.Handle}, ent.Attr, 0
}

// asError keeps 0 from becoming an error that is not nil.
func asError(e linux.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// What SetAttr may change.
const (
	SetMode     = donate.SetMode
	SetUID      = donate.SetUID
	SetGID      = donate.SetGID
	SetSize     = donate.SetSize
	SetAtime    = donate.SetAtime
	SetMtime    = donate.SetMtime
	SetAtimeNow = donate.SetAtimeNow
	SetMtimeNow = donate.SetMtimeNow
)

// Wrap returns a client on what wrap makes of c's transport; c is not to be
// used any more.
func Wrap(c *Client, wrap func(Transport) Transport) *Client { return New(wrap(c.t)) }
