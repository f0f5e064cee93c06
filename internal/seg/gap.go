package seg

import "cordon/internal/check"

// FirstGap is the lowest multiple of align in within, a power of two or zero for
// any address, where size bytes are free.
func (s *Set[V]) FirstGap(within Range, size, align uint64) (uint64, bool) {
	if align&(align-1) != 0 {
		check.Failed("seg: alignment %#x is no power of two", align)
	}
	if size == 0 || within.Start >= within.End || within.Len() < size {
		return 0, false
	}
	from := within.Start
	for p := s.seek(from); p.c < len(s.chunks); {
		c := &s.chunks[p.c]
		if p.i == 0 {
			// The gap before the chunk, then perhaps none that matters inside.
			if a, ok := fitLow(Range{from, min(c.start, within.End)}, size, align); ok {
				return a, true
			}
			if from = max(from, c.segs[0].End); c.maxGap < size {
				from = c.end
				p = pos{p.c + 1, 0}
				if from >= within.End {
					return 0, false
				}
				continue
			}
			p.i = 1
		}
		for ; p.i < len(c.segs); p.i++ {
			g := &c.segs[p.i]
			if a, ok := fitLow(Range{from, min(g.Start, within.End)}, size, align); ok {
				return a, true
			}
			if from = max(from, g.End); from >= within.End {
				return 0, false
			}
		}
		p = pos{p.c + 1, 0}
	}
	return fitLow(Range{from, within.End}, size, align)
}

// fitLow places size bytes at the bottom of a gap.
func fitLow(gap Range, size, align uint64) (uint64, bool) {
	a := gap.Start
	if align > 1 {
		a = (a + align - 1) &^ (align - 1)
		if a < gap.Start {
			return 0, false
		}
	}
	return a, a < gap.End && gap.End-a >= size
}

// LastGap is the highest multiple of align in within where size bytes are free.
func (s *Set[V]) LastGap(within Range, size, align uint64) (uint64, bool) {
	if align&(align-1) != 0 {
		check.Failed("seg: alignment %#x is no power of two", align)
	}
	if size == 0 || within.Start >= within.End || within.Len() < size {
		return 0, false
	}
	to := within.End
	p := s.seek(to - 1)
	// p is the segment over the top, or the first above it; go down from it.
	if g := s.at(p); g != nil && g.Start < to {
		to = g.Start
	}
	for p, ok := s.prev(p); ok; p, ok = s.prev(p) {
		c := &s.chunks[p.c]
		g := &c.segs[p.i]
		if to <= within.Start {
			return 0, false
		}
		if a, fits := fitHigh(Range{max(g.End, within.Start), to}, size, align); fits {
			return a, true
		}
		if to = min(to, g.Start); c.maxGap < size {
			to, p.i = min(to, c.start), 0
		}
	}
	return fitHigh(Range{within.Start, to}, size, align)
}

// fitHigh places size bytes at the top of a gap.
func fitHigh(gap Range, size, align uint64) (uint64, bool) {
	if gap.Start >= gap.End || gap.Len() < size {
		return 0, false
	}
	a := gap.End - size
	if align > 1 {
		a &^= align - 1
	}
	return a, a >= gap.Start
}
