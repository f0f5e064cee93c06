package memfile

import "math/bits"

// extents is the free space of one arena: disjoint free ranges, neighbours
// always joined. Free ranges are found by size class in constant time; a class
// may name ranges that are gone, which are dropped when met.
type extents struct {
	end     map[uint64]uint64 // start of a free range to its end
	start   map[uint64]uint64 // end of a free range to its start
	classes [64][]uint64      // starts of ranges of [2^i, 2^(i+1)) bytes
	bytes   uint64
}

func newExtents() extents {
	return extents{end: map[uint64]uint64{}, start: map[uint64]uint64{}}
}

func class(n uint64) int { return bits.Len64(n) - 1 }

// put adds a free range, which must not overlap another.
func (x *extents) put(r Range) {
	x.bytes += r.Len()
	if s, ok := x.start[r.Start]; ok {
		delete(x.start, r.Start)
		delete(x.end, s)
		r.Start = s
	}
	if e, ok := x.end[r.End]; ok {
		delete(x.end, r.End)
		delete(x.start, e)
		r.End = e
	}
	x.end[r.Start], x.start[r.End] = r.End, r.Start
	c := class(r.Len())
	list := append(x.classes[c], r.Start)
	if len(list) > 64 && len(list) > 4*len(x.end) {
		list = x.live(c, list)
	}
	x.classes[c] = list
}

// live drops the entries of a class that are gone or have changed class.
func (x *extents) live(c int, list []uint64) []uint64 {
	seen := make(map[uint64]struct{}, len(list))
	kept := list[:0]
	for _, s := range list {
		e, ok := x.end[s]
		if _, dup := seen[s]; dup || !ok || class(e-s) != c {
			continue
		}
		seen[s] = struct{}{}
		kept = append(kept, s)
	}
	return kept
}

// remove takes r, part of the free range that starts at s, out.
func (x *extents) remove(s uint64, r Range) {
	e := x.end[s]
	delete(x.end, s)
	delete(x.start, e)
	x.bytes -= e - s
	if s < r.Start {
		x.put(Range{s, r.Start})
	}
	if r.End < e {
		x.put(Range{r.End, e})
	}
}

// takeAt takes n bytes at off, if they begin a free range.
func (x *extents) takeAt(off, n uint64) bool {
	e, ok := x.end[off]
	if !ok || e-off < n {
		return false
	}
	x.remove(off, Range{off, off + n})
	return true
}

// take takes n bytes at an offset that is phase modulo align (a power of two).
func (x *extents) take(n, align, phase uint64) (Range, bool) {
	for c := class(n); c < len(x.classes); c++ {
		list := x.classes[c]
		// The last few of a class only: what does not fit there is rarely
		// worth a longer search. All of a class above n's fit if unaligned.
		for tries := 8; tries > 0 && len(list) > 0; {
			i := len(list) - 1
			s := list[i]
			e, ok := x.end[s]
			if !ok || class(e-s) != c {
				list = list[:i]
				x.classes[c] = list
				continue
			}
			if r, ok := fit(s, e, n, align, phase); ok {
				x.classes[c] = list[:i]
				x.remove(s, r)
				return r, true
			}
			tries--
			if tries == 0 || i == 0 {
				break
			}
			// Look at another one next: swap it with a neighbour further down.
			j := i - min(i, 8-tries)
			list[i], list[j] = list[j], list[i]
		}
	}
	return Range{}, false
}

func fit(s, e, n, align, phase uint64) (Range, bool) {
	at := s + (phase-s)&(align-1)
	if at < s || at+n < at || at+n > e {
		return Range{}, false
	}
	return Range{at, at + n}, true
}
