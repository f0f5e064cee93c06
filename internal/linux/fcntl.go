package linux

// FcntlCmd is a command of fcntl(2).
type FcntlCmd int32

const (
	F_DUPFD            FcntlCmd = 0
	F_GETFD            FcntlCmd = 1
	F_SETFD            FcntlCmd = 2
	F_GETFL            FcntlCmd = 3
	F_SETFL            FcntlCmd = 4
	F_GETLK            FcntlCmd = 5
	F_SETLK            FcntlCmd = 6
	F_SETLKW           FcntlCmd = 7
	F_SETOWN           FcntlCmd = 8
	F_GETOWN           FcntlCmd = 9
	F_SETSIG           FcntlCmd = 10
	F_GETSIG           FcntlCmd = 11
	F_SETOWN_EX        FcntlCmd = 15
	F_GETOWN_EX        FcntlCmd = 16
	F_GETOWNER_UIDS    FcntlCmd = 17
	F_OFD_GETLK        FcntlCmd = 36
	F_OFD_SETLK        FcntlCmd = 37
	F_OFD_SETLKW       FcntlCmd = 38
	F_SETLEASE         FcntlCmd = 1024
	F_GETLEASE         FcntlCmd = 1025
	F_NOTIFY           FcntlCmd = 1026
	F_DUPFD_QUERY      FcntlCmd = 1027
	F_CREATED_QUERY    FcntlCmd = 1028
	F_CANCELLK         FcntlCmd = 1029
	F_DUPFD_CLOEXEC    FcntlCmd = 1030
	F_SETPIPE_SZ       FcntlCmd = 1031
	F_GETPIPE_SZ       FcntlCmd = 1032
	F_ADD_SEALS        FcntlCmd = 1033
	F_GET_SEALS        FcntlCmd = 1034
	F_GET_RW_HINT      FcntlCmd = 1035
	F_SET_RW_HINT      FcntlCmd = 1036
	F_GET_FILE_RW_HINT FcntlCmd = 1037
	F_SET_FILE_RW_HINT FcntlCmd = 1038
)

var fcntlCmdNames = [...]enumName{
	{int64(F_DUPFD), "F_DUPFD"},
	{int64(F_GETFD), "F_GETFD"},
	{int64(F_SETFD), "F_SETFD"},
	{int64(F_GETFL), "F_GETFL"},
	{int64(F_SETFL), "F_SETFL"},
	{int64(F_GETLK), "F_GETLK"},
	{int64(F_SETLK), "F_SETLK"},
	{int64(F_SETLKW), "F_SETLKW"},
	{int64(F_SETOWN), "F_SETOWN"},
	{int64(F_GETOWN), "F_GETOWN"},
	{int64(F_SETSIG), "F_SETSIG"},
	{int64(F_GETSIG), "F_GETSIG"},
	{int64(F_SETOWN_EX), "F_SETOWN_EX"},
	{int64(F_GETOWN_EX), "F_GETOWN_EX"},
	{int64(F_GETOWNER_UIDS), "F_GETOWNER_UIDS"},
	{int64(F_OFD_GETLK), "F_OFD_GETLK"},
	{int64(F_OFD_SETLK), "F_OFD_SETLK"},
	{int64(F_OFD_SETLKW), "F_OFD_SETLKW"},
	{int64(F_SETLEASE), "F_SETLEASE"},
	{int64(F_GETLEASE), "F_GETLEASE"},
	{int64(F_NOTIFY), "F_NOTIFY"},
	{int64(F_DUPFD_QUERY), "F_DUPFD_QUERY"},
	{int64(F_CREATED_QUERY), "F_CREATED_QUERY"},
	{int64(F_CANCELLK), "F_CANCELLK"},
	{int64(F_DUPFD_CLOEXEC), "F_DUPFD_CLOEXEC"},
	{int64(F_SETPIPE_SZ), "F_SETPIPE_SZ"},
	{int64(F_GETPIPE_SZ), "F_GETPIPE_SZ"},
	{int64(F_ADD_SEALS), "F_ADD_SEALS"},
	{int64(F_GET_SEALS), "F_GET_SEALS"},
	{int64(F_GET_RW_HINT), "F_GET_RW_HINT"},
	{int64(F_SET_RW_HINT), "F_SET_RW_HINT"},
	{int64(F_GET_FILE_RW_HINT), "F_GET_FILE_RW_HINT"},
	{int64(F_SET_FILE_RW_HINT), "F_SET_FILE_RW_HINT"},
}

