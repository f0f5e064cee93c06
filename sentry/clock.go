package sentry

import (
	"sync"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/sentry/ktime"
	"cordon/sentry/loader"
	"cordon/sentry/wait"
)

// Parameters of the vDSO's clocks: how long the first measurement of the
// counter's rate takes, and how often the parameters are renewed while guests
// run. The rate is measured over the whole time since the start, so that it
// gets better from one renewal to the next.
const (
	firstMeasureNS = 2_000_000
	renewNS        = 1_000_000_000
	maxRenewNS     = 60_000_000_000
)

// A vdsoClock keeps the vDSO's parameters current.
type vdsoClock struct {
	// immutable after start
	clocks   *ktime.Clocks
	vdso     *loader.VDSO
	measures bool
	tsc0     uint64
	mono0    int64
	entry    uint64 // arch.VVAR's CallEntry
	alarm    ktime.Alarm
	steps    wait.Entry // in clocks.Steps

	// by the alarm's goroutine
	every int64

	mu sync.Mutex // held by publish: one writes the page at a time
}

// newVDSOClock begins to measure the counter's rate. Where the counter cannot
// be used, or the clocks are not the host's, the parameters stay zero and
// guests make system calls.
func newVDSOClock(c *ktime.Clocks, v *loader.VDSO, p platform.Platform) *vdsoClock {
	k := &vdsoClock{clocks: c, vdso: v, every: renewNS}
	if e, ok := p.(platform.CallEntry); ok {
		k.entry = e.CallEntry()
	}
	if arch.TSCUsable() && c.FollowHost() {
		k.measures = true
		k.tsc0, k.mono0 = sample(c.Monotonic)
	}
	return k
}

// start publishes the first parameters, before any guest runs. What was done
// since the measurement began is most of the time that it takes.
func (k *vdsoClock) start() {
	if !k.measures {
		return
	}
	c := k.clocks.Monotonic
	for c.Now()-k.mono0 < firstMeasureNS {
	}
	k.publish()
	// Late: who sets a clock holds no lock then, and comes back to the guest after it.
	k.steps = wait.Entry{Mask: wait.Internal, Late: true, Callback: func(*wait.Entry, wait.Events) { k.publish() }}
	k.clocks.Steps.Add(&k.steps)
	k.alarm = c.NewAlarm(k.renew)
	k.alarm.Set(c.Now() + k.every)
}

// samples is how often sample tries: a reading during which the thread lost its
// processor says nothing.
const samples = 16

// sample reads the counter and a clock at the same moment, as nearly as it can.
func sample(c ktime.Clock) (tsc uint64, now int64) {
	best := ^uint64(0)
	for range samples {
		before := arch.TSC()
		t := c.Now()
		if took := arch.TSC() - before; took < best {
			best, tsc, now = took, before+took/2, t
		}
	}
	return tsc, now
}

// publish measures the clocks and tells guests.
func (k *vdsoClock) publish() {
	k.mu.Lock()
	defer k.mu.Unlock()
	tsc, mono := sample(k.clocks.Monotonic)
	late := k.clocks.Monotonic.Now()
	mult := arch.Mult(uint64(mono-k.mono0), tsc-k.tsc0)
	p := arch.VVAR{BaseTSC: tsc, CallEntry: k.entry}
	set := func(id linux.ClockID, now int64, rate uint64) {
		p.Clocks[id] = arch.VVARClock{Valid: true, Seconds: now / 1e9, Nanoseconds: uint64(now % 1e9), Mult: rate}
	}
	// The other clocks as they were at the sample.
	real, boot := k.clocks.Realtime.Now()-(late-mono), k.clocks.Boottime.Now()-(late-mono)
	set(linux.CLOCK_REALTIME, real, mult)
	set(linux.CLOCK_MONOTONIC, mono, mult)
	set(linux.CLOCK_MONOTONIC_RAW, mono, mult)
	set(linux.CLOCK_BOOTTIME, boot, mult)
	set(linux.CLOCK_REALTIME_COARSE, real, mult)
	set(linux.CLOCK_MONOTONIC_COARSE, mono, mult)
	k.vdso.Publish(&p)
	k.clocks.FollowCounter(tsc, real, mult)
}

// renew publishes anew and waits twice as long for the next time, so that an
// idle sandbox wakes once a minute at most.
func (k *vdsoClock) renew() {
	k.publish()
	k.every = min(2*k.every, maxRenewNS)
	k.alarm.Set(k.clocks.Monotonic.Now() + k.every)
}

func (k *vdsoClock) stop() {
	if k.alarm != nil {
		k.clocks.Steps.Remove(&k.steps)
		k.alarm.Stop()
	}
}
