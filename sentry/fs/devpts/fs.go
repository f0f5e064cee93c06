package devpts

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/file/tty"
	"cordon/sentry/ktime"
	"cordon/sentry/vfs"
)

// MaxTerminals bounds the terminals of one instance (Linux: kernel.pty.max).
const MaxTerminals = 4096

// Options say what an instance needs, and devpts's mount options.
type Options struct {
	VFS    *vfs.VFS
	Clock  ktime.Clock // for VTIME
	Groups tty.Groups

	// Mode and GID are those of new slaves (mode=, gid=); HasGID without gid=
	// is false, and slaves belong to their opener's group.
	Mode   linux.FileMode
	GID    uint32
	HasGID bool
	// PtmxMode is the mode of ptmx (ptmxmode=).
	PtmxMode linux.FileMode
	Max      uint32
}

// Defaults are mode=600,ptmxmode=000 as in Linux, without a gid.
func Defaults(v *vfs.VFS, clock ktime.Clock, groups tty.Groups) Options {
	return Options{VFS: v, Clock: clock, Groups: groups, Mode: 0o600, Max: MaxTerminals}
}

// Parse applies mount options ("gid=5,mode=620,ptmxmode=666"), EINVAL for those
// that Linux does not know either.
func (o *Options) Parse(data string) error {
	for opt := range strings.SplitSeq(data, ",") {
		name, value, _ := strings.Cut(opt, "=")
		base := 10
		if strings.HasSuffix(name, "mode") {
			base = 8
		}
		var n uint64
		switch name {
		case "", "newinstance":
			continue
		case "uid", "gid", "mode", "ptmxmode", "max":
			var err error
			if n, err = strconv.ParseUint(value, base, 32); err != nil {
				return linux.EINVAL
			}
		}
		switch name {
		case "gid":
			o.GID, o.HasGID = uint32(n), true
		case "mode":
			o.Mode = linux.FileMode(n) & 0o777
		case "ptmxmode":
			o.PtmxMode = linux.FileMode(n) & 0o777
		case "max":
			if n > MaxTerminals {
				return linux.EINVAL
			}
			o.Max = uint32(n)
		default:
			return linux.EINVAL
		}
	}
	return nil
}

// A FileSystem is one instance of devpts.
type FileSystem struct {
	// immutable
	options Options
	device  uint64
	root    *node
	ptmx    *node

	mu lock.Mutex[lock.Inode]
	// guarded by mu
	pairs  map[uint32]*pair
	slaves map[uint32]*node
}

var (
	_ vfs.FileSystem  = (*FileSystem)(nil)
	_ vfs.Revalidator = (*FileSystem)(nil)
)

// Numbers of the fixed inodes; slave N has N+firstSlaveIno.
const (
	rootIno       = 1
	ptmxIno       = 2
	firstSlaveIno = 3
)

// New returns an instance without terminals.
func New(o Options) *FileSystem {
	fs := &FileSystem{
		options: o, device: o.VFS.NextDevice(),
		pairs: make(map[uint32]*pair), slaves: make(map[uint32]*node),
	}
	fs.root = fs.newNode(rootIno, linux.S_IFDIR|0o755, 0, 0, 0)
	fs.ptmx = fs.newNode(ptmxIno, linux.S_IFCHR|o.PtmxMode, 0, 0, linux.MakeDev(5, 2))
	return fs
}

// Type implements vfs.FileSystem.
func (fs *FileSystem) Type() string { return "devpts" }

// Root implements vfs.FileSystem.
func (fs *FileSystem) Root() vfs.Inode { return directory{fs.root} }

// StatFS implements vfs.FileSystem.
func (fs *FileSystem) StatFS() (linux.Statfs, error) {
	return linux.Statfs{Type: linux.DEVPTS_SUPER_MAGIC, Bsize: linux.PageSize, Frsize: linux.PageSize, Namelen: linux.NAME_MAX}, nil
}