func (f FcntlCmd) String() string { return formatEnum(int64(f), fcntlCmdNames[:]) }

// FDFlags are the flags of a descriptor, as opposed to those of its description.
type FDFlags uint32

const (
	FD_CLOEXEC FDFlags = 1
)

var fDFlagsNames = [...]bitName{
	{uint64(FD_CLOEXEC), "FD_CLOEXEC"},
}

func (f FDFlags) String() string { return formatBits(uint64(f), fDFlagsNames[:]) }

// LockType is the type of a record lock or lease.
type LockType int16

const (
	F_RDLCK LockType = 0
	F_WRLCK LockType = 1
	F_UNLCK LockType = 2
)

var lockTypeNames = [...]enumName{
	{int64(F_RDLCK), "F_RDLCK"},
	{int64(F_WRLCK), "F_WRLCK"},
	{int64(F_UNLCK), "F_UNLCK"},
}

func (f LockType) String() string { return formatEnum(int64(f), lockTypeNames[:]) }

// Flock is struct flock, 32 bytes.
type Flock struct {
	Type   LockType
	Whence int16
	_      int32
	Start  int64
	Len    int64
	PID    int32
	_      int32
}

// FOwnerEx is struct f_owner_ex.
type FOwnerEx struct {
	Type FOwnerType
	PID  int32
}

// FOwnerType says what gets the signals of a description.
type FOwnerType int32

const (
	F_OWNER_TID  FOwnerType = 0
	F_OWNER_PID  FOwnerType = 1
	F_OWNER_PGRP FOwnerType = 2
)

var fOwnerTypeNames = [...]enumName{
	{int64(F_OWNER_TID), "F_OWNER_TID"},
	{int64(F_OWNER_PID), "F_OWNER_PID"},
	{int64(F_OWNER_PGRP), "F_OWNER_PGRP"},
}

func (f FOwnerType) String() string { return formatEnum(int64(f), fOwnerTypeNames[:]) }

// FlockOp is an operation of flock(2).
type FlockOp int32

const (
	LOCK_SH FlockOp = 1
	LOCK_EX FlockOp = 2
	LOCK_NB FlockOp = 4
	LOCK_UN FlockOp = 8
)

var flockOpNames = [...]bitName{
	{uint64(LOCK_SH), "LOCK_SH"},
	{uint64(LOCK_EX), "LOCK_EX"},
	{uint64(LOCK_NB), "LOCK_NB"},
	{uint64(LOCK_UN), "LOCK_UN"},
}

func (f FlockOp) String() string { return formatBits(uint64(uint32(f)), flockOpNames[:]) }

// Seals are the seals of a memory file.
type Seals uint32

const (
	F_SEAL_SEAL         Seals = 0x1
	F_SEAL_SHRINK       Seals = 0x2
	F_SEAL_GROW         Seals = 0x4
	F_SEAL_WRITE        Seals = 0x8
	F_SEAL_FUTURE_WRITE Seals = 0x10
	F_SEAL_EXEC         Seals = 0x20
)

var sealsNames = [...]bitName{
	{uint64(F_SEAL_SEAL), "F_SEAL_SEAL"},
	{uint64(F_SEAL_SHRINK), "F_SEAL_SHRINK"},
	{uint64(F_SEAL_GROW), "F_SEAL_GROW"},
	{uint64(F_SEAL_WRITE), "F_SEAL_WRITE"},
	{uint64(F_SEAL_FUTURE_WRITE), "F_SEAL_FUTURE_WRITE"},
	{uint64(F_SEAL_EXEC), "F_SEAL_EXEC"},
}

func (f Seals) String() string { return formatBits(uint64(f), sealsNames[:]) }

