package task

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/signal"
)

// A Tracee is a thread that stands still for the caller, which traces it: what ptrace(2)
// asks about it and does to it.
type Tracee struct {
	t *Task
	x *tracing
}

// Tracee returns o as t's tracee. ESRCH: t does not trace it, or it does not stand still.
// Until Leave it does. Task-only.
func (t *Task) Tracee(o *Task) (*Tracee, linux.Errno) {
	g := o.group
	g.mu.Lock()
	defer g.mu.Unlock()
	x := o.trace.Load()
	if x == nil || x.tracer != t || x.stop == stopNone || x.listening || o.work.Load()&workKill != 0 {
		return nil, linux.ESRCH
	}
	x.held = true
	return &Tracee{o, x}, 0
}

// Leave ends what Tracee began.
func (c *Tracee) Leave() {
	c.t.group.mu.Lock()
	c.x.held = false
	c.t.group.mu.Unlock()
	c.t.Nudge()
}

// Task returns the thread.
func (c *Tracee) Task() *Task { return c.t }

// Regs returns the registers.
func (c *Tracee) Regs() arch.Registers { return c.t.regs }

// SetRegs changes them, as far as a debugger may. EIO: a segment or an address that a
// program cannot have.
func (c *Tracee) SetRegs(r *arch.Registers) linux.Errno {
	if !c.t.regs.Replace(r) {
		return linux.EIO
	}
	return 0
}

// FPU returns the extended state, which is the caller's, as t sees it: RestartNoIntr when
// something else came while it was fetched.
func (c *Tracee) FPU(by *Task) ([]byte, error) {
	g, x := c.t.group, c.x
	g.mu.Lock()
	x.fetch, x.held = x.fpu == nil, false // it dies while it is asked, or not at all
	g.mu.Unlock()
	c.t.Nudge()
	err := by.Sleep(nil, NoDeadline, func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return x.fpu != nil || x.stop == stopNone || c.t.work.Load()&workKill != 0
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	x.held = x.stop != stopNone
	switch {
	case err != nil:
		return nil, RestartNoIntr
	case x.fpu == nil || x.stop == stopNone:
		return nil, linux.ESRCH
	}
	return x.fpu, nil
}

// ChangedFPU says that what FPU returned has been changed: it has to be valid.
func (c *Tracee) ChangedFPU() { c.x.fpuSet = true }

// Options changes the options.
func (c *Tracee) SetOptions(o linux.PtraceOptions) { c.x.options.Store(uint64(o)) }

// Message is PTRACE_GETEVENTMSG's.
func (c *Tracee) Message() uint64 { return c.x.message }

// Info returns the siginfo of the stop. False: it has none.
func (c *Tracee) Info() (linux.SigInfo, bool) { return c.x.info, c.x.haveInfo }

// SetInfo replaces it.
func (c *Tracee) SetInfo(info *linux.SigInfo) {
	c.x.info, c.x.infoSet = *info, true
}

// Pending returns the signals that wait for the thread, or for its process.
func (c *Tracee) Pending(shared bool) signal.Image {
	g := c.t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if shared {
		return g.pending.Image()
	}
	return c.t.pending.Image()
}

// Mask and SetMask are the blocked signals.
func (c *Tracee) Mask() linux.SigSet { return c.t.Mask() }

// SetMask replaces them.
func (c *Tracee) SetMask(m linux.SigSet) { c.t.SetMask(m) }

// Call is PTRACE_GET_SYSCALL_INFO's.
func (c *Tracee) Call() (info linux.PtraceSyscallInfo, size int) {
	const entry, exit, filter, none = 80, 33, 84, 24
	const maxErrno = 4095
	r := &c.t.regs
	info = linux.PtraceSyscallInfo{Arch: linux.AUDIT_ARCH_X86_64, InstructionPointer: r.RIP, StackPointer: r.RSP}
	call := func() {
		info.Nr = r.OrigRAX
		for i, a := range r.SyscallArgs() {
			info.Args[i] = uint64(a)
		}
	}
	switch c.x.stop {
	case stopEntry, stopEmu:
		info.Op = linux.PTRACE_SYSCALL_INFO_ENTRY
		call()
		return info, entry
	case stopFilter:
		info.Op = linux.PTRACE_SYSCALL_INFO_SECCOMP
		call()
		info.RetData = uint32(c.x.message)
		return info, filter
	case stopExit:
		info.Op = linux.PTRACE_SYSCALL_INFO_EXIT
		info.Nr = r.RAX
		if r.RAX > ^uint64(maxErrno) {
			info.Args[0] = 1
		}
		return info, exit
	}
	return info, none
}

// Resume lets the tracee go on, with a signal to deliver or 0.
func (c *Tracee) Resume(mode TraceMode, sig linux.Signal) {
	g, x := c.t.group, c.x
	g.mu.Lock()
	defer g.mu.Unlock()
	if x.stop == stopNone {
		return
	}
	x.mode.Store(uint32(mode))
	x.signal = sig
	x.goOnLocked()
}

// Detach lets the tracee go for good.
func (c *Tracee) Detach(sig linux.Signal) {
	s := c.t.sys
	s.tree.Lock()
	defer s.tree.Unlock()
	c.t.group.mu.Lock()
	c.x.signal = sig
	c.t.group.mu.Unlock()
	c.t.unlinkTreeLocked()
}

// Listen is PTRACE_LISTEN. EIO: the tracee was not seized, or not stopped for an event of
// its process.
func (c *Tracee) Listen() linux.Errno {
	g, x := c.t.group, c.x
	g.mu.Lock()
	defer g.mu.Unlock()
	if !x.seized || x.stop != stopGroup || x.status>>8 != linux.PTRACE_EVENT_STOP {
		return linux.EIO
	}
	x.listening = true
	if x.trap {
		x.goOnLocked() // something has come already
	}
	return 0
}

// Interrupt is PTRACE_INTERRUPT. EIO: o was not seized; ESRCH: t does not trace it.
func (t *Task) Interrupt(o *Task) linux.Errno {
	g := o.group
	g.mu.Lock()
	defer g.mu.Unlock()
	x := o.trace.Load()
	switch {
	case x == nil || x.tracer != t || o.exitState != alive:
		return linux.ESRCH
	case !x.seized:
		return linux.EIO
	}
	x.trap = true
	if x.listening {
		x.goOnLocked()
	}
	o.kick(workTrace)
	return 0
}

// TraceKill is PTRACE_KILL: as SIGKILL, if o stands still for t.
func (t *Task) TraceKill(o *Task) linux.Errno {
	x := o.trace.Load()
	if x == nil || x.tracer != t {
		return linux.ESRCH
	}
	c, e := t.Tracee(o)
	if e != 0 {
		return 0
	}
	c.Leave()
	o.Send(&linux.SigInfo{Signo: linux.SIGKILL, Code: linux.SI_KERNEL})
	return 0
}
