package linux

// PtraceRequest is a request of ptrace(2).
type PtraceRequest int32

const (
	PTRACE_TRACEME                          PtraceRequest = 0x0
	PTRACE_PEEKTEXT                         PtraceRequest = 0x1
	PTRACE_PEEKDATA                         PtraceRequest = 0x2
	PTRACE_PEEKUSR                          PtraceRequest = 0x3
	PTRACE_POKETEXT                         PtraceRequest = 0x4
	PTRACE_POKEDATA                         PtraceRequest = 0x5
	PTRACE_POKEUSR                          PtraceRequest = 0x6
	PTRACE_CONT                             PtraceRequest = 0x7
	PTRACE_KILL                             PtraceRequest = 0x8
	PTRACE_SINGLESTEP                       PtraceRequest = 0x9
	PTRACE_GETREGS                          PtraceRequest = 0xc
	PTRACE_SETREGS                          PtraceRequest = 0xd
	PTRACE_GETFPREGS                        PtraceRequest = 0xe
	PTRACE_SETFPREGS                        PtraceRequest = 0xf
	PTRACE_ATTACH                           PtraceRequest = 0x10
	PTRACE_DETACH                           PtraceRequest = 0x11
	PTRACE_GETFPXREGS                       PtraceRequest = 0x12
	PTRACE_SETFPXREGS                       PtraceRequest = 0x13
	PTRACE_SYSCALL                          PtraceRequest = 0x18
	PTRACE_GET_THREAD_AREA                  PtraceRequest = 0x19
	PTRACE_SET_THREAD_AREA                  PtraceRequest = 0x1a
	PTRACE_ARCH_PRCTL                       PtraceRequest = 0x1e
	PTRACE_SYSEMU                           PtraceRequest = 0x1f
	PTRACE_SYSEMU_SINGLESTEP                PtraceRequest = 0x20
	PTRACE_SINGLEBLOCK                      PtraceRequest = 0x21
	PTRACE_SETOPTIONS                       PtraceRequest = 0x4200
	PTRACE_GETEVENTMSG                      PtraceRequest = 0x4201
	PTRACE_GETSIGINFO                       PtraceRequest = 0x4202
	PTRACE_SETSIGINFO                       PtraceRequest = 0x4203
	PTRACE_GETREGSET                        PtraceRequest = 0x4204
	PTRACE_SETREGSET                        PtraceRequest = 0x4205
	PTRACE_SEIZE                            PtraceRequest = 0x4206
	PTRACE_INTERRUPT                        PtraceRequest = 0x4207
	PTRACE_LISTEN                           PtraceRequest = 0x4208
	PTRACE_PEEKSIGINFO                      PtraceRequest = 0x4209
	PTRACE_GETSIGMASK                       PtraceRequest = 0x420a
	PTRACE_SETSIGMASK                       PtraceRequest = 0x420b
	PTRACE_SECCOMP_GET_FILTER               PtraceRequest = 0x420c
	PTRACE_SECCOMP_GET_METADATA             PtraceRequest = 0x420d
	PTRACE_GET_SYSCALL_INFO                 PtraceRequest = 0x420e
	PTRACE_GET_RSEQ_CONFIGURATION           PtraceRequest = 0x420f
	PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG PtraceRequest = 0x4210
	PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG PtraceRequest = 0x4211
	PTRACE_SET_SYSCALL_INFO                 PtraceRequest = 0x4212
)

