package stub

import (
	"slices"
	"sync/atomic"
)

// Groups. Where a platform's stub hands over through shared memory, an owner that
// looks for its guest's calls on a CPU of its own answers in a third of a microsecond,
// one that sleeps on the guest's CPU in four. Guests that make many calls with little
// in between are therefore put together on one CPU, and their owners on another,
// where one of them looks for all: its own guest's calls it answers itself, at
// another's it wakes that owner and sleeps. So threads are switched when guests
// are, not at every call. A single guest is a group too.
//
// A group has two CPUs for itself, and exists only while no other guest wants them: one
// that computes ends it. Nothing depends on a group for more than speed: a stub that is not
// answered while it looks wakes its owner itself before it sleeps.

const (
	// quickStreak is how many short runs in a row make a guest quick, shortRun, in
	// nanoseconds, what a short run is. A guest is taken for quick until it was not.
	quickStreak = 12
	shortRun    = 20_000

	// An owner looks for its guest groupLooks times in a row, pausing, before it looks
	// at the others, looksAround times before it looks around for guests outside,
	// and gives the group up when no guest has come for maxRounds of that, a quarter
	// of a millisecond: a dynamic linker that asks a virtual processor what it can
	// do takes a tenth, and makes most of its calls after that. For a guest that has the
	// group for itself it is aloneRounds: one that compresses files comes back in
	// between, and nobody waits for its CPU.
	groupLooks  = 6
	aloneLooks  = 200
	looksAround = 200
	maxRounds   = 60
	aloneRounds = 240

	// maxCrowded is for how many rounds more guests may want to run than there are
	// CPUs: one that has woken another goes on for a moment.
	maxCrowded = 30

	// An owner that others wait for on its CPU looks linger times more, because
	// the next call often comes at once, and answers no more than maxAnswers calls.
	linger     = 40
	maxAnswers = 16

	// guestLooks is how often a stub looks for its answer.
	guestLooks = 1000

	// At most maxLooking owners of a group look for what wakes them, maxYields times.
	maxLooking = 2
	maxYields  = 12

	// maxMembers bounds a group, maxSeats those of it that others look for, and
	// lastRested is how many of those who rested last may still have stubs that look.
	maxMembers = 4096
	maxSeats   = 64
	lastRested = 2

	// Of so many owners that are ready the stubs get ready too.
	soonReady = 2
)

// A Group is some contexts whose guests share one CPU and whose owners another. A member
// whose guest runs, or is being answered, has a seat, where others look for it. Those
// that rest cost nothing: there may be a thousand of them.
type Group struct {
	// immutable: indices in Placer.allowed
	guests, owners int

	// atomic: ready counts the owners that have been woken and have not run since.
	ready   atomic.Int32
	looking atomic.Int32 // owners that look for what wakes them
	rested  [lastRested]atomic.Pointer[Place]
	rests   atomic.Uint32

	// atomic: changed under Placer.mu. over says that the group has ended: members
	// that had no seat find out by themselves.
	seats [maxSeats]atomic.Pointer[Place]
	taken atomic.Uint64 // which of them
	over  atomic.Bool

	// guarded by Placer.mu: out is how many of the members' guests run.
	out     int
	members int
}

// An Outcome is what became of a look for a guest.
type Outcome int

const (
	Came Outcome = iota // the guest has handed over, or look wants to return
	Park                // another owner is to have the CPU: sleep until woken
	Over                // the group has ended: wait without it
)

// Wait returns how often the stub shall look for its answer before it sleeps; 0 means
// that its owner is not in a group. It is called between Enter and the guest's start.
func (p *Placer) Wait(h *Place) int32 {
	if h.group.Load() != nil {
		return guestLooks
	}
	h.began = p.now()
	if h.bulk > 0 {
		h.bulk--
		h.lingered()
		return 0
	}
	if h.streak >= quickStreak && p.mayGroup(h.began) && p.join(h) {
		return guestLooks
	}
	h.lingered()
	return 0
}

// mayGroup says whether groups may form.
func (p *Placer) mayGroup(now int64) bool { return now >= p.until.Load() && now >= p.apart.Load() }

