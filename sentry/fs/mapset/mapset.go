// Package mapset keeps which address spaces map which parts of a file: what a
// memmap.Mappable needs to take its pages back.
//
// # Locking
//
// A Set has the rank Mappings: memory managers add and remove with their own
// locks held. Invalidate calls back without it.
package mapset

import (
	"sync/atomic"

	"cordon/internal/lock"
	"cordon/sentry/memmap"
)

// A Set is the mappings of one file. The zero Set is empty, and costs a word: most
// files are never mapped.
type Set struct {
	// atomic
	p atomic.Pointer[set]
}

type set struct {
	// atomic
	text memmap.TextPlace

	mu lock.Mutex[lock.Mappings]

	// guarded by mu
	spaces   map[memmap.MappingSpace][]mapping
	writable uint64 // bytes mapped shared and writable
}

// A mapping is bytes r of the file at addr.
type mapping struct {
	addr     uint64
	r        memmap.Range
	writable bool
}

// made returns what s has, making it if this is the first use.
func (s *Set) made() *set {
	if m := s.p.Load(); m != nil {
		return m
	}
	s.p.CompareAndSwap(nil, &set{})
	return s.p.Load()
}

// TextPlace is where what address spaces share of the file's text is kept.
func (s *Set) TextPlace() *memmap.TextPlace { return &s.made().text }

// Changed says that the file's contents have changed. Where its text is shared,
// everybody gets the file's own again.
func (s *Set) Changed(file memmap.Mappable) {
	if m := s.p.Load(); m != nil && m.text.Change() {
		s.Invalidate(file, memmap.Range{End: 1 << 63}, false)
	}
}

// Add notes a mapping. One that stores can be made through ends what is shared of
// the file's text, but who has that mapped keeps it.
func (s *Set) Add(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	x := s.made()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.spaces == nil {
		x.spaces = make(map[memmap.MappingSpace][]mapping)
	}
	x.spaces[ms] = append(x.spaces[ms], mapping{addr, r, writable})
	if writable {
		x.writable += r.Len()
		x.text.Change()
	}
}

// Remove forgets these bytes, which may be a part of what was added or several
// additions that lie side by side. Bytes that were added twice, as when a part of a
// mapping is mapped again over itself, stay once.
func (s *Set) Remove(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	x := s.made()
	x.mu.Lock()
	defer x.mu.Unlock()
	if writable {
		x.writable -= min(r.Len(), x.writable)
	}
	var buf [4]memmap.Range
	left := append(buf[:0], r)
	keep := x.spaces[ms][:0]
	var parts []mapping
	for _, m := range x.spaces[ms] {
		if m.writable != writable || m.addr-m.r.Start != addr-r.Start {
			keep = append(keep, m)
			continue
		}
		var rest mapping
		if rest, parts, left = m.without(left, parts); rest.r.Len() > 0 {
			keep = append(keep, rest)
		}
	}
	keep = append(keep, parts...)
	if len(keep) == 0 {
		delete(x.spaces, ms)
		return
	}
	x.spaces[ms] = keep
}

// without takes the bytes out of m that are in cut, ranges in order, and out of cut
// those that were in m. It returns the last part of m that is left, and parts with
// the others.
func (m mapping) without(cut []memmap.Range, parts []mapping) (mapping, []mapping, []memmap.Range) {
	var still []memmap.Range
	for i, c := range cut {
		start, end := max(m.r.Start, c.Start), min(m.r.End, c.End)
		if start >= end {
			if still != nil {
				still = append(still, c)
			}
			continue
		}
		if still == nil {
			still = append(make([]memmap.Range, 0, len(cut)+1), cut[:i]...)
		}
		if c.Start < start {
			still = append(still, memmap.Range{Start: c.Start, End: start})
		}
		if end < c.End {
			still = append(still, memmap.Range{Start: end, End: c.End})
		}
		if m.r.Start < start {
			parts = append(parts, mapping{m.addr, memmap.Range{Start: m.r.Start, End: start}, m.writable})
		}
		m.addr += end - m.r.Start
		m.r.Start = end
	}
	if still == nil {
		still = cut
	}
	return m, parts, still
}

// Writable reports whether stores may change the file without a call.
func (s *Set) Writable() bool {
	x := s.p.Load()
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.writable > 0
}

// Mapped reports whether the file is mapped at all.
func (s *Set) Mapped() bool {
	x := s.p.Load()
	if x == nil {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.spaces) > 0
}

// Invalidate drops every translation of r that address spaces have from file,
// and private copies too if andPrivate.
func (s *Set) Invalidate(file memmap.Mappable, r memmap.Range, andPrivate bool) {
	type part struct {
		ms      memmap.MappingSpace
		addr, n uint64
	}
	var parts []part
	x := s.p.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	for ms, list := range x.spaces {
		for _, m := range list {
			start, end := max(m.r.Start, r.Start), min(m.r.End, r.End)
			if start < end {
				parts = append(parts, part{ms, m.addr + (start - m.r.Start), end - start})
			}
		}
	}
	x.mu.Unlock()
	for _, p := range parts {
		p.ms.Invalidate(file, p.addr, p.n, andPrivate)
	}
}

// Each calls fn for every mapping, without the lock.
func (s *Set) Each(fn func(r memmap.Range, writable bool)) {
	x := s.p.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	var all []mapping
	for _, list := range x.spaces {
		all = append(all, list...)
	}
	x.mu.Unlock()
	for _, m := range all {
		fn(m.r, m.writable)
	}
}
