package mm

import (
	"strings"
	"testing"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/sentry/memmap"
)

const huge = ^uint64(0)

func TestMMapErrors(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 4*pageSize)
	anon := linux.MAP_PRIVATE | linux.MAP_ANONYMOUS
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	for _, c := range []struct {
		name string
		o    MMapOpts
		want error
	}{
		{"length 0", MMapOpts{Flags: anon}, linux.EINVAL},
		{"length wraps", MMapOpts{Len: huge, Flags: anon}, linux.ENOMEM},
		{"longer than the space", MMapOpts{Len: 1 << 48, Flags: anon}, linux.ENOMEM},
		{"no type", MMapOpts{Len: 1, Flags: linux.MAP_ANONYMOUS}, linux.EINVAL},
		{"anonymous validate", MMapOpts{Len: 1, Flags: linux.MAP_ANONYMOUS | linux.MAP_SHARED_VALIDATE}, linux.EINVAL},
		{"unaligned offset", MMapOpts{Len: 1, Flags: linux.MAP_PRIVATE, Mappable: file, Offset: 1}, linux.EINVAL},
		{"offset wraps", MMapOpts{Len: 2 * pageSize, Flags: linux.MAP_PRIVATE, Mappable: file, Offset: huge &^ pageMask}, linux.EOVERFLOW},
		{"fixed unaligned", MMapOpts{Addr: at + 1, Len: 1, Flags: anon | linux.MAP_FIXED}, linux.EINVAL},
		{"fixed at 0", MMapOpts{Len: 1, Flags: anon | linux.MAP_FIXED}, linux.EPERM},
		{"fixed beyond the end", MMapOpts{Addr: m.max, Len: 1, Flags: anon | linux.MAP_FIXED}, linux.ENOMEM},
		{"fixed not canonical", MMapOpts{Addr: 1 << 63, Len: 1, Flags: anon | linux.MAP_FIXED}, linux.ENOMEM},
		{"noreplace over a mapping", MMapOpts{Addr: at + pageSize, Len: 9 * pageSize, Flags: anon | linux.MAP_FIXED_NOREPLACE}, linux.EEXIST},
		{"huge pages", MMapOpts{Len: 1, Flags: anon | linux.MAP_HUGETLB}, linux.ENOMEM},
		{"huge pages of a file", MMapOpts{Len: 1, Flags: linux.MAP_PRIVATE | linux.MAP_HUGETLB, Mappable: file}, linux.EINVAL},
		{"sync", MMapOpts{Len: 1, Flags: linux.MAP_SHARED_VALIDATE | linux.MAP_SYNC, Mappable: file}, linux.EOPNOTSUPP},
		{"write to a read-only file", MMapOpts{Len: 1, Prot: rw, Flags: linux.MAP_SHARED, Mappable: file, MaxProt: linux.PROT_READ}, linux.EACCES},
		{"shared and growing", MMapOpts{Len: 1, Flags: linux.MAP_SHARED | linux.MAP_ANONYMOUS | linux.MAP_GROWSDOWN}, linux.EINVAL},
	} {
		if _, err := m.MMap(nil, c.o); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if len(m.Snapshot()) != 1 {
		t.Errorf("failed calls left %d mappings", len(m.Snapshot()))
	}
}