// Ran says that the guest of an owner outside a group has come back.
func (p *Placer) Ran(h *Place) {
	if h.group.Load() != nil {
		return
	}
	if p.now()-h.began < shortRun {
		h.streak++
	} else {
		h.streak = 0
	}
}

// Look waits for the guest of an owner in a group, by look, which looks at most n
// times for it or whatever else its caller waits for.
func (p *Placer) Look(h *Place, look func(n int32) bool) Outcome {
	h.settle()
	g := h.group.Load()
	if g == nil {
		h.lingered()
		return Over
	}
	h.answered++
	waiting, crowded := 0, 0
	for round := 0; round < maxRounds || round < aloneRounds && g.alone(); round++ {
		for done := int32(0); done < looksAround; {
			n := int32(groupLooks)
			if g.alone() && g.ready.Load() <= 0 {
				n = aloneLooks
			}
			if look(n) {
				return Came
			}
			done += n
			if g.alone() && g.ready.Load() <= 0 {
				continue
			}
			switch g.others(h) {
			case othersCalled:
				h.lingered()
				return Park
			case othersRun:
				waiting += groupLooks
				if waiting > linger || h.answered > maxAnswers {
					waiting, h.answered = 0, 0
					h.lingered()
					Yield()
				}
			}
		}
		if h.group.Load() != g || g.over.Load() {
			break
		}
		if !p.crowded() {
			crowded = 0
		} else if crowded++; crowded > maxCrowded {
			break
		}
	}
	h.lingered()
	p.end(h, g)
	return Over
}

// What others of a group do.
const (
	othersWait   = iota // nothing
	othersRun           // they want to run
	othersCalled        // one was asleep and has been woken
)

// others looks at the other members' guests, and wakes an owner whose guest has come.
func (g *Group) others(h *Place) int {
	state := othersWait
	if g.ready.Load() > 0 {
		state = othersRun
	}
	for m := range g.seated(h) {
		w := m.word.Load()
		if w == nil || m.resting.Load() || atomic.LoadUint32(w) == 0 {
			continue
		}
		if m.parked.Load() {
			m.rouse()
			WakeWord(w)
			return othersCalled
		}
		state = othersRun
	}
	return state
}

// Parking says that the owner, the caller, is about to sleep on its turn word, and
// Parked that it has.
func (p *Placer) Parking(h *Place) { h.parked.Store(true) }

// Parked ends what Parking began.
func (p *Placer) Parked(h *Place) {
	h.parked.Store(false)
	h.settle()
}

// join puts a context whose guest is quick into a group: one for itself if two CPUs
// are free, or else one that exists.
func (p *Placer) join(h *Place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	cpu := h.cpu
	if !h.bound || !p.joinLocked(h) {
		return false
	}
	if h.cpu != cpu {
		SetAffinity(h.thread.Load(), p.allowed[h.cpu])
	}
	return true
}

// joinLocked is join for a context whose stub thread is bound by its caller, to what is
// h.cpu then.
func (p *Placer) joinLocked(h *Place) bool {
	if len(p.allowed) < 2 || !p.mayGroup(p.now()) {
		return false
	}
	g := p.roomLocked(h)
	if g == nil {
		return false
	}
	if h.out {
		if h.slow {
			p.out.Add(-1)
		}
		p.groupOutLocked(g, 1)
		g.sitLocked(h)
	}
	g.members++
	h.answered = 0
	h.group.Store(g)
	h.cpu = g.guests
	h.owner.putLocked(g.owners, true)
	return true
}

// roomLocked returns a group for h, or nil.
func (p *Placer) roomLocked(h *Place) *Group {
	busy := int(p.out.Load() + p.live.Load())
	if h.out && h.slow {
		busy--
	}
	taken := make([]bool, len(p.allowed))
	for _, g := range p.groups {
		taken[g.guests], taken[g.owners] = true, true
	}
	if busy+2 <= len(p.allowed) && (len(p.groups) == 0 || !taken[h.cpu]) {
		guests := h.cpu
		for i := range taken {
			if i != guests && !taken[i] {
				g := &Group{guests: guests, owners: i}
				p.groups = append(p.groups, g)
				return g
			}
		}
	}
	var best *Group
	for _, g := range p.groups {
		n := g.members
		need := busy
		if g.out == 0 {
			need += 2
		}
		if n < maxMembers && need <= len(p.allowed) && (best == nil || n < best.members) {
			best = g
		}
	}
	return best
}

