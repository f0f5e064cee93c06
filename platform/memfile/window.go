package memfile

import (
	"sync"
	"sync/atomic"
	"time"

	"cordon/internal/check"
	"cordon/internal/linux"
)

// windows are the Sentry's own mappings of the file, by chunk.
type windows struct {
	// immutable
	fd int32

	// atomic
	table atomic.Pointer[[]*byte] // the slice is never changed

	mu sync.Mutex
	// guarded by mu
	huge []bool
}

// setHuge says, before any window of r exists, whether it has huge pages.
func (w *windows) setHuge(r Range, huge bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range r.Len() / chunkSize {
		w.huge = append(w.huge, huge)
	}
}

// chunk returns the mapping of chunk i, making it at first use. A nil answer
// means that the host refused.
func (w *windows) chunk(i uint64) *byte {
	if t := w.table.Load(); t != nil && i < uint64(len(*t)) && (*t)[i] != nil {
		return (*t)[i]
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var old []*byte
	if t := w.table.Load(); t != nil {
		old = *t
	}
	if i < uint64(len(old)) && old[i] != nil {
		return old[i]
	}
	check.That(i < uint64(len(w.huge)), "memfile: window of chunk %d of %d", i, len(w.huge))
	p := mapChunk(w.fd, i*chunkSize, w.huge[i])
	if p == nil {
		return nil
	}
	table := make([]*byte, max(uint64(len(old)), i+1))
	copy(table, old)
	table[i] = p
	w.table.Store(&table)
	return p
}

// close unmaps every window.
func (w *windows) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.table.Swap(nil); t != nil {
		for _, p := range *t {
			if p != nil {
				unmapChunk(p)
			}
		}
	}
}

// Window returns the Sentry's mapping of r, or of the first part of it, which
// the caller keeps alive by a reference. Its end is r's or a multiple of 1 GiB.
func (f *File) Window(r Range) []byte {
	if r.Start >= r.End || r.End > maxSize {
		check.Failed("memfile: window of [%#x,%#x)", r.Start, r.End)
	}
	p := f.win.chunk(r.Start / chunkSize)
	check.That(p != nil, "memfile: the host refuses a window")
	in := r.Start % chunkSize
	return sliceOf(p, in, min(r.Len(), chunkSize-in))
}

// each calls fn with the windows of r in order.
func (f *File) each(r Range, fn func(at uint64, b []byte)) {
	for r.Start < r.End {
		b := f.Window(r)
		fn(r.Start, b)
		r.Start += uint64(len(b))
	}
}

// Zero clears r. A page that is refused has no memory, and so is zero.
func (f *File) Zero(r Range) {
	f.each(r, func(at uint64, b []byte) {
		if !Clear(b) {
			eachPage(b, at, func(_ int, page []byte) { Clear(page) })
		}
	})
}

// ReadAt copies from the file. Unlike a read of a file it has no end. A page that is
// refused has no memory, and so is zero.
func (f *File) ReadAt(p []byte, off uint64) int {
	f.each(Range{off, off + uint64(len(p))}, func(at uint64, b []byte) {
		to := p[at-off:][:len(b)]
		if Copy(to, b) {
			return
		}
		eachPage(b, at, func(i int, page []byte) {
			if !Copy(to[i:], page) {
				clear(to[i : i+len(page)])
			}
		})
	})
	return len(p)
}

// WriteAt copies to the file. It is short where the host refuses a page.
func (f *File) WriteAt(p []byte, off uint64) (done int) {
	refused := false
	f.each(Range{off, off + uint64(len(p))}, func(at uint64, b []byte) {
		if refused = refused || !Copy(b, p[at-off:]); !refused {
			done += len(b)
		}
	})
	return done
}

// Committed returns how many bytes of r (a page multiple) have memory.
func (f *File) Committed(r Range) uint64 {
	if f.isFull(r) {
		return r.Len()
	}
	n := f.askCommitted(r)
	if n == r.Len() && n > hugeSize {
		// Worth remembering: of much memory the question is dear.
		f.Filled(r)
	}
	return n
}

// CommittedLately is Committed for those whom an answer of up to a second ago
// serves too, where the question is dear.
func (f *File) CommittedLately(r Range) uint64 {
	if r.Len() <= hugeSize {
		return f.Committed(r)
	}
	now := time.Now()
	f.mu.Lock()
	got, ok := f.lately[r]
	f.mu.Unlock()
	if ok && now.Sub(got.at) < time.Second {
		return got.n
	}
	n := f.Committed(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lately) >= maxLately || f.lately == nil {
		f.lately = map[Range]answer{}
	}
	f.lately[r] = answer{n, now}
	return n
}

// An answer is how many bytes of a range had memory.
type answer struct {
	n  uint64
	at time.Time
}

// maxLately is how many answers are remembered.
const maxLately = 32

