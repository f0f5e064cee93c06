package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
)

// MLock is mlock2(2). privileged callers have CAP_IPC_LOCK: RLIMIT_MEMLOCK does
// not bind them. Nothing is ever swapped, so locking means that the pages are
// made, and that the limits and /proc know.
func (m *MemoryManager) MLock(c platform.Context, addr, n uint64, flags linux.Mlock2Flags, privileged bool) error {
	if flags&^linux.MLOCK_ONFAULT != 0 {
		return linux.EINVAL
	}
	most := m.lockLimit(privileged)
	if most == 0 {
		return linux.EPERM
	}
	n, ok := pageUp(n + addr&pageMask)
	addr = pageDown(addr)
	if !ok || addr+n < addr {
		return linux.EINVAL
	}
	r := seg.Range{Start: addr, End: addr + n}
	set := vmLocked
	if flags&linux.MLOCK_ONFAULT != 0 {
		set |= vmLockOnFault
	}
	m.mapping.Lock()
	already := uint64(0)
	for g, v := range m.vmas.Over(r) {
		if v.flags&vmLocked != 0 {
			already += g.Intersect(r).Len()
		}
	}
	if m.sizes.locked-already+n > most {
		m.mapping.Unlock()
		return linux.ENOMEM
	}
	err := m.setLocked(r, set)
	m.mapping.Unlock()
	if err != nil || flags&linux.MLOCK_ONFAULT != 0 {
		return err
	}
	return m.populateLocked(c, r)
}

// MUnlock is munlock(2).
func (m *MemoryManager) MUnlock(addr, n uint64) error {
	n, ok := pageUp(n + addr&pageMask)
	addr = pageDown(addr)
	if !ok || addr+n < addr {
		return linux.EINVAL
	}
	m.mapping.Lock()
	defer m.mapping.Unlock()
	return m.setLocked(seg.Range{Start: addr, End: addr + n}, 0)
}

// MLockAll is mlockall(2).
func (m *MemoryManager) MLockAll(c platform.Context, flags linux.MlockFlags, privileged bool) error {
	const known = linux.MCL_CURRENT | linux.MCL_FUTURE | linux.MCL_ONFAULT
	if flags == 0 || flags&^known != 0 || flags == linux.MCL_ONFAULT {
		return linux.EINVAL
	}
	most := m.lockLimit(privileged)
	if most == 0 {
		return linux.EPERM
	}
	set := vmLocked
	if flags&linux.MCL_ONFAULT != 0 {
		set |= vmLockOnFault
	}
	m.mapping.Lock()
	if flags&linux.MCL_CURRENT != 0 && m.sizes.total > most {
		m.mapping.Unlock()
		return linux.ENOMEM
	}
	m.lockNew = 0
	if flags&linux.MCL_FUTURE != 0 {
		m.lockNew = set
	}
	var parts []seg.Range
	if flags&linux.MCL_CURRENT != 0 {
		for r := range m.vmas.All() {
			parts = append(parts, r)
		}
		m.updateLocked(seg.Range{Start: 0, End: m.max}, set)
	}
	m.mapping.Unlock()
	if flags&linux.MCL_ONFAULT == 0 {
		for _, r := range parts {
			_ = m.populateLocked(c, r) // as in Linux, what cannot be made is left
		}
	}
	return nil
}

// MUnlockAll is munlockall(2).
func (m *MemoryManager) MUnlockAll() {
	m.mapping.Lock()
	defer m.mapping.Unlock()
	m.lockNew = 0
	m.updateLocked(seg.Range{Start: 0, End: m.max}, 0)
}

func (m *MemoryManager) lockLimit(privileged bool) uint64 {
	if privileged {
		return ^uint64(0)
	}
	return m.soft(linux.RLIMIT_MEMLOCK)
}

// setLocked sets the lock flags of r; as in Linux a hole is ENOMEM after what
// comes before it has been done.
func (m *MemoryManager) setLocked(r seg.Range, set vmaFlags) error {
	for gap := range m.vmas.Gaps(r) {
		m.updateLocked(seg.Range{Start: r.Start, End: gap.Start}, set)
		return linux.ENOMEM
	}
	if m.vmas.Len() >= MaxMapCount-2 {
		return linux.ENOMEM
	}
	m.updateLocked(r, set)
	return nil
}

func (m *MemoryManager) updateLocked(r seg.Range, set vmaFlags) {
	m.vmas.Update(r, func(g seg.Range, v *vma) {
		if v.flags&vmSpecial != 0 {
			return
		}
		m.sizes.account(v, g.Len(), -1)
		v.flags = v.flags&^(vmLocked|vmLockOnFault) | set
		m.sizes.account(v, g.Len(), 1)
	})
}

// populateLocked makes the pages of a range that was locked.
func (m *MemoryManager) populateLocked(c platform.Context, r seg.Range) error {
	for at := r.Start; at < r.End; {
		m.mapping.RLock()
		g, ok := m.vmas.Find(at)
		m.mapping.RUnlock()
		if !ok {
			return nil
		}
		part := g.Intersect(seg.Range{Start: at, End: r.End})
		at = part.End
		access := platform.Read
		if g.Value.writable() && !g.Value.shared() {
			access = platform.Write
		}
		switch m.populateRange(c, part, access) {
		case nil:
		case linux.EINVAL: // PROT_NONE
			return linux.ENOMEM
		default:
			return linux.EAGAIN
		}
	}
	return nil
}
