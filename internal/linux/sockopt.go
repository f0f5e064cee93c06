package linux

// SockOpt is an option of SOL_SOCKET.
type SockOpt int32

const (
	SO_DEBUG                         SockOpt = 1
	SO_REUSEADDR                     SockOpt = 2
	SO_TYPE                          SockOpt = 3
	SO_ERROR                         SockOpt = 4
	SO_DONTROUTE                     SockOpt = 5
	SO_BROADCAST                     SockOpt = 6
	SO_SNDBUF                        SockOpt = 7
	SO_RCVBUF                        SockOpt = 8
	SO_KEEPALIVE                     SockOpt = 9
	SO_OOBINLINE                     SockOpt = 10
	SO_NO_CHECK                      SockOpt = 11
	SO_PRIORITY                      SockOpt = 12
	SO_LINGER                        SockOpt = 13
	SO_BSDCOMPAT                     SockOpt = 14
	SO_REUSEPORT                     SockOpt = 15
	SO_PASSCRED                      SockOpt = 16
	SO_PEERCRED                      SockOpt = 17
	SO_RCVLOWAT                      SockOpt = 18
	SO_SNDLOWAT                      SockOpt = 19
	SO_RCVTIMEO                      SockOpt = 20
	SO_SNDTIMEO                      SockOpt = 21
	SO_SECURITY_AUTHENTICATION       SockOpt = 22
	SO_SECURITY_ENCRYPTION_TRANSPORT SockOpt = 23
	SO_SECURITY_ENCRYPTION_NETWORK   SockOpt = 24
	SO_BINDTODEVICE                  SockOpt = 25
	SO_ATTACH_FILTER                 SockOpt = 26
	SO_GET_FILTER                    SockOpt = 26
	SO_DETACH_FILTER                 SockOpt = 27
	SO_DETACH_BPF                    SockOpt = 27
	SO_PEERNAME                      SockOpt = 28
	SO_TIMESTAMP                     SockOpt = 29
	SO_ACCEPTCONN                    SockOpt = 30
	SO_PEERSEC                       SockOpt = 31
	SO_SNDBUFFORCE                   SockOpt = 32
	SO_RCVBUFFORCE                   SockOpt = 33
	SO_PASSSEC                       SockOpt = 34
	SO_TIMESTAMPNS                   SockOpt = 35
	SO_MARK                          SockOpt = 36
	SO_TIMESTAMPING                  SockOpt = 37
	SO_PROTOCOL                      SockOpt = 38
	SO_DOMAIN                        SockOpt = 39
	SO_RXQ_OVFL                      SockOpt = 40
	SO_WIFI_STATUS                   SockOpt = 41
	SO_PEEK_OFF                      SockOpt = 42
	SO_NOFCS                         SockOpt = 43
	SO_LOCK_FILTER                   SockOpt = 44
	SO_SELECT_ERR_QUEUE              SockOpt = 45
	SO_BUSY_POLL                     SockOpt = 46
	SO_MAX_PACING_RATE               SockOpt = 47
	SO_BPF_EXTENSIONS                SockOpt = 48
	SO_INCOMING_CPU                  SockOpt = 49
	SO_ATTACH_BPF                    SockOpt = 50
	SO_ATTACH_REUSEPORT_CBPF         SockOpt = 51
	SO_ATTACH_REUSEPORT_EBPF         SockOpt = 52
	SO_CNX_ADVICE                    SockOpt = 53
	SO_MEMINFO                       SockOpt = 55
	SO_INCOMING_NAPI_ID              SockOpt = 56
	SO_COOKIE                        SockOpt = 57
	SO_PEERGROUPS                    SockOpt = 59
	SO_ZEROCOPY                      SockOpt = 60
	SO_TXTIME                        SockOpt = 61
	SO_BINDTOIFINDEX                 SockOpt = 62
	SO_TIMESTAMP_NEW                 SockOpt = 63
	SO_TIMESTAMPNS_NEW               SockOpt = 64
	SO_TIMESTAMPING_NEW              SockOpt = 65
	SO_RCVTIMEO_NEW                  SockOpt = 66
	SO_SNDTIMEO_NEW                  SockOpt = 67
	SO_DETACH_REUSEPORT_BPF          SockOpt = 68
	SO_PREFER_BUSY_POLL              SockOpt = 69
	SO_BUSY_POLL_BUDGET              SockOpt = 70
	SO_NETNS_COOKIE                  SockOpt = 71
	SO_BUF_LOCK                      SockOpt = 72
	SO_RESERVE_MEM                   SockOpt = 73
	SO_TXREHASH                      SockOpt = 74
	SO_RCVMARK                       SockOpt = 75
	SO_PASSPIDFD                     SockOpt = 76
	SO_PEERPIDFD                     SockOpt = 77
	SO_DEVMEM_LINEAR                 SockOpt = 78
	SO_DEVMEM_DMABUF                 SockOpt = 79
	SO_DEVMEM_DONTNEED               SockOpt = 80
)

