package linux

import "strconv"

// FileMode is a file's type and permission bits, st_mode.
type FileMode uint32

const (
	S_IFMT   FileMode = 0xf000
	S_IFSOCK FileMode = 0xc000
	S_IFLNK  FileMode = 0xa000
	S_IFREG  FileMode = 0x8000
	S_IFBLK  FileMode = 0x6000
	S_IFDIR  FileMode = 0x4000
	S_IFCHR  FileMode = 0x2000
	S_IFIFO  FileMode = 0x1000
	S_ISUID  FileMode = 0o4000
	S_ISGID  FileMode = 0o2000
	S_ISVTX  FileMode = 0o1000
	S_IRWXU  FileMode = 0o700
	S_IRUSR  FileMode = 0o400
	S_IWUSR  FileMode = 0o200
	S_IXUSR  FileMode = 0o100
	S_IRWXG  FileMode = 0o70
	S_IRGRP  FileMode = 0o40
	S_IWGRP  FileMode = 0o20
	S_IXGRP  FileMode = 0o10
	S_IRWXO  FileMode = 0o7
	S_IROTH  FileMode = 0o4
	S_IWOTH  FileMode = 0o2
	S_IXOTH  FileMode = 0o1
)

// Type is the file type alone, an S_IF value.
func (m FileMode) Type() FileMode { return m & S_IFMT }

// Perm is the nine permission bits.
func (m FileMode) Perm() FileMode { return m & 0o777 }

// PermAndSticky is all that chmod(2) can change: the permission bits, set-user-ID,
// set-group-ID and sticky.
func (m FileMode) PermAndSticky() FileMode { return m & 0o7777 }

func (m FileMode) IsDir() bool     { return m.Type() == S_IFDIR }
func (m FileMode) IsRegular() bool { return m.Type() == S_IFREG }
func (m FileMode) IsSymlink() bool { return m.Type() == S_IFLNK }
func (m FileMode) IsChar() bool    { return m.Type() == S_IFCHR }
func (m FileMode) IsBlock() bool   { return m.Type() == S_IFBLK }
func (m FileMode) IsFIFO() bool    { return m.Type() == S_IFIFO }
func (m FileMode) IsSocket() bool  { return m.Type() == S_IFSOCK }

// DirentType is the DT value of m's file type.
func (m FileMode) DirentType() DirentType { return DirentType(m.Type() >> 12) }

var fileTypeNames = [...]enumName{
	{int64(S_IFSOCK), "S_IFSOCK"},
	{int64(S_IFLNK), "S_IFLNK"},
	{int64(S_IFREG), "S_IFREG"},
	{int64(S_IFBLK), "S_IFBLK"},
	{int64(S_IFDIR), "S_IFDIR"},
	{int64(S_IFCHR), "S_IFCHR"},
	{int64(S_IFIFO), "S_IFIFO"},
}

// String is strace's form: S_IFREG|0644.
func (m FileMode) String() string {
	perm := strconv.FormatUint(uint64(m&^S_IFMT), 8)
	for len(perm) < 3 {
		perm = "0" + perm
	}
	perm = "0" + perm
	if m.Type() == 0 {
		return perm
	}
	return formatEnum(int64(m.Type()), fileTypeNames[:]) + "|" + perm
}

// DirentType is the file type in a directory entry.
type DirentType uint8

const (
	DT_UNKNOWN DirentType = 0
	DT_FIFO    DirentType = 1
	DT_CHR     DirentType = 2
	DT_DIR     DirentType = 4
	DT_BLK     DirentType = 6
	DT_REG     DirentType = 8
	DT_LNK     DirentType = 10
	DT_SOCK    DirentType = 12
	DT_WHT     DirentType = 14
)

var direntTypeNames = [...]enumName{
	{int64(DT_UNKNOWN), "DT_UNKNOWN"},
	{int64(DT_FIFO), "DT_FIFO"},
	{int64(DT_CHR), "DT_CHR"},
	{int64(DT_DIR), "DT_DIR"},
	{int64(DT_BLK), "DT_BLK"},
	{int64(DT_REG), "DT_REG"},
	{int64(DT_LNK), "DT_LNK"},
	{int64(DT_SOCK), "DT_SOCK"},
	{int64(DT_WHT), "DT_WHT"},
}

