package mm

import (
	"slices"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
)

// TestMappedAgain maps memory where some has just been unmapped: it costs a change of
// protection each way, reads as zeroes, and is nobody's in between.
func TestMappedAgain(t *testing.T) {
	const n = 4 * pageSize
	m := newSpace(t)
	mustMap(t, m, anonymous(pageSize, rw))
	s := activate(t, m)
	for i := range 3 {
		at := mustMap(t, m, anonymous(n, rw))
		for a := at; a < at+n; a += pageSize {
			if v, _ := load(t, m, a); v != 0 {
				t.Fatalf("round %d: %#x reads as %d", i, a, v)
			}
			store(t, m, a, uint64(i)+1)
		}
		if err := m.MUnmap(nil, at, n); err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		if _, err := m.CopyIn(at, b[:]); err != linux.EFAULT {
			t.Errorf("a copy from unmapped memory: %v", err)
		}
		if _, f := load(t, m, at); f.signal != linux.SIGSEGV || f.code != linux.SEGV_MAPERR {
			t.Errorf("a load from unmapped memory: %+v", f)
		}
		for a := at; a < at+n; a += pageSize {
			if s.pages[a].prot != 0 {
				t.Errorf("the stub has %v at %#x", s.pages[a].prot, a)
			}
		}
	}
	if s.count[platform.OpMap] != 2 || s.count[platform.OpUnmap] != 0 || s.count[platform.OpProtect] != 5 {
		t.Errorf("%v", s.count)
	}
	// A part of it, read only, has the rest left.
	at := mustMap(t, m, anonymous(n, rw))
	m.MUnmap(nil, at, n)
	o := anonymous(pageSize, linux.PROT_READ)
	o.Addr, o.Flags = at+pageSize, o.Flags|linux.MAP_FIXED
	mustMap(t, m, o)
	if v, _ := load(t, m, o.Addr); v != 0 || s.pages[o.Addr].prot != linux.PROT_READ {
		t.Errorf("%d, %v", v, s.pages[o.Addr].prot)
	}
	if !m.vacantAt(seg.Range{Start: at, End: at + pageSize}) || !m.vacantAt(seg.Range{Start: at + 2*pageSize, End: at + n}) {
		t.Errorf("left: %v", m.vacant)
	}
	m.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

// TestVacancies checks who else lets go of what a mapping left, or never gets it: its
// pages are nobody else's while a stub maps them, and no other's come to its place.
func TestVacancies(t *testing.T) {
	const n = 8 * pageSize
	for name, fn := range map[string]func(t *testing.T, m *MemoryManager, left seg.Range){
		"shared memory over it": func(t *testing.T, m *MemoryManager, left seg.Range) {
			o := anonymous(pageSize, rw)
			o.Addr, o.Flags = left.Start+pageSize, linux.MAP_SHARED|linux.MAP_ANONYMOUS|linux.MAP_FIXED
			mustMap(t, m, o)
			store(t, m, o.Addr, 3)
		},
		"a mapping moved over it": func(t *testing.T, m *MemoryManager, left seg.Range) {
			o := anonymous(pageSize, rw)
			o.Addr, o.Flags = left.Start-10*pageSize, o.Flags|linux.MAP_FIXED
			at := mustMap(t, m, o)
			store(t, m, at, 3)
			if _, err := m.MRemap(nil, at, pageSize, pageSize, linux.MREMAP_MAYMOVE|linux.MREMAP_FIXED, left.Start); err != nil {
				t.Fatal(err)
			}
		},
		"more unmapped than it": func(t *testing.T, m *MemoryManager, left seg.Range) {
			m.MUnmap(nil, left.Start-pageSize, left.Len()+pageSize)
		},
		"others": func(t *testing.T, m *MemoryManager, left seg.Range) {
			o := anonymous(maxVacant, rw)
			o.Addr, o.Flags = left.Start-2*maxVacant, o.Flags|linux.MAP_FIXED
			at := mustMap(t, m, o)
			store(t, m, at, 1)
			m.MUnmap(nil, at, maxVacant)
		},
		"no access": func(t *testing.T, m *MemoryManager, left seg.Range) {
			o := anonymous(n, 0)
			o.Addr, o.Flags = left.Start, o.Flags|linux.MAP_FIXED
			mustMap(t, m, o)
		},
		"a new program": func(t *testing.T, m *MemoryManager, left seg.Range) {
			var as platform.AddressSpace = &reusableSpace{fakeSpace: activate(t, m), yes: true}
			m.as.Store(&as)
			pages := m.vacant[0].pages()
			var rel release
			if m.give(&rel) == nil {
				t.Fatal("no stub to take over")
			}
			if !slices.Contains(append(rel.pages, rel.one), backRange{m.memory, pages}) {
				t.Error("what a mapping left may be another's before it is unmapped")
			}
			rel.run()
			clear(as.(*reusableSpace).pages)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newSpace(t)
			// What is above it keeps its pages from those of the next mapping.
			mustMap(t, m, anonymous(pageSize, linux.PROT_READ))
			s := activate(t, m)
			at := mustMap(t, m, anonymous(n, rw))
			for a := at; a < at+n; a += pageSize {
				store(t, m, a, 7)
			}
			m.MUnmap(nil, at, n)
			left := seg.Range{Start: at, End: at + n}
			if len(m.vacant) != 1 || m.vacant[0].r != left {
				t.Fatalf("left %v, want %v", m.vacant, left)
			}
			pages := m.vacant[0].pages()
			fn(t, m, left)
			if m.as.Load() != nil && m.vacantAt(left) {
				t.Errorf("left: %v", m.vacant)
			}
			for a, p := range s.pages {
				if left.Contains(a) && p.off >= pages.Start && p.off < pages.End {
					t.Errorf("the stub maps %#x of what was given up at %#x", p.off, a)
				}
			}
			m.DecUsers()
			if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
				t.Errorf("%d bytes left", u)
			}
		})
	}
}

// What another space has too, or is locked, or large, is unmapped at once.
func TestNothingLeft(t *testing.T) {
	m := newSpace(t)
	s := activate(t, m)
	cow := mustMap(t, m, anonymous(100*pageSize, rw))
	large := mustMap(t, m, anonymous(maxVacant+pageSize, rw))
	for a := cow; a < cow+100*pageSize; a += pageSize {
		store(t, m, a, 7)
	}
	child := fork(t, m)
	for at, n := range map[uint64]uint64{cow + 50*pageSize: 50 * pageSize, large: maxVacant + pageSize} {
		if err := m.MUnmap(nil, at, n); err != nil {
			t.Fatal(err)
		}
		for a := at; a < at+n; a += pageSize {
			if _, ok := s.pages[a]; ok {
				t.Fatalf("the stub has %#x", a)
			}
		}
	}
	if v, _ := load(t, child, cow+70*pageSize); v != 7 {
		t.Errorf("the child reads %d", v)
	}
	child.DecUsers()
	m.DecUsers()
}
