package stub

import "cordon/platform"

// A Footing is what placement has done to a thread of the Sentry that owns a context, or
// has owned one and is to own another: where it is bound, and by which policy it runs.
type Footing struct {
	// immutable
	p   *Placer
	tid int32

	// guarded by Placer.mu
	cpu   int // index in Placer.allowed, or anyCPU
	batch bool
	time  int64 // its CPU time at the last look, in nanoseconds
	timed bool  // that was read
}

const anyCPU = -1

// newFooting is the caller's.
func (p *Placer) newFooting() *Footing {
	return &Footing{p: p, tid: CurrentThread(), cpu: anyCPU}
}

// putLocked binds the thread to a CPU, or to none, and has it give way to others there, or
// not.
func (f *Footing) putLocked(cpu int, batch bool) {
	if f.batch != batch {
		f.batch = batch
		SetBatch(f.tid, batch)
	}
	if f.cpu == cpu {
		return
	}
	if f.cpu = cpu; cpu == anyCPU {
		SetAffinitySet(f.tid, &f.p.all)
	} else {
		SetAffinity(f.tid, f.p.allowed[cpu])
	}
}

// Leave implements platform.Footing.
func (f *Footing) Leave() {
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	f.putLocked(anyCPU, false)
}

// spentLocked returns how long the thread has run since spentLocked was called before, in
// nanoseconds, if it was at the last look at which that mattered.
func (f *Footing) spentLocked() (spent int64, timed bool) {
	now := ThreadTime(f.tid)
	spent, timed = now-f.time, f.timed
	f.time, f.timed = now, true
	return spent, timed
}

// OnLinger sets what is called when the owner, which has not, could have others go on in its
// place: its guest has not come back for a while, or may be long.
func (h *Place) OnLinger(f func()) { h.linger = f }

func (h *Place) lingered() {
	if h.linger != nil {
		h.linger()
	}
}

// Together says whether h is in a group, whose owners one CPU is for.
func (h *Place) Together() bool {
	g := h.group.Load()
	return g != nil && !g.over.Load()
}

// HandOver is Rest for an owner, the caller, that is not to be the context's owner when its
// guest goes on. It is false where it had better be: outside of groups, where guest and
// owner are bound to one CPU.
func (p *Placer) HandOver(h *Place) (platform.Footing, bool) {
	if !h.Together() || h.bulk > 0 {
		return nil, false
	}
	h.resting.Store(true)
	if g := h.group.Load(); h.out {
		p.Exit(h)
		g.makeRoom(h)
	}
	h.handed.Store(true)
	p.mu.Lock()
	defer p.mu.Unlock()
	f := h.owner
	h.owner = nil
	return f, true
}

// TakeOver makes the caller the owner of a context that another may have handed over. f is
// its own footing, or nil.
func (p *Placer) TakeOver(h *Place, f platform.Footing) {
	if h.handed.Load() {
		h.expect() // its stub wakes up meanwhile
		h.handed.Store(false)
	}
	own, _ := f.(*Footing)
	p.mu.Lock()
	if h.bound {
		if own == nil {
			own = p.newFooting()
		}
		if g := h.group.Load(); g != nil {
			own.putLocked(g.owners, true)
		} else {
			own.putLocked(h.cpu, false)
		}
	}
	h.owner = own
	p.mu.Unlock()
	p.Risen(h)
}
