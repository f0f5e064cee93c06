package goferfs

import (
	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Dir is an Inode that is a directory.
type Dir Inode

func (d *Dir) inode() *Inode { return (*Inode)(d) }

// FileSystem implements vfs.Inode.
func (d *Dir) FileSystem() vfs.FileSystem { return d.inode().FileSystem() }

// Attr implements vfs.Inode.
func (d *Dir) Attr() (vfs.Attr, error) { return d.inode().Attr() }

// Kind implements vfs.Kinded.
func (d *Dir) Kind() linux.FileMode { return linux.S_IFDIR }

// SetAttr implements vfs.Inode.
func (d *Dir) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		return linux.EISDIR
	}
	return d.inode().SetAttr(set)
}

// VFSState implements vfs.Stateful.
func (d *Dir) VFSState() *vfs.InodeState { return d.inode().VFSState() }

// Overlay implements vfs.Overlaid.
func (d *Dir) Overlay() *vfs.Inode { return d.inode().Overlay() }

// Evict implements vfs.Evicter.
func (d *Dir) Evict() { d.inode().Evict() }

// GetXattr implements vfs.XattrStore, like the three after it.
func (d *Dir) GetXattr(name string) ([]byte, error) { return d.inode().GetXattr(name) }

func (d *Dir) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	return d.inode().SetXattr(name, value, flags)
}

func (d *Dir) RemoveXattr(name string) error { return d.inode().RemoveXattr(name) }

func (d *Dir) ListXattr() ([]string, error) { return d.inode().ListXattr() }

// Open implements vfs.Inode.
func (d *Dir) Open(_ *vfs.Caller, p vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	return &dirFile{d: d.inode(), path: p}, nil
}

// made notes a name that d has got.
func (d *Dir) made(name string, s client.Step) *Inode {
	in := d.inode()
	c := in.fs.inode(in, name, s, fresh)
	in.fs.changes.Add(1)
	in.gained(name, &s.Attr, s.Target)
	in.touched()
	return c
}

// gained puts a name that the Sentry has made into the listing.
func (in *Inode) gained(name string, a *client.Attr, target string) {
	in.mu.Lock()
	delete(in.ahead, name)
	l := in.names.load()
	in.mu.Unlock()
	if l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.add(name, a, target)
	}
}

// lost notes a name that d has no longer.
func (in *Inode) lost(name string) {
	in.fs.changes.Add(1)
	in.mu.Lock()
	delete(in.ahead, name)
	l := in.names.load()
	in.mu.Unlock()
	if l != nil {
		l.mu.Lock()
		l.remove(name)
		l.mu.Unlock()
	}
	in.touched()
}

func perm(n *vfs.NewInode) client.Perm {
	return client.Perm{Mode: n.Mode, UID: n.UID, GID: n.GID}
}

// Create implements vfs.Directory.
func (d *Dir) Create(name string, n *vfs.NewInode) (vfs.Inode, error) {
	in := d.inode()
	dir, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer dir.release()
	s := client.Step{Target: n.Target}
	fd := -1
	switch n.Mode.Type() {
	case linux.S_IFREG:
		s.Node, s.Attr, fd, err = dir.node.Create(name, linux.O_RDWR, perm(n))
	case linux.S_IFDIR:
		s.Node, s.Attr, err = dir.node.Mkdir(name, perm(n))
	case linux.S_IFLNK:
		s.Node, s.Attr, err = dir.node.Symlink(name, n.Target, perm(n))
	default:
		s.Node, s.Attr, err = dir.node.Mknod(name, n.Mode, n.Rdev, perm(n))
	}
	if err != nil {
		return nil, err
	}
	c := d.made(name, s)
	if fd >= 0 {
		c.install(fd, true)
		in.fs.idled(c)
	}
	return c.outer(), nil
}

// CreateTemp implements vfs.TempCreator.
func (d *Dir) CreateTemp(n *vfs.NewInode) (vfs.Inode, error) {
	in := d.inode()
	dir, err := in.acquire()
	if err != nil {
		return nil, err
	}
	defer dir.release()
	node, a, fd, err := dir.node.Tmpfile(0, perm(n))
	if err != nil {
		return nil, err
	}
	c := in.fs.inode(nil, "", client.Step{Attr: a, Node: node}, fresh)
	c.install(fd, true)
	in.fs.idled(c)
	return c, nil
}

