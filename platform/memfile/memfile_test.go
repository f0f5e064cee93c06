package memfile

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

func newFile(t *testing.T) *File {
	t.Helper()
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := New(int32(fd), 1)
	t.Cleanup(f.Close)
	return f
}

func mustAlloc(t *testing.T, f *File, n uint64, o Options) Range {
	t.Helper()
	r, _, err := f.Alloc(n, o)
	if err != 0 {
		t.Fatalf("Alloc(%#x): %v", n, err)
	}
	if r.Len() != n {
		t.Fatalf("Alloc(%#x) = %v", n, r)
	}
	return r
}

func TestAllocatedMemoryIsZeroAndOwned(t *testing.T) {
	f := newFile(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	owner := map[uint64]byte{}
	type piece struct {
		r    Range
		mark byte
	}
	var live []piece
	for step := range 3000 {
		if rnd.IntN(2) == 0 && len(live) > 0 {
			i := rnd.IntN(len(live))
			p := live[i]
			b := f.Window(p.r)
			if b[0] != p.mark || b[len(b)-1] != p.mark {
				t.Fatalf("step %d: %v lost its contents", step, p.r)
			}
			for a := p.r.Start; a < p.r.End; a += pageSize {
				delete(owner, a)
			}
			f.DecRef(p.r)
			live = append(live[:i], live[i+1:]...)
			continue
		}
		n := uint64(1+rnd.IntN(20)) * pageSize
		r := mustAlloc(t, f, n, Options{Recycle: rnd.IntN(2) == 0, Huge: rnd.IntN(8) == 0, Phase: 3 * pageSize})
		for a := r.Start; a < r.End; a += pageSize {
			if owner[a] != 0 {
				t.Fatalf("step %d: page %#x has two owners", step, a)
			}
			owner[a] = 1
		}
		b := f.Window(r)
		if i := bytes.IndexFunc(b, func(c rune) bool { return c != 0 }); i >= 0 {
			t.Fatalf("step %d: byte %d of new memory is %d", step, i, b[i])
		}
		mark := byte(1 + rnd.IntN(255))
		b[0], b[len(b)-1] = mark, mark
		if rnd.IntN(2) == 0 {
			for i := range b {
				b[i] = mark
			}
		}
		live = append(live, piece{r, mark})
	}
	for _, p := range live {
		f.DecRef(p.r)
	}
	if u := f.Usage(Anonymous); u != 0 {
		t.Errorf("%d bytes in use after everything is free", u)
	}
}

func TestReferences(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 8*pageSize, Options{})
	f.IncRef(Range{r.Start + 2*pageSize, r.Start + 4*pageSize})
	if s := f.Sole(r.Start, r); s != (Range{r.Start, r.Start + 2*pageSize}) {
		t.Errorf("Sole of the first page: %v of %v", s, r)
	}
	if s := f.Sole(r.Start+3*pageSize, r); s != (Range{}) {
		t.Errorf("Sole of a shared page: %v", s)
	}
	f.DecRef(Range{r.Start + 2*pageSize, r.Start + 4*pageSize})
	if s := f.Sole(r.Start+3*pageSize, r); s != r {
		t.Errorf("Sole after the drop: %v, want %v", s, r)
	}
	f.DecRef(r)
}

func TestReleaseOfFreePagesIsCaught(t *testing.T) {
	x := newRefSet()
	x.insert(Range{0, pageSize}, Files, false)
	defer func() {
		if recover() == nil {
			t.Error("a release of free pages is accepted")
		}
	}()
	x.drop(Range{0, 2 * pageSize}, nil)
}

func TestCommittedPagesAreReusedAtOnce(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 4*pageSize, Options{})
	for i := range f.Window(r) {
		f.Window(r)[i] = 0xee
	}
	f.DecRef(r)
	if f.Kept() != 4*pageSize {
		t.Fatalf("kept %d bytes", f.Kept())
	}
	s, committed, err := f.Alloc(4*pageSize, Options{Recycle: true})
	if err != 0 || s != r || !committed {
		t.Fatalf("Alloc = %v, %v, %v; want %v again", s, committed, err, r)
	}
	if f.Window(s)[5000] != 0 {
		t.Error("reused memory is not zero")
	}
	f.DecRef(s)
	f.Trim()
	if f.Kept() != 0 {
		t.Errorf("%d bytes kept after Trim", f.Kept())
	}
}

