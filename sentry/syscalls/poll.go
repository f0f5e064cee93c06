package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ktime"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A pollSet waits for events of several files: what poll and select share.
type pollSet struct {
	items []pollItem
}

type pollItem struct {
	d     *vfs.Description // nil: no such descriptor, or none asked for
	mask  wait.Events
	ready wait.Events
	entry *wait.Entry
}

// add looks fd up and asks for mask.
func (s *pollSet) add(t *task.Task, fd linux.FD, mask wait.Events) {
	it := pollItem{mask: mask}
	if fd >= 0 {
		if it.d = t.FDs().Get(fd); it.d == nil {
			it.ready = wait.Nval
		}
	}
	s.items = append(s.items, it)
}

// check asks every file and returns how many are ready.
func (s *pollSet) check() (n int) {
	for i := range s.items {
		it := &s.items[i]
		if it.d != nil {
			it.ready = it.d.Readiness(it.mask) & (it.mask | wait.Always)
		}
		if it.ready != 0 {
			n++
		}
	}
	return n
}

// wait returns how many items are ready once any is, or at the deadline.
func (s *pollSet) wait(t *task.Task, clock ktime.Clock, deadline int64) (n int, err error) {
	if n = s.check(); n > 0 || deadline <= 0 {
		return n, nil
	}
	for i := range s.items {
		it := &s.items[i]
		if it.d == nil {
			continue
		}
		if q := it.d.Queue(); q != nil {
			it.entry = t.Waker(it.mask)
			q.Add(it.entry)
		}
	}
	err = t.Sleep(clock, deadline, func() bool { n = s.check(); return n > 0 })
	if err == linux.ETIMEDOUT {
		return 0, nil
	}
	return n, err
}

func (s *pollSet) release() {
	for i := range s.items {
		it := &s.items[i]
		if it.d == nil {
			continue
		}
		if it.entry != nil {
			it.d.Queue().Remove(it.entry)
		}
		it.d.DecRef()
	}
}

