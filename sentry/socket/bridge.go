package socket

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Limits of what can be set of a bridge, in hundredths of a second, and of its ports (Linux: net/bridge/br_private_stp.h).
const (
	minHelloTime, maxHelloTime = 100, 1000
	minMaxAge, maxMaxAge       = 600, 4000
	restrictedGroups           = 0x7
	maxPortPriority            = 63
	maxPathCost                = 65535
)

// AddBridge makes a bridge and tells of it.
func (n *Namespace) AddBridge(spec netstack.LinkSpec, c netstack.BridgeConf) error {
	if _, taken := n.Stack.InterfaceByName(spec.Name); taken {
		return linux.EEXIST
	}
	if err := n.Stack.AddBridge(spec, c); err != nil {
		return err
	}
	if i, ok := n.Stack.InterfaceByName(spec.Name); ok {
		n.LinkChanged(i.Index)
	}
	return nil
}

// Enslave makes an interface a port of a bridge; Release takes it out. Errors are netstack's.
func (n *Namespace) Enslave(index, master int32) error {
	if err := n.Stack.Enslave(index, master); err != nil {
		return err
	}
	n.LinkChanged(index)
	n.LinkChanged(master)
	return nil
}

func (n *Namespace) Release(index int32) error {
	p, _ := n.Stack.Port(index)
	if err := n.Stack.Release(index); err != nil {
		return err
	}
	n.LinkChanged(index)
	n.LinkChanged(p.Bridge)
	return nil
}

// SetMaster makes an interface a port of the bridge master, and no more one of another; 0: of none. (Linux:
// net/core/rtnetlink.c do_set_master)
func (n *Namespace) SetMaster(index, master int32) error {
	if p, ok := n.Stack.Port(index); ok {
		if p.Bridge == master {
			return nil
		}
		if err := n.Release(index); err != nil {
			return err
		}
	}
	if master == 0 {
		return nil
	}
	if _, ok := n.Stack.Interface(master); !ok {
		return linux.EINVAL
	}
	return n.Enslave(index, master)
}

// ChangeBridge has change change what is set of a bridge, and tells.
func (n *Namespace) ChangeBridge(index int32, change func(*netstack.BridgeConf) error) error {
	c, ok := n.Stack.Bridge(index)
	if !ok {
		return linux.EOPNOTSUPP
	}
	if err := change(&c); err != nil {
		return err
	}
	return n.Stack.SetBridge(index, func(b *netstack.BridgeConf) { *b = c })
}

// A BridgeNumber is a number that can be set of a bridge: by an attribute, a file or an ioctl.
type BridgeNumber struct {
	Get func(c *netstack.BridgeConf) uint64
	Set func(c *netstack.BridgeConf, v uint64) error // nil: it only can be what it is
}

func time32(of func(*netstack.BridgeConf) *uint32, least, most uint64) BridgeNumber {
	return BridgeNumber{
		func(c *netstack.BridgeConf) uint64 { return uint64(*of(c)) },
		func(c *netstack.BridgeConf, v uint64) error {
			if v < least || v > most {
				return linux.ERANGE
			}
			*of(c) = uint32(v)
			return nil
		},
	}
}

func word16(of func(*netstack.BridgeConf) *uint16, refused uint64) BridgeNumber {
	return BridgeNumber{
		func(c *netstack.BridgeConf) uint64 { return uint64(*of(c)) },
		func(c *netstack.BridgeConf, v uint64) error {
			if v&refused != 0 || v > 0xffff {
				return linux.EINVAL
			}
			*of(c) = uint16(v)
			return nil
		},
	}
}

func switchOf(of func(*netstack.BridgeConf) *bool) BridgeNumber {
	return BridgeNumber{
		func(c *netstack.BridgeConf) uint64 {
			if *of(c) {
				return 1
			}
			return 0
		},
		func(c *netstack.BridgeConf, v uint64) error { *of(c) = v != 0; return nil },
	}
}

// Fixed is a number that can be what it is, and set to nothing else.
func Fixed(v uint64) BridgeNumber {
	return BridgeNumber{func(*netstack.BridgeConf) uint64 { return v }, func(_ *netstack.BridgeConf, w uint64) error {
		if w != v {
			return linux.EOPNOTSUPP
		}
		return nil
	}}
}

