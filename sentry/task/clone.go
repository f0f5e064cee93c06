package task

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
	"cordon/sentry/bpf"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/limit"
	"cordon/sentry/signal"
	"cordon/sentry/vfs"
)

// Clone makes a task like t and starts it (clone(2), clone3(2), fork(2),
// vfork(2)). before, if not nil, runs when the child exists and has not
// started: it stores ids in memory and makes the pidfd. Task-only.
func (t *Task) Clone(a *linux.CloneArgs, before func(child *Task) linux.Errno) (*Task, linux.Errno) {
	if e := checkCloneFlags(a); e != 0 {
		return nil, e
	}
	if a.Flags&(linux.CLONE_THREAD|linux.CLONE_NEWPID) != 0 && t.pidsForChildren() != t.group.pids {
		return nil, linux.EINVAL
	}
	cr := t.Cred()
	if a.Flags&linux.CLONE_NEWUSER != 0 {
		var e linux.Errno
		if cr, e = t.newUserCred(); e != 0 {
			return nil, e
		}
	}
	if a.Flags&madeNamespaces != 0 && !cr.Has(linux.CAP_SYS_ADMIN) {
		return nil, linux.EPERM
	}
	c, e := t.copy(a, cr)
	if e != 0 {
		return nil, e
	}
	if e := c.link(t, a); e != 0 {
		c.discard()
		return nil, e
	}
	if before != nil {
		if e := before(c); e != 0 {
			c.unlink()
			c.discard()
			return nil, e
		}
	}
	if a.Flags&linux.CLONE_VFORK != 0 {
		t.vforkPending.Store(true)
		t.sys.tree.Lock()
		c.vforkParent = t
		t.sys.tree.Unlock()
	}
	id, event := c.TID(), t.traceChild(c, a)
	c.Start()
	t.traceClone(event, id)
	if a.Flags&linux.CLONE_VFORK != 0 {
		t.awaitVfork()
		t.traceVforkDone(id)
	}
	return c, 0
}

// awaitVfork waits until the child has its own memory, or none.
func (t *Task) awaitVfork() {
	t.runState = WaitVfork
	t.uninterruptible(func() bool { return !t.vforkPending.Load() })
	if t.runState == WaitVfork {
		t.runState = Running
	}
}

// checkCloneFlags refuses what does not go together (Linux: kernel/fork.c
// copy_process).
func checkCloneFlags(a *linux.CloneArgs) linux.Errno {
	f := a.Flags
	has := func(x linux.CloneFlags) bool { return f&x != 0 }
	switch {
	case has(linux.CLONE_NEWNS) && has(linux.CLONE_FS),
		has(linux.CLONE_NEWUSER) && has(linux.CLONE_FS),
		has(linux.CLONE_NEWIPC) && has(linux.CLONE_SYSVSEM),
		has(linux.CLONE_THREAD) && !has(linux.CLONE_SIGHAND),
		has(linux.CLONE_SIGHAND) && !has(linux.CLONE_VM),
		has(linux.CLONE_CLEAR_SIGHAND) && has(linux.CLONE_SIGHAND),
		has(linux.CLONE_THREAD) && has(linux.CLONE_NEWUSER|linux.CLONE_NEWPID):
		return linux.EINVAL
	}
	return 0
}

