package memfile

import (
	"cordon/internal/check"
	"cordon/internal/seg"
)

// pageRefs is how many references each page of a range has.
type pageRefs struct {
	n    uint32
	kind Kind
	// full: every page is known to have memory. What is not known the host can
	// be asked.
	full bool
}

// maxRefs bounds the count of one page; more is refused by a check, since each
// reference is a mapping in some address space.
const maxRefs = 1 << 31

// A refSet counts references of pages. What it does not hold has none.
type refSet struct{ s seg.Set[pageRefs] }

func newRefSet() refSet {
	return refSet{seg.New(seg.Funcs[pageRefs]{
		Merge: func(_ seg.Range, v1 pageRefs, _ seg.Range, v2 pageRefs) (pageRefs, bool) { return v1, v1 == v2 },
	})}
}

// freed is a range without references.
type freed struct {
	Range
	kind Kind
	full bool
}

func (x *refSet) insert(r Range, k Kind, full bool) {
	x.s.Insert(seg.Range(r), pageRefs{n: 1, kind: k, full: full})
}

// setFull notes what is known of the pages of r, all of which have references.
func (x *refSet) setFull(r Range, full bool) {
	if g, p := x.s.Ref(r.Start); p != nil && g == seg.Range(r) {
		// The usual case: no neighbour changes. A merge can wait.
		p.full = full
		return
	}
	x.s.Update(seg.Range(r), func(_ seg.Range, p *pageRefs) { p.full = full })
}

// isFull reports whether all pages of r are known to have memory.
func (x *refSet) isFull(r Range) bool {
	for r.Start < r.End {
		g, p := x.s.Ref(r.Start)
		if p == nil || !p.full {
			return false
		}
		r.Start = g.End
	}
	return true
}

// refsMust says what add expects of the pages.
type refsMust bool

const (
	refsMustBe    refsMust = true
	refsMayBeNone refsMust = false
)

// add adds a reference to the pages of r, all of which have one unless must
// says that those without are to be left out.
func (x *refSet) add(r Range, must refsMust) {
	at := r.Start
	x.s.Update(seg.Range(r), func(g seg.Range, p *pageRefs) {
		if must == refsMayBeNone {
			at = g.Start
		}
		if g.Start != at || p.n >= maxRefs {
			check.Failed("memfile: reference to free pages at %#x", at)
		}
		p.n++
		at = g.End
	})
	if at != r.End && must == refsMustBe {
		check.Failed("memfile: reference to free pages at %#x", at)
	}
}

// drop appends to gone what has no reference left.
func (x *refSet) drop(r Range, gone []freed) []freed {
	at, dead := r.Start, 0
	x.s.Isolate(seg.Range(r))
	for g, p := range x.s.Over(seg.Range(r)) {
		if g.Start != at {
			check.Failed("memfile: release of free pages at %#x", at)
		}
		at = g.End
		if p.n--; p.n == 0 {
			dead++
			gone = append(gone, freed{Range(g), p.kind, p.full})
		}
	}
	if at != r.End {
		check.Failed("memfile: release of free pages at %#x", at)
	}
	for _, d := range gone[len(gone)-dead:] {
		x.s.Remove(seg.Range(d.Range), nil)
	}
	x.s.Merge(seg.Range(r))
	return gone
}

func (x *refSet) sole(off uint64, r Range) Range {
	g, ok := x.s.Find(off)
	if !ok || g.Value.n != 1 {
		return Range{}
	}
	// Neighbours differ in what is known of them.
	found := Range(g.Range)
	for found.Start > r.Start {
		if g, ok = x.s.Before(found.Start); !ok || g.End != found.Start || g.Value.n != 1 {
			break
		}
		found.Start = g.Start
	}
	for found.End < r.End {
		if g, ok = x.s.Find(found.End); !ok || g.Value.n != 1 {
			break
		}
		found.End = g.End
	}
	return Range{max(found.Start, r.Start), min(found.End, r.End)}
}
