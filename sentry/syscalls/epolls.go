package syscalls

import (
	"math"
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/epoll"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// sysEpollCreate is epoll_create(2); the size only has to be positive.
func sysEpollCreate(t *task.Task, size arg.Count) (uintptr, error) {
	if size <= 0 {
		return 0, linux.EINVAL
	}
	return sysEpollCreate1(t, 0)
}

// sysEpollCreate1 is epoll_create1(2).
func sysEpollCreate1(t *task.Task, flags linux.EpollFlags) (uintptr, error) {
	if flags&^linux.EPOLL_CLOEXEC != 0 {
		return 0, linux.EINVAL
	}
	return installAnon(t, "[eventpoll]", epoll.New(&t.System().Epoll), linux.O_RDWR|linux.OpenFlags(flags))
}

// sysEpollCtl is epoll_ctl(2).
//
// Partial: EPOLLWAKEUP has no effect
func sysEpollCtl(t *task.Task, epfd linux.FD, op linux.EpollOp, fd linux.FD, event arg.In[linux.EpollEvent]) (uintptr, error) {
	var ev *linux.EpollEvent
	if op != linux.EPOLL_CTL_DEL {
		h := newHarvest(1)
		defer harvests.Put(h)
		ev = &h.events[0]
		if _, err := t.MM().CopyIn(uint64(event), arg.Bytes(ev)); err != nil {
			return 0, err
		}
	}
	ep, err := borrow(t, epfd)
	if err != nil {
		return 0, err
	}
	defer ep.DecRef()
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if ep.PathOnly() || d.PathOnly() {
		return 0, linux.EBADF
	}
	if d.Queue() == nil {
		return 0, linux.EPERM
	}
	in, isEpoll := ep.File().(*epoll.Instance)
	if !isEpoll || d.Description == ep.Description {
		return 0, linux.EINVAL
	}
	return 0, in.Control(op, fd, d.Description, ev, t.Cred().HasRoot(linux.CAP_BLOCK_SUSPEND))
}

// keptRoom is how many events a wait has room for whatever is ready, and how many
// a harvest that is used again has: more are collected where more are ready.
const keptRoom = 4096

// epollEvents is what epoll_wait's callers have in common, with the deadline
// worked out: 0 does not wait.
func epollEvents(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, deadline int64) (uintptr, error) {
	const size = 12
	if n <= 0 || n > math.MaxInt32/size {
		return 0, linux.EINVAL
	}
	if uint64(events) > arg.UserMax-uint64(n)*size {
		return 0, linux.EFAULT
	}
	d, err := borrow(t, epfd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	in, isEpoll := d.File().(*epoll.Instance)
	if !isEpoll {
		return 0, linux.EINVAL
	}
	return collect(t, d.Description, in, events, int(n), deadline)
}

// A harvest is where events are collected before they go to the guest, and what
// a wait for them needs. Used again, it costs nothing.
type harvest struct {
	events []linux.EpollEvent

	// While it waits.
	t     atomic.Pointer[task.Task]
	in    *epoll.Instance
	n     int // room asked for
	got   int
	entry wait.Entry
	ready func() bool
}

var harvests = sync.Pool{New: func() any {
	h := new(harvest)
	// Late: the wait may be over by then, or another task's, which looks again.
	h.entry = wait.Entry{Mask: wait.Readable, Late: true, Callback: func(*wait.Entry, wait.Events) {
		if t := h.t.Load(); t != nil {
			t.Nudge()
		}
	}}
	h.ready = h.collect
	return h
}}

// newHarvest returns one with room for n events, which have any value.
func newHarvest(n int) *harvest {
	h := harvests.Get().(*harvest)
	if n > len(h.events) {
		h.events = make([]linux.EpollEvent, n)
	}
	return h
}

// collect reports whether there is something to collect, and does.
func (h *harvest) collect() bool {
	h.got = h.in.Collect(h.events[:h.n])
	return h.got > 0
}

func collect(t *task.Task, d *vfs.Description, in *epoll.Instance, events arg.Out[linux.EpollEvent], n int, deadline int64) (uintptr, error) {
	n = min(n, max(keptRoom, in.Ready()))
	h := newHarvest(n)
	if n <= keptRoom {
		defer harvests.Put(h)
	}
	k := in.Collect(h.events[:n])
	if k == 0 && deadline != 0 {
		var err error
		if k, err = h.wait(t, d, in, n, deadline); err != nil {
			return 0, err
		}
	}
	if err := events.StoreAll(t.MM(), h.events[:k]); err != nil {
		return 0, err
	}
	return uintptr(k), nil
}

// wait sleeps until there is something to collect. At the deadline it comes
// back with nothing.
func (h *harvest) wait(t *task.Task, d *vfs.Description, in *epoll.Instance, n int, deadline int64) (int, error) {
	h.t.Store(t)
	h.in, h.n, h.got = in, n, 0
	d.Queue().Add(&h.entry)
	err := t.SleepOnFiles(t.System().Clocks.Monotonic, deadline, h.ready)
	d.Queue().Remove(&h.entry)
	h.t.Store(nil)
	h.in = nil
	if err == linux.ETIMEDOUT {
		err = nil
	}
	return h.got, err
}

// sysEpollWait is epoll_wait(2).
func sysEpollWait(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, timeoutMS int32) (uintptr, error) {
	return epollUntil(t, epfd, events, n, deadlineMS(t, timeoutMS))
}

// epollUntil is epollEvents for a call without a signal mask. Only a handler or
// a stop ends the wait with EINTR.
func epollUntil(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, deadline int64) (uintptr, error) {
	r, err := epollEvents(t, epfd, events, n, deadline)
	if err == task.ErrInterrupted {
		*t.RestartBlock() = task.RestartBlock{Kind: task.RestartEpoll, Deadline: deadline, Args: [4]uint64{uint64(epfd), uint64(events), uint64(n)}}
		return 0, task.RestartCall
	}
	return r, err
}

// deadlineMS returns the monotonic deadline of a time-out in milliseconds.
func deadlineMS(t *task.Task, ms int32) int64 {
	switch {
	case ms < 0:
		return task.NoDeadline
	case ms == 0:
		return 0
	}
	return after(t.System().Clocks.Monotonic.Now(), int64(ms)*1e6)
}

// sysEpollPwait is epoll_pwait(2).
func sysEpollPwait(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, timeoutMS int32, mask arg.In[linux.SigSet], size arg.Size) (uintptr, error) {
	return epollMasked(t, epfd, events, n, deadlineMS(t, timeoutMS), mask, size)
}

// sysEpollPwait2 is epoll_pwait2(2).
func sysEpollPwait2(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, timeout arg.In[linux.Timespec], mask arg.In[linux.SigSet], size arg.Size) (uintptr, error) {
	deadline, err := deadlineIn(t, timeout)
	if err != nil {
		return 0, err
	}
	return epollMasked(t, epfd, events, n, deadline, mask, size)
}

func epollMasked(t *task.Task, epfd linux.FD, events arg.Out[linux.EpollEvent], n arg.Count, deadline int64, mask arg.In[linux.SigSet], size arg.Size) (uintptr, error) {
	if mask == 0 {
		return epollUntil(t, epfd, events, n, deadline)
	}
	if err := setCallMask(t, mask, size); err != nil {
		return 0, err
	}
	r, err := epollEvents(t, epfd, events, n, deadline)
	if err == task.ErrInterrupted {
		// The mask is part of the wait: the whole call runs again, if any does.
		return 0, task.RestartNoStop
	}
	t.EndTemporaryMask()
	return r, err
}
