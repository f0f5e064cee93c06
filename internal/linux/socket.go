package linux

// AddressFamily is an address family, AF_, and the first two bytes of every
// socket address.
type AddressFamily uint16

const (
	AF_UNSPEC    AddressFamily = 0
	AF_UNIX      AddressFamily = 1
	AF_INET      AddressFamily = 2
	AF_AX25      AddressFamily = 3
	AF_IPX       AddressFamily = 4
	AF_APPLETALK AddressFamily = 5
	AF_NETROM    AddressFamily = 6
	AF_X25       AddressFamily = 9
	AF_BRIDGE    AddressFamily = 7
	AF_INET6     AddressFamily = 10
	AF_KEY       AddressFamily = 15
	AF_NETLINK   AddressFamily = 16
	AF_PACKET    AddressFamily = 17
	AF_RDS       AddressFamily = 21
	AF_PPPOX     AddressFamily = 24
	AF_CAN       AddressFamily = 29
	AF_TIPC      AddressFamily = 30
	AF_BLUETOOTH AddressFamily = 31
	AF_ALG       AddressFamily = 38
	AF_NFC       AddressFamily = 39
	AF_VSOCK     AddressFamily = 40
	AF_KCM       AddressFamily = 41
	AF_QIPCRTR   AddressFamily = 42
	AF_SMC       AddressFamily = 43
	AF_XDP       AddressFamily = 44
	AF_MCTP      AddressFamily = 45
)

var addressFamilyNames = [...]enumName{
	{int64(AF_UNSPEC), "AF_UNSPEC"},
	{int64(AF_UNIX), "AF_UNIX"},
	{int64(AF_INET), "AF_INET"},
	{int64(AF_AX25), "AF_AX25"},
	{int64(AF_IPX), "AF_IPX"},
	{int64(AF_APPLETALK), "AF_APPLETALK"},
	{int64(AF_NETROM), "AF_NETROM"},
	{int64(AF_X25), "AF_X25"},
	{int64(AF_INET6), "AF_INET6"},
	{int64(AF_KEY), "AF_KEY"},
	{int64(AF_NETLINK), "AF_NETLINK"},
	{int64(AF_PACKET), "AF_PACKET"},
	{int64(AF_RDS), "AF_RDS"},
	{int64(AF_PPPOX), "AF_PPPOX"},
	{int64(AF_CAN), "AF_CAN"},
	{int64(AF_TIPC), "AF_TIPC"},
	{int64(AF_BLUETOOTH), "AF_BLUETOOTH"},
	{int64(AF_ALG), "AF_ALG"},
	{int64(AF_NFC), "AF_NFC"},
	{int64(AF_VSOCK), "AF_VSOCK"},
	{int64(AF_KCM), "AF_KCM"},
	{int64(AF_QIPCRTR), "AF_QIPCRTR"},
	{int64(AF_SMC), "AF_SMC"},
	{int64(AF_XDP), "AF_XDP"},
	{int64(AF_MCTP), "AF_MCTP"},
}

func (f AddressFamily) String() string { return formatEnum(int64(f), addressFamilyNames[:]) }

// Other names and the number of families.
const (
	AF_LOCAL = AF_UNIX
	AF_MAX   = 46
)

// SockType is a socket type, to which socket(2) and socketpair(2) take flags ORed.
type SockType int32

const (
	SOCK_STREAM    SockType = 1
	SOCK_DGRAM     SockType = 2
	SOCK_RAW       SockType = 3
	SOCK_RDM       SockType = 4
	SOCK_SEQPACKET SockType = 5
	SOCK_DCCP      SockType = 6
	SOCK_PACKET    SockType = 10
	SOCK_NONBLOCK  SockType = 0x800
	SOCK_CLOEXEC   SockType = 0x80000
)

// SOCK_TYPE_MASK leaves the type of a SockType.
const SOCK_TYPE_MASK SockType = 0xf

var sockTypeNames = [...]enumName{
	{int64(SOCK_STREAM), "SOCK_STREAM"},
	{int64(SOCK_DGRAM), "SOCK_DGRAM"},
	{int64(SOCK_RAW), "SOCK_RAW"},
	{int64(SOCK_RDM), "SOCK_RDM"},
	{int64(SOCK_SEQPACKET), "SOCK_SEQPACKET"},
	{int64(SOCK_DCCP), "SOCK_DCCP"},
	{int64(SOCK_PACKET), "SOCK_PACKET"},
}

var sockFlagNames = [...]bitName{
	{uint64(SOCK_NONBLOCK), "SOCK_NONBLOCK"},
	{uint64(SOCK_CLOEXEC), "SOCK_CLOEXEC"},
}

