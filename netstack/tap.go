package netstack

import (
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"cordon/internal/linux"
)

// EtherAll is the protocol of a Tap that sees all frames, also those that leave.
const EtherAll = uint16(linux.ETH_P_ALL)

// LinkHeaderSize is the size of an Ethernet header, which every frame has here that is not of a bare link: on loopback it is
// zeros and the protocol.
const LinkHeaderSize = header.EthernetMinimumSize

// A Frame is what a Tap sees of a packet on a link. Bytes begins with the link header, of Header bytes, and is the callee's.
type Frame struct {
	Index    int32
	Protocol uint16
	Type     uint8  // linux.PACKET_HOST and so on
	Hardware uint16 // linux.ARPHRD_ETHER and so on
	Header   int
	Bytes    []byte
	TimeNS   int64
}

// A Tap is told of frames on one link or all. It ends with Close.
type Tap struct {
	// immutable
	stack   *Stack
	index   int32 // 0: all links
	proto   uint16
	deliver func(*Frame)
}

// Tap has deliver called for each frame of a protocol, on one link or with index 0 on all. deliver is called as what Attach
// is given: it may take leaf locks and wake waiters. ENODEV when there is no such link.
//
// While there is a tap, new connections are not spliced, so that it sees what goes over them.
func (s *Stack) Tap(index int32, proto uint16, deliver func(*Frame)) (*Tap, error) {
	t := &Tap{stack: s, index: index, proto: proto, deliver: deliver}
	if index != 0 && !s.s.HasNIC(tcpip.NICID(index)) {
		return nil, linux.ENODEV
	}
	s.mu.Lock()
	if s.taps == nil {
		s.taps = make(map[*Tap]struct{})
	}
	s.taps[t] = struct{}{}
	s.mu.Unlock()
	s.watched.Add(1)
	return t, t.register(tcpip.NICID(index))
}

func (t *Tap) register(id tcpip.NICID) error {
	return errnoOf(t.stack.s.RegisterPacketEndpoint(id, tcpip.NetworkProtocolNumber(t.proto), t))
}

func (t *Tap) unregister() {
	t.stack.s.UnregisterPacketEndpoint(tcpip.NICID(t.index), tcpip.NetworkProtocolNumber(t.proto), t)
}

// Close ends the tap; a frame may still be on its way to it.
func (t *Tap) Close() {
	t.unregister()
	t.stack.mu.Lock()
	delete(t.stack.taps, t)
	t.stack.mu.Unlock()
	t.stack.watched.Add(-1)
}

// tapLink shows a new link to the taps of all links.
func (s *Stack) tapLink(id tcpip.NICID) {
	for _, t := range s.allTaps() {
		if t.index == 0 {
			t.register(id) // the link is there
		}
	}
}

func (s *Stack) allTaps() []*Tap {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*Tap, 0, len(s.taps))
	for t := range s.taps {
		out = append(out, t)
	}
	return out
}

// pauseTaps takes taps out of the stack before it is saved; resumeTaps puts them back.
func (s *Stack) pauseTaps() {
	for _, t := range s.allTaps() {
		t.unregister()
	}
	if len(s.watches()) > 0 {
		s.unregisterErrors()
	}
}

func (s *Stack) resumeTaps() {
	for _, t := range s.allTaps() {
		t.register(tcpip.NICID(t.index)) // a link that has gone meanwhile is not heard of
	}
	if len(s.watches()) > 0 {
		s.registerErrors() // as before
	}
}

// Set in one place and never changed.
var packetTypes = map[tcpip.PacketType]uint8{
	tcpip.PacketHost: linux.PACKET_HOST, tcpip.PacketOtherHost: linux.PACKET_OTHERHOST,
	tcpip.PacketOutgoing: linux.PACKET_OUTGOING, tcpip.PacketBroadcast: linux.PACKET_BROADCAST,
	tcpip.PacketMulticast: linux.PACKET_MULTICAST,
}

