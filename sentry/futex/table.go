package futex

import (
	"hash/maphash"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/memmap"
)

// Memory is an address space as futexes see it. mm.MemoryManager implements it.
type Memory interface {
	// FutexKey names the word at addr: EINVAL if it is not aligned, EFAULT if
	// there is nothing.
	FutexKey(addr uint64, private bool) (memmap.FutexKey, error)
	LoadUint32(addr uint64) (uint32, error)
	// CompareAndSwapUint32 returns what was there, old if it succeeded.
	CompareAndSwapUint32(addr uint64, old, new uint32) (was uint32, err error)
	// Sleeping adds n to how many wait here or are about to look whether to.
	Sleeping(n int)
}

// numBuckets is how many locks a Table has.
const numBuckets = 512

// A Table has the waiters of all futexes of a sandbox.
type Table struct {
	// immutable
	seed   maphash.Seed
	exists func(tid int32) bool

	// atomic
	piWaiters atomic.Int64 // waiters of PI locks: none, and exits have nothing to do

	buckets [numBuckets]bucket
}

type bucket struct {
	mu lock.Mutex[lock.Futex]
	// guarded by mu
	first, last *Waiter
	_           [40]byte // a cache line each
}

// NewTable returns an empty table. exists reports whether a thread of that number
// lives, for
// PI locks whose owner may have gone; it is called without locks.
func NewTable(exists func(tid int32) bool) *Table {
	return &Table{seed: maphash.MakeSeed(), exists: exists}
}

// A Waiter is one thread's wait for one word.
type Waiter struct {
	// Wake is called when the waiter is woken, with a lock held: it must not
	// block or call back.
	Wake func()
	// Among is in which numbers of threads tid is one, for PI locks: the
	// waiter's PID namespace.
	Among any

	// atomic
	woken  atomic.Bool
	bucket atomic.Pointer[bucket] // nil: not queued

	// guarded by the bucket's mu
	key        memmap.FutexKey
	bitset     uint32
	next, prev *Waiter

	mem   Memory // the waiter's own
	moved uint64 // where in mem FUTEX_REQUEUE moved it, 0 if it did not

	// guarded by the bucket's mu, for PI only
	kind  waiterKind
	addr  uint64          // of the lock in mem
	tid   int32           // whom the lock will belong to
	inner memmap.FutexKey // FUTEX_WAIT_REQUEUE_PI: the lock to move to
}

type waiterKind uint8

const (
	plain     waiterKind = iota
	piLock               // waits for a PI lock
	requeuePI            // waits for a condition, to be moved to a PI lock
)

// Woken reports whether the waiter has been woken, and for a PI lock whether it
// owns the lock.
func (w *Waiter) Woken() bool { return w.woken.Load() }

// Moved returns the word that a waiter waited for last when FUTEX_REQUEUE moved
// it there from the one it began with, else 0. It is queued no more.
func (w *Waiter) Moved() uint64 { return w.moved }

func (t *Table) bucketOf(k memmap.FutexKey) *bucket {
	return &t.buckets[maphash.Comparable(t.seed, k)%numBuckets]
}

func (b *bucket) addLocked(w *Waiter) {
	b.mu.AssertHeld()
	w.prev, w.next = b.last, nil
	if b.last != nil {
		b.last.next = w
	} else {
		b.first = w
	}
	b.last = w
	w.bucket.Store(b)
}

func (b *bucket) removeLocked(w *Waiter) {
	b.mu.AssertHeld()
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		b.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		b.last = w.prev
	}
	w.next, w.prev = nil, nil
	w.bucket.Store(nil)
}

// wakeLocked takes w off and wakes it.
func (t *Table) wakeLocked(b *bucket, w *Waiter) {
	// Unqueue takes no lock once w is in no bucket: by then it has to see this.
	w.woken.Store(true)
	b.removeLocked(w)
	w.mem.Sleeping(-1)
	if w.kind != plain {
		t.piWaiters.Add(-1)
	}
	w.Wake()
}

// Unqueue ends w's stay and reports whether it has been woken. To be called for
// every waiter that was queued.
func (t *Table) Unqueue(w *Waiter) (woken bool) {
	for {
		b := w.bucket.Load()
		if b == nil {
			return w.woken.Load()
		}
		b.mu.Lock()
		if w.bucket.Load() != b {
			b.mu.Unlock() // moved or woken meanwhile
			continue
		}
		b.removeLocked(w)
		w.mem.Sleeping(-1)
		if w.kind != plain {
			t.piWaiters.Add(-1)
		}
		b.mu.Unlock()
		return false
	}
}

