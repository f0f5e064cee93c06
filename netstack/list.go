package netstack

import (
	"cmp"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// EndpointInfo is one row of a listing of sockets.
type EndpointInfo struct {
	Kind         Kind
	Family       Family
	Protocol     uint8
	State        State
	Local        Addr
	Remote       Addr
	ReceiveQueue int
	Endpoint     *Endpoint // nil: not accepted yet, or closed by its owner and still saying goodbye
}

// Endpoints lists what Linux lists in /proc/net/{tcp,udp,icmp,raw}*: endpoints that have an address. Rows are sorted by
// local address, so that two listings of the same sockets agree.
func (s *Stack) Endpoints() []EndpointInfo {
	seen := make(map[tcpip.Endpoint]*Endpoint)
	for _, list := range [][]stack.TransportEndpoint{s.s.RegisteredEndpoints(), s.s.CleanupEndpoints()} {
		for _, te := range list {
			if ep, ok := te.(tcpip.Endpoint); ok {
				seen[ep] = nil
			}
		}
	}
	s.mu.Lock()
	for ep, e := range s.endpoints {
		if _, ok := seen[ep]; ok || e.kind == Raw {
			seen[ep] = e // raw endpoints are not in the stack's own list
		}
	}
	s.mu.Unlock()
	out := make([]EndpointInfo, 0, len(seen))
	for ep, e := range seen {
		if info, ok := infoOf(ep, e); ok {
			out = append(out, info)
		}
	}
	slices.SortFunc(out, func(a, b EndpointInfo) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Family, b.Family), a.Local.IP.Compare(b.Local.IP),
			cmp.Compare(a.Local.Port, b.Local.Port), a.Remote.IP.Compare(b.Remote.IP), cmp.Compare(a.Remote.Port, b.Remote.Port))
	})
	return out
}

func infoOf(ep tcpip.Endpoint, e *Endpoint) (EndpointInfo, bool) {
	var ti stack.TransportEndpointInfo
	switch i := ep.Info().(type) {
	case *stack.TransportEndpointInfo:
		ti = *i
	default:
		return EndpointInfo{}, false
	}
	out := EndpointInfo{
		Family: familyOf(ti.NetProto), Protocol: uint8(ti.TransProto), Endpoint: e,
		Local:  Addr{IP: fromAddress(ti.ID.LocalAddress), Port: ti.ID.LocalPort, Index: int32(ti.BindNICID)},
		Remote: Addr{IP: fromAddress(ti.ID.RemoteAddress), Port: ti.ID.RemotePort},
	}
	switch ti.TransProto {
	case tcp.ProtocolNumber:
		out.Kind = TCP
	case udp.ProtocolNumber:
		out.Kind = UDP
	case icmp.ProtocolNumber4, icmp.ProtocolNumber6:
		out.Kind = Ping
	}
	if e != nil {
		out.Kind, out.Family, out.Protocol = e.kind, e.family, e.proto
	}
	if out.Kind == 0 {
		return EndpointInfo{}, false
	}
	out.State = stateOf(out.Kind, ep)
	if out.Kind == TCP && out.State == StateClose {
		return EndpointInfo{}, false
	}
	if n, err := ep.GetSockOptInt(tcpip.ReceiveQueueSizeOption); err == nil {
		out.ReceiveQueue = n
	}
	if e != nil {
		out.ReceiveQueue += e.inFlow()
	}
	return out, true
}