// HandlePacket implements stack.PacketEndpoint.
func (t *Tap) HandlePacket(id tcpip.NICID, proto tcpip.NetworkProtocolNumber, pkt *stack.PacketBuffer) {
	v := pkt.ToView()
	defer v.Release()
	f := Frame{
		Index: int32(id), Protocol: uint16(proto), Type: packetTypes[pkt.PktType], Hardware: linux.ARPHRD_ETHER, Header: LinkHeaderSize,
		TimeNS: t.stack.s.Clock().Now().UnixNano(),
	}
	switch {
	case id == LoopbackIndex:
		f.Hardware = linux.ARPHRD_LOOPBACK
	case t.stack.bare(f.Index):
		f.Hardware, f.Header = linux.ARPHRD_NONE, 0
	}
	switch {
	case f.Header == 0 || len(pkt.LinkHeader().Slice()) >= LinkHeaderSize:
		f.Bytes = append([]byte(nil), v.AsSlice()...)
	default:
		f.Bytes = make([]byte, LinkHeaderSize, LinkHeaderSize+v.Size())
		f.Bytes[12], f.Bytes[13] = byte(f.Protocol>>8), byte(f.Protocol)
		f.Bytes = append(f.Bytes, v.AsSlice()...)
	}
	t.deliver(&f)
}

// SendFrame sends a frame whose link header is the caller's. ENXIO or ENODEV when there is no such link, ENETDOWN when it
// is down, EMSGSIZE when the frame does not fit it.
func (s *Stack) SendFrame(index int32, frame []byte) error {
	if s.bare(index) {
		return s.sendBare(index, frame)
	}
	if len(frame) < LinkHeaderSize {
		return linux.EINVAL
	}
	proto := uint16(frame[12])<<8 | uint16(frame[13])
	if err := s.canSend(index, len(frame)-LinkHeaderSize); err != nil {
		return err
	}
	if index == LoopbackIndex {
		return s.sendLoopback(proto, frame[LinkHeaderSize:])
	}
	return errnoOf(s.s.WriteRawPacket(tcpip.NICID(index), tcpip.NetworkProtocolNumber(proto), buffer.MakeWithData(frame)))
}

// SendPacket sends a packet of a protocol to a station; the link header is the stack's.
func (s *Stack) SendPacket(index int32, proto uint16, to HWAddr, packet []byte) error {
	if err := s.canSend(index, len(packet)); err != nil {
		return err
	}
	switch {
	case index == LoopbackIndex:
		return s.sendLoopback(proto, packet)
	case s.bare(index):
		return s.sendBare(index, packet)
	}
	return errnoOf(s.s.WritePacketToRemote(tcpip.NICID(index), to.link(), tcpip.NetworkProtocolNumber(proto), buffer.MakeWithData(packet)))
}

// sendBare sends a packet on a link without link headers.
func (s *Stack) sendBare(index int32, packet []byte) error {
	if err := s.canSend(index, len(packet)); err != nil {
		return err
	}
	proto, _ := bareProtocol(packet)
	return errnoOf(s.s.WriteRawPacket(tcpip.NICID(index), proto, buffer.MakeWithData(packet)))
}

func (s *Stack) sendLoopback(proto uint16, packet []byte) error {
	return errnoOf(s.s.WriteRawPacket(LoopbackIndex, tcpip.NetworkProtocolNumber(proto), buffer.MakeWithData(packet)))
}

func (s *Stack) canSend(index int32, size int) error {
	i, ok := s.Interface(index)
	switch {
	case !ok:
		return linux.ENXIO
	case !i.Up:
		return linux.ENETDOWN
	case size > int(i.MTU):
		return linux.EMSGSIZE
	}
	return nil
}

// After has f called once, in d of the stack's time.
func (s *Stack) After(d time.Duration, f func()) { s.s.Clock().AfterFunc(d, f) }
