package pipe

import (
	"sync"
	"sync/atomic"

	"cordon/internal/linux"
)

const pageSize = linux.PageSize

// A page is what slots point into. It is shared after tee and splice.
type page struct {
	// atomic
	refs atomic.Int32

	// Written only by the pipe whose slot may merge, beyond what other slots
	// show.
	b [pageSize]byte
}

// A pool keeps pages between uses, for all pipes.
type pool struct{ pages sync.Pool }

// pages is a cache only: nobody can tell whether it is empty.
var pages pool

func (p *pool) get() *page {
	if pg, ok := p.pages.Get().(*page); ok {
		pg.refs.Store(1)
		return pg
	}
	pg := &page{}
	pg.refs.Store(1)
	return pg
}

func (p *pool) put(pg *page) {
	if pg.refs.Add(-1) == 0 {
		p.pages.Put(pg)
	}
}

// A slot is bytes [off, off+n) of a page.
type slot struct {
	page   *page
	off, n uint16
	flags  slotFlags
}

type slotFlags uint8

const (
	// canMerge: later writes may append to the page.
	canMerge slotFlags = 1 << iota
	// packet: one read takes it whole (O_DIRECT).
	packet
)

func (s *slot) bytes() []byte { return s.page.b[s.off : s.off+s.n] }

// A ring is the slots in order. It grows as it is used, up to a bound that its
// owner keeps.
type ring struct {
	slots []slot // a power of two, or none
	head  int
	n     int
}

func (r *ring) at(i int) *slot { return &r.slots[(r.head+i)&(len(r.slots)-1)] }

func (r *ring) push(s slot) {
	if r.n == len(r.slots) {
		grown := make([]slot, max(16, 2*len(r.slots)))
		for i := range r.n {
			grown[i] = *r.at(i)
		}
		r.slots, r.head = grown, 0
	}
	r.n++
	*r.at(r.n - 1) = s
}

// pop drops the first slot; its page is the caller's business.
func (r *ring) pop() {
	*r.at(0) = slot{}
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.n--
}
