package task

import (
	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/signal"
	"cordon/sentry/wait"
)

const stopSignals = linux.SigSet(1<<(linux.SIGSTOP-1) | 1<<(linux.SIGTSTP-1) | 1<<(linux.SIGTTIN-1) | 1<<(linux.SIGTTOU-1))

// Send sends info to one thread (tgkill(2)). It is from the kernel or has been
// permitted.
func (t *Task) Send(info *linux.SigInfo) linux.Errno {
	t.sys.tree.RLock()
	defer t.sys.tree.RUnlock()
	return t.group.sendTreeLocked(t, info)
}

// Send sends info to the process (kill(2)).
func (g *ThreadGroup) Send(info *linux.SigInfo) linux.Errno {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	return g.sendTreeLocked(nil, info)
}

// SendFrom is Send of a signal that from's process sends, to the process or to
// one thread of it if to is not nil. As in Linux, a process that the receiver
// does not see is number 0 to it, and its SIGKILL and SIGSTOP reach process 1 of
// a namespace, too.
func (g *ThreadGroup) SendFrom(from *Task, to *Task, info *linux.SigInfo) linux.Errno {
	s := g.sys
	s.tree.RLock()
	defer s.tree.RUnlock()
	if to := g.leader.Cred().UserNS; to != from.Cred().UserNS && info.Code != linux.SI_QUEUE {
		i := *info
		i.SetUID(to.FromRootUID(from.Cred().RUID))
		info = &i
	}
	if n := g.pids; n != from.group.pids && n.fromRootTreeLocked(from.group.idTreeLocked()) == 0 {
		i := *info
		i.SetPID(0)
		if i.Signo == linux.SIGKILL || i.Signo == linux.SIGSTOP {
			i.Code = codeFromOutside
		}
		info = &i
	}
	return g.sendTreeLocked(to, info)
}

// sendTreeLocked queues info for to, or for the whole group if to is nil, and
// wakes who will take it (Linux: kernel/signal.c __send_signal_locked).
func (g *ThreadGroup) sendTreeLocked(to *Task, info *linux.SigInfo) linux.Errno {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.zombieNow || to != nil && to.exitState != alive {
		return linux.ESRCH
	}
	s := info.Signo
	g.prepareLocked(s)
	if g.ignoredLocked(to, info) {
		return 0
	}
	queue := &g.pending
	if to != nil {
		queue = &to.pending
	}
	ok := queue.Add(info, g.limits.Soft(linux.RLIMIT_SIGPENDING))
	if !ok {
		return linux.EAGAIN
	}
	if s == linux.SIGKILL && !g.exiting {
		g.exitLocked(linux.WaitSignaled(s, false), nil)
		return 0
	}
	g.wakeForLocked(to, s)
	return 0
}

// prepareLocked lets stop signals and SIGCONT cancel each other.
func (g *ThreadGroup) prepareLocked(s linux.Signal) {
	switch {
	case s == linux.SIGCONT:
		g.discardLocked(stopSignals)
		for _, t := range g.tasks {
			t.stopTaken = false
		}
		g.continueLocked()
	case stopSignals.Has(s):
		g.discardLocked(linux.SigSetOf(linux.SIGCONT))
	}
}

func (g *ThreadGroup) discardLocked(set linux.SigSet) {
	g.pending.Discard(set)
	for _, t := range g.tasks {
		t.pending.Discard(set)
	}
}

// ignoredLocked reports whether a signal is thrown away at once: it is not
// blocked, and ignored or meant for process 1 without a handler (Linux:
// kernel/signal.c sig_ignored, sig_task_ignored).
func (g *ThreadGroup) ignoredLocked(to *Task, info *linux.SigInfo) bool {
	s := info.Signo
	if t := to; s != linux.SIGKILL && (t != nil && t.traced() || t == nil && g.leader.traced()) {
		return false // its tracer may want to know
	}
	for _, t := range g.tasks {
		if (to == nil || to == t) && (t.mask.Has(s) || t.waitSet.Has(s)) {
			return false
		}
	}
	if g.protectedTreeLocked() && g.Actions().Get(s).Handler == linux.SIG_DFL && !forced(info) {
		return true
	}
	return g.Actions().Ignores(s)
}

