package mm

import (
	"encoding/binary"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
)

// A cell is a page's contents: its first word, and what it was before.
type cell struct {
	v    uint64
	past []uint64
}

// A modelPage is one page of a modelSpace.
type modelPage struct {
	prot   linux.Prot
	shared bool
	// c is the private contents, or what is shared. A private file page that
	// was never stored to shows the file.
	c      *cell
	file   *cell
	fork   bool // MADV_DONTFORK
	wipe   bool
	locked bool
}

// A modelSpace is an address space as an array of pages.
type modelSpace struct {
	mm    *MemoryManager
	pages map[uint64]*modelPage
}

// modelBase and modelPages are where the model's mappings are.
const (
	modelBase  = 0x10000000
	modelPages = 600
)

type world struct {
	t      *testing.T
	rnd    *rand.Rand
	spaces []*modelSpace
	file   *fakeFile
	cells  []*cell // of file
	next   uint64
	log    []string
}

func (w *world) say(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	tail := w.log[max(0, len(w.log)-25):]
	for _, l := range tail {
		w.t.Log(l)
	}
	w.t.Fatalf(format, args...)
}

func (w *world) span() seg.Range {
	n := uint64(1 + w.rnd.IntN(20))
	if w.rnd.IntN(10) == 0 {
		n = uint64(1 + w.rnd.IntN(200))
	}
	a := w.rnd.Uint64N(modelPages - n + 1)
	return seg.Range{Start: modelBase + a*pageSize, End: modelBase + (a+n)*pageSize}
}

func (w *world) prot() linux.Prot {
	return []linux.Prot{rw, rw, rw, linux.PROT_READ, linux.PROT_NONE, linux.PROT_READ | linux.PROT_EXEC, linux.PROT_WRITE}[w.rnd.IntN(7)]
}

func each(r seg.Range, fn func(a uint64)) {
	for a := r.Start; a < r.End; a += pageSize {
		fn(a)
	}
}

func (s *modelSpace) covered(r seg.Range) bool {
	for a := r.Start; a < r.End; a += pageSize {
		if s.pages[a] == nil {
			return false
		}
	}
	return true
}

func (w *world) step() {
	i := w.rnd.IntN(len(w.spaces))
	s := w.spaces[i]
	r := w.span()
	switch op := w.rnd.IntN(22); op {
	case 0, 1, 2:
		w.mmap(s, r)
	case 3:
		w.say("%d munmap %#x %d", i, r.Start, r.Len()/pageSize)
		if err := s.mm.MUnmap(nil, r.Start, r.Len()); err != nil {
			w.fail("munmap: %v", err)
		}
		each(r, func(a uint64) { delete(s.pages, a) })
	case 4, 5:
		w.mprotect(s, r)
	case 6:
		w.madvise(s, r)
	case 7:
		w.mremap(s, r)
	case 8:
		if len(w.spaces) < 4 {
			w.fork(s)
		} else {
			w.say("%d exits", i)
			s.mm.DecUsers()
			w.spaces = slices.Delete(w.spaces, i, i+1)
		}
	case 9:
		w.say("%d invalidate %#x %d", i, r.Start, r.Len()/pageSize)
		s.mm.Invalidate(w.file, r.Start, r.Len(), false)
	case 10:
		w.say("host refuses soon")
		p := s.mm.cfg.Platform.(*fakePlatform)
		p.failAt = p.ops + 1 + w.rnd.IntN(5)
	case 11, 12:
		w.brk(i, s)
	default:
		for range 6 {
			a := r.Start + w.rnd.Uint64N(r.Len()/pageSize)*pageSize
			w.access(s, a)
		}
	}
}

