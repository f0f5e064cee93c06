package netstack

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"cordon/internal/linux"
)

// An Outside is what lies behind a Gateway, or behind an address that a Stack diverts. Its methods are called from
// goroutines of their own, but for Echo.
type Outside interface {
	// Stream is asked for a connection. It calls Accept or Refuse of r, once.
	Stream(r *StreamRequest)
	// Datagrams is given a new flow of UDP; it reads and writes d until it closes it.
	Datagrams(to netip.AddrPort, d DatagramFlow)
	// Echo is asked for an answer to an ICMP echo request, which it may give later, or never. It may not block.
	Echo(e *EchoRequest)
}

// A Stream is one end of a TCP connection. Its methods block.
type Stream interface {
	io.ReadWriteCloser
	CloseRead() error
	CloseWrite() error
}

// A DatagramFlow is one end of a UDP flow: what is read and written is whole datagrams.
type DatagramFlow interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// A StreamRequest is a SYN that waits for an answer.
type StreamRequest struct {
	// immutable
	From, To netip.AddrPort

	r *tcp.ForwarderRequest
}

// Accept completes the handshake, or fails when the guest has gone.
func (r *StreamRequest) Accept() (Stream, error) {
	wq := new(waiter.Queue)
	ep, err := r.r.CreateEndpoint(wq)
	r.r.Complete(err != nil)
	if err != nil {
		return nil, toErrno(err)
	}
	ep.SocketOptions().SetDelayOption(false)
	return gonet.NewTCPConn(wq, ep), nil
}

// Refuse answers with a reset, or with nothing: the guest tries again, and gives up in its own time.
func (r *StreamRequest) Refuse(err error) {
	switch err {
	case error(linux.ETIMEDOUT), error(linux.EAGAIN):
		r.r.Complete(false)
	default:
		r.r.Complete(true)
	}
}

// An EchoRequest is an ICMP echo request: Data is what follows the ICMP header's first four bytes (identifier, sequence
// number, payload).
type EchoRequest struct {
	From, To netip.Addr
	Data     []byte

	gateway *Gateway
}

// GatewayConfig says where a Gateway stands.
type GatewayConfig struct {
	// Addrs are the gateway's addresses with their networks; Also are further ones that it answers echoes for itself.
	Addrs []netip.Prefix
	Also  []netip.Addr
	MTU   uint32
	// HWAddr is the gateway's, Guest the interface's on the other side.
	HWAddr, Guest HWAddr
}

// Limits of a gateway.
const (
	maxStreamsOpening = 512
	gatewayLink       = 1
)

// A Gateway is a stack that ends whatever the stack on the other side of its wire sends to anywhere, and has an Outside
// carry it on.
type Gateway struct {
	// immutable
	s       *stack.Stack
	end     *wireEnd
	own     map[netip.Addr]bool
	nets    []netip.Prefix
	outside Outside
}

// NewGateway makes a gateway and the link to it, which is for AddLink.
func NewGateway(c GatewayConfig, outside Outside) (*Gateway, Link, error) {
	st, err := newTransportStack()
	if err != nil {
		return nil, Link{}, err
	}
	guest, end := newWire(c.MTU, c.Guest, c.HWAddr)
	g := &Gateway{s: st, end: end, own: make(map[netip.Addr]bool), nets: c.Addrs, outside: outside}
	end.look = g.look
	if err := st.CreateNICWithOptions(gatewayLink, end, stack.NICOptions{Name: "gateway"}); err != nil {
		return nil, Link{}, errnoOf(err)
	}
	for _, p := range c.Addrs {
		g.own[p.Addr()] = true
		err := st.AddProtocolAddress(gatewayLink, tcpip.ProtocolAddress{
			Protocol: neighbourProto(p.Addr()), AddressWithPrefix: fromPrefix(p),
		}, stack.AddressProperties{})
		if err != nil {
			return nil, Link{}, errnoOf(err)
		}
	}
	st.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: gatewayLink}, {Destination: header.IPv6EmptySubnet, NIC: gatewayLink}})
	// Packets for any address end here, and answers come from it.
	for _, err := range []tcpip.Error{st.SetPromiscuousMode(gatewayLink, true), st.SetSpoofing(gatewayLink, true)} {
		if err != nil {
			return nil, Link{}, errnoOf(err)
		}
	}
	for _, a := range c.Also {
		g.own[a] = true
	}
	divert(st, outside, func(netip.AddrPort) bool { return true })
	return g, Link{HWAddr: c.Guest, MTU: c.MTU, FD: -1, wire: guest}, nil
}

