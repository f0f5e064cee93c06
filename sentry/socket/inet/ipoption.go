package inet

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

func ipFlag(o linux.IPOpt, f netstack.Flag) row {
	return flagRow(linux.SOL_IP, int32(o), o.String(), f)
}
func ip6Flag(o linux.IPv6Opt, f netstack.Flag) row {
	return flagRow(linux.SOL_IPV6, int32(o), o.String(), f)
}

var ipOptions = []row{
	{Level: linux.SOL_IP, Opt: int32(linux.IP_TOS), Name: "IP_TOS", Get: getTOS, Set: setTOS, Support: socket.Partial, Note: "TCP leaves the ECN bits alone"},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_TTL), Name: "IP_TTL", Get: getTTL, Set: setTTL, Support: socket.Full},
	intRow(linux.SOL_IP, int32(linux.IP_MTU_DISCOVER), "IP_MTU_DISCOVER", netstack.MTUDiscover, 0, 3),
	ipFlag(linux.IP_PKTINFO, netstack.RecvPktInfo),
	ipFlag(linux.IP_RECVTTL, netstack.RecvTTL),
	ipFlag(linux.IP_RECVTOS, netstack.RecvTOS),
	recvErrRow(linux.SOL_IP, int32(linux.IP_RECVERR), "IP_RECVERR", recvErr4, netstack.RecvErr4),
	ipFlag(linux.IP_RECVORIGDSTADDR, netstack.RecvOrigDst),
	ipFlag(linux.IP_MULTICAST_LOOP, netstack.MulticastLoop),
	{Level: linux.SOL_IP, Opt: int32(linux.IP_HDRINCL), Name: "IP_HDRINCL", Get: getHdrIncl, Set: setHdrIncl, Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_MTU), Name: "IP_MTU", Get: getMTU, Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_MULTICAST_TTL), Name: "IP_MULTICAST_TTL", Get: getMulticastTTL, Set: setMulticastTTL, Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_MULTICAST_IF), Name: "IP_MULTICAST_IF", Get: getMulticastIf, Set: setMulticastIf, Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_ADD_MEMBERSHIP), Name: "IP_ADD_MEMBERSHIP", Set: membership((*netstack.Endpoint).Join), Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_DROP_MEMBERSHIP), Name: "IP_DROP_MEMBERSHIP", Set: membership((*netstack.Endpoint).Leave), Support: socket.Full},
	{Level: linux.SOL_IP, Opt: linux.MCAST_JOIN_GROUP, Name: "MCAST_JOIN_GROUP", Set: group((*netstack.Endpoint).Join), Support: socket.Full},
	{Level: linux.SOL_IP, Opt: linux.MCAST_LEAVE_GROUP, Name: "MCAST_LEAVE_GROUP", Set: group((*netstack.Endpoint).Leave), Support: socket.Full},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_OPTIONS), Name: "IP_OPTIONS", Get: getNothing, Set: setNothing, Support: socket.Partial, Note: "no options can be set"},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_RETOPTS), Name: "IP_RETOPTS", Get: getRetOpts, Set: setRetOpts, Support: socket.Partial, Note: "on raw and ping sockets: options are seen in what a raw socket reads, and answers to what has none have none"},
	{Level: linux.SOL_IP, Opt: int32(linux.IP_PROTOCOL), Name: "IP_PROTOCOL", Get: func(s *Socket, c *socket.OptionCall) error { return c.PutInt(int(s.Info().Protocol)) }, Support: socket.Full},
}

var ipAbsent = absent(linux.SOL_IP, map[int32]string{
	int32(linux.IP_ROUTER_ALERT): "IP_ROUTER_ALERT", int32(linux.IP_RECVOPTS): "IP_RECVOPTS",
	int32(linux.IP_PKTOPTIONS): "IP_PKTOPTIONS", int32(linux.IP_FREEBIND): "IP_FREEBIND", int32(linux.IP_IPSEC_POLICY): "IP_IPSEC_POLICY",
	int32(linux.IP_XFRM_POLICY): "IP_XFRM_POLICY", int32(linux.IP_PASSSEC): "IP_PASSSEC", int32(linux.IP_TRANSPARENT): "IP_TRANSPARENT",
	int32(linux.IP_MINTTL): "IP_MINTTL", int32(linux.IP_NODEFRAG): "IP_NODEFRAG", int32(linux.IP_CHECKSUM): "IP_CHECKSUM",
	int32(linux.IP_BIND_ADDRESS_NO_PORT): "IP_BIND_ADDRESS_NO_PORT", int32(linux.IP_RECVFRAGSIZE): "IP_RECVFRAGSIZE",
	int32(linux.IP_RECVERR_RFC4884): "IP_RECVERR_RFC4884", int32(linux.IP_UNBLOCK_SOURCE): "IP_UNBLOCK_SOURCE",
	int32(linux.IP_BLOCK_SOURCE): "IP_BLOCK_SOURCE", int32(linux.IP_ADD_SOURCE_MEMBERSHIP): "IP_ADD_SOURCE_MEMBERSHIP",
	int32(linux.IP_DROP_SOURCE_MEMBERSHIP): "IP_DROP_SOURCE_MEMBERSHIP", int32(linux.IP_MSFILTER): "IP_MSFILTER",
	int32(linux.IP_MULTICAST_ALL): "IP_MULTICAST_ALL", int32(linux.IP_UNICAST_IF): "IP_UNICAST_IF",
	int32(linux.IP_LOCAL_PORT_RANGE): "IP_LOCAL_PORT_RANGE",
})

