package netstack

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// An express takes segments of established connections from a link to their endpoints, past the layers between, which
// have nothing to say about them while there are no rules, nobody listens, and the address is the interface's. It has one
// segment in hand, and makes one of those that follow each other: what a batch of frames brings of a stream, and the
// last of the acknowledgements that say nothing but how far the peer has got. The price of a segment is that of its
// way and of waking up who processes it, whatever its size.
//
// It is the receiver's alone.
type express struct {
	// immutable
	stack *Stack
	nic   tcpip.NICID
	tcp   segmentQueue
	stats tcpip.NICStats

	// receiver-only
	local     tcpip.Address // one of the interface's, as of generation
	at        uint64
	inHand    segment
	target    stack.TransportEndpoint // of the segment in hand; nil: there is none
	pkt       *stack.PacketBuffer
	afterHand uint32 // the sequence number that follows it
}

// A segmentQueue takes segments to established connections.
type segmentQueue interface {
	QueuePacket(stack.TransportEndpoint, stack.TransportEndpointID, *stack.PacketBuffer)
}

func newExpress(s *Stack, nic tcpip.NICID) *express {
	q, ok := s.s.TransportProtocolInstance(tcp.ProtocolNumber).(segmentQueue)
	info, there := s.s.SingleNICInfo(nic)
	if !ok || !there {
		return nil
	}
	return &express{stack: s, nic: nic, tcp: &atOnce{stack: s, later: q}, stats: info.Stats}
}

// A segment is a frame with one of TCP, as far as the express cares. head is the frame's beginning, up to the payload.
type segment struct {
	id         stack.TransportEndpointID
	network    tcpip.NetworkProtocolNumber
	head       []byte
	ip, tcp    int // where the headers begin in head
	payload    int
	seq, ack   uint32
	flags      header.TCPFlags
	onlyStamps bool // its options are none, or time stamps
}

// parse reads a frame of n bytes that begins with b. false: it is not of the kind that takes the express.
func (s *segment) parse(b []byte, n int) bool {
	s.ip = header.EthernetMinimumSize
	if len(b) < s.ip+header.IPv4MinimumSize+header.TCPMinimumSize {
		return false
	}
	end := 0
	switch s.network = header.Ethernet(b).Type(); s.network {
	case header.IPv4ProtocolNumber:
		ip := header.IPv4(b[s.ip:])
		if b[s.ip] != 4<<4|5 || ip.More() || ip.FragmentOffset() != 0 || ip.TransportProtocol() != tcp.ProtocolNumber {
			return false
		}
		s.tcp, end = s.ip+header.IPv4MinimumSize, s.ip+int(ip.TotalLength())
		s.id.LocalAddress, s.id.RemoteAddress = ip.DestinationAddress(), ip.SourceAddress()
		if !header.IPv4(b[s.ip:s.tcp]).IsChecksumValid() {
			return false
		}
	case header.IPv6ProtocolNumber:
		ip := header.IPv6(b[s.ip:])
		s.tcp = s.ip + header.IPv6MinimumSize
		if b[s.ip]>>4 != 6 || len(b) < s.tcp+header.TCPMinimumSize || ip.TransportProtocol() != tcp.ProtocolNumber {
			return false
		}
		end = s.tcp + int(ip.PayloadLength())
		s.id.LocalAddress, s.id.RemoteAddress = ip.DestinationAddress(), ip.SourceAddress()
	default:
		return false
	}
	t := header.TCP(b[s.tcp:])
	data := s.tcp + int(t.DataOffset())
	s.flags = t.Flags()
	// What begins, ends or disturbs a connection takes the usual way.
	if data < s.tcp+header.TCPMinimumSize || data > len(b) || data > end || end > n ||
		s.flags&^header.TCPFlagPsh != header.TCPFlagAck {
		return false
	}
	s.head, s.payload = b[:data], end-data
	s.id.LocalPort, s.id.RemotePort = t.DestinationPort(), t.SourcePort()
	s.seq, s.ack = t.SequenceNumber(), t.AckNumber()
	o := s.head[s.tcp+header.TCPMinimumSize:]
	s.onlyStamps = len(o) == 0 || len(o) == 12 && binary.BigEndian.Uint32(o) == 0x0101080a
	return true
}

