package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/cred"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Flags of open_tree(2) and mount_setattr(2) that say how a path is walked. There is
// nothing to mount automatically.
const treeWalk = linux.AT_EMPTY_PATH | linux.AT_NO_AUTOMOUNT | linux.AT_SYMLINK_NOFOLLOW

func treeWalkFlags(flags linux.AtFlags) (w vfs.WalkFlags) {
	if flags&linux.AT_SYMLINK_NOFOLLOW != 0 {
		w |= vfs.NoFollow
	}
	if flags&linux.AT_EMPTY_PATH != 0 {
		w |= vfs.EmptyPath
	}
	return w
}

// sysOpenTree is open_tree(2).
func sysOpenTree(t *task.Task, dir linux.FD, path arg.Path, flags linux.AtFlags) (uintptr, error) {
	tree := linux.OpenTreeFlags(flags) & (linux.OPEN_TREE_CLONE | linux.OPEN_TREE_CLOEXEC)
	rest := flags &^ linux.AtFlags(tree)
	clone, rec := tree&linux.OPEN_TREE_CLONE != 0, rest&linux.AT_RECURSIVE != 0
	if rest&^(treeWalk|linux.AT_RECURSIVE) != 0 || rec && !clone {
		return 0, linux.EINVAL
	}
	if clone {
		if err := vfs.MayMount(t.Caller()); err != nil {
			return 0, linux.EPERM
		}
	}
	p, at, err := resolve(t, dir, path, treeWalkFlags(rest))
	if err != nil {
		return 0, err
	}
	defer at.drop()
	var d *vfs.Description
	if clone {
		d, err = vfs.OpenTree(t.Caller(), p, rec)
	} else {
		d, err = vfs.OpenPath(t.Caller(), p, linux.O_PATH)
	}
	if err != nil {
		return 0, err
	}
	var of linux.OpenFlags
	if tree&linux.OPEN_TREE_CLOEXEC != 0 {
		of = linux.O_CLOEXEC
	}
	return install(t, d, of)
}

// sysMoveMount is move_mount(2).
//
// Partial: MOVE_MOUNT_SET_GROUP and MOVE_MOUNT_BENEATH are EINVAL, as before Linux 5.15 and 6.5
func sysMoveMount(t *task.Task, fromDir linux.FD, from arg.Path, toDir linux.FD, to arg.Path, flags linux.MoveMountFlags) (uintptr, error) {
	const known = linux.MOVE_MOUNT_F_SYMLINKS | linux.MOVE_MOUNT_F_AUTOMOUNTS | linux.MOVE_MOUNT_F_EMPTY_PATH |
		linux.MOVE_MOUNT_T_SYMLINKS | linux.MOVE_MOUNT_T_AUTOMOUNTS | linux.MOVE_MOUNT_T_EMPTY_PATH
	if err := vfs.MayMount(t.Caller()); err != nil {
		return 0, linux.EPERM
	}
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	walk := func(symlinks, empty linux.MoveMountFlags) (w vfs.WalkFlags) {
		if flags&symlinks == 0 {
			w |= vfs.NoFollow
		}
		if flags&empty != 0 {
			w |= vfs.EmptyPath
		}
		return w
	}
	p, pat, err := resolve(t, fromDir, from, walk(linux.MOVE_MOUNT_F_SYMLINKS, linux.MOVE_MOUNT_F_EMPTY_PATH))
	if err != nil {
		return 0, err
	}
	defer pat.drop()
	q, qat, err := resolve(t, toDir, to, walk(linux.MOVE_MOUNT_T_SYMLINKS, linux.MOVE_MOUNT_T_EMPTY_PATH))
	if err != nil {
		return 0, err
	}
	defer qat.drop()
	return 0, vfs.MoveTree(t.Caller(), p, q)
}

// sysMountSetattr is mount_setattr(2).
func sysMountSetattr(t *task.Task, dir linux.FD, path arg.Path, flags linux.AtFlags, attr arg.In[linux.MountAttrArg], size arg.Size) (uintptr, error) {
	const v0, pageMax = 32, 4096
	switch {
	case flags&^(treeWalk|linux.AT_RECURSIVE) != 0:
		return 0, linux.EINVAL
	case size > pageMax:
		return 0, linux.E2BIG
	case size < v0:
		return 0, linux.EINVAL
	}
	if err := vfs.MayMount(t.Caller()); err != nil {
		return 0, linux.EPERM
	}
	a, err := loadVersioned[linux.MountAttrArg](t.MM(), uint64(attr), uint64(size))
	if err != nil {
		return 0, err
	}
	if a.AttrSet == 0 && a.AttrClr == 0 && a.Propagation == 0 {
		return 0, nil
	}
	change, err := mountChange(&a)
	if err != nil {
		return 0, err
	}
	if (a.AttrSet|a.AttrClr)&linux.MOUNT_ATTR_IDMAP != 0 {
		if change.IDMap, err = mountIDMap(t, &a); err != nil {
			return 0, err
		}
	}
	p, at, err := resolve(t, dir, path, treeWalkFlags(flags))
	if err != nil {
		return 0, err
	}
	defer at.drop()
	return 0, vfs.ChangeMount(t.Caller(), p, flags&linux.AT_RECURSIVE != 0, change)
}

