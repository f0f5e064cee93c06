package mqueue

import (
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/ipc"
	"cordon/sentry/vfs"
)

const (
	rootIno    = 1
	direntSize = 20 // of a directory's size, as in Linux
	mountFlags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
)

// An FS is the queues of an IPC namespace.
type FS struct {
	// immutable
	ns    *ipc.Namespace
	vfs   *vfs.VFS
	users *Users
	dev   uint64
	root  *dir

	mu lock.Mutex[lock.Inode]
	// guarded by mu
	own     *vfs.MountNamespace // the mount that nobody sees; nil: not yet, or ended
	ended   bool
	names   map[string]*Queue
	order   map[int64]string // names by the number that they were made as
	last    int64
	lastIno uint64
	queues  uint64 // with and without names
}

// New gives ns, which nobody is in yet, its queues.
func New(v *vfs.VFS, users *Users, ns *ipc.Namespace) *FS {
	fs := &FS{ns: ns, vfs: v, users: users, dev: v.NextDevice(), names: map[string]*Queue{}, order: map[int64]string{}, lastIno: rootIno}
	uid, gid, _ := ns.Owner()
	fs.root = &dir{attrs: newAttrs(fs, rootIno, linux.S_IFDIR|linux.S_ISVTX|0o777, uid, gid)}
	ns.SetPosix(fs)
	return fs
}

// Of returns the queues of a namespace, nil if it has none.
func Of(ns *ipc.Namespace) *FS {
	if ns == nil {
		return nil
	}
	fs, _ := ns.Posix().(*FS)
	return fs
}

// Users returns the accounts that fs counts in.
func (fs *FS) Users() *Users { return fs.users }

// For returns fs for c to mount: EPERM without CAP_SYS_ADMIN over its namespace. c
// may be nil for the kernel itself. There are no options.
func (fs *FS) For(c *vfs.Caller, data string) (vfs.FileSystem, error) {
	if data != "" {
		return nil, linux.EINVAL
	}
	_, _, user := fs.ns.Owner()
	if c != nil && user != nil && !c.Cred.HasIn(linux.CAP_SYS_ADMIN, user) {
		return nil, linux.EPERM
	}
	if c != nil && user == nil && !c.Cred.HasRoot(linux.CAP_SYS_ADMIN) {
		return nil, linux.EPERM
	}
	// The file system is to outlive all mounts of it.
	if _, err := fs.top(); err != nil {
		return nil, err
	}
	return fs, nil
}

// top returns the directory as the unseen mount shows it.
func (fs *FS) top() (vfs.Path, error) {
	fs.mu.Lock()
	own, ended := fs.own, fs.ended
	fs.mu.Unlock()
	if ended {
		return vfs.Path{}, linux.EACCES
	}
	if own != nil {
		return own.Root(), nil
	}
	_, _, user := fs.ns.Owner()
	made, err := fs.vfs.NewNamespace(user, fs, "mqueue", mountFlags)
	if err != nil {
		return vfs.Path{}, err
	}
	fs.mu.Lock()
	if fs.own == nil && !fs.ended {
		fs.own, made = made, nil
	}
	fs.mu.Unlock()
	if made != nil {
		made.DecRef() // another was first
	}
	return fs.top()
}

// Open is mq_open(2). attr is nil for the namespace's defaults.
func (fs *FS) Open(c *vfs.Caller, name string, flags linux.OpenFlags, mode linux.FileMode, attr *linux.MqAttr) (*vfs.Description, error) {
	top, err := fs.top()
	if err != nil {
		return nil, err
	}
	n := &vfs.NewInode{Mode: linux.S_IFREG | mode.PermAndSticky()&^c.Umask}
	n.Data = attr
	return vfs.OpenIn(c, top, name, flags, n)
}

// Unlink is mq_unlink(2).
func (fs *FS) Unlink(c *vfs.Caller, name string) error {
	top, err := fs.top()
	if err != nil {
		return err
	}
	return vfs.UnlinkIn(c, top, name)
}

// End implements ipc.Posix.
func (fs *FS) End() {
	fs.mu.Lock()
	own := fs.own
	fs.own, fs.ended = nil, true
	fs.mu.Unlock()
	if own != nil {
		own.DecRef()
	}
}

// Type implements vfs.FileSystem.
func (*FS) Type() string { return "mqueue" }

// OwnersKept implements vfs.OwnersKept.
func (*FS) OwnersKept() bool { return true }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return fs.root }

// Device implements vfs.FileSystem.
func (fs *FS) Device() uint64 { return fs.dev }

// StatFS implements vfs.FileSystem.
func (*FS) StatFS() (linux.Statfs, error) {
	return linux.Statfs{Type: linux.MQUEUE_MAGIC, Bsize: linux.PageSize, Frsize: linux.PageSize, Namelen: linux.NAME_MAX}, nil
}