// open says whether the interface's segments may go past the layers between.
func (x *express) open() bool {
	return x.stack.watched.Load() == 0 && !x.stack.layered.Load()
}

// take takes a frame over if its segment goes by express. s has been parsed.
func (x *express) take(s *segment, frame func() buffer.Buffer) bool {
	if x.target != nil && s.id == x.inHand.id && s.network == x.inHand.network {
		if x.join(s, frame) {
			return true
		}
	}
	x.flush()
	if !x.ours(s) {
		return false
	}
	ep := x.stack.s.FindTransportEndpoint(s.network, tcp.ProtocolNumber, s.id, x.nic)
	if e, ok := ep.(*tcp.Endpoint); !ok || e.EndpointState() != tcp.StateEstablished {
		return false
	}
	x.hold(s, ep, frame())
	return true
}

// hold takes a segment in hand.
func (x *express) hold(s *segment, ep stack.TransportEndpoint, b buffer.Buffer) {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: b})
	pkt.LinkHeader().Consume(s.ip)
	pkt.NetworkHeader().Consume(s.tcp - s.ip)
	pkt.TransportHeader().Consume(len(s.head) - s.tcp)
	pkt.Data().CapLength(s.payload)
	pkt.NetworkProtocolNumber, pkt.TransportProtocolNumber = s.network, tcp.ProtocolNumber
	pkt.NICID, pkt.RXChecksumValidated, pkt.PktType = x.nic, true, tcpip.PacketHost
	x.target, x.pkt, x.inHand = ep, pkt, *s
	x.afterHand = s.seq + uint32(s.payload)
	x.count(s)
}

// join makes one segment of the one in hand and the next of its connection, if that loses nothing.
func (x *express) join(s *segment, frame func() buffer.Buffer) bool {
	h := &x.inHand
	if s.payload == 0 {
		// An acknowledgement that goes further tells all that the one before it did.
		if h.payload != 0 || s.seq != h.seq || int32(s.ack-h.ack) <= 0 || !s.onlyStamps || !h.onlyStamps ||
			s.flags != header.TCPFlagAck || h.flags != header.TCPFlagAck {
			return false
		}
		x.pkt.DecRef()
		x.hold(s, x.target, frame())
		return true
	}
	if h.payload == 0 || s.seq != x.afterHand || !s.sameBut(h) {
		return false
	}
	b := frame()
	b.TrimFront(int64(len(s.head)))
	b.Truncate(int64(s.payload))
	x.pkt.Data().MergeBuffer(&b)
	x.afterHand += uint32(s.payload)
	x.count(s)
	return true
}

// sameBut compares the headers of two segments that follow each other: acknowledgement, window and options.
func (s *segment) sameBut(o *segment) bool {
	const urgent = 18
	a, b := s.head[s.tcp:], o.head[o.tcp:]
	return len(a) == len(b) && s.ack == o.ack && bytes.Equal(a[14:16], b[14:16]) && bytes.Equal(a[urgent:], b[urgent:])
}

// count keeps the counters of the layers that are passed by.
func (x *express) count(s *segment) {
	size := uint64(len(s.head) - s.ip + s.payload)
	all := x.stack.s.Stats()
	x.stats.Rx.Packets.Increment()
	x.stats.Rx.Bytes.IncrementBy(size)
	all.NICs.Rx.Packets.Increment()
	all.NICs.Rx.Bytes.IncrementBy(size)
	all.IP.PacketsReceived.Increment()
	all.IP.ValidPacketsReceived.Increment()
	all.IP.PacketsDelivered.Increment()
}

// ours says whether a segment is for an address of the interface.
func (x *express) ours(s *segment) bool {
	at := x.stack.addresses.Load()
	if at == x.at && s.id.LocalAddress == x.local {
		return true
	}
	for _, a := range x.stack.s.AllAddresses()[x.nic] {
		if a.AddressWithPrefix.Address == s.id.LocalAddress {
			x.local, x.at = s.id.LocalAddress, at
			return true
		}
	}
	return false
}

// flush lets the segment in hand go.
func (x *express) flush() {
	if x.target == nil {
		return
	}
	x.tcp.QueuePacket(x.target, x.inHand.id, x.pkt)
	x.pkt.DecRef()
	x.target, x.pkt, x.inHand.head = nil, nil, nil
}
