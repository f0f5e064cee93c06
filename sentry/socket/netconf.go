package socket

import (
	"net/netip"
	"slices"

	"cordon/internal/linux"
	"cordon/netstack"
)

// A Change is what has happened to a namespace's network, for who listens (rtnetlink's groups).
type Change struct {
	Kind ChangeKind
	Gone bool // else it is new, or has changed

	Link      netstack.Interface
	Addr      Addr
	Route     Route
	Neighbour netstack.Neighbour
	Station   netstack.Station
	Bridge    int32 // that knows the station
}

// ChangeKind says which field of a Change counts.
type ChangeKind uint8

const (
	LinkChange ChangeKind = iota + 1
	AddrChange
	RouteChange
	NeighbourChange
	StationChange
)

// An Observer is a socket that is told of changes.
type Observer interface{ NetworkChanged(c *Change) }

// Tell tells the namespace's observers of changes, in their order.
func (n *Namespace) Tell(cs ...Change) {
	for _, s := range n.Sockets(linux.AF_NETLINK) {
		if o, ok := s.(Observer); ok {
			for i := range cs {
				o.NetworkChanged(&cs[i])
			}
		}
	}
}

// An Addr is an interface's address as Linux keeps it: with what the stack has no use for.
type Addr struct {
	Index     int32
	Prefix    netip.Prefix
	Peer      netip.Prefix // of a link to one other station, or its network; Prefix is the address alone then
	Broadcast netip.Addr   // of IPv4; invalid: none
	Label     string
	Scope     uint8
	Proto     uint8 // IFA_PROTO
	Secondary bool  // made by Addresses
}

// A Route is a row of a table as Linux keeps it.
type Route struct {
	netstack.Route
	Table  uint8
	Type   uint8
	Scope  uint8
	Proto  uint8
	Metric uint32
	OnLink bool
}

// A RouteNote is what a row of the stack's table is known by beside what the stack keeps.
type RouteNote struct {
	Proto, Scope uint8
	Metric       uint32
	OnLink       bool
}

// An addrKey names an address of an interface.
type addrKey struct {
	index  int32
	prefix netip.Prefix
}

// maxNotes bounds addresses and routes that one namespace can have been given.
const maxNotes = 64 << 10

// netConf is what a Namespace keeps of its network beside the stack.
type netConf struct {
	addrs  map[addrKey]Addr
	routes map[netstack.Route]RouteNote
	ids    map[uint64]int32 // of other namespaces, by their serial
}

func newNetConf() netConf {
	return netConf{addrs: make(map[addrKey]Addr), routes: make(map[netstack.Route]RouteNote), ids: make(map[uint64]int32)}
}

// ScopeOf is the scope that Linux gives an address when nobody says.
func ScopeOf(ip netip.Addr) uint8 {
	switch {
	case ip.IsLoopback():
		return linux.RT_SCOPE_HOST
	case ip.IsLinkLocalUnicast():
		return linux.RT_SCOPE_LINK
	}
	return linux.RT_SCOPE_UNIVERSE
}

// AddressesOf lists an interface's addresses in Linux's order: IPv4's first ones of each network, then further ones, then
// IPv6's from the widest scope, the newest first.
func (n *Namespace) AddressesOf(i *netstack.Interface) []Addr {
	n.confMu.Lock()
	defer n.confMu.Unlock()
	var first, further, six []Addr
	for _, p := range i.Addrs {
		a, ok := n.conf.addrs[addrKey{i.Index, p}]
		if !ok {
			a = Addr{Index: i.Index, Prefix: p, Label: i.Name, Scope: ScopeOf(p.Addr())}
			if b := netip.IPv4Unspecified(); p.Addr().Is4() {
				if b = Broadcast4(p); !b.IsUnspecified() {
					a.Broadcast = b
				}
			}
		}
		switch {
		case !p.Addr().Is4():
			six = append(six, a)
		case slices.ContainsFunc(first, func(o Addr) bool { return o.Prefix.Masked() == p.Masked() }):
			a.Secondary = true
			further = append(further, a)
		default:
			first = append(first, a)
		}
	}
	slices.Reverse(six)
	slices.SortStableFunc(six, func(a, b Addr) int { return int(a.Scope) - int(b.Scope) })
	return slices.Concat(first, further, six)
}

