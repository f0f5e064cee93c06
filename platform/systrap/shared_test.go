package systrap

import (
	"bytes"
	"testing"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/systrap/patch"
)

// callCode is one of the instructions of a fakeFile: mov $39, %eax; syscall; ret.
var callCode = []byte{0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0}

const (
	sharedBase  = 0x100000000 // where the file's text is, for all
	sharedArena = sharedBase - 0x10000
	siteOffset  = pageSize + 5
)

// A fakeFile is a platform.SharedText.
type fakeFile struct {
	text, arena []byte
	clean       []byte
	kept        any
	prepared    bool
	stores      int
	reads       int
	broken      bool
}

func newFakeFile() *fakeFile {
	b := bytes.Repeat(callCode, 3*pageSize/len(callCode))
	return &fakeFile{text: b, clean: bytes.Clone(b), arena: make([]byte, pageSize)}
}

func (f *fakeFile) Keep(make func() any) any {
	if f.kept == nil {
		f.kept = make()
	}
	return f.kept
}

func (f *fakeFile) ReadText(at uint64, b []byte) int {
	f.reads++
	if at < sharedBase || at >= sharedBase+uint64(len(f.text)) {
		return 0
	}
	return copy(b, f.clean[at-sharedBase:])
}

func (f *fakeFile) Prepare(at, end uint64) linux.Errno {
	if f.broken {
		return linux.ENOMEM
	}
	f.prepared = true
	return 0
}

func (f *fakeFile) PatchText(at uint64, old, new []byte) linux.Errno {
	b := f.text[at-sharedBase:][:len(new)]
	if !f.prepared || !bytes.Equal(b, old) {
		return linux.EAGAIN
	}
	copy(b, new)
	f.stores++
	return 0
}

func (f *fakeFile) Arena() (uint64, uint64, linux.Errno) {
	return sharedArena, uint64(len(f.arena)), 0
}

func (f *fakeFile) ArenaWrite(at uint64, b []byte) linux.Errno {
	copy(f.arena[at-sharedArena:], b)
	return 0
}

// A fakeText is a space that has a fakeFile at its bias.
type fakeText struct {
	file   *fakeFile
	bias   uint64
	noRoom bool
	shares bool
	own    int // patches of its own
}

func (x *fakeText) ReadText(_ platform.Context, addr uint64, b []byte) int {
	return x.file.ReadText(addr-x.bias, b)
}

func (x *fakeText) PatchText(platform.Context, uint64, []byte, []byte) linux.Errno {
	x.own++
	return 0
}

func (x *fakeText) TextArena(_ platform.Context, near, size uint64) (uint64, linux.Errno) {
	return near + 0x100000, 0
}

func (x *fakeText) ArenaWrite(uint64, []byte) linux.Errno { return 0 }

func (x *fakeText) SharedText(addr uint64) (platform.SharedText, uint64) { return x.file, x.bias }

func (x *fakeText) ShareText(platform.Context, uint64) platform.Sharing {
	switch {
	case x.noRoom:
		return platform.NotShared
	case x.shares:
		return platform.SharedAlready
	}
	x.shares = true
	return platform.SharedNow
}

func (x *fakeText) SharedAt(addr uint64) (platform.SharedText, uint64) {
	if !x.shares {
		return nil, 0
	}
	return x.file, x.bias
}

const stubEntry = 0x7fffffff8000

// A fakeProgram is a space with its patcher.
type fakeProgram struct {
	fakeText
	*Patcher
}

func newProgram(f *fakeFile, bias uint64) *fakeProgram {
	return &fakeProgram{fakeText{file: f, bias: bias}, &Patcher{entry: stubEntry, patches: &patch.Set{}}}
}

// call is a call number that traps at the instruction at offset.
func (x *fakeProgram) call(offset, number uint64) {
	x.Trapped(nil, &x.fakeText, &arch.Registers{RIP: x.bias + sharedBase + offset + 2, OrigRAX: number})
}

