package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
)

// schedTask returns the thread that a sched_ call is about.
func schedTask(t *task.Task, pid arg.PID) (*task.Task, error) {
	if pid == 0 {
		return t, nil
	}
	if target := t.Find(int32(pid)); target != nil {
		return target, nil
	}
	return nil, linux.ESRCH
}

// ownsOrNice reports whether t may change another's scheduling: it is the same
// user's, or t has CAP_SYS_NICE.
func ownsOrNice(t, target *task.Task) bool {
	c, o := t.Cred(), target.Cred()
	return c.EUID == o.EUID || c.EUID == o.RUID || c.HasIn(linux.CAP_SYS_NICE, o.UserNS)
}

// schedOf returns a copy of a thread's parameters.
func schedOf(target *task.Task) (s task.Scheduling) {
	target.EditSched(func(now *task.Scheduling) { s = *now })
	return s
}

// cpuBytes is the size of the kernel's set of processors.
func cpuBytes(t *task.Task) int { return (t.System().CPUs() + 63) / 64 * 8 }

// sysSchedSetaffinity is sched_setaffinity(2).
//
// Partial: the set is kept and shown, and binds to no processor
func sysSchedSetaffinity(t *task.Task, pid arg.PID, n uint32, mask arg.InBytes) (uintptr, error) {
	b, err := mask.Bytes(t.MM(), int(min(n, uint32(cpuBytes(t)))))
	if err != nil {
		return 0, err
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	if !ownsOrNice(t, target) {
		return 0, linux.EPERM
	}
	var set [task.MaxCPUs / 64]uint64
	some := false
	for i := range t.System().CPUs() {
		if i/8 < len(b) && b[i/8]>>(i%8)&1 != 0 {
			set[i/64] |= 1 << (i % 64)
			some = true
		}
	}
	if !some || cgroup.CPUs(set).And(target.Group().Cgroup().EffectiveCPUs(t.System().CPUs())).Count() == 0 {
		return 0, linux.EINVAL
	}
	target.EditSched(func(s *task.Scheduling) { s.Affinity = set })
	return 0, nil
}

// sysSchedGetaffinity is sched_getaffinity(2).
func sysSchedGetaffinity(t *task.Task, pid arg.PID, n uint32, mask arg.OutBytes) (uintptr, error) {
	if int(n) < (t.System().CPUs()+7)/8 || n%8 != 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	cpus := target.Affinity()
	b := arg.Bytes(&cpus)[:min(int(n), cpuBytes(t))]
	return uintptr(len(b)), mask.Store(t.MM(), b)
}

const maxPriority = 99

// realtime reports whether a policy has priorities.
func realtime(p linux.SchedPolicy) bool { return p == linux.SCHED_FIFO || p == linux.SCHED_RR }

func knownPolicy(p linux.SchedPolicy) bool {
	switch p {
	case linux.SCHED_OTHER, linux.SCHED_FIFO, linux.SCHED_RR, linux.SCHED_BATCH, linux.SCHED_IDLE:
		return true
	}
	return false
}

// A schedChange is what sched_setscheduler and its like want.
type schedChange struct {
	policy   linux.SchedPolicy
	priority int32
	nice     int32
	setNice  bool
	reset    bool
}

// setSched makes a change (Linux: kernel/sched/syscalls.c __sched_setscheduler).
func setSched(t, target *task.Task, w schedChange) error {
	if !knownPolicy(w.policy) || w.priority < 0 || w.priority > maxPriority || realtime(w.policy) != (w.priority != 0) {
		return linux.EINVAL
	}
	old := schedOf(target)
	if !t.Cred().HasIn(linux.CAP_SYS_NICE, target.Cred().UserNS) {
		limit := target.Group().Limits().Soft(linux.RLIMIT_RTPRIO)
		switch {
		case realtime(w.policy) && w.policy != old.Policy && limit == 0,
			realtime(w.policy) && w.priority > old.Priority && uint64(w.priority) > limit,
			w.setNice && w.nice < old.Nice && !mayNice(target, w.nice),
			old.Policy == linux.SCHED_IDLE && w.policy != linux.SCHED_IDLE && !mayNice(target, old.Nice),
			!ownsOrNice(t, target), old.ResetOn && !w.reset:
			return linux.EPERM
		}
	}
	target.EditSched(func(s *task.Scheduling) {
		s.Policy, s.Priority, s.ResetOn = w.policy, w.priority, w.reset
		if w.setNice && !realtime(w.policy) {
			s.Nice = w.nice
		}
	})
	return nil
}

// mayNice is Linux's can_nice without the capability.
func mayNice(target *task.Task, nice int32) bool {
	return uint64(20-nice) <= target.Group().Limits().Soft(linux.RLIMIT_NICE)
}

// sysSchedSetscheduler is sched_setscheduler(2).
//
// Partial: the policy is kept and has no effect; SCHED_DEADLINE and SCHED_EXT
// are EINVAL
func sysSchedSetscheduler(t *task.Task, pid arg.PID, policy linux.SchedPolicy, param arg.In[linux.SchedParam]) (uintptr, error) {
	if policy < 0 || param == 0 || pid < 0 {
		return 0, linux.EINVAL
	}
	p, err := param.Load(t.MM())
	if err != nil {
		return 0, err
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	return 0, setSched(t, target, schedChange{
		policy: policy &^ linux.SCHED_RESET_ON_FORK, priority: p.Priority, reset: policy&linux.SCHED_RESET_ON_FORK != 0,
	})
}

// sysSchedSetparam is sched_setparam(2).
//
// Partial: the priority is kept and has no effect
func sysSchedSetparam(t *task.Task, pid arg.PID, param arg.In[linux.SchedParam]) (uintptr, error) {
	if param == 0 || pid < 0 {
		return 0, linux.EINVAL
	}
	p, err := param.Load(t.MM())
	if err != nil {
		return 0, err
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	s := schedOf(target)
	return 0, setSched(t, target, schedChange{policy: s.Policy, priority: p.Priority, reset: s.ResetOn})
}

// sysSchedGetscheduler is sched_getscheduler(2).
func sysSchedGetscheduler(t *task.Task, pid arg.PID) (uintptr, error) {
	if pid < 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	s := schedOf(target)
	if s.ResetOn {
		s.Policy |= linux.SCHED_RESET_ON_FORK
	}
	return uintptr(s.Policy), nil
}

// sysSchedGetparam is sched_getparam(2).
func sysSchedGetparam(t *task.Task, pid arg.PID, param arg.Out[linux.SchedParam]) (uintptr, error) {
	if param == 0 || pid < 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	p := linux.SchedParam{Priority: schedOf(target).Priority}
	return 0, param.Store(t.MM(), &p)
}

// sysSchedGetPriorityMax is sched_get_priority_max(2).
func sysSchedGetPriorityMax(t *task.Task, p linux.SchedPolicy) (uintptr, error) {
	return priorityBound(p, maxPriority)
}

// sysSchedGetPriorityMin is sched_get_priority_min(2).
func sysSchedGetPriorityMin(t *task.Task, p linux.SchedPolicy) (uintptr, error) {
	return priorityBound(p, 1)
}

func priorityBound(p linux.SchedPolicy, ofRealtime uintptr) (uintptr, error) {
	switch {
	case realtime(p):
		return ofRealtime, nil
	case knownPolicy(p), p == linux.SCHED_DEADLINE, p == linux.SCHED_EXT:
		return 0, nil
	}
	return 0, linux.EINVAL
}

// sysSchedRrGetInterval is sched_rr_get_interval(2): Linux's time slices.
func sysSchedRrGetInterval(t *task.Task, pid arg.PID, out arg.Out[linux.Timespec]) (uintptr, error) {
	const slice, roundRobin = 3_000_000, 100_000_000
	if pid < 0 {
		return 0, linux.EINVAL
	}
	target, err := schedTask(t, pid)
	if err != nil {
		return 0, err
	}
	ns := int64(slice)
	switch schedOf(target).Policy {
	case linux.SCHED_RR:
		ns = roundRobin
	case linux.SCHED_FIFO:
		ns = 0
	}
	ts := linux.TimespecFromNS(ns)
	return 0, out.Store(t.MM(), &ts)
}
