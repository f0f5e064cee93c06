package ptrace

import (
	"sync"
	"sync/atomic"
	"time"

	"cordon/platform/stub"
)

// Placement on processors. A trap costs 5.5 us when the guest's and the Sentry's
// thread share a CPU, and 40 us when the host's scheduler spreads them over two,
// as it does with every wake-up that finds another CPU idle. So the two are bound
// to one CPU, the context's home, and what the scheduler would have done for load
// is done here: while guests run, a goroutine looks every few milliseconds.
//
//   - A guest that has not trapped since the last look computes: its stub thread
//     is unbound, and the scheduler moves it as it likes, until it traps.
//   - When one CPU has two more running guests than another, twice in a row, one
//     of them moves. Once is chance: a guest that wakes another goes on for a bit.
//   - When at most one guest runs at any time for a while, those that take turns
//     are brought together, because waking a thread on another CPU is as dear.
//
// A new context starts on the CPU of the one that made it.

// The period of the looks, and how many of them make up one's mind.
const (
	lookPeriod  = 5 * time.Millisecond
	looksSplit  = 2
	looksGather = 8
	looksIdle   = 4
	looksFresh  = 20
)

// placement is a context's part in it.
type placement struct {
	// task-only
	bound bool

	// atomic: turns is odd while the guest runs; loose says that the stub
	// thread is unbound; thread is the stub thread, or 0.
	turns  atomic.Uint64
	loose  atomic.Bool
	thread atomic.Int32

	// guarded by cpus.mu
	owner int32  // the OS thread of the context's owner
	cpu   int    // index in cpus.allowed
	seen  uint64 // turns at the last look
	fresh int    // looks for which it still counts as active
	timed bool   // time was read at the last look
	time  int64  // the owner's CPU time then, in nanoseconds
}

// cpus places contexts on processors.
type cpus struct {
	// immutable
	all     [16]uint64 // the process's affinity mask
	allowed []int
	wake    chan struct{}
	quit    chan struct{}
	done    chan struct{}

	// atomic: the goroutine sleeps until a guest runs.
	parked atomic.Bool

	// guarded by mu
	mu       sync.Mutex
	contexts map[*Context]struct{}
	uneven   int
	calm     int
}

