package task

import (
	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/socket"
)

// A task that lives holds references to the network and the IPC namespace that it is
// in; the sets of namespaces, which tasks share, hold none.

// net is the set's network namespace, nil where there is none.
func (n *Namespaces) net() *socket.Namespace {
	if n == nil {
		return nil
	}
	s, _ := n.Net.(*socket.Namespace)
	return s
}

// ipc is the set's IPC namespace, nil where there is none.
func (n *Namespaces) ipc() *ipc.Namespace {
	if n == nil {
		return nil
	}
	s, _ := n.IPC.(*ipc.Namespace)
	return s
}

// hold takes references to the network and the IPC namespace for a task; false
// when one has ended.
func (n *Namespaces) hold() bool {
	if !n.holdNet() {
		return false
	}
	if !n.holdIPC() {
		n.dropNet()
		return false
	}
	return true
}

func (n *Namespaces) holdNet() bool {
	s := n.net()
	return s == nil || s.TryIncRef()
}

func (n *Namespaces) holdIPC() bool {
	s := n.ipc()
	return s == nil || s.TryIncRef()
}

// setNamespaces puts t into a set, of which it takes over the references.
func (t *Task) setNamespaces(n *Namespaces) {
	t.ns.Swap(n).drop()
}

// drop undoes hold.
func (n *Namespaces) drop() {
	n.dropNet()
	if s := n.ipc(); s != nil {
		s.DecRef()
	}
}

func (n *Namespaces) dropNet() {
	if s := n.net(); s != nil {
		s.DecRef()
	}
}

// leaveCounted is for a task that ends: nobody finds a network or an IPC
// namespace by it any more.
func (t *Task) leaveCounted() {
	if old := t.ns.Load(); old != nil {
		n := *old
		n.Net, n.IPC = nil, nil
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
	if s := n.net(); s != nil && s.TryIncRef() {
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
