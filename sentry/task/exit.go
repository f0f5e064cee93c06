package task

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/signal"
	"cordon/sentry/wait"
)

const eventChild = wait.Internal

// Exit is exit(2): the calling thread ends. Task-only.
func (t *Task) Exit(code int32) {
	t.exitCode = linux.WaitExited(code)
	t.runState = Exiting
}

// ExitGroup is exit_group(2).
func (t *Task) ExitGroup(code int32) {
	t.group.mu.Lock()
	t.group.exitLocked(linux.WaitExited(code), nil)
	t.group.mu.Unlock()
}

// exitLocked ends every thread but except. The first status wins.
func (g *ThreadGroup) exitLocked(status linux.WaitStatus, except *Task) {
	if !g.exiting {
		g.stop = stopState{}
	}
	if !g.exiting && except == nil {
		g.exiting = true
		g.exitStatus = status
	}
	for _, t := range g.tasks {
		if t == except {
			continue
		}
		if except != nil {
			t.killedBy = true
		} else {
			t.killedBy = false
		}
		t.work.And(^workStop)
		t.kick(workKill)
	}
	if g.sys.frozen.Load() > 0 {
		// Who stands still for the freezer is to see it; its lock comes before
		// those held here.
		go g.sys.wakeFrozen()
	}
}

// KillAll ends every process, the sandbox being told to stop.
func (s *System) KillAll() {
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, t := range s.tasks {
		g := t.group
		if t != g.leader {
			continue
		}
		g.mu.Lock()
		g.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
		g.mu.Unlock()
	}
}

// exit ends the task: it gives up what it holds and tells who waits (Linux:
// kernel/exit.c do_exit).
func (t *Task) exit() {
	s, g := t.sys, t.group
	g.settle() // while the memory is there
	t.traceEnd()
	s.tree.Lock()
	g.mu.Lock()
	t.exitState = exiting
	last := !g.livesLocked()
	g.mu.Unlock()
	s.tree.Unlock()
	if last {
		t.endNamespace()
		t.keepMaxRSS()
	}
	t.releaseMemory()
	t.leaveIPC()
	t.FDs().DecRef()
	t.FS().Drop()
	t.leaveCounted()
	t.ctx.Release()

	own := t.OwnTID()
	s.tree.Lock()
	s.late.begin()
	t.letGoTreeLocked()
	t.leaveGroupTreeLocked()
	g.gone.Add(t.Usage())
	g.gone.MaxRSSBytes = g.maxRSS.Load()
	g.countTreeLocked()
	t.orphanedBy()
	t.passGroupSignals()
	var after []func()
	if len(g.tasks) == 0 {
		after = g.endTreeLocked(t)
	}
	g.mu.Lock()
	if e := g.execing; e != nil {
		e.Nudge()
	}
	if g.dumping != nil {
		g.dumping.Nudge()
	}
	stopComplete, sig := g.stopDoneLocked(), g.stop.signal
	g.mu.Unlock()
	t.leaveListener()
	s.live--
	over := s.overTreeLocked()
	s.tree.Unlock()
	s.late.end()
	s.Futexes.Exited(own, g.pids)
	for _, f := range after {
		f()
	}
	if stopComplete {
		g.notifyParent(linux.CLD_STOPPED, sig)
	}
	s.frozenMu.Lock()
	s.frozenCond.Broadcast()
	s.frozenMu.Unlock()
	if over {
		s.end()
	}
	if s.Turn != nil {
		s.Turn.Leave()
	}
}

// leaveGroupTreeLocked takes the task out of its process.
func (t *Task) leaveGroupTreeLocked() {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tasks = without(g.tasks, t)
	// Nobody takes them any more, and they may be many.
	t.pending = signal.Pending{}
	if len(g.tasks) == 0 {
		g.pending = signal.Pending{}
	}
	t.exitState = zombie
	if t != g.leader && !t.traced() {
		t.buryLocked()
	}
}

// livesLocked says whether any thread of the process is not about to end.
func (g *ThreadGroup) livesLocked() bool {
	g.mu.AssertHeld()
	return slices.ContainsFunc(g.tasks, func(t *Task) bool { return t.exitState == alive })
}

// keepMaxRSS notes how much memory the process has, before it gives its address
// space up. To count takes time for each mapping: the last thread does it (Linux:
// kernel/exit.c do_exit, group_dead).
func (t *Task) keepMaxRSS() {
	if m := t.MM(); m != nil {
		t.group.maxRSS.Store(max(t.group.maxRSS.Load(), m.MaxRSS()))
	}
}

