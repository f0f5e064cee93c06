package stub

// Bulk data. A call that moves much from or to somewhere outside takes as long as two
// hundred hand-overs in a group, and the other side needs a CPU meanwhile for as much as
// the owner does: not for a stub that looks. So guests that make such calls are in no
// group. The owner shares a CPU with its guest; and since neither is to be where the other
// side runs, which it does not know, the host chooses a CPU for both when it wakes the
// owner.

// bulkRuns is for how many runs a guest that has moved much is in no group.
const bulkRuns = 16

// stayTime is for how many nanoseconds the host's choice of a CPU holds: to leave it open costs as much as a switch.
const stayTime = 1_000_000

// Bulk says that the guest of h, whose owner is the caller, has moved much by its call.
func (p *Placer) Bulk(h *Place) {
	h.bulk = bulkRuns
	if g := h.group.Load(); g != nil {
		p.disband(h, g, false)
	}
}

// roam unbinds the owner, the caller, which is about to sleep.
func (p *Placer) roam(h *Place) {
	if now := p.now(); h.bound && h.group.Load() == nil && now >= h.stays {
		h.roams, h.stays = true, now+stayTime
		p.mu.Lock()
		h.owner.putLocked(anyCPU, false)
		p.mu.Unlock()
	}
}

// alight binds it and its stub to the CPU on which it has woken up.
func (p *Placer) alight(h *Place) {
	h.roams = false
	now := CurrentCPU()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, cpu := range p.allowed {
		if cpu == now && i != h.cpu {
			h.cpu = i
			SetAffinity(h.thread.Load(), cpu)
		}
	}
	h.owner.putLocked(h.cpu, false)
}
