package linux

import "strconv"

// FD is a file descriptor number.
type FD int32

// AT_FDCWD in place of a descriptor means the caller's working directory.
const AT_FDCWD FD = -100

func (f FD) String() string {
	if f == AT_FDCWD {
		return "AT_FDCWD"
	}
	return strconv.Itoa(int(f))
}

// OpenFlags are the flags of open(2) and of an open file description. The low
// two bits are the access mode. The values are those of amd64; arm64 differs in
// O_DIRECTORY, O_NOFOLLOW, O_DIRECT and O_LARGEFILE.
type OpenFlags uint32

const (
	O_RDONLY    OpenFlags = 0x0
	O_WRONLY    OpenFlags = 0x1
	O_RDWR      OpenFlags = 0x2
	O_ACCMODE   OpenFlags = 0x3
	O_CREAT     OpenFlags = 0x40
	O_EXCL      OpenFlags = 0x80
	O_NOCTTY    OpenFlags = 0x100
	O_TRUNC     OpenFlags = 0x200
	O_APPEND    OpenFlags = 0x400
	O_NONBLOCK  OpenFlags = 0x800
	O_DSYNC     OpenFlags = 0x1000
	O_ASYNC     OpenFlags = 0x2000
	O_DIRECT    OpenFlags = 0x4000
	O_LARGEFILE OpenFlags = 0x8000
	O_DIRECTORY OpenFlags = 0x10000
	O_NOFOLLOW  OpenFlags = 0x20000
	O_NOATIME   OpenFlags = 0x40000
	O_CLOEXEC   OpenFlags = 0x80000
	O_SYNC      OpenFlags = 0x101000
	O_PATH      OpenFlags = 0x200000
	O_TMPFILE   OpenFlags = 0x410000
	O_NDELAY    OpenFlags = O_NONBLOCK
	O_RSYNC     OpenFlags = O_SYNC
)

var openFlagNames = [...]bitName{
	{uint64(O_SYNC), "O_SYNC"},
	{uint64(O_TMPFILE), "O_TMPFILE"},
	{uint64(O_CREAT), "O_CREAT"},
	{uint64(O_EXCL), "O_EXCL"},
	{uint64(O_NOCTTY), "O_NOCTTY"},
	{uint64(O_TRUNC), "O_TRUNC"},
	{uint64(O_APPEND), "O_APPEND"},
	{uint64(O_NONBLOCK), "O_NONBLOCK"},
	{uint64(O_DSYNC), "O_DSYNC"},
	{uint64(O_ASYNC), "O_ASYNC"},
	{uint64(O_DIRECT), "O_DIRECT"},
	{uint64(O_LARGEFILE), "O_LARGEFILE"},
	{uint64(O_DIRECTORY), "O_DIRECTORY"},
	{uint64(O_NOFOLLOW), "O_NOFOLLOW"},
	{uint64(O_NOATIME), "O_NOATIME"},
	{uint64(O_CLOEXEC), "O_CLOEXEC"},
	{uint64(O_PATH), "O_PATH"},
}

