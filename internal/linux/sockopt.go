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
