package linux

// SyslogAction is an action of syslog(2).
type SyslogAction int32

const (
	SYSLOG_ACTION_CLOSE         SyslogAction = 0
	SYSLOG_ACTION_OPEN          SyslogAction = 1
	SYSLOG_ACTION_READ          SyslogAction = 2
	SYSLOG_ACTION_READ_ALL      SyslogAction = 3
	SYSLOG_ACTION_READ_CLEAR    SyslogAction = 4
	SYSLOG_ACTION_CLEAR         SyslogAction = 5
	SYSLOG_ACTION_CONSOLE_OFF   SyslogAction = 6
	SYSLOG_ACTION_CONSOLE_ON    SyslogAction = 7
	SYSLOG_ACTION_CONSOLE_LEVEL SyslogAction = 8
	SYSLOG_ACTION_SIZE_UNREAD   SyslogAction = 9
	SYSLOG_ACTION_SIZE_BUFFER   SyslogAction = 10
)

var syslogActionNames = [...]enumName{
	{int64(SYSLOG_ACTION_CLOSE), "SYSLOG_ACTION_CLOSE"},
	{int64(SYSLOG_ACTION_OPEN), "SYSLOG_ACTION_OPEN"},
	{int64(SYSLOG_ACTION_READ), "SYSLOG_ACTION_READ"},
	{int64(SYSLOG_ACTION_READ_ALL), "SYSLOG_ACTION_READ_ALL"},
	{int64(SYSLOG_ACTION_READ_CLEAR), "SYSLOG_ACTION_READ_CLEAR"},
	{int64(SYSLOG_ACTION_CLEAR), "SYSLOG_ACTION_CLEAR"},
	{int64(SYSLOG_ACTION_CONSOLE_OFF), "SYSLOG_ACTION_CONSOLE_OFF"},
	{int64(SYSLOG_ACTION_CONSOLE_ON), "SYSLOG_ACTION_CONSOLE_ON"},
	{int64(SYSLOG_ACTION_CONSOLE_LEVEL), "SYSLOG_ACTION_CONSOLE_LEVEL"},
	{int64(SYSLOG_ACTION_SIZE_UNREAD), "SYSLOG_ACTION_SIZE_UNREAD"},
	{int64(SYSLOG_ACTION_SIZE_BUFFER), "SYSLOG_ACTION_SIZE_BUFFER"},
}

func (f SyslogAction) String() string { return formatEnum(int64(f), syslogActionNames[:]) }

// KeyctlOp is an operation of keyctl(2).
type KeyctlOp int32

const (
	KEYCTL_GET_KEYRING_ID       KeyctlOp = 0
	KEYCTL_JOIN_SESSION_KEYRING KeyctlOp = 1
	KEYCTL_UPDATE               KeyctlOp = 2
	KEYCTL_REVOKE               KeyctlOp = 3
	KEYCTL_CHOWN                KeyctlOp = 4
	KEYCTL_SETPERM              KeyctlOp = 5
	KEYCTL_DESCRIBE             KeyctlOp = 6
	KEYCTL_CLEAR                KeyctlOp = 7
	KEYCTL_LINK                 KeyctlOp = 8
	KEYCTL_UNLINK               KeyctlOp = 9
	KEYCTL_SEARCH               KeyctlOp = 10
	KEYCTL_READ                 KeyctlOp = 11
	KEYCTL_INSTANTIATE          KeyctlOp = 12
	KEYCTL_NEGATE               KeyctlOp = 13
	KEYCTL_SET_REQKEY_KEYRING   KeyctlOp = 14
	KEYCTL_SET_TIMEOUT          KeyctlOp = 15
	KEYCTL_ASSUME_AUTHORITY     KeyctlOp = 16
	KEYCTL_GET_SECURITY         KeyctlOp = 17
	KEYCTL_SESSION_TO_PARENT    KeyctlOp = 18
	KEYCTL_REJECT               KeyctlOp = 19
	KEYCTL_INSTANTIATE_IOV      KeyctlOp = 20
	KEYCTL_INVALIDATE           KeyctlOp = 21
	KEYCTL_GET_PERSISTENT       KeyctlOp = 22
	KEYCTL_DH_COMPUTE           KeyctlOp = 23
	KEYCTL_PKEY_QUERY           KeyctlOp = 24
	KEYCTL_PKEY_ENCRYPT         KeyctlOp = 25
	KEYCTL_PKEY_DECRYPT         KeyctlOp = 26
	KEYCTL_PKEY_SIGN            KeyctlOp = 27
	KEYCTL_PKEY_VERIFY          KeyctlOp = 28
	KEYCTL_RESTRICT_KEYRING     KeyctlOp = 29
	KEYCTL_MOVE                 KeyctlOp = 30
	KEYCTL_CAPABILITIES         KeyctlOp = 31
	KEYCTL_WATCH_KEY            KeyctlOp = 32
)

