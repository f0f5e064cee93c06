package mm

import (
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// A spare is memory set aside beside the heap or the stack, so that growth
// continues the same range of the file and stays one mapping. Offsets that are
// never used cost nothing.
type spare struct {
	r  seg.Range // addresses it is meant for
	at uint64    // offset in the memory file of r.Start
	// kept is how many bytes at the beginning a heap that shrank has left: they
	// are not zero. mapped: the stub has them still, but no access to them.
	kept   uint64
	mapped bool
}

// maxHeapKept is how much of a heap that shrank waits for it to grow again.
const maxHeapKept = 512 << 10

// takeUp takes r off the beginning of the spare. The first bytes of it, kept, are
// left from before.
func (s *spare) takeUp(r seg.Range) (at, kept uint64, ok bool) {
	if s.r.Start != r.Start || r.End > s.r.End || r.Len() == 0 {
		return 0, 0, false
	}
	at, kept = s.at, min(s.kept, r.Len())
	s.r.Start, s.at, s.kept = r.End, s.at+r.Len(), s.kept-kept
	return at, kept, true
}

// takeDown takes r off the end of the spare.
func (s *spare) takeDown(r seg.Range) (at uint64, ok bool) {
	if s.r.End != r.End || r.Start < s.r.Start || r.Len() == 0 {
		return 0, false
	}
	s.r.End = r.Start
	return s.at + (r.Start - s.r.Start), true
}

// drop gives the spare up. What the stub has of it is unmapped in the batch under
// way, before rel lets go of it.
func (s *spare) drop(m *MemoryManager, rel *release) {
	if s.kept > 0 {
		kept := s.keptRange()
		if s.mapped {
			m.op(platform.Op{Kind: platform.OpUnmap, Addr: kept.Start, Len: kept.Len()})
		}
		rel.add(backRange{m.memory, s.keptPages()})
		s.r.Start, s.at = kept.End, s.at+kept.Len()
	}
	if s.r.Len() > 0 {
		// No stub ever had it: this can neither wait nor be waited for.
		m.cfg.Memory.DecRefUntouched(memfile.Range{Start: s.at, End: s.at + s.r.Len()})
	}
	*s = spare{}
}

func (s *spare) keptRange() seg.Range { return seg.Range{Start: s.r.Start, End: s.r.Start + s.kept} }

func (s *spare) keptPages() memmap.Range { return memmap.Range{Start: s.at, End: s.at + s.kept} }

func (m *MemoryManager) dropSpares(rel *release) {
	m.brkSpare.drop(m, rel)
	m.stackSpare.drop(m, rel)
	for len(m.vacant) > 0 {
		m.dropVacancy(0, rel)
	}
}

// keepHeap takes the end of the heap, r, from the guest and keeps its pages and
// their place in the stub: an allocator that trims its heap grows it again soon,
// and finds no page missing then. It reports false where that is not to be had.
func (m *MemoryManager) keepHeap(r seg.Range, rel *release) bool {
	m.active.AssertHeld()
	g, p := m.pmas.Ref(r.Start)
	if r.Len() > maxHeapKept || p == nil || !g.Covers(r) || !p.private || p.cow || p.hidden || m.lockNew != 0 {
		return false
	}
	s, at, mapped := &m.brkSpare, p.at(g.Start, r.Start), p.stub != 0
	follows := s.r.Start == r.End && s.at == at+r.Len()
	if !follows || s.kept+r.Len() > maxHeapKept || s.kept > 0 && s.mapped != mapped {
		s.drop(m, rel)
		s.r = seg.Range{Start: r.End, End: r.End}
	}
	m.patches.forget(r)
	m.pmas.Remove(r, func(seg.Range, pma) {}) // the spare has the reference now
	if mapped {
		m.protectOp(r, stubMapped)
	}
	s.r.Start, s.at, s.kept, s.mapped = r.Start, at, s.kept+r.Len(), mapped
	return true
}

// growAgain gives the heap what it left at r, as zeroes.
func (m *MemoryManager) growAgain(r seg.Range, at uint64, p pma) {
	m.clearPages(memfile.Range{Start: at, End: at + r.Len()})
	p.off = at
	if m.brkSpare.mapped {
		p.stub = stubMapped
	}
	m.mapOp(r, &p, 0, false)
	m.pmas.Insert(r, p)
}

// clearKept gives up what the heap and other mappings left, where something else
// comes to r or all of r is unmapped. It reports whether there was anything.
func (m *MemoryManager) clearKept(r seg.Range, rel *release) bool {
	any := m.dropVacant(r, rel)
	s := &m.brkSpare
	if s.kept == 0 || !s.keptRange().Overlaps(r) {
		return any
	}
	s.drop(m, rel)
	return true
}