var sockOptNames = [...]enumName{
	{int64(SO_DEBUG), "SO_DEBUG"},
	{int64(SO_REUSEADDR), "SO_REUSEADDR"},
	{int64(SO_TYPE), "SO_TYPE"},
	{int64(SO_ERROR), "SO_ERROR"},
	{int64(SO_DONTROUTE), "SO_DONTROUTE"},
	{int64(SO_BROADCAST), "SO_BROADCAST"},
	{int64(SO_SNDBUF), "SO_SNDBUF"},
	{int64(SO_RCVBUF), "SO_RCVBUF"},
	{int64(SO_KEEPALIVE), "SO_KEEPALIVE"},
	{int64(SO_OOBINLINE), "SO_OOBINLINE"},
	{int64(SO_NO_CHECK), "SO_NO_CHECK"},
	{int64(SO_PRIORITY), "SO_PRIORITY"},
	{int64(SO_LINGER), "SO_LINGER"},
	{int64(SO_BSDCOMPAT), "SO_BSDCOMPAT"},
	{int64(SO_REUSEPORT), "SO_REUSEPORT"},
	{int64(SO_PASSCRED), "SO_PASSCRED"},
	{int64(SO_PEERCRED), "SO_PEERCRED"},
	{int64(SO_RCVLOWAT), "SO_RCVLOWAT"},
	{int64(SO_SNDLOWAT), "SO_SNDLOWAT"},
	{int64(SO_RCVTIMEO), "SO_RCVTIMEO"},
	{int64(SO_SNDTIMEO), "SO_SNDTIMEO"},
	{int64(SO_SECURITY_AUTHENTICATION), "SO_SECURITY_AUTHENTICATION"},
	{int64(SO_SECURITY_ENCRYPTION_TRANSPORT), "SO_SECURITY_ENCRYPTION_TRANSPORT"},
	{int64(SO_SECURITY_ENCRYPTION_NETWORK), "SO_SECURITY_ENCRYPTION_NETWORK"},
	{int64(SO_BINDTODEVICE), "SO_BINDTODEVICE"},
	{int64(SO_ATTACH_FILTER), "SO_ATTACH_FILTER"},
	{int64(SO_DETACH_FILTER), "SO_DETACH_FILTER"},
	{int64(SO_PEERNAME), "SO_PEERNAME"},
	{int64(SO_TIMESTAMP), "SO_TIMESTAMP"},
	{int64(SO_ACCEPTCONN), "SO_ACCEPTCONN"},
	{int64(SO_PEERSEC), "SO_PEERSEC"},
	{int64(SO_SNDBUFFORCE), "SO_SNDBUFFORCE"},
	{int64(SO_RCVBUFFORCE), "SO_RCVBUFFORCE"},
	{int64(SO_PASSSEC), "SO_PASSSEC"},
	{int64(SO_TIMESTAMPNS), "SO_TIMESTAMPNS"},
	{int64(SO_MARK), "SO_MARK"},
	{int64(SO_TIMESTAMPING), "SO_TIMESTAMPING"},
	{int64(SO_PROTOCOL), "SO_PROTOCOL"},
	{int64(SO_DOMAIN), "SO_DOMAIN"},
	{int64(SO_RXQ_OVFL), "SO_RXQ_OVFL"},
	{int64(SO_WIFI_STATUS), "SO_WIFI_STATUS"},
	{int64(SO_PEEK_OFF), "SO_PEEK_OFF"},
	{int64(SO_NOFCS), "SO_NOFCS"},
	{int64(SO_LOCK_FILTER), "SO_LOCK_FILTER"},
	{int64(SO_SELECT_ERR_QUEUE), "SO_SELECT_ERR_QUEUE"},
	{int64(SO_BUSY_POLL), "SO_BUSY_POLL"},
	{int64(SO_MAX_PACING_RATE), "SO_MAX_PACING_RATE"},
	{int64(SO_BPF_EXTENSIONS), "SO_BPF_EXTENSIONS"},
	{int64(SO_INCOMING_CPU), "SO_INCOMING_CPU"},
	{int64(SO_ATTACH_BPF), "SO_ATTACH_BPF"},
	{int64(SO_ATTACH_REUSEPORT_CBPF), "SO_ATTACH_REUSEPORT_CBPF"},
	{int64(SO_ATTACH_REUSEPORT_EBPF), "SO_ATTACH_REUSEPORT_EBPF"},
	{int64(SO_CNX_ADVICE), "SO_CNX_ADVICE"},
	{int64(SO_MEMINFO), "SO_MEMINFO"},
	{int64(SO_INCOMING_NAPI_ID), "SO_INCOMING_NAPI_ID"},
	{int64(SO_COOKIE), "SO_COOKIE"},
	{int64(SO_PEERGROUPS), "SO_PEERGROUPS"},
	{int64(SO_ZEROCOPY), "SO_ZEROCOPY"},
	{int64(SO_TXTIME), "SO_TXTIME"},
	{int64(SO_BINDTOIFINDEX), "SO_BINDTOIFINDEX"},
	{int64(SO_TIMESTAMP_NEW), "SO_TIMESTAMP_NEW"},
	{int64(SO_TIMESTAMPNS_NEW), "SO_TIMESTAMPNS_NEW"},
	{int64(SO_TIMESTAMPING_NEW), "SO_TIMESTAMPING_NEW"},
	{int64(SO_RCVTIMEO_NEW), "SO_RCVTIMEO_NEW"},
	{int64(SO_SNDTIMEO_NEW), "SO_SNDTIMEO_NEW"},
	{int64(SO_DETACH_REUSEPORT_BPF), "SO_DETACH_REUSEPORT_BPF"},
	{int64(SO_PREFER_BUSY_POLL), "SO_PREFER_BUSY_POLL"},
	{int64(SO_BUSY_POLL_BUDGET), "SO_BUSY_POLL_BUDGET"},
	{int64(SO_NETNS_COOKIE), "SO_NETNS_COOKIE"},
	{int64(SO_BUF_LOCK), "SO_BUF_LOCK"},
	{int64(SO_RESERVE_MEM), "SO_RESERVE_MEM"},
	{int64(SO_TXREHASH), "SO_TXREHASH"},
	{int64(SO_RCVMARK), "SO_RCVMARK"},
	{int64(SO_PASSPIDFD), "SO_PASSPIDFD"},
	{int64(SO_PEERPIDFD), "SO_PEERPIDFD"},
	{int64(SO_DEVMEM_LINEAR), "SO_DEVMEM_LINEAR"},
	{int64(SO_DEVMEM_DMABUF), "SO_DEVMEM_DMABUF"},
	{int64(SO_DEVMEM_DONTNEED), "SO_DEVMEM_DONTNEED"},
}