// Link implements vfs.Directory.
func (d *Dir) Link(name string, target vfs.Inode) error {
	in, t := d.inode(), inodeOf(target)
	if t == nil || t.fs != in.fs {
		return linux.EXDEV
	}
	dir, err := in.acquire()
	if err != nil {
		return err
	}
	defer dir.release()
	tn, err := t.acquire()
	if err != nil {
		return err
	}
	defer tn.release()
	a, err := dir.node.Link(name, tn.node)
	if err != nil {
		return err
	}
	t.mu.Lock()
	if t.parent == nil || t.adrift {
		t.parent, t.name, t.adrift = in, name, false // it can be found again
	}
	t.changed = true
	t.mu.Unlock()
	d.made(name, client.Step{Attr: a, Target: t.target()})
	return nil
}

// Unlink implements vfs.Directory.
func (d *Dir) Unlink(name string, victim vfs.Inode, rmdir bool) error {
	in, v := d.inode(), inodeOf(victim)
	dir, err := in.acquire()
	if err != nil {
		return err
	}
	defer dir.release()
	v.pin()
	var flags linux.AtFlags
	if rmdir {
		flags = linux.AT_REMOVEDIR
	}
	if err := dir.node.Unlink(name, flags); err != nil {
		return err
	}
	in.lost(name)
	if rmdir {
		in.adjustLinks(-1)
	}
	if v != nil {
		v.unlinked(in, name, rmdir)
	}
	return nil
}

// pin gets the node of an open file that is to lose a name: it may be reached
// only by its node from then on.
func (in *Inode) pin() {
	if in == nil {
		return
	}
	in.mu.Lock()
	bare := in.opens > 0 && in.node == nil
	in.mu.Unlock()
	if !bare {
		return
	}
	if n, err := in.acquire(); err == nil {
		n.release()
	}
}

// adjustLinks notes that a directory has lost or got a subdirectory.
func (in *Inode) adjustLinks(by int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := int(in.attr.nlink) + by; n >= 2 {
		in.attr.nlink = uint32(n)
	}
}

// unlinked notes that in has a name less.
func (in *Inode) unlinked(parent *Inode, name string, rmdir bool) {
	in.mu.Lock()
	if in.parent == parent && in.name == name {
		in.adrift = true
	}
	in.changed = true
	if in.attr.nlink > 0 {
		in.attr.nlink--
	}
	if rmdir {
		in.attr.nlink = 0
	}
	gone := in.attr.nlink == 0
	reachable := in.node != nil || in.ro.Load() != nil || in.rw.Load() != nil
	in.mu.Unlock()
	if gone {
		// The host may use its number for another inode.
		in.fs.forget(in)
	}
	if reachable {
		in.touched()
	}
}

// Rename implements vfs.Directory.
func (d *Dir) Rename(name string, moved vfs.Inode, newDir vfs.Directory, newName string, replaced vfs.Inode, flags linux.RenameFlags) error {
	from := d.inode()
	to := inodeOf(newDir)
	if to == nil || to.fs != from.fs {
		return linux.EXDEV
	}
	fn, err := from.acquire()
	if err != nil {
		return err
	}
	defer fn.release()
	tn, err := to.acquire()
	if err != nil {
		return err
	}
	defer tn.release()
	m, r := inodeOf(moved), inodeOf(replaced)
	if flags&linux.RENAME_EXCHANGE == 0 {
		r.pin()
	}
	if err := fn.node.Rename(name, tn.node, newName, flags); err != nil {
		return err
	}
	from.lost(name)
	to.lost(newName)
	to.arrived(newName, m)
	if flags&linux.RENAME_EXCHANGE != 0 {
		from.arrived(name, r)
	} else if r != nil {
		r.unlinked(to, newName, r.kind == linux.S_IFDIR)
	}
	if flags&linux.RENAME_WHITEOUT != 0 {
		from.mu.Lock()
		from.names = nil
		from.mu.Unlock()
	}
	return nil
}

// arrived notes that c is now name in in.
func (in *Inode) arrived(name string, c *Inode) {
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.parent != nil {
		c.parent, c.name, c.adrift = in, name, false
	}
	c.changed = true
	a := c.attrLocked()
	c.mu.Unlock()
	c.touched()
	in.fs.changes.Add(1)
	in.gained(name, &a, c.target())
}
