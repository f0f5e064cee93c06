package task

import (
	"sync/atomic"

	"cordon/internal/lock"
	"cordon/platform"
)

// A task's time in the guest is taken by the clock on the wall, which costs nothing: it
// has the time, too, that the task had to wait for a processor. How long a stub really
// ran the host says, for all its threads together and by a call. So a process settles
// now and then: what its threads claim to have run since the last time, but the host
// says they have not, is taken off, from each in proportion. It is exact for a process
// with one thread; of several each bears its part of what they waited.

// settleNS is how often a process settles of its own accord, when one of its tasks
// comes out of the guest: for a call of 0.4 us. With many threads, which all have to be
// looked at, it is settleThreadNS more for each.
const (
	settleNS       = 1_000_000
	settleThreadNS = 50_000
)

// A settlement is what a process knew when it settled last.
type settlement struct {
	// atomic: when the next is due
	due atomic.Int64

	// guarded by mu
	mu    lock.Mutex[lock.TaskTimes]
	space platform.AddressSpace
	ran   int64 // what space said
}

// settle makes the times of the process's threads what they have run. The clocks of
// timers call it, so it does without the tree's lock.
func (g *ThreadGroup) settle() {
	s, c := &g.settlement, g.counted.Load()
	s.due.Store(g.sys.Clocks.Monotonic.Now() + settleNS + int64(len(c.tasks))*settleThreadNS)
	space, ok := c.space().(platform.Clocked)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ran, ok := space.CPUTime()
	if !ok {
		return
	}
	now, claimed := g.sys.Clocks.Monotonic.Now(), int64(0)
	for _, t := range c.tasks {
		user := t.times.user.Load() + t.inGuestAt(now)
		t.times.claimed = max(0, user-t.times.settled)
		t.times.settled = user
		claimed += t.times.claimed
	}
	same, has := s.space == space.(platform.AddressSpace), ran-s.ran
	s.space, s.ran = space.(platform.AddressSpace), ran
	if !same || claimed <= has {
		return
	}
	for _, t := range c.tasks {
		waited := int64(float64(t.times.claimed) * float64(claimed-has) / float64(claimed))
		t.times.user.Add(-waited)
		t.times.settled -= waited
	}
}

// space returns the platform's side of the process's memory, nil if there is none.
func (c *counted) space() platform.AddressSpace {
	for _, t := range c.tasks {
		if m := t.MM(); m != nil {
			return m.Space()
		}
	}
	return nil
}
