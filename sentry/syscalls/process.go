package syscalls

import (
	"math"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/fs/cgroupfs"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// sysGetpid is getpid(2).
func sysGetpid(t *task.Task) (uintptr, error) { return uintptr(t.OwnPID()), nil }

// sysGettid is gettid(2).
func sysGettid(t *task.Task) (uintptr, error) { return uintptr(t.OwnTID()), nil }

// sysGetppid is getppid(2).
func sysGetppid(t *task.Task) (uintptr, error) {
	return uintptr(t.FromRootPID(t.Group().ParentID())), nil
}

// sysGetpgrp is getpgrp(2).
func sysGetpgrp(t *task.Task) (uintptr, error) { return uintptr(t.FromRootPID(t.ProcessGroup())), nil }

// sysGetpgid is getpgid(2).
func sysGetpgid(t *task.Task, pid arg.PID) (uintptr, error) {
	pgid, _, e := t.GroupOf(int32(pid))
	if e != 0 {
		return 0, e
	}
	return uintptr(t.FromRootPID(pgid)), nil
}

// sysGetsid is getsid(2).
func sysGetsid(t *task.Task, pid arg.PID) (uintptr, error) {
	_, sid, e := t.GroupOf(int32(pid))
	if e != 0 {
		return 0, e
	}
	return uintptr(t.FromRootPID(sid)), nil
}

// sysSetpgid is setpgid(2).
func sysSetpgid(t *task.Task, pid, pgid arg.PID) (uintptr, error) {
	return ok(t.SetPGID(int32(pid), int32(pgid)))
}

// sysSetsid is setsid(2).
func sysSetsid(t *task.Task) (uintptr, error) {
	id, e := t.SetSID()
	if e != 0 {
		return 0, e
	}
	return uintptr(t.FromRootPID(id)), nil
}

// sysExit is exit(2), of one thread.
func sysExit(t *task.Task, code int32) (uintptr, error) {
	t.Exit(code)
	return 0, nil
}

// sysExitGroup is exit_group(2).
func sysExitGroup(t *task.Task, code int32) (uintptr, error) {
	t.ExitGroup(code)
	return 0, nil
}

// sysSetTidAddress is set_tid_address(2).
func sysSetTidAddress(t *task.Task, addr arg.Addr) (uintptr, error) {
	t.SetClearTID(uint64(addr))
	return uintptr(t.OwnTID()), nil
}

// sysFork is fork(2).
func sysFork(t *task.Task) (uintptr, error) {
	return clone(t, &linux.CloneArgs{ExitSignal: uint64(linux.SIGCHLD)})
}

// sysVfork is vfork(2).
func sysVfork(t *task.Task) (uintptr, error) {
	return clone(t, &linux.CloneArgs{Flags: linux.CLONE_VFORK | linux.CLONE_VM, ExitSignal: uint64(linux.SIGCHLD)})
}

// sysClone is clone(2).
func sysClone(t *task.Task, flags linux.CloneFlags, stack arg.Addr, parentTID, childTID, tls arg.Addr) (uintptr, error) {
	flags &= math.MaxUint32 // as in Linux, the flags above are clone3's alone
	a := &linux.CloneArgs{
		Flags: flags &^ linux.CSIGNAL, ExitSignal: uint64(flags & linux.CSIGNAL), Stack: uint64(stack),
		ParentTID: uint64(parentTID), ChildTID: uint64(childTID), TLS: uint64(tls),
	}
	if a.Flags&linux.CLONE_PIDFD != 0 {
		if a.Flags&linux.CLONE_PARENT_SETTID != 0 {
			return 0, linux.EINVAL
		}
		a.Pidfd = a.ParentTID
	}
	return clone(t, a)
}

// Partial: set_tid and the namespaces that clone refuses are refused
func sysClone3(t *task.Task, args arg.In[linux.CloneArgs], size arg.Size) (uintptr, error) {
	const v0, pageMax = 64, 4096
	if size > pageMax {
		return 0, linux.E2BIG
	}
	if size < v0 {
		return 0, linux.EINVAL
	}
	a, err := loadVersioned[linux.CloneArgs](t.MM(), uint64(args), uint64(size))
	if err != nil {
		return 0, err
	}
	const signals = 0xff
	if a.Flags&(linux.CloneFlags(signals)&^linux.CLONE_NEWTIME|linux.CLONE_DETACHED) != 0 || a.ExitSignal&^signals != 0 ||
		a.ExitSignal > linux.NSIG || a.SetTIDSize != 0 || a.Flags&(linux.CLONE_THREAD|linux.CLONE_PARENT) != 0 && a.ExitSignal != 0 {
		return 0, linux.EINVAL
	}
	if (a.Stack == 0) != (a.StackSize == 0) {
		return 0, linux.EINVAL
	}
	if a.Flags&linux.CLONE_INTO_CGROUP != 0 {
		if err := cloneInto(t, &a, uint64(size)); err != nil {
			return 0, err
		}
	}
	return clone(t, &a)
}

// cloneInto prepares the next clone to make a process of a control group.
func cloneInto(t *task.Task, a *linux.CloneArgs, size uint64) error {
	const v2 = 88
	if size < v2 || a.Cgroup > math.MaxInt32 {
		return linux.EINVAL
	}
	d := t.FDs().Get(linux.FD(a.Cgroup))
	if d == nil {
		return linux.EBADF
	}
	defer d.DecRef()
	g := cgroupfs.GroupOf(d.Path())
	if g == nil {
		return linux.EBADF
	}
	if err := cgroupfs.MayMove(t, t.Group().Cgroup(), g); err != nil {
		return err
	}
	if e := t.CloneInto(g); e != 0 {
		return e
	}
	return nil
}

func clone(t *task.Task, a *linux.CloneArgs) (uintptr, error) {
	var pid int32
	t.System().WaitForRoom()
	child, e := t.Clone(a, func(c *task.Task) linux.Errno {
		pid = t.FromRootPID(c.TID())
		return cloneStores(t, c, a)
	})
	if e != 0 {
		return 0, e
	}
	_ = child
	return uintptr(pid), nil
}

// cloneStores writes the ids and makes the pidfd that a clone asks for.
func cloneStores(t, c *task.Task, a *linux.CloneArgs) linux.Errno {
	tid := t.FromRootPID(c.TID())
	if a.Flags&linux.CLONE_PIDFD != 0 {
		fd, err := installPidFD(t, c, a.Flags&linux.CLONE_THREAD != 0)
		if err != nil {
			return errno(err)
		}
		if err := arg.StoreAt(t.MM(), a.Pidfd, &fd); err != nil {
			t.FDs().Close(linux.FD(fd))
			return linux.EFAULT
		}
	}
	if a.Flags&linux.CLONE_PARENT_SETTID != 0 {
		_ = arg.StoreAt(t.MM(), a.ParentTID, &tid) // as in Linux, a bad address is ignored
	}
	if a.Flags&linux.CLONE_CHILD_SETTID != 0 {
		own := c.OwnTID()
		_ = arg.StoreAt(c.MM(), a.ChildTID, &own)
	}
	return 0
}

// errno returns the Errno of an error that is one.
func errno(err error) linux.Errno {
	if e, ok := err.(linux.Errno); ok {
		return e
	}
	return linux.EINTR
}

// sysExecve is execve(2).
func sysExecve(t *task.Task, path arg.Path, argv, envp arg.StringVec) (uintptr, error) {
	return execve(t, linux.AT_FDCWD, path, argv, envp, 0)
}

// sysExecveat is execveat(2).
func sysExecveat(t *task.Task, dir linux.FD, path arg.Path, argv, envp arg.StringVec, flags linux.AtFlags) (uintptr, error) {
	return execve(t, dir, path, argv, envp, flags)
}

func execve(t *task.Task, dir linux.FD, path arg.Path, argv, envp arg.StringVec, flags linux.AtFlags) (uintptr, error) {
	if flags&^(linux.AT_EMPTY_PATH|linux.AT_SYMLINK_NOFOLLOW) != 0 {
		return 0, linux.EINVAL
	}
	name, err := path.Load(t.MM())
	if err != nil {
		return 0, err
	}
	a := &task.ExecArgs{Path: name, Nofol: flags&linux.AT_SYMLINK_NOFOLLOW != 0}
	if dir != linux.AT_FDCWD && (name == "" || name[0] != '/') {
		d := t.FDs().Get(dir)
		if d == nil {
			return 0, linux.EBADF
		}
		defer d.DecRef()
		fdFlags, _ := t.FDs().Flags(dir)
		a.CloseX = fdFlags&linux.FD_CLOEXEC != 0
		a.Path = "/dev/fd/" + itoa(int64(dir))
		if name == "" {
			if flags&linux.AT_EMPTY_PATH == 0 {
				return 0, linux.ENOENT
			}
			a.File = d
		} else {
			a.Start = d.Path()
			a.Rel = name
			a.Path += "/" + name
		}
	} else if name == "" {
		return 0, linux.ENOENT
	}
	if a.Argv, err = loadStrings(t, argv); err != nil {
		return 0, err
	}
	if a.Envv, err = loadStrings(t, envp); err != nil {
		return 0, err
	}
	if len(a.Argv) == 0 {
		a.Argv = []string{""} // Linux does so since 5.18
	}
	if err := t.Exec(a); err != nil {
		return 0, err
	}
	return 0, task.Replaced{}
}

// maxStrings bounds argv and envp together with the bytes that the loader
// allows.
const (
	maxStrings   = 1 << 18
	maxStringLen = 32 * pageSize
	maxBytes     = 8 << 20
)

func loadStrings(t *task.Task, v arg.StringVec) ([]string, error) {
	if v == 0 {
		return nil, nil
	}
	var out []string
	total := 0
	for at := uint64(v); ; at += 8 {
		p, err := t.MM().LoadUint64(at)
		if err != nil {
			return nil, linux.EFAULT
		}
		if p == 0 {
			return out, nil
		}
		s, err := t.MM().CopyInString(p, maxStringLen)
		if err != nil {
			if err != linux.EFAULT {
				err = linux.E2BIG
			}
			return nil, err
		}
		total += len(s) + 9
		if len(out) >= maxStrings || total > maxBytes {
			return nil, linux.E2BIG
		}
		out = append(out, s)
	}
}

// sysWait4 is wait4(2).
func sysWait4(t *task.Task, pid arg.PID, status arg.Out[int32], options linux.WaitOptions, usage arg.Out[linux.Rusage]) (uintptr, error) {
	const known = linux.WNOHANG | linux.WUNTRACED | linux.WCONTINUED | linux.WNOTHREAD | linux.WCLONE | linux.WALL
	if options&^known != 0 {
		return 0, linux.EINVAL
	}
	if pid == -0x80000000 {
		return 0, linux.ESRCH
	}
	o := &task.WaitOptions{Options: options | linux.WEXITED}
	switch {
	case pid == -1:
		o.Type = linux.P_ALL
	case pid <= 0:
		o.Type, o.ID = linux.P_PGID, -int32(pid)
	default:
		o.Type, o.ID = linux.P_PID, int32(pid)
	}
	res, err := t.Wait(o)
	if err != nil || res.PID == 0 {
		return 0, err
	}
	if status != 0 {
		w := int32(res.Status)
		if err := status.Store(t.MM(), &w); err != nil {
			return 0, err
		}
	}
	if usage != 0 {
		ru := rusage(&res.Usage)
		if err := usage.Store(t.MM(), &ru); err != nil {
			return 0, err
		}
	}
	return uintptr(res.PID), nil
}

// sysWaitid is waitid(2).
func sysWaitid(t *task.Task, kind linux.WaitIDType, id arg.PID, info arg.Out[linux.SigInfo], options linux.WaitOptions, usage arg.Out[linux.Rusage]) (uintptr, error) {
	const known = linux.WNOHANG | linux.WNOWAIT | linux.WEXITED | linux.WSTOPPED | linux.WCONTINUED | linux.WNOTHREAD | linux.WCLONE | linux.WALL
	if options&^known != 0 || options&(linux.WEXITED|linux.WSTOPPED|linux.WCONTINUED) == 0 {
		return 0, linux.EINVAL
	}
	o := &task.WaitOptions{Type: kind, ID: int32(id), Options: options}
	switch kind {
	case linux.P_ALL:
	case linux.P_PID:
		if id <= 0 {
			return 0, linux.EINVAL
		}
	case linux.P_PGID:
		if id < 0 {
			return 0, linux.EINVAL
		}
	case linux.P_PIDFD:
		d := t.FDs().Get(linux.FD(id))
		if d == nil {
			return 0, linux.EBADF
		}
		defer d.DecRef()
		p, isPidFD := d.File().(*task.PidFD)
		if !isPidFD {
			return 0, linux.EBADF
		}
		o.Group = p.Group()
		if d.Nonblocking() {
			o.Options |= linux.WNOHANG
		}
	default:
		return 0, linux.EINVAL
	}
	res, err := t.Wait(o)
	if err != nil {
		return 0, err
	}
	if kind == linux.P_PIDFD && res.PID == 0 && options&linux.WNOHANG == 0 {
		return 0, linux.EAGAIN
	}
	if info != 0 {
		var si linux.SigInfo
		if res.PID != 0 {
			code, status := task.ChildEvents(res.Status)
			if res.Trapped {
				code, status = linux.CLD_TRAPPED, int32(res.Status>>8)
			}
			si = linux.SigInfo{Signo: linux.SIGCHLD, Code: code}
			si.SetPID(res.PID)
			si.SetUID(t.Cred().UserNS.FromRootUID(res.UID))
			si.SetStatus(status)
		}
		if err := info.Store(t.MM(), &si); err != nil {
			return 0, err
		}
	}
	if usage != 0 && res.PID != 0 {
		ru := rusage(&res.Usage)
		if err := usage.Store(t.MM(), &ru); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func rusage(u *task.Usage) linux.Rusage {
	return linux.Rusage{
		Utime: linux.TimevalFromNS(u.UserNS), Stime: linux.TimevalFromNS(u.SystemNS),
		Maxrss: int64(u.MaxRSSBytes >> 10), Minflt: u.MinorFaults, Nvcsw: u.Voluntary, Nivcsw: u.Involuntary,
	}
}

// sysGetrusage is getrusage(2).
func sysGetrusage(t *task.Task, who linux.RusageWho, out arg.Out[linux.Rusage]) (uintptr, error) {
	var u task.Usage
	switch who {
	case linux.RUSAGE_SELF:
		u = t.Group().UsageAndRSS()
	case linux.RUSAGE_CHILDREN:
		u = t.Group().ChildrenUsage()
	case linux.RUSAGE_THREAD:
		u = t.UsageAndRSS()
	default:
		return 0, linux.EINVAL
	}
	ru := rusage(&u)
	return 0, out.Store(t.MM(), &ru)
}

// sysTimes is times(2).
func sysTimes(t *task.Task, out arg.Out[linux.Tms]) (uintptr, error) {
	const tick = 10_000_000
	if out != 0 {
		self, kids := t.Group().Usage(), t.Group().ChildrenUsage()
		v := linux.Tms{
			Utime: self.UserNS / tick, Stime: self.SystemNS / tick,
			Cutime: kids.UserNS / tick, Cstime: kids.SystemNS / tick,
		}
		if err := out.Store(t.MM(), &v); err != nil {
			return 0, err
		}
	}
	return uintptr(t.System().Clocks.Boottime.Now() / tick), nil
}

var _ vfs.Path
