package mm

import (
	"maps"
	"sync/atomic"

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
	if m.patcher != nil {
		child.patcher = m.patcher.Fork()
	}

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
	x := forking{m: m, child: child}
	// Nobody stores to pages while they are copied: not even another thread.
	x.copies = m.users.Load() == 1 && m.pins.Load() == 0
	// The stack first: that it is stored to is certain.
	stack, _ := m.vmas.Find(m.layout.StartStack - 1)
	if stack.Value.flags&(vmDontFork|vmWipeOnFork) == 0 && stack.Len() > 0 {
		x.share(stack.Range, &stack.Value)
	}
	for vr, v := range m.vmas.All() {
		if v.flags&(vmDontFork|vmWipeOnFork) != 0 {
			// The child has none, or its first touch gives it zeroes.
			child.patches.forget(vr)
			continue
		}
		if vr != stack.Range {
			x.share(vr, v)
		}
	}
	m.forkArenas(&x)
	if x.changed {
		m.pmas.Merge(seg.Range{Start: m.min, End: m.max})
	}
	if m.habits == nil {
		m.habits = &habits{}
	}
	child.parentHabits = m.habits
	m.apply(c, rel)
}

// habits are what the children of a space touch, by the address at which a
// translation begins: the next child has it mapped before it runs. A child's
// children have habits of their own.
type habits struct {
	starts atomic.Pointer[map[uint64]struct{}] // never changed
}

// maxHabits is how many are remembered.
const maxHabits = 48

// add notes a fault of a child's at a translation.
func (h *habits) add(start uint64) {
	for {
		old := h.starts.Load()
		var next map[uint64]struct{}
		if old != nil {
			if _, ok := (*old)[start]; ok || len(*old) >= maxHabits {
				return
			}
			next = maps.Clone(*old)
		} else {
			next = map[uint64]struct{}{}
		}
		next[start] = struct{}{}
		if h.starts.CompareAndSwap(old, &next) {
			return
		}
	}
}

func (h *habits) has(start uint64) bool {
	if s := h.starts.Load(); s != nil {
		_, ok := (*s)[start]
		return ok
	}
	return false
}

const (
	// copyEach and copyAll are how many bytes of a mapping, and of a space, fork
	// copies at once: what a program is certain to store to soon (stack, data,
	// thread-local memory) is cheaper to copy than to take faults for on both
	// sides.
	copyEach = 64 << 10
	copyAll  = 512 << 10
	// copyRuns is how many pieces it may be in.
	copyRuns = 4
)

// A forking is one fork under way.
type forking struct {
	m, child *MemoryManager
	copies   bool
	copied   uint64
	changed  bool // something of the parent's became cow
}

// share gives the child the pages of r, of the VMA v.
func (x *forking) share(r seg.Range, v *vma) {
	m := x.m
	m.pmas.Isolate(r)
	for g, p := range m.pmas.Over(r) {
		if p.private && v != nil && v.prot&linux.PROT_WRITE != 0 && x.copyPages(g, p, v) {
			continue
		}
		q := *p
		q.stub = 0
		if p.private {
			q.cow = true
			if !p.cow {
				p.cow, x.changed = true, true
				if p.stub != 0 {
					m.mapOp(g, p, 0, false)
				}
			}
		}
		q.back.IncRef(memmap.Range{Start: q.off, End: q.off + g.Len()})
		x.child.pmas.Insert(g, q)
	}
}

// copyPages gives the child a copy of what r has memory for, if that is little.
// Anonymous memory that was never touched is left out: a touch gives zeroes.
func (x *forking) copyPages(r seg.Range, p *pma, v *vma) bool {
	f := x.m.cfg.Memory
	if !x.copies || r.Len() > holeMax || x.copied+copyEach > copyAll || !v.anon() && r.Len() > copyEach {
		return false
	}
	from := memfile.Range{Start: p.off, End: p.off + r.Len()}
	var buf [8]memfile.Range
	runs := append(buf[:0], from)
	if v.anon() {
		runs = f.CommittedRuns(from, buf[:0])
	}
	var n uint64
	for _, run := range runs {
		n += run.Len()
	}
	if n > copyEach || len(runs) > copyRuns {
		return false
	}
	for _, run := range runs {
		to, _, err := f.AllocCopy(run, memfile.Options{Kind: memfile.Anonymous, Present: v.anon()})
		if err != 0 {
			x.child.pmas.Remove(r, func(g seg.Range, q pma) {
				f.DecRef(memfile.Range{Start: q.off, End: q.off + g.Len()})
			})
			return false
		}
		at := r.Start + (run.Start - from.Start)
		x.child.pmas.Insert(seg.Range{Start: at, End: at + run.Len()}, pma{back: x.m.memory, off: to.Start, prot: p.prot, private: true})
	}
	x.copied += n
	return true
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