// Release implements vfs.FileSystem: the last mount and the last open queue have
// gone.
func (fs *FS) Release() {
	fs.mu.Lock()
	all := slices.Collect(maps.Values(fs.names))
	clear(fs.names)
	clear(fs.order)
	fs.mu.Unlock()
	for _, q := range all {
		q.unnamed()
		q.Evict()
	}
}

func (fs *FS) now() int64 { return fs.vfs.Now().ToNS() }

// made is who makes a queue, nil for the kernel itself, and as what.
type made struct {
	by   *vfs.Caller
	attr *linux.MqAttr // nil: the namespace's defaults
}

func (m *made) privileged() bool { return m.by != nil && m.by.Cred.HasRoot(linux.CAP_SYS_RESOURCE) }

// A dir is the directory.
type dir struct{ attrs }

var _ vfs.Directory = (*dir)(nil)

// Attr implements vfs.Inode.
func (d *dir) Attr() (vfs.Attr, error) {
	d.fs.mu.Lock()
	n := len(d.fs.names)
	d.fs.mu.Unlock()
	a := d.attr()
	a.Nlink, a.Size = 2, uint64(2+n)*direntSize
	return a, nil
}

// SetAttr implements vfs.Inode.
func (d *dir) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		return linux.EISDIR
	}
	d.set(set)
	return nil
}

// Open implements vfs.Inode.
func (d *dir) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) { return listing{d}, nil }

// Lookup implements vfs.Directory.
func (d *dir) Lookup(name string) (vfs.Inode, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	if q := d.fs.names[name]; q != nil {
		return q, nil
	}
	return nil, linux.ENOENT
}

// Create implements vfs.Directory: only queues can be made.
func (d *dir) Create(name string, n *vfs.NewInode) (vfs.Inode, error) {
	if !n.Mode.IsRegular() {
		return nil, linux.EPERM
	}
	fs := d.fs
	m := made{by: n.By}
	m.attr, _ = n.Data.(*linux.MqAttr)
	fs.mu.Lock()
	if fs.ended {
		fs.mu.Unlock()
		return nil, linux.EACCES
	}
	if fs.queues >= fs.ns.Limit(ipc.MQQueuesMax) && !m.privileged() {
		fs.mu.Unlock()
		return nil, linux.ENOSPC
	}
	fs.queues++
	fs.lastIno++
	ino := fs.lastIno
	fs.mu.Unlock()
	q, err := fs.newQueue(ino, n, &m)
	if err != nil {
		fs.mu.Lock()
		fs.queues--
		fs.mu.Unlock()
		return nil, err
	}
	fs.mu.Lock()
	fs.last++
	q.number = fs.last
	fs.names[name], fs.order[q.number] = q, name
	fs.mu.Unlock()
	d.changed()
	return q, nil
}

// Link implements vfs.Directory.
func (*dir) Link(string, vfs.Inode) error { return linux.EPERM }

// Unlink implements vfs.Directory.
func (d *dir) Unlink(name string, victim vfs.Inode, rmdir bool) error {
	fs := d.fs
	fs.mu.Lock()
	q := fs.names[name]
	if q == nil || vfs.Inode(q) != victim || rmdir {
		fs.mu.Unlock()
		return linux.ENOENT
	}
	delete(fs.names, name)
	delete(fs.order, q.number)
	fs.mu.Unlock()
	q.unnamed()
	d.changed()
	return nil
}

// Rename implements vfs.Directory.
func (*dir) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EPERM
}

// A listing is the directory, open.
type listing struct{ d *dir }

// Release implements vfs.File.
func (listing) Release() {}

// Reopened implements vfs.Reopened.
func (listing) Reopened() {}

// newest is the offset that queue 0 would have: as in Linux the newest name comes
// first.
const newest = 1 << 40

// ReadDir implements vfs.DirReader.
func (l listing) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	fs := l.d.fs
	fs.mu.Lock()
	numbers := slices.Sorted(maps.Keys(fs.order))
	list := []vfs.Dirent{{Name: ".", Ino: rootIno, Type: uint8(linux.DT_DIR), Next: 1}, {Name: "..", Ino: rootIno, Type: uint8(linux.DT_DIR), Next: 2}}
	for _, n := range slices.Backward(numbers) {
		name := fs.order[n]
		list = append(list, vfs.Dirent{Name: name, Ino: fs.names[name].ino, Type: uint8(linux.DT_REG), Next: newest - n + 1})
	}
	fs.mu.Unlock()
	for _, e := range list {
		if e.Next > off && !emit(e) {
			return nil
		}
	}
	return nil
}
