package syscalls

import (
	"math/bits"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/futex"
	"cordon/sentry/ktime"
	"cordon/sentry/task"
)

// sysFutex is futex(2).
//
// Partial: FUTEX_FD is ENOSYS, as in Linux since 2.6.26
func sysFutex(t *task.Task, addr arg.Addr, op linux.FutexOp, val uint32, timeout arg.Addr, addr2 arg.Addr, val3 uint32) (uintptr, error) {
	private := op&linux.FUTEX_PRIVATE_FLAG != 0
	cmd := op & linux.FUTEX_CMD_MASK
	var clock ktime.Clock = t.System().Clocks.Monotonic
	if op&linux.FUTEX_CLOCK_REALTIME != 0 {
		switch cmd {
		case linux.FUTEX_WAIT, linux.FUTEX_WAIT_BITSET, linux.FUTEX_WAIT_REQUEUE_PI, linux.FUTEX_LOCK_PI2:
			clock = t.System().Clocks.Realtime
		default:
			return 0, linux.ENOSYS
		}
	}
	if cmd != linux.FUTEX_WAIT && cmd != linux.FUTEX_WAIT_BITSET {
		t.HandOn() // it does not sleep next
	}
	a, a2 := uint64(addr), uint64(addr2)
	m, table := t.MM(), t.System().Futexes
	switch cmd {
	case linux.FUTEX_WAIT, linux.FUTEX_WAIT_BITSET:
		mask := val3
		if cmd == linux.FUTEX_WAIT {
			mask = anyBits
		}
		deadline, err := futexDeadline(t, clock, uint64(timeout), cmd == linux.FUTEX_WAIT)
		if err != nil {
			return 0, err
		}
		return futexWaitUntil(t, a, val, mask, private, clock, deadline, cmd == linux.FUTEX_WAIT && timeout != 0)
	case linux.FUTEX_WAKE, linux.FUTEX_WAKE_BITSET:
		mask := val3
		if cmd == linux.FUTEX_WAKE {
			mask = anyBits
		}
		began := t.BeginWaking()
		n, err := table.Wake(m, a, private, int(int32(val)), mask)
		t.EndWaking(began)
		return count(n, err)
	case linux.FUTEX_REQUEUE:
		return count(table.Requeue(m, a, a2, private, int(int32(val)), int(int32(timeout)), nil))
	case linux.FUTEX_CMP_REQUEUE:
		return count(table.Requeue(m, a, a2, private, int(int32(val)), int(int32(timeout)), &val3))
	case linux.FUTEX_CMP_REQUEUE_PI:
		return count(table.CmpRequeuePI(m, a, a2, private, int(int32(val)), int(int32(timeout)), val3))
	case linux.FUTEX_WAKE_OP:
		return count(table.WakeOp(m, a, a2, private, int(int32(val)), int(int32(timeout)), val3))
	case linux.FUTEX_LOCK_PI, linux.FUTEX_LOCK_PI2:
		if cmd == linux.FUTEX_LOCK_PI {
			clock = t.System().Clocks.Realtime
		}
		deadline, err := futexDeadline(t, clock, uint64(timeout), false)
		if err != nil {
			return 0, err
		}
		return futexLockPI(t, a, private, clock, deadline)
	case linux.FUTEX_TRYLOCK_PI:
		_, err := table.LockPI(m, a, private, t.OwnTID(), nil)
		return 0, err
	case linux.FUTEX_UNLOCK_PI:
		return 0, table.UnlockPI(m, a, private, t.OwnTID())
	case linux.FUTEX_WAIT_REQUEUE_PI:
		deadline, err := futexDeadline(t, clock, uint64(timeout), false)
		if err != nil {
			return 0, err
		}
		return futexWaitRequeuePI(t, a, a2, private, val, val3, clock, deadline)
	}
	return 0, linux.ENOSYS
}

// anyBits is the bitset of a wait or a wake without one.
const anyBits = ^uint32(0)

