// Package eventfd is counters that can be waited for (eventfd(2)).
//
// # Objects
//
// An Event is the counter and the file at once; a description owns it, and the
// garbage collector has the rest.
//
// # Locking
//
// One lock (rank File), not held while bytes are copied or waiters notified.
//
// # Checkpoint
//
// Saved: the counter and its mode.
package eventfd

import (
	"encoding/binary"
	"math"
	"sync"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// limit is one more than the largest counter.
const limit = math.MaxUint64

// An Event is a counter.
type Event struct {
	// immutable
	semaphore bool

	queue wait.Queue

	mu lock.Mutex[lock.EventCount]
	// guarded by mu
	count uint64
}

var (
	_ vfs.Reader = (*Event)(nil)
	_ vfs.Writer = (*Event)(nil)
	_ vfs.Poller = (*Event)(nil)
)

// words are used again: what is copied to and from guest memory cannot be on
// the stack.
var words = sync.Pool{New: func() any { return new([8]byte) }}

// New returns a counter that begins at count. Of flags only EFD_SEMAPHORE
// matters here.
func New(count uint64, flags linux.EventfdFlags) *Event {
	return &Event{semaphore: flags&linux.EFD_SEMAPHORE != 0, count: count}
}

// SeekTo implements vfs.Seeker: there is nothing to seek in (Linux: noop_llseek).
func (*Event) SeekTo(_ int64, _ int, current int64) (int64, error) { return current, nil }

// Release implements vfs.File.
func (*Event) Release() {}

// Read implements vfs.Reader: it takes the counter, or one of it.
func (e *Event) Read(dst *usermem.Seq) (int, error) {
	if dst.Len() < 8 {
		return 0, linux.EINVAL
	}
	e.mu.Lock()
	n := e.count
	if n == 0 {
		e.mu.Unlock()
		return 0, linux.EAGAIN
	}
	if e.semaphore {
		n = 1
	}
	e.count -= n
	e.mu.Unlock()
	e.queue.Notify(wait.Out | wait.WrNorm)
	b := words.Get().(*[8]byte)
	defer words.Put(b)
	binary.LittleEndian.PutUint64(b[:], n)
	if _, err := dst.CopyOut(b[:]); err != nil {
		return 0, err
	}
	return 8, nil
}

// Write implements vfs.Writer: it adds to the counter.
func (e *Event) Write(src *usermem.Seq) (int, error) {
	if src.Len() < 8 {
		return 0, linux.EINVAL
	}
	// A write that has to wait is tried again with the same bytes.
	again := *src
	b := words.Get().(*[8]byte)
	defer words.Put(b)
	if _, err := again.CopyIn(b[:]); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n == limit {
		return 0, linux.EINVAL
	}
	e.mu.Lock()
	if n >= limit-e.count {
		e.mu.Unlock()
		return 0, linux.EAGAIN
	}
	e.count += n
	e.mu.Unlock()
	*src = again
	e.queue.Notify(wait.In | wait.RdNorm)
	return 8, nil
}

// Signal adds n on the kernel's behalf. The counter stops at its limit, which
// poll(2) shows as POLLERR.
func (e *Event) Signal(n uint64) {
	e.mu.Lock()
	if n > limit-e.count {
		e.count = limit
	} else {
		e.count += n
	}
	e.mu.Unlock()
	e.queue.Notify(wait.In | wait.RdNorm)
}

// Readiness implements vfs.Poller.
func (e *Event) Readiness(mask wait.Events) wait.Events {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ev wait.Events
	if e.count > 0 {
		ev |= wait.In | wait.RdNorm
	}
	if e.count == limit {
		ev |= wait.Err
	}
	if e.count < limit-1 {
		ev |= wait.Out | wait.WrNorm
	}
	return ev & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (e *Event) Queue() *wait.Queue { return &e.queue }

// Count returns the counter and whether it is a semaphore, for
// /proc/pid/fdinfo.
func (e *Event) Count() (count uint64, semaphore bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.count, e.semaphore
}
