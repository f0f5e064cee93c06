package sentry

import (
	"cordon/sentry/socket"
	"cordon/sentry/task"
)

// A scheduler is a platform that lets one task run at a time. Settle gives it
// what waits for all that goes on beside tasks.
type scheduler interface {
	task.Turn
	Settle(f func())
}

// turn returns the platform's schedule, nil where tasks run as the host lets
// them.
func (k *Kernel) turn() task.Turn {
	if s, ok := k.hosts.platform.(scheduler); ok {
		return s
	}
	return nil
}

// settleTurn tells the schedule of the network stack, whose goroutines wake
// tasks.
func (k *Kernel) settleTurn() {
	s, ok := k.sys.Turn.(scheduler)
	if !ok {
		return
	}
	if ns, ok := k.spaces.Net.(*socket.Namespace); ok && ns.Stack != nil {
		seen := uint64(0)
		s.Settle(func() { seen = ns.Stack.Settle(seen) })
	}
}
