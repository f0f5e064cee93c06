package netlink

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// A bridgeAttr is an attribute of a bridge, or of a port, with a number of some size.
type bridgeAttr struct {
	typ  uint16
	size int
	name string // of socket's numbers; "": it is 0, and cannot be set
}

// Those of bridges in Linux's order; what comes between them is written apart. Set in one place and never changed.
var (
	bridgeHead = []bridgeAttr{
		{linux.IFLA_BR_HELLO_TIMER, 8, "hello_timer"}, {linux.IFLA_BR_TCN_TIMER, 8, "tcn_timer"},
		{linux.IFLA_BR_TOPOLOGY_CHANGE_TIMER, 8, "topology_change_timer"}, {linux.IFLA_BR_GC_TIMER, 8, "gc_timer"},
		{linux.IFLA_BR_FORWARD_DELAY, 4, "forward_delay"}, {linux.IFLA_BR_HELLO_TIME, 4, "hello_time"},
		{linux.IFLA_BR_MAX_AGE, 4, "max_age"}, {linux.IFLA_BR_AGEING_TIME, 4, "ageing_time"}, {linux.IFLA_BR_STP_STATE, 4, "stp_state"},
		{linux.IFLA_BR_PRIORITY, 2, "priority"}, {linux.IFLA_BR_VLAN_FILTERING, 1, ""}, {linux.IFLA_BR_GROUP_FWD_MASK, 2, "group_fwd_mask"},
	}
	bridgeTail = []bridgeAttr{
		{linux.IFLA_BR_ROOT_PORT, 2, "root_port"}, {linux.IFLA_BR_ROOT_PATH_COST, 4, "root_path_cost"},
		{linux.IFLA_BR_TOPOLOGY_CHANGE, 1, "topology_change"}, {linux.IFLA_BR_TOPOLOGY_CHANGE_DETECTED, 1, "topology_change_detected"},
		{linux.IFLA_BR_MCAST_ROUTER, 1, "multicast_router"}, {linux.IFLA_BR_MCAST_SNOOPING, 1, "multicast_snooping"},
		{linux.IFLA_BR_MCAST_QUERY_USE_IFADDR, 1, "multicast_query_use_ifaddr"}, {linux.IFLA_BR_MCAST_QUERIER, 1, "multicast_querier"},
		{linux.IFLA_BR_MCAST_STATS_ENABLED, 1, "multicast_stats_enabled"}, {linux.IFLA_BR_MCAST_HASH_ELASTICITY, 4, "hash_elasticity"},
		{linux.IFLA_BR_MCAST_HASH_MAX, 4, "hash_max"}, {linux.IFLA_BR_MCAST_LAST_MEMBER_CNT, 4, "multicast_last_member_count"},
		{linux.IFLA_BR_MCAST_STARTUP_QUERY_CNT, 4, "multicast_startup_query_count"},
		{linux.IFLA_BR_MCAST_IGMP_VERSION, 1, "multicast_igmp_version"}, {linux.IFLA_BR_MCAST_MLD_VERSION, 1, "multicast_mld_version"},
		{linux.IFLA_BR_MCAST_LAST_MEMBER_INTVL, 8, "multicast_last_member_interval"},
		{linux.IFLA_BR_MCAST_MEMBERSHIP_INTVL, 8, "multicast_membership_interval"},
		{linux.IFLA_BR_MCAST_QUERIER_INTVL, 8, "multicast_querier_interval"}, {linux.IFLA_BR_MCAST_QUERY_INTVL, 8, "multicast_query_interval"},
		{linux.IFLA_BR_MCAST_QUERY_RESPONSE_INTVL, 8, "multicast_query_response_interval"},
		{linux.IFLA_BR_MCAST_STARTUP_QUERY_INTVL, 8, "multicast_startup_query_interval"},
		{linux.IFLA_BR_NF_CALL_IPTABLES, 1, "nf_call_iptables"}, {linux.IFLA_BR_NF_CALL_IP6TABLES, 1, "nf_call_ip6tables"},
		{linux.IFLA_BR_NF_CALL_ARPTABLES, 1, "nf_call_arptables"},
	}
	portHead = []bridgeAttr{
		{linux.IFLA_BRPORT_STATE, 1, "state"}, {linux.IFLA_BRPORT_PRIORITY, 2, "priority"}, {linux.IFLA_BRPORT_COST, 4, "path_cost"},
		{linux.IFLA_BRPORT_MODE, 1, "hairpin_mode"}, {linux.IFLA_BRPORT_GUARD, 1, "bpdu_guard"},
		{linux.IFLA_BRPORT_PROTECT, 1, "root_block"}, {linux.IFLA_BRPORT_FAST_LEAVE, 1, "multicast_fast_leave"},
		{linux.IFLA_BRPORT_MCAST_TO_UCAST, 1, "multicast_to_unicast"}, {linux.IFLA_BRPORT_LEARNING, 1, "learning"},
		{linux.IFLA_BRPORT_UNICAST_FLOOD, 1, "unicast_flood"}, {linux.IFLA_BRPORT_MCAST_FLOOD, 1, "multicast_flood"},
		{linux.IFLA_BRPORT_BCAST_FLOOD, 1, "broadcast_flood"}, {linux.IFLA_BRPORT_PROXYARP, 1, "proxyarp"},
		{linux.IFLA_BRPORT_PROXYARP_WIFI, 1, "proxyarp_wifi"},
	}
	portTail = []bridgeAttr{
		{linux.IFLA_BRPORT_DESIGNATED_COST, 2, "designated_cost"}, {linux.IFLA_BRPORT_TOPOLOGY_CHANGE_ACK, 1, "change_ack"},
		{linux.IFLA_BRPORT_CONFIG_PENDING, 1, "config_pending"}, {linux.IFLA_BRPORT_VLAN_TUNNEL, 1, "vlan_tunnel"},
		{linux.IFLA_BRPORT_GROUP_FWD_MASK, 2, "group_fwd_mask"}, {linux.IFLA_BRPORT_NEIGH_SUPPRESS, 1, "neigh_suppress"},
		{linux.IFLA_BRPORT_ISOLATED, 1, "isolated"}, {linux.IFLA_BRPORT_LOCKED, 1, "locked"}, {brportMAB, 1, "mab"},
		{linux.IFLA_BRPORT_MESSAGE_AGE_TIMER, 8, "message_age_timer"}, {linux.IFLA_BRPORT_FORWARD_DELAY_TIMER, 8, "forward_delay_timer"},
		{linux.IFLA_BRPORT_HOLD_TIMER, 8, "hold_timer"}, {linux.IFLA_BRPORT_MULTICAST_ROUTER, 1, "multicast_router"},
	}
)

