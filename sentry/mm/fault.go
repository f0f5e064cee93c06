package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
)

// A spuriousFault is one that found everything in order: another thread had
// resolved it, or the platform cannot say what kind of access it was. The
// second of the same kind with nothing changed in between is a real one.
type spuriousFault struct {
	c          platform.Context
	addr       uint64
	generation uint64
}

// A faultError is the signal that a failed access is due; zero is none.
type faultError struct {
	signal linux.Signal
	code   linux.SigCode
}

func accerr() faultError { return faultError{linux.SIGSEGV, linux.SEGV_ACCERR} }
func adrerr() faultError { return faultError{linux.SIGBUS, linux.BUS_ADRERR} }

// HandleFault resolves a fault of a guest thread at addr. Signal zero means that
// the access is to be tried again; else the thread is due signal with code.
// hostSignal is what the host would have sent.
func (m *MemoryManager) HandleFault(c platform.Context, addr uint64, access platform.Access, hostSignal linux.Signal) (signal linux.Signal, code int32) {
	var rel release
	for {
		m.mapping.RLock()
		g, ok := m.vmas.Find(addr)
		if ok {
			e := m.faultLocked(c, g, addr, access, hostSignal, &rel)
			m.mapping.RUnlock()
			rel.run()
			return e.signal, int32(e.code)
		}
		m.mapping.RUnlock()
		if m.faultArena(c, addr, access) {
			return 0, 0
		}
		if !m.growStack(addr) {
			return linux.SIGSEGV, int32(linux.SEGV_MAPERR)
		}
	}
}

func (m *MemoryManager) faultLocked(c platform.Context, g seg.Seg[vma], addr uint64, access platform.Access, hostSignal linux.Signal, rel *release) faultError {
	m.mapping.AssertRHeld()
	v := &g.Value
	prot := effective(v.prot)
	if prot&needs(access) != needs(access) || prot == 0 {
		return accerr()
	}
	m.active.Lock()
	defer m.active.Unlock()
	if m.held.r.Contains(addr) {
		m.apply(c, rel) // what it failed to do comes back by faults
		return faultError{}
	}
	write := access == platform.Write
	if r, p := m.pmas.Ref(addr); p != nil && p.stub != 0 {
		has := linux.Prot(p.stub &^ stubMapped)
		switch {
		case hostSignal == linux.SIGBUS:
			// The stub's mapping has no page there: a file was cut short by
			// someone else, or the host has no memory.
			return adrerr()
		case access == platform.Unknown && has&linux.PROT_READ != 0:
			// A read would have worked.
			write = write || prot&linux.PROT_WRITE != 0
		}
		if p.stub == p.want() && (!write || has&linux.PROT_WRITE != 0) {
			return m.noProgress(c, r, p, addr, rel)
		}
	} else if p != nil && m.parentHabits != nil {
		m.parentHabits.add(r.Start)
	}
	// A first touch of memory that may be stored to at once needs no second
	// fault; nothing is copied or marked dirty on suspicion.
	if e := m.resolve(g, addr, write, rel); e.signal != 0 {
		m.apply(c, rel)
		return e
	}
	if m.mapAt(c, addr, rel) == 0 {
		return faultError{}
	}
	// The stub was emptied: one more try has all the room there is.
	if m.mapAt(c, addr, rel) != 0 {
		return adrerr()
	}
	return faultError{}
}

// mapAt maps all of the pma at addr.
func (m *MemoryManager) mapAt(c platform.Context, addr uint64, rel *release) linux.Errno {
	r, p := m.pmas.Ref(addr)
	m.mapOp(r, p, 0, false)
	m.pmas.Merge(r)
	return m.apply(c, rel)
}

// needs is what a VMA must allow for an access.
func needs(a platform.Access) linux.Prot {
	switch a {
	case platform.Read:
		return linux.PROT_READ
	case platform.Write:
		return linux.PROT_WRITE
	case platform.Execute:
		return linux.PROT_EXEC
	}
	return 0
}

// noProgress handles a fault at a page that is mapped with all that its VMA
// allows. Once it may be that another thread was faster; the mapping is made
// anew for good measure. Twice it is an access that is not allowed.
func (m *MemoryManager) noProgress(c platform.Context, r seg.Range, p *pma, addr uint64, rel *release) faultError {
	s := &m.spurious[addr/pageSize%uint64(len(m.spurious))]
	if s.addr == addr && s.generation == m.generation && s.c == c {
		*s = spuriousFault{}
		return accerr()
	}
	page := seg.Range{Start: pageDown(addr), End: pageDown(addr) + pageSize}
	q := *p
	q.off = p.at(r.Start, page.Start)
	q.stub = 0
	m.mapOp(page, &q, 0, true)
	m.apply(c, rel)
	*s = spuriousFault{c: c, addr: addr, generation: m.generation}
	return faultError{}
}

