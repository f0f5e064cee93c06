package overlay

import (
	"sync"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Open implements vfs.Inode. A file that has its upper file is that from then
// on; a lower file opened for reading may get one later.
func (in *Inode) Open(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if in.kind != linux.S_IFREG {
		return nil, linux.ENXIO
	}
	if flags.Writable() {
		limit := uint64(wholeFile)
		if flags&linux.O_TRUNC != 0 {
			limit = 0
		}
		if err := in.copyUp(limit, vfs.ChargeOf(c)); err != nil {
			return nil, err
		}
	}
	if u := in.upper.Load(); u != nil {
		return u.Open(c, p, flags)
	}
	f, err := in.lower.Open(c, p, flags)
	if err != nil {
		return nil, err
	}
	x := files.Get().(*file)
	x.of, x.path, x.flags, x.lower = &in.content, p, flags, f
	return x, nil
}

// files spares an open of a lower file an allocation.
var files = sync.Pool{New: func() any { return new(file) }}

// file is a lower file that was opened for reading.
type file struct {
	// immutable until Release
	of    *content
	path  vfs.Path
	flags linux.OpenFlags
	lower vfs.File

	mu lock.Mutex[lock.InodeData]

	// guarded by mu
	upper vfs.File // since the data was copied
}

// now returns the File to use.
func (x *file) now() (vfs.File, error) {
	u := x.of.upper.Load()
	if u == nil {
		return x.lower, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.upper == nil {
		f, err := u.Open(nil, x.path, x.flags)
		if err != nil {
			return nil, err
		}
		x.upper = f
	}
	return x.upper, nil
}

// Release implements vfs.File.
func (x *file) Release() {
	x.lower.Release()
	x.mu.Lock()
	u := x.upper
	x.upper = nil
	x.mu.Unlock()
	if u != nil {
		u.Release()
	}
	x.of, x.path, x.lower = nil, vfs.Path{}, nil
	files.Put(x)
}

// ReadAt implements vfs.ReaderAt.
func (x *file) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	f, err := x.now()
	if err != nil {
		return 0, err
	}
	r, ok := f.(vfs.ReaderAt)
	if !ok {
		return 0, linux.EINVAL
	}
	return r.ReadAt(dst, off)
}

// Sync implements vfs.Syncer. There is nothing to write back of a lower file.
func (x *file) Sync(dataOnly bool) error {
	if x.of.upper.Load() == nil {
		return nil
	}
	f, err := x.now()
	if err != nil {
		return err
	}
	if s, ok := f.(vfs.Syncer); ok {
		return s.Sync(dataOnly)
	}
	return nil
}

// PrepareMap implements vfs.MapPreparer.
func (x *file) PrepareMap() error {
	f, err := x.now()
	if err != nil {
		return err
	}
	if p, ok := f.(vfs.MapPreparer); ok {
		return p.PrepareMap()
	}
	return nil
}

// DirectIO implements vfs.DirectIO.
func (x *file) DirectIO() {}

// Mappable implements vfs.Mapped. A file made here is its upper file for good;
// one that begins below is mapped through the Inode, which may switch.
func (in *Inode) Mappable() memmap.Mappable {
	if in.lower == nil {
		return mappableOf(in.upper.Load().Inode)
	}
	return in
}

// Translate implements memmap.Mappable.
func (in *Inode) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	return in.translate(required, optional, write)
}

// AddMapping implements memmap.Mappable.
func (in *Inode) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	return in.addMapping(in, ms, addr, r, writable)
}

// RemoveMapping implements memmap.Mappable.
func (in *Inode) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	in.removeMapping(in, ms, addr, r, writable)
}