// pollFDs is poll(2) with the deadline worked out: 0 does not wait.
func pollFDs(t *task.Task, fds arg.InOut[linux.PollFD], n uint32, deadline int64) (uintptr, error) {
	if uint64(n) > t.Group().Limits().Soft(linux.RLIMIT_NOFILE) {
		return 0, linux.EINVAL
	}
	list, err := fds.LoadAll(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	s := pollSet{items: make([]pollItem, 0, n)}
	defer s.release()
	for _, p := range list {
		s.add(t, p.FD, wait.Events(uint16(p.Events)))
	}
	ready, err := s.wait(t, t.System().Clocks.Monotonic, deadline)
	if err != nil {
		return 0, err
	}
	for i := range list {
		list[i].Revents = linux.PollEvents(s.items[i].ready)
	}
	return uintptr(ready), fds.StoreAll(t.MM(), list)
}

// sysPoll is poll(2).
func sysPoll(t *task.Task, fds arg.InOut[linux.PollFD], n uint32, timeoutMS int32) (uintptr, error) {
	deadline := task.NoDeadline
	if timeoutMS == 0 {
		deadline = 0
	} else if timeoutMS > 0 {
		deadline = after(t.System().Clocks.Monotonic.Now(), int64(timeoutMS)*1e6)
	}
	return pollUntil(t, fds, n, deadline)
}

func pollUntil(t *task.Task, fds arg.InOut[linux.PollFD], n uint32, deadline int64) (uintptr, error) {
	r, err := pollFDs(t, fds, n, deadline)
	if err == task.ErrInterrupted {
		*t.RestartBlock() = task.RestartBlock{Kind: task.RestartPoll, Deadline: deadline, Args: [4]uint64{uint64(fds), uint64(n)}}
		return 0, task.RestartCall
	}
	return r, err
}

// sysPpoll is ppoll(2).
func sysPpoll(t *task.Task, fds arg.InOut[linux.PollFD], n uint32, timeout arg.InOut[linux.Timespec], mask arg.In[linux.SigSet], size arg.Size) (uintptr, error) {
	w, err := newTimedWait(t, timeout, mask, size)
	if err != nil {
		return 0, err
	}
	r, err := pollFDs(t, fds, n, w.deadline)
	return w.finish(r, err)
}

// A timedWait is what ppoll and pselect share: a relative time-out that is
// written back, and a temporary signal mask.
type timedWait struct {
	t        *task.Task
	timeout  arg.InOut[linux.Timespec]
	deadline int64
}

func newTimedWait(t *task.Task, timeout arg.InOut[linux.Timespec], mask arg.In[linux.SigSet], size arg.Size) (*timedWait, error) {
	w := &timedWait{t: t, timeout: timeout, deadline: task.NoDeadline}
	if timeout != 0 {
		ts, err := timeout.Load(t.MM())
		if err != nil {
			return nil, err
		}
		if !ts.Valid() {
			return nil, linux.EINVAL
		}
		if w.deadline = 0; !ts.IsZero() {
			w.deadline = after(t.System().Clocks.Monotonic.Now(), ts.ToNS())
		}
	}
	return w, setCallMask(t, mask, size)
}

// setCallMask installs a signal mask for the rest of the call, if there is one.
func setCallMask(t *task.Task, mask arg.In[linux.SigSet], size arg.Size) error {
	if mask == 0 {
		return nil
	}
	if err := checkSetSize(size); err != nil {
		return err
	}
	set, err := mask.Load(t.MM())
	if err != nil {
		return err
	}
	t.SetTemporaryMask(set)
	return nil
}

// finish writes the time left and takes the mask back unless a signal is to be
// delivered under it.
func (w *timedWait) finish(r uintptr, err error) (uintptr, error) {
	if err != task.ErrInterrupted {
		w.t.EndTemporaryMask()
	}
	if w.timeout != 0 && w.deadline != 0 {
		left := linux.TimespecFromNS(max(w.deadline-w.t.System().Clocks.Monotonic.Now(), 0))
		_ = w.timeout.Store(w.t.MM(), &left) // a read-only timeout is no error
	}
	if err == task.ErrInterrupted {
		err = task.RestartNoHand
	}
	return r, err
}

// fdSetMax bounds select's sets (they are as large as the descriptor table).
const fdSetMax = 1 << 20

// selectFDs is select(2) with the deadline worked out.
func selectFDs(t *task.Task, n arg.Count, sets [3]arg.Addr, deadline int64) (uintptr, error) {
	if n < 0 {
		return 0, linux.EINVAL
	}
	n = min(n, arg.Count(t.FDs().Size()))
	words := (int(n) + 63) / 64
	var in, out [3][]uint64
	for i, a := range sets {
		if a == 0 {
			continue
		}
		var err error
		if in[i], err = arg.In[uint64](a).LoadAll(t.MM(), words); err != nil {
			return 0, err
		}
		out[i] = make([]uint64, words)
	}
	// What each set asks for and what counts as an answer (Linux: fs/select.c
	// POLLIN_SET, POLLOUT_SET, POLLEX_SET).
	masks := [3]wait.Events{wait.Readable, wait.Writable, wait.Pri}
	var s pollSet
	defer s.release()
	var fds []linux.FD
	for fd := range linux.FD(n) {
		var mask wait.Events
		for i := range in {
			if in[i] != nil && in[i][fd/64]>>(fd%64)&1 != 0 {
				mask |= masks[i]
			}
		}
		if mask == 0 {
			continue
		}
		if s.add(t, fd, mask); s.items[len(s.items)-1].d == nil {
			return 0, linux.EBADF
		}
		fds = append(fds, fd)
	}
	if _, err := s.wait(t, t.System().Clocks.Monotonic, deadline); err != nil {
		return 0, err
	}
	bits := 0
	for k, fd := range fds {
		for i := range in {
			if in[i] != nil && in[i][fd/64]>>(fd%64)&1 != 0 && s.items[k].ready&masks[i] != 0 {
				out[i][fd/64] |= 1 << (fd % 64)
				bits++
			}
		}
	}
	for i, a := range sets {
		if a != 0 {
			if err := arg.Out[uint64](a).StoreAll(t.MM(), out[i]); err != nil {
				return 0, err
			}
		}
	}
	return uintptr(bits), nil
}

// sysSelect is select(2).
func sysSelect(t *task.Task, n arg.Count, r, w, x arg.Addr, timeout arg.InOut[linux.Timeval]) (uintptr, error) {
	clock := t.System().Clocks.Monotonic
	deadline := task.NoDeadline
	if timeout != 0 {
		tv, err := timeout.Load(t.MM())
		if err != nil {
			return 0, err
		}
		if tv.Sec < 0 || tv.Usec < 0 {
			return 0, linux.EINVAL
		}
		if deadline = 0; tv.Sec|tv.Usec != 0 {
			deadline = after(clock.Now(), tv.ToNS())
		}
	}
	ret, err := selectFDs(t, n, [3]arg.Addr{r, w, x}, deadline)
	if timeout != 0 && deadline != 0 {
		left := linux.TimevalFromNS(max(deadline-clock.Now(), 0))
		_ = timeout.Store(t.MM(), &left)
	}
	if err == task.ErrInterrupted {
		return 0, task.RestartNoHand
	}
	return ret, err
}

// sysPselect6 is pselect(2): the last argument points at the mask and its size.
func sysPselect6(t *task.Task, n arg.Count, r, w, x arg.Addr, timeout arg.InOut[linux.Timespec], sig arg.In[[2]uint64]) (uintptr, error) {
	var m [2]uint64
	if sig != 0 {
		var err error
		if m, err = sig.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	tw, err := newTimedWait(t, timeout, arg.In[linux.SigSet](m[0]), arg.Size(m[1]))
	if err != nil {
		return 0, err
	}
	ret, err := selectFDs(t, n, [3]arg.Addr{r, w, x}, tw.deadline)
	return tw.finish(ret, err)
}