// BridgeNumbers are what the files of a bridge's directory in /sys show, by name. There is no spanning tree and no querier; the
// numbers of snooping are Linux's, and mean nothing without one. Set in one place and never changed.
var BridgeNumbers = map[string]BridgeNumber{
	"forward_delay":    time32(func(c *netstack.BridgeConf) *uint32 { return &c.ForwardDelay }, 0, 1<<31),
	"hello_time":       time32(func(c *netstack.BridgeConf) *uint32 { return &c.HelloTime }, minHelloTime, maxHelloTime),
	"max_age":          time32(func(c *netstack.BridgeConf) *uint32 { return &c.MaxAge }, minMaxAge, maxMaxAge),
	"ageing_time":      time32(func(c *netstack.BridgeConf) *uint32 { return &c.AgeingTime }, 0, 1<<31),
	"priority":         word16(func(c *netstack.BridgeConf) *uint16 { return &c.Priority }, 0),
	"group_fwd_mask":   word16(func(c *netstack.BridgeConf) *uint16 { return &c.GroupFwdMask }, restrictedGroups),
	"nf_call_iptables": Fixed(0), "nf_call_ip6tables": Fixed(0), "nf_call_arptables": Fixed(0),
	"multicast_snooping": switchOf(func(c *netstack.BridgeConf) *bool { return &c.Snooping }),
	"stp_state":          Fixed(0),
	"no_linklocal_learn": Fixed(0), "multicast_router": Fixed(1), "multicast_querier": Fixed(0), "multicast_query_use_ifaddr": Fixed(0),
	"hash_elasticity": Fixed(16), "hash_max": Fixed(4096), "multicast_last_member_count": Fixed(2),
	"multicast_startup_query_count": Fixed(2), "multicast_last_member_interval": Fixed(100),
	"multicast_membership_interval": Fixed(26000), "multicast_querier_interval": Fixed(25500), "multicast_query_interval": Fixed(12500),
	"multicast_query_response_interval": Fixed(1000), "multicast_startup_query_interval": Fixed(3124),
	"multicast_stats_enabled": Fixed(0), "multicast_igmp_version": Fixed(2), "multicast_mld_version": Fixed(1),
	"root_path_cost": Fixed(0), "root_port": Fixed(0), "tcn_timer": Fixed(0), "hello_timer": Fixed(0), "gc_timer": Fixed(0),
	"topology_change": Fixed(0), "topology_change_detected": Fixed(0), "topology_change_timer": Fixed(0),
}

// BridgeID is a bridge's identifier: of its priority and its address, as it goes over the wire.
func BridgeID(c *netstack.BridgeConf) (id [8]byte) {
	binary.BigEndian.PutUint16(id[:], c.Priority)
	copy(id[2:], c.Addr[:])
	return id
}

// Set in one place and never changed.
var bridgeIoctls = map[linux.IoctlCmd]func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error){
	linux.SIOCBRADDBR: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
		return 0, bridgeByName(ns, c, mem, arg, true)
	},
	linux.SIOCBRDELBR: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
		return 0, bridgeByName(ns, c, mem, arg, false)
	},
	linux.SIOCGIFBR: oldBridges, linux.SIOCSIFBR: oldBridges,
	linux.SIOCBRADDIF: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
		return 0, bridgePort(ns, c, mem, arg, true)
	},
	linux.SIOCBRDELIF: func(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
		return 0, bridgePort(ns, c, mem, arg, false)
	},
	linux.SIOCDEVPRIVATE: bridgePrivate,
}

// bridgeByName makes or removes the bridge whose name is at arg.
func bridgeByName(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64, add bool) error {
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	name, err := deviceName(mem, arg)
	if err != nil {
		return err
	}
	if add {
		return ns.AddBridge(netstack.LinkSpec{Name: name}, netstack.DefaultBridge())
	}
	i, ok := ns.Stack.InterfaceByName(name)
	switch {
	case !ok:
		return linux.ENXIO
	case i.Kind != "bridge":
		return linux.EPERM
	case i.Up:
		return linux.EBUSY
	}
	return ns.RemoveLink(i)
}

// bridgeOf finds the bridge that a struct ifreq names, and returns what follows the name. EOPNOTSUPP when it is none.
func bridgeOf(ns *Namespace, mem usermem.Space, arg uint64) (i netstack.Interface, data [8]byte, err error) {
	var b [sizeIfreq]byte
	if _, err := mem.CopyIn(arg, b[:]); err != nil {
		return i, data, err
	}
	name, _, _ := bytes.Cut(b[:linux.IFNAMSIZ-1], []byte{0})
	i, ok := ns.Stack.InterfaceByName(string(name))
	switch {
	case !ok:
		return i, data, linux.ENODEV
	case i.Kind != "bridge":
		return i, data, linux.EOPNOTSUPP
	}
	return i, [8]byte(b[linux.IFNAMSIZ:]), nil
}

