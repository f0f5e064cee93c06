package task

import (
	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/ebpf"
	"cordon/sentry/vfs"
)

// Processes belong to control groups: a process to one, with all its threads.
// ThreadGroup.cgroup says to which; it changes with System.tree held for
// writing. A task counts from its link to its being reaped, a process while it
// has threads (cgroups(7)).

// Cgroup returns the process's control group.
func (g *ThreadGroup) Cgroup() *cgroup.Group { return g.cgroup.Load() }

// MayUseDevice implements vfs.Job.
func (t *Task) MayUseDevice(kind linux.FileMode, dev uint64, access uint32) bool {
	return t.group.cgroup.Load().MayUseDevice(&ebpf.Request{
		Block: kind == linux.S_IFBLK, Access: access, Major: linux.DevMajor(dev), Minor: linux.DevMinor(dev),
	})
}

// CgroupRoot is the root of the control groups that t sees.
func (t *Task) CgroupRoot() *cgroup.Group {
	if n := t.Namespaces(); n != nil && n.Cgroup != nil {
		return n.Cgroup.root
	}
	return t.sys.Cgroups.Root()
}

// Charger is who is charged for the memory of files that t makes.
func (t *Task) Charger() vfs.Charger { return t.group.Cgroup() }

// A CgroupNamespace is a view of the control groups (cgroup_namespaces(7)).
type CgroupNamespace struct {
	// immutable
	root *cgroup.Group
}

// NewCgroupNamespace returns a view with this root.
func NewCgroupNamespace(root *cgroup.Group) *CgroupNamespace { return &CgroupNamespace{root} }

// Root returns the group that is "/" in the view.
func (n *CgroupNamespace) Root() *cgroup.Group { return n.root }

// enterTreeLocked counts a new process of t in cg.
func (g *ThreadGroup) enterTreeLocked(cg *cgroup.Group) {
	g.cgroup.Store(cg)
	cg.AddProcess(1)
}

// leaveTreeLocked takes the process out of its group's count of those that
// have threads: the last has gone.
func (g *ThreadGroup) leaveCgroupTreeLocked() {
	cg := g.cgroup.Load()
	u := g.usageTreeLocked()
	cg.AddTime(u.UserNS-g.cgroupBase[0], u.SystemNS-g.cgroupBase[1])
	cg.AddProcess(-1)
}

// heldTreeLocked reports whether t is to stand still.
func (t *Task) heldTreeLocked() bool {
	return t.waitsTurn.Load() || t.heldElseTreeLocked()
}

// heldElseTreeLocked is that for other reasons than others' weights.
func (t *Task) heldElseTreeLocked() bool {
	return t.sys.freezing > 0 || t.group.container.freezingTreeLocked() || t.group.cgroup.Load().Held()
}

// CgroupProcesses returns the processes of cg that have a thread, in order of
// id, with below those of the groups below too.
func (s *System) CgroupProcesses(cg *cgroup.Group, below bool) []*ThreadGroup {
	return keep(s.Processes(), func(g *ThreadGroup) bool {
		at := g.Cgroup()
		return (at == cg || below && at.Within(cg)) && !g.Exited()
	})
}

// MoveToCgroup puts a process into another control group. Permission is the
// caller's to check.
func (s *System) MoveToCgroup(g *ThreadGroup, to *cgroup.Group) linux.Errno {
	if e := to.MayHost(); e != 0 {
		return e
	}
	s.tree.Lock()
	from := g.cgroup.Load()
	if g.reapedSelf || g.zombieNow {
		s.tree.Unlock()
		return linux.ESRCH
	}
	if from == to {
		s.tree.Unlock()
		return 0
	}
	n := int64(0)
	for _, t := range s.tasks {
		if t.group == g {
			n++
		}
	}
	to.MoveTasks(n)
	from.MoveTasks(-n)
	g.leaveCgroupTreeLocked()
	u := g.usageTreeLocked()
	g.cgroupBase = [2]int64{u.UserNS, u.SystemNS}
	g.enterTreeLocked(to)
	s.holdTreeLocked(func(o *ThreadGroup) bool { return o == g })
	s.tree.Unlock()
	s.wakeFrozen()
	s.watchCgroup(to)
	return 0
}