// count is the result of a call that returns a number of things.
func count(n int, err error) (uintptr, error) {
	if err != nil {
		return 0, err
	}
	return uintptr(n), nil
}

// futexDeadline reads a time-out. FUTEX_WAIT's is relative.
func futexDeadline(t *task.Task, clock ktime.Clock, addr uint64, relative bool) (int64, error) {
	if addr == 0 {
		return task.NoDeadline, nil
	}
	ts, err := arg.LoadAt[linux.Timespec](t.MM(), addr)
	if err != nil {
		return 0, err
	}
	if !ts.Valid() {
		return 0, linux.EINVAL
	}
	if relative {
		return after(clock.Now(), ts.ToNS()), nil
	}
	return t.FromOwnTime(clock, ts.ToNS()), nil
}

// futexWaitUntil waits on a word. relative: the time-out was given as a
// duration, so that an interrupted wait goes on with what is left of it.
func futexWaitUntil(t *task.Task, addr uint64, val, mask uint32, private bool, clock ktime.Clock, deadline int64, relative bool) (uintptr, error) {
	w := &futexWait{addr: addr, val: val, mask: mask, private: private, relative: relative, clock: clock, deadline: deadline}
	w.Wake = t.Nudge
	if err := t.System().Futexes.Wait(t.MM(), addr, private, val, mask, &w.Waiter); err != nil {
		t.HandOn()
		return 0, err
	}
	return t.SleepAside(clock, deadline, w)
}

// A futexWait is the sleep of FUTEX_WAIT: what it was called with, and where it waits.
type futexWait struct {
	futex.Waiter

	addr              uint64
	val, mask         uint32
	private, relative bool
	clock             ktime.Clock
	deadline          int64
}

// Ready implements task.Pause.
func (w *futexWait) Ready() bool { return w.Woken() }

// Done implements task.Pause.
func (w *futexWait) Done(t *task.Task, err error) (uintptr, error) {
	if t.System().Futexes.Unqueue(&w.Waiter) {
		return 0, nil
	}
	if err == linux.ETIMEDOUT {
		return 0, err
	}
	addr, val, relative := w.addr, w.val, w.relative
	if at := w.Moved(); at != 0 && t.OnlyFrozen() && (w.deadline == task.NoDeadline || w.clock == t.System().Clocks.Monotonic) {
		// It goes on waiting where it was moved, whatever the word there is.
		if now, err := t.MM().LoadUint32(at); err == nil {
			addr, val, relative = at, now, true
		}
	}
	if !relative {
		return 0, task.RestartSys
	}
	var p uint64
	if w.private {
		p = 1
	}
	*t.RestartBlock() = task.RestartBlock{Kind: task.RestartFutex, Deadline: w.deadline, Args: [4]uint64{addr, uint64(val), uint64(w.mask), p}}
	return 0, task.RestartCall
}

func futexLockPI(t *task.Task, addr uint64, private bool, clock ktime.Clock, deadline int64) (uintptr, error) {
	table := t.System().Futexes
	w := &futex.Waiter{Wake: t.Nudge, Among: t.Group().PIDs()}
	queued, err := table.LockPI(t.MM(), addr, private, t.OwnTID(), w)
	if err != nil || !queued {
		return 0, err
	}
	err = t.Sleep(clock, deadline, w.Woken)
	if table.Unqueue(w) {
		return 0, nil
	}
	if err == task.ErrInterrupted {
		err = task.RestartNoIntr
	}
	return 0, err
}

func futexWaitRequeuePI(t *task.Task, addr, addr2 uint64, private bool, val, mask uint32, clock ktime.Clock, deadline int64) (uintptr, error) {
	w := &futex.Waiter{Wake: t.Nudge, Among: t.Group().PIDs()}
	table := t.System().Futexes
	if err := table.WaitRequeuePI(t.MM(), addr, addr2, private, val, mask, t.OwnTID(), w); err != nil {
		return 0, err
	}
	err := t.Sleep(clock, deadline, w.Woken)
	if table.Unqueue(w) {
		return 0, nil
	}
	if err == task.ErrInterrupted {
		err = linux.EAGAIN
	}
	return 0, err
}

