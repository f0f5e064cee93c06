package linux

// IPOpt is an option of SOL_IP.
type IPOpt int32

const (
	IP_TOS                    IPOpt = 1
	IP_TTL                    IPOpt = 2
	IP_HDRINCL                IPOpt = 3
	IP_OPTIONS                IPOpt = 4
	IP_ROUTER_ALERT           IPOpt = 5
	IP_RECVOPTS               IPOpt = 6
	IP_RETOPTS                IPOpt = 7
	IP_PKTINFO                IPOpt = 8
	IP_PKTOPTIONS             IPOpt = 9
	IP_MTU_DISCOVER           IPOpt = 10
	IP_RECVERR                IPOpt = 11
	IP_RECVTTL                IPOpt = 12
	IP_RECVTOS                IPOpt = 13
	IP_MTU                    IPOpt = 14
	IP_FREEBIND               IPOpt = 15
	IP_IPSEC_POLICY           IPOpt = 16
	IP_XFRM_POLICY            IPOpt = 17
	IP_PASSSEC                IPOpt = 18
	IP_TRANSPARENT            IPOpt = 19
	IP_ORIGDSTADDR            IPOpt = 20
	IP_RECVORIGDSTADDR        IPOpt = 20
	IP_MINTTL                 IPOpt = 21
	IP_NODEFRAG               IPOpt = 22
	IP_CHECKSUM               IPOpt = 23
	IP_BIND_ADDRESS_NO_PORT   IPOpt = 24
	IP_RECVFRAGSIZE           IPOpt = 25
	IP_RECVERR_RFC4884        IPOpt = 26
	IP_MULTICAST_IF           IPOpt = 32
	IP_MULTICAST_TTL          IPOpt = 33
	IP_MULTICAST_LOOP         IPOpt = 34
	IP_ADD_MEMBERSHIP         IPOpt = 35
	IP_DROP_MEMBERSHIP        IPOpt = 36
	IP_UNBLOCK_SOURCE         IPOpt = 37
	IP_BLOCK_SOURCE           IPOpt = 38
	IP_ADD_SOURCE_MEMBERSHIP  IPOpt = 39
	IP_DROP_SOURCE_MEMBERSHIP IPOpt = 40
	IP_MSFILTER               IPOpt = 41
	IP_MULTICAST_ALL          IPOpt = 49
	IP_UNICAST_IF             IPOpt = 50
	IP_LOCAL_PORT_RANGE       IPOpt = 51
	IP_PROTOCOL               IPOpt = 52
)

var iPOptNames = [...]enumName{
	{int64(IP_TOS), "IP_TOS"},
	{int64(IP_TTL), "IP_TTL"},
	{int64(IP_HDRINCL), "IP_HDRINCL"},
	{int64(IP_OPTIONS), "IP_OPTIONS"},
	{int64(IP_ROUTER_ALERT), "IP_ROUTER_ALERT"},
	{int64(IP_RECVOPTS), "IP_RECVOPTS"},
	{int64(IP_RETOPTS), "IP_RETOPTS"},
	{int64(IP_PKTINFO), "IP_PKTINFO"},
	{int64(IP_PKTOPTIONS), "IP_PKTOPTIONS"},
	{int64(IP_MTU_DISCOVER), "IP_MTU_DISCOVER"},
	{int64(IP_RECVERR), "IP_RECVERR"},
	{int64(IP_RECVTTL), "IP_RECVTTL"},
	{int64(IP_RECVTOS), "IP_RECVTOS"},
	{int64(IP_MTU), "IP_MTU"},
	{int64(IP_FREEBIND), "IP_FREEBIND"},
	{int64(IP_IPSEC_POLICY), "IP_IPSEC_POLICY"},
	{int64(IP_XFRM_POLICY), "IP_XFRM_POLICY"},
	{int64(IP_PASSSEC), "IP_PASSSEC"},
	{int64(IP_TRANSPARENT), "IP_TRANSPARENT"},
	{int64(IP_ORIGDSTADDR), "IP_ORIGDSTADDR"},
	{int64(IP_MINTTL), "IP_MINTTL"},
	{int64(IP_NODEFRAG), "IP_NODEFRAG"},
	{int64(IP_CHECKSUM), "IP_CHECKSUM"},
	{int64(IP_BIND_ADDRESS_NO_PORT), "IP_BIND_ADDRESS_NO_PORT"},
	{int64(IP_RECVFRAGSIZE), "IP_RECVFRAGSIZE"},
	{int64(IP_RECVERR_RFC4884), "IP_RECVERR_RFC4884"},
	{int64(IP_MULTICAST_IF), "IP_MULTICAST_IF"},
	{int64(IP_MULTICAST_TTL), "IP_MULTICAST_TTL"},
	{int64(IP_MULTICAST_LOOP), "IP_MULTICAST_LOOP"},
	{int64(IP_ADD_MEMBERSHIP), "IP_ADD_MEMBERSHIP"},
	{int64(IP_DROP_MEMBERSHIP), "IP_DROP_MEMBERSHIP"},
	{int64(IP_UNBLOCK_SOURCE), "IP_UNBLOCK_SOURCE"},
	{int64(IP_BLOCK_SOURCE), "IP_BLOCK_SOURCE"},
	{int64(IP_ADD_SOURCE_MEMBERSHIP), "IP_ADD_SOURCE_MEMBERSHIP"},
	{int64(IP_DROP_SOURCE_MEMBERSHIP), "IP_DROP_SOURCE_MEMBERSHIP"},
	{int64(IP_MSFILTER), "IP_MSFILTER"},
	{int64(IP_MULTICAST_ALL), "IP_MULTICAST_ALL"},
	{int64(IP_UNICAST_IF), "IP_UNICAST_IF"},
	{int64(IP_LOCAL_PORT_RANGE), "IP_LOCAL_PORT_RANGE"},
	{int64(IP_PROTOCOL), "IP_PROTOCOL"},
}

