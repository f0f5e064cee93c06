package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/inotify"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// sysInotifyInit is inotify_init(2) without flags.
func sysInotifyInit(t *task.Task) (uintptr, error) { return sysInotifyInit1(t, 0) }

// sysInotifyInit1 is inotify_init(2).
func sysInotifyInit1(t *task.Task, flags linux.InotifyInitFlags) (uintptr, error) {
	if flags&^(linux.IN_CLOEXEC|linux.IN_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	in, err := inotify.New(&t.System().Inotify)
	if err != nil {
		return 0, err
	}
	return installAnon(t, "inotify", in, linux.OpenFlags(flags))
}

// instanceOf returns the inotify instance behind fd and what keeps it.
func instanceOf(t *task.Task, fd linux.FD) (*inotify.Instance, *vfs.Description, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, nil, err
	}
	in, isInotify := d.File().(*inotify.Instance)
	if !isInotify {
		d.DecRef()
		return nil, nil, linux.EINVAL
	}
	return in, d, nil
}

// sysInotifyAddWatch is inotify_add_watch(2).
func sysInotifyAddWatch(t *task.Task, fd linux.FD, path arg.Path, mask linux.InotifyEvents) (uintptr, error) {
	const known = linux.IN_ALL_EVENTS | linux.IN_ONLYDIR | linux.IN_DONT_FOLLOW | linux.IN_EXCL_UNLINK |
		linux.IN_MASK_CREATE | linux.IN_MASK_ADD | linux.IN_ONESHOT | linux.IN_UNMOUNT | linux.IN_Q_OVERFLOW | linux.IN_IGNORED | linux.IN_ISDIR
	if mask&known == 0 {
		return 0, linux.EINVAL
	}
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	d.DecRef()
	if mask&linux.IN_MASK_ADD != 0 && mask&linux.IN_MASK_CREATE != 0 {
		return 0, linux.EINVAL
	}
	in, d, err := instanceOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	s, at, err := loadAt(t, linux.AT_FDCWD, path)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	var how vfs.WalkFlags
	if mask&linux.IN_DONT_FOLLOW != 0 {
		how |= vfs.NoFollow
	}
	if mask&linux.IN_ONLYDIR != 0 {
		how |= vfs.WantDir
	}
	c := t.Caller()
	p, err := vfs.Resolve(c, at.at, s, how)
	if err != nil {
		return 0, err
	}
	if err := vfs.May(c, p, vfs.MayRead); err != nil {
		return 0, err
	}
	wd, err := in.AddWatch(p, mask)
	return uintptr(wd), err
}

// sysInotifyRmWatch is inotify_rm_watch(2).
func sysInotifyRmWatch(t *task.Task, fd linux.FD, wd int32) (uintptr, error) {
	in, d, err := instanceOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return 0, in.RemoveWatch(wd)
}
