package task

import (
	"runtime"

	"cordon/internal/check"
	"cordon/internal/linux"
	"cordon/platform"
)

// Start runs the task on a thread of its own. The caller has finished making it.
func (t *Task) Start() {
	s := t.sys
	s.tree.Lock()
	s.live++
	s.tree.Unlock()
	s.wokeUp()
	if s.Turn != nil {
		enter := s.Turn.Join(0, 1)[0]
		go func() { enter(); t.run() }()
		return
	}
	s.begin(t)
}

// run is a task's life.
func (t *Task) run() { t.runOn(nil) }

// runOn is run on a thread with a footing, until the end or as long as the task does not
// step aside. It returns the footing that the thread has then.
func (t *Task) runOn(f platform.Footing) platform.Footing {
	t.takeOver(f)
	t.switched.Store(t.sys.Clocks.Monotonic.Now())
	for t.runState != Exiting {
		if t.pause.what != nil {
			if f, gone := t.stepAside(); gone {
				return f
			}
			continue
		}
		if t.work.Load() != 0 {
			t.doWork()
			continue
		}
		t.enterGuest()
	}
	t.exit()
	return nil
}

// lockThread keeps the task's goroutine on one OS thread, from which the
// platform may trace a stub and which it binds to processors. Where tasks take
// turns, there is nothing of that.
func (t *Task) lockThread() {
	if t.sys.Turn == nil {
		runtime.LockOSThread()
	}
}

// unlockThread leaves the thread to the next goroutine: the context, released by
// then, has left nothing on it, and a new thread costs 50 us.
func (s *System) unlockThread() {
	if s.Turn == nil {
		runtime.UnlockOSThread()
	}
}

// enterGuest lets the guest run until its next event and handles that.
func (t *Task) enterGuest() {
	as, err := t.MM().Activate()
	if err != nil {
		t.ForceSignal(&linux.SigInfo{Signo: linux.SIGKILL, Code: linux.SI_KERNEL})
		return
	}
	if !t.facts.published.Load() {
		t.publishFacts()
	}
	t.inGuest.Store(true)
	if t.work.Load() != 0 { // set before inGuest was seen
		t.inGuest.Store(false)
		return
	}
	measured := !t.quick || t.unmeasured == maxUnmeasured
	if measured {
		t.unmeasured = 0
		t.account(&t.times.system)
	}
	ev := t.ctx.Switch(as, &t.regs, t.singleStep)
	t.quick = ev.Quick
	if measured || !ev.Quick {
		// Before it is out of the guest, for those who settle meanwhile.
		if t.account(&t.times.user) >= t.group.settlement.due.Load() {
			t.group.settle()
		}
	} else {
		t.unmeasured++
	}
	t.inGuest.Store(false)
	if t.waking {
		t.waking = false
		if ev.Kind != platform.EventSyscall || t.regs.SyscallNumber() != t.callNumber {
			t.sys.handOn()
		}
	}
	if p := t.MM().Patcher(); p != nil {
		if ev.Trapped && !t.traced() {
			p.Trapped(t.ctx, t.MM(), &t.regs)
		} else if ev.Kind != platform.EventSyscall {
			t.regs.RIP = p.Resume(t.MM(), t.regs.RIP)
		}
	}
	if ev.Kind != platform.EventSyscall && t.traced() {
		t.regs.OrigRAX = ^uint64(0) // no call, for who looks
	}
	switch ev.Kind {
	case platform.EventSyscall:
		t.syscall()
	case platform.EventFault:
		t.fault(&ev)
	case platform.EventException:
		t.exception(&ev)
	case platform.EventInterrupt:
		t.times.preempts.Add(1)
	case platform.EventDied:
		t.die()
	default:
		check.That(false, "platform event %d", ev.Kind)
	}
}

// maxUnmeasured is how many turns of the guest, each quick, may go by between two
// looks at the clock. They count as the system's time: the calls around them take
// longer than they do.
const maxUnmeasured = 15