var keyctlOpNames = [...]enumName{
	{int64(KEYCTL_GET_KEYRING_ID), "KEYCTL_GET_KEYRING_ID"},
	{int64(KEYCTL_JOIN_SESSION_KEYRING), "KEYCTL_JOIN_SESSION_KEYRING"},
	{int64(KEYCTL_UPDATE), "KEYCTL_UPDATE"},
	{int64(KEYCTL_REVOKE), "KEYCTL_REVOKE"},
	{int64(KEYCTL_CHOWN), "KEYCTL_CHOWN"},
	{int64(KEYCTL_SETPERM), "KEYCTL_SETPERM"},
	{int64(KEYCTL_DESCRIBE), "KEYCTL_DESCRIBE"},
	{int64(KEYCTL_CLEAR), "KEYCTL_CLEAR"},
	{int64(KEYCTL_LINK), "KEYCTL_LINK"},
	{int64(KEYCTL_UNLINK), "KEYCTL_UNLINK"},
	{int64(KEYCTL_SEARCH), "KEYCTL_SEARCH"},
	{int64(KEYCTL_READ), "KEYCTL_READ"},
	{int64(KEYCTL_INSTANTIATE), "KEYCTL_INSTANTIATE"},
	{int64(KEYCTL_NEGATE), "KEYCTL_NEGATE"},
	{int64(KEYCTL_SET_REQKEY_KEYRING), "KEYCTL_SET_REQKEY_KEYRING"},
	{int64(KEYCTL_SET_TIMEOUT), "KEYCTL_SET_TIMEOUT"},
	{int64(KEYCTL_ASSUME_AUTHORITY), "KEYCTL_ASSUME_AUTHORITY"},
	{int64(KEYCTL_GET_SECURITY), "KEYCTL_GET_SECURITY"},
	{int64(KEYCTL_SESSION_TO_PARENT), "KEYCTL_SESSION_TO_PARENT"},
	{int64(KEYCTL_REJECT), "KEYCTL_REJECT"},
	{int64(KEYCTL_INSTANTIATE_IOV), "KEYCTL_INSTANTIATE_IOV"},
	{int64(KEYCTL_INVALIDATE), "KEYCTL_INVALIDATE"},
	{int64(KEYCTL_GET_PERSISTENT), "KEYCTL_GET_PERSISTENT"},
	{int64(KEYCTL_DH_COMPUTE), "KEYCTL_DH_COMPUTE"},
	{int64(KEYCTL_PKEY_QUERY), "KEYCTL_PKEY_QUERY"},
	{int64(KEYCTL_PKEY_ENCRYPT), "KEYCTL_PKEY_ENCRYPT"},
	{int64(KEYCTL_PKEY_DECRYPT), "KEYCTL_PKEY_DECRYPT"},
	{int64(KEYCTL_PKEY_SIGN), "KEYCTL_PKEY_SIGN"},
	{int64(KEYCTL_PKEY_VERIFY), "KEYCTL_PKEY_VERIFY"},
	{int64(KEYCTL_RESTRICT_KEYRING), "KEYCTL_RESTRICT_KEYRING"},
	{int64(KEYCTL_MOVE), "KEYCTL_MOVE"},
	{int64(KEYCTL_CAPABILITIES), "KEYCTL_CAPABILITIES"},
	{int64(KEYCTL_WATCH_KEY), "KEYCTL_WATCH_KEY"},
}

func (f KeyctlOp) String() string { return formatEnum(int64(f), keyctlOpNames[:]) }

// Special keyrings of keyctl(2).
const (
	KEY_SPEC_THREAD_KEYRING       = -1
	KEY_SPEC_PROCESS_KEYRING      = -2
	KEY_SPEC_SESSION_KEYRING      = -3
	KEY_SPEC_USER_KEYRING         = -4
	KEY_SPEC_USER_SESSION_KEYRING = -5
)

// MpolMode is a NUMA memory policy.
type MpolMode int32

const (
	MPOL_DEFAULT             MpolMode = 0
	MPOL_PREFERRED           MpolMode = 1
	MPOL_BIND                MpolMode = 2
	MPOL_INTERLEAVE          MpolMode = 3
	MPOL_LOCAL               MpolMode = 4
	MPOL_PREFERRED_MANY      MpolMode = 5
	MPOL_WEIGHTED_INTERLEAVE MpolMode = 6
)

