package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// onFD calls f with the place of a descriptor that is not O_PATH.
func onFD(t *task.Task, fd linux.FD, f func(c *vfs.Caller, p vfs.Path) error) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if d.PathOnly() {
		return 0, linux.EBADF
	}
	return 0, f(t.Caller(), d.Path())
}

// onPath calls f with the place of a path.
func onPath(t *task.Task, dir linux.FD, path arg.Path, w vfs.WalkFlags, f func(c *vfs.Caller, p vfs.Path) error) (uintptr, error) {
	p, at, err := resolve(t, dir, path, w)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	return 0, f(t.Caller(), p)
}

func chmod(mode arg.Mode) func(c *vfs.Caller, p vfs.Path) error {
	return func(c *vfs.Caller, p vfs.Path) error { return vfs.Chmod(c, p, linux.FileMode(mode)) }
}

// sysChmod is chmod(2).
func sysChmod(t *task.Task, path arg.Path, mode arg.Mode) (uintptr, error) {
	return onPath(t, cwd, path, 0, chmod(mode))
}

// sysFchmod is fchmod(2).
func sysFchmod(t *task.Task, fd linux.FD, mode arg.Mode) (uintptr, error) {
	return onFD(t, fd, chmod(mode))
}

// sysFchmodat is the kernel's fchmodat, which has no flags.
func sysFchmodat(t *task.Task, dir linux.FD, path arg.Path, mode arg.Mode) (uintptr, error) {
	return onPath(t, dir, path, 0, chmod(mode))
}

// sysFchmodat2 is fchmodat(2).
func sysFchmodat2(t *task.Task, dir linux.FD, path arg.Path, mode arg.Mode, flags linux.AtFlags) (uintptr, error) {
	w, err := walkFlags(flags, linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH)
	if err != nil {
		return 0, err
	}
	return onPath(t, dir, path, w, chmod(mode))
}

func chown(uid, gid arg.UID) func(c *vfs.Caller, p vfs.Path) error {
	return func(c *vfs.Caller, p vfs.Path) error { return vfs.Chown(c, p, uint32(uid), uint32(gid)) }
}

// sysChown is chown(2).
func sysChown(t *task.Task, path arg.Path, uid, gid arg.UID) (uintptr, error) {
	return onPath(t, cwd, path, 0, chown(uid, gid))
}

// sysLchown is lchown(2).
func sysLchown(t *task.Task, path arg.Path, uid, gid arg.UID) (uintptr, error) {
	return onPath(t, cwd, path, vfs.NoFollow, chown(uid, gid))
}

// sysFchown is fchown(2).
func sysFchown(t *task.Task, fd linux.FD, uid, gid arg.UID) (uintptr, error) {
	return onFD(t, fd, chown(uid, gid))
}

// sysFchownat is fchownat(2).
func sysFchownat(t *task.Task, dir linux.FD, path arg.Path, uid, gid arg.UID, flags linux.AtFlags) (uintptr, error) {
	w, err := walkFlags(flags, linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH)
	if err != nil {
		return 0, err
	}
	return onPath(t, dir, path, w, chown(uid, gid))
}

func utimens(times *[2]linux.Timespec) func(c *vfs.Caller, p vfs.Path) error {
	return func(c *vfs.Caller, p vfs.Path) error { return vfs.Utimens(c, p, times) }
}

// sysUtimensat is utimensat(2); a NULL path means the descriptor itself.
func sysUtimensat(t *task.Task, dir linux.FD, path arg.Path, in arg.In[[2]linux.Timespec], flags linux.AtFlags) (uintptr, error) {
	var times *[2]linux.Timespec
	if in != 0 {
		v, err := in.Load(t.MM())
		if err != nil {
			return 0, err
		}
		times = &v
		if v[0].Nsec == linux.UTIME_OMIT && v[1].Nsec == linux.UTIME_OMIT {
			return 0, nil
		}
	}
	w, err := walkFlags(flags, linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH)
	if err != nil {
		return 0, err
	}
	if path == 0 {
		if dir == cwd {
			return 0, linux.EFAULT
		}
		if flags != 0 {
			return 0, linux.EINVAL
		}
		return onFD(t, dir, utimens(times))
	}
	return onPath(t, dir, path, w, utimens(times))
}

func loadTimevals(t *task.Task, in arg.In[[2]linux.Timeval]) (*[2]linux.Timespec, error) {
	if in == 0 {
		return nil, nil
	}
	v, err := in.Load(t.MM())
	if err != nil {
		return nil, err
	}
	var out [2]linux.Timespec
	for i := range v {
		if v[i].Usec < 0 || v[i].Usec >= 1e6 {
			return nil, linux.EINVAL
		}
		out[i] = linux.Timespec{Sec: v[i].Sec, Nsec: v[i].Usec * 1000}
	}
	return &out, nil
}

// sysUtimes is utimes(2).
func sysUtimes(t *task.Task, path arg.Path, in arg.In[[2]linux.Timeval]) (uintptr, error) {
	return sysFutimesat(t, cwd, path, in)
}

// sysFutimesat is futimesat(2).
func sysFutimesat(t *task.Task, dir linux.FD, path arg.Path, in arg.In[[2]linux.Timeval]) (uintptr, error) {
	times, err := loadTimevals(t, in)
	if err != nil {
		return 0, err
	}
	if path == 0 {
		return onFD(t, dir, utimens(times))
	}
	return onPath(t, dir, path, 0, utimens(times))
}

// sysUtime is utime(2).
func sysUtime(t *task.Task, path arg.Path, in arg.In[linux.Utimbuf]) (uintptr, error) {
	var times *[2]linux.Timespec
	if in != 0 {
		v, err := in.Load(t.MM())
		if err != nil {
			return 0, err
		}
		times = &[2]linux.Timespec{{Sec: v.Actime}, {Sec: v.Modtime}}
	}
	return onPath(t, cwd, path, 0, utimens(times))
}
