package task

import (
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/sentry/ktime"
)

// Sleeping aside. A call that waits long holds no thread where it can be helped: what it
// waits for lies in the task, its worker goes on with another task, and whoever is free
// goes on with this one when it is woken. So a thread that wakes another, and sleeps itself
// right after, hands over without a switch of the Sentry's threads, and all of that runs
// on one stack, which stays in the caches. A task without a worker is its waker's, the
// list's or the next worker's: whoever puts the token there, which one does, passes it on.

// A Pause is what a call that sleeps aside waits for.
type Pause interface {
	// Ready says whether that has come.
	Ready() bool

	// Done is the rest of the call, after the sleep, whose result err is as Sleep's.
	Done(t *Task, err error) (uintptr, error)
}

// A pause is a Pause under way.
type pause struct {
	what     Pause // nil: none is
	clock    ktime.Clock
	deadline int64
}

// errAside is the result of a call that sleeps aside.
type errAside struct{}

func (errAside) Error() string { return "sleeps aside" }

// SleepAside is Sleep as the last thing that a call does, whose result is Done's.
// Task-only.
func (t *Task) SleepAside(clock ktime.Clock, deadline int64, p Pause) (uintptr, error) {
	if t.relay == nil || t.sys.Traced || t.traced() || !t.relay.Together() || p.Ready() {
		t.HandOn()
		return p.Done(t, t.Sleep(clock, deadline, p.Ready))
	}
	t.pause = pause{p, clock, deadline}
	if deadline != NoDeadline {
		t.armTimer(clock, deadline)
	}
	t.times.voluntary.Add(1)
	t.complete()
	return 0, errAside{}
}

// pauseOver returns the result of a sleep that is over.
func (t *Task) pauseOver() (err error, over bool) {
	p := &t.pause
	switch {
	case p.what.Ready():
		return nil, true
	case t.Pressing():
		return ErrInterrupted, true
	case p.deadline != NoDeadline && p.clock.Now() >= p.deadline:
		return linux.ETIMEDOUT, true
	}
	return nil, false
}

// stepAside goes on with a call that sleeps aside, and reports whether the task is its
// worker's no more.
func (t *Task) stepAside() (f platform.Footing, gone bool) {
	for {
		if err, over := t.pauseOver(); over {
			t.endPause(err)
			return nil, false
		}
		t.account(&t.times.system)
		t.sleeps.Store(true)
		f, ok := t.relay.HandOver()
		switch {
		case !ok:
			t.rest()
		case t.wake.leave():
			return f, true
		default:
			t.relay.TakeOver(f)
			t.wake.take()
		}
		t.rise()
	}
}

// takeOver makes the calling worker t's.
func (t *Task) takeOver(f platform.Footing) {
	if t.relay == nil || f == nil && t.pause.what == nil {
		return
	}
	t.relay.TakeOver(f)
	if t.pause.what != nil {
		t.wake.take()
		t.sleeps.Store(false)
		t.sys.wokeUp()
	}
}

func (t *Task) endPause(err error) {
	t.HandOn() // no other task goes on here
	p := t.pause
	t.pause = pause{}
	if p.deadline != NoDeadline {
		t.disarmTimer()
	}
	t.finishCall(p.what.Done(t, err))
	if t.traced() {
		t.leaveTraced()
	}
}

// pass puts a task that has been woken, and has no worker, on the list of those that wait
// for one, and calls one unless somebody is about to look.
func (s *System) pass(t *Task) {
	p := &s.workers
	p.mu.Lock()
	if p.first == nil {
		p.first = t
	} else {
		p.last.after = t
	}
	p.last = t
	p.waiting.Add(1)
	var w *worker
	if p.held.Load() == 0 {
		w = p.callLocked()
	}
	p.mu.Unlock()
	s.call(w)
}

// BeginWaking says that t's call wakes others and is done then. Whom it wakes may
// wait for a moment whether t sleeps next, by a call of the same number, which calls
// HandOn if it does not. Its result is EndWaking's argument. Task-only.
func (t *Task) BeginWaking() bool {
	if t.relay == nil || !t.relay.Together() {
		return false
	}
	t.sys.workers.held.Add(1)
	return true
}

// EndWaking ends BeginWaking.
func (t *Task) EndWaking(began bool) {
	if began {
		p := &t.sys.workers
		p.held.Add(-1)
		t.waking = p.waiting.Load() != 0
	}
}

// HandOn has somebody else go on with those that wait.
func (t *Task) HandOn() { t.sys.handOn() }

func (s *System) handOn() {
	p := &s.workers
	if p.waiting.Load() == 0 {
		return
	}
	p.mu.Lock()
	w := p.callLocked()
	p.mu.Unlock()
	s.call(w)
}
