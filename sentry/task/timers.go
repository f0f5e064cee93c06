package task

import (
	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/signal"
)

// MaxTimers bounds a process's POSIX timers; Linux bounds them by
// RLIMIT_SIGPENDING, which counts too.
const MaxTimers = 4096

// A posixTimer is a timer_create(2) timer. Its signal is pending at most once;
// what expires meanwhile is overrun.
type posixTimer struct {
	// immutable
	id    linux.TimerID
	group *ThreadGroup
	event linux.Sigevent
	to    *Task // SIGEV_THREAD_ID
	timer *ktime.Timer

	// guarded by group.mu
	queued  bool
	overrun int32
}

type posixTimers struct {
	next linux.TimerID
	byID map[linux.TimerID]*posixTimer
}

// CreateTimer is timer_create(2) with the event decoded.
// byDefault makes the id the signal's value, as a NULL event does.
func (t *Task) CreateTimer(c ktime.Clock, ev linux.Sigevent, byDefault bool) (linux.TimerID, linux.Errno) {
	g := t.group
	var to *Task
	if ev.Notify == linux.SIGEV_THREAD_ID {
		if to = t.Find(ev.TID); to == nil || to.group != g {
			return 0, linux.EINVAL
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.timers.byID) >= MaxTimers {
		return 0, linux.EAGAIN
	}
	if g.timers.byID == nil {
		g.timers.byID = make(map[linux.TimerID]*posixTimer)
	}
	for g.timers.next < 0 || g.timers.byID[g.timers.next] != nil {
		g.timers.next = max(0, g.timers.next+1)
	}
	id := g.timers.next
	g.timers.next++
	if byDefault {
		ev.Value = uint64(id)
	}
	p := &posixTimer{id: id, group: g, event: ev, to: to}
	p.timer = ktime.NewTimer(c, p.expired)
	g.timers.byID[id] = p
	return id, 0
}

// expired queues the signal.
func (p *posixTimer) expired() {
	if p.event.Notify == linux.SIGEV_NONE {
		return
	}
	g := p.group
	g.mu.Lock()
	if p.queued || g.timers.byID[p.id] != p {
		g.mu.Unlock()
		return
	}
	p.queued = true
	g.mu.Unlock()
	info := &linux.SigInfo{Signo: p.event.Signo, Code: linux.SI_TIMER}
	info.SetTimerID(p.id)
	info.SetValue(p.event.Value)
	g.sys.tree.RLock()
	e := g.sendTreeLocked(p.to, info)
	g.sys.tree.RUnlock()
	g.mu.Lock()
	if e != 0 || !g.queuedLocked(p) { // ignored: the timer runs on unheard
		p.queued = false
		p.timer.Take()
	}
	g.mu.Unlock()
}

func (g *ThreadGroup) queuedLocked(p *posixTimer) bool {
	return p.queueLocked().Set().Has(p.event.Signo)
}

// queueLocked is where the timer's signal waits.
func (p *posixTimer) queueLocked() *signal.Pending {
	if p.to != nil {
		return &p.to.pending
	}
	return &p.group.pending
}

// timerTakenLocked fills in the overrun of a timer's signal that is taken, and
// lets the timer go on.
func (g *ThreadGroup) timerTakenLocked(info *linux.SigInfo) {
	if info.Code != linux.SI_TIMER {
		return
	}
	p := g.timers.byID[info.TimerID()]
	if p == nil || !p.queued {
		return
	}
	p.queued = false
	n := p.timer.Take()
	p.overrun = 0
	if n > 1 {
		p.overrun = int32(min(n-1, 0x7fffffff))
	}
	info.SetOverrun(p.overrun)
}

func (g *ThreadGroup) posixTimer(id linux.TimerID) *posixTimer {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.timers.byID[id]
}

// SetTimer is timer_settime(2): deadlines are absolute times of the timer's
// clock, as t's time namespace shows it, if abs, else from now.
func (t *Task) SetTimer(id linux.TimerID, to linux.Itimerspec, abs bool) (old linux.Itimerspec, e linux.Errno) {
	g := t.group
	p := g.posixTimer(id)
	if p == nil {
		return old, linux.EINVAL
	}
	now := p.timer.Clock().Now()
	s := ktime.Setting{Interval: to.Interval.ToNS()}
	if v := to.Value.ToNS(); v != 0 {
		s.Armed = true
		if abs {
			s.Deadline = t.FromOwnTime(p.timer.Clock(), v)
		} else {
			s.Deadline = addNS(now, v)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	old = remaining(p.timer.Set(s), now)
	p.queued, p.overrun = false, 0
	p.queueLocked().RemoveTimer(p.event.Signo, id)
	return old, 0
}

// Timer is timer_gettime(2).
func (g *ThreadGroup) Timer(id linux.TimerID) (linux.Itimerspec, linux.Errno) {
	p := g.posixTimer(id)
	if p == nil {
		return linux.Itimerspec{}, linux.EINVAL
	}
	return remaining(p.timer.Setting(), p.timer.Clock().Now()), 0
}

// TimerOverrun is timer_getoverrun(2).
func (g *ThreadGroup) TimerOverrun(id linux.TimerID) (int32, linux.Errno) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.timers.byID[id]; p != nil {
		return p.overrun, 0
	}
	return 0, linux.EINVAL
}

// DeleteTimer is timer_delete(2).
func (g *ThreadGroup) DeleteTimer(id linux.TimerID) linux.Errno {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.timers.byID[id]
	if p == nil {
		return linux.EINVAL
	}
	delete(g.timers.byID, id)
	p.timer.Stop()
	p.queueLocked().RemoveTimer(p.event.Signo, id)
	return 0
}

// clearLocked deletes every timer (execve(2)).
func (g *ThreadGroup) clearTimersLocked() {
	for _, p := range g.timers.byID {
		p.timer.Stop()
		p.queueLocked().RemoveTimer(p.event.Signo, p.id)
	}
	g.timers = posixTimers{}
}

// stopTimersLocked ends everything that could signal a dead process.
func (g *ThreadGroup) stopTimersLocked() {
	g.clearTimersLocked()
	for _, it := range g.itimers {
		if it != nil {
			it.Stop()
		}
	}
	if g.cpuLimit != nil {
		g.cpuLimit.Stop()
	}
}

// itimers are setitimer(2)'s three timers, nil until first set.
type itimers [3]*ktime.Timer

var itimerSignals = [3]linux.Signal{linux.SIGALRM, linux.SIGVTALRM, linux.SIGPROF}

// SetITimer is setitimer(2), in nanoseconds.
func (g *ThreadGroup) SetITimer(which linux.ItimerWhich, value, interval int64) (oldValue, oldInterval int64) {
	g.mu.Lock()
	it := g.itimers[which]
	if it == nil {
		clock := [3]ktime.Clock{g.sys.Clocks.Monotonic, g.userClock, g.cpuClock}[which]
		it = ktime.NewTimer(clock, func() { g.itimerExpired(which) })
		g.itimers[which] = it
	}
	g.mu.Unlock()
	now := it.Clock().Now()
	s := ktime.Setting{Interval: interval}
	if value > 0 {
		s.Armed, s.Deadline = true, addNS(now, value)
	}
	old := remaining(it.Set(s), now)
	return old.Value.ToNS(), old.Interval.ToNS()
}

// ITimer is getitimer(2), in nanoseconds.
func (g *ThreadGroup) ITimer(which linux.ItimerWhich) (value, interval int64) {
	g.mu.Lock()
	it := g.itimers[which]
	g.mu.Unlock()
	if it == nil {
		return 0, 0
	}
	r := remaining(it.Setting(), it.Clock().Now())
	return r.Value.ToNS(), r.Interval.ToNS()
}

func (g *ThreadGroup) itimerExpired(which linux.ItimerWhich) {
	g.mu.Lock()
	n := g.itimers[which].Take()
	g.mu.Unlock()
	if n > 0 {
		g.Send(&linux.SigInfo{Signo: itimerSignals[which], Code: linux.SI_KERNEL})
	}
}

// remaining turns a setting into what the get calls return: an armed timer
// whose time has come has a nanosecond left.
func remaining(s ktime.Setting, now int64) linux.Itimerspec {
	out := linux.Itimerspec{Interval: linux.TimespecFromNS(s.Interval)}
	if s.Armed {
		out.Value = linux.TimespecFromNS(max(s.Deadline-now, 1))
	}
	return out
}

func addNS(a, b int64) int64 {
	if s := a + b; s >= a {
		return s
	}
	return NoDeadline - 1
}
