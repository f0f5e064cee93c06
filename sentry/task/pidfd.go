package task

import (
	"cordon/sentry/wait"
)

// A PidFD is what pidfd_open(2) opens. It implements vfs.File and vfs.Poller.
type PidFD struct {
	// immutable
	group  *ThreadGroup
	thread *Task // PIDFD_THREAD, else nil
}

// NewPidFD returns a file for g, or for one thread of it.
func NewPidFD(g *ThreadGroup, thread *Task) *PidFD { return &PidFD{g, thread} }

// Group returns the process.
func (p *PidFD) Group() *ThreadGroup { return p.group }

// Thread returns the thread of a PIDFD_THREAD file, else nil.
func (p *PidFD) Thread() *Task { return p.thread }

// Release implements vfs.File.
func (p *PidFD) Release() {}

// Readiness implements vfs.Poller: readable once the process has ended, and
// hung up once it is reaped.
func (p *PidFD) Readiness(mask wait.Events) wait.Events {
	g := p.group
	g.sys.tree.RLock()
	defer g.sys.tree.RUnlock()
	var r wait.Events
	if g.zombieNow || p.thread != nil && p.thread.exitState >= zombie {
		r |= wait.In | wait.RdNorm
	}
	if g.reapedSelf {
		r |= wait.Hup
	}
	return r & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (p *PidFD) Queue() *wait.Queue { return &p.group.exitEvents }
