package linux

// PrctlOp is an operation of prctl(2).
type PrctlOp int32

const (
	PR_SET_PDEATHSIG             PrctlOp = 1
	PR_GET_PDEATHSIG             PrctlOp = 2
	PR_GET_DUMPABLE              PrctlOp = 3
	PR_SET_DUMPABLE              PrctlOp = 4
	PR_GET_UNALIGN               PrctlOp = 5
	PR_SET_UNALIGN               PrctlOp = 6
	PR_GET_KEEPCAPS              PrctlOp = 7
	PR_SET_KEEPCAPS              PrctlOp = 8
	PR_GET_FPEMU                 PrctlOp = 9
	PR_SET_FPEMU                 PrctlOp = 10
	PR_GET_FPEXC                 PrctlOp = 11
	PR_SET_FPEXC                 PrctlOp = 12
	PR_GET_TIMING                PrctlOp = 13
	PR_SET_TIMING                PrctlOp = 14
	PR_SET_NAME                  PrctlOp = 15
	PR_GET_NAME                  PrctlOp = 16
	PR_GET_ENDIAN                PrctlOp = 19
	PR_SET_ENDIAN                PrctlOp = 20
	PR_GET_SECCOMP               PrctlOp = 21
	PR_SET_SECCOMP               PrctlOp = 22
	PR_CAPBSET_READ              PrctlOp = 23
	PR_CAPBSET_DROP              PrctlOp = 24
	PR_GET_TSC                   PrctlOp = 25
	PR_SET_TSC                   PrctlOp = 26
	PR_GET_SECUREBITS            PrctlOp = 27
	PR_SET_SECUREBITS            PrctlOp = 28
	PR_SET_TIMERSLACK            PrctlOp = 29
	PR_GET_TIMERSLACK            PrctlOp = 30
	PR_TASK_PERF_EVENTS_DISABLE  PrctlOp = 31
	PR_TASK_PERF_EVENTS_ENABLE   PrctlOp = 32
	PR_MCE_KILL                  PrctlOp = 33
	PR_MCE_KILL_GET              PrctlOp = 34
	PR_SET_MM                    PrctlOp = 35
	PR_SET_CHILD_SUBREAPER       PrctlOp = 36
	PR_GET_CHILD_SUBREAPER       PrctlOp = 37
	PR_SET_NO_NEW_PRIVS          PrctlOp = 38
	PR_GET_NO_NEW_PRIVS          PrctlOp = 39
	PR_GET_TID_ADDRESS           PrctlOp = 40
	PR_SET_THP_DISABLE           PrctlOp = 41
	PR_GET_THP_DISABLE           PrctlOp = 42
	PR_MPX_ENABLE_MANAGEMENT     PrctlOp = 43
	PR_MPX_DISABLE_MANAGEMENT    PrctlOp = 44
	PR_SET_FP_MODE               PrctlOp = 45
	PR_GET_FP_MODE               PrctlOp = 46
	PR_CAP_AMBIENT               PrctlOp = 47
	PR_SVE_SET_VL                PrctlOp = 50
	PR_SVE_GET_VL                PrctlOp = 51
	PR_GET_SPECULATION_CTRL      PrctlOp = 52
	PR_SET_SPECULATION_CTRL      PrctlOp = 53
	PR_PAC_RESET_KEYS            PrctlOp = 54
	PR_SET_TAGGED_ADDR_CTRL      PrctlOp = 55
	PR_GET_TAGGED_ADDR_CTRL      PrctlOp = 56
	PR_SET_IO_FLUSHER            PrctlOp = 57
	PR_GET_IO_FLUSHER            PrctlOp = 58
	PR_SET_SYSCALL_USER_DISPATCH PrctlOp = 59
	PR_PAC_SET_ENABLED_KEYS      PrctlOp = 60
	PR_PAC_GET_ENABLED_KEYS      PrctlOp = 61
	PR_SCHED_CORE                PrctlOp = 62
	PR_SME_SET_VL                PrctlOp = 63
	PR_SME_GET_VL                PrctlOp = 64
	PR_SET_MDWE                  PrctlOp = 65
	PR_GET_MDWE                  PrctlOp = 66
	PR_SET_MEMORY_MERGE          PrctlOp = 67
	PR_GET_MEMORY_MERGE          PrctlOp = 68
	PR_GET_AUXV                  PrctlOp = 1096112214
	PR_SET_VMA                   PrctlOp = 1398164801
	PR_SET_PTRACER               PrctlOp = 1499557217
)