// SpliceFlags are the flags of splice(2), tee(2) and vmsplice(2).
type SpliceFlags uint32

const (
	SPLICE_F_MOVE     SpliceFlags = 0x1
	SPLICE_F_NONBLOCK SpliceFlags = 0x2
	SPLICE_F_MORE     SpliceFlags = 0x4
	SPLICE_F_GIFT     SpliceFlags = 0x8
)

var spliceFlagsNames = [...]bitName{
	{uint64(SPLICE_F_MOVE), "SPLICE_F_MOVE"},
	{uint64(SPLICE_F_NONBLOCK), "SPLICE_F_NONBLOCK"},
	{uint64(SPLICE_F_MORE), "SPLICE_F_MORE"},
	{uint64(SPLICE_F_GIFT), "SPLICE_F_GIFT"},
}

func (f SpliceFlags) String() string { return formatBits(uint64(f), spliceFlagsNames[:]) }

// SyncFileRangeFlags are the flags of sync_file_range(2).
type SyncFileRangeFlags uint32

const (
	SYNC_FILE_RANGE_WAIT_BEFORE SyncFileRangeFlags = 0x1
	SYNC_FILE_RANGE_WRITE       SyncFileRangeFlags = 0x2
	SYNC_FILE_RANGE_WAIT_AFTER  SyncFileRangeFlags = 0x4
)

var syncFileRangeFlagsNames = [...]bitName{
	{uint64(SYNC_FILE_RANGE_WAIT_BEFORE), "SYNC_FILE_RANGE_WAIT_BEFORE"},
	{uint64(SYNC_FILE_RANGE_WRITE), "SYNC_FILE_RANGE_WRITE"},
	{uint64(SYNC_FILE_RANGE_WAIT_AFTER), "SYNC_FILE_RANGE_WAIT_AFTER"},
}

func (f SyncFileRangeFlags) String() string { return formatBits(uint64(f), syncFileRangeFlagsNames[:]) }

// CloseRangeFlags are the flags of close_range(2).
type CloseRangeFlags uint32

const (
	CLOSE_RANGE_UNSHARE CloseRangeFlags = 0x2
	CLOSE_RANGE_CLOEXEC CloseRangeFlags = 0x4
)

var closeRangeFlagsNames = [...]bitName{
	{uint64(CLOSE_RANGE_UNSHARE), "CLOSE_RANGE_UNSHARE"},
	{uint64(CLOSE_RANGE_CLOEXEC), "CLOSE_RANGE_CLOEXEC"},
}

func (f CloseRangeFlags) String() string { return formatBits(uint64(f), closeRangeFlagsNames[:]) }

// GetrandomFlags are the flags of getrandom(2).
type GetrandomFlags uint32

const (
	GRND_NONBLOCK GetrandomFlags = 0x1
	GRND_RANDOM   GetrandomFlags = 0x2
	GRND_INSECURE GetrandomFlags = 0x4
)

var getrandomFlagsNames = [...]bitName{
	{uint64(GRND_NONBLOCK), "GRND_NONBLOCK"},
	{uint64(GRND_RANDOM), "GRND_RANDOM"},
	{uint64(GRND_INSECURE), "GRND_INSECURE"},
}

func (f GetrandomFlags) String() string { return formatBits(uint64(f), getrandomFlagsNames[:]) }

// InotifyEvents are the events and flags of inotify(7).
type InotifyEvents uint32