// Close ends the gateway and every flow through it.
func (g *Gateway) Close() {
	g.end.Close()
	g.s.Destroy()
}

// Divert has what the stack's own programs send to TCP or UDP ports that nobody listens on carried on by an Outside. The
// addresses are the stack's. It is called once at most.
func (s *Stack) Divert(to []netip.AddrPort, outside Outside) {
	if len(to) > 0 {
		divert(s.s, outside, func(dst netip.AddrPort) bool { return slices.Contains(to, dst) })
	}
}

// divert is asked for packets that no endpoint of the stack wants.
func divert(s *stack.Stack, outside Outside, takes func(netip.AddrPort) bool) {
	streams := tcp.NewForwarder(s, 0, maxStreamsOpening, func(r *tcp.ForwarderRequest) {
		id := r.ID()
		outside.Stream(&StreamRequest{From: farEnd(id), To: nearEnd(id), r: r})
	})
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		return takes(nearEnd(id)) && streams.HandlePacket(id, pkt)
	})
	flows := udp.NewForwarder(s, func(r *udp.ForwarderRequest) bool {
		wq := new(waiter.Queue)
		ep, err := r.CreateEndpoint(wq)
		if err != nil {
			return false
		}
		go outside.Datagrams(nearEnd(r.ID()), gonet.NewUDPConn(wq, ep))
		return true
	})
	s.SetTransportProtocolHandler(udp.ProtocolNumber, func(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		return takes(nearEnd(id)) && unicast(id.LocalAddress) && flows.HandlePacket(id, pkt)
	})
}

func unicast(a tcpip.Address) bool {
	ip := fromAddress(a)
	return !ip.IsMulticast() && !ip.IsUnspecified() && ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

func nearEnd(id stack.TransportEndpointID) netip.AddrPort {
	return netip.AddrPortFrom(fromAddress(id.LocalAddress), id.LocalPort)
}

func farEnd(id stack.TransportEndpointID) netip.AddrPort {
	return netip.AddrPortFrom(fromAddress(id.RemoteAddress), id.RemotePort)
}

// dialPatience bounds the handshake with a guest.
const dialPatience = 10 * time.Second

// source is who a connection from outside seems to come from: the peer itself, unless the guest would look for it
// elsewhere than here.
func (g *Gateway) source(from netip.AddrPort, to netip.Addr) tcpip.FullAddress {
	ip := from.Addr()
	hidden := ip.Is4() != to.Is4() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast()
	for _, n := range g.nets {
		hidden = hidden || n.Contains(ip)
	}
	if !hidden {
		return tcpip.FullAddress{NIC: gatewayLink, Addr: toAddress(ip), Port: from.Port()}
	}
	for _, n := range g.nets {
		if n.Addr().Is4() == to.Is4() {
			return tcpip.FullAddress{NIC: gatewayLink, Addr: toAddress(n.Addr())}
		}
	}
	return tcpip.FullAddress{NIC: gatewayLink}
}

// DialStream connects to a port of the guest.
func (g *Gateway) DialStream(from, to netip.AddrPort) (Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	c, err := gonet.DialTCPWithBind(ctx, g.s, g.source(from, to.Addr()),
		tcpip.FullAddress{NIC: gatewayLink, Addr: toAddress(to.Addr()), Port: to.Port()}, neighbourProto(to.Addr()))
	if err != nil {
		return nil, linux.ECONNREFUSED
	}
	return c, nil
}

// DialDatagrams opens a flow to a port of the guest.
func (g *Gateway) DialDatagrams(from, to netip.AddrPort) (DatagramFlow, error) {
	l := g.source(from, to.Addr())
	c, err := gonet.DialUDP(g.s, &l, &tcpip.FullAddress{NIC: gatewayLink, Addr: toAddress(to.Addr()), Port: to.Port()}, neighbourProto(to.Addr()))
	if err != nil {
		return nil, linux.EADDRINUSE
	}
	return c, nil
}

// newTransportStack returns a stack without interfaces.
func newTransportStack() (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocolCUBIC, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
	})
	return s, wrapStack(s).tune()
}
