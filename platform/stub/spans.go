package stub

import "sort"

// Spans is a sorted set of disjoint, non-touching address ranges: where the
// host has mappings of an address space. It saves host calls for what was never
// mapped, and tells the holes of a protection change.
type Spans []Span

// A Span is [Start, End).
type Span struct{ Start, End uint64 }

// first returns the index of the first Span that ends after addr.
func (s Spans) first(addr uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].End > addr })
}

// Add puts [start, end) into the set.
func (s *Spans) Add(start, end uint64) {
	old := *s
	// Touching Spans are joined: i is the first that ends at or after start.
	i := sort.Search(len(old), func(i int) bool { return old[i].End >= start })
	j := i
	for j < len(old) && old[j].Start <= end {
		start = min(start, old[j].Start)
		end = max(end, old[j].End)
		j++
	}
	if i == j {
		old = append(old, Span{})
		copy(old[i+1:], old[i:])
		old[i] = Span{start, end}
		*s = old
		return
	}
	old[i] = Span{start, end}
	*s = append(old[:i+1], old[j:]...)
}

// Remove takes [start, end) out of the set.
func (s *Spans) Remove(start, end uint64) {
	old := *s
	i := old.first(start)
	if i == len(old) || old[i].Start >= end {
		return
	}
	if old[i].Start < start && old[i].End > end { // a hole inside one
		old = append(old, Span{})
		copy(old[i+1:], old[i:])
		old[i].End = start
		old[i+1].Start = end
		*s = old
		return
	}
	if old[i].Start < start {
		old[i].End = start
		i++
	}
	j := i
	for j < len(old) && old[j].End <= end {
		j++
	}
	if j < len(old) && old[j].Start < end {
		old[j].Start = end
	}
	*s = append(old[:i], old[j:]...)
}

// Next returns the first part of [start, end) that is in the set.
func (s Spans) Next(start, end uint64) (Span, bool) {
	i := s.first(start)
	if i == len(s) || s[i].Start >= end {
		return Span{}, false
	}
	return Span{max(s[i].Start, start), min(s[i].End, end)}, true
}
