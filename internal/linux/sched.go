package linux

// CloneFlags are the flags of clone(2), clone3(2), unshare(2) and setns(2). The
// low byte of clone(2) is the exit signal: see CSIGNAL.
type CloneFlags uint64

const (
	CLONE_VM             CloneFlags = 0x100
	CLONE_FS             CloneFlags = 0x200
	CLONE_FILES          CloneFlags = 0x400
	CLONE_SIGHAND        CloneFlags = 0x800
	CLONE_PIDFD          CloneFlags = 0x1000
	CLONE_PTRACE         CloneFlags = 0x2000
	CLONE_VFORK          CloneFlags = 0x4000
	CLONE_PARENT         CloneFlags = 0x8000
	CLONE_THREAD         CloneFlags = 0x10000
	CLONE_NEWNS          CloneFlags = 0x20000
	CLONE_SYSVSEM        CloneFlags = 0x40000
	CLONE_SETTLS         CloneFlags = 0x80000
	CLONE_PARENT_SETTID  CloneFlags = 0x100000
	CLONE_CHILD_CLEARTID CloneFlags = 0x200000
	CLONE_DETACHED       CloneFlags = 0x400000
	CLONE_UNTRACED       CloneFlags = 0x800000
	CLONE_CHILD_SETTID   CloneFlags = 0x1000000
	CLONE_NEWCGROUP      CloneFlags = 0x2000000
	CLONE_NEWUTS         CloneFlags = 0x4000000
	CLONE_NEWIPC         CloneFlags = 0x8000000
	CLONE_NEWUSER        CloneFlags = 0x10000000
	CLONE_NEWPID         CloneFlags = 0x20000000
	CLONE_NEWNET         CloneFlags = 0x40000000
	CLONE_IO             CloneFlags = 0x80000000
	CLONE_CLEAR_SIGHAND  CloneFlags = 0x100000000
	CLONE_INTO_CGROUP    CloneFlags = 0x200000000
)

var cloneFlagsNames = [...]bitName{
	{uint64(CLONE_VM), "CLONE_VM"},
	{uint64(CLONE_FS), "CLONE_FS"},
	{uint64(CLONE_FILES), "CLONE_FILES"},
	{uint64(CLONE_SIGHAND), "CLONE_SIGHAND"},
	{uint64(CLONE_PIDFD), "CLONE_PIDFD"},
	{uint64(CLONE_PTRACE), "CLONE_PTRACE"},
	{uint64(CLONE_VFORK), "CLONE_VFORK"},
	{uint64(CLONE_PARENT), "CLONE_PARENT"},
	{uint64(CLONE_THREAD), "CLONE_THREAD"},
	{uint64(CLONE_NEWNS), "CLONE_NEWNS"},
	{uint64(CLONE_SYSVSEM), "CLONE_SYSVSEM"},
	{uint64(CLONE_SETTLS), "CLONE_SETTLS"},
	{uint64(CLONE_PARENT_SETTID), "CLONE_PARENT_SETTID"},
	{uint64(CLONE_CHILD_CLEARTID), "CLONE_CHILD_CLEARTID"},
	{uint64(CLONE_DETACHED), "CLONE_DETACHED"},
	{uint64(CLONE_UNTRACED), "CLONE_UNTRACED"},
	{uint64(CLONE_CHILD_SETTID), "CLONE_CHILD_SETTID"},
	{uint64(CLONE_NEWCGROUP), "CLONE_NEWCGROUP"},
	{uint64(CLONE_NEWUTS), "CLONE_NEWUTS"},
	{uint64(CLONE_NEWIPC), "CLONE_NEWIPC"},
	{uint64(CLONE_NEWUSER), "CLONE_NEWUSER"},
	{uint64(CLONE_NEWPID), "CLONE_NEWPID"},
	{uint64(CLONE_NEWNET), "CLONE_NEWNET"},
	{uint64(CLONE_IO), "CLONE_IO"},
	{uint64(CLONE_CLEAR_SIGHAND), "CLONE_CLEAR_SIGHAND"},
	{uint64(CLONE_INTO_CGROUP), "CLONE_INTO_CGROUP"},
}

func (f CloneFlags) String() string { return formatBits(uint64(f), cloneFlagsNames[:]) }

// CLONE_NEWTIME overlaps the exit signal, so only clone3, unshare and setns take it.
const CLONE_NEWTIME CloneFlags = 0x80

