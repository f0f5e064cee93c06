package memfile

import (
	"sync"
	"sync/atomic"
	"time"

	"cordon/internal/check"
	"cordon/internal/linux"
	"cordon/internal/lock"
)

const (
	pageSize = linux.PageSize
	hugeSize = linux.HugePageSize

	// chunkSize is the size of a window, and what an arena grows by.
	chunkSize = 1 << 30
	// maxSize bounds the file, and with it the Sentry's windows, well below
	// the Sentry's own address space.
	maxSize = 1 << 46

	// maxRecycled is the largest range, maxKept the most bytes, that are kept
	// committed for reuse.
	maxRecycled = 1 << 20
	maxKept     = 64 << 20
	// maxSplit is the largest of them that is given away in parts: files and
	// mappings grow page by page, and end as a whole.
	maxSplit = 64 << 10
)

// A Range is [Start, End) in the file's offsets.
type Range struct{ Start, End uint64 }

// Len returns the number of bytes in r.
func (r Range) Len() uint64 { return r.End - r.Start }

// Kind says what memory is for.
type Kind uint8

const (
	// Anonymous is private memory of programs.
	Anonymous Kind = iota
	// Shared is memory that programs share: MAP_SHARED|MAP_ANONYMOUS, SysV.
	Shared
	// Files is the contents of tmpfs and memfd files.
	Files
	// Kernel is the Sentry's own: pipes, the vDSO's pages.
	Kernel
	// Hidden is memory of the platform's that no checkpoint has.
	Hidden

	kinds
)

// Options refine an Alloc.
type Options struct {
	Kind Kind
	// Huge asks for offsets that are Phase modulo 2 MiB, in a part of the
	// file where the Sentry's windows use huge pages too.
	Huge  bool
	Phase uint64
	// Recycle allows memory that was used and is committed already. It is
	// zero all the same, unless Dirty is set too: then the caller overwrites
	// all of it before a guest can see it.
	Recycle bool
	Dirty   bool
	// Present, for AllocCopy: every page of the source is known to have memory.
	Present bool
	// After asks for the offsets that follow this one, so that two mappings
	// become one. It is a wish. Zero is none.
	After uint64
}

// arenas are parts of the file with different windows.
const (
	smallArena = iota
	hugeArena
	arenas
)

// A File is a memory file.
type File struct {
	// immutable
	fd   int32
	id   uint64
	huge bool

	win windows

	// atomic
	asked atomic.Uint64 // mincore calls
	wait  atomic.Pointer[func()]
	room  atomic.Pointer[func(n uint64) bool] // HasRoom

	worker sync.WaitGroup // punchAll

	mu lock.Mutex[lock.MemFile]
	// guarded by mu
	top      uint64 // where the next chunk begins
	size     uint64 // of the host file
	arenaOf  []uint8
	free     [arenas]extents
	refs     refSet
	recycled [maxRecycled/pageSize + 1][]uint64
	kept     uint64
	turnover uint64      // ranges kept and reused, ever
	idle     *time.Timer // gives kept memory up; nil: nothing to watch
	punch    []Range
	punching bool
	usage    [kinds]uint64
	lately   map[Range]answer
	hide     map[uint64][]disguise // by page, for the image being written
	closed   bool
}

// New returns a File over the empty host file fd, which it takes over: an
// O_TMPFILE of a tmpfs, or a memfd. id names it to the platform.
func New(fd int32, id uint64) *File {
	f := &File{fd: fd, id: id, refs: newRefSet()}
	for i := range f.free {
		f.free[i] = newExtents()
	}
	f.win.fd = fd
	return f
}

// NewHuge is New for a file of a tmpfs mounted huge=advise.
func NewHuge(fd int32, id uint64) *File {
	f := New(fd, id)
	f.huge = true
	return f
}

// Huge reports whether asking for huge pages can help.
func (f *File) Huge() bool { return f.huge }

// FD returns the host descriptor, ID the platform's name for the file.
func (f *File) FD() int32  { return f.fd }
func (f *File) ID() uint64 { return f.id }

