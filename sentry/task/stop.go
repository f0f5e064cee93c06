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
	if g.exiting || g.stop.signal != 0 {
		return
	}
	g.stop = stopState{signal: s}
	for _, o := range g.tasks {
		o.kick(workStop)
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
	g.stop.parked++
	t.runState = Stopped
	tell := g.stop.parked == len(g.tasks) && !g.stop.complete
	if tell {
		g.stop.complete = true
	}
	g.mu.Unlock()
	if tell {
		g.notifyParent(linux.CLD_STOPPED)
	}
	t.sys.sleepBegin()
	t.uninterruptible(func() bool { return t.work.Load()&workStop == 0 })
	t.sys.sleepEnd()
	t.runState = Running
}

// continueLocked ends a stop.
func (g *ThreadGroup) continueLocked() {
	if g.stop.signal == 0 {
		return
	}
	complete := g.stop.complete
	g.stop = stopState{continued: complete}
	for _, t := range g.tasks {
		t.work.And(^workStop)
		t.Nudge()
	}
	if complete {
		// The parent's lock may come before ours in the tree's order only
		// from a goroutine that holds nothing.
		go g.notifyParent(linux.CLD_CONTINUED)
	}
}

// notifyParent tells the parent that a child stopped or went on.
func (g *ThreadGroup) notifyParent(code linux.SigCode) {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	p := g.parent
	if p == nil {
		return
	}
	if p.Actions().Get(linux.SIGCHLD).Flags&linux.SA_NOCLDSTOP == 0 {
		g.mu.Lock()
		status := int32(g.stop.signal)
		g.mu.Unlock()
		if code == linux.CLD_CONTINUED {
			status = int32(linux.SIGCONT)
		}
		p.sendTreeLocked(nil, g.childInfoTreeLocked(code, status))
	}
	p.childEvents.Notify(eventChild)
}

func (g *ThreadGroup) childInfoTreeLocked(code linux.SigCode, status int32) *linux.SigInfo {
	info := &linux.SigInfo{Signo: linux.SIGCHLD, Code: code}
	info.SetPID(g.idTreeLocked())
	info.SetUID(g.leader.Cred().RUID)
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
	s.frozenCond.Broadcast()
	for t.work.Load()&workFreeze != 0 && t.work.Load()&workKill == 0 {
		s.frozenCond.Wait()
	}
	s.frozen.Add(-1)
	s.frozenMu.Unlock()
	t.runState = t.frozenIn
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
			t.work.And(^workFreeze)
		}
	}
	s.tree.Unlock()
	s.frozenMu.Lock()
	s.frozenCond.Broadcast()
	s.frozenMu.Unlock()
}