// releaseMemory does what exit owes to other threads through memory, and drops
// the address space. execve does it too.
func (t *Task) releaseMemory() {
	m := t.MM()
	if m == nil {
		return
	}
	t.walkRobustList()
	if t.clearTID != 0 && m.Users() > 1 {
		var zero [4]byte
		if _, err := m.CopyOut(t.clearTID, zero[:]); err == nil {
			t.sys.Futexes.WakeAddress(m, t.clearTID, 1)
		}
	}
	t.clearTID, t.rseq = 0, RseqArea{}
	t.mm.Store(nil)
	m.DecUsers()
	t.endVfork()
}

// endVfork lets a parent that waits in vfork(2) go on.
func (t *Task) endVfork() {
	s := t.sys
	s.tree.Lock()
	p := t.vforkParent
	t.vforkParent = nil
	s.tree.Unlock()
	if p != nil {
		p.vforkPending.Store(false)
		p.Nudge()
	}
}

// orphanedBy sends PR_SET_PDEATHSIG to the children that this thread made.
func (t *Task) orphanedBy() {
	for _, c := range t.group.children {
		l := c.leader
		if l.parentTask != t {
			continue
		}
		for _, o := range c.tasks {
			if o.parentDeath == 0 {
				continue
			}
			info := &linux.SigInfo{Signo: o.parentDeath, Code: linux.SI_USER}
			info.SetPID(c.pids.fromRootTreeLocked(t.group.idTreeLocked()))
			info.SetUID(t.Cred().RUID)
			c.sendTreeLocked(nil, info)
		}
		if len(t.group.tasks) > 0 {
			l.parentTask = t.group.tasks[0]
		}
	}
}

// passGroupSignals hands signals meant for the group to a thread that is left.
func (t *Task) passGroupSignals() {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if t.group.pending.Set().Has(s) {
			t.group.wakeForLocked(nil, s)
		}
	}
}

// endTreeLocked makes the process a zombie and finds new parents for its
// children. The functions returned are to be called without the tree's lock.
func (g *ThreadGroup) endTreeLocked(last *Task) (after []func()) {
	s := g.sys
	g.mu.Lock()
	if !g.exiting {
		g.exiting = true
		g.exitStatus = last.exitCode
	}
	g.status = g.exitStatus
	g.stopTimersLocked()
	g.mu.Unlock()
	g.zombieNow = true
	g.tellZappersTreeLocked()
	g.leaveCgroupTreeLocked()
	after = append(after, g.hangupTreeLocked()...)
	g.leaveChildrenTreeLocked()
	g.exitEvents.Notify(wait.In | wait.RdNorm)
	s.kernel.ends.Add(1)
	if g == s.pids.init {
		s.pids.dead = true
		for _, t := range s.tasks { // containers beside it go on
			if t.group != g && t.group.pids.seenFrom(s.pids) {
				t.group.mu.Lock()
				t.group.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
				t.group.mu.Unlock()
			}
		}
	}
	g.tellParentTreeLocked()
	return after
}

// tellParentTreeLocked sends the exit signal, or reaps at once if the parent
// does not care.
func (g *ThreadGroup) tellParentTreeLocked() {
	if g.deferredTreeLocked() {
		code, status := exitCode(g.status)
		g.leader.tellTracerTreeLocked(g.leader.trace.Load(), code, status)
		return
	}
	p := g.parent
	if p == nil {
		return
	}
	sig := g.leader.exitSignal
	if !sig.Valid() {
		sig = 0 // clone(2) takes any number
	}
	ignored := false
	if sig == linux.SIGCHLD {
		act := p.Actions().Get(linux.SIGCHLD)
		ignored = act.Handler == linux.SIG_IGN || act.Flags&linux.SA_NOCLDWAIT != 0
		if act.Handler == linux.SIG_IGN {
			sig = 0
		}
	}
	if sig != 0 {
		code, status := exitCode(g.status)
		info := g.childInfoTreeLocked(p, code, status)
		info.Signo = sig
		p.sendTreeLocked(nil, info)
	}
	if ignored {
		g.reapTreeLocked()
	}
	p.childEvents.Notify(eventChild)
}

// exitCode returns SIGCHLD's code and status for a wait status.
func exitCode(w linux.WaitStatus) (linux.SigCode, int32) {
	switch {
	case w.Exited():
		return linux.CLD_EXITED, w.ExitStatus()
	case w.CoreDump():
		return linux.CLD_DUMPED, int32(w.TermSignal())
	}
	return linux.CLD_KILLED, int32(w.TermSignal())
}

