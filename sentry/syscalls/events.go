package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/eventfd"
	"cordon/sentry/file/signalfd"
	"cordon/sentry/file/timerfd"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// installAnon gives a new file without a name a descriptor. The flags' O_CLOEXEC
// and O_NONBLOCK count, and the access mode.
func installAnon(t *task.Task, name string, f vfs.File, flags linux.OpenFlags) (uintptr, error) {
	return install(t, newAnon(t, name, f, flags), flags)
}

// sysEventfd is eventfd(2) without flags.
func sysEventfd(t *task.Task, count uint32) (uintptr, error) { return sysEventfd2(t, count, 0) }

// sysEventfd2 is eventfd(2).
func sysEventfd2(t *task.Task, count uint32, flags linux.EventfdFlags) (uintptr, error) {
	if flags&^(linux.EFD_SEMAPHORE|linux.EFD_CLOEXEC|linux.EFD_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	f := eventfd.New(uint64(count), flags)
	return installAnon(t, "[eventfd]", f, linux.O_RDWR|linux.OpenFlags(flags&^linux.EFD_SEMAPHORE))
}

// sysTimerfdCreate is timerfd_create(2).
func sysTimerfdCreate(t *task.Task, id linux.ClockID, flags linux.TimerfdFlags) (uintptr, error) {
	if flags&^(linux.TFD_CLOEXEC|linux.TFD_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	f, err := timerfd.New(t.System().Clocks, id)
	if err != nil {
		return 0, err
	}
	if (id == linux.CLOCK_REALTIME_ALARM || id == linux.CLOCK_BOOTTIME_ALARM) && !t.Cred().HasRoot(linux.CAP_WAKE_ALARM) {
		return 0, linux.EPERM
	}
	return installAnon(t, "[timerfd]", f, linux.O_RDWR|linux.OpenFlags(flags))
}

// timerOf returns the timer behind fd and what keeps it.
func timerOf(t *task.Task, fd linux.FD) (*timerfd.Timer, *vfs.Description, error) {
	d, err := get(t, fd)
	if err != nil {
		return nil, nil, err
	}
	f, isTimer := d.File().(*timerfd.Timer)
	if !isTimer {
		d.DecRef()
		return nil, nil, linux.EINVAL
	}
	return f, d, nil
}

// sysTimerfdSettime is timerfd_settime(2).
func sysTimerfdSettime(t *task.Task, fd linux.FD, flags linux.TimerfdFlags, in arg.In[linux.Itimerspec], out arg.Out[linux.Itimerspec]) (uintptr, error) {
	to, err := in.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if flags&^(linux.TFD_TIMER_ABSTIME|linux.TFD_TIMER_CANCEL_ON_SET) != 0 || !to.Value.Valid() || !to.Interval.Valid() {
		return 0, linux.EINVAL
	}
	f, d, err := timerOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if flags&linux.TFD_TIMER_ABSTIME != 0 && !to.Value.IsZero() {
		to.Value = linux.TimespecFromNS(t.FromOwnTime(f.Clock(), to.Value.ToNS()))
	}
	old, err := f.Set(flags, &to)
	if err != nil || out == 0 {
		return 0, err
	}
	return 0, out.Store(t.MM(), &old)
}

// sysTimerfdGettime is timerfd_gettime(2).
func sysTimerfdGettime(t *task.Task, fd linux.FD, out arg.Out[linux.Itimerspec]) (uintptr, error) {
	f, d, err := timerOf(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	v := f.Get()
	return 0, out.Store(t.MM(), &v)
}

// sysSignalfd is signalfd(2) without flags.
func sysSignalfd(t *task.Task, fd linux.FD, mask arg.In[linux.SigSet], size arg.Size) (uintptr, error) {
	return sysSignalfd4(t, fd, mask, size, 0)
}

// sysSignalfd4 is signalfd(2).
func sysSignalfd4(t *task.Task, fd linux.FD, mask arg.In[linux.SigSet], size arg.Size, flags linux.SignalfdFlags) (uintptr, error) {
	if err := checkSetSize(size); err != nil {
		return 0, err
	}
	set, err := mask.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if flags&^(linux.SFD_CLOEXEC|linux.SFD_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	if fd == -1 {
		return installAnon(t, "[signalfd]", signalfd.New(t, set), linux.O_RDWR|linux.OpenFlags(flags))
	}
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	f, isSignalFD := d.File().(*signalfd.File)
	if !isSignalFD {
		return 0, linux.EINVAL
	}
	f.SetMask(set)
	return uintptr(fd), nil
}

// deadlineIn returns the monotonic deadline of a relative time-out: 0 for one that does not
// wait, task.NoDeadline for none.
func deadlineIn(t *task.Task, timeout arg.In[linux.Timespec]) (int64, error) {
	if timeout == 0 {
		return task.NoDeadline, nil
	}
	ts, err := timeout.Load(t.MM())
	if err != nil {
		return 0, err
	}
	switch {
	case !ts.Valid():
		return 0, linux.EINVAL
	case ts.IsZero():
		return 0, nil
	}
	return after(t.System().Clocks.Monotonic.Now(), ts.ToNS()), nil
}
