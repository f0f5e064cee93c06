package stub

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Placement on processors. A ptrace trap costs 5.5 us when the guest's and the Sentry's
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

// A Place is a context's part in it.
type Place struct {
	// task-only
	bound    bool
	streak   int    // short runs of the guest in a row
	began    int64  // when the guest last began to run
	answered int    // calls since the owner last let others have the CPU
	yields   int    // since it rests
	count    int    // calls that calls does not have yet
	bulk     int    // runs of the guest for which it is taken for one that moves much
	roams    bool   // its owner sleeps unbound
	linger   func() // see OnLinger, or nil
	stays    int64  // until when it does not
	looks    *Group // in which group's looking it counts

	// task-only, and guarded by Placer.mu as well while in a group: out says that the
	// guest runs, or that its owner is expected to let it soon; slow, that it counts
	// in Placer.out.
	out, slow bool

	// atomic: turns is odd while the guest runs; calls counts its calls; loose says that the stub
	// thread is unbound; thread is the stub thread, or 0.
	turns  atomic.Uint64
	calls  atomic.Uint64
	loose  atomic.Bool
	thread atomic.Int32

	// atomic: word is the futex that says whose turn it is; parked, that the owner
	// sleeps on it and another one looks; resting, that it sleeps in the Sentry;
	// credit, in which group's ready it counts; slowed, that its guest was found to
	// take long; quelled, that its stub was told to sleep; handed, that nobody is its owner.
	word    atomic.Pointer[uint32]
	parked  atomic.Bool
	resting atomic.Bool
	credit  atomic.Pointer[Group]
	slowed  atomic.Bool
	quelled atomic.Bool
	handed  atomic.Bool

	// atomic: changed under Placer.mu.
	group atomic.Pointer[Group]

	// guarded by Placer.mu
	owner *Footing // nil: none yet, or nobody's since HandOver
	cpu   int      // index in Placer.allowed
	seen  uint64   // turns at the last look
	told  uint64   // calls then
	fresh int      // looks for which it still counts as active
	seat  int      // 1 + its seat in its group, or 0
}

// Placer places contexts on processors.
type Placer struct {
	// immutable
	all     [16]uint64 // the process's affinity mask
	allowed []int
	epoch   time.Time
	wake    chan struct{}
	quit    chan struct{}
	done    chan struct{}

	// atomic: the goroutine sleeps until a guest runs.
	parked atomic.Bool

	// atomic: how many guests run that are not quick, and how many CPUs groups have.
	out  atomic.Int32
	live atomic.Int32

	// atomic: no group forms before these times, by now, because of others' load and
	// because guests are better apart.
	until atomic.Int64
	apart atomic.Int64

	// guarded by mu
	mu     sync.Mutex
	places map[*Place]struct{}
	groups []*Group
	load   hostLoad
	trial  trial
	uneven int
	calm   int
}

// NewPlacer returns a placer for the CPUs that the process may use. Loadavg is a descriptor
// of the host's /proc/loadavg, which Stop closes, or -1.
func NewPlacer(loadavg int) *Placer {
	p := &Placer{
		places: map[*Place]struct{}{}, load: hostLoad{fd: loadavg}, epoch: time.Now(),
		wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}),
	}
	AffinitySet(0, &p.all)
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

// now is the time in nanoseconds since the placer was made.
func (p *Placer) now() int64 { return int64(time.Since(p.epoch)) }

// Start puts a context that the caller makes where the caller is.
func (p *Placer) Start(h *Place) {
	now := CurrentCPU()
	for i, cpu := range p.allowed {
		if cpu == now {
			h.cpu = i
		}
	}
	h.streak = quickStreak
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.groups {
		if g.owners == h.cpu {
			h.cpu = g.guests
		}
	}
}

// Bind puts a stub thread beside its owner, the calling thread. Word is the futex that
// is 1 while it is the owner's turn, or nil.
func (p *Placer) Bind(h *Place, tid int32, word *uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h.word.Store(word)
	h.loose.Store(false)
	h.thread.Store(tid)
	if !h.bound {
		h.bound = true
		if h.owner == nil {
			h.owner = p.newFooting()
		}
		p.places[h] = struct{}{}
		if word == nil || !p.joinLocked(h) {
			h.owner.putLocked(h.cpu, false)
		}
	}
	SetAffinity(tid, p.allowed[h.cpu])
}

// Leave forgets a context and lets its owner's thread go.
func (p *Placer) Leave(h *Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaveLocked(h)
	if h.bound {
		h.bound = false
		delete(p.places, h)
		h.owner.putLocked(anyCPU, false)
		h.owner = nil
	}
}

