package task

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Dumpable is PR_GET_DUMPABLE: whether others of the same user may look into
// the process.
func (t *Task) Dumpable() bool { return t.dumpable.Load() }

// SetDumpable is PR_SET_DUMPABLE.
func (t *Task) SetDumpable(on bool) { t.dumpable.Store(on) }

// ParentDeath is PR_GET_PDEATHSIG.
func (t *Task) ParentDeath() linux.Signal {
	t.sys.tree.RLock()
	defer t.sys.tree.RUnlock()
	return t.parentDeath
}

// SetParentDeath is PR_SET_PDEATHSIG.
func (t *Task) SetParentDeath(s linux.Signal) {
	t.sys.tree.Lock()
	defer t.sys.tree.Unlock()
	t.parentDeath = s
}

// ClearParentDeath drops the signal when the identity changes.
func (t *Task) ClearParentDeath() { t.SetParentDeath(0) }

// TimerSlack is PR_GET_TIMERSLACK in nanoseconds; it has no effect.
func (t *Task) TimerSlack() uint64 { return t.timerSlack.Load() }

// SetTimerSlack is PR_SET_TIMERSLACK; 0 is the default.
func (t *Task) SetTimerSlack(ns uint64) {
	if ns == 0 {
		ns = defaultTimerSlack
	}
	t.timerSlack.Store(ns)
}

const defaultTimerSlack = 50_000

// ClearTID is the address that exit zeroes.
func (t *Task) ClearTID() uint64 { return t.clearTID }

// IOPrio and SetIOPrio are ioprio_get(2)'s value; it has no effect.
func (t *Task) IOPrio() uint16     { return t.ioprio }
func (t *Task) SetIOPrio(p uint16) { t.ioprio = p }

// EditSched changes the scheduling parameters under the group's lock.
func (t *Task) EditSched(f func(s *Scheduling)) {
	t.group.mu.Lock()
	f(&t.sched)
	t.group.mu.Unlock()
	t.withdrawFacts() // its processor may be another
}

// State is the letter of /proc/pid/stat: R, S, D, T, t, Z or X.
func (t *Task) State() byte {
	t.sys.tree.RLock()
	defer t.sys.tree.RUnlock()
	switch t.exitState {
	case zombie:
		return 'Z'
	case dead, exiting:
		return 'X'
	}
	t.group.mu.Lock()
	stopped := t.group.stop.signal != 0
	x := t.trace.Load()
	tracing := x != nil && x.stop != stopNone && !x.listening
	t.group.mu.Unlock()
	switch {
	case tracing:
		return 't'
	case stopped:
		return 'T'
	case t.sleeps.Load():
		return 'S'
	case t.vforkPending.Load():
		return 'D'
	}
	return 'R'
}

// CurrentCall is the system call the task is in, -1 for none (debug).
func (t *Task) CurrentCall() int64 { return int64(t.call.Load()) - 1 }

// FileOf returns a reference to another task's file, nil if there is none
// (pidfd_getfd(2), /proc/pid/fd).
func (t *Task) FileOf(fd linux.FD) *vfs.Description {
	t.sys.tree.RLock()
	living, fds := t.exitState == alive, t.FDs()
	t.sys.tree.RUnlock()
	if !living {
		return nil
	}
	return fds.Get(fd)
}
