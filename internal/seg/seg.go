// Package seg holds sets of non-overlapping ranges of uint64 with a value on
// each: an address space's mappings, a file's pages, allocated memory.
//
// A set is a sorted slice cut into chunks of at most maxChunk segments, each
// with the largest gap inside it. Finding is two binary searches, inserting
// moves one chunk's segments, and a search for room skips every chunk whose
// gaps are all too small, so that 60,000 segments cost little more than 60.
//
// # Locking
//
// A Set has no lock. Reading methods may run at the same time; whatever changes
// a set, including through pointers that it hands out, excludes everything else.
//
// # Lifetimes
//
// Pointers to values are good until the set changes next, and a set must not
// change while it is iterated over.
package seg

import (
	"iter"

	"cordon/internal/check"
)

const (
	maxChunk = 64
	minChunk = 12
)

// A Range is the numbers from Start up to but not including End.
type Range struct {
	Start uint64
	End   uint64
}

// Len is how many numbers r has.
func (r Range) Len() uint64 { return r.End - r.Start }

// Contains reports whether x is in r.
func (r Range) Contains(x uint64) bool { return r.Start <= x && x < r.End }

// Overlaps reports whether r and o have a number in common.
func (r Range) Overlaps(o Range) bool { return r.Start < o.End && o.Start < r.End }

// Covers reports whether all of o is in r.
func (r Range) Covers(o Range) bool { return r.Start <= o.Start && o.End <= r.End }

// Intersect is what r and o have in common, empty if they are apart.
func (r Range) Intersect(o Range) Range {
	i := Range{max(r.Start, o.Start), min(r.End, o.End)}
	if i.End < i.Start {
		i.End = i.Start
	}
	return i
}

// A Seg is one range of a set and its value.
type Seg[V any] struct {
	Range
	Value V
}

// Funcs say how values follow their ranges. A nil Merge never merges; a nil
// Split gives both halves the same value.
type Funcs[V any] struct {
	// Merge joins two adjacent segments, or reports that they stay apart.
	Merge func(r1 Range, v1 V, r2 Range, v2 V) (V, bool)
	// Split divides the value of r at an address inside it.
	Split func(r Range, v V, at uint64) (left, right V)
}

// A Set is a set of segments. The zero Set is empty and has no Funcs.
type Set[V any] struct {
	// immutable
	funcs Funcs[V]

	// guarded by the owner's lock
	chunks []chunk[V]
	length int
}

// New makes an empty set.
func New[V any](f Funcs[V]) Set[V] { return Set[V]{funcs: f} }

// Len is the number of segments.
func (s *Set[V]) Len() int { return s.length }

// Clear removes all segments.
func (s *Set[V]) Clear() { s.chunks, s.length = nil, 0 }

// Span is the sum of the segments' lengths.
func (s *Set[V]) Span() uint64 {
	var n uint64
	for r := range s.All() {
		n += r.Len()
	}
	return n
}

// A pos is a segment's place. After the last one stands {len(chunks), 0}.
type pos struct{ c, i int }

// seek is the first segment that ends after addr.
func (s *Set[V]) seek(addr uint64) pos {
	// Without sort.Search: this is the most frequent thing that sets do.
	c, high := 0, len(s.chunks)
	for c < high {
		if k := int(uint(c+high) >> 1); s.chunks[k].end > addr {
			high = k
		} else {
			c = k + 1
		}
	}
	if c == len(s.chunks) {
		return pos{c, 0}
	}
	segs := s.chunks[c].segs
	i, high := 0, len(segs)-1
	for i < high {
		if k := int(uint(i+high) >> 1); segs[k].End > addr {
			high = k
		} else {
			i = k + 1
		}
	}
	return pos{c, i}
}

func (s *Set[V]) at(p pos) *Seg[V] {
	if p.c >= len(s.chunks) {
		return nil
	}
	return &s.chunks[p.c].segs[p.i]
}

func (s *Set[V]) next(p pos) pos {
	if p.i+1 < len(s.chunks[p.c].segs) {
		return pos{p.c, p.i + 1}
	}
	return pos{p.c + 1, 0}
}

