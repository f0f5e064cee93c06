package task

import (
	"cordon/internal/linux"
	"cordon/sentry/socket"
)

// A task that lives holds a reference to the network namespace that it is in; the
// sets of namespaces, which tasks share, hold none.

// net is the set's network namespace, nil where there is none.
func (n *Namespaces) net() *socket.Namespace {
	if n == nil {
		return nil
	}
	s, _ := n.Net.(*socket.Namespace)
	return s
}

// holdNet takes a reference to the network namespace for a task; false when it
// has ended.
func (n *Namespaces) holdNet() bool {
	s := n.net()
	return s == nil || s.TryIncRef()
}

// setNamespaces puts t into a set, of which it takes over the reference to the
// network.
func (t *Task) setNamespaces(n *Namespaces) {
	t.ns.Swap(n).dropNet()
}

func (n *Namespaces) dropNet() {
	if s := n.net(); s != nil {
		s.DecRef()
	}
}

// leaveNet is for a task that ends: nobody finds a network by it any more.
func (t *Task) leaveNet() {
	if old := t.ns.Load(); old != nil {
		n := *old
		n.Net = nil
		t.setNamespaces(&n)
	}
}

// NetByPID implements socket.Finder.
func (t *Task) NetByPID(pid int32) (*socket.Namespace, error) {
	o := t.Find(pid)
	if o == nil {
		return nil, linux.ESRCH
	}
	n := o.Namespaces()
	if s := n.net(); s != nil && n.holdNet() {
		return s, nil
	}
	return nil, linux.ESRCH
}

// A NetFile is a file that stands for a network namespace; nil when it is another
// kind's.
type NetFile interface{ NetNamespace() *socket.Namespace }

// NetByFD implements socket.Finder.
func (t *Task) NetByFD(fd int32) (*socket.Namespace, error) {
	d := t.FDs().Get(linux.FD(fd))
	if d == nil {
		return nil, linux.EBADF
	}
	defer d.DecRef()
	if f, ok := d.File().(NetFile); ok {
		if s := f.NetNamespace(); s != nil && s.TryIncRef() {
			return s, nil
		}
	}
	return nil, linux.EINVAL
}