func (f DirentType) String() string { return formatEnum(int64(f), direntTypeNames[:]) }

// Stat is struct stat of amd64, 144 bytes. arm64's has the 32-bit mode and
// link count side by side and is 128 bytes: see StatARM64.
type Stat struct {
	Dev     uint64
	Ino     uint64
	Nlink   uint64
	Mode    FileMode
	UID     uint32
	GID     uint32
	_       int32
	Rdev    uint64
	Size    int64
	Blksize int64
	Blocks  int64
	Atim    Timespec
	Mtim    Timespec
	Ctim    Timespec
	_       [3]int64
}

// StatARM64 is struct stat of the generic ABI.
type StatARM64 struct {
	Dev     uint64
	Ino     uint64
	Mode    FileMode
	Nlink   uint32
	UID     uint32
	GID     uint32
	Rdev    uint64
	_       uint64
	Size    int64
	Blksize int32
	_       int32
	Blocks  int64
	Atim    Timespec
	Mtim    Timespec
	Ctim    Timespec
	_       [2]int32
}

// Statx is struct statx, 256 bytes.
type Statx struct {
	Mask                   StatxMask
	Blksize                uint32
	Attributes             StatxAttr
	Nlink                  uint32
	UID                    uint32
	GID                    uint32
	Mode                   uint16
	_                      uint16
	Ino                    uint64
	Size                   uint64
	Blocks                 uint64
	AttributesMask         StatxAttr
	Atime                  StatxTimestamp
	Btime                  StatxTimestamp
	Ctime                  StatxTimestamp
	Mtime                  StatxTimestamp
	RdevMajor              uint32
	RdevMinor              uint32
	DevMajor               uint32
	DevMinor               uint32
	MntID                  uint64
	DioMemAlign            uint32
	DioOffsetAlign         uint32
	Subvol                 uint64
	AtomicWriteUnitMin     uint32
	AtomicWriteUnitMax     uint32
	AtomicWriteSegmentsMax uint32
	_                      uint32
	_                      [9]uint64
}

// StatxTimestamp is struct statx_timestamp.
type StatxTimestamp struct {
	Sec  int64
	Nsec uint32
	_    int32
}

// StatxTimestampFromNS converts nanoseconds since the epoch.
func StatxTimestampFromNS(ns int64) StatxTimestamp {
	ts := TimespecFromNS(ns)
	return StatxTimestamp{Sec: ts.Sec, Nsec: uint32(ts.Nsec)}
}

// StatxMask says which fields of Statx are wanted or filled.
type StatxMask uint32

const (
	STATX_TYPE          StatxMask = 0x1
	STATX_MODE          StatxMask = 0x2
	STATX_NLINK         StatxMask = 0x4
	STATX_UID           StatxMask = 0x8
	STATX_GID           StatxMask = 0x10
	STATX_ATIME         StatxMask = 0x20
	STATX_MTIME         StatxMask = 0x40
	STATX_CTIME         StatxMask = 0x80
	STATX_INO           StatxMask = 0x100
	STATX_SIZE          StatxMask = 0x200
	STATX_BLOCKS        StatxMask = 0x400
	STATX_BASIC_STATS   StatxMask = 0x7ff
	STATX_BTIME         StatxMask = 0x800
	STATX_ALL           StatxMask = 0xfff
	STATX_MNT_ID        StatxMask = 0x1000
	STATX_DIOALIGN      StatxMask = 0x2000
	STATX_MNT_ID_UNIQUE StatxMask = 0x4000
	STATX_SUBVOL        StatxMask = 0x8000
	STATX_WRITE_ATOMIC  StatxMask = 0x10000
	STATX__RESERVED     StatxMask = 0x80000000
)