func (t SockType) String() string {
	s := formatEnum(int64(t&SOCK_TYPE_MASK), sockTypeNames[:])
	if rest := t &^ SOCK_TYPE_MASK; rest != 0 {
		s += "|" + formatBits(uint64(uint32(rest)), sockFlagNames[:])
	}
	return s
}

// IPProto is an IP protocol number.
type IPProto int32

const (
	IPPROTO_IP       IPProto = 0
	IPPROTO_ICMP     IPProto = 1
	IPPROTO_IGMP     IPProto = 2
	IPPROTO_IPIP     IPProto = 4
	IPPROTO_TCP      IPProto = 6
	IPPROTO_EGP      IPProto = 8
	IPPROTO_PUP      IPProto = 12
	IPPROTO_UDP      IPProto = 17
	IPPROTO_IDP      IPProto = 22
	IPPROTO_DCCP     IPProto = 33
	IPPROTO_IPV6     IPProto = 41
	IPPROTO_ROUTING  IPProto = 43
	IPPROTO_FRAGMENT IPProto = 44
	IPPROTO_RSVP     IPProto = 46
	IPPROTO_GRE      IPProto = 47
	IPPROTO_ESP      IPProto = 50
	IPPROTO_AH       IPProto = 51
	IPPROTO_ICMPV6   IPProto = 58
	IPPROTO_NONE     IPProto = 59
	IPPROTO_DSTOPTS  IPProto = 60
	IPPROTO_MTP      IPProto = 92
	IPPROTO_BEETPH   IPProto = 94
	IPPROTO_ENCAP    IPProto = 98
	IPPROTO_PIM      IPProto = 103
	IPPROTO_COMP     IPProto = 108
	IPPROTO_SCTP     IPProto = 132
	IPPROTO_UDPLITE  IPProto = 136
	IPPROTO_MPLS     IPProto = 137
	IPPROTO_RAW      IPProto = 255
	IPPROTO_MPTCP    IPProto = 262
)

var iPProtoNames = [...]enumName{
	{int64(IPPROTO_IP), "IPPROTO_IP"},
	{int64(IPPROTO_ICMP), "IPPROTO_ICMP"},
	{int64(IPPROTO_IGMP), "IPPROTO_IGMP"},
	{int64(IPPROTO_IPIP), "IPPROTO_IPIP"},
	{int64(IPPROTO_TCP), "IPPROTO_TCP"},
	{int64(IPPROTO_EGP), "IPPROTO_EGP"},
	{int64(IPPROTO_PUP), "IPPROTO_PUP"},
	{int64(IPPROTO_UDP), "IPPROTO_UDP"},
	{int64(IPPROTO_IDP), "IPPROTO_IDP"},
	{int64(IPPROTO_DCCP), "IPPROTO_DCCP"},
	{int64(IPPROTO_IPV6), "IPPROTO_IPV6"},
	{int64(IPPROTO_ROUTING), "IPPROTO_ROUTING"},
	{int64(IPPROTO_FRAGMENT), "IPPROTO_FRAGMENT"},
	{int64(IPPROTO_RSVP), "IPPROTO_RSVP"},
	{int64(IPPROTO_GRE), "IPPROTO_GRE"},
	{int64(IPPROTO_ESP), "IPPROTO_ESP"},
	{int64(IPPROTO_AH), "IPPROTO_AH"},
	{int64(IPPROTO_ICMPV6), "IPPROTO_ICMPV6"},
	{int64(IPPROTO_NONE), "IPPROTO_NONE"},
	{int64(IPPROTO_DSTOPTS), "IPPROTO_DSTOPTS"},
	{int64(IPPROTO_MTP), "IPPROTO_MTP"},
	{int64(IPPROTO_BEETPH), "IPPROTO_BEETPH"},
	{int64(IPPROTO_ENCAP), "IPPROTO_ENCAP"},
	{int64(IPPROTO_PIM), "IPPROTO_PIM"},
	{int64(IPPROTO_COMP), "IPPROTO_COMP"},
	{int64(IPPROTO_SCTP), "IPPROTO_SCTP"},
	{int64(IPPROTO_UDPLITE), "IPPROTO_UDPLITE"},
	{int64(IPPROTO_MPLS), "IPPROTO_MPLS"},
	{int64(IPPROTO_RAW), "IPPROTO_RAW"},
	{int64(IPPROTO_MPTCP), "IPPROTO_MPTCP"},
}

func (f IPProto) String() string { return formatEnum(int64(f), iPProtoNames[:]) }

// SockLevel is the level of setsockopt(2) and of a control message.
type SockLevel int32

