package cgroupfs

import (
	"slices"
	"strings"
	"sync"
	"weak"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/fs/textfs"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// An instance is one mount's tree.
type instance struct {
	// immutable
	*textfs.FS
	sys  *task.System
	base *cgroup.Group

	mu sync.Mutex
	// guarded by mu
	dirs map[*cgroup.Group]*dir
}

// Register makes "cgroup2" mountable in v, and "cgroup" for a container's
// mounts, which are of this version on a host that has no other.
func Register(v *vfs.VFS, sys *task.System) {
	v.Register("cgroup2", vfs.FileSystemType{NoDev: true, UserMount: true, New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		base, err := baseOf(c, sys, data)
		if err != nil {
			return nil, err
		}
		return New(sys, v.NextDevice(), base), nil
	}, Options: mountOptions()})
	v.Register("cgroup", vfs.FileSystemType{NoDev: true, New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		if c != nil && c.Job != nil {
			return nil, linux.ENODEV // version 1
		}
		base, err := baseOf(nil, sys, data)
		if err != nil {
			return nil, err
		}
		return New(sys, v.NextDevice(), base), nil
	}})
}

// RootOption names the group that the kernel's own mount begins at.
const RootOption = "root="

// mountOptions are the keys of mount(2)'s data.
func mountOptions() []string {
	return []string{"nsdelegate", "favordynmods", "memory_localevents", "memory_recursiveprot", "memory_hugetlb_accounting", "pids_localevents"}
}