// Enter says that h's guest is about to run.
func (p *Placer) Enter(h *Place) {
	if h.loose.Load() {
		p.mu.Lock()
		h.loose.Store(false)
		SetAffinity(h.thread.Load(), p.allowed[h.cpu])
		p.mu.Unlock()
	}
	if h.out {
		return // of a group: it counts as running until its owner rests
	}
	if h.slowed.Load() {
		h.slowed.Store(false)
		h.streak = 0
	}
	if !p.groupTurn(h, 1) {
		h.out, h.slow = true, h.streak < quickStreak
		if h.slow {
			p.out.Add(1)
		}
	}
	h.turns.Add(1)
	if p.parked.Load() && p.parked.CompareAndSwap(true, false) {
		p.wake <- struct{}{}
	}
}

// Exit says that h's guest has stopped.
func (p *Placer) Exit(h *Place) {
	if !h.out {
		return
	}
	if !p.groupTurn(h, -1) {
		h.out = false
		if h.slow {
			p.out.Add(-1)
		}
	}
	h.turns.Add(1)
}

// Lost says that the stub thread is dead.
func (p *Placer) Lost(h *Place) { h.thread.Store(0) }

// Stop ends the goroutine.
func (p *Placer) Stop() {
	close(p.quit)
	<-p.done
	if p.load.fd >= 0 {
		unix.Close(p.load.fd)
	}
}

func (p *Placer) run() {
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
func (p *Placer) look() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var running, moved, awake int
	counts := make([]int, len(p.allowed))
	last := make([]*Place, len(p.allowed))
	for h := range p.places {
		if !h.resting.Load() {
			awake++
		}
		turns := h.turns.Load()
		same := turns == h.seen
		h.seen = turns
		if h.group.Load() != nil {
			if turns&1 != 0 || !same {
				moved++
			}
			continue
		}
		if same {
			h.fresh = max(0, h.fresh-1)
		} else {
			h.fresh = looksFresh
			moved++
		}
		switch {
		case turns&1 == 0: // in the Sentry
			if h.fresh == 0 || h.resting.Load() || !h.busyLocked() {
				continue
			}
		case h.loose.Load():
			continue
		case same:
			p.loosenLocked(h)
			continue
		default:
			h.owner.timed = false
		}
		running++
		counts[h.cpu]++
		last[h.cpu] = h
	}
	for _, g := range p.groups {
		if g.out > 0 {
			running++
			counts[g.guests]++
			counts[g.owners]++
		}
	}
	p.loadLocked(awake)
	p.tryLocked(p.callsLocked(), p.now())
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
func (h *Place) busyLocked() bool {
	spent, timed := h.owner.spentLocked()
	return timed && spent > int64(lookPeriod)/2
}

// loosenLocked unbinds the stub thread of a guest that computes. If it has
// trapped meanwhile, its next enter binds it again.
func (p *Placer) loosenLocked(h *Place) {
	h.loose.Store(true)
	SetAffinitySet(h.thread.Load(), &p.all)
}

// splitLocked evens out two CPUs of which one has at least two guests more.
func (p *Placer) splitLocked(counts []int, last []*Place) {
	low, high := 0, 0
	for i, n := range counts {
		if n < counts[low] {
			low = i
		}
		if n > counts[high] {
			high = i
		}
	}
	if counts[high]-counts[low] < 2 || last[high] == nil {
		p.uneven = 0
		return
	}
	if p.uneven++; p.uneven >= looksSplit {
		p.uneven = 0
		p.moveLocked(last[high], low)
	}
}

// gatherLocked brings the contexts that have run of late to one CPU.
func (p *Placer) gatherLocked() {
	if p.live.Load() != 0 {
		return
	}
	counts := make([]int, len(p.allowed))
	best := 0
	for h := range p.places {
		if counts[h.cpu]++; counts[h.cpu] > counts[best] {
			best = h.cpu
		}
	}
	for h := range p.places {
		if h.cpu != best && h.group.Load() == nil {
			p.moveLocked(h, best)
		}
	}
}

func (p *Placer) moveLocked(h *Place, cpu int) {
	h.cpu = cpu
	SetAffinity(h.thread.Load(), p.allowed[cpu])
	if h.owner != nil {
		h.owner.putLocked(cpu, false)
	}
}

// All returns the set of CPUs that the process may use.
func (p *Placer) All() *[16]uint64 { return &p.all }

// Near returns the CPU that a thread had best run on which h's guest and its owner, the
// caller, wait for, or -1. That is the guest's, if it is not the owner's: apart.
func (p *Placer) Near(h *Place) (cpu int, apart bool) {
	if g := h.group.Load(); g != nil {
		return p.allowed[g.guests], true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.bound {
		return -1, false
	}
	return p.allowed[h.cpu], false
}

// Spare says whether a CPU may be idle besides the caller's.
func (p *Placer) Spare() bool { return int(p.out.Load()+p.live.Load()) < len(p.allowed) }
