package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ktime"
	"cordon/sentry/task"
)

// clockOf returns the clock that id names for t, CPU-time clocks of threads and
// processes too (clock_getcpuclockid(3)).
func clockOf(t *task.Task, id linux.ClockID) (ktime.Clock, error) {
	switch id {
	case linux.CLOCK_PROCESS_CPUTIME_ID:
		return t.Group().CPUClock(), nil
	case linux.CLOCK_THREAD_CPUTIME_ID:
		return t.CPUClock(), nil
	}
	if id >= 0 {
		if c, found := t.System().Clocks.ByID(id); found {
			return c, nil
		}
		return nil, linux.EINVAL
	}
	const perThread, kindMask, fdKind = 4, 3, 3
	if id&(perThread|kindMask) == fdKind || id&kindMask == fdKind {
		return nil, linux.EINVAL // a dynamic clock's descriptor
	}
	pid := int32(^(id >> 3))
	if id&perThread != 0 {
		target := t
		if pid != 0 {
			if target = t.Find(pid); target == nil || target.Group() != t.Group() {
				return nil, linux.EINVAL
			}
		}
		return target.CPUClock(), nil
	}
	g := t.Group()
	if pid != 0 {
		if g = t.FindProcess(pid); g == nil {
			return nil, linux.EINVAL
		}
	}
	return g.CPUClock(), nil
}

// sysClockGettime is clock_gettime(2).
func sysClockGettime(t *task.Task, id linux.ClockID, out arg.Out[linux.Timespec]) (uintptr, error) {
	c, err := clockOf(t, id)
	if err != nil {
		return 0, err
	}
	ts := linux.TimespecFromNS(c.Now() + t.TimeAhead(c))
	return 0, out.Store(t.MM(), &ts)
}

// sysClockGetres is clock_getres(2).
func sysClockGetres(t *task.Task, id linux.ClockID, out arg.Out[linux.Timespec]) (uintptr, error) {
	if _, err := clockOf(t, id); err != nil {
		return 0, err
	}
	if out == 0 {
		return 0, nil
	}
	ts := linux.TimespecFromNS(ktime.Resolution(id))
	return 0, out.Store(t.MM(), &ts)
}

// Partial: only CLOCK_REALTIME can be set, and only for the sandbox
func sysClockSettime(t *task.Task, id linux.ClockID, in arg.In[linux.Timespec]) (uintptr, error) {
	ts, err := in.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if id != linux.CLOCK_REALTIME || !ts.Valid() {
		return 0, linux.EINVAL
	}
	if !t.Cred().HasRoot(linux.CAP_SYS_TIME) {
		return 0, linux.EPERM
	}
	t.System().Clocks.SetRealtime(ts.ToNS())
	return 0, nil
}

// sysGettimeofday is gettimeofday(2). The time zone is UTC.
func sysGettimeofday(t *task.Task, tv arg.Out[linux.Timeval], tz arg.Out[linux.Timezone]) (uintptr, error) {
	if tv != 0 {
		v := linux.TimevalFromNS(t.System().Clocks.Realtime.Now())
		if err := tv.Store(t.MM(), &v); err != nil {
			return 0, err
		}
	}
	if tz != 0 {
		return 0, tz.Store(t.MM(), &linux.Timezone{})
	}
	return 0, nil
}

// Partial: the time zone cannot be set: EINVAL
func sysSettimeofday(t *task.Task, tv arg.In[linux.Timeval], tz arg.In[linux.Timezone]) (uintptr, error) {
	if tz != 0 {
		return 0, linux.EINVAL
	}
	if tv == 0 {
		return 0, nil
	}
	v, err := tv.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if !v.Valid() {
		return 0, linux.EINVAL
	}
	if !t.Cred().HasRoot(linux.CAP_SYS_TIME) {
		return 0, linux.EPERM
	}
	t.System().Clocks.SetRealtime(v.ToNS())
	return 0, nil
}

// sysTime is time(2).
func sysTime(t *task.Task, out arg.Out[int64]) (uintptr, error) {
	s := t.System().Clocks.Realtime.Now() / 1e9
	if out != 0 {
		if err := out.Store(t.MM(), &s); err != nil {
			return 0, err
		}
	}
	return uintptr(s), nil
}

