package linux

// Ifinfomsg is struct ifinfomsg, 16 bytes, of RTM_NEWLINK.
type Ifinfomsg struct {
	Family uint8
	_      uint8
	Type   uint16
	Index  int32
	Flags  IfFlags
	Change uint32
}

// Ifaddrmsg is struct ifaddrmsg, 8 bytes, of RTM_NEWADDR.
type Ifaddrmsg struct {
	Family    uint8
	Prefixlen uint8
	Flags     uint8
	Scope     uint8
	Index     uint32
}

// Rtmsg is struct rtmsg, 12 bytes, of RTM_NEWROUTE.
type Rtmsg struct {
	Family   uint8
	DstLen   uint8
	SrcLen   uint8
	Tos      uint8
	Table    uint8
	Protocol uint8
	Scope    uint8
	Type     uint8
	Flags    uint32
}

// Rtgenmsg is struct rtgenmsg, the least that a dump request carries.
type Rtgenmsg struct{ Family uint8 }

// Ndmsg is struct ndmsg, 12 bytes, of RTM_NEWNEIGH.
type Ndmsg struct {
	Family  uint8
	_       uint8
	_       uint16
	Ifindex int32
	State   uint16
	Flags   uint8
	Type    uint8
}

// IfaCacheinfo is struct ifa_cacheinfo.
type IfaCacheinfo struct {
	Prefered uint32
	Valid    uint32
	Cstamp   uint32
	Tstamp   uint32
}

// RtaCacheinfo is struct rta_cacheinfo.
type RtaCacheinfo struct {
	Clntref uint32
	Lastuse uint32
	Expires int32
	Error   uint32
	Used    uint32
	ID      uint32
	TS      uint32
	Tsage   uint32
}

// RtnlLinkStats64 is struct rtnl_link_stats64, 200 bytes.
type RtnlLinkStats64 struct {
	RxPackets          uint64
	TxPackets          uint64
	RxBytes            uint64
	TxBytes            uint64
	RxErrors           uint64
	TxErrors           uint64
	RxDropped          uint64
	TxDropped          uint64
	Multicast          uint64
	Collisions         uint64
	RxLengthErrors     uint64
	RxOverErrors       uint64
	RxCrcErrors        uint64
	RxFrameErrors      uint64
	RxFifoErrors       uint64
	RxMissedErrors     uint64
	TxAbortedErrors    uint64
	TxCarrierErrors    uint64
	TxFifoErrors       uint64
	TxHeartbeatErrors  uint64
	TxWindowErrors     uint64
	RxCompressed       uint64
	TxCompressed       uint64
	RxNohandler        uint64
	RxOtherhostDropped uint64
}

