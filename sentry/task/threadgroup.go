package task

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cgroup"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/signal"
	"cordon/sentry/wait"
)

// A ThreadGroup is a process.
type ThreadGroup struct {
	// immutable
	sys                 *System
	limits              *limit.Set
	container           *Container // nil: no label
	pids                *PIDNamespace
	start               int64 // Boottime at creation, ns
	cpuClock, userClock *cpuClock

	// atomic
	actions  atomic.Pointer[signal.Actions] // exec may unshare it
	didExec  atomic.Bool
	execs    atomic.Uint32
	oomAdj   atomic.Int32
	oomMin   atomic.Int32
	loginUID atomic.Uint32
	lead     atomic.Pointer[Task] // leader, for who asks for the id
	maxRSS   atomic.Uint64        // of address spaces given up
	taken    atomic.Int64         // of the Sentry's memory, roughly and lately
	counted  atomic.Pointer[counted]
	cgroup   atomic.Pointer[cgroup.Group] // changed under sys.tree
	stopSeq  atomic.Uint32                // counts stops; changed under mu
	// Membarrier has the commands of membarrier(2) that registered. Linux has
	// them by address space, which a process made with CLONE_VM shares.
	Membarrier atomic.Uint32
	settlement settlement

	// childEvents is notified when a child changes state.
	childEvents wait.Queue
	// exitEvents is notified when the last thread has gone (pidfd).
	exitEvents wait.Queue

	// guarded by sys.tree and mu both: either is enough to read
	leader *Task
	tasks  []*Task // living threads

	// guarded by sys.tree
	parent     *ThreadGroup
	children   []*ThreadGroup
	pgrp       *ProcessGroup
	gone       Usage // of threads that ended
	reaped     Usage // of children waited for
	subreaper  bool
	reapedSelf bool
	zombieNow  bool
	status     linux.WaitStatus // of the zombie
	cgroupBase [2]int64         // times used before it came into its group, ns

	// guarded by mu
	mu         lock.Mutex[lock.ThreadGroup]
	pending    signal.Pending
	exiting    bool
	exitStatus linux.WaitStatus
	execing    *Task // ends its siblings
	dumping    *Task // writes a core file, once
	halted     int   // siblings that wait for the end of that
	stop       stopState
	timers     posixTimers
	itimers    itimers
	cpuLimit   *ktime.Timer
}

// stopState is a job-control stop.
type stopState struct {
	signal    linux.Signal // the signal that stops the group; 0: not stopped
	parked    int          // threads that have stopped
	complete  bool         // all have, the parent is told
	reported  bool         // wait(WUNTRACED) has taken it
	continued bool         // SIGCONT came, wait(WCONTINUED) has not taken it
	tell      bool         // SIGCONT came, the parent has not been told
}

// ID is the process id.
func (g *ThreadGroup) ID() int32 { return g.lead.Load().TID() }

func (g *ThreadGroup) idTreeLocked() int32 { return g.leader.TID() }

// Limits returns the resource limits.
func (g *ThreadGroup) Limits() *limit.Set { return g.limits }

// Actions returns the signal actions.
func (g *ThreadGroup) Actions() *signal.Actions { return g.actions.Load() }

// Leader returns the first thread; it may have exited.
func (g *ThreadGroup) Leader() *Task {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.leader
}

// Tasks returns the living threads, in order of id.
func (g *ThreadGroup) Tasks() []*Task {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return slices.Clone(g.tasks)
}

// Count returns the number of living threads.
func (g *ThreadGroup) Count() int {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return len(g.tasks)
}

// ParentID is the parent's id: 0 for process 1.
func (g *ThreadGroup) ParentID() int32 {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	if g.parent == nil {
		return 0
	}
	return g.parent.idTreeLocked()
}

// parentGroup returns the parent, nil for process 1.
func (g *ThreadGroup) parentGroup() *ThreadGroup {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.parent
}

// Children returns the ids of the children, living or zombies.
func (g *ThreadGroup) Children() []int32 {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	var ids []int32
	for _, c := range g.children {
		ids = append(ids, c.idTreeLocked())
	}
	return ids
}

// StartTime is when the process was made, in Boottime nanoseconds.
func (g *ThreadGroup) StartTime() int64 { return g.start }

// SetSubreaper sets PR_SET_CHILD_SUBREAPER; Subreaper returns it.
func (g *ThreadGroup) SetSubreaper(on bool) {
	g.sys.tree.Lock()
	g.subreaper = on
	g.sys.tree.Unlock()
}

// Subreaper reports PR_SET_CHILD_SUBREAPER.
func (g *ThreadGroup) Subreaper() bool {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.subreaper
}

// OOMScoreAdj is /proc/pid/oom_score_adj.
func (g *ThreadGroup) OOMScoreAdj() *atomic.Int32 { return &g.oomAdj }

// OOMScoreAdjMin is how far OOMScoreAdj can be lowered without CAP_SYS_RESOURCE: what it was last set to with it.
func (g *ThreadGroup) OOMScoreAdjMin() *atomic.Int32 { return &g.oomMin }

// ExitEvents is notified when the process has ended (pidfd's readiness).
func (g *ThreadGroup) ExitEvents() *wait.Queue { return &g.exitEvents }

// Exited reports whether every thread has gone.
func (g *ThreadGroup) Exited() bool {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.zombieNow
}

// Status returns the wait status of a process that has ended.
func (g *ThreadGroup) Status() linux.WaitStatus {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.status
}

func sortedByTID(m map[int32]*Task) []*Task {
	return slices.SortedFunc(maps.Values(m), func(a, b *Task) int { return cmp.Compare(a.TID(), b.TID()) })
}
