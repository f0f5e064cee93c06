package syscalls

import (
	"math"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
)

// Flags of struct sched_attr.
const (
	schedReset      = 0x1
	schedKeepPolicy = 0x8
	schedKeepParams = 0x10
	schedUtilClamp  = 0x60
	schedFlags      = 0x7f
)

// sysSchedSetattr is sched_setattr(2).
//
// Partial: the attributes are kept and have no effect; SCHED_DEADLINE is EINVAL
// and the utilization clamps are EOPNOTSUPP, as of a kernel without them
func sysSchedSetattr(t *task.Task, pid arg.PID, attr arg.InOut[linux.SchedAttr], flags uint32) (uintptr, error) {
	if attr == 0 || pid < 0 || flags != 0 {
		return 0, linux.EINVAL
	}
	a, err := loadSchedAttr(t, attr)
	if err != nil {
		return 0, err
	}
	if int32(a.Policy) < 0 || a.Flags&^schedFlags != 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	if a.Flags&schedUtilClamp != 0 {
		return 0, linux.EOPNOTSUPP
	}
	now := schedOf(target)
	w := schedChange{
		policy: linux.SchedPolicy(a.Policy), priority: int32(min(a.Priority, math.MaxInt32)),
		nice: max(min(a.Nice, 19), -20), setNice: true, reset: a.Flags&schedReset != 0,
	}
	if a.Flags&schedKeepPolicy != 0 {
		w.policy = now.Policy
	}
	if a.Flags&schedKeepParams != 0 {
		w.priority, w.nice = now.Priority, now.Nice
	}
	return 0, setSched(t, target, w)
}

// loadSchedAttr reads a sched_attr of any version. A size that is not possible
// is E2BIG, and the right one is stored.
func loadSchedAttr(t *task.Task, attr arg.InOut[linux.SchedAttr]) (linux.SchedAttr, error) {
	size, err := arg.LoadAt[uint32](t.MM(), uint64(attr))
	if err != nil {
		return linux.SchedAttr{}, err
	}
	if size == 0 {
		size = linux.SCHED_ATTR_SIZE_VER0
	}
	if size >= linux.SCHED_ATTR_SIZE_VER0 && size <= pageSize {
		a, err := loadVersioned[linux.SchedAttr](t.MM(), uint64(attr), uint64(size))
		if err != linux.E2BIG {
			return a, err
		}
	}
	right := uint32(linux.SCHED_ATTR_SIZE_VER1)
	if err := arg.StoreAt(t.MM(), uint64(attr), &right); err != nil {
		return linux.SchedAttr{}, err
	}
	return linux.SchedAttr{}, linux.E2BIG
}

// sysSchedGetattr is sched_getattr(2).
func sysSchedGetattr(t *task.Task, pid arg.PID, attr arg.OutBytes, size, flags uint32) (uintptr, error) {
	if attr == 0 || pid < 0 || size > pageSize || size < linux.SCHED_ATTR_SIZE_VER0 || flags != 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	s := schedOf(target)
	a := linux.SchedAttr{Size: min(size, linux.SCHED_ATTR_SIZE_VER1), Policy: uint32(s.Policy)}
	if s.ResetOn {
		a.Flags |= schedReset
	}
	if realtime(s.Policy) {
		a.Priority = uint32(s.Priority)
	} else {
		a.Nice = s.Nice
		const slice = 3_000_000
		a.Runtime = slice
	}
	return 0, attr.Store(t.MM(), arg.Bytes(&a)[:a.Size])
}

// chosen returns the threads that getpriority and ioprio_get mean.
func chosen(t *task.Task, kind linux.PriorityWhich, who arg.PID) []*task.Task {
	switch kind {
	case linux.PRIO_PROCESS:
		if target, err := schedTask(t, who); err == nil {
			return []*task.Task{target}
		}
		return nil
	case linux.PRIO_PGRP:
		group := t.ToRootPID(int32(who))
		if who == 0 {
			group = t.ProcessGroup()
		}
		return tasksWhere(t, func(x *task.Task) bool { return x.Group().ProcessGroup() == group })
	}
	uid := t.Cred().RUID
	if who != 0 {
		uid = t.Cred().UserNS.ToRootUID(uint32(who))
	}
	return tasksWhere(t, func(x *task.Task) bool { return x.Cred().RUID == uid })
}

func tasksWhere(t *task.Task, want func(*task.Task) bool) (out []*task.Task) {
	for _, x := range t.System().Tasks() {
		if want(x) {
			out = append(out, x)
		}
	}
	return out
}

