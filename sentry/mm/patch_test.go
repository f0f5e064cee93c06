package mm

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/usermem"
)

const rx = linux.PROT_READ | linux.PROT_EXEC

// text maps n pages of private executable memory of a file, whose pages begin
// with 0xf000 and their number.
func text(t testing.TB, m *MemoryManager, n uint64) (uint64, *fakeFile) {
	t.Helper()
	f := newFakeFile(t, n*pageSize)
	return mustMap(t, m, MMapOpts{Len: n * pageSize, Prot: rx, Flags: linux.MAP_PRIVATE, Mappable: f, File: opened{f}}), f
}

var wasText = []byte{1, 0xf0} // of page 1

func mustPatch(t testing.TB, m *MemoryManager, addr uint64, old, new []byte) {
	t.Helper()
	if err := m.PatchText(nil, addr, old, new); err != 0 {
		t.Fatal(err)
	}
}

// seen is what the guest's own load finds.
func seen(t testing.TB, m *MemoryManager, addr uint64) uint64 {
	t.Helper()
	v, f := load(t, m, addr)
	if f != (fault{}) {
		t.Fatal(f)
	}
	return v
}

// told is what the Sentry says is there, in each way that it can be asked.
func told(t testing.TB, m *MemoryManager, addr uint64) []byte {
	t.Helper()
	var a, b [8]byte
	if _, err := m.CopyIn(addr, a[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Remote().ReadAt(addr, b[:]); err != nil {
		t.Fatal(err)
	}
	c := make([]byte, 0, 8)
	if _, err := m.Blocks(addr, 8, usermem.Read, func(blocks [][]byte) (uint64, error) {
		n := uint64(0)
		for _, x := range blocks {
			c = append(c, x...)
			n += uint64(len(x))
		}
		return n, nil
	}); err != nil {
		t.Fatal(err)
	}
	if a != b || !bytes.Equal(a[:], c) {
		t.Fatalf("three answers: %x %x %x", a, b, c)
	}
	return a[:]
}

func TestPatchText(t *testing.T) {
	m := newSpace(t)
	at, f := text(t, m, 40)
	site := at + pageSize
	if v := seen(t, m, site); v != 0xf001 {
		t.Fatalf("text is %#x", v)
	}
	mustPatch(t, m, site, wasText, []byte{0xcc, 0xdd})
	if v := seen(t, m, site); v != 0xddcc {
		t.Errorf("the guest sees %#x", v)
	}
	if b := told(t, m, site); !bytes.HasPrefix(b, wasText) {
		t.Errorf("the Sentry tells %x", b)
	}
	if b := told(t, m, site-3); !bytes.Equal(b[3:5], wasText) {
		t.Errorf("the Sentry tells %x around it", b)
	}
	var b [8]byte
	f.ReadAt(b[:], pageSize)
	if !bytes.HasPrefix(b[:], wasText) {
		t.Errorf("the file has changed: %x", b)
	}
	for _, c := range []struct {
		name     string
		addr     uint64
		old, new []byte
		want     linux.Errno
	}{
		{"other bytes there", site, wasText, []byte{1, 2}, linux.EAGAIN},
		{"crossing a line", site + 63, []byte{0, 0}, []byte{1, 2}, linux.EINVAL},
		{"nothing", site, nil, nil, linux.EINVAL},
		{"nowhere", at - pageSize, []byte{0}, []byte{1}, linux.EACCES},
		{"data", mustMap(t, m, anonymous(pageSize, rw)), []byte{0}, []byte{1}, linux.EACCES},
		{"text that is written to", mustMap(t, m, anonymous(pageSize, rw|linux.PROT_EXEC)), []byte{0}, []byte{1}, linux.EACCES},
	} {
		if err := m.PatchText(nil, c.addr, c.old, c.new); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	// A patch of a patch, and all of them undone.
	mustPatch(t, m, site+1, []byte{0xdd, 0}, []byte{0xee, 0xff})
	if v := seen(t, m, site); v != 0xffeecc {
		t.Errorf("twice patched: %#x", v)
	}
	if b := told(t, m, site); !bytes.Equal(b[:3], []byte{1, 0xf0, 0}) {
		t.Errorf("twice patched, the Sentry tells %x", b)
	}
	if err := m.UnpatchAll(nil); err != 0 || m.Patches() != 0 || seen(t, m, site) != 0xf001 {
		t.Errorf("undone: %v, %d left, %#x", err, m.Patches(), seen(t, m, site))
	}
	m.DecUsers()
	if len(f.refs) != 0 || m.cfg.Memory.Usage(memfile.Anonymous) != 0 {
		t.Error("memory is left")
	}
}

func TestPatchesEnd(t *testing.T) {
	m := newSpace(t)
	at, _ := text(t, m, 8)
	site := at + pageSize
	patch := func() { t.Helper(); mustPatch(t, m, site, wasText, []byte{9, 9}) }
	gone := func(what string) {
		t.Helper()
		if n := m.Patches(); n != 0 {
			t.Errorf("%s: %d patches are left", what, n)
		}
	}
	patch()
	if err := m.MProtect(nil, site, pageSize, rw); err != nil {
		t.Fatal(err)
	}
	gone("mprotect")
	if v := seen(t, m, site); v != 0xf001 {
		t.Errorf("writable text is %#x", v)
	}
	store(t, m, site, 5)
	if err := m.MProtect(nil, site, pageSize, rx); err != nil {
		t.Fatal(err)
	}
	mustPatch(t, m, site, []byte{5}, []byte{6})
	if err := m.MProtect(nil, at, 8*pageSize, rx); err != nil || m.Patches() != 1 {
		t.Errorf("mprotect to what it is: %v, %d patches", err, m.Patches())
	}
	// A debugger's store is to the text as it was.
	if _, err := m.Remote().WriteAt(site+1, []byte{7}); err != nil {
		t.Fatal(err)
	}
	gone("a debugger's store")
	if v := seen(t, m, site); v != 0x705 {
		t.Errorf("after a debugger's store: %#x", v)
	}
	mustPatch(t, m, site, []byte{5, 7}, []byte{8, 8})
	to, err := m.MRemap(nil, site, pageSize, pageSize, linux.MREMAP_MAYMOVE|linux.MREMAP_FIXED, at+100*pageSize)
	if err != nil {
		t.Fatal(err)
	}
	gone("mremap")
	if v := seen(t, m, to); v != 0x705 {
		t.Errorf("moved text is %#x", v)
	}
	mustPatch(t, m, at, []byte{0, 0xf0}, []byte{1, 1})
	m.MAdvise(nil, at, pageSize, linux.MADV_DONTNEED)
	gone("madvise")
	if v := seen(t, m, at); v != 0xf000 {
		t.Errorf("discarded text is %#x", v)
	}
	mustPatch(t, m, at, []byte{0, 0xf0}, []byte{1, 1})
	o := anonymous(pageSize, rw)
	o.Addr, o.Flags = at, o.Flags|linux.MAP_FIXED
	mustMap(t, m, o)
	gone("mmap over it")
	mustPatch(t, m, to, []byte{5}, []byte{6})
	m.MUnmap(nil, to, pageSize)
	gone("munmap")
}

func TestPatchesAndFork(t *testing.T) {
	m := newSpace(t)
	at, _ := text(t, m, 8)
	site := at + pageSize
	mustPatch(t, m, site, wasText, []byte{9, 9})
	child := fork(t, m)
	if v := seen(t, child, site); v != 0x0909 {
		t.Errorf("the child sees %#x", v)
	}
	if b := told(t, child, site); !bytes.HasPrefix(b, wasText) {
		t.Errorf("the child is told %x", b)
	}
	mustPatch(t, child, site+8, []byte{0}, []byte{3})
	mustPatch(t, m, site+16, []byte{0}, []byte{4})
	if a, b := seen(t, m, site+8), seen(t, child, site+16); a != 0 || b != 0 {
		t.Errorf("patches of the other: %#x %#x", a, b)
	}
	if err := child.UnpatchAll(nil); err != 0 {
		t.Fatal(err)
	}
	if a, b := seen(t, m, site), seen(t, child, site); a != 0x0909 || b != 0xf001 || m.Patches() != 2 {
		t.Errorf("after the child undid its: %#x %#x, %d patches", a, b, m.Patches())
	}
	child.DecUsers()
	m.DecUsers()
}

func TestTextArena(t *testing.T) {
	m := newSpace(t)
	at, _ := text(t, m, 8)
	before := m.AppendMaps(nil)
	size := m.VMSize()
	a, err := m.TextArena(nil, at, 16*pageSize)
	if err != 0 {
		t.Fatal(err)
	}
	if b, err := m.TextArena(nil, at+pageSize, 16*pageSize); b != a || err != 0 {
		t.Errorf("a second one at %#x %v", b, err)
	}
	if d := int64(a - at); d > textReach || -d > textReach {
		t.Errorf("%#x is far from %#x", a, at)
	}
	code := bytes.Repeat([]byte{0x90}, pageSize+100)
	if err := m.ArenaWrite(a+50, code); err != 0 {
		t.Fatal(err)
	}
	if err := m.ArenaWrite(a+16*pageSize-1, code[:2]); err != linux.EFAULT {
		t.Errorf("writing past its end: %v", err)
	}
	s := activate(t, m)
	if p := s.pages[a]; p.prot != rx {
		t.Errorf("the stub has %+v", p)
	}
	if seen(t, m, a+64) != 0x9090909090909090 {
		t.Error("the guest does not see it")
	}
	if !bytes.Equal(before, m.AppendMaps(nil)) || size != m.VMSize() || m.Mapped(a, pageSize) {
		t.Error("it shows")
	}
	if _, err := m.CopyIn(a, code[:1]); !errors.Is(err, linux.EFAULT) {
		t.Errorf("a system call reads it: %v", err)
	}
	if _, err := m.Remote().ReadAt(a, code[:1]); !errors.Is(err, linux.EIO) {
		t.Errorf("a debugger reads it: %v", err)
	}
	if err := m.MProtect(nil, a, pageSize, rw); !errors.Is(err, linux.ENOMEM) {
		t.Errorf("mprotect: %v", err)
	}
	// Neither fills up with the guest's mappings, nor does it stop them.
	for range 50 {
		mustMap(t, m, anonymous(5*pageSize, rw))
	}
	hint := anonymous(pageSize, rw)
	if hint.Addr = a; mustMap(t, m, hint) == a {
		t.Error("a hint is preferred")
	}
	forkArena(t, m, a)
	if err := m.UnpatchAll(nil); err != 0 {
		t.Fatal(err)
	}
	mustPatch(t, m, at+pageSize, wasText, []byte{7, 7})
	hint.Flags |= linux.MAP_FIXED_NOREPLACE
	if got := mustMap(t, m, hint); got != a {
		t.Errorf("mapped at %#x", got)
	}
	if m.Patches() != 0 || len(m.Arenas()) != 0 || seen(t, m, at+pageSize) != 0xf001 || seen(t, m, a) != 0 {
		t.Error("the arena stays where the guest has mapped something")
	}
	if _, f := load(t, m, a+pageSize); f.signal != linux.SIGSEGV {
		t.Error("the rest of it is there")
	}
	m.DecUsers()
	if m.cfg.Memory.Usage(memfile.Hidden) != 0 {
		t.Error("memory is left")
	}
}

// forkArena checks that both sides of a fork can add to the arena.
func forkArena(t *testing.T, m *MemoryManager, a uint64) {
	t.Helper()
	child := fork(t, m)
	if seen(t, child, a+64) != 0x9090909090909090 || child.Arenas()[0].Used != m.Arenas()[0].Used {
		t.Error("the child has no arena")
	}
	free := child.Arenas()[0].Used
	for i, w := range []*MemoryManager{m, child, m, child} {
		if err := w.ArenaWrite(free+uint64(i)*pageSize/2, []byte{byte(i + 1)}); err != 0 {
			t.Fatal(err)
		}
	}
	for i, w := range []*MemoryManager{m, child, m, child} {
		var other *MemoryManager
		if other = m; w == m {
			other = child
		}
		x := free + uint64(i)*pageSize/2
		if seen(t, w, x)&0xff != uint64(i+1) || seen(t, other, x)&0xff != 0 {
			t.Errorf("write %d is seen as %#x, by the other as %#x", i, seen(t, w, x), seen(t, other, x))
		}
	}
	child.DecUsers()
}

// TestArenaPlaces puts arenas beside programs in the usual places.
func TestArenaPlaces(t *testing.T) {
	for range 200 {
		m := newSpace(t)
		for _, near := range []uint64{0x400000, m.InterpreterBase(), m.mmapBase - 8<<20, m.mmapBase - 3<<30} {
			o := anonymous(1<<20, rx)
			o.Addr = pageDown(near)
			at := mustMap(t, m, o)
			a, err := m.TextArena(nil, at, 1<<20)
			if err != 0 {
				t.Fatalf("near %#x: %v", at, err)
			}
			r := m.arenaAt(seg.Range{Start: a, End: a + 1}).r
			if !reaches(at, r) || !m.vmas.IsEmpty(r) {
				t.Fatalf("near %#x: %#x", at, a)
			}
		}
		if _, err := m.MapStack(nil, rw); err != nil {
			t.Fatal(err)
		}
		m.DecUsers()
	}
}

func TestPatchedImage(t *testing.T) {
	f := newMemory(t)
	m := New(Config{Platform: &fakePlatform{}, Memory: f, Limits: noLimits()})
	at := mustMap(t, m, anonymous(4*pageSize, rw))
	m.CopyOut(at+pageSize, []byte("program"))
	m.MProtect(nil, at, 4*pageSize, rx)
	mustPatch(t, m, at+pageSize, []byte("prog"), []byte("PROG"))
	mustPatch(t, m, at+pageSize, []byte("PROG"), []byte("PR00"))
	a, _ := m.TextArena(nil, at, pageSize)
	m.ArenaWrite(a, []byte("trampoline"))
	child := fork(t, m)
	for _, w := range []*MemoryManager{m, child} {
		w.active.RLock()
		w.hidePatches()
		w.active.RUnlock()
	}
	im := f.Image()
	var pages bytes.Buffer
	if err := f.WritePages(&pages, &im); err != nil {
		t.Fatal(err)
	}
	s := pages.String()
	if !strings.Contains(s, "program") || strings.Contains(s, "PROG") || strings.Contains(s, "PR00") || strings.Contains(s, "trampoline") {
		t.Error("the image shows patches")
	}
	if v := seen(t, m, at+pageSize); byte(v>>16) != '0' {
		t.Error("the program was changed by saving it")
	}
	pages.Reset()
	if err := f.WritePages(&pages, &im); err != nil || !strings.Contains(pages.String(), "PR00") {
		t.Error("what was hidden once stays hidden")
	}
	child.DecUsers()
	m.DecUsers()
}

// TestPatchUnderStub checks that other threads of a stub meet the old text, or
// the new, or a fault that ends.
func TestPatchUnderStub(t *testing.T) {
	m := newSpace(t)
	at, _ := text(t, m, 40)
	seen(t, m, at)
	s := activate(t, m)
	applies := s.p.applies
	mustPatch(t, m, at+pageSize, wasText, []byte{9, 9})
	mustPatch(t, m, at+pageSize+8, []byte{0}, []byte{9})
	mustPatch(t, m, at+2*pageSize-8, []byte{0}, []byte{9})
	if got := s.p.applies - applies; got != 1 {
		t.Errorf("%d changes of the stub's mappings for three patches side by side", got)
	}
	if sig, _ := m.HandleFault(nil, at+pageSize, platform.Write, linux.SIGSEGV); sig != linux.SIGSEGV {
		t.Error("the guest may store to patched text")
	}
	m.DecUsers()
}
