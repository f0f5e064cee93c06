package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// get returns fd's description with a reference.
func get(t *task.Task, fd linux.FD) (*vfs.Description, error) {
	if d := t.FDs().Get(fd); d != nil {
		return d, nil
	}
	return nil, linux.EBADF
}

// install gives d, whose reference it takes over, the lowest descriptor.
func install(t *task.Task, d *vfs.Description, flags linux.OpenFlags) (uintptr, error) {
	var f linux.FDFlags
	if flags&linux.O_CLOEXEC != 0 {
		f = linux.FD_CLOEXEC
	}
	return installAt(t, d, 0, f)
}

func installAt(t *task.Task, d *vfs.Description, least linux.FD, f linux.FDFlags) (uintptr, error) {
	fd, err := t.FDs().Install(d, least, t.Group().Limits().Soft(linux.RLIMIT_NOFILE), f)
	if err != nil {
		d.DecRef()
		if least == 0 {
			err = linux.EMFILE
		}
		return 0, err
	}
	return uintptr(fd), nil
}

// sysClose is close(2).
func sysClose(t *task.Task, fd linux.FD) (uintptr, error) { return 0, t.FDs().Close(fd) }

// sysCloseRange is close_range(2).
func sysCloseRange(t *task.Task, first, last uint32, flags linux.CloseRangeFlags) (uintptr, error) {
	if flags&^(linux.CLOSE_RANGE_UNSHARE|linux.CLOSE_RANGE_CLOEXEC) != 0 || first > last {
		return 0, linux.EINVAL
	}
	if flags&linux.CLOSE_RANGE_UNSHARE != 0 {
		t.UnshareFDs()
	}
	t.FDs().CloseRange(first, last, flags&linux.CLOSE_RANGE_CLOEXEC != 0)
	return 0, nil
}

// sysDup is dup(2).
func sysDup(t *task.Task, fd linux.FD) (uintptr, error) {
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	return installAt(t, d, 0, 0)
}

// sysDup2 is dup2(2).
func sysDup2(t *task.Task, from, to linux.FD) (uintptr, error) {
	if from == to {
		d, err := get(t, from)
		if err != nil {
			return 0, err
		}
		d.DecRef()
		return uintptr(to), nil
	}
	return dupTo(t, from, to, 0)
}

// sysDup3 is dup3(2).
func sysDup3(t *task.Task, from, to linux.FD, flags linux.OpenFlags) (uintptr, error) {
	if flags&^linux.O_CLOEXEC != 0 || from == to {
		return 0, linux.EINVAL
	}
	var f linux.FDFlags
	if flags != 0 {
		f = linux.FD_CLOEXEC
	}
	return dupTo(t, from, to, f)
}

func dupTo(t *task.Task, from, to linux.FD, f linux.FDFlags) (uintptr, error) {
	d, err := get(t, from)
	if err != nil {
		return 0, err
	}
	if err := t.FDs().Replace(to, d, t.Group().Limits().Soft(linux.RLIMIT_NOFILE), f); err != nil {
		d.DecRef()
		return 0, err
	}
	return uintptr(to), nil
}

// sysIoctl is ioctl(2); each kind of file has its own requests.
func sysIoctl(t *task.Task, fd linux.FD, req linux.IoctlCmd, a arg.Hex) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	switch req {
	case linux.FIOCLEX:
		return 0, t.FDs().SetFlags(fd, linux.FD_CLOEXEC)
	case linux.FIONCLEX:
		return 0, t.FDs().SetFlags(fd, 0)
	}
	if l, ok := d.File().(*task.Listener); ok {
		return listenerIoctl(t, d.Description, l, req, a)
	}
	n, err := d.Ioctl(t.Caller(), t.MM(), uint32(req), uint64(a))
	return n, restartable(err)
}

// sysFsync is fsync(2).
func sysFsync(t *task.Task, fd linux.FD) (uintptr, error) { return syncFD(t, fd, false) }

// sysFdatasync is fdatasync(2).
func sysFdatasync(t *task.Task, fd linux.FD) (uintptr, error) { return syncFD(t, fd, true) }

func syncFD(t *task.Task, fd linux.FD, dataOnly bool) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return 0, d.Sync(dataOnly)
}

// sysSyncFileRange is sync_file_range(2); it writes the whole file back.
func sysSyncFileRange(t *task.Task, fd linux.FD, off, n arg.Off, flags uint32) (uintptr, error) {
	const known = 7
	if flags&^known != 0 || off < 0 || n < 0 || off+n < off {
		return 0, linux.EINVAL
	}
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if !d.Seekable() {
		return 0, linux.ESPIPE
	}
	return 0, d.Sync(true)
}

// sysFallocate is fallocate(2).
func sysFallocate(t *task.Task, fd linux.FD, mode linux.FallocateMode, off, n arg.Off) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	c := t.Caller()
	err = d.Allocate(c, mode, int64(off), int64(n))
	_, err = written(t, c, 0, err)
	return 0, err
}

// sysFadvise64 is posix_fadvise(2): advice that changes nothing.
func sysFadvise64(t *task.Task, fd linux.FD, _ arg.Off, n arg.Off, advice linux.Fadvice) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if !d.Seekable() {
		return 0, linux.ESPIPE
	}
	if n < 0 || advice < linux.FADV_NORMAL || advice > linux.FADV_NOREUSE {
		return 0, linux.EINVAL
	}
	return 0, nil
}

// sysReadahead is readahead(2): the host's page cache reads ahead.
func sysReadahead(t *task.Task, fd linux.FD, _ arg.Off, _ arg.Size) (uintptr, error) {
	d, err := readable(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if !d.Path().Dentry.Kind().IsRegular() {
		return 0, linux.EINVAL
	}
	return 0, nil
}
