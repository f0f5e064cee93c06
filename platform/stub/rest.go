package stub

import "sync/atomic"

// rouse counts a sleeping owner that is being woken among those that want to run.
func (h *Place) rouse() {
	if g := h.group.Load(); g != nil && h.credit.CompareAndSwap(nil, g) {
		if g.ready.Add(1) <= soonReady && !h.handed.Load() {
			h.expect()
		}
	}
}

// expect has the stub of an owner that sleeps get ready: it is likely to have its answer soon.
func (h *Place) expect() {
	if w := h.word.Load(); w != nil && h.resting.Load() && !atomic.CompareAndSwapUint32(w, 2, 1) &&
		h.quelled.Load() && h.quelled.Swap(false) && atomic.CompareAndSwapUint32(w, 3, 1) {
		WakeWord(w)
	}
}

// settle ends the count that rouse began.
func (h *Place) settle() {
	if h.credit.Load() != nil {
		if g := h.credit.Swap(nil); g != nil {
			g.ready.Add(-1)
		}
	}
}

// Roused says that the owner has been woken from its sleep in the Sentry. Anyone
// calls it.
func (p *Placer) Roused(h *Place) { h.rouse() }

// Risen says that the owner, the caller, has slept in the Sentry.
func (p *Placer) Risen(h *Place) {
	if g := h.looks; g != nil {
		h.looks = nil
		g.looking.Add(-1)
	}
	if h.resting.Load() {
		h.resting.Store(false)
	}
	if h.roams {
		p.alight(h)
	}
	h.settle()
}

// Rest says that the owner, the caller, is about to sleep in the Sentry. Another owner
// then looks for the group. The stub goes on looking for its answer for a while, and
// lets others have the CPU meanwhile: a CPU that does nothing takes long to wake up.
// So may the owner: Rest says whether it had better look for what wakes it, and Yield
// in between, because to yield is cheaper than to sleep and to be woken.
func (p *Placer) Rest(h *Place) bool {
	h.resting.Store(true)
	if h.bulk > 0 {
		p.roam(h)
	}
	if !h.out {
		return false
	}
	g := h.group.Load()
	p.Exit(h)
	if g == nil {
		return false
	}
	h.yields = 0
	look := g.looking.Add(1) <= maxLooking
	if look {
		h.looks = g
	} else {
		g.looking.Add(-1)
	}
	g.makeRoom(h)
	return look
}

// makeRoom has others have the CPUs of h, whose owner is about to sleep.
func (g *Group) makeRoom(h *Place) {
	if m := g.rested[g.rests.Add(1)%lastRested].Swap(h); m != nil && m != h && m.resting.Load() {
		m.quell()
	}
	if g.ready.Load() > 0 {
		h.press()
		return // whoever is ready will look
	}
	for m := range g.seated(h) {
		if !m.resting.Load() {
			h.press()
			break
		}
	}
	for m := range g.seated(h) {
		if w := m.word.Load(); w != nil && m.parked.Load() {
			m.rouse()
			WakeWord(w)
			break
		}
	}
}

// Yield lets another owner have the CPU of h, the caller, which looks for what wakes
// it. It is false when h has to sleep.
func (p *Placer) Yield(h *Place) bool {
	if h.yields++; h.yields > maxYields {
		return false
	}
	Yield()
	return true
}

// press has a stub whose owner sleeps let others have its CPU.
func (h *Place) press() {
	if w := h.word.Load(); w != nil {
		atomic.CompareAndSwapUint32(w, 1, 2)
	}
}

// quell has a stub whose owner sleeps do so too.
func (h *Place) quell() {
	if w := h.word.Load(); w != nil && (atomic.CompareAndSwapUint32(w, 2, 3) || atomic.CompareAndSwapUint32(w, 1, 3)) {
		h.quelled.Store(true)
	}
}

// pressOthers does so for members whose owners sleep, because h's guest is about to
// run. The stubs of those who have slept for longer do so as well.
func (g *Group) pressOthers(h *Place) {
	for i := range g.rested {
		if m := g.rested[i].Load(); m != nil && m != h && m.resting.Load() {
			m.press()
		}
	}
}
