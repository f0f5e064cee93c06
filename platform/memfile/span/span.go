// Package span has a set of disjoint ranges that each carry a value: VMAs,
// translations, reference counts of pages.
//
// # Objects
//
// A Set keeps its segments in order, in blocks of a few dozen, so that a
// lookup is two binary searches in memory that lies together and a change
// moves little. Neighbours whose values join become one segment.
//
// # Lifetimes
//
// A *Seg that a method returns is good until the next change of the set.
package span

import (
	"slices"

	"cordon/internal/check"
)

// A Value is what a segment carries.
type Value[V any] interface {
	// Advance returns the value of the part of the segment that begins n
	// bytes in.
	Advance(n uint64) V
	// Joins reports whether a segment of n bytes with this value and the one
	// with next right behind it are one.
	Joins(n uint64, next V) bool
	// Absorb is called when next has been joined to this value: next is gone.
	Absorb(next V)
}

// A Seg is [Start, End) with its value.
type Seg[V any] struct {
	Start, End uint64
	Value      V
}

// Len returns the number of bytes in s.
func (s *Seg[V]) Len() uint64 { return s.End - s.Start }

const (
	blockMax  = 64
	blockHalf = blockMax / 2
)

// A Set is a set of segments. The zero Set is empty.
type Set[V Value[V]] struct {
	firsts []uint64 // Start of each block's first segment
	blocks [][]Seg[V]
	n      int
}

// Len returns the number of segments.
func (s *Set[V]) Len() int { return s.n }

