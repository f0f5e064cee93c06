package procfs

import (
	"cordon/internal/linux"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// Namespaces returns a set that is base but for the namespace of n.
func (n *Namespace) Namespaces(base *task.Namespaces) *task.Namespaces {
	s := *base
	switch n.Kind {
	case linux.CLONE_NEWNS:
		s.Mount = n.Object.(*vfs.MountNamespace)
	case linux.CLONE_NEWUTS:
		s.UTS = n.Object.(*task.UTSNamespace)
	case linux.CLONE_NEWIPC:
		s.IPC = n.Object
	case linux.CLONE_NEWPID:
		s.PID = n.Object.(*task.PIDNamespace)
	case linux.CLONE_NEWTIME:
		s.Time, _ = n.Object.(*task.TimeNamespace) // nil: the first
	case linux.CLONE_NEWNET:
		s.Net = n.Object
	}
	return &s
}