// AddAddr gives an interface an address, with the routes that come with it. EEXIST when it has it.
func (n *Namespace) AddAddr(a Addr) error {
	i, ok := n.Stack.Interface(a.Index)
	if !ok {
		return linux.ENODEV
	}
	for _, p := range i.Addrs {
		if p == a.Prefix || !p.Addr().Is4() && p.Addr() == a.Prefix.Addr() {
			return linux.EEXIST
		}
	}
	n.confMu.Lock()
	full := len(n.conf.addrs) >= maxNotes
	n.confMu.Unlock()
	if full {
		return linux.ENOBUFS
	}
	if k := n.Knobs(); !a.Prefix.Addr().Is4() && k.WithoutIPv6(a.Index) {
		return linux.EACCES
	}
	before := n.Fib()
	if err := n.Stack.AddAddress(a.Index, a.Prefix); err != nil {
		return err
	}
	if a.Peer.IsValid() {
		r := a.toPeer()
		n.placeRoute(&r, nil, RouteAppend)
	}
	n.confMu.Lock()
	n.conf.addrs[addrKey{a.Index, a.Prefix}] = a
	n.confMu.Unlock()
	n.Tell(Change{Kind: AddrChange, Addr: a})
	n.tellRoutes(before)
	return nil
}

// toPeer is the route to an address's peer.
func (a *Addr) toPeer() Route {
	r := Route{
		Route: netstack.Route{Dst: a.Peer.Masked(), Src: a.Prefix.Addr(), Index: a.Index}, Table: linux.RT_TABLE_MAIN,
		Type: linux.RTN_UNICAST, Scope: linux.RT_SCOPE_LINK, Proto: linux.RTPROT_KERNEL,
	}
	if !a.Prefix.Addr().Is4() {
		const prefixMetric = 256
		r.Src, r.Scope, r.Metric = netip.Addr{}, linux.RT_SCOPE_UNIVERSE, prefixMetric
	}
	return r
}

// ChangeAddr replaces what is kept of an address that is there. EADDRNOTAVAIL when it is not.
func (n *Namespace) ChangeAddr(a Addr) error {
	i, ok := n.Stack.Interface(a.Index)
	if !ok {
		return linux.ENODEV
	}
	if !slices.Contains(i.Addrs, a.Prefix) {
		return linux.EADDRNOTAVAIL
	}
	n.confMu.Lock()
	n.conf.addrs[addrKey{a.Index, a.Prefix}] = a
	n.confMu.Unlock()
	n.Tell(Change{Kind: AddrChange, Addr: a})
	return nil
}

// RemoveAddr takes an address away, and with the first one of an IPv4 network the further ones. EADDRNOTAVAIL when it is not
// there.
func (n *Namespace) RemoveAddr(index int32, p netip.Prefix) error {
	i, ok := n.Stack.Interface(index)
	if !ok {
		return linux.ENODEV
	}
	all := n.AddressesOf(&i)
	at := slices.IndexFunc(all, func(a Addr) bool { return a.Prefix == p })
	if at < 0 {
		return linux.EADDRNOTAVAIL
	}
	gone := []Addr{all[at]}
	if p.Addr().Is4() && !all[at].Secondary {
		for _, a := range all {
			if a.Secondary && a.Prefix.Masked() == p.Masked() {
				gone = append(gone, a)
			}
		}
	}
	before := n.Fib()
	var cs []Change
	for _, a := range slices.Backward(gone) {
		if err := n.Stack.RemoveAddress(index, a.Prefix); err != nil {
			return err
		}
		if a.Peer.IsValid() {
			r := a.toPeer()
			n.dropRoute(&r)
		}
		n.confMu.Lock()
		delete(n.conf.addrs, addrKey{index, a.Prefix})
		n.confMu.Unlock()
		cs = append(cs, Change{Kind: AddrChange, Gone: true, Addr: a})
	}
	if now, ok := n.Stack.Interface(index); ok && p.Addr().Is4() && !slices.ContainsFunc(now.Addrs, func(o netip.Prefix) bool { return o.Addr().Is4() }) {
		// As in Linux, an interface without an address is no way for IPv4.
		for _, r := range before {
			if r.Index == index && r.Table == linux.RT_TABLE_MAIN && r.Dst.Addr().Is4() && !n.connected(&r) {
				n.dropRoute(&r)
			}
		}
	}
	n.Tell(cs...)
	n.tellRoutes(before)
	return nil
}

