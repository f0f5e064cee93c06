package mapset

import (
	"math/rand/v2"
	"testing"

	"cordon/sentry/memmap"
)

// space notes which pages Invalidate named.
type space struct{ hit map[uint64]bool }

func (s *space) Invalidate(_ memmap.Mappable, addr, n uint64, _ bool) {
	for a := addr; a < addr+n; a++ {
		s.hit[a] = true
	}
}

// TestMappedOverItself replaces parts of a mapping by the same parts, as a dynamic
// linker does: the new part is added before the old one is removed.
func TestMappedOverItself(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 200 {
		var s Set
		sp := &space{hit: map[uint64]bool{}}
		s.Add(sp, 1000, memmap.Range{Start: 0, End: 40}, false)
		for range 20 {
			start := rnd.Uint64N(40)
			r := memmap.Range{Start: start, End: start + 1 + rnd.Uint64N(40-start)}
			s.Add(sp, 1000+r.Start, r, false)
			s.Remove(sp, 1000+r.Start, r, false)
		}
		s.Invalidate(nil, memmap.Range{End: 100}, false)
		if len(sp.hit) != 40 {
			t.Fatalf("%d of 40 bytes are known to be mapped", len(sp.hit))
		}
		for at := uint64(0); at < 40; {
			n := 1 + rnd.Uint64N(40-at)
			s.Remove(sp, 1000+at, memmap.Range{Start: at, End: at + n}, false)
			at += n
		}
		if s.Mapped() {
			t.Fatal("something is left")
		}
	}
}

// TestAgainstModel maps and unmaps at random and checks who is invalidated.
func TestAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	var s Set
	sp := &space{}
	const size = 64
	model := map[uint64]uint64{} // address to file offset; one mapping per address
	for range 2000 {
		addr, n := rnd.Uint64N(size), 1+rnd.Uint64N(8)
		off := addr + 100*rnd.Uint64N(2)
		free, same := true, true
		for a := addr; a < addr+n; a++ {
			o, ok := model[a]
			free = free && !ok
			same = same && ok && o == off+a-addr
		}
		r := memmap.Range{Start: off, End: off + n}
		switch {
		case free:
			s.Add(sp, addr, r, off >= 100)
			for a := addr; a < addr+n; a++ {
				model[a] = off + a - addr
			}
		case same:
			s.Remove(sp, addr, r, off >= 100)
			for a := addr; a < addr+n; a++ {
				delete(model, a)
			}
		}
		sp.hit = map[uint64]bool{}
		lo := rnd.Uint64N(200)
		s.Invalidate(nil, memmap.Range{Start: lo, End: lo + 10}, false)
		writable := false
		for a, o := range model {
			writable = writable || o-a == 100
			if want := o >= lo && o < lo+10; want != sp.hit[a] {
				t.Fatalf("address %d, offset %d, invalidated %v", a, o, sp.hit[a])
			}
		}
		if s.Writable() != writable || s.Mapped() != (len(model) > 0) {
			t.Fatal("writable or mapped is wrong")
		}
	}
}
