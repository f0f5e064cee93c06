package tmpfs

import (
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/fs/mapset"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// A file is a regular file.
type file struct {
	node

	// io is held for reading across reads and for writing across changes.
	io lock.RWMutex[lock.Inode]
	// size is changed with io and mu held; either suffices to read it.
	size atomic.Uint64

	charge vfs.Charger // immutable; nil: nobody pays

	// guarded by node.mu
	pages seg.Set[uint64]
	ahead memfile.Range // reserved for what is written after the end
	seals linux.Seals

	maps mapset.Set
}

// Attr implements vfs.Inode.
func (f *file) Attr() (vfs.Attr, error) {
	f.mu.Lock()
	a := f.attrLocked()
	a.Size = f.size.Load()
	a.Blocks = f.pages.Span() / 512
	f.mu.Unlock()
	return a, nil
}

// SetAttr implements vfs.Inode.
func (f *file) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		if err := f.resize(set.Size); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.setLocked(set)
	return nil
}

// resize is truncate(2).
func (f *file) resize(size uint64) error {
	if size > maxSize {
		return linux.EFBIG
	}
	f.io.Lock()
	defer f.io.Unlock()
	now := f.fs.now()
	f.mu.Lock()
	old := f.size.Load()
	if size < old && f.seals&linux.F_SEAL_SHRINK != 0 || size > old && f.seals&linux.F_SEAL_GROW != 0 {
		f.mu.Unlock()
		return linux.EPERM
	}
	f.size.Store(size)
	f.modifiedLocked(now)
	var gone []memfile.Range
	if size < old {
		gone = f.cutLocked(seg.Range{Start: pageUp(size), End: pageRange().End})
		f.zeroLocked(size, min(pageUp(size), old))
		f.dropAheadLocked()
	}
	f.mu.Unlock()
	f.maps.Changed(f)
	if size < old {
		f.invalidate(pageUp(size), pageUp(old), true)
		f.free(gone)
	}
	return nil
}

// invalidate takes [start, end) from whoever has it mapped.
func (f *file) invalidate(start, end uint64, andPrivate bool) {
	if start < end && f.maps.Mapped() {
		f.maps.Invalidate(f, memmap.Range{Start: start, End: end}, andPrivate)
	}
}

// Open implements vfs.Inode.
func (f *file) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return openFile{f}, nil
}

// Evict implements vfs.Evicter.
func (f *file) Evict() {
	if f.uncount() {
		f.releasePages()
	}
}

func (f *file) releasePages() {
	f.io.Lock()
	defer f.io.Unlock()
	f.dropUnmapped()
}

// An openFile is an open regular file.
type openFile struct{ f *file }

// Release implements vfs.File.
func (openFile) Release() {}

// DirectIO implements vfs.DirectIO: there is no cache to go round.
func (openFile) DirectIO() {}

// MaxSize implements vfs.SizeLimiter.
func (openFile) MaxSize() int64 { return maxSize }

// ReadAt implements vfs.ReaderAt.
func (o openFile) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	f := o.f
	f.io.RLock()
	n, err := f.readRLocked(dst, uint64(off))
	f.io.RUnlock()
	return n, err
}

func (f *file) readRLocked(dst *usermem.Seq, at uint64) (int, error) {
	size := f.size.Load()
	done := 0
	for at < size && dst.Len() > 0 {
		b, hole := f.windowAt(at, min(dst.Len(), size-at))
		var n int
		var err error
		if hole > 0 {
			var z uint64
			z, err = dst.ZeroOut(hole)
			n = int(z)
		} else {
			n, err = dst.CopyOut(b)
		}
		done += n
		at += uint64(n)
		if err != nil {
			if done > 0 {
				return done, nil
			}
			return 0, err
		}
	}
	return done, nil
}

// WriteAt implements vfs.WriterAt.
func (o openFile) WriteAt(src *usermem.Seq, off int64) (int, error) {
	o.f.io.Lock()
	n, err := o.f.writeLocked(src, uint64(off))
	o.f.io.Unlock()
	return n, err
}

// Append implements vfs.Appender.
func (o openFile) Append(src *usermem.Seq) (int, int64, error) {
	f := o.f
	f.io.Lock()
	defer f.io.Unlock()
	off := f.size.Load()
	n, err := f.writeLocked(src, off)
	return n, int64(off), err
}

// writeBatch is how much room is made at a time, so that a write that faults or
// meets the limit leaves little behind.
const writeBatch = 2 << 20

func (f *file) writeLocked(src *usermem.Seq, off uint64) (int, error) {
	done := 0
	var err error
	for src.Len() > 0 && err == nil {
		at := off + uint64(done)
		if at >= maxSize {
			err = linux.EFBIG
			break
		}
		n := min(src.Len(), writeBatch, maxSize-at)
		var k int
		k, err = f.writePart(src, at, n)
		done += k
	}
	if done > 0 {
		f.maps.Changed(f)
		return done, nil
	}
	return 0, err
}

