package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

const (
	// A first store to shared private pages copies cowSmall around it; one
	// beside a copy that was made before copies cowLarge. More never pays.
	cowSmall = 16 << 10
	cowLarge = 64 << 10
	// holeMax is how much memory that was never touched is replaced at once.
	holeMax = 1 << 20
)

// regain makes the pages around addr our own again where nobody else has them
// any more. r and p are the pma, vr the VMA's range.
func (m *MemoryManager) regain(vr, r seg.Range, p *pma, addr uint64) bool {
	within := r.Intersect(vr)
	if within.Len() > hugeSize {
		base := addr &^ (hugeSize - 1)
		within = within.Intersect(seg.Range{Start: base, End: base + hugeSize})
	}
	from := p.at(r.Start, within.Start)
	sole := m.cfg.Memory.Sole(p.at(r.Start, addr), memfile.Range{Start: from, End: from + within.Len()})
	if sole.Len() == 0 {
		return false
	}
	at := within.Start + (sole.Start - from)
	within = seg.Range{Start: at, End: at + sole.Len()}
	m.pmas.Update(within, func(g seg.Range, p *pma) {
		p.cow = false
		if p.stub != 0 {
			m.mapOp(g, p, 0, false)
		}
	})
	return true
}

// copyOnWrite gives the page at addr, and some around it, new private memory
// with the same contents. There is a pma at addr.
func (m *MemoryManager) copyOnWrite(g seg.Seg[vma], addr uint64, rel *release) faultError {
	r, p := m.pmas.Ref(addr)
	old := *p
	within := r.Intersect(g.Range)
	chunk, hole := m.chunk(within, r, &old, addr)
	off := old.at(r.Start, chunk.Start)

	at, committed, err := m.copyPages(&old, off, chunk, hole)
	if err != 0 {
		return adrerr()
	}
	mapped := m.replacePMAs(chunk, rel)
	n := pma{back: m.memory, off: at, prot: old.prot, private: true, hidden: old.hidden}
	if mapped {
		var f platform.OpFlags
		if committed && chunk.Len() > cowSmall {
			f = platform.Populate
		}
		m.mapOp(chunk, &n, f, true)
	}
	m.pmas.Insert(chunk, n)
	return faultError{}
}

// chunk decides how much to copy around addr. hole says that it was never
// touched, so that there is nothing to copy.
func (m *MemoryManager) chunk(within, r seg.Range, p *pma, addr uint64) (chunk seg.Range, hole bool) {
	if p.private {
		if c, ok := m.untouched(within, r, p, addr); ok {
			return c, true
		}
	} else if within.Len() <= cowLarge {
		// The data of a library: the dynamic linker writes all over it.
		return within, false
	}
	around := func(n uint64) seg.Range {
		return seg.Range{Start: addr &^ (n - 1), End: addr&^(n-1) + n}.Intersect(within)
	}
	c := around(cowSmall)
	own := func(at uint64) bool {
		_, q := m.pmas.Ref(at)
		return q != nil && q.private && !q.cow
	}
	if c.Start > 0 && own(c.Start-1) || own(c.End) {
		c = around(cowLarge)
	}
	return c, false
}

// untouched returns the run of pages around addr that have no memory yet.
func (m *MemoryManager) untouched(within, r seg.Range, p *pma, addr uint64) (seg.Range, bool) {
	// The page itself is asked about first: mostly it has memory.
	page := p.at(r.Start, pageDown(addr))
	if m.cfg.Memory.Committed(memfile.Range{Start: page, End: page + pageSize}) != 0 {
		return seg.Range{}, false
	}
	base := addr &^ (holeMax - 1)
	w := within.Intersect(seg.Range{Start: base, End: base + holeMax})
	from := p.at(r.Start, w.Start)
	var buf [32]memfile.Range
	lo, hi := from, from+w.Len()
	for _, run := range m.cfg.Memory.CommittedRuns(memfile.Range{Start: lo, End: hi}, buf[:0]) {
		switch {
		case run.Start <= page && page < run.End:
			return seg.Range{}, false
		case run.End <= page:
			lo = run.End
		default:
			hi = min(hi, run.Start)
		}
	}
	return seg.Range{Start: w.Start + (lo - from), End: w.Start + (hi - from)}, true
}

// copyPages returns new memory with what is at off in the pma's backing.
func (m *MemoryManager) copyPages(p *pma, off uint64, chunk seg.Range, hole bool) (at uint64, committed bool, err linux.Errno) {
	f := m.cfg.Memory
	n := chunk.Len()
	o := memfile.Options{Kind: memfile.Anonymous, Recycle: true}
	if p.hidden {
		o.Kind = memfile.Hidden
	}
	if g, ok := m.pmas.Before(chunk.Start); ok && g.End >= chunk.Start && g.Value.private && !g.Value.cow {
		o.After = g.Value.off + g.Len()
	}
	var to memfile.Range
	switch back, ours := p.back.(memmap.Memory); {
	case hole:
		o.Recycle = false
		to, committed, err = f.Alloc(n, o)
	case ours && back.File == f:
		to, committed, err = f.AllocCopy(memfile.Range{Start: off, End: off + n}, o)
	default:
		o.Dirty = true
		if to, _, err = f.Alloc(n, o); err == 0 {
			if err = m.readPages(p.back, off, to); err != 0 {
				f.DecRef(to)
				return 0, false, err
			}
			f.Filled(to)
			committed = true
		}
	}
	return to.Start, committed, err
}

// readPages fills memory from a host file; what the file does not have is zero.
func (m *MemoryManager) readPages(back memmap.Backing, off uint64, to memfile.Range) linux.Errno {
	for to.Start < to.End {
		b := m.cfg.Memory.Window(to)
		done := 0
		for done < len(b) {
			n, err := back.ReadAt(b[done:], off+uint64(done))
			if err == linux.EFAULT {
				return linux.ENOMEM // the host refuses memory
			}
			if n <= 0 || err != nil {
				break
			}
			done += n
		}
		if !memfile.Clear(b[done:]) {
			return linux.ENOMEM
		}
		to.Start += uint64(len(b))
		off += uint64(len(b))
	}
	return 0
}
