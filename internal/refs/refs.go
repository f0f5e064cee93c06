// Package refs counts references to the objects whose last drop a program can
// see: descriptions, pipe ends, sockets, mounts, unlinked inodes, memory-file
// pages. The garbage collector has everything else.
//
// # Lifetimes
//
// A Count starts with one reference, its creator's, by Init. DecRef of the last
// one calls the destructor exactly once, in the goroutine that dropped it, and
// with no lock of this package held. A Count of zero is dead and never lives
// again: TryIncRef is for lookups that can meet a dying object.
//
// With the tag refcheck every Count remembers where its references were taken,
// and Leaks lists those that are still alive.
package refs

import (
	"sync/atomic"

	"cordon/internal/check"
)

// A Count is a number of references. It must not be copied after Init.
type Count struct {
	// atomic
	n atomic.Int64

	owner tracked
}

// Init sets the first reference. The name says what is counted, in messages.
func (c *Count) Init(name string) {
	check.That(c.n.Load() == 0, "%s: reference count set up twice", name)
	c.n.Store(1)
	c.owner.start(c, name)
}

// IncRef adds a reference. The caller holds one, or a lock that keeps one alive.
func (c *Count) IncRef() {
	if n := c.n.Add(1); n <= 1 {
		check.Failed("reference taken on a dead object (%d)%s", n, c.owner.describe())
	}
	c.owner.taken()
}

// TryIncRef adds a reference unless the object is already dead.
func (c *Count) TryIncRef() bool {
	if !Try(&c.n) {
		return false
	}
	c.owner.taken()
	return true
}

// Try adds one to a number of references unless there is none any more.
func Try(refs *atomic.Int64) bool {
	for {
		n := refs.Load()
		if n <= 0 {
			return false
		}
		if refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// DecRef drops a reference and calls destroy, which may be nil, if it was the
// last.
func (c *Count) DecRef(destroy func()) {
	n := c.n.Add(-1)
	switch {
	case n > 0:
		c.owner.dropped()
	case n == 0:
		c.owner.end(c)
		if destroy != nil {
			destroy()
		}
	default:
		check.Failed("reference dropped once too often (%d)%s", n, c.owner.describe())
	}
}

// Refs is the number of references now, for listings and tests.
func (c *Count) Refs() int64 { return c.n.Load() }
