package mm

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

func TestAnonymousMemoryNeedsNoFaults(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(10*pageSize, rw))
	s := activate(t, m)
	if s.count[platform.OpMap] != 1 || len(s.pages) != 10 {
		t.Fatalf("%d map ops, %d pages", s.count[platform.OpMap], len(s.pages))
	}
	if f := store(t, m, at+3*pageSize, 7); f != (fault{}) {
		t.Fatal(f)
	}
	var b [8]byte
	if n, err := m.CopyIn(at+3*pageSize, b[:]); n != 8 || err != nil || b[0] != 7 {
		t.Fatal(n, err, b)
	}
	if err := m.MUnmap(nil, at, 10*pageSize); err != nil {
		t.Fatal(err)
	}
	for a, p := range s.pages {
		if p.prot != 0 {
			t.Errorf("%#x is left %v", a, p.prot)
		}
	}
	if _, err := m.CopyIn(at, b[:]); err != linux.EFAULT {
		t.Errorf("read of unmapped memory: %v", err)
	}
	m.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

func TestFaultCodes(t *testing.T) {
	m := newSpace(t)
	ro := mustMap(t, m, anonymous(pageSize, linux.PROT_READ))
	none := mustMap(t, m, anonymous(pageSize, linux.PROT_NONE))
	wo := mustMap(t, m, anonymous(pageSize, linux.PROT_WRITE))
	file := newFakeFile(t, pageSize+1)
	fm := mustMap(t, m, MMapOpts{Len: 4 * pageSize, Prot: rw, Flags: linux.MAP_PRIVATE, Mappable: file, File: opened{file}})
	for _, c := range []struct {
		name string
		addr uint64
		a    platform.Access
		want fault
	}{
		{"nothing mapped", 0x20000, platform.Read, fault{linux.SIGSEGV, linux.SEGV_MAPERR}},
		{"address zero", 0, platform.Write, fault{linux.SIGSEGV, linux.SEGV_MAPERR}},
		{"beyond user space", 0xffff_ffff_ffff_f000, platform.Read, fault{linux.SIGSEGV, linux.SEGV_MAPERR}},
		{"write to read-only", ro, platform.Write, fault{linux.SIGSEGV, linux.SEGV_ACCERR}},
		{"read of read-only", ro, platform.Read, fault{}},
		{"execute of read-only", ro, platform.Execute, fault{linux.SIGSEGV, linux.SEGV_ACCERR}},
		{"read of PROT_NONE", none, platform.Read, fault{linux.SIGSEGV, linux.SEGV_ACCERR}},
		{"read of write-only", wo, platform.Read, fault{}},
		{"last page of a file", fm + pageSize, platform.Read, fault{}},
		{"beyond the file", fm + 2*pageSize, platform.Read, fault{linux.SIGBUS, linux.BUS_ADRERR}},
		{"store beyond the file", fm + 3*pageSize, platform.Write, fault{linux.SIGBUS, linux.BUS_ADRERR}},
	} {
		for _, tell := range []bool{true, false} {
			if got := touch(t, m, c.addr, c.a, tell, func(fakePage) {}); got != c.want {
				t.Errorf("%s (access told: %v): %v, want %v", c.name, tell, got, c.want)
			}
		}
	}
	m.DecUsers()
}

