package vfs

import "cordon/internal/linux"

// createLocked makes a name in dir, whose dentry lock is held; absent is its negative
// dentry. Permission has been checked. n's owner is filled here.
func (c *Caller) createLocked(dir Path, absent *Dentry, n *NewInode) (*Dentry, error) {
	da, err := dir.Dentry.inode.Attr()
	if err != nil {
		return nil, err
	}
	newOwner(c, dir, &da, n)
	n.By = c
	inode, err := dir.Dentry.kids.names.Create(absent.Name(), n)
	if err != nil {
		return nil, err
	}
	return dir.Dentry.instantiateLocked(absent, inode)
}

// instantiateLocked puts a just created or linked inode into the cache, in place of
// the negative dentry of its name.
func (d *Dentry) instantiateLocked(absent *Dentry, inode Inode) (*Dentry, error) {
	name := absent.Name()
	c, err := newDentry(d.sb, d, name, inode)
	if err != nil {
		d.dropNegative(name)
		return nil, err
	}
	d.standInLocked(absent, c)
	d.childEvent(linux.IN_CREATE, name, c)
	return c, nil
}

// dropNegative takes a negative dentry out of the way.
func (d *Dentry) dropNegative(name string) {
	k := d.kids
	k.mu.Lock()
	c := k.all[name]
	k.setLocked(name, nil)
	k.mu.Unlock()
	if c != nil {
		d.sb.vfs.cache.remove(c)
	}
}

// create makes an object at path, for mkdir, mknod and symlink.
func create(c *Caller, at Path, path string, n *NewInode, check func(dir Path) error) error {
	dir, last, err := ResolveParent(c, at, path)
	if err != nil {
		return err
	}
	if last.Kind != LastName {
		return linux.EEXIST
	}
	d := dir.Dentry
	if !d.IsDir() {
		return linux.ENOTDIR
	}
	defer lockDir(d).Unlock()
	old, err := d.lookupLocked(last.Name)
	if err != nil {
		return err
	}
	if old.inode != nil {
		return linux.EEXIST
	}
	if last.Slash && !n.Mode.IsDir() {
		return linux.ENOENT
	}
	if err := dir.Mount.mayWrite(); err != nil {
		return err
	}
	if err := c.landlocked(dir, makeAccess(n.Mode)); err != nil {
		return err
	}
	if err := mayCreate(c, dir); err != nil {
		return err
	}
	if check != nil {
		if err := check(dir); err != nil {
			return err
		}
	}
	_, err = c.createLocked(dir, old, n)
	return err
}

// Mkdir is mkdirat(2).
func Mkdir(c *Caller, at Path, path string, mode linux.FileMode) error {
	return create(c, at, path, &NewInode{Mode: linux.S_IFDIR | mode&0o1777&^c.Umask}, nil)
}

// Mknod is mknodat(2).
func Mknod(c *Caller, at Path, path string, mode linux.FileMode, dev uint64) error {
	n := &NewInode{Mode: mode.Type() | mode.PermAndSticky()&^c.Umask}
	switch mode.Type() {
	case 0:
		n.Mode |= linux.S_IFREG
	case linux.S_IFREG, linux.S_IFIFO, linux.S_IFSOCK:
	case linux.S_IFCHR, linux.S_IFBLK:
		n.Rdev = dev
	case linux.S_IFDIR:
		return linux.EPERM
	default:
		return linux.EINVAL
	}
	return create(c, at, path, n, func(Path) error {
		whiteout := n.Mode.IsChar() && dev == 0
		if !n.Mode.IsChar() && !n.Mode.IsBlock() || whiteout {
			return nil
		}
		if !c.Cred.HasIn(linux.CAP_MKNOD, rootNS(c.Cred.UserNS)) ||
			c.Job != nil && !c.Job.MayUseDevice(n.Mode.Type(), dev, linux.BPF_DEVCG_ACC_MKNOD) {
			return linux.EPERM
		}
		return nil
	})
}

