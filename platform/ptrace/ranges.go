package ptrace

import "sort"

// spans is a sorted set of disjoint, non-touching address ranges: where the
// host has mappings of an address space. It saves host calls for what was never
// mapped, and tells the holes of a protection change.
type spans []span

type span struct{ start, end uint64 }

// first returns the index of the first span that ends after addr.
func (s spans) first(addr uint64) int {
	return sort.Search(len(s), func(i int) bool { return s[i].end > addr })
}

// add puts [start, end) into the set.
func (s *spans) add(start, end uint64) {
	old := *s
	// Touching spans are joined: i is the first that ends at or after start.
	i := sort.Search(len(old), func(i int) bool { return old[i].end >= start })
	j := i
	for j < len(old) && old[j].start <= end {
		start = min(start, old[j].start)
		end = max(end, old[j].end)
		j++
	}
	if i == j {
		old = append(old, span{})
		copy(old[i+1:], old[i:])
		old[i] = span{start, end}
		*s = old
		return
	}
	old[i] = span{start, end}
	*s = append(old[:i+1], old[j:]...)
}

// remove takes [start, end) out of the set.
func (s *spans) remove(start, end uint64) {
	old := *s
	i := old.first(start)
	if i == len(old) || old[i].start >= end {
		return
	}
	if old[i].start < start && old[i].end > end { // a hole inside one
		old = append(old, span{})
		copy(old[i+1:], old[i:])
		old[i].end = start
		old[i+1].start = end
		*s = old
		return
	}
	if old[i].start < start {
		old[i].end = start
		i++
	}
	j := i
	for j < len(old) && old[j].end <= end {
		j++
	}
	if j < len(old) && old[j].start < end {
		old[j].start = end
	}
	*s = append(old[:i], old[j:]...)
}

// next returns the first part of [start, end) that is in the set.
func (s spans) next(start, end uint64) (span, bool) {
	i := s.first(start)
	if i == len(s) || s[i].start >= end {
		return span{}, false
	}
	return span{max(s[i].start, start), min(s[i].end, end)}, true
}
