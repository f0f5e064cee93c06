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
	x.in, x.path, x.flags, x.lower = in, p, flags, f
	return x, nil
}

// files spares an open of a lower file an allocation.
var files = sync.Pool{New: func() any { return new(file) }}

// file is a lower file that was opened for reading.
type file struct {
	// immutable until Release
	in    *Inode
	path  vfs.Path
	flags linux.OpenFlags
	lower vfs.File

	mu lock.Mutex[lock.InodeData]

	// guarded by mu
	upper vfs.File // since the data was copied
}

// now returns the File to use.
func (x *file) now() (vfs.File, error) {
	u := x.in.upper.Load()
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
	x.in, x.path, x.lower = nil, vfs.Path{}, nil
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
	if x.in.upper.Load() == nil {
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

// current returns the Mappable of the layer that has the data.
func (in *Inode) current() memmap.Mappable {
	if u := in.upper.Load(); u != nil {
		return mappableOf(u.Inode)
	}
	return mappableOf(in.lower)
}

// Translate implements memmap.Mappable.
func (in *Inode) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	m := in.current()
	if m == nil {
		return nil, linux.EFAULT
	}
	return m.Translate(required, optional, write)
}

// AddMapping implements memmap.Mappable. The layer is told too, with a proxy:
// what it takes back is to be looked for under the Inode's name.
func (in *Inode) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	m := in.current()
	if m == nil {
		return linux.ENODEV
	}
	if err := m.AddMapping(proxy{in}, r.Start, r, writable); err != nil {
		return err
	}
	in.maps.Add(ms, addr, r, writable)
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (in *Inode) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	in.maps.Remove(ms, addr, r, writable)
	if m := in.current(); m != nil {
		m.RemoveMapping(proxy{in}, r.Start, r, writable)
	}
}

// proxy is in's mappings as a layer sees them: addresses are offsets.
type proxy struct{ in *Inode }

func (p proxy) Invalidate(_ memmap.Mappable, addr, n uint64, andPrivate bool) {
	p.in.maps.Invalidate(p.in, memmap.Range{Start: addr, End: addr + n}, andPrivate)
}