// BindSocket makes a socket inode at path for bind(2) and returns its place.
// Where path exists the error is EADDRINUSE.
func BindSocket(c *Caller, at Path, path string, mode linux.FileMode) (Path, error) {
	n := &NewInode{Mode: linux.S_IFSOCK | mode.Perm()&^c.Umask}
	err := create(c, at, path, n, nil)
	if err == error(linux.EEXIST) {
		return Path{}, linux.EADDRINUSE
	}
	if err != nil {
		return Path{}, err
	}
	return Resolve(c, at, path, NoFollow)
}

// MakeSymlink is symlinkat(2).
func MakeSymlink(c *Caller, target string, at Path, path string) error {
	if target == "" {
		return linux.ENOENT
	}
	if len(target) >= linux.PATH_MAX {
		return linux.ENAMETOOLONG
	}
	return create(c, at, path, &NewInode{Mode: linux.S_IFLNK | 0o777, Target: target}, nil)
}

// Link is linkat(2).
func Link(c *Caller, oldAt Path, oldPath string, newAt Path, newPath string, flags linux.AtFlags) error {
	if flags&^(linux.AT_SYMLINK_FOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return linux.EINVAL
	}
	wf := NoFollow
	if flags&linux.AT_SYMLINK_FOLLOW != 0 {
		wf = 0
	}
	if flags&linux.AT_EMPTY_PATH != 0 && oldPath == "" {
		if !c.Cred.HasRoot(linux.CAP_DAC_READ_SEARCH) {
			return linux.ENOENT
		}
		wf |= EmptyPath
	}
	old, err := Resolve(c, oldAt, oldPath, wf)
	if err != nil {
		return err
	}
	dir, last, err := ResolveParent(c, newAt, newPath)
	if err != nil {
		return err
	}
	return LinkPath(c, old, dir, last)
}

// LinkPath makes last in dir a name of what is at old.
func LinkPath(c *Caller, old, dir Path, last Last) error {
	if last.Kind != LastName {
		return linux.EEXIST
	}
	d := dir.Dentry
	if !d.IsDir() {
		return linux.ENOTDIR
	}
	defer lockDir(d).Unlock()
	there, err := d.lookupLocked(last.Name)
	if err != nil {
		return err
	}
	if there.inode != nil {
		return linux.EEXIST
	}
	if last.Slash {
		return linux.ENOENT
	}
	if err := dir.Mount.mayWrite(); err != nil {
		return err
	}
	if old.Mount != dir.Mount {
		return linux.EXDEV
	}
	if err := mayLink(c, old); err != nil {
		return err
	}
	if err := c.landlockLink(old, dir); err != nil {
		return err
	}
	if err := mayCreate(c, dir); err != nil {
		return err
	}
	if old.Dentry.IsDir() {
		return linux.EPERM
	}
	if err := d.kids.names.Link(there.Name(), old.Dentry.inode); err != nil {
		return err
	}
	if _, err = d.instantiateLocked(there, old.Dentry.inode); err == nil {
		old.Dentry.State().notifyAttrib(old)
	}
	return err
}

func (s *InodeState) notifyAttrib(p Path) {
	if p.Mount.vfs.watches.Load() != 0 {
		s.notify(linux.IN_ATTRIB, 0, "", false)
	}
}

// mayLink is fs.protected_hardlinks and the rule for O_TMPFILE files.
func mayLink(c *Caller, old Path) error {
	a, err := old.attr()
	if err != nil {
		return err
	}
	if unmapped(&a) {
		return linux.EOVERFLOW
	}
	if a.Nlink == 0 && (old.Dentry.noLink || !old.Dentry.isTemp()) {
		return linux.ENOENT
	}
	if a.Attributes&uint64(linux.STATX_ATTR_APPEND|linux.STATX_ATTR_IMMUTABLE) != 0 {
		return linux.EPERM
	}
	if old.Mount.vfs.sysctl.ProtectedHardlinks.Load() == 0 || ownerOrCapable(c.Cred, &a) {
		return nil
	}
	safe := a.Mode.IsRegular() && a.Mode&linux.S_ISUID == 0 &&
		a.Mode&(linux.S_ISGID|linux.S_IXGRP) != linux.S_ISGID|linux.S_IXGRP &&
		old.may(c.Cred, MayRead|MayWrite) == nil
	if !safe {
		return linux.EPERM
	}
	return nil
}

