package linux

// SeccompOp is an operation of seccomp(2).
type SeccompOp uint32

const (
	SECCOMP_SET_MODE_STRICT  SeccompOp = 0
	SECCOMP_SET_MODE_FILTER  SeccompOp = 1
	SECCOMP_GET_ACTION_AVAIL SeccompOp = 2
	SECCOMP_GET_NOTIF_SIZES  SeccompOp = 3
)

var seccompOpNames = [...]enumName{
	{int64(SECCOMP_SET_MODE_STRICT), "SECCOMP_SET_MODE_STRICT"},
	{int64(SECCOMP_SET_MODE_FILTER), "SECCOMP_SET_MODE_FILTER"},
	{int64(SECCOMP_GET_ACTION_AVAIL), "SECCOMP_GET_ACTION_AVAIL"},
	{int64(SECCOMP_GET_NOTIF_SIZES), "SECCOMP_GET_NOTIF_SIZES"},
}

func (f SeccompOp) String() string { return formatEnum(int64(f), seccompOpNames[:]) }

// SeccompFilterFlags are the flags of SECCOMP_SET_MODE_FILTER.
type SeccompFilterFlags uint32

const (
	SECCOMP_FILTER_FLAG_TSYNC              SeccompFilterFlags = 0x1
	SECCOMP_FILTER_FLAG_LOG                SeccompFilterFlags = 0x2
	SECCOMP_FILTER_FLAG_SPEC_ALLOW         SeccompFilterFlags = 0x4
	SECCOMP_FILTER_FLAG_NEW_LISTENER       SeccompFilterFlags = 0x8
	SECCOMP_FILTER_FLAG_TSYNC_ESRCH        SeccompFilterFlags = 0x10
	SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV SeccompFilterFlags = 0x20
)

var seccompFilterFlagsNames = [...]bitName{
	{uint64(SECCOMP_FILTER_FLAG_TSYNC), "SECCOMP_FILTER_FLAG_TSYNC"},
	{uint64(SECCOMP_FILTER_FLAG_LOG), "SECCOMP_FILTER_FLAG_LOG"},
	{uint64(SECCOMP_FILTER_FLAG_SPEC_ALLOW), "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
	{uint64(SECCOMP_FILTER_FLAG_NEW_LISTENER), "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
	{uint64(SECCOMP_FILTER_FLAG_TSYNC_ESRCH), "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"},
	{uint64(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
}

func (f SeccompFilterFlags) String() string { return formatBits(uint64(f), seccompFilterFlagsNames[:]) }

// SeccompAction is what a filter returns, with 16 bits of data below.
type SeccompAction uint32

const (
	SECCOMP_RET_KILL_PROCESS SeccompAction = 0x80000000
	SECCOMP_RET_KILL_THREAD  SeccompAction = 0x0
	SECCOMP_RET_TRAP         SeccompAction = 0x30000
	SECCOMP_RET_ERRNO        SeccompAction = 0x50000
	SECCOMP_RET_USER_NOTIF   SeccompAction = 0x7fc00000
	SECCOMP_RET_TRACE        SeccompAction = 0x7ff00000
	SECCOMP_RET_LOG          SeccompAction = 0x7ffc0000
	SECCOMP_RET_ALLOW        SeccompAction = 0x7fff0000
)

var seccompActionNames = [...]enumName{
	{int64(SECCOMP_RET_KILL_PROCESS), "SECCOMP_RET_KILL_PROCESS"},
	{int64(SECCOMP_RET_KILL_THREAD), "SECCOMP_RET_KILL_THREAD"},
	{int64(SECCOMP_RET_TRAP), "SECCOMP_RET_TRAP"},
	{int64(SECCOMP_RET_ERRNO), "SECCOMP_RET_ERRNO"},
	{int64(SECCOMP_RET_USER_NOTIF), "SECCOMP_RET_USER_NOTIF"},
	{int64(SECCOMP_RET_TRACE), "SECCOMP_RET_TRACE"},
	{int64(SECCOMP_RET_LOG), "SECCOMP_RET_LOG"},
	{int64(SECCOMP_RET_ALLOW), "SECCOMP_RET_ALLOW"},
}

func (f SeccompAction) String() string { return formatEnum(int64(f), seccompActionNames[:]) }

// Masks of SeccompAction, and the modes of PR_GET_SECCOMP.
const (
	SECCOMP_RET_ACTION_FULL = 0xffff0000
	SECCOMP_RET_ACTION      = 0x7fff0000
	SECCOMP_RET_DATA        = 0xffff
	SECCOMP_MODE_DISABLED   = 0x0
	SECCOMP_MODE_STRICT     = 0x1
	SECCOMP_MODE_FILTER     = 0x2
)

// Architecture words of seccomp and audit.
const (
	AUDIT_ARCH_X86_64  = 0xc000003e
	AUDIT_ARCH_I386    = 0x40000003
	AUDIT_ARCH_AARCH64 = 0xc00000b7
)

// SeccompData is struct seccomp_data, what a filter sees.
type SeccompData struct {
	Nr                 int32
	Arch               uint32
	InstructionPointer uint64
	Args               [6]uint64
}

// SeccompNotif is struct seccomp_notif.
type SeccompNotif struct {
	ID    uint64
	PID   uint32
	Flags uint32
	Data  SeccompData
}

// SeccompNotifResp is struct seccomp_notif_resp.
type SeccompNotifResp struct {
	ID    uint64
	Val   int64
	Error int32
	Flags uint32
}

// Flags of SeccompNotifResp and SeccompNotifAddfd.
const (
	SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
	SECCOMP_ADDFD_FLAG_SETFD         = 1
	SECCOMP_ADDFD_FLAG_SEND          = 2
)

// SeccompNotifAddfd is struct seccomp_notif_addfd.
type SeccompNotifAddfd struct {
	ID         uint64
	Flags      uint32
	SrcFD      uint32
	NewFD      uint32
	NewFDFlags uint32
}

// SeccompNotifSizes is struct seccomp_notif_sizes.
type SeccompNotifSizes struct {
	Notif     uint16
	NotifResp uint16
	Data      uint16
}

// SockFilter is struct sock_filter, one instruction of classic BPF.
type SockFilter struct {
	Code uint16
	Jt   uint8
	Jf   uint8
	K    uint32
}

// SockFprog is struct sock_fprog.
type SockFprog struct {
	Len    uint16
	_      [6]byte
	Filter uint64
}

// BPF_MAXINSNS is the longest classic BPF program.
const BPF_MAXINSNS = 4096
