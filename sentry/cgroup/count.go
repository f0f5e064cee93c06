package cgroup

import (
	"math"
	"sync/atomic"

	"cordon/internal/linux"
)

// NoLimit is "max".
const NoLimit = math.MaxInt64

// tasks is the pids controller's.
type tasks struct {
	// atomic
	now, peak, max atomic.Int64
	refused        atomic.Uint64 // forks, here and below
	refusedHere    atomic.Uint64
}

// AddTask counts a new task in g and above, or refuses it (Linux:
// kernel/cgroup/pids.c pids_can_fork).
func (g *Group) AddTask() linux.Errno {
	for p := g; p != nil; p = p.parent {
		n := p.tasks.now.Add(1)
		if n > p.tasks.max.Load() {
			for q := g; ; q = q.parent {
				q.tasks.now.Add(-1)
				if q == p {
					break
				}
			}
			p.tasks.refusedHere.Add(1)
			p.tell(PIDsLocalFile)
			for q := p; q != nil; q = q.parent {
				q.tasks.refused.Add(1)
				q.tell(PIDsEvents)
			}
			return linux.EAGAIN
		}
	}
	for p := g; p != nil; p = p.parent {
		p.tasks.note(p.tasks.now.Load())
	}
	return 0
}

func (t *tasks) note(n int64) {
	for peak := t.peak.Load(); n > peak && !t.peak.CompareAndSwap(peak, n); peak = t.peak.Load() {
	}
}

// MoveTasks counts n tasks in g and above that were not forked there: no limit
// holds for them. n may be negative.
func (g *Group) MoveTasks(n int64) {
	for p := g; p != nil; p = p.parent {
		p.tasks.note(p.tasks.now.Add(n))
	}
}

// TaskCounts are what the pids files show.
type TaskCounts struct {
	Now, Peak, Max  int64
	Refused, Refuse uint64 // here and below, here
}

// Tasks returns the counts.
func (g *Group) Tasks() TaskCounts {
	t := &g.tasks
	return TaskCounts{t.now.Load(), t.peak.Load(), t.max.Load(), t.refused.Load(), t.refusedHere.Load()}
}

// SetMaxTasks sets pids.max.
func (g *Group) SetMaxTasks(n int64) { g.tasks.max.Store(n) }

// AddProcess counts a process with a thread in g, for n = -1 one less.
func (g *Group) AddProcess(n int64) {
	g.processes.Add(n)
	for p := g; p != nil; p = p.parent {
		if now := p.populated.Add(n); now == 0 || now == n {
			p.tell(CoreEvents)
		}
	}
}

// Populated reports whether a process is in g or below.
func (g *Group) Populated() bool { return g.populated.Load() > 0 }

// Frozen reports whether tasks of g are to stand still.
func (g *Group) Frozen() bool { return g.frozen.Load() }

// Held reports whether tasks of g are not to run: it is frozen, or it or a
// group above has used its processor time up.
func (g *Group) Held() bool {
	if g.frozen.Load() {
		return true
	}
	for p := g; p != nil; p = p.parent {
		if p.throttled.Load() {
			return true
		}
	}
	return false
}

// Freeze returns g's own cgroup.freeze.
func (g *Group) Freeze() bool {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.freeze
}

// SetFreeze sets it. The caller looks at the tasks again.
func (g *Group) SetFreeze(on bool) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	g.freeze = on
	above := g.parent != nil && g.parent.frozen.Load()
	g.spreadLocked(above)
}

func (g *Group) spreadLocked(above bool) {
	on := above || g.freeze
	if g.frozen.Swap(on) != on {
		g.tell(CoreEvents)
	}
	for _, c := range g.children {
		c.spreadLocked(on)
	}
}

// Processes returns how many processes are in g and below.
func (g *Group) Processes() int64 { return g.populated.Load() }
