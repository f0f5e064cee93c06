// Package wait is the one way code in the Sentry sleeps for an event.
//
// # Objects
//
// A Queue belongs to something that becomes ready (a pipe, a socket, a child);
// an Entry is one interest in it, by a sleeping task or by an epoll instance.
//
// # Locking
//
// A Queue has its own lock (rank WaitQueue). Notify calls each entry's Callback
// with that lock held: a callback does little, takes no lock that ranks before
// it, and does not touch the queue.
package wait

import (
	"sync"
	"sync/atomic"
)

// Events is a set of poll(2) event bits.
type Events uint32

// The bits of Events, as in poll(2).
const (
	In     Events = 0x001
	Pri    Events = 0x002
	Out    Events = 0x004
	Err    Events = 0x008
	Hup    Events = 0x010
	Nval   Events = 0x020
	RdNorm Events = 0x040
	RdBand Events = 0x080
	WrNorm Events = 0x100
	WrBand Events = 0x200
	Msg    Events = 0x400
	RdHup  Events = 0x2000

	// Internal carries what has no poll bit (a child's state change).
	Internal Events = 1 << 31

	// Readable and Writable are what select(2) means by its sets.
	Readable = In | RdNorm | RdBand | Hup | Err
	Writable = Out | WrNorm | WrBand | Err
	Always   = Err | Hup
	All      = ^Events(0)
)

// An Entry is one interest in a queue. It is on at most one queue at a time.
type Entry struct {
	// immutable while queued
	Mask     Events
	Callback func(e *Entry, ready Events)
	// Exclusive entries are woken one at a time (EPOLLEXCLUSIVE, accept).
	Exclusive bool
	// Late allows the Callback to come after the queue's lock was released,
	// even after Remove, with a nil entry. What it wakes can take the lock at
	// once instead of waiting for the waker.
	Late bool

	next, prev *Entry
	queue      *Queue
}

// A Queue is a set of entries. The zero value is ready to use.
type Queue struct {
	// atomic
	entries atomic.Int32 // how many there are: most often none

	mu sync.Mutex
	// guarded by mu
	first, last *Entry
}

// Add puts e on q.
func (q *Queue) Add(e *Entry) {
	q.entries.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	e.queue = q
	e.prev, e.next = q.last, nil
	if q.last != nil {
		q.last.next = e
	} else {
		q.first = e
	}
	q.last = e
}

// Remove takes e off q, if it is there. When it returns, no callback of e runs.
func (q *Queue) Remove(e *Entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.queue != q {
		return
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		q.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		q.last = e.prev
	}
	e.next, e.prev, e.queue = nil, nil, nil
	q.entries.Add(-1)
}

// Notify calls the entries interested in ready: all that are not exclusive,
// and the first exclusive one. What became ready did so before the call, and
// who waits looks again after Add: an entry that comes now has missed nothing.
func (q *Queue) Notify(ready Events) {
	if q.entries.Load() == 0 {
		return
	}
	var late [maxLate]func(*Entry, Events)
	n := 0
	q.mu.Lock()
	exclusiveDone := false
	for e := q.first; e != nil; e = e.next {
		if (e.Mask|Always|Internal)&ready == 0 || e.Exclusive && exclusiveDone {
			continue
		}
		exclusiveDone = exclusiveDone || e.Exclusive
		if e.Late && n < maxLate {
			late[n] = e.Callback
			n++
			continue
		}
		e.Callback(e, ready)
	}
	q.mu.Unlock()
	for _, call := range late[:n] {
		call(nil, ready)
	}
}

// maxLate is how many callbacks of one Notify can come late.
const maxLate = 4

// Empty reports whether nobody waits.
func (q *Queue) Empty() bool { return q.entries.Load() == 0 }

// Channel returns an entry whose callback wakes whoever receives from c, which
// has room for one token.
func Channel(mask Events) (e *Entry, c chan struct{}) {
	c = make(chan struct{}, 1)
	return ChannelEntry(mask, c), c
}

// ChannelEntry returns an entry that puts a token into c, which has room for
// one.
func ChannelEntry(mask Events, c chan struct{}) *Entry {
	return &Entry{Mask: mask, Callback: func(*Entry, Events) {
		select {
		case c <- struct{}{}:
		default:
		}
	}}
}
