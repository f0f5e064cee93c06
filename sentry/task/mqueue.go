package task

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// A ThreadGroup is an mqueue.Process, and a Task has the limits that queues are
// made under.

// Execs counts the programs that the process has run after its first.
func (g *ThreadGroup) Execs() uint32 { return g.execs.Load() }

// UsesFDs reports whether a thread of the process has its descriptors in f.
func (g *ThreadGroup) UsesFDs(f *vfs.FDTable) bool {
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	for _, t := range g.tasks {
		if t.FDs() == f {
			return true
		}
	}
	return false
}

// SignalMessage sends the process a signal for a message that by has sent (Linux:
// ipc/mqueue.c __do_notify).
func (g *ThreadGroup) SignalMessage(by vfs.Job, info *linux.SigInfo) {
	t, ok := by.(*Task)
	if !ok {
		return
	}
	info.SetPID(t.OwnPID())
	info.SetUID(t.Cred().UserNS.FromRootUID(t.Cred().RUID))
	g.SendFrom(t, nil, info) // it may have ended
}

// SoftLimit is the process's limit in force for r.
func (t *Task) SoftLimit(r linux.Resource) uint64 { return t.group.limits.Soft(r) }

// KernelPriority is the priority as the kernel's scheduler counts it, the lowest
// first.
func (t *Task) KernelPriority() int32 {
	s := t.Sched()
	switch s.Policy &^ linux.SCHED_RESET_ON_FORK {
	case linux.SCHED_FIFO, linux.SCHED_RR:
		return 99 - s.Priority
	case linux.SCHED_DEADLINE:
		return -1
	}
	return 120 + int32(s.Nice)
}
