package task

import (
	"runtime"
	"sync/atomic"
)

// resumedCalls are the Calls of a restored system. They tell StartRestored when
// a task has made the call again that the checkpoint cut short.
type resumedCalls struct {
	Calls

	// atomic
	again atomic.Pointer[Task] // nil: nobody is waited for
}

// Call implements Calls.
func (c *resumedCalls) Call(t *Task, nr uintptr, args *[6]uintptr) (uintptr, error) {
	ret, err := c.Calls.Call(t, nr, args)
	c.again.CompareAndSwap(t, nil)
	if turn := t.sys.Turn; turn != nil {
		turn.Yield()
	}
	return ret, err
}

// sleptTreeLocked reports whether t was in a call that it will make again at
// once.
func (t *Task) sleptTreeLocked() bool {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := t.trace.Load(); x != nil && x.stop != stopNone {
		return false // first its tracer has to let it go on
	}
	return t.restart != 0 && t.work.Load()&(workKill|workStop|workTrace) == 0 && (t.pending.Set()|g.pending.Set())&^t.mask == 0
}

// A restart is what StartRestored knows of a task.
type restart struct {
	t     *Task
	child int32 // whose vfork it waits for
	stop  standing
}

// StartRestored lets the tasks of a restored system go on, and its clocks.
// Those that slept in a call go first, until they sleep again: nobody may wake
// them while they are not there to be woken.
func (y *System) StartRestored() {
	y.Clocks.Start()
	slept, others := y.restarts()
	calls, ok := y.Calls.(*resumedCalls)
	if !ok {
		slept, others = nil, append(slept, others...)
	}
	if y.Turn != nil {
		all := append(slept, others...)
		for i, enter := range y.Turn.Join(len(slept), len(others)) {
			go func() { enter(); all[i].run() }()
		}
		return
	}
	for _, s := range slept {
		sleeps := s.t.times.voluntary.Load()
		calls.again.Store(s.t)
		go s.run()
		for calls.again.Load() != nil && s.t.times.voluntary.Load() == sleeps && s.t.MM() != nil {
			runtime.Gosched()
		}
		calls.again.Store(nil)
	}
	for _, s := range others {
		go s.run()
	}
}

// restarts counts the living tasks as running and returns them, those that
// slept in a call by themselves.
func (y *System) restarts() (slept, others []restart) {
	y.tree.Lock()
	defer y.tree.Unlock()
	for _, t := range sortedByTID(y.tasks) {
		if t.exitState != alive {
			continue
		}
		y.live++
		s := restart{t: t, stop: t.standing()}
		if t.vforkPending.Load() {
			for _, c := range y.tasks {
				if c.vforkParent == t {
					s.child = c.TID()
				}
			}
			t.vforkPending.Store(s.child != 0)
		}
		if t.sleptTreeLocked() {
			slept = append(slept, s)
		} else {
			others = append(others, s)
		}
	}
	return slept, others
}

// OnlyFrozen reports whether a sleep ended because the system freezes, and not
// by a signal or a stop: calls that no signal restarts go on all the same.
func (t *Task) OnlyFrozen() bool {
	if t.work.Load()&(workFreeze|workStop|workKill) != workFreeze {
		return false
	}
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	return (t.pending.Set()|t.group.pending.Set())&^t.mask == 0
}
