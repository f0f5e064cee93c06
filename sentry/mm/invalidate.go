package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

var _ memmap.MappingSpace = (*MemoryManager)(nil)

// Invalidate implements memmap.MappingSpace.
func (m *MemoryManager) Invalidate(file memmap.Mappable, addr, n uint64, andPrivate bool) {
	r := seg.Range{Start: addr, End: addr + n}
	var rel release
	m.mapping.RLock()
	m.active.Lock()
	for g, v := range m.vmas.Over(r) {
		if v.mappable == file {
			m.unshare(g.Intersect(r), &rel)
			m.forget(g.Intersect(r), andPrivate, &rel)
		}
	}
	m.apply(nil, &rel)
	m.active.Unlock()
	m.mapping.RUnlock()
	rel.run()
}

// forget drops the file's pages of r, and private copies if asked to.
func (m *MemoryManager) forget(r seg.Range, andPrivate bool, rel *release) {
	if andPrivate {
		m.unmapPMAs(r, rel)
		return
	}
	for at := r.Start; at < r.End; {
		g, ok := m.pmas.From(at)
		if !ok || g.Start >= r.End {
			return
		}
		if part := g.Intersect(r); !g.Value.private {
			m.unmapPMAs(part, rel)
		}
		at = g.End
	}
}

// protectPMAs is what a change of protection does to translations: their
// record changes, and the stub's mappings with it in as few ops as can be.
func (m *MemoryManager) protectPMAs(r seg.Range, v *vma) {
	m.active.AssertHeld()
	prot := effective(v.prot)
	m.pmas.Update(r, func(g seg.Range, p *pma) {
		// Reserved memory that becomes accessible is mapped at once, like new
		// memory; what fork left to faults stays so.
		fresh := p.prot == 0 && p.stub == 0 && p.stores()
		p.prot = prot
		if p.stub != 0 || fresh {
			m.mapOp(g, p, 0, false)
		}
	})
	if prot == 0 || !v.anon() {
		return
	}
	// Memory that was reserved only gets its place in the file now.
	for {
		var gap seg.Range
		for gap = range m.pmas.Gaps(r) {
			break
		}
		if gap.Len() == 0 || m.allocReserved(gap, v) != 0 {
			return // without memory the first access gets SIGBUS
		}
	}
}

// reserveStep is how much of a reservation gets its place in the file when a
// part of it becomes accessible, so that the parts after it continue the same
// mapping (an allocator's arena, a heap of a runtime).
const reserveStep = 16 << 20

// allocReserved is allocAnon for a part of a reservation.
func (m *MemoryManager) allocReserved(r seg.Range, v *vma) linux.Errno {
	more := r
	if g, ok := m.vmas.From(r.End); ok && g.Start == r.End && g.Value.prot == 0 && g.Value.anon() && r.Len() < reserveStep {
		more.End = min(g.End, r.Start+reserveStep)
		if p, ok := m.pmas.From(r.End); ok {
			more.End = max(r.End, min(more.End, p.Start))
		}
	}
	if more == r {
		return m.allocAnon(r, v)
	}
	o := memfile.Options{Kind: memfile.Anonymous, Huge: m.hugeOK && r.Len() >= hugeSize && v.flags&vmNoHuge == 0, Phase: r.Start}
	if g, ok := m.pmas.Before(r.Start); ok && g.End == r.Start && g.Value.private && !g.Value.cow {
		o.After = g.Value.off + g.Len()
	}
	at, _, err := m.cfg.Memory.Alloc(more.Len(), o)
	if err != 0 {
		return err
	}
	m.insertPrivate(r, at.Start, effective(v.prot), 0)
	m.insertPrivate(seg.Range{Start: r.End, End: more.End}, at.Start+r.Len(), 0, 0)
	return 0
}

// writable reports whether v can be stored to.
func (v *vma) writable() bool { return v.prot&linux.PROT_WRITE != 0 }
