package vfs

import (
	"fmt"
	"sync/atomic"

	"cordon/internal/check"
	"cordon/internal/linux"
)

// anonFS is a file system of what has no place: pipes, sockets, eventfds, or
// namespaces.
type anonFS struct {
	vfs  *VFS
	dev  uint64
	nsfs bool
}

func (f *anonFS) Type() string {
	if f.nsfs {
		return "nsfs"
	}
	return "anon_inodefs"
}
func (f *anonFS) Root() Inode { return nil }
func (f *anonFS) StatFS() (linux.Statfs, error) {
	magic := uint64(linux.ANON_INODE_FS_MAGIC)
	if f.nsfs {
		magic = linux.NSFS_MAGIC
	}
	return linux.Statfs{Type: magic, Bsize: 4096, Frsize: 4096, Namelen: linux.NAME_MAX}, nil
}
func (f *anonFS) Device() uint64 { return f.dev }
func (f *anonFS) Release()       {}

// An AnonInode is the inode of a file without a place.
type AnonInode struct {
	// immutable
	fs    *anonFS
	ino   uint64
	ctime linux.Timespec
	open  func(c *Caller, flags linux.OpenFlags) (File, error)

	// atomic
	mode     atomic.Uint32
	uid, gid atomic.Uint32
	state    InodeState
}

// NewAnonInode returns an inode of mode (with type) owned by c. open, which may
// be nil (ENXIO), makes the File when somebody opens it through
// /proc/self/fd.
func (v *VFS) NewAnonInode(c *Caller, mode linux.FileMode, open func(c *Caller, flags linux.OpenFlags) (File, error)) *AnonInode {
	i := &AnonInode{fs: v.anon.sb.fs.(*anonFS), ino: v.anonInos.Add(1), ctime: v.Now(), open: open}
	i.mode.Store(uint32(mode))
	if c != nil {
		i.uid.Store(c.Cred.FSUID)
		i.gid.Store(c.Cred.FSGID)
	}
	return i
}

// Ino returns the inode's number ("socket:[7]").
func (i *AnonInode) Ino() uint64 { return i.ino }

// FileSystem implements Inode.
func (i *AnonInode) FileSystem() FileSystem { return i.fs }

// VFSState implements Stateful.
func (i *AnonInode) VFSState() *InodeState { return &i.state }

// Attr implements Inode.
func (i *AnonInode) Attr() (Attr, error) {
	return Attr{
		Ino: i.ino, Mode: linux.FileMode(i.mode.Load()), Nlink: 1, UID: i.uid.Load(), GID: i.gid.Load(),
		BlockSize: 4096, ATime: i.ctime, MTime: i.ctime, CTime: i.ctime,
	}, nil
}

// SetAttr implements Inode.
func (i *AnonInode) SetAttr(set *SetAttr) error {
	if set.Mask&SetSize != 0 {
		return linux.EINVAL
	}
	if set.Mask&SetMode != 0 {
		i.mode.Store(i.mode.Load()&uint32(linux.S_IFMT) | uint32(set.Mode.PermAndSticky()))
	}
	if set.Mask&SetUID != 0 {
		i.uid.Store(set.UID)
	}
	if set.Mask&SetGID != 0 {
		i.gid.Store(set.GID)
	}
	return nil
}

// Open implements Inode.
func (i *AnonInode) Open(c *Caller, _ Path, flags linux.OpenFlags) (File, error) {
	if i.open == nil {
		return nil, linux.ENXIO
	}
	return i.open(c, flags)
}

func (i *AnonInode) opensItself() {}

// AnonPath returns a place for inode that shows as text ("pipe:[7]",
// "anon_inode:[eventfd]", "/memfd:x").
func (v *VFS) AnonPath(inode Inode, text string) Path { return v.anon.anonPath(inode, text) }

// NSPath is AnonPath for a namespace ("net:[4026531840]"), which can be mounted
// somewhere (ioctl_nsfs(2)).
func (v *VFS) NSPath(inode Inode, text string) Path { return v.nsfs.anonPath(inode, text) }

// NSDevice is the device of namespaces' files.
func (v *VFS) NSDevice() uint64 { return v.nsfs.sb.dev }

func (m *Mount) anonPath(inode Inode, text string) Path {
	d := &Dentry{sb: m.sb, inode: inode, anon: text}
	if a, err := inode.Attr(); err == nil {
		d.kind = a.Mode.Type()
	}
	check.That(d.kind != linux.S_IFDIR, "an anonymous directory")
	d.putAt(d, text)
	d.holdInode()
	d.armLocked()
	return Path{m, d}
}

// NewAnonFile returns a description of f that shows as anon_inode:[kind]
// (eventfd, epoll, ...).
func (v *VFS) NewAnonFile(c *Caller, f File, kind string, flags linux.OpenFlags) *Description {
	i := v.NewAnonInode(c, 0o600, nil)
	return NewDescription(c, v.AnonPath(i, "anon_inode:"+kind), f, flags)
}

// NewPseudoFile returns a description of f, whose inode shows as kind:[ino]
// (pipe, socket).
func (v *VFS) NewPseudoFile(c *Caller, f File, kind string, i *AnonInode, flags linux.OpenFlags) *Description {
	return NewDescription(c, v.AnonPath(i, fmt.Sprintf("%s:[%d]", kind, i.ino)), f, flags)
}

func panicRefs() { check.Failed("a description's references fell below zero") }

// DropHold ends the dentry's share in keeping its inode, once a description has
// taken it over.
func (d *Dentry) DropHold() { d.dropHold() }
