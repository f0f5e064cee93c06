package task

import (
	"math"

	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// NoDeadline is a deadline that never comes.
const NoDeadline = int64(math.MaxInt64)

// Interrupted is Sleep's result when the task has something else to do. A
// handler turns it into the Restart that fits its call.
type interrupted struct{}

func (interrupted) Error() string { return "interrupted" }

// ErrInterrupted: a signal, a stop, a freeze or the end has come.
var ErrInterrupted error = interrupted{}

// Pressing reports whether something is to be done that ends a sleep.
func (t *Task) Pressing() bool {
	work := t.work.Load()
	if work&(workKill|workStop|workFreeze|workTell|workHalt|workTrace) != 0 {
		return true
	}
	if work&workSignal == 0 {
		return false
	}
	// The bit may be stale: another thread took the signal, or it is blocked.
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	if (t.pending.Set()|t.group.pending.Set())&^t.mask != 0 {
		return true
	}
	t.work.And(^workSignal)
	return false
}

// Waker returns an entry that ends t's Sleep when an event of mask comes.
func (t *Task) Waker(mask wait.Events) *wait.Entry {
	return &wait.Entry{Mask: mask, Late: true, Callback: func(*wait.Entry, wait.Events) { t.Nudge() }}
}

// Sleep waits until ready returns true: it is asked first, and again whenever
// the task is woken (the caller has put Wakers where events come from). The
// deadline is in nanoseconds of clock, which may be nil with NoDeadline. The
// result is nil, ETIMEDOUT, or ErrInterrupted if something pressing came first.
// Task-only.
func (t *Task) Sleep(clock ktime.Clock, deadline int64, ready func() bool) error {
	if ready() || t.looksOut && t.look() && ready() {
		return nil
	}
	if deadline != NoDeadline {
		if clock.Now() >= deadline {
			return linux.ETIMEDOUT
		}
		t.armTimer(clock, deadline)
		defer t.disarmTimer()
	}
	t.times.voluntary.Add(1)
	t.complete() // others may look at who sleeps
	for {
		if t.Pressing() {
			return ErrInterrupted
		}
		if deadline != NoDeadline && clock.Now() >= deadline {
			return linux.ETIMEDOUT
		}
		t.account(&t.times.system)
		t.sleeps.Store(true)
		t.rest()
		t.rise()
		if ready() {
			return nil
		}
	}
}

// rise says that t's sleep has been ended.
func (t *Task) rise() {
	t.sleeps.Store(false)
	t.sys.wokeUp()
	t.switched.Store(t.sys.Clocks.Monotonic.Now())
}

// SleepOnFiles is Sleep for a task whose files may be connections: it looks out for
// what comes from outside, if nobody else does.
func (t *Task) SleepOnFiles(clock ktime.Clock, deadline int64, ready func() bool) error {
	t.looksOut = t.sys.Lookout != nil
	err := t.Sleep(clock, deadline, ready)
	t.looksOut = false
	return err
}

// A Lookout waits for what comes to the sandbox from outside. One task has it at a
// time, which is woken for that in the place of a thread that would have to wake
// the task.
type Lookout interface {
	// Wait waits for something to come, or the bell, and says whether there is
	// something to HandOn, which may be called at any time and says whether it
	// handed anything on.
	Wait() bool
	HandOn() bool
	// Tend is HandOn by a task that comes back soon.
	Tend() bool
	// Bell is an eventfd that ends Wait, or the next one; it is never closed.
	Bell() int
	Leave()
}

// look hands on what has come while the task ran: an answer of this machine is there
// when the question has been sent.
func (t *Task) look() bool {
	l := t.sys.Lookout()
	if l == nil {
		return false
	}
	defer l.Leave()
	return l.HandOn()
}

// await takes the token, looking out meanwhile if that is wanted.
func (t *Task) await() {
	if !t.looksOut || t.wake.there() {
		t.wake.take()
		return
	}
	l := t.sys.Lookout()
	if l == nil {
		t.wake.take()
		return
	}
	t.bell.Store(int32(l.Bell()))
	t.wake.takeOnWatch(l)
	l.Leave()
}

// uninterruptible waits until ready returns true or the task is killed, whose
// sign is false. Used in the named run states only.
func (t *Task) uninterruptible(ready func() bool) bool {
	t.complete()
	for !ready() {
		if t.work.Load()&workKill != 0 {
			return false
		}
		if t.work.Load()&workHalt != 0 {
			t.halt()
			continue
		}
		if t.work.Load()&workFreeze != 0 {
			t.freeze()
			continue
		}
		t.account(&t.times.system)
		t.rest()
		t.switched.Store(t.sys.Clocks.Monotonic.Now())
	}
	return true
}

// Bulk says that t's call has moved much to or from outside the sandbox. Who sends looks
// for what is acknowledged at each call. Task-only.
func (t *Task) Bulk(sends bool) {
	if t.rester != nil {
		t.rester.Bulk()
	}
	if !sends || t.sys.Lookout == nil {
		return
	}
	if l := t.sys.Lookout(); l != nil {
		l.Tend()
		l.Leave()
	}
}

// rest waits for the token.
func (t *Task) rest() {
	t.sys.handOn()
	if turn := t.sys.Turn; turn != nil {
		turn.Rest(t.wake.there)
	}
	if t.rester == nil {
		t.await()
		return
	}
	if !t.wake.there() && t.rester.Rest() {
		t.wake.look()
		for !t.wake.there() && t.rester.Yield() {
		}
	}
	t.await()
	t.rester.Risen()
}

// A Turn lets one task run at a time, in an order of its own (sim). All but
// Join and Wake are called by the task that has the turn.
type Turn interface {
	// Join announces tasks that start, and returns what each one's goroutine
	// calls first. The first ones are to go before the others.
	Join(first, others int) (enter []func())
	// Rest gives the turn up until ready is true, which looks at atomic
	// variables only. Park does too, for a task that the freezer stops.
	Rest(ready func() bool)
	Park(ready func() bool)
	// Yield ends what a first one goes first for.
	Yield()
	// Leave gives the turn up for good.
	Leave()
	// Wake says that somebody may have become ready. Locks may be held.
	Wake()
}

// IO runs try until it does not return EAGAIN, sleeping in between until d is
// ready for mask, unless d is non-blocking. It is the one rule for partial
// results: n > 0 wins over any error, and an interruption with nothing done
// restarts the call.
func (t *Task) IO(d *vfs.Description, mask wait.Events, try func() (int, error)) (uintptr, error) {
	return t.IOUntil(d, mask, d.Nonblocking(), nil, NoDeadline, RestartSys, try)
}

// IOUntil is IO with its own choice of blocking, a deadline (EAGAIN when it
// passes) and what an interruption means.
func (t *Task) IOUntil(d *vfs.Description, mask wait.Events, nonblock bool, clock ktime.Clock, deadline int64, restart error, try func() (int, error)) (uintptr, error) {
	n, err := try()
	if err != linux.EAGAIN || n > 0 {
		return done(n, err)
	}
	if nonblock {
		return 0, linux.EAGAIN
	}
	q := d.Queue()
	if q == nil {
		return 0, linux.EAGAIN
	}
	e := t.Waker(mask)
	q.Add(e)
	defer q.Remove(e)
	sleep := t.Sleep
	if _, ok := d.File().(socket.Socket); ok {
		sleep = t.SleepOnFiles
	}
	serr := sleep(clock, deadline, func() bool {
		n, err = try()
		return n > 0 || err != linux.EAGAIN
	})
	switch serr {
	case nil:
		return done(n, err)
	case linux.ETIMEDOUT:
		return 0, linux.EAGAIN
	}
	return 0, restart
}

func done(n int, err error) (uintptr, error) {
	if n > 0 {
		return uintptr(n), nil
	}
	return 0, err
}

func (t *Task) armTimer(clock ktime.Clock, deadline int64) {
	if t.timer.clock != clock {
		t.timer = sleepTimer{clock, clock.NewAlarm(t.Nudge)}
	}
	t.timer.alarm.Set(deadline)
}

func (t *Task) disarmTimer() { t.timer.alarm.Stop() }

// A sleepTimer is a task's alarm for its sleeps, kept from one to the next.
type sleepTimer struct {
	clock ktime.Clock
	alarm ktime.Alarm
}