// resolve makes a pma for the page at addr that serves the access. g is the
// VMA.
func (m *MemoryManager) resolve(g seg.Seg[vma], addr uint64, write bool, rel *release) faultError {
	m.active.AssertHeld()
	v := &g.Value
	page := seg.Range{Start: pageDown(addr), End: pageDown(addr) + pageSize}
	r, p := m.pmas.Ref(addr)
	if p == nil {
		if v.anon() {
			if m.allocAnon(m.gapAround(g.Range, page), v) != 0 {
				return adrerr()
			}
			return faultError{}
		}
		err := m.translate(g.Range, v, page, g.Range, write && v.shared())
		if r, p = m.pmas.Ref(addr); p == nil {
			_ = err
			return adrerr()
		}
	}
	if !write || p.stores() {
		return faultError{}
	}
	switch {
	case v.shared():
		return m.upgrade(g, r, page, rel)
	case p.private:
		if m.regain(g.Range, r, p, addr) {
			return faultError{}
		}
	}
	return m.copyOnWrite(g, addr, rel)
}

// gapAround returns the part of vr around page without pmas.
func (m *MemoryManager) gapAround(vr, page seg.Range) seg.Range {
	if g, ok := m.pmas.Before(page.Start); ok {
		vr.Start = max(vr.Start, g.End)
	}
	if g, ok := m.pmas.From(page.End); ok {
		vr.End = min(vr.End, g.Start)
	}
	return vr
}

// upgrade asks the file for pages that may be stored to, in place of those at
// page and as many of the pma at r as it likes.
func (m *MemoryManager) upgrade(g seg.Seg[vma], r, page seg.Range, rel *release) faultError {
	// What is replaced stays referenced until apply, so that its pages are
	// not given away while the stub maps them.
	within := r.Intersect(g.Range)
	mapped := m.dropPMAs(within, rel)
	err := m.translate(g.Range, &g.Value, page, within, true)
	for w, p := range m.pmas.Over(within) {
		m.mapOp(w, p, 0, mapped)
	}
	if mapped {
		for gap := range m.pmas.Gaps(within) {
			m.op(platform.Op{Kind: platform.OpUnmap, Addr: gap.Start, Len: gap.Len()})
		}
	}
	if _, p := m.pmas.Ref(page.Start); p == nil || !p.writable {
		_ = err
		return adrerr()
	}
	return faultError{}
}

// growStack extends a stack down to addr, if there is one to extend.
func (m *MemoryManager) growStack(addr uint64) bool {
	var rel release
	defer func() { rel.run() }()
	m.mapping.Lock()
	defer m.mapping.Unlock()
	if _, ok := m.vmas.Find(addr); ok {
		return true
	}
	g, ok := m.vmas.From(addr)
	if !ok || g.Value.flags&vmGrowsDown == 0 || addr < m.min {
		return false
	}
	lowest := m.min
	if prev, ok := m.vmas.Before(addr); ok {
		lowest = prev.End
		if prev.Value.prot != 0 && prev.Value.flags&vmGrowsDown == 0 {
			lowest += stackGap
		}
	}
	for i := range m.arenas {
		if a := m.arenas[i].r; a.Start < g.Start {
			lowest = max(lowest, a.End)
		}
	}
	// As in Linux the limit is that of the whole mapping, of every stack.
	if most := m.soft(linux.RLIMIT_STACK); most < g.End {
		lowest = max(lowest, g.End-pageDown(most))
	}
	if most, have := m.soft(linux.RLIMIT_AS), m.sizes.total; most < have {
		return false
	} else if most-have < g.Start {
		lowest = max(lowest, g.Start-pageDown(most-have))
	}
	if g.Value.flags&vmLocked != 0 {
		most := m.soft(linux.RLIMIT_MEMLOCK)
		if most < m.sizes.locked {
			return false
		} else if most-m.sizes.locked < g.Start {
			lowest = max(lowest, g.Start-pageDown(most-m.sizes.locked))
		}
	}
	start := pageDown(addr)
	if start < lowest {
		return false
	}
	if g.Start-lowest > stackStep {
		start = min(start, g.Start-stackStep)
	} else {
		start = min(start, lowest)
	}
	m.extendDown(g, start, &rel)
	return true
}

// stackStep is how much a stack grows by, where there is room.
const stackStep = 128 << 10

func (m *MemoryManager) extendDown(g seg.Seg[vma], start uint64, rel *release) {
	r := seg.Range{Start: start, End: g.Start}
	v := g.Value
	if v.file != nil {
		v.file.IncRef()
	}
	m.vmas.Insert(r, v)
	m.sizes.account(&v, r.Len(), 1)
	m.peak = max(m.peak, m.sizes.total)
	if v.prot == 0 {
		return
	}
	m.active.Lock()
	defer m.active.Unlock()
	m.clearKept(r, rel)
	if at, ok := m.stackSpare.takeDown(r); ok {
		m.insertPrivate(r, at, effective(v.prot), 0)
	}
	m.apply(nil, rel)
}