func (f IPOpt) String() string { return formatEnum(int64(f), iPOptNames[:]) }

// IPv6Opt is an option of SOL_IPV6.
type IPv6Opt int32

const (
	IPV6_ADDRFORM             IPv6Opt = 1
	IPV6_2292PKTINFO          IPv6Opt = 2
	IPV6_2292HOPOPTS          IPv6Opt = 3
	IPV6_2292DSTOPTS          IPv6Opt = 4
	IPV6_2292RTHDR            IPv6Opt = 5
	IPV6_2292PKTOPTIONS       IPv6Opt = 6
	IPV6_CHECKSUM             IPv6Opt = 7
	IPV6_2292HOPLIMIT         IPv6Opt = 8
	IPV6_NEXTHOP              IPv6Opt = 9
	IPV6_AUTHHDR              IPv6Opt = 10
	IPV6_UNICAST_HOPS         IPv6Opt = 16
	IPV6_MULTICAST_IF         IPv6Opt = 17
	IPV6_MULTICAST_HOPS       IPv6Opt = 18
	IPV6_MULTICAST_LOOP       IPv6Opt = 19
	IPV6_ADD_MEMBERSHIP       IPv6Opt = 20
	IPV6_DROP_MEMBERSHIP      IPv6Opt = 21
	IPV6_ROUTER_ALERT         IPv6Opt = 22
	IPV6_MTU_DISCOVER         IPv6Opt = 23
	IPV6_MTU                  IPv6Opt = 24
	IPV6_RECVERR              IPv6Opt = 25
	IPV6_V6ONLY               IPv6Opt = 26
	IPV6_JOIN_ANYCAST         IPv6Opt = 27
	IPV6_LEAVE_ANYCAST        IPv6Opt = 28
	IPV6_MULTICAST_ALL        IPv6Opt = 29
	IPV6_ROUTER_ALERT_ISOLATE IPv6Opt = 30
	IPV6_RECVERR_RFC4884      IPv6Opt = 31
	IPV6_IPSEC_POLICY         IPv6Opt = 34
	IPV6_XFRM_POLICY          IPv6Opt = 35
	IPV6_HDRINCL              IPv6Opt = 36
	IPV6_RECVPKTINFO          IPv6Opt = 49
	IPV6_PKTINFO              IPv6Opt = 50
	IPV6_RECVHOPLIMIT         IPv6Opt = 51
	IPV6_HOPLIMIT             IPv6Opt = 52
	IPV6_RECVHOPOPTS          IPv6Opt = 53
	IPV6_HOPOPTS              IPv6Opt = 54
	IPV6_RTHDRDSTOPTS         IPv6Opt = 55
	IPV6_RECVRTHDR            IPv6Opt = 56
	IPV6_RTHDR                IPv6Opt = 57
	IPV6_RECVDSTOPTS          IPv6Opt = 58
	IPV6_DSTOPTS              IPv6Opt = 59
	IPV6_RECVPATHMTU          IPv6Opt = 60
	IPV6_PATHMTU              IPv6Opt = 61
	IPV6_DONTFRAG             IPv6Opt = 62
	IPV6_RECVTCLASS           IPv6Opt = 66
	IPV6_TCLASS               IPv6Opt = 67
	IPV6_AUTOFLOWLABEL        IPv6Opt = 70
	IPV6_ADDR_PREFERENCES     IPv6Opt = 72
	IPV6_MINHOPCOUNT          IPv6Opt = 73
	IPV6_ORIGDSTADDR          IPv6Opt = 74
	IPV6_RECVORIGDSTADDR      IPv6Opt = 74
	IPV6_TRANSPARENT          IPv6Opt = 75
	IPV6_UNICAST_IF           IPv6Opt = 76
	IPV6_RECVFRAGSIZE         IPv6Opt = 77
	IPV6_FREEBIND             IPv6Opt = 78
)

