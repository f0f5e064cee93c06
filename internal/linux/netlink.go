package linux

// NetlinkProto is a netlink family, the protocol of an AF_NETLINK socket.
type NetlinkProto int32

const (
	NETLINK_ROUTE          NetlinkProto = 0
	NETLINK_USERSOCK       NetlinkProto = 2
	NETLINK_FIREWALL       NetlinkProto = 3
	NETLINK_SOCK_DIAG      NetlinkProto = 4
	NETLINK_NFLOG          NetlinkProto = 5
	NETLINK_XFRM           NetlinkProto = 6
	NETLINK_SELINUX        NetlinkProto = 7
	NETLINK_ISCSI          NetlinkProto = 8
	NETLINK_AUDIT          NetlinkProto = 9
	NETLINK_FIB_LOOKUP     NetlinkProto = 10
	NETLINK_CONNECTOR      NetlinkProto = 11
	NETLINK_NETFILTER      NetlinkProto = 12
	NETLINK_IP6_FW         NetlinkProto = 13
	NETLINK_DNRTMSG        NetlinkProto = 14
	NETLINK_KOBJECT_UEVENT NetlinkProto = 15
	NETLINK_GENERIC        NetlinkProto = 16
	NETLINK_SCSITRANSPORT  NetlinkProto = 18
	NETLINK_ECRYPTFS       NetlinkProto = 19
	NETLINK_RDMA           NetlinkProto = 20
	NETLINK_CRYPTO         NetlinkProto = 21
	NETLINK_SMC            NetlinkProto = 22
)

var netlinkProtoNames = [...]enumName{
	{int64(NETLINK_ROUTE), "NETLINK_ROUTE"},
	{int64(NETLINK_USERSOCK), "NETLINK_USERSOCK"},
	{int64(NETLINK_FIREWALL), "NETLINK_FIREWALL"},
	{int64(NETLINK_SOCK_DIAG), "NETLINK_SOCK_DIAG"},
	{int64(NETLINK_NFLOG), "NETLINK_NFLOG"},
	{int64(NETLINK_XFRM), "NETLINK_XFRM"},
	{int64(NETLINK_SELINUX), "NETLINK_SELINUX"},
	{int64(NETLINK_ISCSI), "NETLINK_ISCSI"},
	{int64(NETLINK_AUDIT), "NETLINK_AUDIT"},
	{int64(NETLINK_FIB_LOOKUP), "NETLINK_FIB_LOOKUP"},
	{int64(NETLINK_CONNECTOR), "NETLINK_CONNECTOR"},
	{int64(NETLINK_NETFILTER), "NETLINK_NETFILTER"},
	{int64(NETLINK_IP6_FW), "NETLINK_IP6_FW"},
	{int64(NETLINK_DNRTMSG), "NETLINK_DNRTMSG"},
	{int64(NETLINK_KOBJECT_UEVENT), "NETLINK_KOBJECT_UEVENT"},
	{int64(NETLINK_GENERIC), "NETLINK_GENERIC"},
	{int64(NETLINK_SCSITRANSPORT), "NETLINK_SCSITRANSPORT"},
	{int64(NETLINK_ECRYPTFS), "NETLINK_ECRYPTFS"},
	{int64(NETLINK_RDMA), "NETLINK_RDMA"},
	{int64(NETLINK_CRYPTO), "NETLINK_CRYPTO"},
	{int64(NETLINK_SMC), "NETLINK_SMC"},
}

func (f NetlinkProto) String() string { return formatEnum(int64(f), netlinkProtoNames[:]) }

// NlMsghdr is struct nlmsghdr, 16 bytes.
type NlMsghdr struct {
	Len   uint32
	Type  NlMsgType
	Flags NlMsgFlags
	Seq   uint32
	PID   uint32
}

