package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// loadOptional reads a string that may be NULL.
func loadOptional(t *task.Task, p arg.Path) (string, error) {
	if p == 0 {
		return "", nil
	}
	return p.Load(t.MM())
}

// sysMount is mount(2).
func sysMount(t *task.Task, source, target, kind arg.Path, flags linux.MountFlags, data arg.Path) (uintptr, error) {
	fs, err := loadOptional(t, kind)
	if err != nil {
		return 0, err
	}
	src, err := loadOptional(t, source)
	if err != nil {
		return 0, err
	}
	options, err := loadOptional(t, data)
	if err != nil {
		return 0, err
	}
	dst, err := target.Load(t.MM())
	if err != nil {
		return 0, err
	}
	return 0, vfs.DoMount(t.Caller(), src, dst, fs, flags, options)
}

// sysUmount2 is umount2(2).
func sysUmount2(t *task.Task, target arg.Path, flags linux.UmountFlags) (uintptr, error) {
	const known = linux.MNT_FORCE | linux.MNT_DETACH | linux.MNT_EXPIRE | linux.UMOUNT_NOFOLLOW
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	dst, err := target.Load(t.MM())
	if err != nil {
		return 0, err
	}
	return 0, vfs.Umount(t.Caller(), dst, flags)
}

// sysPivotRoot is pivot_root(2).
func sysPivotRoot(t *task.Task, newRoot, putOld arg.Path) (uintptr, error) {
	n, err := newRoot.Load(t.MM())
	if err != nil {
		return 0, err
	}
	o, err := putOld.Load(t.MM())
	if err != nil {
		return 0, err
	}
	from, to, err := vfs.PivotRoot(t.Caller(), n, o)
	if err != nil {
		return 0, err
	}
	t.System().MoveRoots(from, to)
	return 0, nil
}

// sysSync is sync(2).
func sysSync(t *task.Task) (uintptr, error) { return 0, nil }

// sysSyncfs is syncfs(2).
func sysSyncfs(t *task.Task, fd linux.FD) (uintptr, error) {
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if d.PathOnly() {
		return 0, linux.EBADF
	}
	return 0, nil
}
