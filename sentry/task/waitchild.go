package task

import (
	"cordon/internal/linux"
)

// WaitOptions says which children a wait wants (wait4(2), waitid(2)). Its ID, and
// the result's, are the numbers that the caller knows.
type WaitOptions struct {
	Type    linux.WaitIDType
	ID      int32 // of the process or the group, by Type
	Options linux.WaitOptions
	// Group is the pidfd's process for P_PIDFD.
	Group *ThreadGroup
}

// WaitResult is what a wait found.
type WaitResult struct {
	PID    int32
	UID    uint32
	Status linux.WaitStatus
	Usage  Usage
	// Trapped says that a tracee stopped for its tracer.
	Trapped bool
}

// Wait waits for a child's change of state. A zero result without an error is
// WNOHANG with nothing to report. Task-only.
func (t *Task) Wait(o *WaitOptions) (WaitResult, error) {
	g := t.group
	own := *o
	own.ID = t.ToRootPID(o.ID)
	o = &own
	e := t.Waker(eventChild)
	g.childEvents.Add(e)
	defer g.childEvents.Remove(e)
	var res WaitResult
	var err error
	found := func() bool {
		var any bool
		res, any = t.tryWait(o)
		switch {
		case res.PID != 0:
			return true
		case !any:
			err = linux.ECHILD
			return true
		}
		return o.Options&linux.WNOHANG != 0
	}
	if serr := t.Sleep(nil, NoDeadline, found); serr != nil {
		return WaitResult{}, RestartSys
	}
	return res, err
}

// tryWait looks at every child. any tells whether one could match later.
func (t *Task) tryWait(o *WaitOptions) (res WaitResult, any bool) {
	s := t.sys
	s.tree.Lock()
	defer s.tree.Unlock()
	for _, c := range t.group.children {
		if x := c.leader.trace.Load(); x != nil && x.tracer.group == t.group {
			continue // waited for below
		}
		if !t.wantsTreeLocked(c, o) {
			continue
		}
		any = true
		if c.zombieNow && c.deferredTreeLocked() {
			continue
		}
		if r, ok := c.stateTreeLocked(o); ok {
			r.PID = t.group.pids.fromRootTreeLocked(r.PID)
			return r, true
		}
	}
	r, tracing := t.tryTraceesTreeLocked(o)
	r.PID = t.group.pids.fromRootTreeLocked(r.PID)
	return r, any || tracing
}

func (t *Task) wantsTreeLocked(c *ThreadGroup, o *WaitOptions) bool {
	if o.Options&linux.WNOTHREAD != 0 && c.leader.parentTask != t || !t.wantsIDTreeLocked(c, c.idTreeLocked(), o) {
		return false
	}
	// Without __WALL only children of the kind asked for count: those that
	// signal something else than SIGCHLD are "clone" children.
	clone := c.leader.exitSignal != linux.SIGCHLD
	return o.Options&linux.WALL != 0 || clone == (o.Options&linux.WCLONE != 0)
}

// wantsIDTreeLocked reports whether a wait is for the thread id of c.
func (t *Task) wantsIDTreeLocked(c *ThreadGroup, tid int32, o *WaitOptions) bool {
	switch o.Type {
	case linux.P_PID:
		return tid == o.ID
	case linux.P_PGID:
		id := o.ID
		if id == 0 {
			id = t.group.pgrp.id
		}
		return c.pgrp != nil && c.pgrp.id == id
	case linux.P_PIDFD:
		return c == o.Group && tid == c.idTreeLocked()
	}
	return true
}

// stateTreeLocked takes (or with WNOWAIT looks at) a change of c's state. An end that its
// tracer takes is then its parent's to wait for.
func (c *ThreadGroup) stateTreeLocked(o *WaitOptions) (WaitResult, bool) {
	keep := o.Options&linux.WNOWAIT != 0
	r := WaitResult{PID: c.idTreeLocked(), UID: c.leader.Cred().RUID}
	if c.zombieNow {
		if o.Options&linux.WEXITED == 0 {
			return r, false
		}
		r.Status = c.status
		r.Usage = c.gone
		r.Usage.Add(c.reaped)
		switch {
		case keep:
		case c.deferredTreeLocked():
			c.leader.unlinkTreeLocked()
			c.leader.unwaitedTreeLocked()
		default:
			c.reapTreeLocked()
		}
		return r, true
	}
	if !c.takeChange(o, keep, &r.Status) {
		return r, false
	}
	// Not before: this waits for the child's memory, which is busy when it starts.
	r.Usage = c.usageAndRSSTreeLocked()
	return r, true
}

// takeChange takes (or looks at) a stop or a continuation.
func (c *ThreadGroup) takeChange(o *WaitOptions, keep bool, status *linux.WaitStatus) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.Options&linux.WSTOPPED != 0 && c.stop.complete && !c.stop.reported {
		c.stop.reported = !keep
		*status = linux.WaitStopped(c.stop.signal)
		return true
	}
	return c.takeContinuedLocked(o, keep, status)
}

func (c *ThreadGroup) takeContinuedLocked(o *WaitOptions, keep bool, status *linux.WaitStatus) bool {
	if o.Options&linux.WCONTINUED == 0 || !c.stop.continued {
		return false
	}
	c.stop.continued = keep
	*status = linux.WaitContinued
	return true
}

// ChildEvents returns the SIGCHLD code and status for a wait status
// (waitid(2)).
func ChildEvents(w linux.WaitStatus) (linux.SigCode, int32) {
	switch {
	case w.Continued():
		return linux.CLD_CONTINUED, int32(linux.SIGCONT)
	case w.Stopped():
		return linux.CLD_STOPPED, int32(w.StopSignal())
	}
	return exitCode(w)
}

// WaitInit waits, from outside any task, until process g has ended, and
// returns its status.
func (s *System) WaitProcess(g *ThreadGroup) linux.WaitStatus {
	e, c := channelEntry()
	g.exitEvents.Add(e)
	defer g.exitEvents.Remove(e)
	for !g.Exited() {
		<-c
	}
	return g.Status()
}

// Reap removes a process that ended and has no parent.
func (s *System) Reap(g *ThreadGroup) {
	s.tree.Lock()
	defer s.tree.Unlock()
	if g.zombieNow && g.parent == nil {
		g.reapTreeLocked()
	}
}