// copy makes the child's own parts.
func (t *Task) copy(a *linux.CloneArgs, cr *cred.Credentials) (*Task, linux.Errno) {
	f := a.Flags
	c := t.sys.newTask(cr, t.Name())
	c.into, t.into = t.into, nil
	m := t.MM()
	if f&linux.CLONE_VM != 0 {
		m.IncUsers()
	} else {
		var err error
		c.ownLimits = limit.NewSet(t.group.limits.All())
		if m, err = m.Fork(t.ctx, c.ownLimits); err != nil {
			return nil, linux.ENOMEM
		}
	}
	c.mm.Store(m)
	if f&linux.CLONE_FILES != 0 {
		t.FDs().IncRef()
		c.fds.Store(t.FDs())
	} else {
		c.fds.Store(t.FDs().Fork())
	}
	if f&linux.CLONE_FS != 0 {
		c.fs.Store(t.FS().Share())
	} else {
		c.fs.Store(t.FS().Fork())
	}
	if e := t.copyNamespaces(c, f, cr); e != 0 {
		c.discard()
		return nil, e
	}
	if f&linux.CLONE_SYSVSEM != 0 {
		u := t.SemUndo()
		u.IncRef()
		c.undo.Store(u)
	}
	c.inherit(t)
	if f&linux.CLONE_VM != 0 && f&linux.CLONE_VFORK == 0 {
		c.altStack = linux.StackT{Flags: linux.SS_DISABLE}
	}
	t.complete()
	c.regs = t.regs
	c.regs.RAX = 0
	if a.Stack != 0 {
		c.regs.RSP = a.Stack + a.StackSize
	}
	if f&linux.CLONE_SETTLS != 0 {
		if !arch.ValidTLS(a.TLS) {
			c.discard()
			return nil, linux.EPERM
		}
		c.regs.FSBase = a.TLS
	}
	if f&linux.CLONE_CHILD_CLEARTID != 0 {
		c.clearTID = a.ChildTID
	}
	if f&linux.CLONE_VM == 0 || f&linux.CLONE_VFORK != 0 {
		c.rseq = t.rseq
	}
	c.ctx.SetFPU(t.ctx.FPU())
	return c, 0
}

// copyNamespaces puts the child, which has its memory and its places, into its
// namespaces.
func (t *Task) copyNamespaces(c *Task, f linux.CloneFlags, cr *cred.Credentials) linux.Errno {
	ns, e := t.newNamespaces(f, c.FS(), cr.UserNS)
	if e != 0 {
		return e
	}
	own := ns
	if f&linux.CLONE_VM == 0 {
		own = ns.ofChild()
	}
	c.setNamespaces(own)
	if own != ns {
		return t.sys.enterTime(c.MM(), own.Time)
	}
	return 0
}

func (c *Task) inherit(t *Task) {
	t.group.mu.Lock()
	c.mask = t.mask
	c.sched = t.sched
	t.group.mu.Unlock()
	if c.sched.ResetOn {
		c.sched.Policy, c.sched.Priority, c.sched.ResetOn = 0, 0, false
		c.sched.Nice = max(c.sched.Nice, 0)
	}
	c.altStack = t.altStack
	c.dumpable.Store(t.Dumpable())
	c.timerSlack.Store(t.timerSlack.Load())
	c.personality.Store(t.personality.Load())
	c.ioprio = t.ioprio
	c.execFn = t.execFn
}

// newTask returns a task that belongs to nothing yet.
func (s *System) newTask(c *cred.Credentials, name string) *Task {
	t := &Task{sys: s}
	t.setContext(s.Platform.NewContext())
	t.SetCred(c)
	t.SetName(name)
	t.cpuClock = &cpuClock{s, t.CPUTime}
	t.altStack.Flags = linux.SS_DISABLE
	t.dumpable.Store(true)
	t.timerSlack.Store(defaultTimerSlack)
	for i := range s.CPUs() {
		t.sched.Affinity[i/64] |= 1 << (i % 64)
	}
	return t
}

// discard gives back what copy took.
func (c *Task) discard() {
	if m := c.MM(); m != nil {
		c.mm.Store(nil)
		m.DecUsers()
	}
	if fds := c.FDs(); fds != nil {
		fds.DecRef()
	}
	if fs := c.FS(); fs != nil {
		fs.Drop()
	}
	c.leaveCounted()
	if u := c.undo.Load(); u != nil {
		u.DecRef(nil) // never the last: the maker has it too
	}
	c.ctx.Release()
}

