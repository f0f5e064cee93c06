package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Bounds of extended attributes (xattr(7)).
const (
	xattrNameMax = 255
	xattrSizeMax = 65536
	xattrListMax = 65536
)

func loadXattrName(t *task.Task, name arg.CString) (string, error) {
	s, err := name.Load(t.MM(), xattrNameMax+1)
	if err == linux.EFAULT {
		return "", err
	}
	if err != nil || s == "" {
		return "", linux.ERANGE
	}
	return s, nil
}

func setXattr(t *task.Task, name arg.CString, value arg.InBytes, n arg.Size, flags linux.XattrFlags) (func(c *vfs.Caller, p vfs.Path) error, error) {
	if flags&^(linux.XATTR_CREATE|linux.XATTR_REPLACE) != 0 {
		return nil, linux.EINVAL
	}
	s, err := loadXattrName(t, name)
	if err != nil {
		return nil, err
	}
	if n > xattrSizeMax {
		return nil, linux.E2BIG
	}
	v, err := value.Bytes(t.MM(), int(n))
	if err != nil {
		return nil, err
	}
	return func(c *vfs.Caller, p vfs.Path) error { return vfs.SetXattr(c, p, s, v, flags) }, nil
}

// sysSetxattr is setxattr(2).
func sysSetxattr(t *task.Task, path arg.Path, name arg.CString, value arg.InBytes, n arg.Size, flags linux.XattrFlags) (uintptr, error) {
	f, err := setXattr(t, name, value, n, flags)
	if err != nil {
		return 0, err
	}
	return onPath(t, cwd, path, 0, f)
}

// sysLsetxattr is lsetxattr(2).
func sysLsetxattr(t *task.Task, path arg.Path, name arg.CString, value arg.InBytes, n arg.Size, flags linux.XattrFlags) (uintptr, error) {
	f, err := setXattr(t, name, value, n, flags)
	if err != nil {
		return 0, err
	}
	return onPath(t, cwd, path, vfs.NoFollow, f)
}

// sysFsetxattr is fsetxattr(2).
func sysFsetxattr(t *task.Task, fd linux.FD, name arg.CString, value arg.InBytes, n arg.Size, flags linux.XattrFlags) (uintptr, error) {
	f, err := setXattr(t, name, value, n, flags)
	if err != nil {
		return 0, err
	}
	return onFD(t, fd, f)
}

// A sized is the result of a call that fills a buffer, or tells its size for a
// buffer of none.
type sized struct{ n int }

// store writes data if there is room; limit is the most a caller may ask for.
func (r *sized) store(t *task.Task, data []byte, out arg.OutBytes, n arg.Size) error {
	r.n = len(data)
	if n == 0 {
		return nil
	}
	if uint64(len(data)) > uint64(n) {
		return linux.ERANGE
	}
	return out.Store(t.MM(), data)
}

func getXattr(t *task.Task, name arg.CString, out arg.OutBytes, n arg.Size, r *sized) (func(c *vfs.Caller, p vfs.Path) error, error) {
	s, err := loadXattrName(t, name)
	if err != nil {
		return nil, err
	}
	return func(c *vfs.Caller, p vfs.Path) error {
		v, err := vfs.GetXattr(c, p, s)
		if err != nil {
			return err
		}
		return r.store(t, v, out, n)
	}, nil
}

// sysGetxattr is getxattr(2).
func sysGetxattr(t *task.Task, path arg.Path, name arg.CString, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	f, err := getXattr(t, name, out, n, &r)
	if err == nil {
		_, err = onPath(t, cwd, path, 0, f)
	}
	return sizedResult(r, err)
}

// sysLgetxattr is lgetxattr(2).
func sysLgetxattr(t *task.Task, path arg.Path, name arg.CString, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	f, err := getXattr(t, name, out, n, &r)
	if err == nil {
		_, err = onPath(t, cwd, path, vfs.NoFollow, f)
	}
	return sizedResult(r, err)
}

// sysFgetxattr is fgetxattr(2).
func sysFgetxattr(t *task.Task, fd linux.FD, name arg.CString, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	f, err := getXattr(t, name, out, n, &r)
	if err == nil {
		_, err = onFD(t, fd, f)
	}
	return sizedResult(r, err)
}

func sizedResult(r sized, err error) (uintptr, error) {
	if err != nil {
		return 0, err
	}
	return uintptr(r.n), nil
}

func listXattr(t *task.Task, out arg.OutBytes, n arg.Size, r *sized) func(c *vfs.Caller, p vfs.Path) error {
	return func(c *vfs.Caller, p vfs.Path) error {
		names, err := vfs.ListXattr(c, p)
		if err != nil {
			return err
		}
		var b []byte
		for _, s := range names {
			b = append(append(b, s...), 0)
		}
		if len(b) > xattrListMax {
			return linux.E2BIG
		}
		return r.store(t, b, out, n)
	}
}

// sysListxattr is listxattr(2).
func sysListxattr(t *task.Task, path arg.Path, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	_, err := onPath(t, cwd, path, 0, listXattr(t, out, n, &r))
	return sizedResult(r, err)
}

// sysLlistxattr is llistxattr(2).
func sysLlistxattr(t *task.Task, path arg.Path, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	_, err := onPath(t, cwd, path, vfs.NoFollow, listXattr(t, out, n, &r))
	return sizedResult(r, err)
}

// sysFlistxattr is flistxattr(2).
func sysFlistxattr(t *task.Task, fd linux.FD, out arg.OutBytes, n arg.Size) (uintptr, error) {
	var r sized
	_, err := onFD(t, fd, listXattr(t, out, n, &r))
	return sizedResult(r, err)
}

func removeXattr(t *task.Task, name arg.CString) (func(c *vfs.Caller, p vfs.Path) error, error) {
	s, err := loadXattrName(t, name)
	if err != nil {
		return nil, err
	}
	return func(c *vfs.Caller, p vfs.Path) error { return vfs.RemoveXattr(c, p, s) }, nil
}

// sysRemovexattr is removexattr(2).
func sysRemovexattr(t *task.Task, path arg.Path, name arg.CString) (uintptr, error) {
	f, err := removeXattr(t, name)
	if err != nil {
		return 0, err
	}
	return onPath(t, cwd, path, 0, f)
}

// sysLremovexattr is lremovexattr(2).
func sysLremovexattr(t *task.Task, path arg.Path, name arg.CString) (uintptr, error) {
	f, err := removeXattr(t, name)
	if err != nil {
		return 0, err
	}
	return onPath(t, cwd, path, vfs.NoFollow, f)
}

// sysFremovexattr is fremovexattr(2).
func sysFremovexattr(t *task.Task, fd linux.FD, name arg.CString) (uintptr, error) {
	f, err := removeXattr(t, name)
	if err != nil {
		return 0, err
	}
	return onFD(t, fd, f)
}
