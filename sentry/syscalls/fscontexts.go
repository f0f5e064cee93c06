package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// mayMount is vfs.MayMount, which every call of this family asks first.
func mayMount(t *task.Task) error {
	if vfs.MayMount(t.Caller()) != nil {
		return linux.EPERM
	}
	return nil
}

func cloexec(set bool) linux.OpenFlags {
	if set {
		return linux.O_CLOEXEC
	}
	return 0
}

// sysFsopen is fsopen(2).
func sysFsopen(t *task.Task, name arg.CString, flags linux.FsopenFlags) (uintptr, error) {
	if err := mayMount(t); err != nil {
		return 0, err
	}
	if flags&^linux.FSOPEN_CLOEXEC != 0 {
		return 0, linux.EINVAL
	}
	s, err := name.Load(t.MM(), linux.PageSize)
	if err != nil {
		return 0, tooLong(err)
	}
	d, err := t.System().VFS.OpenMountContext(t.Caller(), s)
	if err != nil {
		return 0, err
	}
	return install(t, d, cloexec(flags&linux.FSOPEN_CLOEXEC != 0))
}

// tooLong is EINVAL for a string that is longer than it may be (Linux: strndup_user).
func tooLong(err error) error {
	if err == error(linux.ENAMETOOLONG) {
		return linux.EINVAL
	}
	return err
}

// sysFspick is fspick(2).
func sysFspick(t *task.Task, dir linux.FD, path arg.Path, flags linux.FspickFlags) (uintptr, error) {
	const known = linux.FSPICK_CLOEXEC | linux.FSPICK_SYMLINK_NOFOLLOW | linux.FSPICK_NO_AUTOMOUNT | linux.FSPICK_EMPTY_PATH
	if err := mayMount(t); err != nil {
		return 0, err
	}
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	var w vfs.WalkFlags
	if flags&linux.FSPICK_SYMLINK_NOFOLLOW != 0 {
		w |= vfs.NoFollow
	}
	if flags&linux.FSPICK_EMPTY_PATH != 0 {
		w |= vfs.EmptyPath
	}
	p, at, err := resolve(t, dir, path, w)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	d, err := vfs.PickMountContext(t.Caller(), p)
	if err != nil {
		return 0, err
	}
	return install(t, d, cloexec(flags&linux.FSPICK_CLOEXEC != 0))
}

// mountContext returns the context behind fd and what keeps it.
func mountContext(t *task.Task, fd linux.FD) (*vfs.MountContext, *vfs.Description, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, nil, err
	}
	if x, ok := d.File().(*vfs.MountContext); ok {
		return x, d, nil
	}
	pathOnly := d.PathOnly()
	d.DecRef()
	if pathOnly {
		return nil, nil, linux.EBADF
	}
	return nil, nil, linux.EINVAL
}

// sysFsconfig is fsconfig(2).
func sysFsconfig(t *task.Task, fd linux.FD, cmd linux.FsconfigCmd, key arg.CString, value arg.Addr, aux int32) (uintptr, error) {
	const maxBinary = 1 << 20
	ok := false
	switch cmd {
	case linux.FSCONFIG_SET_FLAG:
		ok = key != 0 && value == 0 && aux == 0
	case linux.FSCONFIG_SET_STRING:
		ok = key != 0 && value != 0 && aux == 0
	case linux.FSCONFIG_SET_BINARY:
		ok = key != 0 && value != 0 && aux > 0 && aux <= maxBinary
	case linux.FSCONFIG_SET_PATH, linux.FSCONFIG_SET_PATH_EMPTY:
		ok = key != 0 && value != 0 && (linux.FD(aux) == linux.AT_FDCWD || aux >= 0)
	case linux.FSCONFIG_SET_FD:
		ok = key != 0 && value == 0 && aux >= 0
	case linux.FSCONFIG_CMD_CREATE, linux.FSCONFIG_CMD_CREATE_EXCL, linux.FSCONFIG_CMD_RECONFIGURE:
		ok = key == 0 && value == 0 && aux == 0
	default:
		if fd >= 0 {
			return 0, linux.EOPNOTSUPP
		}
	}
	if fd < 0 || !ok {
		return 0, linux.EINVAL
	}
	x, d, err := mountContext(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	switch cmd {
	case linux.FSCONFIG_CMD_CREATE, linux.FSCONFIG_CMD_CREATE_EXCL:
		return 0, x.Create(t.Caller())
	case linux.FSCONFIG_CMD_RECONFIGURE:
		return 0, x.Reconfigure(t.Caller())
	}
	p, err := mountParameter(t, cmd, key, value, aux)
	if err != nil {
		return 0, err
	}
	return 0, x.Set(p)
}

// mountParameter reads a parameter of fsconfig(2).
func mountParameter(t *task.Task, cmd linux.FsconfigCmd, key arg.CString, value arg.Addr, aux int32) (*vfs.MountParameter, error) {
	const maxText = 256 // with the NUL
	p := &vfs.MountParameter{Flag: cmd == linux.FSCONFIG_SET_FLAG, Text: cmd == linux.FSCONFIG_SET_STRING}
	var err error
	if p.Key, err = key.Load(t.MM(), maxText); err != nil {
		return nil, tooLong(err)
	}
	switch cmd {
	case linux.FSCONFIG_SET_STRING:
		p.Value, err = arg.CString(value).Load(t.MM(), maxText)
		return p, tooLong(err)
	case linux.FSCONFIG_SET_BINARY:
		_, err = t.MM().CopyIn(uint64(value), make([]byte, aux))
		return p, err
	case linux.FSCONFIG_SET_PATH, linux.FSCONFIG_SET_PATH_EMPTY:
		p.Value, err = arg.Path(value).Load(t.MM())
		if err == nil && p.Value == "" && cmd == linux.FSCONFIG_SET_PATH {
			err = linux.ENOENT
		}
	case linux.FSCONFIG_SET_FD:
		var d *vfs.Description
		if d, err = get(t, linux.FD(aux)); err == nil {
			d.DecRef()
		}
	}
	return p, err
}

// sysFsmount is fsmount(2).
func sysFsmount(t *task.Task, fd linux.FD, flags linux.FsmountFlags, attr uint32) (uintptr, error) {
	if err := mayMount(t); err != nil {
		return 0, err
	}
	a := linux.MountAttr(attr)
	const known = linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC |
		linux.MOUNT_ATTR__ATIME | linux.MOUNT_ATTR_NODIRATIME | linux.MOUNT_ATTR_NOSYMFOLLOW
	if flags&^linux.FSMOUNT_CLOEXEC != 0 || a&^known != 0 {
		return 0, linux.EINVAL
	}
	m := mountFlagsOf(a)
	switch a & linux.MOUNT_ATTR__ATIME {
	case 0:
		m |= linux.MS_RELATIME
	case linux.MOUNT_ATTR_NOATIME:
		m |= linux.MS_NOATIME
	case linux.MOUNT_ATTR_STRICTATIME:
	default:
		return 0, linux.EINVAL
	}
	x, d, err := mountContext(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	tree, err := x.Mount(t.Caller(), m)
	if err != nil {
		return 0, err
	}
	return install(t, tree, cloexec(flags&linux.FSMOUNT_CLOEXEC != 0))
}
