package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// A Puncher is a Mappable that can free pages in its middle (MADV_REMOVE,
// fallocate(FALLOC_FL_PUNCH_HOLE)).
type Puncher interface {
	PunchHole(r memmap.Range) error
}

// MAdvise is madvise(2).
func (m *MemoryManager) MAdvise(c platform.Context, addr, n uint64, advice linux.Madvice) error {
	if !knownAdvice(advice) || addr&pageMask != 0 {
		return linux.EINVAL
	}
	up, ok := pageUp(n)
	if !ok || addr+up < addr {
		return linux.EINVAL
	}
	if up == 0 {
		return nil
	}
	r := seg.Range{Start: addr, End: addr + up}
	switch advice {
	case linux.MADV_POPULATE_READ:
		return m.populateRange(c, r, platform.Read)
	case linux.MADV_POPULATE_WRITE:
		return m.populateRange(c, r, platform.Write)
	case linux.MADV_REMOVE:
		return m.punchRange(r)
	}
	var rel release
	m.mapping.Lock()
	err := m.adviseLocked(c, r, advice, &rel)
	m.mapping.Unlock()
	rel.run()
	return err
}

func knownAdvice(a linux.Madvice) bool {
	switch a {
	case linux.MADV_COLLAPSE, linux.MADV_HWPOISON, linux.MADV_SOFT_OFFLINE:
		// As in a kernel without them.
		return false
	}
	return a >= linux.MADV_NORMAL && a <= linux.MADV_DONTNEED || a >= linux.MADV_FREE && a <= linux.MADV_DONTNEED_LOCKED
}

// adviseLocked goes through the mappings of r. As in Linux a hole is ENOMEM,
// after the advice has been taken for the rest.
func (m *MemoryManager) adviseLocked(c platform.Context, r seg.Range, advice linux.Madvice, rel *release) error {
	var hole error
	for at := r.Start; at < r.End; {
		g, ok := m.vmas.From(at)
		if !ok || g.Start >= r.End {
			return linux.ENOMEM
		}
		if g.Start > at {
			hole = linux.ENOMEM
		}
		part := g.Intersect(r)
		at = part.End
		if err := m.adviseVMA(c, g, part, advice, rel); err != nil {
			return err
		}
	}
	return hole
}

func (m *MemoryManager) adviseVMA(c platform.Context, g seg.Seg[vma], r seg.Range, advice linux.Madvice, rel *release) error {
	v := &g.Value
	switch advice {
	case linux.MADV_DONTNEED, linux.MADV_DONTNEED_LOCKED, linux.MADV_FREE:
		if v.flags&vmLocked != 0 && advice != linux.MADV_DONTNEED_LOCKED {
			return linux.EINVAL
		}
		if advice == linux.MADV_FREE && !v.anon() {
			return linux.EINVAL
		}
		// MADV_FREE lets the kernel free pages at any later time: here it
		// is now.
		m.active.Lock()
		m.discard(r, v, rel)
		m.apply(c, rel)
		m.active.Unlock()
		return nil
	case linux.MADV_WILLNEED:
		return nil
	case linux.MADV_COLD, linux.MADV_PAGEOUT:
		if v.flags&vmLocked != 0 {
			return linux.EINVAL
		}
		return nil // nothing is ever swapped
	}
	set, clr, err := adviceFlags(v, advice)
	if err != nil {
		return err
	}
	if (v.flags|set)&^clr == v.flags {
		return nil
	}
	if g.Range != r && m.vmas.Len() >= MaxMapCount-1 {
		return linux.ENOMEM
	}
	m.vmas.Update(r, func(_ seg.Range, w *vma) { w.flags = (w.flags | set) &^ clr })
	return nil
}

// adviceFlags returns the flags that advice sets and clears.
func adviceFlags(v *vma, advice linux.Madvice) (set, clr vmaFlags, err error) {
	switch advice {
	case linux.MADV_NORMAL:
		return 0, vmRandom | vmSequential, nil
	case linux.MADV_RANDOM:
		return vmRandom, vmSequential, nil
	case linux.MADV_SEQUENTIAL:
		return vmSequential, vmRandom, nil
	case linux.MADV_DONTFORK:
		return vmDontFork, 0, nil
	case linux.MADV_DOFORK:
		return 0, vmDontFork, nil
	case linux.MADV_WIPEONFORK:
		if !v.anon() {
			return 0, 0, linux.EINVAL
		}
		return vmWipeOnFork, 0, nil
	case linux.MADV_KEEPONFORK:
		return 0, vmWipeOnFork, nil
	case linux.MADV_DONTDUMP:
		return vmDontDump, 0, nil
	case linux.MADV_DODUMP:
		if v.flags&vmSpecial != 0 {
			return 0, 0, linux.EINVAL
		}
		return 0, vmDontDump, nil
	case linux.MADV_MERGEABLE:
		return vmMergeable, 0, nil
	case linux.MADV_UNMERGEABLE:
		return 0, vmMergeable, nil
	case linux.MADV_HUGEPAGE:
		return vmHuge, vmNoHuge, nil
	case linux.MADV_NOHUGEPAGE:
		return vmNoHuge, vmHuge, nil
	}
	return 0, 0, linux.EINVAL
}