func getTTL(s *Socket, c *socket.OptionCall) error {
	v, err := s.ep().Int(netstack.TTL4)
	if err != nil {
		return err
	}
	if v == 0 {
		v = defaultTTL
	}
	return putInt(s, c, v)
}

// defaultTTL is net.ipv4.ip_default_ttl.
const defaultTTL = 64

func setTTL(s *Socket, c *socket.OptionCall) error {
	v, err := c.ByteOrInt()
	if err != nil {
		return err
	}
	if v == -1 {
		v = 0
	} else if v < 1 || v > 255 {
		return linux.EINVAL
	}
	return s.ep().SetInt(netstack.TTL4, v)
}

// As in Linux, IP_TOS takes any number and keeps its lowest byte.
func getTOS(s *Socket, c *socket.OptionCall) error {
	v, err := s.ep().Int(netstack.TOS4)
	if err != nil {
		return err
	}
	return putInt(s, c, v)
}

func setTOS(s *Socket, c *socket.OptionCall) error {
	v, err := c.ByteOrInt()
	if err != nil {
		return err
	}
	return s.ep().SetInt(netstack.TOS4, v&0xff)
}

func getHdrIncl(s *Socket, c *socket.OptionCall) error {
	return putInt(s, c, boolInt(s.ep().Flag(netstack.HdrIncl)))
}

func setHdrIncl(s *Socket, c *socket.OptionCall) error {
	if s.ep().Kind() != netstack.Raw {
		return linux.ENOPROTOOPT
	}
	v, err := c.ByteOrInt()
	if err == nil {
		s.ep().SetFlag(netstack.HdrIncl, v != 0)
	}
	return err
}

func getMTU(s *Socket, c *socket.OptionCall) error {
	n, err := s.ep().RemoteAddr()
	if err != nil {
		return linux.ENOTCONN
	}
	p, err := s.Namespace().Stack.FindRoute(n.IP.Unmap(), 0)
	if err != nil {
		return linux.ENOTCONN
	}
	return c.PutInt(int(p.MTU))
}

func getMulticastTTL(s *Socket, c *socket.OptionCall) error {
	v, err := s.ep().Int(netstack.MulticastTTL)
	if err != nil {
		return err
	}
	return putInt(s, c, v)
}

func setMulticastTTL(s *Socket, c *socket.OptionCall) error {
	if s.tcp() {
		return linux.EINVAL
	}
	v, err := c.ByteOrInt()
	if err != nil {
		return err
	}
	if v == -1 {
		v = 1
	}
	if v < 0 || v > 255 {
		return linux.EINVAL
	}
	return s.ep().SetInt(netstack.MulticastTTL, v)
}

func getMulticastIf(s *Socket, c *socket.OptionCall) error {
	if s.tcp() {
		return c.PutInt(0)
	}
	_, ip, err := s.ep().MulticastIf()
	if err != nil {
		return err
	}
	return c.Put(appendIP4(nil, ip))
}

// readMreq reads ip_mreqn, ip_mreq or, for IP_MULTICAST_IF, an address alone.
func readMreq(b []byte, addressAlone bool) (m netstack.Membership, ok bool) {
	switch {
	case len(b) >= 12:
		m.Index = int32(binary.LittleEndian.Uint32(b[8:]))
		fallthrough
	case len(b) >= 8:
		m.Group, m.Local = netip.AddrFrom4([4]byte(b)), netip.AddrFrom4([4]byte(b[4:]))
	case len(b) >= 4 && addressAlone:
		m.Local = netip.AddrFrom4([4]byte(b))
	default:
		return m, false
	}
	return m, true
}

