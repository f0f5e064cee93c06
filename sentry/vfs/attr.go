package vfs

import (
	"math"

	"cordon/internal/linux"
)

// Stat is what stat(2) tells c of p.
func Stat(c *Caller, p Path) (linux.Stat, error) {
	a, err := p.attr()
	if err != nil {
		return linux.Stat{}, err
	}
	uid, gid := visibleIDs(c, &a)
	return linux.Stat{
		Dev: p.Dentry.sb.dev, Ino: a.Ino, Nlink: uint64(a.Nlink), Mode: a.Mode, UID: uid, GID: gid,
		Rdev: a.Rdev, Size: int64(a.Size), Blksize: int64(blockSize(&a)), Blocks: int64(a.Blocks),
		Atim: a.ATime, Mtim: a.MTime, Ctim: a.CTime,
	}, nil
}

func blockSize(a *Attr) uint32 {
	if a.BlockSize == 0 {
		return 4096
	}
	return a.BlockSize
}

func visibleIDs(c *Caller, a *Attr) (uid, gid uint32) {
	if ns := c.Cred.UserNS; ns != nil && (ns.Parent != nil || unmapped(a)) {
		return ns.FromRootUID(a.UID), ns.FromRootGID(a.GID)
	}
	return a.UID, a.GID
}

// Statx is what statx(2) tells c of p. As in Linux, more than mask asks for may
// be filled.
func Statx(c *Caller, p Path, mask linux.StatxMask) (linux.Statx, error) {
	a, err := p.attr()
	if err != nil {
		return linux.Statx{}, err
	}
	uid, gid := visibleIDs(c, &a)
	x := linux.Statx{
		Mask: linux.STATX_BASIC_STATS | linux.STATX_MNT_ID, Blksize: blockSize(&a),
		Attributes: linux.StatxAttr(a.Attributes), Nlink: a.Nlink, UID: uid, GID: gid, Mode: uint16(a.Mode),
		Ino: a.Ino, Size: a.Size, Blocks: a.Blocks,
		AttributesMask: linux.STATX_ATTR_MOUNT_ROOT | linux.STATX_ATTR_AUTOMOUNT | linux.STATX_ATTR_DAX,
		Atime:          statxTime(a.ATime), Mtime: statxTime(a.MTime), Ctime: statxTime(a.CTime),
		RdevMajor: linux.DevMajor(a.Rdev), RdevMinor: linux.DevMinor(a.Rdev),
		DevMajor: linux.DevMajor(p.Dentry.sb.dev), DevMinor: linux.DevMinor(p.Dentry.sb.dev),
		MntID: uint64(p.Mount.id),
	}
	if mask&linux.STATX_MNT_ID_UNIQUE != 0 {
		x.Mask = x.Mask&^linux.STATX_MNT_ID | linux.STATX_MNT_ID_UNIQUE
		x.MntID = p.Mount.unique
	}
	if !a.BTime.IsZero() && mask&linux.STATX_BTIME != 0 {
		x.Mask |= linux.STATX_BTIME
		x.Btime = statxTime(a.BTime)
	}
	if p.Dentry == p.Mount.root {
		x.Attributes |= linux.STATX_ATTR_MOUNT_ROOT
	}
	return x, nil
}

func statxTime(t linux.Timespec) linux.StatxTimestamp {
	return linux.StatxTimestamp{Sec: t.Sec, Nsec: uint32(t.Nsec)}
}

// StatFS is statfs(2).
func StatFS(p Path) (linux.Statfs, error) {
	s, err := p.Dentry.sb.fs.StatFS()
	if err != nil {
		return s, err
	}
	if s.Frsize == 0 {
		s.Frsize = s.Bsize
	}
	if s.Fsid == [2]int32{} {
		s.Fsid = [2]int32{int32(p.Dentry.sb.dev), int32(p.Dentry.sb.dev >> 32)}
	}
	s.Flags = linux.ST_VALID | statfsFlags(p.Mount.Flags())
	return s, nil
}

func statfsFlags(f linux.MountFlags) linux.StatfsFlags {
	// The low bits agree; two have other places.
	const same = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_SYNCHRONOUS |
		linux.MS_MANDLOCK | linux.MS_NOATIME | linux.MS_NODIRATIME
	s := linux.StatfsFlags(f & same)
	if f&linux.MS_RELATIME != 0 {
		s |= linux.ST_RELATIME
	}
	if f&linux.MS_NOSYMFOLLOW != 0 {
		s |= linux.ST_NOSYMFOLLOW
	}
	return s
}

