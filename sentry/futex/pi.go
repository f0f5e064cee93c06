package futex

import (
	"cordon/internal/linux"
)

// LockPI tries to take the PI lock at addr for tid (FUTEX_LOCK_PI). It returns
// nil when the lock is tid's, EAGAIN when w has been queued and the caller is
// to sleep until HandedPI, and other errnos as futex(2) has them. try does not
// queue (FUTEX_TRYLOCK_PI): EAGAIN then only means that another has the lock.
func (t *Table) LockPI(m Memory, k Key, addr uint64, tid int32, w *Waiter, try bool, alive func(tid int32) bool) error {
	b := t.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return err
		}
		owner := int32(v & linux.FUTEX_TID_MASK)
		if owner == tid {
			return linux.EDEADLK
		}
		next := v | linux.FUTEX_WAITERS
		switch {
		case owner == 0:
			next = uint32(tid) | v&linux.FUTEX_OWNER_DIED
			if b.countLocked(k) > 0 {
				next |= linux.FUTEX_WAITERS
			}
		case try:
			return linux.EAGAIN
		case !alive(owner):
			return linux.ESRCH
		}
		was, err := m.CompareAndSwapUint32(addr, v, next)
		if err != nil {
			return err
		}
		if was != v {
			continue
		}
		if owner == 0 {
			return nil
		}
		w.key, w.bits, w.tid, w.handed = k, AnyBits, tid, false
		b.pushLocked(w)
		return linux.EAGAIN
	}
}

// HandedPI reports whether the lock w waits for is its own now.
func (t *Table) HandedPI(w *Waiter) bool { return w.Woken() }

// UnlockPI gives the lock at addr, which tid must own, to the first waiter.
func (t *Table) UnlockPI(m Memory, k Key, addr uint64, tid int32) error {
	b := t.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return err
		}
		if int32(v&linux.FUTEX_TID_MASK) != tid {
			return linux.EPERM
		}
		done, err := b.handOverLocked(m, k, addr, v, 0)
		if err != nil || done {
			return err
		}
	}
}

// handOverLocked gives the word, which holds v, to the first waiter or to
// nobody. done is false if the word changed meanwhile.
func (b *bucket) handOverLocked(m Memory, k Key, addr uint64, v, flags uint32) (done bool, err error) {
	var heir *Waiter
	for w := b.first; w != nil; w = w.next {
		if w.key == k && w.tid != 0 {
			heir = w
			break
		}
	}
	next := flags
	if heir != nil {
		next |= uint32(heir.tid)
		if b.countLocked(k) > 1 {
			next |= linux.FUTEX_WAITERS
		}
	}
	was, err := m.CompareAndSwapUint32(addr, v, next)
	if err != nil || was != v {
		return false, err
	}
	if heir != nil {
		b.removeLocked(heir)
		heir.handed = true
		heir.wake()
	}
	return true, nil
}

// piOwnerDied hands a dead thread's lock on.
func (t *Table) piOwnerDied(m Memory, addr uint64) {
	for _, private := range [2]bool{true, false} {
		k, err := m.FutexKey(addr, private)
		if err != nil {
			return
		}
		b := t.bucket(k)
		b.mu.Lock()
		if b.countLocked(k) > 0 {
			v, err := m.LoadUint32(addr)
			if err == nil {
				_, _ = b.handOverLocked(m, k, addr, v, linux.FUTEX_OWNER_DIED) // the word is the guest's to spoil
			}
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
	}
}

// RequeuePI is FUTEX_CMP_REQUEUE_PI: the first waiter of from gets the PI lock
// at addr if it is free, and up to move others wait for it. The words of waiters
// that were queued by Prepare carry no tid: SetTID has told it.
func (t *Table) RequeuePI(m Memory, from, to Key, addr uint64, move int, check func() error) (int, error) {
	a, b, unlock := t.lockTwo(from, to)
	defer unlock()
	if err := check(); err != nil {
		return 0, err
	}
	n := 0
	for w := a.first; w != nil && n <= move; {
		next := w.next
		if w.key != from {
			w = next
			continue
		}
		if w.tid == 0 {
			return n, linux.EINVAL // a waiter that is not FUTEX_WAIT_REQUEUE_PI's
		}
		taken, err := t.takeForLocked(m, addr, w.tid, b.countLocked(to) > 0)
		if err != nil {
			return n, err
		}
		a.removeLocked(w)
		w.key = to
		if taken {
			w.handed = true
			w.wake()
		} else {
			b.pushLocked(w)
		}
		n++
		w = next
	}
	return n, nil
}

// takeForLocked takes the lock at addr for tid if it is free, else marks it
// waited for.
func (t *Table) takeForLocked(m Memory, addr uint64, tid int32, waiters bool) (bool, error) {
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return false, err
		}
		free := v&linux.FUTEX_TID_MASK == 0
		next := v | linux.FUTEX_WAITERS
		if free {
			next = uint32(tid)
			if waiters {
				next |= linux.FUTEX_WAITERS
			}
		}
		was, err := m.CompareAndSwapUint32(addr, v, next)
		if err != nil {
			return false, err
		}
		if was == v {
			return free, nil
		}
	}
}

// SetTID says whose waiter w is, for RequeuePI. Before Prepare.
func (w *Waiter) SetTID(tid int32) { w.tid = tid }

// Handed reports whether w ended by being given a PI lock. After it was woken.
func (w *Waiter) Handed() bool { return w.handed }
