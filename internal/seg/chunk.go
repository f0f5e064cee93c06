package seg

import "slices"

// A chunk is a run of segments, never empty, with a summary.
type chunk[V any] struct {
	start, end, maxGap uint64
	segs               []Seg[V]
}

// summarize brings a chunk's summary up to date.
func (c *chunk[V]) summarize() {
	c.start, c.end, c.maxGap = c.segs[0].Start, c.segs[len(c.segs)-1].End, 0
	for i := 1; i < len(c.segs); i++ {
		if g := c.segs[i].Start - c.segs[i-1].End; g > c.maxGap {
			c.maxGap = g
		}
	}
}

// gap is the free space before segment i of a chunk, zero before the first.
func (c *chunk[V]) gap(i int) uint64 {
	if i <= 0 || i >= len(c.segs) {
		return 0
	}
	return c.segs[i].Start - c.segs[i-1].End
}

// refresh brings the summary up to date where a gap that was was is smaller now.
func (c *chunk[V]) refresh(was uint64) {
	if was == c.maxGap && was != 0 {
		c.summarize()
		return
	}
	c.start, c.end = c.segs[0].Start, c.segs[len(c.segs)-1].End
}

// insertAt puts g before p.
func (s *Set[V]) insertAt(p pos, g Seg[V]) {
	s.length++
	if len(s.chunks) == 0 {
		s.chunks = append(s.chunks, chunk[V]{segs: make([]Seg[V], 0, 8)})
	}
	// Between two chunks the left one takes it, so that rising addresses append.
	if p.i == 0 && p.c > 0 {
		p = pos{p.c - 1, len(s.chunks[p.c-1].segs)}
	}
	c := &s.chunks[p.c]
	was := c.gap(p.i)
	c.segs = slices.Insert(c.segs, p.i, g)
	switch {
	case len(c.segs) > maxChunk:
		s.divide(p.c)
	case p.i > 0 && p.i < len(c.segs)-1:
		c.refresh(was)
	default:
		// A gap inside is new: between the old end and g.
		c.maxGap = max(c.maxGap, c.gap(p.i), c.gap(p.i+1))
		c.refresh(0)
	}
}

// divide cuts a full chunk in two. A chunk that grew at its end, as the last one
// does, keeps most of its segments.
func (s *Set[V]) divide(ci int) {
	segs := s.chunks[ci].segs
	half := len(segs) / 2
	if ci == len(s.chunks)-1 {
		half = len(segs) * 7 / 8
	}
	right := chunk[V]{segs: append(make([]Seg[V], 0, maxChunk+1), segs[half:]...)}
	clear(segs[half:])
	s.chunks[ci].segs = segs[:half]
	s.chunks[ci].summarize()
	right.summarize()
	s.chunks = slices.Insert(s.chunks, ci+1, right)
}

// deleteRun removes segments i to j of one chunk, and the chunk if it is empty
// or its rest fits into a neighbour.
func (s *Set[V]) deleteRun(ci, i, j int) {
	c := &s.chunks[ci]
	s.length -= j - i
	c.segs = slices.Delete(c.segs, i, j)
	if len(c.segs) == 0 {
		s.chunks = slices.Delete(s.chunks, ci, ci+1)
		return
	}
	// Where segments were taken out of the middle there is one larger gap; at an
	// end there are fewer.
	if i > 0 && i < len(c.segs) {
		c.maxGap = max(c.maxGap, c.gap(i))
		c.refresh(0)
	} else {
		c.summarize()
	}
	if len(c.segs) >= minChunk {
		return
	}
	switch {
	case ci+1 < len(s.chunks) && len(c.segs)+len(s.chunks[ci+1].segs) <= maxChunk/2:
		s.absorb(ci)
	case ci > 0 && len(c.segs)+len(s.chunks[ci-1].segs) <= maxChunk/2:
		s.absorb(ci - 1)
	}
}

// absorb moves the segments of the chunk after ci into it.
func (s *Set[V]) absorb(ci int) {
	s.chunks[ci].segs = append(s.chunks[ci].segs, s.chunks[ci+1].segs...)
	s.chunks[ci].summarize()
	s.chunks = slices.Delete(s.chunks, ci+1, ci+2)
}
