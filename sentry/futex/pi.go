package futex

import (
	"cordon/internal/linux"
	"cordon/sentry/memmap"
)

const (
	tidMask   = linux.FUTEX_TID_MASK
	waiters   = linux.FUTEX_WAITERS
	ownerDied = linux.FUTEX_OWNER_DIED
)

// LockPI takes the lock at addr for tid, or queues w until its owner hands it
// over; queued says which. A try (FUTEX_TRYLOCK_PI) has a nil w and is EAGAIN
// instead of queueing.
func (t *Table) LockPI(m Memory, addr uint64, private bool, tid int32, w *Waiter) (queued bool, err error) {
	k, err := m.FutexKey(addr, private)
	if err != nil {
		return false, err
	}
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return false, err
		}
		owner := int32(v & tidMask)
		if owner == tid {
			return false, linux.EDEADLK
		}
		if owner != 0 && !t.exists(owner) {
			return false, linux.ESRCH
		}
		done, queued, err := t.lockPIOnce(m, addr, k, owner, tid, w)
		if err != nil || done && !queued {
			return false, err
		}
		if !done {
			continue
		}
		// An owner that ended since then has not seen w.
		if t.exists(owner) || t.Unqueue(w) {
			return !w.Woken(), nil
		}
	}
}

// lockPIOnce is one attempt, while the owner is as it was. done is false if it
// is not.
func (t *Table) lockPIOnce(m Memory, addr uint64, k memmap.FutexKey, owner, tid int32, w *Waiter) (done, queued bool, err error) {
	b := t.bucketOf(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	v, err := m.LoadUint32(addr)
	if err != nil {
		return false, false, err
	}
	if int32(v&tidMask) != owner {
		return false, false, nil
	}
	for o := b.first; o != nil; o = o.next {
		if o.key == k && o.kind != piLock {
			return true, false, linux.EINVAL
		}
	}
	want := v | waiters
	if owner == 0 {
		want = v&ownerDied | uint32(tid)
		if t.topPILocked(b, k) != nil {
			want |= waiters
		}
	} else if w == nil {
		return true, false, linux.EAGAIN
	}
	if want != v {
		was, err := m.CompareAndSwapUint32(addr, v, want)
		if err != nil || was != v {
			return false, false, err
		}
	}
	if owner == 0 {
		return true, false, nil
	}
	w.woken.Store(false)
	w.key, w.bitset, w.kind = k, linux.FUTEX_BITSET_MATCH_ANY, piLock
	w.mem, w.addr, w.tid = m, addr, tid
	t.piWaiters.Add(1)
	m.Sleeping(1)
	b.addLocked(w)
	return true, true, nil
}

// topPILocked is who gets the lock k next.
func (t *Table) topPILocked(b *bucket, k memmap.FutexKey) *Waiter {
	for w := b.first; w != nil; w = w.next {
		if w.key == k && w.kind == piLock {
			return w
		}
	}
	return nil
}

// UnlockPI gives up tid's lock at addr, to the next waiter if there is one.
func (t *Table) UnlockPI(m Memory, addr uint64, private bool, tid int32) error {
	k, err := m.FutexKey(addr, private)
	if err != nil {
		return err
	}
	if _, err := m.LoadUint32(addr); err != nil {
		return err
	}
	b := t.bucketOf(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return err
		}
		if int32(v&tidMask) != tid {
			return linux.EPERM
		}
		top, want := t.topPILocked(b, k), uint32(0)
		if top != nil {
			want = waiters | uint32(top.tid)
		}
		was, err := m.CompareAndSwapUint32(addr, v, want)
		if err != nil {
			return err
		}
		if was != v {
			continue
		}
		if top != nil {
			t.wakeLocked(b, top)
		}
		return nil
	}
}

// WaitRequeuePI queues w for the word at addr if it is val; CmpRequeuePI moves
// it to the lock at addr2, which tid owns once w is woken.
func (t *Table) WaitRequeuePI(m Memory, addr, addr2 uint64, private bool, val, bitset uint32, tid int32, w *Waiter) error {
	if bitset == 0 || addr == addr2 {
		return linux.EINVAL
	}
	k2, err := m.FutexKey(addr2, private)
	if err != nil {
		return err
	}
	k, err := m.FutexKey(addr, private)
	if err != nil {
		return err
	}
	if k == k2 {
		return linux.EINVAL
	}
	w.mem, w.addr, w.tid, w.inner = m, addr2, tid, k2
	return t.wait(m, addr, k, val, bitset, requeuePI, w)
}

