package netstack

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// An ICMPError is an error that somebody has sent about a packet of ours.
type ICMPError struct {
	Family     Family
	Type, Code uint8
	Info       uint32 // of a packet that was too big, the size that is not; a pointer to what was wrong
	Offender   netip.Addr
	TTL        uint8 // of the error, or its hop limit
	TOS        uint8
	TimeNS     int64
	Index      int32

	// The packet that it is about. Ports are of TCP and UDP; of an echo, Local.Port is the identifier.
	Protocol uint8
	Local    Addr
	Remote   Addr
	Packet   []byte // from its transport header on
}

// An ErrorWatch is told of ICMP errors. It ends with Close.
type ErrorWatch struct {
	// immutable
	stack *Stack
	tell  func(*ICMPError)
}

// maxErrorPayload is how much of a packet is kept: what an error has of it, at most.
const maxErrorPayload = 1280

// WatchErrors has tell called for each ICMP error that is received, as Attach's function is.
func (s *Stack) WatchErrors(tell func(*ICMPError)) (*ErrorWatch, error) {
	w := &ErrorWatch{stack: s, tell: tell}
	s.mu.Lock()
	old := s.watches()
	list := append(slices.Clone(old), w)
	s.errorWatches.Store(&list)
	s.mu.Unlock()
	if len(old) > 0 {
		return w, nil
	}
	if err := s.registerErrors(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Close ends the watch; an error may still be on its way to it.
func (w *ErrorWatch) Close() {
	s := w.stack
	s.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(s.watches()), func(o *ErrorWatch) bool { return o == w })
	s.errorWatches.Store(&list)
	s.mu.Unlock()
	if len(list) == 0 {
		s.unregisterErrors()
	}
}

func (s *Stack) watches() []*ErrorWatch {
	if p := s.errorWatches.Load(); p != nil {
		return *p
	}
	return nil
}

// An errorTap sees the ICMP packets of one version that the stack receives.
type errorTap struct {
	s      *Stack
	family Family
}

func (s *Stack) registerErrors() error {
	for _, t := range s.errorTaps() {
		if err := s.s.RegisterRawTransportEndpoint(t.family.proto(), t.icmp(), t); err != nil {
			return errnoOf(err)
		}
	}
	return nil
}

func (s *Stack) unregisterErrors() {
	for _, t := range s.errorTaps() {
		s.s.UnregisterRawTransportEndpoint(t.family.proto(), t.icmp(), t)
	}
}

func (s *Stack) errorTaps() []*errorTap {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.icmpTaps == nil {
		s.icmpTaps = []*errorTap{{s, IPv4}, {s, IPv6}}
	}
	return s.icmpTaps
}

func (t *errorTap) icmp() tcpip.TransportProtocolNumber {
	if t.family == IPv6 {
		return header.ICMPv6ProtocolNumber
	}
	return header.ICMPv4ProtocolNumber
}

// HandlePacket implements stack.RawTransportEndpoint.
func (t *errorTap) HandlePacket(pkt *stack.PacketBuffer) {
	v := stack.PayloadSince(pkt.NetworkHeader())
	defer v.Release()
	e := ICMPError{Family: t.family, Index: int32(pkt.NICID)}
	var ok bool
	if t.family == IPv4 {
		ok = e.parse4(v.AsSlice())
	} else {
		ok = e.parse6(v.AsSlice())
	}
	if !ok {
		return
	}
	e.TimeNS = t.s.s.Clock().Now().UnixNano()
	for _, w := range t.s.watches() {
		own := e
		w.tell(&own)
	}
}

// parse4 reads an IPv4 packet with an ICMP error; false if it is none.
func (e *ICMPError) parse4(b []byte) bool {
	if len(b) < header.IPv4MinimumSize {
		return false
	}
	h := header.IPv4(b)
	n := int(h.HeaderLength())
	if n < header.IPv4MinimumSize || len(b) < n+header.ICMPv4MinimumSize {
		return false
	}
	e.Offender, e.TTL = fromAddress(h.SourceAddress()), h.TTL()
	e.TOS, _ = h.TOS()
	icmp := header.ICMPv4(b[n:])
	e.Type, e.Code = uint8(icmp.Type()), uint8(icmp.Code())
	switch icmp.Type() {
	case header.ICMPv4DstUnreachable:
		if icmp.Code() == header.ICMPv4FragmentationNeeded {
			e.Info = uint32(icmp.MTU())
		}
	case header.ICMPv4TimeExceeded:
	case header.ICMPv4ParamProblem:
		e.Info = uint32(icmp.Pointer())
	default:
		return false
	}
	in := b[n+header.ICMPv4MinimumSize:]
	if len(in) < header.IPv4MinimumSize {
		return false
	}
	ih := header.IPv4(in)
	m := int(ih.HeaderLength())
	if m < header.IPv4MinimumSize || len(in) < m+8 || ih.FragmentOffset() != 0 {
		return false
	}
	return e.inner(ih.Protocol(), fromAddress(ih.SourceAddress()), fromAddress(ih.DestinationAddress()), in[m:])
}

// parse6 reads an IPv6 packet with an ICMPv6 error.
func (e *ICMPError) parse6(b []byte) bool {
	const size = header.IPv6MinimumSize
	if len(b) < size+header.ICMPv6MinimumSize {
		return false
	}
	h := header.IPv6(b)
	if h.TransportProtocol() != header.ICMPv6ProtocolNumber {
		return false
	}
	e.Offender, e.TTL = fromAddress(h.SourceAddress()), h.HopLimit()
	e.TOS, _ = h.TOS()
	icmp := header.ICMPv6(b[size:])
	e.Type, e.Code = uint8(icmp.Type()), uint8(icmp.Code())
	switch icmp.Type() {
	case header.ICMPv6DstUnreachable, header.ICMPv6TimeExceeded:
	case header.ICMPv6PacketTooBig:
		e.Info = icmp.MTU()
	case header.ICMPv6ParamProblem:
		e.Info = icmp.TypeSpecific()
	default:
		return false
	}
	in := b[size+header.ICMPv6MinimumSize:]
	if len(in) < size+8 {
		return false
	}
	ih := header.IPv6(in)
	return e.inner(ih.NextHeader(), fromAddress(ih.SourceAddress()), fromAddress(ih.DestinationAddress()), in[size:])
}

// inner reads the beginning of the packet that the error is about.
func (e *ICMPError) inner(proto uint8, src, dst netip.Addr, b []byte) bool {
	e.Protocol = proto
	e.Local, e.Remote = Addr{IP: src}, Addr{IP: dst}
	switch tcpip.TransportProtocolNumber(proto) {
	case header.TCPProtocolNumber, header.UDPProtocolNumber:
		e.Local.Port, e.Remote.Port = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case header.ICMPv4ProtocolNumber, header.ICMPv6ProtocolNumber:
		e.Local.Port = binary.BigEndian.Uint16(b[4:])
	}
	e.Packet = append([]byte(nil), b[:min(len(b), maxErrorPayload)]...)
	return true
}
