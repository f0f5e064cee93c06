package linux

// MountFlags are the flags of mount(2).
type MountFlags uint64

const (
	MS_RDONLY      MountFlags = 0x1
	MS_NOSUID      MountFlags = 0x2
	MS_NODEV       MountFlags = 0x4
	MS_NOEXEC      MountFlags = 0x8
	MS_SYNCHRONOUS MountFlags = 0x10
	MS_REMOUNT     MountFlags = 0x20
	MS_MANDLOCK    MountFlags = 0x40
	MS_DIRSYNC     MountFlags = 0x80
	MS_NOSYMFOLLOW MountFlags = 0x100
	MS_NOATIME     MountFlags = 0x400
	MS_NODIRATIME  MountFlags = 0x800
	MS_BIND        MountFlags = 0x1000
	MS_MOVE        MountFlags = 0x2000
	MS_REC         MountFlags = 0x4000
	MS_SILENT      MountFlags = 0x8000
	MS_POSIXACL    MountFlags = 0x10000
	MS_UNBINDABLE  MountFlags = 0x20000
	MS_PRIVATE     MountFlags = 0x40000
	MS_SLAVE       MountFlags = 0x80000
	MS_SHARED      MountFlags = 0x100000
	MS_RELATIME    MountFlags = 0x200000
	MS_KERNMOUNT   MountFlags = 0x400000
	MS_I_VERSION   MountFlags = 0x800000
	MS_STRICTATIME MountFlags = 0x1000000
	MS_LAZYTIME    MountFlags = 0x2000000
)

var mountFlagsNames = [...]bitName{
	{uint64(MS_RDONLY), "MS_RDONLY"},
	{uint64(MS_NOSUID), "MS_NOSUID"},
	{uint64(MS_NODEV), "MS_NODEV"},
	{uint64(MS_NOEXEC), "MS_NOEXEC"},
	{uint64(MS_SYNCHRONOUS), "MS_SYNCHRONOUS"},
	{uint64(MS_REMOUNT), "MS_REMOUNT"},
	{uint64(MS_MANDLOCK), "MS_MANDLOCK"},
	{uint64(MS_DIRSYNC), "MS_DIRSYNC"},
	{uint64(MS_NOSYMFOLLOW), "MS_NOSYMFOLLOW"},
	{uint64(MS_NOATIME), "MS_NOATIME"},
	{uint64(MS_NODIRATIME), "MS_NODIRATIME"},
	{uint64(MS_BIND), "MS_BIND"},
	{uint64(MS_MOVE), "MS_MOVE"},
	{uint64(MS_REC), "MS_REC"},
	{uint64(MS_SILENT), "MS_SILENT"},
	{uint64(MS_POSIXACL), "MS_POSIXACL"},
	{uint64(MS_UNBINDABLE), "MS_UNBINDABLE"},
	{uint64(MS_PRIVATE), "MS_PRIVATE"},
	{uint64(MS_SLAVE), "MS_SLAVE"},
	{uint64(MS_SHARED), "MS_SHARED"},
	{uint64(MS_RELATIME), "MS_RELATIME"},
	{uint64(MS_KERNMOUNT), "MS_KERNMOUNT"},
	{uint64(MS_I_VERSION), "MS_I_VERSION"},
	{uint64(MS_STRICTATIME), "MS_STRICTATIME"},
	{uint64(MS_LAZYTIME), "MS_LAZYTIME"},
}

func (f MountFlags) String() string { return formatBits(uint64(f), mountFlagsNames[:]) }

// The magic number that old programs put into the upper half of mount flags.
const (
	MS_MGC_VAL MountFlags = 0xc0ed0000
	MS_MGC_MSK MountFlags = 0xffff0000
)

// UmountFlags are the flags of umount2(2).
type UmountFlags int32

const (
	MNT_FORCE       UmountFlags = 1
	MNT_DETACH      UmountFlags = 2
	MNT_EXPIRE      UmountFlags = 4
	UMOUNT_NOFOLLOW UmountFlags = 8
)

var umountFlagsNames = [...]bitName{
	{uint64(MNT_FORCE), "MNT_FORCE"},
	{uint64(MNT_DETACH), "MNT_DETACH"},
	{uint64(MNT_EXPIRE), "MNT_EXPIRE"},
	{uint64(UMOUNT_NOFOLLOW), "UMOUNT_NOFOLLOW"},
}