// Alloc returns n bytes (a page multiple), each page with one reference and
// zero. committed says that the pages are present already: mapping them with
// Populate is worth it.
func (f *File) Alloc(n uint64, o Options) (r Range, committed bool, err linux.Errno) {
	if n == 0 || n%pageSize != 0 {
		check.Failed("memfile: allocation of %d bytes", n)
	}
	if o.Recycle && !o.Huge && n <= maxRecycled {
		if r, ok := f.takeRecycled(n, o.Kind); ok {
			if !o.Dirty {
				f.Zero(r)
			}
			return r, true, 0
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err = f.allocLocked(n, o)
	if err != 0 {
		return Range{}, false, err
	}
	f.usage[o.Kind] += n
	f.refs.insert(r, o.Kind, false)
	return r, false, 0
}

// AllocPages is Alloc for pages that are about to be filled.
func (f *File) AllocPages(n uint64, k Kind) (Range, linux.Errno) {
	r, _, err := f.Alloc(n, Options{Kind: k, Recycle: true})
	return r, err
}

func (f *File) allocLocked(n uint64, o Options) (Range, linux.Errno) {
	f.mu.AssertHeld()
	arena, align := smallArena, uint64(pageSize)
	if o.Huge {
		arena, align = hugeArena, hugeSize
	}
	x := &f.free[arena]
	if o.After != 0 && int(o.After/chunkSize) < len(f.arenaOf) && f.arenaOf[o.After/chunkSize] == uint8(arena) &&
		(!o.Huge || o.After&(hugeSize-1) == o.Phase&(hugeSize-1)) && x.takeAt(o.After, n) {
		return Range{o.After, o.After + n}, 0
	}
	phase := o.Phase & (align - 1)
	if r, ok := x.take(n, align, phase); ok {
		return r, 0
	}
	if n > maxSize || f.growLocked(arena, n+align) != 0 {
		return Range{}, linux.ENOMEM
	}
	r, ok := x.take(n, align, phase)
	check.That(ok, "memfile: no room for %d bytes after growing", n)
	return r, 0
}

// growLocked adds chunks for n bytes to an arena.
func (f *File) growLocked(arena int, n uint64) linux.Errno {
	n = (n + chunkSize - 1) &^ (chunkSize - 1)
	if f.closed || n > maxSize || f.top+n > maxSize {
		return linux.ENOMEM
	}
	if f.top+n > f.size {
		// Offsets are free: large steps make the call rare.
		size := (f.top + n + 63*chunkSize) &^ (64*chunkSize - 1)
		if err := truncate(f.fd, size); err != 0 {
			return linux.ENOMEM
		}
		f.size = size
	}
	r := Range{f.top, f.top + n}
	f.top += n
	for range n / chunkSize {
		f.arenaOf = append(f.arenaOf, uint8(arena))
	}
	f.win.setHuge(r, arena == hugeArena)
	f.free[arena].put(r)
	return 0
}

func (f *File) takeRecycled(n uint64, k Kind) (Range, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := n
	for len(f.recycled[size/pageSize]) == 0 {
		if size += pageSize; size > maxSplit {
			return Range{}, false
		}
	}
	list := f.recycled[size/pageSize]
	at := list[len(list)-1]
	f.recycled[size/pageSize] = list[:len(list)-1]
	f.kept -= n
	f.turnover++
	r := Range{at, at + n}
	if rest := size - n; rest > 0 {
		f.recycled[rest/pageSize] = append(f.recycled[rest/pageSize], r.End)
	}
	f.usage[k] += n
	f.refs.insert(r, k, true)
	return r, true
}

// IncRef adds a reference to every page of r, all of which have one.
func (f *File) IncRef(r Range) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refs.add(r, refsMustBe)
}

// DecRef drops a reference of every page of r. Pages without references are
// free: see Lifetimes for what the caller promises.
func (f *File) DecRef(r Range) {
	var buf [8]freed
	f.mu.Lock()
	gone := f.refs.drop(r, buf[:0])
	for _, g := range gone {
		f.usage[g.kind] -= g.Len()
	}
	f.mu.Unlock()
	for _, g := range gone {
		f.release(g)
	}
}

// DecRefUntouched is DecRef for pages with one reference that nobody has ever had
// mapped or copied to since Alloc, without Recycle, gave them out.
func (f *File) DecRefUntouched(r Range) {
	var buf [8]freed
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.refs.drop(r, buf[:0]) {
		f.usage[g.kind] -= g.Len()
		f.freeLocked(g.Range)
	}
}

// Filled says that every page of r has memory now: somebody has stored to each.
func (f *File) Filled(r Range) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refs.setFull(r, true)
}

// isFull reports whether all pages of r are known to have memory.
func (f *File) isFull(r Range) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refs.isFull(r)
}

// Sole returns the largest range within r around the page at off whose pages
// have one reference each; empty where that page has more.
func (f *File) Sole(off uint64, r Range) Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refs.sole(off, r)
}

// Close drops the windows and the host file. Nobody uses the File afterwards.
func (f *File) Close() {
	f.mu.Lock()
	f.closed = true
	if f.idle != nil {
		f.idle.Stop()
	}
	f.mu.Unlock()
	f.worker.Wait()
	f.win.close()
	closeFile(f.fd)
}