// protectedTreeLocked reports whether signals without a handler pass the
// process by, as they do process 1 of a pid namespace.
func (g *ThreadGroup) protectedTreeLocked() bool { return g == g.pids.init && !g.pids.plain }

// forced reports whether process 1 takes the signal whatever its handlers: a
// fault of its own, or the sandbox's owner (see System.KillInit).
func forced(info *linux.SigInfo) bool { return info.Code == codeFromOutside }

// codeFromOutside marks a signal from outside the sandbox, or one that a fault
// raised and nothing handles: process 1 cannot shut it out. The guest sees
// SI_KERNEL.
const codeFromOutside linux.SigCode = 0x7fff

// SendFromOutside sends s to the process as the sandbox's owner: like a signal
// from an ancestor pid namespace, SIGKILL and SIGSTOP reach process 1 too, and
// others do if it handles them.
func (g *ThreadGroup) SendFromOutside(s linux.Signal) linux.Errno {
	info := &linux.SigInfo{Signo: s, Code: linux.SI_USER}
	if s == linux.SIGKILL || s == linux.SIGSTOP {
		info.Code = codeFromOutside
	}
	return g.Send(info)
}

// wakeForLocked finds a thread to take s and kicks it.
func (g *ThreadGroup) wakeForLocked(to *Task, s linux.Signal) {
	wakesSignalfd := wait.In | wait.RdNorm
	if to != nil {
		to.signalQ.Notify(wakesSignalfd)
		if to.wantsLocked(s) {
			to.kick(workSignal)
		}
		return
	}
	for _, t := range g.tasks {
		t.signalQ.Notify(wakesSignalfd)
	}
	// The main thread first, as Linux does, then any other that wants it.
	if l := g.leader; l.exitState == alive && l.wantsLocked(s) {
		l.kick(workSignal)
		return
	}
	for _, t := range g.tasks {
		if t.wantsLocked(s) {
			t.kick(workSignal)
			return
		}
	}
}

func (t *Task) wantsLocked(s linux.Signal) bool {
	return t.exitState == alive && (!t.mask.Has(s) || t.waitSet.Has(s))
}

// kick sets work bits and gets the task out of the guest or out of its sleep.
func (t *Task) kick(bits uint32) {
	for {
		old := t.work.Load()
		if t.work.CompareAndSwap(old, old|bits) {
			break
		}
	}
	t.Nudge()
	if t.inGuest.Load() {
		t.ctx.Interrupt()
	}
}

