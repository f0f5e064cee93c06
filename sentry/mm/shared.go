package mm

import (
	"sync/atomic"

	"cordon/internal/check"
	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// SharedMemory is a Mappable of a fixed size without a file: what
// MAP_SHARED|MAP_ANONYMOUS maps, and System V segments. It is freed when its
// references and its mappings are gone.
type SharedMemory struct {
	// immutable
	mem   memmap.Memory
	pages memfile.Range

	// atomic
	refs atomic.Int64 // holders, and bytes mapped
}

// NewShared returns n zero bytes (a page multiple) with one reference.
func NewShared(f *memfile.File, n uint64, k memfile.Kind) (*SharedMemory, error) {
	r, _, err := f.Alloc(n, memfile.Options{Kind: k, Huge: n >= hugeSize})
	if err != 0 {
		return nil, err
	}
	s := &SharedMemory{mem: memmap.Memory{File: f}, pages: r}
	s.refs.Store(1)
	return s, nil
}

// Len returns the size.
func (s *SharedMemory) Len() uint64 { return s.pages.Len() }

// Committed returns how many bytes have memory.
func (s *SharedMemory) Committed() uint64 { return s.mem.File.Committed(s.pages) }

// IncRef takes a reference.
func (s *SharedMemory) IncRef() { s.refs.Add(1) }

// DecRef drops a reference.
func (s *SharedMemory) DecRef() { s.drop(1) }

func (s *SharedMemory) drop(n int64) {
	left := s.refs.Add(-n)
	check.That(left >= 0, "mm: shared memory is released too often")
	if left == 0 {
		s.mem.File.DecRef(s.pages)
	}
}

// Translate implements memmap.Mappable.
func (s *SharedMemory) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	var err error
	if required.End > s.Len() {
		err = linux.EFAULT
	}
	optional.End = min(optional.End, s.Len())
	if optional.Start >= optional.End {
		return nil, err
	}
	return []memmap.Translation{{Source: optional, File: s.mem, Offset: s.pages.Start + optional.Start, Writable: true}}, err
}

// AddMapping implements memmap.Mappable.
func (s *SharedMemory) AddMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) error {
	s.refs.Add(int64(r.Len()))
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (s *SharedMemory) RemoveMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) {
	s.drop(int64(r.Len()))
}
