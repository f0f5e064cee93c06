package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// A Tree is the File of open_tree(2) with OPEN_TREE_CLONE, and of fsmount(2): mounts
// that stand nowhere, in a namespace of its own that nobody is in. It goes with the
// description, unless move_mount(2) has put it somewhere.
type Tree struct {
	// immutable
	ns *MountNamespace
}

// Release implements File.
func (t *Tree) Release() { t.ns.DecRef() }

// OpenTree is open_tree(2) with OPEN_TREE_CLONE: a description of a copy of what is
// at p, with what is mounted below it if rec.
func OpenTree(c *Caller, p Path, rec bool) (*Description, error) {
	v := p.Mount.vfs
	ns, err := v.cloneTree(c.nsOf(), p, rec)
	if err != nil {
		return nil, err
	}
	return NewDescription(c, Path{ns.root, ns.root.root}, &Tree{ns}, linux.O_PATH), nil
}

func (v *VFS) cloneTree(own *MountNamespace, p Path, rec bool) (*MountNamespace, error) {
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	if own == nil || p.Mount != v.nsfs && (p.Mount.unbind || p.Mount.ns == nil || p.Mount == v.anon) {
		return nil, linux.EINVAL
	}
	mode := copyOne
	if rec {
		mode = copyBindable
	}
	return v.treeNSLocked(own, copyTreeLocked(p.Mount, p.Dentry, mode, nil)), nil
}

// treeNSLocked returns the namespace of the Tree whose root m is.
func (v *VFS) treeNSLocked(own *MountNamespace, m *Mount) *MountNamespace {
	ns := &MountNamespace{vfs: v, user: own.user, unnamed: true, root: m}
	ns.refs.Store(1)
	for t := range m.treeLocked() {
		t.ns = ns
		ns.count++
	}
	return ns
}

// MoveTree is move_mount(2): it puts the mount whose root from is, or the tree that
// stands nowhere, on to.
func MoveTree(c *Caller, from, to Path) error {
	v := to.Mount.vfs
	v.mountMu.RLock()
	ns := from.Mount.ns
	unnamed := ns != nil && ns.unnamed
	v.mountMu.RUnlock()
	if !unnamed {
		return MoveMountPath(from, to)
	}
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	if err := v.graftHostLocked(from.Mount, to, func() error { return from.mayPlaceLocked(ns, to) }); err != nil {
		return err
	}
	ns.root = nil
	to.Mount.ns.changed()
	return nil
}

// mayPlaceLocked checks that the tree of ns, whose root from is, can be put on to.
func (from Path) mayPlaceLocked(ns *MountNamespace, to Path) error {
	m := from.Mount
	switch {
	case m.ns != ns || m != ns.root || from.Dentry != m.root, to.Mount.ns == nil || to.Mount.ns.unnamed:
		return linux.EINVAL
	case m.root.IsDir() != to.Dentry.IsDir():
		return linux.EINVAL
	case to.throughLocked().Mount.group != nil && m.unbindableLocked():
		return linux.EINVAL
	}
	return m.mayGraftLocked(to)
}

// unbindableLocked reports whether a mount of the tree is unbindable.
func (m *Mount) unbindableLocked() bool {
	for t := range m.treeLocked() {
		if t.unbind {
			return true
		}
	}
	return false
}

// A MountChange is what mount_setattr(2) asks for.
type MountChange struct {
	Set, Clear  linux.MountFlags // of perMount
	Propagation linux.MountFlags // 0: as it is
	// IDMap is the user namespace whose map mounts are to have; nil: as they are.
	IDMap *cred.UserNamespace
}

// ChangeMount changes the mount whose root p is, and all below it if rec: every one
// or none.
func ChangeMount(c *Caller, p Path, rec bool, change *MountChange) error {
	m, v := p.Mount, p.Mount.vfs
	own := c.nsOf()
	v.mountMu.Lock()
	defer v.mountMu.Unlock()
	if p.Dentry != m.root || m.ns == nil || m.ns != own && !m.ns.unnamed {
		return linux.EINVAL
	}
	for t := range m.treeLocked() {
		if change.IDMap != nil {
			if err := t.mayIDMapLocked(c, change.IDMap); err != nil {
				return err
			}
		}
		if !rec {
			break
		}
	}
	if err := m.changeFlagsLocked(rec, change); err != nil {
		return err
	}
	for t := range m.treeLocked() {
		if change.Propagation != 0 {
			t.setPropagationLocked(change.Propagation)
		}
		if change.IDMap != nil {
			t.idmap.Store(change.IDMap)
		}
		if !rec {
			break
		}
	}
	m.ns.changed()
	return nil
}

// changeFlagsLocked changes the flags of m, and all below it if rec: every one or none.
func (m *Mount) changeFlagsLocked(rec bool, change *MountChange) error {
	type undo struct {
		m     *Mount
		flags uint64
	}
	var done []undo
	for t := range m.treeLocked() {
		old := t.flags.Load()
		if err := t.setFlags(linux.MountFlags(old)&^change.Clear | change.Set&perMount); err != nil {
			for _, u := range done {
				u.m.flags.Store(u.flags)
			}
			return err
		}
		if !rec {
			break
		}
		done = append(done, undo{t, old})
	}
	return nil
}

// SetIDMap gives m the map of user, before anybody sees it.
func (m *Mount) SetIDMap(user *cred.UserNamespace) { m.idmap.Store(user) }

// MayMount checks the right to change mounts.
func MayMount(c *Caller) error { return mayMount(c) }