func TestForkSharesUntilStore(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(64*pageSize, rw))
	for i := range uint64(64) {
		store(t, m, at+i*pageSize, 100+i)
	}
	child := fork(t, m)
	if got := m.cfg.Memory.Usage(memfile.Anonymous); got != 64*pageSize {
		t.Errorf("fork allocated %d bytes", got-64*pageSize)
	}
	if child.as.Load() != nil {
		t.Error("a child that never ran has an address space")
	}
	store(t, m, at, 1)
	store(t, child, at+pageSize, 2)
	var w [1]byte
	w[0] = 3
	if _, err := child.CopyOut(at+40*pageSize, w[:]); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m    *MemoryManager
		page uint64
		want uint64
	}{{m, 0, 1}, {child, 0, 100}, {m, 1, 101}, {child, 1, 2}, {m, 40, 140}, {child, 40, 3}, {m, 63, 163}, {child, 63, 163}} {
		if v, f := load(t, c.m, at+c.page*pageSize); v != c.want || f != (fault{}) {
			t.Errorf("page %d: %d %v, want %d", c.page, v, f, c.want)
		}
	}
	child.DecUsers()
	// The last owner writes without copying.
	before := m.cfg.Memory.Usage(memfile.Anonymous)
	store(t, m, at+50*pageSize, 9)
	if got := m.cfg.Memory.Usage(memfile.Anonymous); got != before {
		t.Errorf("the last owner's store allocated %d bytes", got-before)
	}
	if v, _ := load(t, m, at+63*pageSize); v != 163 {
		t.Errorf("after the child's end: %d", v)
	}
	m.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

func TestPrivateFileMapping(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 100*pageSize)
	at := mustMap(t, m, MMapOpts{Len: 100 * pageSize, Prot: rw, Flags: linux.MAP_PRIVATE, Mappable: file, File: opened{file}})
	if n := activate(t, m).count[platform.OpMap]; n != 1 {
		t.Errorf("%d map ops for a file mapping", n)
	}
	store(t, m, at+50*pageSize, 4)
	if v, _ := load(t, m, at+50*pageSize); v != 4 {
		t.Errorf("own page: %d", v)
	}
	if v, _ := load(t, m, at+51*pageSize); v != 0xf000+51 {
		t.Errorf("neighbour: %#x", v)
	}
	var b [8]byte
	file.ReadAt(b[:], 50*pageSize)
	if b[0] != 50 {
		t.Error("a private store reached the file")
	}
	child := fork(t, m)
	store(t, child, at+99*pageSize, 6)
	if v, _ := load(t, m, at+99*pageSize); v != 0xf000+99 {
		t.Errorf("parent sees the child's store: %#x", v)
	}
	if v, _ := load(t, child, at+50*pageSize); v != 4 {
		t.Errorf("child lost the parent's page: %d", v)
	}
	child.DecUsers()
	m.DecUsers()
	if len(file.refs) != 0 || len(file.mappings) != 0 || file.opens != 0 {
		t.Errorf("left: %d page references, %d mappings, %d opens", len(file.refs), len(file.mappings), file.opens)
	}
}

func TestSharedFileMappingNotesStores(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 10*pageSize)
	at := mustMap(t, m, MMapOpts{Len: 10 * pageSize, Prot: rw, Flags: linux.MAP_SHARED, Mappable: file, File: opened{file}})
	load(t, m, at+3*pageSize)
	if len(file.dirty) != 0 {
		t.Error("a read made pages dirty")
	}
	store(t, m, at+3*pageSize, 4)
	if _, err := m.CopyOut(at+5*pageSize, []byte{5}); err != nil {
		t.Fatal(err)
	}
	if !file.dirty[3*pageSize] || !file.dirty[5*pageSize] || len(file.dirty) != 2 {
		t.Errorf("dirty: %v", file.dirty)
	}
	var b [8]byte
	file.ReadAt(b[:], 3*pageSize)
	if b[0] != 4 {
		t.Error("the store did not reach the file")
	}
	child := fork(t, m)
	store(t, child, at, 8)
	if v, _ := load(t, m, at); v != 8 {
		t.Errorf("the child's store is not shared: %d", v)
	}
	child.DecUsers()
	m.DecUsers()
	if len(file.refs) != 0 || len(file.mappings) != 0 || file.opens != 0 {
		t.Errorf("left: %d page references, %d mappings, %d opens", len(file.refs), len(file.mappings), file.opens)
	}
}

