package futex

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/memmap"
)

// memory is words at multiples of four.
type memory struct {
	words    [64]atomic.Uint32
	sleeping atomic.Int32
}

func (m *memory) Sleeping(n int) { m.sleeping.Add(int32(n)) }

func (m *memory) FutexKey(addr uint64, private bool) (memmap.FutexKey, error) {
	switch {
	case addr&3 != 0:
		return memmap.FutexKey{}, linux.EINVAL
	case addr >= 256:
		return memmap.FutexKey{}, linux.EFAULT
	case private:
		return memmap.FutexKey{Object: m, Offset: addr}, nil
	}
	return memmap.FutexKey{Object: &m.words, Offset: addr}, nil
}

func (m *memory) LoadUint32(addr uint64) (uint32, error) {
	if addr >= 256 {
		return 0, linux.EFAULT
	}
	return m.words[addr/4].Load(), nil
}

func (m *memory) CompareAndSwapUint32(addr uint64, old, new uint32) (uint32, error) {
	if addr >= 256 {
		return 0, linux.EFAULT
	}
	for { // old as the answer has to mean that it was swapped
		if v := m.words[addr/4].Load(); v != old || m.words[addr/4].CompareAndSwap(old, new) {
			return v, nil
		}
	}
}

const all = linux.FUTEX_BITSET_MATCH_ANY

func everybody(int32) bool { return true }

func waiter() *Waiter { return &Waiter{Wake: func() {}} }

