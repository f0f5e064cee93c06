package timerfd

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// SavedTimer is a Timer in a checkpoint.
type SavedTimer struct {
	Clocks string
	Timer  Image
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("timerfd.Timer",
		func(s *checkpoint.Saver, t *Timer) SavedTimer { return SavedTimer{s.Slot(vfs.SlotClocks), t.Image()} },
		loadTimer)}
}

func loadTimer(l *checkpoint.Loader, t *Timer, saved SavedTimer) error {
	im := &saved.Timer
	v, _ := l.Slot(saved.Clocks)
	clocks, ok := v.(*ktime.Clocks)
	if !ok {
		return linux.EINVAL
	}
	clock, ok := clocks.ByID(im.ID)
	if !ok {
		return linux.EINVAL
	}
	t.clocks, t.id, t.ticks, t.interval, t.flags = clocks, im.ID, im.Ticks, im.Interval, im.Flags
	t.step = wait.Entry{Mask: wait.Internal, Callback: t.cancel}
	if im.OnStep {
		t.watchSteps(linux.TFD_TIMER_ABSTIME | linux.TFD_TIMER_CANCEL_ON_SET)
	}
	t.canceled.Store(im.Canceled)
	t.timer = ktime.NewTimer(clock, t.expired)
	// It may go off at once.
	vfs.AfterFiles(l, func() error {
		t.timer = ktime.RestoreTimer(clock, t.expired, im.Timer)
		return nil
	})
	return nil
}
