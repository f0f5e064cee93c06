package textfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Triggered is an open file with a text, to which may be written, once, what
// it shall tell of by EPOLLPRI (Linux: kernel/sched/psi.c).
type Triggered struct {
	// immutable
	text func() ([]byte, error)
	arm  func(c *vfs.Caller, text []byte, fire func()) (end func(), err error)

	fired atomic.Bool
	queue wait.Queue

	mu lock.Mutex[lock.TextFile]
	// guarded by mu
	now []byte
	end func() // of the trigger; nil: there is none
}

// NewTriggered returns an open file. arm understands what is written; the trigger
// calls fire, which takes no lock but the waiters', until end.
func NewTriggered(text func() ([]byte, error), arm func(c *vfs.Caller, text []byte, fire func()) (end func(), err error)) *Triggered {
	return &Triggered{text: text, arm: arm}
}

// Release implements vfs.File.
func (o *Triggered) Release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != nil {
		o.end()
	}
}

// Reopened implements vfs.Reopened: the trigger is to be written again.
func (*Triggered) Reopened() {}

// ReadAt implements vfs.ReaderAt.
func (o *Triggered) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	o.mu.Lock()
	if off == 0 || o.now == nil {
		text, err := o.text()
		if err != nil {
			o.mu.Unlock()
			return 0, err
		}
		o.now = text
	}
	text := o.now
	o.mu.Unlock()
	if off >= int64(len(text)) {
		return 0, nil
	}
	n, err := dst.CopyOut(text[off:])
	if n > 0 {
		err = nil
	}
	return n, err
}

// SeekTo implements vfs.Seeker.
func (*Triggered) SeekTo(off int64, whence int, cur int64) (int64, error) {
	return seekSet(off, whence, cur)
}

// maxTrigger is the most that one write takes, as in Linux.
const maxTrigger = 32

// WriteAs implements vfs.CallerWriter.
func (o *Triggered) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	n := min(src.Len(), maxTrigger)
	if n == 0 {
		return 0, linux.EINVAL
	}
	buf := make([]byte, n)
	if k, err := src.CopyIn(buf); err != nil || k < len(buf) {
		return 0, linux.EFAULT
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end != nil {
		return 0, linux.EBUSY
	}
	end, err := o.arm(c, buf, func() {
		o.fired.Store(true)
		o.queue.Notify(wait.Pri)
	})
	if err != nil {
		return 0, err
	}
	o.end = end
	return int(n), nil
}

// Readiness implements vfs.Poller.
func (o *Triggered) Readiness(mask wait.Events) wait.Events {
	ready := wait.In | wait.Out | wait.RdNorm | wait.WrNorm
	o.mu.Lock()
	armed := o.end != nil
	o.mu.Unlock()
	if !armed {
		return (ready | wait.Err | wait.Pri) & (mask | wait.Err)
	}
	if mask&wait.Pri != 0 && o.fired.Swap(false) {
		ready |= wait.Pri
	}
	return ready & mask
}

// Queue implements vfs.Poller.
func (o *Triggered) Queue() *wait.Queue { return &o.queue }