var iPv6OptNames = [...]enumName{
	{int64(IPV6_ADDRFORM), "IPV6_ADDRFORM"},
	{int64(IPV6_2292PKTINFO), "IPV6_2292PKTINFO"},
	{int64(IPV6_2292HOPOPTS), "IPV6_2292HOPOPTS"},
	{int64(IPV6_2292DSTOPTS), "IPV6_2292DSTOPTS"},
	{int64(IPV6_2292RTHDR), "IPV6_2292RTHDR"},
	{int64(IPV6_2292PKTOPTIONS), "IPV6_2292PKTOPTIONS"},
	{int64(IPV6_CHECKSUM), "IPV6_CHECKSUM"},
	{int64(IPV6_2292HOPLIMIT), "IPV6_2292HOPLIMIT"},
	{int64(IPV6_NEXTHOP), "IPV6_NEXTHOP"},
	{int64(IPV6_AUTHHDR), "IPV6_AUTHHDR"},
	{int64(IPV6_UNICAST_HOPS), "IPV6_UNICAST_HOPS"},
	{int64(IPV6_MULTICAST_IF), "IPV6_MULTICAST_IF"},
	{int64(IPV6_MULTICAST_HOPS), "IPV6_MULTICAST_HOPS"},
	{int64(IPV6_MULTICAST_LOOP), "IPV6_MULTICAST_LOOP"},
	{int64(IPV6_ADD_MEMBERSHIP), "IPV6_ADD_MEMBERSHIP"},
	{int64(IPV6_DROP_MEMBERSHIP), "IPV6_DROP_MEMBERSHIP"},
	{int64(IPV6_ROUTER_ALERT), "IPV6_ROUTER_ALERT"},
	{int64(IPV6_MTU_DISCOVER), "IPV6_MTU_DISCOVER"},
	{int64(IPV6_MTU), "IPV6_MTU"},
	{int64(IPV6_RECVERR), "IPV6_RECVERR"},
	{int64(IPV6_V6ONLY), "IPV6_V6ONLY"},
	{int64(IPV6_JOIN_ANYCAST), "IPV6_JOIN_ANYCAST"},
	{int64(IPV6_LEAVE_ANYCAST), "IPV6_LEAVE_ANYCAST"},
	{int64(IPV6_MULTICAST_ALL), "IPV6_MULTICAST_ALL"},
	{int64(IPV6_ROUTER_ALERT_ISOLATE), "IPV6_ROUTER_ALERT_ISOLATE"},
	{int64(IPV6_RECVERR_RFC4884), "IPV6_RECVERR_RFC4884"},
	{int64(IPV6_IPSEC_POLICY), "IPV6_IPSEC_POLICY"},
	{int64(IPV6_XFRM_POLICY), "IPV6_XFRM_POLICY"},
	{int64(IPV6_HDRINCL), "IPV6_HDRINCL"},
	{int64(IPV6_RECVPKTINFO), "IPV6_RECVPKTINFO"},
	{int64(IPV6_PKTINFO), "IPV6_PKTINFO"},
	{int64(IPV6_RECVHOPLIMIT), "IPV6_RECVHOPLIMIT"},
	{int64(IPV6_HOPLIMIT), "IPV6_HOPLIMIT"},
	{int64(IPV6_RECVHOPOPTS), "IPV6_RECVHOPOPTS"},
	{int64(IPV6_HOPOPTS), "IPV6_HOPOPTS"},
	{int64(IPV6_RTHDRDSTOPTS), "IPV6_RTHDRDSTOPTS"},
	{int64(IPV6_RECVRTHDR), "IPV6_RECVRTHDR"},
	{int64(IPV6_RTHDR), "IPV6_RTHDR"},
	{int64(IPV6_RECVDSTOPTS), "IPV6_RECVDSTOPTS"},
	{int64(IPV6_DSTOPTS), "IPV6_DSTOPTS"},
	{int64(IPV6_RECVPATHMTU), "IPV6_RECVPATHMTU"},
	{int64(IPV6_PATHMTU), "IPV6_PATHMTU"},
	{int64(IPV6_DONTFRAG), "IPV6_DONTFRAG"},
	{int64(IPV6_RECVTCLASS), "IPV6_RECVTCLASS"},
	{int64(IPV6_TCLASS), "IPV6_TCLASS"},
	{int64(IPV6_AUTOFLOWLABEL), "IPV6_AUTOFLOWLABEL"},
	{int64(IPV6_ADDR_PREFERENCES), "IPV6_ADDR_PREFERENCES"},
	{int64(IPV6_MINHOPCOUNT), "IPV6_MINHOPCOUNT"},
	{int64(IPV6_ORIGDSTADDR), "IPV6_ORIGDSTADDR"},
	{int64(IPV6_TRANSPARENT), "IPV6_TRANSPARENT"},
	{int64(IPV6_UNICAST_IF), "IPV6_UNICAST_IF"},
	{int64(IPV6_RECVFRAGSIZE), "IPV6_RECVFRAGSIZE"},
	{int64(IPV6_FREEBIND), "IPV6_FREEBIND"},
}

