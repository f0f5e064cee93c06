package mm

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
	"cordon/sentry/memmap"
)

// fakePlatform records mappings instead of making them.
type fakePlatform struct {
	spaces int
	failAt int // Apply fails once when this many ops have been done
	ops    int
	// applies counts the calls of Apply.
	applies int
	patches bool // NewPatcher gives patchers
}

// NewPatcher implements platform.Patching.
func (p *fakePlatform) NewPatcher() platform.Patcher {
	if p.patches {
		return fakePatcher{}
	}
	return nil
}

// fakePatcher does nothing: tests do what it would.
type fakePatcher struct{}

func (fakePatcher) Trapped(platform.Context, platform.Text, *arch.Registers) {}
func (fakePatcher) Resume(_ platform.Text, rip uint64) uint64                { return rip }
func (fakePatcher) Fork() platform.Patcher                                   { return fakePatcher{} }

func (p *fakePlatform) Name() string { return "fake" }
func (p *fakePlatform) NewAddressSpace() (platform.AddressSpace, linux.Errno) {
	p.spaces++
	return &fakeSpace{p: p, pages: map[uint64]fakePage{}}, 0
}
func (p *fakePlatform) NewContext() platform.Context   { return nil }
func (p *fakePlatform) Bounds() (uint64, uint64)       { return 0x1000, linux.TASK_SIZE }
func (p *fakePlatform) ForgetFile(f platform.HostFile) {}
func (p *fakePlatform) Release()                       {}

// fakePage is one page of a stub.
type fakePage struct {
	file platform.HostFile
	off  uint64
	prot linux.Prot
}

type fakeSpace struct {
	p     *fakePlatform
	pages map[uint64]fakePage
	gone  bool
	count map[platform.OpKind]int
}

func (s *fakeSpace) Apply(_ platform.Context, ops []platform.Op) linux.Errno {
	s.p.applies++
	for _, o := range ops {
		s.p.ops++
		if s.p.ops == s.p.failAt {
			return linux.ENOMEM
		}
		if s.count == nil {
			s.count = map[platform.OpKind]int{}
		}
		s.count[o.Kind]++
		if o.Len > 1<<30 && o.Kind != platform.OpMap {
			for a, p := range s.pages {
				if a < o.Addr || a >= o.Addr+o.Len {
					continue
				}
				if o.Kind == platform.OpProtect {
					p.prot = o.Prot
					s.pages[a] = p
				} else {
					delete(s.pages, a)
				}
			}
			continue
		}
		for a := o.Addr; a < o.Addr+o.Len; a += pageSize {
			switch o.Kind {
			case platform.OpMap:
				s.pages[a] = fakePage{o.File, o.Offset + (a - o.Addr), o.Prot}
			case platform.OpProtect:
				if p, ok := s.pages[a]; ok {
					p.prot = o.Prot
					s.pages[a] = p
				}
			default:
				delete(s.pages, a)
			}
		}
	}
	return 0
}

func (s *fakeSpace) Release() { s.pages, s.gone = map[uint64]fakePage{}, true }

// newSpace returns an activated address space without limits.
func newSpace(t testing.TB) *MemoryManager {
	t.Helper()
	m := newIdle(t)
	activate(t, m)
	return m
}

func newIdle(t testing.TB) *MemoryManager {
	t.Helper()
	return New(Config{Platform: &fakePlatform{}, Memory: newMemory(t), Limits: noLimits()})
}