// Nudge puts the wake token there.
func (t *Task) Nudge() {
	if t.sys.late.add(t) {
		return
	}
	was := t.wake.put()
	if was == tokenOnWatch {
		_, _ = host.Write(int(t.bell.Load()), []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails when it has been rung enough
	}
	if was > tokenThere && t.rester != nil {
		t.rester.Roused()
	}
	if was == tokenAside {
		t.sys.pass(t)
	}
	if turn := t.sys.Turn; turn != nil {
		turn.Wake()
	}
}

// recalcLocked sets workSignal if t has something to take.
func (t *Task) recalcLocked() {
	if (t.pending.Set()|t.group.pending.Set())&^t.mask != 0 {
		t.kick(workSignal)
	}
}

// ForceSignal delivers a signal that a fault of the guest's own raised: blocked
// or ignored, it kills (Linux: kernel/signal.c force_sig_info_to_task).
func (t *Task) ForceSignal(info *linux.SigInfo) {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	act := g.Actions().Get(info.Signo)
	if t.mask.Has(info.Signo) || act.Handler == linux.SIG_IGN {
		g.Actions().Set(info.Signo, linux.SigAction{})
		t.mask.Del(info.Signo)
		act.Handler = linux.SIG_DFL
	}
	if act.Handler == linux.SIG_DFL && !t.traced() {
		i := *info
		i.Code = codeFromOutside
		info = &i
	}
	t.pending.Add(info, signal.MaxQueued)
	t.kick(workSignal)
}

// Mask returns the blocked signals.
func (t *Task) Mask() linux.SigSet {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	return t.mask
}

// SetMask replaces the blocked signals. Task-only.
func (t *Task) SetMask(m linux.SigSet) {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	t.mask = m &^ linux.UnblockableSignals
	t.recalcLocked()
	t.passOnLocked()
}

// passOnLocked finds another thread for group signals that t now blocks.
func (t *Task) passOnLocked() {
	left := t.group.pending.Set() & t.mask
	for s := linux.Signal(1); left != 0 && s <= linux.NSIG; s++ {
		if left.Has(s) {
			left.Del(s)
			t.group.wakeForLocked(nil, s)
		}
	}
}

// SetTemporaryMask blocks m until the call's end, or until the handler that
// ends it has returned (sigsuspend(2), ppoll(2)). Task-only.
func (t *Task) SetTemporaryMask(m linux.SigSet) {
	t.group.mu.Lock()
	t.savedMask, t.haveSaved = t.mask, true
	t.mask = m &^ linux.UnblockableSignals
	t.recalcLocked()
	t.group.mu.Unlock()
	t.work.Or(workMask)
}

// PendingSets returns the thread's and the process's pending signals.
func (t *Task) PendingSets() (own, shared linux.SigSet) {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	return t.pending.Set(), t.group.pending.Set()
}

// TakeSignal removes a pending signal of set (sigtimedwait, signalfd).
func (t *Task) TakeSignal(set linux.SigSet) (linux.SigInfo, bool) {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	return t.takeLocked(set)
}

// takeLocked takes the next signal of set, the thread's own before the
// process's.
func (t *Task) takeLocked(set linux.SigSet) (linux.SigInfo, bool) {
	info, ok := t.pending.Take(set)
	if !ok {
		info, ok = t.group.pending.Take(set)
	}
	if ok {
		t.group.timerTakenLocked(&info)
	}
	return info, ok
}

// HasSignal reports whether TakeSignal would find a signal.
func (t *Task) HasSignal(set linux.SigSet) bool {
	own, shared := t.PendingSets()
	return (own|shared)&set != 0
}

// SetWaitSet says which blocked signals wake t (rt_sigtimedwait(2)).
func (t *Task) SetWaitSet(set linux.SigSet) {
	t.group.mu.Lock()
	t.waitSet = set
	t.group.mu.Unlock()
}

// SignalQueue is notified when a signal comes (signalfd).
func (t *Task) SignalQueue() *wait.Queue { return &t.signalQ }

// SetAction is sigaction(2): it drops what is now ignored.
func (t *Task) SetAction(s linux.Signal, to linux.SigAction) linux.SigAction {
	g := t.group
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.Actions().Set(s, to)
	if g.Actions().Ignores(s) {
		g.discardLocked(linux.SigSetOf(s))
	}
	return old
}

// MaySignal reports whether from may send s to t (kill(2), "PERMISSION").
func (t *Task) MaySignal(from *Task, s linux.Signal) bool {
	f, to := from.Cred(), t.Cred()
	if from.group == t.group {
		return true
	}
	if f.EUID == to.SUID || f.EUID == to.RUID || f.RUID == to.SUID || f.RUID == to.RUID {
		return true
	}
	if s == linux.SIGCONT && from.Session() == t.Session() {
		return true
	}
	return mayKill(f, to)
}

func mayKill(f, to *cred.Credentials) bool { return f.HasIn(linux.CAP_KILL, to.UserNS) }

// EndTemporaryMask takes back what SetTemporaryMask set. Task-only.
func (t *Task) EndTemporaryMask() { t.restoreMask() }
