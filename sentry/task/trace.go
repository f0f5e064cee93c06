package task

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Tracing by guests (ptrace(2), Linux: kernel/ptrace.c). A tracee has a tracing from
// when it is attached to until it is let go or has ended and been waited for; its
// tracer, a thread, has it in its list. The tracee stops itself (tracestop.go), and
// while it stands still its tracer looks at it and changes it (traceask.go).
//
// The text of a tracee is its program's own, without patches, so that breakpoints and
// single steps meet what the tracer sees.

// A tracing is what ties a tracee to its tracer.
type tracing struct {
	// immutable
	tracer *Task
	seized bool // by PTRACE_SEIZE

	// task-only: the tracee has stopped for its end.
	ended bool

	// atomic
	options atomic.Uint64 // linux.PtraceOptions
	mode    atomic.Uint32 // a TraceMode: what the tracee was let go on to

	// guarded by the tracee's group.mu
	stop      stopKind // 0: it does not stand still
	status    uint32   // of wait(2), above the low byte: a signal, and an event above that
	reported  bool     // wait(2) has taken it
	listening bool     // PTRACE_LISTEN: stopped, but not for the tracer
	held      bool     // the tracer is at the registers
	message   uint64   // PTRACE_GETEVENTMSG
	result    uint64   // stopEvent: of the call that is under way
	info      linux.SigInfo
	haveInfo  bool
	infoSet   bool         // PTRACE_SETSIGINFO changed it
	signal    linux.Signal // what the tracer wants delivered
	trap      bool         // a stop is due (PTRACE_INTERRUPT, and after PTRACE_SEIZE)
	fpu       []byte       // the extended state, once fetched
	fetch     bool         // the tracer waits for it
	fpuSet    bool         // the tracer changed it
}

// A TraceMode says where a tracee stops next, beside signals and events.
type TraceMode uint32

const (
	TraceGo      TraceMode = iota // nowhere (PTRACE_CONT)
	TraceCalls                    // before and after each call (PTRACE_SYSCALL)
	TraceStep                     // after one instruction (PTRACE_SINGLESTEP)
	TraceEmu                      // before each call, which is not made (PTRACE_SYSEMU)
	TraceEmuStep                  // both of these
)

func (m TraceMode) steps() bool { return m == TraceStep || m == TraceEmuStep }
func (m TraceMode) emulates() bool {
	return m == TraceEmu || m == TraceEmuStep
}

func (x *tracing) has(o linux.PtraceOptions) bool { return x.options.Load()&uint64(o) != 0 }

// traced reports whether someone traces t. Its text is to be left alone, and each of its
// calls comes to the Sentry.
func (t *Task) traced() bool { return t.trace.Load() != nil }

// Tracer returns the id of the process that traces t, 0 for none.
func (t *Task) Tracer() int32 {
	if x := t.trace.Load(); x != nil {
		return x.tracer.PID()
	}
	return 0
}

// WeaklyTraced reports whether t is traced by somebody who could not have become what a
// set-id program would make of t.
func (t *Task) WeaklyTraced() bool {
	x := t.trace.Load()
	return x != nil && !x.tracer.Cred().HasIn(linux.CAP_SYS_PTRACE, t.Cred().UserNS)
}

// linkTreeLocked makes tracer trace t.
func (t *Task) linkTreeLocked(tracer *Task, seized bool, options linux.PtraceOptions) *tracing {
	x := &tracing{tracer: tracer, seized: seized}
	x.options.Store(uint64(options))
	t.group.mu.Lock()
	t.trace.Store(x)
	t.group.mu.Unlock()
	tracer.tracees = append(tracer.tracees, t)
	return x
}

// unlinkTreeLocked ends t's tracing: if it stands still it goes on.
func (t *Task) unlinkTreeLocked() {
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	x := t.trace.Load()
	if x == nil {
		return
	}
	x.tracer.tracees = without(x.tracer.tracees, t)
	t.trace.Store(nil)
	x.mode.Store(uint32(TraceGo))
	x.goOnLocked()
	if g.stop.signal != 0 && !g.exiting {
		t.kick(workStop)
	}
	t.Nudge()
}