const (
	IN_ACCESS        InotifyEvents = 0x1
	IN_MODIFY        InotifyEvents = 0x2
	IN_ATTRIB        InotifyEvents = 0x4
	IN_CLOSE_WRITE   InotifyEvents = 0x8
	IN_CLOSE_NOWRITE InotifyEvents = 0x10
	IN_OPEN          InotifyEvents = 0x20
	IN_MOVED_FROM    InotifyEvents = 0x40
	IN_MOVED_TO      InotifyEvents = 0x80
	IN_CREATE        InotifyEvents = 0x100
	IN_DELETE        InotifyEvents = 0x200
	IN_DELETE_SELF   InotifyEvents = 0x400
	IN_MOVE_SELF     InotifyEvents = 0x800
	IN_UNMOUNT       InotifyEvents = 0x2000
	IN_Q_OVERFLOW    InotifyEvents = 0x4000
	IN_IGNORED       InotifyEvents = 0x8000
	IN_CLOSE         InotifyEvents = 0x18
	IN_MOVE          InotifyEvents = 0xc0
	IN_ALL_EVENTS    InotifyEvents = 0xfff
	IN_ONLYDIR       InotifyEvents = 0x1000000
	IN_DONT_FOLLOW   InotifyEvents = 0x2000000
	IN_EXCL_UNLINK   InotifyEvents = 0x4000000
	IN_MASK_CREATE   InotifyEvents = 0x10000000
	IN_MASK_ADD      InotifyEvents = 0x20000000
	IN_ISDIR         InotifyEvents = 0x40000000
	IN_ONESHOT       InotifyEvents = 0x80000000
)

var inotifyEventsNames = [...]bitName{
	{uint64(IN_ALL_EVENTS), "IN_ALL_EVENTS"},
	{uint64(IN_CLOSE), "IN_CLOSE"},
	{uint64(IN_MOVE), "IN_MOVE"},
	{uint64(IN_ACCESS), "IN_ACCESS"},
	{uint64(IN_MODIFY), "IN_MODIFY"},
	{uint64(IN_ATTRIB), "IN_ATTRIB"},
	{uint64(IN_CLOSE_WRITE), "IN_CLOSE_WRITE"},
	{uint64(IN_CLOSE_NOWRITE), "IN_CLOSE_NOWRITE"},
	{uint64(IN_OPEN), "IN_OPEN"},
	{uint64(IN_MOVED_FROM), "IN_MOVED_FROM"},
	{uint64(IN_MOVED_TO), "IN_MOVED_TO"},
	{uint64(IN_CREATE), "IN_CREATE"},
	{uint64(IN_DELETE), "IN_DELETE"},
	{uint64(IN_DELETE_SELF), "IN_DELETE_SELF"},
	{uint64(IN_MOVE_SELF), "IN_MOVE_SELF"},
	{uint64(IN_UNMOUNT), "IN_UNMOUNT"},
	{uint64(IN_Q_OVERFLOW), "IN_Q_OVERFLOW"},
	{uint64(IN_IGNORED), "IN_IGNORED"},
	{uint64(IN_ONLYDIR), "IN_ONLYDIR"},
	{uint64(IN_DONT_FOLLOW), "IN_DONT_FOLLOW"},
	{uint64(IN_EXCL_UNLINK), "IN_EXCL_UNLINK"},
	{uint64(IN_MASK_CREATE), "IN_MASK_CREATE"},
	{uint64(IN_MASK_ADD), "IN_MASK_ADD"},
	{uint64(IN_ISDIR), "IN_ISDIR"},
	{uint64(IN_ONESHOT), "IN_ONESHOT"},
}

func (f InotifyEvents) String() string { return formatBits(uint64(f), inotifyEventsNames[:]) }

// InotifyInitFlags are the flags of inotify_init1(2).
type InotifyInitFlags int32

const (
	IN_CLOEXEC  InotifyInitFlags = 0x80000
	IN_NONBLOCK InotifyInitFlags = 0x800
)

var inotifyInitFlagsNames = [...]bitName{
	{uint64(IN_CLOEXEC), "IN_CLOEXEC"},
	{uint64(IN_NONBLOCK), "IN_NONBLOCK"},
}

func (f InotifyInitFlags) String() string {
	return formatBits(uint64(uint32(f)), inotifyInitFlagsNames[:])
}

// InotifyEvent is struct inotify_event without the name that follows it.
type InotifyEvent struct {
	Wd     int32
	Mask   InotifyEvents
	Cookie uint32
	Len    uint32
}

// FileHandle is the head of struct file_handle of name_to_handle_at(2).
type FileHandle struct {
	Bytes uint32
	Type  int32
}

// MAX_HANDLE_SZ is the longest file handle.
const MAX_HANDLE_SZ = 128