var prctlOpNames = [...]enumName{
	{int64(PR_SET_PDEATHSIG), "PR_SET_PDEATHSIG"},
	{int64(PR_GET_PDEATHSIG), "PR_GET_PDEATHSIG"},
	{int64(PR_GET_DUMPABLE), "PR_GET_DUMPABLE"},
	{int64(PR_SET_DUMPABLE), "PR_SET_DUMPABLE"},
	{int64(PR_GET_UNALIGN), "PR_GET_UNALIGN"},
	{int64(PR_SET_UNALIGN), "PR_SET_UNALIGN"},
	{int64(PR_GET_KEEPCAPS), "PR_GET_KEEPCAPS"},
	{int64(PR_SET_KEEPCAPS), "PR_SET_KEEPCAPS"},
	{int64(PR_GET_FPEMU), "PR_GET_FPEMU"},
	{int64(PR_SET_FPEMU), "PR_SET_FPEMU"},
	{int64(PR_GET_FPEXC), "PR_GET_FPEXC"},
	{int64(PR_SET_FPEXC), "PR_SET_FPEXC"},
	{int64(PR_GET_TIMING), "PR_GET_TIMING"},
	{int64(PR_SET_TIMING), "PR_SET_TIMING"},
	{int64(PR_SET_NAME), "PR_SET_NAME"},
	{int64(PR_GET_NAME), "PR_GET_NAME"},
	{int64(PR_GET_ENDIAN), "PR_GET_ENDIAN"},
	{int64(PR_SET_ENDIAN), "PR_SET_ENDIAN"},
	{int64(PR_GET_SECCOMP), "PR_GET_SECCOMP"},
	{int64(PR_SET_SECCOMP), "PR_SET_SECCOMP"},
	{int64(PR_CAPBSET_READ), "PR_CAPBSET_READ"},
	{int64(PR_CAPBSET_DROP), "PR_CAPBSET_DROP"},
	{int64(PR_GET_TSC), "PR_GET_TSC"},
	{int64(PR_SET_TSC), "PR_SET_TSC"},
	{int64(PR_GET_SECUREBITS), "PR_GET_SECUREBITS"},
	{int64(PR_SET_SECUREBITS), "PR_SET_SECUREBITS"},
	{int64(PR_SET_TIMERSLACK), "PR_SET_TIMERSLACK"},
	{int64(PR_GET_TIMERSLACK), "PR_GET_TIMERSLACK"},
	{int64(PR_TASK_PERF_EVENTS_DISABLE), "PR_TASK_PERF_EVENTS_DISABLE"},
	{int64(PR_TASK_PERF_EVENTS_ENABLE), "PR_TASK_PERF_EVENTS_ENABLE"},
	{int64(PR_MCE_KILL), "PR_MCE_KILL"},
	{int64(PR_MCE_KILL_GET), "PR_MCE_KILL_GET"},
	{int64(PR_SET_MM), "PR_SET_MM"},
	{int64(PR_SET_CHILD_SUBREAPER), "PR_SET_CHILD_SUBREAPER"},
	{int64(PR_GET_CHILD_SUBREAPER), "PR_GET_CHILD_SUBREAPER"},
	{int64(PR_SET_NO_NEW_PRIVS), "PR_SET_NO_NEW_PRIVS"},
	{int64(PR_GET_NO_NEW_PRIVS), "PR_GET_NO_NEW_PRIVS"},
	{int64(PR_GET_TID_ADDRESS), "PR_GET_TID_ADDRESS"},
	{int64(PR_SET_THP_DISABLE), "PR_SET_THP_DISABLE"},
	{int64(PR_GET_THP_DISABLE), "PR_GET_THP_DISABLE"},
	{int64(PR_MPX_ENABLE_MANAGEMENT), "PR_MPX_ENABLE_MANAGEMENT"},
	{int64(PR_MPX_DISABLE_MANAGEMENT), "PR_MPX_DISABLE_MANAGEMENT"},
	{int64(PR_SET_FP_MODE), "PR_SET_FP_MODE"},
	{int64(PR_GET_FP_MODE), "PR_GET_FP_MODE"},
	{int64(PR_CAP_AMBIENT), "PR_CAP_AMBIENT"},
	{int64(PR_SVE_SET_VL), "PR_SVE_SET_VL"},
	{int64(PR_SVE_GET_VL), "PR_SVE_GET_VL"},
	{int64(PR_GET_SPECULATION_CTRL), "PR_GET_SPECULATION_CTRL"},
	{int64(PR_SET_SPECULATION_CTRL), "PR_SET_SPECULATION_CTRL"},
	{int64(PR_PAC_RESET_KEYS), "PR_PAC_RESET_KEYS"},
	{int64(PR_SET_TAGGED_ADDR_CTRL), "PR_SET_TAGGED_ADDR_CTRL"},
	{int64(PR_GET_TAGGED_ADDR_CTRL), "PR_GET_TAGGED_ADDR_CTRL"},
	{int64(PR_SET_IO_FLUSHER), "PR_SET_IO_FLUSHER"},
	{int64(PR_GET_IO_FLUSHER), "PR_GET_IO_FLUSHER"},
	{int64(PR_SET_SYSCALL_USER_DISPATCH), "PR_SET_SYSCALL_USER_DISPATCH"},
	{int64(PR_PAC_SET_ENABLED_KEYS), "PR_PAC_SET_ENABLED_KEYS"},
	{int64(PR_PAC_GET_ENABLED_KEYS), "PR_PAC_GET_ENABLED_KEYS"},
	{int64(PR_SCHED_CORE), "PR_SCHED_CORE"},
	{int64(PR_SME_SET_VL), "PR_SME_SET_VL"},
	{int64(PR_SME_GET_VL), "PR_SME_GET_VL"},
	{int64(PR_SET_MDWE), "PR_SET_MDWE"},
	{int64(PR_GET_MDWE), "PR_GET_MDWE"},
	{int64(PR_SET_MEMORY_MERGE), "PR_SET_MEMORY_MERGE"},
	{int64(PR_GET_MEMORY_MERGE), "PR_GET_MEMORY_MERGE"},
	{int64(PR_GET_AUXV), "PR_GET_AUXV"},
	{int64(PR_SET_VMA), "PR_SET_VMA"},
	{int64(PR_SET_PTRACER), "PR_SET_PTRACER"},
}

