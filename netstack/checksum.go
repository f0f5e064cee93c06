package netstack

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// checksumWrong reports whether a frame is a TCP or UDP packet whose checksum does not hold. Other packets' are the stack's
// to check, and so are those that it puts together from fragments.
func checksumWrong(frame *buffer.Buffer) bool {
	const most = header.EthernetMinimumSize + header.IPv4MaximumHeaderSize
	v, ok := frame.PullUp(0, min(most, int(frame.Size())))
	if !ok || v.Size() < header.EthernetMinimumSize+header.IPv4MinimumSize {
		return false
	}
	b := v.AsSlice()
	var src, dst tcpip.Address
	var proto tcpip.TransportProtocolNumber
	start, size := 0, 0
	switch packet := b[header.EthernetMinimumSize:]; header.Ethernet(b).Type() {
	case header.IPv4ProtocolNumber:
		ip := header.IPv4(packet)
		if ip.More() || ip.FragmentOffset() != 0 || !ip.IsValid(int(frame.Size())-header.EthernetMinimumSize) {
			return false
		}
		src, dst, proto = ip.SourceAddress(), ip.DestinationAddress(), ip.TransportProtocol()
		start, size = int(ip.HeaderLength()), int(ip.PayloadLength())
	case header.IPv6ProtocolNumber:
		if len(packet) < header.IPv6MinimumSize {
			return false
		}
		ip := header.IPv6(packet)
		src, dst, proto = ip.SourceAddress(), ip.DestinationAddress(), ip.TransportProtocol()
		start, size = header.IPv6MinimumSize, int(ip.PayloadLength())
	default:
		return false
	}
	start += header.EthernetMinimumSize
	if start+size > int(frame.Size()) || proto != header.TCPProtocolNumber && proto != header.UDPProtocolNumber {
		return false
	}
	return !transportHolds(frame, start, size, src, dst, proto)
}

func transportHolds(frame *buffer.Buffer, start, size int, src, dst tcpip.Address, proto tcpip.TransportProtocolNumber) bool {
	if proto == header.UDPProtocolNumber {
		u, ok := frame.PullUp(start, header.UDPMinimumSize)
		if !ok {
			return true // too short: the stack's to drop
		}
		if header.UDP(u.AsSlice()).Checksum() == 0 && src.Len() == header.IPv4AddressSize {
			return true // sent without one
		}
	}
	var c checksum.Checksumer
	frame.SubApply(start, size, func(v *buffer.View) { c.Add(v.AsSlice()) })
	return checksum.Combine(header.PseudoHeaderChecksum(proto, src, dst, uint16(size)), c.Checksum()) == 0xffff
}
