package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/pipe"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// sysFcntl is fcntl(2).
//
// Partial: leases and directory notification are EINVAL, as of a kernel without
// them
func sysFcntl(t *task.Task, fd linux.FD, cmd linux.FcntlCmd, a arg.Hex) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if d.PathOnly() {
		switch cmd {
		case linux.F_DUPFD, linux.F_DUPFD_CLOEXEC, linux.F_GETFD, linux.F_SETFD, linux.F_GETFL:
		default:
			return 0, linux.EBADF
		}
	}
	switch cmd {
	case linux.F_DUPFD, linux.F_DUPFD_CLOEXEC:
		least := linux.FD(a)
		if int64(a) < 0 || uint64(a) >= t.Group().Limits().Soft(linux.RLIMIT_NOFILE) {
			return 0, linux.EINVAL
		}
		var f linux.FDFlags
		if cmd == linux.F_DUPFD_CLOEXEC {
			f = linux.FD_CLOEXEC
		}
		d.IncRef()
		return installAt(t, d.Description, least, f)
	case linux.F_GETFD:
		f, err := t.FDs().Flags(fd)
		return uintptr(f), err
	case linux.F_SETFD:
		return 0, t.FDs().SetFlags(fd, linux.FDFlags(a)&linux.FD_CLOEXEC)
	case linux.F_GETFL:
		return uintptr(d.Flags()), nil
	case linux.F_SETFL:
		return 0, d.SetFlags(t.Caller(), linux.OpenFlags(a))
	case linux.F_GETPIPE_SZ, linux.F_SETPIPE_SZ:
		return fcntlPipe(t, d.Description, cmd, a)
	case linux.F_ADD_SEALS, linux.F_GET_SEALS:
		return fcntlSeals(d.Description, cmd, a)
	}
	return fcntlLocks(t, d.Description, cmd, a)
}

func fcntlPipe(t *task.Task, d *vfs.Description, cmd linux.FcntlCmd, a arg.Hex) (uintptr, error) {
	end, isPipe := d.File().(*pipe.End)
	if !isPipe {
		return 0, linux.EBADF
	}
	p := end.Pipe()
	if cmd == linux.F_GETPIPE_SZ {
		return uintptr(p.Size()), nil
	}
	if a > 0x7fffffff {
		return 0, linux.EINVAL
	}
	n, e := p.SetSize(uint32(a), t.Cred().HasRoot(linux.CAP_SYS_RESOURCE))
	if e != nil {
		return 0, e
	}
	return uintptr(n), nil
}

func fcntlSeals(d *vfs.Description, cmd linux.FcntlCmd, a arg.Hex) (uintptr, error) {
	s, sealable := d.File().(vfs.Sealer)
	if !sealable {
		return 0, linux.EINVAL
	}
	if cmd == linux.F_GET_SEALS {
		v, err := s.Seals()
		return uintptr(v), err
	}
	if !d.Writable() {
		return 0, linux.EPERM
	}
	return 0, s.AddSeals(linux.Seals(a))
}
