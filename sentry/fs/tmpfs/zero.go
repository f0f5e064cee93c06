package tmpfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// A zeroMap is what a mapping of /dev/zero maps: a file of its own that nobody
// else can reach, gone with its last mapping.
type zeroMap struct {
	*file
	mapped atomic.Int64 // bytes
}

// NewZeroMap returns contents for one mapping of /dev/zero.
func (fs *FS) NewZeroMap() (memmap.Mappable, error) {
	i, err := fs.newInode(&vfs.NewInode{Mode: linux.S_IFREG | 0o600})
	if err != nil {
		return nil, err
	}
	z := &zeroMap{file: i.(*file)}
	z.size.Store(maxSize &^ (pageSize - 1))
	return z, nil
}

// AddMapping implements memmap.Mappable.
func (z *zeroMap) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	z.mapped.Add(int64(r.Len()))
	return z.file.AddMapping(ms, addr, r, writable)
}

// RemoveMapping implements memmap.Mappable.
func (z *zeroMap) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	z.file.RemoveMapping(ms, addr, r, writable)
	if z.mapped.Add(-int64(r.Len())) == 0 && z.uncount() {
		z.dropUnmapped()
	}
}

// dropUnmapped gives up the pages from under the memory manager's locks, where
// io may not be taken; nobody else can reach the file.
func (f *file) dropUnmapped() {
	f.mu.Lock()
	gone := f.cutLocked(pageRange())
	f.dropAheadLocked()
	f.mu.Unlock()
	f.free(gone)
}
