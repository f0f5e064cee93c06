package textfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Options say what an instance is.
type Options struct {
	Type   string // in /proc/mounts
	Magic  uint64 // statfs(2)'s f_type
	Device uint64
	Clock  vfs.Clock
	// FileSize is the size that files show: 0 in proc, a page in sysfs.
	FileSize uint64
	// MountOptions is what /proc/mounts shows beside the flags.
	MountOptions string
	// Data is given again to who makes the instance anew after a restore.
	Data string
}

// An FS is an instance.
type FS struct {
	// immutable
	o    Options
	born int64

	// set by SetRoot before the mount
	root vfs.Inode

	lastIno atomic.Uint64
}

// New returns an instance without a root.
func New(o Options) *FS { return &FS{o: o, born: o.Clock()} }

// SetRoot makes root the root directory.
func (fs *FS) SetRoot(root vfs.Inode) { fs.root = root }

// NextIno returns an inode number that no other inode has.
func (fs *FS) NextIno() uint64 { return fs.lastIno.Add(1) }

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return fs.o.Type }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Device implements vfs.FileSystem.
func (fs *FS) Device() uint64 { return fs.o.Device }

// Release implements vfs.FileSystem.
func (fs *FS) Release() {}

// MountOptions implements vfs.MountOptioner.
func (fs *FS) MountOptions() string { return fs.o.MountOptions }

// StatFS implements vfs.FileSystem.
func (fs *FS) StatFS() (linux.Statfs, error) {
	return linux.Statfs{Type: fs.o.Magic, Bsize: linux.PageSize, Frsize: linux.PageSize, Namelen: linux.NAME_MAX}, nil
}

// A Validator is an inode that may cease to be what its name means.
type Validator interface {
	Valid() bool
}

// Revalidate implements vfs.Revalidator.
func (fs *FS) Revalidate(parent vfs.Inode, _ string, child vfs.Inode) bool {
	if v, ok := parent.(Validator); ok && !v.Valid() {
		return false
	}
	if child == nil {
		_, fixed := parent.(*Dir)
		return fixed
	}
	if v, ok := child.(Validator); ok {
		return v.Valid()
	}
	return true
}

// A Node is what all inodes have. Embed it, made by NewNode.
type Node struct {
	// immutable
	fs   *FS
	ino  uint64
	mode linux.FileMode
	born int64

	// Owner says whose the inode is; nil means root's. Set before use.
	Owner func() (uid, gid uint32)

	state vfs.InodeState
}

// NewNode returns a node with mode, type included.
func (fs *FS) NewNode(mode linux.FileMode) Node {
	return Node{fs: fs, ino: fs.NextIno(), mode: mode, born: fs.o.Clock()}
}

// init makes n a new node in place.
func (fs *FS) init(n *Node, mode linux.FileMode) {
	n.fs, n.ino, n.mode, n.born = fs, fs.NextIno(), mode, fs.born
}

// Ino returns the inode's number.
func (n *Node) Ino() uint64 { return n.ino }

// Mode returns the mode with type.
func (n *Node) Mode() linux.FileMode { return n.mode }

// FileSystem implements vfs.Inode.
func (n *Node) FileSystem() vfs.FileSystem { return n.fs }

// VFSState implements vfs.Stateful.
func (n *Node) VFSState() *vfs.InodeState { return &n.state }

// Attr implements vfs.Inode for everything but directories.
func (n *Node) Attr() (vfs.Attr, error) {
	t := linux.TimespecFromNS(n.born)
	a := vfs.Attr{
		Ino: n.ino, Mode: n.mode, Nlink: 1, BlockSize: 1024, ATime: t, MTime: t, CTime: t,
	}
	if n.mode.IsRegular() {
		a.Size = n.fs.o.FileSize
		if a.Size > 0 {
			a.BlockSize = linux.PageSize
		}
	}
	if n.Owner != nil {
		a.UID, a.GID = n.Owner()
	}
	return a, nil
}

// SetAttr implements vfs.Inode: the values' owners and modes stay; a truncation
// before a write means nothing.
func (n *Node) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&(vfs.SetMode|vfs.SetUID|vfs.SetGID) != 0 {
		return linux.EPERM
	}
	return nil
}

// noOpen is for inodes that are not opened.
func noOpen() (vfs.File, error) { return nil, linux.ENXIO }