// seek returns the place of the first segment that ends after addr; b is
// len(s.blocks) where there is none.
func (s *Set[V]) seek(addr uint64) (b, i int) {
	lo, hi := 0, len(s.firsts)
	for lo < hi {
		m := (lo + hi) / 2
		if s.firsts[m] <= addr {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return 0, 0
	}
	b = lo - 1
	block := s.blocks[b]
	x, y := 0, len(block)
	for x < y {
		m := (x + y) / 2
		if block[m].End <= addr {
			x = m + 1
		} else {
			y = m
		}
	}
	if x == len(block) {
		return b + 1, 0
	}
	return b, x
}

// Next returns the first segment that ends after addr, nil if there is none.
func (s *Set[V]) Next(addr uint64) *Seg[V] {
	if b, i := s.seek(addr); b < len(s.blocks) {
		return &s.blocks[b][i]
	}
	return nil
}

// Find returns the segment that contains addr.
func (s *Set[V]) Find(addr uint64) *Seg[V] {
	if g := s.Next(addr); g != nil && g.Start <= addr {
		return g
	}
	return nil
}

// Prev returns the last segment that starts before addr.
func (s *Set[V]) Prev(addr uint64) *Seg[V] {
	b, i := s.seek(addr)
	if b < len(s.blocks) && s.blocks[b][i].Start < addr {
		return &s.blocks[b][i]
	}
	if i == 0 {
		if b == 0 {
			return nil
		}
		b--
		i = len(s.blocks[b])
	}
	return &s.blocks[b][i-1]
}

// All calls fn for each segment in order until it returns false. fn does not
// change the set.
func (s *Set[V]) All(fn func(g *Seg[V]) bool) {
	for _, block := range s.blocks {
		for i := range block {
			if !fn(&block[i]) {
				return
			}
		}
	}
}

// Insert adds a segment, which overlaps no other, and joins it to its
// neighbours.
func (s *Set[V]) Insert(start, end uint64, v V) {
	check.That(start < end, "span: insert of [%#x,%#x)", start, end)
	b, i := s.seek(start)
	check.That(b == len(s.blocks) || s.blocks[b][i].Start >= end, "span: insert of [%#x,%#x) overlaps", start, end)
	s.insertAt(b, i, Seg[V]{start, end, v})
	s.Join(start, end)
}

func (s *Set[V]) insertAt(b, i int, g Seg[V]) {
	s.n++
	if b == len(s.blocks) || i == 0 && b > 0 {
		// The end of the block before serves as well, and is not a new block.
		if b == 0 {
			s.firsts = append(s.firsts, g.Start)
			s.blocks = append(s.blocks, append(make([]Seg[V], 0, 4), g))
			return
		}
		b--
		i = len(s.blocks[b])
	}
	if len(s.blocks[b]) == blockMax {
		rest := append(make([]Seg[V], 0, blockMax), s.blocks[b][blockHalf:]...)
		clear(s.blocks[b][blockHalf:])
		s.blocks[b] = s.blocks[b][:blockHalf]
		s.blocks = slices.Insert(s.blocks, b+1, rest)
		s.firsts = slices.Insert(s.firsts, b+1, rest[0].Start)
		if i > blockHalf {
			b, i = b+1, i-blockHalf
		}
	}
	s.blocks[b] = slices.Insert(s.blocks[b], i, g)
	s.firsts[b] = s.blocks[b][0].Start
}

// removeAt takes out k segments of one block, from i on.
func (s *Set[V]) removeAt(b, i, k int) {
	s.n -= k
	block := slices.Delete(s.blocks[b], i, i+k)
	if len(block) == 0 {
		s.blocks = slices.Delete(s.blocks, b, b+1)
		s.firsts = slices.Delete(s.firsts, b, b+1)
		return
	}
	s.blocks[b] = block
	s.firsts[b] = block[0].Start
	if b+1 < len(s.blocks) && len(block)+len(s.blocks[b+1]) <= blockHalf {
		s.blocks[b] = append(block, s.blocks[b+1]...)
		s.blocks = slices.Delete(s.blocks, b+1, b+2)
		s.firsts = slices.Delete(s.firsts, b+1, b+2)
	}
}

// Split makes at the border of two segments where it lies within one.
func (s *Set[V]) Split(at uint64) {
	b, i := s.seek(at)
	if b == len(s.blocks) || s.blocks[b][i].Start >= at {
		return
	}
	g := &s.blocks[b][i]
	right := Seg[V]{at, g.End, g.Value.Advance(at - g.Start)}
	g.End = at
	s.insertAt(b, i+1, right)
}

// Join joins the segments that touch [start, end], where their values allow.
func (s *Set[V]) Join(start, end uint64) {
	g := s.Prev(start)
	if g == nil || g.End < start {
		g = s.Next(start)
	}
	if g == nil {
		return
	}
	b, i := s.seek(g.Start)
	for b < len(s.blocks) {
		g := &s.blocks[b][i]
		if g.Start > end {
			return
		}
		nb, ni := b, i+1
		if ni == len(s.blocks[b]) {
			nb, ni = b+1, 0
		}
		if nb == len(s.blocks) {
			return
		}
		next := &s.blocks[nb][ni]
		if next.Start > end {
			return
		}
		if g.End == next.Start && g.Value.Joins(g.Len(), next.Value) {
			g.Value.Absorb(next.Value)
			g.End = next.End
			at := g.Start
			s.removeAt(nb, ni, 1)
			b, i = s.seek(at)
			continue
		}
		b, i = nb, ni
	}
}

// Cut removes [start, end), splitting segments at its borders, and calls fn,
// which does not change the set, for each segment removed.
func (s *Set[V]) Cut(start, end uint64, fn func(g *Seg[V])) {
	if start >= end {
		return
	}
	s.Split(start)
	s.Split(end)
	for {
		b, i := s.seek(start)
		if b == len(s.blocks) || s.blocks[b][i].Start >= end {
			return
		}
		k := 0
		for block := s.blocks[b][i:]; k < len(block) && block[k].Start < end; k++ {
			if fn != nil {
				fn(&block[k])
			}
		}
		s.removeAt(b, i, k)
	}
}

// Change splits segments at the borders of [start, end), calls fn for each one
// within, and joins what can be. fn changes the value only.
func (s *Set[V]) Change(start, end uint64, fn func(g *Seg[V])) {
	if start >= end {
		return
	}
	s.Split(start)
	s.Split(end)
	s.Visit(start, end, fn)
	s.Join(start, end)
}

// Visit calls fn for each segment that overlaps [start, end), as it is. fn does
// not change the set.
func (s *Set[V]) Visit(start, end uint64, fn func(g *Seg[V])) {
	b, i := s.seek(start)
	for ; b < len(s.blocks); b, i = b+1, 0 {
		for block := s.blocks[b]; i < len(block); i++ {
			if block[i].Start >= end {
				return
			}
			fn(&block[i])
		}
	}
}

// Clear removes everything.
func (s *Set[V]) Clear() { *s = Set[V]{} }
