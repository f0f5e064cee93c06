package tmpfs

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
)

// Files that have outgrown smallFile are given offsets ahead of their end, so
// that what follows lies beside it in the memory file; never more than maxAhead.
// What has outgrown smallPages grows by huge pages: the host makes one in less time
// than the pages in it, and what the last has too much is little of the file.
const (
	smallFile  = 64 << 10
	maxAhead   = 1 << 20
	smallPages = 4 * linux.HugePageSize
)

// newPages returns an empty index of pages: offsets in the file to offsets in
// the memory file.
func newPages() seg.Set[uint64] {
	return seg.New(seg.Funcs[uint64]{
		Merge: func(r1 seg.Range, v1 uint64, _ seg.Range, v2 uint64) (uint64, bool) {
			return v1, v1+r1.Len() == v2
		},
		Split: func(r seg.Range, v, at uint64) (uint64, uint64) { return v, v + at - r.Start },
	})
}

// fillLocked gives every hole in r (pages) memory that reads as zeros. What
// was done before an error stays.
func (f *file) fillLocked(r seg.Range) error {
	_, err := f.makeLocked(r)
	return err
}

// makeLocked is fillLocked; fresh says that it has made pages that the host has no
// memory for yet.
func (f *file) makeLocked(r seg.Range) (fresh bool, err error) {
	for {
		var hole seg.Range
		found := false
		for g := range f.pages.Gaps(r) {
			hole, found = g, true
			break
		}
		if !found {
			return fresh, nil
		}
		if n := f.ahead.Len(); n > 0 && n < hole.Len() && f.aheadIsAtLocked(hole.Start) {
			hole.End = hole.Start + n
		}
		made, err := f.fillHoleLocked(hole)
		if err == error(linux.ENOSPC) {
			return fresh, f.fillSomeLocked(hole)
		} else if err != nil {
			return fresh, err
		}
		fresh = fresh || made
		r.Start = hole.End
	}
}

// fillSomeLocked fills what the limit still allows of a hole.
func (f *file) fillSomeLocked(hole seg.Range) error {
	limit, used := f.fs.maxPages.Load(), f.fs.pages.Load()
	if used < limit {
		hole.End = min(hole.End, hole.Start+(limit-used)*pageSize)
		f.fillHoleLocked(hole) // if others were faster, nothing is filled
	}
	return linux.ENOSPC
}

func (f *file) fillHoleLocked(hole seg.Range) (fresh bool, err error) {
	if fresh, err = f.placeHoleLocked(hole); err == nil && f.charge != nil {
		f.charge.ChargeFiles(int64(hole.Len()))
	}
	return fresh, err
}

func (f *file) placeHoleLocked(hole seg.Range) (fresh bool, err error) {
	if !f.fs.usePages(hole.Len() / pageSize) {
		return false, linux.ENOSPC
	}
	if f.ahead.Len() >= hole.Len() && f.aheadIsAtLocked(hole.Start) {
		f.pages.Insert(hole, f.ahead.Start)
		f.ahead.Start += hole.Len()
		return true, nil
	}
	n, extra := hole.Len(), uint64(0)
	o := memfile.Options{Kind: memfile.Files}
	if last, ok := f.pages.Last(); ok && last.End == hole.Start && last.End >= smallFile {
		extra = min(last.End, maxAhead)
		if o.Huge = f.fs.mem.Huge() && last.End >= smallPages; o.Huge {
			extra = -n & (linux.HugePageSize - 1)
		}
	}
	o.Recycle = extra == 0
	m, committed, e := f.fs.mem.Alloc(n+extra, o)
	if e != 0 {
		f.fs.freePages(n / pageSize)
		return false, e
	}
	f.pages.Insert(hole, m.Start)
	if extra > 0 {
		f.dropAheadLocked()
		f.ahead = memfile.Range{Start: m.Start + n, End: m.End}
	}
	return !committed, nil
}

// aheadIsAtLocked reports whether what is ahead is for the page at off.
func (f *file) aheadIsAtLocked(off uint64) bool {
	g, ok := f.pages.Before(off)
	return ok && g.End == off && g.Value+g.Len() == f.ahead.Start
}

func (f *file) dropAheadLocked() {
	if f.ahead.Len() > 0 {
		f.fs.mem.DecRef(f.ahead)
		f.ahead = memfile.Range{}
	}
}

// cutLocked takes the pages of r out of the index. The caller gives them up
// with free when nobody can reach them any more.
func (f *file) cutLocked(r seg.Range) []memfile.Range {
	var out []memfile.Range
	f.pages.Remove(r, func(g seg.Range, v uint64) {
		out = append(out, memfile.Range{Start: v, End: v + g.Len()})
	})
	return out
}

// free gives up pages that cutLocked returned.
func (f *file) free(rs []memfile.Range) {
	for _, r := range rs {
		f.fs.mem.DecRef(r)
		f.fs.freePages(r.Len() / pageSize)
		if f.charge != nil {
			f.charge.ChargeFiles(-int64(r.Len()))
		}
	}
}

// zeroLocked clears [start, end), which lies in one page, if it has memory.
func (f *file) zeroLocked(start, end uint64) {
	if start >= end {
		return
	}
	g, ok := f.pages.Find(start)
	if !ok {
		return
	}
	at := g.Value + start - g.Start
	f.fs.mem.Zero(memfile.Range{Start: at, End: at + end - start})
}

// memoryAt returns where the memory of the file at off is, at most n bytes; nothing
// in a hole.
func (f *file) memoryAt(off, n uint64) memfile.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.pages.Find(off)
	if !ok {
		return memfile.Range{}
	}
	at := g.Value + off - g.Start
	return memfile.Range{Start: at, End: at + min(n, g.End-off)}
}

// windowAt returns the memory of the file at off, at most n bytes, or how many
// bytes of hole there are. f.io is held, so that the memory stays.
func (f *file) windowAt(off, n uint64) (b []byte, hole uint64) {
	f.mu.Lock()
	b, hole = f.windowLocked(off, n)
	f.mu.Unlock()
	return b, hole
}

func (f *file) windowLocked(off, n uint64) (b []byte, hole uint64) {
	if n == 0 {
		return nil, 0
	}
	g, ok := f.pages.From(off)
	if !ok {
		return nil, n
	}
	if g.Start > off {
		return nil, min(n, g.Start-off)
	}
	at := g.Value + off - g.Start
	return f.fs.mem.Window(memfile.Range{Start: at, End: at + min(n, g.End-off)}), 0
}

func pageDown(x uint64) uint64 { return x &^ (pageSize - 1) }
func pageUp(x uint64) uint64   { return (x + pageSize - 1) &^ (pageSize - 1) }

// pageRange is all pages that a file can have.
func pageRange() seg.Range { return seg.Range{Start: 0, End: ^uint64(0) &^ (pageSize - 1)} }
