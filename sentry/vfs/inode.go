package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
)

// A FileSystem is one mounted file system instance (a superblock).
type FileSystem interface {
	// Type is the name in /proc/mounts.
	Type() string
	// Root returns the root directory.
	Root() Inode
	// StatFS fills what statfs(2) returns.
	StatFS() (linux.Statfs, error)
	// Device returns st_dev of its inodes.
	Device() uint64
	// Release is called when the last mount and description have gone.
	Release()
}

// A Revalidator is a file system whose names change behind the dentry cache
// (procfs, a shared gofer mount). Revalidate reports whether name in parent
// still means child; nil means "still absent".
type Revalidator interface {
	Revalidate(parent Inode, name string, child Inode) bool
}

// A PathRevalidator can check several names at a time: names[0] in parent, and
// each other in what the name before it means. It returns how many still mean
// children. What a walk asks of their attributes next need not be asked again.
type PathRevalidator interface {
	RevalidatePath(parent Inode, names []string, children []Inode) int
}

// Attr is what an inode tells of itself.
type Attr struct {
	Ino        uint64
	Mode       linux.FileMode // with type
	Nlink      uint32
	UID, GID   uint32
	Size       uint64
	Blocks     uint64 // of 512 bytes
	BlockSize  uint32
	Rdev       uint64
	ATime      linux.Timespec
	MTime      linux.Timespec
	CTime      linux.Timespec
	BTime      linux.Timespec // zero when the file system has none
	Attributes uint64         // STATX_ATTR_*
}

// An Inode is one object of a file system.
type Inode interface {
	// FileSystem returns the instance the inode belongs to.
	FileSystem() FileSystem
	// Attr returns the attributes.
	Attr() (Attr, error)
	// SetAttr changes the attributes that set names. Permission has been
	// checked; size changes come through here too.
	SetAttr(set *SetAttr) error
	// Open makes the File for a new description. Creation, truncation and
	// permission have been dealt with. O_PATH never comes here. p is where
	// the inode was found.
	Open(c *Caller, p Path, flags linux.OpenFlags) (File, error)
}

// SetAttr names attributes to change.
type SetAttr struct {
	Mask         SetMask
	Mode         linux.FileMode // permission bits only
	UID, GID     uint32
	Size         uint64
	ATime, MTime linux.Timespec // ATimeNow and MTimeNow instead mean the present
}

// SetMask says which fields of a SetAttr count.
type SetMask uint32

const (
	SetMode SetMask = 1 << iota
	SetUID
	SetGID
	SetSize
	SetATime
	SetMTime
	SetATimeNow
	SetMTimeNow
	// ClearSetID: drop S_ISUID and S_ISGID as a write by another user does.
	ClearSetID
)

// NewInode is what Create makes.
type NewInode struct {
	Mode     linux.FileMode // with type; umask applied
	UID, GID uint32
	Rdev     uint64
	Target   string // of a symbolic link
	// By is who makes it, where a name is made for it, and Data what he has for
	// the file system beside (OpenIn).
	By   *Caller
	Data any
	// Charge is told what memory the contents take; nil: nobody is.
	Charge Charger
}

// A Charger counts memory of files (the control group of whoever made them).
type Charger interface {
	ChargeFiles(bytes int64)
}

// ChargeOf returns who is charged for what c makes, nil for nobody.
func ChargeOf(c *Caller) Charger {
	if c == nil {
		return nil
	}
	if j, ok := c.Job.(interface{ Charger() Charger }); ok {
		return j.Charger()
	}
	return nil
}

// A Directory is an Inode that has names. Names are single components of 1 to
// 255 bytes, never "." or "..", without "/" and NUL; they last, so that they may be
// kept. The caller holds the dentry locks of the directories involved.
type Directory interface {
	Inode
	// Lookup returns the inode that name means, or ENOENT.
	Lookup(name string) (Inode, error)
	// Create makes an object of any type; the name is known to be absent in
	// the cache (EEXIST if it is not absent in truth).
	Create(name string, n *NewInode) (Inode, error)
	// Link makes name mean target, an inode of the same file system.
	Link(name string, target Inode) error
	// Unlink removes name, which means victim; rmdir says it is a directory
	// to be removed if empty.
	Unlink(name string, victim Inode, rmdir bool) error
	// Rename moves name in the receiver to newName in newDir. replaced is what
	// newName means, nil if nothing. flags are RENAME_*.
	Rename(name string, moved Inode, newDir Directory, newName string, replaced Inode, flags linux.RenameFlags) error
}

// A Kinded inode tells its type without its other attributes.
type Kinded interface {
	// Kind returns the type bits of the mode.
	Kind() linux.FileMode
}

// A Prefetcher is a directory that can look up more than one name at a time.
// Prefetch is called before Lookup(names[0]) for a path that goes on with the
// other names; open says that what is last is going to be opened for reading.
// It makes the Lookups and the Open that follow cheaper, and may do nothing.
type Prefetcher interface {
	Prefetch(names []string, open bool)
}

// A TempCreator is a directory that can make a file without a name
// (O_TMPFILE).
type TempCreator interface {
	CreateTemp(n *NewInode) (Inode, error)
}

// A Symlink is an inode that names another path.
type Symlink interface {
	// Readlink returns the target as readlink(2) shows it.
	Readlink(c *Caller) (string, error)
}

// A MagicLink is a Symlink that leads straight to an object
// (/proc/self/fd/N, /proc/self/exe).
type MagicLink interface {
	Symlink
	// Follow returns where the link leads. ok is false for a link that has to
	// be followed by its text.
	Follow(c *Caller) (p Path, ok bool, err error)
}

// A Permissioner decides access in its own way instead of by mode bits.
type Permissioner interface {
	// Permission checks for want, a set of MayRead, MayWrite, MayExec.
	Permission(c *cred.Credentials, want Access) error
}

// Access is a set of kinds of access to an inode.
type Access uint8

const (
	MayExec Access = 1 << iota
	MayWrite
	MayRead
)

// An XattrStore keeps extended attributes.
type XattrStore interface {
	GetXattr(name string) ([]byte, error)
	SetXattr(name string, value []byte, flags linux.XattrFlags) error
	RemoveXattr(name string) error
	ListXattr() ([]string, error)
}

// A Mapped is an inode whose contents can be mapped.
type Mapped interface {
	Mappable() memmap.Mappable
}

// An Overlaid inode has room for what an overlay makes of it, which is the
// overlay's to guard. Its file system is below one overlay at most.
type Overlaid interface {
	Overlay() *Inode
}

// An Evicter is told when nothing names or holds the inode any more.
type Evicter interface {
	Evict()
}