// account adds the time since the last switch to a counter, and returns the time.
func (t *Task) account(to interface{ Add(int64) int64 }) int64 {
	now := t.sys.Clocks.Monotonic.Now()
	to.Add(now - t.switched.Swap(now))
	return now
}

// syscall runs the call that the guest made.
func (t *Task) syscall() {
	t.callNumber = t.regs.SyscallNumber()
	t.inSyscall = true
	t.call.Store(uint64(t.callNumber) + 1)
	t.args = t.regs.SyscallArgs()
	if t.traced() && !t.enterTraced() {
		return
	}
	t.makeCall()
}

// makeCall makes the call that callNumber and args say, if filters let it pass.
func (t *Task) makeCall() { t.makeCallUnless(false) }

// makeCallUnless is makeCall; asked says that the tracer has been, and is not to be again.
func (t *Task) makeCallUnless(asked bool) {
	if f := t.seccomp.Load(); f == nil || t.filterCall(f, asked) {
		ret, err := t.sys.Calls.Call(t, t.callNumber, &t.args)
		t.finishCall(ret, err)
	}
	if t.traced() && t.pause.what == nil {
		t.leaveTraced()
	}
}

// finishCall stores a call's result, if it has one yet.
func (t *Task) finishCall(ret uintptr, err error) {
	if t.pause.what != nil {
		return
	}
	t.call.Store(0)
	t.inSyscall = false
	switch e := err.(type) {
	case nil:
		t.regs.RAX = uint64(ret)
	case linux.Errno:
		t.regs.RAX = uint64(e.Result())
	case Restart:
		t.restart = e
		t.work.Or(workMask) // look at restarts before the guest goes on
	case Replaced:
	default:
		check.That(false, "a system call returned %T %v", err, err)
	}
}

// Replaced is the result of a call after which the registers are already what
// the guest shall see: execve, rt_sigreturn.
type Replaced struct{}

func (Replaced) Error() string { return "registers replaced" }

// fault resolves a memory access that the platform could not do, or raises the
// signal that Linux would.
func (t *Task) fault(ev *platform.Event) {
	t.times.minorFaults.Add(1)
	sig, code := t.MM().HandleFault(t.ctx, ev.Addr, ev.Access, ev.Signal)
	if sig == 0 || sig == linux.SIGBUS && t.makeRoom(ev.Addr) {
		return
	}
	info := &linux.SigInfo{Signo: sig, Code: linux.SigCode(code)}
	info.SetAddr(ev.Addr)
	t.trap = [3]uint64{ev.TrapNo, ev.ErrNo, ev.Addr}
	t.ForceSignal(info)
}

func (t *Task) exception(ev *platform.Event) {
	t.trap[0], t.trap[1] = ev.TrapNo, ev.ErrNo
	info := &linux.SigInfo{Signo: ev.Signal, Code: linux.SigCode(ev.Code)}
	info.SetAddr(ev.Addr)
	t.ForceSignal(info)
}

// die ends the process when its stub was killed from outside.
func (t *Task) die() {
	t.group.mu.Lock()
	t.group.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
	t.group.mu.Unlock()
}

// doWork does what has to be done before the guest goes on, the most pressing
// first.
func (t *Task) doWork() {
	t.sys.handOn()
	t.complete()
	work := t.work.Load()
	switch {
	case work&workKill != 0:
		t.runState = Exiting
		t.exitCode = t.groupExitStatus()
	case work&workHalt != 0:
		t.halt()
	case work&workTell != 0:
		t.tellContinued()
	case work&workFreeze != 0:
		t.freeze()
	case work&workStop != 0:
		t.park()
	case work&workTrace != 0:
		t.trapStop()
	default:
		t.signalWork()
	}
}

func (t *Task) groupExitStatus() linux.WaitStatus {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	if t.killedBy {
		return 0
	}
	return t.group.exitStatus
}