func newMemory(t testing.TB) *memfile.File {
	t.Helper()
	fd, err := unix.MemfdCreate("memory", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	f := memfile.New(int32(fd), 1)
	t.Cleanup(f.Close)
	return f
}

func noLimits() *limit.Set {
	var l [linux.RLIM_NLIMITS]linux.Rlimit
	for i := range l {
		l[i] = linux.Rlimit{Cur: limit.Infinity, Max: limit.Infinity}
	}
	l[linux.RLIMIT_STACK].Cur = 8 << 20
	return limit.NewSet(l)
}

func setLimit(t testing.TB, s *limit.Set, r linux.Resource, n uint64) {
	t.Helper()
	if _, err := s.Swap(r, linux.Rlimit{Cur: n, Max: limit.Infinity}, func(linux.Rlimit) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func activate(t testing.TB, m *MemoryManager) *fakeSpace {
	t.Helper()
	as, err := m.Activate()
	if err != nil {
		t.Fatal(err)
	}
	return as.(*fakeSpace)
}

// A fault is what a guest's access ended in.
type fault struct {
	signal linux.Signal
	code   linux.SigCode
}

// touch does what a guest's access of one page does, with its faults. Then it
// calls fn with where the stub has the page.
func touch(t testing.TB, m *MemoryManager, addr uint64, access platform.Access, tell bool, fn func(p fakePage)) fault {
	t.Helper()
	s := activate(t, m)
	for range 6 {
		p, ok := s.pages[pageDown(addr)]
		need := needs(access)
		if ok && p.prot&need == need {
			fn(p)
			return fault{}
		}
		say := access
		if !tell {
			say = platform.Unknown
		}
		if sig, code := m.HandleFault(nil, addr, say, linux.SIGSEGV); sig != 0 {
			return fault{sig, linux.SigCode(code)}
		}
	}
	t.Fatalf("access at %#x faults for ever", addr)
	return fault{}
}

func store(t testing.TB, m *MemoryManager, addr, v uint64) fault {
	t.Helper()
	return touch(t, m, addr, platform.Write, v&1 == 0, func(p fakePage) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		if _, err := unix.Pwrite(int(p.file.FD), b[:], int64(p.off+addr&pageMask)); err != nil {
			t.Fatal(err)
		}
	})
}

func load(t testing.TB, m *MemoryManager, addr uint64) (v uint64, f fault) {
	t.Helper()
	f = touch(t, m, addr, platform.Read, addr>>13&1 == 0, func(p fakePage) {
		var b [8]byte
		if _, err := unix.Pread(int(p.file.FD), b[:], int64(p.off+addr&pageMask)); err != nil {
			t.Fatal(err)
		}
		v = binary.LittleEndian.Uint64(b[:])
	})
	return v, f
}

func mustMap(t testing.TB, m *MemoryManager, o MMapOpts) uint64 {
	t.Helper()
	at, err := m.MMap(nil, o)
	if err != nil {
		t.Fatalf("MMap(%+v): %v", o, err)
	}
	return at
}

func anonymous(n uint64, p linux.Prot) MMapOpts {
	return MMapOpts{Len: n, Prot: p, Flags: linux.MAP_PRIVATE | linux.MAP_ANONYMOUS}
}

const rw = linux.PROT_READ | linux.PROT_WRITE

func fork(t testing.TB, m *MemoryManager) *MemoryManager {
	t.Helper()
	child, err := m.Fork(nil, m.cfg.Limits)
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// fakeFile is a file with contents on a host descriptor of its own.
type fakeFile struct {
	t        testing.TB
	fd       int32
	id       uint64
	size     uint64
	windows  bool
	refs     map[uint64]int // by page
	mappings map[mappingKey]int
	dirty    map[uint64]bool
	opens    int
}

type mappingKey struct {
	ms       memmap.MappingSpace
	addr     uint64
	off      uint64
	writable bool
}

func newFakeFile(t testing.TB, size uint64) *fakeFile {
	t.Helper()
	fd, err := unix.MemfdCreate("file", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	f := &fakeFile{t: t, fd: int32(fd), id: 77, size: size, refs: map[uint64]int{}, mappings: map[mappingKey]int{}, dirty: map[uint64]bool{}}
	for a := uint64(0); a < size; a += pageSize {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], 0xf000+a/pageSize)
		if _, err := unix.Pwrite(fd, b[:], int64(a)); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *fakeFile) HostFile() platform.HostFile { return platform.HostFile{ID: f.id, FD: f.fd} }
func (f *fakeFile) IncRef(r memmap.Range) {
	for a := r.Start; a < r.End; a += pageSize {
		f.refs[a]++
	}
}
func (f *fakeFile) DecRef(r memmap.Range) {
	for a := r.Start; a < r.End; a += pageSize {
		if f.refs[a]--; f.refs[a] < 0 {
			f.t.Errorf("page %#x is released too often", a)
		}
		if f.refs[a] == 0 {
			delete(f.refs, a)
		}
	}
}
func (f *fakeFile) Window(memmap.Range) []byte { return nil }
func (f *fakeFile) ReadAt(p []byte, off uint64) (int, error) {
	n, err := unix.Pread(int(f.fd), p, int64(off))
	if err != nil {
		return 0, linux.EIO
	}
	return n, nil
}
func (f *fakeFile) WriteAt(p []byte, off uint64) (int, error) {
	n, err := unix.Pwrite(int(f.fd), p, int64(off))
	if err != nil {
		return 0, linux.EIO
	}
	return n, nil
}

func (f *fakeFile) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	end, _ := pageUp(f.size)
	var err error
	if required.End > end {
		err = linux.EFAULT
	}
	r := optional
	if write {
		r = required
		for a := r.Start; a < min(r.End, end); a += pageSize {
			f.dirty[a] = true
		}
	}
	r.End = min(r.End, end)
	if r.Start >= r.End {
		return nil, err
	}
	return []memmap.Translation{{Source: r, File: f, Offset: r.Start, Writable: write}}, err
}

func (f *fakeFile) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	for a := r.Start; a < r.End; a += pageSize {
		f.mappings[mappingKey{ms, addr + (a - r.Start), a, writable}]++
	}
	return nil
}

func (f *fakeFile) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	for a := r.Start; a < r.End; a += pageSize {
		k := mappingKey{ms, addr + (a - r.Start), a, writable}
		if f.mappings[k]--; f.mappings[k] == 0 {
			delete(f.mappings, k)
		} else if f.mappings[k] < 0 {
			f.t.Errorf("mapping %+v is removed but was not added", k)
		}
	}
}

// opened is a memmap.File.
type opened struct{ f *fakeFile }

func (o opened) IncRef()                          { o.f.opens++ }
func (o opened) DecRef()                          { o.f.opens-- }
func (o opened) MapName() (string, bool)          { return "/fake", false }
func (o opened) DeviceInode() (uint64, uint64)    { return 1, o.f.id }
func (o opened) Msync(r memmap.Range) linux.Errno { return 0 }
