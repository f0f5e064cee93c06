package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
)

// A dynamic linker maps a library in four or five calls, each part over the first,
// and touches none of it before the last. The changes of the platform's mappings that
// these calls need are held back and done together, with the next change of any
// other kind or at the first touch, which faults.
type held struct {
	// r is where the library goes: nothing of it has reached the platform.
	r seg.Range
	// pages are given up by what is held.
	pages []backRange
}

// holds reports whether a new mapping of r may wait. stale says that there was one
// at r before.
func (m *MemoryManager) holds(r seg.Range, v *vma, o *MMapOpts, stale bool) bool {
	switch {
	case m.as.Load() == nil || v.shared() || v.flags&vmLocked != 0 || o.Flags&linux.MAP_POPULATE != 0:
		return false
	case o.Flags&linux.MAP_FIXED != 0:
		return m.held.r.Covers(r)
	}
	// Every other program has stopped giving this flag.
	return o.Flags&linux.MAP_DENYWRITE != 0 && !v.anon() && !stale && m.held.r.Len() == 0
}

// hold ends a call whose changes wait.
func (m *MemoryManager) hold(r seg.Range, rel *release) {
	if m.held.r.Len() == 0 {
		m.held.r = r
	}
	m.held.pages = rel.wait(m.held.pages)
}

// let puts what was held into a batch that is about to be done.
func (m *MemoryManager) let(rel *release) {
	for _, p := range m.held.pages {
		rel.add(p)
	}
	m.held = held{pages: m.held.pages[:0]}
}

// trimOps takes r out of the mappings that are held back.
func (m *MemoryManager) trimOps(r seg.Range) {
	var tails []platform.Op
	kept := m.ops[:0]
	for _, o := range m.ops {
		end := o.Addr + o.Len
		if o.Kind != platform.OpMap || end <= r.Start || o.Addr >= r.End {
			kept = append(kept, o)
			continue
		}
		if end > r.End {
			t := o
			t.Addr, t.Len, t.Offset = r.End, end-r.End, o.Offset+(r.End-o.Addr)
			tails = append(tails, t)
		}
		if o.Addr < r.Start {
			o.Len = r.Start - o.Addr
			kept = append(kept, o)
		}
	}
	m.ops = append(kept, tails...)
}
