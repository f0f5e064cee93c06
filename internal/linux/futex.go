package linux

// FutexOp is an operation of futex(2) with its flags.
type FutexOp uint32

const (
	FUTEX_WAIT            FutexOp = 0
	FUTEX_WAKE            FutexOp = 1
	FUTEX_FD              FutexOp = 2
	FUTEX_REQUEUE         FutexOp = 3
	FUTEX_CMP_REQUEUE     FutexOp = 4
	FUTEX_WAKE_OP         FutexOp = 5
	FUTEX_LOCK_PI         FutexOp = 6
	FUTEX_UNLOCK_PI       FutexOp = 7
	FUTEX_TRYLOCK_PI      FutexOp = 8
	FUTEX_WAIT_BITSET     FutexOp = 9
	FUTEX_WAKE_BITSET     FutexOp = 10
	FUTEX_WAIT_REQUEUE_PI FutexOp = 11
	FUTEX_CMP_REQUEUE_PI  FutexOp = 12
	FUTEX_LOCK_PI2        FutexOp = 13
	FUTEX_PRIVATE_FLAG    FutexOp = 128
	FUTEX_CLOCK_REALTIME  FutexOp = 256
)

// FUTEX_CMD_MASK leaves the command of a FutexOp.
const FUTEX_CMD_MASK = ^(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)

var futexCommandNames = [...]enumName{
	{int64(FUTEX_WAIT), "FUTEX_WAIT"},
	{int64(FUTEX_WAKE), "FUTEX_WAKE"},
	{int64(FUTEX_FD), "FUTEX_FD"},
	{int64(FUTEX_REQUEUE), "FUTEX_REQUEUE"},
	{int64(FUTEX_CMP_REQUEUE), "FUTEX_CMP_REQUEUE"},
	{int64(FUTEX_WAKE_OP), "FUTEX_WAKE_OP"},
	{int64(FUTEX_LOCK_PI), "FUTEX_LOCK_PI"},
	{int64(FUTEX_UNLOCK_PI), "FUTEX_UNLOCK_PI"},
	{int64(FUTEX_TRYLOCK_PI), "FUTEX_TRYLOCK_PI"},
	{int64(FUTEX_WAIT_BITSET), "FUTEX_WAIT_BITSET"},
	{int64(FUTEX_WAKE_BITSET), "FUTEX_WAKE_BITSET"},
	{int64(FUTEX_WAIT_REQUEUE_PI), "FUTEX_WAIT_REQUEUE_PI"},
	{int64(FUTEX_CMP_REQUEUE_PI), "FUTEX_CMP_REQUEUE_PI"},
	{int64(FUTEX_LOCK_PI2), "FUTEX_LOCK_PI2"},
}

// String is strace's form: FUTEX_WAIT_PRIVATE, FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME.
func (op FutexOp) String() string {
	s := formatEnum(int64(op&FUTEX_CMD_MASK), futexCommandNames[:])
	if op&FUTEX_PRIVATE_FLAG != 0 {
		s += "_PRIVATE"
	}
	if op&FUTEX_CLOCK_REALTIME != 0 {
		s += "|FUTEX_CLOCK_REALTIME"
	}
	return s
}

// The word of a priority-inheritance or robust futex.
const (
	FUTEX_WAITERS    = 0x80000000
	FUTEX_OWNER_DIED = 0x40000000
	FUTEX_TID_MASK   = 0x3fffffff

	FUTEX_BITSET_MATCH_ANY = 0xffffffff
)

// Operations and comparisons packed into FUTEX_WAKE_OP's last argument.
const (
	FUTEX_OP_SET         = 0
	FUTEX_OP_ADD         = 1
	FUTEX_OP_OR          = 2
	FUTEX_OP_ANDN        = 3
	FUTEX_OP_XOR         = 4
	FUTEX_OP_OPARG_SHIFT = 8
	FUTEX_OP_CMP_EQ      = 0
	FUTEX_OP_CMP_NE      = 1
	FUTEX_OP_CMP_LT      = 2
	FUTEX_OP_CMP_LE      = 3
	FUTEX_OP_CMP_GT      = 4
	FUTEX_OP_CMP_GE      = 5
)

// Flags of futex_waitv(2), futex_wake(2), futex_wait(2) and futex_requeue(2).
const (
	FUTEX2_SIZE_U8   = 0
	FUTEX2_SIZE_U16  = 1
	FUTEX2_SIZE_U32  = 2
	FUTEX2_SIZE_U64  = 3
	FUTEX2_SIZE_MASK = 3
	FUTEX2_NUMA      = 4
	FUTEX2_PRIVATE   = 128

	FUTEX_WAITV_MAX = 128
)

// FutexWaitv is struct futex_waitv, 24 bytes.
type FutexWaitv struct {
	Val   uint64
	Uaddr uint64
	Flags uint32
	_     uint32
}

// RobustListHead is struct robust_list_head, 24 bytes. The lowest bit of an
// entry's pointer marks a priority-inheritance futex.
type RobustListHead struct {
	List          uint64
	FutexOffset   int64
	ListOpPending uint64
}

// ROBUST_LIST_LIMIT is how many entries the kernel walks at exit.
const ROBUST_LIST_LIMIT = 2048