func (f SockOpt) String() string { return formatEnum(int64(f), sockOptNames[:]) }

// TCPOpt is an option of SOL_TCP.
type TCPOpt int32

const (
	TCP_NODELAY              TCPOpt = 1
	TCP_MAXSEG               TCPOpt = 2
	TCP_CORK                 TCPOpt = 3
	TCP_KEEPIDLE             TCPOpt = 4
	TCP_KEEPINTVL            TCPOpt = 5
	TCP_KEEPCNT              TCPOpt = 6
	TCP_SYNCNT               TCPOpt = 7
	TCP_LINGER2              TCPOpt = 8
	TCP_DEFER_ACCEPT         TCPOpt = 9
	TCP_WINDOW_CLAMP         TCPOpt = 10
	TCP_INFO                 TCPOpt = 11
	TCP_QUICKACK             TCPOpt = 12
	TCP_CONGESTION           TCPOpt = 13
	TCP_MD5SIG               TCPOpt = 14
	TCP_THIN_LINEAR_TIMEOUTS TCPOpt = 16
	TCP_THIN_DUPACK          TCPOpt = 17
	TCP_USER_TIMEOUT         TCPOpt = 18
	TCP_REPAIR               TCPOpt = 19
	TCP_REPAIR_QUEUE         TCPOpt = 20
	TCP_QUEUE_SEQ            TCPOpt = 21
	TCP_REPAIR_OPTIONS       TCPOpt = 22
	TCP_FASTOPEN             TCPOpt = 23
	TCP_TIMESTAMP            TCPOpt = 24
	TCP_NOTSENT_LOWAT        TCPOpt = 25
	TCP_CC_INFO              TCPOpt = 26
	TCP_SAVE_SYN             TCPOpt = 27
	TCP_SAVED_SYN            TCPOpt = 28
	TCP_REPAIR_WINDOW        TCPOpt = 29
	TCP_FASTOPEN_CONNECT     TCPOpt = 30
	TCP_ULP                  TCPOpt = 31
	TCP_MD5SIG_EXT           TCPOpt = 32
	TCP_FASTOPEN_KEY         TCPOpt = 33
	TCP_FASTOPEN_NO_COOKIE   TCPOpt = 34
	TCP_ZEROCOPY_RECEIVE     TCPOpt = 35
	TCP_INQ                  TCPOpt = 36
	TCP_TX_DELAY             TCPOpt = 37
	TCP_AO_ADD_KEY           TCPOpt = 38
	TCP_AO_DEL_KEY           TCPOpt = 39
	TCP_AO_INFO              TCPOpt = 40
	TCP_AO_GET_KEYS          TCPOpt = 41
	TCP_AO_REPAIR            TCPOpt = 42
	TCP_IS_MPTCP             TCPOpt = 43
)

