package systrap

import (
	"slices"
	"sync"

	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/systrap/patch"
)

const (
	// hotCalls is how many calls of an instruction trap before it is patched.
	hotCalls = 24

	// arenaSize is the size of the region for trampolines.
	arenaSize = 8 * pageSize

	// maxTries is how often an instruction that could not be patched is tried.
	maxTries = 2
)

// A Patcher replaces the system call instructions of one address space that trap
// often by jumps to the stub's code.
type Patcher struct {
	// immutable
	entry uint64

	// guarded by mu
	mu      sync.Mutex
	sites   map[uint64]*site
	arenas  []*patch.Arena
	patches []*patch.Patch    // shared with those it was forked from, append-only
	slots   map[uint64]uint64 // jumps in padding, and the instruction they stand for
}

// A site is an instruction that traps.
type site struct{ calls, tries int }

var _ platform.Patcher = (*Patcher)(nil)

// NewPatcher implements platform.Patching.
func (p *Platform) NewPatcher() platform.Patcher { return &Patcher{entry: p.marks[markEntry]} }

// Fork implements platform.Patcher.
func (p *Patcher) Fork() platform.Patcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := &Patcher{entry: p.entry, patches: slices.Clip(p.patches)}
	for _, a := range p.arenas {
		q.arenas = append(q.arenas, patch.NewArena(a.Base(), a.Used()+a.Room(), a.Used(), a.Count()))
	}
	if len(p.slots) != 0 {
		q.slots = map[uint64]uint64{}
		for k, v := range p.slots {
			q.slots[k] = v
		}
	}
	return q
}

// Resume implements platform.Patcher.
func (p *Patcher) Resume(rip uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := p.slots[rip]; ok {
		return at
	}
	for _, a := range p.arenas {
		if !a.Contains(rip) {
			continue
		}
		for _, t := range slices.Backward(p.patches) {
			if at, ok := t.Resume(rip); ok {
				return at
			}
		}
	}
	return rip
}

// Trapped implements platform.Patcher.
func (p *Patcher) Trapped(c platform.Context, text platform.Text, r *arch.Registers) {
	p.mu.Lock()
	defer p.mu.Unlock()
	addr := r.RIP - 2
	s := p.sites[addr]
	if s == nil {
		if p.sites == nil {
			p.sites = map[uint64]*site{}
		}
		s = &site{}
		p.sites[addr] = s
	}
	if s.calls++; s.calls < hotCalls || s.tries >= maxTries {
		return
	}
	s.calls = 0
	s.tries++
	p.patchLocked(c, text, patch.Site{Addr: addr, Number: r.OrigRAX})
}

// reader reads text for package patch.
type reader struct {
	c    platform.Context
	text platform.Text
}

func (r reader) Read(addr uint64, b []byte) int { return r.text.ReadText(r.c, addr, b) }

// patchLocked patches a site if it can.
func (p *Patcher) patchLocked(c platform.Context, text platform.Text, s patch.Site) {
	plan, ok := patch.Analyze(reader{c, text}, s)
	if !ok {
		return
	}
	for i := range plan.Stores {
		if st := &plan.Stores[i]; !st.Atomic || len(st.Old) > 8 {
			return
		}
	}
	a := p.arenaLocked(c, text, s.Addr)
	if a == nil {
		return
	}
	done, ok := a.Place(&plan, p.entry)
	if !ok || text.ArenaWrite(done.Tramp, done.Code) != 0 {
		return
	}
	for i := range done.Stores {
		st := &done.Stores[i]
		if text.PatchText(c, st.Addr, st.Old, st.New) != 0 {
			return // what is stored already nobody reaches
		}
	}
	p.patches = append(p.patches, done)
	if plan.Form == patch.FormE {
		if p.slots == nil {
			p.slots = map[uint64]uint64{}
		}
		p.slots[done.Stores[0].Addr] = s.Addr
	}
}

// arenaLocked returns the arena in reach of addr. What the program has unmapped
// meanwhile is not there any more: then the memory manager has another.
func (p *Patcher) arenaLocked(c platform.Context, text platform.Text, addr uint64) *patch.Arena {
	base, errno := text.TextArena(c, addr, arenaSize)
	if errno != 0 {
		return nil
	}
	for _, a := range p.arenas {
		if a.Base() == base {
			return a
		}
	}
	a := patch.NewArena(base, arenaSize, 0, 0)
	p.arenas = append(p.arenas, a)
	return a
}
