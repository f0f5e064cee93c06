package span

import (
	"math/rand/v2"
	"testing"
)

type val struct {
	color byte
	off   uint64
}

func (v val) Advance(n uint64) val { return val{v.color, v.off + n} }
func (v val) Joins(n uint64, next val) bool {
	return v.color == next.color && v.off+n == next.off
}
func (v val) Absorb(val) {}

// TestAgainstArray runs random changes on a set and on an array of cells.
func TestAgainstArray(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		const cells = 1500
		var model [cells]*val
		var s Set[val]
		for step := range 3000 {
			a := rnd.Uint64N(cells)
			b := min(cells, a+1+rnd.Uint64N(12))
			switch rnd.IntN(4) {
			case 0, 1:
				s.Cut(a, b, func(g *Seg[val]) {
					if g.Start < a || g.End > b {
						t.Fatalf("seed %d step %d: cut gave [%d,%d)", seed, step, g.Start, g.End)
					}
				})
				v := val{byte(rnd.IntN(3)), a * 10}
				v.off = a
				s.Insert(a, b, v)
				for i := a; i < b; i++ {
					model[i] = &val{v.color, i}
				}
			case 2:
				s.Cut(a, b, nil)
				clear(model[a:b])
			case 3:
				c := byte(rnd.IntN(3))
				s.Change(a, b, func(g *Seg[val]) { g.Value.color = c })
				for i := a; i < b; i++ {
					if model[i] != nil {
						model[i] = &val{c, i}
					}
				}
			}
			if step%50 == 0 {
				compare(t, &s, model[:])
			}
		}
		compare(t, &s, model[:])
	}
}

func compare(t *testing.T, s *Set[val], model []*val) {
	t.Helper()
	n := 0
	var last *Seg[val]
	s.All(func(g *Seg[val]) bool {
		n++
		if g.Start >= g.End || last != nil && last.End > g.Start {
			t.Fatalf("segments out of order")
		}
		if last != nil && last.End == g.Start && last.Value.Joins(last.Len(), g.Value) {
			t.Fatalf("[%d,%d) and [%d,%d) are not joined", last.Start, last.End, g.Start, g.End)
		}
		last = g
		return true
	})
	if n != s.Len() {
		t.Fatalf("Len %d, %d segments", s.Len(), n)
	}
	for i, v := range model {
		g := s.Find(uint64(i))
		if (g == nil) != (v == nil) {
			t.Fatalf("cell %d: found %v, want %v", i, g, v)
		}
		if g != nil && g.Value.Advance(uint64(i)-g.Start) != *v {
			t.Fatalf("cell %d: %v, want %v", i, g.Value, *v)
		}
		next, prev := s.Next(uint64(i)), s.Prev(uint64(i))
		if next != nil && next.End <= uint64(i) || prev != nil && prev.Start >= uint64(i) {
			t.Fatalf("cell %d: next %v prev %v", i, next, prev)
		}
		if next != nil && prev != nil && prev != next && prev.End > next.Start {
			t.Fatalf("cell %d: prev %v overlaps next %v", i, prev, next)
		}
	}
}