var tCPOptNames = [...]enumName{
	{int64(TCP_NODELAY), "TCP_NODELAY"},
	{int64(TCP_MAXSEG), "TCP_MAXSEG"},
	{int64(TCP_CORK), "TCP_CORK"},
	{int64(TCP_KEEPIDLE), "TCP_KEEPIDLE"},
	{int64(TCP_KEEPINTVL), "TCP_KEEPINTVL"},
	{int64(TCP_KEEPCNT), "TCP_KEEPCNT"},
	{int64(TCP_SYNCNT), "TCP_SYNCNT"},
	{int64(TCP_LINGER2), "TCP_LINGER2"},
	{int64(TCP_DEFER_ACCEPT), "TCP_DEFER_ACCEPT"},
	{int64(TCP_WINDOW_CLAMP), "TCP_WINDOW_CLAMP"},
	{int64(TCP_INFO), "TCP_INFO"},
	{int64(TCP_QUICKACK), "TCP_QUICKACK"},
	{int64(TCP_CONGESTION), "TCP_CONGESTION"},
	{int64(TCP_MD5SIG), "TCP_MD5SIG"},
	{int64(TCP_THIN_LINEAR_TIMEOUTS), "TCP_THIN_LINEAR_TIMEOUTS"},
	{int64(TCP_THIN_DUPACK), "TCP_THIN_DUPACK"},
	{int64(TCP_USER_TIMEOUT), "TCP_USER_TIMEOUT"},
	{int64(TCP_REPAIR), "TCP_REPAIR"},
	{int64(TCP_REPAIR_QUEUE), "TCP_REPAIR_QUEUE"},
	{int64(TCP_QUEUE_SEQ), "TCP_QUEUE_SEQ"},
	{int64(TCP_REPAIR_OPTIONS), "TCP_REPAIR_OPTIONS"},
	{int64(TCP_FASTOPEN), "TCP_FASTOPEN"},
	{int64(TCP_TIMESTAMP), "TCP_TIMESTAMP"},
	{int64(TCP_NOTSENT_LOWAT), "TCP_NOTSENT_LOWAT"},
	{int64(TCP_CC_INFO), "TCP_CC_INFO"},
	{int64(TCP_SAVE_SYN), "TCP_SAVE_SYN"},
	{int64(TCP_SAVED_SYN), "TCP_SAVED_SYN"},
	{int64(TCP_REPAIR_WINDOW), "TCP_REPAIR_WINDOW"},
	{int64(TCP_FASTOPEN_CONNECT), "TCP_FASTOPEN_CONNECT"},
	{int64(TCP_ULP), "TCP_ULP"},
	{int64(TCP_MD5SIG_EXT), "TCP_MD5SIG_EXT"},
	{int64(TCP_FASTOPEN_KEY), "TCP_FASTOPEN_KEY"},
	{int64(TCP_FASTOPEN_NO_COOKIE), "TCP_FASTOPEN_NO_COOKIE"},
	{int64(TCP_ZEROCOPY_RECEIVE), "TCP_ZEROCOPY_RECEIVE"},
	{int64(TCP_INQ), "TCP_INQ"},
	{int64(TCP_TX_DELAY), "TCP_TX_DELAY"},
	{int64(TCP_AO_ADD_KEY), "TCP_AO_ADD_KEY"},
	{int64(TCP_AO_DEL_KEY), "TCP_AO_DEL_KEY"},
	{int64(TCP_AO_INFO), "TCP_AO_INFO"},
	{int64(TCP_AO_GET_KEYS), "TCP_AO_GET_KEYS"},
	{int64(TCP_AO_REPAIR), "TCP_AO_REPAIR"},
	{int64(TCP_IS_MPTCP), "TCP_IS_MPTCP"},
}