func TestHugeOffsetsHaveTheirPhase(t *testing.T) {
	f := newFile(t)
	mustAlloc(t, f, pageSize, Options{Huge: true})
	for _, phase := range []uint64{0, pageSize, hugeSize - pageSize, 5*hugeSize + 7*pageSize} {
		r := mustAlloc(t, f, 3*hugeSize, Options{Huge: true, Phase: phase})
		if r.Start%hugeSize != phase%hugeSize {
			t.Errorf("phase %#x: offset %#x", phase, r.Start)
		}
	}
}

func TestAfterContinues(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, pageSize, Options{})
	s := mustAlloc(t, f, 5*pageSize, Options{After: r.End})
	if s.Start != r.End {
		t.Errorf("%v does not continue %v", s, r)
	}
}

func TestAllocCopy(t *testing.T) {
	f := newFile(t)
	for _, recycled := range []bool{false, true} {
		src := mustAlloc(t, f, 8*pageSize, Options{})
		f.WriteAt([]byte("hello"), src.Start+2*pageSize+100)
		if recycled {
			d := mustAlloc(t, f, 8*pageSize, Options{})
			for i := range f.Window(d) {
				f.Window(d)[i] = 0xee
			}
			f.DecRef(d)
		}
		r, _, err := f.AllocCopy(src, Options{})
		if err != 0 {
			t.Fatal(err)
		}
		if !bytes.Equal(f.Window(r), f.Window(src)) {
			t.Errorf("recycled %v: the copy differs", recycled)
		}
	}
	src := mustAlloc(t, f, 8*pageSize, Options{})
	r, _, _ := f.AllocCopy(src, Options{})
	if n := f.Committed(src); n != 0 {
		t.Errorf("copying made %d bytes of the source", n)
	}
	f.DecRef(r)
}

func TestLimits(t *testing.T) {
	f := newFile(t)
	if _, _, err := f.Alloc(maxSize+pageSize, Options{}); err != linux.ENOMEM {
		t.Errorf("more than the file can hold: %v", err)
	}
	r := mustAlloc(t, f, 1<<44, Options{Kind: Shared})
	if f.Usage(Shared) != 1<<44 {
		t.Error("usage")
	}
	if n := f.Committed(Range{r.End - pageSize, r.End}); n != 0 {
		t.Errorf("%d bytes committed", n)
	}
	f.DecRef(r)
}

func TestWindowsAreNotLongerThanAChunk(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 3<<30, Options{})
	at := r.Start + chunkSize - 3
	f.WriteAt([]byte("abcdef"), at)
	var got [6]byte
	f.ReadAt(got[:], at)
	if string(got[:]) != "abcdef" {
		t.Errorf("%q", got)
	}
	if b := f.Window(Range{at, at + 10}); len(b) != 3 {
		t.Errorf("window of %d bytes across a chunk's end", len(b))
	}
}

