package seg

import (
	"math/rand/v2"
	"testing"
)

const space = 512

// A model is the set as an array: zero is no segment. Values carry their own
// address, so that a wrong split or merge shows.
type model [space]uint64

// tag makes a value that merges with itself and shifts with its range, like a
// mapping's file offset.
type value struct{ id, off uint64 }

func newSet() Set[value] {
	return New(Funcs[value]{
		Merge: func(r1 Range, v1 value, r2 Range, v2 value) (value, bool) {
			return v1, v1.id == v2.id && v1.off+r1.Len() == v2.off
		},
		Split: func(r Range, v value, at uint64) (value, value) {
			return v, value{v.id, v.off + at - r.Start}
		},
	})
}

// cell is what a value says about the address x of its range.
func cell(r Range, v value, x uint64) uint64 { return v.id<<32 | (v.off + x - r.Start) }

func (m *model) fill(r Range, v value) {
	for x := r.Start; x < r.End; x++ {
		m[x] = cell(r, v, x)
	}
}

func compare(t *testing.T, s *Set[value], m *model) {
	t.Helper()
	var got model
	last, n := uint64(0), 0
	var prev Seg[value]
	for r, v := range s.All() {
		if r.Start < last || r.Start >= r.End {
			t.Fatalf("segment %v after %d", r, last)
		}
		if n > 0 && prev.End == r.Start && prev.Value.id == v.id && prev.Value.off+prev.Len() == v.off {
			t.Fatalf("%v and %v were not merged", prev, r)
		}
		got.fill(r, *v)
		prev, last = Seg[value]{r, *v}, r.End
		n++
	}
	if got != *m {
		t.Fatalf("set %v\nmodel %v", got, *m)
	}
	if n != s.Len() {
		t.Fatalf("%d segments, Len %d", n, s.Len())
	}
	for i := range s.chunks {
		c := s.chunks[i]
		c.summarize()
		if c.start != s.chunks[i].start || c.end != s.chunks[i].end || c.maxGap != s.chunks[i].maxGap {
			t.Fatalf("chunk %d has an old summary", i)
		}
		if len(c.segs) > maxChunk {
			t.Fatalf("chunk %d has %d segments", i, len(c.segs))
		}
	}
}

func free(m *model, a, size uint64) bool {
	for x := a; x < a+size; x++ {
		if m[x] != 0 {
			return false
		}
	}
	return true
}

func (m *model) gap(within Range, size, align uint64, high bool) (uint64, bool) {
	found, ok := uint64(0), false
	for a := within.Start; a+size <= within.End; a++ {
		if (align == 0 || a%align == 0) && free(m, a, size) {
			if found, ok = a, true; !high {
				break
			}
		}
	}
	return found, ok
}

func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		s, m := newSet(), model{}
		t.Logf("seed %d", seed)
		for step := range 600 {
			a, b := rnd.Uint64N(space), rnd.Uint64N(space)
			// Short ranges make many segments, so that chunks split and join.
			if rnd.IntN(10) > 0 {
				b = min(a+1+rnd.Uint64N(3), space)
			}
			r := Range{min(a, b), max(a, b)}
			if r.Len() == 0 {
				continue
			}
			v := value{1 + rnd.Uint64N(3), 1000 + r.Start}
			switch op := rnd.IntN(10); {
			case op < 5:
				s.Replace(r, v)
				m.fill(r, v)
			case op < 7:
				var want, got uint64
				for x := r.Start; x < r.End; x++ {
					if m[x] != 0 {
						want++
					}
					m[x] = 0
				}
				s.Remove(r, func(g Range, _ value) { got += g.Len() })
				if got != want {
					t.Fatalf("removed %d, want %d", got, want)
				}
			case op < 8:
				s.Update(r, func(g Range, v *value) { v.id = 4 })
				for x := r.Start; x < r.End; x++ {
					if m[x] != 0 {
						m[x] = 4<<32 | m[x]&0xffffffff
					}
				}
			default:
				lookups(t, &s, &m, r, rnd)
			}
			if step%20 == 0 {
				compare(t, &s, &m)
			}
		}
		compare(t, &s, &m)
	}
}