// discard drops the private pages of r: anonymous memory reads as zero after,
// a file mapping as the file. Shared pages stay.
func (m *MemoryManager) discard(r seg.Range, v *vma, rel *release) {
	if v.shared() {
		return
	}
	for at := r.Start; at < r.End; {
		g, ok := m.pmas.From(at)
		if !ok || g.Start >= r.End {
			return
		}
		part := g.Intersect(r)
		at = part.End
		switch {
		case !g.Value.private:
		case !v.anon():
			m.unmapPMAs(part, rel)
		case !m.zeroInPlace(g, part):
			if !m.fresh(part, g.Value.prot, rel) {
				m.unmapPMAs(part, rel)
			}
		}
	}
}

// zeroInPlace punches pages that nobody else has out of the memory file: every
// mapping of them stays, and none has to be told.
func (m *MemoryManager) zeroInPlace(g seg.Seg[pma], r seg.Range) bool {
	from := g.Value.at(g.Start, r.Start)
	pages := memfile.Range{Start: from, End: from + r.Len()}
	if g.Value.cow && m.cfg.Memory.Sole(from, pages) != pages {
		return false
	}
	m.cfg.Memory.Decommit(pages)
	m.patches.forget(r)
	return true
}

// populateRange is MADV_POPULATE_READ and _WRITE.
func (m *MemoryManager) populateRange(c platform.Context, r seg.Range, access platform.Access) error {
	for at := r.Start; at < r.End; {
		var rel release
		m.mapping.RLock()
		g, ok := m.vmas.Find(at)
		if !ok {
			m.mapping.RUnlock()
			return linux.ENOMEM
		}
		part := g.Intersect(seg.Range{Start: at, End: r.End})
		err := m.populateVMA(c, g, part, access, &rel)
		m.mapping.RUnlock()
		rel.run()
		if err != nil {
			return err
		}
		at = part.End
	}
	return nil
}

func (m *MemoryManager) populateVMA(c platform.Context, g seg.Seg[vma], r seg.Range, access platform.Access, rel *release) error {
	if effective(g.Value.prot)&needs(access) == 0 {
		return linux.EINVAL
	}
	m.active.Lock()
	defer m.active.Unlock()
	for at := r.Start; at < r.End; {
		if e := m.resolve(g, at, access == platform.Write, rel); e.signal != 0 {
			m.apply(c, rel)
			return linux.EFAULT
		}
		w, p := m.pmas.Ref(at)
		part := w.Intersect(r)
		if p.private && !p.cow {
			m.cfg.Memory.Commit(memfile.Range{Start: p.at(w.Start, part.Start), End: p.at(w.Start, part.End)})
		}
		m.mapOp(w, p, platform.Populate, false)
		at = part.End
	}
	m.pmas.Merge(r)
	m.apply(c, rel)
	return nil
}

// punchRange is MADV_REMOVE.
func (m *MemoryManager) punchRange(r seg.Range) error {
	for at := r.Start; at < r.End; {
		m.mapping.RLock()
		g, ok := m.vmas.Find(at)
		m.mapping.RUnlock()
		if !ok {
			return linux.ENOMEM
		}
		v := &g.Value
		p, can := v.mappable.(Puncher)
		switch {
		case v.flags&vmLocked != 0 || v.mappable == nil:
			return linux.EINVAL
		case !v.shared() || !v.writable():
			return linux.EACCES
		case !can:
			return linux.EOPNOTSUPP
		}
		part := g.Intersect(seg.Range{Start: at, End: r.End})
		// Without the lock: the file will call Invalidate.
		if err := p.PunchHole(memmap.Range{Start: v.offAt(g.Start, part.Start), End: v.offAt(g.Start, part.End)}); err != nil {
			return err
		}
		at = part.End
	}
	return nil
}

// PunchHole implements Puncher.
func (s *SharedMemory) PunchHole(r memmap.Range) error {
	r.End = min(r.End, s.Len())
	if r.Start < r.End {
		s.mem.File.Decommit(memfile.Range{Start: s.pages.Start + r.Start, End: s.pages.Start + r.End})
	}
	return nil
}