func TestSharedSite(t *testing.T) {
	f := newFakeFile()
	a, b := newProgram(f, 0x7f0000000000), newProgram(f, 0x7e0000000000)
	for range sharedCalls - 1 {
		a.call(siteOffset, 39)
	}
	if f.stores != 0 || f.prepared {
		t.Fatal("patched too early")
	}
	b.call(siteOffset, 39)
	if f.stores != 1 || !b.shares || a.shares {
		t.Fatalf("%d stores; shared: %v %v", f.stores, a.shares, b.shares)
	}
	site := f.text[pageSize:][:16]
	if site[0] != 0xe9 || !bytes.Equal(site[5:8], callCode[5:8]) {
		t.Errorf("text is % x", site)
	}
	if !bytes.HasPrefix(f.arena, callCode[:5]) {
		t.Errorf("the trampoline is % x", f.arena[:32])
	}
	// The other has not the patched text yet.
	a.call(siteOffset, 39)
	if !a.shares || f.stores != 1 || a.own+b.own != 0 {
		t.Errorf("stores %d, own %d %d", f.stores, a.own, b.own)
	}
	// A new one begins with it.
	reads := f.reads
	c := newProgram(f, 0x7d0000000000)
	c.shares = true
	for _, x := range []*fakeProgram{a, b, c} {
		for off, want := range map[uint64]uint64{0: 0, 4: 0, 5: 5, 12: 5} {
			if got := x.Resume(&x.fakeText, x.bias+sharedArena+off); got != x.bias+sharedBase+pageSize+want {
				t.Errorf("at %d of the trampoline a thread is at %#x", off, got)
			}
		}
		if at := x.bias + sharedBase + pageSize + 7; x.Resume(&x.fakeText, at) != at {
			t.Error("threads elsewhere move")
		}
	}
	// Who jumps behind the patch gets one of the other form, if there is one, and
	// then is left alone.
	for range 10 * sharedCalls {
		c.call(siteOffset, 39)
	}
	if f.reads > reads+10 {
		t.Errorf("the text is read %d times", f.reads-reads)
	}
}

func TestSharedSiteThatCannotBe(t *testing.T) {
	f := newFakeFile()
	a := newProgram(f, 0x7f0000000000)
	// In the middle of an instruction, with whatever number; and the call that
	// never is.
	for range 10 * hotCalls {
		a.call(siteOffset-4, 39)
		a.call(siteOffset-3, 0)
		a.call(siteOffset, patch.Sigreturn)
	}
	if f.stores != 0 || a.own != 0 {
		t.Errorf("%d patches", f.stores)
	}
	reads := f.reads
	b := newProgram(f, 0x7e0000000000)
	for range 10 * hotCalls {
		b.call(siteOffset-4, 39)
	}
	if f.reads != reads {
		t.Error("what is known to be impossible is looked at again")
	}
	for range sharedCalls {
		b.call(siteOffset, 39)
	}
	if f.stores != 1 {
		t.Error("the good call is not patched")
	}
}

func TestSharedSiteElsewhere(t *testing.T) {
	f := newFakeFile()
	f.broken = true
	a := newProgram(f, 0x7f0000000000)
	for range sharedCalls + hotCalls {
		a.call(siteOffset, 39)
	}
	if f.stores != 0 || a.own != 1 {
		t.Errorf("without memory: %d shared, %d own", f.stores, a.own)
	}
	f.broken = false
	b := newProgram(f, 0x7e0000000000)
	b.noRoom = true
	for range sharedCalls + hotCalls {
		b.call(siteOffset, 39)
	}
	if f.stores != 1 || b.own != 1 || b.shares {
		t.Errorf("without room: %d shared, %d own", f.stores, b.own)
	}
	c := newProgram(f, 0x7d0000000000)
	c.call(siteOffset, 39)
	if !c.shares {
		t.Error("a later program does not share")
	}
}