const (
	SOL_IP      SockLevel = 0
	SOL_SOCKET  SockLevel = 1
	SOL_TCP     SockLevel = 6
	SOL_UDP     SockLevel = 17
	SOL_IPV6    SockLevel = 41
	SOL_ICMPV6  SockLevel = 58
	SOL_SCTP    SockLevel = 132
	SOL_UDPLITE SockLevel = 136
	SOL_RAW     SockLevel = 255
	SOL_PACKET  SockLevel = 263
	SOL_NETLINK SockLevel = 270
	SOL_ALG     SockLevel = 279
	SOL_TLS     SockLevel = 282
	SOL_XDP     SockLevel = 283
	SOL_MPTCP   SockLevel = 284
	SOL_VSOCK   SockLevel = 287
)

var sockLevelNames = [...]enumName{
	{int64(SOL_IP), "SOL_IP"},
	{int64(SOL_SOCKET), "SOL_SOCKET"},
	{int64(SOL_TCP), "SOL_TCP"},
	{int64(SOL_UDP), "SOL_UDP"},
	{int64(SOL_IPV6), "SOL_IPV6"},
	{int64(SOL_ICMPV6), "SOL_ICMPV6"},
	{int64(SOL_SCTP), "SOL_SCTP"},
	{int64(SOL_UDPLITE), "SOL_UDPLITE"},
	{int64(SOL_RAW), "SOL_RAW"},
	{int64(SOL_PACKET), "SOL_PACKET"},
	{int64(SOL_NETLINK), "SOL_NETLINK"},
	{int64(SOL_ALG), "SOL_ALG"},
	{int64(SOL_TLS), "SOL_TLS"},
	{int64(SOL_XDP), "SOL_XDP"},
	{int64(SOL_MPTCP), "SOL_MPTCP"},
	{int64(SOL_VSOCK), "SOL_VSOCK"},
}

func (f SockLevel) String() string { return formatEnum(int64(f), sockLevelNames[:]) }

// MsgFlags are the flags of sendmsg(2) and recvmsg(2).
type MsgFlags uint32

const (
	MSG_OOB          MsgFlags = 0x1
	MSG_PEEK         MsgFlags = 0x2
	MSG_DONTROUTE    MsgFlags = 0x4
	MSG_CTRUNC       MsgFlags = 0x8
	MSG_PROBE        MsgFlags = 0x10
	MSG_TRUNC        MsgFlags = 0x20
	MSG_DONTWAIT     MsgFlags = 0x40
	MSG_EOR          MsgFlags = 0x80
	MSG_WAITALL      MsgFlags = 0x100
	MSG_FIN          MsgFlags = 0x200
	MSG_SYN          MsgFlags = 0x400
	MSG_CONFIRM      MsgFlags = 0x800
	MSG_RST          MsgFlags = 0x1000
	MSG_ERRQUEUE     MsgFlags = 0x2000
	MSG_NOSIGNAL     MsgFlags = 0x4000
	MSG_MORE         MsgFlags = 0x8000
	MSG_WAITFORONE   MsgFlags = 0x10000
	MSG_BATCH        MsgFlags = 0x40000
	MSG_ZEROCOPY     MsgFlags = 0x4000000
	MSG_FASTOPEN     MsgFlags = 0x20000000
	MSG_CMSG_CLOEXEC MsgFlags = 0x40000000
)

var msgFlagsNames = [...]bitName{
	{uint64(MSG_OOB), "MSG_OOB"},
	{uint64(MSG_PEEK), "MSG_PEEK"},
	{uint64(MSG_DONTROUTE), "MSG_DONTROUTE"},
	{uint64(MSG_CTRUNC), "MSG_CTRUNC"},
	{uint64(MSG_PROBE), "MSG_PROBE"},
	{uint64(MSG_TRUNC), "MSG_TRUNC"},
	{uint64(MSG_DONTWAIT), "MSG_DONTWAIT"},
	{uint64(MSG_EOR), "MSG_EOR"},
	{uint64(MSG_WAITALL), "MSG_WAITALL"},
	{uint64(MSG_FIN), "MSG_FIN"},
	{uint64(MSG_SYN), "MSG_SYN"},
	{uint64(MSG_CONFIRM), "MSG_CONFIRM"},
	{uint64(MSG_RST), "MSG_RST"},
	{uint64(MSG_ERRQUEUE), "MSG_ERRQUEUE"},
	{uint64(MSG_NOSIGNAL), "MSG_NOSIGNAL"},
	{uint64(MSG_MORE), "MSG_MORE"},
	{uint64(MSG_WAITFORONE), "MSG_WAITFORONE"},
	{uint64(MSG_BATCH), "MSG_BATCH"},
	{uint64(MSG_ZEROCOPY), "MSG_ZEROCOPY"},
	{uint64(MSG_FASTOPEN), "MSG_FASTOPEN"},
	{uint64(MSG_CMSG_CLOEXEC), "MSG_CMSG_CLOEXEC"},
}

func (f MsgFlags) String() string { return formatBits(uint64(f), msgFlagsNames[:]) }

