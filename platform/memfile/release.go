package memfile

import (
	"cmp"
	"slices"
	"time"
)

// release disposes of pages that nobody refers to.
func (f *File) release(g freed) {
	r := g.Range
	if r.Len() <= maxRecycled {
		n := r.Len()
		if !g.full {
			n = f.askCommitted(r)
		}
		switch {
		case n == 0:
			f.mu.Lock()
			f.freeLocked(r)
			f.mu.Unlock()
			return
		case n == r.Len():
			f.mu.Lock()
			ok := f.kept+n <= maxKept && !f.hugeLocked(r)
			if ok {
				f.recycled[n/pageSize] = append(f.recycled[n/pageSize], r.Start)
				f.kept += n
				f.watchIdleLocked()
			}
			f.mu.Unlock()
			if ok {
				return
			}
		}
	}
	f.mu.Lock()
	f.punchLocked(r)
	f.mu.Unlock()
}

// punchLocked hands r to the worker. The worker exists while there is work.
func (f *File) punchLocked(r Range) {
	f.punch = append(f.punch, r)
	if !f.punching && !f.closed {
		f.punching = true
		f.worker.Go(f.punchAll)
	}
}

// punchAll gives pages back to the host until none are left to give.
func (f *File) punchAll() {
	for {
		f.mu.Lock()
		batch := f.punch
		f.punch = nil
		if len(batch) == 0 || f.closed {
			f.punching = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		slices.SortFunc(batch, func(a, b Range) int { return cmp.Compare(a.Start, b.Start) })
		joined := batch[:1]
		for _, r := range batch[1:] {
			if last := &joined[len(joined)-1]; last.End == r.Start {
				last.End = r.End
			} else {
				joined = append(joined, r)
			}
		}
		for _, r := range joined {
			punchHole(f.fd, r)
		}
		f.mu.Lock()
		for _, r := range joined {
			f.freeLocked(r)
		}
		f.mu.Unlock()
	}
}

// Decommit gives the pages of r back to the host at once; they read as zero
// then. References stay. No guest may be storing to them.
func (f *File) Decommit(r Range) {
	f.mu.Lock()
	f.refs.setFull(r, false)
	f.mu.Unlock()
	punchHole(f.fd, r)
}

// idleTime is how long memory is kept for reuse while none is reused or added.
const idleTime = 2 * time.Second

// watchIdleLocked sees to it that kept memory is given up when nobody wants it.
func (f *File) watchIdleLocked() {
	f.turnover++
	if f.idle == nil && !f.closed {
		seen := f.turnover
		f.idle = time.AfterFunc(idleTime, func() { f.trimIdle(seen) })
	}
}

func (f *File) trimIdle(seen uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = nil
	switch {
	case f.closed || f.kept == 0:
	case f.turnover == seen:
		f.trimLocked()
	default:
		f.watchIdleLocked()
	}
}

// Trim gives up the memory kept for reuse (under memory pressure).
func (f *File) Trim() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trimLocked()
}

func (f *File) trimLocked() {
	for i, list := range f.recycled {
		for _, at := range list {
			f.punchLocked(Range{at, at + uint64(i)*pageSize})
		}
		f.recycled[i] = nil
	}
	f.kept = 0
}

// hugeLocked reports whether r is in the arena of huge pages. Pieces of a huge
// page are not worth keeping apart.
func (f *File) hugeLocked(r Range) bool { return f.arenaOf[r.Start/chunkSize] == hugeArena }

// freeLocked returns zero, uncommitted offsets to their arenas.
func (f *File) freeLocked(r Range) {
	for r.Start < r.End {
		a := f.arenaOf[r.Start/chunkSize]
		e := r.Start
		for e < r.End && f.arenaOf[e/chunkSize] == a {
			e = min(r.End, (e/chunkSize+1)*chunkSize)
		}
		f.free[a].put(Range{r.Start, e})
		r.Start = e
	}
}

// Commit gives memory to the pages of r that have none. Where the host has no
// more, the rest is left as it is: touching it is what finds out.
func (f *File) Commit(r Range) {
	for r.Start < r.End {
		part := Range{r.Start, min(r.End, r.Start+maxRecycled)}
		f.each(part, func(at uint64, b []byte) { populate(b) })
		r.Start = part.End
	}
}
