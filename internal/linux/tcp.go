package linux

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
