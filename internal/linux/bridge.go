package linux

// Attributes of bridges, in IFLA_INFO_DATA.
const (
	IFLA_BR_FORWARD_DELAY              = 1
	IFLA_BR_HELLO_TIME                 = 2
	IFLA_BR_MAX_AGE                    = 3
	IFLA_BR_AGEING_TIME                = 4
	IFLA_BR_STP_STATE                  = 5
	IFLA_BR_PRIORITY                   = 6
	IFLA_BR_VLAN_FILTERING             = 7
	IFLA_BR_VLAN_PROTOCOL              = 8
	IFLA_BR_GROUP_FWD_MASK             = 9
	IFLA_BR_ROOT_ID                    = 10
	IFLA_BR_BRIDGE_ID                  = 11
	IFLA_BR_ROOT_PORT                  = 12
	IFLA_BR_ROOT_PATH_COST             = 13
	IFLA_BR_TOPOLOGY_CHANGE            = 14
	IFLA_BR_TOPOLOGY_CHANGE_DETECTED   = 15
	IFLA_BR_HELLO_TIMER                = 16
	IFLA_BR_TCN_TIMER                  = 17
	IFLA_BR_TOPOLOGY_CHANGE_TIMER      = 18
	IFLA_BR_GC_TIMER                   = 19
	IFLA_BR_GROUP_ADDR                 = 20
	IFLA_BR_FDB_FLUSH                  = 21
	IFLA_BR_MCAST_ROUTER               = 22
	IFLA_BR_MCAST_SNOOPING             = 23
	IFLA_BR_MCAST_QUERY_USE_IFADDR     = 24
	IFLA_BR_MCAST_QUERIER              = 25
	IFLA_BR_MCAST_HASH_ELASTICITY      = 26
	IFLA_BR_MCAST_HASH_MAX             = 27
	IFLA_BR_MCAST_LAST_MEMBER_CNT      = 28
	IFLA_BR_MCAST_STARTUP_QUERY_CNT    = 29
	IFLA_BR_MCAST_LAST_MEMBER_INTVL    = 30
	IFLA_BR_MCAST_MEMBERSHIP_INTVL     = 31
	IFLA_BR_MCAST_QUERIER_INTVL        = 32
	IFLA_BR_MCAST_QUERY_INTVL          = 33
	IFLA_BR_MCAST_QUERY_RESPONSE_INTVL = 34
	IFLA_BR_MCAST_STARTUP_QUERY_INTVL  = 35
	IFLA_BR_NF_CALL_IPTABLES           = 36
	IFLA_BR_NF_CALL_IP6TABLES          = 37
	IFLA_BR_NF_CALL_ARPTABLES          = 38
	IFLA_BR_VLAN_DEFAULT_PVID          = 39
	IFLA_BR_PAD                        = 40
	IFLA_BR_VLAN_STATS_ENABLED         = 41
	IFLA_BR_MCAST_STATS_ENABLED        = 42
	IFLA_BR_MCAST_IGMP_VERSION         = 43
	IFLA_BR_MCAST_MLD_VERSION          = 44
	IFLA_BR_VLAN_STATS_PER_PORT        = 45
	IFLA_BR_MULTI_BOOLOPT              = 46
	IFLA_BR_MCAST_QUERIER_STATE        = 47
	IFLA_BR_FDB_N_LEARNED              = 48
	IFLA_BR_FDB_MAX_LEARNED            = 49
)