const (
	brportMAB   = 40 // IFLA_BRPORT_MAB
	boolOptSize = 8
	boolOptMask = 0xff // of the options that 6.12 knows
)

// number writes a number of some size.
func (p *reply) number(typ uint16, size int, v uint64) {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	p.attr(typ, b)
}

// numberOf reads a number of an attribute of some size.
func numberOf(b []byte, size int) (v uint64, ok bool) {
	if len(b) < size {
		return 0, false
	}
	for i := range size {
		v |= uint64(b[i]) << (8 * i)
	}
	return v, true
}

func writeBridge(p *reply, ns *socket.Namespace, i *netstack.Interface) {
	c, ok := ns.Stack.Bridge(i.Index)
	if !ok {
		return
	}
	write := func(as []bridgeAttr) {
		for _, a := range as {
			v := uint64(0)
			if n, ok := socket.BridgeNumbers[a.name]; ok {
				v = n.Get(&c)
			}
			p.number(a.typ, a.size, v)
		}
	}
	nest := p.nest(linux.IFLA_INFO_DATA)
	write(bridgeHead)
	id := socket.BridgeID(&c)
	p.attr(linux.IFLA_BR_BRIDGE_ID, id[:])
	p.attr(linux.IFLA_BR_ROOT_ID, id[:])
	write(bridgeTail)
	p.attr(linux.IFLA_BR_GROUP_ADDR, []byte{0x01, 0x80, 0xc2, 0, 0, 0})
	p.attr(linux.IFLA_BR_MULTI_BOOLOPT, []byte{0, 0, 0, 0, boolOptMask, 0, 0, 0})
	p.unnest(nest)
}