var ptraceRequestNames = [...]enumName{
	{int64(PTRACE_TRACEME), "PTRACE_TRACEME"},
	{int64(PTRACE_PEEKTEXT), "PTRACE_PEEKTEXT"},
	{int64(PTRACE_PEEKDATA), "PTRACE_PEEKDATA"},
	{int64(PTRACE_PEEKUSR), "PTRACE_PEEKUSR"},
	{int64(PTRACE_POKETEXT), "PTRACE_POKETEXT"},
	{int64(PTRACE_POKEDATA), "PTRACE_POKEDATA"},
	{int64(PTRACE_POKEUSR), "PTRACE_POKEUSR"},
	{int64(PTRACE_CONT), "PTRACE_CONT"},
	{int64(PTRACE_KILL), "PTRACE_KILL"},
	{int64(PTRACE_SINGLESTEP), "PTRACE_SINGLESTEP"},
	{int64(PTRACE_GETREGS), "PTRACE_GETREGS"},
	{int64(PTRACE_SETREGS), "PTRACE_SETREGS"},
	{int64(PTRACE_GETFPREGS), "PTRACE_GETFPREGS"},
	{int64(PTRACE_SETFPREGS), "PTRACE_SETFPREGS"},
	{int64(PTRACE_ATTACH), "PTRACE_ATTACH"},
	{int64(PTRACE_DETACH), "PTRACE_DETACH"},
	{int64(PTRACE_GETFPXREGS), "PTRACE_GETFPXREGS"},
	{int64(PTRACE_SETFPXREGS), "PTRACE_SETFPXREGS"},
	{int64(PTRACE_SYSCALL), "PTRACE_SYSCALL"},
	{int64(PTRACE_GET_THREAD_AREA), "PTRACE_GET_THREAD_AREA"},
	{int64(PTRACE_SET_THREAD_AREA), "PTRACE_SET_THREAD_AREA"},
	{int64(PTRACE_ARCH_PRCTL), "PTRACE_ARCH_PRCTL"},
	{int64(PTRACE_SYSEMU), "PTRACE_SYSEMU"},
	{int64(PTRACE_SYSEMU_SINGLESTEP), "PTRACE_SYSEMU_SINGLESTEP"},
	{int64(PTRACE_SINGLEBLOCK), "PTRACE_SINGLEBLOCK"},
	{int64(PTRACE_SETOPTIONS), "PTRACE_SETOPTIONS"},
	{int64(PTRACE_GETEVENTMSG), "PTRACE_GETEVENTMSG"},
	{int64(PTRACE_GETSIGINFO), "PTRACE_GETSIGINFO"},
	{int64(PTRACE_SETSIGINFO), "PTRACE_SETSIGINFO"},
	{int64(PTRACE_GETREGSET), "PTRACE_GETREGSET"},
	{int64(PTRACE_SETREGSET), "PTRACE_SETREGSET"},
	{int64(PTRACE_SEIZE), "PTRACE_SEIZE"},
	{int64(PTRACE_INTERRUPT), "PTRACE_INTERRUPT"},
	{int64(PTRACE_LISTEN), "PTRACE_LISTEN"},
	{int64(PTRACE_PEEKSIGINFO), "PTRACE_PEEKSIGINFO"},
	{int64(PTRACE_GETSIGMASK), "PTRACE_GETSIGMASK"},
	{int64(PTRACE_SETSIGMASK), "PTRACE_SETSIGMASK"},
	{int64(PTRACE_SECCOMP_GET_FILTER), "PTRACE_SECCOMP_GET_FILTER"},
	{int64(PTRACE_SECCOMP_GET_METADATA), "PTRACE_SECCOMP_GET_METADATA"},
	{int64(PTRACE_GET_SYSCALL_INFO), "PTRACE_GET_SYSCALL_INFO"},
	{int64(PTRACE_GET_RSEQ_CONFIGURATION), "PTRACE_GET_RSEQ_CONFIGURATION"},
	{int64(PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG), "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG"},
	{int64(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG), "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG"},
	{int64(PTRACE_SET_SYSCALL_INFO), "PTRACE_SET_SYSCALL_INFO"},
}

func (f PtraceRequest) String() string { return formatEnum(int64(f), ptraceRequestNames[:]) }

// PtraceOptions are the options of PTRACE_SETOPTIONS.
type PtraceOptions uint64

