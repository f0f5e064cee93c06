package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// installPidFD makes a descriptor for the process of c, or for c alone.
func installPidFD(t, c *task.Task, thread bool) (int32, error) {
	var only *task.Task
	if thread {
		only = c
	}
	fd, err := install(t, newAnon(t, "[pidfd]", task.NewPidFD(c.Group(), only), linux.O_RDWR), linux.O_CLOEXEC)
	return int32(fd), err
}

// newAnon makes a description of a file without a name. name is what
// /proc/self/fd shows behind "anon_inode:".
func newAnon(t *task.Task, name string, f vfs.File, flags linux.OpenFlags) *vfs.Description {
	return t.System().VFS.NewAnonFile(t.Caller(), f, name, flags)
}

// sysPidfdOpen is pidfd_open(2).
func sysPidfdOpen(t *task.Task, pid arg.PID, flags linux.PidfdFlags) (uintptr, error) {
	if flags&^(linux.PIDFD_NONBLOCK|linux.PIDFD_THREAD) != 0 || pid <= 0 {
		return 0, linux.EINVAL
	}
	target := t.Find(int32(pid))
	if target == nil {
		return 0, linux.ESRCH
	}
	var only *task.Task
	if flags&linux.PIDFD_THREAD != 0 {
		only = target
	} else if target != target.Group().Leader() {
		return 0, linux.EINVAL
	}
	open := linux.O_RDWR
	if flags&linux.PIDFD_NONBLOCK != 0 {
		open |= linux.O_NONBLOCK
	}
	return install(t, newAnon(t, "[pidfd]", task.NewPidFD(target.Group(), only), open), linux.O_CLOEXEC)
}

func pidFD(t *task.Task, fd linux.FD) (*task.PidFD, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	if p, isPidFD := d.File().(*task.PidFD); isPidFD {
		return p, nil
	}
	return nil, linux.EBADF
}

// signalled is pidFD that takes a directory of /proc, too.
func signalled(t *task.Task, fd linux.FD) (*task.PidFD, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, err
	}
	defer d.DecRef()
	if g := procfs.ProcessOf(d.File()); g != nil {
		return task.NewPidFD(g, nil), nil
	}
	return pidFD(t, fd)
}

// sysPidfdSendSignal is pidfd_send_signal(2).
//
// Partial: PIDFD_SIGNAL_PROCESS_GROUP is EINVAL
func sysPidfdSendSignal(t *task.Task, fd linux.FD, sig linux.Signal, in arg.In[linux.SigInfo], flags uint32) (uintptr, error) {
	const thread, group = 1, 2
	if flags != 0 && flags != thread && flags != group {
		return 0, linux.EINVAL
	}
	p, err := signalled(t, fd)
	if err != nil {
		return 0, err
	}
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	info := userInfo(t, sig, linux.SI_USER)
	if in != 0 {
		if info, err = queueInfo(t, p.Group() == t.Group(), sig, in); err != nil {
			return 0, err
		}
	}
	if p.Group().Exited() {
		return 0, linux.ESRCH
	}
	if to := p.Thread(); to != nil && flags != group || flags == thread {
		if to == nil {
			to = p.Group().Leader()
		}
		if !to.MaySignal(t, sig) {
			return 0, linux.EPERM
		}
		if sig == 0 {
			return 0, nil
		}
		return ok(to.Group().SendFrom(t, to, info))
	}
	return sendOne(t, p.Group(), info)
}

// sysPidfdGetfd is pidfd_getfd(2).
func sysPidfdGetfd(t *task.Task, fd, theirs linux.FD, flags uint32) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	p, err := pidFD(t, fd)
	if err != nil {
		return 0, err
	}
	target := p.Thread()
	if target == nil {
		target = p.Group().Leader()
	}
	if p.Group().Exited() {
		return 0, linux.ESRCH
	}
	if !mayInspect(t, target) {
		return 0, linux.EPERM
	}
	d := target.FileOf(theirs)
	if d == nil {
		return 0, linux.EBADF
	}
	return install(t, d, linux.O_CLOEXEC)
}
