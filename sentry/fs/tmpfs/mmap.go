package tmpfs

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/sentry/memmap"
)

// Mappable implements vfs.Mapper: sealed files are not mapped for writing.
func (o openFile) Mappable(prot linux.Prot, shared bool) (memmap.Mappable, error) {
	f := o.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if shared && prot&linux.PROT_WRITE != 0 && f.seals&(linux.F_SEAL_WRITE|linux.F_SEAL_FUTURE_WRITE) != 0 {
		return nil, linux.EPERM
	}
	return f, nil
}

// Mappable implements vfs.Mapped.
func (f *file) Mappable() memmap.Mappable { return f }

// Translate implements memmap.Mappable. As in Linux a hole gets memory when it
// is first touched, by a load too.
func (f *file) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	end := pageUp(f.size.Load())
	var err error
	if required.End > end {
		err = linux.EFAULT
		required.End = end
	}
	optional.End = min(optional.End, end)
	if required.Start >= required.End {
		return nil, linux.EFAULT
	}
	if e := f.fillLocked(seg.Range(required)); e != nil {
		err = linux.EFAULT
	}
	if write {
		f.modifiedLocked(f.fs.now())
	}
	var out []memmap.Translation
	for r, v := range f.pages.Over(seg.Range(optional)) {
		start, stop := max(r.Start, optional.Start), min(r.End, optional.End)
		out = append(out, memmap.Translation{
			Source: memmap.Range{Start: start, End: stop}, File: f.fs.back,
			Offset: *v + start - r.Start, Writable: true,
		})
	}
	return contiguous(out, required), err
}

// contiguous keeps the translations that lie side by side around required.
func contiguous(ts []memmap.Translation, required memmap.Range) []memmap.Translation {
	first, last := -1, -1
	for i, t := range ts {
		if t.Source.End > required.Start && first < 0 {
			first = i
		}
		if t.Source.Start < required.End {
			last = i
		}
	}
	if first < 0 || last < first {
		return nil
	}
	for first > 0 && ts[first-1].Source.End == ts[first].Source.Start {
		first--
	}
	for last+1 < len(ts) && ts[last].Source.End == ts[last+1].Source.Start {
		last++
	}
	return ts[first : last+1]
}

// AddMapping implements memmap.Mappable.
func (f *file) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	if writable {
		f.mu.Lock()
		sealed := f.seals&(linux.F_SEAL_WRITE|linux.F_SEAL_FUTURE_WRITE) != 0
		f.mu.Unlock()
		if sealed {
			return linux.EPERM
		}
	}
	f.maps.Add(ms, addr, r, writable)
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (f *file) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	f.maps.Remove(ms, addr, r, writable)
}