// CSIGNAL masks the exit signal in the flags of clone(2).
const CSIGNAL CloneFlags = 0xff

// CloneArgs is struct clone_args of clone3(2), 88 bytes.
type CloneArgs struct {
	Flags      CloneFlags
	Pidfd      uint64
	ChildTID   uint64
	ParentTID  uint64
	ExitSignal uint64
	Stack      uint64
	StackSize  uint64
	TLS        uint64
	SetTID     uint64
	SetTIDSize uint64
	Cgroup     uint64
}

// Sizes of struct clone_args that clone3(2) has had.
const (
	CLONE_ARGS_SIZE_VER0 = 64
	CLONE_ARGS_SIZE_VER1 = 80
	CLONE_ARGS_SIZE_VER2 = 88
)

// WaitOptions are the options of wait4(2) and waitid(2).
type WaitOptions uint32

const (
	WNOHANG    WaitOptions = 1
	WUNTRACED  WaitOptions = 2
	WEXITED    WaitOptions = 4
	WCONTINUED WaitOptions = 8
	WNOWAIT    WaitOptions = 0x1000000
	WNOTHREAD  WaitOptions = 0x20000000
	WALL       WaitOptions = 0x40000000
	WCLONE     WaitOptions = 0x80000000
)

var waitOptionsNames = [...]bitName{
	{uint64(WNOHANG), "WNOHANG"},
	{uint64(WUNTRACED), "WUNTRACED"},
	{uint64(WEXITED), "WEXITED"},
	{uint64(WCONTINUED), "WCONTINUED"},
	{uint64(WNOWAIT), "WNOWAIT"},
	{uint64(WNOTHREAD), "__WNOTHREAD"},
	{uint64(WALL), "__WALL"},
	{uint64(WCLONE), "__WCLONE"},
}

func (f WaitOptions) String() string { return formatBits(uint64(f), waitOptionsNames[:]) }

// WSTOPPED is waitid's name of WUNTRACED.
const WSTOPPED = WUNTRACED

// WaitIDType says what waitid(2) waits for.
type WaitIDType int32

const (
	P_ALL   WaitIDType = 0
	P_PID   WaitIDType = 1
	P_PGID  WaitIDType = 2
	P_PIDFD WaitIDType = 3
)

var waitIDTypeNames = [...]enumName{
	{int64(P_ALL), "P_ALL"},
	{int64(P_PID), "P_PID"},
	{int64(P_PGID), "P_PGID"},
	{int64(P_PIDFD), "P_PIDFD"},
}

func (f WaitIDType) String() string { return formatEnum(int64(f), waitIDTypeNames[:]) }

// WaitStatus is a status word of wait4(2).
type WaitStatus uint32

// WaitExited is the status of a process that called exit.
func WaitExited(code int32) WaitStatus { return WaitStatus(code&0xff) << 8 }

// WaitSignaled is the status of a process that a signal ended.
func WaitSignaled(sig Signal, core bool) WaitStatus {
	if core {
		return WaitStatus(sig) | 0x80
	}
	return WaitStatus(sig)
}

// WaitStopped is the status of a stopped process; ptrace events stand above bit 8 of sig.
func WaitStopped(sig Signal) WaitStatus { return WaitStatus(sig)<<8 | 0x7f }

// WaitContinued is the status of a process that SIGCONT woke.
const WaitContinued WaitStatus = 0xffff

func (w WaitStatus) Exited() bool       { return w&0x7f == 0 }
func (w WaitStatus) ExitStatus() int32  { return int32(w>>8) & 0xff }
func (w WaitStatus) Signaled() bool     { return w&0x7f != 0x7f && w&0x7f != 0 }
func (w WaitStatus) TermSignal() Signal { return Signal(w & 0x7f) }
func (w WaitStatus) CoreDump() bool     { return w.Signaled() && w&0x80 != 0 }
func (w WaitStatus) Stopped() bool      { return w&0xff == 0x7f }
func (w WaitStatus) StopSignal() Signal { return Signal(w>>8) & 0xff }
func (w WaitStatus) Continued() bool    { return w == WaitContinued }

// Resource names a resource limit.
type Resource int32

