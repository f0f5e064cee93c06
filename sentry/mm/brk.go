package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
)

const (
	brkSpareMin = 1 << 20
	brkSpareMax = 64 << 20
	// stackFirst is the size of a new stack (Linux: 128 KiB and the
	// arguments).
	stackFirst = 132 << 10
	// stackReserve is how many offsets are set aside for a stack's growth.
	stackReserve = 8 << 20
)

// SetBrk sets where the heap starts: the end of the program's data, to which
// randomisation adds (exec). It returns the start.
func (m *MemoryManager) SetBrk(dataEnd uint64) uint64 {
	start, _ := pageUp(dataEnd)
	if !m.cfg.Fixed {
		start += m.cfg.Random() % (brkRandomBytes / pageSize) * pageSize
	}
	m.mapping.Lock()
	defer m.mapping.Unlock()
	m.layout.StartBrk, m.layout.Brk = start, start
	return start
}

// Brk is brk(2): it returns the new end of the heap, or the old one where the
// request cannot be met.
func (m *MemoryManager) Brk(c platform.Context, end uint64) uint64 {
	var rel release
	m.mapping.Lock()
	got := m.brkLocked(c, end, &rel)
	m.mapping.Unlock()
	rel.run()
	return got
}

func (m *MemoryManager) brkLocked(c platform.Context, end uint64, rel *release) uint64 {
	l := &m.layout
	old := l.Brk
	if l.StartBrk < m.min || old < l.StartBrk || end < l.StartBrk || end >= m.max {
		return old
	}
	// The program's data counts against RLIMIT_DATA too.
	if most := m.soft(linux.RLIMIT_DATA); end-l.StartBrk+(l.EndData-l.StartData) > most {
		return old
	}
	oldPage, _ := pageUp(old)
	newPage, _ := pageUp(end)
	switch {
	case newPage < oldPage:
		if m.shrinkHeap(c, seg.Range{Start: newPage, End: oldPage}, rel) != nil {
			return old
		}
	case newPage > oldPage:
		if !m.growHeap(c, seg.Range{Start: oldPage, End: newPage}, rel) {
			return old
		}
	}
	l.Brk = end
	return end
}

// shrinkHeap unmaps r, the end of the heap.
func (m *MemoryManager) shrinkHeap(c platform.Context, r seg.Range, rel *release) error {
	return m.unmapWith(c, r, rel, func() {
		if !m.keepHeap(r, rel) {
			m.brkSpare.drop(m, rel)
			m.dropVacant(r, rel)
			m.unmapPMAs(r, rel)
		}
	})
}

func (m *MemoryManager) growHeap(c platform.Context, r seg.Range, rel *release) bool {
	if !m.vmas.IsEmpty(r) || m.arenaAt(r) != nil || m.vmas.Len() >= MaxMapCount {
		return false
	}
	if next, ok := m.vmas.From(r.End); ok && next.Value.flags&vmGrowsDown != 0 && next.Start-r.End < stackGap {
		return false
	}
	v := vma{prot: linux.PROT_READ | linux.PROT_WRITE, may: protAll, flags: m.lockNew}
	if m.checkRoom(r, &v, &MMapOpts{}) != nil {
		return false
	}
	m.vmas.Insert(r, v)
	m.sizes.account(&v, r.Len(), 1)
	m.peak = max(m.peak, m.sizes.total)

	m.active.Lock()
	defer m.active.Unlock()
	if v.flags&(vmLocked|vmLockOnFault) != 0 {
		m.clearKept(r, rel)
	} else {
		m.dropVacant(r, rel)
	}
	at, kept, ok := m.brkSpare.takeUp(r)
	if !ok {
		if at, ok = m.newBrkSpare(r, rel); !ok {
			m.apply(c, rel)
			return true // without memory the first access gets SIGBUS
		}
	}
	fresh := r.Start + kept
	if kept > 0 {
		m.growAgain(seg.Range{Start: r.Start, End: fresh}, at, pma{back: m.memory, prot: effective(v.prot), private: true})
	}
	if fresh < r.End {
		m.insertPrivate(seg.Range{Start: fresh, End: r.End}, at+kept, effective(v.prot), 0)
	}
	if v.flags&(vmLocked|vmLockOnFault) == vmLocked {
		m.populate(r)
	}
	m.apply(c, rel)
	return true
}

// newBrkSpare sets memory for growth aside, twice as much as the heap has,
// and takes r off it.
func (m *MemoryManager) newBrkSpare(r seg.Range, rel *release) (uint64, bool) {
	m.brkSpare.drop(m, rel)
	n := min(max(2*(r.End-m.layout.StartBrk), brkSpareMin), brkSpareMax)
	n = max(pageDown(n), r.Len())
	o := memfile.Options{Kind: memfile.Anonymous, Phase: r.Start, Huge: n >= 4*hugeSize && m.hugeOK}
	if g, ok := m.pmas.Before(r.Start); ok && g.End == r.Start && g.Value.private && !g.Value.cow {
		o.After = g.Value.off + g.Len()
	}
	to, _, err := m.cfg.Memory.Alloc(n, o)
	if err != 0 {
		return 0, false
	}
	m.brkSpare = spare{r: seg.Range{Start: r.Start, End: r.Start + n}, at: to.Start}
	at, _, ok := m.brkSpare.takeUp(r)
	return at, ok
}

// MapStack makes the first thread's stack and returns its end. The caller
// writes the arguments below it; copies grow it as pushes do.
func (m *MemoryManager) MapStack(c platform.Context, prot linux.Prot) (top uint64, err error) {
	var rel release
	m.mapping.Lock()
	defer func() {
		m.mapping.Unlock()
		rel.run()
	}()
	top = m.stackTop()
	r := seg.Range{Start: top - stackFirst, End: top}
	v := vma{prot: prot & protAll, may: protAll, flags: vmGrowsDown | vmNoHuge}
	if !m.vmas.IsEmpty(r) {
		return 0, linux.ENOMEM
	}
	if err := m.checkRoom(r, &v, &MMapOpts{}); err != nil {
		return 0, err
	}
	m.vmas.Insert(r, v)
	m.sizes.account(&v, r.Len(), 1)
	m.peak = max(m.peak, m.sizes.total)
	m.layout.StartStack = top

	m.active.Lock()
	defer m.active.Unlock()
	m.stackSpare.drop(m, &rel)
	if to, _, err := m.cfg.Memory.Alloc(stackReserve, memfile.Options{Kind: memfile.Anonymous}); err == 0 {
		m.stackSpare = spare{r: seg.Range{Start: top - stackReserve, End: top}, at: to.Start}
		at, _ := m.stackSpare.takeDown(r)
		m.insertPrivate(r, at, effective(v.prot), 0)
	}
	m.apply(c, &rel)
	return top, nil
}
