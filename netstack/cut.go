package netstack

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// The host hands large segments over whole, and leaves checksums out of packets that never were on a wire. Our TCP takes
// them as they are. Whoever gets a packet that the stack passes on does not, and datagrams that the host was to
// cut (udp(7), UDP_SEGMENT) are several: what the host has left undone is done here.

// minCut is the least that a part of a segment is said to hold: no link of IPv4's is smaller.
const minCut = 8

// maxHeaders is the longest that headers of a segment to cut are: each of its parts has them.
const maxHeaders = 512

const udpChecksum = 6 // where it stands in UDP's header

// undone says whether there is anything left to do on a frame that begins with b, and is of no use as it is.
func (f *frameLink) undone(h *vnetHeader, b []byte) bool {
	if h.gsoType&^vnetECN == vnetUDP {
		return true
	}
	if h.flags&vnetNeedsCsum == 0 && h.gsoType == 0 {
		return false
	}
	if f.upper.Load() != nil {
		return true
	}
	x := f.express.Load()
	return x != nil && x.passesOn(b)
}

// passesOn says whether a frame that begins with b may leave the stack again.
func (x *express) passesOn(b []byte) bool {
	var to tcpip.Address
	var proto tcpip.NetworkProtocolNumber
	if len(b) < header.EthernetMinimumSize+header.IPv4MinimumSize {
		return false
	}
	packet := b[header.EthernetMinimumSize:]
	switch proto = header.Ethernet(b).Type(); {
	case proto == header.IPv4ProtocolNumber:
		to = header.IPv4(packet).DestinationAddress()
	case proto == header.IPv6ProtocolNumber && len(packet) >= header.IPv6MinimumSize:
		to = header.IPv6(packet).DestinationAddress()
	default:
		return false
	}
	if on, err := x.stack.s.NICForwarding(x.nic, proto); err != nil || !on {
		return false
	}
	// Rules may turn what is for this stack to another.
	return x.stack.layered.Load() || x.stack.s.CheckLocalAddress(0, proto, to) == 0
}

// finish does what the host has left undone and returns the frames that come of it; none when the host's word cannot be.
func (h *vnetHeader) finish(frame []byte) [][]byte {
	start, end, at := int(h.csumStart), packetEnd(frame), int(h.csumOffset)
	if h.flags&vnetNeedsCsum == 0 || start < networkEnd(frame) || end < start+at+2 {
		return nil
	}
	if h.gsoType == 0 {
		complete(frame[start:end], at)
		return [][]byte{frame}
	}
	head, datagram := start+header.UDPMinimumSize, h.gsoType&^vnetECN == vnetUDP
	switch h.gsoType &^ vnetECN {
	case vnetUDP:
		if at != udpChecksum {
			return nil
		}
	case vnetTCPv4, vnetTCPv6:
		if at != header.TCPChecksumOffset || end < start+header.TCPMinimumSize {
			return nil
		}
		if head = start + int(header.TCP(frame[start:]).DataOffset()); head < start+header.TCPMinimumSize {
			return nil
		}
	default:
		return nil
	}
	if head > min(end, maxHeaders) || h.gsoSize < minCut {
		return nil
	}
	var out [][]byte
	for from := head; from < end; from += int(h.gsoSize) {
		n := min(int(h.gsoSize), end-from)
		part := make([]byte, head+n)
		copy(part, frame[:head])
		copy(part[head:], frame[from:from+n])
		partNetwork(part, len(out))
		if datagram {
			binary.BigEndian.PutUint16(part[start+4:], uint16(len(part)-start))
		} else {
			partTCP(header.TCP(part[start:]), uint32(from-head), from+n == end)
		}
		binary.BigEndian.PutUint16(part[start+at:], pseudo(part, start, datagram))
		complete(part[start:], at)
		out = append(out, part)
	}
	return out
}

// networkEnd is where the network's header of a frame ends at the least.
func networkEnd(frame []byte) int {
	if len(frame) >= header.EthernetMinimumSize && header.Ethernet(frame).Type() == header.IPv6ProtocolNumber {
		return header.EthernetMinimumSize + header.IPv6MinimumSize
	}
	return header.EthernetMinimumSize + header.IPv4MinimumSize
}

// packetEnd is where the packet of a frame ends; 0 where it cannot be told.
func packetEnd(frame []byte) int {
	const ip = header.EthernetMinimumSize
	end := 0
	switch {
	case len(frame) < ip+header.IPv4MinimumSize:
	case header.Ethernet(frame).Type() == header.IPv4ProtocolNumber:
		end = ip + int(header.IPv4(frame[ip:]).TotalLength())
	case header.Ethernet(frame).Type() == header.IPv6ProtocolNumber && len(frame) >= ip+header.IPv6MinimumSize:
		end = ip + header.IPv6MinimumSize + int(header.IPv6(frame[ip:]).PayloadLength())
	}
	if end > len(frame) {
		return 0
	}
	return end
}

// partNetwork makes the network's header that of one part, the i-th, of a packet.
func partNetwork(part []byte, i int) {
	packet := part[header.EthernetMinimumSize:]
	if header.Ethernet(part).Type() == header.IPv6ProtocolNumber {
		header.IPv6(packet).SetPayloadLength(uint16(len(packet) - header.IPv6MinimumSize))
		return
	}
	ip := header.IPv4(packet)
	ip.SetTotalLength(uint16(len(packet)))
	ip.SetID(ip.ID() + uint16(i))
	ip.SetChecksum(0)
	if int(ip.HeaderLength()) <= len(packet) {
		ip.SetChecksum(^ip.CalculateChecksum())
	}
}

// partTCP makes TCP's header that of the part at an offset of a segment.
func partTCP(t header.TCP, offset uint32, last bool) {
	const flags = 13
	t.SetSequenceNumber(t.SequenceNumber() + offset)
	if !last {
		t[flags] &^= uint8(header.TCPFlagFin | header.TCPFlagPsh)
	}
	if offset > 0 {
		t[flags] &^= uint8(header.TCPFlagCwr)
	}
}

// pseudo is the sum over the addresses of a packet and the size of what begins at start.
func pseudo(frame []byte, start int, datagram bool) uint16 {
	proto := header.TCPProtocolNumber
	if datagram {
		proto = header.UDPProtocolNumber
	}
	packet, size := frame[header.EthernetMinimumSize:], uint16(len(frame)-start)
	if header.Ethernet(frame).Type() == header.IPv6ProtocolNumber {
		ip := header.IPv6(packet)
		return header.PseudoHeaderChecksum(proto, ip.SourceAddress(), ip.DestinationAddress(), size)
	}
	ip := header.IPv4(packet)
	return header.PseudoHeaderChecksum(proto, ip.SourceAddress(), ip.DestinationAddress(), size)
}

// complete makes the checksum at an offset of b whole, where the sum over the addresses stands.
func complete(b []byte, at int) {
	sum := ^checksum.Checksum(b, 0)
	if sum == 0 {
		sum = 0xffff // the same number, and for UDP not that of none
	}
	binary.BigEndian.PutUint16(b[at:], sum)
}
