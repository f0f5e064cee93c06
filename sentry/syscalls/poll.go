package syscalls

import (
	"encoding/binary"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ktime"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A pollSet waits for events of several files: what poll and select share. Sets
// are used again.
type pollSet struct {
	items  []pollItem
	queued bool // items wait in their files' queues, and must not move
	// Room for what the guest gave, and for what it gets.
	in, out []byte
}

type pollItem struct {
	d     vfs.Borrowed // without a description: no such descriptor, or none asked for
	fd    linux.FD
	mask  wait.Events
	ready wait.Events
	entry wait.Entry
}

var pollSets = sync.Pool{New: func() any { return new(pollSet) }}

func newPollSet() *pollSet { return pollSets.Get().(*pollSet) }

// add looks fd up and asks for mask.
func (s *pollSet) add(t *task.Task, fd linux.FD, mask wait.Events) *pollItem {
	it := pollItem{fd: fd, mask: mask}
	if fd >= 0 {
		if it.d = t.FDs().Borrow(fd); it.d.Description == nil {
			it.ready = wait.Nval
		}
	}
	s.items = append(s.items, it)
	return &s.items[len(s.items)-1]
}

// check asks every file and returns how many are ready.
func (s *pollSet) check() (n int) {
	for i := range s.items {
		it := &s.items[i]
		if it.d.Description != nil {
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
	s.queued = true
	waker := t.Waker(0)
	for i := range s.items {
		it := &s.items[i]
		if it.d.Description == nil {
			continue
		}
		if q := it.d.Queue(); q != nil {
			it.entry.Mask, it.entry.Callback = it.mask, waker.Callback
			q.Add(&it.entry)
		}
	}
	err = t.SleepOnFiles(clock, deadline, func() bool { n = s.check(); return n > 0 })
	if err == linux.ETIMEDOUT {
		return 0, nil
	}
	return n, err
}

// pollSetKept is up to how many items a set is kept for the next call.
const pollSetKept = 1024

// release ends the use of s.
func (s *pollSet) release() {
	for i := range s.items {
		it := &s.items[i]
		if it.d.Description == nil {
			continue
		}
		if q := it.d.Queue(); s.queued && q != nil {
			q.Remove(&it.entry)
		}
		it.d.DecRef()
	}
	if len(s.items) > pollSetKept {
		return
	}
	clear(s.items)
	s.items, s.queued = s.items[:0], false
	pollSets.Put(s)
}

// room returns *b with n bytes, of any value.
func room(b *[]byte, n int) []byte {
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n]
}

// pollFDs is poll(2) with the deadline worked out: 0 does not wait.
func pollFDs(t *task.Task, fds arg.InOut[linux.PollFD], n uint32, deadline int64) (uintptr, error) {
	if uint64(n) > t.Group().Limits().Soft(linux.RLIMIT_NOFILE) {
		return 0, linux.EINVAL
	}
	s := newPollSet()
	defer s.release()
	const size, events, revents = 8, 4, 6 // of struct pollfd
	list := room(&s.in, int(n)*size)
	if k, err := t.MM().CopyIn(uint64(fds), list); k < len(list) {
		return 0, err
	}
	for b := list; len(b) > 0; b = b[size:] {
		s.add(t, linux.FD(int32(binary.LittleEndian.Uint32(b))), wait.Events(binary.LittleEndian.Uint16(b[events:])))
	}
	ready, err := s.wait(t, t.System().Clocks.Monotonic, deadline)
	if err != nil {
		return 0, err
	}
	for i := range s.items {
		binary.LittleEndian.PutUint16(list[i*size+revents:], uint16(s.items[i].ready))
	}
	if k, err := t.MM().CopyOut(uint64(fds), list); k < len(list) {
		return 0, err
	}
	return uintptr(ready), nil
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
	deadline, err := deadlineIn(t, arg.In[linux.Timespec](timeout))
	if err != nil {
		return nil, err
	}
	w := &timedWait{t, timeout, deadline}
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

// selectFDs is select(2) with the deadline worked out.
func selectFDs(t *task.Task, n arg.Count, sets [3]arg.Addr, deadline int64) (uintptr, error) {
	if n < 0 {
		return 0, linux.EINVAL
	}
	n = min(n, arg.Count(t.FDs().Size()))
	size := (int(n) + 63) / 64 * 8
	s := newPollSet()
	defer s.release()
	in, out := room(&s.in, len(sets)*size), room(&s.out, len(sets)*size)
	clear(in)
	clear(out)
	for i, a := range sets {
		if a == 0 {
			continue
		}
		if k, err := t.MM().CopyIn(uint64(a), in[i*size:(i+1)*size]); k < size {
			return 0, err
		}
	}
	if err := s.addSets(t, in, size, linux.FD(n)); err != nil {
		return 0, err
	}
	if _, err := s.wait(t, t.System().Clocks.Monotonic, deadline); err != nil {
		return 0, err
	}
	bits := 0
	for k := range s.items {
		it := &s.items[k]
		for i, mask := range selectMasks {
			at, bit := i*size+int(it.fd/8), byte(1)<<(it.fd%8)
			if in[at]&bit != 0 && it.ready&mask != 0 {
				out[at] |= bit
				bits++
			}
		}
	}
	for i, a := range sets {
		if a == 0 {
			continue
		}
		if k, err := t.MM().CopyOut(uint64(a), out[i*size:(i+1)*size]); k < size {
			return 0, err
		}
	}
	return uintptr(bits), nil
}

// selectMasks are what each set asks for and what counts as an answer (Linux:
// fs/select.c POLLIN_SET, POLLOUT_SET, POLLEX_SET).
var selectMasks = [3]wait.Events{wait.Readable, wait.Writable, wait.Pri}

// addSets adds the descriptors below n of three sets of size bytes each. EBADF:
// one is not open.
func (s *pollSet) addSets(t *task.Task, in []byte, size int, n linux.FD) error {
	for at := range size {
		if in[at]|in[size+at]|in[2*size+at] == 0 {
			continue
		}
		for bit := range 8 {
			fd := linux.FD(at*8 + bit)
			var mask wait.Events
			for i, m := range selectMasks {
				if in[i*size+at]>>bit&1 != 0 {
					mask |= m
				}
			}
			if mask == 0 || fd >= n {
				continue
			}
			if s.add(t, fd, mask).d.Description == nil {
				return linux.EBADF
			}
		}
	}
	return nil
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
