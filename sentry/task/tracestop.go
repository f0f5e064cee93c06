package task

import "cordon/internal/linux"

// A stopKind says where a tracee stands still, and so how it goes on.
type stopKind uint8

const (
	stopNone   stopKind = iota
	stopEntry           // before a call
	stopEmu             // before a call that is not made
	stopFilter          // before a call, for a filter that asks (PTRACE_EVENT_SECCOMP)
	stopExit            // after a call
	stopSignal          // before a signal is delivered
	stopGroup           // with the whole process, or by itself (PTRACE_EVENT_STOP)
	stopEvent           // in a call, for an event
	stopExec            // in execve, as the new program
	stopEnd             // about to end (PTRACE_EVENT_EXIT)
	stopKinds
)

// traceStop has t stand still until its tracer lets it go on, it is let go of, or killed.
// Info is nil where PTRACE_GETSIGINFO has nothing to say. It returns the tracing that t
// stopped for, nil if it did not. Task-only.
func (t *Task) traceStop(kind stopKind, status uint32, info *linux.SigInfo, message uint64) *tracing {
	s, g := t.sys, t.group
	t.complete()
	t.showRestart()
	s.tree.RLock()
	g.mu.Lock()
	x := t.trace.Load()
	if x == nil || kind != stopEnd && t.work.Load()&workKill != 0 {
		g.mu.Unlock()
		s.tree.RUnlock()
		return nil
	}
	x.stop, x.status, x.message = kind, status, message
	x.reported, x.signal, x.infoSet = false, 0, false
	x.haveInfo = info != nil
	if kind == stopSignal {
		x.signal = info.Signo
	}
	if info != nil {
		x.info = *info
		if x.info.Code == codeFromOutside {
			x.info.Code = linux.SI_KERNEL
		}
	}
	g.mu.Unlock()
	t.tellTracerTreeLocked(x, linux.CLD_TRAPPED, int32(status&0x7f))
	s.tree.RUnlock()
	t.standStill(x, kind)
	return x
}

// standStill waits for the end of a stop of this kind, which x may have seen already.
func (t *Task) standStill(x *tracing, kind stopKind) {
	killed := uint32(0)
	if kind == stopEnd {
		// It has been told to end already; only SIGKILL ends this.
		killed = t.work.And(^workKill) & workKill
	}
	back := t.runState
	t.runState = Traced
	t.account(&t.times.system)
	for !t.mayGoOn(x, kind) {
		switch work := t.work.Load(); {
		case work&workHalt != 0:
			t.halt()
		case work&workFreeze != 0 && work&workKill == 0:
			t.freeze()
		default:
			t.rest()
		}
	}
	t.switched.Store(t.sys.Clocks.Monotonic.Now())
	t.runState = back
	t.work.Or(killed)
	t.takeChanges(x, kind)
}

// mayGoOn looks whether the stop is over, and fetches what the tracer wants to see.
func (t *Task) mayGoOn(x *tracing, kind stopKind) bool {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if x.stop == 0 {
		return true
	}
	dies := t.work.Load()&workKill != 0
	if kind == stopEnd {
		dies = (t.pending.Set() | g.pending.Set()).Has(linux.SIGKILL)
	}
	if dies {
		if x.held {
			return false // until Leave
		}
		x.goOnLocked()
		return true
	}
	if x.fetch && x.fpu == nil {
		g.mu.Unlock()
		state := append([]byte(nil), t.ctx.FPU()...)
		g.mu.Lock()
		x.fpu, x.fetch = state, false
		x.tracer.Nudge()
	}
	return false
}

// takeChanges is the end of a stop: what the tracer has changed takes effect.
func (t *Task) takeChanges(x *tracing, kind stopKind) {
	t.group.mu.Lock()
	fpu, set := x.fpu, x.fpuSet
	x.fpu, x.fpuSet = nil, false
	t.group.mu.Unlock()
	if set {
		t.ctx.SetFPU(fpu)
	}
	t.singleStep = TraceMode(x.mode.Load()).steps() && t.traced()
	switch kind {
	case stopEntry, stopEmu, stopFilter, stopEvent, stopEnd:
	default:
		t.readRestart()
	}
}

