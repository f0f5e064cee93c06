package task

import (
	"sync"
	"sync/atomic"
	"time"

	"cordon/sentry/cgroup"
)

// A watch sees to it that groups keep to the limits that nothing on the guest's
// way checks: a page is given at its first touch by the host, which asks
// nobody, and the host runs guest code. A limit of memory is looked at the more
// often the nearer it is, a quota of processor time when it can be used up at
// the earliest. While all tasks sleep nobody looks.
type watch struct {
	// atomic
	waits   atomic.Bool   // somebody waits until a task wakes up
	weights atomic.Bool   // one has changed
	guest   atomic.Int64  // what the memory file can have, in bytes; 0: no bound
	own     atomic.Int64  // what the sandbox needed for itself when somebody looked
	total   atomic.Uint64 // memory the guest has, in bytes; 0: MemoryLimit

	// immutable
	again *sync.Cond // with mu: a task woke up, or all have gone

	oom sync.Mutex
	// guarded by oom
	victim *ThreadGroup // killed last for memory
	gone   bool         // it was seen to have exited
	killed time.Time    // or when that was

	mu sync.Mutex
	// guarded by mu
	memory   bool // a goroutine looks at memory
	shares   bool // another at weights
	pressure bool // another at what tasks wait for
	quotas   map[*cgroup.Group]bool
	wakes    uint64 // counts what again tells
	ended    bool
}

// Bounds of the pace at which memory is looked at, and what a guest may take in
// a millisecond at most on all processors.
const (
	shortestLook = time.Millisecond
	longestLook  = 50 * time.Millisecond
	fastestFill  = 16 << 20
)

// WatchCgroup looks after a group's limits from now on. Called when one has
// changed.
func (s *System) WatchCgroup(cg *cgroup.Group) { s.watchCgroup(cg) }

func (s *System) watchCgroup(cg *cgroup.Group) {
	if s.Turn != nil {
		return // there, time is not the host's
	}
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if !w.memory && cg.BoundsMemory() {
		w.memory = true
		go s.watchMemory()
	}
	if !w.shares && s.Cgroups.Weighs() {
		w.shares = true
		go s.watchShares()
	}
	for up := cg; up != nil; up = up.Parent() {
		if quota, _, _ := up.Quota(); quota != cgroup.NoLimit && !w.quotas[up] && !up.QuotaOutside() {
			if w.quotas == nil {
				w.quotas = make(map[*cgroup.Group]bool)
			}
			w.quotas[up] = true
			go s.watchQuota(up)
		}
	}
}

// endWatch ends the looking: the last task has gone.
func (s *System) endWatch() {
	s.watch.mu.Lock()
	s.watch.ended = true
	s.watch.wakes++
	s.watch.again.Broadcast()
	s.watch.mu.Unlock()
}

// wokeUp is told that a task goes on after a sleep.
func (s *System) wokeUp() {
	if s.watch.waits.Load() && s.watch.waits.CompareAndSwap(true, false) {
		s.watch.mu.Lock()
		s.watch.wakes++
		s.watch.again.Broadcast()
		s.watch.mu.Unlock()
	}
}

// awaitWake returns when a task does not sleep, or all have gone.
func (s *System) awaitWake() {
	w := &s.watch
	w.mu.Lock()
	before := w.wakes
	w.mu.Unlock()
	w.waits.Store(true)
	if !s.allSleep() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.wakes == before && !w.ended {
		w.again.Wait()
	}
}

// allSleep reports whether no task can take memory.
func (s *System) allSleep() bool {
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, t := range s.tasks {
		if t.exitState < zombie && !t.sleeps.Load() && !t.parked.Load() {
			return false
		}
	}
	return true
}