func (w *world) mmap(s *modelSpace, r seg.Range) {
	prot := w.prot()
	o := MMapOpts{Addr: r.Start, Len: r.Len(), Prot: prot, Flags: linux.MAP_FIXED | linux.MAP_PRIVATE}
	kind := w.rnd.IntN(4)
	first := uint64(0)
	switch kind {
	case 0, 1:
		o.Flags |= linux.MAP_ANONYMOUS
	case 2:
		o.Flags ^= linux.MAP_PRIVATE | linux.MAP_SHARED | linux.MAP_ANONYMOUS
	case 3:
		first = w.rnd.Uint64N(uint64(len(w.cells)) - r.Len()/pageSize + 1)
		o.Mappable, o.File, o.Offset = w.file, opened{w.file}, first*pageSize
		free := true
		each(r, func(a uint64) { free = free && s.pages[a] == nil })
		switch {
		case w.rnd.IntN(2) == 0:
			o.Flags ^= linux.MAP_PRIVATE | linux.MAP_SHARED
		case free:
			// As a dynamic linker does: what follows at these addresses waits.
			o.Flags ^= linux.MAP_FIXED | linux.MAP_DENYWRITE
		}
	}
	if w.rnd.IntN(4) == 0 {
		o.Flags |= linux.MAP_POPULATE
	}
	w.say("mmap %#x %d %v %v", r.Start, r.Len()/pageSize, prot, o.Flags)
	if at, err := s.mm.MMap(nil, o); err != nil || at != r.Start {
		w.fail("mmap: %#x %v", at, err)
	}
	each(r, func(a uint64) {
		p := &modelPage{prot: prot, shared: o.Flags&linux.MAP_TYPE == linux.MAP_SHARED, fork: true}
		if kind == 3 {
			p.file = w.cells[first+(a-r.Start)/pageSize]
			if p.shared {
				p.c, p.file = p.file, nil
			}
		} else {
			p.c = &cell{}
		}
		s.pages[a] = p
	})
}

func (w *world) mprotect(s *modelSpace, r seg.Range) {
	prot := w.prot()
	w.say("mprotect %#x %d %v", r.Start, r.Len()/pageSize, prot)
	err := s.mm.MProtect(nil, r.Start, r.Len(), prot)
	if (err == nil) != s.covered(r) {
		w.fail("mprotect: %v", err)
	}
	for a := r.Start; a < r.End && s.pages[a] != nil; a += pageSize {
		s.pages[a].prot = prot
	}
}

func (w *world) madvise(s *modelSpace, r seg.Range) {
	advice := []linux.Madvice{linux.MADV_DONTNEED, linux.MADV_DONTNEED, linux.MADV_DONTFORK, linux.MADV_DOFORK, linux.MADV_WIPEONFORK, linux.MADV_KEEPONFORK, linux.MADV_POPULATE_WRITE}[w.rnd.IntN(7)]
	w.say("madvise %#x %d %v", r.Start, r.Len()/pageSize, advice)
	err := s.mm.MAdvise(nil, r.Start, r.Len(), advice)
	if err == nil && !s.covered(r) {
		w.fail("madvise over a hole works")
	}
	if advice == linux.MADV_POPULATE_WRITE {
		return
	}
	for a := r.Start; a < r.End; a += pageSize {
		p := s.pages[a]
		if p == nil {
			continue
		}
		switch advice {
		case linux.MADV_DONTNEED:
			if !p.shared {
				p.c = &cell{}
				if p.file != nil {
					p.c = nil
				}
			}
		case linux.MADV_DONTFORK, linux.MADV_DOFORK:
			p.fork = advice == linux.MADV_DOFORK
		case linux.MADV_WIPEONFORK:
			if p.shared || p.file != nil {
				if err != linux.EINVAL {
					w.fail("MADV_WIPEONFORK of a file: %v", err)
				}
				return // stops there
			}
			p.wipe = true
		case linux.MADV_KEEPONFORK:
			p.wipe = false
		}
	}
}

