package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// fcntlLocks are fcntl's commands on record locks and on signals.
func fcntlLocks(t *task.Task, d *vfs.Description, cmd linux.FcntlCmd, a arg.Hex) (uintptr, error) {
	switch cmd {
	case linux.F_GETLK, linux.F_OFD_GETLK:
		return getLock(t, d, cmd == linux.F_OFD_GETLK, uint64(a))
	case linux.F_SETLK, linux.F_SETLKW, linux.F_OFD_SETLK, linux.F_OFD_SETLKW:
		return setLock(t, d, cmd, uint64(a))
	case linux.F_SETOWN, linux.F_GETOWN, linux.F_SETOWN_EX, linux.F_GETOWN_EX, linux.F_SETSIG, linux.F_GETSIG:
		return fcntlOwner(t, d, cmd, a)
	}
	return 0, linux.EINVAL
}

func loadLock(t *task.Task, d *vfs.Description, addr uint64, ofd bool) (linux.Flock, vfs.LockRequest, error) {
	fl, err := arg.LoadAt[linux.Flock](t.MM(), addr)
	if err != nil {
		return fl, vfs.LockRequest{}, err
	}
	if ofd && fl.PID != 0 {
		return fl, vfs.LockRequest{}, linux.EINVAL
	}
	r, err := d.LockRange(&fl)
	r.PID, r.OFD = t.PID(), ofd
	return fl, r, err
}

func getLock(t *task.Task, d *vfs.Description, ofd bool, addr uint64) (uintptr, error) {
	fl, r, err := loadLock(t, d, addr, ofd)
	if err != nil {
		return 0, err
	}
	if r.Type == linux.F_UNLCK {
		return 0, linux.EINVAL
	}
	held := d.GetLock(t.FDs(), r)
	if held.Type == linux.F_UNLCK {
		fl.Type = linux.F_UNLCK
		return 0, arg.StoreAt(t.MM(), addr, &fl)
	}
	fl = linux.Flock{Type: held.Type, Whence: int16(linux.SEEK_SET), Start: held.Start, PID: t.FromRootPID(held.PID)}
	const forever = 1<<63 - 1
	if held.End != forever {
		fl.Len = held.End - held.Start
	}
	return 0, arg.StoreAt(t.MM(), addr, &fl)
}

func setLock(t *task.Task, d *vfs.Description, cmd linux.FcntlCmd, addr uint64) (uintptr, error) {
	ofd := cmd == linux.F_OFD_SETLK || cmd == linux.F_OFD_SETLKW
	_, r, err := loadLock(t, d, addr, ofd)
	if err != nil {
		return 0, err
	}
	if r.Type == linux.F_RDLCK && !d.Readable() || r.Type == linux.F_WRLCK && !d.Writable() {
		return 0, linux.EBADF
	}
	if cmd == linux.F_SETLK || cmd == linux.F_OFD_SETLK {
		return 0, d.SetLock(t.FDs(), r)
	}
	err = waitLock(t, d, func() error { return d.SetLockWaiting(t.FDs(), r) })
	d.EndLockWait(t.FDs())
	return 0, err
}

// waitLock calls try until it does not return EAGAIN.
func waitLock(t *task.Task, d *vfs.Description, try func() error) error {
	e := t.Waker(wait.In)
	d.LockQueue().Add(e)
	defer d.LockQueue().Remove(e)
	var err error
	if t.Sleep(nil, task.NoDeadline, func() bool { err = try(); return err != linux.EAGAIN }) != nil {
		return task.RestartSys
	}
	return err
}

// sysFlock is flock(2).
func sysFlock(t *task.Task, fd linux.FD, op linux.FlockOp) (uintptr, error) {
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if err = d.Flock(op, t.PID()); err != linux.EAGAIN || op&linux.LOCK_NB != 0 {
		return 0, err
	}
	return 0, waitLock(t, d, func() error { return d.Flock(op, t.PID()) })
}

func fcntlOwner(t *task.Task, d *vfs.Description, cmd linux.FcntlCmd, a arg.Hex) (uintptr, error) {
	who, sig := d.Owner()
	switch cmd {
	case linux.F_GETSIG:
		return uintptr(sig), nil
	case linux.F_SETSIG:
		if a > linux.NSIG {
			return 0, linux.EINVAL
		}
		d.SetSignal(linux.Signal(a), 0)
		return 0, nil
	case linux.F_GETOWN, linux.F_GETOWN_EX:
		var o linux.FOwnerEx
		if who != nil {
			o = who.Owner()
			o.PID = t.FromRootPID(o.PID)
		}
		if cmd == linux.F_GETOWN_EX {
			return 0, arg.StoreAt(t.MM(), uint64(a), &o)
		}
		if o.Type == linux.F_OWNER_PGRP {
			return uintptr(-int64(o.PID)), nil
		}
		return uintptr(o.PID), nil
	case linux.F_SETOWN_EX:
		o, err := arg.LoadAt[linux.FOwnerEx](t.MM(), uint64(a))
		if err != nil {
			return 0, err
		}
		return setOwner(t, d, o)
	}
	o := linux.FOwnerEx{Type: linux.F_OWNER_PID, PID: int32(a)}
	if o.PID < 0 {
		o = linux.FOwnerEx{Type: linux.F_OWNER_PGRP, PID: -o.PID}
	}
	return setOwner(t, d, o)
}

func setOwner(t *task.Task, d *vfs.Description, o linux.FOwnerEx) (uintptr, error) {
	if o.PID == 0 {
		d.SetOwner(nil)
		return 0, nil
	}
	o.PID = t.ToRootPID(o.PID)
	target, e := t.System().SignalTarget(t, o)
	if e != 0 {
		return 0, e
	}
	d.SetOwner(target)
	return 0, nil
}