// Device implements vfs.FileSystem.
func (fs *FileSystem) Device() uint64 { return fs.device }

// Release implements vfs.FileSystem.
func (fs *FileSystem) Release() {}

// MountOptions shows the options in /proc/mounts.
func (fs *FileSystem) MountOptions() string {
	var b strings.Builder
	if fs.options.HasGID {
		b.WriteString(",gid=" + strconv.FormatUint(uint64(fs.options.GID), 10))
	}
	b.WriteString(",mode=" + octal(fs.options.Mode) + ",ptmxmode=" + octal(fs.options.PtmxMode))
	return b.String()
}

func octal(m linux.FileMode) string {
	s := strconv.FormatUint(uint64(m), 8)
	return strings.Repeat("0", max(0, 3-len(s))) + s
}

// Revalidate implements vfs.Revalidator: terminals come and go by themselves.
func (fs *FileSystem) Revalidate(parent vfs.Inode, name string, child vfs.Inode) bool {
	now, err := directory{fs.root}.Lookup(name)
	if err != nil {
		return child == nil
	}
	return now == child
}

// OpenPtmx makes a terminal and opens its master: /dev/ptmx and /dev/pts/ptmx.
func (fs *FileSystem) OpenPtmx(c *vfs.Caller, _ vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	m, err := fs.NewTerminal(c)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// NewTerminal makes a terminal. It belongs to c, who may be nil for the kernel.
func (fs *FileSystem) NewTerminal(c *vfs.Caller) (*Master, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var index uint32
	for fs.pairs[index] != nil {
		index++
	}
	if index >= fs.options.Max {
		return nil, linux.ENOSPC
	}
	p := newPair(fs, index)
	var uid, gid uint32
	if c != nil {
		uid, gid = c.Cred.FSUID, c.Cred.FSGID
	}
	if fs.options.HasGID {
		gid = fs.options.GID
	}
	n := fs.newNode(firstSlaveIno+uint64(index), linux.S_IFCHR|fs.options.Mode, uid, gid, p.Device())
	n.pair = p
	fs.pairs[index], fs.slaves[index] = p, n
	return &Master{pair: p}, nil
}

func (fs *FileSystem) forget(p *pair) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	delete(fs.pairs, p.index)
	delete(fs.slaves, p.index)
}

// slave returns the inode of terminal index, nil if there is none.
func (fs *FileSystem) slave(index uint32) *node {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.slaves[index]
}

func (fs *FileSystem) slaveName(index uint32) string {
	return "/dev/pts/" + strconv.FormatUint(uint64(index), 10)
}

// A node is an inode: the directory, ptmx or a slave.
type node struct {
	// immutable
	fs   *FileSystem
	ino  uint64
	rdev uint64
	pair *pair // of a slave

	state vfs.InodeState

	// atomic
	mode     atomic.Uint32
	uid, gid atomic.Uint32
	times    [3]atomic.Int64 // access, modification, change
}

var (
	_ vfs.Inode     = (*node)(nil)
	_ vfs.Directory = directory{}
)

func (fs *FileSystem) newNode(ino uint64, mode linux.FileMode, uid, gid uint32, rdev uint64) *node {
	n := &node{fs: fs, ino: ino, rdev: rdev}
	n.mode.Store(uint32(mode))
	n.uid.Store(uid)
	n.gid.Store(gid)
	for i := range n.times {
		n.times[i].Store(fs.options.VFS.Now().ToNS())
	}
	return n
}

// VFSState implements vfs.Stateful.
func (n *node) VFSState() *vfs.InodeState { return &n.state }

// FileSystem implements vfs.Inode.
func (n *node) FileSystem() vfs.FileSystem { return n.fs }