// baseOf returns the group that a mount shows as its root.
func baseOf(c *vfs.Caller, sys *task.System, data string) (*cgroup.Group, error) {
	if c == nil || c.Job == nil {
		g := sys.Cgroups.Root()
		for name := range strings.SplitSeq(strings.TrimPrefix(data, RootOption), "/") {
			if name == "" {
				continue
			}
			if g = g.Child(name); g == nil {
				return nil, linux.ENOENT
			}
		}
		return g, nil
	}
	err := vfs.ParseOptions(data, func(k, _ string) error {
		if !slices.Contains(mountOptions(), k) {
			return linux.EINVAL
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if t, ok := c.Job.(*task.Task); ok {
		return t.CgroupRoot(), nil
	}
	return sys.Cgroups.Root(), nil
}

// New returns an instance that shows base and what is below it.
func New(sys *task.System, device uint64, base *cgroup.Group) vfs.FileSystem {
	x := &instance{sys: sys, base: base, dirs: make(map[*cgroup.Group]*dir)}
	x.FS = textfs.New(textfs.Options{
		Type: "cgroup2", Magic: linux.CGROUP2_SUPER_MAGIC, Device: device, Clock: sys.Clocks.Realtime.Now,
		MountOptions: ",nsdelegate", Data: RootOption + base.Path(sys.Cgroups.Root()),
	})
	x.SetRoot(x.dir(base))
	return x.FS
}

// dir returns the directory of g.
func (x *instance) dir(g *cgroup.Group) *dir {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d := x.dirs[g]; d != nil {
		return d
	}
	for old := range x.dirs {
		if old.Removed() && old != x.base {
			delete(x.dirs, old)
		}
	}
	d := &dir{Node: x.NewNode(linux.S_IFDIR | 0o755), x: x, g: g, files: make(map[string]*file)}
	x.dirs[g] = d
	return d
}

// GroupOf returns the group that a directory of a cgroup file system is of, nil
// for any other place (clone3(2), CLONE_INTO_CGROUP).
func GroupOf(p vfs.Path) *cgroup.Group {
	if p.Dentry == nil {
		return nil
	}
	if d, ok := p.Dentry.Inode().(*dir); ok {
		return d.g
	}
	return nil
}

// A dir is the directory of a group.
type dir struct {
	textfs.Node

	// immutable
	x *instance
	g *cgroup.Group

	mu sync.Mutex
	// guarded by mu
	files map[string]*file
}

var _ vfs.Directory = (*dir)(nil)

// Valid implements textfs.Validator.
func (d *dir) Valid() bool { return !d.g.Removed() || d.g == d.x.base }

// attributes are those of a group's file, or of its directory.
func attributes(a vfs.Attr, g *cgroup.Group, name string) vfs.Attr {
	own, _ := g.Attr(name)
	a.UID, a.GID = own.UID, own.GID
	if own.HasMode {
		a.Mode = a.Mode&linux.S_IFMT | own.Mode
	}
	return a
}

// setAttributes changes owner and mode.
func setAttributes(set *vfs.SetAttr, g *cgroup.Group, name string) error {
	if set.Mask&(vfs.SetMode|vfs.SetUID|vfs.SetGID) == 0 {
		return nil
	}
	a, _ := g.Attr(name)
	if set.Mask&vfs.SetMode != 0 {
		a.Mode, a.HasMode = set.Mode, true
	}
	if set.Mask&vfs.SetUID != 0 {
		a.UID = set.UID
	}
	if set.Mask&vfs.SetGID != 0 {
		a.GID = set.GID
	}
	g.SetAttr(name, a)
	return nil
}

// Attr implements vfs.Inode.
func (d *dir) Attr() (vfs.Attr, error) {
	a, err := d.Node.Attr()
	a.Nlink = 2 + uint32(len(d.g.Children()))
	return attributes(a, d.g, ""), err
}

// SetAttr implements vfs.Inode.
func (d *dir) SetAttr(set *vfs.SetAttr) error { return setAttributes(set, d.g, "") }

// Lookup implements vfs.Directory.
func (d *dir) Lookup(name string) (vfs.Inode, error) {
	if !d.Valid() {
		return nil, linux.ENOENT
	}
	if e := find(name); e != nil && e.shown(d.g) {
		return d.file(e), nil
	}
	if c := d.g.Child(name); c != nil {
		return d.x.dir(c), nil
	}
	return nil, linux.ENOENT
}

// Create implements vfs.Directory: a group is made.
func (d *dir) Create(name string, n *vfs.NewInode) (vfs.Inode, error) {
	if !n.Mode.IsDir() {
		return nil, linux.EACCES
	}
	if find(name) != nil {
		return nil, linux.EEXIST
	}
	g, e := d.g.Make(name, n.UID, n.GID, n.Mode&0o7777)
	if e != 0 {
		return nil, e
	}
	d.x.sys.WatchCgroup(g) // it may compete with others
	return d.x.dir(g), nil
}

// Link implements vfs.Directory.
func (*dir) Link(string, vfs.Inode) error { return linux.EPERM }

// Unlink implements vfs.Directory: a group is removed.
func (d *dir) Unlink(name string, _ vfs.Inode, rmdir bool) error {
	c := d.g.Child(name)
	if c == nil || !rmdir {
		return linux.EPERM
	}
	if e := c.Remove(); e != 0 {
		return e
	}
	return nil
}

// Rename implements vfs.Directory.
func (*dir) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EPERM
}

// Open implements vfs.Inode.
func (d *dir) Open(_ *vfs.Caller, p vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	return textfs.OpenDir(d.Ino(), p, d.list), nil
}

// list emits files and groups from offset off on.
func (d *dir) list(off int64, emit func(vfs.Dirent) bool) error {
	if !d.Valid() {
		return nil
	}
	at := int64(textfs.FirstName)
	show := func(name string, i vfs.Inode) bool {
		if at++; at <= off {
			return true
		}
		return emit(textfs.Entry(name, i, at))
	}
	for i := range entries {
		if e := &entries[i]; e.shown(d.g) && !show(e.name, d.file(e)) {
			return nil
		}
	}
	for _, c := range d.g.Children() {
		if !show(c.Name(), d.x.dir(c)) {
			return nil
		}
	}
	return nil
}

// file returns the file of an entry.
func (d *dir) file(e *entry) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[e.name]; f != nil {
		return f
	}
	f := &file{e: e, d: d}
	var text func(*cred.Credentials) ([]byte, error)
	if e.read != nil {
		text = func(*cred.Credentials) ([]byte, error) {
			if d.g.Removed() {
				return nil, linux.ENODEV
			}
			return e.read(d.x.sys, d.g)
		}
	}
	f.File = d.x.NewFile(e.mode, text)
	if e.readFor != nil {
		f.TextFor = func(c *vfs.Caller) func(*cred.Credentials) ([]byte, error) {
			t := caller(c)
			if t == nil {
				return text
			}
			return func(*cred.Credentials) ([]byte, error) { return e.readFor(t, d.g) }
		}
	}
	f.IsValid = func() bool { return d.Valid() && e.shown(d.g) }
	if e.write != nil {
		f.Take = func(c *vfs.Caller, text []byte) error { return f.take(c, strings.TrimSpace(string(text))) }
	}
	if e.pressure {
		f.Other = func(*vfs.Caller) vfs.File { return openPressure(d.x.sys, d.g, e.resource) }
	}
	if e.tells {
		signal := d.g.Signal(e.events)
		f.Changes = signal
		signal.Listen(watched(weak.Make(f.File), weak.Make(d), e.name))
	}
	d.files[e.name] = f
	return f
}

// openPressure returns an open file of the pressure of g.
func openPressure(s *task.System, g *cgroup.Group, r cgroup.Resource) vfs.File {
	return textfs.NewTriggered(func() ([]byte, error) {
		if g.Removed() {
			return nil, linux.ENODEV
		}
		return s.PressureText(g, r), nil
	}, func(c *vfs.Caller, text []byte, fire func()) (func(), error) {
		return s.PressureTrigger(g, r, c, text, fire)
	})
}

// watched tells the watches of a file, and of its directory, of changes until
// they are gone with their mount.
func watched(f weak.Pointer[textfs.File], d weak.Pointer[dir], name string) func() bool {
	return func() bool {
		file, up := f.Value(), d.Value()
		if file != nil {
			file.VFSState().Modified("")
		}
		if up != nil {
			up.VFSState().Modified(name)
		}
		return file != nil
	}
}

// A file is one of a group's.
type file struct {
	*textfs.File

	// immutable
	e *entry
	d *dir
}

// Attr implements vfs.Inode.
func (f *file) Attr() (vfs.Attr, error) {
	a, err := f.File.Attr()
	return attributes(a, f.d.g, f.e.name), err
}

// SetAttr implements vfs.Inode.
func (f *file) SetAttr(set *vfs.SetAttr) error { return setAttributes(set, f.d.g, f.e.name) }

// take is a write.
func (f *file) take(c *vfs.Caller, text string) error {
	g, t := f.d.g, caller(c)
	if g.Removed() {
		return linux.ENODEV
	}
	if t != nil && !f.e.delegated && g.Parent() != nil && t.CgroupRoot() == g {
		return linux.EPERM
	}
	return f.e.write(&writer{f.d.x.sys, c, t}, g, text)
}

// A writer is who writes to a file.
type writer struct {
	sys *task.System
	c   *vfs.Caller
	t   *task.Task // nil: the kernel itself
}

func caller(c *vfs.Caller) *task.Task {
	t, _ := c.Job.(*task.Task)
	return t
}