var mpolModeNames = [...]enumName{
	{int64(MPOL_DEFAULT), "MPOL_DEFAULT"},
	{int64(MPOL_PREFERRED), "MPOL_PREFERRED"},
	{int64(MPOL_BIND), "MPOL_BIND"},
	{int64(MPOL_INTERLEAVE), "MPOL_INTERLEAVE"},
	{int64(MPOL_LOCAL), "MPOL_LOCAL"},
	{int64(MPOL_PREFERRED_MANY), "MPOL_PREFERRED_MANY"},
	{int64(MPOL_WEIGHTED_INTERLEAVE), "MPOL_WEIGHTED_INTERLEAVE"},
}

func (f MpolMode) String() string { return formatEnum(int64(f), mpolModeNames[:]) }

// Flags of memory policies: in the mode, of get_mempolicy(2) and of mbind(2).
const (
	MPOL_F_NUMA_BALANCING = 0x2000
	MPOL_F_RELATIVE_NODES = 0x4000
	MPOL_F_STATIC_NODES   = 0x8000

	MPOL_F_NODE         = 1
	MPOL_F_ADDR         = 2
	MPOL_F_MEMS_ALLOWED = 4

	MPOL_MF_STRICT   = 1
	MPOL_MF_MOVE     = 2
	MPOL_MF_MOVE_ALL = 4
)

// UserRegs is struct user_regs_struct of amd64, 216 bytes: what PTRACE_GETREGS
// and core files hold.
type UserRegs struct {
	R15     uint64
	R14     uint64
	R13     uint64
	R12     uint64
	Rbp     uint64
	Rbx     uint64
	R11     uint64
	R10     uint64
	R9      uint64
	R8      uint64
	Rax     uint64
	Rcx     uint64
	Rdx     uint64
	Rsi     uint64
	Rdi     uint64
	OrigRax uint64
	Rip     uint64
	Cs      uint64
	Eflags  uint64
	Rsp     uint64
	Ss      uint64
	FsBase  uint64
	GsBase  uint64
	Ds      uint64
	Es      uint64
	Fs      uint64
	Gs      uint64
}

// UserDesc is struct user_desc of modify_ldt(2) and set_thread_area(2).
type UserDesc struct {
	EntryNumber uint32
	BaseAddr    uint32
	Limit       uint32
	Flags       uint32
}

// Devices of Linux that every system has: major and minor numbers.
const (
	MEM_MAJOR               = 1
	TTY_MAJOR               = 4
	TTYAUX_MAJOR            = 5
	MISC_MAJOR              = 10
	UNIX98_PTY_MASTER_MAJOR = 128
	UNIX98_PTY_SLAVE_MAJOR  = 136

	MEM_NULL_MINOR    = 3
	MEM_ZERO_MINOR    = 5
	MEM_FULL_MINOR    = 7
	MEM_RANDOM_MINOR  = 8
	MEM_URANDOM_MINOR = 9
	MEM_KMSG_MINOR    = 11

	TTYAUX_TTY_MINOR     = 0
	TTYAUX_CONSOLE_MINOR = 1
	TTYAUX_PTMX_MINOR    = 2

	MISC_FUSE_MINOR    = 229
	MISC_NET_TUN_MINOR = 200
)

// Limits that are sysctls or constants of Linux.
const (
	// PID_MAX_DEFAULT is kernel.pid_max's start value on a machine of 32 CPUs or fewer.
	PID_MAX_DEFAULT = 32768
	// PID_MAX_LIMIT is the highest that pid_max can be.
	PID_MAX_LIMIT = 4 << 20
	// NR_OPEN is fs.nr_open, the highest RLIMIT_NOFILE.
	NR_OPEN = 1 << 20
	// HOST_NAME_MAX is the longest host or domain name.
	HOST_NAME_MAX = 64
	// PIPE_BUF is how much a pipe takes in one piece.
	PIPE_BUF = PageSize
	// PIPE_DEF_BUFFERS is how many pages a pipe holds.
	PIPE_DEF_BUFFERS = 16
	// PIPE_MAX_SIZE is fs.pipe-max-size, the most without CAP_SYS_RESOURCE.
	PIPE_MAX_SIZE = 1 << 20
	// MAX_MAP_COUNT is vm.max_map_count.
	MAX_MAP_COUNT = 65530
	// MMAP_MIN_ADDR is vm.mmap_min_addr.
	MMAP_MIN_ADDR = 0x10000
)
