package inet

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// addControl writes the control messages that the guest asked for, in Linux's order.
func (s *Socket) addControl(in *socket.Incoming, c *netstack.Control) {
	socket.AddTimestamp(&s.Base, &in.Control, c.TimestampNS)
	s.addPacketControl(in, c)
}

func (s *Socket) addPacketControl(in *socket.Incoming, c *netstack.Control) {
	if c.Has&netstack.HasPktInfo4 != 0 {
		b := le32(uint32(c.Index))
		b = appendIP4(b, c.Local)
		in.Control.Add(linux.SOL_IP, int32(linux.IP_PKTINFO), appendIP4(b, c.Dst))
	}
	if c.Has&netstack.HasTTL != 0 {
		in.Control.Add(linux.SOL_IP, int32(linux.IP_TTL), le32(uint32(c.TTL)))
	}
	if c.Has&netstack.HasTOS != 0 {
		in.Control.Add(linux.SOL_IP, int32(linux.IP_TOS), []byte{c.TOS})
	}
	if c.Has&netstack.HasOrigDst != 0 {
		level, opt := linux.SOL_IP, int32(linux.IP_ORIGDSTADDR)
		if s.v6() {
			level, opt = linux.SOL_IPV6, int32(linux.IPV6_ORIGDSTADDR)
		}
		in.Control.Add(level, opt, s.format(c.OrigDst))
	}
	if c.Has&netstack.HasPktInfo6 != 0 {
		b := make([]byte, 0, 20)
		if c.Dst.IsValid() {
			ip := c.Dst.As16()
			b = append(b, ip[:]...)
		} else {
			b = append(b, make([]byte, 16)...)
		}
		in.Control.Add(linux.SOL_IPV6, int32(linux.IPV6_PKTINFO), binary.LittleEndian.AppendUint32(b, uint32(c.Index)))
	}
	if c.Has&netstack.HasHopLimit != 0 {
		in.Control.Add(linux.SOL_IPV6, int32(linux.IPV6_HOPLIMIT), le32(uint32(c.HopLimit)))
	}
	if c.Has&netstack.HasTClass != 0 {
		in.Control.Add(linux.SOL_IPV6, int32(linux.IPV6_TCLASS), le32(c.TClass))
	}
}

func appendIP4(b []byte, ip netip.Addr) []byte {
	var a [4]byte
	if ip = ip.Unmap(); ip.Is4() {
		a = ip.As4()
	}
	return append(b, a[:]...)
}