func (f PrctlOp) String() string { return formatEnum(int64(f), prctlOpNames[:]) }

// Arguments of prctl(2).
const (
	PR_SET_VMA_ANON_NAME          = 0x0
	PR_CAP_AMBIENT_IS_SET         = 0x1
	PR_CAP_AMBIENT_RAISE          = 0x2
	PR_CAP_AMBIENT_LOWER          = 0x3
	PR_CAP_AMBIENT_CLEAR_ALL      = 0x4
	PR_SET_MM_START_CODE          = 0x1
	PR_SET_MM_END_CODE            = 0x2
	PR_SET_MM_START_DATA          = 0x3
	PR_SET_MM_END_DATA            = 0x4
	PR_SET_MM_START_STACK         = 0x5
	PR_SET_MM_START_BRK           = 0x6
	PR_SET_MM_BRK                 = 0x7
	PR_SET_MM_ARG_START           = 0x8
	PR_SET_MM_ARG_END             = 0x9
	PR_SET_MM_ENV_START           = 0xa
	PR_SET_MM_ENV_END             = 0xb
	PR_SET_MM_AUXV                = 0xc
	PR_SET_MM_EXE_FILE            = 0xd
	PR_SET_MM_MAP                 = 0xe
	PR_SET_MM_MAP_SIZE            = 0xf
	PR_TSC_ENABLE                 = 0x1
	PR_TSC_SIGSEGV                = 0x2
	PR_SPEC_STORE_BYPASS          = 0x0
	PR_SPEC_INDIRECT_BRANCH       = 0x1
	PR_SPEC_L1D_FLUSH             = 0x2
	PR_SPEC_NOT_AFFECTED          = 0x0
	PR_SPEC_PRCTL                 = 0x1
	PR_SPEC_ENABLE                = 0x2
	PR_SPEC_DISABLE               = 0x4
	PR_SPEC_FORCE_DISABLE         = 0x8
	PR_SPEC_DISABLE_NOEXEC        = 0x10
	PR_MCE_KILL_CLEAR             = 0x0
	PR_MCE_KILL_SET               = 0x1
	PR_MCE_KILL_LATE              = 0x0
	PR_MCE_KILL_EARLY             = 0x1
	PR_MCE_KILL_DEFAULT           = 0x2
	PR_TIMING_STATISTICAL         = 0x0
	PR_MDWE_REFUSE_EXEC_GAIN      = 0x1
	PR_MDWE_NO_INHERIT            = 0x2
	PR_SYS_DISPATCH_OFF           = 0x0
	PR_SYS_DISPATCH_ON            = 0x1
	SYSCALL_DISPATCH_FILTER_ALLOW = 0
	SYSCALL_DISPATCH_FILTER_BLOCK = 1
	PR_UNALIGN_NOPRINT            = 0x1
	PR_UNALIGN_SIGBUS             = 0x2
)