// link gives the child an id and a place in the tree.
func (c *Task) link(t *Task, a *linux.CloneArgs) linux.Errno {
	s := t.sys
	s.tree.Lock()
	defer s.tree.Unlock()
	g := t.group
	g.mu.Lock()
	dying := g.exiting || g.execing != nil || g.dumping != nil
	pressing := t.work.Load()&workKill != 0
	g.mu.Unlock()
	if dying || pressing || g.container.endedTreeLocked() {
		return linux.EAGAIN
	}
	cr := t.Cred()
	if max := g.limits.Soft(linux.RLIMIT_NPROC); max < MaxTasks && cr.RUID != 0 &&
		!cr.HasRoot(linux.CAP_SYS_RESOURCE) && !cr.HasRoot(linux.CAP_SYS_ADMIN) && uint64(s.countOfTreeLocked(cr.RUID)) >= max {
		return linux.EAGAIN
	}
	if a.Flags&linux.CLONE_PARENT != 0 && g.protectedTreeLocked() {
		return linux.EINVAL // its siblings would have no parent to wait for them
	}
	cg := g.Cgroup()
	if a.Flags&linux.CLONE_INTO_CGROUP != 0 {
		if cg = c.into; a.Flags&linux.CLONE_THREAD != 0 && cg != g.Cgroup() {
			return linux.EOPNOTSUPP // groups are of processes here
		}
	}
	if !s.roomTreeLocked() {
		return linux.EAGAIN
	}
	if e := cg.AddTask(); e != 0 {
		return e
	}
	pids := g.pids
	if a.Flags&linux.CLONE_THREAD == 0 {
		pids = c.pidsFrom(pids)
	}
	id, e := s.newIDTreeLocked(pids, nil)
	if e != 0 {
		cg.MoveTasks(-1)
		return e
	}
	c.tid.Store(id)
	s.started.Add(1)
	if a.Flags&linux.CLONE_THREAD != 0 {
		c.group = g
		c.parentTask = t.parentTask
		g.mu.Lock()
		g.tasks = append(g.tasks, c)
		g.mu.Unlock()
		g.countTreeLocked()
	} else {
		c.linkGroupTreeLocked(t, a)
		c.group.enterTreeLocked(cg)
	}
	s.tasks[id] = c
	c.setSeccomp(t.seccomp.Load()) // here, where nobody synchronises filters
	if c.heldTreeLocked() {
		c.work.Or(workFreeze)
	}
	if a.Flags&linux.CLONE_THREAD != 0 {
		g.mu.Lock()
		if g.stop.signal != 0 {
			c.work.Or(workStop)
		}
		g.mu.Unlock()
	}
	return 0
}

func (s *System) countOfTreeLocked(uid uint32) int {
	n := 0
	for _, t := range s.tasks {
		if t.exitState == alive && t.Cred().RUID == uid {
			n++
		}
	}
	return n
}

func (c *Task) linkGroupTreeLocked(t *Task, a *linux.CloneArgs) {
	s, g := t.sys, t.group
	actions := g.Actions()
	switch {
	case a.Flags&linux.CLONE_SIGHAND != 0:
	case a.Flags&linux.CLONE_CLEAR_SIGHAND != 0:
		actions = actions.Fork()
		actions.Reset()
	default:
		actions = actions.Fork()
	}
	limits := c.ownLimits
	if limits == nil {
		limits = limit.NewSet(g.limits.All())
	}
	n := s.newGroup(c, limits, actions)
	n.container, n.pids = g.container, c.pidsFrom(g.pids)
	n.adoptTreeLocked()
	n.oomAdj.Store(g.oomAdj.Load())
	n.oomMin.Store(g.oomMin.Load())
	n.loginUID.Store(g.loginUID.Load())
	n.Membarrier.Store(g.Membarrier.Load())
	c.exitSignal = linux.Signal(a.ExitSignal)
	parent := g
	if a.Flags&linux.CLONE_PARENT != 0 && g.parent != nil {
		parent = g.parent
		c.parentTask = t.parentTask
		c.exitSignal = g.leader.exitSignal
	} else {
		c.parentTask = t
	}
	n.parent = parent
	parent.children = append(parent.children, n)
	n.joinTreeLocked(g.pgrp)
}

