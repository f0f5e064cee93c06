package netstack

import (
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"cordon/internal/linux"
)

// A Tunable is a number that a stack has for all its endpoints to come.
type Tunable uint8

const (
	TuneTTL        Tunable = iota // of IPv4
	TuneHopLimit                  // of IPv6
	TuneSACK                      // 0 or 1
	TuneModerate                  // likewise: receive buffers grow
	TuneSynRetries                // of SYN
	TuneFinTimeout                // seconds in FIN_WAIT2
	TuneRetries                   // of anything else
	TuneFirstPort                 // the ports that are handed out
	TuneLastPort
)

// Tunable reads a number.
func (s *Stack) Tunable(t Tunable) int {
	switch t {
	case TuneTTL, TuneHopLimit:
		var v tcpip.DefaultTTLOption
		p := header.IPv4ProtocolNumber
		if t == TuneHopLimit {
			p = header.IPv6ProtocolNumber
		}
		s.s.NetworkProtocolOption(p, &v)
		return int(v)
	case TuneSACK:
		var v tcpip.TCPSACKEnabled
		s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
		return boolNumber(bool(v))
	case TuneModerate:
		var v tcpip.TCPModerateReceiveBufferOption
		s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
		return boolNumber(bool(v))
	case TuneSynRetries:
		var v tcpip.TCPSynRetriesOption
		s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
		return int(v)
	case TuneFinTimeout:
		var v tcpip.TCPLingerTimeoutOption
		s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
		return int(time.Duration(v) / time.Second)
	case TuneRetries:
		var v tcpip.TCPMaxRetriesOption
		s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
		return int(v)
	}
	first, last := s.s.PortRange()
	if t == TuneFirstPort {
		return int(first)
	}
	return int(last)
}

func boolNumber(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Tune sets a number; its range is the caller's to check.
func (s *Stack) Tune(t Tunable, n int) error {
	var o tcpip.SettableTransportProtocolOption
	switch t {
	case TuneTTL, TuneHopLimit:
		v := tcpip.DefaultTTLOption(n)
		p := header.IPv4ProtocolNumber
		if t == TuneHopLimit {
			p = header.IPv6ProtocolNumber
		}
		return errnoOf(s.s.SetNetworkProtocolOption(p, &v))
	case TuneSACK:
		v := tcpip.TCPSACKEnabled(n != 0)
		o = &v
	case TuneModerate:
		v := tcpip.TCPModerateReceiveBufferOption(n != 0)
		o = &v
	case TuneSynRetries:
		v := tcpip.TCPSynRetriesOption(n)
		o = &v
	case TuneFinTimeout:
		v := tcpip.TCPLingerTimeoutOption(time.Duration(n) * time.Second)
		o = &v
	case TuneRetries:
		v := tcpip.TCPMaxRetriesOption(n)
		o = &v
	default:
		return linux.EINVAL // ports are set together
	}
	return errnoOf(s.s.SetTransportProtocolOption(tcp.ProtocolNumber, o))
}

// SetPorts sets the ports that are handed out.
func (s *Stack) SetPorts(first, last uint16) error {
	if first == 0 || first > last {
		return linux.EINVAL
	}
	return errnoOf(s.s.SetPortRange(first, last))
}

// DefaultCongestion is the algorithm of new connections; SetDefaultCongestion chooses it, ENOENT when it is unknown.
func (s *Stack) DefaultCongestion() string {
	var v tcpip.CongestionControlOption
	s.s.TransportProtocolOption(tcp.ProtocolNumber, &v)
	return string(v)
}

func (s *Stack) SetDefaultCongestion(name string) error {
	v := tcpip.CongestionControlOption(name)
	return errnoOf(s.s.SetTransportProtocolOption(tcp.ProtocolNumber, &v))
}
