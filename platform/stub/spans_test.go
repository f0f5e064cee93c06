package stub

import (
	"math/rand/v2"
	"strconv"
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
			var all []Span
			for x, ok := s.Next(0, size); ok; x, ok = s.Next(x.End, size) {
				if x.Start >= x.End || len(all) > 0 && all[len(all)-1].End >= x.Start {
					t.Fatalf("seed %d step %d: not sorted and apart: %v, %v", seed, step, all, x)
				}
				all = append(all, x)
			}
			for i := range uint64(size) {
				if _, ok := s.Next(i, i+1); ok != model[i] {
					t.Fatalf("seed %d step %d: page %d: %v, want %v; %v", seed, step, i, ok, model[i], all)
				}
			}
		}
	}
}

// BenchmarkSpans is what one more mapping costs among others.
func BenchmarkSpans(b *testing.B) {
	const page = 4096
	for _, n := range []uint64{10, 1000, 30000} {
		b.Run(strconv.FormatUint(n, 10), func(b *testing.B) {
			var s Spans
			for i := range n {
				s.Add(2*i*page, (2*i+1)*page)
			}
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				at := 2 * (i * 7919 % n) * page
				s.Remove(at, at+page)
				s.Add(at, at+page)
			}
		})
	}
}