func (s *System) newGroup(leader *Task, limits *limit.Set, actions *signal.Actions) *ThreadGroup {
	g := &ThreadGroup{sys: s, limits: limits, start: s.Clocks.Boottime.Now(), leader: leader, tasks: []*Task{leader}}
	g.cpuClock = &cpuClock{s, func() int64 { user, system := g.cpuTime(); return user + system }}
	g.userClock = &cpuClock{s, func() int64 { user, _ := g.cpuTime(); return user }}
	g.lead.Store(leader)
	g.countTreeLocked()
	g.actions.Store(actions)
	g.loginUID.Store(^uint32(0))
	leader.group = g
	return g
}

// unlink undoes link for a child that never ran.
func (c *Task) unlink() {
	s, g := c.sys, c.group
	s.tree.Lock()
	defer s.tree.Unlock()
	delete(s.tasks, c.TID())
	g.Cgroup().MoveTasks(-1)
	if g.leader == c {
		g.Cgroup().AddProcess(-1)
		g.parent.children = without(g.parent.children, g)
		g.pgrp.leaveTreeLocked(g)
		return
	}
	g.mu.Lock()
	g.tasks = without(g.tasks, c)
	g.mu.Unlock()
	g.countTreeLocked()
}

// InitArgs is what the first process, or one started from outside, begins with.
type InitArgs struct {
	Cred       *cred.Credentials
	FDs        *vfs.FDTable
	FS         *FSContext
	Namespaces *Namespaces
	Limits     *limit.Set
	Exec       ExecArgs
	// Container is the process's label, and its children's; nil for none.
	Container *Container
	// TTY becomes the controlling terminal of a session of its own.
	TTY vfs.TTY
	OOM int32
	// Seccomp is the filter that it starts under, or nil.
	Seccomp *bpf.Program
	// Setup gives it further attributes before anybody sees it; it may be nil.
	Setup func(t *Task)
	// Cgroup is its control group; nil is the root.
	Cgroup *cgroup.Group
}

// NewProcess makes a process that no task forked: the first one of the sandbox
// or of an exec from outside. It has its own session and no parent. It takes
// over the references in a.
func (s *System) NewProcess(a *InitArgs) (*ThreadGroup, error) {
	t := s.newTask(a.Cred, "init")
	t.fds.Store(a.FDs)
	t.fs.Store(a.FS)
	if !a.Namespaces.hold() {
		t.discard()
		return nil, linux.ESRCH
	}
	t.setNamespaces(a.Namespaces)
	s.first.CompareAndSwap(nil, a.Namespaces)
	g := s.newGroup(t, a.Limits, signal.NewActions())
	g.container, g.pids = a.Container, t.pidsFrom(s.pids)
	g.oomAdj.Store(a.OOM)
	g.oomMin.Store(a.OOM)
	if a.Seccomp != nil {
		f, _ := (*Filter)(nil).push(a.Seccomp, a.Cred.NoNewPrivs, nil)
		t.seccomp.Store(f)
	}
	im, err := s.Loader.Load(t, &a.Exec)
	if err != nil {
		t.discard()
		return nil, err
	}
	t.applyImage(im, &a.Exec)
	if a.Setup != nil {
		a.Setup(t)
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	if a.Container.endedTreeLocked() {
		t.discard()
		return nil, linux.ESRCH
	}
	id, e := s.newIDTreeLocked(g.pids, nil)
	if e != 0 {
		t.discard()
		return nil, e
	}
	t.tid.Store(id)
	s.started.Add(1)
	s.tasks[id] = t
	cg := a.Cgroup
	if cg == nil {
		cg = s.Cgroups.Root()
	}
	cg.MoveTasks(1) // no limit holds for who comes from outside
	g.enterTreeLocked(cg)
	if t.heldTreeLocked() {
		t.work.Or(workFreeze)
	}
	g.adoptTreeLocked()
	sess := &Session{id: id, leader: g, tty: a.TTY}
	s.sessions[id] = sess
	g.joinTreeLocked(s.newProcessGroupTreeLocked(id, sess))
	if a.TTY != nil {
		a.TTY.SetForegroundGroup(id)
	}
	return g, nil
}

// StartProcess lets a process that NewProcess made run.
func (s *System) StartProcess(g *ThreadGroup) { g.leader.Start() }
