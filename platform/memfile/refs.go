package memfile

import (
	"cordon/internal/check"
	"cordon/platform/memfile/span"
)

// pageRefs is how many references each page of a range has.
type pageRefs struct {
	n    uint32
	kind Kind
}

func (p pageRefs) Advance(uint64) pageRefs             { return p }
func (p pageRefs) Joins(_ uint64, next pageRefs) bool { return p == next }
func (p pageRefs) Absorb(pageRefs)                     {}

// maxRefs bounds the count of one page; more is refused by a check, since each
// reference is a mapping in some address space.
const maxRefs = 1 << 31

// A refSet counts references of pages. What it does not hold has none.
type refSet struct{ s span.Set[pageRefs] }

// freed is a range without references.
type freed struct {
	Range
	kind Kind
}

func (x *refSet) insert(r Range, k Kind) { x.s.Insert(r.Start, r.End, pageRefs{1, k}) }

func (x *refSet) add(r Range) {
	at := r.Start
	x.s.Change(r.Start, r.End, func(g *span.Seg[pageRefs]) {
		check.That(g.Start == at && g.Value.n < maxRefs, "memfile: reference to free pages at %#x", at)
		g.Value.n++
		at = g.End
	})
	check.That(at == r.End, "memfile: reference to free pages at %#x", at)
}

// drop appends to gone what has no reference left.
func (x *refSet) drop(r Range, gone []freed) []freed {
	at, dead := r.Start, 0
	x.s.Split(r.Start)
	x.s.Split(r.End)
	x.s.Visit(r.Start, r.End, func(g *span.Seg[pageRefs]) {
		check.That(g.Start == at, "memfile: release of free pages at %#x", at)
		at = g.End
		if g.Value.n--; g.Value.n == 0 {
			dead++
			gone = append(gone, freed{Range{g.Start, g.End}, g.Value.kind})
		}
	})
	check.That(at == r.End, "memfile: release of free pages at %#x", at)
	for _, d := range gone[len(gone)-dead:] {
		x.s.Cut(d.Start, d.End, nil)
	}
	x.s.Join(r.Start, r.End)
	return gone
}

func (x *refSet) sole(off uint64, r Range) Range {
	g := x.s.Find(off)
	if g == nil || g.Value.n != 1 {
		return Range{}
	}
	return Range{max(g.Start, r.Start), min(g.End, r.End)}
}