// PR_SET_PTRACER_ANY as an argument of PR_SET_PTRACER lets every process trace.
const PR_SET_PTRACER_ANY = ^uint64(0)

// TASK_COMM_LEN is the size of a thread's name with its NUL.
const TASK_COMM_LEN = 16

// Values of PR_SET_DUMPABLE.
const (
	SUID_DUMP_DISABLE = 0
	SUID_DUMP_USER    = 1
	SUID_DUMP_ROOT    = 2
)

// ArchPrctlOp is an operation of arch_prctl(2).
type ArchPrctlOp int32

const (
	ARCH_SET_GS               ArchPrctlOp = 0x1001
	ARCH_SET_FS               ArchPrctlOp = 0x1002
	ARCH_GET_FS               ArchPrctlOp = 0x1003
	ARCH_GET_GS               ArchPrctlOp = 0x1004
	ARCH_GET_CPUID            ArchPrctlOp = 0x1011
	ARCH_SET_CPUID            ArchPrctlOp = 0x1012
	ARCH_GET_XCOMP_SUPP       ArchPrctlOp = 0x1021
	ARCH_GET_XCOMP_PERM       ArchPrctlOp = 0x1022
	ARCH_REQ_XCOMP_PERM       ArchPrctlOp = 0x1023
	ARCH_GET_XCOMP_GUEST_PERM ArchPrctlOp = 0x1024
	ARCH_REQ_XCOMP_GUEST_PERM ArchPrctlOp = 0x1025
	ARCH_MAP_VDSO_X32         ArchPrctlOp = 0x2001
	ARCH_MAP_VDSO_32          ArchPrctlOp = 0x2002
	ARCH_MAP_VDSO_64          ArchPrctlOp = 0x2003
	ARCH_GET_UNTAG_MASK       ArchPrctlOp = 0x4001
	ARCH_ENABLE_TAGGED_ADDR   ArchPrctlOp = 0x4002
	ARCH_GET_MAX_TAG_BITS     ArchPrctlOp = 0x4003
	ARCH_SHSTK_ENABLE         ArchPrctlOp = 0x5001
	ARCH_SHSTK_DISABLE        ArchPrctlOp = 0x5002
	ARCH_SHSTK_LOCK           ArchPrctlOp = 0x5003
	ARCH_SHSTK_UNLOCK         ArchPrctlOp = 0x5004
	ARCH_SHSTK_STATUS         ArchPrctlOp = 0x5005
)