const (
	RLIMIT_CPU        Resource = 0
	RLIMIT_FSIZE      Resource = 1
	RLIMIT_DATA       Resource = 2
	RLIMIT_STACK      Resource = 3
	RLIMIT_CORE       Resource = 4
	RLIMIT_RSS        Resource = 5
	RLIMIT_NPROC      Resource = 6
	RLIMIT_NOFILE     Resource = 7
	RLIMIT_MEMLOCK    Resource = 8
	RLIMIT_AS         Resource = 9
	RLIMIT_LOCKS      Resource = 10
	RLIMIT_SIGPENDING Resource = 11
	RLIMIT_MSGQUEUE   Resource = 12
	RLIMIT_NICE       Resource = 13
	RLIMIT_RTPRIO     Resource = 14
	RLIMIT_RTTIME     Resource = 15
)

var resourceNames = [...]enumName{
	{int64(RLIMIT_CPU), "RLIMIT_CPU"},
	{int64(RLIMIT_FSIZE), "RLIMIT_FSIZE"},
	{int64(RLIMIT_DATA), "RLIMIT_DATA"},
	{int64(RLIMIT_STACK), "RLIMIT_STACK"},
	{int64(RLIMIT_CORE), "RLIMIT_CORE"},
	{int64(RLIMIT_RSS), "RLIMIT_RSS"},
	{int64(RLIMIT_NPROC), "RLIMIT_NPROC"},
	{int64(RLIMIT_NOFILE), "RLIMIT_NOFILE"},
	{int64(RLIMIT_MEMLOCK), "RLIMIT_MEMLOCK"},
	{int64(RLIMIT_AS), "RLIMIT_AS"},
	{int64(RLIMIT_LOCKS), "RLIMIT_LOCKS"},
	{int64(RLIMIT_SIGPENDING), "RLIMIT_SIGPENDING"},
	{int64(RLIMIT_MSGQUEUE), "RLIMIT_MSGQUEUE"},
	{int64(RLIMIT_NICE), "RLIMIT_NICE"},
	{int64(RLIMIT_RTPRIO), "RLIMIT_RTPRIO"},
	{int64(RLIMIT_RTTIME), "RLIMIT_RTTIME"},
}

func (f Resource) String() string { return formatEnum(int64(f), resourceNames[:]) }

const (
	// RLIM_NLIMITS is the number of resource limits.
	RLIM_NLIMITS = 16
	// RLIM_INFINITY is no limit.
	RLIM_INFINITY = ^uint64(0)
)

// Rlimit is struct rlimit64.
type Rlimit struct {
	Cur uint64
	Max uint64
}

// Rusage is struct rusage, 144 bytes.
type Rusage struct {
	Utime    Timeval
	Stime    Timeval
	Maxrss   int64
	Ixrss    int64
	Idrss    int64
	Isrss    int64
	Minflt   int64
	Majflt   int64
	Nswap    int64
	Inblock  int64
	Oublock  int64
	Msgsnd   int64
	Msgrcv   int64
	Nsignals int64
	Nvcsw    int64
	Nivcsw   int64
}

// RusageWho is the first argument of getrusage(2).
type RusageWho int32

const (
	RUSAGE_CHILDREN RusageWho = -1
	RUSAGE_SELF     RusageWho = 0
	RUSAGE_THREAD   RusageWho = 1
)

var rusageWhoNames = [...]enumName{
	{int64(RUSAGE_CHILDREN), "RUSAGE_CHILDREN"},
	{int64(RUSAGE_SELF), "RUSAGE_SELF"},
	{int64(RUSAGE_THREAD), "RUSAGE_THREAD"},
}

func (f RusageWho) String() string { return formatEnum(int64(f), rusageWhoNames[:]) }

// PriorityWhich is the first argument of getpriority(2).
type PriorityWhich int32

const (
	PRIO_PROCESS PriorityWhich = 0
	PRIO_PGRP    PriorityWhich = 1
	PRIO_USER    PriorityWhich = 2
)

var priorityWhichNames = [...]enumName{
	{int64(PRIO_PROCESS), "PRIO_PROCESS"},
	{int64(PRIO_PGRP), "PRIO_PGRP"},
	{int64(PRIO_USER), "PRIO_USER"},
}

func (f PriorityWhich) String() string { return formatEnum(int64(f), priorityWhichNames[:]) }

// SchedPolicy is a scheduling policy, to which SCHED_RESET_ON_FORK may be ORed.
type SchedPolicy int32

