package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/sentry/memmap"
)

// A remap is one mremap(2), checked.
type remap struct {
	old, oldLen, newLen uint64
	flags               linux.MremapFlags
	to                  uint64
}

// MRemap is mremap(2).
func (m *MemoryManager) MRemap(c platform.Context, old, oldLen, newLen uint64, flags linux.MremapFlags, to uint64) (uint64, error) {
	const known = linux.MREMAP_MAYMOVE | linux.MREMAP_FIXED | linux.MREMAP_DONTUNMAP
	switch {
	case flags&^known != 0,
		flags&linux.MREMAP_FIXED != 0 && flags&linux.MREMAP_MAYMOVE == 0,
		flags&linux.MREMAP_DONTUNMAP != 0 && (flags&linux.MREMAP_MAYMOVE == 0 || oldLen != newLen),
		old&pageMask != 0:
		return 0, linux.EINVAL
	}
	oldLen, ok1 := pageUp(oldLen)
	newLen, ok2 := pageUp(newLen)
	if !ok1 || !ok2 || newLen == 0 {
		return 0, linux.EINVAL
	}
	x := remap{old, oldLen, newLen, flags, to}
	var rel release
	m.mapping.Lock()
	at, err := m.mremapLocked(c, &x, &rel)
	m.mapping.Unlock()
	rel.run()
	return at, err
}

func (m *MemoryManager) mremapLocked(c platform.Context, x *remap, rel *release) (uint64, error) {
	if _, ok := m.vmas.Find(x.old); !ok {
		return 0, linux.EFAULT
	}
	if x.flags&(linux.MREMAP_FIXED|linux.MREMAP_DONTUNMAP) != 0 {
		return m.mremapTo(c, x, rel)
	}
	if x.oldLen >= x.newLen {
		if x.oldLen > x.newLen {
			if x.oldLen > linux.TASK_SIZE || x.old > linux.TASK_SIZE-x.oldLen {
				return 0, linux.EINVAL
			}
			if err := m.unmapLocked(c, seg.Range{Start: x.old + x.newLen, End: x.old + x.oldLen}, rel); err != nil {
				return 0, err
			}
		}
		return x.old, nil
	}
	g, err := m.resizable(x)
	if err != nil {
		return 0, err
	}
	grown := seg.Range{Start: x.old + x.oldLen, End: x.old + x.newLen}
	if x.oldLen != 0 && g.End == grown.Start && grown.End > grown.Start && grown.End <= m.max && m.freeAt(grown) {
		if err := m.extendUp(c, g, grown, rel); err != nil {
			return 0, err
		}
		return x.old, nil
	}
	if x.flags&linux.MREMAP_MAYMOVE == 0 {
		return 0, linux.ENOMEM
	}
	at, err := m.place(&MMapOpts{Mappable: g.Value.mappable}, x.newLen)
	if err != nil {
		return 0, err
	}
	return at, m.move(c, g, x, at, rel)
}

// mremapTo is mremap with a new address or without unmapping the old one.
func (m *MemoryManager) mremapTo(c platform.Context, x *remap, rel *release) (uint64, error) {
	fixed := x.flags&linux.MREMAP_FIXED != 0
	if fixed {
		if x.to&pageMask != 0 || x.newLen > m.max || x.to > m.max-x.newLen || x.to < m.min {
			return 0, linux.EINVAL
		}
		if x.to < x.old+x.oldLen && x.old < x.to+x.newLen {
			return 0, linux.EINVAL
		}
	}
	if m.vmas.Len()+2 >= MaxMapCount-3 {
		return 0, linux.ENOMEM
	}
	if fixed {
		if err := m.unmapLocked(c, seg.Range{Start: x.to, End: x.to + x.newLen}, rel); err != nil {
			return 0, err
		}
	}
	if x.oldLen > x.newLen {
		if x.old > linux.TASK_SIZE-x.oldLen {
			return 0, linux.EINVAL
		}
		if err := m.unmapLocked(c, seg.Range{Start: x.old + x.newLen, End: x.old + x.oldLen}, rel); err != nil {
			return 0, err
		}
		x.oldLen = x.newLen
	}
	g, err := m.resizable(x)
	if err != nil {
		return 0, err
	}
	if x.flags&linux.MREMAP_DONTUNMAP != 0 && m.sizes.total+x.oldLen > m.soft(linux.RLIMIT_AS) {
		return 0, linux.ENOMEM
	}
	at := x.to
	if !fixed {
		// As in Linux, the address is a hint for MREMAP_DONTUNMAP.
		if at, err = m.place(&MMapOpts{Addr: x.to, Mappable: g.Value.mappable}, x.newLen); err != nil {
			return 0, err
		}
	}
	return at, m.move(c, g, x, at, rel)
}