func TestInvalidate(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 10*pageSize)
	at := mustMap(t, m, MMapOpts{Len: 10 * pageSize, Prot: rw, Flags: linux.MAP_PRIVATE, Mappable: file, File: opened{file}})
	store(t, m, at, 1)
	store(t, m, at+8*pageSize, 2)
	other := mustMap(t, m, MMapOpts{Addr: at + 4*pageSize, Len: pageSize, Prot: rw, Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_FIXED})
	store(t, m, other, 3)
	m.Invalidate(file, at, 10*pageSize, false)
	if v, _ := load(t, m, at); v != 1 {
		t.Errorf("a private copy is gone: %d", v)
	}
	file.size = 6 * pageSize
	m.Invalidate(file, at+4*pageSize, 6*pageSize, true)
	if _, f := load(t, m, at+8*pageSize); f.signal != linux.SIGBUS {
		t.Errorf("beyond the new end: %v", f)
	}
	if v, _ := load(t, m, other); v != 3 {
		t.Errorf("what is mapped there now was dropped: %d", v)
	}
	m.DecUsers()
}

func TestStackGrows(t *testing.T) {
	m := newSpace(t)
	top, err := m.MapStack(nil, rw)
	if err != nil {
		t.Fatal(err)
	}
	for at := top - 8; at > top-7<<20; at -= 3000 * 8 {
		if f := store(t, m, at, at); f != (fault{}) {
			t.Fatalf("%#x below the top: %v", top-at, f)
		}
	}
	if v, _ := load(t, m, top-8); v != top-8 {
		t.Errorf("top: %#x", v)
	}
	if n := m.pmas.Len(); n != 1 {
		t.Errorf("the stack is %d pieces", n)
	}
	if f := store(t, m, top-8<<20-pageSize, 2); f.signal != linux.SIGSEGV || f.code != linux.SEGV_MAPERR {
		t.Errorf("beyond RLIMIT_STACK: %v", f)
	}
	if _, err := m.CopyOut(top-8<<20, []byte{1}); err != nil {
		t.Errorf("copies do not grow the stack: %v", err)
	}
	m.DecUsers()
}

func TestBrk(t *testing.T) {
	m := newSpace(t)
	start := m.SetBrk(0x555555561234)
	if start&pageMask != 0 || m.Brk(nil, 0) != start {
		t.Fatalf("start %#x, brk(0) %#x", start, m.Brk(nil, 0))
	}
	end := start
	for range 50 {
		end += 132 << 10
		if got := m.Brk(nil, end); got != end {
			t.Fatalf("brk(%#x) = %#x", end, got)
		}
	}
	store(t, m, end-8, 5)
	if n := m.pmas.Len(); n > 5 {
		t.Errorf("the heap is %d pieces", n)
	}
	if got := m.Brk(nil, start+100); got != start+100 {
		t.Errorf("shrinking: %#x", got)
	}
	if _, f := load(t, m, start+pageSize); f.code != linux.SEGV_MAPERR {
		t.Errorf("beyond the end: %v", f)
	}
	m.Brk(nil, end)
	if v, _ := load(t, m, end-8); v != 0 {
		t.Errorf("a heap grown again is not zero: %d", v)
	}
	mustMap(t, m, MMapOpts{Addr: end + pageMask&^pageMask + 16*pageSize, Len: pageSize, Prot: rw, Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS | linux.MAP_FIXED})
	if got := m.Brk(nil, end+32*pageSize); got != end {
		t.Errorf("brk over a mapping: %#x, want %#x", got, end)
	}
	m.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

func TestSharedAnonymousMemory(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, MMapOpts{Len: 4 * pageSize, Prot: rw, Flags: linux.MAP_SHARED | linux.MAP_ANONYMOUS})
	child := fork(t, m)
	store(t, m, at, 11)
	if v, _ := load(t, child, at); v != 11 {
		t.Errorf("child sees %d", v)
	}
	k1, err1 := m.FutexKey(at+4, false)
	k2, err2 := child.FutexKey(at+4, false)
	if err1 != nil || err2 != nil || k1 != k2 {
		t.Errorf("shared futex keys %v %v, %v %v", k1, k2, err1, err2)
	}
	k1, _ = m.FutexKey(at, true)
	k2, _ = child.FutexKey(at, true)
	if k1 == k2 {
		t.Error("private futex keys of two spaces are one")
	}
	m.DecUsers()
	if v, _ := load(t, child, at); v != 11 {
		t.Errorf("after the other's end: %d", v)
	}
	child.DecUsers()
	if u := m.cfg.Memory.Usage(memfile.Shared); u != 0 {
		t.Errorf("%d bytes left", u)
	}
}