func TestHostileAddresses(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(2*pageSize, rw))
	var b [16]byte
	for _, a := range []uint64{0, 1, m.max, m.max - 1, 1 << 47, 1 << 63, huge, huge - 7, huge &^ pageMask} {
		if _, err := m.CopyIn(a, b[:]); err != linux.EFAULT {
			t.Errorf("CopyIn(%#x): %v", a, err)
		}
		if _, err := m.CopyOut(a, b[:]); err != linux.EFAULT {
			t.Errorf("CopyOut(%#x): %v", a, err)
		}
		if _, err := m.ZeroOut(a, huge); err != linux.EFAULT {
			t.Errorf("ZeroOut(%#x): %v", a, err)
		}
		if _, err := m.CopyInString(a, 100); err != linux.EFAULT {
			t.Errorf("CopyInString(%#x): %v", a, err)
		}
		if _, err := m.Blocks(a, huge, 1, nil); err != linux.EFAULT {
			t.Errorf("Blocks(%#x): %v", a, err)
		}
		if _, err := m.LoadUint32(a &^ 3); err != linux.EFAULT {
			t.Errorf("LoadUint32(%#x): %v", a, err)
		}
		if _, err := m.FutexKey(a&^3, false); err != linux.EFAULT {
			t.Errorf("FutexKey(%#x): %v", a, err)
		}
		if _, err := m.Remote().ReadAt(a, b[:]); err != linux.EIO {
			t.Errorf("Remote.ReadAt(%#x): %v", a, err)
		}
		a = pageDown(a)
		for _, n := range []uint64{0, 1, pageSize, 1 << 47, huge, huge &^ pageMask} {
			m.MUnmap(nil, a, n&^(1<<46-1))
			m.MProtect(nil, a, n, rw)
			m.MAdvise(nil, a, n, linux.MADV_DONTNEED)
			m.MAdvise(nil, a, n, linux.MADV_POPULATE_READ)
			m.MSync(a, n, linux.MS_SYNC)
			m.MIncore(a, n, at)
			m.MLock(nil, a, n, 0, true)
			m.MUnlock(a, n)
			m.SetAnonName(a, n, "x")
			m.MRemap(nil, a, n, pageSize, linux.MREMAP_MAYMOVE, 0)
			m.MRemap(nil, at, pageSize, n|1<<46, linux.MREMAP_MAYMOVE, 0)
			m.MRemap(nil, at, n, n, linux.MREMAP_MAYMOVE|linux.MREMAP_FIXED, a)
			m.Brk(nil, a+n)
			m.PageMap(a, make([]uint64, 3))
			m.HandleFault(nil, a+n, platform.Unknown, linux.SIGSEGV)
			m.Mapped(a, n)
		}
	}
	if _, err := m.LoadUint32(at + 1); err != linux.EINVAL {
		t.Errorf("unaligned word: %v", err)
	}
	m.DecUsers()
}

func TestRangeCallErrors(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(4*pageSize, rw))
	m.MUnmap(nil, at+2*pageSize, pageSize) // a hole
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"munmap of 0 bytes", m.MUnmap(nil, at, 0), linux.EINVAL},
		{"munmap unaligned", m.MUnmap(nil, at+1, 1), linux.EINVAL},
		{"munmap of nothing", m.MUnmap(nil, 0x40000, pageSize), nil},
		{"munmap beyond the space", m.MUnmap(nil, linux.TASK_SIZE, 2*pageSize), linux.EINVAL},
		{"mprotect of 0 bytes", m.MProtect(nil, at, 0, rw), nil},
		{"mprotect unaligned", m.MProtect(nil, at+1, 1, rw), linux.EINVAL},
		{"mprotect unknown bits", m.MProtect(nil, at, 1, 0x100), linux.EINVAL},
		{"mprotect both ways", m.MProtect(nil, at, 1, linux.PROT_GROWSDOWN|linux.PROT_GROWSUP), linux.EINVAL},
		{"mprotect grows a non-stack", m.MProtect(nil, at, 1, rw|linux.PROT_GROWSDOWN), linux.EINVAL},
		{"mprotect over a hole", m.MProtect(nil, at, 4*pageSize, rw), linux.ENOMEM},
		{"mprotect wraps", m.MProtect(nil, at, huge&^pageMask, rw), linux.ENOMEM},
		{"madvise unknown", m.MAdvise(nil, at, 1, 77), linux.EINVAL},
		{"madvise unaligned", m.MAdvise(nil, at+1, 1, linux.MADV_DONTNEED), linux.EINVAL},
		{"madvise of 0 bytes", m.MAdvise(nil, at, 0, linux.MADV_DONTNEED), nil},
		{"madvise wraps", m.MAdvise(nil, at, huge, linux.MADV_DONTNEED), linux.EINVAL},
		{"madvise over a hole", m.MAdvise(nil, at, 4*pageSize, linux.MADV_DONTNEED), linux.ENOMEM},
		{"madvise remove of private", m.MAdvise(nil, at, pageSize, linux.MADV_REMOVE), linux.EINVAL},
		{"populate over a hole", m.MAdvise(nil, at, 4*pageSize, linux.MADV_POPULATE_WRITE), linux.ENOMEM},
		{"msync over a hole", m.MSync(at, 4*pageSize, linux.MS_SYNC), linux.ENOMEM},
		{"msync both ways", m.MSync(at, 1, linux.MS_SYNC|linux.MS_ASYNC), linux.EINVAL},
		{"msync unknown", m.MSync(at, 1, 8), linux.EINVAL},
		{"mincore of a hole", m.MIncore(at+2*pageSize, pageSize, at), linux.ENOMEM},
		{"mincore to nowhere", m.MIncore(at, pageSize, 8), linux.EFAULT},
		{"mlock over a hole", m.MLock(nil, at, 4*pageSize, 0, true), linux.ENOMEM},
		{"mlock unknown flag", m.MLock(nil, at, 1, 2, true), linux.EINVAL},
		{"mlockall of nothing", m.MLockAll(nil, 0, true), linux.EINVAL},
		{"mlockall on fault only", m.MLockAll(nil, linux.MCL_ONFAULT, true), linux.EINVAL},
	} {
		if c.err != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
		}
	}
}