func (f TCPOpt) String() string { return formatEnum(int64(f), tCPOptNames[:]) }

// TCP's states, as TCP_INFO and /proc/net/tcp give them.
const (
	TCP_ESTABLISHED  = 1
	TCP_SYN_SENT     = 2
	TCP_SYN_RECV     = 3
	TCP_FIN_WAIT1    = 4
	TCP_FIN_WAIT2    = 5
	TCP_TIME_WAIT    = 6
	TCP_CLOSE        = 7
	TCP_CLOSE_WAIT   = 8
	TCP_LAST_ACK     = 9
	TCP_LISTEN       = 10
	TCP_CLOSING      = 11
	TCP_NEW_SYN_RECV = 12
)

// TCPInfo is struct tcp_info, 248 bytes.
type TCPInfo struct {
	State              uint8
	CaState            uint8
	Retransmits        uint8
	Probes             uint8
	Backoff            uint8
	Options            uint8
	Wscale             uint8
	AppLimited         uint8
	Rto                uint32
	Ato                uint32
	SndMss             uint32
	RcvMss             uint32
	Unacked            uint32
	Sacked             uint32
	Lost               uint32
	Retrans            uint32
	Fackets            uint32
	LastDataSent       uint32
	LastAckSent        uint32
	LastDataRecv       uint32
	LastAckRecv        uint32
	Pmtu               uint32
	RcvSsthresh        uint32
	Rtt                uint32
	Rttvar             uint32
	SndSsthresh        uint32
	SndCwnd            uint32
	Advmss             uint32
	Reordering         uint32
	RcvRtt             uint32
	RcvSpace           uint32
	TotalRetrans       uint32
	PacingRate         uint64
	MaxPacingRate      uint64
	BytesAcked         uint64
	BytesReceived      uint64
	SegsOut            uint32
	SegsIn             uint32
	NotsentBytes       uint32
	MinRtt             uint32
	DataSegsIn         uint32
	DataSegsOut        uint32
	DeliveryRate       uint64
	BusyTime           uint64
	RwndLimited        uint64
	SndbufLimited      uint64
	Delivered          uint32
	DeliveredCe        uint32
	BytesSent          uint64
	BytesRetrans       uint64
	DsackDups          uint32
	ReordSeen          uint32
	RcvOoopack         uint32
	SndWnd             uint32
	RcvWnd             uint32
	Rehash             uint32
	TotalRto           uint16
	TotalRtoRecoveries uint16
	TotalRtoTime       uint32
}

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
