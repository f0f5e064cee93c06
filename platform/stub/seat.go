package stub

import "math/bits"

// seated iterates over those who have a seat, but for h.
func (g *Group) seated(h *Place) func(func(*Place) bool) {
	return func(yield func(*Place) bool) {
		for set := g.taken.Load(); set != 0; set &= set - 1 {
			if m := g.seats[bits.TrailingZeros64(set)].Load(); m != nil && m != h && !yield(m) {
				return
			}
		}
	}
}

// alone says whether h, who has a seat if there was room, is the only one.
func (g *Group) alone() bool {
	set := g.taken.Load()
	return set&(set-1) == 0
}

// sitLocked gives h a seat if there is one, standLocked takes it away.
func (g *Group) sitLocked(h *Place) {
	if set := g.taken.Load(); h.seat == 0 && set != ^uint64(0) {
		i := bits.TrailingZeros64(^set)
		g.seats[i].Store(h)
		h.seat = i + 1
		g.taken.Store(set | 1<<i)
	}
}

func (g *Group) standLocked(h *Place) {
	if h.seat != 0 {
		i := h.seat - 1
		h.seat = 0
		g.taken.Store(g.taken.Load() &^ (1 << i))
		g.seats[i].Store(nil)
	}
}
