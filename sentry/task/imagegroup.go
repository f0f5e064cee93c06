package task

import (
	"cmp"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/ktime"
	"cordon/sentry/limit"
	"cordon/sentry/signal"
	"cordon/sentry/vfs"
)

// StopImage is a stopState in a checkpoint. Tasks park, and are counted, anew.
type StopImage struct {
	Signal                        linux.Signal
	Complete, Reported, Continued bool
	Tell                          bool
}

// ClockImage names the clock of a timer.
type ClockImage struct {
	Kind   uint8
	ID     linux.ClockID
	Object checkpoint.Ref
	At     int64
}

const (
	clockNone   uint8 = iota
	clockSystem       // ID
	clockTask         // a Task's CPU time
	clockGroup        // a ThreadGroup's
	clockUser         // a ThreadGroup's in user mode
	clockDead         // of a thread that has gone: it stands still
)

// TimerImage is a timer of a process in a checkpoint.
type TimerImage struct {
	Clock ClockImage
	Timer ktime.TimerImage
}

// PosixTimerImage is a posixTimer in a checkpoint.
type PosixTimerImage struct {
	ID      linux.TimerID
	Event   linux.Sigevent
	To      checkpoint.Ref
	Timer   TimerImage
	Queued  bool
	Overrun int32
}

// GroupImage is a ThreadGroup in a checkpoint.
type GroupImage struct {
	Sys, Limits, Actions checkpoint.Ref
	Container, PIDs      checkpoint.Ref
	Cgroup               checkpoint.Ref
	CgroupBase           [2]int64
	Start                int64
	DidExec              bool
	Execs                uint32
	OOMAdj, OOMMin       int32
	LoginUID             uint32
	Membarrier           uint32
	MaxRSS               uint64
	Leader               checkpoint.Ref
	Tasks                []checkpoint.Ref
	Parent               checkpoint.Ref
	Children             []checkpoint.Ref
	PGrp                 checkpoint.Ref
	Gone, Reaped         Usage
	Subreaper            bool
	ReapedSelf           bool
	ZombieNow            bool
	Status               linux.WaitStatus
	Pending              signal.Image
	Exiting              bool
	ExitStatus           linux.WaitStatus
	Stop                 StopImage
	NextTimer            linux.TimerID
	Timers               []PosixTimerImage
	ITimers              [3]TimerImage
	CPULimit             TimerImage
}

func saveGroup(s *checkpoint.Saver, g *ThreadGroup) GroupImage {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	im := GroupImage{
		Sys: s.Ref(g.sys), Limits: s.Ref(g.limits), Actions: s.Ref(g.Actions()), Container: s.Ref(g.container), PIDs: s.Ref(g.pids), Cgroup: s.Ref(g.Cgroup()), CgroupBase: g.cgroupBase, Start: g.start, DidExec: g.didExec.Load(), Execs: g.execs.Load(),
		OOMAdj: g.oomAdj.Load(), OOMMin: g.oomMin.Load(), LoginUID: g.loginUID.Load(), Membarrier: g.Membarrier.Load(), MaxRSS: g.maxRSS.Load(), Leader: s.Ref(g.leader),
		Tasks: refs(s, g.tasks), Parent: s.Ref(g.parent), Children: refs(s, g.children), PGrp: s.Ref(g.pgrp),
		Gone: g.gone, Reaped: g.reaped, Subreaper: g.subreaper, ReapedSelf: g.reapedSelf, ZombieNow: g.zombieNow, Status: g.status,
		Pending: g.pending.Image(), Exiting: g.exiting, ExitStatus: g.exitStatus,
		Stop: StopImage{g.stop.signal, g.stop.complete, g.stop.reported, g.stop.continued, g.stop.tell}, NextTimer: g.timers.next,
	}
	for _, id := range slices.Sorted(maps.Keys(g.timers.byID)) {
		p := g.timers.byID[id]
		im.Timers = append(im.Timers, PosixTimerImage{
			ID: p.id, Event: p.event, To: s.Ref(p.to), Timer: g.saveTimer(s, p.timer), Queued: p.queued, Overrun: p.overrun,
		})
	}
	for i, t := range g.itimers {
		im.ITimers[i] = g.saveTimer(s, t)
	}
	im.CPULimit = g.saveTimer(s, g.cpuLimit)
	return im
}

func (g *ThreadGroup) saveTimer(s *checkpoint.Saver, t *ktime.Timer) TimerImage {
	if t == nil {
		return TimerImage{}
	}
	return TimerImage{g.sys.saveClock(s, t.Clock()), t.Image()}
}

