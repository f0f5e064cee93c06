package stub

import "time"

// Spinning. Where a platform's stub hands over through shared memory, an owner that
// spins on a CPU of its own answers its guest in a tenth of a microsecond, and a
// sleeping one on the guest's CPU in four. An owner spins only while no guest could
// use the CPU: at most one of a pair of CPUs is spent so, and only for a guest that
// has made many calls in a row with little in between and nobody else's turn.

const (
	// spinStreak is how many short runs make a guest worth a CPU, shortRun, in
	// nanoseconds, what a short run is.
	spinStreak = 12
	shortRun   = 20_000

	// An owner looks for its guest spinLooks times in a row, pausing, before it
	// looks around, and gives up after spinRounds.
	spinLooks  = 200
	spinRounds = 25

	// guestLooks is how often a stub looks for the answer of an owner that spins.
	guestLooks = 1000
)

// Wait returns how often the stub shall look for its answer before it sleeps. It is
// called between Enter and the guest's start.
func (p *Placer) Wait(h *Place) int32 {
	alone := p.entered.Load() == h
	if !alone {
		p.entered.Store(h)
		h.streak = 0
	}
	if h.spinning {
		return guestLooks
	}
	if h.streak < spinStreak {
		h.began = time.Now().UnixNano()
		return 0
	}
	if !p.roam(h) {
		h.streak = 0
		return 0
	}
	return guestLooks
}

// Spin waits for the guest of an owner that spins, by look, which looks at most n
// times. It is false when the guest runs too long, or its CPU is wanted.
func (p *Placer) Spin(h *Place, look func(n int32) bool) bool {
	if !h.spinning {
		return false
	}
	for range spinRounds {
		if look(spinLooks) {
			return true
		}
		if p.crowded(0) {
			break
		}
	}
	p.mu.Lock()
	p.restLocked(h)
	p.mu.Unlock()
	return false
}

// Rest ends the spinning of an owner that is about to sleep, and says whether it
// was.
func (p *Placer) Rest(h *Place) bool {
	if !h.spinning {
		return false
	}
	p.mu.Lock()
	p.restLocked(h)
	p.mu.Unlock()
	p.Exit(h)
	return true
}

// Ran says that the guest of an owner that sleeps has come back.
func (p *Placer) Ran(h *Place) {
	if h.spinning {
		return
	}
	if time.Now().UnixNano()-h.began < shortRun {
		h.streak++
	} else {
		h.streak = 0
	}
}

// crowded says whether guests want the CPU of one that spins, or would with more.
func (p *Placer) crowded(more int32) bool {
	return int(p.out.Load()+p.spins.Load()+more) > len(p.allowed)
}

// roam gives the owner, the calling thread, a CPU to spin on.
func (p *Placer) roam(h *Place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.bound || p.crowded(1) {
		return false
	}
	taken := make([]bool, len(p.allowed))
	taken[h.cpu] = true
	for o := range p.places {
		if o.away != 0 {
			taken[o.away-1] = true
		}
	}
	for i := range taken {
		if !taken[i] {
			h.spinning, h.away = true, i+1
			p.spins.Add(1)
			SetAffinity(0, p.allowed[i])
			return true
		}
	}
	return false
}

// restLocked brings the owner back to its guest's CPU.
func (p *Placer) restLocked(h *Place) {
	h.spinning, h.away, h.streak = false, 0, 0
	p.spins.Add(-1)
	SetAffinity(0, p.allowed[h.cpu])
}
