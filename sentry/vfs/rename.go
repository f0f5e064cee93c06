package vfs

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A renaming is one rename(2) while it runs.
type renaming struct {
	c            *Caller
	from, to     Path // directories
	fromL, toL   Last
	flags        linux.RenameFlags
	moved, there *Dentry // there may be negative
}

// Rename is renameat2(2).
func Rename(c *Caller, oldAt Path, oldPath string, newAt Path, newPath string, flags linux.RenameFlags) error {
	const known = linux.RENAME_NOREPLACE | linux.RENAME_EXCHANGE | linux.RENAME_WHITEOUT
	if flags&^known != 0 || flags&linux.RENAME_EXCHANGE != 0 && flags&^linux.RENAME_EXCHANGE != 0 {
		return linux.EINVAL
	}
	r := renaming{c: c, flags: flags}
	var err error
	if r.from, r.fromL, err = ResolveParent(c, oldAt, oldPath); err != nil {
		return err
	}
	if r.to, r.toL, err = ResolveParent(c, newAt, newPath); err != nil {
		return err
	}
	if r.from.Mount != r.to.Mount {
		return linux.EXDEV
	}
	if r.fromL.Kind != LastName {
		return linux.EBUSY
	}
	if r.toL.Kind != LastName {
		if flags&linux.RENAME_NOREPLACE != 0 {
			return linux.EEXIST
		}
		return linux.EBUSY
	}
	if !r.from.Dentry.IsDir() || !r.to.Dentry.IsDir() {
		return linux.ENOTDIR
	}
	if err := r.from.Mount.mayWrite(); err != nil {
		return err
	}
	return r.run()
}

// run locks the directories, renames and tells watches.
func (r *renaming) run() error {
	unlock := r.lock()
	err := r.do()
	unlock()
	if err != nil || r.moved == r.there {
		return err
	}
	movedEvent(r.from.Dentry, r.to.Dentry, r.fromL.Name, r.toL.Name, r.moved)
	if r.there.inode == nil {
		return nil
	}
	if r.flags&linux.RENAME_EXCHANGE != 0 {
		movedEvent(r.to.Dentry, r.from.Dentry, r.toL.Name, r.fromL.Name, r.there)
	} else {
		r.there.replacedEvent()
	}
	return nil
}

// lock takes both directories' locks, an ancestor first, else the one at the
// lower address.
func (r *renaming) lock() (unlock func()) {
	a, b := r.from.Dentry, r.to.Dentry
	if a == b {
		return lockDir(a).Unlock
	}
	sb := a.sb
	if sb.layer.Load() {
		sb.renameMu.LockBelow()
	} else {
		sb.renameMu.Lock()
	}
	switch {
	case a.isAncestorOf(b):
		lockDir(a)
		lockNestedDir(b)
	case b.isAncestorOf(a):
		lockDir(b)
		lockNestedDir(a)
	case sb.layer.Load(): // only renames lock two that are apart, one at a time
		lockDir(a)
		lockDir(b)
	default:
		lock.Two(&a.kids.dir, &b.kids.dir)
	}
	return func() {
		a.kids.dir.Unlock()
		b.kids.dir.Unlock()
		sb.renameMu.Unlock()
	}
}

func (r *renaming) do() error {
	from, to := r.from.Dentry, r.to.Dentry
	var err error
	if r.moved, err = from.lookupLocked(r.fromL.Name); err != nil {
		return err
	}
	if r.moved.inode == nil {
		return linux.ENOENT
	}
	if r.there, err = to.lookupLocked(r.toL.Name); err != nil {
		return err
	}
	exchange := r.flags&linux.RENAME_EXCHANGE != 0
	switch {
	case r.flags&linux.RENAME_NOREPLACE != 0 && r.there.inode != nil:
		return linux.EEXIST
	case exchange && r.there.inode == nil:
		return linux.ENOENT
	case exchange && r.toL.Slash && !r.there.IsDir():
		return linux.ENOTDIR
	case !r.moved.IsDir() && r.fromL.Slash, !r.moved.IsDir() && !exchange && r.toL.Slash:
		return linux.ENOTDIR
	case r.moved.IsDir() && r.moved.isAncestorOf(to):
		return linux.EINVAL
	case r.there.inode != nil && r.there.IsDir() && r.there.isAncestorOf(from):
		if exchange {
			return linux.EINVAL
		}
		return linux.ENOTEMPTY
	}
	if err := r.landlocked(); err != nil {
		return err
	}
	if r.moved == r.there || r.there.inode != nil && r.there.inode == r.moved.inode {
		// Two names of one file: nothing happens, as POSIX has it.
		r.there = r.moved
		return nil
	}
	if err := r.permitted(); err != nil {
		return err
	}
	for _, d := range []*Dentry{r.moved, r.there} {
		if d.mounted.Load() == 0 {
			continue
		}
		if d.mountedIn(r.from.Mount) {
			return linux.EBUSY
		}
		if d == r.there && !exchange {
			d.detachMounts()
		}
	}
	var replaced Inode
	if r.there.inode != nil {
		replaced = r.there.inode
	}
	// The dentries' own, which last.
	r.fromL.Name, r.toL.Name = r.moved.Name(), r.there.Name()
	if err := from.kids.names.Rename(r.fromL.Name, r.moved.inode, to.kids.names, r.toL.Name, replaced, r.flags); err != nil {
		return err
	}
	r.update()
	return nil
}

// permitted is the part of Linux's vfs_rename before the file system's turn.
func (r *renaming) permitted() error {
	c := r.c
	if err := mayDelete(c, r.from, r.moved, r.moved.IsDir()); err != nil {
		return err
	}
	switch {
	case r.there.inode == nil:
		if err := mayCreate(c, r.to); err != nil {
			return err
		}
	case r.flags&linux.RENAME_EXCHANGE != 0:
		if err := mayDelete(c, r.to, r.there, r.there.IsDir()); err != nil {
			return err
		}
	default:
		if err := mayDelete(c, r.to, r.there, r.moved.IsDir()); err != nil {
			return err
		}
	}
	if r.flags&linux.RENAME_WHITEOUT != 0 && !c.Cred.HasRoot(linux.CAP_MKNOD) {
		return linux.EPERM
	}
	if r.from.Dentry == r.to.Dentry {
		return nil
	}
	// A directory's ".." changes: it has to be writable itself.
	if r.moved.IsDir() {
		if err := May(c, Path{r.from.Mount, r.moved}, MayWrite); err != nil {
			return err
		}
	}
	if r.flags&linux.RENAME_EXCHANGE != 0 && r.there.IsDir() {
		return May(c, Path{r.to.Mount, r.there}, MayWrite)
	}
	return nil
}

// update makes the cache say what the file system has just done.
func (r *renaming) update() {
	from, to := r.from.Dentry, r.to.Dentry
	a, b := r.fromL.Name, r.toL.Name
	if r.flags&linux.RENAME_EXCHANGE != 0 {
		from.replaceLocked(a, r.there)
		to.replaceLocked(b, r.moved)
		return
	}
	if r.there.inode != nil {
		to.removeLocked(r.there)
	} else {
		to.dropNegative(b)
	}
	from.dropLocked(a)
	to.replaceLocked(b, r.moved)
	if r.flags&linux.RENAME_WHITEOUT == 0 {
		from.rememberAbsent(a)
	}
}

// replaceLocked makes name in d mean c, which was elsewhere.
func (d *Dentry) replaceLocked(name string, c *Dentry) {
	c.moveLocked(d, name)
	d.insertLocked(name, c)
}