// writePort writes what there is of a port; typ is the attribute that holds it.
func writePort(p *reply, ns *socket.Namespace, typ uint16, port *netstack.Port) {
	c, _ := ns.Stack.Bridge(port.Bridge)
	nest := p.nest(typ)
	for _, a := range portHead {
		p.number(a.typ, a.size, socket.PortNumbers[a.name].Get(port))
	}
	id := socket.BridgeID(&c)
	p.attr(linux.IFLA_BRPORT_ROOT_ID, id[:])
	p.attr(linux.IFLA_BRPORT_BRIDGE_ID, id[:])
	p.number(linux.IFLA_BRPORT_DESIGNATED_PORT, 2, uint64(port.ID()))
	p.number(linux.IFLA_BRPORT_ID, 2, uint64(port.ID()))
	p.number(linux.IFLA_BRPORT_NO, 2, uint64(port.Number))
	for _, a := range portTail {
		p.number(a.typ, a.size, socket.PortNumbers[a.name].Get(port))
	}
	p.unnest(nest)
}

// readBridge changes c as the attributes of a request say.
func (k *call) readBridge(data []byte, c *netstack.BridgeConf) (flush bool, err error) {
	inner := request{body: data}
	attrs, err := inner.attributes(0)
	if err != nil {
		return false, err
	}
	for typ, b := range attrs {
		switch typ {
		case linux.IFLA_BR_FDB_FLUSH:
			flush = true
			continue
		case linux.IFLA_BR_MULTI_BOOLOPT:
			if v, ok := numberOf(b, boolOptSize); !ok || uint32(v)&uint32(v>>32) != 0 {
				return false, linux.EOPNOTSUPP
			}
			continue
		}
		a, ok := attrAmong(typ, bridgeHead, bridgeTail)
		if !ok || a.name == "" {
			return false, linux.EOPNOTSUPP
		}
		v, ok := numberOf(b, a.size)
		if !ok {
			return false, linux.ERANGE
		}
		if err := socket.BridgeNumbers[a.name].Set(c, v); err != nil {
			return false, err
		}
	}
	return flush, nil
}

func attrAmong(typ uint16, tables ...[]bridgeAttr) (bridgeAttr, bool) {
	for _, t := range tables {
		for _, a := range t {
			if a.typ == typ {
				return a, true
			}
		}
	}
	return bridgeAttr{}, false
}

// changeBridge sets what a request says of a bridge.
func (k *call) changeBridge(i *netstack.Interface, data []byte) error {
	flush := false
	err := k.ns().ChangeBridge(i.Index, func(c *netstack.BridgeConf) (err error) {
		flush, err = k.readBridge(data, c)
		return err
	})
	if err == nil && flush {
		k.stack.FlushStations(i.Index, nil)
	}
	return err
}

// changePort sets what a request says of a port.
func (k *call) changePort(i *netstack.Interface, data []byte) error {
	inner := request{body: data}
	attrs, err := inner.attributes(0)
	if err != nil {
		return err
	}
	for typ, b := range attrs {
		if typ == linux.IFLA_BRPORT_FLUSH {
			k.flushPort(i.Index)
			continue
		}
		a, ok := attrAmong(typ, portHead, portTail)
		if !ok {
			return linux.EOPNOTSUPP
		}
		v, ok := numberOf(b, a.size)
		if !ok {
			return linux.ERANGE
		}
		if err := k.ns().ChangePort(i.Index, a.name, v); err != nil {
			return err
		}
	}
	return nil
}

func (k *call) flushPort(index int32) {
	if p, ok := k.stack.Port(index); ok {
		k.stack.FlushStations(p.Bridge, func(st *netstack.Station) bool { return st.Port == index && !st.Static && !st.Local })
	}
}

// createBridge is RTM_NEWLINK of a bridge.
func (k *call) createBridge(spec netstack.LinkSpec, to *socket.Namespace, info map[uint16][]byte) error {
	c := netstack.DefaultBridge()
	if data, ok := info[linux.IFLA_INFO_DATA]; ok {
		if _, err := k.readBridge(data, &c); err != nil {
			return err
		}
	}
	if spec.Name == "" {
		spec.Name = freeName(to, "bridge")
	}
	return to.Stack.AddBridge(spec, c)
}

