package patch

// align keeps a trampoline's first bytes in one fetch.
const align = 16

// Arena hands out room for trampolines in one region of a guest's memory. It
// only grows: a thread may stand in a trampoline long after its patch is gone.
type Arena struct {
	// immutable
	base, size uint64

	// task-only: the caller's lock
	used  uint64
	count int
}

// NewArena returns an arena over [base, base+size) of which used bytes, with
// count trampolines, are taken: none at first, what Used and Count said when it
// is made again.
func NewArena(base, size, used uint64, count int) *Arena {
	return &Arena{base: base, size: size, used: min(used, size), count: count}
}

// Alloc returns the address of n bytes, or false when the arena is full.
func (a *Arena) Alloc(n int) (uint64, bool) {
	need := (uint64(max(n, 0)) + align - 1) &^ (align - 1)
	if need > a.size-a.used {
		return 0, false
	}
	addr := a.base + a.used
	a.used += need
	a.count++
	return addr, true
}

// Base is where the arena begins.
func (a *Arena) Base() uint64 { return a.base }

// Used is how many bytes are taken.
func (a *Arena) Used() uint64 { return a.used }

// Room is how many bytes are left.
func (a *Arena) Room() uint64 { return a.size - a.used }

// Count is how many trampolines there are.
func (a *Arena) Count() int { return a.count }

// Contains tells whether addr lies where trampolines are or will be.
func (a *Arena) Contains(addr uint64) bool { return addr-a.base < a.size }

// Place gives the plan a trampoline in the arena. The caller stores its code
// first, then makes the stores in order. It takes no room when the site is out
// of the arena's reach.
func (a *Arena) Place(p *Plan, entry uint64) (*Patch, bool) {
	next := *a
	tramp, ok := next.Alloc(p.Size)
	if !ok {
		return nil, false
	}
	stores, code, ok := p.Emit(tramp, entry)
	if !ok {
		return nil, false
	}
	*a = next
	return &Patch{Plan: *p, Tramp: tramp, Code: code, Stores: stores}, true
}

// Patch is a plan with its trampoline: what is or was stored at a site.
type Patch struct {
	// immutable
	Plan   Plan
	Tramp  uint64
	Code   []byte
	Stores []Store
}

// Undo returns the stores that bring back the original bytes, in order: the one
// that switches the patch off comes first. The trampoline stays for those who
// are in it.
func (p *Patch) Undo() []Store {
	undo := make([]Store, 0, len(p.Stores))
	for i := len(p.Stores) - 1; i >= 0; i-- {
		s := p.Stores[i]
		s.Old, s.New = s.New, s.Old
		undo = append(undo, s)
	}
	return undo
}

// Overlay puts the original bytes into b, which was read from addr, so that a
// debugger does not see the patch.
func (p *Patch) Overlay(addr uint64, b []byte) {
	for _, s := range p.Stores {
		for i, c := range s.Old {
			if off := s.Addr + uint64(i) - addr; off < uint64(len(b)) {
				b[off] = c
			}
		}
	}
}

// Contains tells whether addr is in the trampoline.
func (p *Patch) Contains(addr uint64) bool { return addr-p.Tramp < uint64(len(p.Code)) }

// Resume returns the address in the original code where a thread stands whose
// next instruction is at ip in the trampoline, or in the padding on the way to
// it; false if ip is in neither. No register needs a change but ip: at the
// syscall instruction rcx may be anything.
func (p *Patch) Resume(ip uint64) (uint64, bool) {
	switch {
	case p.Plan.Form == FormE && ip == p.Plan.slot:
		return p.Plan.Site, true
	case !p.Contains(ip):
		return 0, false
	case ip-p.Tramp < uint64(len(p.Plan.Moved)):
		return p.Plan.At, true
	}
	return p.Plan.Site, true
}