func (f UmountFlags) String() string { return formatBits(uint64(uint32(f)), umountFlagsNames[:]) }

// MountAttr are mount attributes of fsmount(2) and mount_setattr(2).
type MountAttr uint64

const (
	MOUNT_ATTR_RDONLY      MountAttr = 0x1
	MOUNT_ATTR_NOSUID      MountAttr = 0x2
	MOUNT_ATTR_NODEV       MountAttr = 0x4
	MOUNT_ATTR_NOEXEC      MountAttr = 0x8
	MOUNT_ATTR_NOATIME     MountAttr = 0x10
	MOUNT_ATTR_STRICTATIME MountAttr = 0x20
	MOUNT_ATTR__ATIME      MountAttr = 0x70
	MOUNT_ATTR_NODIRATIME  MountAttr = 0x80
	MOUNT_ATTR_IDMAP       MountAttr = 0x100000
	MOUNT_ATTR_NOSYMFOLLOW MountAttr = 0x200000
)

var mountAttrNames = [...]bitName{
	{uint64(MOUNT_ATTR__ATIME), "MOUNT_ATTR__ATIME"},
	{uint64(MOUNT_ATTR_RDONLY), "MOUNT_ATTR_RDONLY"},
	{uint64(MOUNT_ATTR_NOSUID), "MOUNT_ATTR_NOSUID"},
	{uint64(MOUNT_ATTR_NODEV), "MOUNT_ATTR_NODEV"},
	{uint64(MOUNT_ATTR_NOEXEC), "MOUNT_ATTR_NOEXEC"},
	{uint64(MOUNT_ATTR_NOATIME), "MOUNT_ATTR_NOATIME"},
	{uint64(MOUNT_ATTR_STRICTATIME), "MOUNT_ATTR_STRICTATIME"},
	{uint64(MOUNT_ATTR_NODIRATIME), "MOUNT_ATTR_NODIRATIME"},
	{uint64(MOUNT_ATTR_IDMAP), "MOUNT_ATTR_IDMAP"},
	{uint64(MOUNT_ATTR_NOSYMFOLLOW), "MOUNT_ATTR_NOSYMFOLLOW"},
}

func (f MountAttr) String() string { return formatBits(uint64(f), mountAttrNames[:]) }

// MountAttrArg is struct mount_attr of mount_setattr(2), 32 bytes.
type MountAttrArg struct {
	AttrSet     MountAttr
	AttrClr     MountAttr
	Propagation uint64
	UsernsFD    uint64
}

// OpenTreeFlags are the flags of open_tree(2) beside AtFlags.
type OpenTreeFlags uint32

const (
	OPEN_TREE_CLONE   OpenTreeFlags = 0x1
	OPEN_TREE_CLOEXEC OpenTreeFlags = 0x80000
)

var openTreeFlagsNames = [...]bitName{
	{uint64(OPEN_TREE_CLONE), "OPEN_TREE_CLONE"},
	{uint64(OPEN_TREE_CLOEXEC), "OPEN_TREE_CLOEXEC"},
}

func (f OpenTreeFlags) String() string { return formatBits(uint64(f), openTreeFlagsNames[:]) }

// MoveMountFlags are the flags of move_mount(2).
type MoveMountFlags uint32

const (
	MOVE_MOUNT_F_SYMLINKS   MoveMountFlags = 0x1
	MOVE_MOUNT_F_AUTOMOUNTS MoveMountFlags = 0x2
	MOVE_MOUNT_F_EMPTY_PATH MoveMountFlags = 0x4
	MOVE_MOUNT_T_SYMLINKS   MoveMountFlags = 0x10
	MOVE_MOUNT_T_AUTOMOUNTS MoveMountFlags = 0x20
	MOVE_MOUNT_T_EMPTY_PATH MoveMountFlags = 0x40
	MOVE_MOUNT_SET_GROUP    MoveMountFlags = 0x100
)

var moveMountFlagsNames = [...]bitName{
	{uint64(MOVE_MOUNT_F_SYMLINKS), "MOVE_MOUNT_F_SYMLINKS"},
	{uint64(MOVE_MOUNT_F_AUTOMOUNTS), "MOVE_MOUNT_F_AUTOMOUNTS"},
	{uint64(MOVE_MOUNT_F_EMPTY_PATH), "MOVE_MOUNT_F_EMPTY_PATH"},
	{uint64(MOVE_MOUNT_T_SYMLINKS), "MOVE_MOUNT_T_SYMLINKS"},
	{uint64(MOVE_MOUNT_T_AUTOMOUNTS), "MOVE_MOUNT_T_AUTOMOUNTS"},
	{uint64(MOVE_MOUNT_T_EMPTY_PATH), "MOVE_MOUNT_T_EMPTY_PATH"},
	{uint64(MOVE_MOUNT_SET_GROUP), "MOVE_MOUNT_SET_GROUP"},
}

