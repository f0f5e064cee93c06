package task

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/cred"
	"cordon/sentry/ipc"
	"cordon/sentry/mm"
	"cordon/sentry/signal"
	"cordon/sentry/vfs"
)

// TaskImage is a Task in a checkpoint. One that has ended keeps its place in
// the tree and its name only.
type TaskImage struct {
	Sys, Group, Cred, MM checkpoint.Ref
	TID                  int32
	Work                 uint32
	Dumpable             bool
	Comm                 string
	Times                [5]int64 // user, system, voluntary, preempts, minor faults
	VforkPending         bool
	ParentTask           checkpoint.Ref
	ExitState            uint8
	ExitSignal           linux.Signal
	ParentDeath          linux.Signal
	VforkParent          checkpoint.Ref
	Pending              signal.Image
	Mask, WaitSet        linux.SigSet
	KilledBy             bool
	Regs                 arch.Registers
	FPU                  []byte
	FDs, FS, NS          checkpoint.Ref
	SavedMask            linux.SigSet
	HaveSaved            bool
	AltStack             linux.StackT
	Restart              int
	RestartBlk           RestartBlock
	InSyscall            bool
	CallNumber           uint64
	ClearTID, RobustList uint64
	Rseq                 RseqArea
	Trap                 [3]uint64
	SingleStep           bool
	ExecFn               string
	TimerSlack           uint64
	IOPrio               uint16
	Personality          linux.Personality
	Sched                Scheduling
	ExitCode             linux.WaitStatus
	Undo                 checkpoint.Ref
	Seccomp              checkpoint.Ref
	Trace                TraceImage
}

func saveTask(s *checkpoint.Saver, t *Task) TaskImage {
	y := t.sys
	y.tree.RLock()
	defer y.tree.RUnlock()
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	im := TaskImage{
		Sys: s.Ref(y), Group: s.Ref(t.group), Cred: s.Ref(t.Cred()), TID: t.TID(), Comm: t.Name(), Dumpable: t.dumpable.Load(),
		Times: [5]int64{
			t.times.user.Load(), t.times.system.Load(), t.times.voluntary.Load(), t.times.preempts.Load(), t.times.minorFaults.Load(),
		},
		ParentTask: s.Ref(t.parentTask), ExitState: uint8(t.exitState), ExitSignal: t.exitSignal, ParentDeath: t.parentDeath,
		ExitCode: t.exitCode, Trace: t.traceImage(s),
	}
	if t.exitState != alive {
		return im
	}
	im.Work, im.VforkPending, im.VforkParent = t.work.Load()&^workFreeze, t.vforkPending.Load(), s.Ref(t.vforkParent)
	im.Pending, im.Mask, im.WaitSet, im.KilledBy = t.pending.Image(), t.mask, t.waitSet, t.killedBy
	im.MM, im.FDs, im.FS, im.NS = s.Ref(t.MM()), s.Ref(t.FDs()), s.Ref(t.FS()), s.Ref(t.ns.Load())
	im.Regs, im.FPU = t.regs, t.frozenFPU
	if t.runState != Frozen {
		im.FPU = append([]byte(nil), t.ctx.FPU()...) // it has never run
	}
	im.SavedMask, im.HaveSaved, im.AltStack = t.savedMask, t.haveSaved, t.altStack
	im.Restart, im.RestartBlk, im.InSyscall, im.CallNumber = int(t.restart), t.restartBlk, t.inSyscall, uint64(t.callNumber)
	im.ClearTID, im.RobustList, im.Rseq, im.SingleStep = t.clearTID, t.RobustList(), t.rseq, t.singleStep
	im.Trap, im.Undo, im.Seccomp = t.trap, s.Ref(t.undo.Load()), s.Ref(t.seccomp.Load())
	im.ExecFn, im.TimerSlack, im.IOPrio, im.Personality, im.Sched = t.execFn, t.TimerSlack(), t.ioprio, t.Personality(), t.sched
	return im
}