var archPrctlOpNames = [...]enumName{
	{int64(ARCH_SET_GS), "ARCH_SET_GS"},
	{int64(ARCH_SET_FS), "ARCH_SET_FS"},
	{int64(ARCH_GET_FS), "ARCH_GET_FS"},
	{int64(ARCH_GET_GS), "ARCH_GET_GS"},
	{int64(ARCH_GET_CPUID), "ARCH_GET_CPUID"},
	{int64(ARCH_SET_CPUID), "ARCH_SET_CPUID"},
	{int64(ARCH_GET_XCOMP_SUPP), "ARCH_GET_XCOMP_SUPP"},
	{int64(ARCH_GET_XCOMP_PERM), "ARCH_GET_XCOMP_PERM"},
	{int64(ARCH_REQ_XCOMP_PERM), "ARCH_REQ_XCOMP_PERM"},
	{int64(ARCH_GET_XCOMP_GUEST_PERM), "ARCH_GET_XCOMP_GUEST_PERM"},
	{int64(ARCH_REQ_XCOMP_GUEST_PERM), "ARCH_REQ_XCOMP_GUEST_PERM"},
	{int64(ARCH_MAP_VDSO_X32), "ARCH_MAP_VDSO_X32"},
	{int64(ARCH_MAP_VDSO_32), "ARCH_MAP_VDSO_32"},
	{int64(ARCH_MAP_VDSO_64), "ARCH_MAP_VDSO_64"},
	{int64(ARCH_GET_UNTAG_MASK), "ARCH_GET_UNTAG_MASK"},
	{int64(ARCH_ENABLE_TAGGED_ADDR), "ARCH_ENABLE_TAGGED_ADDR"},
	{int64(ARCH_GET_MAX_TAG_BITS), "ARCH_GET_MAX_TAG_BITS"},
	{int64(ARCH_SHSTK_ENABLE), "ARCH_SHSTK_ENABLE"},
	{int64(ARCH_SHSTK_DISABLE), "ARCH_SHSTK_DISABLE"},
	{int64(ARCH_SHSTK_LOCK), "ARCH_SHSTK_LOCK"},
	{int64(ARCH_SHSTK_UNLOCK), "ARCH_SHSTK_UNLOCK"},
	{int64(ARCH_SHSTK_STATUS), "ARCH_SHSTK_STATUS"},
}

func (f ArchPrctlOp) String() string { return formatEnum(int64(f), archPrctlOpNames[:]) }

// Personality is an execution domain with its bug emulations.
type Personality uint32

const (
	UNAME26            Personality = 0x20000
	ADDR_NO_RANDOMIZE  Personality = 0x40000
	FDPIC_FUNCPTRS     Personality = 0x80000
	MMAP_PAGE_ZERO     Personality = 0x100000
	ADDR_COMPAT_LAYOUT Personality = 0x200000
	READ_IMPLIES_EXEC  Personality = 0x400000
	ADDR_LIMIT_32BIT   Personality = 0x800000
	SHORT_INODE        Personality = 0x1000000
	WHOLE_SECONDS      Personality = 0x2000000
	STICKY_TIMEOUTS    Personality = 0x4000000
	ADDR_LIMIT_3GB     Personality = 0x8000000
)