func (f IPv6Opt) String() string { return formatEnum(int64(f), iPv6OptNames[:]) }

// Values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER.
const (
	IP_PMTUDISC_DONT      = 0
	IP_PMTUDISC_WANT      = 1
	IP_PMTUDISC_DO        = 2
	IP_PMTUDISC_PROBE     = 3
	IP_PMTUDISC_INTERFACE = 4
	IP_PMTUDISC_OMIT      = 5
)

// Options of SOL_RAW, of ICMPv6 and of multicast groups in either family.
const (
	ICMP_FILTER   = 1
	ICMPV6_FILTER = 1

	MCAST_JOIN_GROUP         = 42
	MCAST_BLOCK_SOURCE       = 43
	MCAST_UNBLOCK_SOURCE     = 44
	MCAST_LEAVE_GROUP        = 45
	MCAST_JOIN_SOURCE_GROUP  = 46
	MCAST_LEAVE_SOURCE_GROUP = 47
	MCAST_MSFILTER           = 48
)

// UDPOpt is an option of SOL_UDP.
type UDPOpt int32

const (
	UDP_CORK         UDPOpt = 1
	UDP_ENCAP        UDPOpt = 100
	UDP_NO_CHECK6_TX UDPOpt = 101
	UDP_NO_CHECK6_RX UDPOpt = 102
	UDP_SEGMENT      UDPOpt = 103
	UDP_GRO          UDPOpt = 104
)

var uDPOptNames = [...]enumName{
	{int64(UDP_CORK), "UDP_CORK"},
	{int64(UDP_ENCAP), "UDP_ENCAP"},
	{int64(UDP_NO_CHECK6_TX), "UDP_NO_CHECK6_TX"},
	{int64(UDP_NO_CHECK6_RX), "UDP_NO_CHECK6_RX"},
	{int64(UDP_SEGMENT), "UDP_SEGMENT"},
	{int64(UDP_GRO), "UDP_GRO"},
}

func (f UDPOpt) String() string { return formatEnum(int64(f), uDPOptNames[:]) }

// PacketOpt is an option of SOL_PACKET.
type PacketOpt int32

const (
	PACKET_ADD_MEMBERSHIP  PacketOpt = 1
	PACKET_DROP_MEMBERSHIP PacketOpt = 2
	PACKET_RECV_OUTPUT     PacketOpt = 3
	PACKET_RX_RING         PacketOpt = 5
	PACKET_STATISTICS      PacketOpt = 6
	PACKET_COPY_THRESH     PacketOpt = 7
	PACKET_AUXDATA         PacketOpt = 8
	PACKET_ORIGDEV         PacketOpt = 9
	PACKET_VERSION         PacketOpt = 10
	PACKET_HDRLEN          PacketOpt = 11
	PACKET_RESERVE         PacketOpt = 12
	PACKET_TX_RING         PacketOpt = 13
	PACKET_LOSS            PacketOpt = 14
	PACKET_VNET_HDR        PacketOpt = 15
	PACKET_TX_TIMESTAMP    PacketOpt = 16
	PACKET_TIMESTAMP       PacketOpt = 17
	PACKET_FANOUT          PacketOpt = 18
	PACKET_TX_HAS_OFF      PacketOpt = 19
	PACKET_QDISC_BYPASS    PacketOpt = 20
	PACKET_ROLLOVER_STATS  PacketOpt = 21
	PACKET_FANOUT_DATA     PacketOpt = 22
	PACKET_IGNORE_OUTGOING PacketOpt = 23
	PACKET_VNET_HDR_SZ     PacketOpt = 24
)