// leaveChildrenTreeLocked gives the children to the nearest subreaper or to
// process 1, and tells groups that become orphaned while stopped.
func (g *ThreadGroup) leaveChildrenTreeLocked() {
	to := g.pids.reaperTreeLocked()
	for p := g.parent; p != nil && p.pids == g.pids; p = p.parent {
		if p.subreaper && !p.zombieNow {
			to = p
			break
		}
	}
	for _, c := range g.children {
		if to == g || to == nil {
			c.parent = nil
			c.withdrawFactsTreeLocked()
			continue
		}
		c.parent = to
		c.withdrawFactsTreeLocked()
		c.leader.parentTask = to.leader
		to.children = append(to.children, c)
		c.leader.exitSignal = linux.SIGCHLD
		if c.pgrp != g.pgrp && c.pgrp.session == g.pgrp.session {
			c.pgrp.hangupIfOrphanedTreeLocked()
		}
		if c.zombieNow {
			c.tellParentTreeLocked() // it may be reaped by that
		}
	}
	g.children = nil
	if g.parent != nil && g.parent.pgrp != g.pgrp && g.parent.pgrp != nil && g.parent.pgrp.session == g.pgrp.session {
		g.pgrp.hangupIfOrphanedTreeLocked()
	}
}

// hangupIfOrphanedTreeLocked sends SIGHUP and SIGCONT to a newly orphaned
// group with stopped members (POSIX _Exit, "consequences").
func (p *ProcessGroup) hangupIfOrphanedTreeLocked() {
	if !p.orphanedTreeLocked() || !p.stoppedMemberTreeLocked() {
		return
	}
	for _, m := range p.members {
		m.sendTreeLocked(nil, &linux.SigInfo{Signo: linux.SIGHUP, Code: linux.SI_KERNEL})
		m.sendTreeLocked(nil, &linux.SigInfo{Signo: linux.SIGCONT, Code: linux.SI_KERNEL})
	}
}

// hangupTreeLocked takes the terminal away when a session's leader ends.
func (g *ThreadGroup) hangupTreeLocked() []func() {
	sess := g.pgrp.session
	if sess.leader != g || sess.tty == nil {
		return nil
	}
	tty := sess.tty
	sess.tty = nil
	fg := tty.ForegroundGroup()
	if p := g.sys.groups[fg]; p != nil {
		for _, m := range p.members {
			m.sendTreeLocked(nil, &linux.SigInfo{Signo: linux.SIGHUP, Code: linux.SI_KERNEL})
		}
	}
	return []func(){tty.Hangup}
}

// reapTreeLocked removes a zombie.
func (g *ThreadGroup) reapTreeLocked() {
	s := g.sys
	if g.reapedSelf {
		return
	}
	g.reapedSelf = true
	g.leader.unlinkTreeLocked()
	if p := g.parent; p != nil {
		p.children = slices.DeleteFunc(p.children, func(c *ThreadGroup) bool { return c == g })
		p.reaped.Add(g.gone)
		p.reaped.Add(g.reaped)
	}
	g.pgrp.leaveTreeLocked(g)
	g.pgrp = nil
	g.mu.Lock()
	g.leader.exitState = dead
	g.mu.Unlock()
	delete(s.tasks, g.leader.TID())
	g.Cgroup().MoveTasks(-1)
	g.exitEvents.Notify(wait.Hup)
}

// walkRobustList marks the futexes of a dying thread (futex(2), robust lists;
// Linux: kernel/futex/core.c exit_robust_list).
func (t *Task) walkRobustList() {
	head := t.RobustList()
	m := t.MM()
	if head == 0 || m == nil {
		return
	}
	t.SetRobustList(0)
	var h linux.RobustListHead
	if !loadStruct(m, head, &h) {
		return
	}
	next, pi := h.List&^1, h.List&1 != 0
	for n := 0; next != head && n < robustListLimit; n++ {
		var following [1]uint64
		ok := loadStruct(m, next, &following)
		if next != h.ListOpPending&^1 {
			t.sys.Futexes.OwnerDied(m, next+uint64(h.FutexOffset), t.OwnTID(), pi, false)
		}
		if !ok {
			return
		}
		next, pi = following[0]&^1, following[0]&1 != 0
	}
	if p := h.ListOpPending; p&^1 != 0 {
		t.sys.Futexes.OwnerDied(m, p&^1+uint64(h.FutexOffset), t.OwnTID(), p&1 != 0, true)
	}
}

// robustListLimit bounds the walk (Linux: ROBUST_LIST_LIMIT).
const robustListLimit = 2048