// sysNanosleep is nanosleep(2).
func sysNanosleep(t *task.Task, req arg.In[linux.Timespec], rem arg.Out[linux.Timespec]) (uintptr, error) {
	return nanosleep(t, linux.CLOCK_MONOTONIC, false, req, rem)
}

// sysClockNanosleep is clock_nanosleep(2).
func sysClockNanosleep(t *task.Task, id linux.ClockID, flags linux.TimerFlags, req arg.In[linux.Timespec], rem arg.Out[linux.Timespec]) (uintptr, error) {
	if id == linux.CLOCK_THREAD_CPUTIME_ID || !ktime.CanArm(id) {
		return 0, linux.EOPNOTSUPP
	}
	return nanosleep(t, id, flags&linux.TIMER_ABSTIME != 0, req, rem)
}

func nanosleep(t *task.Task, id linux.ClockID, abs bool, req arg.In[linux.Timespec], rem arg.Out[linux.Timespec]) (uintptr, error) {
	clock, err := clockOf(t, id)
	if err != nil {
		return 0, err
	}
	ts, err := req.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if !ts.Valid() {
		return 0, linux.EINVAL
	}
	deadline := ts.ToNS()
	if abs {
		deadline = t.FromOwnTime(clock, deadline)
	} else {
		// A relative sleep on CLOCK_REALTIME is not moved by setting the clock.
		if id == linux.CLOCK_REALTIME {
			id, clock = linux.CLOCK_MONOTONIC, t.System().Clocks.Monotonic
		}
		deadline = after(clock.Now(), deadline)
	}
	return sleepUntil(t, id, clock, deadline, abs, rem)
}

func sleepUntil(t *task.Task, id linux.ClockID, clock ktime.Clock, deadline int64, abs bool, rem arg.Out[linux.Timespec]) (uintptr, error) {
	err := t.Sleep(clock, deadline, func() bool { return false })
	if err == linux.ETIMEDOUT {
		return 0, nil
	}
	if abs {
		return 0, task.RestartNoHand
	}
	if rem != 0 {
		left := linux.TimespecFromNS(max(deadline-clock.Now(), 0))
		if err := rem.Store(t.MM(), &left); err != nil {
			return 0, err
		}
	}
	*t.RestartBlock() = task.RestartBlock{Kind: task.RestartNanosleep, Clock: id, Deadline: deadline, Args: [4]uint64{uint64(rem)}}
	return 0, task.RestartCall
}

// sysRestartSyscall is restart_syscall(2).
func sysRestartSyscall(t *task.Task) (uintptr, error) {
	b := *t.RestartBlock()
	t.RestartBlock().Kind = task.RestartNothing
	switch b.Kind {
	case task.RestartNanosleep:
		clock, err := clockOf(t, b.Clock)
		if err != nil {
			return 0, linux.EINTR
		}
		return sleepUntil(t, b.Clock, clock, b.Deadline, false, arg.Out[linux.Timespec](b.Args[0]))
	case task.RestartPoll:
		return pollUntil(t, arg.InOut[linux.PollFD](b.Args[0]), uint32(b.Args[1]), b.Deadline)
	case task.RestartEpoll:
		return epollUntil(t, linux.FD(b.Args[0]), arg.Out[linux.EpollEvent](b.Args[1]), arg.Count(b.Args[2]), b.Deadline)
	case task.RestartFutex:
		return futexWaitUntil(t, b.Args[0], uint32(b.Args[1]), uint32(b.Args[2]), b.Args[3]&1 != 0, t.System().Clocks.Monotonic, b.Deadline, true)
	}
	return 0, linux.EINTR
}

// sysAlarm is alarm(2).
func sysAlarm(t *task.Task, seconds uint32) (uintptr, error) {
	left, _ := t.Group().SetITimer(linux.ITIMER_REAL, int64(seconds)*1e9, 0)
	s := (left + 500_000_000) / 1e9
	if left > 0 && s == 0 {
		s = 1
	}
	return uintptr(s), nil
}