// CheckAccess is access(2) on p: with the real ids unless eaccess.
func CheckAccess(c *Caller, p Path, mode linux.AccessMode, flags linux.AtFlags) error {
	if flags&linux.AT_EACCESS == 0 {
		c = c.withRealIDs()
	}
	if mode&linux.X_OK != 0 && p.Dentry.kind == linux.S_IFREG && p.Mount.has(linux.MS_NOEXEC) {
		return linux.EACCES
	}
	if mode != 0 {
		if err := May(c, p, Access(mode)); err != nil {
			return err
		}
	}
	if mode&linux.W_OK != 0 {
		switch p.Dentry.kind {
		case linux.S_IFREG, linux.S_IFDIR, linux.S_IFLNK:
			return p.Mount.mayWrite()
		}
	}
	return nil
}

// AccessPath is faccessat2(2): the walk too is made with the ids that count.
func AccessPath(c *Caller, at Path, path string, mode linux.AccessMode, flags linux.AtFlags) error {
	const known = linux.AT_EACCESS | linux.AT_SYMLINK_NOFOLLOW | linux.AT_EMPTY_PATH
	if mode&^7 != 0 || flags&^known != 0 {
		return linux.EINVAL
	}
	if flags&linux.AT_EACCESS == 0 {
		c = c.withRealIDs()
		flags |= linux.AT_EACCESS
	}
	var wf WalkFlags
	if flags&linux.AT_SYMLINK_NOFOLLOW != 0 {
		wf |= NoFollow
	}
	if flags&linux.AT_EMPTY_PATH != 0 {
		wf |= EmptyPath
	}
	p, err := Resolve(c, at, path, wf)
	if err != nil {
		return err
	}
	return CheckAccess(c, p, mode, flags)
}

// withRealIDs returns the caller as access(2) judges it: by real ids, with the
// capabilities that a program of the real user would have.
func (c *Caller) withRealIDs() *Caller {
	k := c.Cred
	if k.FSUID == k.RUID && k.FSGID == k.RGID && (k.RUID != 0 || k.Effective == k.Permitted) &&
		(k.RUID == 0 || k.Effective == 0) {
		return c
	}
	n := k.Clone()
	n.FSUID, n.FSGID = k.RUID, k.RGID
	if k.Securebits&1<<2 == 0 { // SECURE_NO_SETUID_FIXUP
		if n.RUID == 0 || n.UserNS != nil && n.UserNS.Parent != nil && n.UserNS.ToRootUID(0) == n.RUID {
			n.Effective = n.Permitted
		} else {
			n.Effective = 0
		}
	}
	d := *c
	d.Cred = n
	return &d
}

