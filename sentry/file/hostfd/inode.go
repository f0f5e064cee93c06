package hostfd

import (
	"sync/atomic"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// kind is what the host descriptor is, as far as I/O differs.
type kind uint8

const (
	regular kind = iota
	stream       // pipes and most character devices
	socket
	terminal
)

// An Inode is an inherited host descriptor.
type Inode struct {
	// immutable
	fd       int
	slot     string
	kind     kind
	notifier *Notifier // nil: always ready
	fs       fileSystem

	queue wait.Queue
	state vfs.InodeState
	job   tty.Control

	// atomic
	refs     atomic.Int64 // Files
	noNowait atomic.Bool  // the host refused RWF_NOWAIT
}

// New returns an inode over the host descriptor fd, which it takes over. slot
// names it for checkpoints. groups is told a terminal's signals.
func New(n *Notifier, groups tty.Groups, fd int, slot string) (*Inode, linux.Errno) {
	i := &Inode{}
	if e := i.fill(n, groups, fd, slot); e != 0 {
		return nil, e
	}
	return i, 0
}

// fill makes i what New returns.
func (i *Inode) fill(n *Notifier, groups tty.Groups, fd int, slot string) linux.Errno {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return errno(err)
	}
	i.fd, i.slot, i.fs.dev = fd, slot, st.Dev
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		i.kind = regular
	case unix.S_IFSOCK:
		i.kind = socket
	case unix.S_IFCHR:
		i.kind = stream
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
			i.kind = terminal
		}
	default:
		i.kind = stream
	}
	i.job.Init(i, groups)
	if i.kind != regular && n.Watch(fd, &i.queue) {
		i.notifier = n
	}
	return 0
}

// Slot is the name the descriptor has in a checkpoint.
func (i *Inode) Slot() string { return i.slot }

// Flags returns the access mode and status flags the descriptor has.
func (i *Inode) Flags() linux.OpenFlags {
	f, err := unix.FcntlInt(uintptr(i.fd), unix.F_GETFL, 0)
	if err != nil {
		return linux.O_RDWR
	}
	return linux.OpenFlags(f) & (linux.O_ACCMODE | linux.O_APPEND)
}

// IsTerminal reports whether the descriptor is a terminal.
func (i *Inode) IsTerminal() bool { return i.kind == terminal }

// VFSState implements vfs.Stateful.
func (i *Inode) VFSState() *vfs.InodeState { return &i.state }

// FileSystem implements vfs.Inode.
func (i *Inode) FileSystem() vfs.FileSystem { return &i.fs }

// Attr implements vfs.Inode.
func (i *Inode) Attr() (vfs.Attr, error) {
	var st unix.Stat_t
	if err := unix.Fstat(i.fd, &st); err != nil {
		return vfs.Attr{}, errno(err)
	}
	return vfs.Attr{
		Ino: st.Ino, Mode: linux.FileMode(st.Mode), Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid,
		Size: uint64(st.Size), Blocks: uint64(st.Blocks), BlockSize: uint32(st.Blksize), Rdev: st.Rdev,
		ATime: linux.Timespec{Sec: st.Atim.Sec, Nsec: st.Atim.Nsec},
		MTime: linux.Timespec{Sec: st.Mtim.Sec, Nsec: st.Mtim.Nsec},
		CTime: linux.Timespec{Sec: st.Ctim.Sec, Nsec: st.Ctim.Nsec},
	}, nil
}

// SetAttr implements vfs.Inode.
func (i *Inode) SetAttr(set *vfs.SetAttr) error {
	const times = vfs.SetATime | vfs.SetMTime | vfs.SetATimeNow | vfs.SetMTimeNow
	if set.Mask&^(vfs.SetSize|vfs.ClearSetID|times) != 0 || set.Mask == 0 {
		return linux.EPERM
	}
	if set.Mask&times != 0 {
		return linux.EPERM
	}
	if set.Mask&vfs.SetSize != 0 {
		if err := unix.Ftruncate(i.fd, int64(set.Size)); err != nil {
			return errno(err)
		}
	}
	return nil
}

// Open implements vfs.Inode: another description of the same host descriptor
// (/dev/stdout).
func (i *Inode) Open(c *vfs.Caller, _ vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	have := i.Flags()
	if flags.Readable() && !have.Readable() || flags.Writable() && !have.Writable() {
		return nil, linux.EACCES
	}
	i.refs.Add(1)
	if i.kind == terminal {
		if c != nil {
			i.job.Opened(c.Job, flags)
		}
		return &Terminal{File{open{i}}}, nil
	}
	if i.kind == regular {
		return &Regular{open{i}}, nil
	}
	return &File{open{i}}, nil
}

func (i *Inode) drop() {
	if i.refs.Add(-1) > 0 {
		return
	}
	if i.notifier != nil {
		i.notifier.Unwatch(i.fd)
	}
	_ = unix.Close(i.fd)
}

// A fileSystem is the host's file system as far as it shows.
type fileSystem struct{ dev uint64 }

func (f *fileSystem) Type() string    { return "hostfd" }
func (f *fileSystem) Root() vfs.Inode { return nil }
func (f *fileSystem) StatFS() (linux.Statfs, error) {
	return linux.Statfs{Type: linux.ANON_INODE_FS_MAGIC, Bsize: linux.PageSize, Frsize: linux.PageSize, Namelen: linux.NAME_MAX}, nil
}
func (f *fileSystem) Device() uint64 { return f.dev }
func (f *fileSystem) Release()       {}

// errno turns the host's error into ours.
func errno(err error) linux.Errno {
	if e, ok := err.(unix.Errno); ok {
		return linux.Errno(e)
	}
	return linux.EIO
}