// isTemp reports whether d is an O_TMPFILE file's.
func (d *Dentry) isTemp() bool { return d.temp }

// Unlink is unlinkat(2) without AT_REMOVEDIR.
func Unlink(c *Caller, at Path, path string) error {
	dir, last, err := ResolveParent(c, at, path)
	if err != nil {
		return err
	}
	if last.Kind != LastName {
		return linux.EISDIR
	}
	return remove(c, dir, last, false)
}

// Rmdir is rmdir(2).
func Rmdir(c *Caller, at Path, path string) error {
	dir, last, err := ResolveParent(c, at, path)
	if err != nil {
		return err
	}
	switch last.Kind {
	case LastDotDot:
		return linux.ENOTEMPTY
	case LastDot:
		return linux.EINVAL
	case LastRoot:
		return linux.EBUSY
	}
	return remove(c, dir, last, true)
}

func remove(c *Caller, dir Path, last Last, rmdir bool) error {
	d := dir.Dentry
	if !d.IsDir() {
		return linux.ENOTDIR
	}
	if err := dir.Mount.mayWrite(); err != nil {
		return err
	}
	gone, err := removeName(c, dir, last, rmdir)
	if err != nil {
		return err
	}
	d.deletedEvent(gone.Name(), gone)
	return nil
}

func removeName(c *Caller, dir Path, last Last, rmdir bool) (*Dentry, error) {
	d := dir.Dentry
	defer lockDir(d).Unlock()
	victim, err := d.lookupLocked(last.Name)
	if err != nil {
		return nil, err
	}
	if victim.inode == nil {
		return nil, linux.ENOENT
	}
	if last.Slash && !rmdir {
		if victim.IsDir() {
			return nil, linux.EISDIR
		}
		return nil, linux.ENOTDIR
	}
	access := linux.LANDLOCK_ACCESS_FS_REMOVE_FILE
	if rmdir {
		access = linux.LANDLOCK_ACCESS_FS_REMOVE_DIR
	}
	if err := c.landlocked(dir, access); err != nil {
		return nil, err
	}
	if err := mayDelete(c, dir, victim, rmdir); err != nil {
		return nil, err
	}
	if victim.mounted.Load() > 0 {
		if victim.mountedIn(dir.Mount) {
			return nil, linux.EBUSY
		}
		victim.detachMounts()
	}
	if rmdir {
		defer lockNestedDir(victim).Unlock()
	}
	if err := d.kids.names.Unlink(victim.Name(), victim.inode, rmdir); err != nil {
		return nil, err
	}
	d.expungeLocked(victim)
	return victim, nil
}

// rememberAbsent caches that name, which lasts, is absent, where the file system's
// names change only here.
func (d *Dentry) rememberAbsent(name string) {
	if d.sb.revalidate == nil {
		d.insertLocked(name, newNegative(d, name))
	}
}

// mountedIn reports whether something is mounted on d in m's namespace.
func (d *Dentry) mountedIn(m *Mount) bool {
	v := d.sb.vfs
	v.mountMu.RLock()
	defer v.mountMu.RUnlock()
	for k := range v.mounts {
		if k.point == d && k.parent.ns == m.ns {
			return true
		}
	}
	return false
}

// detachMounts takes away what other namespaces have mounted on a name that
// goes.
func (d *Dentry) detachMounts() {
	v := d.sb.vfs
	v.mountMu.Lock()
	var gone []*Mount
	for k, m := range v.mounts {
		if k.point == d {
			m.unhookLocked()
			gone = append(gone, m.releaseTreeLocked()...)
		}
	}
	v.mountMu.Unlock()
	decAll(gone)
}

// Readlink is readlinkat(2); path "" is at itself.
func Readlink(c *Caller, at Path, path string) (string, error) {
	p, err := Resolve(c, at, path, NoFollow|EmptyPath)
	if err != nil {
		return "", err
	}
	l, ok := p.Dentry.inode.(Symlink)
	if !ok || p.Dentry.kind != linux.S_IFLNK {
		if path == "" {
			return "", linux.ENOENT
		}
		return "", linux.EINVAL
	}
	p.accessed(0)
	return l.Readlink(c)
}