var packetOptNames = [...]enumName{
	{int64(PACKET_ADD_MEMBERSHIP), "PACKET_ADD_MEMBERSHIP"},
	{int64(PACKET_DROP_MEMBERSHIP), "PACKET_DROP_MEMBERSHIP"},
	{int64(PACKET_RECV_OUTPUT), "PACKET_RECV_OUTPUT"},
	{int64(PACKET_RX_RING), "PACKET_RX_RING"},
	{int64(PACKET_STATISTICS), "PACKET_STATISTICS"},
	{int64(PACKET_COPY_THRESH), "PACKET_COPY_THRESH"},
	{int64(PACKET_AUXDATA), "PACKET_AUXDATA"},
	{int64(PACKET_ORIGDEV), "PACKET_ORIGDEV"},
	{int64(PACKET_VERSION), "PACKET_VERSION"},
	{int64(PACKET_HDRLEN), "PACKET_HDRLEN"},
	{int64(PACKET_RESERVE), "PACKET_RESERVE"},
	{int64(PACKET_TX_RING), "PACKET_TX_RING"},
	{int64(PACKET_LOSS), "PACKET_LOSS"},
	{int64(PACKET_VNET_HDR), "PACKET_VNET_HDR"},
	{int64(PACKET_TX_TIMESTAMP), "PACKET_TX_TIMESTAMP"},
	{int64(PACKET_TIMESTAMP), "PACKET_TIMESTAMP"},
	{int64(PACKET_FANOUT), "PACKET_FANOUT"},
	{int64(PACKET_TX_HAS_OFF), "PACKET_TX_HAS_OFF"},
	{int64(PACKET_QDISC_BYPASS), "PACKET_QDISC_BYPASS"},
	{int64(PACKET_ROLLOVER_STATS), "PACKET_ROLLOVER_STATS"},
	{int64(PACKET_FANOUT_DATA), "PACKET_FANOUT_DATA"},
	{int64(PACKET_IGNORE_OUTGOING), "PACKET_IGNORE_OUTGOING"},
	{int64(PACKET_VNET_HDR_SZ), "PACKET_VNET_HDR_SZ"},
}

func (f PacketOpt) String() string { return formatEnum(int64(f), packetOptNames[:]) }

// Packet types of SockaddrLl, and membership types.
const (
	PACKET_HOST         = 0
	PACKET_BROADCAST    = 1
	PACKET_MULTICAST    = 2
	PACKET_OTHERHOST    = 3
	PACKET_OUTGOING     = 4
	PACKET_MR_MULTICAST = 0
	PACKET_MR_PROMISC   = 1
	PACKET_MR_ALLMULTI  = 2
	PACKET_MR_UNICAST   = 3
)

// TpacketAuxdata is struct tpacket_auxdata, PACKET_AUXDATA's control message.
type TpacketAuxdata struct {
	Status   uint32
	Len      uint32
	Snaplen  uint32
	Mac      uint16
	Net      uint16
	VlanTCI  uint16
	VlanTPID uint16
}

// TpacketStats is struct tpacket_stats.
type TpacketStats struct {
	Packets uint32
	Drops   uint32
}

// InPktinfo is struct in_pktinfo of IP_PKTINFO.
type InPktinfo struct {
	Ifindex int32
	SpecDst [4]byte
	Addr    [4]byte
}

// In6Pktinfo is struct in6_pktinfo of IPV6_PKTINFO.
type In6Pktinfo struct {
	Addr    [16]byte
	Ifindex uint32
}

// IPMreqn is struct ip_mreqn; the older ip_mreq is its first eight bytes.
type IPMreqn struct {
	Multiaddr [4]byte
	Address   [4]byte
	Ifindex   int32
}

// IPMreqSource is struct ip_mreq_source.
type IPMreqSource struct {
	Multiaddr  [4]byte
	Interface  [4]byte
	Sourceaddr [4]byte
}

// IPv6Mreq is struct ipv6_mreq.
type IPv6Mreq struct {
	Multiaddr [16]byte
	Ifindex   int32
}

// SockExtendedErr is struct sock_extended_err of MSG_ERRQUEUE, before the
// offender's address.
type SockExtendedErr struct {
	Errno  uint32
	Origin uint8
	Type   uint8
	Code   uint8
	_      uint8
	Info   uint32
	Data   uint32
}

// Origins of SockExtendedErr.
const (
	SO_EE_ORIGIN_NONE  = 0
	SO_EE_ORIGIN_LOCAL = 1
	SO_EE_ORIGIN_ICMP  = 2
	SO_EE_ORIGIN_ICMP6 = 3
)