var personalityNames = [...]bitName{
	{uint64(UNAME26), "UNAME26"},
	{uint64(ADDR_NO_RANDOMIZE), "ADDR_NO_RANDOMIZE"},
	{uint64(FDPIC_FUNCPTRS), "FDPIC_FUNCPTRS"},
	{uint64(MMAP_PAGE_ZERO), "MMAP_PAGE_ZERO"},
	{uint64(ADDR_COMPAT_LAYOUT), "ADDR_COMPAT_LAYOUT"},
	{uint64(READ_IMPLIES_EXEC), "READ_IMPLIES_EXEC"},
	{uint64(ADDR_LIMIT_32BIT), "ADDR_LIMIT_32BIT"},
	{uint64(SHORT_INODE), "SHORT_INODE"},
	{uint64(WHOLE_SECONDS), "WHOLE_SECONDS"},
	{uint64(STICKY_TIMEOUTS), "STICKY_TIMEOUTS"},
	{uint64(ADDR_LIMIT_3GB), "ADDR_LIMIT_3GB"},
}

func (f Personality) String() string { return formatBits(uint64(f), personalityNames[:]) }

// PER_LINUX is the domain of Linux itself, PER_LINUX32 one that names the
// machine by its 32-bit name; PER_MASK leaves the domain.
const (
	PER_LINUX   Personality = 0
	PER_LINUX32 Personality = 8
	PER_MASK    Personality = 0xff
)

// RebootCmd is a command of reboot(2).
type RebootCmd uint32

const (
	LINUX_REBOOT_CMD_RESTART    RebootCmd = 0x1234567
	LINUX_REBOOT_CMD_HALT       RebootCmd = 0xcdef0123
	LINUX_REBOOT_CMD_CAD_ON     RebootCmd = 0x89abcdef
	LINUX_REBOOT_CMD_CAD_OFF    RebootCmd = 0
	LINUX_REBOOT_CMD_POWER_OFF  RebootCmd = 0x4321fedc
	LINUX_REBOOT_CMD_RESTART2   RebootCmd = 0xa1b2c3d4
	LINUX_REBOOT_CMD_SW_SUSPEND RebootCmd = 0xd000fce2
	LINUX_REBOOT_CMD_KEXEC      RebootCmd = 0x45584543
)

var rebootCmdNames = [...]enumName{
	{int64(LINUX_REBOOT_CMD_RESTART), "LINUX_REBOOT_CMD_RESTART"},
	{int64(LINUX_REBOOT_CMD_HALT), "LINUX_REBOOT_CMD_HALT"},
	{int64(LINUX_REBOOT_CMD_CAD_ON), "LINUX_REBOOT_CMD_CAD_ON"},
	{int64(LINUX_REBOOT_CMD_CAD_OFF), "LINUX_REBOOT_CMD_CAD_OFF"},
	{int64(LINUX_REBOOT_CMD_POWER_OFF), "LINUX_REBOOT_CMD_POWER_OFF"},
	{int64(LINUX_REBOOT_CMD_RESTART2), "LINUX_REBOOT_CMD_RESTART2"},
	{int64(LINUX_REBOOT_CMD_SW_SUSPEND), "LINUX_REBOOT_CMD_SW_SUSPEND"},
	{int64(LINUX_REBOOT_CMD_KEXEC), "LINUX_REBOOT_CMD_KEXEC"},
}

func (f RebootCmd) String() string { return formatEnum(int64(f), rebootCmdNames[:]) }

// Magic numbers of reboot(2).
const (
	LINUX_REBOOT_MAGIC1  = 0xfee1dead
	LINUX_REBOOT_MAGIC2  = 0x28121969
	LINUX_REBOOT_MAGIC2A = 0x5121996
	LINUX_REBOOT_MAGIC2B = 0x16041998
	LINUX_REBOOT_MAGIC2C = 0x20112000
)