var statxMaskNames = [...]bitName{
	{uint64(STATX_ALL), "STATX_ALL"},
	{uint64(STATX_BASIC_STATS), "STATX_BASIC_STATS"},
	{uint64(STATX_TYPE), "STATX_TYPE"},
	{uint64(STATX_MODE), "STATX_MODE"},
	{uint64(STATX_NLINK), "STATX_NLINK"},
	{uint64(STATX_UID), "STATX_UID"},
	{uint64(STATX_GID), "STATX_GID"},
	{uint64(STATX_ATIME), "STATX_ATIME"},
	{uint64(STATX_MTIME), "STATX_MTIME"},
	{uint64(STATX_CTIME), "STATX_CTIME"},
	{uint64(STATX_INO), "STATX_INO"},
	{uint64(STATX_SIZE), "STATX_SIZE"},
	{uint64(STATX_BLOCKS), "STATX_BLOCKS"},
	{uint64(STATX_BTIME), "STATX_BTIME"},
	{uint64(STATX_MNT_ID), "STATX_MNT_ID"},
	{uint64(STATX_DIOALIGN), "STATX_DIOALIGN"},
	{uint64(STATX_MNT_ID_UNIQUE), "STATX_MNT_ID_UNIQUE"},
	{uint64(STATX_SUBVOL), "STATX_SUBVOL"},
	{uint64(STATX_WRITE_ATOMIC), "STATX_WRITE_ATOMIC"},
	{uint64(STATX__RESERVED), "STATX__RESERVED"},
}

func (f StatxMask) String() string { return formatBits(uint64(f), statxMaskNames[:]) }

// StatxAttr are the attribute bits of Statx.
type StatxAttr uint64

const (
	STATX_ATTR_COMPRESSED StatxAttr = 0x4
	STATX_ATTR_IMMUTABLE  StatxAttr = 0x10
	STATX_ATTR_APPEND     StatxAttr = 0x20
	STATX_ATTR_NODUMP     StatxAttr = 0x40
	STATX_ATTR_ENCRYPTED  StatxAttr = 0x800
	STATX_ATTR_AUTOMOUNT  StatxAttr = 0x1000
	STATX_ATTR_MOUNT_ROOT StatxAttr = 0x2000
	STATX_ATTR_VERITY     StatxAttr = 0x100000
	STATX_ATTR_DAX        StatxAttr = 0x200000
)

var statxAttrNames = [...]bitName{
	{uint64(STATX_ATTR_COMPRESSED), "STATX_ATTR_COMPRESSED"},
	{uint64(STATX_ATTR_IMMUTABLE), "STATX_ATTR_IMMUTABLE"},
	{uint64(STATX_ATTR_APPEND), "STATX_ATTR_APPEND"},
	{uint64(STATX_ATTR_NODUMP), "STATX_ATTR_NODUMP"},
	{uint64(STATX_ATTR_ENCRYPTED), "STATX_ATTR_ENCRYPTED"},
	{uint64(STATX_ATTR_AUTOMOUNT), "STATX_ATTR_AUTOMOUNT"},
	{uint64(STATX_ATTR_MOUNT_ROOT), "STATX_ATTR_MOUNT_ROOT"},
	{uint64(STATX_ATTR_VERITY), "STATX_ATTR_VERITY"},
	{uint64(STATX_ATTR_DAX), "STATX_ATTR_DAX"},
}

func (f StatxAttr) String() string { return formatBits(uint64(f), statxAttrNames[:]) }

// DirentHeaderSize is what precedes the name in struct linux_dirent64: the
// inode, the next offset, the record's length and the type. The name ends in a
// NUL and the record is padded to eight bytes.
const DirentHeaderSize = 19

// MakeDev builds a device number as user space sees it.
func MakeDev(major, minor uint32) uint64 {
	return uint64(major&0xfff)<<8 | uint64(minor&0xff) | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}

// DevMajor is the major number of a device.
func DevMajor(dev uint64) uint32 { return uint32(dev>>8)&0xfff | uint32(dev>>32)&^0xfff }