const (
	SCHED_OTHER         SchedPolicy = 0
	SCHED_FIFO          SchedPolicy = 1
	SCHED_RR            SchedPolicy = 2
	SCHED_BATCH         SchedPolicy = 3
	SCHED_IDLE          SchedPolicy = 5
	SCHED_DEADLINE      SchedPolicy = 6
	SCHED_EXT           SchedPolicy = 7
	SCHED_RESET_ON_FORK SchedPolicy = 0x40000000
)

var schedPolicyNames = [...]enumName{
	{int64(SCHED_OTHER), "SCHED_OTHER"},
	{int64(SCHED_FIFO), "SCHED_FIFO"},
	{int64(SCHED_RR), "SCHED_RR"},
	{int64(SCHED_BATCH), "SCHED_BATCH"},
	{int64(SCHED_IDLE), "SCHED_IDLE"},
	{int64(SCHED_DEADLINE), "SCHED_DEADLINE"},
	{int64(SCHED_EXT), "SCHED_EXT"},
	{int64(SCHED_RESET_ON_FORK), "SCHED_RESET_ON_FORK"},
}

func (f SchedPolicy) String() string { return formatEnum(int64(f), schedPolicyNames[:]) }

// SchedParam is struct sched_param.
type SchedParam struct{ Priority int32 }

// SchedAttr is struct sched_attr, 56 bytes; the first version had 48.
type SchedAttr struct {
	Size     uint32
	Policy   uint32
	Flags    uint64
	Nice     int32
	Priority uint32
	Runtime  uint64
	Deadline uint64
	Period   uint64
	UtilMin  uint32
	UtilMax  uint32
}

// Sizes of SchedAttr.
const (
	SCHED_ATTR_SIZE_VER0 = 48
	SCHED_ATTR_SIZE_VER1 = 56
)

// IoprioWho is the first argument of ioprio_get(2).
type IoprioWho int32

const (
	IOPRIO_WHO_PROCESS IoprioWho = 1
	IOPRIO_WHO_PGRP    IoprioWho = 2
	IOPRIO_WHO_USER    IoprioWho = 3
)

var ioprioWhoNames = [...]enumName{
	{int64(IOPRIO_WHO_PROCESS), "IOPRIO_WHO_PROCESS"},
	{int64(IOPRIO_WHO_PGRP), "IOPRIO_WHO_PGRP"},
	{int64(IOPRIO_WHO_USER), "IOPRIO_WHO_USER"},
}

func (f IoprioWho) String() string { return formatEnum(int64(f), ioprioWhoNames[:]) }

// IoprioClass is an I/O priority class, above IOPRIO_CLASS_SHIFT of a priority.
type IoprioClass int32

const (
	IOPRIO_CLASS_NONE IoprioClass = 0
	IOPRIO_CLASS_RT   IoprioClass = 1
	IOPRIO_CLASS_BE   IoprioClass = 2
	IOPRIO_CLASS_IDLE IoprioClass = 3
)

var ioprioClassNames = [...]enumName{
	{int64(IOPRIO_CLASS_NONE), "IOPRIO_CLASS_NONE"},
	{int64(IOPRIO_CLASS_RT), "IOPRIO_CLASS_RT"},
	{int64(IOPRIO_CLASS_BE), "IOPRIO_CLASS_BE"},
	{int64(IOPRIO_CLASS_IDLE), "IOPRIO_CLASS_IDLE"},
}

func (f IoprioClass) String() string { return formatEnum(int64(f), ioprioClassNames[:]) }

const IOPRIO_CLASS_SHIFT = 13

// PidfdFlags are the flags of pidfd_open(2) and pidfd_send_signal(2).
type PidfdFlags uint32

const (
	PIDFD_NONBLOCK             PidfdFlags = 0x800
	PIDFD_THREAD               PidfdFlags = 0x80
	PIDFD_SIGNAL_THREAD        PidfdFlags = 0x1
	PIDFD_SIGNAL_THREAD_GROUP  PidfdFlags = 0x2
	PIDFD_SIGNAL_PROCESS_GROUP PidfdFlags = 0x4
)

var pidfdFlagsNames = [...]bitName{
	{uint64(PIDFD_NONBLOCK), "PIDFD_NONBLOCK"},
	{uint64(PIDFD_THREAD), "PIDFD_THREAD"},
	{uint64(PIDFD_SIGNAL_THREAD), "PIDFD_SIGNAL_THREAD"},
	{uint64(PIDFD_SIGNAL_THREAD_GROUP), "PIDFD_SIGNAL_THREAD_GROUP"},
	{uint64(PIDFD_SIGNAL_PROCESS_GROUP), "PIDFD_SIGNAL_PROCESS_GROUP"},
}