func TestMRemapErrors(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(4*pageSize, rw))
	shared := mustMap(t, m, MMapOpts{Len: 2 * pageSize, Prot: rw, Flags: linux.MAP_SHARED | linux.MAP_ANONYMOUS})
	const move, fixed, keep = linux.MREMAP_MAYMOVE, linux.MREMAP_FIXED, linux.MREMAP_DONTUNMAP
	for _, c := range []struct {
		name        string
		at, old, n  uint64
		flags       linux.MremapFlags
		to          uint64
		want        error
		wantAddress uint64
	}{
		{"unknown flag", at, pageSize, pageSize, 8, 0, linux.EINVAL, 0},
		{"fixed without move", at, pageSize, pageSize, fixed, at, linux.EINVAL, 0},
		{"keep with another size", at, pageSize, 2 * pageSize, move | keep, 0, linux.EINVAL, 0},
		{"unaligned", at + 1, pageSize, pageSize, 0, 0, linux.EINVAL, 0},
		{"to nothing", at, pageSize, 0, move, 0, linux.EINVAL, 0},
		{"not mapped", 0x50000, pageSize, pageSize, move, 0, linux.EFAULT, 0},
		{"beyond the mapping", at, 5 * pageSize, 6 * pageSize, move, 0, linux.EFAULT, 0},
		{"overlapping", at, 4 * pageSize, 4 * pageSize, move | fixed, at + pageSize, linux.EINVAL, 0},
		{"to an odd address", at, pageSize, pageSize, move | fixed, 0x100001, linux.EINVAL, 0},
		{"no room to grow", at, pageSize, 2 * pageSize, 0, 0, linux.ENOMEM, 0},
		{"duplicating private memory", at, 0, pageSize, move, 0, linux.EINVAL, 0},
		{"same size", at, 4 * pageSize, 4 * pageSize, 0, 0, nil, at},
		{"shrinking", at, 4 * pageSize, 3 * pageSize, 0, 0, nil, at},
		{"growing back in place", at, 3 * pageSize, 4 * pageSize, 0, 0, nil, at},
	} {
		got, err := m.MRemap(nil, c.at, c.old, c.n, c.flags, c.to)
		if err != c.want || got != c.wantAddress {
			t.Errorf("%s: %#x %v, want %#x %v", c.name, got, err, c.wantAddress, c.want)
		}
	}
	store(t, m, shared, 5)
	twin, err := m.MRemap(nil, shared, 0, 2*pageSize, move, 0)
	if err != nil {
		t.Fatal(err)
	}
	store(t, m, twin, 6)
	if v, _ := load(t, m, shared); v != 6 {
		t.Errorf("the duplicate is another memory: %d", v)
	}
	store(t, m, at+3*pageSize, 9)
	grown, err := m.MRemap(nil, at, 4*pageSize, 1000*pageSize, move, 0)
	if err != nil {
		t.Fatal(err)
	}
	if v, _ := load(t, m, grown+3*pageSize); v != 9 {
		t.Errorf("moved memory lost its contents: %d", v)
	}
	if v, f := load(t, m, grown+999*pageSize); v != 0 || f != (fault{}) {
		t.Errorf("the new part: %d %v", v, f)
	}
	m.DecUsers()
}