func (s *Set[V]) prev(p pos) (pos, bool) {
	switch {
	case p.i > 0:
		return pos{p.c, p.i - 1}, true
	case p.c > 0:
		return pos{p.c - 1, len(s.chunks[p.c-1].segs) - 1}, true
	}
	return p, false
}

// Find is the segment that contains addr.
func (s *Set[V]) Find(addr uint64) (Seg[V], bool) {
	if g := s.at(s.seek(addr)); g != nil && g.Start <= addr {
		return *g, true
	}
	return Seg[V]{}, false
}

// Ref is Find with a pointer to the value, nil where there is no segment.
func (s *Set[V]) Ref(addr uint64) (Range, *V) {
	if g := s.at(s.seek(addr)); g != nil && g.Start <= addr {
		return g.Range, &g.Value
	}
	return Range{}, nil
}

// From is the first segment that ends after addr: the one that contains addr or
// the next.
func (s *Set[V]) From(addr uint64) (Seg[V], bool) {
	if g := s.at(s.seek(addr)); g != nil {
		return *g, true
	}
	return Seg[V]{}, false
}

// Before is the last segment that starts before addr.
func (s *Set[V]) Before(addr uint64) (Seg[V], bool) {
	p := s.seek(addr)
	if g := s.at(p); g != nil && g.Start < addr {
		return *g, true
	}
	if p, ok := s.prev(p); ok {
		return *s.at(p), true
	}
	return Seg[V]{}, false
}

// Last is the highest segment.
func (s *Set[V]) Last() (Seg[V], bool) {
	if s.length == 0 {
		return Seg[V]{}, false
	}
	segs := s.chunks[len(s.chunks)-1].segs
	return segs[len(segs)-1], true
}

// All yields every segment in order.
func (s *Set[V]) All() iter.Seq2[Range, *V] {
	return func(yield func(Range, *V) bool) {
		for c := range s.chunks {
			segs := s.chunks[c].segs
			for i := range segs {
				if !yield(segs[i].Range, &segs[i].Value) {
					return
				}
			}
		}
	}
}

// Over yields, in order and whole, the segments that overlap r.
func (s *Set[V]) Over(r Range) iter.Seq2[Range, *V] {
	return func(yield func(Range, *V) bool) {
		if r.Start >= r.End {
			return
		}
		for p := s.seek(r.Start); ; p = s.next(p) {
			g := s.at(p)
			if g == nil || g.Start >= r.End || !yield(g.Range, &g.Value) {
				return
			}
		}
	}
}

// Gaps yields the parts of r that no segment covers.
func (s *Set[V]) Gaps(r Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		from := r.Start
		for g := range s.Over(r) {
			if g.Start > from && !yield(Range{from, g.Start}) {
				return
			}
			from = g.End
		}
		if from < r.End {
			yield(Range{from, r.End})
		}
	}
}

// Covered reports whether segments cover all of r.
func (s *Set[V]) Covered(r Range) bool {
	for range s.Gaps(r) {
		return false
	}
	return true
}

// IsEmpty reports whether no segment overlaps r.
func (s *Set[V]) IsEmpty(r Range) bool {
	g := s.at(s.seek(r.Start))
	return g == nil || g.Start >= r.End || r.Start >= r.End
}

// Insert adds a segment where there is none, and merges it with its neighbours
// if they allow it.
func (s *Set[V]) Insert(r Range, v V) {
	if r.Start >= r.End {
		check.Failed("seg: inserting the empty range [%#x, %#x)", r.Start, r.End)
	}
	p := s.seek(r.Start)
	if g := s.at(p); g != nil && g.Start < r.End {
		check.Failed("seg: inserting [%#x, %#x) over [%#x, %#x)", r.Start, r.End, g.Start, g.End)
	}
	if s.funcs.Merge != nil && s.insertMerged(p, r, v) {
		return
	}
	s.insertAt(p, Seg[V]{r, v})
}