// Sizes and alignment of netlink messages and attributes.
const (
	NLMSG_HDRLEN  = 16
	NLMSG_ALIGNTO = 4
	NLA_HDRLEN    = 4
	NLA_ALIGNTO   = 4

	NLA_F_NESTED        = 0x8000
	NLA_F_NET_BYTEORDER = 0x4000
	NLA_TYPE_MASK       = 0x3fff
)

// NlAlign rounds n up to where the next message or attribute begins.
func NlAlign(n int) int { return (n + 3) &^ 3 }

// NlMsgerr is struct nlmsgerr: the errno, negated, and the request's header.
type NlMsgerr struct {
	Error int32
	Msg   NlMsghdr
}

// Nlattr is struct nlattr and struct rtattr, before an attribute's data.
type Nlattr struct {
	Len  uint16
	Type uint16
}

// NlMsgFlags are the flags of a netlink message. Bits from 0x100 up mean one thing
// in GET requests (NLM_F_DUMP), another in NEW requests and a third in DELETE.
type NlMsgFlags uint16

const (
	NLM_F_REQUEST       NlMsgFlags = 1
	NLM_F_MULTI         NlMsgFlags = 2
	NLM_F_ACK           NlMsgFlags = 4
	NLM_F_ECHO          NlMsgFlags = 8
	NLM_F_DUMP_INTR     NlMsgFlags = 0x10
	NLM_F_DUMP_FILTERED NlMsgFlags = 0x20
	NLM_F_DUMP          NlMsgFlags = 0x300
	NLM_F_ROOT          NlMsgFlags = 0x100
	NLM_F_MATCH         NlMsgFlags = 0x200
	NLM_F_ATOMIC        NlMsgFlags = 0x400
	NLM_F_REPLACE       NlMsgFlags = 0x100
	NLM_F_EXCL          NlMsgFlags = 0x200
	NLM_F_CREATE        NlMsgFlags = 0x400
	NLM_F_APPEND        NlMsgFlags = 0x800
	NLM_F_NONREC        NlMsgFlags = 0x100
	NLM_F_BULK          NlMsgFlags = 0x200
	NLM_F_CAPPED        NlMsgFlags = 0x100
	NLM_F_ACK_TLVS      NlMsgFlags = 0x200
)

var nlMsgFlagsNames = [...]bitName{
	{uint64(NLM_F_DUMP), "NLM_F_DUMP"},
	{uint64(NLM_F_REQUEST), "NLM_F_REQUEST"},
	{uint64(NLM_F_MULTI), "NLM_F_MULTI"},
	{uint64(NLM_F_ACK), "NLM_F_ACK"},
	{uint64(NLM_F_ECHO), "NLM_F_ECHO"},
	{uint64(NLM_F_DUMP_INTR), "NLM_F_DUMP_INTR"},
	{uint64(NLM_F_DUMP_FILTERED), "NLM_F_DUMP_FILTERED"},
	{uint64(NLM_F_ROOT), "NLM_F_ROOT"},
	{uint64(NLM_F_MATCH), "NLM_F_MATCH"},
	{uint64(NLM_F_ATOMIC), "NLM_F_ATOMIC"},
	{uint64(NLM_F_APPEND), "NLM_F_APPEND"},
}

func (f NlMsgFlags) String() string { return formatBits(uint64(f), nlMsgFlagsNames[:]) }

// NlMsgType is the type of a netlink message; from 16 up it is the family's own,
// for NETLINK_ROUTE an RTM_ value.
type NlMsgType uint16

