package task

import "cordon/internal/linux"

// Calls of tracees: stops before and after them, and for what happens in them.

// enterTraced stops before a call if the tracer wants that, and reports whether the call
// is to be made. It is in callNumber and args then, which the tracer may have changed.
func (t *Task) enterTraced() bool {
	x := t.trace.Load()
	if x == nil {
		return true
	}
	mode := TraceMode(x.mode.Load())
	kind := stopEntry
	switch {
	case mode.emulates():
		kind = stopEmu
	case mode != TraceCalls:
		return true
	}
	t.complete()
	t.regs.RAX = uint64(linux.ENOSYS.Result())
	status := x.callStatus()
	if x = t.traceStop(kind, status, t.eventInfo(status), linux.PTRACE_EVENTMSG_SYSCALL_ENTRY); x == nil {
		return t.work.Load()&workKill == 0
	}
	return t.enterAfterStop(x, kind)
}

// callStatus is the status of a stop before or after a call.
func (x *tracing) callStatus() uint32 {
	status := uint32(linux.SIGTRAP)
	if x.has(linux.PTRACE_O_TRACESYSGOOD) {
		status |= 0x80
	}
	return status
}

// enterAfterStop goes on after a stop before a call.
func (t *Task) enterAfterStop(x *tracing, kind stopKind) bool {
	t.sendFromTracer(x)
	switch {
	case t.work.Load()&workKill != 0:
	case kind == stopEmu:
	case int32(t.regs.OrigRAX) < 0: // the tracer has made it no call
		t.endCall()
		t.leaveTraced()
		return false
	default:
		t.reloadCall()
		return true
	}
	t.endCall()
	return false
}

// reloadCall takes the call from the registers again.
func (t *Task) reloadCall() {
	t.callNumber = t.regs.SyscallNumber()
	t.call.Store(uint64(t.callNumber) + 1)
	t.args = t.regs.SyscallArgs()
}

// endCall leaves the call with the registers as they are.
func (t *Task) endCall() {
	t.call.Store(0)
	t.inSyscall = false
}

// leaveTraced stops after a call if the tracer wants that.
func (t *Task) leaveTraced() {
	x := t.trace.Load()
	if x == nil || t.runState == Exiting {
		return
	}
	mode := TraceMode(x.mode.Load())
	if mode.steps() {
		info := &linux.SigInfo{Signo: linux.SIGTRAP, Code: linux.TRAP_BRKPT}
		info.SetAddr(t.Regs().RIP)
		t.ForceSignal(info)
		return
	}
	if mode != TraceCalls {
		return
	}
	status := x.callStatus()
	if x = t.traceStop(stopExit, status, t.eventInfo(status), linux.PTRACE_EVENTMSG_SYSCALL_EXIT); x != nil {
		t.sendFromTracer(x)
	}
}

// sendFromTracer sends the signal with which a tracer let t go on from a call.
func (t *Task) sendFromTracer(x *tracing) {
	t.group.mu.Lock()
	sig := x.signal
	t.group.mu.Unlock()
	if sig != 0 {
		t.Send(&linux.SigInfo{Signo: sig, Code: linux.SI_KERNEL})
	}
}

// traceFilter stops for a filter's SECCOMP_RET_TRACE. Handled is false where nobody traces
// such; pass says that the call, which may be another now, is to be made if the filters let
// it pass.
func (t *Task) traceFilter(data uint32) (handled, pass bool) {
	x := t.trace.Load()
	if x == nil || !x.has(linux.PTRACE_O_TRACESECCOMP) {
		return false, false
	}
	t.complete()
	t.regs.RAX = uint64(linux.ENOSYS.Result())
	t.traceEvent(stopFilter, linux.PTRACE_EVENT_SECCOMP, uint64(data))
	return true, t.filterAfterStop()
}

// filterAfterStop goes on after such a stop.
func (t *Task) filterAfterStop() bool {
	if t.work.Load()&workKill != 0 || int32(t.regs.OrigRAX) < 0 {
		t.endCall()
		return false
	}
	t.reloadCall()
	return true
}

// traceClone stops for the event that t has made child, 0 for none.
func (t *Task) traceClone(event uint32, child int32) {
	x := t.trace.Load()
	if x == nil || event == 0 {
		return
	}
	t.group.mu.Lock()
	x.result = uint64(t.FromRootPID(child))
	t.group.mu.Unlock()
	t.traceEvent(stopEvent, event, uint64(uint32(x.tracer.FromRootPID(child))))
}

// traceVforkDone stops when the child of a vfork does not need t's memory any more.
func (t *Task) traceVforkDone(child int32) {
	if x := t.trace.Load(); x != nil && x.has(linux.PTRACE_O_TRACEVFORKDONE) {
		t.traceClone(linux.PTRACE_EVENT_VFORK_DONE, child)
	}
}

// traceExec stops t as its new program; was is its number before.
func (t *Task) traceExec(was int32) {
	x := t.trace.Load()
	if x == nil {
		return
	}
	t.regs.OrigRAX = uint64(t.callNumber)
	if x.has(linux.PTRACE_O_TRACEEXEC) {
		t.traceEvent(stopExec, linux.PTRACE_EVENT_EXEC, uint64(uint32(x.tracer.FromRootPID(was))))
	} else if !x.seized {
		t.Send(&linux.SigInfo{Signo: linux.SIGTRAP, Code: linux.SI_USER})
	}
}

// traceEnd stops t, which is about to end by a call of its own.
func (t *Task) traceEnd() {
	x := t.trace.Load()
	if x == nil || x.ended || !x.has(linux.PTRACE_O_TRACEEXIT) {
		return
	}
	t.group.mu.Lock()
	code, killed := t.exitCode, t.killedBy || (t.pending.Set()|t.group.pending.Set()).Has(linux.SIGKILL)
	if t.group.exiting {
		code = t.group.exitStatus
	}
	t.group.mu.Unlock()
	if killed || code == linux.WaitSignaled(linux.SIGKILL, false) {
		return
	}
	x.ended = true
	t.traceEvent(stopEnd, linux.PTRACE_EVENT_EXIT, uint64(code))
}

// A standing says where a tracee stood still when it was saved. It is read before
// any task runs, since the tracer ends the stop as soon as it does.
type standing struct {
	x      *tracing
	kind   stopKind
	info   linux.SigInfo
	result uint64
}

// standing returns where t, which does not run yet, stands still.
func (t *Task) standing() standing {
	x := t.trace.Load()
	if x == nil {
		return standing{}
	}
	return standing{x, x.stop, x.info, x.result}
}

// goOn is what a restored tracee does that stood still when it was saved, but for what
// its run loop does anyway.
func (t *Task) goOn(s standing) {
	if s.kind == stopNone {
		return
	}
	t.standStill(s.x, s.kind)
	switch s.kind {
	case stopEntry, stopEmu:
		if t.enterAfterStop(s.x, s.kind) {
			t.makeCall()
		}
	case stopFilter:
		if t.filterAfterStop() {
			t.makeCallUnless(true)
		}
	case stopExit:
		t.sendFromTracer(s.x)
	case stopSignal:
		if t.signalAfterStop(s.x, &s.info) {
			t.deliver(&s.info)
		}
	case stopEvent:
		if !t.vforkPending.Load() {
			t.finishCall(uintptr(s.result), nil)
			t.leaveTraced()
		}
	case stopExec:
		t.leaveTraced()
	case stopEnd:
		s.x.ended = true
		t.runState = Exiting
	}
}