// Chmod is fchmodat(2) on p.
func Chmod(c *Caller, p Path, mode linux.FileMode) error {
	if err := p.Mount.mayWrite(); err != nil {
		return err
	}
	if p.Dentry.kind == linux.S_IFLNK {
		return linux.EOPNOTSUPP
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if frozen(&a) {
		return linux.EPERM
	}
	if err := p.Mount.mayStore(&SetAttr{}, &a); err != nil {
		return err
	}
	if !ownerOrCapable(c.Cred, &a) {
		return linux.EPERM
	}
	mode = mode.PermAndSticky()
	if mode&linux.S_ISGID != 0 && !c.Cred.InGroup(a.GID) && !Capable(c.Cred, linux.CAP_FSETID, &a) {
		mode &^= linux.S_ISGID
	}
	return p.change(&SetAttr{Mask: SetMode, Mode: mode})
}

func frozen(a *Attr) bool {
	return a.Attributes&uint64(linux.STATX_ATTR_APPEND|linux.STATX_ATTR_IMMUTABLE) != 0
}

func (p Path) change(s *SetAttr) error {
	if err := p.setAttr(s); err != nil {
		return err
	}
	p.event(linux.IN_ATTRIB)
	return nil
}

// Chown is fchownat(2) on p. uid and gid are in c's user namespace; NoID
// leaves one alone.
func Chown(c *Caller, p Path, uid, gid uint32) error {
	const none = math.MaxUint32
	s := SetAttr{}
	ns := c.Cred.UserNS
	if uid != none {
		s.Mask, s.UID = s.Mask|SetUID, ns.ToRootUID(uid)
		if s.UID == none {
			return linux.EINVAL
		}
	}
	if gid != none {
		s.Mask, s.GID = s.Mask|SetGID, ns.ToRootGID(gid)
		if s.GID == none {
			return linux.EINVAL
		}
	}
	if err := p.Mount.mayWrite(); err != nil {
		return err
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if frozen(&a) {
		return linux.EPERM
	}
	if err := p.Mount.mayStore(&s, &a); err != nil {
		return err
	}
	capable := Capable(c.Cred, linux.CAP_CHOWN, &a)
	owner := c.Cred.FSUID == a.UID
	if s.Mask&SetUID != 0 && !capable && !p.Mount.mayAdopt(c, a.UID) && !(owner && s.UID == a.UID) {
		return linux.EPERM
	}
	if s.Mask&SetGID != 0 && !capable && !p.Mount.mayAdopt(c, a.GID) && !(owner && (s.GID == a.GID || c.Cred.InGroup(s.GID))) {
		return linux.EPERM
	}
	// As in Linux, the bits go whoever changes the owner, but for directories.
	if !a.Mode.IsDir() && (a.Mode&linux.S_ISUID != 0 || a.Mode&linux.S_ISGID != 0 &&
		(a.Mode&linux.S_IXGRP != 0 || !c.Cred.InGroup(a.GID) && !Capable(c.Cred, linux.CAP_FSETID, &a))) {
		s.Mask |= SetMode
		s.Mode = a.Mode.PermAndSticky() &^ linux.S_ISUID
		if a.Mode&linux.S_IXGRP != 0 || !c.Cred.InGroup(a.GID) && !Capable(c.Cred, linux.CAP_FSETID, &a) {
			s.Mode &^= linux.S_ISGID
		}
	}
	if s.Mask == 0 {
		return nil
	}
	return p.change(&s)
}

// Utimens is utimensat(2) on p. A nil pair means now for both.
func Utimens(c *Caller, p Path, times *[2]linux.Timespec) error {
	s := SetAttr{Mask: SetATimeNow | SetMTimeNow}
	if times != nil {
		s.Mask = 0
		if err := timeArg(times[0], &s.ATime, &s.Mask, SetATime, SetATimeNow); err != nil {
			return err
		}
		if err := timeArg(times[1], &s.MTime, &s.Mask, SetMTime, SetMTimeNow); err != nil {
			return err
		}
		if s.Mask == 0 {
			return nil
		}
	}
	if err := p.Mount.mayWrite(); err != nil {
		return err
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	bothNow := s.Mask == SetATimeNow|SetMTimeNow
	if a.Attributes&uint64(linux.STATX_ATTR_IMMUTABLE) != 0 || !bothNow && frozen(&a) {
		return linux.EPERM
	}
	if !ownerOrCapable(c.Cred, &a) {
		if !bothNow {
			return linux.EPERM
		}
		if err := p.may(c.Cred, MayWrite); err != nil {
			return err
		}
	}
	return p.change(&s)
}

func timeArg(t linux.Timespec, to *linux.Timespec, mask *SetMask, set, now SetMask) error {
	switch {
	case t.Nsec == linux.UTIME_OMIT:
	case t.Nsec == linux.UTIME_NOW:
		*mask |= now
	case t.Nsec < 0 || t.Nsec > 999_999_999:
		return linux.EINVAL
	default:
		*mask |= set
		*to = t
	}
	return nil
}

// Truncate is truncate(2) on p.
func Truncate(c *Caller, p Path, size int64) error {
	if size < 0 {
		return linux.EINVAL
	}
	switch p.Dentry.kind {
	case linux.S_IFDIR:
		return linux.EISDIR
	case linux.S_IFREG:
	default:
		return linux.EINVAL
	}
	if err := p.Mount.mayWrite(); err != nil {
		return err
	}
	if err := May(c, p, MayWrite); err != nil {
		return err
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if frozen(&a) {
		return linux.EPERM
	}
	s := p.Dentry.State()
	if !s.getWrite() {
		return linux.ETXTBSY
	}
	defer s.putWrite()
	return truncate(c, p, size)
}

// Truncate is ftruncate(2).
func (d *Description) Truncate(c *Caller, size int64) error {
	if size < 0 {
		return linux.EINVAL
	}
	if d.PathOnly() {
		return linux.EBADF
	}
	if d.path.Dentry.kind != linux.S_IFREG || d.mode&mayWrite == 0 {
		return linux.EINVAL
	}
	return truncate(c, d.path, size)
}

func truncate(c *Caller, p Path, size int64) error {
	if c.FileSizeLimit != 0 || c.FileSizeLimited {
		if uint64(size) > c.FileSizeLimit {
			a, err := p.attr()
			if err != nil {
				return err
			}
			if uint64(size) > a.Size {
				c.FileSizeHit = true
				return linux.EFBIG
			}
		}
	}
	s := SetAttr{Mask: SetSize, Size: uint64(size)}
	if !c.Cred.Has(linux.CAP_FSETID) {
		s.Mask |= ClearSetID
	}
	if err := p.setAttr(&s); err != nil {
		return err
	}
	p.event(linux.IN_MODIFY)
	return nil
}