// sysGetitimer is getitimer(2).
func sysGetitimer(t *task.Task, which linux.ItimerWhich, out arg.Out[linux.Itimerval]) (uintptr, error) {
	if which < 0 || which > linux.ITIMER_PROF {
		return 0, linux.EINVAL
	}
	v, i := t.Group().ITimer(which)
	it := linux.Itimerval{Interval: linux.TimevalFromNS(i), Value: linux.TimevalFromNS(v)}
	return 0, out.Store(t.MM(), &it)
}

// sysSetitimer is setitimer(2).
func sysSetitimer(t *task.Task, which linux.ItimerWhich, in arg.In[linux.Itimerval], out arg.Out[linux.Itimerval]) (uintptr, error) {
	if which < 0 || which > linux.ITIMER_PROF {
		return 0, linux.EINVAL
	}
	var to linux.Itimerval
	if in != 0 {
		var err error
		if to, err = in.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	if !to.Value.Valid() || !to.Interval.Valid() {
		return 0, linux.EINVAL
	}
	v, i := t.Group().SetITimer(which, to.Value.ToNS(), to.Interval.ToNS())
	if out == 0 {
		return 0, nil
	}
	was := linux.Itimerval{Interval: linux.TimevalFromNS(i), Value: linux.TimevalFromNS(v)}
	return 0, out.Store(t.MM(), &was)
}

// sysTimerCreate is timer_create(2).
func sysTimerCreate(t *task.Task, id linux.ClockID, event arg.In[linux.Sigevent], out arg.Out[linux.TimerID]) (uintptr, error) {
	c, err := clockOf(t, id)
	if err != nil {
		return 0, err
	}
	if !ktime.CanArm(id) {
		return 0, linux.EOPNOTSUPP
	}
	ev := linux.Sigevent{Notify: linux.SIGEV_SIGNAL, Signo: linux.SIGALRM}
	byDefault := event == 0
	if !byDefault {
		if ev, err = event.Load(t.MM()); err != nil {
			return 0, err
		}
		switch ev.Notify {
		case linux.SIGEV_NONE:
		case linux.SIGEV_SIGNAL, linux.SIGEV_THREAD_ID:
			if !ev.Signo.Valid() {
				return 0, linux.EINVAL
			}
		default:
			return 0, linux.EINVAL
		}
	}
	tid, e := t.CreateTimer(c, ev, byDefault)
	if e != 0 {
		return 0, e
	}
	if err := out.Store(t.MM(), &tid); err != nil {
		t.Group().DeleteTimer(tid)
		return 0, err
	}
	return 0, nil
}

// sysTimerSettime is timer_settime(2).
func sysTimerSettime(t *task.Task, id linux.TimerID, flags linux.TimerFlags, in arg.In[linux.Itimerspec], out arg.Out[linux.Itimerspec]) (uintptr, error) {
	if in == 0 {
		return 0, linux.EINVAL
	}
	to, err := in.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if !to.Value.Valid() || !to.Interval.Valid() {
		return 0, linux.EINVAL
	}
	was, e := t.SetTimer(id, to, flags&linux.TIMER_ABSTIME != 0)
	if e != 0 {
		return 0, e
	}
	if out != 0 {
		return 0, out.Store(t.MM(), &was)
	}
	return 0, nil
}

// sysTimerGettime is timer_gettime(2).
func sysTimerGettime(t *task.Task, id linux.TimerID, out arg.Out[linux.Itimerspec]) (uintptr, error) {
	v, e := t.Group().Timer(id)
	if e != 0 {
		return 0, e
	}
	return 0, out.Store(t.MM(), &v)
}

// sysTimerGetoverrun is timer_getoverrun(2).
func sysTimerGetoverrun(t *task.Task, id linux.TimerID) (uintptr, error) {
	n, e := t.Group().TimerOverrun(id)
	if e != 0 {
		return 0, e
	}
	return uintptr(n), nil
}

// sysTimerDelete is timer_delete(2).
func sysTimerDelete(t *task.Task, id linux.TimerID) (uintptr, error) {
	return ok(t.Group().DeleteTimer(id))
}