// groupTurn says that the guest of a group's member begins to run, or stops. It is false
// when h is in no group.
func (p *Placer) groupTurn(h *Place, n int) bool {
	if h.group.Load() == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g := h.group.Load()
	if g == nil {
		return false
	}
	if g.over.Load() {
		if g = p.nextLocked(h, g); g == nil {
			p.outsideLocked(h, false)
			return false
		}
	}
	h.out, h.slow = n > 0, false
	p.groupOutLocked(g, n)
	if n > 0 {
		g.sitLocked(h)
		g.pressOthers(h)
	} else {
		g.standLocked(h)
	}
	return true
}

// nextLocked returns the group that h, a member of g, which has ended, is in now, where
// there is one on the same CPUs: its threads stay where they are.
func (p *Placer) nextLocked(h *Place, g *Group) *Group {
	if h.out || h.slowed.Load() || !p.mayGroup(p.now()) {
		return nil
	}
	next := p.roomLocked(h)
	if next == nil {
		return nil
	}
	if next.guests != g.guests || next.owners != g.owners {
		p.dropLocked(next)
		return nil
	}
	g.members--
	next.members++
	h.group.Store(next)
	return next
}

// groupOutLocked counts guests of a group that run. A group of which any does has the use
// of two CPUs.
func (p *Placer) groupOutLocked(g *Group, n int) {
	was := g.out
	g.out += n
	if was == 0 && g.out > 0 {
		p.live.Add(2)
	} else if was > 0 && g.out == 0 {
		p.live.Add(-2)
	}
}

// crowded says whether guests outside of groups want the CPUs of groups.
func (p *Placer) crowded() bool { return int(p.out.Load()+p.live.Load()) > len(p.allowed) }

// end ends a group, because its guests take long or CPUs are wanted. Owners go back to
// their guests' CPU.
func (p *Placer) end(h *Place, g *Group) { p.disband(h, g, !p.crowded()) }

// disband ends g because of its member h, or sees that it has ended.
func (p *Placer) disband(h *Place, g *Group, slow bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case h.group.Load() != g:
	case g.over.Load():
		p.outsideLocked(h, false)
	default:
		p.disbandLocked(g, slow)
	}
}

// endLocked ends g. Guests that run take long, if others do not want the CPUs.
func (p *Placer) endLocked(g *Group) { p.disbandLocked(g, !p.crowded()) }

func (p *Placer) disbandLocked(g *Group, slow bool) {
	if i := slices.Index(p.groups, g); i >= 0 {
		p.groups = slices.Delete(p.groups, i, i+1)
	}
	p.groupOutLocked(g, -g.out)
	g.over.Store(true)
	for m := range g.seated(nil) {
		g.standLocked(m)
		p.outsideLocked(m, slow)
	}
}

// outsideLocked makes m, which has been in a group, a context of its own.
func (p *Placer) outsideLocked(m *Place, slow bool) {
	if m.out {
		m.slow = true
		p.out.Add(1)
		if slow {
			m.slowed.Store(true)
		}
	}
	m.group.Store(nil) // from here on m's owner changes what it is
	m.owner.putLocked(m.cpu, false)
	if w := m.word.Load(); w != nil && m.parked.Load() {
		WakeWord(w)
	}
}

// leaveLocked takes a context that ends out of its group.
func (p *Placer) leaveLocked(h *Place) {
	g := h.group.Load()
	if h.out {
		h.out = false
		h.turns.Add(1)
		switch {
		case g == nil && h.slow:
			p.out.Add(-1)
		case g != nil && !g.over.Load():
			p.groupOutLocked(g, -1)
		}
	}
	if g == nil {
		return
	}
	h.group.Store(nil)
	h.settle()
	g.standLocked(h)
	for i := range g.rested {
		g.rested[i].CompareAndSwap(h, nil)
	}
	g.members--
	p.dropLocked(g)
}

// dropLocked forgets a group without members.
func (p *Placer) dropLocked(g *Group) {
	if g.members == 0 {
		p.groups = slices.DeleteFunc(p.groups, func(o *Group) bool { return o == g })
	}
}
