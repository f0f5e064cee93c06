package netstack

import (
	"cmp"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// Interface describes one network interface.
type Interface struct {
	Index    int32
	Name     string
	MTU      uint32
	HWAddr   [6]byte
	Loopback bool
	Up       bool
	Carrier  bool  // what is sent arrives somewhere
	Link     int32 // the index of the other end of a pair, else its own
	Started  bool  // it has been up
	Steady   bool  // its carrier has never come or gone
	Bare     bool  // its packets have no link header
	Master   int32 // the bridge that it is a port of
	Kind     string
	Promisc  bool
	Addrs    []netip.Prefix
	Counters InterfaceCounters
}

// InterfaceCounters are the numbers of /proc/net/dev that the stack keeps.
type InterfaceCounters struct {
	RxBytes, RxPackets, RxDropped, RxErrors uint64
	TxBytes, TxPackets, TxDropped           uint64
}

// Route is a row of the main routing table. An invalid Gateway means that the destination is on the link.
type Route struct {
	Dst     netip.Prefix
	Gateway netip.Addr
	Src     netip.Addr
	Index   int32
	MTU     uint32
}

// NeighbourState has Linux's NUD_ values.
type NeighbourState uint16

// Neighbour is a row of the ARP or neighbour discovery table.
type Neighbour struct {
	Addr   netip.Addr
	HWAddr [6]byte
	Index  int32
	State  NeighbourState
}

// Interfaces lists the interfaces by index.
func (s *Stack) Interfaces() []Interface {
	infos := s.s.NICInfo()
	out := make([]Interface, 0, len(infos))
	for id, n := range infos {
		out = append(out, s.interfaceOf(id, &n))
	}
	slices.SortFunc(out, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

// Interface looks one interface up.
func (s *Stack) Interface(index int32) (Interface, bool) {
	n, ok := s.s.SingleNICInfo(tcpip.NICID(index))
	if !ok {
		return Interface{}, false
	}
	return s.interfaceOf(tcpip.NICID(index), n), true
}

func (s *Stack) interfaceOf(id tcpip.NICID, n *stack.NICInfo) Interface {
	i := Interface{
		Index: int32(id), Name: n.Name, MTU: n.MTU, Loopback: n.Flags.Loopback, Up: n.Flags.Up && n.Flags.Running,
		Counters: InterfaceCounters{
			RxBytes: n.Stats.Rx.Bytes.Value(), RxPackets: n.Stats.Rx.Packets.Value(),
			RxDropped: n.Stats.DisabledRx.Packets.Value(), RxErrors: n.Stats.MalformedL4RcvdPackets.Value(),
			TxBytes: n.Stats.Tx.Bytes.Value(), TxPackets: n.Stats.Tx.Packets.Value(),
			TxDropped: n.Stats.TxPacketsDroppedNoBufferSpace.Value(),
		},
	}
	s.linkState(&i)
	copy(i.HWAddr[:], n.LinkAddress)
	if e := s.etherOf(id); e != nil {
		i.Promisc, i.Bare = e.promiscuous.Load(), e.bare
	}
	if i.Loopback {
		c, past := &i.Counters, s.pastStack()
		packets, size := past.segments, past.bytes+past.segments*splicedHeaders
		c.RxBytes, c.RxPackets, c.TxBytes, c.TxPackets = c.RxBytes+size, c.RxPackets+packets, c.TxBytes+size, c.TxPackets+packets
	}
	for _, a := range n.ProtocolAddresses {
		// ARP shows up as a protocol with addresses of its own.
		if a.Protocol == header.IPv4ProtocolNumber || a.Protocol == header.IPv6ProtocolNumber {
			i.Addrs = append(i.Addrs, toPrefix(a.AddressWithPrefix))
		}
	}
	return i
}

// InterfaceByName looks one interface up.
func (s *Stack) InterfaceByName(name string) (Interface, bool) {
	for _, i := range s.Interfaces() {
		if i.Name == name {
			return i, true
		}
	}
	return Interface{}, false
}

// Routes lists the main routing table in the order it is searched.
func (s *Stack) Routes() []Route {
	table := s.s.GetRouteTable()
	out := make([]Route, 0, len(table))
	for _, r := range table {
		out = append(out, routeOf(r))
	}
	return out
}

func routeOf(r tcpip.Route) Route {
	id := r.Destination.ID()
	return Route{
		Dst: netip.PrefixFrom(fromAddress(id), r.Destination.Prefix()), Gateway: fromAddress(r.Gateway),
		Src: fromAddress(r.SourceHint), Index: int32(r.NIC), MTU: r.MTU,
	}
}

func (r Route) tcpip() tcpip.Route {
	return tcpip.Route{
		Destination: fromPrefix(r.Dst.Masked()).Subnet(), Gateway: toAddress(r.Gateway), SourceHint: toAddress(r.Src),
		NIC: tcpip.NICID(r.Index), MTU: r.MTU,
	}
}

// Path is where packets to an address would go.
type Path struct {
	Src     netip.Addr
	Gateway netip.Addr
	Index   int32
	MTU     uint32
	Local   bool
}

// FindRoute answers "ip route get dst". ENETUNREACH or EHOSTUNREACH when there is no way.
func (s *Stack) FindRoute(dst netip.Addr, index int32) (Path, error) {
	proto := IPv6.proto()
	if dst.Is4() {
		proto = IPv4.proto()
	}
	r, err := s.s.FindRoute(tcpip.NICID(index), tcpip.Address{}, toAddress(dst), proto, false)
	if err != nil {
		return Path{}, errnoOf(err)
	}
	defer r.Release()
	return Path{
		Src: fromAddress(r.LocalAddress()), Gateway: fromAddress(r.NextHop()), Index: int32(r.NICID()), MTU: r.MTU(),
		Local: s.s.CheckLocalAddress(0, proto, toAddress(dst)) != 0,
	}, nil
}

// IsLocal says whether a packet to ip would stay on this stack.
func (s *Stack) IsLocal(ip netip.Addr) bool {
	proto := IPv6.proto()
	if ip.Is4() {
		proto = IPv4.proto()
	}
	return s.s.CheckLocalAddress(0, proto, toAddress(ip)) != 0
}

// Neighbours lists the neighbour tables of all interfaces that have one.
func (s *Stack) Neighbours() []Neighbour {
	var out []Neighbour
	for _, i := range s.Interfaces() {
		for _, p := range []Family{IPv4, IPv6} {
			ns, err := s.s.Neighbors(tcpip.NICID(i.Index), p.proto())
			if err != nil {
				continue // no neighbours on this kind of link
			}
			for _, n := range ns {
				nb := Neighbour{Addr: fromAddress(n.Addr), Index: i.Index, State: neighbourState(n.State)}
				copy(nb.HWAddr[:], n.LinkAddr)
				out = append(out, nb)
			}
		}
	}
	return out
}

func neighbourState(s stack.NeighborState) NeighbourState {
	switch s {
	case stack.Incomplete:
		return 0x01
	case stack.Reachable:
		return 0x02
	case stack.Stale:
		return 0x04
	case stack.Delay:
		return 0x08
	case stack.Probe:
		return 0x10
	case stack.Unreachable:
		return 0x20
	case stack.Static:
		return 0x80
	}
	return 0
}