// SetLinkUp sets an interface up or down. With it go its routes that did not come with an address.
func (n *Namespace) SetLinkUp(index int32, up bool) error {
	before := n.Fib()
	if err := n.Stack.SetUp(index, up); err != nil {
		return err
	}
	var own []Change
	if up && index == netstack.LoopbackIndex {
		own = n.addLoopback()
	}
	if !up {
		for _, r := range before {
			if r.Index == index && r.Table == linux.RT_TABLE_MAIN && !n.connected(&r) {
				n.dropRoute(&r)
			}
		}
	}
	n.LinkChanged(index)
	if o, at := n.Peer(index); o != nil {
		o.LinkChanged(at) // its carrier comes or goes
		o.DecRef()
	}
	n.Tell(own...)
	n.tellRoutes(before)
	return nil
}

// addLoopback gives a loopback interface that comes up the addresses that it has of
// itself, each where there is none of its family (Linux: net/ipv4/devinet.c
// inetdev_event, net/ipv6/addrconf.c init_loopback), and returns what is to be told of it.
func (n *Namespace) addLoopback() (cs []Change) {
	i, _ := n.Stack.Interface(netstack.LoopbackIndex)
	for _, p := range netstack.LoopbackAddresses() {
		if !slices.ContainsFunc(i.Addrs, func(o netip.Prefix) bool { return o.Addr().Is4() == p.Addr().Is4() }) {
			_ = n.Stack.AddAddress(i.Index, p) // it is there
		}
	}
	was := i.Addrs
	i, _ = n.Stack.Interface(i.Index)
	for _, a := range n.AddressesOf(&i) {
		if !slices.Contains(was, a.Prefix) {
			cs = append(cs, Change{Kind: AddrChange, Addr: a})
		}
	}
	return cs
}

// connected says whether a route is there because of an address.
func (n *Namespace) connected(r *Route) bool { return r.Proto == linux.RTPROT_KERNEL }

// LinkChanged tells that something of a link is different.
func (n *Namespace) LinkChanged(index int32) {
	if i, ok := n.Stack.Interface(index); ok {
		n.Tell(Change{Kind: LinkChange, Link: i})
	}
}

// RemoveLink removes an interface.
func (n *Namespace) RemoveLink(i netstack.Interface) error {
	before := n.Fib()
	if err := n.Stack.RemoveLink(i.Index); err != nil {
		return err
	}
	n.linkGone(i, before)
	return nil
}

// linkGone forgets what was said of an interface, and tells of its end; before are the routes that there were.
func (n *Namespace) linkGone(i netstack.Interface, before []Route) {
	n.confMu.Lock()
	for k := range n.conf.addrs {
		if k.index == i.Index {
			delete(n.conf.addrs, k)
		}
	}
	for r := range n.conf.routes {
		if r.Index == i.Index {
			delete(n.conf.routes, r)
		}
	}
	n.confMu.Unlock()
	n.tellRoutes(before)
	n.Tell(Change{Kind: LinkChange, Gone: true, Link: i})
}

// SetNeighbour makes a permanent neighbour; RemoveNeighbour removes one.
func (n *Namespace) SetNeighbour(b netstack.Neighbour) error {
	if err := n.Stack.AddNeighbour(b); err != nil {
		return err
	}
	n.Tell(Change{Kind: NeighbourChange, Neighbour: b})
	return nil
}

func (n *Namespace) RemoveNeighbour(index int32, ip netip.Addr) error {
	if err := n.Stack.RemoveNeighbour(index, ip); err != nil {
		return err
	}
	const failed = 0x20
	n.Tell(Change{Kind: NeighbourChange, Neighbour: netstack.Neighbour{Index: index, Addr: ip, State: failed}, Gone: true})
	return nil
}
