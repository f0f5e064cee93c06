package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
)

const (
	// minAddress is vm.mmap_min_addr.
	minAddress = 0x10000
	// stackGap is kept free below a growing stack (stack_guard_gap).
	stackGap = 256 * pageSize

	// Bits of randomness in pages, as Linux has them on amd64.
	mmapRandomBits  = 28
	stackRandomBits = 22
	brkRandomBytes  = 0x02000000

	minBaseGap = 128 << 20
	low32Start = 0x40000000
	low32End   = 0x80000000
)

func (m *MemoryManager) random(bits uint) uint64 {
	if m.cfg.Fixed {
		return 0
	}
	return m.cfg.Random() & (1<<bits - 1)
}

// chooseBase places mmapBase below room for the stack (Linux:
// arch/x86/mm/mmap.c mmap_base).
func (m *MemoryManager) chooseBase() {
	gap := m.soft(linux.RLIMIT_STACK)
	pad := uint64(1<<stackRandomBits*pageSize + stackGap)
	if gap+pad > gap {
		gap += pad
	}
	gap = max(gap, minBaseGap)
	gap = min(gap, m.max/6*5)
	m.mmapBase = pageDown(m.max - gap - m.random(mmapRandomBits)*pageSize)
	if m.mmapBase <= m.min {
		m.mmapBase = m.max
	}
}

// InterpreterBase returns where a position-independent program without an
// interpreter of its own may be loaded (Linux: ELF_ET_DYN_BASE, randomised).
func (m *MemoryManager) InterpreterBase() uint64 {
	return pageDown(m.max/3*2 + m.random(mmapRandomBits)*pageSize)
}

// stackTop returns where the first stack ends.
func (m *MemoryManager) stackTop() uint64 {
	return pageDown(m.max - m.random(stackRandomBits)*pageSize)
}

// place chooses the address of a mapping of n bytes.
func (m *MemoryManager) place(o *MMapOpts, n uint64) (uint64, error) {
	m.mapping.AssertRHeld()
	if n > m.max-m.min {
		return 0, linux.ENOMEM
	}
	if o.Flags&linux.MAP_FIXED != 0 {
		switch {
		case o.Addr&pageMask != 0:
			return 0, linux.EINVAL
		case o.Addr > m.max-n:
			return 0, linux.ENOMEM
		case o.Addr < m.min:
			return 0, linux.EPERM
		}
		return o.Addr, nil
	}
	within := seg.Range{Start: m.min, End: m.mmapBase}
	if o.Flags&linux.MAP_32BIT != 0 {
		within = seg.Range{Start: low32Start, End: min(low32End, m.max)}
	}
	if hint, ok := pageUp(o.Addr); ok && o.Addr != 0 {
		hint = max(hint, m.min)
		end := m.max
		if o.Flags&linux.MAP_32BIT != 0 {
			end = within.End
		}
		if hint <= end-min(n, end) && hint+n <= end && m.freeAt(seg.Range{Start: hint, End: hint + n}) {
			return hint, nil
		}
	}
	align := uint64(pageSize)
	if o.Mappable == nil && n%hugeSize == 0 && o.Flags&(linux.MAP_STACK|linux.MAP_GROWSDOWN) == 0 {
		align = hugeSize
	}
	if o.Flags&linux.MAP_32BIT != 0 {
		return m.lowest(within, n)
	}
	if at, ok := m.highest(within, n, align); ok {
		return at, nil
	}
	if at, ok := m.highest(within, n, pageSize); ok {
		return at, nil
	}
	// As in Linux, a space full from the top is filled from below.
	return m.lowest(seg.Range{Start: m.min, End: m.max}, n)
}

// freeAt reports whether r is free, with the gap that a stack above needs.
func (m *MemoryManager) freeAt(r seg.Range) bool {
	if !m.vmas.IsEmpty(r) || m.arenaAt(r) != nil {
		return false
	}
	next, ok := m.vmas.From(r.End)
	return !ok || next.Value.flags&vmGrowsDown == 0 || next.Start-r.End >= stackGap
}

func (m *MemoryManager) highest(within seg.Range, n, align uint64) (uint64, bool) {
	for {
		at, ok := m.vmas.LastGap(within, n, align)
		if !ok || m.freeAt(seg.Range{Start: at, End: at + n}) {
			return at, ok
		}
		if a := m.arenaAt(seg.Range{Start: at, End: at + n}); a != nil {
			within.End = a.r.Start
			continue
		}
		next, _ := m.vmas.From(at + n)
		if next.Start < stackGap+within.Start {
			return 0, false
		}
		within.End = next.Start - stackGap
	}
}

func (m *MemoryManager) lowest(within seg.Range, n uint64) (uint64, error) {
	for {
		at, ok := m.vmas.FirstGap(within, n, pageSize)
		if !ok {
			return 0, linux.ENOMEM
		}
		if m.freeAt(seg.Range{Start: at, End: at + n}) {
			return at, nil
		}
		if a := m.arenaAt(seg.Range{Start: at, End: at + n}); a != nil {
			within.Start = a.r.End
			continue
		}
		next, _ := m.vmas.From(at + n)
		within.Start = next.End
	}
}
