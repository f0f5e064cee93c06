package socket

import (
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/refs"
	"cordon/netstack"
	"cordon/sentry/cred"
)

// A Finder finds network namespaces for a caller: by the number of a process as the caller counts, and by a descriptor of a
// file that stands for one. The caller of NetByPID and NetByFD owns a reference. ESRCH and EINVAL where there is none.
type Finder interface {
	NetByPID(pid int32) (*Namespace, error)
	NetByFD(fd int32) (*Namespace, error)
}

// IncRef and DecRef count who is in the namespace or keeps it: tasks, sockets, files that stand for it. The last DecRef ends
// it, with its interfaces.
func (n *Namespace) IncRef() { n.refs.Add(1) }

// TryIncRef is IncRef for one who holds no reference; false when the namespace has ended.
func (n *Namespace) TryIncRef() bool { return refs.Try(&n.refs) }

func (n *Namespace) DecRef() {
	if n.refs.Add(-1) == 0 && n.Stack != nil {
		// Whoever leaves last may hold locks that its interfaces' ends need.
		go n.end()
	}
}

// maxNamespaces bounds the network namespaces of a sandbox: user.max_net_namespaces.
const maxNamespaces = 2048

// MayAddNamespace reports whether there may be another namespace.
func (r *Registry) MayAddNamespace() bool { return r.namespaces.Load() < maxNamespaces }

// NewNamespace is NewNamespace for one that the registry counts.
func (r *Registry) NewNamespace(stack *netstack.Stack, user *cred.UserNamespace) *Namespace {
	n := NewNamespace(stack, user)
	r.counts(n)
	return n
}

func (r *Registry) counts(n *Namespace) {
	n.among = r
	r.namespaces.Add(1)
}

// end takes the interfaces away, with what is at the other ends of pairs, and stops the stack.
func (n *Namespace) end() {
	for _, i := range n.Stack.Interfaces() {
		if !i.Loopback {
			n.RemovePeer(i.Index)
			_ = n.Stack.RemoveLink(i.Index) // who else would have
		}
	}
	n.Stack.Dispose()
	if n.among != nil {
		n.among.namespaces.Add(-1)
	}
}

// Peer is the other end of a pair: its namespace, of which the caller gets a reference, and its index there. nil for an
// interface that is not of one.
func (n *Namespace) Peer(index int32) (*Namespace, int32) {
	stack, at := n.Stack.PeerOf(index)
	if stack == nil {
		return nil, 0
	}
	o, _ := stack.Owner().(*Namespace)
	if o == nil || !o.TryIncRef() {
		return nil, 0
	}
	return o, at
}

// RemovePeer removes the other end of a pair.
func (n *Namespace) RemovePeer(index int32) {
	o, at := n.Peer(index)
	if o == nil {
		return
	}
	defer o.DecRef()
	if i, ok := o.Stack.Interface(at); ok {
		_ = o.RemoveLink(i) // it may have gone by itself
	}
}

// MoveLink takes an interface to another namespace, as netstack's MoveLink does, and tells both.
func (n *Namespace) MoveLink(i netstack.Interface, to *Namespace, name string) (int32, error) {
	before := n.Fib()
	index, err := n.Stack.MoveLink(i.Index, to.Stack, name)
	if err != nil {
		return 0, err
	}
	n.linkGone(i, before)
	to.LinkChanged(index)
	return index, nil
}

// IDOf is the number by which n knows another namespace (RTM_GETNSID), -1 for none: NETNSA_NSID_NOT_ASSIGNED.
func (n *Namespace) IDOf(o *Namespace) int32 {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	if id, ok := n.conf.ids[o.serial]; ok {
		return id
	}
	return noID
}

const noID = -1

// Number is IDOf for one that gets a number if it has none: any if want is negative. EEXIST when it has one, or another has
// that; ENOSPC when there are too many.
func (n *Namespace) Number(o *Namespace, want int32) (int32, error) {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	id, known := n.conf.ids[o.serial]
	if want < 0 && known {
		return id, nil
	}
	if known {
		return 0, linux.EEXIST
	}
	if len(n.conf.ids) >= maxNotes {
		return 0, linux.ENOSPC
	}
	taken := make(map[int32]bool, len(n.conf.ids))
	for _, id := range n.conf.ids {
		taken[id] = true
	}
	if want >= 0 {
		if taken[want] {
			return 0, linux.EEXIST
		}
	} else {
		for want = 0; taken[want]; want++ {
		}
	}
	n.conf.ids[o.serial] = want
	return want, nil
}

// Numbers lists the numbers that n has for other namespaces.
func (n *Namespace) Numbers() []int32 {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	return slices.Sorted(maps.Values(n.conf.ids))
}
