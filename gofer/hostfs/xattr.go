package hostfs

import (
	"strings"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// xattrAllowed says which attributes a guest may see and change. The others
// mean something to the host only.
func xattrAllowed(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.overlay.") ||
		name == "security.capability"
}

func checkXattr(name string) linux.Errno {
	if strings.IndexByte(name, 0) >= 0 {
		return linux.EINVAL
	}
	if !xattrAllowed(name) {
		return linux.EOPNOTSUPP
	}
	return 0
}

// xattrFile calls fn with a descriptor that the f*xattr calls accept, for
// kernels before 6.13, which have no getxattrat(2).
func (f *fsys) xattrFile(n *node, fn func(fd int) error) linux.Errno {
	if !n.mode.IsRegular() && !n.mode.IsDir() {
		return linux.EOPNOTSUPP
	}
	fd, e := f.reopen(n, unix.O_RDONLY)
	if e != 0 {
		return e
	}
	defer unix.Close(fd)
	return donate.Errno(fn(fd))
}

func getXattr(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := checkXattr(q.Name); e != 0 {
		return e
	}
	buf := make([]byte, donate.MaxData)
	size, e := getxattrat(f.procFD, n.procName(), q.Name, buf)
	if e == linux.ENOSYS {
		e = f.xattrFile(n, func(fd int) (err error) {
			size, err = unix.Fgetxattr(fd, q.Name, buf)
			return err
		})
	}
	if e == 0 {
		r.Data = buf[:size]
	}
	return e
}

func setXattr(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := checkXattr(q.Name); e != 0 {
		return e
	}
	e := setxattrat(f.procFD, n.procName(), q.Name, q.Data, q.Flags)
	if e == linux.ENOSYS {
		e = f.xattrFile(n, func(fd int) error { return unix.Fsetxattr(fd, q.Name, q.Data, int(q.Flags)) })
	}
	return e
}

func removeXattr(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := checkXattr(q.Name); e != 0 {
		return e
	}
	e := removexattrat(f.procFD, n.procName(), q.Name)
	if e == linux.ENOSYS {
		e = f.xattrFile(n, func(fd int) error { return unix.Fremovexattr(fd, q.Name) })
	}
	return e
}

// listXattr answers with the names, each ended by a NUL.
func listXattr(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	buf := make([]byte, donate.MaxData)
	size, e := listxattrat(f.procFD, n.procName(), buf)
	if e == linux.ENOSYS {
		e = f.xattrFile(n, func(fd int) (err error) {
			size, err = unix.Flistxattr(fd, buf)
			return err
		})
	}
	if e != 0 {
		return e
	}
	for name := range strings.SplitSeq(string(buf[:size]), "\x00") {
		if name != "" && xattrAllowed(name) {
			r.Data = append(append(r.Data, name...), 0)
		}
	}
	return 0
}
