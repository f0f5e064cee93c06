package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
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
		p.prot = prot
		if p.stub != 0 {
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
		if gap.Len() == 0 || m.allocAnon(gap, v) != 0 {
			return // without memory the first access gets SIGBUS
		}
	}
}

// writable reports whether v can be stored to.
func (v *vma) writable() bool { return v.prot&linux.PROT_WRITE != 0 }