func TestLimits(t *testing.T) {
	m := newIdle(t)
	l := m.cfg.Limits
	m.cfg.TotalMemory = 1 << 30
	if _, err := m.MMap(nil, anonymous(2<<30, rw)); err != linux.ENOMEM {
		t.Errorf("more than there is: %v", err)
	}
	o := anonymous(1<<40, rw)
	o.Flags |= linux.MAP_NORESERVE
	if _, err := m.MMap(nil, o); err != nil {
		t.Errorf("the same with MAP_NORESERVE: %v", err)
	}
	base := m.VMSize()
	setLimit(t, l, linux.RLIMIT_AS, base+10*pageSize)
	if _, err := m.MMap(nil, anonymous(11*pageSize, rw)); err != linux.ENOMEM {
		t.Errorf("RLIMIT_AS: %v", err)
	}
	at := mustMap(t, m, anonymous(10*pageSize, linux.PROT_READ))
	// What is replaced does not count.
	o = anonymous(10*pageSize, linux.PROT_READ)
	o.Addr, o.Flags = at, o.Flags|linux.MAP_FIXED
	mustMap(t, m, o)
	if _, err := m.MRemap(nil, at, pageSize, 2*pageSize, linux.MREMAP_MAYMOVE, 0); err != linux.ENOMEM {
		t.Errorf("mremap beyond RLIMIT_AS: %v", err)
	}
	setLimit(t, l, linux.RLIMIT_AS, huge)
	setLimit(t, l, linux.RLIMIT_DATA, m.sizes.data)
	if err := m.MProtect(nil, at, pageSize, rw); err != linux.ENOMEM {
		t.Errorf("RLIMIT_DATA at mprotect: %v", err)
	}
	if _, err := m.MMap(nil, anonymous(pageSize, rw)); err != linux.ENOMEM {
		t.Errorf("RLIMIT_DATA at mmap: %v", err)
	}
	start := m.SetBrk(0x555500000000)
	if got := m.Brk(nil, start+pageSize); got != start {
		t.Errorf("RLIMIT_DATA at brk: %#x", got)
	}
	setLimit(t, l, linux.RLIMIT_MEMLOCK, 2*pageSize)
	if err := m.MLock(nil, at, 3*pageSize, 0, false); err != linux.ENOMEM {
		t.Errorf("RLIMIT_MEMLOCK: %v", err)
	}
	if err := m.MLock(nil, at, 2*pageSize, 0, false); err != nil || m.sizes.locked != 2*pageSize {
		t.Errorf("mlock: %v, %d locked", err, m.sizes.locked)
	}
	if err := m.MLock(nil, at, 2*pageSize, 0, false); err != nil {
		t.Errorf("mlock again: %v", err)
	}
	if err := m.MAdvise(nil, at, pageSize, linux.MADV_DONTNEED); err != linux.EINVAL {
		t.Errorf("MADV_DONTNEED of locked memory: %v", err)
	}
	setLimit(t, l, linux.RLIMIT_MEMLOCK, 0)
	o = anonymous(pageSize, linux.PROT_READ)
	o.Flags |= linux.MAP_LOCKED
	if _, err := m.MMap(nil, o); err != linux.EPERM {
		t.Errorf("MAP_LOCKED without a limit: %v", err)
	}
	m.MUnlockAll()
	if m.sizes.locked != 0 {
		t.Errorf("%d locked after munlockall", m.sizes.locked)
	}
	m.DecUsers()
}

func TestMapCount(t *testing.T) {
	m := newIdle(t)
	file := newFakeFile(t, pageSize)
	for i := range uint64(MaxMapCount) {
		if _, err := m.MMap(nil, MMapOpts{Addr: 0x100000000 + 2*i*pageSize, Len: pageSize, Flags: linux.MAP_PRIVATE | linux.MAP_FIXED, Mappable: file}); err != nil {
			t.Fatalf("mapping %d: %v", i, err)
		}
	}
	if _, err := m.MMap(nil, anonymous(pageSize, 0)); err != linux.ENOMEM {
		t.Errorf("one more: %v", err)
	}
	m.DecUsers()
}

func TestMIncoreAndDiscard(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(8*pageSize, rw))
	vec := mustMap(t, m, anonymous(pageSize, rw))
	store(t, m, at+pageSize, 1)
	store(t, m, at+6*pageSize, 1)
	look := func() string {
		if err := m.MIncore(at, 8*pageSize, vec); err != nil {
			t.Fatal(err)
		}
		var b [8]byte
		m.CopyIn(vec, b[:])
		for i := range b {
			b[i] += '0'
		}
		return string(b[:])
	}
	if got := look(); got != "01000010" {
		t.Errorf("touched: %s", got)
	}
	if err := m.MAdvise(nil, at, 4*pageSize, linux.MADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "00000010" {
		t.Errorf("after MADV_DONTNEED: %s", got)
	}
	if err := m.MAdvise(nil, at, 3*pageSize, linux.MADV_POPULATE_WRITE); err != nil {
		t.Fatal(err)
	}
	if got := look(); got != "11100010" {
		t.Errorf("after MADV_POPULATE_WRITE: %s", got)
	}
	if c := m.Pages(); c.Anonymous != 5*pageSize { // four here, one of vec
		t.Errorf("%d bytes resident", c.Anonymous)
	}
	m.DecUsers()
}