func (f OpenFlags) String() string {
	mode := [...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[f&O_ACCMODE]
	if f &^= O_ACCMODE; f == 0 {
		return mode
	}
	return mode + "|" + formatBits(uint64(f), openFlagNames[:])
}

// Readable reports whether the access mode allows reading.
func (f OpenFlags) Readable() bool { return f&O_ACCMODE == O_RDONLY || f&O_ACCMODE == O_RDWR }

// Writable reports whether the access mode allows writing.
func (f OpenFlags) Writable() bool { return f&O_ACCMODE == O_WRONLY || f&O_ACCMODE == O_RDWR }

// AtFlags are the AT_ flags of the *at calls. Some bits mean different things
// to different calls: AT_REMOVEDIR (unlinkat) is AT_EACCESS (faccessat2).
type AtFlags uint32

const (
	AT_SYMLINK_NOFOLLOW   AtFlags = 0x100
	AT_REMOVEDIR          AtFlags = 0x200
	AT_SYMLINK_FOLLOW     AtFlags = 0x400
	AT_NO_AUTOMOUNT       AtFlags = 0x800
	AT_EMPTY_PATH         AtFlags = 0x1000
	AT_STATX_FORCE_SYNC   AtFlags = 0x2000
	AT_STATX_DONT_SYNC    AtFlags = 0x4000
	AT_RECURSIVE          AtFlags = 0x8000
	AT_EACCESS            AtFlags = 0x200
	AT_STATX_SYNC_TYPE    AtFlags = 0x6000
	AT_STATX_SYNC_AS_STAT AtFlags = 0x0
	AT_HANDLE_FID         AtFlags = 0x200
)

var atFlagsNames = [...]bitName{
	{uint64(AT_STATX_SYNC_TYPE), "AT_STATX_SYNC_TYPE"},
	{uint64(AT_SYMLINK_NOFOLLOW), "AT_SYMLINK_NOFOLLOW"},
	{uint64(AT_REMOVEDIR), "AT_REMOVEDIR"},
	{uint64(AT_SYMLINK_FOLLOW), "AT_SYMLINK_FOLLOW"},
	{uint64(AT_NO_AUTOMOUNT), "AT_NO_AUTOMOUNT"},
	{uint64(AT_EMPTY_PATH), "AT_EMPTY_PATH"},
	{uint64(AT_STATX_FORCE_SYNC), "AT_STATX_FORCE_SYNC"},
	{uint64(AT_STATX_DONT_SYNC), "AT_STATX_DONT_SYNC"},
	{uint64(AT_RECURSIVE), "AT_RECURSIVE"},
	{uint64(AT_STATX_SYNC_AS_STAT), "AT_STATX_SYNC_AS_STAT"},
}

func (f AtFlags) String() string { return formatBits(uint64(f), atFlagsNames[:]) }

// AccessMode is the mode of access(2).
type AccessMode uint32

const (
	F_OK AccessMode = 0
	X_OK AccessMode = 1
	W_OK AccessMode = 2
	R_OK AccessMode = 4
)

var accessModeNames = [...]bitName{
	{uint64(F_OK), "F_OK"},
	{uint64(X_OK), "X_OK"},
	{uint64(W_OK), "W_OK"},
	{uint64(R_OK), "R_OK"},
}

func (f AccessMode) String() string { return formatBits(uint64(f), accessModeNames[:]) }

// ResolveFlags restrict openat2(2)'s path walk.
type ResolveFlags uint64

const (
	RESOLVE_NO_XDEV       ResolveFlags = 0x1
	RESOLVE_NO_MAGICLINKS ResolveFlags = 0x2
	RESOLVE_NO_SYMLINKS   ResolveFlags = 0x4
	RESOLVE_BENEATH       ResolveFlags = 0x8
	RESOLVE_IN_ROOT       ResolveFlags = 0x10
	RESOLVE_CACHED        ResolveFlags = 0x20
)

var resolveFlagsNames = [...]bitName{
	{uint64(RESOLVE_NO_XDEV), "RESOLVE_NO_XDEV"},
	{uint64(RESOLVE_NO_MAGICLINKS), "RESOLVE_NO_MAGICLINKS"},
	{uint64(RESOLVE_NO_SYMLINKS), "RESOLVE_NO_SYMLINKS"},
	{uint64(RESOLVE_BENEATH), "RESOLVE_BENEATH"},
	{uint64(RESOLVE_IN_ROOT), "RESOLVE_IN_ROOT"},
	{uint64(RESOLVE_CACHED), "RESOLVE_CACHED"},
}

func (f ResolveFlags) String() string { return formatBits(uint64(f), resolveFlagsNames[:]) }

// OpenHow is struct open_how of openat2(2).
type OpenHow struct {
	Flags   uint64
	Mode    uint64
	Resolve ResolveFlags
}

// Whence says what an offset of lseek(2) counts from.
type Whence int32

const (
	SEEK_SET  Whence = 0
	SEEK_CUR  Whence = 1
	SEEK_END  Whence = 2
	SEEK_DATA Whence = 3
	SEEK_HOLE Whence = 4
)

var whenceNames = [...]enumName{
	{int64(SEEK_SET), "SEEK_SET"},
	{int64(SEEK_CUR), "SEEK_CUR"},
	{int64(SEEK_END), "SEEK_END"},
	{int64(SEEK_DATA), "SEEK_DATA"},
	{int64(SEEK_HOLE), "SEEK_HOLE"},
}

func (f Whence) String() string { return formatEnum(int64(f), whenceNames[:]) }

// RenameFlags are the flags of renameat2(2).
type RenameFlags uint32

const (
	RENAME_NOREPLACE RenameFlags = 0x1
	RENAME_EXCHANGE  RenameFlags = 0x2
	RENAME_WHITEOUT  RenameFlags = 0x4
)

var renameFlagsNames = [...]bitName{
	{uint64(RENAME_NOREPLACE), "RENAME_NOREPLACE"},
	{uint64(RENAME_EXCHANGE), "RENAME_EXCHANGE"},
	{uint64(RENAME_WHITEOUT), "RENAME_WHITEOUT"},
}

func (f RenameFlags) String() string { return formatBits(uint64(f), renameFlagsNames[:]) }

// FallocateMode is the mode of fallocate(2).
type FallocateMode uint32

const (
	FALLOC_FL_KEEP_SIZE      FallocateMode = 0x1
	FALLOC_FL_PUNCH_HOLE     FallocateMode = 0x2
	FALLOC_FL_NO_HIDE_STALE  FallocateMode = 0x4
	FALLOC_FL_COLLAPSE_RANGE FallocateMode = 0x8
	FALLOC_FL_ZERO_RANGE     FallocateMode = 0x10
	FALLOC_FL_INSERT_RANGE   FallocateMode = 0x20
	FALLOC_FL_UNSHARE_RANGE  FallocateMode = 0x40
)

var fallocateModeNames = [...]bitName{
	{uint64(FALLOC_FL_KEEP_SIZE), "FALLOC_FL_KEEP_SIZE"},
	{uint64(FALLOC_FL_PUNCH_HOLE), "FALLOC_FL_PUNCH_HOLE"},
	{uint64(FALLOC_FL_NO_HIDE_STALE), "FALLOC_FL_NO_HIDE_STALE"},
	{uint64(FALLOC_FL_COLLAPSE_RANGE), "FALLOC_FL_COLLAPSE_RANGE"},
	{uint64(FALLOC_FL_ZERO_RANGE), "FALLOC_FL_ZERO_RANGE"},
	{uint64(FALLOC_FL_INSERT_RANGE), "FALLOC_FL_INSERT_RANGE"},
	{uint64(FALLOC_FL_UNSHARE_RANGE), "FALLOC_FL_UNSHARE_RANGE"},
}

func (f FallocateMode) String() string { return formatBits(uint64(f), fallocateModeNames[:]) }

// XattrFlags are the flags of setxattr(2).
type XattrFlags int32

const (
	XATTR_CREATE  XattrFlags = 0x1
	XATTR_REPLACE XattrFlags = 0x2
)

var xattrFlagsNames = [...]bitName{
	{uint64(XATTR_CREATE), "XATTR_CREATE"},
	{uint64(XATTR_REPLACE), "XATTR_REPLACE"},
}

func (f XattrFlags) String() string { return formatBits(uint64(uint32(f)), xattrFlagsNames[:]) }

// Limits of paths and extended attributes.
const (
	NAME_MAX       = 255
	PATH_MAX       = 4096
	XATTR_NAME_MAX = 255
	XATTR_SIZE_MAX = 65536
	XATTR_LIST_MAX = 65536
	IOV_MAX        = 1024
	// SYMLINKS_MAX is how many symbolic links one path walk follows.
	SYMLINKS_MAX = 40
	// MAX_RW_COUNT is the most that one read or write transfers.
	MAX_RW_COUNT = 0x7ffff000
)

// RWFlags are the flags of preadv2(2) and pwritev2(2).
type RWFlags int32

const (
	RWF_HIPRI    RWFlags = 0x1
	RWF_DSYNC    RWFlags = 0x2
	RWF_SYNC     RWFlags = 0x4
	RWF_NOWAIT   RWFlags = 0x8
	RWF_APPEND   RWFlags = 0x10
	RWF_NOAPPEND RWFlags = 0x20
	RWF_ATOMIC   RWFlags = 0x40
)

var rWFlagsNames = [...]bitName{
	{uint64(RWF_HIPRI), "RWF_HIPRI"},
	{uint64(RWF_DSYNC), "RWF_DSYNC"},
	{uint64(RWF_SYNC), "RWF_SYNC"},
	{uint64(RWF_NOWAIT), "RWF_NOWAIT"},
	{uint64(RWF_APPEND), "RWF_APPEND"},
	{uint64(RWF_NOAPPEND), "RWF_NOAPPEND"},
	{uint64(RWF_ATOMIC), "RWF_ATOMIC"},
}

func (f RWFlags) String() string { return formatBits(uint64(uint32(f)), rWFlagsNames[:]) }
