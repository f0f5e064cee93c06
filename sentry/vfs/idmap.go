package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// A file system's ids are those of the user namespace that it was mounted in (Linux:
// s_user_ns): what has no number there cannot be stored in it. A mount may show them
// through an identity map besides (mount_setattr(2), MOUNT_ATTR_IDMAP): the number
// that the file system knows an id by is taken for the number inside of a user
// namespace. Ids of a mount without a map are the file system's own.

// An IDMappable file system can be shown by identity-mapped mounts (Linux:
// FS_ALLOW_IDMAP).
type IDMappable interface {
	IDMappable() bool
}

// IDMapped reports whether m shows ids through a map.
func (m *Mount) IDMapped() bool { return m.idmap.Load() != nil }

// first reports whether the file system's ids are those of the first user namespace.
func (sb *superblock) first() bool { return sb.user == nil || sb.user.Parent == nil }

// uidOut is the owner that a file of uid shows, NoID for none.
func (m *Mount) uidOut(uid uint32) uint32 {
	ids := m.idmap.Load()
	if ids == nil {
		return uid
	}
	if !m.sb.first() {
		uid = m.sb.user.FindUID(uid)
	}
	return ids.ToRootUID(uid)
}

func (m *Mount) gidOut(gid uint32) uint32 {
	ids := m.idmap.Load()
	if ids == nil {
		return gid
	}
	if !m.sb.first() {
		gid = m.sb.user.FindGID(gid)
	}
	return ids.ToRootGID(gid)
}

// uidIn is what the file system stores for uid, NoID if it has no such number.
func (m *Mount) uidIn(uid uint32) uint32 {
	ids := m.idmap.Load()
	if ids == nil {
		return uid
	}
	uid = ids.FindUID(uid)
	if m.sb.first() {
		return uid
	}
	return m.sb.user.ToRootUID(uid)
}

func (m *Mount) gidIn(gid uint32) uint32 {
	ids := m.idmap.Load()
	if ids == nil {
		return gid
	}
	gid = ids.FindGID(gid)
	if m.sb.first() {
		return gid
	}
	return m.sb.user.ToRootGID(gid)
}

// plain reports whether ids mean the same on both sides of m.
func (m *Mount) plain() bool { return !m.IDMapped() && m.sb.first() }

// shift makes a's ids those that m shows.
func (m *Mount) shift(a *Attr) {
	if m.IDMapped() {
		a.UID, a.GID = m.uidOut(a.UID), m.gidOut(a.GID)
	}
}

// attr returns the attributes as p's mount shows them.
func (p Path) attr() (Attr, error) {
	a, err := p.Dentry.inode.Attr()
	if err == nil {
		p.Mount.shift(&a)
	}
	return a, err
}

// mayOwn checks that what c makes through m can have its owner (Linux:
// fsuidgid_has_mapping).
func (m *Mount) mayOwn(c *Caller) error {
	if m.plain() {
		return nil
	}
	uid, gid := m.uidIn(c.Cred.FSUID), m.gidIn(c.Cred.FSGID)
	if uid == cred.NoID || gid == cred.NoID || !m.sb.first() && !(m.sb.user.HasUID(uid) && m.sb.user.HasGID(gid)) {
		return linux.EOVERFLOW
	}
	return nil
}

// unmapped reports whether an id of a, as a mount shows it, is nobody's.
func unmapped(a *Attr) bool { return a.UID == cred.NoID || a.GID == cred.NoID }

// mayStore checks a change of a file that has the attributes a: an owner that the
// file system cannot store is EOVERFLOW, and so is any change of a file whose owner has
// no number and gets none (Linux: notify_change).
func (m *Mount) mayStore(s *SetAttr, a *Attr) error {
	if !m.IDMapped() {
		return nil
	}
	uid, gid := a.UID, a.GID
	if s.Mask&SetUID != 0 {
		uid = m.uidIn(s.UID)
	}
	if s.Mask&SetGID != 0 {
		gid = m.gidIn(s.GID)
	}
	if uid == cred.NoID || gid == cred.NoID {
		return linux.EOVERFLOW
	}
	return nil
}

// setAttr changes the attributes of what is at p; owners are as p's mount shows them.
func (p Path) setAttr(s *SetAttr) error {
	if m := p.Mount; m.IDMapped() {
		a, err := p.attr()
		if err == nil {
			err = m.mayStore(s, &a)
		}
		if err != nil {
			return err
		}
		t := *s
		t.UID, t.GID = m.uidIn(s.UID), m.gidIn(s.GID)
		s = &t
	}
	return p.Dentry.setAttr(s)
}

// mayAdopt reports whether c may give an owner to a file that has none.
func (m *Mount) mayAdopt(c *Caller, id uint32) bool {
	return id == cred.NoID && c.Cred.HasIn(linux.CAP_CHOWN, m.sb.fsUser(c.Cred.UserNS))
}

// fsUser is the user namespace that the file system was mounted in.
func (sb *superblock) fsUser(first *cred.UserNamespace) *cred.UserNamespace {
	if sb.first() {
		return rootNS(first)
	}
	return sb.user
}

// mayIDMapLocked checks that by may give m and all that is to be mapped with it the
// map of user (Linux: can_idmap_mount).
func (m *Mount) mayIDMapLocked(c *Caller, user *cred.UserNamespace) error {
	own := m.sb.fsUser(c.Cred.UserNS)
	f, ok := m.sb.fs.(IDMappable)
	switch {
	case user == own:
		return linux.EINVAL
	case m.IDMapped():
		return linux.EPERM
	case !ok || !f.IDMappable():
		return linux.EINVAL
	case !c.Cred.HasIn(linux.CAP_SYS_ADMIN, own):
		return linux.EPERM
	case m.ns == nil || !m.ns.unnamed:
		return linux.EINVAL // it can be seen already
	}
	return nil
}

// CapsCount reports whether file capabilities at p that are for the root of a user
// namespace, by the number that the file system knows it by, are in force for a
// caller in user (Linux: get_vfs_caps_from_disk).
func (p Path) CapsCount(root uint32, user *cred.UserNamespace) bool {
	m := p.Mount
	if !m.sb.first() {
		root = m.sb.user.ToRootUID(root)
	}
	if root = m.uidOut(root); root == cred.NoID {
		return false
	}
	for ; user != nil; user = user.Parent {
		if user.FindUID(root) == 0 {
			return true
		}
	}
	return false
}

// HasOwner reports whether both ids of a are of user's.
func (a *Attr) HasOwner(user *cred.UserNamespace) bool { return mapped(user, a.UID, a.GID) }
