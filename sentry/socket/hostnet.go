package socket

import "cordon/netstack"

// A HostNetwork is what a namespace has instead of a stack when its sockets are the host's: it answers questions about the
// host's interfaces. Nothing of them can be changed through it.
type HostNetwork interface {
	// Ask sends one request of NETLINK_ROUTE that asks for something, with strict checks or without, and returns the
	// datagrams of the answer.
	Ask(request []byte, strict bool) ([][]byte, error)
	Interfaces() []netstack.Interface
	Routes() []netstack.Route
	Neighbours() []netstack.Neighbour
	// Sockets lists the TCP and UDP sockets of the host's namespace, the sandbox's among them.
	Sockets(f netstack.Family) []HostSocket
}

// A HostSocket is a socket of the host, with its owner there.
type HostSocket struct {
	netstack.EndpointInfo
	UID   uint32
	Inode uint64
}

// A Listing is a socket that says of itself what is listed in /proc/net; false: it has no address yet.
type Listing interface {
	Listing() (netstack.EndpointInfo, bool)
}

// Interfaces lists the namespace's interfaces, Routes and Neighbours its tables.
func (n *Namespace) Interfaces() []netstack.Interface {
	switch {
	case n.Stack != nil:
		return n.Stack.Interfaces()
	case n.Host != nil:
		return n.Host.Interfaces()
	}
	return nil
}

func (n *Namespace) Routes() []netstack.Route {
	switch {
	case n.Stack != nil:
		return n.Stack.Routes()
	case n.Host != nil:
		return n.Host.Routes()
	}
	return nil
}

func (n *Namespace) Neighbours() []netstack.Neighbour {
	switch {
	case n.Stack != nil:
		return n.Stack.Neighbours()
	case n.Host != nil:
		return n.Host.Neighbours()
	}
	return nil
}

// interfaceWith finds the interface that pick takes.
func (n *Namespace) interfaceWith(pick func(*netstack.Interface) bool) (netstack.Interface, bool) {
	for _, i := range n.Interfaces() {
		if pick(&i) {
			return i, true
		}
	}
	return netstack.Interface{}, false
}