// changeInfo sets what a request says of a link as one of its kind, and as a port.
func (k *call) changeInfo(i *netstack.Interface, b []byte) error {
	inner := request{body: b}
	info, err := inner.attributes(0)
	if err != nil {
		return err
	}
	if data, ok := info[linux.IFLA_INFO_DATA]; ok {
		if cString(info[linux.IFLA_INFO_KIND]) != i.Kind || i.Kind != "bridge" {
			return linux.EOPNOTSUPP
		}
		if err := k.changeBridge(i, data); err != nil {
			return err
		}
	}
	data, ok := info[linux.IFLA_INFO_SLAVE_DATA]
	if !ok {
		return nil
	}
	if kind, ok := info[linux.IFLA_INFO_SLAVE_KIND]; ok && cString(kind) != "bridge" {
		return linux.EOPNOTSUPP
	}
	if _, ok := k.stack.Port(i.Index); !ok {
		return linux.EOPNOTSUPP
	}
	return k.changePort(i, data)
}

// setMaster makes a link a port of the bridge that an attribute names.
func (k *call) setMaster(index int32, b []byte) error {
	m, ok := u32(b)
	if !ok {
		return linux.ERANGE
	}
	err := k.ns().SetMaster(index, int32(m))
	switch {
	case err == error(linux.ELOOP):
		return k.fail(linux.ELOOP, "Can not enslave a bridge to a bridge")
	case err == error(linux.EOPNOTSUPP) && k.kindOf(int32(m)) != "bridge":
		return linux.EOPNOTSUPP
	}
	return err
}

func (k *call) kindOf(index int32) string {
	i, _ := k.stack.Interface(index)
	return i.Kind
}

// dumpBridgeLinks lists the ports of bridges (RTM_GETLINK of PF_BRIDGE).
func (k *call) dumpBridgeLinks() error {
	for _, i := range k.stack.Interfaces() {
		if p, ok := k.stack.Port(i.Index); ok {
			writeBridgeLink(&k.reply, k.ns(), &i, &p)
		}
	}
	return nil
}

func writeBridgeLink(p *reply, ns *socket.Namespace, i *netstack.Interface, port *netstack.Port) {
	p.begin(linux.RTM_NEWLINK, &linux.Ifinfomsg{
		Family: uint8(linux.AF_BRIDGE), Type: socket.HardwareType(i), Index: i.Index, Flags: socket.IfFlagsOf(i),
	})
	p.attrString(linux.IFLA_IFNAME, i.Name)
	p.attrU32(linux.IFLA_MASTER, uint32(port.Bridge))
	p.attrU32(linux.IFLA_MTU, i.MTU)
	p.attrU8(linux.IFLA_OPERSTATE, operState(i))
	p.attr(linux.IFLA_ADDRESS, i.HWAddr[:])
	if o, at := ns.Peer(i.Index); o != nil {
		p.attrU32(linux.IFLA_LINK, uint32(at))
		o.DecRef()
	}
	writePort(p, ns, linux.IFLA_PROTINFO|linux.NLA_F_NESTED, port)
	p.end()
}

// What a request is about: the bridge, or the link itself.
const (
	bridgeFlagsMaster = 1
	bridgeFlagsSelf   = 2
	ifBridgeFlags     = 0
)

// setBridgeLink is RTM_SETLINK of PF_BRIDGE. (Linux: net/core/rtnetlink.c rtnl_bridge_setlink)
func (k *call) setBridgeLink() error {
	attrs, err := k.r.attributes(ifinfoSize)
	if err != nil {
		return err
	}
	i, ok := k.stack.Interface(int32(le32(k.r.body[4:])))
	if !ok {
		return k.fail(linux.ENODEV, "unknown ifindex")
	}
	spec, has := attrs[linux.IFLA_AF_SPEC]
	if has {
		inner := request{body: spec}
		as, err := inner.attributes(0)
		if err != nil {
			return err
		}
		if f, ok := as[ifBridgeFlags]; ok && len(f) >= 2 && f[0]&bridgeFlagsSelf != 0 {
			return linux.EOPNOTSUPP
		}
		for typ := range as {
			if typ != ifBridgeFlags {
				return linux.EOPNOTSUPP // there are no VLANs in bridges
			}
		}
	}
	info, ok := attrs[linux.IFLA_PROTINFO]
	switch {
	case i.Master == 0 && i.Kind != "bridge":
		return linux.EOPNOTSUPP
	case !ok && !has:
		return nil
	case i.Master == 0:
		return linux.EINVAL
	}
	return k.changePort(&i, info)
}