// askCommitted asks the host, even about pages without references.
func (f *File) askCommitted(r Range) uint64 {
	var n uint64
	var vec [maxRecycled / pageSize]byte
	for r.Start < r.End {
		part := Range{r.Start, min(r.End, r.Start+maxRecycled)}
		b := f.Window(part)
		v := vec[:(len(b)+pageSize-1)/pageSize]
		f.asked.Add(1)
		resident(b, v)
		before := n
		for _, x := range v {
			n += uint64(x&1) * pageSize
		}
		r.Start += uint64(len(b))
		if n == before && r.Len() > maxRecycled {
			// A hole, which may be long: the file system knows its end.
			r.Start = max(r.Start, min(r.End, nextData(f.fd, r.Start)))
		}
	}
	return n
}

// CommittedRuns appends to runs the parts of r, at most 1 MiB, that have
// memory.
func (f *File) CommittedRuns(r Range, runs []Range) []Range {
	if f.isFull(r) {
		return append(runs, r)
	}
	for r.Start < r.End {
		b := f.Window(Range{r.Start, min(r.End, r.Start+maxRecycled)})
		var vec [maxRecycled / pageSize]byte
		v := vec[:(len(b)+pageSize-1)/pageSize]
		f.asked.Add(1)
		resident(b, v)
		for i, x := range v {
			if x&1 == 0 {
				continue
			}
			at := r.Start + uint64(i)*pageSize
			if k := len(runs) - 1; k >= 0 && runs[k].End == at {
				runs[k].End += pageSize
			} else {
				runs = append(runs, Range{at, at + pageSize})
			}
		}
		r.Start += uint64(len(b))
	}
	return runs
}

// AllocCopy returns memory with the contents of src (for copy on write; at most
// 1 MiB). Pages that src never had are not made.
func (f *File) AllocCopy(src Range, o Options) (r Range, committed bool, err linux.Errno) {
	o.Recycle, o.Dirty = true, true
	r, committed, err = f.Alloc(src.Len(), o)
	if err != 0 {
		return r, false, err
	}
	var buf [16]Range
	runs := append(buf[:0], src)
	if !o.Present {
		runs = f.CommittedRuns(src, buf[:0])
	}
	whole := len(runs) == 1 && runs[0] == src
	at := func(off uint64) uint64 { return r.Start + (off - src.Start) }
	done := src.Start
	for _, run := range runs {
		switch {
		case err != 0:
		case committed:
			f.zeroSome(Range{at(done), at(run.Start)})
			err = f.copyWithin(run, at(run.Start))
		default:
			err = f.writeWithin(run, at(run.Start))
		}
		done = run.End
	}
	if committed {
		f.zeroSome(Range{at(done), r.End})
	}
	if err != 0 {
		f.DecRef(r)
		return Range{}, false, err
	}
	if whole && !committed {
		f.Filled(r)
		committed = true
	}
	return r, committed, 0
}

func (f *File) zeroSome(r Range) {
	if r.Start < r.End {
		f.Zero(r)
	}
}

// copyWithin copies src to the pages at to, which have memory.
func (f *File) copyWithin(src Range, to uint64) linux.Errno {
	for src.Start < src.End {
		b := f.Window(src)
		w := f.Window(Range{to, to + uint64(len(b))})
		if !Copy(w, b) {
			return linux.ENOMEM
		}
		n := uint64(len(w))
		src.Start, to = src.Start+n, to+n
	}
	return 0
}

// writeWithin copies src to the pages at to, which have none: a write(2) makes
// them without faults in our window.
func (f *File) writeWithin(src Range, to uint64) linux.Errno {
	for src.Start < src.End {
		b := f.Window(src)
		if err := write(f.fd, b, to); err != 0 {
			return err
		}
		src.Start, to = src.Start+uint64(len(b)), to+uint64(len(b))
	}
	return 0
}

// Fill is WriteAt for pages that have no memory yet: without faults in our window. What
// may get huge pages is touched there all the same: a call would make small ones.
func (f *File) Fill(p []byte, off uint64) linux.Errno {
	f.mu.Lock()
	huge := f.hugeLocked(Range{Start: off})
	f.mu.Unlock()
	if !huge {
		return write(f.fd, p, off)
	}
	if f.WriteAt(p, off) < len(p) {
		return linux.ENOMEM
	}
	return 0
}

// Asked returns how often the host was asked which pages have memory.
func (f *File) Asked() uint64 { return f.asked.Load() }

// Usage returns the bytes allocated for k, committed or not.
func (f *File) Usage(k Kind) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usage[k]
}

// Total returns the bytes of memory that the file holds on the host.
func (f *File) Total() uint64 { return blocks(f.fd) }

// Kept returns the bytes of it that are kept for reuse.
func (f *File) Kept() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept
}