// bridgePort makes an interface, by its number, a bridge's port, or takes it out.
func bridgePort(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64, add bool) error {
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return linux.EPERM
	}
	br, data, err := bridgeOf(ns, mem, arg)
	if err != nil {
		return err
	}
	return portOfBridge(ns, &br, int32(binary.LittleEndian.Uint32(data[:])), add)
}

func portOfBridge(ns *Namespace, br *netstack.Interface, index int32, add bool) error {
	if _, ok := ns.Stack.Interface(index); !ok {
		return linux.EINVAL
	}
	if add {
		return ns.Enslave(index, br.Index)
	}
	if p, ok := ns.Stack.Port(index); !ok || p.Bridge != br.Index {
		return linux.EINVAL
	}
	return ns.Release(index)
}

// readArgs reads the words that the older requests carry.
func readArgs(mem usermem.Space, arg uint64, n int) (a [4]uint64, err error) {
	var b [32]byte
	if _, err := mem.CopyIn(arg, b[:8*n]); err != nil {
		return a, err
	}
	for i := range n {
		a[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return a, nil
}

// oldBridges are the requests that name no bridge (Linux: net/bridge/br_ioctl.c old_deviceless).
func oldBridges(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
	a, err := readArgs(mem, arg, 3)
	if err != nil {
		return 0, err
	}
	switch a[0] {
	case linux.BRCTL_GET_VERSION:
		return linux.BRCTL_VERSION, nil
	case linux.BRCTL_GET_BRIDGES:
		const most = 2048
		if a[2] >= most {
			return 0, linux.ENOMEM
		}
		out := make([]byte, 4*a[2])
		n := 0
		for _, i := range ns.Interfaces() {
			if i.Kind == "bridge" && n < int(a[2]) {
				binary.LittleEndian.PutUint32(out[4*n:], uint32(i.Index))
				n++
			}
		}
		_, err := mem.CopyOut(a[1], out)
		return uintptr(n), err
	case linux.BRCTL_ADD_BRIDGE:
		return 0, bridgeByName(ns, c, mem, a[1], true)
	case linux.BRCTL_DEL_BRIDGE:
		return 0, bridgeByName(ns, c, mem, a[1], false)
	}
	return 0, linux.EOPNOTSUPP
}

// bridgePrivate are the older requests about one bridge (Linux: net/bridge/br_ioctl.c br_dev_siocdevprivate).
func bridgePrivate(ns *Namespace, c *vfs.Caller, mem usermem.Space, arg uint64) (uintptr, error) {
	br, data, err := bridgeOf(ns, mem, arg)
	if err != nil {
		return 0, err
	}
	a, err := readArgs(mem, binary.LittleEndian.Uint64(data[:]), 4)
	if err != nil {
		return 0, err
	}
	switch a[0] {
	case linux.BRCTL_GET_BRIDGE_INFO:
		return 0, putBridgeInfo(ns, &br, mem, a[1])
	case linux.BRCTL_GET_PORT_LIST:
		return putPortList(ns, &br, mem, a)
	case linux.BRCTL_GET_PORT_INFO:
		return 0, putPortInfo(ns, &br, mem, a)
	case linux.BRCTL_GET_FDB_ENTRIES:
		return putStations(ns, &br, mem, a)
	}
	if !ns.Capable(c, linux.CAP_NET_ADMIN) {
		return 0, linux.EPERM
	}
	switch a[0] {
	case linux.BRCTL_ADD_IF, linux.BRCTL_DEL_IF:
		return 0, portOfBridge(ns, &br, int32(a[1]), a[0] == linux.BRCTL_ADD_IF)
	case linux.BRCTL_SET_GC_INTERVAL:
		return 0, nil // as in Linux, which has none any more
	case linux.BRCTL_SET_PORT_PRIORITY, linux.BRCTL_SET_PATH_COST:
		return 0, setPortNumber(ns, &br, a)
	}
	if name := settable[a[0]]; name != "" {
		return 0, ns.ChangeBridge(br.Index, func(c *netstack.BridgeConf) error { return BridgeNumbers[name].Set(c, a[1]) })
	}
	return 0, linux.EOPNOTSUPP
}

// What of a bridge the older requests set. Set in one place and never changed.
var settable = map[uint64]string{
	linux.BRCTL_SET_BRIDGE_FORWARD_DELAY: "forward_delay", linux.BRCTL_SET_BRIDGE_HELLO_TIME: "hello_time",
	linux.BRCTL_SET_BRIDGE_MAX_AGE: "max_age", linux.BRCTL_SET_AGEING_TIME: "ageing_time",
	linux.BRCTL_SET_BRIDGE_STP_STATE: "stp_state", linux.BRCTL_SET_BRIDGE_PRIORITY: "priority",
}

func setPortNumber(ns *Namespace, br *netstack.Interface, a [4]uint64) error {
	p, ok := portNumbered(ns, br, a[1])
	if !ok {
		return linux.EINVAL
	}
	if a[0] == linux.BRCTL_SET_PORT_PRIORITY {
		return ns.ChangePort(p.Index, "priority", a[2])
	}
	return ns.ChangePort(p.Index, "path_cost", a[2])
}

func portNumbered(ns *Namespace, br *netstack.Interface, number uint64) (netstack.Port, bool) {
	for _, p := range ns.Stack.Ports(br.Index) {
		if uint64(p.Number) == number {
			return p, true
		}
	}
	return netstack.Port{}, false
}

func putBridgeInfo(ns *Namespace, br *netstack.Interface, mem usermem.Space, to uint64) error {
	c, ok := ns.Stack.Bridge(br.Index)
	if !ok {
		return linux.EOPNOTSUPP
	}
	raw := BridgeID(&c)
	id := binary.LittleEndian.Uint64(raw[:])
	return putStruct(mem, to, &linux.BridgeInfo{
		DesignatedRoot: id, BridgeID: id, MaxAge: c.MaxAge, HelloTime: c.HelloTime, ForwardDelay: c.ForwardDelay,
		BridgeMaxAge: c.MaxAge, BridgeHelloTime: c.HelloTime, BridgeForwardDelay: c.ForwardDelay, AgeingTime: c.AgeingTime,
	})
}

func putStruct(mem usermem.Space, to uint64, v any) error {
	b, err := binary.Append(nil, binary.LittleEndian, v)
	if err == nil {
		_, err = mem.CopyOut(to, b)
	}
	return err
}

// putPortList writes the ports' interfaces by their numbers.
func putPortList(ns *Namespace, br *netstack.Interface, mem usermem.Space, a [4]uint64) (uintptr, error) {
	n := a[2]
	const most = 1024
	switch {
	case n > 1<<31:
		return 0, linux.EINVAL
	case n == 0:
		n = 256
	case n > most:
		n = most
	}
	out := make([]byte, 4*n)
	for _, p := range ns.Stack.Ports(br.Index) {
		if uint64(p.Number) < n {
			binary.LittleEndian.PutUint32(out[4*p.Number:], uint32(p.Index))
		}
	}
	_, err := mem.CopyOut(a[1], out)
	return uintptr(n), err
}

func putPortInfo(ns *Namespace, br *netstack.Interface, mem usermem.Space, a [4]uint64) error {
	c, _ := ns.Stack.Bridge(br.Index)
	p, ok := portNumbered(ns, br, a[2])
	if !ok {
		return linux.EINVAL
	}
	raw := BridgeID(&c)
	id := binary.LittleEndian.Uint64(raw[:])
	return putStruct(mem, a[1], &linux.BridgePortInfo{
		DesignatedRoot: id, DesignatedBridge: id, PortID: p.ID(), DesignatedPort: p.ID(), PathCost: p.Cost, State: p.State,
	})
}

// StationEntries are what a bridge knows as BRCTL_GET_FDB_ENTRIES and the file brforward have it.
func (n *Namespace) StationEntries(index int32, skip, most int) (out []byte, count int) {
	all := n.Stack.Stations(index)
	all = slices.DeleteFunc(all, func(st netstack.Station) bool { return st.Port == 0 })
	for _, st := range all[min(skip, len(all)):] {
		if count == most {
			break
		}
		e := linux.BridgeFDBEntry{Addr: st.HWAddr, Port: uint8(st.Number), PortHi: uint8(st.Number >> 8)}
		if st.Local {
			e.IsLocal = 1
		}
		if !st.Static && !st.Local {
			e.Ageing = st.AgeOf()
		}
		if b, err := binary.Append(out, binary.LittleEndian, &e); err == nil {
			out = b
		}
		count++
	}
	return out, count
}

func putStations(ns *Namespace, br *netstack.Interface, mem usermem.Space, a [4]uint64) (uintptr, error) {
	const page = linux.PageSize / 16
	out, count := ns.StationEntries(br.Index, int(min(a[3], 1<<20)), int(min(a[2], page)))
	_, err := mem.CopyOut(a[1], out)
	return uintptr(count), err
}
