package task

import (
	"slices"
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/ktime"
)

// cpuTick is how exactly CPU-time timers are kept: the time between two looks
// at them. Nothing ticks while none is armed.
const cpuTick = 4_000_000

// A cpuClock is a CLOCK_THREAD_CPUTIME_ID or CLOCK_PROCESS_CPUTIME_ID; it
// implements ktime.Clock.
type cpuClock struct {
	// immutable
	sys  *System
	read func() int64
}

// CPUClock returns the thread's CPU-time clock.
func (t *Task) CPUClock() ktime.Clock { return t.cpuClock }

// CPUClock returns the process's CPU-time clock.
func (g *ThreadGroup) CPUClock() ktime.Clock { return g.cpuClock }

func (c *cpuClock) Now() int64 { return c.read() }

func (c *cpuClock) NewAlarm(fire func()) ktime.Alarm { return &cpuAlarm{clock: c, fire: fire} }

// A cpuAlarm is looked at every tick while it is armed.
type cpuAlarm struct {
	// immutable
	clock *cpuClock
	fire  func()

	// guarded by cpuAlarms.mu
	deadline int64
}

// cpuAlarms are a sandbox's armed ones.
type cpuAlarms struct {
	mu sync.Mutex
	// guarded by mu
	armed map[*cpuAlarm]struct{}
	tick  ktime.Alarm
}

func (a *cpuAlarm) Set(deadline int64) {
	s := a.clock.sys
	all := &s.cpuAlarms
	all.mu.Lock()
	defer all.mu.Unlock()
	a.deadline = deadline
	if all.armed == nil {
		all.armed = make(map[*cpuAlarm]struct{})
		all.tick = s.Clocks.Monotonic.NewAlarm(func() { s.cpuTick() })
	}
	if len(all.armed) == 0 {
		all.tick.Set(s.Clocks.Monotonic.Now() + cpuTick)
	}
	all.armed[a] = struct{}{}
}

func (a *cpuAlarm) Stop() {
	all := &a.clock.sys.cpuAlarms
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.armed, a)
}

// cpuTick fires the alarms that are due and ticks on while any is left.
func (s *System) cpuTick() {
	all := &s.cpuAlarms
	var due []*cpuAlarm
	all.mu.Lock()
	for a := range all.armed {
		if a.clock.Now() >= a.deadline {
			due = append(due, a)
			delete(all.armed, a)
		}
	}
	if len(all.armed) > 0 {
		all.tick.Set(s.Clocks.Monotonic.Now() + cpuTick)
	}
	all.mu.Unlock()
	for _, a := range due {
		a.fire()
	}
}

// counted is what a process's CPU time is added up from. Clocks are read under
// the locks of timers, which are stopped under the tree's: so they must do
// without it.
type counted struct {
	// immutable
	user, system int64 // of threads that ended
	tasks        []*Task
}

// countTreeLocked follows a change of the process's threads.
func (g *ThreadGroup) countTreeLocked() {
	g.counted.Store(&counted{g.gone.UserNS, g.gone.SystemNS, slices.Clone(g.tasks)})
}

// cpuTime returns the time that the process has run in nanoseconds.
func (g *ThreadGroup) cpuTime() (user, system int64) {
	g.settle()
	c := g.counted.Load()
	user, system = c.user, c.system
	for _, t := range c.tasks {
		user += t.times.user.Load() + t.inGuestNow()
		system += t.times.system.Load()
	}
	return user, system
}

// armCPULimit keeps the timer of RLIMIT_CPU as the limit says.
func (g *ThreadGroup) armCPULimit() {
	l := g.limits.Get(linux.RLIMIT_CPU)
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.Cur == ^uint64(0) {
		if g.cpuLimit != nil {
			g.cpuLimit.Stop()
		}
		return
	}
	if g.cpuLimit == nil {
		g.cpuLimit = ktime.NewTimer(g.cpuClock, g.cpuLimitReached)
	}
	g.cpuLimit.SetDeadline(int64(min(l.Cur, 1<<33)) * 1e9)
}

// SetCPULimit is told of a change of RLIMIT_CPU.
func (g *ThreadGroup) SetCPULimit() { g.armCPULimit() }

// cpuLimitReached sends SIGXCPU every second over the soft limit and SIGKILL at
// the hard one (getrlimit(2)).
func (g *ThreadGroup) cpuLimitReached() {
	l := g.limits.Get(linux.RLIMIT_CPU)
	used := uint64(g.cpuClock.Now()) / 1e9
	sig := linux.SIGXCPU
	if used >= l.Max {
		sig = linux.SIGKILL
	}
	if used >= l.Cur {
		g.Send(&linux.SigInfo{Signo: sig, Code: linux.SI_KERNEL})
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cpuLimit.SetDeadline(int64(used+1) * 1e9)
}