// sysGetpriority is getpriority(2): the result is 20 less the nice value.
func sysGetpriority(t *task.Task, which linux.PriorityWhich, who arg.PID) (uintptr, error) {
	if which < linux.PRIO_PROCESS || which > linux.PRIO_USER {
		return 0, linux.EINVAL
	}
	best := int32(0)
	for _, x := range chosen(t, which, who) {
		best = max(best, 20-schedOf(x).Nice)
	}
	if best == 0 {
		return 0, linux.ESRCH
	}
	return uintptr(best), nil
}

// sysSetpriority is setpriority(2).
//
// Partial: the nice value is kept and has no effect
func sysSetpriority(t *task.Task, which linux.PriorityWhich, who arg.PID, nice int32) (uintptr, error) {
	if which < linux.PRIO_PROCESS || which > linux.PRIO_USER {
		return 0, linux.EINVAL
	}
	nice = max(min(nice, 19), -20)
	var err error = linux.ESRCH
	for _, x := range chosen(t, which, who) {
		switch {
		case !ownsOrNice(t, x):
			err = linux.EPERM
		case nice < schedOf(x).Nice && !mayNice(x, nice) && !t.Cred().HasRoot(linux.CAP_SYS_NICE):
			err = linux.EACCES
		default:
			if err == linux.ESRCH {
				err = nil
			}
			x.EditSched(func(s *task.Scheduling) { s.Nice = nice })
		}
	}
	return 0, err
}

// ioprioWhich translates ioprio_get's selector into getpriority's.
func ioprioWhich(w linux.IoprioWho) (linux.PriorityWhich, error) {
	if w < linux.IOPRIO_WHO_PROCESS || w > linux.IOPRIO_WHO_USER {
		return 0, linux.EINVAL
	}
	return linux.PriorityWhich(w - linux.IOPRIO_WHO_PROCESS), nil
}

// sysIoprioSet is ioprio_set(2).
//
// Partial: the priority is kept and has no effect
func sysIoprioSet(t *task.Task, which linux.IoprioWho, who arg.PID, prio int32) (uintptr, error) {
	const levels = 8
	level := prio & (1<<linux.IOPRIO_CLASS_SHIFT - 1) & (levels - 1)
	switch linux.IoprioClass(prio >> linux.IOPRIO_CLASS_SHIFT) {
	case linux.IOPRIO_CLASS_RT:
		if !t.Cred().HasRoot(linux.CAP_SYS_ADMIN) && !t.Cred().HasRoot(linux.CAP_SYS_NICE) {
			return 0, linux.EPERM
		}
	case linux.IOPRIO_CLASS_BE, linux.IOPRIO_CLASS_IDLE:
	case linux.IOPRIO_CLASS_NONE:
		if level != 0 {
			return 0, linux.EINVAL
		}
	default:
		return 0, linux.EINVAL
	}
	kind, err := ioprioWhich(which)
	if err != nil {
		return 0, err
	}
	err = linux.ESRCH
	for _, x := range chosen(t, kind, who) {
		if c := t.Cred(); x.Cred().RUID != c.EUID && x.Cred().RUID != c.RUID && !c.HasRoot(linux.CAP_SYS_NICE) {
			return 0, linux.EPERM
		}
		x.EditSched(func(*task.Scheduling) { x.SetIOPrio(uint16(prio)) })
		err = nil
	}
	return 0, err
}

// sysIoprioGet is ioprio_get(2): of several, the most urgent one.
func sysIoprioGet(t *task.Task, which linux.IoprioWho, who arg.PID) (uintptr, error) {
	kind, err := ioprioWhich(which)
	if err != nil {
		return 0, err
	}
	list := chosen(t, kind, who)
	if len(list) == 0 {
		return 0, linux.ESRCH
	}
	best := ^uint16(0)
	for _, x := range list {
		var p uint16
		x.EditSched(func(s *task.Scheduling) {
			p = x.IOPrio()
			if p>>linux.IOPRIO_CLASS_SHIFT == 0 && which != linux.IOPRIO_WHO_PROCESS {
				// As in Linux, none given means one that follows the nice value.
				p = uint16(linux.IOPRIO_CLASS_BE)<<linux.IOPRIO_CLASS_SHIFT | uint16((s.Nice+20)/5)
			}
		})
		best = min(best, p)
	}
	return uintptr(best), nil
}
