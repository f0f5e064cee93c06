package stub

import "sync/atomic"

// Together or apart. Guests of a group share one CPU. That is best while they wait for
// one another, or make many calls with little in between; guests that want to run at the
// same time and do more than call get more done with a CPU each, although each call then
// costs a sleep and a wake-up on both sides. Which it is, is tried: when two guests of a
// group have wanted its CPU for some looks, the group ends for a moment, its members on
// both CPUs, and what the calls of all come to decides.

const (
	// trialScore is how many looks more with two guests that want a group's CPU than
	// without begin a trial, which lasts trialTime nanoseconds.
	trialScore = 4
	trialTime  = 20_000_000

	// What a trial has shown holds for trialHold nanoseconds, and for twice as long each
	// time that the next one shows the same, at most for maxTrialHold.
	trialHold    = 200_000_000
	maxTrialHold = 3200_000_000

	// Apart it has to be better by a part in trialGain.
	trialGain = 16

	// countBatch is how many calls are counted at once.
	countBatch = 16
)

// A trial compares members of groups together and apart.
type trial struct {
	// guarded by Placer.mu
	score    int
	under    bool  // a trial is under way
	looks    int   // of it
	next     int64 // no trial before that
	hold     int64 // nanoseconds
	better   bool  // the last one found guests better apart
	last     int64 // when the last look was
	together pace
	split    pace
}

// A pace is how many calls were made in how many nanoseconds.
type pace struct{ calls, time int64 }

func (a pace) rate() float64 { return float64(a.calls) / float64(max(1, a.time)) }

// Count says that the owner's guest has made a call.
func (p *Placer) Count(h *Place) {
	if h.count++; h.count == countBatch {
		h.count = 0
		h.calls.Add(countBatch)
	}
}

// callsLocked returns how many calls have been counted since it was called before.
func (p *Placer) callsLocked() int64 {
	n := int64(0)
	for h := range p.places {
		calls := h.calls.Load()
		n += int64(calls - h.told)
		h.told = calls
	}
	return n
}

// contestedLocked says whether two guests of a group want its CPU.
func (p *Placer) contestedLocked() bool {
	for _, g := range p.groups {
		n := 0
		for m := range g.seated(nil) {
			if w := m.word.Load(); w != nil && !m.resting.Load() && atomic.LoadUint32(w) == 0 {
				n++
			}
		}
		if n > 1 {
			return true
		}
	}
	return false
}

// tryLocked is the trials' part of a look. Calls is how many have been made since the
// one before.
func (p *Placer) tryLocked(calls, now int64) {
	t := &p.trial
	spent := now - t.last
	t.last = now
	if t.under {
		if t.looks++; t.looks > 1 { // at first they move
			t.split.calls += calls
			t.split.time += spent
		}
		if now >= p.apart.Load() {
			p.judgeLocked(now)
		}
		return
	}
	if len(p.groups) == 0 || now < t.next {
		t.score = 0
		return
	}
	if t.score > 0 {
		t.together.calls += calls
		t.together.time += spent
	}
	switch {
	case p.contestedLocked():
		t.score++
	case t.score > 0:
		t.score--
	}
	switch t.score {
	case 0:
		t.together = pace{}
	case trialScore:
		t.under, t.score, t.looks, t.split = true, 0, 0, pace{}
		p.apart.Store(now + trialTime)
		for len(p.groups) > 0 {
			p.partLocked(p.groups[0])
		}
	}
}

// judgeLocked ends a trial.
func (p *Placer) judgeLocked(now int64) {
	t := &p.trial
	better := t.split.rate()*trialGain > t.together.rate()*(trialGain+1)
	t.hold = min(2*t.hold, maxTrialHold)
	if better != t.better || t.hold == 0 {
		t.hold = trialHold
	}
	t.under, t.better, t.together = false, better, pace{}
	if better {
		p.apart.Store(now + t.hold)
	} else {
		t.next = now + t.hold
	}
}

// partLocked ends a group and puts its members on both of its CPUs.
func (p *Placer) partLocked(g *Group) {
	other := false
	for m := range g.seated(nil) {
		if other {
			m.cpu = g.owners
			if tid := m.thread.Load(); tid != 0 {
				SetAffinity(tid, p.allowed[m.cpu])
			}
		}
		other = !other
	}
	p.disbandLocked(g, false)
}
