package futex

import (
	"hash/maphash"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
)

// A Key names a futex word.
type Key = memmap.FutexKey

// AnyBits is the bitset of a wait or a wake without one.
const AnyBits = ^uint32(0)

// buckets is a power of two.
const buckets = 256

// A Table holds waiters.
type Table struct {
	// immutable
	seed maphash.Seed

	buckets [buckets]bucket
}

type bucket struct {
	mu sync.Mutex
	// guarded by mu
	first, last *Waiter
}

// A Waiter is one sleep on one word.
type Waiter struct {
	// immutable while queued, but for what requeue changes
	bits uint32
	wake func()

	// guarded by the bucket's mu
	key        Key
	next, prev *Waiter
	tid        int32 // of a PI waiter
	handed     bool  // a PI lock was handed to it

	// guarded by mu: which bucket it is in, nil when woken
	mu     sync.Mutex
	bucket *bucket
	index  int // of a multiple wait
}

// NewTable returns an empty table.
func NewTable() *Table { return &Table{seed: maphash.MakeSeed()} }

func (t *Table) bucket(k Key) *bucket {
	return &t.buckets[maphash.Comparable(t.seed, k)%buckets]
}

// NewWaiter returns a waiter whose owner is told by wake, which is called with
// locks held and only sets a flag or puts a token somewhere.
func NewWaiter(wake func()) *Waiter { return &Waiter{wake: wake} }

// Prepare queues w on k if check, which looks at the word, returns nil. A wake
// that follows the change of the word finds w.
func (t *Table) Prepare(w *Waiter, k Key, bits uint32, check func() error) error {
	b := t.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := check(); err != nil {
		return err
	}
	w.key, w.bits = k, bits
	b.pushLocked(w)
	return nil
}

// Woken reports whether w has been taken off by a wake.
func (w *Waiter) Woken() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bucket == nil
}

// Cancel takes w off its queue and reports whether a wake was faster.
func (t *Table) Cancel(w *Waiter) (woken bool) {
	for {
		w.mu.Lock()
		b := w.bucket
		w.mu.Unlock()
		if b == nil {
			return true
		}
		b.mu.Lock()
		w.mu.Lock()
		same := w.bucket == b
		w.mu.Unlock()
		if same {
			b.removeLocked(w)
			b.mu.Unlock()
			return false
		}
		b.mu.Unlock() // requeued meanwhile
	}
}

func (b *bucket) pushLocked(w *Waiter) {
	w.prev, w.next = b.last, nil
	if b.last != nil {
		b.last.next = w
	} else {
		b.first = w
	}
	b.last = w
	w.mu.Lock()
	w.bucket = b
	w.mu.Unlock()
}

func (b *bucket) removeLocked(w *Waiter) {
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
	w.mu.Lock()
	w.bucket = nil
	w.mu.Unlock()
}

// wakeLocked wakes up to n waiters of k.
func (b *bucket) wakeLocked(k Key, bits uint32, n int) (woken int) {
	for w := b.first; w != nil && woken < n; {
		next := w.next
		if w.key == k && w.bits&bits != 0 {
			b.removeLocked(w)
			w.wake()
			woken++
		}
		w = next
	}
	return woken
}

// Wake wakes up to n waiters of k whose bits meet bits.
func (t *Table) Wake(k Key, bits uint32, n int) int {
	b := t.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wakeLocked(k, bits, n)
}

// lockTwo locks the buckets of two keys.
func (t *Table) lockTwo(k, l Key) (a, b *bucket, unlock func()) {
	a, b = t.bucket(k), t.bucket(l)
	if a == b {
		a.mu.Lock()
		return a, b, a.mu.Unlock
	}
	x, y := a, b
	if t.order(b) < t.order(a) {
		x, y = b, a
	}
	x.mu.Lock()
	y.mu.Lock()
	return a, b, func() { y.mu.Unlock(); x.mu.Unlock() }
}

// order is a bucket's place in the lock order.
func (t *Table) order(b *bucket) int {
	for i := range t.buckets {
		if &t.buckets[i] == b {
			return i
		}
	}
	return -1
}

// Requeue wakes up to wake waiters of from and moves up to move others to to,
// if check returns nil. It returns how many it woke and how many it moved.
func (t *Table) Requeue(from, to Key, wake, move int, check func() error) (woken, moved int, err error) {
	a, b, unlock := t.lockTwo(from, to)
	defer unlock()
	if check != nil {
		if err := check(); err != nil {
			return 0, 0, err
		}
	}
	woken = a.wakeLocked(from, AnyBits, wake)
	if from == to {
		return woken, min(move, a.countLocked(from)), nil
	}
	for w := a.first; w != nil && moved < move; {
		next := w.next
		if w.key == from {
			a.removeLocked(w)
			w.key = to
			b.pushLocked(w)
			moved++
		}
		w = next
	}
	return woken, moved, nil
}

func (b *bucket) countLocked(k Key) (n int) {
	for w := b.first; w != nil; w = w.next {
		if w.key == k {
			n++
		}
	}
	return n
}

// WakeOp is FUTEX_WAKE_OP: op changes the word of second and says whether its
// waiters are woken too.
func (t *Table) WakeOp(first, second Key, n1, n2 int, op func() (bool, error)) (int, error) {
	a, b, unlock := t.lockTwo(first, second)
	defer unlock()
	also, err := op()
	if err != nil {
		return 0, err
	}
	woken := a.wakeLocked(first, AnyBits, n1)
	if also {
		woken += b.wakeLocked(second, AnyBits, n2)
	}
	return woken, nil
}

// Memory is what the table needs of an address space.
type Memory interface {
	LoadUint32(addr uint64) (uint32, error)
	CompareAndSwapUint32(addr uint64, old, new uint32) (was uint32, err error)
	FutexKey(addr uint64, private bool) (Key, error)
}

// WakeBoth wakes n waiters of the word at addr, be they private or shared.
func (t *Table) WakeBoth(m Memory, addr uint64, n int) {
	private, err := m.FutexKey(addr, true)
	if err == nil {
		n -= t.Wake(private, AnyBits, n)
	}
	if shared, err := m.FutexKey(addr, false); err == nil && n > 0 && shared != private {
		t.Wake(shared, AnyBits, n)
	}
}

// OwnerDied marks the word at addr if tid owns it, and wakes a waiter (Linux:
// kernel/futex/core.c handle_futex_death). pending: the lock was being taken
// or released when the thread died.
func (t *Table) OwnerDied(m Memory, addr uint64, tid int32, pi, pending bool) {
	if addr%4 != 0 {
		return
	}
	for {
		v, err := m.LoadUint32(addr)
		if err != nil {
			return
		}
		if pending && !pi && v == 0 {
			t.WakeBoth(m, addr, 1)
			return
		}
		if v&linux.FUTEX_TID_MASK != uint32(tid) {
			return
		}
		died := v&linux.FUTEX_WAITERS | linux.FUTEX_OWNER_DIED
		was, err := m.CompareAndSwapUint32(addr, v, died)
		if err != nil {
			return
		}
		if was != v {
			continue
		}
		if pi {
			t.piOwnerDied(m, addr)
		} else if v&linux.FUTEX_WAITERS != 0 {
			t.WakeBoth(m, addr, 1)
		}
		return
	}
}
