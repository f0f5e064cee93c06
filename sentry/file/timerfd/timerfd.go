// Package timerfd is timers as files (timerfd_create(2)).
//
// # Objects
//
// A Timer is a ktime.Timer and the expirations that nobody has read yet.
//
// # Locking
//
// One lock, taken before the timer's; nothing is notified under it.
//
// # Lifetimes
//
// Release stops the timer.
//
// # Checkpoint
//
// Saved: the setting, as times of its clock, and the unread expirations.
package timerfd

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/ktime"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Timer is a timer that can be read.
type Timer struct {
	// immutable
	clocks *ktime.Clocks
	id     linux.ClockID
	timer  *ktime.Timer

	queue wait.Queue
	step  wait.Entry // on clocks.Steps while onStep is set

	mu lock.Mutex[lock.EventCount]
	// guarded by mu
	ticks    uint64 // taken from the timer, not read
	interval linux.Timespec
	flags    linux.TimerfdFlags // of the last Set
	onStep   bool               // TFD_TIMER_CANCEL_ON_SET is in force

	// atomic
	canceled atomic.Bool // the clock was set since: ECANCELED is due
}

var (
	_ vfs.Reader  = (*Timer)(nil)
	_ vfs.Poller  = (*Timer)(nil)
	_ vfs.Ioctler = (*Timer)(nil)
)

// New returns a disarmed timer on the clock id, EINVAL if timerfd has no such
// clock. Privilege for the alarm clocks is the caller's to check.
func New(clocks *ktime.Clocks, id linux.ClockID) (*Timer, error) {
	switch id {
	case linux.CLOCK_REALTIME, linux.CLOCK_MONOTONIC, linux.CLOCK_BOOTTIME,
		linux.CLOCK_REALTIME_ALARM, linux.CLOCK_BOOTTIME_ALARM:
	default:
		return nil, linux.EINVAL
	}
	clock, ok := clocks.ByID(id)
	if !ok {
		return nil, linux.EINVAL
	}
	t := &Timer{clocks: clocks, id: id}
	t.timer = ktime.NewTimer(clock, t.expired)
	t.step = wait.Entry{Mask: wait.Internal, Callback: t.cancel}
	return t, nil
}

// Clock returns the clock that the timer goes by.
func (t *Timer) Clock() ktime.Clock { return t.timer.Clock() }

func (t *Timer) expired() { t.queue.Notify(wait.In | wait.RdNorm) }

// cancel is called when CLOCK_REALTIME was set and the timer asked for it.
func (t *Timer) cancel(*wait.Entry, wait.Events) {
	t.canceled.Store(true)
	t.queue.Notify(wait.In | wait.RdNorm)
}

// Set is timerfd_settime(2); it returns what timerfd_gettime(2) would have.
func (t *Timer) Set(flags linux.TimerfdFlags, spec *linux.Itimerspec) (old linux.Itimerspec, err error) {
	if flags&^(linux.TFD_TIMER_ABSTIME|linux.TFD_TIMER_CANCEL_ON_SET) != 0 {
		return old, linux.EINVAL
	}
	s, err := ktime.SettingOf(t.timer.Clock(), spec, flags&linux.TFD_TIMER_ABSTIME != 0)
	if err != nil {
		return old, err
	}
	t.watchSteps(flags)
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.timer.Set(s)
	old = was.Spec(t.timer.Clock())
	old.Interval = t.interval
	t.ticks, t.interval, t.flags = 0, spec.Interval, flags
	return old, nil
}

// watchSteps begins or ends to be told that the clock was set: absolute timers
// of CLOCK_REALTIME only, as in Linux.
func (t *Timer) watchSteps(flags linux.TimerfdFlags) {
	const both = linux.TFD_TIMER_ABSTIME | linux.TFD_TIMER_CANCEL_ON_SET
	on := flags&both == both && (t.id == linux.CLOCK_REALTIME || t.id == linux.CLOCK_REALTIME_ALARM)
	t.mu.Lock()
	was := t.onStep
	t.onStep = on
	t.canceled.Store(false)
	t.mu.Unlock()
	switch {
	case on && !was:
		t.clocks.Steps.Add(&t.step)
	case !on && was:
		t.clocks.Steps.Remove(&t.step)
	}
}

// Get is timerfd_gettime(2).
func (t *Timer) Get() linux.Itimerspec {
	t.mu.Lock()
	defer t.mu.Unlock()
	spec := t.timer.Setting().Spec(t.timer.Clock())
	spec.Interval = t.interval
	return spec
}

// SeekTo implements vfs.Seeker: there is nothing to seek in (Linux: noop_llseek).
func (*Timer) SeekTo(_ int64, _ int, current int64) (int64, error) { return current, nil }

// Release implements vfs.File.
func (t *Timer) Release() {
	t.timer.Stop()
	t.watchSteps(0)
}

// Read implements vfs.Reader: the number of expirations since the last read.
func (t *Timer) Read(dst *usermem.Seq) (int, error) {
	if dst.Len() < 8 {
		return 0, linux.EINVAL
	}
	t.mu.Lock()
	t.ticks += t.timer.Take()
	n := t.ticks
	t.ticks = 0
	t.mu.Unlock()
	if t.canceled.CompareAndSwap(true, false) {
		return 0, linux.ECANCELED
	}
	if n == 0 {
		return 0, linux.EAGAIN
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	if _, err := dst.CopyOut(b[:]); err != nil {
		return 0, err
	}
	return 8, nil
}

// Readiness implements vfs.Poller.
func (t *Timer) Readiness(mask wait.Events) wait.Events {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ticks > 0 || t.canceled.Load() || t.timer.Fired() {
		return (wait.In | wait.RdNorm) & mask
	}
	return 0
}

// Queue implements vfs.Poller.
func (t *Timer) Queue() *wait.Queue { return &t.queue }

// Ioctl implements vfs.Ioctler: TFD_IOC_SET_TICKS, which Linux has for
// checkpoints.
func (t *Timer) Ioctl(_ *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	if linux.IoctlCmd(req) != linux.TFD_IOC_SET_TICKS {
		return 0, linux.ENOTTY
	}
	var b [8]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(b[:])
	if n == 0 {
		return 0, linux.EINVAL
	}
	t.mu.Lock()
	t.ticks = n
	t.mu.Unlock()
	t.expired()
	return 0, nil
}

// Info is what /proc/pid/fdinfo shows.
func (t *Timer) Info() (id linux.ClockID, ticks uint64, flags linux.TimerfdFlags, spec linux.Itimerspec) {
	spec = t.Get()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id, t.ticks, t.flags, spec
}