// mayWriteLocked checks the seals.
func (f *file) mayWriteLocked(off, n uint64) error {
	if f.seals&(linux.F_SEAL_WRITE|linux.F_SEAL_FUTURE_WRITE) != 0 || f.seals&linux.F_SEAL_GROW != 0 && off+n > f.size.Load() {
		return linux.EPERM
	}
	return nil
}

// writePart makes room for n bytes at off and copies them there.
func (f *file) writePart(src *usermem.Seq, off, n uint64) (int, error) {
	now := f.fs.now()
	r := seg.Range{Start: pageDown(off), End: pageUp(off + n)}
	f.mu.Lock()
	if err := f.mayWriteLocked(off, src.Len()); err != nil {
		f.mu.Unlock()
		return 0, err
	}
	fresh, err := f.makeLocked(r)
	if err != nil {
		// As much as there is room for.
		n = 0
		if g, ok := f.pages.Find(off); ok {
			n = min(g.End-off, uint64(src.Len()), r.End-off)
		}
	}
	b, _ := f.windowLocked(off, n)
	f.mu.Unlock()
	done := 0
	if fresh && err == nil && n >= worthCall {
		done, err = f.store(src, off, n)
	} else {
		for len(b) > 0 {
			k, e := src.CopyIn(b)
			done += k
			if e != nil {
				err = e
				break
			}
			b, _ = f.windowAt(off+uint64(done), n-uint64(done))
		}
	}
	f.mu.Lock()
	if done > 0 {
		if end := off + uint64(done); end > f.size.Load() {
			f.size.Store(end)
		}
		f.modifiedLocked(now)
	}
	// Room made for nothing beyond the end goes again.
	var gone []memfile.Range
	if keep := pageUp(f.size.Load()); keep < r.End {
		gone = f.cutLocked(seg.Range{Start: max(keep, r.Start), End: r.End})
	}
	f.mu.Unlock()
	f.free(gone)
	return done, err
}

// worthCall is the least that is stored by a call of the host.
const worthCall = 512

// store copies n bytes to memory at off that the host has yet to make: by a call for
// each piece, which costs less than the faults of touching it.
func (f *file) store(src *usermem.Seq, off, n uint64) (int, error) {
	s := stores.Get().(*storing)
	s.f, s.off, s.left = f, off, n
	done, err := src.Blocks(usermem.Read, s.each)
	s.f = nil
	stores.Put(s)
	return int(done), err
}

// A storing is one call of store. Its function is made once for many.
type storing struct {
	f         *file
	off, left uint64
	each      func(blocks [][]byte) (uint64, error)
}

var stores = sync.Pool{New: func() any {
	s := &storing{}
	s.each = s.blocks
	return s
}}

func (s *storing) blocks(blocks [][]byte) (done uint64, err error) {
	for _, b := range blocks {
		b = b[:min(uint64(len(b)), s.left)]
		for len(b) > 0 {
			m := s.f.memoryAt(s.off, uint64(len(b)))
			if m.Len() == 0 {
				return done, nil
			}
			if e := s.f.fs.mem.Fill(b[:m.Len()], m.Start); e != 0 {
				return done, e
			}
			b, s.off, s.left, done = b[m.Len():], s.off+m.Len(), s.left-m.Len(), done+m.Len()
		}
	}
	return done, nil
}

// SeekTo implements vfs.Seeker.
func (o openFile) SeekTo(off int64, whence int, cur int64) (int64, error) {
	size := int64(o.f.size.Load())
	base := int64(0)
	switch linux.Whence(whence) {
	case linux.SEEK_CUR:
		base = cur
	case linux.SEEK_END:
		base = size
	case linux.SEEK_DATA, linux.SEEK_HOLE:
		return o.f.seekData(off, size, linux.Whence(whence))
	}
	if off > 0 && base > maxSize-off {
		return 0, linux.EINVAL
	}
	if base+off < 0 {
		return 0, linux.EINVAL
	}
	return base + off, nil
}

func (f *file) seekData(off, size int64, whence linux.Whence) (int64, error) {
	if off < 0 || off >= size {
		return 0, linux.ENXIO
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if whence == linux.SEEK_DATA {
		g, ok := f.pages.From(uint64(off))
		if !ok || int64(g.Start) >= size {
			return 0, linux.ENXIO
		}
		return max(off, int64(g.Start)), nil
	}
	at := uint64(off)
	for {
		g, ok := f.pages.Find(at)
		if !ok {
			return int64(at), nil
		}
		if at = g.End; at >= uint64(size) {
			return size, nil
		}
	}
}

// Sync implements vfs.Syncer: memory is as far as it goes.
func (openFile) Sync(bool) error { return nil }

// InMemory implements vfs.InMemory.
func (openFile) InMemory() {}
