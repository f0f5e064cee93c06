package systrap

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/platform/stub"
)

// A Context is a guest thread's place in the platform: a thread of a stub, which
// between two calls of Switch waits in the stub's code for its turn.
type Context struct {
	// immutable
	p *Platform

	// task-only
	as      *AddressSpace  // where t is
	t       *thread        // nil: none yet
	kind    uint32         // what the guest handed over last; 0: nothing since bind
	frame   int            // kindSignal: offset of the struct ucontext in the slot
	partial bool           // kindCall: Complete has not been called
	last    arch.Registers // kindCall: what Complete returned
	fs      uint64
	stepped bool   // the trap flag is Switch's
	state   []byte // extended state to load before the guest goes on, or nil
	buf     []byte // what FPU returned last
	place   stub.Place

	// guarded by factsMu: what the guest is told, and where.
	factsMu sync.Mutex
	facts   []platform.Fact
	told    *thread

	// atomic: pending is set by Interrupt and cleared by the Switch that
	// reports it. target is the thread that Interrupt kicks. A kick that comes
	// while it is not the guest's turn is lost; whoever gives the turn then
	// sees pending and kicks again.
	pending atomic.Uint32
	target  atomic.Pointer[target]
}

// A target is a guest thread to kick.
type target struct {
	pid, tid int32
	h        *header
}

var (
	_ platform.Context   = (*Context)(nil)
	_ platform.Completer = (*Context)(nil)
	_ platform.Rester    = (*Context)(nil)
	_ platform.Relay     = (*Context)(nil)
	_ platform.Informer  = (*Context)(nil)
)

// How long Switch waits for the guest before it looks whether the stub is alive,
// and before it repeats a kick, in nanoseconds; after how many kicks the stub is taken
// for hostile; and how long it leaves the looking to another owner.
const (
	guestPatience = 200e6
	parkPatience  = 20e6
	kickPatience  = 1e6
	maxKicks      = 2000
)

// Interrupt implements platform.Context.
func (c *Context) Interrupt() {
	if c.pending.Swap(1) != 0 {
		return // whoever set it has kicked
	}
	if t := c.target.Load(); t != nil {
		stub.Tgkill(t.pid, t.tid, kickSignal)
		c.p.place.Roused(&c.place)
		t.h.wake() // its owner repeats the kick if this one was lost
	}
}

// Rest implements platform.Rester.
func (c *Context) Rest() bool { return c.p.place.Rest(&c.place) }

// Yield implements platform.Rester.
func (c *Context) Yield() bool { return c.p.place.Yield(&c.place) }

// Bulk implements platform.Rester.
func (c *Context) Bulk() { c.p.place.Bulk(&c.place) }

// Roused implements platform.Rester.
func (c *Context) Roused() { c.p.place.Roused(&c.place) }

// Risen implements platform.Rester.
func (c *Context) Risen() { c.p.place.Risen(&c.place) }

// HandOver implements platform.Relay.
func (c *Context) HandOver() (platform.Footing, bool) { return c.p.place.HandOver(&c.place) }

// TakeOver implements platform.Relay.
func (c *Context) TakeOver(f platform.Footing) { c.p.place.TakeOver(&c.place, f) }

// Together implements platform.Relay.
func (c *Context) Together() bool { return c.place.Together() }

// OnLinger implements platform.Relay.
func (c *Context) OnLinger(f func()) { c.place.OnLinger(f) }

// takePending clears and returns the interrupt flag.
func (c *Context) takePending() bool {
	return c.pending.Load() != 0 && c.pending.Swap(0) != 0
}

// Switch implements platform.Context.
func (c *Context) Switch(pas platform.AddressSpace, r *arch.Registers, singleStep bool) platform.Event {
	died := platform.Event{Kind: platform.EventDied}
	as := pas.(*AddressSpace)
	if c.as != as || c.t == nil {
		if errno := c.bind(as); errno != 0 {
			return died
		}
	}
	if c.takePending() {
		return platform.Event{Kind: platform.EventInterrupt}
	}
	for {
		if !c.load(r, singleStep) {
			c.lost()
			return died
		}
		quick, alive := c.turn()
		if !alive {
			c.lost()
			return died
		}
		ev, ok := c.event(r, singleStep)
		if ok {
			ev.Quick = quick
			if ev.Kind == platform.EventDied {
				c.lost()
			}
			return ev
		}
		// A kick, or a signal from outside: not the guest's business.
		if c.takePending() {
			return platform.Event{Kind: platform.EventInterrupt}
		}
	}
}