// saveClock names a clock. The tree is locked.
func (y *System) saveClock(s *checkpoint.Saver, c ktime.Clock) ClockImage {
	for _, id := range [...]linux.ClockID{
		linux.CLOCK_REALTIME, linux.CLOCK_MONOTONIC, linux.CLOCK_BOOTTIME, linux.CLOCK_MONOTONIC_RAW,
		linux.CLOCK_REALTIME_COARSE, linux.CLOCK_MONOTONIC_COARSE, linux.CLOCK_TAI,
	} {
		if o, ok := y.Clocks.ByID(id); ok && o == c {
			return ClockImage{Kind: clockSystem, ID: id}
		}
	}
	for _, t := range sortedByTID(y.tasks) {
		switch c {
		case t.cpuClock:
			return ClockImage{Kind: clockTask, Object: s.Ref(t)}
		case t.group.cpuClock:
			return ClockImage{Kind: clockGroup, Object: s.Ref(t.group)}
		case t.group.userClock:
			return ClockImage{Kind: clockUser, Object: s.Ref(t.group)}
		}
	}
	return ClockImage{Kind: clockDead, At: c.Now()}
}

// clockOf is the clock that an image names; every object is filled.
func (y *System) clockOf(g *getter, im *ClockImage) ktime.Clock {
	switch im.Kind {
	case clockSystem:
		if c, ok := y.Clocks.ByID(im.ID); ok {
			return c
		}
	case clockTask:
		if t := get[*Task](g, im.Object); t != nil {
			return t.cpuClock
		}
	case clockGroup, clockUser:
		if p := get[*ThreadGroup](g, im.Object); p != nil && im.Kind == clockUser {
			return p.userClock
		} else if p != nil {
			return p.cpuClock
		}
	case clockDead:
		at := im.At
		return &cpuClock{y, func() int64 { return at }}
	}
	g.err = cmp.Or(g.err, errImage)
	return y.Clocks.Monotonic
}

func loadGroup(l *checkpoint.Loader, p *ThreadGroup, im GroupImage) error {
	g := &getter{l: l}
	p.container, p.pids = get[*Container](g, im.Container), get[*PIDNamespace](g, im.PIDs)
	p.cgroup.Store(get[*cgroup.Group](g, im.Cgroup))
	p.cgroupBase = im.CgroupBase
	p.sys, p.limits = get[*System](g, im.Sys), get[*limit.Set](g, im.Limits)
	actions := get[*signal.Actions](g, im.Actions)
	p.leader, p.tasks, p.parent = get[*Task](g, im.Leader), getAll[*Task](g, im.Tasks), get[*ThreadGroup](g, im.Parent)
	p.children, p.pgrp = getAll[*ThreadGroup](g, im.Children), get[*ProcessGroup](g, im.PGrp)
	if g.err != nil || p.sys == nil || p.limits == nil || p.pids == nil || actions == nil || p.leader == nil ||
		slices.Contains(p.tasks, nil) || slices.Contains(p.children, nil) || (p.pgrp == nil) != im.ReapedSelf || len(im.Timers) > MaxTimers {
		return cmp.Or(g.err, errImage)
	}
	p.lead.Store(p.leader)
	y := p.sys
	p.cpuClock = &cpuClock{y, func() int64 { user, system := p.cpuTime(); return user + system }}
	p.userClock = &cpuClock{y, func() int64 { user, _ := p.cpuTime(); return user }}
	p.actions.Store(actions)
	p.start = im.Start
	p.didExec.Store(im.DidExec)
	p.execs.Store(im.Execs)
	p.oomAdj.Store(im.OOMAdj)
	p.oomMin.Store(im.OOMMin)
	p.loginUID.Store(im.LoginUID)
	p.Membarrier.Store(im.Membarrier)
	p.maxRSS.Store(im.MaxRSS)
	p.gone, p.reaped, p.subreaper, p.reapedSelf, p.zombieNow, p.status = im.Gone, im.Reaped, im.Subreaper, im.ReapedSelf, im.ZombieNow, im.Status
	p.countTreeLocked()
	p.pending.Restore(im.Pending)
	p.exiting, p.exitStatus = im.Exiting, im.ExitStatus
	p.stopSeq.Store(1) // none of the tasks is counted
	p.stop = stopState{signal: im.Stop.Signal, complete: im.Stop.Complete, reported: im.Stop.Reported, continued: im.Stop.Continued, tell: im.Stop.Tell}
	// Timers may go off at once.
	vfs.AfterFiles(l, func() error { return p.loadTimers(g, &im) })
	return nil
}

