package mm

import (
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
)

// A cost is what an operation asks of the platform and of the host: the part of
// its price that does not depend on how busy the machine is.
type cost struct {
	applies int // calls of Apply
	ops     int
	faults  int
	asked   uint64 // mincore(2)
}

// counter measures costs.
type counter struct {
	m      *MemoryManager
	start  cost
	faults int
}

func platformOf(m *MemoryManager) *fakePlatform { return m.cfg.Platform.(*fakePlatform) }

func (c *counter) now() cost {
	p := platformOf(c.m)
	return cost{p.applies, p.ops, c.faults, c.m.cfg.Memory.Asked()}
}

func count(m *MemoryManager, fn func(c *counter)) cost {
	c := &counter{m: m}
	c.start = c.now()
	fn(c)
	n := c.now()
	return cost{n.applies - c.start.applies, n.ops - c.start.ops, n.faults, n.asked - c.start.asked}
}

// touch is a guest's access to a page of m.
func (c *counter) touch(t testing.TB, m *MemoryManager, addr uint64, a platform.Access) {
	t.Helper()
	s := activate(t, m)
	for range 6 {
		if p, ok := s.pages[pageDown(addr)]; ok && p.prot&needs(a) == needs(a) {
			if a == platform.Write {
				m.cfg.Memory.WriteAt([]byte{1}, p.off)
			}
			return
		}
		c.faults++
		if sig, _ := m.HandleFault(nil, addr, a, linux.SIGSEGV); sig != 0 {
			t.Fatalf("access at %#x: signal %v", addr, sig)
		}
	}
	t.Fatalf("access at %#x faults for ever", addr)
}

// A program is a small dynamic program's space, as a loader leaves it.
type program struct {
	m                            *MemoryManager
	text, data, libText, libData uint64
	heap, stack, tls             uint64
}

// object maps a program or library: headers, text, constants, data, bss.
func object(t testing.TB, m *MemoryManager, textPages uint64) (text, data uint64) {
	f := newFakeFile(t, (textPages+12)*pageSize)
	seg := func(at, n, off uint64, p linux.Prot) {
		o := MMapOpts{Addr: at, Len: n * pageSize, Prot: p, Flags: linux.MAP_PRIVATE | linux.MAP_FIXED | linux.MAP_DENYWRITE, Mappable: f, File: opened{f}, Offset: off * pageSize}
		mustMap(t, m, o)
	}
	at := mustMap(t, m, anonymous((textPages+14)*pageSize, 0))
	seg(at, 2, 0, linux.PROT_READ)
	seg(at+2*pageSize, textPages, 2, rx)
	seg(at+(2+textPages)*pageSize, 6, 2+textPages, linux.PROT_READ)
	data = at + (8+textPages)*pageSize
	seg(data, 4, 8+textPages, rw)
	bss := anonymous(2*pageSize, rw)
	bss.Addr, bss.Flags = data+4*pageSize, bss.Flags|linux.MAP_FIXED
	mustMap(t, m, bss)
	if err := m.MProtect(nil, data, pageSize, linux.PROT_READ); err != nil {
		t.Fatal(err)
	}
	return at + 2*pageSize, data + pageSize
}

func newProgram(t testing.TB) *program {
	m := New(Config{Platform: &fakePlatform{}, Memory: newMemory(t), Limits: noLimits()})
	x := &program{m: m}
	x.text, x.data = object(t, m, 30)
	x.libText, x.libData = object(t, m, 370)
	object(t, m, 40) // the dynamic linker
	x.tls = mustMap(t, m, anonymous(3*pageSize, rw))
	var err error
	if x.stack, err = m.MapStack(nil, rw); err != nil {
		t.Fatal(err)
	}
	x.stack -= pageSize
	m.SetBrk(x.data)
	x.heap = m.Brk(nil, 0)
	x.heap = m.layout.StartBrk
	m.Brk(nil, x.heap+33*pageSize)
	c := &counter{m: m}
	x.run(t, c, m)
	c.touch(t, m, x.data+pageSize, platform.Write)
	for i := range uint64(6) {
		c.touch(t, m, x.heap+i*pageSize, platform.Write)
		c.touch(t, m, x.stack-i/2*pageSize, platform.Write)
	}
	return x
}

// run is what a process touches between fork and exit or exec.
func (x *program) run(t testing.TB, c *counter, m *MemoryManager) {
	for _, a := range []uint64{x.libText, x.text, x.libText + 200*pageSize} {
		c.touch(t, m, a, platform.Execute)
	}
	for _, a := range []uint64{x.stack, x.stack - pageSize, x.tls, x.libData, x.data, x.data + 3*pageSize, x.heap} {
		c.touch(t, m, a, platform.Write)
	}
}

func (x *program) forkExit(t testing.TB, c *counter) {
	child := fork(t, x.m)
	x.run(t, c, child)
	child.DecUsers()
	x.run(t, c, x.m)
}