// resizable returns the mapping at x.old if it may get x.newLen bytes (Linux:
// mm/mremap.c vma_to_resize).
func (m *MemoryManager) resizable(x *remap) (seg.Seg[vma], error) {
	g, ok := m.vmas.Find(x.old)
	if !ok {
		return g, linux.EFAULT
	}
	v := &g.Value
	switch {
	case x.oldLen == 0 && !v.shared():
		return g, linux.EINVAL
	case v.flags&vmSpecial != 0 && x.flags&linux.MREMAP_DONTUNMAP != 0:
		return g, linux.EINVAL
	case x.newLen == x.oldLen && x.oldLen <= g.End-x.old:
		return g, nil
	case x.oldLen > g.End-x.old:
		return g, linux.EFAULT
	case v.mappable != nil && v.offAt(g.Start, x.old)+x.newLen < x.newLen:
		return g, linux.EINVAL
	case v.flags&vmSpecial != 0:
		return g, linux.EFAULT
	}
	more := x.newLen - x.oldLen
	if v.flags&vmLocked != 0 && m.sizes.locked+more > m.soft(linux.RLIMIT_MEMLOCK) {
		return g, linux.EAGAIN
	}
	if m.sizes.total+more > m.soft(linux.RLIMIT_AS) || v.data() && m.sizes.data+more > m.soft(linux.RLIMIT_DATA) {
		return g, linux.ENOMEM
	}
	return g, m.checkCommit(v, x.newLen)
}

// extendUp lets the mapping g go on over r, which follows it and is free.
func (m *MemoryManager) extendUp(c platform.Context, g seg.Seg[vma], r seg.Range, rel *release) error {
	v := g.Value
	if v.mappable != nil {
		v.off = v.offAt(g.Start, r.Start)
	}
	if err := m.insertVMA(r, v); err != nil {
		return err
	}
	m.active.Lock()
	defer m.active.Unlock()
	m.clearKept(r, rel)
	m.populateNew(r, &v, &MMapOpts{}, false, rel)
	m.apply(c, rel)
	return nil
}

// insertVMA adds a mapping like one that exists, with references of its own.
func (m *MemoryManager) insertVMA(r seg.Range, v vma) error {
	if v.mappable != nil {
		if err := v.mappable.AddMapping(m, r.Start, memmap.Range{Start: v.off, End: v.off + r.Len()}, v.tracksWrites()); err != nil {
			return err
		}
	}
	if v.file != nil {
		v.file.IncRef()
	}
	m.vmas.Insert(r, v)
	m.sizes.account(&v, r.Len(), 1)
	m.peak = max(m.peak, m.sizes.total)
	return nil
}

// move moves [x.old, x.old+x.oldLen) of the mapping g to address at, where
// x.newLen bytes are free, pages and all.
func (m *MemoryManager) move(c platform.Context, g seg.Seg[vma], x *remap, at uint64, rel *release) error {
	v := g.Value
	if v.mappable != nil {
		v.off = v.offAt(g.Start, x.old)
	}
	to := seg.Range{Start: at, End: at + x.newLen}
	if err := m.insertVMA(to, v); err != nil {
		return err
	}
	from := seg.Range{Start: x.old, End: x.old + x.oldLen}
	keep := x.flags&linux.MREMAP_DONTUNMAP != 0

	m.active.Lock()
	m.clearKept(to, rel)
	// The patches are for the old place.
	if m.restore(c, from, rel) != 0 {
		m.patches.forget(from)
	}
	m.movePMAs(from, at)
	if rest := (seg.Range{Start: at + x.oldLen, End: to.End}); x.oldLen != 0 && rest.Len() > 0 {
		w := v
		w.off = v.offAt(at, rest.Start)
		m.populateNew(rest, &w, &MMapOpts{}, false, rel)
	}
	m.apply(c, rel)
	m.active.Unlock()

	switch {
	case !keep:
		m.removeVMAs(from, rel)
	case v.flags&(vmLocked|vmLockOnFault) != 0:
		m.vmas.Update(from, func(r seg.Range, w *vma) {
			m.sizes.account(w, r.Len(), -1)
			w.flags &^= vmLocked | vmLockOnFault
			m.sizes.account(w, r.Len(), 1)
		})
	}
	return nil
}

// movePMAs moves translations, and their references with them.
func (m *MemoryManager) movePMAs(from seg.Range, at uint64) {
	var moved []seg.Seg[pma]
	mapped := false
	m.pmas.Remove(from, func(r seg.Range, p pma) {
		mapped = mapped || p.stub != 0
		r.Start, r.End = at+(r.Start-from.Start), at+(r.End-from.Start)
		moved = append(moved, seg.Seg[pma]{Range: r, Value: p})
	})
	if mapped {
		m.op(platform.Op{Kind: platform.OpUnmap, Addr: from.Start, Len: from.Len()})
	}
	for _, g := range moved {
		was := g.Value.stub
		g.Value.stub = 0
		if was != 0 {
			// These pages are there: the new entries cost little at once.
			m.mapOp(g.Range, &g.Value, platform.Populate, false)
		}
		m.pmas.Insert(g.Range, g.Value)
	}
}