func loadTask(l *checkpoint.Loader, t *Task, im TaskImage) error {
	g := &getter{l: l}
	t.sys, t.group = get[*System](g, im.Sys), get[*ThreadGroup](g, im.Group)
	c := get[*cred.Credentials](g, im.Cred)
	if t.sys == nil || t.group == nil || c == nil || im.ExitState > uint8(dead) || exitState(im.ExitState) == exiting {
		return cmp.Or(g.err, errImage)
	}
	t.cpuClock = &cpuClock{t.sys, t.CPUTime}
	t.SetCred(c)
	t.SetName(im.Comm)
	t.tid.Store(im.TID)
	t.dumpable.Store(im.Dumpable)
	t.times.user.Store(im.Times[0])
	t.times.system.Store(im.Times[1])
	t.times.voluntary.Store(im.Times[2])
	t.times.preempts.Store(im.Times[3])
	t.times.minorFaults.Store(im.Times[4])
	t.parentTask, t.exitState = get[*Task](g, im.ParentTask), exitState(im.ExitState)
	t.exitSignal, t.parentDeath, t.exitCode = im.ExitSignal, im.ParentDeath, im.ExitCode
	if err := t.loadTrace(g, &im.Trace); err != nil {
		return err
	}
	if t.exitState != alive || g.err != nil {
		return g.err
	}
	return t.loadLiving(g, &im)
}

// loadLiving is loadTask for what only a living task has.
func (t *Task) loadLiving(g *getter, im *TaskImage) error {
	t.work.Store(im.Work &^ workFreeze)
	t.vforkPending.Store(im.VforkPending)
	t.vforkParent = get[*Task](g, im.VforkParent)
	t.pending.Restore(im.Pending)
	t.mask, t.waitSet, t.killedBy = im.Mask&^linux.UnblockableSignals, im.WaitSet, im.KilledBy
	m := get[*mm.MemoryManager](g, im.MM)
	ns := get[*Namespaces](g, im.NS)
	t.fds.Store(get[*vfs.FDTable](g, im.FDs))
	t.fs.Store(get[*FSContext](g, im.FS))
	if m == nil || t.FDs() == nil || t.FS() == nil || ns == nil || len(im.FPU) > 0 && !arch.ValidFPU(im.FPU) {
		return cmp.Or(g.err, errImage)
	}
	t.mm.Store(m)
	t.ns.Store(ns)
	t.regs, t.frozenFPU = im.Regs, im.FPU
	t.savedMask, t.haveSaved, t.altStack = im.SavedMask, im.HaveSaved, im.AltStack
	t.restart, t.restartBlk, t.inSyscall, t.callNumber = Restart(im.Restart), im.RestartBlk, im.InSyscall, uintptr(im.CallNumber)
	switch t.restart {
	case 0, RestartSys, RestartNoIntr, RestartNoHand, RestartCall, RestartRest, RestartNoStop:
	default:
		return errImage
	}
	t.clearTID, t.robustList, t.rseq, t.singleStep = im.ClearTID, im.RobustList, im.Rseq, im.SingleStep
	t.trap = im.Trap
	t.undo.Store(get[*ipc.Undo](g, im.Undo))
	t.seccomp.Store(get[*Filter](g, im.Seccomp))
	t.execFn, t.ioprio, t.sched = im.ExecFn, im.IOPrio, im.Sched
	t.timerSlack.Store(im.TimerSlack)
	t.SetPersonality(im.Personality)
	// The platform is there now: System is filled first.
	g.l.AfterLoad(func() error {
		t.setContext(t.sys.Platform.NewContext())
		if l := t.seccomp.Load().listens(); l != nil {
			l.users.Add(1)
		}
		return nil
	})
	return g.err
}

// run is Task.run for a restored task. It gives the context its extended
// state, which only the task's own goroutine may, and ends a vfork that was
// waiting for child.
func (r restart) run() {
	t := r.t
	t.lockThread()
	defer t.sys.unlockThread()
	t.switched.Store(t.sys.Clocks.Monotonic.Now())
	if len(t.frozenFPU) > 0 {
		t.ctx.SetFPU(t.frozenFPU)
	}
	t.goOn(r.stop)
	if r.child != 0 {
		t.awaitVfork()
		t.traceVforkDone(r.child)
		t.finishCall(uintptr(t.FromRootPID(r.child)), nil)
		if t.traced() {
			t.leaveTraced()
		}
	}
	if t.notified != nil {
		t.goOnAsking()
	}
	if t.sys.Turn != nil {
		t.run()
		return
	}
	(&worker{next: t, begun: true}).work(t.sys)
}