func (w *world) mremap(s *modelSpace, r seg.Range) {
	to := w.span()
	if r.Overlaps(seg.Range{Start: to.Start, End: to.Start + r.Len()}) || !s.covered(r) || to.Start+r.Len() > modelBase+modelPages*pageSize {
		return
	}
	g, _ := s.mm.vmas.Find(r.Start)
	if g.End < r.End {
		return
	}
	flags := linux.MREMAP_MAYMOVE | linux.MREMAP_FIXED
	keep := w.rnd.IntN(4) == 0
	if keep {
		flags |= linux.MREMAP_DONTUNMAP
	}
	w.say("mremap %#x %d to %#x, keep %v", r.Start, r.Len()/pageSize, to.Start, keep)
	if at, err := s.mm.MRemap(nil, r.Start, r.Len(), r.Len(), flags, to.Start); err != nil || at != to.Start {
		w.fail("mremap: %#x %v", at, err)
	}
	each(r, func(a uint64) {
		p := s.pages[a]
		s.pages[to.Start+(a-r.Start)] = p
		if !keep {
			delete(s.pages, a)
			return
		}
		q := *p
		if !q.shared {
			q.c = &cell{}
			if q.file != nil {
				q.c = nil
			}
		}
		s.pages[a] = &q
	})
}

func (w *world) fork(s *modelSpace) {
	w.say("fork")
	child := &modelSpace{mm: fork(w.t, s.mm), pages: map[uint64]*modelPage{}}
	for a, p := range s.pages {
		if !p.fork {
			continue
		}
		q := *p
		if !q.shared && q.c != nil {
			q.c = &cell{v: p.c.v}
		}
		if q.wipe {
			q.c = &cell{}
		}
		child.pages[a] = &q
	}
	w.spaces = append(w.spaces, child)
}

// access does one load or store, by the guest or by a copy.
func (w *world) access(s *modelSpace, a uint64) {
	w.next++
	p := s.pages[a]
	v := w.next
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	kind := w.rnd.IntN(4)
	w.say("access %#x kind %d value %d", a, kind, v)
	need := linux.PROT_READ
	if kind >= 2 {
		need = linux.PROT_WRITE
	}
	want := fault{}
	switch {
	case p == nil:
		want = fault{linux.SIGSEGV, linux.SEGV_MAPERR}
	case effective(p.prot)&need == 0:
		want = fault{linux.SIGSEGV, linux.SEGV_ACCERR}
	}
	var got fault
	var value uint64
	var err error
	switch kind {
	case 0:
		value, got = load(w.t, s.mm, a)
	case 1:
		_, err = s.mm.CopyIn(a, b[:])
		value = binary.LittleEndian.Uint64(b[:])
	case 2:
		got = store(w.t, s.mm, a, v)
	case 3:
		_, err = s.mm.CopyOut(a, b[:])
	}
	if kind&1 == 0 && got != want {
		w.fail("%v, want %v", got, want)
	}
	if kind&1 == 1 && (err == linux.EFAULT) != (want != (fault{})) {
		w.fail("copy: %v, guest would get %v", err, want)
	}
	if want != (fault{}) {
		return
	}
	if kind < 2 {
		if !p.shows(value) {
			w.fail("read %#x, want %#x", value, p.value())
		}
		return
	}
	if p.c == nil {
		p.c = &cell{}
	}
	p.c.past = append(p.c.past, p.c.v)
	p.c.v = v
}

// shows reports whether a page may read as v. A private page of a file that
// was not stored to may be as the file is or, where a neighbour was copied, as
// it was.
func (p *modelPage) shows(v uint64) bool {
	return v == p.value() || p.c == nil && slices.Contains(p.file.past, v)
}

func (p *modelPage) value() uint64 {
	if p.c == nil {
		return p.file.v
	}
	return p.c.v
}

// check compares everything and the stubs with what is allowed.
func (w *world) check() {
	for i, s := range w.spaces {
		for a := uint64(modelBase); a < modelBase+modelPages*pageSize; a += pageSize {
			p := s.pages[a]
			g, ok := s.mm.vmas.Find(a)
			if ok != (p != nil) {
				w.fail("space %d page %#x: VMA %v, model %v", i, a, ok, p)
			}
			if ok && (g.Value.prot != p.prot || g.Value.shared() != p.shared) {
				w.fail("space %d page %#x: %v, model %v", i, a, g.Value, *p)
			}
		}
		w.checkStub(i, s)
		w.checkSizes(i, s)
	}
}

