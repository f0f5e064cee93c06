package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
)

func checkSetSize(n arg.Size) error {
	if n != linux.SigSetSize {
		return linux.EINVAL
	}
	return nil
}

// sysRtSigaction is sigaction(2).
func sysRtSigaction(t *task.Task, s linux.Signal, act arg.In[linux.SigAction], old arg.Out[linux.SigAction], n arg.Size) (uintptr, error) {
	if err := checkSetSize(n); err != nil {
		return 0, err
	}
	var to linux.SigAction
	if act != 0 {
		var err error
		if to, err = act.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	if !s.Valid() || act != 0 && linux.UnblockableSignals.Has(s) {
		return 0, linux.EINVAL
	}
	was := t.Group().Actions().Get(s)
	if act != 0 {
		const known = linux.SA_NOCLDSTOP | linux.SA_NOCLDWAIT | linux.SA_SIGINFO | linux.SA_EXPOSE_TAGBITS | linux.SA_RESTORER |
			linux.SA_ONSTACK | linux.SA_RESTART | linux.SA_NODEFER | linux.SA_RESETHAND
		to.Flags &= known
		was = t.SetAction(s, to)
	}
	if old != 0 {
		return 0, old.Store(t.MM(), &was)
	}
	return 0, nil
}

// sysRtSigprocmask is sigprocmask(2).
func sysRtSigprocmask(t *task.Task, how linux.SigHow, set arg.In[linux.SigSet], old arg.Out[linux.SigSet], n arg.Size) (uintptr, error) {
	if err := checkSetSize(n); err != nil {
		return 0, err
	}
	was := t.Mask()
	if set != 0 {
		s, err := set.Load(t.MM())
		if err != nil {
			return 0, err
		}
		switch how {
		case linux.SIG_BLOCK:
			s |= was
		case linux.SIG_UNBLOCK:
			s = was &^ s
		case linux.SIG_SETMASK:
		default:
			return 0, linux.EINVAL
		}
		t.SetMask(s)
	}
	if old != 0 {
		return 0, old.Store(t.MM(), &was)
	}
	return 0, nil
}

// sysRtSigpending is sigpending(2).
func sysRtSigpending(t *task.Task, out arg.Out[linux.SigSet], n arg.Size) (uintptr, error) {
	if n > linux.SigSetSize {
		return 0, linux.EINVAL
	}
	own, shared := t.PendingSets()
	set := (own | shared) & t.Mask()
	_, err := t.MM().CopyOut(uint64(out), arg.Bytes(&set)[:n])
	return 0, err
}

// sysRtSigreturn is sigreturn(2).
func sysRtSigreturn(t *task.Task) (uintptr, error) {
	t.SigReturn()
	return 0, task.Replaced{}
}

// sysRtSigsuspend is sigsuspend(2).
func sysRtSigsuspend(t *task.Task, set arg.In[linux.SigSet], n arg.Size) (uintptr, error) {
	if err := checkSetSize(n); err != nil {
		return 0, err
	}
	s, err := set.Load(t.MM())
	if err != nil {
		return 0, err
	}
	t.SetTemporaryMask(s)
	return pause(t)
}

// sysPause is pause(2).
func sysPause(t *task.Task) (uintptr, error) { return pause(t) }

func pause(t *task.Task) (uintptr, error) {
	_ = t.Sleep(nil, task.NoDeadline, func() bool { return false })
	return 0, task.RestartNoHand
}

// sysRtSigtimedwait is sigtimedwait(2).
func sysRtSigtimedwait(t *task.Task, set arg.In[linux.SigSet], out arg.Out[linux.SigInfo], timeout arg.In[linux.Timespec], n arg.Size) (uintptr, error) {
	if err := checkSetSize(n); err != nil {
		return 0, err
	}
	want, err := set.Load(t.MM())
	if err != nil {
		return 0, err
	}
	want &^= linux.UnblockableSignals
	deadline, err := deadlineIn(t, timeout)
	if err != nil {
		return 0, err
	}
	var info linux.SigInfo
	var got bool
	t.SetWaitSet(want)
	err = t.Sleep(t.System().Clocks.Monotonic, deadline, func() bool {
		info, got = t.TakeSignal(want)
		return got
	})
	t.SetWaitSet(0)
	if !got { // one may have come while we turned away
		info, got = t.TakeSignal(want)
	}
	if !got {
		if err == linux.ETIMEDOUT {
			return 0, linux.EAGAIN
		}
		if t.OnlyFrozen() {
			return 0, task.RestartNoHand // a checkpoint, which nobody sees
		}
		return 0, linux.EINTR
	}
	if out != 0 {
		if err := out.Store(t.MM(), &info); err != nil {
			return 0, err
		}
	}
	return uintptr(info.Signo), nil
}

// after adds a relative time to now without overflow.
func after(now, ns int64) int64 {
	if d := now + ns; d >= now && d < task.NoDeadline {
		return d
	}
	return task.NoDeadline - 1
}

// sysSigaltstack is sigaltstack(2).
func sysSigaltstack(t *task.Task, in arg.In[linux.StackT], out arg.Out[linux.StackT]) (uintptr, error) {
	was := *t.AltStack()
	on := was.Flags&(linux.SS_DISABLE|linux.SS_AUTODISARM) == 0 && was.Contains(t.Regs().RSP)
	if in != 0 {
		s, err := in.Load(t.MM())
		if err != nil {
			return 0, err
		}
		if on {
			return 0, linux.EPERM
		}
		if e := t.SetAltStack(s); e != 0 {
			return 0, e
		}
	}
	if out != 0 {
		if on {
			was.Flags |= linux.SS_ONSTACK
		}
		return 0, out.Store(t.MM(), &was)
	}
	return 0, nil
}

// userInfo is the siginfo of a kill by t.
func userInfo(t *task.Task, s linux.Signal, code linux.SigCode) *linux.SigInfo {
	info := &linux.SigInfo{Signo: s, Code: code}
	info.SetPID(t.OwnPID())
	info.SetUID(t.Cred().UserNS.FromRootUID(t.Cred().RUID))
	return info
}

// sysKill is kill(2).
func sysKill(t *task.Task, pid arg.PID, sig linux.Signal) (uintptr, error) {
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	info := userInfo(t, sig, linux.SI_USER)
	if pid > 0 {
		g := t.FindProcess(int32(pid))
		if target := t.Find(int32(pid)); g == nil && target != nil {
			g = target.Group() // kill(2) takes a thread's id for its process
		}
		if g == nil {
			return 0, linux.ESRCH
		}
		return sendOne(t, g, info)
	}
	if pid == -0x80000000 {
		return 0, linux.ESRCH
	}
	pgid := t.ToRootPID(-int32(pid))
	if pid == 0 {
		pgid = t.ProcessGroup()
	}
	var found, sent bool
	err := error(linux.ESRCH)
	own := t.Group().PIDs()
	for _, g := range t.System().In(own) {
		if pid == -1 {
			if g == own.Init() || g == t.Group() {
				continue
			}
		} else if !g.InProcessGroup(pgid) {
			continue
		}
		found = true
		if _, e := sendOne(t, g, info); e == nil {
			sent = true
		} else if e != linux.ESRCH {
			err = e
		}
	}
	if sent || found && err == linux.ESRCH {
		return 0, nil
	}
	return 0, err
}

func sendOne(t *task.Task, g *task.ThreadGroup, info *linux.SigInfo) (uintptr, error) {
	if !g.Leader().MaySignal(t, info.Signo) {
		return 0, linux.EPERM
	}
	if info.Signo == 0 || g.Exited() {
		return 0, nil
	}
	return ok(g.SendFrom(t, nil, info))
}

// sysTkill is tkill(2).
func sysTkill(t *task.Task, tid arg.PID, sig linux.Signal) (uintptr, error) {
	if tid <= 0 {
		return 0, linux.EINVAL
	}
	return tgkill(t, 0, int32(tid), sig, nil)
}

// sysTgkill is tgkill(2).
func sysTgkill(t *task.Task, pid, tid arg.PID, sig linux.Signal) (uintptr, error) {
	if pid <= 0 || tid <= 0 {
		return 0, linux.EINVAL
	}
	return tgkill(t, int32(pid), int32(tid), sig, nil)
}

func tgkill(t *task.Task, pid, tid int32, sig linux.Signal, info *linux.SigInfo) (uintptr, error) {
	if sig < 0 || sig > linux.NSIG {
		return 0, linux.EINVAL
	}
	target := t.Find(tid)
	if target == nil || pid != 0 && target.PID() != t.ToRootPID(pid) {
		return 0, linux.ESRCH
	}
	if !target.MaySignal(t, sig) {
		return 0, linux.EPERM
	}
	if sig == 0 {
		return 0, nil
	}
	if info == nil {
		info = userInfo(t, sig, linux.SI_TKILL)
	}
	return ok(target.Group().SendFrom(t, target, info))
}

// sysRtSigqueueinfo is rt_sigqueueinfo(2).
func sysRtSigqueueinfo(t *task.Task, pid arg.PID, sig linux.Signal, in arg.In[linux.SigInfo]) (uintptr, error) {
	info, err := queueInfo(t, t.FindProcess(int32(pid)) == t.Group(), sig, in)
	if err != nil {
		return 0, err
	}
	g := t.FindProcess(int32(pid))
	if g == nil {
		return 0, linux.ESRCH
	}
	return sendOne(t, g, info)
}

// sysRtTgsigqueueinfo is rt_tgsigqueueinfo(2).
func sysRtTgsigqueueinfo(t *task.Task, pid, tid arg.PID, sig linux.Signal, in arg.In[linux.SigInfo]) (uintptr, error) {
	if pid <= 0 || tid <= 0 {
		return 0, linux.EINVAL
	}
	info, err := queueInfo(t, int32(pid) == t.OwnPID(), sig, in)
	if err != nil {
		return 0, err
	}
	return tgkill(t, int32(pid), int32(tid), sig, info)
}

// queueInfo reads a siginfo of the caller's making. It may not look like the
// kernel's or like kill's to another process.
func queueInfo(t *task.Task, self bool, sig linux.Signal, in arg.In[linux.SigInfo]) (*linux.SigInfo, error) {
	info, err := in.Load(t.MM())
	if err != nil {
		return nil, err
	}
	if sig < 0 || sig > linux.NSIG {
		return nil, linux.EINVAL
	}
	info.Signo = sig
	if (info.Code >= 0 || info.Code == linux.SI_TKILL) && !self {
		return nil, linux.EPERM
	}
	return &info, nil
}