func (f PidfdFlags) String() string { return formatBits(uint64(f), pidfdFlagsNames[:]) }

// Rseq is struct rseq as registered with rseq(2): the first 32 bytes.
type Rseq struct {
	CPUIDStart uint32
	CPUID      uint32
	RseqCS     uint64
	Flags      uint32
	NodeID     uint32
	MMCID      uint32
	_          uint32
}

// RseqCS is struct rseq_cs, a critical section.
type RseqCS struct {
	Version          uint32
	Flags            uint32
	StartIP          uint64
	PostCommitOffset uint64
	AbortIP          uint64
}

const (
	RSEQ_FLAG_UNREGISTER               = 1
	RSEQ_CPU_ID_UNINITIALIZED          = 0xffffffff
	RSEQ_CPU_ID_REGISTRATION_FAILED    = 0xfffffffe
	RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT = 1
	RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL  = 2
	RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE = 4
)

// MembarrierCmd is a command of membarrier(2).
type MembarrierCmd int32

const (
	MEMBARRIER_CMD_QUERY                                MembarrierCmd = 0x0
	MEMBARRIER_CMD_GLOBAL                               MembarrierCmd = 0x1
	MEMBARRIER_CMD_GLOBAL_EXPEDITED                     MembarrierCmd = 0x2
	MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED            MembarrierCmd = 0x4
	MEMBARRIER_CMD_PRIVATE_EXPEDITED                    MembarrierCmd = 0x8
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED           MembarrierCmd = 0x10
	MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE          MembarrierCmd = 0x20
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE MembarrierCmd = 0x40
	MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ               MembarrierCmd = 0x80
	MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ      MembarrierCmd = 0x100
	MEMBARRIER_CMD_GET_REGISTRATIONS                    MembarrierCmd = 0x200
)

var membarrierCmdNames = [...]enumName{
	{int64(MEMBARRIER_CMD_QUERY), "MEMBARRIER_CMD_QUERY"},
	{int64(MEMBARRIER_CMD_GLOBAL), "MEMBARRIER_CMD_GLOBAL"},
	{int64(MEMBARRIER_CMD_GLOBAL_EXPEDITED), "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
	{int64(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED), "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
	{int64(MEMBARRIER_CMD_PRIVATE_EXPEDITED), "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
	{int64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
	{int64(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE), "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
	{int64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"},
	{int64(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ), "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
	{int64(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ), "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
	{int64(MEMBARRIER_CMD_GET_REGISTRATIONS), "MEMBARRIER_CMD_GET_REGISTRATIONS"},
}

func (f MembarrierCmd) String() string { return formatEnum(int64(f), membarrierCmdNames[:]) }

const MEMBARRIER_CMD_FLAG_CPU = 1

// KcmpType says what kcmp(2) compares.
type KcmpType int32

const (
	KCMP_FILE      KcmpType = 0
	KCMP_VM        KcmpType = 1
	KCMP_FILES     KcmpType = 2
	KCMP_FS        KcmpType = 3
	KCMP_SIGHAND   KcmpType = 4
	KCMP_IO        KcmpType = 5
	KCMP_SYSVSEM   KcmpType = 6
	KCMP_EPOLL_TFD KcmpType = 7
)

// KcmpEpollSlot is struct kcmp_epoll_slot.
type KcmpEpollSlot struct {
	EFD, TFD, TOff uint32
}

var kcmpTypeNames = [...]enumName{
	{int64(KCMP_FILE), "KCMP_FILE"},
	{int64(KCMP_VM), "KCMP_VM"},
	{int64(KCMP_FILES), "KCMP_FILES"},
	{int64(KCMP_FS), "KCMP_FS"},
	{int64(KCMP_SIGHAND), "KCMP_SIGHAND"},
	{int64(KCMP_IO), "KCMP_IO"},
	{int64(KCMP_SYSVSEM), "KCMP_SYSVSEM"},
	{int64(KCMP_EPOLL_TFD), "KCMP_EPOLL_TFD"},
}

func (f KcmpType) String() string { return formatEnum(int64(f), kcmpTypeNames[:]) }
