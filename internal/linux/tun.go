package linux

// What TUNGETIFF shows beside the flags of TUNSETIFF, and flags of TUNSETOFFLOAD and struct tun_pi (if_tun.h).
const (
	IFF_PERSIST   = 0x0800
	TUN_PKT_STRIP = 0x0001
	SizeTunPI     = 4 // struct tun_pi
	TUN_F_CSUM    = 0x01
	TUN_F_TSO4    = 0x02
	TUN_F_TSO6    = 0x04
	TUN_F_TSO_ECN = 0x08
	TUN_F_UFO     = 0x10
)

// Requests of /dev/net/tun beside those of ioctl.go.
const (
	TUNSETDEBUG     IoctlCmd = 0x400454c9
	TUNSETGROUP     IoctlCmd = 0x400454ce
	TUNGETVNETHDRSZ IoctlCmd = 0x800454d7
	TUNSETVNETHDRSZ IoctlCmd = 0x400454d8
)

// Attributes of an interface of tun(4), in IFLA_INFO_DATA.
const (
	IFLA_TUN_OWNER       = 1
	IFLA_TUN_GROUP       = 2
	IFLA_TUN_TYPE        = 3
	IFLA_TUN_PI          = 4
	IFLA_TUN_VNET_HDR    = 5
	IFLA_TUN_PERSIST     = 6
	IFLA_TUN_MULTI_QUEUE = 7
)
