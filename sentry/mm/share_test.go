package mm

import (
	"bytes"
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// A progFile is a fakeFile whose text can be shared.
type progFile struct {
	*fakeFile
	place    memmap.TextPlace
	version  memmap.TextVersion
	writable bool
}

func (f *progFile) Text() memmap.TextFile        { return f }
func (f *progFile) TextPlace() *memmap.TextPlace { return &f.place }
func (f *progFile) TextVersion() (memmap.TextVersion, bool) {
	return f.version, !f.writable
}

// changed is what a file system does after a write.
func (f *progFile) changed() {
	if !f.place.Change() {
		return
	}
	var all []mappingKey
	for k := range f.mappings {
		all = append(all, k)
	}
	for _, k := range all {
		k.ms.Invalidate(f, k.addr, pageSize, false)
	}
}

// A sharedWorld is a sandbox with programs of one file.
type sharedWorld struct {
	t     *testing.T
	mem   *memfile.File
	texts *Texts
	file  *progFile
	plat  *fakePlatform
}

func newSharedWorld(t *testing.T, pages uint64) *sharedWorld {
	w := &sharedWorld{t: t, mem: newMemory(t), plat: &fakePlatform{patches: true}}
	w.texts = NewTexts(w.mem)
	w.file = &progFile{fakeFile: newFakeFile(t, pages*pageSize)}
	t.Cleanup(func() {
		for w.texts.Bytes() > 0 {
			if _, ok := w.texts.drop(nil); !ok {
				t.Errorf("%d bytes of text are said to be mapped", w.texts.Bytes())
				break
			}
		}
		for k := memfile.Anonymous; k <= memfile.Hidden; k++ {
			if n := w.mem.Usage(k); n != 0 {
				t.Errorf("%d bytes of kind %d are left", n, k)
			}
		}
		if len(w.file.refs) != 0 || len(w.file.mappings) != 0 {
			t.Error("the file is still mapped")
		}
	})
	return w
}

func (w *sharedWorld) space() *MemoryManager {
	m := New(Config{Platform: w.plat, Memory: w.mem, Limits: noLimits(), Texts: w.texts})
	activate(w.t, m)
	return m
}

// exec returns a space with the file's pages from first on as its text.
func (w *sharedWorld) exec() (*MemoryManager, uint64) {
	m := w.space()
	return m, w.mapText(m)
}

// firstText is the page of the file where text begins.
const firstText = 2

func (w *sharedWorld) mapText(m *MemoryManager) uint64 {
	n := w.file.size - firstText*pageSize
	return mustMap(w.t, m, MMapOpts{Len: n, Prot: rx, Flags: linux.MAP_PRIVATE, Mappable: w.file, File: opened{w.file.fakeFile}, Offset: firstText * pageSize})
}

// share patches the text at addr, of m, for all, with a trampoline that is code.
func (w *sharedWorld) share(m *MemoryManager, addr uint64, new, code []byte) (tramp uint64) {
	w.t.Helper()
	s, bias := m.SharedText(addr)
	if s == nil {
		w.t.Fatal("the text cannot be shared")
	}
	at := addr - bias
	old := make([]byte, len(new))
	if s.ReadText(at, old) != len(old) {
		w.t.Fatal("the text cannot be read")
	}
	if err := s.Prepare(at, at+uint64(len(new))); err != 0 {
		w.t.Fatal(err)
	}
	a, _, err := s.Arena()
	if err != 0 {
		w.t.Fatal(err)
	}
	if err := s.ArenaWrite(a, code); err != 0 {
		w.t.Fatal(err)
	}
	if err := s.PatchText(at, old, new); err != 0 {
		w.t.Fatal(err)
	}
	return a + bias
}

var (
	newText    = []byte{9, 9}
	trampoline = []byte("jumps!!!")
)

func TestSharedText(t *testing.T) {
	w := newSharedWorld(t, 40)
	m, at := w.exec()
	site := at + pageSize
	if v := seen(t, m, site); v != 0xf003 {
		t.Fatalf("text is %#x", v)
	}
	tramp := w.share(m, site, newText, trampoline)
	if v := seen(t, m, site); v != 0xf003 {
		t.Errorf("before it is shared the text is %#x", v)
	}
	if got := m.ShareText(nil, site); got != platform.SharedNow {
		t.Fatalf("sharing: %d", got)
	}
	if got := m.ShareText(nil, site); got != platform.SharedAlready {
		t.Errorf("sharing again: %d", got)
	}
	m2, at2 := w.exec()
	if at2 == at {
		t.Error("the layout is not random")
	}
	tramp2, site2 := tramp-at+at2, at2+pageSize
	for _, c := range []struct {
		m           *MemoryManager
		site, tramp uint64
	}{{m, site, tramp}, {m2, site2, tramp2}} {
		if v := seen(t, c.m, c.site); v != 0x0909 {
			t.Errorf("the guest sees %#x", v)
		}
		if v := seen(t, c.m, c.tramp); v != binary.LittleEndian.Uint64(trampoline) {
			t.Errorf("the trampoline is %#x", v)
		}
		if b := told(t, c.m, c.site); !bytes.HasPrefix(b, []byte{3, 0xf0}) {
			t.Errorf("the Sentry tells %x", b)
		}
		if b := told(t, c.m, c.site-3); !bytes.Equal(b[3:5], []byte{3, 0xf0}) {
			t.Errorf("the Sentry tells %x around it", b)
		}
		if c.m.Mapped(c.tramp, 1) || c.m.Pages().Anonymous != 0 || c.m.Patches() != 0 {
			t.Errorf("sharing shows: %+v", c.m.Pages())
		}
		if s, bias := c.m.SharedAt(c.site); s == nil || bias != c.site-firstText*pageSize-pageSize-textBase {
			t.Errorf("where it is shared is not known: %#x", bias)
		}
		if s, _ := c.m.SharedAt(c.tramp + 3); s == nil {
			t.Error("whose trampoline it is is not known")
		}
	}
	s := activate(t, m2)
	if a, b := s.pages[site2], activate(t, m).pages[site]; a != b || a.prot != rx {
		t.Errorf("pages are not the same: %+v %+v", a, b)
	}
	applies := w.plat.applies
	w.share(m2, site2+64, []byte{7}, trampoline)
	if seen(t, m, site+64) != 7 || seen(t, m2, site2+64) != 7 || w.plat.applies != applies {
		t.Error("a new patch is not everybody's at once")
	}
	var b [8]byte
	if w.file.ReadAt(b[:], 3*pageSize); b[0] != 3 {
		t.Error("the file has changed")
	}
	m.DecUsers()
	if seen(t, m2, site2) != 0x0909 {
		t.Error("the text went with its first user")
	}
	m2.DecUsers()
}

// TestSharedTextIsNobodysToChange lets one program store to its text in all the ways
// there are.
func TestSharedTextIsNobodysToChange(t *testing.T) {
	w := newSharedWorld(t, 40)
	good, at := w.exec()
	w.share(good, at+pageSize, newText, trampoline)
	if good.ShareText(nil, at+pageSize) != platform.SharedNow {
		t.Fatal("not shared")
	}
	bad := map[string]func(m *MemoryManager, site uint64){
		"mprotect": func(m *MemoryManager, site uint64) {
			if err := m.MProtect(nil, site, pageSize, rw); err != nil {
				t.Fatal(err)
			}
			if v := seen(t, m, site); v != 0xf003 {
				t.Errorf("writable text is %#x", v)
			}
			store(t, m, site, 5)
		},
		"a debugger": func(m *MemoryManager, site uint64) {
			if _, err := m.Remote().WriteAt(site, []byte{5, 0}); err != nil {
				t.Fatal(err)
			}
		},
		"the platform": func(m *MemoryManager, site uint64) {
			if err := m.PatchText(nil, site, []byte{3, 0xf0}, []byte{5, 0}); err != linux.EACCES {
				t.Errorf("patching shared text: %v", err)
			}
			m.Remote().WriteAt(site, []byte{5, 0})
		},
		"a forked child": func(m *MemoryManager, site uint64) {
			child := fork(t, m)
			child.MProtect(nil, site, pageSize, rw)
			store(t, child, site, 6)
			if v := seen(t, m, site); v != 0x0909 {
				t.Errorf("the parent sees %#x", v)
			}
			child.DecUsers()
			m.Remote().WriteAt(site, []byte{5, 0})
		},
	}
	for name, fn := range bad {
		m, at2 := w.exec()
		site := at2 + pageSize
		if sig, _ := m.HandleFault(nil, site, platform.Write, linux.SIGSEGV); sig != linux.SIGSEGV {
			t.Errorf("%s: a guest may store to its text", name)
		}
		if sig, _ := m.HandleFault(nil, m.Arenas()[0].Start, platform.Write, linux.SIGSEGV); sig != linux.SIGSEGV {
			t.Errorf("%s: a guest may store to the trampolines", name)
		}
		fn(m, site)
		if v := seen(t, m, site); v != 5 {
			t.Errorf("%s: it reads %#x", name, v)
		}
		if v := seen(t, m, site+pageSize); v != 0xf004 {
			t.Errorf("%s: beside it is %#x", name, v)
		}
		if v := seen(t, good, at+pageSize); v != 0x0909 {
			t.Fatalf("%s: another program's text is %#x", name, v)
		}
		if got := m.ShareText(nil, site); got != platform.NotShared {
			t.Errorf("%s: it is shared again: %d", name, got)
		}
		m.DecUsers()
	}
	good.DecUsers()
}

func TestSharedTextOfChangedFile(t *testing.T) {
	w := newSharedWorld(t, 40)
	m, at := w.exec()
	site := at + pageSize
	w.share(m, site, newText, trampoline)
	m.ShareText(nil, site)
	write := func(v byte) {
		unix.Pwrite(int(w.file.fd), []byte{v, 0}, 3*pageSize)
	}
	write(0x11)
	w.file.changed()
	if v := seen(t, m, site); v != 0x11 {
		t.Errorf("after a write the text is %#x", v)
	}
	m2, at2 := w.exec()
	if v := seen(t, m2, at2+pageSize); v != 0x11 {
		t.Errorf("after a write a new program has %#x", v)
	}
	// Somebody else on the host.
	w.share(m2, at2+pageSize, newText, trampoline)
	if m2.ShareText(nil, at2+pageSize) != platform.SharedNow {
		t.Error("the new contents are not shared")
	}
	write(0x22)
	w.file.version.MTime++
	m3, at3 := w.exec()
	if v := seen(t, m3, at3+pageSize); v != 0x22 {
		t.Errorf("after a change on the host a new program has %#x", v)
	}
	w.share(m3, at3+pageSize, newText, trampoline)
	w.file.writable = true
	m4, at4 := w.exec()
	if v := seen(t, m4, at4+pageSize); v != 0x22 {
		t.Errorf("of a file that somebody stores to, a new program has %#x", v)
	}
	if s, _ := m4.SharedText(at4); s != nil {
		t.Error("what somebody may store to is shared")
	}
	for _, m := range []*MemoryManager{m, m2, m3, m4} {
		m.DecUsers()
	}
}

func TestSharedTextAndFork(t *testing.T) {
	w := newSharedWorld(t, 40)
	m, at := w.exec()
	site := at + pageSize
	tramp := w.share(m, site, newText, trampoline)
	m.ShareText(nil, site)
	child := fork(t, m)
	m.DecUsers()
	if seen(t, child, site) != 0x0909 || seen(t, child, tramp) != binary.LittleEndian.Uint64(trampoline) {
		t.Error("the child has another text")
	}
	if _, ok := w.texts.drop(nil); ok {
		t.Fatal("text that is mapped was dropped")
	}
	child.DecUsers()
	if _, ok := w.texts.drop(nil); !ok || w.texts.Bytes() != 0 {
		t.Error("text that nobody maps stays")
	}
	m2, at2 := w.exec()
	if v := seen(t, m2, at2+pageSize); v != 0xf003 {
		t.Errorf("after that a new program has %#x", v)
	}
	m2.DecUsers()
}

// TestSharedTextUnmapped takes parts of it away.
func TestSharedTextUnmapped(t *testing.T) {
	w := newSharedWorld(t, 40)
	first, at := w.exec()
	tramp := w.share(first, at+pageSize, newText, trampoline)
	first.ShareText(nil, at+pageSize)
	distance := at - tramp
	over := func(m *MemoryManager, addr uint64) {
		o := anonymous(pageSize, rw)
		o.Addr, o.Flags = addr, o.Flags|linux.MAP_FIXED
		mustMap(t, m, o)
	}
	for name, c := range map[string]struct {
		do     func(m *MemoryManager, at uint64)
		text   uint64
		arenas int
	}{
		"all of it":          {func(m *MemoryManager, at uint64) { m.MUnmap(nil, at, 38*pageSize) }, 0, 0},
		"more than it":       {func(m *MemoryManager, at uint64) { m.MUnmap(nil, at-pageSize, 40*pageSize) }, 0, 0},
		"a page":             {func(m *MemoryManager, at uint64) { m.MUnmap(nil, at+7*pageSize, pageSize) }, 0xf003, 1},
		"something over it":  {func(m *MemoryManager, at uint64) { over(m, at+30*pageSize) }, 0xf003, 1},
		"over trampolines":   {func(m *MemoryManager, at uint64) { over(m, at-distance) }, 0xf003, 0},
		"beside trampolines": {func(m *MemoryManager, at uint64) { over(m, at-distance+sharedArena) }, 0x0909, 1},
		"contents":           {func(m *MemoryManager, at uint64) { m.MAdvise(nil, at, 4*pageSize, linux.MADV_DONTNEED) }, 0x0909, 1},
	} {
		m, at := w.exec()
		if v := seen(t, m, at+pageSize); v != 0x0909 {
			t.Fatalf("%s: a new program has %#x", name, v)
		}
		c.do(m, at)
		if c.text == 0 {
			if _, f := load(t, m, at+pageSize); f.signal != linux.SIGSEGV {
				t.Errorf("%s: the text is there", name)
			}
		} else if v := seen(t, m, at+pageSize); v != c.text {
			t.Errorf("%s: the text is %#x", name, v)
		}
		if n := len(m.Arenas()); n != c.arenas {
			t.Errorf("%s: %d arenas", name, n)
		}
		m.DecUsers()
	}
	// In pieces, all of it.
	m, at := w.exec()
	for i := range uint64(38) {
		m.MUnmap(nil, at+(i*7%38)*pageSize, pageSize)
	}
	if n := len(m.Arenas()); n != 0 {
		t.Errorf("unmapped page by page, %d arenas are left", n)
	}
	m.DecUsers()
	first.DecUsers()
}

// TestSharedTextWithoutRoom has something where the trampolines belong.
func TestSharedTextWithoutRoom(t *testing.T) {
	w := newSharedWorld(t, 40)
	m, at := w.exec()
	tramp := w.share(m, at+pageSize, newText, trampoline)
	taken := anonymous(pageSize, rw)
	taken.Addr = tramp
	if mustMap(t, m, taken) != tramp {
		t.Fatal("not there")
	}
	if got := m.ShareText(nil, at+pageSize); got != platform.NotShared {
		t.Errorf("sharing: %d", got)
	}
	if seen(t, m, at+pageSize) != 0xf003 || seen(t, m, tramp) != 0 {
		t.Error("something was mapped")
	}
	mustPatch(t, m, at+pageSize, []byte{3}, []byte{4})
	if got := m.ShareText(nil, at+pageSize); got != platform.NotShared || seen(t, m, at+pageSize) != 0xf004 {
		t.Errorf("private text is replaced: %d", got)
	}
	// A part of the text is not enough: a patch may be in two places.
	part := w.space()
	o := MMapOpts{Len: 8 * pageSize, Prot: rx, Flags: linux.MAP_PRIVATE, Mappable: w.file, File: opened{w.file.fakeFile}, Offset: firstText * pageSize}
	at2 := mustMap(t, part, o)
	if seen(t, part, at2+pageSize) != 0xf003 || part.ShareText(nil, at2+pageSize) != platform.NotShared {
		t.Error("a part is shared")
	}
	part.DecUsers()
	m.DecUsers()
}