func TestImage(t *testing.T) {
	f := newFile(t)
	a := mustAlloc(t, f, 8*pageSize, Options{})
	gone := mustAlloc(t, f, 4*pageSize, Options{})
	b := mustAlloc(t, f, 2<<30, Options{Kind: Files})
	huge := mustAlloc(t, f, 4*hugeSize, Options{Huge: true})
	f.WriteAt([]byte("anonymous"), a.Start+3*pageSize)
	f.WriteAt([]byte("gone"), gone.Start)
	f.WriteAt([]byte("file"), b.End-pageSize)
	f.WriteAt([]byte("huge"), huge.Start+hugeSize)
	f.DecRef(gone)

	im := f.Image()
	var pages bytes.Buffer
	if err := f.WritePages(&pages, &im); err != nil {
		t.Fatal(err)
	}
	if pages.Len() != 3*pageSize {
		t.Errorf("%d bytes of pages", pages.Len())
	}
	g := newFile(t)
	if err := g.Restore(&im); err != 0 {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r Range
		k Kind
	}{{a, Anonymous}, {a, Anonymous}, {b, Files}, {huge, Anonymous}} {
		if err := g.Claim(c.r, c.k); err != 0 {
			t.Fatal(err)
		}
	}
	if err := g.ReadPages(&pages, &im); err != nil {
		t.Fatal(err)
	}
	g.Restored(&im)
	if s := g.Sole(a.Start, a); s.Len() != 0 {
		t.Errorf("a range claimed twice has one reference: %v", s)
	}
	var got [9]byte
	for at, want := range map[uint64]string{a.Start + 3*pageSize: "anonymous", b.End - pageSize: "file", huge.Start + hugeSize: "huge"} {
		if g.ReadAt(got[:len(want)], at); string(got[:len(want)]) != want {
			t.Errorf("%q, want %q", got[:len(want)], want)
		}
	}
	for range 100 {
		r := mustAlloc(t, g, 3*pageSize, Options{})
		for _, used := range []Range{a, b, huge} {
			if r.Start < used.End && used.Start < r.End {
				t.Fatalf("%v is given out again", used)
			}
		}
		if b := g.Window(r); b[0] != 0 {
			t.Fatalf("new memory is not zero")
		}
	}
	for _, bad := range []Image{
		{Top: 5}, {Top: chunkSize}, {Top: chunkSize, Arenas: []uint8{9}}, {Top: maxSize + chunkSize},
		{Top: chunkSize, Arenas: []uint8{0}, Pages: []Range{{0, chunkSize + pageSize}}},
		{Top: chunkSize, Arenas: []uint8{0}, Pages: []Range{{pageSize, 2 * pageSize}, {0, pageSize}}},
	} {
		if newFile(t).Restore(&bad) != linux.EINVAL {
			t.Errorf("%+v is accepted", bad)
		}
	}
	if g.Claim(Range{0, maxSize}, Files) != linux.EINVAL {
		t.Error("a claim beyond the file is accepted")
	}
}

func TestIdleMemoryIsGivenUp(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 4*pageSize, Options{})
	f.Zero(r)
	f.DecRef(r)
	f.mu.Lock()
	seen := f.turnover - 1
	f.idle.Stop()
	f.mu.Unlock()
	f.trimIdle(seen) // somebody was here since
	if f.Kept() != 4*pageSize {
		t.Fatalf("memory in use was given up: %d bytes kept", f.Kept())
	}
	f.mu.Lock()
	seen = f.turnover
	f.idle.Stop()
	f.mu.Unlock()
	f.trimIdle(seen)
	if f.Kept() != 0 {
		t.Errorf("%d bytes kept", f.Kept())
	}
}

// Pages that were given up together are reused one by one.
func TestRecycledPagesAreSplit(t *testing.T) {
	f := newFile(t)
	r := mustAlloc(t, f, 3*pageSize, Options{})
	for i := range f.Window(r) {
		f.Window(r)[i] = 0xee
	}
	f.DecRef(r)
	for i, n := range []uint64{pageSize, 2 * pageSize} {
		s, committed, err := f.Alloc(n, Options{Recycle: true})
		if err != 0 || !committed || s.Start < r.Start || s.End > r.End {
			t.Fatalf("%d: Alloc = %v, %v, %v; want a part of %v", i, s, committed, err, r)
		}
		if f.Window(s)[0] != 0 || f.Window(s)[n-1] != 0 {
			t.Error("reused memory is not zero")
		}
		if f.Kept() != 2*pageSize*uint64(1-i) {
			t.Errorf("%d: %d bytes kept", i, f.Kept())
		}
	}
	f.DecRef(r)
	if f.Kept() != 3*pageSize {
		t.Errorf("%d bytes kept", f.Kept())
	}
	// What is large stays whole.
	f.Trim()
	big := mustAlloc(t, f, 2*maxSplit, Options{})
	clear(f.Window(big))
	f.DecRef(big)
	if _, committed, _ := f.Alloc(pageSize, Options{Recycle: true}); committed {
		t.Error("a large range was split")
	}
}