// Attributes of links.
const (
	IFLA_UNSPEC              = 0
	IFLA_ADDRESS             = 1
	IFLA_BROADCAST           = 2
	IFLA_IFNAME              = 3
	IFLA_MTU                 = 4
	IFLA_LINK                = 5
	IFLA_QDISC               = 6
	IFLA_STATS               = 7
	IFLA_COST                = 8
	IFLA_PRIORITY            = 9
	IFLA_MASTER              = 10
	IFLA_WIRELESS            = 11
	IFLA_PROTINFO            = 12
	IFLA_TXQLEN              = 13
	IFLA_MAP                 = 14
	IFLA_WEIGHT              = 15
	IFLA_OPERSTATE           = 16
	IFLA_LINKMODE            = 17
	IFLA_LINKINFO            = 18
	IFLA_NET_NS_PID          = 19
	IFLA_IFALIAS             = 20
	IFLA_NUM_VF              = 21
	IFLA_VFINFO_LIST         = 22
	IFLA_STATS64             = 23
	IFLA_AF_SPEC             = 26
	IFLA_GROUP               = 27
	IFLA_NET_NS_FD           = 28
	IFLA_EXT_MASK            = 29
	IFLA_PROMISCUITY         = 30
	IFLA_NUM_TX_QUEUES       = 31
	IFLA_NUM_RX_QUEUES       = 32
	IFLA_CARRIER             = 33
	IFLA_PHYS_PORT_ID        = 34
	IFLA_CARRIER_CHANGES     = 35
	IFLA_PHYS_SWITCH_ID      = 36
	IFLA_LINK_NETNSID        = 37
	IFLA_PHYS_PORT_NAME      = 38
	IFLA_PROTO_DOWN          = 39
	IFLA_GSO_MAX_SEGS        = 40
	IFLA_GSO_MAX_SIZE        = 41
	IFLA_PAD                 = 42
	IFLA_NEW_NETNSID         = 45
	IFLA_IF_NETNSID          = 46
	IFLA_TARGET_NETNSID      = 46
	IFLA_CARRIER_UP_COUNT    = 47
	IFLA_CARRIER_DOWN_COUNT  = 48
	IFLA_NEW_IFINDEX         = 49
	IFLA_MIN_MTU             = 50
	IFLA_MAX_MTU             = 51
	IFLA_PROP_LIST           = 52
	IFLA_ALT_IFNAME          = 53
	IFLA_PERM_ADDRESS        = 54
	IFLA_PROTO_DOWN_REASON   = 55
	IFLA_PARENT_DEV_NAME     = 56
	IFLA_PARENT_DEV_BUS_NAME = 57
	IFLA_GRO_MAX_SIZE        = 58
	IFLA_TSO_MAX_SIZE        = 59
	IFLA_TSO_MAX_SEGS        = 60
	IFLA_ALLMULTI            = 61
	IFLA_DEVLINK_PORT        = 62
	IFLA_GSO_IPV4_MAX_SIZE   = 63
	IFLA_GRO_IPV4_MAX_SIZE   = 64
	IFLA_DPLL_PIN            = 65
	NETNSA_NSID              = 1
	NETNSA_PID               = 2
	NETNSA_FD                = 3
	IFLA_INFO_KIND           = 1
	IFLA_INFO_DATA           = 2
	IFLA_INFO_XSTATS         = 3
	IFLA_INFO_SLAVE_KIND     = 4
	IFLA_INFO_SLAVE_DATA     = 5
	VETH_INFO_PEER           = 1
	IFLA_INET_CONF           = 1
	IFLA_INET6_FLAGS         = 1
	IFLA_INET6_CONF          = 2
	IFLA_INET6_STATS         = 3
	IFLA_INET6_ADDR_GEN_MODE = 8
)

// Attributes and flags of addresses.
const (
	IFA_UNSPEC           = 0
	IFA_ADDRESS          = 1
	IFA_LOCAL            = 2
	IFA_LABEL            = 3
	IFA_BROADCAST        = 4
	IFA_ANYCAST          = 5
	IFA_CACHEINFO        = 6
	IFA_MULTICAST        = 7
	IFA_FLAGS            = 8
	IFA_RT_PRIORITY      = 9
	IFA_TARGET_NETNSID   = 10
	IFA_PROTO            = 11
	IFA_F_SECONDARY      = 0x1
	IFA_F_NODAD          = 0x2
	IFA_F_OPTIMISTIC     = 0x4
	IFA_F_DADFAILED      = 0x8
	IFA_F_HOMEADDRESS    = 0x10
	IFA_F_DEPRECATED     = 0x20
	IFA_F_TENTATIVE      = 0x40
	IFA_F_PERMANENT      = 0x80
	IFA_F_MANAGETEMPADDR = 0x100
	IFA_F_NOPREFIXROUTE  = 0x200
)

// Attributes of routes.
const (
	RTA_UNSPEC        = 0
	RTA_DST           = 1
	RTA_SRC           = 2
	RTA_IIF           = 3
	RTA_OIF           = 4
	RTA_GATEWAY       = 5
	RTA_PRIORITY      = 6
	RTA_PREFSRC       = 7
	RTA_METRICS       = 8
	RTA_MULTIPATH     = 9
	RTA_FLOW          = 11
	RTA_CACHEINFO     = 12
	RTA_TABLE         = 15
	RTA_MARK          = 16
	RTA_MFC_STATS     = 17
	RTA_VIA           = 18
	RTA_NEWDST        = 19
	RTA_PREF          = 20
	RTA_ENCAP_TYPE    = 21
	RTA_ENCAP         = 22
	RTA_EXPIRES       = 23
	RTA_PAD           = 24
	RTA_UID           = 25
	RTA_TTL_PROPAGATE = 26
	RTA_IP_PROTO      = 27
	RTA_SPORT         = 28
	RTA_DPORT         = 29
	RTA_NH_ID         = 30
	RTAX_MTU          = 2
	RTAX_WINDOW       = 3
	RTAX_RTT          = 4
	RTAX_HOPLIMIT     = 10
)

