package task

import "sync/atomic"

// cpuTimes counts a task's time in the guest and in the Sentry, in nanoseconds.
type cpuTimes struct {
	user, system        atomic.Int64
	voluntary, preempts atomic.Int64
	minorFaults         atomic.Int64

	// guarded by ThreadGroup.settlement.mu: what user and the time in the guest were
	// when the process settled last, and how much of it was new then.
	settled, claimed int64
}

// A Usage is times and counts of a task or several (getrusage(2)).
type Usage struct {
	UserNS, SystemNS       int64
	Voluntary, Involuntary int64
	MinorFaults            int64
	MaxRSSBytes            uint64
}

// Add adds v to u; the largest memory use stays.
func (u *Usage) Add(v Usage) {
	u.UserNS += v.UserNS
	u.SystemNS += v.SystemNS
	u.Voluntary += v.Voluntary
	u.Involuntary += v.Involuntary
	u.MinorFaults += v.MinorFaults
	u.MaxRSSBytes = max(u.MaxRSSBytes, v.MaxRSSBytes)
}

// Usage returns what the task has used, but for the memory, which takes time to
// count.
func (t *Task) Usage() Usage {
	t.group.settle()
	return t.settledUsage()
}

// settledUsage is Usage of a task whose process has just settled.
func (t *Task) settledUsage() Usage {
	return Usage{
		UserNS: t.times.user.Load() + t.inGuestNow(), SystemNS: t.times.system.Load(),
		Voluntary: t.times.voluntary.Load(), Involuntary: t.times.preempts.Load(),
		MinorFaults: t.times.minorFaults.Load(),
	}
}

// UsageAndRSS is Usage with the memory of the task's process.
func (t *Task) UsageAndRSS() Usage {
	u := t.Usage()
	if m := t.MM(); m != nil {
		u.MaxRSSBytes = m.MaxRSS()
	}
	return u
}

// CPUTime returns the time the task has run in nanoseconds.
func (t *Task) CPUTime() int64 {
	t.group.settle()
	return t.times.user.Load() + t.times.system.Load() + t.inGuestNow()
}

// inGuestNow is how long the task has been in the guest since it last entered.
func (t *Task) inGuestNow() int64 { return t.inGuestAt(t.sys.Clocks.Monotonic.Now()) }

func (t *Task) inGuestAt(now int64) int64 {
	if !t.inGuest.Load() {
		return 0
	}
	return max(0, now-t.switched.Load())
}

// Usage returns what all threads of the process, living and gone, have used, but
// for the memory that it has now.
func (g *ThreadGroup) Usage() Usage {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.usageTreeLocked()
}

func (g *ThreadGroup) usageTreeLocked() Usage {
	u := g.gone
	g.settle()
	for _, t := range g.tasks {
		u.Add(t.settledUsage())
	}
	return u
}

// UsageAndRSS is Usage with the memory.
func (g *ThreadGroup) UsageAndRSS() Usage {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.usageAndRSSTreeLocked()
}

func (g *ThreadGroup) usageAndRSSTreeLocked() Usage {
	u := g.usageTreeLocked()
	u.MaxRSSBytes = max(u.MaxRSSBytes, g.maxRSS.Load())
	for _, t := range g.tasks {
		if m := t.MM(); m != nil { // all have the same
			u.MaxRSSBytes = max(u.MaxRSSBytes, m.MaxRSS())
			break
		}
	}
	return u
}

// ChildrenUsage returns what the children waited for have used.
func (g *ThreadGroup) ChildrenUsage() Usage {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.reaped
}
