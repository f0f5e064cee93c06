package ktime

import (
	"math"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A Timer is a deadline, perhaps repeated, on a clock.
//
//	          Set             deadline comes
//	stopped -------> armed ------------------> fired
//	   ^               ^                         |
//	   |      Take, periodic: next period        |
//	   +-----------------------------------------+
//	          Take, one-shot
//
// Set and Stop are possible in every state.
type Timer struct {
	// immutable
	clock  Clock
	listen func()
	alarm  Alarm

	mu lock.Mutex[lock.Timer]
	// guarded by mu
	state    timerState
	deadline int64 // next expiry (armed), or the first one not taken (fired)
	interval int64 // 0: one-shot
	gen      uint64
}

type timerState uint8

const (
	stopped timerState = iota
	armed
	fired
)

// NewTimer returns a stopped timer. listen is called without locks each time it
// fires; it may find that the timer has been set anew since.
func NewTimer(c Clock, listen func()) *Timer {
	t := &Timer{clock: c, listen: listen}
	t.alarm = c.NewAlarm(t.expire)
	return t
}

// Clock returns the clock the timer goes by.
func (t *Timer) Clock() Clock { return t.clock }

// A Setting is a timer's state as times of its clock.
type Setting struct {
	Armed    bool
	Deadline int64 // the next expiry, which may have passed
	Interval int64 // 0: one-shot
}

// SetDeadline arms the timer to fire once.
func (t *Timer) SetDeadline(deadline int64) { t.Set(Setting{Armed: true, Deadline: deadline}) }

// Stop disarms the timer.
func (t *Timer) Stop() { t.Set(Setting{}) }

// Set replaces the setting and returns the one before, its deadline the next
// one to come if it was periodic. Expirations not taken are forgotten.
func (t *Timer) Set(s Setting) (old Setting) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old = t.settingLocked()
	t.gen++
	t.deadline, t.interval = s.Deadline, max(0, s.Interval)
	if !s.Armed {
		if t.state == armed {
			t.alarm.Stop()
		}
		t.state = stopped
		return old
	}
	t.state = armed
	t.alarm.Set(t.deadline)
	return old
}

// Setting returns the setting now.
func (t *Timer) Setting() Setting {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settingLocked()
}

// Generation counts the calls of Set, SetDeadline and Stop: whoever hands an
// expiry on compares it before and after.
func (t *Timer) Generation() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gen
}

// Fired reports whether there is an expiry to take.
func (t *Timer) Fired() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dueLocked()
}

// Take returns how often the timer has expired since it was set or since the
// last Take, 0 if it has not, and arms the next period.
func (t *Timer) Take() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dueLocked() {
		return 0
	}
	if t.interval == 0 {
		if t.state == armed {
			t.alarm.Stop()
		}
		t.state = stopped
		return 1
	}
	n := t.pastLocked()
	t.deadline = saturatingAdd(t.deadline, saturatingMul(t.interval, n))
	t.state = armed
	t.alarm.Set(t.deadline)
	return uint64(n)
}

// expire is the alarm's call.
func (t *Timer) expire() {
	t.mu.Lock()
	if t.state != armed {
		t.mu.Unlock()
		return
	}
	if t.clock.Now() < t.deadline {
		t.alarm.Set(t.deadline)
		t.mu.Unlock()
		return
	}
	t.state = fired
	t.mu.Unlock()
	t.listen()
}

// dueLocked is true as soon as the clock says so, even if the alarm is late.
func (t *Timer) dueLocked() bool {
	t.mu.AssertHeld()
	return t.state == fired || t.state == armed && t.clock.Now() >= t.deadline
}

// pastLocked is the number of periods that have ended, at least one.
func (t *Timer) pastLocked() int64 {
	return max(0, saturatingSub(t.clock.Now(), t.deadline))/t.interval + 1
}

func (t *Timer) settingLocked() Setting {
	t.mu.AssertHeld()
	s := Setting{Armed: t.state != stopped, Deadline: t.deadline, Interval: t.interval}
	switch {
	case t.state == stopped:
		s.Deadline = 0
	case t.interval == 0:
		s.Armed = t.state == armed
	case t.dueLocked():
		s.Deadline = saturatingAdd(t.deadline, saturatingMul(t.interval, t.pastLocked()))
	}
	return s
}

// SettingOf turns what timer_settime(2) and timerfd_settime(2) are given into a
// Setting: EINVAL for times that are no times. A zero value disarms.
func SettingOf(c Clock, spec *linux.Itimerspec, abstime bool) (Setting, error) {
	if !spec.Value.Valid() || !spec.Interval.Valid() {
		return Setting{}, linux.EINVAL
	}
	if spec.Value.IsZero() {
		return Setting{}, nil
	}
	s := Setting{Armed: true, Deadline: spec.Value.ToNS(), Interval: spec.Interval.ToNS()}
	if !abstime {
		s.Deadline = saturatingAdd(c.Now(), s.Deadline)
	}
	return s, nil
}

// Spec is what timer_gettime(2) shows of s: the time left, at least 1 ns while
// the timer is armed.
func (s Setting) Spec(c Clock) linux.Itimerspec {
	spec := linux.Itimerspec{Interval: linux.TimespecFromNS(s.Interval)}
	if s.Armed {
		spec.Value = linux.TimespecFromNS(max(1, saturatingSub(s.Deadline, c.Now())))
	}
	return spec
}

func saturatingAdd(a, b int64) int64 {
	switch s := a + b; {
	case a > 0 && b > 0 && s < 0:
		return math.MaxInt64
	case a < 0 && b < 0 && s >= 0:
		return math.MinInt64
	default:
		return s
	}
}

func saturatingSub(a, b int64) int64 {
	if b == math.MinInt64 {
		return saturatingAdd(saturatingAdd(a, math.MaxInt64), 1)
	}
	return saturatingAdd(a, -b)
}

// saturatingMul multiplies numbers that are not negative.
func saturatingMul(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}