// CmpRequeuePI gives the lock at addr2 to the first waiter of the word at addr
// if it is free, and makes up to move others wait for it, if the word is cmp.
func (t *Table) CmpRequeuePI(m Memory, addr, addr2 uint64, private bool, wake, move int, cmp uint32) (int, error) {
	if wake != 1 || move < 0 || addr == addr2 {
		return 0, linux.EINVAL
	}
	k1, err := m.FutexKey(addr, private)
	if err != nil {
		return 0, err
	}
	k2, err := m.FutexKey(addr2, private)
	if err != nil {
		return 0, err
	}
	if k1 == k2 {
		return 0, linux.EINVAL
	}
	for {
		if _, err := m.LoadUint32(addr); err != nil {
			return 0, err
		}
		v, err := m.LoadUint32(addr2)
		if err != nil {
			return 0, err
		}
		owner := int32(v & tidMask)
		if owner != 0 && !t.exists(owner) {
			return 0, linux.ESRCH
		}
		n, done, err := t.requeuePIOnce(m, addr, addr2, k1, k2, owner, move, cmp)
		if done || err != nil {
			return n, err
		}
	}
}

func (t *Table) requeuePIOnce(m Memory, addr, addr2 uint64, k1, k2 memmap.FutexKey, owner int32, move int, cmp uint32) (n int, done bool, err error) {
	a, b, unlock := t.lockBoth(k1, k2)
	defer unlock()
	switch v, err := m.LoadUint32(addr); {
	case err != nil:
		return 0, true, err
	case v != cmp:
		return 0, true, linux.EAGAIN
	}
	v, err := m.LoadUint32(addr2)
	if err != nil {
		return 0, true, err
	}
	if int32(v&tidMask) != owner {
		return 0, false, nil
	}
	var list []*Waiter
	for w := a.first; w != nil && len(list) < move+1; w = w.next {
		if w.key != k1 {
			continue
		}
		if w.kind != requeuePI || w.inner != k2 {
			return 0, true, linux.EINVAL
		}
		list = append(list, w)
	}
	if len(list) == 0 {
		return 0, true, nil
	}
	want, first := v|waiters, 0
	if owner == 0 {
		want, first = v&ownerDied|uint32(list[0].tid), 1
		if len(list) > 1 || t.topPILocked(b, k2) != nil {
			want |= waiters
		}
	}
	if was, err := m.CompareAndSwapUint32(addr2, v, want); err != nil || was != v {
		return 0, false, err
	}
	if first == 1 {
		t.wakeLocked(a, list[0])
	}
	for _, w := range list[first:] {
		a.removeLocked(w)
		w.key, w.kind = k2, piLock
		b.addLocked(w)
	}
	return len(list), true, nil
}

// OwnerDied marks the word at addr if tid owns it and wakes or promotes a
// waiter: an entry of a robust list. pending says that the thread died between
// the list's operation and the lock's (Linux: handle_futex_death).
func (t *Table) OwnerDied(m Memory, addr uint64, tid int32, pi, pending bool) {
	if addr&3 != 0 {
		return
	}
	v, err := m.LoadUint32(addr)
	if err != nil {
		return
	}
	if owner := int32(v & tidMask); pending && !pi && owner == 0 {
		t.WakeAddress(m, addr, 1)
		return
	} else if owner != tid {
		return
	}
	if pi && t.piWaiters.Load() != 0 && t.inheritAt(m, addr, tid) {
		return
	}
	old, err := update(m, addr, func(v uint32) uint32 {
		if int32(v&tidMask) != tid {
			return v
		}
		return v&waiters | ownerDied
	})
	if err == nil && !pi && int32(old&tidMask) == tid && old&waiters != 0 {
		t.WakeAddress(m, addr, 1)
	}
}

// inheritAt hands tid's PI lock at addr to its next waiter, if it has one.
func (t *Table) inheritAt(m Memory, addr uint64, tid int32) bool {
	for _, private := range []bool{true, false} {
		k, err := m.FutexKey(addr, private)
		if err != nil {
			continue
		}
		b := t.bucketOf(k)
		b.mu.Lock()
		w := t.topPILocked(b, k)
		ok := w != nil && t.inheritLocked(b, w, tid)
		b.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

// inheritLocked makes w the owner of its lock if tid is.
func (t *Table) inheritLocked(b *bucket, w *Waiter, tid int32) bool {
	old, err := update(w.mem, w.addr, func(v uint32) uint32 {
		if int32(v&tidMask) != tid {
			return v
		}
		return waiters | ownerDied | uint32(w.tid)
	})
	if err != nil || int32(old&tidMask) != tid {
		return false
	}
	t.wakeLocked(b, w)
	return true
}

// Exited hands on the PI locks of a thread that has ended without giving them
// up, robust list or not. exists must already be false for tid, which is the
// thread's number for the waiters with the same Among.
func (t *Table) Exited(tid int32, among any) {
	if t.piWaiters.Load() == 0 {
		return
	}
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.Lock()
		var next *Waiter
		for w := b.first; w != nil; w = next {
			next = w.next
			if w.kind == piLock && w.Among == among && t.topPILocked(b, w.key) == w {
				t.inheritLocked(b, w, tid)
			}
		}
		b.mu.Unlock()
	}
}