// showRestart makes the registers say how an interrupted call goes on, as they do in
// Linux.
func (t *Task) showRestart() {
	switch t.restart {
	case 0:
	case RestartNoStop:
		t.restart = 0
		t.regs.RAX = uint64(linux.EINTR.Result())
	case RestartRest:
		t.restart = 0
		t.regs.RAX = t.Begun()
	default:
		t.regs.OrigRAX = uint64(t.callNumber)
		t.regs.RAX = -uint64(t.restart)
	}
}

// readRestart takes over what the registers say then: the tracer may have changed them,
// or put those of another stop back.
func (t *Task) readRestart() {
	t.restart = 0
	if int32(t.regs.OrigRAX) < 0 {
		return
	}
	switch r := Restart(-int64(t.regs.RAX)); r {
	case RestartSys, RestartNoIntr, RestartNoHand, RestartCall:
		t.restart = r
		t.callNumber = uintptr(t.regs.OrigRAX)
		t.work.Or(workMask)
	}
}

// eventInfo is the siginfo of a stop that is no signal's (Linux: ptrace_do_notify).
func (t *Task) eventInfo(status uint32) *linux.SigInfo {
	info := &linux.SigInfo{Signo: linux.SIGTRAP, Code: linux.SigCode(status)}
	info.SetPID(t.OwnTID())
	info.SetUID(t.Cred().UserNS.FromRootUID(t.Cred().RUID))
	return info
}

// traceEvent stops for an event.
func (t *Task) traceEvent(kind stopKind, event uint32, message uint64) {
	status := uint32(linux.SIGTRAP) | event<<8
	t.traceStop(kind, status, t.eventInfo(status), message)
}

// traceSignal stops before info is delivered. It reports whether there is a signal to
// deliver, which may be another then (Linux: kernel/signal.c ptrace_signal).
func (t *Task) traceSignal(info *linux.SigInfo) bool {
	x := t.traceStop(stopSignal, uint32(info.Signo), info, 0)
	if x == nil {
		return t.work.Load()&workKill == 0
	}
	return t.signalAfterStop(x, info)
}

// signalAfterStop makes info what x's tracer wants delivered.
func (t *Task) signalAfterStop(x *tracing, info *linux.SigInfo) bool {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if x.signal == 0 || t.work.Load()&workKill != 0 {
		return false
	}
	if x.infoSet {
		*info = x.info
	}
	if x.signal != info.Signo {
		*info = linux.SigInfo{Signo: x.signal, Code: linux.SI_USER}
		info.SetPID(t.group.pids.FromRoot(x.tracer.PID()))
		info.SetUID(t.Cred().UserNS.FromRootUID(x.tracer.Cred().RUID))
	}
	if t.mask.Has(info.Signo) {
		t.pending.Add(info, t.group.limits.Soft(linux.RLIMIT_SIGPENDING))
		return false
	}
	return true
}

// trapStop stops because the tracer asked for it, or to tell it that a stop of the
// process has ended.
func (t *Task) trapStop() {
	g := t.group
	g.mu.Lock()
	t.work.And(^workTrace)
	x := t.trace.Load()
	due := x != nil && x.trap
	if due {
		x.trap = false
	}
	sig := g.stop.signal
	g.mu.Unlock()
	if due {
		t.stopEventFor(sig)
	}
}

// stopEventFor is PTRACE_EVENT_STOP: for the process's stop by sig, or for the tracer alone
// if sig is 0.
func (t *Task) stopEventFor(sig linux.Signal) {
	if sig == 0 {
		sig = linux.SIGTRAP
	}
	status := uint32(sig) | linux.PTRACE_EVENT_STOP<<8
	t.traceStop(stopGroup, status, t.eventInfo(status), 0)
}

// parkTraced is park for a tracee: its tracer may let it go on although the process is
// stopped.
func (t *Task) parkTraced(x *tracing, sig linux.Signal) {
	t.work.And(^workStop)
	if x.seized {
		t.group.mu.Lock()
		x.trap = false
		t.group.mu.Unlock()
		t.stopEventFor(sig)
		return
	}
	t.traceStop(stopGroup, uint32(sig), nil, 0)
}

// relistenLocked tells t's tracer that a stop of the process begins or ends.
func (t *Task) relistenLocked() {
	x := t.trace.Load()
	if x == nil || !x.seized {
		return
	}
	x.trap = true
	if x.listening {
		x.goOnLocked()
	}
	t.kick(workTrace)
}
