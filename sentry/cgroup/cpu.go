package cgroup

import "sync/atomic"

// Bounds of cpu.max's period and of weights, in microseconds.
const (
	DefaultPeriodUS = 100000
	MinPeriodUS     = 1000
	MaxPeriodUS     = 1000000
	MinQuotaUS      = 1000
	DefaultWeight   = 100
	MinWeight       = 1
	MaxWeight       = 10000
)

// cpu is the cpu controller's.
type cpu struct {
	// atomic
	weight  atomic.Int64
	idle    atomic.Bool
	outside atomic.Bool  // the host sees to the quota
	quota   atomic.Int64 // us in a period; NoLimit
	period  atomic.Int64
	burst   atomic.Int64
	gone    [2]atomic.Int64 // ns of processes that have left: guest, Sentry
	periods atomic.Int64
	short   atomic.Int64 // periods in which the quota was used up
	lostNS  atomic.Int64
}

func (c *cpu) reset() {
	c.weight.Store(DefaultWeight)
	c.quota.Store(NoLimit)
	c.period.Store(DefaultPeriodUS)
}

// Quota returns cpu.max and cpu.max.burst in microseconds.
func (g *Group) Quota() (quota, period, burst int64) {
	return g.cpu.quota.Load(), g.cpu.period.Load(), g.cpu.burst.Load()
}

// SetQuota sets cpu.max. The caller sees to its being watched.
func (g *Group) SetQuota(quota, period int64) {
	g.cpu.period.Store(period)
	g.cpu.quota.Store(quota)
}

// SetBurst sets cpu.max.burst.
func (g *Group) SetBurst(us int64) { g.cpu.burst.Store(us) }

// Weight returns cpu.weight, Idle cpu.idle.
func (g *Group) Weight() int64 { return g.cpu.weight.Load() }

// SetWeight sets cpu.weight.
func (g *Group) SetWeight(n int64) { g.cpu.weight.Store(n) }

// Idle returns cpu.idle.
func (g *Group) Idle() bool { return g.cpu.idle.Load() }

// SetIdle sets it.
func (g *Group) SetIdle(on bool) { g.cpu.idle.Store(on) }

// AddTime counts processor time that is no longer a member's, in nanoseconds.
func (g *Group) AddTime(user, system int64) {
	g.cpu.gone[0].Add(user)
	g.cpu.gone[1].Add(system)
}

// GoneTime returns the time of processes that have left g or a group below.
func (g *Group) GoneTime() (user, system int64) {
	for _, d := range g.Descendants() {
		user += d.cpu.gone[0].Load()
		system += d.cpu.gone[1].Load()
	}
	return user, system
}

// Throttling counts what cpu.max did.
type Throttling struct{ Periods, Throttled, LostNS int64 }

// Throttling returns the counts.
func (g *Group) Throttling() Throttling {
	return Throttling{g.cpu.periods.Load(), g.cpu.short.Load(), g.cpu.lostNS.Load()}
}

// EndPeriod counts a period, and how long the group stood still in it.
func (g *Group) EndPeriod(lostNS int64) {
	g.cpu.periods.Add(1)
	if lostNS > 0 {
		g.cpu.short.Add(1)
		g.cpu.lostNS.Add(lostNS)
	}
}

// SetThrottled says whether the group's processor time is used up. The caller
// looks at the tasks again.
func (g *Group) SetThrottled(on bool) { g.throttled.Store(on) }

// SetSlowed says that it stands still for memory.high instead.
func (g *Group) SetSlowed(on bool) { g.slowed.Store(on) }

// Slowed returns it.
func (g *Group) Slowed() bool { return g.slowed.Load() }

// Throttled returns it.
func (g *Group) Throttled() bool { return g.throttled.Load() }

// SetQuotaOutside says that the host keeps the group to its limits of memory and
// processor time, for all that the sandbox is.
func (g *Group) SetQuotaOutside() { g.cpu.outside.Store(true) }

// QuotaOutside returns it.
func (g *Group) QuotaOutside() bool { return g.cpu.outside.Load() }
