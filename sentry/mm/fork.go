package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/limit"
	"cordon/sentry/memmap"
)

// Fork returns a copy for a child. limits are the child's. Private memory is
// shared until one side stores to it; the cost goes with the number of
// mappings, not of pages.
func (m *MemoryManager) Fork(c platform.Context, limits *limit.Set) (*MemoryManager, error) {
	cfg := m.cfg
	cfg.Limits = limits
	child := newManager(cfg)
	child.mmapBase = m.mmapBase

	var rel release
	m.mapping.Lock()
	// Parent before child: nobody else has a reference to the child, and its
	// files may already call Invalidate.
	child.mapping.LockNested()
	err := m.forkVMAs(child)
	if err == nil {
		m.active.Lock()
		child.active.LockNested()
		m.forkPMAs(c, child, &rel)
		child.active.Unlock()
		m.active.Unlock()
	}
	child.mapping.Unlock()
	m.mapping.Unlock()
	rel.run()
	if err != nil {
		child.DecUsers()
		return nil, err
	}
	return child, nil
}

// forkVMAs copies the mappings that a child gets.
func (m *MemoryManager) forkVMAs(child *MemoryManager) error {
	child.layout = m.layout
	if child.layout.Exe != nil {
		child.layout.Exe.IncRef()
	}
	for r, v := range m.vmas.All() {
		if v.flags&vmDontFork != 0 {
			continue
		}
		w := *v
		w.flags &^= vmLocked | vmLockOnFault
		if child.sizes.total+r.Len() > child.soft(linux.RLIMIT_AS) {
			return linux.ENOMEM
		}
		if w.mappable != nil {
			if err := w.mappable.AddMapping(child, r.Start, memmap.Range{Start: w.off, End: w.off + r.Len()}, w.tracksWrites()); err != nil {
				return err
			}
		}
		if w.file != nil {
			w.file.IncRef()
		}
		child.vmas.Insert(r, w)
		child.sizes.account(&w, r.Len(), 1)
	}
	child.peak = child.sizes.total
	return nil
}

// forkPMAs gives the child the parent's pages, and takes the right to store to
// private ones from the parent's stub.
func (m *MemoryManager) forkPMAs(c platform.Context, child *MemoryManager, rel *release) {
	m.active.AssertHeld()
	child.patches = m.patches.inherit()
	for vr, v := range m.vmas.All() {
		if v.flags&(vmDontFork|vmWipeOnFork) != 0 {
			// The child has none, or its first touch gives it zeroes.
			child.patches.forget(vr)
			continue
		}
		m.sharePMAs(child, vr)
	}
	m.forkArenas(child)
	m.apply(c, rel)
}

// sharePMAs gives the child the pages of r.
func (m *MemoryManager) sharePMAs(child *MemoryManager, r seg.Range) {
	shared := false
	for g, p := range m.pmas.Over(r) {
		part := g.Intersect(r)
		q := *p
		q.off, q.stub = p.at(g.Start, part.Start), 0
		if p.private {
			q.cow, shared = true, true
		}
		q.back.IncRef(memmap.Range{Start: q.off, End: q.off + part.Len()})
		child.pmas.Insert(part, q)
	}
	if !shared {
		return
	}
	m.pmas.Update(r, func(g seg.Range, p *pma) {
		if p.private && !p.cow {
			p.cow = true
			if p.stub != 0 {
				m.mapOp(g, p, 0, false)
			}
		}
	})
}

// fresh replaces private memory at r by new memory, mapped where the old was.
func (m *MemoryManager) fresh(r seg.Range, prot linux.Prot, rel *release) bool {
	to, _, err := m.cfg.Memory.Alloc(r.Len(), memfile.Options{Kind: memfile.Anonymous})
	if err != 0 {
		return false
	}
	mapped := m.dropPMAs(r, rel)
	p := pma{back: m.memory, off: to.Start, prot: prot, private: true}
	if mapped {
		m.mapOp(r, &p, 0, true)
	}
	m.pmas.Insert(r, p)
	return true
}
