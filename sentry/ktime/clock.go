package ktime

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/wait"
)

// A Clock tells the time and wakes at times. Implementations are comparable.
type Clock interface {
	// Now returns nanoseconds since the clock's beginning.
	Now() int64
	// NewAlarm returns an alarm that calls fire in a goroutine of the clock's
	// choice, without locks, some time after its deadline has come. It may
	// fire early or for a deadline that has been replaced: fire looks at the
	// clock.
	NewAlarm(fire func()) Alarm
}

// An Alarm is a one-shot wake-up.
type Alarm interface {
	// Set replaces the deadline.
	Set(deadline int64)
	// Stop unsets it. A call of fire may be under way.
	Stop()
}

// Clocks is the set of clocks of a sandbox.
type Clocks struct {
	// immutable
	Realtime        Clock
	Monotonic       Clock
	Boottime        Clock
	MonotonicRaw    Clock
	RealtimeCoarse  Clock
	MonotonicCoarse Clock
	TAI             Clock

	base source
	wall *wallClock

	// atomic
	taiOffset atomic.Int64         // ns that TAI is ahead of UTC
	counter   atomic.Pointer[rate] // nil: not known

	// Steps is notified (wait.Internal) when CLOCK_REALTIME is set.
	Steps wait.Queue
}

// ByID returns the clock id names. CPU-time clocks are the tasks'.
func (c *Clocks) ByID(id linux.ClockID) (Clock, bool) {
	switch id {
	case linux.CLOCK_REALTIME, linux.CLOCK_REALTIME_ALARM:
		return c.Realtime, true
	case linux.CLOCK_MONOTONIC:
		return c.Monotonic, true
	case linux.CLOCK_MONOTONIC_RAW:
		return c.MonotonicRaw, true
	case linux.CLOCK_REALTIME_COARSE:
		return c.RealtimeCoarse, true
	case linux.CLOCK_MONOTONIC_COARSE:
		return c.MonotonicCoarse, true
	case linux.CLOCK_BOOTTIME, linux.CLOCK_BOOTTIME_ALARM:
		return c.Boottime, true
	case linux.CLOCK_TAI:
		return c.TAI, true
	}
	return nil, false
}

// coarseResolution is a tick at 250 Hz.
const coarseResolution = 4_000_000

// Resolution is what clock_getres(2) says of id.
func Resolution(id linux.ClockID) int64 {
	if id == linux.CLOCK_REALTIME_COARSE || id == linux.CLOCK_MONOTONIC_COARSE {
		return coarseResolution
	}
	return 1
}

// CanArm reports whether timers and sleeps may use the clock id, as Linux
// allows them (EOPNOTSUPP otherwise).
func CanArm(id linux.ClockID) bool {
	switch id {
	case linux.CLOCK_MONOTONIC_RAW, linux.CLOCK_REALTIME_COARSE, linux.CLOCK_MONOTONIC_COARSE:
		return false
	}
	return true
}

// SetRealtime makes CLOCK_REALTIME tell ns now, for this sandbox.
func (c *Clocks) SetRealtime(ns int64) {
	c.counter.Store(nil)
	c.wall.offset.Store(ns - c.base.wall())
	c.wall.rearm()
	c.Steps.Notify(wait.Internal)
}

// RealtimeOffset is by how much CLOCK_REALTIME differs from the host's, and
// MonotonicOffset the same for CLOCK_MONOTONIC: what a vDSO has to add.
func (c *Clocks) RealtimeOffset() int64 { return c.wall.offset.Load() }

// MonotonicOffset is by how much CLOCK_MONOTONIC differs from the host's.
func (c *Clocks) MonotonicOffset() int64 { return c.base.offset() }

// SetTAIOffset sets how many seconds TAI is ahead of UTC (adjtimex(2)).
func (c *Clocks) SetTAIOffset(seconds int32) { c.taiOffset.Store(int64(seconds) * 1e9) }

// TAIOffset returns how many seconds TAI is ahead of UTC.
func (c *Clocks) TAIOffset() int32 { return int32(c.taiOffset.Load() / 1e9) }

// GoOn makes the clocks of a restored sandbox tell what they told when it was
// saved. It comes before anything looks at them.
func (c *Clocks) GoOn(im ClocksImage) {
	c.counter.Store(nil)
	c.base.goOn(im.Monotonic)
	c.wall.offset.Store(im.RealtimeOffset)
	c.taiOffset.Store(im.TAIOffset)
}