// goOnLocked ends the tracee's stop.
func (x *tracing) goOnLocked() { x.stop, x.listening, x.fetch = 0, false, false }

// TraceMe is PTRACE_TRACEME: the thread that made t, or one that stands in for it,
// traces it. Task-only.
func (t *Task) TraceMe() linux.Errno {
	s := t.sys
	s.tree.Lock()
	p := t.parentTask
	if t.traced() || p == nil || p.group == t.group || !vfs.MayTrace(p.Cred(), t.Cred()) {
		s.tree.Unlock()
		return linux.EPERM
	}
	if p.exitState == alive {
		t.linkTreeLocked(p, false, 0)
	}
	s.tree.Unlock()
	t.becomePlain(t)
	return 0
}

// Attach is PTRACE_ATTACH or, with seize, PTRACE_SEIZE: t traces o, whom it may
// inspect. EPERM: o is of the same process, or traced, or has ended. Task-only.
func (t *Task) Attach(o *Task, seize bool, options linux.PtraceOptions) linux.Errno {
	s, g := t.sys, o.group
	if g == t.group {
		return linux.EPERM
	}
	s.tree.Lock()
	if o.exitState != alive || o.traced() {
		s.tree.Unlock()
		return linux.EPERM
	}
	o.linkTreeLocked(t, seize, options)
	if !seize {
		g.sendTreeLocked(o, &linux.SigInfo{Signo: linux.SIGSTOP, Code: linux.SI_KERNEL})
	}
	g.mu.Lock()
	if g.stop.signal != 0 {
		o.kick(workStop) // it stands still already: from now on for its tracer
	}
	g.mu.Unlock()
	s.tree.Unlock()
	o.becomePlain(t)
	return 0
}

// becomePlain takes what the platform did behind t's back away. By is the caller.
func (t *Task) becomePlain(by *Task) {
	t.withdrawFacts()
	if m := t.MM(); m != nil && m.IncUsers() {
		m.KeepText(by.ctx)
		m.DecUsers()
	}
}

// traceChild makes c, a child or thread that t is about to start, a tracee as t is, if the
// tracer wants that, and returns the event to stop for, 0 for none (Linux:
// include/linux/ptrace.h ptrace_init_task).
func (t *Task) traceChild(c *Task, a *linux.CloneArgs) (event uint32) {
	x := t.trace.Load()
	if x == nil || a.Flags&linux.CLONE_UNTRACED != 0 {
		return 0
	}
	option := linux.PTRACE_O_TRACEFORK
	event = linux.PTRACE_EVENT_FORK
	switch {
	case a.Flags&linux.CLONE_VFORK != 0:
		event, option = linux.PTRACE_EVENT_VFORK, linux.PTRACE_O_TRACEVFORK
	case a.Flags&linux.CLONE_THREAD != 0 || linux.Signal(a.ExitSignal) != linux.SIGCHLD:
		event, option = linux.PTRACE_EVENT_CLONE, linux.PTRACE_O_TRACECLONE
	}
	if !x.has(option) {
		event = 0
	}
	if event == 0 && a.Flags&linux.CLONE_PTRACE == 0 {
		return 0
	}
	if m := c.MM(); m != t.MM() {
		m.KeepText(t.ctx)
	}
	s := t.sys
	s.tree.Lock()
	defer s.tree.Unlock()
	if x = t.trace.Load(); x == nil || x.tracer.exitState != alive {
		return 0
	}
	y := c.linkTreeLocked(x.tracer, x.seized, linux.PtraceOptions(x.options.Load()))
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	if x.seized {
		y.trap = true
		c.work.Or(workTrace)
	} else {
		c.pending.Add(&linux.SigInfo{Signo: linux.SIGSTOP, Code: linux.SI_USER}, 1)
		c.work.Or(workSignal)
	}
	return event
}

