package stub

import (
	"math/rand/v2"
	"testing"
)

// TestSpans compares the set with an array of pages.
func TestSpans(t *testing.T) {
	const size = 64
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var s Spans
		var model [size]bool
		for step := range 200 {
			start := rnd.Uint64N(size)
			end := start + 1 + rnd.Uint64N(size-start)
			add := rnd.IntN(2) == 0
			if add {
				s.Add(start, end)
			} else {
				s.Remove(start, end)
			}
			for i := start; i < end; i++ {
				model[i] = add
			}
			for i, x := range s {
				if x.Start >= x.End || i > 0 && s[i-1].End >= x.Start {
					t.Fatalf("seed %d step %d: not sorted and apart: %v", seed, step, s)
				}
			}
			for i := range uint64(size) {
				if _, ok := s.Next(i, i+1); ok != model[i] {
					t.Fatalf("seed %d step %d: page %d: %v, want %v; %v", seed, step, i, ok, model[i], s)
				}
			}
		}
	}
}
