package patch

import (
	"maps"
	"slices"
)

// Patch is a plan with its trampoline: what is or was stored at a site.
type Patch struct {
	// immutable
	Plan   Plan
	Tramp  uint64
	Code   []byte
	Stores []Store
}

// Undo returns the stores that bring back the original bytes, in order: the one
// that switches the patch off comes first. The trampoline stays for those who
// are in it.
func (p *Patch) Undo() []Store {
	undo := make([]Store, 0, len(p.Stores))
	for i := len(p.Stores) - 1; i >= 0; i-- {
		s := p.Stores[i]
		s.Old, s.New = s.New, s.Old
		undo = append(undo, s)
	}
	return undo
}

// overlay puts the original bytes into b, which was read from addr.
func (p *Patch) overlay(addr uint64, b []byte) {
	for _, s := range p.Stores {
		for i, c := range s.Old {
			if off := s.Addr + uint64(i) - addr; off < uint64(len(b)) {
				b[off] = c
			}
		}
	}
}

// Contains tells whether addr is in the trampoline.
func (p *Patch) Contains(addr uint64) bool { return addr-p.Tramp < uint64(len(p.Code)) }

// Resume returns the address in the original code where a thread stands whose
// next instruction is at ip in the trampoline, or in the padding on the way to
// it; false if ip is in neither. No register needs a change but ip: at the
// syscall instruction rcx may be anything.
func (p *Patch) Resume(ip uint64) (uint64, bool) {
	switch {
	case p.Plan.Form == FormE && ip == p.Stores[0].Addr:
		return p.Plan.Site, true
	case !p.Contains(ip):
		return 0, false
	case ip-p.Tramp < uint64(len(p.Plan.Moved)):
		return p.Plan.At, true
	}
	return p.Plan.Site, true
}

// Set holds the patches of one address space. They lie apart from each other
// and may go in any order.
type Set struct {
	// task-only: the caller's lock
	pages  map[uint64][]*Patch // by the pages that their stores touch
	tramps []*Patch            // by address of the trampoline
}

// Add records a patch that is stored.
func (s *Set) Add(p *Patch) {
	if s.pages == nil {
		s.pages = map[uint64][]*Patch{}
	}
	for _, addr := range p.pages() {
		s.pages[addr] = append(slices.Clip(s.pages[addr]), p)
	}
	i, _ := slices.BinarySearchFunc(s.tramps, p.Tramp, byTramp)
	s.tramps = slices.Insert(slices.Clip(s.tramps), i, p)
}

// Remove forgets a patch. A thread may still be in its trampoline: see Resume,
// before.
func (s *Set) Remove(p *Patch) {
	for _, addr := range p.pages() {
		rest := slices.DeleteFunc(slices.Clone(s.pages[addr]), func(q *Patch) bool { return q == p })
		if s.pages[addr] = rest; len(rest) == 0 {
			delete(s.pages, addr)
		}
	}
	s.tramps = slices.DeleteFunc(slices.Clone(s.tramps), func(q *Patch) bool { return q == p })
}

// Clone returns a copy, for the copy of the address space.
func (s *Set) Clone() *Set {
	return &Set{pages: maps.Clone(s.pages), tramps: slices.Clone(s.tramps)}
}

// Len is how many patches there are.
func (s *Set) Len() int { return len(s.tramps) }

// All returns the patches, by address of the trampoline.
func (s *Set) All() []*Patch { return slices.Clone(s.tramps) }

// In returns the patches that store in the pages which [addr, end) touches: what
// goes when they are unmapped or written to.
func (s *Set) In(addr, end uint64) []*Patch {
	var in []*Patch
	for _, p := range s.tramps {
		if slices.ContainsFunc(p.pages(), func(pg uint64) bool { return pg+page > addr && pg < end }) {
			in = append(in, p)
		}
	}
	return in
}

// Overlay puts the original bytes into b, which was read from addr, so that a
// debugger does not see the patches.
func (s *Set) Overlay(addr uint64, b []byte) {
	if len(s.pages) == 0 || len(b) == 0 {
		return
	}
	end := addr + uint64(len(b))
	for pg := addr &^ (page - 1); pg < end && pg >= addr&^(page-1); pg += page {
		for _, p := range s.pages[pg] {
			p.overlay(addr, b)
		}
	}
}

// Resume is Patch.Resume of the patch that ip belongs to.
func (s *Set) Resume(ip uint64) (uint64, bool) {
	i, exact := slices.BinarySearchFunc(s.tramps, ip, byTramp)
	if !exact {
		i--
	}
	if i >= 0 {
		if at, ok := s.tramps[i].Resume(ip); ok {
			return at, true
		}
	}
	for _, p := range s.pages[ip&^(page-1)] {
		if at, ok := p.Resume(ip); ok {
			return at, true
		}
	}
	return 0, false
}

// Original returns the text that c reads without the patches, for Analyze: so
// it sees what was compiled, and leaves padding alone that is in use.
func (s *Set) Original(c Code) Code { return &original{c, s} }

func (s *Set) taken(addr uint64, n int) bool {
	end := addr + uint64(n)
	for _, pg := range []uint64{addr &^ (page - 1), (end - 1) &^ (page - 1)} {
		for _, p := range s.pages[pg] {
			for _, st := range p.Stores {
				if st.Addr < end && addr < st.Addr+uint64(len(st.Old)) {
					return true
				}
			}
		}
	}
	return false
}

func byTramp(p *Patch, addr uint64) int {
	switch {
	case p.Tramp < addr:
		return -1
	case p.Tramp > addr:
		return 1
	}
	return 0
}

// pages returns the pages that the patch stores in.
func (p *Patch) pages() []uint64 {
	var pages []uint64
	for _, s := range p.Stores {
		for _, a := range []uint64{s.Addr, s.Addr + uint64(len(s.Old)) - 1} {
			if pg := a &^ (page - 1); !slices.Contains(pages, pg) {
				pages = append(pages, pg)
			}
		}
	}
	return pages
}

// original is a Code without the patches of a set.
type original struct {
	c   Code
	set *Set
}

func (o *original) Read(addr uint64, b []byte) int {
	n := clamp(o.c.Read(addr, b), len(b))
	o.set.Overlay(addr, b[:n])
	return n
}
