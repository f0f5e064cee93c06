package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// MSync is msync(2).
func (m *MemoryManager) MSync(addr, n uint64, flags linux.MsyncFlags) error {
	const known = linux.MS_ASYNC | linux.MS_INVALIDATE | linux.MS_SYNC
	if flags&^known != 0 || addr&pageMask != 0 || flags&(linux.MS_ASYNC|linux.MS_SYNC) == linux.MS_ASYNC|linux.MS_SYNC {
		return linux.EINVAL
	}
	n, ok := pageUp(n)
	if !ok || addr+n < addr {
		return linux.ENOMEM
	}
	var hole error
	for at, end := addr, addr+n; at < end; {
		m.mapping.RLock()
		g, ok := m.vmas.From(at)
		file := g.Value.file
		if ok && file != nil {
			file.IncRef()
		}
		m.mapping.RUnlock()
		if !ok || g.Start >= end {
			return linux.ENOMEM
		}
		if g.Start > at {
			hole = linux.ENOMEM
		}
		part := g.Intersect(seg.Range{Start: at, End: end})
		at = part.End
		if err := syncVMA(&g.Value, g.Start, part, flags); err != 0 {
			hole = err
			at = end
		}
		if file != nil {
			file.DecRef()
		}
	}
	return hole
}

func syncVMA(v *vma, start uint64, r seg.Range, flags linux.MsyncFlags) linux.Errno {
	if flags&linux.MS_INVALIDATE != 0 && v.flags&vmLocked != 0 {
		return linux.EBUSY
	}
	if flags&linux.MS_SYNC == 0 || v.file == nil || !v.shared() {
		return 0
	}
	return v.file.Msync(memmap.Range{Start: v.offAt(start, r.Start), End: v.offAt(start, r.End)})
}

// mincoreStep is how many pages one round of MIncore looks at.
const mincoreStep = 4096

// MIncore is mincore(2), storing to vec, which is guest memory.
func (m *MemoryManager) MIncore(addr, n, vec uint64) error {
	if addr&pageMask != 0 {
		return linux.EINVAL
	}
	up, ok := pageUp(n)
	if !ok || addr > m.max || up > m.max-addr {
		return linux.ENOMEM
	}
	buf := make([]byte, min(up/pageSize, mincoreStep))
	for done := uint64(0); done < up/pageSize; {
		k := min(up/pageSize-done, mincoreStep)
		at := addr + done*pageSize
		if !m.residence(seg.Range{Start: at, End: at + k*pageSize}, buf[:k]) {
			return linux.ENOMEM
		}
		if _, err := m.CopyOut(vec+done, buf[:k]); err != nil {
			return err
		}
		done += k
	}
	return nil
}

// residence sets vec[i] to 1 for each page of r that has memory. ok is false
// where something is not mapped.
func (m *MemoryManager) residence(r seg.Range, vec []byte) (ok bool) {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	if !m.vmas.Covered(r) {
		return false
	}
	m.active.RLock()
	defer m.active.RUnlock()
	m.residenceLocked(r, vec)
	return true
}

func (m *MemoryManager) residenceLocked(r seg.Range, vec []byte) {
	m.active.AssertRHeld()
	clear(vec)
	for g, p := range m.pmas.Over(r) {
		part := g.Intersect(r)
		back, ours := p.back.(memmap.Memory)
		from := (part.Start - r.Start) / pageSize
		if !ours {
			for i := range part.Len() / pageSize {
				vec[from+i] = 1 // the host has a page cache, which we trust
			}
			continue
		}
		off := p.at(g.Start, part.Start)
		for _, run := range back.File.CommittedRuns(memfile.Range{Start: off, End: off + part.Len()}, nil) {
			for a := run.Start; a < run.End; a += pageSize {
				vec[from+(a-off)/pageSize] = 1
			}
		}
	}
}
