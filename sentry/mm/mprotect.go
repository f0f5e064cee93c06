package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
)

// MProtect is mprotect(2).
func (m *MemoryManager) MProtect(c platform.Context, addr, n uint64, prot linux.Prot) error {
	grows := prot & (linux.PROT_GROWSDOWN | linux.PROT_GROWSUP)
	prot &^= grows
	if grows == linux.PROT_GROWSDOWN|linux.PROT_GROWSUP || addr&pageMask != 0 {
		return linux.EINVAL
	}
	if n == 0 {
		return nil
	}
	n, ok := pageUp(n)
	if !ok || n == 0 || addr+n <= addr {
		return linux.ENOMEM
	}
	if prot&^(protAll|linux.PROT_SEM) != 0 {
		return linux.EINVAL
	}
	prot &= protAll
	r := seg.Range{Start: addr, End: addr + n}

	var rel release
	m.mapping.Lock()
	err := m.mprotectLocked(c, r, prot, grows, &rel)
	m.mapping.Unlock()
	rel.run()
	return err
}

func (m *MemoryManager) mprotectLocked(c platform.Context, r seg.Range, prot, grows linux.Prot, rel *release) error {
	first, ok := m.vmas.From(r.Start)
	if !ok {
		return linux.ENOMEM
	}
	switch {
	case grows == linux.PROT_GROWSDOWN:
		if first.Start >= r.End {
			return linux.ENOMEM
		}
		if first.Value.flags&vmGrowsDown == 0 {
			return linux.EINVAL
		}
		r.Start = first.Start
	case first.Start > r.Start:
		return linux.ENOMEM
	case grows == linux.PROT_GROWSUP:
		return linux.EINVAL // no stack grows up on amd64
	}
	m.active.Lock()
	defer m.active.Unlock()
	err := m.protectVMAs(c, r, prot, rel)
	m.apply(c, rel)
	return err
}

// protectVMAs changes the VMAs of r in order up to the first that cannot be
// changed, as Linux does.
func (m *MemoryManager) protectVMAs(c platform.Context, r seg.Range, prot linux.Prot, rel *release) error {
	for at := r.Start; at < r.End; {
		g, ok := m.vmas.Find(at)
		if !ok {
			return linux.ENOMEM
		}
		part := g.Intersect(seg.Range{Start: at, End: r.End})
		at = part.End
		v := g.Value
		if v.prot == prot {
			continue
		}
		if prot&^v.may != 0 {
			return linux.EACCES
		}
		if g.Range != part && m.vmas.Len() >= MaxMapCount-1 {
			return linux.ENOMEM
		}
		w := v
		w.prot = prot
		if w.data() && !v.data() && m.sizes.data+part.Len() > m.soft(linux.RLIMIT_DATA) {
			return linux.ENOMEM
		}
		if err := m.checkCommitAgain(&v, &w, part.Len()); err != nil {
			return err
		}
		if !w.patchable() && m.restore(c, part, rel) != 0 {
			return linux.ENOMEM
		}
		m.sizes.account(&v, part.Len(), -1)
		m.sizes.account(&w, part.Len(), 1)
		m.vmas.Update(part, func(_ seg.Range, x *vma) { x.prot = prot })
		m.protectPMAs(part, &w)
	}
	return nil
}

// checkCommitAgain applies the limit on memory that becomes writable.
func (m *MemoryManager) checkCommitAgain(old, v *vma, n uint64) error {
	if old.writable() || !v.writable() {
		return nil
	}
	return m.checkCommit(v, n)
}
