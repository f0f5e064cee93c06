package task

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/arch"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/ipc"
	"cordon/sentry/limit"
	"cordon/sentry/mm"
	"cordon/sentry/signal"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// work bits: what a task has to do before it goes on in the guest.
const (
	workSignal uint32 = 1 << iota // an unblocked signal may be pending
	workKill                      // the group exits, or exec ends this task
	workStop                      // the group stops
	workFreeze                    // the system freezes
	workMask                      // a temporary signal mask is to be taken back
	workTell                      // the parent may have to be told that the group goes on
	workHalt                      // another thread writes a core file
	workTrace                     // a tracer wants the task to stop
)

// A Task is one guest thread.
type Task struct {
	// immutable
	sys      *System
	cpuClock *cpuClock
	group    *ThreadGroup // changed by nothing; a thread never changes its group

	// atomic
	work         atomic.Uint32
	inGuest      atomic.Bool
	dumpable     atomic.Bool
	sleeps       atomic.Bool // in an interruptible sleep (state S)
	parked       atomic.Bool // stands still for the freezer
	wantsMemory  atomic.Bool // waits until there is some
	waitsTurn    atomic.Bool // tasks of other groups go first (cpu.weight)
	cred         atomic.Pointer[cred.Credentials]
	mm           atomic.Pointer[mm.MemoryManager] // nil once exited
	comm         atomic.Pointer[string]
	tid          atomic.Int32 // changes only when exec makes another thread the leader
	times        cpuTimes
	switched     atomic.Int64 // when it last went into or out of the guest, or fell asleep
	vforkPending atomic.Bool
	ns           atomic.Pointer[Namespaces]
	call         atomic.Uint64               // the call it is in, +1 (/proc/pid/syscall, debug)
	fds          atomic.Pointer[vfs.FDTable] // swapped by the task itself only
	fs           atomic.Pointer[FSContext]   // likewise
	timerSlack   atomic.Uint64
	personality  atomic.Uint32
	undo         atomic.Pointer[ipc.Undo] // swapped by the task itself only; nil until needed
	seccomp      atomic.Pointer[Filter]   // nil: none
	trace        atomic.Pointer[tracing]  // nil: nobody traces it; changed under sys.tree and group.mu

	// wake holds one token when something the task may sleep for happened.
	wake token
	bell atomic.Int32 // of the lookout that it waits at

	// guarded by sys.tree
	parentTask  *Task        // who made it; its group is the parent
	exitSignal  linux.Signal // to the parent when the last thread has gone
	parentDeath linux.Signal // PR_SET_PDEATHSIG
	vforkParent *Task        // waits in WaitVfork until exec or exit
	tracees     []*Task

	// guarded by sys.tree and group.mu both: either is enough to read
	exitState exitState

	// guarded by group.mu
	stopSeq   uint32 // the stop it is counted in
	stopTaken bool   // took a stop signal and no SIGCONT has come since
	pending   signal.Pending
	mask      linux.SigSet
	waitSet   linux.SigSet // what rt_sigtimedwait waits for: delivered though blocked
	signalQ   wait.Queue   // signalfd, sigtimedwait
	killedBy  bool         // workKill was set for exec, not for an exit of the group

	// guarded by sys.workers.mu
	after *Task // in the list of those that wait for a worker

	// task-only
	ctx        platform.Context // its methods that say so, anyone calls
	rester     platform.Rester  // ctx, or nil
	relay      platform.Relay   // likewise
	pause      pause            // the sleep of a call that sleeps aside
	waking     bool             // its last call has woken others, who wait for its next one
	looksOut   bool             // SleepOnFiles
	notified   *notification    // what a seccomp listener is to answer, or nil
	regs       arch.Registers
	facts      facts
	quick      bool // the guest came back soon
	unmeasured int  // turns since the last look at the clock
	caller     vfs.Caller
	buffers    usermem.Seq
	ownLimits  *limit.Set // of a process to be, whose address space reads them already
	savedMask  linux.SigSet
	haveSaved  bool // the mask to go back to is savedMask
	altStack   linux.StackT
	restart    Restart
	restartBlk RestartBlock
	inSyscall  bool
	callNumber uintptr
	args       [6]uintptr // of the call: on the stack it would escape
	clearTID   uint64
	robustList uint64
	rseq       RseqArea
	trap       [3]uint64 // the last fault's TrapNo, ErrNo and CR2
	refused    refusal
	taken      int // of the Sentry's memory, in bytes, since somebody looked
	timer      sleepTimer
	singleStep bool
	execFn     string
	ioprio     uint16
	runState   RunState
	frozenIn   RunState // what a frozen task goes back to
	frozenFPU  []byte   // its extended state
	sched      Scheduling
	exitCode   linux.WaitStatus
	into       *cgroup.Group // of the next task made, or of a task to be (CLONE_INTO_CGROUP)
}