// ShutdownHow is the second argument of shutdown(2).
type ShutdownHow int32

const (
	SHUT_RD   ShutdownHow = 0
	SHUT_WR   ShutdownHow = 1
	SHUT_RDWR ShutdownHow = 2
)

var shutdownHowNames = [...]enumName{
	{int64(SHUT_RD), "SHUT_RD"},
	{int64(SHUT_WR), "SHUT_WR"},
	{int64(SHUT_RDWR), "SHUT_RDWR"},
}

func (f ShutdownHow) String() string { return formatEnum(int64(f), shutdownHowNames[:]) }

// ScmType is the type of a control message at SOL_SOCKET.
type ScmType int32

const (
	SCM_RIGHTS       ScmType = 1
	SCM_CREDENTIALS  ScmType = 2
	SCM_SECURITY     ScmType = 3
	SCM_PIDFD        ScmType = 4
	SCM_TIMESTAMP    ScmType = 29
	SCM_TIMESTAMPNS  ScmType = 35
	SCM_TIMESTAMPING ScmType = 37
)

var scmTypeNames = [...]enumName{
	{int64(SCM_RIGHTS), "SCM_RIGHTS"},
	{int64(SCM_CREDENTIALS), "SCM_CREDENTIALS"},
	{int64(SCM_SECURITY), "SCM_SECURITY"},
	{int64(SCM_PIDFD), "SCM_PIDFD"},
	{int64(SCM_TIMESTAMP), "SCM_TIMESTAMP"},
	{int64(SCM_TIMESTAMPNS), "SCM_TIMESTAMPNS"},
	{int64(SCM_TIMESTAMPING), "SCM_TIMESTAMPING"},
}

func (f ScmType) String() string { return formatEnum(int64(f), scmTypeNames[:]) }

// MsgHdr is struct msghdr, 56 bytes.
type MsgHdr struct {
	Name       uint64
	Namelen    uint32
	_          uint32
	Iov        uint64
	Iovlen     uint64
	Control    uint64
	Controllen uint64
	Flags      MsgFlags
	_          uint32
}

// MMsgHdr is struct mmsghdr, 64 bytes.
type MMsgHdr struct {
	Hdr MsgHdr
	Len uint32
	_   uint32
}

// CmsgHdr is struct cmsghdr, 16 bytes, before each control message's data.
type CmsgHdr struct {
	Len   uint64
	Level SockLevel
	Type  int32
}

// CmsgHdrSize is the size of CmsgHdr.
const CmsgHdrSize = 16

// CmsgAlign rounds a length up to where the next control message begins.
func CmsgAlign(n int) int { return (n + 7) &^ 7 }

// Ucred is struct ucred.
type Ucred struct {
	PID int32
	UID uint32
	GID uint32
}

// Linger is struct linger.
type Linger struct {
	Onoff  int32
	Linger int32
}

// Limits of sockets.
const (
	// SCM_MAX_FD is how many descriptors one message carries.
	SCM_MAX_FD = 253
	// SOMAXCONN is the default of net.core.somaxconn.
	SOMAXCONN = 4096
	// UIO_MAXIOV is how many messages sendmmsg(2) takes.
	UIO_MAXIOV = 1024
	// SOCKADDR_STORAGE_SIZE is the largest socket address.
	SOCKADDR_STORAGE_SIZE = 128
	// UNIX_PATH_MAX is the room for a path in SockaddrUn.
	UNIX_PATH_MAX = 108
)

// SockaddrIn is struct sockaddr_in, 16 bytes; the port is big endian.
type SockaddrIn struct {
	Family AddressFamily
	Port   [2]byte
	Addr   [4]byte
	_      [8]byte
}

// SockaddrIn6 is struct sockaddr_in6, 28 bytes.
type SockaddrIn6 struct {
	Family   AddressFamily
	Port     [2]byte
	Flowinfo uint32
	Addr     [16]byte
	ScopeID  uint32
}

// SockaddrUn is struct sockaddr_un, 110 bytes.
type SockaddrUn struct {
	Family AddressFamily
	Path   [UNIX_PATH_MAX]byte
}

// SockaddrNl is struct sockaddr_nl, 12 bytes.
type SockaddrNl struct {
	Family AddressFamily
	_      uint16
	PID    uint32
	Groups uint32
}

// SockaddrLl is struct sockaddr_ll, 20 bytes; the protocol is big endian.
type SockaddrLl struct {
	Family   AddressFamily
	Protocol [2]byte
	Ifindex  int32
	Hatype   uint16
	Pkttype  uint8
	Halen    uint8
	Addr     [8]byte
}

// SockaddrVM is struct sockaddr_vm, 16 bytes.
type SockaddrVM struct {
	Family AddressFamily
	_      uint16
	Port   uint32
	CID    uint32
	Flags  uint8
	_      [3]byte
}
