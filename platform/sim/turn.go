package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// What guests are charged in virtual time.
const (
	callNS        = 1000
	instructionNS = 100
)

// A Clock is the sandbox's virtual time.
type Clock interface {
	// Next is when the next alarm goes off.
	Next() (deadline int64, ok bool)
	// AdvanceTo and Advance move the time, firing what is due on the way.
	AdvanceTo(t int64)
	Advance(ns int64)
}

// A turn lets one task run at a time, in guest code and in the Sentry alike.
// Who is next is drawn from those that can go on, which depends on nothing but
// what the tasks have done: so one seed gives one run. When none can, the time
// goes on to the next alarm.
type turn struct {
	// immutable
	clock Clock // nil: the host's time

	mu sync.Mutex
	// guarded by mu
	random *rand.Rand
	seats  []*seat // in the order in which the tasks were made
	taken  *seat   // who runs
	busy   bool    // somebody looks for the next one
	settle func()

	// by whoever has the turn
	left int // instructions until it is given up
}

// A seat is a task's place.
type seat struct {
	// guarded by turn.mu
	ready func() bool // nil: it can go on
	still bool        // time stands still until then
	first bool        // it goes before those that are not

	called chan struct{} // holds one token when the turn is the seat's
}

func newTurn(seed uint64, clock Clock) *turn {
	return &turn{random: rand.New(rand.NewPCG(seed, seed)), clock: clock}
}

// Settle sets what is called before somebody is chosen, and before a system
// call: it waits until what goes on beside the tasks has come to rest.
func (p *Platform) Settle(f func()) {
	p.turn.mu.Lock()
	defer p.turn.mu.Unlock()
	p.turn.settle = f
}

// Join announces tasks, and returns a function for each, which its goroutine
// calls first. The first ones go before the others, one after another, each
// until it sleeps, ends, or yields.
func (p *Platform) Join(first, others int) []func() {
	t := p.turn
	var enter []func()
	t.mu.Lock()
	for k := range first + others {
		s := &seat{first: k < first, called: make(chan struct{}, 1)}
		t.seats = append(t.seats, s)
		enter = append(enter, func() { <-s.called })
	}
	t.mu.Unlock()
	p.Wake()
	return enter
}

// Rest gives the turn up until ready, which may look at atomic variables only.
func (p *Platform) Rest(ready func() bool) { p.turn.rest(ready, false) }

// Park is Rest for a task that somebody outside stops: the time stands still.
func (p *Platform) Park(ready func() bool) { p.turn.rest(ready, true) }

func (t *turn) rest(ready func() bool, still bool) {
	t.mu.Lock()
	s := t.taken
	s.ready, s.still, s.first = ready, still, false
	t.taken, t.busy = nil, true
	t.mu.Unlock()
	t.next()
	<-s.called
}

// Yield lets others go on, if the task was one of the first.
func (p *Platform) Yield() {
	t := p.turn
	t.mu.Lock()
	if t.taken == nil || !t.taken.first {
		t.mu.Unlock()
		return
	}
	t.taken.first = false
	t.mu.Unlock()
	t.yield()
}

// yield draws who goes on, where a task may be preempted.
func (t *turn) yield() {
	t.mu.Lock()
	s := t.taken
	if s == nil { // no System shares the turn
		t.left = math.MaxInt
		t.mu.Unlock()
		return
	}
	t.taken, t.busy = nil, true
	t.mu.Unlock()
	t.next()
	<-s.called
}

// Leave gives the turn up for good.
func (p *Platform) Leave() {
	t := p.turn
	t.mu.Lock()
	t.seats = slices.DeleteFunc(t.seats, func(s *seat) bool { return s == t.taken })
	t.taken, t.busy = nil, true
	t.mu.Unlock()
	t.next()
}

// Wake looks whether somebody can go on, when nobody could: something has come
// from outside. It takes no locks but its own.
func (p *Platform) Wake() {
	t := p.turn
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken == nil && !t.busy {
		t.pickLocked()
	}
}

// next finds out who goes on. The caller has set busy.
func (t *turn) next() {
	for {
		t.settled()
		t.mu.Lock()
		if t.pickLocked() {
			t.busy = false
			t.mu.Unlock()
			return
		}
		at, ok := t.alarmLocked()
		if !ok {
			t.busy = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		t.clock.AdvanceTo(at)
	}
}

func (t *turn) settled() {
	t.mu.Lock()
	f := t.settle
	t.mu.Unlock()
	if f != nil {
		f()
	}
}

// pickLocked gives the turn to somebody who can go on.
func (t *turn) pickLocked() bool {
	var can []*seat
	for _, s := range t.seats {
		if s.ready != nil && !s.ready() {
			continue
		}
		if s.first {
			can = []*seat{s}
			break
		}
		can = append(can, s)
	}
	if len(can) == 0 {
		return false
	}
	s := can[t.random.IntN(len(can))]
	s.ready, s.still = nil, false
	t.taken = s
	t.left = 16 + t.random.IntN(512)
	s.called <- struct{}{}
	return true
}

// alarmLocked is when the next alarm goes off, if the time may go there.
func (t *turn) alarmLocked() (at int64, ok bool) {
	if t.clock == nil || len(t.seats) == 0 {
		return 0, false
	}
	for _, s := range t.seats {
		if s.still {
			return 0, false
		}
	}
	return t.clock.Next()
}

// spend moves the time on.
func (t *turn) spend(ns int64) {
	if t.clock != nil && ns > 0 {
		t.clock.Advance(ns)
	}
}
