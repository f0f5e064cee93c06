package linux

// IPCFlags are the flags of shmget(2), semget(2) and msgget(2); the low nine bits
// are permissions.
type IPCFlags int32

const (
	IPC_CREAT     IPCFlags = 0x200
	IPC_EXCL      IPCFlags = 0x400
	IPC_NOWAIT    IPCFlags = 0x800
	SHM_NORESERVE IPCFlags = 0x1000
)

var iPCFlagsNames = [...]bitName{
	{uint64(IPC_CREAT), "IPC_CREAT"},
	{uint64(IPC_EXCL), "IPC_EXCL"},
	{uint64(IPC_NOWAIT), "IPC_NOWAIT"},
	{uint64(SHM_NORESERVE), "SHM_NORESERVE"},
}

func (f IPCFlags) String() string { return formatBits(uint64(uint32(f)), iPCFlagsNames[:]) }

// IPCCmd is a command of shmctl(2), semctl(2) and msgctl(2).
type IPCCmd int32

const (
	IPC_RMID     IPCCmd = 0
	IPC_SET      IPCCmd = 1
	IPC_STAT     IPCCmd = 2
	IPC_INFO     IPCCmd = 3
	MSG_STAT     IPCCmd = 11
	MSG_INFO     IPCCmd = 12
	MSG_STAT_ANY IPCCmd = 13
)

var iPCCmdNames = [...]enumName{
	{int64(IPC_RMID), "IPC_RMID"},
	{int64(IPC_SET), "IPC_SET"},
	{int64(IPC_STAT), "IPC_STAT"},
	{int64(IPC_INFO), "IPC_INFO"},
	{int64(MSG_STAT), "MSG_STAT"},
	{int64(MSG_INFO), "MSG_INFO"},
	{int64(MSG_STAT_ANY), "MSG_STAT_ANY"},
}

func (f IPCCmd) String() string { return formatEnum(int64(f), iPCCmdNames[:]) }

// More commands, whose numbers overlap between the three kinds, and IPC_64,
// which old programs OR into a command.
const (
	GETPID  IPCCmd = 11
	GETVAL  IPCCmd = 12
	GETALL  IPCCmd = 13
	GETNCNT IPCCmd = 14
	GETZCNT IPCCmd = 15
	SETVAL  IPCCmd = 16
	SETALL  IPCCmd = 17

	SEM_STAT     IPCCmd = 18
	SEM_INFO     IPCCmd = 19
	SEM_STAT_ANY IPCCmd = 20

	SHM_LOCK     IPCCmd = 11
	SHM_UNLOCK   IPCCmd = 12
	SHM_STAT     IPCCmd = 13
	SHM_INFO     IPCCmd = 14
	SHM_STAT_ANY IPCCmd = 15

	IPC_64 IPCCmd = 0x100
)

// IPC_PRIVATE is the key of an object of its own.
const IPC_PRIVATE = 0

// IPCPerm is struct ipc64_perm, 48 bytes.
type IPCPerm struct {
	Key  int32
	UID  uint32
	GID  uint32
	CUID uint32
	CGID uint32
	Mode uint32
	Seq  uint16
	_    uint16
	_    uint32
	_    [2]uint64
}

// ShmidDS is struct shmid64_ds, 112 bytes.
type ShmidDS struct {
	Perm   IPCPerm
	Segsz  uint64
	Atime  int64
	Dtime  int64
	Ctime  int64
	CPID   int32
	LPID   int32
	Nattch uint64
	_      [2]uint64
}

// ShmInfo64 is struct shminfo64, the answer to IPC_INFO.
type ShmInfo64 struct {
	Max uint64
	Min uint64
	Mni uint64
	Seg uint64
	All uint64
	_   [4]uint64
}

// ShmInfo is struct shm_info, the answer to SHM_INFO.
type ShmInfo struct {
	UsedIDs       int32
	_             int32
	Tot           uint64
	Rss           uint64
	Swp           uint64
	SwapAttempts  uint64
	SwapSuccesses uint64
}

// ShmFlags are the flags of shmat(2).
type ShmFlags int32