// mountChange is Linux's build_mount_kattr.
func mountChange(a *linux.MountAttrArg) (*vfs.MountChange, error) {
	const known = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC |
		linux.MOUNT_ATTR__ATIME | linux.MOUNT_ATTR_NODIRATIME | linux.MOUNT_ATTR_IDMAP | linux.MOUNT_ATTR_NOSYMFOLLOW
	c := &vfs.MountChange{Propagation: linux.MountFlags(a.Propagation)}
	switch c.Propagation {
	case 0, linux.MS_SHARED, linux.MS_PRIVATE, linux.MS_SLAVE, linux.MS_UNBINDABLE:
	default:
		return nil, linux.EINVAL
	}
	if (a.AttrSet|a.AttrClr)&^known != 0 {
		return nil, linux.EINVAL
	}
	c.Set, c.Clear = mountFlagsOf(a.AttrSet), mountFlagsOf(a.AttrClr)
	// The access times are one choice, not flags: who changes it clears all of it.
	if a.AttrClr&linux.MOUNT_ATTR__ATIME != 0 {
		if a.AttrClr&linux.MOUNT_ATTR__ATIME != linux.MOUNT_ATTR__ATIME {
			return nil, linux.EINVAL
		}
		c.Clear |= linux.MS_RELATIME | linux.MS_NOATIME
		switch a.AttrSet & linux.MOUNT_ATTR__ATIME {
		case 0:
			c.Set |= linux.MS_RELATIME
		case linux.MOUNT_ATTR_NOATIME:
			c.Set |= linux.MS_NOATIME
		case linux.MOUNT_ATTR_STRICTATIME:
		default:
			return nil, linux.EINVAL
		}
	} else if a.AttrSet&linux.MOUNT_ATTR__ATIME != 0 {
		return nil, linux.EINVAL
	}
	return c, nil
}

func mountFlagsOf(a linux.MountAttr) (f linux.MountFlags) {
	for _, x := range [...]struct {
		attr linux.MountAttr
		flag linux.MountFlags
	}{
		{linux.MOUNT_ATTR_RDONLY, linux.MS_RDONLY}, {linux.MOUNT_ATTR_NOSUID, linux.MS_NOSUID}, {linux.MOUNT_ATTR_NODEV, linux.MS_NODEV},
		{linux.MOUNT_ATTR_NOEXEC, linux.MS_NOEXEC}, {linux.MOUNT_ATTR_NODIRATIME, linux.MS_NODIRATIME}, {linux.MOUNT_ATTR_NOSYMFOLLOW, linux.MS_NOSYMFOLLOW},
	} {
		if a&x.attr != 0 {
			f |= x.flag
		}
	}
	return f
}

// mountIDMap is the user namespace whose map a mount is to have (Linux:
// build_mount_idmapped).
func mountIDMap(t *task.Task, a *linux.MountAttrArg) (*cred.UserNamespace, error) {
	const intMax = 1<<31 - 1
	if a.AttrClr&linux.MOUNT_ATTR_IDMAP != 0 || a.UsernsFD > intMax {
		return nil, linux.EINVAL
	}
	d, err := get(t, linux.FD(a.UsernsFD))
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	if d.PathOnly() {
		return nil, linux.EBADF
	}
	n, _ := d.File().(*procfs.Namespace)
	if n == nil {
		return nil, linux.EINVAL
	}
	user, ok := n.Object.(*cred.UserNamespace)
	if !ok {
		return nil, linux.EINVAL
	}
	if user.Parent == nil || !t.Cred().HasIn(linux.CAP_SYS_ADMIN, user) {
		return nil, linux.EPERM
	}
	if uids, gids := user.Maps(); len(uids) == 0 || len(gids) == 0 {
		return nil, linux.EINVAL
	}
	return user, nil
}
