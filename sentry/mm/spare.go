package mm

import (
	"cordon/internal/seg"
	"cordon/platform/memfile"
)

// A spare is memory set aside beside the heap or the stack, so that growth
// continues the same range of the file and stays one mapping. Offsets that are
// never used cost nothing.
type spare struct {
	r  seg.Range // addresses it is meant for
	at uint64    // offset in the memory file of r.Start
}

// takeUp takes r off the beginning of the spare.
func (s *spare) takeUp(r seg.Range) (at uint64, ok bool) {
	if s.r.Start != r.Start || r.End > s.r.End || r.Len() == 0 {
		return 0, false
	}
	at = s.at
	s.r.Start, s.at = r.End, s.at+r.Len()
	return at, true
}

// takeDown takes r off the end of the spare.
func (s *spare) takeDown(r seg.Range) (at uint64, ok bool) {
	if s.r.End != r.End || r.Start < s.r.Start || r.Len() == 0 {
		return 0, false
	}
	s.r.End = r.Start
	return s.at + (r.Start - s.r.Start), true
}

// drop gives the spare up.
func (s *spare) drop(m *MemoryManager) {
	if s.r.Len() > 0 {
		// No stub ever had it: this can neither wait nor be waited for.
		m.cfg.Memory.DecRefUntouched(memfile.Range{Start: s.at, End: s.at + s.r.Len()})
	}
	*s = spare{}
}

func (m *MemoryManager) dropSpares() {
	m.brkSpare.drop(m)
	m.stackSpare.drop(m)
}
