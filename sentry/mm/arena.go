package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
)

// textReach is how far from a program's text its arena may be: what a relative
// jump reaches, less room for both.
const textReach = 3 << 29

// arenaGuard is kept free around an arena, so that it is nobody's neighbour.
const arenaGuard = 16 * pageSize

// An arena is memory that the platform runs code of its own in, in the guest's
// address space but none of its mappings: no /proc file shows it, no limit counts it
// and no system call finds it. A mapping that the guest puts over it makes it go.
type arena struct {
	r seg.Range
	sharing
	used uint64 // end of what was ever written, from r.Start
}

// TextArena returns the address of size bytes (a page multiple) of read-execute
// memory, all of it within 1.5 GiB of near, which ArenaWrite fills. An arena that is
// there already and large enough is the answer to a second call. It lives until
// exec, or until the guest maps or unmaps something at its addresses: then all
// text is given its original bytes first. A forked space has it too, with a
// copy of its own as soon as one side writes.
func (m *MemoryManager) TextArena(c platform.Context, near, size uint64) (addr uint64, err linux.Errno) {
	if size == 0 || size&pageMask != 0 || size > textReach/2 {
		return 0, linux.EINVAL
	}
	var rel release
	defer func() { rel.run() }()
	m.mapping.Lock()
	defer m.mapping.Unlock()
	m.active.Lock()
	defer m.active.Unlock()
	for i := range m.arenas {
		if a := &m.arenas[i]; a.text == nil && a.r.Len() >= size && reaches(near, a.r) {
			return a.r.Start, 0
		}
	}
	at, ok := m.placeArena(near, size)
	if !ok {
		return 0, linux.ENOMEM
	}
	to, _, err := m.cfg.Memory.Alloc(size, memfile.Options{Kind: memfile.Hidden})
	if err != 0 {
		return 0, err
	}
	r := seg.Range{Start: at, End: at + size}
	p := pma{back: m.memory, off: to.Start, prot: linux.PROT_READ | linux.PROT_EXEC, private: true, hidden: true}
	m.clearKept(r, &rel)
	m.mapOp(r, &p, 0, false)
	m.pmas.Insert(r, p)
	m.arenas = append(m.arenas, arena{r: r})
	m.apply(c, &rel) // or a fault will
	return at, 0
}

func reaches(near uint64, r seg.Range) bool {
	return r.End-min(r.End, near) <= textReach && near-min(near, r.Start) <= textReach
}

// placeArena chooses where an arena near text goes: above what mmap uses if that is
// near enough, else below the text, else above it.
func (m *MemoryManager) placeArena(near, size uint64) (uint64, bool) {
	low := max(m.min, near-min(near, textReach))
	high := min(m.max, near+textReach)
	n := size + 2*arenaGuard
	for _, within := range []seg.Range{
		{Start: max(low, m.mmapBase), End: min(high, m.max-min(m.max, m.soft(linux.RLIMIT_STACK)))},
		{Start: low, End: min(near, high)},
		{Start: near, End: high},
	} {
		upwards := within.Start >= near || within.Start == m.mmapBase
		for within.Start < within.End && within.Len() >= n {
			var at uint64
			var ok bool
			if upwards {
				at, ok = m.vmas.FirstGap(within, n, pageSize)
			} else {
				at, ok = m.vmas.LastGap(within, n, pageSize)
			}
			if !ok {
				break
			}
			r := seg.Range{Start: at, End: at + n}
			if m.freeAt(r) {
				return at + arenaGuard, true
			}
			if upwards {
				within.Start = r.Start + arenaGuard
			} else {
				within.End = r.End - arenaGuard
			}
		}
	}
	return 0, false
}

// arenaAt returns the arena that has a byte of r.
func (m *MemoryManager) arenaAt(r seg.Range) *arena {
	for i := range m.arenas {
		if m.arenas[i].r.Overlaps(r) {
			return &m.arenas[i]
		}
	}
	return nil
}

// ArenaWrite stores b at addr, which is in an arena. Code that a guest may run is
// not changed but only added to. EFAULT: it is in none (any more).
func (m *MemoryManager) ArenaWrite(addr uint64, b []byte) linux.Errno {
	var rel release
	m.mapping.RLock()
	defer func() {
		m.mapping.RUnlock()
		rel.run()
	}()
	m.active.Lock()
	defer m.active.Unlock()
	a := m.arenaAt(seg.Range{Start: addr, End: addr + 1})
	end := addr + uint64(len(b))
	if a == nil || a.text != nil || end < addr || end > a.r.End {
		return linux.EFAULT
	}
	for done := uint64(0); addr+done < end; {
		at := addr + done
		g := seg.Seg[vma]{Range: a.r}
		if e := m.resolve(g, at, true, &rel); e.signal != 0 {
			m.apply(nil, &rel)
			return linux.ENOMEM
		}
		r, p := m.pmas.Ref(at)
		n := min(r.End, end) - at
		done += uint64(copy(m.window(p, p.at(r.Start, at), n), b[done:]))
	}
	a.used = max(a.used, end-a.r.Start)
	m.apply(nil, &rel)
	return 0
}

// An Arena is a text arena as the platform looks at it.
type Arena struct{ Start, End, Used uint64 }

// Arenas returns the text arenas. Used is the end of what was written, here or
// before a fork.
func (m *MemoryManager) Arenas() []Arena {
	m.active.RLock()
	defer m.active.RUnlock()
	out := make([]Arena, 0, len(m.arenas))
	for _, a := range m.arenas {
		out = append(out, Arena{a.r.Start, a.r.End, a.r.Start + a.used})
	}
	return out
}

// evictArenas makes way for what the guest does at r.
func (m *MemoryManager) evictArenas(c platform.Context, r seg.Range, rel *release) {
	m.active.AssertHeld()
	for i := 0; i < len(m.arenas); {
		a := &m.arenas[i]
		over := a.r.Overlaps(r)
		switch {
		case a.text == nil && over:
			m.patches.forget(r) // what is mapped there goes
			_ = m.restoreOwn(c, seg.Range{Start: 0, End: m.max}, rel)
		case a.text != nil && over:
			m.endSharing(&a.sharing, rel)
		case a.text == nil || !a.cut(m, r, rel):
			i++
			continue
		}
		gone := *a
		m.arenas[i] = m.arenas[len(m.arenas)-1]
		m.arenas = m.arenas[:len(m.arenas)-1]
		gone.leave()
		m.unmapPMAs(gone.r, rel)
	}
}

// forkArenas gives a child the arenas, to be copied when one side writes.
func (m *MemoryManager) forkArenas(x *forking) {
	for _, a := range m.arenas {
		x.share(a.r, nil)
		if a.text != nil {
			a.text.joinAgain()
		}
		x.child.arenas = append(x.child.arenas, a)
	}
}

// faultArena resolves a fault in an arena: after fork, the child's has yet to be
// mapped.
func (m *MemoryManager) faultArena(c platform.Context, addr uint64, access platform.Access) bool {
	if access == platform.Write {
		return false
	}
	var rel release
	m.active.Lock()
	defer m.active.Unlock()
	if m.arenaAt(seg.Range{Start: addr, End: addr + 1}) == nil {
		return false
	}
	if _, p := m.pmas.Ref(addr); p == nil || p.stub != 0 {
		return false
	}
	return m.mapAt(c, addr, &rel) == 0 || m.mapAt(c, addr, &rel) == 0
}