// insertMerged tries to grow a neighbour of p's place instead of inserting.
func (s *Set[V]) insertMerged(p pos, r Range, v V) bool {
	if q, ok := s.prev(p); ok {
		if g := s.at(q); g.End == r.Start {
			if m, ok := s.funcs.Merge(g.Range, g.Value, r, v); ok {
				c := &s.chunks[q.c]
				was := c.gap(q.i + 1)
				g.End, g.Value = r.End, m
				c.refresh(was)
				s.mergeNext(q)
				return true
			}
		}
	}
	if g := s.at(p); g != nil && g.Start == r.End {
		if m, ok := s.funcs.Merge(r, v, g.Range, g.Value); ok {
			c := &s.chunks[p.c]
			was := c.gap(p.i)
			g.Start, g.Value = r.Start, m
			c.refresh(was)
			return true
		}
	}
	return false
}

// mergeNext joins p with its successor if they are adjacent and allow it.
func (s *Set[V]) mergeNext(p pos) bool {
	g, n := s.at(p), s.at(s.next(p))
	if n == nil || g.End != n.Start || s.funcs.Merge == nil {
		return false
	}
	m, ok := s.funcs.Merge(g.Range, g.Value, n.Range, n.Value)
	if !ok {
		return false
	}
	// The successor's place is taken first: deleting can move p to another chunk.
	q := s.next(p)
	g.Value, g.End = m, n.End
	if q.c != p.c {
		s.chunks[p.c].end = g.End
	}
	s.deleteRun(q.c, q.i, q.i+1)
	return true
}

// SplitAt makes addr a border: a segment that contains addr and starts before it
// becomes two.
func (s *Set[V]) SplitAt(addr uint64) {
	p := s.seek(addr)
	g := s.at(p)
	if g == nil || g.Start >= addr {
		return
	}
	left, right := g.Value, g.Value
	if s.funcs.Split != nil {
		left, right = s.funcs.Split(g.Range, g.Value, addr)
	}
	end := g.End
	g.Value, g.End = left, addr
	s.insertAt(pos{p.c, p.i + 1}, Seg[V]{Range{addr, end}, right})
}

// Isolate splits segments at both ends of r, so that every segment lies wholly
// inside or outside.
func (s *Set[V]) Isolate(r Range) {
	s.SplitAt(r.Start)
	s.SplitAt(r.End)
}

// Remove empties r. Each part that goes is first shown to removed, if that is
// not nil; it must not touch the set.
func (s *Set[V]) Remove(r Range, removed func(Range, V)) {
	if r.Start >= r.End || s.IsEmpty(r) {
		return
	}
	s.Isolate(r)
	for {
		p := s.seek(r.Start)
		if p.c >= len(s.chunks) {
			return
		}
		segs := s.chunks[p.c].segs
		j := p.i
		for ; j < len(segs) && segs[j].Start < r.End; j++ {
			if removed != nil {
				removed(segs[j].Range, segs[j].Value)
			}
		}
		if j == p.i {
			return
		}
		s.deleteRun(p.c, p.i, j)
	}
}

// Replace makes r one segment with the value v, whatever was there.
func (s *Set[V]) Replace(r Range, v V) {
	s.Remove(r, nil)
	s.Insert(r, v)
}

// Update lets f change the values of all segments inside r, which are split at
// its ends before and merged after. f must not touch the set.
func (s *Set[V]) Update(r Range, f func(Range, *V)) {
	if r.Start >= r.End {
		return
	}
	s.Isolate(r)
	for g, v := range s.Over(r) {
		f(g, v)
	}
	s.Merge(r)
}

// Merge joins adjacent segments that touch r where they allow it.
func (s *Set[V]) Merge(r Range) {
	if s.funcs.Merge == nil {
		return
	}
	p := s.seek(r.Start)
	if q, ok := s.prev(p); ok {
		p = q
	}
	g := s.at(p)
	for g != nil && g.Start < r.End {
		start := g.Start
		if s.mergeNext(p) {
			p = s.seek(start)
		} else {
			p = s.next(p)
		}
		g = s.at(p)
	}
}