// Attributes of bridges' ports, in IFLA_PROTINFO and IFLA_INFO_SLAVE_DATA.
const (
	IFLA_BRPORT_STATE                 = 1
	IFLA_BRPORT_PRIORITY              = 2
	IFLA_BRPORT_COST                  = 3
	IFLA_BRPORT_MODE                  = 4
	IFLA_BRPORT_GUARD                 = 5
	IFLA_BRPORT_PROTECT               = 6
	IFLA_BRPORT_FAST_LEAVE            = 7
	IFLA_BRPORT_LEARNING              = 8
	IFLA_BRPORT_UNICAST_FLOOD         = 9
	IFLA_BRPORT_PROXYARP              = 10
	IFLA_BRPORT_LEARNING_SYNC         = 11
	IFLA_BRPORT_PROXYARP_WIFI         = 12
	IFLA_BRPORT_ROOT_ID               = 13
	IFLA_BRPORT_BRIDGE_ID             = 14
	IFLA_BRPORT_DESIGNATED_PORT       = 15
	IFLA_BRPORT_DESIGNATED_COST       = 16
	IFLA_BRPORT_ID                    = 17
	IFLA_BRPORT_NO                    = 18
	IFLA_BRPORT_TOPOLOGY_CHANGE_ACK   = 19
	IFLA_BRPORT_CONFIG_PENDING        = 20
	IFLA_BRPORT_MESSAGE_AGE_TIMER     = 21
	IFLA_BRPORT_FORWARD_DELAY_TIMER   = 22
	IFLA_BRPORT_HOLD_TIMER            = 23
	IFLA_BRPORT_FLUSH                 = 24
	IFLA_BRPORT_MULTICAST_ROUTER      = 25
	IFLA_BRPORT_PAD                   = 26
	IFLA_BRPORT_MCAST_FLOOD           = 27
	IFLA_BRPORT_MCAST_TO_UCAST        = 28
	IFLA_BRPORT_VLAN_TUNNEL           = 29
	IFLA_BRPORT_BCAST_FLOOD           = 30
	IFLA_BRPORT_GROUP_FWD_MASK        = 31
	IFLA_BRPORT_NEIGH_SUPPRESS        = 32
	IFLA_BRPORT_ISOLATED              = 33
	IFLA_BRPORT_BACKUP_PORT           = 34
	IFLA_BRPORT_MRP_RING_OPEN         = 35
	IFLA_BRPORT_MRP_IN_OPEN           = 36
	IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT = 37
	IFLA_BRPORT_MCAST_EHT_HOSTS_CNT   = 38
	IFLA_BRPORT_LOCKED                = 39
)

// Attributes and flags of a bridge's table of stations, beside those of neighbours.
const (
	NDA_VLAN        = 5
	NDA_PORT        = 6
	NDA_VNI         = 7
	NDA_IFINDEX     = 8
	NDA_MASTER      = 9
	NDA_FLAGS_EXT   = 15
	NTF_USE         = 0x1
	NTF_SELF        = 0x2
	NTF_MASTER      = 0x4
	NTF_EXT_LEARNED = 0x10
	NTF_OFFLOADED   = 0x20
	NTF_STICKY      = 0x40
)

// Requests of the ioctls about bridges (if_bridge.h).
const (
	BRCTL_VERSION                  = 1
	BRCTL_GET_VERSION              = 0
	BRCTL_GET_BRIDGES              = 1
	BRCTL_ADD_BRIDGE               = 2
	BRCTL_DEL_BRIDGE               = 3
	BRCTL_ADD_IF                   = 4
	BRCTL_DEL_IF                   = 5
	BRCTL_GET_BRIDGE_INFO          = 6
	BRCTL_GET_PORT_LIST            = 7
	BRCTL_SET_BRIDGE_FORWARD_DELAY = 8
	BRCTL_SET_BRIDGE_HELLO_TIME    = 9
	BRCTL_SET_BRIDGE_MAX_AGE       = 10
	BRCTL_SET_AGEING_TIME          = 11
	BRCTL_SET_GC_INTERVAL          = 12
	BRCTL_GET_PORT_INFO            = 13
	BRCTL_SET_BRIDGE_STP_STATE     = 14
	BRCTL_SET_BRIDGE_PRIORITY      = 15
	BRCTL_SET_PORT_PRIORITY        = 16
	BRCTL_SET_PATH_COST            = 17
	BRCTL_GET_FDB_ENTRIES          = 18
)

// BridgeInfo is struct __bridge_info, of BRCTL_GET_BRIDGE_INFO.
type BridgeInfo struct {
	DesignatedRoot, BridgeID                                     uint64
	RootPathCost                                                 uint32
	MaxAge, HelloTime, ForwardDelay                              uint32
	BridgeMaxAge, BridgeHelloTime, BridgeForwardDelay            uint32
	TopologyChange, TopologyChangeDetected, RootPort, STPEnabled uint8
	AgeingTime, GCInterval                                       uint32
	HelloTimer, TCNTimer, TopologyChangeTimer, GCTimer           uint32
	_                                                            uint32
}

// BridgePortInfo is struct __port_info, of BRCTL_GET_PORT_INFO.
type BridgePortInfo struct {
	DesignatedRoot, DesignatedBridge              uint64
	PortID, DesignatedPort                        uint16
	PathCost, DesignatedCost                      uint32
	State, TopologyChangeAck, ConfigPending, _    uint8
	MessageAgeTimer, ForwardDelayTimer, HoldTimer uint32
}

// BridgeFDBEntry is struct __fdb_entry, of BRCTL_GET_FDB_ENTRIES.
type BridgeFDBEntry struct {
	Addr    [6]byte
	Port    uint8
	IsLocal uint8
	Ageing  uint32
	PortHi  uint8
	_       uint8
	_       uint16
}