func setMulticastIf(s *Socket, c *socket.OptionCall) error {
	if s.tcp() {
		return linux.EINVAL
	}
	m, ok := readMreq(c.Value, true)
	if !ok {
		return linux.EINVAL
	}
	return s.ep().SetMulticastIf(m.Index, m.Local)
}

func membership(do func(*netstack.Endpoint, netstack.Membership) error) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		if s.tcp() {
			return linux.EPROTO
		}
		m, ok := readMreq(c.Value, false)
		if !ok || !m.Group.IsMulticast() {
			return linux.EINVAL
		}
		return do(s.ep(), m)
	}
}

// group reads struct group_req of either family.
func group(do func(*netstack.Endpoint, netstack.Membership) error) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		if s.tcp() {
			return linux.EPROTO
		}
		const size = 8 + linux.SOCKADDR_STORAGE_SIZE
		if len(c.Value) < size {
			return linux.EINVAL
		}
		m := netstack.Membership{Index: int32(binary.LittleEndian.Uint32(c.Value))}
		a := socket.Address(c.Value[8:size])
		switch familyOf(a) {
		case linux.AF_INET:
			m.Group = parseIn(a).IP
		case linux.AF_INET6:
			m.Group = parseIn6(a).IP
		}
		if !m.Group.IsMulticast() {
			return linux.EINVAL
		}
		return do(s.ep(), m)
	}
}

func getNothing(_ *Socket, c *socket.OptionCall) error { return c.Put(nil) }

func setNothing(_ *Socket, c *socket.OptionCall) error {
	if len(c.Value) > 0 {
		return linux.EOPNOTSUPP
	}
	return nil
}

// IP_RETOPTS asks for a message with the options of each packet. They can be seen in what a raw socket reads.
func getRetOpts(_ *Socket, c *socket.OptionCall) error { return c.PutInt(0) }

func setRetOpts(s *Socket, c *socket.OptionCall) error {
	v, err := c.ByteOrInt()
	if err == nil && v != 0 && s.ep().Kind() != netstack.Raw && s.ep().Kind() != netstack.Ping {
		return linux.ENOPROTOOPT
	}
	return err
}

var ipv6Options = []row{
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_V6ONLY), Name: "IPV6_V6ONLY", Get: getV6Only, Set: setV6Only, Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_UNICAST_HOPS), Name: "IPV6_UNICAST_HOPS", Get: getHops(netstack.HopLimit6), Set: setHops(netstack.HopLimit6), Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_MULTICAST_HOPS), Name: "IPV6_MULTICAST_HOPS", Get: getMulticastTTL, Set: setMulticastTTL, Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_MULTICAST_IF), Name: "IPV6_MULTICAST_IF", Get: getMulticastIf6, Set: setMulticastIf6, Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_ADD_MEMBERSHIP), Name: "IPV6_ADD_MEMBERSHIP", Set: membership6((*netstack.Endpoint).Join), Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_DROP_MEMBERSHIP), Name: "IPV6_DROP_MEMBERSHIP", Set: membership6((*netstack.Endpoint).Leave), Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: linux.MCAST_JOIN_GROUP, Name: "MCAST_JOIN_GROUP", Set: group((*netstack.Endpoint).Join), Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: linux.MCAST_LEAVE_GROUP, Name: "MCAST_LEAVE_GROUP", Set: group((*netstack.Endpoint).Leave), Support: socket.Full},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_MTU), Name: "IPV6_MTU", Get: getMTU, Support: socket.Partial, Note: "read only"},
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_TCLASS), Name: "IPV6_TCLASS", Get: getTClass, Set: setTClass, Support: socket.Full},
	intRow(linux.SOL_IPV6, int32(linux.IPV6_MTU_DISCOVER), "IPV6_MTU_DISCOVER", netstack.MTUDiscover, 0, 3),
	ip6Flag(linux.IPV6_MULTICAST_LOOP, netstack.MulticastLoop),
	ip6Flag(linux.IPV6_RECVPKTINFO, netstack.RecvPktInfo6),
	ip6Flag(linux.IPV6_RECVHOPLIMIT, netstack.RecvHopLimit),
	ip6Flag(linux.IPV6_RECVTCLASS, netstack.RecvTClass),
	recvErrRow(linux.SOL_IPV6, int32(linux.IPV6_RECVERR), "IPV6_RECVERR", recvErr6, netstack.RecvErr6),
	ip6Flag(linux.IPV6_RECVORIGDSTADDR, netstack.RecvOrigDst),
	{Level: linux.SOL_IPV6, Opt: int32(linux.IPV6_CHECKSUM), Name: "IPV6_CHECKSUM", Get: getChecksum, Set: setChecksum, Support: socket.Full},
}