const (
	NLMSG_NOOP           NlMsgType = 1
	NLMSG_ERROR          NlMsgType = 2
	NLMSG_DONE           NlMsgType = 3
	NLMSG_OVERRUN        NlMsgType = 4
	NLMSG_MIN_TYPE       NlMsgType = 16
	RTM_NEWLINK          NlMsgType = 16
	RTM_DELLINK          NlMsgType = 17
	RTM_GETLINK          NlMsgType = 18
	RTM_SETLINK          NlMsgType = 19
	RTM_NEWADDR          NlMsgType = 20
	RTM_DELADDR          NlMsgType = 21
	RTM_GETADDR          NlMsgType = 22
	RTM_NEWROUTE         NlMsgType = 24
	RTM_DELROUTE         NlMsgType = 25
	RTM_GETROUTE         NlMsgType = 26
	RTM_NEWNEIGH         NlMsgType = 28
	RTM_DELNEIGH         NlMsgType = 29
	RTM_GETNEIGH         NlMsgType = 30
	RTM_NEWRULE          NlMsgType = 32
	RTM_DELRULE          NlMsgType = 33
	RTM_GETRULE          NlMsgType = 34
	RTM_NEWQDISC         NlMsgType = 36
	RTM_DELQDISC         NlMsgType = 37
	RTM_GETQDISC         NlMsgType = 38
	RTM_NEWTCLASS        NlMsgType = 40
	RTM_DELTCLASS        NlMsgType = 41
	RTM_GETTCLASS        NlMsgType = 42
	RTM_NEWTFILTER       NlMsgType = 44
	RTM_DELTFILTER       NlMsgType = 45
	RTM_GETTFILTER       NlMsgType = 46
	RTM_NEWACTION        NlMsgType = 48
	RTM_DELACTION        NlMsgType = 49
	RTM_GETACTION        NlMsgType = 50
	RTM_NEWPREFIX        NlMsgType = 52
	RTM_NEWMULTICAST     NlMsgType = 56
	RTM_DELMULTICAST     NlMsgType = 57
	RTM_GETMULTICAST     NlMsgType = 58
	RTM_NEWANYCAST       NlMsgType = 60
	RTM_DELANYCAST       NlMsgType = 61
	RTM_GETANYCAST       NlMsgType = 62
	RTM_NEWNEIGHTBL      NlMsgType = 64
	RTM_GETNEIGHTBL      NlMsgType = 66
	RTM_SETNEIGHTBL      NlMsgType = 67
	RTM_NEWNDUSEROPT     NlMsgType = 68
	RTM_NEWADDRLABEL     NlMsgType = 72
	RTM_DELADDRLABEL     NlMsgType = 73
	RTM_GETADDRLABEL     NlMsgType = 74
	RTM_GETDCB           NlMsgType = 78
	RTM_SETDCB           NlMsgType = 79
	RTM_NEWNETCONF       NlMsgType = 80
	RTM_DELNETCONF       NlMsgType = 81
	RTM_GETNETCONF       NlMsgType = 82
	RTM_NEWMDB           NlMsgType = 84
	RTM_DELMDB           NlMsgType = 85
	RTM_GETMDB           NlMsgType = 86
	RTM_NEWNSID          NlMsgType = 88
	RTM_DELNSID          NlMsgType = 89
	RTM_GETNSID          NlMsgType = 90
	RTM_NEWSTATS         NlMsgType = 92
	RTM_GETSTATS         NlMsgType = 94
	RTM_SETSTATS         NlMsgType = 95
	RTM_NEWCACHEREPORT   NlMsgType = 96
	RTM_NEWCHAIN         NlMsgType = 100
	RTM_DELCHAIN         NlMsgType = 101
	RTM_GETCHAIN         NlMsgType = 102
	RTM_NEWNEXTHOP       NlMsgType = 104
	RTM_DELNEXTHOP       NlMsgType = 105
	RTM_GETNEXTHOP       NlMsgType = 106
	RTM_NEWLINKPROP      NlMsgType = 108
	RTM_DELLINKPROP      NlMsgType = 109
	RTM_GETLINKPROP      NlMsgType = 110
	RTM_NEWVLAN          NlMsgType = 112
	RTM_DELVLAN          NlMsgType = 113
	RTM_GETVLAN          NlMsgType = 114
	RTM_NEWNEXTHOPBUCKET NlMsgType = 116
	RTM_DELNEXTHOPBUCKET NlMsgType = 117
	RTM_GETNEXTHOPBUCKET NlMsgType = 118
	RTM_NEWTUNNEL        NlMsgType = 120
	RTM_DELTUNNEL        NlMsgType = 121
	RTM_GETTUNNEL        NlMsgType = 122
)

