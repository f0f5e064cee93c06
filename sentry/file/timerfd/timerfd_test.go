package timerfd

import (
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/usermem"
	"cordon/sentry/wait"
)

func read(t *Timer) (uint64, error) {
	b := make([]byte, 8)
	s := usermem.OfBytes(b)
	_, err := t.Read(&s)
	return binary.LittleEndian.Uint64(b), err
}

func spec(value, interval int64) *linux.Itimerspec {
	return &linux.Itimerspec{Value: linux.TimespecFromNS(value), Interval: linux.TimespecFromNS(interval)}
}

func TestTimer(t *testing.T) {
	clocks, v := ktime.NewVirtual(1e15)
	tm, err := New(clocks, linux.CLOCK_MONOTONIC)
	if err != nil {
		t.Fatal(err)
	}
	woken := 0
	tm.Queue().Add(&wait.Entry{Mask: wait.In, Callback: func(*wait.Entry, wait.Events) { woken++ }})

	t.Run("interval", func(t *testing.T) {
		tm.Set(0, spec(100, 10))
		if _, err := read(tm); err != linux.EAGAIN {
			t.Errorf("read: %v", err)
		}
		v.Advance(125)
		if tm.Readiness(wait.In) != wait.In || woken != 1 {
			t.Errorf("not ready, woken %d times", woken)
		}
		if got := tm.Get(); got != *spec(5, 10) {
			t.Errorf("Get = %v", got)
		}
		if n, err := read(tm); n != 3 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		if tm.Readiness(wait.In) != 0 {
			t.Error("still ready")
		}
	})
	t.Run("absolute in the past", func(t *testing.T) {
		old, err := tm.Set(linux.TFD_TIMER_ABSTIME, spec(1, 0))
		if err != nil || old != *spec(5, 10) {
			t.Errorf("Set: %v, %v", old, err)
		}
		if n, err := read(tm); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	})
	t.Run("disarm", func(t *testing.T) {
		tm.Set(0, spec(10, 10))
		v.Advance(15)
		tm.Set(0, spec(0, 7))
		if _, err := read(tm); err != linux.EAGAIN {
			t.Errorf("read: %v", err)
		}
		if got := tm.Get(); got != *spec(0, 7) {
			t.Errorf("Get = %v", got)
		}
	})
	t.Run("bad", func(t *testing.T) {
		if _, err := tm.Set(4, spec(1, 0)); err != linux.EINVAL {
			t.Errorf("flags: %v", err)
		}
		if _, err := tm.Set(0, &linux.Itimerspec{Value: linux.Timespec{Nsec: -1}}); err != linux.EINVAL {
			t.Errorf("time: %v", err)
		}
		if _, err := New(clocks, linux.CLOCK_MONOTONIC_RAW); err != linux.EINVAL {
			t.Errorf("clock: %v", err)
		}
	})
	t.Run("image", func(t *testing.T) {
		tm.Set(0, spec(50, 20))
		im := tm.Image()
		tm.Release()
		r, err := Restore(clocks, im)
		if err != nil || r.Image() != im {
			t.Fatalf("image does not survive: %v", err)
		}
		v.Advance(75)
		if n, err := read(r); n != 2 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		r.Release()
	})
	if _, ok := v.Next(); ok {
		t.Error("an alarm is left")
	}
}

func TestCancelOnSet(t *testing.T) {
	clocks, v := ktime.NewVirtual(1e15)
	tm, _ := New(clocks, linux.CLOCK_REALTIME)
	tm.Set(linux.TFD_TIMER_ABSTIME|linux.TFD_TIMER_CANCEL_ON_SET, spec(2e15, 0))
	clocks.SetRealtime(5e14)
	if tm.Readiness(wait.In) != wait.In {
		t.Error("not ready after the clock was set")
	}
	if _, err := read(tm); err != linux.ECANCELED {
		t.Errorf("read: %v", err)
	}
	if _, err := read(tm); err != linux.EAGAIN {
		t.Errorf("second read: %v", err)
	}
	tm.Release()
	if !clocks.Steps.Empty() {
		t.Error("still told of steps")
	}
	_ = v
}
