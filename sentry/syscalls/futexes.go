package syscalls

import (
	"math/bits"

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
	a := uint64(addr)
	switch cmd {
	case linux.FUTEX_WAIT, linux.FUTEX_WAIT_BITSET:
		mask := val3
		if cmd == linux.FUTEX_WAIT {
			mask = futex.AnyBits
		}
		deadline, err := futexDeadline(t, clock, uint64(timeout), cmd == linux.FUTEX_WAIT)
		if err != nil {
			return 0, err
		}
		return futexWaitUntil(t, a, val, mask, private, clock, deadline, cmd == linux.FUTEX_WAIT && timeout != 0)
	case linux.FUTEX_WAKE, linux.FUTEX_WAKE_BITSET:
		mask := val3
		if cmd == linux.FUTEX_WAKE {
			mask = futex.AnyBits
		}
		return futexWake(t, a, private, mask, int32(val))
	case linux.FUTEX_REQUEUE, linux.FUTEX_CMP_REQUEUE, linux.FUTEX_CMP_REQUEUE_PI:
		return futexRequeue(t, cmd, a, uint64(addr2), private, int32(val), int32(timeout), val3)
	case linux.FUTEX_WAKE_OP:
		return futexWakeOp(t, a, uint64(addr2), private, int32(val), int32(timeout), val3)
	case linux.FUTEX_LOCK_PI, linux.FUTEX_LOCK_PI2, linux.FUTEX_TRYLOCK_PI:
		if cmd == linux.FUTEX_LOCK_PI {
			clock = t.System().Clocks.Realtime
		}
		deadline, err := futexDeadline(t, clock, uint64(timeout), false)
		if err != nil {
			return 0, err
		}
		return futexLockPI(t, a, private, clock, deadline, cmd == linux.FUTEX_TRYLOCK_PI)
	case linux.FUTEX_UNLOCK_PI:
		k, err := futexKey(t, a, private)
		if err != nil {
			return 0, err
		}
		return 0, t.System().Futexes.UnlockPI(t.MM(), k, a, t.TID())
	case linux.FUTEX_WAIT_REQUEUE_PI:
		deadline, err := futexDeadline(t, clock, uint64(timeout), false)
		if err != nil {
			return 0, err
		}
		return futexWaitRequeuePI(t, a, uint64(addr2), private, val, val3, clock, deadline)
	}
	return 0, linux.ENOSYS
}

func futexKey(t *task.Task, addr uint64, private bool) (futex.Key, error) {
	if addr%4 != 0 {
		return futex.Key{}, linux.EINVAL
	}
	return t.MM().FutexKey(addr, private)
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
	return ts.ToNS(), nil
}

// checkWord returns a check that the word at addr is val.
func checkWord(t *task.Task, addr uint64, val uint32) func() error {
	return func() error {
		v, err := t.MM().LoadUint32(addr)
		if err == nil && v != val {
			err = linux.EAGAIN
		}
		return err
	}
}

// futexWaitUntil waits on a word. relative: the time-out was given as a
// duration, so that an interrupted wait goes on with what is left of it.
func futexWaitUntil(t *task.Task, addr uint64, val, mask uint32, private bool, clock ktime.Clock, deadline int64, relative bool) (uintptr, error) {
	if mask == 0 {
		return 0, linux.EINVAL
	}
	k, err := futexKey(t, addr, private)
	if err != nil {
		return 0, err
	}
	w := futex.NewWaiter(t.Nudge)
	table := t.System().Futexes
	if err := table.Prepare(w, k, mask, checkWord(t, addr, val)); err != nil {
		return 0, err
	}
	err = t.Sleep(clock, deadline, w.Woken)
	if table.Cancel(w) || err == nil {
		return 0, nil
	}
	if err == linux.ETIMEDOUT {
		return 0, err
	}
	if !relative {
		return 0, task.RestartSys
	}
	var p uint64
	if private {
		p = 1
	}
	*t.RestartBlock() = task.RestartBlock{Kind: task.RestartFutex, Deadline: deadline, Args: [4]uint64{addr, uint64(val), uint64(mask), p}}
	return 0, task.RestartCall
}

func futexWake(t *task.Task, addr uint64, private bool, mask uint32, n int32) (uintptr, error) {
	if mask == 0 {
		return 0, linux.EINVAL
	}
	k, err := futexKey(t, addr, private)
	if err != nil {
		return 0, err
	}
	return uintptr(t.System().Futexes.Wake(k, mask, int(max(n, 1)))), nil
}

func futexRequeue(t *task.Task, cmd linux.FutexOp, from, to uint64, private bool, wake, move int32, val uint32) (uintptr, error) {
	if wake < 0 || move < 0 {
		return 0, linux.EINVAL
	}
	k, err := futexKey(t, from, private)
	if err != nil {
		return 0, err
	}
	l, err := futexKey(t, to, private)
	if err != nil {
		return 0, err
	}
	table := t.System().Futexes
	switch cmd {
	case linux.FUTEX_CMP_REQUEUE_PI:
		if wake != 1 || k == l {
			return 0, linux.EINVAL
		}
		n, err := table.RequeuePI(t.MM(), k, l, to, int(move), checkWord(t, from, val))
		return uintptr(n), err
	case linux.FUTEX_CMP_REQUEUE:
		woken, moved, err := table.Requeue(k, l, int(wake), int(move), checkWord(t, from, val))
		return uintptr(woken + moved), err
	}
	woken, _, err := table.Requeue(k, l, int(wake), int(move), nil)
	return uintptr(woken), err
}