func TestWaitAndWake(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	m.words[1].Store(5)
	if err := tab.Wait(m, 4, true, 6, all, waiter()); err != linux.EAGAIN {
		t.Errorf("wrong value: %v", err)
	}
	if err := tab.Wait(m, 4, true, 5, 0, waiter()); err != linux.EINVAL {
		t.Errorf("no bits: %v", err)
	}
	if err := tab.Wait(m, 5, true, 5, all, waiter()); err != linux.EINVAL {
		t.Errorf("unaligned: %v", err)
	}
	if err := tab.Wait(m, 4096, true, 5, all, waiter()); err != linux.EFAULT {
		t.Errorf("no memory: %v", err)
	}
	ws := []*Waiter{waiter(), waiter(), waiter()}
	for i, w := range ws {
		if err := tab.Wait(m, 4, true, 5, 1<<i, w); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := tab.Wake(m, 4, false, 9, all); n != 0 {
		t.Errorf("a shared wake woke %d private waiters", n)
	}
	if n, _ := tab.Wake(m, 4, true, 9, 2); n != 1 || !ws[1].Woken() {
		t.Errorf("bitset woke %d", n)
	}
	if n, _ := tab.Wake(m, 4, true, 0, all); n != 1 || !ws[0].Woken() {
		t.Errorf("0 woke %d", n)
	}
	if tab.Unqueue(ws[2]) || !tab.Unqueue(ws[1]) {
		t.Error("Unqueue is wrong about who was woken")
	}
	if n, _ := tab.Wake(m, 4, true, 9, all); n != 0 {
		t.Errorf("woke %d of none", n)
	}
}

func TestRequeue(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	var ws []*Waiter
	for range 5 {
		ws = append(ws, waiter())
		tab.Wait(m, 0, true, 0, all, ws[len(ws)-1])
	}
	bad := uint32(1)
	if _, err := tab.Requeue(m, 0, 8, true, 1, 2, &bad); err != linux.EAGAIN {
		t.Errorf("wrong value: %v", err)
	}
	if n, err := tab.Requeue(m, 0, 8, true, 1, 2, new(uint32)); n != 3 || err != nil {
		t.Errorf("Requeue = %d, %v", n, err)
	}
	if !ws[0].Woken() || ws[1].Woken() {
		t.Error("the wrong one was woken")
	}
	if n, _ := tab.Wake(m, 8, true, 9, all); n != 2 || !ws[1].Woken() || !ws[2].Woken() {
		t.Errorf("woke %d at the new place", n)
	}
	if n, _ := tab.Requeue(m, 0, 0, true, 0, 100, nil); n != 2 {
		t.Errorf("requeue in place = %d", n)
	}
	if tab.Unqueue(ws[3]) || tab.Unqueue(ws[4]) {
		t.Error("woken by a requeue")
	}
}

func TestWakeOp(t *testing.T) {
	op := func(op, arg, cmp, cmparg uint32) uint32 { return op<<28 | cmp<<24 | arg&0xfff<<12 | cmparg&0xfff }
	for _, tt := range []struct {
		op       uint32
		old, new uint32
		second   bool
		err      error
	}{
		{op(linux.FUTEX_OP_SET, 7, linux.FUTEX_OP_CMP_EQ, 3), 3, 7, true, nil},
		{op(linux.FUTEX_OP_ADD, 0xfff, linux.FUTEX_OP_CMP_GT, 3), 3, 2, false, nil},
		{op(linux.FUTEX_OP_OR|linux.FUTEX_OP_OPARG_SHIFT, 4, linux.FUTEX_OP_CMP_LE, 3), 3, 19, true, nil},
		{op(linux.FUTEX_OP_ANDN, 1, linux.FUTEX_OP_CMP_LT, 4), 3, 2, true, nil},
		{op(linux.FUTEX_OP_XOR, 1, linux.FUTEX_OP_CMP_GE, 4), 3, 2, false, nil},
		{op(5, 1, linux.FUTEX_OP_CMP_GE, 4), 3, 3, false, linux.ENOSYS},
		{op(1, 1, 6, 4), 3, 3, false, linux.ENOSYS},
	} {
		m, tab := &memory{}, NewTable(everybody)
		m.words[1].Store(tt.old)
		a, b := waiter(), waiter()
		tab.Wait(m, 0, true, 0, all, a)
		tab.Wait(m, 4, true, tt.old, all, b)
		n, err := tab.WakeOp(m, 0, 4, true, 1, 1, tt.op)
		if err != tt.err || m.words[1].Load() != tt.new || b.Woken() != tt.second || err == nil && !a.Woken() {
			t.Errorf("%#x: %d, %v, word %d, second %v", tt.op, n, err, m.words[1].Load(), b.Woken())
		}
	}
}

func TestWaitAny(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	wants := []Want{{0, true, 0}, {4, true, 0}, {8, true, 0}}
	ws := []*Waiter{waiter(), waiter(), waiter()}
	if n, err := tab.WaitAny(m, wants, ws); n != -1 || err != nil {
		t.Fatalf("WaitAny = %d, %v", n, err)
	}
	tab.Wake(m, 4, true, 1, all)
	if n := tab.UnqueueAll(ws); n != 1 {
		t.Errorf("woken %d", n)
	}
	wants[2].Val = 1
	if _, err := tab.WaitAny(m, wants, ws); err != linux.EAGAIN {
		t.Errorf("wrong value: %v", err)
	}
	if n, _ := tab.Wake(m, 0, true, 1, all); n != 0 {
		t.Error("a failed WaitAny left a waiter")
	}
}

func TestPILock(t *testing.T) {
	m := &memory{}
	dead := map[int32]bool{}
	tab := NewTable(func(tid int32) bool { return !dead[tid] })
	word := func() uint32 { return m.words[0].Load() }
	if q, err := tab.LockPI(m, 0, true, 10, waiter()); q || err != nil || word() != 10 {
		t.Fatalf("free lock: %v, %v, %#x", q, err, word())
	}
	if _, err := tab.LockPI(m, 0, true, 10, waiter()); err != linux.EDEADLK {
		t.Errorf("own lock: %v", err)
	}
	if _, err := tab.LockPI(m, 0, true, 11, nil); err != linux.EAGAIN {
		t.Errorf("try: %v", err)
	}
	a, b := waiter(), waiter()
	tab.LockPI(m, 0, true, 11, a)
	if q, err := tab.LockPI(m, 0, true, 12, b); !q || err != nil || word() != waiters|10 {
		t.Fatalf("held lock: %v, %v, %#x", q, err, word())
	}
	if err := tab.UnlockPI(m, 0, true, 11); err != linux.EPERM {
		t.Errorf("unlock of another's: %v", err)
	}
	if err := tab.UnlockPI(m, 0, true, 10); err != nil || !a.Woken() || b.Woken() || word() != waiters|11 {
		t.Errorf("unlock: %v, %#x", err, word())
	}
	dead[11] = true
	tab.Exited(11, nil)
	if !b.Woken() || word() != waiters|ownerDied|12 {
		t.Errorf("owner died: %v, %#x", b.Woken(), word())
	}
	if err := tab.UnlockPI(m, 0, true, 12); err != nil || word() != 0 {
		t.Errorf("last unlock: %v, %#x", err, word())
	}
	m.words[0].Store(11)
	if _, err := tab.LockPI(m, 0, true, 13, waiter()); err != linux.ESRCH {
		t.Errorf("lock of the dead: %v", err)
	}
	if tab.piWaiters.Load() != 0 {
		t.Error("waiters are left")
	}
}

func TestRequeuePI(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	a, b := waiter(), waiter()
	for tid, w := range map[int32]*Waiter{21: a} {
		tab.WaitRequeuePI(m, 0, 4, true, 0, all, tid, w)
	}
	tab.WaitRequeuePI(m, 0, 4, true, 0, all, 22, b)
	if _, err := tab.Wake(m, 0, true, 1, all); err != linux.EINVAL {
		t.Errorf("plain wake: %v", err)
	}
	if _, err := tab.CmpRequeuePI(m, 0, 8, true, 1, 5, 0); err != linux.EINVAL {
		t.Errorf("to another lock: %v", err)
	}
	if n, err := tab.CmpRequeuePI(m, 0, 4, true, 1, 5, 0); n != 2 || err != nil {
		t.Fatalf("CmpRequeuePI = %d, %v", n, err)
	}
	if !a.Woken() || b.Woken() || m.words[1].Load() != waiters|21 {
		t.Fatalf("woken %v %v, word %#x", a.Woken(), b.Woken(), m.words[1].Load())
	}
	tab.UnlockPI(m, 4, true, 21)
	if !b.Woken() || m.words[1].Load() != waiters|22 {
		t.Errorf("woken %v, word %#x", b.Woken(), m.words[1].Load())
	}
}

func TestOwnerDied(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	w := waiter()
	m.words[0].Store(waiters | 5)
	tab.Wait(m, 0, false, waiters|5, all, w)
	tab.OwnerDied(m, 0, 6, false, false)
	if w.Woken() || m.words[0].Load() != waiters|5 {
		t.Error("another's death changed the word")
	}
	tab.OwnerDied(m, 0, 5, false, false)
	if !w.Woken() || m.words[0].Load() != waiters|ownerDied {
		t.Errorf("woken %v, word %#x", w.Woken(), m.words[0].Load())
	}
	w = waiter()
	m.words[1].Store(0)
	tab.Wait(m, 4, true, 0, all, w)
	tab.OwnerDied(m, 4, 5, false, true)
	if !w.Woken() || m.words[1].Load() != 0 {
		t.Error("a pending unlock woke nobody")
	}
}

// Threads increment counters under locks made of futexes, plain and PI, some
// giving up their waits now and then.
func TestMutexes(t *testing.T) {
	m, tab := &memory{}, NewTable(everybody)
	const threads, rounds = 8, 300
	var plainCount, piCount int
	var wg sync.WaitGroup
	for tid := int32(1); tid <= threads; tid++ {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(tid)))
			c := make(chan struct{}, 1)
			w := &Waiter{Wake: func() {
				select {
				case c <- struct{}{}:
				default:
				}
			}}
			for range rounds {
				lockPlain(m, tab, w, c)
				plainCount++
				if m.words[0].Swap(0) == 2 {
					tab.Wake(m, 0, true, 1, all)
				}
				for !lockPI(m, tab, w, c, tid, rnd.IntN(4) == 0) {
				}
				piCount++
				if !m.words[1].CompareAndSwap(uint32(tid), 0) {
					if err := tab.UnlockPI(m, 4, true, tid); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if plainCount != threads*rounds || piCount != threads*rounds {
		t.Errorf("counted %d and %d", plainCount, piCount)
	}
	if w := m.words[1].Load(); w != 0 || tab.piWaiters.Load() != 0 {
		t.Errorf("word %#x is left", w)
	}
}

func lockPlain(m *memory, tab *Table, w *Waiter, c chan struct{}) {
	if m.words[0].CompareAndSwap(0, 1) {
		return
	}
	for m.words[0].Swap(2) != 0 {
		if tab.Wait(m, 0, true, 2, all, w) != nil {
			continue
		}
		for !w.Woken() {
			<-c
		}
		tab.Unqueue(w)
	}
}

func lockPI(m *memory, tab *Table, w *Waiter, c chan struct{}, tid int32, giveUp bool) bool {
	if m.words[1].CompareAndSwap(0, uint32(tid)) {
		return true
	}
	queued, err := tab.LockPI(m, 4, true, tid, w)
	if err != nil {
		return false
	}
	if !queued {
		return true
	}
	if giveUp {
		runtime.Gosched()
		return tab.Unqueue(w)
	}
	for !w.Woken() {
		<-c
	}
	return tab.Unqueue(w)
}

func TestNoAllocation(t *testing.T) {
	if lock.Checking {
		t.Skip("the lock checker allocates")
	}
	m, tab, w := &memory{}, NewTable(everybody), waiter()
	if n := testing.AllocsPerRun(100, func() {
		tab.Wait(m, 0, true, 0, all, w)
		tab.Wake(m, 0, true, 1, all)
		tab.Unqueue(w)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkWakeNobody(b *testing.B) {
	m, tab := &memory{}, NewTable(everybody)
	for b.Loop() {
		tab.Wake(m, 0, true, 1, all)
	}
}
