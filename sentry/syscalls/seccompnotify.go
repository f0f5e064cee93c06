package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// newListener gives t a descriptor of a new listener.
func newListener(t *task.Task, flags linux.SeccompFilterFlags) (*task.Listener, linux.FD, error) {
	l := task.NewListener(flags)
	d := t.System().VFS.NewAnonFile(t.Caller(), l, "seccomp notify", linux.O_RDWR)
	fd, err := install(t, d, linux.O_CLOEXEC)
	return l, linux.FD(fd), err
}

// listenerIoctl is ioctl(2) of a seccomp listener (seccomp_unotify(2)).
func listenerIoctl(t *task.Task, d *vfs.Description, l *task.Listener, req linux.IoctlCmd, a arg.Hex) (uintptr, error) {
	switch req {
	case linux.SECCOMP_IOCTL_NOTIF_RECV:
		return receiveNotification(t, d, l, arg.InOut[linux.SeccompNotif](a))
	case linux.SECCOMP_IOCTL_NOTIF_SEND:
		r, err := arg.In[linux.SeccompNotifResp](a).Load(t.MM())
		if err != nil {
			return 0, err
		}
		goOn := r.Flags&linux.SECCOMP_USER_NOTIF_FLAG_CONTINUE != 0
		if r.Flags&^linux.SECCOMP_USER_NOTIF_FLAG_CONTINUE != 0 || goOn && (r.Error != 0 || r.Val != 0) {
			return 0, linux.EINVAL
		}
		return 0, l.Answer(&r)
	case linux.SECCOMP_IOCTL_NOTIF_ID_VALID, linux.SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR:
		id, err := arg.In[uint64](a).Load(t.MM())
		if err == nil && !l.Valid(id) {
			err = linux.ENOENT
		}
		return 0, err
	case linux.SECCOMP_IOCTL_NOTIF_SET_FLAGS:
		// The only flag asks for a wake-up on the same processor.
		if a&^1 != 0 {
			return 0, linux.EINVAL
		}
		return 0, nil
	}
	// A later version of this request has a longer argument.
	const sizeShift, sizeMask, dirMask = 16, 0x3fff << 16, 3 << 30
	if req&^(sizeMask|dirMask) == linux.SECCOMP_IOCTL_NOTIF_ADDFD&^(sizeMask|dirMask) {
		return addFDToNotified(t, l, a, uint64(req&sizeMask>>sizeShift))
	}
	return 0, linux.EINVAL
}

func receiveNotification(t *task.Task, d *vfs.Description, l *task.Listener, out arg.InOut[linux.SeccompNotif]) (uintptr, error) {
	was, err := out.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if was != (linux.SeccompNotif{}) {
		return 0, linux.EINVAL
	}
	// As in Linux, this waits whatever O_NONBLOCK says.
	return t.IOUntil(d, wait.Readable, false, nil, task.NoDeadline, task.RestartSys, func() (int, error) {
		n, err := l.Receive(t)
		if err != nil {
			return 0, err
		}
		if err := out.Store(t.MM(), n); err != nil {
			l.PutBack(n.ID)
			return 0, err
		}
		return 0, nil
	})
}

func addFDToNotified(t *task.Task, l *task.Listener, a arg.Hex, size uint64) (uintptr, error) {
	const v0 = 24
	if size < v0 || size >= linux.PageSize {
		return 0, linux.EINVAL
	}
	x, err := loadVersioned[linux.SeccompNotifAddfd](t.MM(), uint64(a), size)
	if err != nil {
		return 0, err
	}
	const known = linux.SECCOMP_ADDFD_FLAG_SETFD | linux.SECCOMP_ADDFD_FLAG_SEND
	if x.NewFDFlags&^uint32(linux.O_CLOEXEC) != 0 || x.Flags&^known != 0 || x.NewFD != 0 && x.Flags&linux.SECCOMP_ADDFD_FLAG_SETFD == 0 {
		return 0, linux.EINVAL
	}
	d, err := get(t, linux.FD(x.SrcFD))
	if err != nil {
		return 0, err
	}
	if d.PathOnly() {
		d.DecRef()
		return 0, linux.EBADF
	}
	fd, err := l.AddFD(&x, d)
	return uintptr(fd), err
}
