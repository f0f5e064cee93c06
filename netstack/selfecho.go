package netstack

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
)

// answerSelf has echo requests to this machine's own addresses answered. The stack leaves those out that come over loopback for
// an address of another interface: it has it there for the moment only.
func (s *Stack) answerSelf() {
	s.s.SetTransportProtocolHandler(icmp.ProtocolNumber4, func(_ stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
		if !pkt.NetworkPacketInfo.LocalAddressTemporary || pkt.NICID != LoopbackIndex {
			return false
		}
		reply := echoReply(pkt)
		if reply == nil {
			return false
		}
		// The sender is below us on the Go stack, with locks that the answer needs.
		s.s.Clock().AfterFunc(0, func() {
			ttl := uint8(s.Tunable(TuneTTL))
			header.IPv4(reply).SetTTL(ttl)
			header.IPv4(reply).SetChecksum(0)
			header.IPv4(reply).SetChecksum(^header.IPv4(reply).CalculateChecksum())
			s.s.WriteRawPacket(LoopbackIndex, header.IPv4ProtocolNumber, buffer.MakeWithData(reply)) // a link that is down loses it
		})
		return true
	})
}

// echoReply is the answer to an echo request, nil to another message; its header lacks the time to live.
func echoReply(pkt *stack.PacketBuffer) []byte {
	head := pkt.NetworkHeader().Slice()
	if len(head) < header.IPv4MinimumSize {
		return nil
	}
	body := stack.PayloadSince(pkt.TransportHeader())
	defer body.Release()
	echo := header.ICMPv4(append([]byte(nil), body.AsSlice()...))
	if len(echo) < header.ICMPv4MinimumSize || echo.Type() != header.ICMPv4Echo {
		return nil
	}
	echo.SetType(header.ICMPv4EchoReply)
	echo.SetChecksum(0)
	echo.SetChecksum(^checksum.Checksum(echo, 0))
	ip := header.IPv4(append([]byte(nil), head[:header.IPv4MinimumSize]...)) // without its options
	from, to := ip.SourceAddress(), ip.DestinationAddress()
	ip.SetHeaderLength(header.IPv4MinimumSize)
	ip.SetTotalLength(uint16(len(ip) + len(echo)))
	ip.SetSourceAddress(to)
	ip.SetDestinationAddress(from)
	return append(ip, echo...)
}