// Wait queues w for the word at addr if the word is val, EAGAIN if it is not.
// A wake with a set that shares no bit with bitset passes w over.
func (t *Table) Wait(m Memory, addr uint64, private bool, val, bitset uint32, w *Waiter) error {
	if bitset == 0 {
		return linux.EINVAL
	}
	k, err := m.FutexKey(addr, private)
	if err != nil {
		return err
	}
	return t.wait(m, addr, k, val, bitset, plain, w)
}

func (t *Table) wait(m Memory, addr uint64, k memmap.FutexKey, val, bitset uint32, kind waiterKind, w *Waiter) error {
	switch v, err := m.LoadUint32(addr); {
	case err != nil:
		return err
	case v != val:
		return linux.EAGAIN
	}
	b := t.bucketOf(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	m.Sleeping(1)
	switch v, err := m.LoadUint32(addr); {
	case err != nil:
		m.Sleeping(-1)
		return err
	case v != val:
		m.Sleeping(-1)
		return linux.EAGAIN
	}
	w.woken.Store(false)
	w.key, w.bitset, w.kind, w.mem, w.moved = k, bitset, kind, m, 0
	if kind != plain {
		t.piWaiters.Add(1)
	}
	b.addLocked(w)
	return nil
}

// A Want is one word of WaitAny.
type Want struct {
	Addr    uint64
	Private bool
	Val     uint32
}

// WaitAny queues one waiter for each word (futex_waitv(2)). With a nil error all
// are queued and woken is -1, or woken is the index of one that was woken before
// all were queued, and none is queued.
func (t *Table) WaitAny(m Memory, wants []Want, waiters []*Waiter) (woken int, err error) {
	for i := range wants {
		err := t.Wait(m, wants[i].Addr, wants[i].Private, wants[i].Val, linux.FUTEX_BITSET_MATCH_ANY, waiters[i])
		if err != nil {
			if n := t.UnqueueAll(waiters[:i]); n >= 0 {
				return n, nil
			}
			return -1, err
		}
	}
	return -1, nil
}

// UnqueueAll ends the stay of all and returns the last index that was woken, -1
// if none was.
func (t *Table) UnqueueAll(waiters []*Waiter) int {
	woken := -1
	for i, w := range waiters {
		if t.Unqueue(w) {
			woken = i
		}
	}
	return woken
}

// Wake wakes up to n waiters of the word at addr whose bitset shares a bit with
// bitset, the longest waiting first. As in Linux n below 1 wakes one.
func (t *Table) Wake(m Memory, addr uint64, private bool, n int, bitset uint32) (int, error) {
	if bitset == 0 {
		return 0, linux.EINVAL
	}
	k, err := m.FutexKey(addr, private)
	if err != nil {
		return 0, err
	}
	b := t.bucketOf(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	return t.wakeKeyLocked(b, k, n, bitset)
}

func (t *Table) wakeKeyLocked(b *bucket, k memmap.FutexKey, n int, bitset uint32) (done int, err error) {
	var next *Waiter
	for w := b.first; w != nil; w = next {
		next = w.next
		if w.key != k {
			continue
		}
		if w.kind != plain {
			return done, linux.EINVAL
		}
		if w.bitset&bitset == 0 {
			continue
		}
		t.wakeLocked(b, w)
		if done++; done >= n {
			break
		}
	}
	return done, nil
}

// WakeAddress wakes n waiters of the word at addr, be they waiting for it as a
// private or as a shared one (a thread's exit clears its tid).
func (t *Table) WakeAddress(m Memory, addr uint64, n int) {
	const all = linux.FUTEX_BITSET_MATCH_ANY
	done, _ := t.Wake(m, addr, false, n, all)
	if done < n {
		_, _ = t.Wake(m, addr, true, n-done, all)
	}
}

// lockBoth locks the buckets of two keys, which may be one.
func (t *Table) lockBoth(k1, k2 memmap.FutexKey) (a, b *bucket, unlock func()) {
	a, b = t.bucketOf(k1), t.bucketOf(k2)
	lock.Two(&a.mu, &b.mu)
	return a, b, func() { lock.UnlockTwo(&a.mu, &b.mu) }
}

// Requeue wakes up to wake waiters of the word at addr and moves up to move of
// the others to the word at addr2; it returns how many it woke or moved. With
// cmp the word at addr has to be *cmp, or it is EAGAIN.
func (t *Table) Requeue(m Memory, addr, addr2 uint64, private bool, wake, move int, cmp *uint32) (int, error) {
	if wake < 0 || move < 0 {
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
	if cmp != nil {
		if _, err := m.LoadUint32(addr); err != nil {
			return 0, err
		}
	}
	a, b, unlock := t.lockBoth(k1, k2)
	defer unlock()
	if cmp != nil {
		switch v, err := m.LoadUint32(addr); {
		case err != nil:
			return 0, err
		case v != *cmp:
			return 0, linux.EAGAIN
		}
	}
	done := 0
	var next *Waiter
	for w, last := a.first, a.last; w != nil && done-wake < move; w = next {
		next = w.next
		if w == last {
			next = nil // what is moved within one bucket comes after
		}
		if w.key != k1 {
			continue
		}
		if w.kind != plain {
			return done, linux.EINVAL
		}
		if done++; done <= wake {
			t.wakeLocked(a, w)
			continue
		}
		a.removeLocked(w)
		w.key = k2
		if w.mem == m {
			w.moved = addr2
		}
		b.addLocked(w)
	}
	return done, nil
}

// WakeOp changes the word at addr2 as op says (FUTEX_OP in futex(2)), wakes up
// to n waiters of addr and, if the old word compared as op says, up to n2 of
// addr2.
func (t *Table) WakeOp(m Memory, addr, addr2 uint64, private bool, n, n2 int, op uint32) (int, error) {
	k1, err := m.FutexKey(addr, private)
	if err != nil {
		return 0, err
	}
	k2, err := m.FutexKey(addr2, private)
	if err != nil {
		return 0, err
	}
	change, holds, err := decodeOp(op)
	if err != nil {
		return 0, err
	}
	if _, err := m.LoadUint32(addr2); err != nil {
		return 0, err
	}
	a, b, unlock := t.lockBoth(k1, k2)
	defer unlock()
	old, err := update(m, addr2, change)
	if err != nil {
		return 0, err
	}
	done, err := t.wakeKeyLocked(a, k1, n, linux.FUTEX_BITSET_MATCH_ANY)
	if err != nil || !holds(old) {
		return done, err
	}
	more, err := t.wakeKeyLocked(b, k2, n2, linux.FUTEX_BITSET_MATCH_ANY)
	return done + more, err
}

// update stores change of the word in its place and returns the old one.
func update(m Memory, addr uint64, change func(uint32) uint32) (old uint32, err error) {
	old, err = m.LoadUint32(addr)
	for err == nil {
		var was uint32
		was, err = m.CompareAndSwapUint32(addr, old, change(old))
		if was == old {
			return old, err
		}
		old = was
	}
	return 0, err
}

// decodeOp takes FUTEX_WAKE_OP's operation apart.
func decodeOp(enc uint32) (change func(uint32) uint32, holds func(uint32) bool, err error) {
	op, cmp := enc>>28, enc>>24&0xf
	arg := int32(enc<<8) >> 20
	cmpArg := int32(enc<<20) >> 20
	if op&linux.FUTEX_OP_OPARG_SHIFT != 0 {
		op &^= linux.FUTEX_OP_OPARG_SHIFT
		arg = 1 << (uint32(arg) & 31)
	}
	u := uint32(arg)
	switch op {
	case linux.FUTEX_OP_SET:
		change = func(uint32) uint32 { return u }
	case linux.FUTEX_OP_ADD:
		change = func(v uint32) uint32 { return v + u }
	case linux.FUTEX_OP_OR:
		change = func(v uint32) uint32 { return v | u }
	case linux.FUTEX_OP_ANDN:
		change = func(v uint32) uint32 { return v &^ u }
	case linux.FUTEX_OP_XOR:
		change = func(v uint32) uint32 { return v ^ u }
	default:
		return nil, nil, linux.ENOSYS
	}
	switch cmp {
	case linux.FUTEX_OP_CMP_EQ:
		holds = func(v uint32) bool { return int32(v) == cmpArg }
	case linux.FUTEX_OP_CMP_NE:
		holds = func(v uint32) bool { return int32(v) != cmpArg }
	case linux.FUTEX_OP_CMP_LT:
		holds = func(v uint32) bool { return int32(v) < cmpArg }
	case linux.FUTEX_OP_CMP_GE:
		holds = func(v uint32) bool { return int32(v) >= cmpArg }
	case linux.FUTEX_OP_CMP_LE:
		holds = func(v uint32) bool { return int32(v) <= cmpArg }
	case linux.FUTEX_OP_CMP_GT:
		holds = func(v uint32) bool { return int32(v) > cmpArg }
	default:
		return nil, nil, linux.ENOSYS
	}
	return change, holds, nil
}