// DevMinor is the minor number of a device.
func DevMinor(dev uint64) uint32 { return uint32(dev)&0xff | uint32(dev>>12)&^0xff }

// Statfs is struct statfs of 64-bit machines, 120 bytes.
type Statfs struct {
	Type    uint64
	Bsize   int64
	Blocks  uint64
	Bfree   uint64
	Bavail  uint64
	Files   uint64
	Ffree   uint64
	Fsid    [2]int32
	Namelen int64
	Frsize  int64
	Flags   StatfsFlags
	_       [4]int64
}

// StatfsFlags are the mount flags that statfs(2) reports.
type StatfsFlags uint64

const (
	ST_RDONLY      StatfsFlags = 0x1
	ST_NOSUID      StatfsFlags = 0x2
	ST_NODEV       StatfsFlags = 0x4
	ST_NOEXEC      StatfsFlags = 0x8
	ST_SYNCHRONOUS StatfsFlags = 0x10
	ST_VALID       StatfsFlags = 0x20
	ST_MANDLOCK    StatfsFlags = 0x40
	ST_NOATIME     StatfsFlags = 0x400
	ST_NODIRATIME  StatfsFlags = 0x800
	ST_RELATIME    StatfsFlags = 0x1000
	ST_NOSYMFOLLOW StatfsFlags = 0x2000
)

var statfsFlagsNames = [...]bitName{
	{uint64(ST_RDONLY), "ST_RDONLY"},
	{uint64(ST_NOSUID), "ST_NOSUID"},
	{uint64(ST_NODEV), "ST_NODEV"},
	{uint64(ST_NOEXEC), "ST_NOEXEC"},
	{uint64(ST_SYNCHRONOUS), "ST_SYNCHRONOUS"},
	{uint64(ST_VALID), "ST_VALID"},
	{uint64(ST_MANDLOCK), "ST_MANDLOCK"},
	{uint64(ST_NOATIME), "ST_NOATIME"},
	{uint64(ST_NODIRATIME), "ST_NODIRATIME"},
	{uint64(ST_RELATIME), "ST_RELATIME"},
	{uint64(ST_NOSYMFOLLOW), "ST_NOSYMFOLLOW"},
}

func (f StatfsFlags) String() string { return formatBits(uint64(f), statfsFlagsNames[:]) }

