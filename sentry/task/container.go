package task

import (
	"sync/atomic"

	"cordon/internal/linux"
)

// A Container is the label of a container's processes: its first, those put
// beside it from outside, and all that they fork.
type Container struct {
	// immutable
	id string

	// atomic
	frozen atomic.Int32 // tasks that are parked

	// guarded by System.tree
	ended    bool // no process can be made in it any more
	freezing int  // how many hold it frozen
}

// NewContainer returns the label of no process yet.
func NewContainer(id string) *Container { return &Container{id: id} }

// ID is the container's name.
func (c *Container) ID() string { return c.id }

// endedTreeLocked reports whether EndContainer was called. A process without a
// label belongs to a container that has no end.
func (c *Container) endedTreeLocked() bool { return c != nil && c.ended }

func (c *Container) freezingTreeLocked() bool { return c != nil && c.freezing > 0 }

// Container is the label that the process has, or nil.
func (g *ThreadGroup) Container() *Container { return g.container }

// ContainerProcesses returns the processes of c that are not reaped, in order
// of id.
func (s *System) ContainerProcesses(c *Container) []*ThreadGroup {
	return keep(s.Processes(), func(g *ThreadGroup) bool { return g.container == c })
}

func keep[T any](list []T, want func(T) bool) (out []T) {
	for _, v := range list {
		if want(v) {
			out = append(out, v)
		}
	}
	return out
}

// KillContainer ends every process of c. No further one can be made.
func (s *System) KillContainer(c *Container) {
	s.tree.Lock()
	defer s.tree.Unlock()
	c.ended = true
	for _, t := range s.tasks {
		g := t.group
		if g.container != c || t != g.leader {
			continue
		}
		g.mu.Lock()
		g.exitLocked(linux.WaitSignaled(linux.SIGKILL, false), nil)
		g.mu.Unlock()
	}
}

// EndContainer is KillContainer that returns when the processes are gone. Each
// has been started.
func (s *System) EndContainer(c *Container) {
	s.KillContainer(c)
	all := s.ContainerProcesses(c)
	for _, g := range all {
		s.WaitProcess(g)
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	for _, g := range all {
		g.reapTreeLocked()
	}
}

// FreezeContainer is Freeze for the tasks of c.
func (s *System) FreezeContainer(c *Container) {
	s.tree.Lock()
	c.freezing++
	for _, t := range s.tasks {
		if t.group.container == c && t.exitState == alive {
			t.kick(workFreeze)
		}
	}
	s.tree.Unlock()
	s.frozenMu.Lock()
	defer s.frozenMu.Unlock()
	for !s.containerFrozen(c) {
		s.frozenCond.Wait()
	}
}

func (s *System) containerFrozen(c *Container) bool {
	s.tree.RLock()
	defer s.tree.RUnlock()
	living := int32(0)
	for _, t := range s.tasks {
		if t.group.container == c && t.exitState == alive {
			living++
		}
	}
	return c.frozen.Load() >= living
}

// ThawContainer undoes a FreezeContainer.
func (s *System) ThawContainer(c *Container) {
	s.tree.Lock()
	if c.freezing--; c.freezing == 0 && s.freezing == 0 {
		for _, t := range s.tasks {
			if t.group.container == c && !t.heldTreeLocked() {
				t.work.And(^workFreeze)
			}
		}
	}
	s.tree.Unlock()
	s.wakeFrozen()
}

func (s *System) wakeFrozen() {
	s.frozenMu.Lock()
	s.frozenCond.Broadcast()
	s.frozenMu.Unlock()
	if s.Turn != nil {
		s.Turn.Wake()
	}
}