func (f MoveMountFlags) String() string { return formatBits(uint64(f), moveMountFlagsNames[:]) }

// FsopenFlags are the flags of fsopen(2).
type FsopenFlags uint32

const (
	FSOPEN_CLOEXEC FsopenFlags = 1
)

var fsopenFlagsNames = [...]bitName{
	{uint64(FSOPEN_CLOEXEC), "FSOPEN_CLOEXEC"},
}

func (f FsopenFlags) String() string { return formatBits(uint64(f), fsopenFlagsNames[:]) }

// FsmountFlags are the flags of fsmount(2).
type FsmountFlags uint32

const (
	FSMOUNT_CLOEXEC FsmountFlags = 1
)

var fsmountFlagsNames = [...]bitName{
	{uint64(FSMOUNT_CLOEXEC), "FSMOUNT_CLOEXEC"},
}

func (f FsmountFlags) String() string { return formatBits(uint64(f), fsmountFlagsNames[:]) }

// FspickFlags are the flags of fspick(2).
type FspickFlags uint32

const (
	FSPICK_CLOEXEC          FspickFlags = 0x1
	FSPICK_SYMLINK_NOFOLLOW FspickFlags = 0x2
	FSPICK_NO_AUTOMOUNT     FspickFlags = 0x4
	FSPICK_EMPTY_PATH       FspickFlags = 0x8
)

var fspickFlagsNames = [...]bitName{
	{uint64(FSPICK_CLOEXEC), "FSPICK_CLOEXEC"},
	{uint64(FSPICK_SYMLINK_NOFOLLOW), "FSPICK_SYMLINK_NOFOLLOW"},
	{uint64(FSPICK_NO_AUTOMOUNT), "FSPICK_NO_AUTOMOUNT"},
	{uint64(FSPICK_EMPTY_PATH), "FSPICK_EMPTY_PATH"},
}

func (f FspickFlags) String() string { return formatBits(uint64(f), fspickFlagsNames[:]) }

// FsconfigCmd is a command of fsconfig(2).
type FsconfigCmd uint32

const (
	FSCONFIG_SET_FLAG        FsconfigCmd = 0
	FSCONFIG_SET_STRING      FsconfigCmd = 1
	FSCONFIG_SET_BINARY      FsconfigCmd = 2
	FSCONFIG_SET_PATH        FsconfigCmd = 3
	FSCONFIG_SET_PATH_EMPTY  FsconfigCmd = 4
	FSCONFIG_SET_FD          FsconfigCmd = 5
	FSCONFIG_CMD_CREATE      FsconfigCmd = 6
	FSCONFIG_CMD_RECONFIGURE FsconfigCmd = 7
	FSCONFIG_CMD_CREATE_EXCL FsconfigCmd = 8
)

var fsconfigCmdNames = [...]enumName{
	{int64(FSCONFIG_SET_FLAG), "FSCONFIG_SET_FLAG"},
	{int64(FSCONFIG_SET_STRING), "FSCONFIG_SET_STRING"},
	{int64(FSCONFIG_SET_BINARY), "FSCONFIG_SET_BINARY"},
	{int64(FSCONFIG_SET_PATH), "FSCONFIG_SET_PATH"},
	{int64(FSCONFIG_SET_PATH_EMPTY), "FSCONFIG_SET_PATH_EMPTY"},
	{int64(FSCONFIG_SET_FD), "FSCONFIG_SET_FD"},
	{int64(FSCONFIG_CMD_CREATE), "FSCONFIG_CMD_CREATE"},
	{int64(FSCONFIG_CMD_RECONFIGURE), "FSCONFIG_CMD_RECONFIGURE"},
	{int64(FSCONFIG_CMD_CREATE_EXCL), "FSCONFIG_CMD_CREATE_EXCL"},
}

func (f FsconfigCmd) String() string { return formatEnum(int64(f), fsconfigCmdNames[:]) }