var nlMsgTypeNames = [...]enumName{
	{int64(NLMSG_NOOP), "NLMSG_NOOP"},
	{int64(NLMSG_ERROR), "NLMSG_ERROR"},
	{int64(NLMSG_DONE), "NLMSG_DONE"},
	{int64(NLMSG_OVERRUN), "NLMSG_OVERRUN"},
	{int64(RTM_NEWLINK), "RTM_NEWLINK"},
	{int64(RTM_DELLINK), "RTM_DELLINK"},
	{int64(RTM_GETLINK), "RTM_GETLINK"},
	{int64(RTM_SETLINK), "RTM_SETLINK"},
	{int64(RTM_NEWADDR), "RTM_NEWADDR"},
	{int64(RTM_DELADDR), "RTM_DELADDR"},
	{int64(RTM_GETADDR), "RTM_GETADDR"},
	{int64(RTM_NEWROUTE), "RTM_NEWROUTE"},
	{int64(RTM_DELROUTE), "RTM_DELROUTE"},
	{int64(RTM_GETROUTE), "RTM_GETROUTE"},
	{int64(RTM_NEWNEIGH), "RTM_NEWNEIGH"},
	{int64(RTM_DELNEIGH), "RTM_DELNEIGH"},
	{int64(RTM_GETNEIGH), "RTM_GETNEIGH"},
	{int64(RTM_NEWRULE), "RTM_NEWRULE"},
	{int64(RTM_DELRULE), "RTM_DELRULE"},
	{int64(RTM_GETRULE), "RTM_GETRULE"},
	{int64(RTM_NEWQDISC), "RTM_NEWQDISC"},
	{int64(RTM_DELQDISC), "RTM_DELQDISC"},
	{int64(RTM_GETQDISC), "RTM_GETQDISC"},
	{int64(RTM_NEWTCLASS), "RTM_NEWTCLASS"},
	{int64(RTM_DELTCLASS), "RTM_DELTCLASS"},
	{int64(RTM_GETTCLASS), "RTM_GETTCLASS"},
	{int64(RTM_NEWTFILTER), "RTM_NEWTFILTER"},
	{int64(RTM_DELTFILTER), "RTM_DELTFILTER"},
	{int64(RTM_GETTFILTER), "RTM_GETTFILTER"},
	{int64(RTM_NEWACTION), "RTM_NEWACTION"},
	{int64(RTM_DELACTION), "RTM_DELACTION"},
	{int64(RTM_GETACTION), "RTM_GETACTION"},
	{int64(RTM_NEWPREFIX), "RTM_NEWPREFIX"},
	{int64(RTM_NEWMULTICAST), "RTM_NEWMULTICAST"},
	{int64(RTM_DELMULTICAST), "RTM_DELMULTICAST"},
	{int64(RTM_GETMULTICAST), "RTM_GETMULTICAST"},
	{int64(RTM_NEWANYCAST), "RTM_NEWANYCAST"},
	{int64(RTM_DELANYCAST), "RTM_DELANYCAST"},
	{int64(RTM_GETANYCAST), "RTM_GETANYCAST"},
	{int64(RTM_NEWNEIGHTBL), "RTM_NEWNEIGHTBL"},
	{int64(RTM_GETNEIGHTBL), "RTM_GETNEIGHTBL"},
	{int64(RTM_SETNEIGHTBL), "RTM_SETNEIGHTBL"},
	{int64(RTM_NEWNDUSEROPT), "RTM_NEWNDUSEROPT"},
	{int64(RTM_NEWADDRLABEL), "RTM_NEWADDRLABEL"},
	{int64(RTM_DELADDRLABEL), "RTM_DELADDRLABEL"},
	{int64(RTM_GETADDRLABEL), "RTM_GETADDRLABEL"},
	{int64(RTM_GETDCB), "RTM_GETDCB"},
	{int64(RTM_SETDCB), "RTM_SETDCB"},
	{int64(RTM_NEWNETCONF), "RTM_NEWNETCONF"},
	{int64(RTM_DELNETCONF), "RTM_DELNETCONF"},
	{int64(RTM_GETNETCONF), "RTM_GETNETCONF"},
	{int64(RTM_NEWMDB), "RTM_NEWMDB"},
	{int64(RTM_DELMDB), "RTM_DELMDB"},
	{int64(RTM_GETMDB), "RTM_GETMDB"},
	{int64(RTM_NEWNSID), "RTM_NEWNSID"},
	{int64(RTM_DELNSID), "RTM_DELNSID"},
	{int64(RTM_GETNSID), "RTM_GETNSID"},
	{int64(RTM_NEWSTATS), "RTM_NEWSTATS"},
	{int64(RTM_GETSTATS), "RTM_GETSTATS"},
	{int64(RTM_SETSTATS), "RTM_SETSTATS"},
	{int64(RTM_NEWCACHEREPORT), "RTM_NEWCACHEREPORT"},
	{int64(RTM_NEWCHAIN), "RTM_NEWCHAIN"},
	{int64(RTM_DELCHAIN), "RTM_DELCHAIN"},
	{int64(RTM_GETCHAIN), "RTM_GETCHAIN"},
	{int64(RTM_NEWNEXTHOP), "RTM_NEWNEXTHOP"},
	{int64(RTM_DELNEXTHOP), "RTM_DELNEXTHOP"},
	{int64(RTM_GETNEXTHOP), "RTM_GETNEXTHOP"},
	{int64(RTM_NEWLINKPROP), "RTM_NEWLINKPROP"},
	{int64(RTM_DELLINKPROP), "RTM_DELLINKPROP"},
	{int64(RTM_GETLINKPROP), "RTM_GETLINKPROP"},
	{int64(RTM_NEWVLAN), "RTM_NEWVLAN"},
	{int64(RTM_DELVLAN), "RTM_DELVLAN"},
	{int64(RTM_GETVLAN), "RTM_GETVLAN"},
	{int64(RTM_NEWNEXTHOPBUCKET), "RTM_NEWNEXTHOPBUCKET"},
	{int64(RTM_DELNEXTHOPBUCKET), "RTM_DELNEXTHOPBUCKET"},
	{int64(RTM_GETNEXTHOPBUCKET), "RTM_GETNEXTHOPBUCKET"},
	{int64(RTM_NEWTUNNEL), "RTM_NEWTUNNEL"},
	{int64(RTM_DELTUNNEL), "RTM_DELTUNNEL"},
	{int64(RTM_GETTUNNEL), "RTM_GETTUNNEL"},
}

func (f NlMsgType) String() string { return formatEnum(int64(f), nlMsgTypeNames[:]) }

// Socket options of SOL_NETLINK.
const (
	NETLINK_ADD_MEMBERSHIP   = 1
	NETLINK_DROP_MEMBERSHIP  = 2
	NETLINK_PKTINFO          = 3
	NETLINK_BROADCAST_ERROR  = 4
	NETLINK_NO_ENOBUFS       = 5
	NETLINK_RX_RING          = 6
	NETLINK_TX_RING          = 7
	NETLINK_LISTEN_ALL_NSID  = 8
	NETLINK_LIST_MEMBERSHIPS = 9
	NETLINK_CAP_ACK          = 10
	NETLINK_EXT_ACK          = 11
	NETLINK_GET_STRICT_CHK   = 12
	NLMSGERR_ATTR_MSG        = 1
	NLMSGERR_ATTR_OFFS       = 2
)
