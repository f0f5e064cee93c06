package cgroup

import (
	"math"
	"slices"

	"cordon/internal/linux"
)

// A Resource is one that tasks may wait for (Linux: Documentation/accounting/psi.rst).
type Resource uint8

// The resources.
const (
	CPUPressure Resource = iota
	MemoryPressure
	IOPressure

	Resources
)

// Bounds of a trigger's window, in microseconds. Without CAP_SYS_RESOURCE it is a
// multiple of the period of the averages.
const (
	MaxWindowUS = 10_000_000
	PeriodUS    = 2_000_000
)

// windows are those of the averages, in seconds.
var windows = [3]float64{10, 60, 300}

// pressure is how long tasks of a group and of those below have waited for one
// resource: some of them, and all of those that were not asleep.
type pressure struct {
	totalNS  [2]int64
	averages [2][len(windows)]float64 // parts of 1
	then     [2]int64                 // totals at the last averages
	at       int64                    // when that was; 0: never
	triggers []*Trigger
}

// Stall is how much of the time that has just gone tasks of a group waited: parts
// of 1.
type Stall [Resources]struct{ Some, Full float64 }

// A Trigger tells when tasks have waited for longer than a threshold within a
// window.
type Trigger struct {
	// immutable
	full              bool
	threshold, window int64 // ns
	fire              func()

	// guarded by the hierarchy's mu
	begin, base int64 // of the window
	last        int64 // when it fired; 0: never
}

// AddStall adds a time of elapsed nanoseconds that ends now.
func (g *Group) AddStall(s *Stall, elapsed, now int64) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	if g.silent {
		return
	}
	for r := range g.pressure {
		p := &g.pressure[r]
		p.averageLocked(now)
		p.totalNS[0] += int64(s[r].Some * float64(elapsed))
		p.totalNS[1] += int64(s[r].Full * float64(elapsed))
		for _, t := range p.triggers {
			t.lookLocked(p, now)
		}
	}
}

// averageLocked brings the averages up to date once a period has gone by.
func (p *pressure) averageLocked(now int64) {
	elapsed := now - p.at
	if p.at == 0 {
		p.at = now
		return
	}
	if elapsed < PeriodUS*1000 {
		return
	}
	for i := range p.totalNS {
		part := min(1, float64(p.totalNS[i]-p.then[i])/float64(elapsed))
		p.then[i] = p.totalNS[i]
		for k, w := range windows {
			decay := math.Exp(-float64(elapsed) / 1e9 / w)
			p.averages[i][k] = p.averages[i][k]*decay + part*(1-decay)
		}
	}
	p.at = now
}

func (t *Trigger) lookLocked(p *pressure, now int64) {
	i := 0
	if t.full {
		i = 1
	}
	if now-t.begin > t.window {
		t.begin, t.base = now, p.totalNS[i]
		return
	}
	if p.totalNS[i]-t.base >= t.threshold && (t.last == 0 || now-t.last >= t.window) {
		t.last = now
		t.fire()
	}
}

// A PressureLine is a line of a pressure file.
type PressureLine struct {
	Averages [3]float64 // percent
	TotalUS  int64
}

// Pressure returns what a file shows.
func (g *Group) Pressure(r Resource, now int64) (some, full PressureLine) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	p := &g.pressure[r]
	p.averageLocked(now)
	lines := [2]PressureLine{}
	for i := range lines {
		lines[i].TotalUS = p.totalNS[i] / 1000
		for k, a := range p.averages[i] {
			lines[i].Averages[k] = a * 100
		}
	}
	return lines[0], lines[1]
}

// AddTrigger makes a trigger; the times are in microseconds. privileged: whoever
// does has CAP_SYS_RESOURCE. fire is called with locks held. end ends it.
func (g *Group) AddTrigger(r Resource, full bool, thresholdUS, windowUS, now int64, privileged bool, fire func()) (end func(), e linux.Errno) {
	if windowUS <= 0 || windowUS > MaxWindowUS || thresholdUS <= 0 || thresholdUS > windowUS || !privileged && windowUS%PeriodUS != 0 {
		return nil, linux.EINVAL
	}
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	p := &g.pressure[r]
	i := 0
	if full {
		i = 1
	}
	t := &Trigger{full: full, threshold: thresholdUS * 1000, window: windowUS * 1000, fire: fire, begin: now, base: p.totalNS[i]}
	p.triggers = append(p.triggers, t)
	return func() {
		g.h.mu.Lock()
		defer g.h.mu.Unlock()
		p.triggers = slices.DeleteFunc(p.triggers, func(o *Trigger) bool { return o == t })
	}, 0
}

// Silent is cgroup.pressure 0: no waiting is counted.
func (g *Group) Silent() bool {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.silent
}

// SetSilent sets it.
func (g *Group) SetSilent(on bool) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	g.silent = on
}
