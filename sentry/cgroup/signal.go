package cgroup

import (
	"sync/atomic"

	"cordon/sentry/wait"
)

// An EventFile names one of a group's files that tell of changes.
type EventFile uint8

// The files.
const (
	CoreEvents       EventFile = iota // cgroup.events
	MemoryEventsFile                  // memory.events
	MemoryLocalFile                   // memory.events.local
	PIDsEvents                        // pids.events
	PIDsLocalFile                     // pids.events.local
	SwapEvents                        // memory.swap.events

	eventFiles
)

// A Signal tells of the changes of one file: by EPOLLPRI, and to those who
// listen. It is told with locks held.
type Signal struct {
	// atomic
	changes   atomic.Uint64
	listeners atomic.Pointer[[]func() bool]

	queue wait.Queue
}

// Signal returns that of a file.
func (g *Group) Signal(f EventFile) *Signal { return &g.signals[f] }

// Events is notified of changes.
func (s *Signal) Events() *wait.Queue { return &s.queue }

// Changes counts them.
func (s *Signal) Changes() uint64 { return s.changes.Load() }

// Listen has f called at each change, until it returns false. It takes no lock
// before Inotify's.
func (s *Signal) Listen(f func() bool) {
	for {
		old := s.listeners.Load()
		list := []func() bool{f}
		if old != nil {
			list = append(list, *old...)
		}
		if s.listeners.CompareAndSwap(old, &list) {
			return
		}
	}
}

func (s *Signal) tell() {
	s.changes.Add(1)
	s.queue.Notify(wait.Pri | wait.Err)
	list := s.listeners.Load()
	if list == nil {
		return
	}
	var left []func() bool
	for _, l := range *list {
		if l() {
			left = append(left, l)
		}
	}
	if len(left) < len(*list) {
		s.listeners.CompareAndSwap(list, &left) // else the next time
	}
}

func (g *Group) tell(f EventFile) { g.signals[f].tell() }

// Tell says that cgroup.events of g and of the groups above may have changed.
func (g *Group) Tell() {
	for ; g != nil; g = g.parent {
		g.tell(CoreEvents)
	}
}
