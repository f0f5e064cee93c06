package netstack

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"net/netip"
)

// Has says which fields of a Control carry something.
type Has uint16

const (
	HasTimestamp Has = 1 << iota
	HasTOS
	HasTTL
	HasTClass
	HasHopLimit
	HasPktInfo4
	HasPktInfo6
	HasOrigDst
)

// Control is what came with a datagram, of the things asked for with SetFlag.
type Control struct {
	Has         Has
	TOS         uint8
	TTL         uint8
	HopLimit    uint8
	TClass      uint32
	TimestampNS int64 // since the epoch
	Index       int32 // PktInfo: the interface it came in by
	Local       netip.Addr
	Dst         netip.Addr
	OrigDst     Addr
}

func controlOf(c *tcpip.ReceivableControlMessages) Control {
	var out Control
	set := func(has bool, bit Has) {
		if has {
			out.Has |= bit
		}
	}
	set(c.HasTimestamp, HasTimestamp)
	set(c.HasTOS, HasTOS)
	set(c.HasTTL, HasTTL)
	set(c.HasTClass, HasTClass)
	set(c.HasHopLimit, HasHopLimit)
	set(c.HasIPPacketInfo, HasPktInfo4)
	set(c.HasIPv6PacketInfo, HasPktInfo6)
	set(c.HasOriginalDstAddress, HasOrigDst)
	out.TOS, out.TTL, out.HopLimit, out.TClass = c.TOS, c.TTL, c.HopLimit, c.TClass
	if c.HasTimestamp {
		out.TimestampNS = c.Timestamp.UnixNano()
	}
	if c.HasIPPacketInfo {
		out.Index, out.Local, out.Dst = int32(c.PacketInfo.NIC), fromAddress(c.PacketInfo.LocalAddr), fromAddress(c.PacketInfo.DestinationAddr)
	}
	if c.HasIPv6PacketInfo {
		out.Index, out.Dst = int32(c.IPv6PacketInfo.NIC), fromAddress(c.IPv6PacketInfo.Addr)
	}
	if c.HasOriginalDstAddress {
		out.OrigDst = fromFull(c.OriginalDstAddress)
	}
	return out
}

// SendControl overrides an endpoint's settings for one datagram: HasTTL, HasHopLimit and HasPktInfo6 count.
type SendControl struct {
	Has      Has
	TTL      uint8
	HopLimit uint8
	Index    int32
	Src      netip.Addr
}

func (c *SendControl) tcpip() tcpip.SendableControlMessages {
	if c.Has == 0 {
		return tcpip.SendableControlMessages{}
	}
	return tcpip.SendableControlMessages{
		HasTTL: c.Has&HasTTL != 0, TTL: c.TTL, HasHopLimit: c.Has&HasHopLimit != 0, HopLimit: c.HopLimit,
		HasIPv6PacketInfo: c.Has&HasPktInfo6 != 0,
		IPv6PacketInfo:    tcpip.IPv6PacketInfo{Addr: toAddress(c.Src), NIC: tcpip.NICID(c.Index)},
	}
}

// SockError is an entry of the error queue that IP_RECVERR fills.
type SockError struct {
	Errno    error
	Family   Family
	ICMP     bool // else it arose here
	Type     uint8
	Code     uint8
	Info     uint32
	Payload  []byte
	Dst      Addr
	Offender Addr
}

// TakeQueuedError takes the oldest entry of the error queue, or nil. PeekQueuedError leaves it there.
func (e *Endpoint) TakeQueuedError() *SockError {
	return sockErrorOf(e.ep.SocketOptions().DequeueErr())
}
func (e *Endpoint) PeekQueuedError() *SockError { return sockErrorOf(e.ep.SocketOptions().PeekErr()) }

func sockErrorOf(s *tcpip.SockError) *SockError {
	if s == nil {
		return nil
	}
	out := &SockError{
		Errno: errnoOf(s.Err), Family: familyOf(s.NetProto), ICMP: s.Cause.Origin().IsICMPErr(), Type: s.Cause.Type(),
		Code: s.Cause.Code(), Info: s.Cause.Info(), Dst: fromFull(s.Dst), Offender: fromFull(s.Offender),
	}
	if s.Payload != nil {
		out.Payload = append([]byte(nil), s.Payload.AsSlice()...)
	}
	return out
}
