package task

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/signal"
)

// signalWork delivers one pending signal if there is one, and settles how an
// interrupted call goes on (Linux: arch/x86/kernel/signal.c
// arch_do_signal_or_restart).
func (t *Task) signalWork() {
	info, ok := t.nextSignal()
	if !ok {
		t.work.And(^(workSignal | workMask))
		t.restartCall()
		t.restoreMask()
		// A signal may have come between the look and the bit.
		t.group.mu.Lock()
		t.recalcLocked()
		t.group.mu.Unlock()
		return
	}
	if t.traced() && info.Signo != linux.SIGKILL && !t.traceSignal(&info) {
		return
	}
	t.deliver(&info)
}

// deliver does what a signal that has been taken does.
func (t *Task) deliver(info *linux.SigInfo) {
	act := t.actionFor(info.Signo)
	switch act.Handler {
	case linux.SIG_IGN:
		return
	case linux.SIG_DFL:
		t.defaultAction(info)
		return
	}
	t.settleCall(act)
	stepping := t.singleStep
	t.runHandler(info, &act)
	if stepping && t.traced() {
		t.traceStop(stopGroup, uint32(linux.SIGTRAP), t.eventInfo(uint32(linux.SIGTRAP)), 0)
	}
}

// nextSignal takes the next unblocked signal.
func (t *Task) nextSignal() (linux.SigInfo, bool) {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	info, ok := t.takeLocked(^t.mask)
	if !ok {
		return info, false
	}
	t.stopTaken = t.stopTaken || stopSignals.Has(info.Signo)
	return info, true
}

// actionFor is what is done about a signal that has been taken.
func (t *Task) actionFor(s linux.Signal) linux.SigAction {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	act := g.Actions().Get(s)
	if act.Handler > linux.SIG_IGN && act.Flags&linux.SA_RESETHAND != 0 {
		g.Actions().Set(s, linux.SigAction{Flags: act.Flags, Mask: act.Mask})
	}
	return act
}

// defaultAction does what a signal does without a handler.
func (t *Task) defaultAction(info *linux.SigInfo) {
	s, g := info.Signo, t.group
	if g.isInit() && !forced(info) && s != linux.SIGKILL {
		return
	}
	switch d := signal.Default(s); d {
	case signal.Ignore, signal.Continue:
	case signal.Stop:
		t.stopGroup(s)
	default:
		core := d == signal.Core && t.dumpCore(info)
		g.mu.Lock()
		g.exitLocked(linux.WaitSignaled(s, core), nil)
		g.mu.Unlock()
	}
}

func (g *ThreadGroup) isInit() bool { return !g.sys.PlainInit && g == g.sys.InitGroup() }

// settleCall decides whether the call that a handler interrupts runs again
// after it.
func (t *Task) settleCall(act linux.SigAction) {
	r := t.restart
	t.restart = 0
	switch {
	case r == 0:
	case r == RestartNoIntr, r == RestartSys && act.Flags&linux.SA_RESTART != 0:
		t.rewind(uint64(t.callNumber))
	case r == RestartRest:
		t.regs.RAX = t.Begun()
	default:
		t.regs.RAX = uint64(linux.EINTR.Result())
	}
}

// restartCall runs an interrupted call again: no handler ran.
func (t *Task) restartCall() {
	r := t.restart
	t.restart = 0
	switch r {
	case 0:
	case RestartCall:
		t.rewind(sysRestartSyscall)
	case RestartRest:
		t.restartRest()
	default:
		t.rewind(uint64(t.callNumber))
	}
}

// sysRestartSyscall is restart_syscall's number on amd64.
const sysRestartSyscall = 219

// syscallLen is the length of the syscall instruction.
const syscallLen = 2

func (t *Task) rewind(nr uint64) {
	t.regs.RAX = nr
	t.regs.RIP -= syscallLen
}

func (t *Task) restoreMask() {
	if !t.haveSaved {
		return
	}
	t.haveSaved = false
	t.SetMask(t.savedMask)
}

// runHandler puts a signal frame on the guest's stack and points the registers
// at the handler. A stack that cannot take it is a fatal SIGSEGV.
func (t *Task) runHandler(info *linux.SigInfo, act *linux.SigAction) {
	back := t.Mask()
	if t.haveSaved {
		back, t.haveSaved = t.savedMask, false
	}
	if info.Code == codeFromOutside {
		info.Code = linux.SI_KERNEL
	}
	f := arch.Frame{
		Regs: t.regs, FPU: t.ctx.FPU(), Info: *info, Action: *act,
		Mask: back, AltStack: t.altStack, TrapNo: t.trap[0], ErrNo: t.trap[1], CR2: t.trap[2],
	}
	sp, image, regs, ok := arch.BuildFrame(&f)
	if ok {
		n, err := t.MM().CopyOut(sp, image)
		ok = err == nil && n == len(image)
	}
	if !ok {
		t.badFrame(info.Signo)
		return
	}
	t.regs = regs
	t.ctx.SetFPU(arch.InitialFPU())
	if t.altStack.Flags&linux.SS_AUTODISARM != 0 {
		t.altStack = linux.StackT{Flags: linux.SS_DISABLE}
	}
	mask := t.Mask() | act.Mask
	if act.Flags&linux.SA_NODEFER == 0 {
		mask.Add(info.Signo)
	}
	t.SetMask(mask)
}

// badFrame is a signal frame that could not be written or read (Linux:
// kernel/signal.c signal_setup_done, arch/x86/kernel/signal.c badframe).
func (t *Task) badFrame(s linux.Signal) {
	if s == linux.SIGSEGV {
		t.group.Actions().Set(s, linux.SigAction{})
	}
	t.ForceSignal(&linux.SigInfo{Signo: linux.SIGSEGV, Code: linux.SI_KERNEL})
}

// SigReturn is rt_sigreturn(2): the guest's stack pointer is just above the
// frame's return address.
func (t *Task) SigReturn() {
	image := make([]byte, arch.FrameReadSize())
	t.complete()
	sp := t.regs.RSP - 8
	n, _ := t.MM().CopyIn(sp, image)
	f, ok := arch.ParseFrame(image[:n], sp, func(addr uint64, p []byte) bool {
		_, err := t.MM().CopyIn(addr, p)
		return err == nil
	})
	if !ok || f.FPU != nil && t.ctx.SetFPU(f.FPU) != 0 {
		t.badFrame(0)
		return
	}
	if f.FPU == nil {
		t.ctx.SetFPU(arch.InitialFPU())
	}
	orig := t.regs
	t.regs = f.Regs
	t.regs.FSBase, t.regs.GSBase = orig.FSBase, orig.GSBase
	t.regs.OrigRAX = ^uint64(0)
	t.SetMask(f.Mask)
	t.SetAltStack(f.AltStack)
	t.restart = 0
}

// SetAltStack is sigaltstack(2)'s set, without a check of whether t runs on it.
func (t *Task) SetAltStack(s linux.StackT) linux.Errno {
	const known = linux.SS_ONSTACK | linux.SS_DISABLE | linux.SS_AUTODISARM
	if s.Flags&^known != 0 {
		return linux.EINVAL
	}
	if s.Flags&linux.SS_DISABLE != 0 {
		t.altStack = linux.StackT{Flags: linux.SS_DISABLE}
		return 0
	}
	if s.Size < linux.MINSIGSTKSZ {
		return linux.ENOMEM
	}
	s.Flags &= linux.SS_AUTODISARM
	t.altStack = s
	return 0
}