// futex2Known are the flags of futex_waitv and its relatives: 32-bit words,
// private or shared.
const (
	futex2Size32  = 2
	futex2Private = 128
)

func isPrivate(flags uint32) (bool, error) {
	if flags&^futex2Private != futex2Size32 {
		return false, linux.EINVAL
	}
	return flags&futex2Private != 0, nil
}

// maxWaitv is FUTEX_WAITV_MAX.
const maxWaitv = 128

// sysFutexWaitv is futex_waitv(2).
func sysFutexWaitv(t *task.Task, list arg.In[linux.FutexWaitv], n, flags uint32, timeout arg.In[linux.Timespec], id linux.ClockID) (uintptr, error) {
	if flags != 0 || n == 0 || n > maxWaitv || list == 0 {
		return 0, linux.EINVAL
	}
	clock, deadline, err := futex2Deadline(t, timeout, id)
	if err != nil {
		return 0, err
	}
	items, err := list.LoadAll(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	wants := make([]futex.Want, n)
	waiters := make([]*futex.Waiter, n)
	for i, it := range items {
		private, err := isPrivate(it.Flags)
		if err != nil || it.Val>>32 != 0 {
			return 0, linux.EINVAL
		}
		wants[i] = futex.Want{Addr: it.Uaddr, Private: private, Val: uint32(it.Val)}
		waiters[i] = &futex.Waiter{Wake: t.Nudge}
	}
	table := t.System().Futexes
	woken, err := table.WaitAny(t.MM(), wants, waiters)
	if err != nil || woken >= 0 {
		return count(woken, err)
	}
	err = t.Sleep(clock, deadline, func() bool {
		return slices.ContainsFunc(waiters, (*futex.Waiter).Woken)
	})
	if woken := table.UnqueueAll(waiters); woken >= 0 {
		return uintptr(woken), nil
	}
	if err == task.ErrInterrupted {
		err = task.RestartSys
	}
	return 0, err
}

func futex2Deadline(t *task.Task, timeout arg.In[linux.Timespec], id linux.ClockID) (ktime.Clock, int64, error) {
	var clock ktime.Clock = t.System().Clocks.Monotonic
	if timeout == 0 {
		return clock, task.NoDeadline, nil
	}
	switch id {
	case linux.CLOCK_MONOTONIC:
	case linux.CLOCK_REALTIME:
		clock = t.System().Clocks.Realtime
	default:
		return nil, 0, linux.EINVAL
	}
	d, err := futexDeadline(t, clock, uint64(timeout), false)
	return clock, d, err
}

// sysFutexWake is futex_wake(2).
func sysFutexWake(t *task.Task, addr arg.Addr, mask uint64, n int32, flags uint32) (uintptr, error) {
	private, err := isPrivate(flags)
	if err != nil || bits.Len64(mask) > 32 {
		return 0, linux.EINVAL
	}
	return count(t.System().Futexes.Wake(t.MM(), uint64(addr), private, int(n), uint32(mask)))
}

// sysFutexWait is futex_wait(2).
func sysFutexWait(t *task.Task, addr arg.Addr, val, mask uint64, flags uint32, timeout arg.In[linux.Timespec], id linux.ClockID) (uintptr, error) {
	private, err := isPrivate(flags)
	if err != nil || bits.Len64(mask) > 32 || bits.Len64(val) > 32 {
		return 0, linux.EINVAL
	}
	clock, deadline, err := futex2Deadline(t, timeout, id)
	if err != nil {
		return 0, err
	}
	return futexWaitUntil(t, uint64(addr), uint32(val), uint32(mask), private, clock, deadline, false)
}