func lookups(t *testing.T, s *Set[value], m *model, r Range, rnd *rand.Rand) {
	t.Helper()
	g, ok := s.Find(r.Start)
	if ok != (m[r.Start] != 0) || ok && cell(g.Range, g.Value, r.Start) != m[r.Start] {
		t.Fatalf("Find(%d) is %v, %v", r.Start, g, ok)
	}
	if s.IsEmpty(r) != free(m, r.Start, r.Len()) {
		t.Fatalf("IsEmpty(%v) is wrong", r)
	}
	covered := true
	for x := r.Start; x < r.End; x++ {
		covered = covered && m[x] != 0
	}
	if s.Covered(r) != covered {
		t.Fatalf("Covered(%v) is wrong", r)
	}
	b, ok := s.Before(r.Start)
	want := -1
	for x := int(r.Start) - 1; x >= 0 && want < 0; x-- {
		if m[x] != 0 {
			want = x
		}
	}
	if ok != (want >= 0) || ok && !b.Contains(uint64(want)) {
		t.Fatalf("Before(%d) is %v, want the segment of %d", r.Start, b, want)
	}
	size, align := 1+rnd.Uint64N(6), uint64(1)<<rnd.IntN(4)>>1
	for _, within := range []Range{{0, space}, r} {
		a, ok := s.FirstGap(within, size, align)
		wa, wok := m.gap(within, size, align, false)
		if ok != wok || ok && a != wa {
			t.Fatalf("FirstGap(%v, %d, %d) is %d %v, want %d %v", within, size, align, a, ok, wa, wok)
		}
		a, ok = s.LastGap(within, size, align)
		wa, wok = m.gap(within, size, align, true)
		if ok != wok || ok && a != wa {
			t.Fatalf("LastGap(%v, %d, %d) is %d %v, want %d %v", within, size, align, a, ok, wa, wok)
		}
	}
}

func TestOverlappingInsertIsOurBug(t *testing.T) {
	s := newSet()
	s.Insert(Range{10, 20}, value{1, 0})
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Insert(Range{19, 30}, value{1, 0})
}

func TestGapAtTheTopOfTheNumbers(t *testing.T) {
	var s Set[int]
	top := ^uint64(0)
	s.Insert(Range{top - 100, top}, 1)
	if a, ok := s.FirstGap(Range{top - 200, top}, 101, 0); ok {
		t.Errorf("found %#x", a)
	}
	if _, ok := s.FirstGap(Range{top - 50, top}, 10, 1<<40); ok {
		t.Error("found an aligned gap past the end")
	}
}

func bigSet(n uint64) Set[int] {
	var s Set[int]
	for i := range n {
		s.Insert(Range{i * 8192, i*8192 + 4096}, int(i))
	}
	return s
}

func BenchmarkFind60000(b *testing.B) {
	s := bigSet(60000)
	x := uint64(0)
	for b.Loop() {
		x = (x*6364136223846793005 + 1) % (60000 * 8192)
		s.Find(x)
	}
}

func BenchmarkInsertRemove60000(b *testing.B) {
	s := bigSet(60000)
	x := uint64(0)
	for b.Loop() {
		x = (x*6364136223846793005 + 1) % 60000
		r := Range{x*8192 + 4096, x*8192 + 8192}
		s.Insert(r, 1)
		s.Remove(r, nil)
	}
}

func BenchmarkLastGap60000(b *testing.B) {
	s := bigSet(60000)
	for b.Loop() {
		s.LastGap(Range{0, 1 << 47}, 8192, 0)
		s.LastGap(Range{0, 60000 * 8192}, 8192, 0)
	}
}