func (p *ThreadGroup) loadTimers(g *getter, im *GroupImage) error {
	y := p.sys
	p.timers.next = im.NextTimer
	for i := range im.Timers {
		ti := &im.Timers[i]
		n := &posixTimer{id: ti.ID, group: p, event: ti.Event, to: get[*Task](g, ti.To), queued: ti.Queued, overrun: ti.Overrun}
		if p.timers.byID == nil {
			p.timers.byID = make(map[linux.TimerID]*posixTimer)
		}
		if p.timers.byID[n.id] != nil || n.to != nil && n.to.group != p {
			return errImage
		}
		p.timers.byID[n.id] = n
		n.timer = ktime.NewTimer(y.clockOf(g, &ti.Timer.Clock), n.expired)
	}
	for i := range im.ITimers {
		if it := &im.ITimers[i]; it.Clock.Kind != clockNone {
			which := linux.ItimerWhich(i)
			p.itimers[i] = ktime.NewTimer(y.clockOf(g, &it.Clock), func() { p.itimerExpired(which) })
		}
	}
	if im.CPULimit.Clock.Kind != clockNone {
		p.cpuLimit = ktime.NewTimer(y.clockOf(g, &im.CPULimit.Clock), p.cpuLimitReached)
	}
	if g.err != nil {
		return g.err
	}
	vfs.AfterAll(g.l, func() error { p.armTimers(im); return nil })
	return nil
}

// armTimers sets what was set.
func (p *ThreadGroup) armTimers(im *GroupImage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range im.Timers {
		n := p.timers.byID[im.Timers[i].ID]
		n.timer = ktime.RestoreTimer(n.timer.Clock(), n.expired, im.Timers[i].Timer.Timer)
	}
	for i, t := range p.itimers {
		if t != nil {
			which := linux.ItimerWhich(i)
			p.itimers[i] = ktime.RestoreTimer(t.Clock(), func() { p.itimerExpired(which) }, im.ITimers[i].Timer)
		}
	}
	if p.cpuLimit != nil {
		p.cpuLimit = ktime.RestoreTimer(p.cpuLimit.Clock(), p.cpuLimitReached, im.CPULimit.Timer)
	}
}

// ProcessGroupImage is a ProcessGroup in a checkpoint.
type ProcessGroupImage struct {
	ID      int32
	Session checkpoint.Ref
	Members []checkpoint.Ref
}

func saveProcessGroup(s *checkpoint.Saver, p *ProcessGroup) ProcessGroupImage {
	return ProcessGroupImage{p.id, s.Ref(p.session), refs(s, p.members)}
}

func loadProcessGroup(l *checkpoint.Loader, p *ProcessGroup, im ProcessGroupImage) error {
	g := &getter{l: l}
	p.id, p.session, p.members = im.ID, get[*Session](g, im.Session), getAll[*ThreadGroup](g, im.Members)
	if p.session == nil || slices.Contains(p.members, nil) {
		return cmp.Or(g.err, errImage)
	}
	return g.err
}

// SessionImage is a Session in a checkpoint.
type SessionImage struct {
	ID     int32
	Leader checkpoint.Ref
	Groups int
	TTY    checkpoint.Ref
}

func saveSession(s *checkpoint.Saver, e *Session) SessionImage {
	im := SessionImage{ID: e.id, Leader: s.Ref(e.leader), Groups: e.groups}
	if e.tty != nil {
		im.TTY = vfs.SaveRef(s, e.tty)
	}
	return im
}

func loadSession(l *checkpoint.Loader, e *Session, im SessionImage) error {
	g := &getter{l: l}
	e.id, e.leader, e.groups = im.ID, get[*ThreadGroup](g, im.Leader), im.Groups
	e.tty = get[vfs.TTY](g, im.TTY)
	return g.err
}

// ContainerImage is a Container in a checkpoint.
type ContainerImage struct {
	ID    string
	Ended bool
}

func saveContainer(_ *checkpoint.Saver, c *Container) ContainerImage {
	return ContainerImage{c.id, c.ended}
}

func loadContainer(_ *checkpoint.Loader, c *Container, im ContainerImage) error {
	c.id, c.ended = im.ID, im.Ended
	return nil
}