// Start lets clocks go that RestoreHost made; others go already.
func (c *Clocks) Start() {
	c.base.start()
	c.wall.rearm() // it did not stand still
}

// FollowHost reports whether the clocks go at the speed of the host's.
func (c *Clocks) FollowHost() bool {
	_, host := c.base.(*hostSource)
	return host
}

// A source is where time comes from: the host or a test.
type source interface {
	monotonic() int64
	boottime() int64
	wall() int64
	offset() int64
	// goOn makes monotonic tell at, and start ends the standstill that may
	// come with it.
	goOn(at int64)
	start()
	// alarm makes an alarm by the monotonic clock.
	alarm(fire func()) Alarm
}

func newClocks(s source) *Clocks {
	c := &Clocks{base: s}
	c.Monotonic = &monoClock{s}
	c.MonotonicRaw = &monoClock{s}
	c.MonotonicCoarse = &monoClock{s}
	c.Boottime = &bootClock{s}
	c.wall = &wallClock{base: s}
	c.Realtime = c.wall
	c.RealtimeCoarse = &derivedClock{of: c.wall, ahead: new(atomic.Int64)}
	c.TAI = &derivedClock{of: c.wall, ahead: &c.taiOffset}
	return c
}

type monoClock struct{ base source }

func (m *monoClock) Now() int64                 { return m.base.monotonic() }
func (m *monoClock) NewAlarm(fire func()) Alarm { return m.base.alarm(fire) }

type bootClock struct{ base source }

func (b *bootClock) Now() int64 { return b.base.boottime() }

func (b *bootClock) NewAlarm(fire func()) Alarm {
	return &shiftedAlarm{by: b, base: b.base, alarm: b.base.alarm(fire)}
}

// A shiftedAlarm turns deadlines of another clock into monotonic ones.
type shiftedAlarm struct {
	by    Clock
	base  source
	alarm Alarm
}

func (a *shiftedAlarm) Set(deadline int64) {
	a.alarm.Set(saturatingAdd(a.base.monotonic(), saturatingSub(deadline, a.by.Now())))
}

func (a *shiftedAlarm) Stop() { a.alarm.Stop() }

// A derivedClock is ahead of the wall clock by a constant.
type derivedClock struct {
	of    *wallClock
	ahead *atomic.Int64
}

func (d *derivedClock) Now() int64 { return d.of.Now() + d.ahead.Load() }

func (d *derivedClock) NewAlarm(fire func()) Alarm {
	return &derivedAlarm{clock: d, alarm: d.of.NewAlarm(fire)}
}

type derivedAlarm struct {
	clock *derivedClock
	alarm Alarm
}

func (a *derivedAlarm) Set(deadline int64) {
	a.alarm.Set(saturatingSub(deadline, a.clock.ahead.Load()))
}

func (a *derivedAlarm) Stop() { a.alarm.Stop() }

// A wallClock is CLOCK_REALTIME. It knows its armed alarms, since setting the
// clock moves all of them.
type wallClock struct {
	// immutable
	base source

	// atomic
	offset atomic.Int64

	mu lock.Mutex[lock.Clock]
	// guarded by mu
	armed map[*wallAlarm]int64 // to its deadline
}

func (w *wallClock) Now() int64 { return w.base.wall() + w.offset.Load() }

func (w *wallClock) NewAlarm(fire func()) Alarm {
	a := &wallAlarm{clock: w}
	a.alarm = w.base.alarm(func() {
		a.fired()
		fire()
	})
	return a
}

type wallAlarm struct {
	// immutable
	clock *wallClock
	alarm Alarm
}

func (a *wallAlarm) Set(deadline int64) {
	w := a.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.armed == nil {
		w.armed = make(map[*wallAlarm]int64)
	}
	w.armed[a] = deadline
	w.setLocked(a, deadline)
}

func (a *wallAlarm) Stop() {
	w := a.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.armed, a)
	a.alarm.Stop()
}

// fired forgets a, unless the clock was set back meanwhile.
func (a *wallAlarm) fired() {
	w := a.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, ok := w.armed[a]; ok && w.Now() >= d {
		delete(w.armed, a)
	}
}

func (w *wallClock) setLocked(a *wallAlarm, deadline int64) {
	w.mu.AssertHeld()
	a.alarm.Set(saturatingAdd(w.base.monotonic(), saturatingSub(deadline, w.Now())))
}

// rearm moves every armed alarm after the clock was set.
func (w *wallClock) rearm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a, d := range w.armed {
		w.setLocked(a, d)
	}
}