// parseControl reads what a datagram's sender wants for this one message.
func (s *Socket) parseControl(ms []socket.ControlMessage, o *netstack.WriteOptions) error {
	for _, m := range ms {
		var err error
		switch m.Level {
		case linux.SOL_IP:
			err = s.parseIPControl(m, o)
		case linux.SOL_IPV6:
			if s.v6() {
				err = s.parseIPv6Control(m, o)
			}
		case linux.SOL_SOCKET:
			switch linux.ScmType(m.Type) {
			case linux.SCM_RIGHTS, linux.SCM_CREDENTIALS: // as in Linux, not for this family, and no error
			default:
				err = linux.EINVAL
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Socket) parseIPControl(m socket.ControlMessage, o *netstack.WriteOptions) error {
	switch linux.IPOpt(m.Type) {
	case linux.IP_TTL:
		if len(m.Data) != 4 {
			return linux.EINVAL
		}
		v := binary.LittleEndian.Uint32(m.Data)
		if v < 1 || v > 255 {
			return linux.EINVAL
		}
		o.Control.Has |= netstack.HasTTL
		o.Control.TTL = uint8(v)
		return nil
	case linux.IP_TOS:
		var v int
		switch len(m.Data) {
		case 1:
			v = int(m.Data[0])
		case 4:
			v = int(int32(binary.LittleEndian.Uint32(m.Data)))
		default:
			return linux.EINVAL
		}
		return s.onlyCurrent(netstack.TOS4, v)
	case linux.IP_PKTINFO:
		if len(m.Data) != 12 {
			return linux.EINVAL
		}
		index := int32(binary.LittleEndian.Uint32(m.Data))
		return s.sendVia(index, netip.AddrFrom4([4]byte(m.Data[4:8])), o)
	}
	return linux.EINVAL
}

// onlyCurrent accepts a per-message value that the socket has anyway; the stack cannot change it for one datagram.
func (s *Socket) onlyCurrent(opt netstack.Int, v int) error {
	if have, err := s.ep().Int(opt); err == nil && have == v {
		return nil
	}
	return linux.EOPNOTSUPP
}

// sendVia applies IP_PKTINFO: the interface, and a source address as far as it is the one the route has.
func (s *Socket) sendVia(index int32, src netip.Addr, o *netstack.WriteOptions) error {
	to := netstack.Addr{}
	if o.To != nil {
		to = *o.To
	} else if r, err := s.ep().RemoteAddr(); err == nil {
		to = r
	}
	if index != 0 {
		if _, ok := s.Namespace().Stack.Interface(index); !ok {
			return linux.ENODEV
		}
		to.Index = index
		o.To = &to
	}
	if !src.IsValid() || src.IsUnspecified() {
		return nil
	}
	p, err := s.Namespace().Stack.FindRoute(to.IP.Unmap(), index)
	if err != nil {
		return err
	}
	if p.Src != src {
		return linux.EOPNOTSUPP
	}
	return nil
}

func (s *Socket) parseIPv6Control(m socket.ControlMessage, o *netstack.WriteOptions) error {
	switch linux.IPv6Opt(m.Type) {
	case linux.IPV6_HOPLIMIT:
		if len(m.Data) != 4 {
			return linux.EINVAL
		}
		v := int32(binary.LittleEndian.Uint32(m.Data))
		if v < -1 || v > 255 {
			return linux.EINVAL
		}
		if v >= 0 {
			o.Control.Has |= netstack.HasHopLimit
			o.Control.HopLimit = uint8(v)
		}
		return nil
	case linux.IPV6_TCLASS:
		if len(m.Data) != 4 {
			return linux.EINVAL
		}
		v := int(int32(binary.LittleEndian.Uint32(m.Data)))
		if v < -1 || v > 255 {
			return linux.EINVAL
		}
		if v == -1 {
			return nil
		}
		return s.onlyCurrent(netstack.TClass6, v)
	case linux.IPV6_PKTINFO:
		if len(m.Data) < 20 {
			return linux.EINVAL
		}
		src, index := netip.AddrFrom16([16]byte(m.Data)), int32(binary.LittleEndian.Uint32(m.Data[16:]))
		if src.Is4In6() {
			return s.sendVia(index, src.Unmap(), o)
		}
		o.Control.Has |= netstack.HasPktInfo6
		o.Control.Index = index
		if !src.IsUnspecified() {
			o.Control.Src = src
		}
		return nil
	}
	return linux.EINVAL
}

// receiveError takes an entry of the error queue: IP_RECVERR.
func (s *Socket) receiveError(in *socket.Incoming) (int, error) {
	if e := s.takeICMP(); e != nil {
		return s.receiveICMP(in, e)
	}
	e := s.ep().TakeQueuedError()
	if e == nil {
		return 0, linux.EAGAIN
	}
	n, err := in.Data.CopyOut(e.Payload)
	if err != nil {
		return 0, err
	}
	if n < len(e.Payload) {
		in.OutFlags |= linux.MSG_TRUNC
	}
	in.OutFlags |= linux.MSG_ERRQUEUE
	in.From = s.format(e.Dst)
	v6 := e.Family == netstack.IPv6
	errno, _ := e.Errno.(linux.Errno)
	x := linux.SockExtendedErr{Errno: uint32(errno), Type: e.Type, Code: e.Code, Info: e.Info, Origin: linux.SO_EE_ORIGIN_LOCAL}
	level, opt := linux.SOL_IP, int32(linux.IP_RECVERR)
	if e.ICMP {
		x.Origin = linux.SO_EE_ORIGIN_ICMP
	}
	if v6 {
		level, opt = linux.SOL_IPV6, int32(linux.IPV6_RECVERR)
		if e.ICMP {
			x.Origin = linux.SO_EE_ORIGIN_ICMP6
		}
	}
	b, _ := binary.Append(nil, binary.LittleEndian, &x)
	offender := format(netstack.Addr{IP: e.Offender.IP}, v6)
	if !e.ICMP {
		clear(offender)
	}
	in.Control.Add(level, opt, append(b, offender...))
	return n, nil
}
