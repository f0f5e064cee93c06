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
