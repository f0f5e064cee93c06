package netstack

import (
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/packetsocket"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// What a guest may ask of a link: Linux's limits (IFNAMSIZ, net/ipv4/route.c ip_min_valid_pmtu).
const (
	MaxLinkName = 15
	MinMTU      = 68
	MinMTU6     = 1280
	MaxMTU      = 65535
	maxLinks    = 1024
)

// HWAddr is an Ethernet address.
type HWAddr [6]byte

// Group says whether frames to the address are for more than one station.
func (a HWAddr) Group() bool { return a[0]&1 != 0 }

func (a HWAddr) link() tcpip.LinkAddress { return tcpip.LinkAddress(a[:]) }

// Rename gives an interface another name. EEXIST when it is taken, EINVAL when it is none.
func (s *Stack) Rename(index int32, name string) error {
	if !validName(name) {
		return linux.EINVAL
	}
	if i, ok := s.InterfaceByName(name); ok {
		if i.Index == index {
			return nil
		}
		return linux.EEXIST
	}
	return errnoOf(s.s.SetNICName(tcpip.NICID(index), name))
}

// validName is Linux's dev_valid_name.
func validName(name string) bool {
	if name == "" || len(name) > MaxLinkName || name == "." || name == ".." {
		return false
	}
	for _, c := range []byte(name) {
		if c == '/' || c == ':' || c <= ' ' {
			return false
		}
	}
	return true
}

// SetHWAddr gives an interface another Ethernet address. EADDRNOTAVAIL for one that no station can have, EOPNOTSUPP for
// loopback.
func (s *Stack) SetHWAddr(index int32, a HWAddr) error {
	switch {
	case !s.s.HasNIC(tcpip.NICID(index)):
		return linux.ENODEV
	case index == LoopbackIndex || s.bare(index):
		return linux.EOPNOTSUPP
	case a.Group() || a == HWAddr{}:
		return linux.EADDRNOTAVAIL
	}
	s.given(index, func(g *givenConf) { g.addr = true })
	err := errnoOf(s.s.SetNICAddress(tcpip.NICID(index), a.link()))
	s.linkTurned(index)
	return err
}

// SetPromiscuous has packet sockets see what is addressed to other stations, too. Unlike in tcpip, it makes nothing else of
// such frames.
func (s *Stack) SetPromiscuous(index int32, on bool) error {
	if !s.s.HasNIC(tcpip.NICID(index)) {
		return linux.ENODEV
	}
	if e := s.etherOf(tcpip.NICID(index)); e != nil {
		e.promiscuous.Store(on)
	}
	return nil
}

// etherOf is an interface's link, nil for loopback.
func (s *Stack) etherOf(id tcpip.NICID) *ether {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links[id].ether
}

// bare says whether an interface's packets have no link header.
func (s *Stack) bare(index int32) bool {
	e := s.etherOf(tcpip.NICID(index))
	return e != nil && e.bare
}

// RemoveLink takes an interface away, with its addresses, routes and neighbours. EOPNOTSUPP for loopback.
func (s *Stack) RemoveLink(index int32) error {
	id := tcpip.NICID(index)
	if index == LoopbackIndex {
		return linux.EOPNOTSUPP
	}
	s.mu.Lock()
	f := s.links[id].frames
	s.mu.Unlock()
	s.dissolve(index)
	if f != nil {
		s.watchable.CompareAndSwap(f, nil)
		f.stop()
	}
	if err := s.s.RemoveNIC(id); err != nil {
		return errnoOf(err)
	}
	s.s.RemoveRoutes(func(r tcpip.Route) bool { return r.NIC == id })
	s.mu.Lock()
	e := s.links[id]
	delete(s.links, id)
	s.mu.Unlock()
	if e.pair != nil {
		e.pair.unpair()
	}
	if e.tun != nil {
		e.tun.leave()
	}
	return nil
}

// SetForwarding has the stack pass on packets that are for others: net.ipv4.ip_forward, and net.ipv6.conf.all.forwarding.
func (s *Stack) SetForwarding(f Family, on bool) error {
	return errnoOf(s.s.SetForwardingDefaultAndAllNICs(f.proto(), on))
}

// Forwarding reports what SetForwarding set.
func (s *Stack) Forwarding(f Family) bool {
	on, err := s.s.NICForwarding(LoopbackIndex, f.proto())
	return err == nil && on
}

// SetLinkForwarding and LinkForwarding are for one interface: net.ipv4.conf.NAME.forwarding.
func (s *Stack) SetLinkForwarding(index int32, f Family, on bool) error {
	_, err := s.s.SetNICForwarding(tcpip.NICID(index), f.proto(), on)
	return errnoOf(err)
}

func (s *Stack) LinkForwarding(index int32, f Family) (bool, error) {
	on, err := s.s.NICForwarding(tcpip.NICID(index), f.proto())
	return on, errnoOf(err)
}

// AddNeighbour makes a permanent entry, in place of any other of the address. EINVAL for what is no neighbour's address.
func (s *Stack) AddNeighbour(n Neighbour) error {
	if !n.Addr.IsValid() || n.Addr.IsMulticast() || n.Addr.IsUnspecified() {
		return linux.EINVAL
	}
	id, proto := tcpip.NICID(n.Index), neighbourProto(n.Addr)
	if !s.s.HasNIC(id) {
		return linux.ENODEV
	}
	return errnoOf(s.s.AddStaticNeighbor(id, proto, toAddress(n.Addr), HWAddr(n.HWAddr).link()))
}

// RemoveNeighbour removes an entry, of any state. ENOENT when there is none.
func (s *Stack) RemoveNeighbour(index int32, ip netip.Addr) error {
	id := tcpip.NICID(index)
	if !s.s.HasNIC(id) {
		return linux.ENODEV
	}
	if err := s.s.RemoveNeighbor(id, neighbourProto(ip), toAddress(ip)); err != nil {
		return linux.ENOENT
	}
	return nil
}

// FlushNeighbours removes all entries of an interface but for the permanent ones it was given with AddNeighbour.
func (s *Stack) FlushNeighbours(index int32, f Family) error {
	for _, n := range s.Neighbours() {
		if n.Index == index && n.Addr.Is4() == (f == IPv4) && n.State != 0x80 {
			if err := s.RemoveNeighbour(index, n.Addr); err != nil && err != error(linux.ENOENT) {
				return err
			}
		}
	}
	return nil
}

func neighbourProto(ip netip.Addr) tcpip.NetworkProtocolNumber {
	if ip.Is4() {
		return ipv4.ProtocolNumber
	}
	return ipv6.ProtocolNumber
}

// ReplaceRoute is AddRoute in place of the routes to the same destination.
func (s *Stack) ReplaceRoute(r Route) error {
	nr := r.tcpip()
	if !s.s.HasNIC(nr.NIC) {
		return linux.ENODEV
	}
	s.s.RemoveRoutes(func(o tcpip.Route) bool { return o.Destination == nr.Destination })
	s.s.AddRoute(nr)
	return nil
}

// AppendRoute adds a route behind those to the same destination, of which the first that leads anywhere counts.
func (s *Stack) AppendRoute(r Route) error {
	nr := r.tcpip()
	if !s.s.HasNIC(nr.NIC) {
		return linux.ENODEV
	}
	if slices.Contains(s.Routes(), r) {
		return linux.EEXIST
	}
	s.s.AddRoute(nr)
	return nil
}

// A linkEntry is what the Stack itself knows of an interface's link.
type linkEntry struct {
	kind   string // how Load must make it again
	ether  *ether // nil for loopback
	pair   *pairLink
	bridge *bridge
	tun    *tunLink
	port   *bridgePort        // of a link that is in a bridge
	link   stack.LinkEndpoint // with what shows packet sockets its frames
	frames *frameLink

	started bool // somebody has set it up or down
}

// pairID is what a pair's ends know each other by, 0 for another link.
func (e linkEntry) pairID() uint64 {
	if e.pair == nil {
		return 0
	}
	return e.pair.id
}

// addLink makes an interface on a link. Packet sockets see what goes either way.
func (s *Stack) addLink(index int32, name string, link stack.LinkEndpoint, entry linkEntry) error {
	id := tcpip.NICID(index)
	if entry.ether != nil {
		entry.ether.passesOn = func(to tcpip.Address) bool {
			return s.Forwarding(IPv4) && s.s.CheckLocalAddress(0, IPv4.proto(), to) == 0
		}
	}
	entry.link = packetsocket.New(link)
	s.mu.Lock()
	s.links[id] = entry
	s.mu.Unlock()
	if err := s.s.CreateNICWithOptions(id, entry.link, stack.NICOptions{Name: name}); err != nil {
		s.mu.Lock()
		delete(s.links, id)
		s.mu.Unlock()
		return errnoOf(err)
	}
	s.tapLink(id)
	return nil
}
