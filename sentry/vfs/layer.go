package vfs

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A layer is a directory that another file system keeps its files in (overlay): it
// reaches them by names as programs do, with its mounter's rights, while it is called
// with locks of its own names held. The files of a layer may be those of a layered file
// system again, never of one above.

// AsLayer returns p as a place that a file system may keep its files below: in a mount
// of its own, which stands nowhere, nothing is mounted in, and lasts until DecRef.
func AsLayer(p Path, flags linux.MountFlags) Path {
	p.Mount.sb.layer.Store(true)
	p.Mount.sb.refs.Add(1)
	m := newMount(p.Mount.sb, p.Dentry, p.Mount.source, linux.MountFlags(p.Mount.flags.Load())|flags)
	m.idmap.Store(p.Mount.idmap.Load())
	return Path{m, p.Dentry}
}

// SameMount reports whether p and q are seen through one mount, without one of them
// being the other or below it.
func (p Path) SameMount(q Path) (same, apart bool) {
	return p.Mount == q.Mount, !p.Dentry.isAncestorOf(q.Dentry) && !q.Dentry.isAncestorOf(p.Dentry)
}

// Within reports whether p is q or below it in one file system.
func (p Path) Within(q Path) bool { return q.Dentry.isAncestorOf(p.Dentry) }

// Flags returns the flags that hold for what is at p.
func (p Path) Flags() linux.MountFlags { return p.Mount.Flags() }

// Attr returns the attributes as p's mount shows them.
func (p Path) Attr() (Attr, error) { return p.attr() }

// SetAttr changes attributes of what is at p; permission has been checked.
func (p Path) SetAttr(s *SetAttr) error {
	if err := p.Mount.mayWrite(); err != nil {
		return err
	}
	return p.change(s)
}

// Child returns what name, a single component, is in directory p: ENOENT if nothing.
func (p Path) Child(c *Caller, name string) (Path, error) {
	if err := mayLookUp(c, p, name); err != nil {
		return Path{}, err
	}
	w := walker{c: c, cur: p}
	d, err := w.child(name)
	if err != nil {
		return Path{}, err
	}
	if d.inode == nil {
		return Path{}, linux.ENOENT
	}
	return Path{p.Mount, d}, nil
}

// MakeIn makes name, a single component, in directory dir as n says, its mode and owner
// included.
func MakeIn(c *Caller, dir Path, name string, n *NewInode) (Path, error) {
	m := *n
	m.UID, m.GID = dir.Mount.uidIn(n.UID), dir.Mount.gidIn(n.GID)
	defer lockDir(dir.Dentry).Unlock()
	absent, err := dir.Dentry.lookupLocked(name)
	switch {
	case err != nil:
		return Path{}, err
	case absent.inode != nil:
		return Path{}, linux.EEXIST
	}
	if err := dir.Mount.mayWrite(); err != nil {
		return Path{}, err
	}
	if err := mayCreate(c, dir); err != nil {
		return Path{}, err
	}
	m.By = c
	inode, err := dir.Dentry.kids.names.Create(absent.Name(), &m)
	if err != nil {
		return Path{}, err
	}
	d, err := dir.Dentry.instantiateLocked(absent, inode)
	return Path{dir.Mount, d}, err
}

// lockDir locks directory d against changes of its names.
func lockDir(d *Dentry) *lock.Mutex[lock.DentryDir] {
	if d.sb.layer.Load() {
		d.kids.dir.LockBelow()
	} else {
		d.kids.dir.Lock()
	}
	return &d.kids.dir
}

// lockNestedDir is lockDir with the lock of a directory above held.
func lockNestedDir(d *Dentry) *lock.Mutex[lock.DentryDir] {
	if d.sb.layer.Load() {
		d.kids.dir.LockBelow()
	} else {
		d.kids.dir.LockNested()
	}
	return &d.kids.dir
}