// futexWakeOp is FUTEX_WAKE_OP: val3 encodes the operation, a comparison and
// their arguments.
func futexWakeOp(t *task.Task, addr, addr2 uint64, private bool, n1, n2 int32, code uint32) (uintptr, error) {
	k, err := futexKey(t, addr, private)
	if err != nil {
		return 0, err
	}
	l, err := futexKey(t, addr2, private)
	if err != nil {
		return 0, err
	}
	op, cmp := code>>28&7, code>>24&15
	oparg := int32(code<<8) >> 20
	cmparg := int32(code<<20) >> 20
	if code>>31 != 0 {
		if oparg < 0 || oparg > 31 {
			oparg &= 31
		}
		oparg = 1 << uint(oparg)
	}
	if op > 4 || cmp > 5 {
		return 0, linux.ENOSYS
	}
	n, err := t.System().Futexes.WakeOp(k, l, int(max(n1, 1)), int(max(n2, 1)), func() (bool, error) {
		old, err := futexChange(t, addr2, op, uint32(oparg))
		if err != nil {
			return false, err
		}
		return futexCompare(cmp, int32(old), cmparg), nil
	})
	return uintptr(n), err
}

func futexChange(t *task.Task, addr uint64, op, a uint32) (uint32, error) {
	for {
		v, err := t.MM().LoadUint32(addr)
		if err != nil {
			return 0, err
		}
		next := [5]uint32{a, v + a, v | a, v &^ a, v ^ a}[op]
		was, err := t.MM().CompareAndSwapUint32(addr, v, next)
		if err != nil {
			return 0, err
		}
		if was == v {
			return v, nil
		}
	}
}

func futexCompare(cmp uint32, old, a int32) bool {
	return [6]bool{old == a, old != a, old < a, old <= a, old > a, old >= a}[cmp]
}

func futexLockPI(t *task.Task, addr uint64, private bool, clock ktime.Clock, deadline int64, try bool) (uintptr, error) {
	k, err := futexKey(t, addr, private)
	if err != nil {
		return 0, err
	}
	table := t.System().Futexes
	w := futex.NewWaiter(t.Nudge)
	alive := func(tid int32) bool { return t.System().Task(tid) != nil }
	if err := table.LockPI(t.MM(), k, addr, t.TID(), w, try, alive); err != linux.EAGAIN || try {
		return 0, err
	}
	err = t.Sleep(clock, deadline, w.Woken)
	if table.Cancel(w) {
		return 0, nil
	}
	if err == task.ErrInterrupted {
		err = task.RestartNoIntr
	}
	return 0, err
}

func futexWaitRequeuePI(t *task.Task, addr, addr2 uint64, private bool, val, mask uint32, clock ktime.Clock, deadline int64) (uintptr, error) {
	if mask == 0 || addr == addr2 {
		return 0, linux.EINVAL
	}
	k, err := futexKey(t, addr, private)
	if err != nil {
		return 0, err
	}
	if _, err := futexKey(t, addr2, private); err != nil {
		return 0, err
	}
	w := futex.NewWaiter(t.Nudge)
	w.SetTID(t.TID())
	table := t.System().Futexes
	if err := table.Prepare(w, k, mask, checkWord(t, addr, val)); err != nil {
		return 0, err
	}
	err = t.Sleep(clock, deadline, w.Woken)
	if table.Cancel(w) {
		if !w.Handed() {
			return 0, linux.EAGAIN // woken by a plain FUTEX_WAKE
		}
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
	table := t.System().Futexes
	waiters := make([]*futex.Waiter, 0, n)
	first := func() int {
		for i, w := range waiters {
			if w.Woken() {
				return i
			}
		}
		return -1
	}
	var failed error
	for _, it := range items {
		private, err := isPrivate(it.Flags)
		if err == nil && (it.Val>>32 != 0) {
			err = linux.EINVAL
		}
		var k futex.Key
		if err == nil {
			k, err = futexKey(t, it.Uaddr, private)
		}
		w := futex.NewWaiter(t.Nudge)
		if err == nil {
			err = table.Prepare(w, k, futex.AnyBits, checkWord(t, it.Uaddr, uint32(it.Val)))
		}
		if failed = err; failed != nil {
			break
		}
		waiters = append(waiters, w)
	}
	if failed == nil {
		failed = t.Sleep(clock, deadline, func() bool { return first() >= 0 })
	}
	woken := -1
	for i, w := range waiters {
		if table.Cancel(w) {
			woken = i
		}
	}
	if woken >= 0 {
		return uintptr(woken), nil
	}
	if failed == task.ErrInterrupted {
		failed = task.RestartSys
	}
	return 0, failed
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
	return futexWake(t, uint64(addr), private, uint32(mask), n)
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