// turn lets the guest go on and waits until it hands over: while looking for it
// all the time, or not, when it may have run for long. alive is false when the stub
// has died.
func (c *Context) turn() (quick, alive bool) {
	h := c.t.h
	c.p.place.Enter(&c.place)
	spin := c.p.place.Wait(&c.place)
	if h.spin != uint32(spin) {
		h.spin = uint32(spin)
	}
	if h.giveTurn() {
		h.wake()
	}
	c.p.place.Count(&c.place)
	if spin > 0 && c.serve(h) {
		return true, true
	}
	alive = c.await(h)
	c.p.place.Exit(&c.place)
	c.p.place.Ran(&c.place)
	return false, alive
}

// serve waits for the Sentry's turn as one of a group, and returns whether it has come.
func (c *Context) serve(h *header) bool {
	look := func(looks int32) bool { return h.awaitTurn(looks) || c.pending.Load() != 0 }
	for {
		switch c.p.place.Look(&c.place, look) {
		case stub.Came:
			return h.loadTurn() != 0
		case stub.Over:
			return false
		}
		c.p.place.Parking(&c.place)
		if h.loadTurn() == 0 && c.pending.Load() == 0 {
			h.waitTurn(parkPatience)
		}
		c.p.place.Parked(&c.place)
		if c.as.dead.Load() {
			return false
		}
	}
}

// await waits for the Sentry's turn.
func (c *Context) await(h *header) bool {
	kicks := 0
	for {
		h.setSentry(1)
		if h.loadTurn() != 0 {
			break
		}
		patience := int64(guestPatience)
		if c.pending.Load() != 0 {
			patience = kickPatience
			if kicks++; kicks > maxKicks {
				unix.Kill(int(c.as.pid), unix.SIGKILL)
			} else {
				stub.Tgkill(c.as.pid, c.t.tid, kickSignal)
			}
		}
		h.waitTurn(patience)
		if h.loadTurn() != 0 {
			break
		}
		if c.as.gone(0) {
			return false
		}
	}
	h.setSentry(0)
	return true
}

// command has the waiting guest thread do something that comes back at once.
func (c *Context) command(n uint32) bool {
	h := c.t.h
	h.command = n
	if h.giveTurn() {
		h.wake()
	}
	return c.await(h)
}

// bind gives the context a thread in as.
func (c *Context) bind(as *AddressSpace) unix.Errno {
	c.unbind()
	t, errno := as.thread()
	if errno != 0 {
		return errno
	}
	c.as, c.t, c.kind, c.partial = as, t, 0, false
	c.target.Store(&target{as.pid, t.tid, t.h})
	c.p.place.Bind(&c.place, t.tid, &t.h.turn)
	c.tell(t)
	if c.state == nil {
		c.state = arch.InitialFPU()
	}
	return 0
}

// unbind gives the thread back to its address space. It waits in the stub's code;
// whoever binds it next loads all its registers.
func (c *Context) unbind() {
	if c.t == nil {
		return
	}
	t, as := c.t, c.as
	c.t, c.as = nil, nil
	c.target.Store(nil)
	c.tell(nil)
	as.leave(t)
}

// lost ends a stub whose thread is dead or does what it should not.
func (c *Context) lost() {
	if c.t == nil {
		return
	}
	as := c.as
	c.t, c.as = nil, nil
	c.target.Store(nil)
	c.tell(nil)
	unix.Kill(int(as.pid), unix.SIGKILL)
	as.leave(nil)
}

// FPU implements platform.Context.
func (c *Context) FPU() []byte {
	switch {
	case c.state != nil:
		return c.state
	case c.t == nil:
		return arch.InitialFPU()
	}
	if c.buf == nil {
		c.buf = make([]byte, arch.FPUSize())
	}
	if !c.readFPU(c.buf) {
		return arch.InitialFPU()
	}
	return c.buf
}

// SetFPU implements platform.Context.
func (c *Context) SetFPU(state []byte) linux.Errno {
	if !arch.ValidFPU(state) {
		return linux.EINVAL
	}
	c.state = append(arch.InitialFPU()[:0], state...)
	c.state = c.state[:arch.FPUSize()]
	return 0
}

// Release implements platform.Context.
func (c *Context) Release() {
	c.unbind()
	c.p.place.Leave(&c.place)
}
