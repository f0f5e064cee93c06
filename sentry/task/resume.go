package task

import (
	"runtime"
	"sync"
)

// resumedCalls are the Calls of a restored system. They tell StartRestored when
// a task has made the call again that the checkpoint cut short.
type resumedCalls struct {
	Calls

	mu sync.Mutex
	// guarded by mu
	again *Task // nil: nobody is waited for
}

// Call implements Calls.
func (c *resumedCalls) Call(t *Task, nr uintptr, args *[6]uintptr) (uintptr, error) {
	ret, err := c.Calls.Call(t, nr, args)
	c.mu.Lock()
	if c.again == t {
		c.again = nil
	}
	c.mu.Unlock()
	return ret, err
}

func (c *resumedCalls) await(t *Task) {
	c.mu.Lock()
	c.again = t
	c.mu.Unlock()
}

func (c *resumedCalls) made() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.again == nil
}

// sleptTreeLocked reports whether t was in a call that it will make again at
// once.
func (t *Task) sleptTreeLocked() bool {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	return t.restart != 0 && t.work.Load()&(workKill|workStop) == 0 && (t.pending.Set()|g.pending.Set())&^t.mask == 0
}

// StartRestored lets the tasks of a restored system go on. Those that slept in
// a call go first, until they sleep again: nobody may wake them while they are
// not there to be woken.
func (y *System) StartRestored() {
	y.tree.Lock()
	type start struct {
		t     *Task
		slept bool
		child int32
	}
	var all []start
	for _, t := range sortedByTID(y.tasks) {
		if t.exitState != alive {
			continue
		}
		y.live++
		s := start{t: t, slept: t.sleptTreeLocked()}
		if t.vforkPending.Load() {
			for _, c := range y.tasks {
				if c.vforkParent == t {
					s.child = c.TID()
				}
			}
			t.vforkPending.Store(s.child != 0)
		}
		all = append(all, s)
	}
	y.tree.Unlock()
	calls, ok := y.Calls.(*resumedCalls)
	for _, s := range all {
		if !s.slept || !ok {
			continue
		}
		sleeps := s.t.times.voluntary.Load()
		calls.await(s.t)
		go s.t.runRestored(s.child)
		for !calls.made() && s.t.times.voluntary.Load() == sleeps && s.t.MM() != nil {
			runtime.Gosched()
		}
		calls.await(nil)
	}
	for _, s := range all {
		if !s.slept || !ok {
			go s.t.runRestored(s.child)
		}
	}
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