var ipv6Absent = absent(linux.SOL_IPV6, map[int32]string{
	int32(linux.IPV6_ADDRFORM): "IPV6_ADDRFORM", int32(linux.IPV6_RECVHOPOPTS): "IPV6_RECVHOPOPTS", int32(linux.IPV6_RECVRTHDR): "IPV6_RECVRTHDR",
	int32(linux.IPV6_RECVDSTOPTS): "IPV6_RECVDSTOPTS", int32(linux.IPV6_RECVPATHMTU): "IPV6_RECVPATHMTU", int32(linux.IPV6_DONTFRAG): "IPV6_DONTFRAG",
	int32(linux.IPV6_AUTOFLOWLABEL): "IPV6_AUTOFLOWLABEL", int32(linux.IPV6_ADDR_PREFERENCES): "IPV6_ADDR_PREFERENCES",
	int32(linux.IPV6_MINHOPCOUNT): "IPV6_MINHOPCOUNT", int32(linux.IPV6_TRANSPARENT): "IPV6_TRANSPARENT", int32(linux.IPV6_UNICAST_IF): "IPV6_UNICAST_IF",
	int32(linux.IPV6_FREEBIND): "IPV6_FREEBIND", int32(linux.IPV6_HDRINCL): "IPV6_HDRINCL", int32(linux.IPV6_MULTICAST_ALL): "IPV6_MULTICAST_ALL",
})

func getV6Only(s *Socket, c *socket.OptionCall) error {
	return c.PutInt(boolInt(s.ep().Flag(netstack.V6Only)))
}

func setV6Only(s *Socket, c *socket.OptionCall) error {
	on, err := c.Flag()
	if err != nil {
		return err
	}
	if s.ep().Bound() {
		return linux.EINVAL
	}
	s.ep().SetFlag(netstack.V6Only, on)
	return nil
}

func getHops(o netstack.Int) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		v, err := s.ep().Int(o)
		if err != nil {
			return err
		}
		if v < 0 {
			v = defaultTTL
		}
		return c.PutInt(v)
	}
}

func setHops(o netstack.Int) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		v, err := c.Int()
		if err != nil {
			return err
		}
		if v < -1 || v > 255 {
			return linux.EINVAL
		}
		return s.ep().SetInt(o, v)
	}
}

func getTClass(s *Socket, c *socket.OptionCall) error {
	v, err := s.ep().Int(netstack.TClass6)
	if err != nil {
		return err
	}
	return c.PutInt(v)
}

func setTClass(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < -1 || v > 255 {
		return linux.EINVAL
	}
	return s.ep().SetInt(netstack.TClass6, max(v, 0))
}

func getMulticastIf6(s *Socket, c *socket.OptionCall) error {
	v, err := s.ep().Int(netstack.MulticastIf6)
	if err != nil {
		return err
	}
	return c.PutInt(v)
}

func setMulticastIf6(s *Socket, c *socket.OptionCall) error {
	if s.tcp() {
		return linux.ENOPROTOOPT
	}
	v, err := c.Int()
	if err != nil {
		return err
	}
	return s.ep().SetInt(netstack.MulticastIf6, v)
}

func membership6(do func(*netstack.Endpoint, netstack.Membership) error) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		if s.tcp() {
			return linux.EPROTO
		}
		if len(c.Value) < 20 {
			return linux.EINVAL
		}
		m := netstack.Membership{Group: netip.AddrFrom16([16]byte(c.Value)), Index: int32(binary.LittleEndian.Uint32(c.Value[16:]))}
		if !m.Group.IsMulticast() {
			return linux.EINVAL
		}
		return do(s.ep(), m)
	}
}

func getChecksum(s *Socket, c *socket.OptionCall) error {
	if s.ep().Kind() != netstack.Raw {
		return linux.ENOPROTOOPT
	}
	v, err := s.ep().Int(netstack.ICMPv6Checksum)
	if err != nil {
		return err
	}
	return c.PutInt(v)
}

func setChecksum(s *Socket, c *socket.OptionCall) error {
	if s.ep().Kind() != netstack.Raw {
		return linux.ENOPROTOOPT
	}
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v > 0 && v%2 != 0 {
		return linux.EINVAL
	}
	return s.ep().SetInt(netstack.ICMPv6Checksum, max(v, -1))
}
