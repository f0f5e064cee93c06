package systrap

import (
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
	patches *patch.Set
	shared  bool // patches is also that of a space it was forked from or forked to
}

// A site is an instruction that traps.
type site struct {
	calls, tries int

	// shared is the text that other spaces have too, or could have; bias is where
	// it is. It may be another's by now: then what is patched there is patched
	// too early, and no more.
	asked  bool
	shared platform.SharedText
	bias   uint64
}

var _ platform.Patcher = (*Patcher)(nil)

// CallEntry implements platform.CallEntry.
func (p *Platform) CallEntry() uint64 { return p.marks[markEntry] }

// NewPatcher implements platform.Patching.
func (p *Platform) NewPatcher() platform.Patcher {
	return &Patcher{entry: p.marks[markEntry], patches: &patch.Set{}}
}

// Fork implements platform.Patcher.
func (p *Patcher) Fork() platform.Patcher {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = true
	q := &Patcher{entry: p.entry, patches: p.patches, shared: true}
	for _, a := range p.arenas {
		q.arenas = append(q.arenas, patch.NewArena(a.Base(), a.Used()+a.Room(), a.Used(), a.Count()))
	}
	return q
}

// Resume implements platform.Patcher.
func (p *Patcher) Resume(text platform.Text, rip uint64) uint64 {
	p.mu.Lock()
	at, ok := p.patches.Resume(rip)
	p.mu.Unlock()
	if ok {
		return at
	}
	if s, bias := text.SharedAt(rip); s != nil {
		return sharedOf(s).resume(rip-bias) + bias
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
	if s.tries >= maxTries || r.OrigRAX == patch.Sigreturn {
		return
	}
	if !s.asked {
		s.asked = true
		s.shared, s.bias = text.SharedText(addr)
	}
	if s.shared != nil {
		switch sharedOf(s.shared).trapped(c, text, s.shared, addr, addr-s.bias, p.entry) {
		case wait:
			return
		case never:
			s.tries = maxTries
			return
		}
		s.shared = nil
	}
	if s.calls++; s.calls < hotCalls {
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
	if !plan.Atomic() {
		return
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
	if p.shared {
		p.patches, p.shared = p.patches.Clone(), false
	}
	p.patches.Add(done)
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
