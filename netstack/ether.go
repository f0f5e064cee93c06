package netstack

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// ether is what all links of ours but loopback have in common.
type ether struct {
	// immutable
	caps stack.LinkEndpointCapabilities
	bare bool // packets have no link header, and there are no stations
	// passesOn says whether the stack forwards packets for an address; nil: it never does.
	passesOn func(tcpip.Address) bool

	// atomic
	mtu        atomic.Uint32
	addr       atomic.Pointer[HWAddr]
	dispatcher atomic.Pointer[stack.NetworkDispatcher]

	promiscuous atomic.Bool
	// upper takes frames in the interface's stead, and says whether it has; nil: nobody does.
	upper atomic.Pointer[func(frame buffer.Buffer) bool]
}

func (e *ether) init(mtu uint32, addr HWAddr) {
	e.caps |= stack.CapabilitySaveRestore
	if !e.bare {
		e.caps |= stack.CapabilityResolutionRequired
	}
	e.mtu.Store(mtu)
	e.addr.Store(&addr)
}

// What follows is stack.LinkEndpoint's.

func (e *ether) MTU() uint32                                  { return e.mtu.Load() }
func (e *ether) SetMTU(mtu uint32)                            { e.mtu.Store(mtu) }
func (e *ether) Capabilities() stack.LinkEndpointCapabilities { return e.caps }
func (e *ether) IsAttached() bool                             { return e.dispatcher.Load() != nil }
func (e *ether) SetOnCloseAction(func())                      {}
func (e *ether) SetLinkAddress(a tcpip.LinkAddress) {
	if len(a) == len(HWAddr{}) {
		hw := HWAddr([]byte(a))
		e.addr.Store(&hw)
	}
}

func (e *ether) MaxHeaderLength() uint16 {
	if e.bare {
		return 0
	}
	return header.EthernetMinimumSize
}

func (e *ether) LinkAddress() tcpip.LinkAddress {
	if e.bare {
		return ""
	}
	return e.addr.Load().link()
}

func (e *ether) ARPHardwareType() header.ARPHardwareType {
	if e.bare {
		return header.ARPHardwareNone
	}
	return header.ARPHardwareEther
}

func (e *ether) ParseHeader(pkt *stack.PacketBuffer) bool { return e.bare || parseEthernet(pkt) }

func (e *ether) AddHeader(pkt *stack.PacketBuffer) {
	if e.bare {
		return
	}
	eth := header.Ethernet(pkt.LinkHeader().Push(header.EthernetMinimumSize))
	eth.Encode(&header.EthernetFields{
		SrcAddr: pkt.EgressRoute.LocalLinkAddress, DstAddr: pkt.EgressRoute.RemoteLinkAddress, Type: pkt.NetworkProtocolNumber,
	})
}

func parseEthernet(pkt *stack.PacketBuffer) bool {
	b, ok := pkt.LinkHeader().Consume(header.EthernetMinimumSize)
	if ok {
		pkt.NetworkProtocolNumber = header.Ethernet(b).Type()
	}
	return ok
}

// receive hands a frame to the stack: one for us or a group as a packet, one for another station to packet sockets only, if
// the interface is promiscuous. Nothing below us compares addresses: a bridge floods what it does not know.
func (e *ether) receive(frame buffer.Buffer) {
	if u := e.upper.Load(); u != nil && (*u)(frame) {
		return
	}
	e.accept(frame, false)
}

// accept is receive for the interface itself; ours: the frame is for this station, whatever its address.
func (e *ether) accept(frame buffer.Buffer, ours bool) {
	d := e.dispatcher.Load()
	if d == nil {
		frame.Release()
		return
	}
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: frame})
	defer pkt.DecRef()
	if !parseEthernet(pkt) {
		return
	}
	switch pkt.PktType = e.packetType(header.Ethernet(pkt.LinkHeader().Slice()).DestinationAddress(), ours); pkt.PktType {
	case tcpip.PacketHost:
		e.age(pkt)
	case tcpip.PacketOtherHost:
		if e.promiscuous.Load() {
			(*d).DeliverLinkPacket(pkt.NetworkProtocolNumber, pkt)
		}
		return
	}
	(*d).DeliverNetworkPacket(pkt.NetworkProtocolNumber, pkt)
}

// packetType says for whom a frame to an address is.
func (e *ether) packetType(dst tcpip.LinkAddress, ours bool) tcpip.PacketType {
	switch {
	case dst == header.EthernetBroadcastAddress:
		return tcpip.PacketBroadcast
	case dst[0]&1 != 0:
		return tcpip.PacketMulticast
	case ours || dst == e.LinkAddress():
		return tcpip.PacketHost
	}
	return tcpip.PacketOtherHost
}

// age lets a packet end here that would leave with no time left: tcpip forwards it once more, and traceroute would not see
// this router.
func (e *ether) age(pkt *stack.PacketBuffer) {
	if e.passesOn == nil || pkt.NetworkProtocolNumber != header.IPv4ProtocolNumber {
		return
	}
	b, ok := pkt.Data().PullUp(header.IPv4MinimumSize)
	if !ok {
		return
	}
	ip := header.IPv4(b)
	if ip.TTL() != 1 || !e.passesOn(ip.DestinationAddress()) {
		return
	}
	// The checksum of a header with options is not over these bytes alone: only the change counts (RFC 1624).
	old := uint16(ip.TTL())<<8 | uint16(ip.Protocol())
	ip.SetTTL(0)
	sum := checksum.Combine(checksum.Combine(^ip.Checksum(), ^old), uint16(ip.Protocol()))
	ip.SetChecksum(^sum)
}
