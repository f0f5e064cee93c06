package stub

import "cordon/internal/seg"

// Spans is a set of disjoint, non-touching address ranges: where the host has
// mappings of an address space. It saves host calls for what was never mapped, and
// tells the holes of a protection change. The zero Spans is empty.
type Spans struct {
	set seg.Set[struct{}]
}

// A Span is [Start, End).
type Span = seg.Range

// joining makes one Span of two that touch.
var joining = seg.Funcs[struct{}]{
	Merge: func(seg.Range, struct{}, seg.Range, struct{}) (struct{}, bool) { return struct{}{}, true },
}

// Add puts [start, end) into the set.
func (s *Spans) Add(start, end uint64) {
	if s.set.Len() == 0 {
		s.set = seg.New(joining)
	}
	r := Span{Start: start, End: end}
	if g, ok := s.set.From(start); ok && g.Covers(r) {
		return // mapped anew
	}
	s.set.Remove(r, nil)
	s.set.Insert(r, struct{}{})
}

// Remove takes [start, end) out of the set.
func (s *Spans) Remove(start, end uint64) {
	s.set.Remove(Span{Start: start, End: end}, nil)
}

// Next returns the first part of [start, end) that is in the set.
func (s *Spans) Next(start, end uint64) (Span, bool) {
	g, ok := s.set.From(start)
	if !ok || g.Start >= end {
		return Span{}, false
	}
	return g.Range.Intersect(Span{Start: start, End: end}), true
}

// Clear empties the set.
func (s *Spans) Clear() { s.set.Clear() }
