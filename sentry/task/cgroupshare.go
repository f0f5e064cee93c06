package task

import (
	"cmp"
	"slices"
	"time"

	"cordon/sentry/cgroup"
)

// The host's scheduler knows nothing of the guest's control groups, and a
// sandbox without rights cannot make it treat one thread better than another and
// change its mind. So who has had his due stands still for a turn while others,
// who have not, would run: cpu.weight.

// A turn is how long that is, and how often who may begin to compete is looked for.
const (
	shareTurn = 10 * time.Millisecond
	shareLook = 50 * time.Millisecond
)

// A sharer is who sees to weights.
type sharer struct {
	s      *System
	dealer cgroup.Dealer
	seen   map[*Task]*shareState
	last   time.Time
	held   bool // somebody stands still
}

// shareState is what a sharer knows of a task.
type shareState struct {
	cpu   int64 // its time when it was last looked at
	ran   int64 // its time while not all could run
	wants bool
}

// competesTreeLocked reports whether the task would run if it could. Others than
// those that wait for their turn may stand still for longer.
func (t *Task) competesTreeLocked() bool {
	if t.exitState != alive || t.sleeps.Load() || t.vforkPending.Load() || t.work.Load()&workStop != 0 {
		return false
	}
	return !t.heldElseTreeLocked()
}

// watchShares goes on while weights matter.
func (s *System) watchShares() {
	w := &s.watch
	sh := &sharer{s: s, last: time.Now()}
	for {
		weighs := s.Cgroups.Weighs()
		w.mu.Lock()
		if !weighs || w.ended {
			w.shares = false
			w.mu.Unlock()
			sh.release()
			return
		}
		w.mu.Unlock()
		if w.weights.Swap(false) {
			sh.dealer.Forget()
		}
		sh.deal()
		if sh.held {
			time.Sleep(shareTurn)
			continue
		}
		time.Sleep(shareLook)
		s.awaitWake()
		sh.last = time.Now()
	}
}

// deal has one turn's tasks go on and the others stand still.
func (sh *sharer) deal() {
	now := time.Now()
	elapsed := now.Sub(sh.last).Nanoseconds()
	sh.last = now
	s := sh.s
	s.tree.Lock()
	claims, tasks := sh.claimsTreeLocked()
	granted := sh.dealer.Deal(s.CPUs(), elapsed, claims)
	held := false
	for i, list := range tasks {
		if granted[i] < len(list) {
			held = true
			// Those go on that have had least.
			slices.SortStableFunc(list, func(a, b *Task) int { return cmp.Compare(sh.seen[a].ran, sh.seen[b].ran) })
		}
		for k, t := range list {
			t.waitsTurn.Store(k >= granted[i])
		}
	}
	if held || sh.held {
		s.holdTreeLocked(func(*ThreadGroup) bool { return true })
	}
	s.tree.Unlock()
	if sh.held {
		s.wakeFrozen()
	}
	sh.held = held
}

// claimsTreeLocked counts what groups want, and returns whose it is.
func (sh *sharer) claimsTreeLocked() (claims []cgroup.Claim, tasks [][]*Task) {
	at := map[*cgroup.Group]int{}
	seen := make(map[*Task]*shareState, len(sh.s.tasks))
	for _, t := range sh.s.tasks {
		if t.exitState != alive {
			continue
		}
		g := t.group.Cgroup().ShareGroup()
		i, ok := at[g]
		if !ok {
			i = len(claims)
			at[g] = i
			claims, tasks = append(claims, cgroup.Claim{Group: g}), append(tasks, nil)
		}
		cpu := t.CPUTime()
		st := sh.seen[t]
		if st == nil {
			st = &shareState{cpu: cpu}
		}
		seen[t] = st
		used := max(0, cpu-st.cpu)
		st.cpu = cpu
		st.ran += used
		claims[i].UsedNS += used
		if t.competesTreeLocked() {
			claims[i].Tasks++
			tasks[i] = append(tasks[i], t)
		} else {
			t.waitsTurn.Store(false)
		}
	}
	sh.seen = seen
	if !sh.held {
		for _, st := range seen {
			st.ran = 0
		}
	}
	// In the order of the tasks' numbers, so that a deal does not depend on a map's.
	for i := range tasks {
		slices.SortFunc(tasks[i], func(a, b *Task) int { return cmp.Compare(a.TID(), b.TID()) })
	}
	return claims, tasks
}

// release lets everybody go on.
func (sh *sharer) release() {
	s := sh.s
	s.tree.Lock()
	for _, t := range s.tasks {
		t.waitsTurn.Store(false)
	}
	s.holdTreeLocked(func(*ThreadGroup) bool { return true })
	s.tree.Unlock()
	s.wakeFrozen()
}

// WeightChanged has weights looked after from now on.
func (s *System) WeightChanged(cg *cgroup.Group) {
	s.watch.weights.Store(true)
	s.watchCgroup(cg)
}
