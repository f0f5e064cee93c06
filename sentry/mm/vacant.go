package mm

import (
	"slices"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// A vacancy is what a small mapping that was unmapped has left: its pages, still this
// space's, and their place in the stub without access to them. A program that unmaps
// memory often maps as much again soon, which comes to the same place: it gets it back
// as zeroes. Two changes of protection cost the host a sixth of what a mapping, the
// fault of its first touch and its end do.
type vacancy struct {
	r  seg.Range
	at uint64 // offset in the memory file of r.Start
	// mapped: the stub has them still. Not after it was emptied.
	mapped bool
}

// maxVacancies and maxVacant bound how many there are in a space and what each and all
// of them keep. The oldest goes.
const (
	maxVacancies = 8
	maxVacant    = 512 << 10
)

func (v *vacancy) pages() memmap.Range {
	return memmap.Range{Start: v.at, End: v.at + v.r.Len()}
}

// part returns what of v is in r.
func (v *vacancy) part(r seg.Range) vacancy {
	r = r.Intersect(v.r)
	return vacancy{r: r, at: v.at + (r.Start - v.r.Start), mapped: v.mapped}
}

// leave takes r, which is being unmapped, from the guest and keeps its pages. It
// reports false where that is not to be had, or gains nothing.
func (m *MemoryManager) leave(r seg.Range, rel *release) bool {
	m.active.AssertHeld()
	if r.Len() > maxVacant || m.lockNew != 0 || m.pins.Load() != 0 {
		return false
	}
	g, p := m.pmas.Ref(r.Start)
	if p == nil || !g.Covers(r) || !p.private || p.cow || p.hidden || p.stub == 0 || p.prot&linux.PROT_EXEC != 0 {
		return false
	}
	v := vacancy{r, p.at(g.Start, r.Start), true}
	kept := r.Len()
	for i := range m.vacant {
		kept += m.vacant[i].r.Len()
	}
	for len(m.vacant) >= maxVacancies || kept > maxVacant {
		kept -= m.vacant[0].r.Len()
		m.dropVacancy(0, rel)
	}
	m.patches.forget(r)
	m.pmas.Remove(r, func(seg.Range, pma) {}) // v has the reference now
	m.protectOp(r, stubMapped)
	m.vacant = append(m.vacant, v)
	return true
}

// dropVacancy gives a vacancy up. It is unmapped in the batch under way, before rel
// lets go of it.
func (m *MemoryManager) dropVacancy(i int, rel *release) {
	v := &m.vacant[i]
	if v.mapped {
		m.op(platform.Op{Kind: platform.OpUnmap, Addr: v.r.Start, Len: v.r.Len()})
	}
	rel.add(backRange{m.memory, v.pages()})
	m.vacant = append(m.vacant[:i], m.vacant[i+1:]...)
}

// dropVacant gives up every vacancy that has a byte of r.
func (m *MemoryManager) dropVacant(r seg.Range, rel *release) (any bool) {
	m.active.AssertHeld()
	for i := 0; i < len(m.vacant); {
		if m.vacant[i].r.Overlaps(r) {
			m.dropVacancy(i, rel)
			any = true
		} else {
			i++
		}
	}
	return any
}

// moveIn gives a new private mapping of r, which v describes, what was left there. It
// reports false where all of it is not one vacancy's.
func (m *MemoryManager) moveIn(r seg.Range, v *vma) bool {
	m.active.AssertHeld()
	if !v.anon() || v.prot == 0 || v.prot&linux.PROT_EXEC != 0 || v.flags&(vmLocked|vmGrowsDown) != 0 {
		return false
	}
	for i := range m.vacant {
		old := m.vacant[i]
		if !old.mapped || !old.r.Covers(r) {
			continue
		}
		m.vacant = append(m.vacant[:i], m.vacant[i+1:]...)
		for _, rest := range [...]seg.Range{{Start: old.r.Start, End: r.Start}, {Start: r.End, End: old.r.End}} {
			if rest.Len() > 0 {
				m.vacant = append(m.vacant, old.part(rest))
			}
		}
		part := old.part(r)
		at := part.pages()
		m.clearPages(memfile.Range(at))
		p := pma{back: m.memory, off: at.Start, prot: effective(v.prot), private: true, stub: stubMapped}
		m.mapOp(r, &p, 0, false)
		m.pmas.Insert(r, p)
		return true
	}
	return false
}

// clearPages makes pages of this space's that have been used zero again.
func (m *MemoryManager) clearPages(r memfile.Range) {
	if r.Len() == pageSize { // to ask is dearer
		m.cfg.Memory.Zero(r)
		return
	}
	var buf [8]memfile.Range
	for _, run := range m.cfg.Memory.CommittedRuns(r, buf[:0]) {
		m.cfg.Memory.Zero(run)
	}
}

// vacantAt reports whether a vacancy has a byte of r.
func (m *MemoryManager) vacantAt(r seg.Range) bool {
	return slices.ContainsFunc(m.vacant, func(v vacancy) bool { return v.r.Overlaps(r) })
}
