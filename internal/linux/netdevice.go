package linux

// IFNAMSIZ is the size of an interface's name with its NUL.
const IFNAMSIZ = 16

// Ifreq is struct ifreq, 40 bytes: a name and what the request reads or writes.
type Ifreq struct {
	Name [IFNAMSIZ]byte
	Data [24]byte
}

// Ifconf is struct ifconf of SIOCGIFCONF.
type Ifconf struct {
	Len int32
	_   int32
	Ptr uint64
}

// IfFlags are an interface's flags.
type IfFlags uint32

const (
	IFF_UP          IfFlags = 0x1
	IFF_BROADCAST   IfFlags = 0x2
	IFF_DEBUG       IfFlags = 0x4
	IFF_LOOPBACK    IfFlags = 0x8
	IFF_POINTOPOINT IfFlags = 0x10
	IFF_NOTRAILERS  IfFlags = 0x20
	IFF_RUNNING     IfFlags = 0x40
	IFF_NOARP       IfFlags = 0x80
	IFF_PROMISC     IfFlags = 0x100
	IFF_ALLMULTI    IfFlags = 0x200
	IFF_MASTER      IfFlags = 0x400
	IFF_SLAVE       IfFlags = 0x800
	IFF_MULTICAST   IfFlags = 0x1000
	IFF_PORTSEL     IfFlags = 0x2000
	IFF_AUTOMEDIA   IfFlags = 0x4000
	IFF_DYNAMIC     IfFlags = 0x8000
	IFF_LOWER_UP    IfFlags = 0x10000
	IFF_DORMANT     IfFlags = 0x20000
	IFF_ECHO        IfFlags = 0x40000
)

var ifFlagsNames = [...]bitName{
	{uint64(IFF_UP), "IFF_UP"},
	{uint64(IFF_BROADCAST), "IFF_BROADCAST"},
	{uint64(IFF_DEBUG), "IFF_DEBUG"},
	{uint64(IFF_LOOPBACK), "IFF_LOOPBACK"},
	{uint64(IFF_POINTOPOINT), "IFF_POINTOPOINT"},
	{uint64(IFF_NOTRAILERS), "IFF_NOTRAILERS"},
	{uint64(IFF_RUNNING), "IFF_RUNNING"},
	{uint64(IFF_NOARP), "IFF_NOARP"},
	{uint64(IFF_PROMISC), "IFF_PROMISC"},
	{uint64(IFF_ALLMULTI), "IFF_ALLMULTI"},
	{uint64(IFF_MASTER), "IFF_MASTER"},
	{uint64(IFF_SLAVE), "IFF_SLAVE"},
	{uint64(IFF_MULTICAST), "IFF_MULTICAST"},
	{uint64(IFF_PORTSEL), "IFF_PORTSEL"},
	{uint64(IFF_AUTOMEDIA), "IFF_AUTOMEDIA"},
	{uint64(IFF_DYNAMIC), "IFF_DYNAMIC"},
	{uint64(IFF_LOWER_UP), "IFF_LOWER_UP"},
	{uint64(IFF_DORMANT), "IFF_DORMANT"},
	{uint64(IFF_ECHO), "IFF_ECHO"},
}

func (f IfFlags) String() string { return formatBits(uint64(f), ifFlagsNames[:]) }

// Hardware types of interfaces.
const (
	ARPHRD_ETHER      = 1
	ARPHRD_INFINIBAND = 32
	ARPHRD_PPP        = 512
	ARPHRD_TUNNEL     = 768
	ARPHRD_TUNNEL6    = 769
	ARPHRD_LOOPBACK   = 772
	ARPHRD_SIT        = 776
	ARPHRD_IPGRE      = 778
	ARPHRD_VOID       = 0xffff
	ARPHRD_NONE       = 0xfffe
)

// Ethernet protocol numbers.
const (
	ETH_P_LOOP  = 0x60
	ETH_P_IP    = 0x800
	ETH_P_ARP   = 0x806
	ETH_P_RARP  = 0x8035
	ETH_P_8021Q = 0x8100
	ETH_P_IPV6  = 0x86dd
	ETH_P_ALL   = 0x3
	ETH_ALEN    = 6
	ETH_HLEN    = 14
)

// Operational states, IFLA_OPERSTATE.
const (
	IF_OPER_UNKNOWN        = 0
	IF_OPER_NOTPRESENT     = 1
	IF_OPER_DOWN           = 2
	IF_OPER_LOWERLAYERDOWN = 3
	IF_OPER_TESTING        = 4
	IF_OPER_DORMANT        = 5
	IF_OPER_UP             = 6
)

// Flags of TUNSETIFF.
const (
	IFF_TUN         = 0x1
	IFF_TAP         = 0x2
	IFF_NAPI        = 0x10
	IFF_MULTI_QUEUE = 0x100
	IFF_NO_PI       = 0x1000
	IFF_ONE_QUEUE   = 0x2000
	IFF_VNET_HDR    = 0x4000
	IFF_TUN_EXCL    = 0x8000
)

// Rtentry is struct rtentry of SIOCADDRT, 120 bytes.
type Rtentry struct {
	_       uint64
	Dst     [16]byte
	Gateway [16]byte
	Genmask [16]byte
	Flags   uint16
	_       [6]byte
	_       uint64
	Tos     uint8
	Class   uint8
	_       [6]byte
	Metric  int16
	_       [6]byte
	Dev     uint64
	Mtu     uint64
	Window  uint64
	Irtt    uint16
	_       [6]byte
}

// Route flags of /proc/net/route and Rtentry.
const (
	RTF_UP        = 1
	RTF_GATEWAY   = 2
	RTF_HOST      = 4
	RTF_REINSTATE = 8
	RTF_DYNAMIC   = 0x10
	RTF_MODIFIED  = 0x20
	RTF_REJECT    = 0x200
)