// letGoTreeLocked ends what t, which ends, traces (Linux: kernel/ptrace.c exit_ptrace).
func (t *Task) letGoTreeLocked() {
	for len(t.tracees) > 0 {
		o := t.tracees[0]
		x := o.trace.Load()
		o.group.mu.Lock()
		if x.reported {
			x.signal = 0 // a signal that the tracer has seen is lost
		}
		o.group.mu.Unlock()
		o.unlinkTreeLocked()
		if x.has(linux.PTRACE_O_EXITKILL) {
			o.group.sendTreeLocked(o, &linux.SigInfo{Signo: linux.SIGKILL, Code: linux.SI_KERNEL})
		}
		o.unwaitedTreeLocked()
	}
}

// unwaitedTreeLocked does what was put off while t, no longer a tracee, might have been
// waited for by its tracer.
func (t *Task) unwaitedTreeLocked() {
	g := t.group
	switch {
	case t != g.leader:
		if t.exitState == zombie {
			t.buryTreeLocked()
		}
	case g.zombieNow && !g.reapedSelf:
		g.tellParentTreeLocked()
	}
}

// buryTreeLocked forgets a thread that has ended and is not its process's first.
func (t *Task) buryTreeLocked() {
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	t.buryLocked()
}

// buryLocked is buryTreeLocked with group.mu held, too.
func (t *Task) buryLocked() {
	t.exitState = dead
	delete(t.sys.tasks, t.TID())
	t.group.Cgroup().MoveTasks(-1)
}

// tellTracerTreeLocked sends SIGCHLD for a tracee's stop or end, and wakes who waits.
func (t *Task) tellTracerTreeLocked(x *tracing, code linux.SigCode, status int32) {
	to := x.tracer.group
	act := to.Actions().Get(linux.SIGCHLD)
	if code != linux.CLD_TRAPPED || act.Flags&linux.SA_NOCLDSTOP == 0 {
		info := t.group.childInfoTreeLocked(to, code, status)
		info.SetPID(to.pids.fromRootTreeLocked(t.TID()))
		to.sendTreeLocked(nil, info)
	}
	to.childEvents.Notify(eventChild)
}

// deferredTreeLocked reports whether a process that has ended is its tracer's to wait for
// before its parent is told.
func (g *ThreadGroup) deferredTreeLocked() bool {
	x := g.leader.trace.Load()
	return x != nil && x.tracer.group != g.parent
}

// tryTracees is tryWait for what t's process traces.
func (t *Task) tryTraceesTreeLocked(o *WaitOptions) (res WaitResult, any bool) {
	tracers := t.group.tasks
	if o.Options&linux.WNOTHREAD != 0 {
		tracers = []*Task{t}
	}
	for _, by := range tracers {
		for _, c := range by.tracees {
			if !t.wantsIDTreeLocked(c.group, c.TID(), o) {
				continue
			}
			any = true
			if r, ok := c.traceeStateTreeLocked(o); ok {
				return r, true
			}
		}
	}
	return res, any
}

// traceeStateTreeLocked is ThreadGroup.stateTreeLocked for a tracee.
func (t *Task) traceeStateTreeLocked(o *WaitOptions) (WaitResult, bool) {
	g := t.group
	if t == g.leader && g.zombieNow {
		return g.stateTreeLocked(o)
	}
	keep := o.Options&linux.WNOWAIT != 0
	r := WaitResult{PID: t.TID(), UID: t.Cred().RUID}
	if t != g.leader && t.exitState == zombie {
		if o.Options&linux.WEXITED == 0 {
			return r, false
		}
		r.Status, r.Usage = t.exitCode, t.Usage()
		if !keep {
			t.unlinkTreeLocked()
			t.buryTreeLocked()
		}
		return r, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	x := t.trace.Load()
	if x.stop != 0 && !x.reported && !x.listening {
		x.reported = !keep
		r.Status, r.Trapped = linux.WaitStopped(linux.Signal(x.status)), true
		return r, true
	}
	return r, x.stop == stopNone && t == g.leader && g.takeContinuedLocked(o, keep, &r.Status)
}