func TestHostRefusingMappingsOnlyCostsFaults(t *testing.T) {
	m := newSpace(t)
	p := m.cfg.Platform.(*fakePlatform)
	at := mustMap(t, m, anonymous(4*pageSize, rw))
	store(t, m, at, 5)
	p.failAt = p.ops + 1
	if err := m.MProtect(nil, at, pageSize, linux.PROT_READ); err != nil {
		t.Fatal(err)
	}
	if f := store(t, m, at, 6); f.code != linux.SEGV_ACCERR {
		t.Errorf("store to read-only memory: %v", f)
	}
	if v, f := load(t, m, at); v != 5 || f != (fault{}) {
		t.Errorf("load: %d %v", v, f)
	}
	if f := store(t, m, at+pageSize, 6); f != (fault{}) {
		t.Errorf("store beside it: %v", f)
	}
	m.DecUsers()
}

func TestPinnedPagesOutliveTheirMapping(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(4*pageSize, rw))
	n, err := m.Blocks(at, 4*pageSize, 2, func(blocks [][]byte) (uint64, error) {
		if err := m.MUnmap(nil, at, 4*pageSize); err != nil {
			t.Fatal(err)
		}
		if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 4*pageSize {
			t.Errorf("%d bytes while pinned", u)
		}
		blocks[0][0] = 1
		return uint64(len(blocks[0])), nil
	})
	if n != 4*pageSize || err != nil {
		t.Fatal(n, err)
	}
	if u := m.cfg.Memory.Usage(memfile.Anonymous); u != 0 {
		t.Errorf("%d bytes after unpin", u)
	}
}

