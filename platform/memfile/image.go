package memfile

import (
	"io"

	"cordon/internal/linux"
	"cordon/internal/seg"
)

// An Image is a File in a checkpoint, without its pages. Who refers to which
// page is not in it: every owner claims its ranges again after Restore.
type Image struct {
	Top    uint64
	Arenas []uint8
	// Pages are the allocated ranges that have memory, in order. WritePages
	// and ReadPages move them.
	Pages []Range
}

// Image returns f's image. Nothing allocates or frees meanwhile.
func (f *File) Image() Image {
	f.mu.Lock()
	im := Image{Top: f.top, Arenas: append([]uint8(nil), f.arenaOf...)}
	var all []Range
	for r, p := range f.refs.s.All() {
		if p.kind != Hidden {
			all = append(all, Range(r))
		}
	}
	f.mu.Unlock()
	for _, r := range all {
		im.Pages = f.committed(r, im.Pages)
	}
	return im
}

// committed is CommittedRuns for ranges of any size, which may be mostly holes.
func (f *File) committed(r Range, runs []Range) []Range {
	for r.Start < r.End {
		r.Start = max(r.Start, nextData(f.fd, r.Start))
		if r.Start >= r.End {
			break
		}
		part := Range{r.Start, min(r.End, r.Start+maxRecycled)}
		runs = f.CommittedRuns(part, runs)
		r.Start = part.End
	}
	return runs
}

// WritePages writes the contents of the image's pages.
func (f *File) WritePages(w io.Writer, im *Image) (err error) {
	f.mu.Lock()
	hide := f.hide
	f.hide = nil
	f.mu.Unlock()
	for _, r := range im.Pages {
		f.each(r, func(at uint64, b []byte) {
			for err == nil && len(b) > 0 {
				n := len(b)
				if len(hide) != 0 {
					n = plainPages(hide, at, n)
				}
				if n == 0 {
					n = pageSize
					_, err = w.Write(disguised(hide[at], b[:n]))
				} else {
					_, err = w.Write(b[:n])
				}
				b, at = b[n:], at+uint64(n)
			}
		})
	}
	return err
}

// A disguise is bytes that an image shows in place of others.
type disguise struct {
	in       uint64 // offset in the page
	is, show [8]byte
	n        int
}

// HideInImage makes the image that is written next show other bytes, at most 8,
// at off (in one page), if they are as given. What is said first is done first.
func (f *File) HideInImage(off uint64, is, show []byte) {
	d := disguise{in: off % pageSize, n: len(is)}
	copy(d.is[:], is)
	copy(d.show[:], show)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hide == nil {
		f.hide = map[uint64][]disguise{}
	}
	f.hide[off-d.in] = append(f.hide[off-d.in], d)
}

// plainPages returns how many of the n bytes at page at are before a page with
// something to hide.
func plainPages(hide map[uint64][]disguise, at uint64, n int) int {
	for i := 0; i < n; i += pageSize {
		if hide[at+uint64(i)] != nil {
			return i
		}
	}
	return n
}

// disguised returns the page b as an image shows it.
func disguised(list []disguise, b []byte) []byte {
	page := append([]byte(nil), b...)
	for _, d := range list {
		if at := page[d.in : d.in+uint64(d.n)]; string(at) == string(d.is[:d.n]) {
			copy(at, d.show[:d.n])
		}
	}
	return page
}

// ReadPages fills the image's pages. f has been restored from im.
func (f *File) ReadPages(r io.Reader, im *Image) (err error) {
	for _, p := range im.Pages {
		f.each(p, func(_ uint64, b []byte) {
			if err == nil {
				_, err = io.ReadFull(r, b)
			}
		})
	}
	return err
}

// Restore gives f, which is new, the shape of im. EINVAL: no file can be so.
// Claim follows for each range in use, and then Restored.
func (f *File) Restore(im *Image) linux.Errno {
	if im.Top > maxSize || im.Top%chunkSize != 0 || uint64(len(im.Arenas)) != im.Top/chunkSize {
		return linux.EINVAL
	}
	for _, a := range im.Arenas {
		if a >= arenas {
			return linux.EINVAL
		}
	}
	at := uint64(0)
	for _, r := range im.Pages {
		if r.Start < at || r.End <= r.Start || r.End > im.Top || (r.Start|r.End)%pageSize != 0 {
			return linux.EINVAL
		}
		at = r.End
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.top != 0 || truncate(f.fd, im.Top) != 0 {
		return linux.EINVAL
	}
	f.top, f.size = im.Top, im.Top
	for _, a := range im.Arenas {
		f.arenaOf = append(f.arenaOf, a)
		f.win.setHuge(Range{0, chunkSize}, a == hugeArena)
	}
	return 0
}

// Claim takes a reference to r as one of its owners before the checkpoint.
func (f *File) Claim(r Range, k Kind) linux.Errno {
	if r.Start >= r.End || r.End > f.top || (r.Start|r.End)%pageSize != 0 || k >= kinds {
		return linux.EINVAL
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var gaps []Range
	for g := range f.refs.s.Gaps(seg.Range(r)) {
		gaps = append(gaps, Range(g))
	}
	f.refs.add(r, refsMayBeNone)
	for _, g := range gaps {
		f.refs.insert(g, k, false)
		f.usage[k] += g.Len()
	}
	return 0
}

// Restored ends a restore: what nobody claimed is free. Pages of it that the
// image had are given back.
func (f *File) Restored(im *Image) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for g := range f.refs.s.Gaps(seg.Range{Start: 0, End: f.top}) {
		f.freeLocked(Range(g))
	}
	for _, p := range im.Pages {
		for g := range f.refs.s.Gaps(seg.Range(p)) {
			punchHole(f.fd, Range(g))
		}
	}
}
