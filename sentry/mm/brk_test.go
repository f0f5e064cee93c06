package mm

import (
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
)

// modelHeap is where the heap of a model's spaces begins: in the middle of what
// other mappings use.
const modelHeap = modelBase + modelPages/3*pageSize

func startHeap(l *Layout) { l.StartBrk, l.Brk = modelHeap, modelHeap }

// brk moves the end of the heap, mostly by little and then back.
func (w *world) brk(i int, s *modelSpace) {
	for range 1 + w.rnd.IntN(3) {
		old := s.mm.Layout().Brk
		n := w.rnd.Uint64N(30)
		if w.rnd.IntN(8) == 0 {
			n = w.rnd.Uint64N(modelPages / 2)
		}
		end := old + n*pageSize
		if w.rnd.IntN(2) == 0 {
			end = max(modelHeap, old-min(old-modelHeap, n*pageSize))
		}
		end = min(end, modelBase+modelPages*pageSize)
		w.say("%d brk %#x, was %#x", i, end, old)
		want := end
		for a := old; a < end; a += pageSize {
			if s.pages[a] != nil {
				want = old
			}
		}
		if got := s.mm.Brk(nil, end); got != want {
			w.fail("brk: %#x, want %#x", got, want)
		}
		for a := old; a < want; a += pageSize {
			s.pages[a] = &modelPage{prot: rw, c: &cell{}, fork: true}
		}
		for a := want; a < old; a += pageSize {
			delete(s.pages, a)
		}
		for range 3 {
			w.access(s, pageDown(max(modelHeap, min(old, want))+w.rnd.Uint64N(10*pageSize)))
		}
	}
}

// TestHeapAgain has a heap shrink and grow, as an allocator that trims does: what is
// beyond the end is not to be had, what comes back is zero, and no page that was
// there is missing for the host to make again.
func TestHeapAgain(t *testing.T) {
	m := newSpace(t)
	start := m.SetBrk(0x555555561000)
	const n = 48 * pageSize
	m.Brk(nil, start+n)
	s := activate(t, m)
	for a := start; a < start+n; a += pageSize {
		store(t, m, a, 7)
	}
	was := s.pages[start+n/2]
	for range 3 {
		m.Brk(nil, start+2*n/3)
		m.Brk(nil, start+n/3)
		if _, f := load(t, m, start+n/2); f.code != linux.SEGV_MAPERR {
			t.Errorf("beyond the end: %v", f)
		}
		if _, err := m.CopyIn(start+n/2, make([]byte, 1)); err != linux.EFAULT {
			t.Errorf("a copy from beyond the end: %v", err)
		}
		m.Brk(nil, start+n)
		if got := s.pages[start+n/2]; got != was {
			t.Errorf("the stub has %+v, had %+v", got, was)
		}
		for a := start; a < start+n; a += pageSize {
			want := uint64(0)
			if a < start+n/3 {
				want = 7
			}
			if v, f := load(t, m, a); v != want || f != (fault{}) {
				t.Fatalf("%#x: %d %v, want %d", a, v, f, want)
			}
		}
		store(t, m, start+n/2, 9)
	}
	m.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

// TestHeapKept checks who else lets go of what a heap left, or does not have it at
// all: pages are never given up while a stub maps them.
func TestHeapKept(t *testing.T) {
	const n = 32 * pageSize
	for name, fn := range map[string]func(t *testing.T, m *MemoryManager, left seg.Range){
		"a mapping over it": func(t *testing.T, m *MemoryManager, left seg.Range) {
			o := anonymous(pageSize, rw)
			o.Addr, o.Flags = left.Start+pageSize, o.Flags|linux.MAP_FIXED
			mustMap(t, m, o)
			store(t, m, o.Addr, 3)
		},
		"a mapping moved over it": func(t *testing.T, m *MemoryManager, left seg.Range) {
			at := mustMap(t, m, anonymous(pageSize, rw))
			store(t, m, at, 3)
			if _, err := m.MRemap(nil, at, pageSize, pageSize, linux.MREMAP_MAYMOVE|linux.MREMAP_FIXED, left.Start); err != nil {
				t.Fatal(err)
			}
		},
		"a heap far larger": func(t *testing.T, m *MemoryManager, left seg.Range) { m.Brk(nil, left.Start+100<<20) },
		"a large shrink": func(t *testing.T, m *MemoryManager, left seg.Range) {
			m.Brk(nil, left.Start+8<<20)
			m.Brk(nil, left.Start)
		},
		"a new program": func(t *testing.T, m *MemoryManager, left seg.Range) {
			var as platform.AddressSpace = &reusableSpace{fakeSpace: activate(t, m), yes: true}
			m.as.Store(&as)
			var rel release
			if m.give(&rel) == nil {
				t.Fatal("no stub to take over")
			}
			if !slices.Contains(append(rel.pages, rel.one), backRange{m.memory, m.brkSpare.keptPages()}) {
				t.Error("what the heap left may be another's before it is unmapped")
			}
			rel.run()
			clear(as.(*reusableSpace).pages)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newSpace(t)
			start := m.SetBrk(0x555555561000)
			m.Brk(nil, start+2*n)
			c := &counter{m: m}
			for a := start; a < start+2*n; a += pageSize {
				c.touch(t, m, a, platform.Write)
			}
			m.Brk(nil, start+n)
			left := seg.Range{Start: start + n, End: start + 2*n}
			if m.brkSpare.keptRange() != left {
				t.Fatalf("kept %v, want %v", m.brkSpare.keptRange(), left)
			}
			s, pages := activate(t, m), m.brkSpare.keptPages()
			fn(t, m, left)
			if m.brkSpare.keptRange().Overlaps(left) && m.as.Load() != nil {
				t.Errorf("the heap keeps %v", m.brkSpare.keptRange())
			}
			for a, p := range s.pages {
				if p.off >= pages.Start && p.off < pages.End {
					t.Errorf("the stub maps %#x of what was given up at %#x", p.off, a)
				}
			}
			m.DecUsers()
			if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
				t.Errorf("%d bytes left", u)
			}
		})
	}
	// A child has a copy of the heap: what the parent leaves is the child's too.
	m := newSpace(t)
	start := m.SetBrk(0x555555561000)
	m.Brk(nil, start+100*pageSize)
	for a := start; a < start+100*pageSize; a += pageSize {
		store(t, m, a, 5)
	}
	child := fork(t, m)
	m.Brk(nil, start+50*pageSize)
	m.Brk(nil, start+100*pageSize)
	if v, _ := load(t, m, start+70*pageSize); v != 0 {
		t.Errorf("the parent's heap grew by %d", v)
	}
	if v, _ := load(t, child, start+70*pageSize); v != 5 {
		t.Errorf("the child's heap has %d", v)
	}
	child.DecUsers()
	m.DecUsers()
}
