package timerfd

import (
	"cordon/internal/linux"
	"cordon/sentry/ktime"
)

// Image is a Timer in a checkpoint.
type Image struct {
	ID       linux.ClockID
	Timer    ktime.TimerImage
	Ticks    uint64
	Interval linux.Timespec
	Flags    linux.TimerfdFlags
	OnStep   bool
	Canceled bool
}

// Image returns t's image.
func (t *Timer) Image() Image {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Image{
		ID: t.id, Timer: t.timer.Image(), Ticks: t.ticks, Interval: t.interval,
		Flags: t.flags, OnStep: t.onStep, Canceled: t.canceled.Load(),
	}
}

// Restore makes a Timer of its image.
func Restore(clocks *ktime.Clocks, im Image) (*Timer, error) {
	t, err := New(clocks, im.ID)
	if err != nil {
		return nil, err
	}
	if im.OnStep {
		t.watchSteps(linux.TFD_TIMER_ABSTIME | linux.TFD_TIMER_CANCEL_ON_SET)
	}
	t.ticks, t.interval, t.flags = im.Ticks, im.Interval, im.Flags
	t.canceled.Store(im.Canceled)
	t.timer = ktime.RestoreTimer(t.timer.Clock(), t.expired, im.Timer)
	return t, nil
}