func TestRemoteIgnoresProtection(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	store(t, m, at, 9)
	if err := m.MProtect(nil, at, pageSize, linux.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if n, err := m.Remote().ReadAt(at, b[:]); n != 1 || err != nil || b[0] != 9 {
		t.Errorf("read: %d %v %v", n, err, b)
	}
	if n, err := m.Remote().WriteAt(at, []byte{8}); n != 1 || err != nil {
		t.Errorf("write: %d %v", n, err)
	}
	if _, f := load(t, m, at); f.code != linux.SEGV_ACCERR {
		t.Errorf("the guest may read: %v", f)
	}
	file := newFakeFile(t, pageSize)
	text := mustMap(t, m, MMapOpts{Len: pageSize, Prot: linux.PROT_READ | linux.PROT_EXEC, Flags: linux.MAP_PRIVATE, Mappable: file, File: opened{file}})
	if n, err := m.Remote().WriteAt(text, []byte{0xcc}); n != 1 || err != nil {
		t.Errorf("breakpoint: %d %v", n, err)
	}
	if v, _ := load(t, m, text); v != 0xf0cc {
		t.Errorf("text is %#x", v)
	}
	if n, err := m.Remote().ReadAt(0x30000, b[:]); n != 0 || err != linux.EIO {
		t.Errorf("nothing mapped: %d %v", n, err)
	}
	m.DecUsers()
}

func TestCopiesDoNotAllocate(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	var b [64]byte
	if lock.Checking {
		t.Skip("lockcheck allocates")
	}
	if n := testing.AllocsPerRun(100, func() {
		m.CopyOut(at+4090, b[:])
		m.CopyIn(at+4090, b[:])
		m.LoadUint32(at)
		m.CompareAndSwapUint32(at, 0, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	m.DecUsers()
}

func TestCopyInString(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	end := at + 2*pageSize
	m.CopyOut(end-6, []byte("hello\x00"))
	if s, err := m.CopyInString(end-6, 100); s != "hello" || err != nil {
		t.Errorf("%q %v", s, err)
	}
	m.CopyOut(at+pageSize-3, []byte("abcdef\x00"))
	if s, err := m.CopyInString(at+pageSize-3, 7); s != "abcdef" || err != nil {
		t.Errorf("%q %v", s, err)
	}
	if _, err := m.CopyInString(at+pageSize-3, 6); err != linux.ENAMETOOLONG {
		t.Errorf("too long: %v", err)
	}
	m.CopyOut(end-2, []byte("xx"))
	if _, err := m.CopyInString(end-2, 100); err != linux.EFAULT {
		t.Errorf("beyond the mapping: %v", err)
	}
	m.DecUsers()
}

var _ memmap.Backing = (*fakeFile)(nil)

func TestLargeMappingsMayHaveHugePages(t *testing.T) {
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := memfile.NewHuge(int32(fd), 1)
	t.Cleanup(f.Close)
	m := New(Config{Platform: &fakePlatform{}, Memory: f, Limits: noLimits()})
	s := activate(t, m)
	mustMap(t, m, anonymous(pageSize, rw))
	for _, n := range []uint64{hugeSize, 4 * hugeSize, 3*hugeSize + 5*pageSize} {
		at := mustMap(t, m, anonymous(n, rw))
		if off := s.pages[at].off; off%hugeSize != at%hugeSize {
			t.Errorf("%#x bytes at %#x, offset %#x", n, at, off)
		}
		if n%hugeSize == 0 && at%hugeSize != 0 {
			t.Errorf("%#x bytes at %#x", n, at)
		}
	}
	m.DecUsers()
}

func TestRemoveAndDuplicateFreesSharedMemory(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, MMapOpts{Len: 4 * pageSize, Prot: rw, Flags: linux.MAP_SHARED | linux.MAP_ANONYMOUS})
	store(t, m, at, 4)
	store(t, m, at+pageSize, 5)
	if err := m.MAdvise(nil, at, pageSize, linux.MADV_REMOVE); err != nil {
		t.Fatal(err)
	}
	if v, f := load(t, m, at); v != 0 || f != (fault{}) {
		t.Errorf("removed page: %d %v", v, f)
	}
	if v, _ := load(t, m, at+pageSize); v != 5 {
		t.Errorf("its neighbour: %d", v)
	}
	if c := m.Pages(); c.Shmem > 2*pageSize {
		t.Errorf("%d bytes resident", c.Shmem)
	}
	m.DecUsers()
}

func TestSpecialMappings(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, pageSize)
	at := mustMap(t, m, MMapOpts{Len: pageSize, Prot: linux.PROT_READ | linux.PROT_EXEC, Flags: linux.MAP_SHARED, Mappable: file, Name: "[vdso]", MaxProt: linux.PROT_READ | linux.PROT_EXEC})
	if got := string(m.AppendMaps(nil)); !strings.Contains(got, " r-xp 00000000 00:00 0 ") || !strings.HasSuffix(got, "[vdso]\n") {
		t.Errorf("maps: %s", got)
	}
	if err := m.MProtect(nil, at, pageSize, rw); err != linux.EACCES {
		t.Errorf("making it writable: %v", err)
	}
	child := fork(t, m)
	if v, f := load(t, child, at); v != 0xf000 || f != (fault{}) {
		t.Errorf("child: %#x %v", v, f)
	}
	child.DecUsers()
	m.DecUsers()
}
