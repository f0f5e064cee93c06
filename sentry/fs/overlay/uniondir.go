package overlay

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Names change in the upper layer in steps, which whoever looks there can see; through
// the overlay, where the directory is locked, each is one change.

// uncover takes a whiteout that the upper layer may have for name out of the way. undo
// puts it back.
func (n *Node) uncover(c *vfs.Caller, name string) (undo func(), err error) {
	dir := n.real()
	p, err := dir.Child(c, name)
	if err == error(linux.ENOENT) {
		return func() {}, nil
	}
	if err != nil {
		return nil, err
	}
	a, err := p.Attr()
	if err != nil {
		return nil, err
	}
	if !isWhiteout(&a) {
		return nil, linux.EEXIST
	}
	if err := vfs.Unlink(c, dir, name); err != nil {
		return nil, err
	}
	return func() { _ = n.whiteout(c, name) }, nil
}

// whiteout hides name in the layers below.
func (n *Node) whiteout(c *vfs.Caller, name string) error {
	_, err := vfs.MakeIn(c, n.real(), name, &vfs.NewInode{Mode: linux.S_IFCHR, UID: c.Cred.FSUID, GID: c.Cred.FSGID})
	return err
}

// opaque has a directory of the upper layer hide those of its name below, of which
// there may be some if n merges others.
func (n *Node) opaque(p vfs.Path) error {
	if !p.Dentry.IsDir() || len(n.below) == 0 {
		return nil
	}
	return n.u.mark(p, "opaque", "y")
}

// impure notes that n has files whose numbers are those of others.
func (n *Node) impure(moved *Node) {
	if moved.kind != linux.S_IFDIR {
		_ = n.u.mark(n.real(), "impure", "y")
	}
}

// isDeviceOfWhiteout reports whether m is what whiteouts are, which nobody may make in
// an overlay.
func isDeviceOfWhiteout(m *vfs.NewInode) bool { return m.Mode.IsChar() && m.Rdev == 0 }

// Create implements vfs.Directory.
func (n *Node) Create(name string, m *vfs.NewInode) (vfs.Inode, error) {
	if isDeviceOfWhiteout(m) {
		return nil, linux.EPERM
	}
	if err := n.copyUp(wholeFile); err != nil {
		return nil, err
	}
	c := n.u.as(m.By)
	undo, err := n.uncover(c, name)
	if err != nil {
		return nil, err
	}
	p, err := vfs.MakeIn(c, n.real(), name, m)
	if err != nil {
		undo()
		return nil, err
	}
	if err := n.opaque(p); err != nil {
		_ = n.u.remove(n.real(), name, 0)
		undo()
		return nil, linux.EIO
	}
	return n.made(name, p)
}

// made returns the Node of p, which has just been made.
func (n *Node) made(name string, p vfs.Path) (*Node, error) {
	a, err := p.Attr()
	if err != nil {
		return nil, err
	}
	return n.u.node(n, name, &found{
		over: p, ino: n.u.ino(a.Ino, n.u.upperLayer()), nlink: a.Nlink, kind: a.Mode.Type(),
	})
}

// CreateTemp implements vfs.TempCreator.
func (n *Node) CreateTemp(m *vfs.NewInode) (vfs.Inode, error) {
	if n.u.ReadOnly() {
		return nil, linux.EROFS
	}
	c := n.u.as(m.By)
	d, err := vfs.Open(c, n.u.work, ".", vfs.OpenHow{Flags: linux.O_TMPFILE | linux.O_RDWR, Mode: m.Mode})
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	p := d.Path()
	err = p.SetAttr(&vfs.SetAttr{Mask: vfs.SetMode | vfs.SetUID | vfs.SetGID, Mode: m.Mode.PermAndSticky(), UID: m.UID, GID: m.GID})
	if err != nil {
		return nil, err
	}
	return n.made("", p)
}

// Link implements vfs.Directory.
func (n *Node) Link(name string, target vfs.Inode) error {
	t, ok := target.(*Node)
	if !ok || t.u != n.u {
		return linux.EXDEV
	}
	if err := t.copyUp(wholeFile); err != nil {
		return err
	}
	if err := n.copyUp(wholeFile); err != nil {
		return err
	}
	c := n.u.as(nil)
	undo, err := n.uncover(c, name)
	if err != nil {
		return err
	}
	if err := vfs.LinkPath(c, t.real(), n.real(), vfs.Last{Name: name}); err != nil {
		undo()
		return err
	}
	n.impure(t)
	return nil
}