func TestMapsText(t *testing.T) {
	m := newSpace(t)
	file := newFakeFile(t, 4*pageSize)
	mustMap(t, m, MMapOpts{Addr: 0x400000, Len: 2 * pageSize, Prot: linux.PROT_READ | linux.PROT_EXEC, Flags: linux.MAP_PRIVATE | linux.MAP_FIXED, Mappable: file, File: opened{file}, Offset: pageSize})
	m.cfg.Fixed = true
	m.SetBrk(0x500000)
	m.Brk(nil, 0x502000)
	mustMap(t, m, MMapOpts{Addr: 0x600000, Len: pageSize, Prot: rw, Flags: linux.MAP_SHARED | linux.MAP_FIXED | linux.MAP_ANONYMOUS})
	m.MapStack(nil, rw)
	want := "" +
		"00400000-00402000 r-xp 00001000 00:01 77                                 /fake\n" +
		"00500000-00502000 rw-p 00000000 00:00 0                                  [heap]\n" +
		"00600000-00601000 rw-s 00000000 00:01 "
	got := string(m.AppendMaps(nil))
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "/dev/zero (deleted)\n") || !strings.HasSuffix(got, "[stack]\n") {
		t.Errorf("maps:\n%swant:\n%s", got, want)
	}
	for _, s := range []string{string(m.AppendSmaps(nil)), string(m.AppendSmapsRollup(nil)), string(m.AppendStatus(nil)), string(m.AppendStatm(nil))} {
		if len(s) < 10 || !strings.HasSuffix(s, "\n") {
			t.Errorf("%q", s)
		}
	}
	m.DecUsers()
}

func TestGuardGap(t *testing.T) {
	m := newSpace(t)
	o := anonymous(4*pageSize, rw)
	o.Flags |= linux.MAP_GROWSDOWN
	o.Addr = 0x40000000
	at := mustMap(t, m, o)
	if f := store(t, m, at-8*pageSize, 2); f != (fault{}) {
		t.Errorf("growing: %v", f)
	}
	start := m.Snapshot()[0].Start
	below := anonymous(pageSize, rw)
	below.Addr, below.Flags = start-stackGap, below.Flags|linux.MAP_FIXED
	mustMap(t, m, below)
	if f := store(t, m, start-8, 2); f.code != linux.SEGV_MAPERR {
		t.Errorf("growing into the gap: %v", f)
	}
	hint := anonymous(pageSize, rw)
	hint.Addr = start - 2*pageSize
	if got := mustMap(t, m, hint); got == hint.Addr {
		t.Error("a mapping was placed in the gap")
	}
	m.DecUsers()
}

func TestWipeAndDontFork(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(3*pageSize, rw))
	for i := range uint64(3) {
		store(t, m, at+i*pageSize, 5)
	}
	m.MAdvise(nil, at, pageSize, linux.MADV_WIPEONFORK)
	m.MAdvise(nil, at+pageSize, pageSize, linux.MADV_DONTFORK)
	child := fork(t, m)
	if v, f := load(t, child, at); v != 0 || f != (fault{}) {
		t.Errorf("wiped: %d %v", v, f)
	}
	if _, f := load(t, child, at+pageSize); f.code != linux.SEGV_MAPERR {
		t.Errorf("not forked: %v", f)
	}
	if v, _ := load(t, child, at+2*pageSize); v != 5 {
		t.Errorf("plain: %d", v)
	}
	if v, _ := load(t, m, at); v != 5 {
		t.Errorf("parent: %d", v)
	}
	child.DecUsers()
	m.DecUsers()
}

func TestReservedMemoryGrowsAsOneMapping(t *testing.T) {
	m := newSpace(t)
	at := mustMap(t, m, anonymous(64<<20, linux.PROT_NONE))
	if u := m.pmas.Len(); u != 0 {
		t.Errorf("a reservation has %d translations", u)
	}
	end := at
	for i := range uint64(20) {
		mustMap(t, m, anonymous(pageSize, rw)) // others allocate in between
		n := (1 + i%3) * pageSize
		if err := m.MProtect(nil, end, n, rw); err != nil {
			t.Fatal(err)
		}
		end += n
		store(t, m, end-8, i)
	}
	n := 0
	for range m.pmas.Over(rangeOf(at, end)) {
		n++
	}
	if n > 2 {
		t.Errorf("the arena is %d pieces", n)
	}
	m.DecUsers()
}

func rangeOf(a, b uint64) seg.Range { return seg.Range{Start: a, End: b} }

var _ memmap.File = opened{}
