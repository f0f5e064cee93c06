package vfs

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// mayInode decides access as Linux: fs/namei.c inode_permission does, without the
// mount's flags.
func (p Path) mayInode(c *cred.Credentials, want Access) error {
	if i, ok := p.Dentry.inode.(Permissioner); ok {
		return i.Permission(c, want)
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if p.Mount.IDMapped() && want&MayWrite != 0 && unmapped(&a) {
		return linux.EACCES
	}
	return MayByMode(c, &a, want)
}

// An OwnersKept is a file system whose inodes change their mode and owner by
// SetAttr only, so that the VFS may remember them to check permissions. Every
// inode has to be Stateful.
type OwnersKept interface {
	OwnersKept() bool
}

// permissions is what a check of permissions has to know of an inode. It is
// replaced, never changed, and holds as long as its gen is the state's.
type permissions struct {
	gen      uint32
	mode     linux.FileMode
	uid, gid uint32
}

// may is mayInode with what is remembered of the inode.
func (p Path) may(c *cred.Credentials, want Access) error {
	d := p.Dentry
	if !d.sb.ownersKept || d.state == nil || p.Mount.IDMapped() {
		return p.mayInode(c, want)
	}
	return d.mayRemembered(c, want)
}

func (d *Dentry) mayRemembered(c *cred.Credentials, want Access) error {
	p := d.state.perm.Load()
	if p == nil || p.gen != d.state.permGen.Load() {
		q := permissions{gen: d.state.permGen.Load()}
		a, err := d.inode.Attr()
		if err != nil {
			return err
		}
		q.mode, q.uid, q.gid = a.Mode, a.UID, a.GID
		p = &q
		d.state.perm.Store(p)
	}
	return p.may(c, want)
}

// reowned forgets the permissions after a change of d's attributes.
func (d *Dentry) reowned() { d.State().permGen.Add(1) }

// setAttr changes the attributes of d's inode.
func (d *Dentry) setAttr(s *SetAttr) error {
	err := d.inode.SetAttr(s)
	d.reowned()
	return err
}

// MayByMode decides access by owner, group and mode bits, and by the
// capabilities that overrule them.
func MayByMode(c *cred.Credentials, a *Attr, want Access) error {
	p := permissions{mode: a.Mode, uid: a.UID, gid: a.GID}
	return p.may(c, want)
}

func (p *permissions) may(c *cred.Credentials, want Access) error {
	bits := Access(p.mode & 7)
	if c.FSUID == p.uid {
		bits = Access(p.mode >> 6 & 7)
	} else if c.InGroup(p.gid) {
		bits = Access(p.mode >> 3 & 7)
	}
	if want&^bits == 0 {
		return nil
	}
	if p.mode.IsDir() {
		if want&MayWrite == 0 && p.capable(c, linux.CAP_DAC_READ_SEARCH) {
			return nil
		}
	} else if want == MayRead && p.capable(c, linux.CAP_DAC_READ_SEARCH) {
		return nil
	}
	executable := p.mode.IsDir() || want&MayExec == 0 || p.mode&0o111 != 0
	if executable && p.capable(c, linux.CAP_DAC_OVERRIDE) {
		return nil
	}
	return linux.EACCES
}

func (p *permissions) capable(c *cred.Credentials, k linux.Capability) bool {
	return c.Has(k) && mapped(c.UserNS, p.uid, p.gid)
}

// Capable reports whether c has capability p over a file: in its own user
// namespace, which has to map the file's owner and group (Linux:
// capable_wrt_inode_uidgid).
func Capable(c *cred.Credentials, p linux.Capability, a *Attr) bool {
	return c.Has(p) && mapped(c.UserNS, a.UID, a.GID)
}

func mapped(ns *cred.UserNamespace, uid, gid uint32) bool {
	if uid == cred.NoID || gid == cred.NoID {
		return false
	}
	if ns == nil || ns.Parent == nil {
		return true
	}
	return ns.ToRootUID(ns.FromRootUID(uid)) == uid && ns.ToRootGID(ns.FromRootGID(gid)) == gid
}

// ownerOrCapable reports whether c may change what only a file's owner may.
func ownerOrCapable(c *cred.Credentials, a *Attr) bool {
	return c.FSUID == a.UID || Capable(c, linux.CAP_FOWNER, a)
}

// May checks access to what p names, the mount's read-only state included.
func May(c *Caller, p Path, want Access) error {
	if want&MayWrite != 0 {
		switch p.Dentry.kind {
		case linux.S_IFREG, linux.S_IFDIR, linux.S_IFLNK:
			if p.Dentry.sb.readOnly.Load() {
				return linux.EROFS
			}
		}
	}
	if err := p.may(c.Cred, want); err != nil {
		return err
	}
	return mayDevice(c, p, want)
}

// mayDevice asks the caller's control group about a device (Linux: devcgroup_inode_permission).
func mayDevice(c *Caller, p Path, want Access) error {
	if kind := p.Dentry.kind; c.Job == nil || kind != linux.S_IFCHR && kind != linux.S_IFBLK {
		return nil
	}
	a, err := p.attr()
	if err != nil || a.Rdev == 0 {
		return err
	}
	var access uint32
	if want&MayRead != 0 {
		access |= linux.BPF_DEVCG_ACC_READ
	}
	if want&MayWrite != 0 {
		access |= linux.BPF_DEVCG_ACC_WRITE
	}
	if !c.Job.MayUseDevice(p.Dentry.kind, a.Rdev, access) {
		return linux.EPERM
	}
	return nil
}

// maySearch checks that c may walk through directory p.
func (w *walker) maySearch() error {
	d := w.cur.Dentry
	if d.kids == nil {
		return linux.ENOTDIR
	}
	return w.cur.may(w.c.Cred, MayExec)
}

// mayDelete checks that victim may be removed from dir (Linux: may_delete).
// The directory's own dentry lock is held.
func mayDelete(c *Caller, dir Path, victim *Dentry, rmdir bool) error {
	if victim.inode == nil {
		return linux.ENOENT
	}
	va, err := Path{dir.Mount, victim}.attr()
	if err != nil {
		return err
	}
	if unmapped(&va) {
		return linux.EOVERFLOW
	}
	if err := May(c, dir, MayWrite|MayExec); err != nil {
		return err
	}
	da, err := dir.attr()
	if err != nil {
		return err
	}
	if sticky(c, &da, &va) || va.Attributes&uint64(linux.STATX_ATTR_APPEND|linux.STATX_ATTR_IMMUTABLE) != 0 {
		return linux.EPERM
	}
	if rmdir != victim.IsDir() {
		if rmdir {
			return linux.ENOTDIR
		}
		return linux.EISDIR
	}
	if rmdir && victim.Parent() == victim {
		return linux.EBUSY
	}
	if dir.Dentry.Deleted() {
		return linux.ENOENT
	}
	return nil
}

// sticky reports whether the directory's sticky bit keeps c from the file.
func sticky(c *Caller, dir, file *Attr) bool {
	return dir.Mode&linux.S_ISVTX != 0 && file.UID != c.Cred.FSUID && dir.UID != c.Cred.FSUID &&
		!Capable(c.Cred, linux.CAP_FOWNER, file)
}

// mayCreate checks that c may make a name in dir (Linux: may_create).
func mayCreate(c *Caller, dir Path) error {
	if dir.Dentry.Deleted() {
		return linux.ENOENT
	}
	if err := dir.Mount.mayOwn(c); err != nil {
		return err
	}
	return May(c, dir, MayWrite|MayExec)
}

// newOwner fills the owner and the mode of an object made in a directory, which has
// the attributes dir in the file system: a setgid
// directory gives its group, and to directories the bit (Linux:
// inode_init_owner, vfs_prepare_mode).
func newOwner(c *Caller, in Path, dir *Attr, n *NewInode) {
	m := in.Mount
	n.UID, n.GID = m.uidIn(c.Cred.FSUID), m.gidIn(c.Cred.FSGID)
	if n.Mode.IsRegular() {
		n.Charge = ChargeOf(c)
	}
	if dir.Mode&linux.S_ISGID == 0 {
		return
	}
	n.GID = dir.GID
	shown := *dir
	m.shift(&shown)
	if n.Mode.IsDir() {
		n.Mode |= linux.S_ISGID
	} else if n.Mode&(linux.S_ISGID|linux.S_IXGRP) == linux.S_ISGID|linux.S_IXGRP &&
		!c.Cred.InGroup(shown.GID) && !Capable(c.Cred, linux.CAP_FSETID, &shown) {
		n.Mode &^= linux.S_ISGID
	}
}