const (
	PTRACE_O_TRACESYSGOOD    PtraceOptions = 0x1
	PTRACE_O_TRACEFORK       PtraceOptions = 0x2
	PTRACE_O_TRACEVFORK      PtraceOptions = 0x4
	PTRACE_O_TRACECLONE      PtraceOptions = 0x8
	PTRACE_O_TRACEEXEC       PtraceOptions = 0x10
	PTRACE_O_TRACEVFORKDONE  PtraceOptions = 0x20
	PTRACE_O_TRACEEXIT       PtraceOptions = 0x40
	PTRACE_O_TRACESECCOMP    PtraceOptions = 0x80
	PTRACE_O_EXITKILL        PtraceOptions = 0x100000
	PTRACE_O_SUSPEND_SECCOMP PtraceOptions = 0x200000
)

var ptraceOptionsNames = [...]bitName{
	{uint64(PTRACE_O_TRACESYSGOOD), "PTRACE_O_TRACESYSGOOD"},
	{uint64(PTRACE_O_TRACEFORK), "PTRACE_O_TRACEFORK"},
	{uint64(PTRACE_O_TRACEVFORK), "PTRACE_O_TRACEVFORK"},
	{uint64(PTRACE_O_TRACECLONE), "PTRACE_O_TRACECLONE"},
	{uint64(PTRACE_O_TRACEEXEC), "PTRACE_O_TRACEEXEC"},
	{uint64(PTRACE_O_TRACEVFORKDONE), "PTRACE_O_TRACEVFORKDONE"},
	{uint64(PTRACE_O_TRACEEXIT), "PTRACE_O_TRACEEXIT"},
	{uint64(PTRACE_O_TRACESECCOMP), "PTRACE_O_TRACESECCOMP"},
	{uint64(PTRACE_O_EXITKILL), "PTRACE_O_EXITKILL"},
	{uint64(PTRACE_O_SUSPEND_SECCOMP), "PTRACE_O_SUSPEND_SECCOMP"},
}

func (f PtraceOptions) String() string { return formatBits(uint64(f), ptraceOptionsNames[:]) }

// Events of ptrace(2).
const (
	PTRACE_EVENT_FORK       = 0x1
	PTRACE_EVENT_VFORK      = 0x2
	PTRACE_EVENT_CLONE      = 0x3
	PTRACE_EVENT_EXEC       = 0x4
	PTRACE_EVENT_VFORK_DONE = 0x5
	PTRACE_EVENT_EXIT       = 0x6
	PTRACE_EVENT_SECCOMP    = 0x7
	PTRACE_EVENT_STOP       = 0x80
)

// What PTRACE_GETEVENTMSG says of a stop before or after a call.
const (
	PTRACE_EVENTMSG_SYSCALL_ENTRY = 1
	PTRACE_EVENTMSG_SYSCALL_EXIT  = 2
)

// What PtraceSyscallInfo is about.
const (
	PTRACE_SYSCALL_INFO_NONE    = 0
	PTRACE_SYSCALL_INFO_ENTRY   = 1
	PTRACE_SYSCALL_INFO_EXIT    = 2
	PTRACE_SYSCALL_INFO_SECCOMP = 3
)

// PtraceSyscallInfo is struct ptrace_syscall_info, 88 bytes. Of an exit Nr is the result and
// the lowest byte of Args[0] says whether it is an error.
type PtraceSyscallInfo struct {
	Op                 uint8
	_                  uint8
	Flags              uint16
	Arch               uint32
	InstructionPointer uint64
	StackPointer       uint64
	Nr                 uint64
	Args               [6]uint64
	RetData            uint32
	_                  uint32
}

// PtracePeeksiginfoArgs is struct ptrace_peeksiginfo_args.
type PtracePeeksiginfoArgs struct {
	Off   uint64
	Flags uint32
	Nr    int32
}

// PTRACE_PEEKSIGINFO_SHARED asks for the process's signals rather than the thread's.
const PTRACE_PEEKSIGINFO_SHARED = 1