const (
	SHM_RDONLY ShmFlags = 0x1000
	SHM_RND    ShmFlags = 0x2000
	SHM_REMAP  ShmFlags = 0x4000
	SHM_EXEC   ShmFlags = 0x8000
)

var shmFlagsNames = [...]bitName{
	{uint64(SHM_RDONLY), "SHM_RDONLY"},
	{uint64(SHM_RND), "SHM_RND"},
	{uint64(SHM_REMAP), "SHM_REMAP"},
	{uint64(SHM_EXEC), "SHM_EXEC"},
}

func (f ShmFlags) String() string { return formatBits(uint64(uint32(f)), shmFlagsNames[:]) }

// Mode bits that shmctl(2) reports and the default limits.
const (
	SHM_DEST   = 0x200
	SHM_LOCKED = 0x400

	SHMMIN = 1
	SHMMNI = 4096
	SHMMAX = ^uint64(0) - 1<<24
	SHMALL = SHMMAX
	SHMLBA = PageSize
)

// SemidDS is struct semid64_ds of amd64, 104 bytes; arm64 lacks the reserved
// words after the times and has 88.
type SemidDS struct {
	Perm  IPCPerm
	Otime int64
	_     uint64
	Ctime int64
	_     uint64
	Nsems uint64
	_     [2]uint64
}

// Sembuf is struct sembuf of semop(2).
type Sembuf struct {
	Num uint16
	Op  int16
	Flg int16
}

// SEM_UNDO in Sembuf's flags undoes the operation at exit.
const SEM_UNDO = 0x1000

// SemInfo is struct seminfo.
type SemInfo struct {
	Map int32
	Mni int32
	Mns int32
	Mnu int32
	Msl int32
	Opm int32
	Ume int32
	Usz int32
	Vmx int32
	Aem int32
}

// Default limits of semaphores.
const (
	SEMMNI = 32000
	SEMMSL = 32000
	SEMMNS = SEMMNI * SEMMSL
	SEMOPM = 500
	SEMVMX = 32767
	SEMAEM = SEMVMX
)

// MsqidDS is struct msqid64_ds, 120 bytes.
type MsqidDS struct {
	Perm   IPCPerm
	Stime  int64
	Rtime  int64
	Ctime  int64
	Cbytes uint64
	Qnum   uint64
	Qbytes uint64
	LSPID  int32
	LRPID  int32
	_      [2]uint64
}

// MsgInfo is struct msginfo.
type MsgInfo struct {
	Pool int32
	Map  int32
	Max  int32
	Mnb  int32
	Mni  int32
	Ssz  int32
	Tql  int32
	Seg  uint16
	_    uint16
}

// MsgrcvFlags are the flags of msgrcv(2) beside IPC_NOWAIT.
type MsgrcvFlags int32

const (
	MSG_NOERROR MsgrcvFlags = 0x1000
	MSG_EXCEPT  MsgrcvFlags = 0x2000
	MSG_COPY    MsgrcvFlags = 0x4000
)

var msgrcvFlagsNames = [...]bitName{
	{uint64(MSG_NOERROR), "MSG_NOERROR"},
	{uint64(MSG_EXCEPT), "MSG_EXCEPT"},
	{uint64(MSG_COPY), "MSG_COPY"},
}

func (f MsgrcvFlags) String() string { return formatBits(uint64(uint32(f)), msgrcvFlagsNames[:]) }

// Default limits of System V message queues.
const (
	MSGMNI = 32000
	MSGMAX = 8192
	MSGMNB = 16384
)

// MqAttr is struct mq_attr, 64 bytes.
type MqAttr struct {
	Flags   int64
	Maxmsg  int64
	Msgsize int64
	Curmsgs int64
	_       [4]int64
}

// Limits of POSIX message queues, /proc/sys/fs/mqueue.
const (
	MQ_PRIO_MAX     = 32768
	DFLT_QUEUESMAX  = 256
	DFLT_MSG        = 10
	DFLT_MSGMAX     = 10
	DFLT_MSGSIZE    = 8192
	DFLT_MSGSIZEMAX = 8192
	MIN_MSGMAX      = 1
	MIN_MSGSIZEMAX  = 128
	HARD_MSGMAX     = 65536
	HARD_MSGSIZEMAX = 16 << 20
)
