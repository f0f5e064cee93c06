package tmpfs

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
)

// Allocate implements vfs.Allocator. As in Linux, tmpfs can allocate and punch
// holes and no more.
func (o openFile) Allocate(mode linux.FallocateMode, off, n int64) error {
	const known = linux.FALLOC_FL_KEEP_SIZE | linux.FALLOC_FL_PUNCH_HOLE
	if mode&^known != 0 {
		return linux.EOPNOTSUPP
	}
	f := o.f
	f.io.Lock()
	defer f.io.Unlock()
	if mode&linux.FALLOC_FL_PUNCH_HOLE != 0 {
		return f.punch(uint64(off), uint64(off+n))
	}
	return f.reserve(uint64(off), uint64(off+n), mode&linux.FALLOC_FL_KEEP_SIZE != 0)
}

func (f *file) punch(start, end uint64) error {
	f.mu.Lock()
	if f.seals&(linux.F_SEAL_WRITE|linux.F_SEAL_FUTURE_WRITE) != 0 {
		f.mu.Unlock()
		return linux.EPERM
	}
	var gone []memfile.Range
	in, out := pageUp(start), pageDown(end)
	if in > out { // inside one page
		f.zeroLocked(start, end)
	} else {
		f.zeroLocked(start, in)
		f.zeroLocked(out, end)
		if in < out {
			gone = f.cutLocked(seg.Range{Start: in, End: out})
		}
	}
	f.modifiedLocked(f.fs.now())
	f.mu.Unlock()
	f.maps.Changed(f)
	f.invalidate(in, out, false)
	f.free(gone)
	return nil
}

func (f *file) reserve(start, end uint64, keepSize bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seals&linux.F_SEAL_GROW != 0 && end > f.size.Load() {
		return linux.EPERM
	}
	r := seg.Range{Start: pageDown(start), End: pageUp(end)}
	// All or nothing: what is lacking is counted first.
	need := uint64(0)
	for g := range f.pages.Gaps(r) {
		need += g.Len() / pageSize
	}
	if limit := f.fs.maxPages.Load(); limit != 0 && need > limit {
		return linux.ENOSPC
	}
	var made []seg.Range
	for g := range f.pages.Gaps(r) {
		made = append(made, g)
	}
	for i, g := range made {
		if _, err := f.fillHoleLocked(g); err != nil {
			for _, u := range made[:i] {
				f.free(f.cutLocked(u))
			}
			return err
		}
	}
	if !keepSize && end > f.size.Load() {
		f.size.Store(end)
	}
	f.changedLocked(f.fs.now())
	return nil
}