// Attr implements vfs.Inode.
func (n *node) Attr() (vfs.Attr, error) {
	nlink := uint32(1)
	if n == n.fs.root {
		nlink = 2
	}
	at := func(i int) linux.Timespec { return linux.TimespecFromNS(n.times[i].Load()) }
	return vfs.Attr{
		Ino: n.ino, Mode: linux.FileMode(n.mode.Load()), Nlink: nlink, UID: n.uid.Load(), GID: n.gid.Load(),
		BlockSize: 1024, Rdev: n.rdev, ATime: at(0), MTime: at(1), CTime: at(2),
	}, nil
}

// SetAttr implements vfs.Inode.
func (n *node) SetAttr(set *vfs.SetAttr) error {
	now := n.fs.options.VFS.Now().ToNS()
	if set.Mask&vfs.SetMode != 0 {
		n.mode.Store(n.mode.Load()&uint32(linux.S_IFMT) | uint32(set.Mode.PermAndSticky()))
	}
	if set.Mask&vfs.SetUID != 0 {
		n.uid.Store(set.UID)
	}
	if set.Mask&vfs.SetGID != 0 {
		n.gid.Store(set.GID)
	}
	n.setTime(0, set.Mask, vfs.SetATime, vfs.SetATimeNow, set.ATime.ToNS(), now)
	n.setTime(1, set.Mask, vfs.SetMTime, vfs.SetMTimeNow, set.MTime.ToNS(), now)
	n.times[2].Store(now)
	return nil
}

func (n *node) setTime(i int, mask, set, setNow vfs.SetMask, t, now int64) {
	switch {
	case mask&setNow != 0:
		n.times[i].Store(now)
	case mask&set != 0:
		n.times[i].Store(t)
	}
}

// Open implements vfs.Inode.
func (n *node) Open(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if n.pair != nil {
		return n.pair.openSlave(c, flags)
	}
	return n.fs.OpenPtmx(c, p, flags)
}

// A directory is the root.
type directory struct{ *node }

// Lookup implements vfs.Directory.
func (d directory) Lookup(name string) (vfs.Inode, error) {
	if name == "ptmx" {
		return d.fs.ptmx, nil
	}
	i, err := strconv.ParseUint(name, 10, 32)
	if err == nil && strconv.FormatUint(i, 10) == name {
		if n := d.fs.slave(uint32(i)); n != nil {
			return n, nil
		}
	}
	return nil, linux.ENOENT
}

// Create implements vfs.Directory: nothing can be made by name.
func (directory) Create(string, *vfs.NewInode) (vfs.Inode, error) { return nil, linux.EPERM }

// Link implements vfs.Directory.
func (directory) Link(string, vfs.Inode) error { return linux.EPERM }

// Unlink implements vfs.Directory.
func (directory) Unlink(string, vfs.Inode, bool) error { return linux.EPERM }

// Rename implements vfs.Directory.
func (directory) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EPERM
}

// Open implements vfs.Inode.
func (d directory) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return listing{d.fs}, nil
}

// A listing is the directory, open.
type listing struct{ fs *FileSystem }

// Release implements vfs.File.
func (listing) Release() {}

// ReadDir implements vfs.DirReader. Offsets are inode numbers.
func (l listing) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	l.fs.mu.Lock()
	indices := slices.Sorted(maps.Keys(l.fs.pairs))
	l.fs.mu.Unlock()
	list := []vfs.Dirent{
		{Name: ".", Ino: rootIno, Type: uint8(linux.DT_DIR)}, {Name: "..", Ino: rootIno, Type: uint8(linux.DT_DIR)},
		{Name: "ptmx", Ino: ptmxIno, Type: uint8(linux.DT_CHR)},
	}
	for _, i := range indices {
		list = append(list, vfs.Dirent{Name: strconv.Itoa(int(i)), Ino: firstSlaveIno + uint64(i), Type: uint8(linux.DT_CHR)})
	}
	for i, e := range list {
		at := int64(i) // the fixed entries, then slave N at N+3
		if i >= firstSlaveIno {
			at = int64(e.Ino)
		}
		if e.Next = at + 1; at >= off && !emit(e) {
			return nil
		}
	}
	return nil
}