// TestCosts holds what the usual operations ask for. A change that makes one of
// them ask for more has to say why here.
func TestCosts(t *testing.T) {
	x := newProgram(t)
	m := x.m
	cycle := func(n uint64, touch bool) func(*counter) {
		return func(c *counter) {
			at := mustMap(t, m, anonymous(n, rw))
			for a := at; touch && a < at+n; a += pageSize {
				c.touch(t, m, a, platform.Write)
			}
			if err := m.MUnmap(nil, at, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, k := range []struct {
		name string
		fn   func(c *counter)
		most cost
	}{
		{"fork, exit, wait", func(c *counter) { x.forkExit(t, c) }, cost{3, 40, 0, 6}},
		{"mmap, touch, munmap of a page", cycle(pageSize, true), cost{2, 2, 0, 0}},
		{"mmap, munmap of a page", cycle(pageSize, false), cost{2, 2, 0, 0}},
		{"mmap, touch, munmap of 1 MiB", cycle(1<<20, true), cost{2, 2, 0, 0}},
		{"mmap, touch, munmap of 8 MiB", cycle(8<<20, true), cost{2, 2, 0, 0}},
		{"heap growth", func(c *counter) {
			end := m.Brk(nil, 0)
			m.Brk(nil, end+33*pageSize)
			c.touch(t, m, end, platform.Write)
		}, cost{1, 1, 0, 0}},
		{"heap shrinks twice, grows, touch", func(c *counter) {
			end := m.Brk(nil, 0)
			m.Brk(nil, end-16*pageSize)
			m.Brk(nil, end-32*pageSize)
			m.Brk(nil, end)
			c.touch(t, m, end-20*pageSize, platform.Write)
		}, cost{3, 3, 0, 1}},
	} {
		k.fn(&counter{m: m}) // memory to reuse is there then
		k.fn(&counter{m: m})
		got := count(m, k.fn)
		t.Logf("%s: %+v", k.name, got)
		if got.applies > k.most.applies || got.ops > k.most.ops || got.faults > k.most.faults || got.asked > k.most.asked {
			t.Errorf("%s: %+v, at most %+v", k.name, got, k.most)
		}
	}
}

// TestLibrary maps a library as a dynamic linker does: one batch, with nothing that
// is replaced in it, whatever comes next.
func TestLibrary(t *testing.T) {
	next := map[string]func(c *counter, m *MemoryManager, text uint64){
		"a touch":   func(c *counter, m *MemoryManager, text uint64) { c.touch(t, m, text, platform.Execute) },
		"an munmap": func(_ *counter, m *MemoryManager, text uint64) { m.MUnmap(nil, text-10*pageSize, pageSize) },
		"a fork":    func(_ *counter, m *MemoryManager, text uint64) { fork(t, m).DecUsers() },
		"the end":   func(*counter, *MemoryManager, uint64) {},
	}
	for name, fn := range next {
		m := newSpace(t)
		var f *fakeFile
		got := count(m, func(c *counter) {
			text, lib := library(t, m)
			f = lib
			fn(c, m, text)
		})
		most := cost{1, 5, 1, 0}
		if name == "the end" {
			most = cost{}
		}
		if got.applies > most.applies || got.ops > most.ops || got.faults > most.faults {
			t.Errorf("%s: %+v, at most %+v", name, got, most)
		}
		m.DecUsers()
		if len(f.refs) != 0 || len(f.mappings) != 0 || m.cfg.Memory.Usage(memfile.Anonymous) != 0 {
			t.Errorf("%s: memory is left", name)
		}
	}
}

// library maps headers, text, constants, data and bss over one reservation.
func library(t testing.TB, m *MemoryManager) (text uint64, f *fakeFile) {
	f = newFakeFile(t, 40*pageSize)
	part := func(at, n, off uint64, p linux.Prot, flags linux.MapFlags) uint64 {
		o := MMapOpts{Addr: at, Len: n * pageSize, Prot: p, Flags: linux.MAP_PRIVATE | linux.MAP_DENYWRITE | flags, Offset: off * pageSize}
		if flags&linux.MAP_ANONYMOUS == 0 {
			o.Mappable, o.File = f, opened{f}
		}
		return mustMap(t, m, o)
	}
	at := part(0, 44, 0, linux.PROT_READ, 0)
	text = part(at+2*pageSize, 20, 2, rx, linux.MAP_FIXED)
	part(at+22*pageSize, 14, 22, linux.PROT_READ, linux.MAP_FIXED)
	part(at+36*pageSize, 4, 36, rw, linux.MAP_FIXED)
	part(at+40*pageSize, 4, 0, rw, linux.MAP_FIXED|linux.MAP_ANONYMOUS)
	return text, f
}

func BenchmarkForkExitSmall(b *testing.B) {
	x := newProgram(b)
	b.ReportAllocs()
	var sum cost
	n := 0
	for b.Loop() {
		got := count(x.m, func(c *counter) { x.forkExit(b, c) })
		sum.applies += got.applies
		sum.ops += got.ops
		sum.faults += got.faults
		sum.asked += got.asked
		n++
	}
	for name, v := range map[string]int{"applies": sum.applies, "ops": sum.ops, "faults": sum.faults, "mincore": int(sum.asked)} {
		b.ReportMetric(float64(v)/float64(n), name+"/op")
	}
}