// Unlink implements vfs.Directory.
func (n *Node) Unlink(name string, victim vfs.Inode, rmdir bool) error {
	v, ok := victim.(*Node)
	if !ok {
		return linux.ENOENT
	}
	if rmdir {
		if err := v.mustBeEmpty(); err != nil {
			return err
		}
	}
	if err := n.copyUp(wholeFile); err != nil {
		return err
	}
	v.copying.LockNested() // of an overlay whose layer this is
	defer v.copying.Unlock()
	return n.removeLocked(n.u.as(nil), name, v)
}

// removeLocked takes name, which means v, away, in all layers.
func (n *Node) removeLocked(c *vfs.Caller, name string, v *Node) error {
	hide, err := n.covers(name)
	if err != nil {
		return err
	}
	if v.over.Load() != nil {
		// Whiteouts may be left in a directory.
		if err := n.u.remove(n.real(), name, 1); err != nil {
			return err
		}
	}
	if hide {
		if err := n.whiteout(c, name); err != nil {
			return err
		}
	}
	v.gone = true
	return nil
}

// mustBeEmpty refuses a directory that has names.
func (n *Node) mustBeEmpty() error {
	if n.kind != linux.S_IFDIR {
		return linux.ENOTDIR
	}
	names, err := n.list()
	if err == nil && len(names) > 0 {
		err = linux.ENOTEMPTY
	}
	return err
}

// movable reports whether n can be given another place: a directory that lower layers
// have parts of cannot, as these stay where they are.
func (n *Node) movable() bool { return n.kind != linux.S_IFDIR || len(n.below) == 0 }

// Rename implements vfs.Directory.
func (n *Node) Rename(name string, moved vfs.Inode, newDir vfs.Directory, newName string, replaced vfs.Inode, flags linux.RenameFlags) error {
	to, ok := newDir.(*Node)
	m, ok2 := moved.(*Node)
	if !ok || !ok2 || to.u != n.u {
		return linux.EXDEV
	}
	r, _ := replaced.(*Node)
	exchange := flags&linux.RENAME_EXCHANGE != 0
	switch {
	case flags&^(linux.RENAME_EXCHANGE|linux.RENAME_NOREPLACE) != 0:
		return linux.EINVAL
	case !m.movable() || exchange && !r.movable():
		return linux.EXDEV
	}
	if r != nil && !exchange && r.kind == linux.S_IFDIR {
		if err := r.mustBeEmpty(); err != nil {
			return err
		}
	}
	for _, x := range []*Node{m, n, to} {
		if err := x.copyUp(wholeFile); err != nil {
			return err
		}
	}
	if exchange {
		return n.exchange(name, m, to, newName, r)
	}
	return n.move(name, m, to, newName, r)
}

func (n *Node) exchange(name string, m, to *Node, newName string, r *Node) error {
	if err := r.copyUp(wholeFile); err != nil {
		return err
	}
	if to.opaque(m.real()) != nil || n.opaque(r.real()) != nil {
		return linux.EXDEV
	}
	if err := vfs.Rename(n.u.as(nil), n.real(), name, to.real(), newName, linux.RENAME_EXCHANGE); err != nil {
		return err
	}
	to.impure(m)
	n.impure(r)
	return nil
}

// move renames m, and takes away r, which may be nil.
func (n *Node) move(name string, m, to *Node, newName string, r *Node) error {
	c := n.u.as(nil)
	hide, err := n.covers(name)
	if err != nil {
		return err
	}
	if err := to.opaque(m.real()); err != nil {
		return linux.EXDEV
	}
	undo := func() {}
	if r != nil {
		r.copying.LockNested() // of an overlay whose layer this is
		defer r.copying.Unlock()
	}
	if r == nil || r.over.Load() == nil {
		if undo, err = to.uncover(c, newName); err != nil {
			return err
		}
	} else if r.kind == linux.S_IFDIR {
		if err := n.u.remove(to.real(), newName, 1); err != nil {
			return err
		}
	}
	if err := vfs.Rename(c, n.real(), name, to.real(), newName, 0); err != nil {
		undo()
		return err
	}
	if r != nil {
		r.gone = true
	}
	to.impure(m)
	if hide {
		return n.whiteout(c, name)
	}
	return nil
}