func newCPUs() *cpus {
	p := &cpus{
		contexts: map[*Context]struct{}{},
		wake:     make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	stub.AffinitySet(0, &p.all)
	for i := range len(p.all) * 64 {
		if p.all[i/64]&(1<<(i%64)) != 0 {
			p.allowed = append(p.allowed, i)
		}
	}
	if len(p.allowed) == 0 {
		p.allowed = []int{0}
	}
	p.parked.Store(true)
	go p.run()
	return p
}

// start returns where a context that the caller makes begins.
func (p *cpus) start() int {
	now := stub.CurrentCPU()
	for i, cpu := range p.allowed {
		if cpu == now {
			return i
		}
	}
	return 0
}

// bind puts a stub thread beside its tracer, the calling thread.
func (p *cpus) bind(c *Context, tid int32) {
	h := &c.home
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.bound {
		h.bound = true
		h.owner = stub.CurrentThread()
		p.contexts[c] = struct{}{}
		stub.SetAffinity(0, p.allowed[h.cpu])
	}
	h.loose.Store(false)
	h.thread.Store(tid)
	stub.SetAffinity(tid, p.allowed[h.cpu])
}

// leave forgets a context and lets its owner's thread go.
func (p *cpus) leave(c *Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.home.bound {
		c.home.bound = false
		delete(p.contexts, c)
		stub.SetAffinitySet(0, &p.all)
	}
}

// enter says that c's guest is about to run.
func (p *cpus) enter(c *Context) {
	h := &c.home
	if h.loose.Load() {
		p.mu.Lock()
		h.loose.Store(false)
		stub.SetAffinity(h.thread.Load(), p.allowed[h.cpu])
		p.mu.Unlock()
	}
	h.turns.Add(1)
	if p.parked.Load() && p.parked.CompareAndSwap(true, false) {
		p.wake <- struct{}{}
	}
}

// exit says that c's guest has stopped.
func (p *cpus) exit(c *Context) { c.home.turns.Add(1) }

// stop ends the goroutine.
func (p *cpus) stop() {
	close(p.quit)
	<-p.done
}

func (p *cpus) run() {
	defer close(p.done)
	timer := time.NewTimer(lookPeriod)
	defer timer.Stop()
	for {
		select {
		case <-p.wake:
		case <-p.quit:
			return
		}
		for idle := 0; idle < looksIdle; {
			timer.Reset(lookPeriod)
			select {
			case <-timer.C:
			case <-p.quit:
				return
			}
			if p.look() {
				idle = 0
			} else {
				idle++
			}
		}
		p.parked.Store(true)
	}
}

// look examines what runs where and moves at most one context, or gathers them.
// It returns whether there is anything to look at soon.
func (p *cpus) look() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var running, moved int
	counts := make([]int, len(p.allowed))
	last := make([]*Context, len(p.allowed))
	for c := range p.contexts {
		h := &c.home
		turns := h.turns.Load()
		same := turns == h.seen
		h.seen = turns
		if same {
			h.fresh = max(0, h.fresh-1)
		} else {
			h.fresh = looksFresh
			moved++
		}
		switch {
		case turns&1 == 0: // in the Sentry
			if h.fresh == 0 || !h.busyLocked() {
				continue
			}
		case h.loose.Load():
			continue
		case same:
			p.loosenLocked(c)
			continue
		default:
			h.timed = false
		}
		running++
		counts[h.cpu]++
		last[h.cpu] = c
	}
	p.splitLocked(counts, last)
	if running <= 1 && moved >= 2 {
		if p.calm++; p.calm >= looksGather {
			p.calm = 0
			p.gatherLocked()
		}
	} else {
		p.calm = 0
	}
	return moved != 0
}

// busyLocked says whether the owner, outside its guest, has used the processor
// for most of the time since the last look.
func (h *placement) busyLocked() bool {
	now := stub.ThreadTime(h.owner)
	spent, timed := now-h.time, h.timed
	h.time, h.timed = now, true
	return timed && spent > int64(lookPeriod)/2
}

// loosenLocked unbinds the stub thread of a guest that computes. If it has
// trapped meanwhile, its next enter binds it again.
func (p *cpus) loosenLocked(c *Context) {
	h := &c.home
	h.loose.Store(true)
	stub.SetAffinitySet(h.thread.Load(), &p.all)
}

// splitLocked evens out two CPUs of which one has at least two guests more.
func (p *cpus) splitLocked(counts []int, last []*Context) {
	low, high := 0, 0
	for i, n := range counts {
		if n < counts[low] {
			low = i
		}
		if n > counts[high] {
			high = i
		}
	}
	if counts[high]-counts[low] < 2 {
		p.uneven = 0
		return
	}
	if p.uneven++; p.uneven >= looksSplit {
		p.uneven = 0
		p.moveLocked(last[high], low)
	}
}

// gatherLocked brings the contexts that have run of late to one CPU.
func (p *cpus) gatherLocked() {
	counts := make([]int, len(p.allowed))
	best := 0
	for c := range p.contexts {
		h := &c.home
		if counts[h.cpu]++; counts[h.cpu] > counts[best] {
			best = h.cpu
		}
	}
	for c := range p.contexts {
		if c.home.cpu != best {
			p.moveLocked(c, best)
		}
	}
}

func (p *cpus) moveLocked(c *Context, cpu int) {
	h := &c.home
	h.cpu = cpu
	stub.SetAffinity(h.thread.Load(), p.allowed[cpu])
	stub.SetAffinity(h.owner, p.allowed[cpu])
}
