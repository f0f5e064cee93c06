package netstack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// echoHeader is the part of an ICMP echo message before the identifier.
const echoHeader = 4

// look takes ICMP echo requests for other addresses than the gateway's, which the gateway's stack would answer itself, being
// everybody to the guest.
func (g *Gateway) look(frame *buffer.Buffer) bool {
	v, ok := frame.PullUp(0, min(int(frame.Size()), header.EthernetMinimumSize+header.IPv6MinimumSize+header.ICMPv6MinimumSize))
	if !ok || v.Size() < header.EthernetMinimumSize+header.IPv4MinimumSize+echoHeader {
		return false
	}
	b := v.AsSlice()
	packet, size := b[header.EthernetMinimumSize:], int(frame.Size())-header.EthernetMinimumSize
	var from, to netip.Addr
	start := 0
	switch header.Ethernet(b).Type() {
	case header.IPv4ProtocolNumber:
		ip := header.IPv4(packet)
		if !ip.IsValid(size) || ip.TransportProtocol() != header.ICMPv4ProtocolNumber || ip.More() || ip.FragmentOffset() != 0 {
			return false
		}
		from, to, start, size = fromAddress(ip.SourceAddress()), fromAddress(ip.DestinationAddress()), int(ip.HeaderLength()), int(ip.TotalLength())
		if len(packet) <= start || header.ICMPv4Type(packet[start]) != header.ICMPv4Echo {
			return false
		}
	case header.IPv6ProtocolNumber:
		if len(packet) < header.IPv6MinimumSize+header.ICMPv6MinimumSize {
			return false
		}
		ip := header.IPv6(packet)
		if ip.TransportProtocol() != header.ICMPv6ProtocolNumber || header.ICMPv6Type(packet[header.IPv6MinimumSize]) != header.ICMPv6EchoRequest {
			return false
		}
		from, to, start = fromAddress(ip.SourceAddress()), fromAddress(ip.DestinationAddress()), header.IPv6MinimumSize
		size = min(size, start+int(ip.PayloadLength()))
	default:
		return false
	}
	if g.own[to] || to.IsMulticast() || to.IsLinkLocalUnicast() {
		return false
	}
	data := make([]byte, max(size-start-echoHeader, 0))
	// At the end of the frame this says io.EOF.
	if n, _ := frame.ReadAt(data, int64(header.EthernetMinimumSize+start+echoHeader)); n != len(data) || n < echoHeader {
		return true
	}
	g.outside.Echo(&EchoRequest{From: from, To: to, Data: data, gateway: g})
	return true
}

// Answer is AnswerEcho for a request.
func (e *EchoRequest) Answer(data []byte) { e.gateway.AnswerEcho(e.From, e.To, data) }

// AnswerEcho sends an echo reply with the data, as if it came from the address that was asked.
func (g *Gateway) AnswerEcho(asker, asked netip.Addr, data []byte) {
	ipSize, typ := header.IPv4MinimumSize, byte(header.ICMPv4EchoReply)
	if asked.Is6() {
		ipSize, typ = header.IPv6MinimumSize, byte(header.ICMPv6EchoReply)
	}
	if ipSize+echoHeader+len(data) > int(g.end.MTU()) {
		return
	}
	frame := make([]byte, header.EthernetMinimumSize+ipSize+echoHeader+len(data))
	proto := neighbourProto(asked)
	header.Ethernet(frame).Encode(&header.EthernetFields{
		SrcAddr: g.end.LinkAddress(), DstAddr: g.end.peer.LinkAddress(), Type: proto,
	})
	packet := frame[header.EthernetMinimumSize:]
	icmp := packet[ipSize:]
	icmp[0] = typ
	copy(icmp[echoHeader:], data)
	src, dst := toAddress(asked), toAddress(asker)
	if asked.Is6() {
		header.IPv6(packet).Encode(&header.IPv6Fields{
			PayloadLength: uint16(len(icmp)), TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: echoTTL, SrcAddr: src, DstAddr: dst,
		})
		header.ICMPv6(icmp).SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: header.ICMPv6(icmp), Src: src, Dst: dst}))
	} else {
		ip := header.IPv4(packet)
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(packet)), TTL: echoTTL, Protocol: uint8(header.ICMPv4ProtocolNumber), SrcAddr: src, DstAddr: dst,
		})
		ip.SetChecksum(^ip.CalculateChecksum())
		header.ICMPv4(icmp).SetChecksum(^checksum.Checksum(icmp, 0))
	}
	g.end.put(buffer.MakeWithData(frame))
}

const echoTTL = 64