// Magic numbers of file systems, as statfs(2) reports them.
const (
	AAFS_MAGIC            = 0x5a3c69f0
	ADFS_SUPER_MAGIC      = 0xadf5
	AFFS_SUPER_MAGIC      = 0xadff
	AFS_FS_MAGIC          = 0x6b414653
	AFS_SUPER_MAGIC       = 0x5346414f
	ANON_INODE_FS_MAGIC   = 0x9041934
	AUTOFS_SUPER_MAGIC    = 0x187
	BCACHEFS_SUPER_MAGIC  = 0xca451a4e
	BDEVFS_MAGIC          = 0x62646576
	BINDERFS_SUPER_MAGIC  = 0x6c6f6f70
	BINFMTFS_MAGIC        = 0x42494e4d
	BPF_FS_MAGIC          = 0xcafe4a11
	BTRFS_SUPER_MAGIC     = 0x9123683e
	CEPH_SUPER_MAGIC      = 0xc36400
	CGROUP2_SUPER_MAGIC   = 0x63677270
	CGROUP_SUPER_MAGIC    = 0x27e0eb
	CIFS_SUPER_MAGIC      = 0xff534d42
	CODA_SUPER_MAGIC      = 0x73757245
	CRAMFS_MAGIC          = 0x28cd3d45
	DAXFS_MAGIC           = 0x64646178
	DEBUGFS_MAGIC         = 0x64626720
	DEVMEM_MAGIC          = 0x454d444d
	DEVPTS_SUPER_MAGIC    = 0x1cd1
	DMA_BUF_MAGIC         = 0x444d4142
	ECRYPTFS_SUPER_MAGIC  = 0xf15f
	EFIVARFS_MAGIC        = 0xde5e81e4
	EFS_SUPER_MAGIC       = 0x414a53
	EXFAT_SUPER_MAGIC     = 0x2011bab0
	EXT2_SUPER_MAGIC      = 0xef53
	EXT3_SUPER_MAGIC      = 0xef53
	EXT4_SUPER_MAGIC      = 0xef53
	F2FS_SUPER_MAGIC      = 0xf2f52010
	FUSE_SUPER_MAGIC      = 0x65735546
	FUTEXFS_SUPER_MAGIC   = 0xbad1dea
	HOSTFS_SUPER_MAGIC    = 0xc0ffee
	HPFS_SUPER_MAGIC      = 0xf995e849
	HUGETLBFS_MAGIC       = 0x958458f6
	ISOFS_SUPER_MAGIC     = 0x9660
	JFFS2_SUPER_MAGIC     = 0x72b6
	MINIX2_SUPER_MAGIC    = 0x2468
	MINIX3_SUPER_MAGIC    = 0x4d5a
	MINIX_SUPER_MAGIC     = 0x137f
	MSDOS_SUPER_MAGIC     = 0x4d44
	MTD_INODE_FS_MAGIC    = 0x11307854
	NCP_SUPER_MAGIC       = 0x564c
	NFS_SUPER_MAGIC       = 0x6969
	NILFS_SUPER_MAGIC     = 0x3434
	NSFS_MAGIC            = 0x6e736673
	OCFS2_SUPER_MAGIC     = 0x7461636f
	OPENPROM_SUPER_MAGIC  = 0x9fa1
	OVERLAYFS_SUPER_MAGIC = 0x794c7630
	PID_FS_MAGIC          = 0x50494446
	PIPEFS_MAGIC          = 0x50495045
	PROC_SUPER_MAGIC      = 0x9fa0
	PSTOREFS_MAGIC        = 0x6165676c
	QNX4_SUPER_MAGIC      = 0x2f
	QNX6_SUPER_MAGIC      = 0x68191122
	RAMFS_MAGIC           = 0x858458f6
	RDTGROUP_SUPER_MAGIC  = 0x7655821
	REISERFS_SUPER_MAGIC  = 0x52654973
	SECRETMEM_MAGIC       = 0x5345434d
	SECURITYFS_MAGIC      = 0x73636673
	SMACK_MAGIC           = 0x43415d53
	SMB2_SUPER_MAGIC      = 0xfe534d42
	SMB_SUPER_MAGIC       = 0x517b
	SOCKFS_MAGIC          = 0x534f434b
	SQUASHFS_MAGIC        = 0x73717368
	SYSFS_MAGIC           = 0x62656572
	TMPFS_MAGIC           = 0x1021994
	MQUEUE_MAGIC          = 0x19800202
	TRACEFS_MAGIC         = 0x74726163
	UDF_SUPER_MAGIC       = 0x15013346
	USBDEVICE_SUPER_MAGIC = 0x9fa2
	V9FS_MAGIC            = 0x1021997
	WAKE_MAGIC            = 0x20
	XENFS_SUPER_MAGIC     = 0xabba1974
	XFS_SUPER_MAGIC       = 0x58465342
	ZONEFS_MAGIC          = 0x5a4f4653
)

// Utsname is struct new_utsname, 390 bytes.
type Utsname struct {
	Sysname    [65]byte
	Nodename   [65]byte
	Release    [65]byte
	Version    [65]byte
	Machine    [65]byte
	Domainname [65]byte
}

// Sysinfo is struct sysinfo, 112 bytes.
type Sysinfo struct {
	Uptime    int64
	Loads     [3]uint64
	Totalram  uint64
	Freeram   uint64
	Sharedram uint64
	Bufferram uint64
	Totalswap uint64
	Freeswap  uint64
	Procs     uint16
	_         uint16
	_         uint32
	Totalhigh uint64
	Freehigh  uint64
	MemUnit   uint32
	_         uint32
}

// What uname(2) says of the kernel whose ABI this is.
const (
	Release = "6.12.0-cordon"
	Version = "#1 SMP PREEMPT_DYNAMIC cordon"
)