// holdTreeLocked has the tasks of some processes stop or go on as they are to.
// wakeFrozen follows.
func (s *System) holdTreeLocked(which func(g *ThreadGroup) bool) {
	for _, t := range s.tasks {
		if t.exitState != alive || !which(t.group) {
			continue
		}
		switch held := t.heldTreeLocked(); {
		case !held:
			t.work.And(^workFreeze)
		case t.work.Load()&workFreeze != 0:
		case t.sleeps.Load() && !t.group.cgroup.Load().Frozen() && s.freezing == 0 && !t.group.container.freezingTreeLocked():
			t.work.Or(workFreeze) // its time is used up: it may sleep on
		default:
			t.kick(workFreeze)
		}
	}
}

// KillCgroup ends all processes of cg and of the groups below.
func (s *System) KillCgroup(cg *cgroup.Group) {
	s.tree.Lock()
	defer s.tree.Unlock()
	for _, t := range s.tasks {
		if g := t.group; t == g.leader && g.cgroup.Load().Within(cg) {
			g.killTreeLocked()
		}
	}
}

// killTreeLocked ends the process as SIGKILL does, whatever it is protected from.
func (g *ThreadGroup) killTreeLocked() {
	g.mu.Lock()
	g.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
	g.mu.Unlock()
}

// FreezeCgroup sets cgroup.freeze of cg.
func (s *System) FreezeCgroup(cg *cgroup.Group, on bool) {
	s.tree.Lock()
	cg.SetFreeze(on)
	s.holdTreeLocked(func(g *ThreadGroup) bool { return g.cgroup.Load().Within(cg) })
	s.tree.Unlock()
	s.wakeFrozen()
}

// CgroupFrozen reports whether every task of cg and of the groups below stands
// still because the group is frozen.
func (s *System) CgroupFrozen(cg *cgroup.Group) bool {
	if !cg.Frozen() {
		return false
	}
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, t := range s.tasks {
		if t.exitState == alive && t.group.cgroup.Load().Within(cg) && !t.parked.Load() {
			return false
		}
	}
	return true
}

// CgroupTime is the processor time that cg and the groups below have used, in
// nanoseconds.
func (s *System) CgroupTime(cg *cgroup.Group) (user, system int64) {
	user, system = cg.GoneTime()
	s.tree.RLock()
	defer s.tree.RUnlock()
	for _, t := range s.tasks {
		g := t.group
		if t != g.leader || g.zombieNow || !g.cgroup.Load().Within(cg) {
			continue
		}
		u := g.usageTreeLocked()
		user += u.UserNS - g.cgroupBase[0]
		system += u.SystemNS - g.cgroupBase[1]
	}
	return user, system
}

// CgroupThreads returns the threads of cg's own processes, in order of id.
func (s *System) CgroupThreads(cg *cgroup.Group) (all []*Task) {
	for _, t := range s.Tasks() {
		if t.group.Cgroup() == cg && s.Lives(t.TID()) {
			all = append(all, t)
		}
	}
	return all
}

// CloneInto has the next Clone with CLONE_INTO_CGROUP make a process of cg.
// Permission is the caller's to check. Task-only.
func (t *Task) CloneInto(cg *cgroup.Group) linux.Errno {
	t.into = cg
	return cg.MayHost()
}

// MaxTasks is how many tasks there may be (kernel.threads-max).
func (s *System) MaxTasks() int {
	if n := s.maxTasks.Load(); n > 0 {
		return int(n)
	}
	return MaxTasks
}

// SetMaxTasks lowers the bound.
func (s *System) SetMaxTasks(n int) { s.maxTasks.Store(int64(min(n, MaxTasks))) }