// RseqArea is what rseq(2) registered.
type RseqArea struct {
	Addr uint64
	Size uint32
	Sig  uint32
}

// Scheduling is what the sched_ calls keep: cordon schedules nothing by it.
type Scheduling struct {
	Policy   linux.SchedPolicy
	Priority int32
	Nice     int32
	Affinity [MaxCPUs / 64]uint64
	ResetOn  bool
}

// MaxCPUs bounds the processors a guest sees.
const MaxCPUs = 1024

// RunState says what a task does or waits for (see the package comment).
type RunState uint8

const (
	Running RunState = iota
	WaitVfork
	WaitSiblings
	Stopped
	Traced
	Frozen
	Exiting
)

// exitState is how far a task's end has come.
type exitState uint8

const (
	alive exitState = iota
	exiting
	zombie
	dead
)

// System returns what all tasks share.
func (t *Task) System() *System { return t.sys }

// Group returns the task's process.
func (t *Task) Group() *ThreadGroup { return t.group }

// TID is the thread's id.
func (t *Task) TID() int32 { return t.tid.Load() }

// PID is the process's id.
func (t *Task) PID() int32 { return t.group.ID() }

// Regs are the guest's registers. Task-only.
func (t *Task) Regs() *arch.Registers {
	t.complete()
	return &t.regs
}

// complete fetches the registers that a system call leaves with the platform. What
// looks at more than arguments and result calls it first. Task-only.
func (t *Task) complete() {
	if c, ok := t.ctx.(platform.Completer); ok {
		c.Complete(&t.regs)
	}
}

// Context is the platform's side of the thread. Task-only.
func (t *Task) Context() platform.Context { return t.ctx }

// setContext gives a task that does not run yet its context.
func (t *Task) setContext(c platform.Context) {
	t.ctx = c
	t.rester, _ = c.(platform.Rester)
	if t.relay, _ = c.(platform.Relay); t.relay != nil {
		t.relay.OnLinger(t.sys.handOn)
	}
}

// MM is the address space, nil when the task has exited.
func (t *Task) MM() *mm.MemoryManager { return t.mm.Load() }

// Cred is the identity in force.
func (t *Task) Cred() *cred.Credentials { return t.cred.Load() }

// SetCred swaps the identity. Only the task itself does.
func (t *Task) SetCred(c *cred.Credentials) {
	t.cred.Store(c)
	t.withdrawFacts()
}

// FDs is the descriptor table. Once the task has exited, it holds nothing of
// the task's any more.
func (t *Task) FDs() *vfs.FDTable { return t.fds.Load() }

// FS is the root, working directory and umask.
func (t *Task) FS() *FSContext { return t.fs.Load() }

// Namespaces returns the task's namespaces.
func (t *Task) Namespaces() *Namespaces { return t.ns.Load() }

// Name is the command name, at most 15 bytes (prctl(PR_GET_NAME)).
func (t *Task) Name() string { return *t.comm.Load() }

// SetName cuts s to 15 bytes and makes it the command name.
func (t *Task) SetName(s string) {
	if len(s) > 15 {
		s = s[:15]
	}
	t.comm.Store(&s)
}

// Caller returns the task as the file layer sees it, for one call: the next
// Caller overwrites it. Task-only.
func (t *Task) Caller() *vfs.Caller {
	c := &t.caller
	*c = vfs.Caller{Cred: t.Cred(), FileSizeLimit: t.group.limits.Soft(linux.RLIMIT_FSIZE), FileSizeLimited: true, Job: t}
	c.Root, c.Cwd, c.Umask = t.FS().Get()
	return c
}

// Buffers returns room for the user buffers of one call, for the next to
// overwrite: what is passed to a file cannot be on the stack. Task-only.
func (t *Task) Buffers() *usermem.Seq { return &t.buffers }

// AltStack returns the alternate signal stack (sigaltstack(2)). Task-only.
func (t *Task) AltStack() *linux.StackT { return &t.altStack }

// RestartBlock is what restart_syscall(2) goes on with. Task-only.
func (t *Task) RestartBlock() *RestartBlock { return &t.restartBlk }

// SetClearTID sets the address that is zeroed and woken at exit
// (set_tid_address(2)). Task-only.
func (t *Task) SetClearTID(addr uint64) { t.clearTID = addr }

// RobustList and SetRobustList are {get,set}_robust_list(2)'s head.
func (t *Task) RobustList() uint64 { return atomic.LoadUint64(&t.robustList) }

// SetRobustList is task-only.
func (t *Task) SetRobustList(head uint64) { atomic.StoreUint64(&t.robustList, head) }

// Rseq is the registered area. Task-only.
func (t *Task) Rseq() *RseqArea { return &t.rseq }

// Sched is the scheduling parameters; guarded by the group's lock when it is
// not the task's own.
func (t *Task) Sched() *Scheduling { return &t.sched }