// Route types, protocols, scopes, tables and flags.
const (
	RTN_UNSPEC         = 0
	RTN_UNICAST        = 1
	RTN_LOCAL          = 2
	RTN_BROADCAST      = 3
	RTN_ANYCAST        = 4
	RTN_MULTICAST      = 5
	RTN_BLACKHOLE      = 6
	RTN_UNREACHABLE    = 7
	RTN_PROHIBIT       = 8
	RTN_THROW          = 9
	RTN_NAT            = 10
	RTPROT_UNSPEC      = 0
	RTPROT_REDIRECT    = 1
	RTPROT_KERNEL      = 2
	RTPROT_BOOT        = 3
	RTPROT_STATIC      = 4
	RTPROT_RA          = 9
	RTPROT_DHCP        = 16
	RT_SCOPE_UNIVERSE  = 0
	RT_SCOPE_SITE      = 200
	RT_SCOPE_LINK      = 253
	RT_SCOPE_HOST      = 254
	RT_SCOPE_NOWHERE   = 255
	RT_TABLE_UNSPEC    = 0
	RT_TABLE_COMPAT    = 252
	RT_TABLE_DEFAULT   = 253
	RT_TABLE_MAIN      = 254
	RT_TABLE_LOCAL     = 255
	RTM_F_NOTIFY       = 0x100
	RTM_F_CLONED       = 0x200
	RTM_F_LOOKUP_TABLE = 0x1000
	RTM_F_FIB_MATCH    = 0x2000
	RTNH_F_DEAD        = 1
	RTNH_F_ONLINK      = 4
	RTNH_F_LINKDOWN    = 16
)

// Attributes, states and flags of neighbours.
const (
	NDA_UNSPEC     = 0
	NDA_DST        = 1
	NDA_LLADDR     = 2
	NDA_CACHEINFO  = 3
	NDA_PROBES     = 4
	NUD_NONE       = 0
	NUD_INCOMPLETE = 0x1
	NUD_REACHABLE  = 0x2
	NUD_STALE      = 0x4
	NUD_DELAY      = 0x8
	NUD_PROBE      = 0x10
	NUD_FAILED     = 0x20
	NUD_NOARP      = 0x40
	NUD_PERMANENT  = 0x80
	NTF_ROUTER     = 0x80
	NTF_PROXY      = 0x8
)

// Multicast groups of NETLINK_ROUTE by number; the RTMGRP bit of a group is
// 1<<(group-1).
const (
	RTNLGRP_NONE        = 0
	RTNLGRP_LINK        = 1
	RTNLGRP_NOTIFY      = 2
	RTNLGRP_NEIGH       = 3
	RTNLGRP_TC          = 4
	RTNLGRP_IPV4_IFADDR = 5
	RTNLGRP_IPV4_MROUTE = 6
	RTNLGRP_IPV4_ROUTE  = 7
	RTNLGRP_IPV4_RULE   = 8
	RTNLGRP_IPV6_IFADDR = 9
	RTNLGRP_IPV6_MROUTE = 10
	RTNLGRP_IPV6_ROUTE  = 11
	RTNLGRP_IPV6_IFINFO = 12
	RTNLGRP_IPV6_PREFIX = 18
	RTNLGRP_IPV6_RULE   = 19
	RTNLGRP_NSID        = 28
)

// SOCK_DIAG_BY_FAMILY is the request of NETLINK_SOCK_DIAG.
const SOCK_DIAG_BY_FAMILY = 20

// InetDiagSockID is struct inet_diag_sockid, 48 bytes; ports and addresses are
// big endian.
type InetDiagSockID struct {
	Sport  [2]byte
	Dport  [2]byte
	Src    [16]byte
	Dst    [16]byte
	If     uint32
	Cookie [2]uint32
}

// InetDiagReqV2 is struct inet_diag_req_v2, 56 bytes.
type InetDiagReqV2 struct {
	Family   uint8
	Protocol uint8
	Ext      uint8
	_        uint8
	States   uint32
	ID       InetDiagSockID
}

// InetDiagMsg is struct inet_diag_msg, 72 bytes.
type InetDiagMsg struct {
	Family  uint8
	State   uint8
	Timer   uint8
	Retrans uint8
	ID      InetDiagSockID
	Expires uint32
	Rqueue  uint32
	Wqueue  uint32
	UID     uint32
	Inode   uint32
}

// UnixDiagReq is struct unix_diag_req, 24 bytes.
type UnixDiagReq struct {
	Family   uint8
	Protocol uint8
	_        uint16
	States   uint32
	Ino      uint32
	Show     uint32
	Cookie   [2]uint32
}

// UnixDiagMsg is struct unix_diag_msg, 16 bytes.
type UnixDiagMsg struct {
	Family uint8
	Type   uint8
	State  uint8
	_      uint8
	Ino    uint32
	Cookie [2]uint32
}