func (w *world) checkStub(i int, s *modelSpace) {
	as := s.mm.as.Load()
	if as == nil {
		return
	}
	recorded := 0
	for g, p := range s.mm.pmas.All() {
		if p.stub != 0 && !s.mm.held.r.Contains(g.Start) {
			recorded += int(g.Len() / pageSize)
		}
	}
	stub := (*as).(*fakeSpace)
	kept := s.mm.brkSpare.keptRange()
	if s.mm.brkSpare.mapped {
		recorded += int(kept.Len() / pageSize)
	}
	for _, v := range s.mm.vacant {
		if v.mapped {
			recorded += int(v.r.Len() / pageSize)
		}
	}
	if recorded != len(stub.pages) {
		w.fail("space %d: %d pages recorded, the stub has %d", i, recorded, len(stub.pages))
	}
	for _, a := range slices.Sorted(maps.Keys(stub.pages)) {
		h := stub.pages[a]
		p := s.pages[a]
		if p == nil && h.prot == 0 && (kept.Contains(a) || s.mm.vacantAt(seg.Range{Start: a, End: a + pageSize})) {
			continue
		}
		if p == nil {
			w.fail("space %d: the stub maps %#x, which is not mapped", i, a)
		}
		if h.prot&^effective(p.prot) != 0 {
			w.fail("space %d: the stub maps %#x %v, the VMA is %v", i, a, h.prot, p.prot)
		}
		var b [8]byte
		if n, err := unix.Pread(int(h.file.FD), b[:], int64(h.off)); n != 8 || err != nil {
			w.fail("pread: %d %v", n, err)
		}
		if v := binary.LittleEndian.Uint64(b[:]); !p.shows(v) {
			w.fail("space %d: the stub sees %#x at %#x, want %#x", i, v, a, p.value())
		}
		if h.prot&linux.PROT_WRITE != 0 && !p.shared {
			// Nobody else may have a page that can be stored to.
			if r := s.mm.cfg.Memory.Sole(h.off, memfile.Range{Start: h.off, End: h.off + pageSize}); r.Len() != pageSize || h.file.ID != 1 {
				w.fail("space %d: the stub may store to shared page %#x", i, a)
			}
		}
	}
}

func (w *world) checkSizes(i int, s *modelSpace) {
	var want sizes
	for r, v := range s.mm.vmas.All() {
		want.account(v, r.Len(), 1)
	}
	if s.mm.sizes != want {
		w.fail("space %d: sizes %+v, want %+v", i, s.mm.sizes, want)
	}
}

var (
	seeds     = flag.Uint64("seeds", 25, "how many seeds TestModel runs")
	firstSeed = flag.Uint64("first", 0, "the first of them")
)

func TestModel(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { runModel(t, seed, 600) })
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), file: newFakeFile(t, 250*pageSize), next: 1 << 32}
	for i := range uint64(250) {
		w.cells = append(w.cells, &cell{v: 0xf000 + i})
	}
	first := newIdle(t)
	first.SetLayout(startHeap)
	w.spaces = []*modelSpace{{mm: first, pages: map[uint64]*modelPage{}}}
	for range steps {
		w.step()
		if len(w.spaces) == 0 {
			m := New(first.cfg)
			m.SetLayout(startHeap)
			w.spaces = append(w.spaces, &modelSpace{mm: m, pages: map[uint64]*modelPage{}})
		}
		w.check()
	}
	for _, s := range w.spaces {
		s.mm.DecUsers()
	}
	if len(w.file.refs) != 0 || len(w.file.mappings) != 0 || w.file.opens != 0 {
		t.Errorf("left: %d page references, %d mappings, %d opens", len(w.file.refs), len(w.file.mappings), w.file.opens)
	}
	for k := memfile.Anonymous; k <= memfile.Kernel; k++ {
		if u := first.cfg.Memory.Usage(k); u != 0 {
			t.Errorf("%d bytes of kind %d left", u, k)
		}
	}
}

var _ platform.Platform = (*fakePlatform)(nil)