// watchMemory goes on until no group has a limit.
func (s *System) watchMemory() {
	w := &s.watch
	for {
		bounded := s.bounded()
		w.mu.Lock()
		if len(bounded) == 0 || w.ended {
			w.memory = false
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		pause := longestLook
		for _, cg := range bounded {
			pause = min(pause, s.look(cg))
		}
		time.Sleep(pause)
		s.awaitWake()
	}
}

// bounded returns the groups whose memory has a limit.
func (s *System) bounded() (list []*cgroup.Group) {
	for _, cg := range s.Cgroups.Root().Descendants() {
		if cg.BoundsMemory() {
			list = append(list, cg)
		}
	}
	return list
}

// look checks the limits of a group's memory and returns when to look again.
func (s *System) look(cg *cgroup.Group) time.Duration {
	over := s.overLimit(cg, cgroup.MemoryMax)
	if over > 0 && s.reclaim() {
		over = s.overLimit(cg, cgroup.MemoryMax)
	}
	if over > 0 {
		cg.CountMemory(cgroup.EventMax)
		s.outOfMemory(cg)
		return shortestLook
	}
	if high := s.overLimit(cg, cgroup.MemoryHigh); high > 0 {
		cg.CountMemory(cgroup.EventHigh)
		s.reclaim()
		s.slow(cg, high)
	}
	return max(shortestLook, min(longestLook, time.Duration(-over/fastestFill)*time.Millisecond))
}

// reclaimPause is how long caches are left to fill after they were emptied.
const reclaimPause = time.Second

// reclaim has caches give up what they keep. It reports whether it did so.
func (s *System) reclaim() bool {
	now := time.Now().UnixNano()
	if last := s.reclaimed.Load(); now-last < int64(reclaimPause) {
		return false
	}
	s.reclaimed.Store(now)
	s.Memory.Trim()
	if s.Reclaim != nil {
		s.Reclaim()
	}
	return true
}

// slow has the tasks of a group above memory.high stand still for a while, the
// longer the further it is above (Linux: mm/memcontrol.c calculate_high_delay).
func (s *System) slow(cg *cgroup.Group, over int64) {
	const least, most = 10 * time.Millisecond, 500 * time.Millisecond
	share := float64(over) / float64(max(cg.MemoryLimit(cgroup.MemoryHigh), 1))
	pause := min(most, max(least, time.Duration(share*float64(2*time.Second))))
	cg.SetSlowed(true)
	s.throttle(cg, true)
	time.Sleep(pause)
	cg.SetSlowed(false)
	s.throttle(cg, false)
}

// throttle holds the tasks of cg and of the groups below, or lets them go on.
func (s *System) throttle(cg *cgroup.Group, on bool) {
	s.tree.Lock()
	cg.SetThrottled(on)
	s.holdTreeLocked(func(g *ThreadGroup) bool { return g.cgroup.Load().Within(cg) })
	s.tree.Unlock()
	if !on {
		s.wakeFrozen()
	}
}

// watchQuota keeps a group to its cpu.max: it measures in each period what the
// group has used and holds it when that is all (Linux: kernel/sched/fair.c).
func (s *System) watchQuota(cg *cgroup.Group) {
	used := func() int64 {
		user, system := s.CgroupTime(cg)
		return (user + system) / int64(time.Microsecond)
	}
	saved := int64(0) // of the burst
	for {
		quota, period, burst := cg.Quota()
		if quota == cgroup.NoLimit || cg.Removed() || s.watchEnded() {
			s.watch.mu.Lock()
			delete(s.watch.quotas, cg)
			s.watch.mu.Unlock()
			return
		}
		begin, first := time.Now(), used()
		end := begin.Add(time.Duration(period) * time.Microsecond)
		left := quota + saved
		for now := begin; now.Before(end) && left > 0; now = time.Now() {
			// All processors could be used from here on.
			pause := time.Duration(left) * time.Microsecond / time.Duration(s.CPUs())
			time.Sleep(min(max(pause, shortestLook), end.Sub(now)))
			left = quota + saved - (used() - first)
		}
		lost := int64(0)
		if pause := time.Until(end); left <= 0 && pause > 0 {
			s.throttle(cg, true)
			time.Sleep(pause)
			s.throttle(cg, false)
			lost = int64(pause)
		}
		cg.EndPeriod(lost)
		// What was used beyond the quota is the next period's.
		saved = min(left, burst)
		if left == quota+burst || first == used() {
			s.sleepUntilUsed(cg, period)
		}
	}
}

// sleepUntilUsed waits while a group uses no processor time.
func (s *System) sleepUntilUsed(cg *cgroup.Group, period int64) {
	const most = 10 // periods
	user, system := s.CgroupTime(cg)
	for pause := time.Duration(period) * time.Microsecond / 10; !s.watchEnded() && !cg.Removed(); pause = min(pause*2, most*time.Duration(period)*time.Microsecond/10) {
		u, y := s.CgroupTime(cg)
		if u != user || y != system {
			return
		}
		time.Sleep(pause)
	}
}

func (s *System) watchEnded() bool {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	return s.watch.ended
}

// EmptyCaches has caches give up what they keep, and returns how many bytes of
// memory of guests were among it.
func (s *System) EmptyCaches() int64 {
	n := int64(s.Memory.Kept())
	s.reclaimed.Store(0)
	s.reclaim()
	return n
}
