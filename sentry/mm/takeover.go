package mm

import (
	"cordon/platform"
	"cordon/sentry/memmap"
)

// TakeOver makes the platform's address space of old, whose only user the caller is,
// that of m, which has none yet. All that old had mapped is unmapped and what m
// needs first is mapped in one batch. It reports false where both go their ways
// after all, because someone else looks at old, or more than one guest thread has
// run in it. The guest thread does not run meanwhile; c is its context.
func (m *MemoryManager) TakeOver(c platform.Context, old *MemoryManager) bool {
	var rel release
	if old.users.Load() == 1 {
		old.recallFlags()
	}
	as := old.give(&rel)
	if as == nil {
		return false
	}
	m.active.Lock()
	m.as.Store(as)
	m.sleepers.answerIn(*as)
	m.op(platform.Op{Kind: platform.OpUnmap, Addr: m.min, Len: m.max - m.min})
	m.mapFirst(c, &rel)
	m.active.Unlock()
	m.behind(&rel)
	return true
}

// give takes the address space away from m. What it has mapped is added to rel: m may
// be gone before it is unmapped.
func (m *MemoryManager) give(rel *release) *platform.AddressSpace {
	m.active.Lock()
	defer m.active.Unlock()
	as := m.as.Load()
	if as == nil || m.users.Load() != 1 || m.pins.Load() != 0 {
		return nil
	}
	if m.lost || len(m.deferred) > 0 || len(m.ops) > 0 || len(m.held.pages) > 0 || m.held.r.Len() > 0 {
		return nil
	}
	if r, ok := (*as).(platform.Reusable); !ok || !r.Reusable() {
		return nil
	}
	m.as.Store(nil)
	m.sleepers.answerIn(nil)
	for r, p := range m.pmas.All() {
		if p.stub != 0 {
			at := memmap.Range{Start: p.off, End: p.off + r.Len()}
			p.back.IncRef(at)
			rel.add(backRange{p.back, at})
		}
	}
	if s := &m.brkSpare; s.kept > 0 && s.mapped {
		m.memory.IncRef(s.keptPages())
		rel.add(backRange{m.memory, s.keptPages()})
	}
	for i := range m.vacant {
		if v := &m.vacant[i]; v.mapped {
			m.memory.IncRef(v.pages())
			rel.add(backRange{m.memory, v.pages()})
		}
	}
	return as
}
