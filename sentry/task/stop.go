package task

import (
	"cordon/internal/linux"
)

// stopGroup starts or joins a job-control stop by s (Linux: kernel/signal.c
// do_signal_stop). t parks when it looks at its work again.
func (t *Task) stopGroup(s linux.Signal) {
	g := t.group
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	if s != linux.SIGSTOP && g.pgrp.orphanedTreeLocked() {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := t.stopTaken
	t.stopTaken = false
	if !taken || g.exiting || g.execing != nil || g.stop.signal != 0 {
		return
	}
	g.stop = stopState{signal: s, tell: g.stop.tell}
	g.stopSeq.Add(1)
	for _, o := range g.tasks {
		o.kick(workStop)
		o.relistenLocked()
	}
}

// park keeps a task stopped until SIGCONT, SIGKILL or the end.
func (t *Task) park() {
	g := t.group
	g.mu.Lock()
	if g.stop.signal == 0 {
		t.work.And(^workStop)
		g.mu.Unlock()
		return
	}
	seq, sig := g.stopSeq.Load(), g.stop.signal
	if t.stopSeq != seq {
		t.stopSeq = seq
		g.stop.parked++
	}
	tell := g.stopDoneLocked()
	x := t.trace.Load()
	g.mu.Unlock()
	if tell && (x == nil || x.tracer.group != g.parentGroup()) {
		g.notifyParent(linux.CLD_STOPPED, sig)
	}
	if x != nil {
		t.parkTraced(x, sig)
		return
	}
	t.runState = Stopped
	// SIGCONT and the next stop may both come before this thread has noticed.
	t.uninterruptible(func() bool { return t.work.Load()&workStop == 0 || g.stopSeq.Load() != seq || t.traced() })
	t.runState = Running
	if t.restart == RestartNoStop || t.restart == RestartCall && t.restartBlk.Kind == RestartEpoll {
		t.restart = 0
		t.regs.RAX = uint64(linux.EINTR.Result())
	}
}

// stopDoneLocked reports, once for each stop, that every thread has stopped.
func (g *ThreadGroup) stopDoneLocked() bool {
	st := &g.stop
	if st.signal == 0 || st.complete || len(g.tasks) == 0 || st.parked < len(g.tasks) {
		return false
	}
	st.complete = true
	return true
}

// continueLocked ends a stop.
func (g *ThreadGroup) continueLocked() {
	if g.stop.signal == 0 {
		return
	}
	// The parent's lock is not to be had here: whichever thread runs first
	// tells it, as in Linux.
	g.stop = stopState{continued: true, tell: true}
	for _, t := range g.tasks {
		t.work.And(^workStop)
		t.kick(workTell)
		t.relistenLocked()
	}
}

// tellContinued tells the parent that the group goes on, if no other thread
// has.
func (t *Task) tellContinued() {
	g := t.group
	t.work.And(^workTell)
	g.mu.Lock()
	tell := g.stop.tell
	g.stop.tell = false
	g.mu.Unlock()
	if tell {
		g.notifyParent(linux.CLD_CONTINUED, linux.SIGCONT)
	}
}

// notifyParent tells the parent that a child stopped by sig or went on.
func (g *ThreadGroup) notifyParent(code linux.SigCode, sig linux.Signal) {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	p := g.parent
	if p == nil {
		return
	}
	if p.Actions().Get(linux.SIGCHLD).Flags&linux.SA_NOCLDSTOP == 0 {
		p.sendTreeLocked(nil, g.childInfoTreeLocked(p, code, int32(sig)))
	}
	p.childEvents.Notify(eventChild)
}

func (g *ThreadGroup) childInfoTreeLocked(p *ThreadGroup, code linux.SigCode, status int32) *linux.SigInfo {
	info := &linux.SigInfo{Signo: linux.SIGCHLD, Code: code}
	info.SetPID(p.pids.fromRootTreeLocked(g.idTreeLocked()))
	info.SetUID(p.leader.Cred().UserNS.FromRootUID(g.leader.Cred().RUID))
	info.SetStatus(status)
	u := g.usageTreeLocked()
	info.SetUtime(u.UserNS / ticksNS)
	info.SetStime(u.SystemNS / ticksNS)
	return info
}

// ticksNS is one clock tick of USER_HZ.
const ticksNS = 10_000_000

// freeze parks a task for a checkpoint or a pause.
func (t *Task) freeze() {
	s := t.sys
	// Another goroutine saves the task: it may not ask the context.
	t.frozenFPU = append(t.frozenFPU[:0], t.ctx.FPU()...)
	t.frozenIn = t.runState
	t.runState = Frozen
	s.frozenMu.Lock()
	s.frozen.Add(1)
	t.account(&t.times.system)
	t.parked.Store(true)
	defer t.parked.Store(false)
	if cg := t.group.Cgroup(); cg.Frozen() {
		defer cg.Tell()
		cg.Tell()
	}
	if c := t.group.container; c != nil {
		c.frozen.Add(1)
		defer c.frozen.Add(-1)
	}
	s.frozenCond.Broadcast()
	for !t.thawed() {
		if s.Turn == nil {
			s.frozenCond.Wait()
			continue
		}
		s.frozenMu.Unlock()
		s.Turn.Park(t.thawed)
		s.frozenMu.Lock()
	}
	t.switched.Store(s.Clocks.Monotonic.Now())
	s.frozen.Add(-1)
	s.frozenMu.Unlock()
	s.wokeUp()
	t.runState = t.frozenIn
}

// thawed reports whether a frozen task goes on.
func (t *Task) thawed() bool {
	work := t.work.Load()
	return work&workFreeze == 0 || work&workKill != 0
}

// Freeze parks every task between two instructions of its guest and returns
// when all are parked. Thaw undoes one Freeze.
func (s *System) Freeze() {
	s.tree.Lock()
	s.freezing++
	for _, t := range s.tasks {
		if t.exitState == alive {
			t.kick(workFreeze)
		}
	}
	s.tree.Unlock()
	s.frozenMu.Lock()
	defer s.frozenMu.Unlock()
	for !s.allFrozen() {
		s.frozenCond.Wait()
	}
}

func (s *System) allFrozen() bool {
	s.tree.RLock()
	defer s.tree.RUnlock()
	return int(s.frozen.Load()) >= s.live
}

// Thaw lets the tasks go on.
func (s *System) Thaw() {
	s.tree.Lock()
	if s.freezing--; s.freezing == 0 {
		for _, t := range s.tasks {
			if !t.heldTreeLocked() {
				t.work.And(^workFreeze)
			}
		}
	}
	s.tree.Unlock()
	s.wakeFrozen()
}
