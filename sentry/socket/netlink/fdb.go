package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// dumpStations lists what bridges know, and what links themselves listen to (RTM_GETNEIGH of PF_BRIDGE; Linux:
// net/core/rtnetlink.c rtnl_fdb_dump).
func (k *call) dumpStations() error {
	var port, br int32
	size, index, master := ndmsgSize, uint16(linux.NDA_IFINDEX), uint16(linux.NDA_MASTER)
	if !k.strict() && len(k.r.body) >= ifinfoSize {
		size, index, master = ifinfoSize, 0, linux.IFLA_MASTER
	}
	if len(k.r.body) >= size {
		attrs, err := k.r.attributes(size)
		if err != nil {
			return err
		}
		port = int32(le32(k.r.body[4:]))
		if v, ok := u32(attrs[index]); ok && index != 0 {
			port = int32(v)
		}
		if v, ok := u32(attrs[master]); ok {
			br = int32(v)
		}
	}
	if br != 0 {
		if _, ok := k.stack.Interface(br); !ok {
			return linux.ENODEV
		}
	}
	for _, i := range k.stack.Interfaces() {
		if port != 0 && i.Index != port || br != 0 && i.Index != br && i.Master != br {
			continue
		}
		if i.Master != 0 {
			k.stationsOf(i.Master, i.Index)
		}
		for _, a := range socket.StationsOf(&i) {
			k.reply.begin(linux.RTM_NEWNEIGH, &linux.Ndmsg{
				Family: uint8(linux.AF_BRIDGE), Ifindex: i.Index, State: linux.NUD_PERMANENT, Flags: linux.NTF_SELF,
			})
			k.reply.attr(linux.NDA_LLADDR, a[:])
			k.reply.end()
		}
		if i.Kind == "bridge" {
			k.stationsOf(i.Index, 0)
		}
	}
	return nil
}

func (k *call) stationsOf(bridge, port int32) {
	for _, st := range k.stack.Stations(bridge) {
		if st.Port == port {
			writeStation(&k.reply, linux.RTM_NEWNEIGH, bridge, &st)
		}
	}
}

func writeStation(p *reply, typ linux.NlMsgType, bridge int32, st *netstack.Station) {
	m := linux.Ndmsg{Family: uint8(linux.AF_BRIDGE), Ifindex: st.Port, State: linux.NUD_REACHABLE}
	if st.Port == 0 {
		m.Ifindex = bridge
	}
	switch {
	case st.Local:
		m.State = linux.NUD_PERMANENT
	case st.Static:
		m.State = linux.NUD_NOARP
	case st.Old:
		m.State = linux.NUD_STALE
	}
	if st.Sticky {
		m.Flags |= linux.NTF_STICKY
	}
	p.begin(typ, &m)
	p.attr(linux.NDA_LLADDR, st.HWAddr[:])
	p.attrU32(linux.NDA_MASTER, uint32(bridge))
	p.attrU32(linux.NDA_FLAGS_EXT, 0)
	const tick = 10_000_000
	// Confirmed, used, updated, references.
	p.attrStruct(linux.NDA_CACHEINFO, &[4]uint32{0, uint32(st.UsedNS / tick), uint32(st.SeenNS / tick), 0})
	p.end()
}

// readStation reads the address that a request is about, and where it is to be.
func (k *call) readStation() (st netstack.Station, i netstack.Interface, err error) {
	attrs, err := k.r.attributes(ndmsgSize)
	if err != nil {
		return st, i, err
	}
	index := int32(le32(k.r.body[4:]))
	if index == 0 {
		return st, i, k.fail(linux.EINVAL, "invalid ifindex")
	}
	i, ok := k.stack.Interface(index)
	if !ok {
		return st, i, k.fail(linux.ENODEV, "unknown ifindex")
	}
	a, ok := attrs[linux.NDA_LLADDR]
	if !ok || len(a) != len(st.HWAddr) {
		return st, i, k.fail(linux.EINVAL, "invalid address")
	}
	if i.Loopback {
		return st, i, k.fail(linux.EINVAL, "FDB add only supported for Ethernet devices")
	}
	if _, ok := attrs[linux.NDA_VLAN]; ok {
		return st, i, linux.EOPNOTSUPP
	}
	st.HWAddr, st.Port = netstack.HWAddr(a), index
	if i.Kind == "bridge" {
		st.Port = 0
	}
	return st, i, nil
}

// station states that can be asked for.
const stationStates = linux.NUD_PERMANENT | linux.NUD_NOARP | linux.NUD_REACHABLE

// newStation is RTM_NEWNEIGH of PF_BRIDGE. (Linux: net/bridge/br_fdb.c br_fdb_add)
func (k *call) newStation() error {
	st, i, err := k.readStation()
	if err != nil {
		return err
	}
	flags, state := k.r.body[10], binary.LittleEndian.Uint16(k.r.body[8:])
	master := flags == 0 || flags&linux.NTF_MASTER != 0
	switch {
	case master && i.Master != 0:
		if err := k.putStation(st, i.Master, state, flags); err != nil || flags&linux.NTF_SELF == 0 {
			return err
		}
	case flags&linux.NTF_SELF == 0:
		return linux.EOPNOTSUPP
	}
	if i.Kind == "bridge" {
		return k.putStation(st, i.Index, state, flags)
	}
	return linux.EOPNOTSUPP // links themselves have no table
}

func (k *call) putStation(st netstack.Station, bridge int32, state uint16, flags uint8) error {
	st.Local, st.Static, st.Sticky = state&linux.NUD_PERMANENT != 0, state&linux.NUD_NOARP != 0, flags&linux.NTF_STICKY != 0
	port, _ := k.stack.Port(st.Port)
	const forwarding = 3
	switch {
	case state&stationStates == 0:
		return k.fail(linux.EINVAL, "Entry state is invalid")
	case flags&(linux.NTF_EXT_LEARNED|linux.NTF_USE) != 0:
		return linux.EOPNOTSUPP
	case st.HWAddr == netstack.HWAddr{}:
		return linux.EINVAL
	case st.Port != 0 && !st.Local && !st.Static && port.State != forwarding:
		return linux.EPERM
	case st.Port == 0 && !st.Local:
		return linux.EINVAL // what is the bridge's own does not move
	case st.Sticky && st.Local:
		return linux.EINVAL
	}
	err := k.stack.SetStation(bridge, st, k.r.flags&linux.NLM_F_CREATE != 0, k.r.flags&linux.NLM_F_EXCL != 0)
	if err == nil {
		k.ns().Tell(socket.Change{Kind: socket.StationChange, Station: st, Bridge: bridge})
	}
	return err
}

// delStation is RTM_DELNEIGH of PF_BRIDGE.
func (k *call) delStation() error {
	if k.r.flags&linux.NLM_F_BULK != 0 {
		return k.flushStations()
	}
	st, i, err := k.readStation()
	if err != nil {
		return err
	}
	bridge := i.Master
	if i.Kind == "bridge" {
		bridge = i.Index
	}
	if flags := k.r.body[10]; bridge == 0 || i.Kind != "bridge" && flags != 0 && flags&linux.NTF_MASTER == 0 {
		return linux.EOPNOTSUPP
	}
	if err := k.stack.RemoveStation(bridge, st.Port, st.HWAddr); err != nil {
		return err
	}
	k.ns().Tell(socket.Change{Kind: socket.StationChange, Gone: true, Station: st, Bridge: bridge})
	return nil
}

// flushStations has a bridge forget all that it need not know.
func (k *call) flushStations() error {
	i, ok := k.stack.Interface(int32(le32(k.r.body[4:])))
	if !ok {
		return k.fail(linux.ENODEV, "unknown ifindex")
	}
	attrs, err := k.r.attributes(ndmsgSize)
	if err != nil {
		return err
	}
	for a := range attrs {
		if a != linux.NDA_IFINDEX {
			return linux.EOPNOTSUPP
		}
	}
	bridge, port := i.Index, int32(0)
	if i.Kind != "bridge" {
		bridge, port = i.Master, i.Index
	}
	if v, ok := u32(attrs[linux.NDA_IFINDEX]); ok {
		port = int32(v)
	}
	if bridge == 0 {
		return linux.EOPNOTSUPP
	}
	k.stack.FlushStations(bridge, func(st *netstack.Station) bool {
		return port == 0 || st.Port == port // as in Linux, also what are the ports' own
	})
	return nil
}

// getStation is RTM_GETNEIGH of PF_BRIDGE.
func (k *call) getStation() error {
	attrs, err := k.r.attributes(ndmsgSize)
	if err != nil {
		return err
	}
	a, ok := attrs[linux.NDA_LLADDR]
	if !ok || len(a) != len(netstack.HWAddr{}) {
		return k.fail(linux.EINVAL, "Missing/invalid link address")
	}
	bridge := int32(le32(k.r.body[4:]))
	if v, ok := u32(attrs[linux.NDA_MASTER]); ok {
		bridge = int32(v)
	} else if i, ok := k.stack.Interface(bridge); ok && i.Master != 0 {
		bridge = i.Master
	}
	i, ok := k.stack.Interface(bridge)
	if !ok || i.Kind != "bridge" {
		return k.fail(linux.EINVAL, "No master device specified")
	}
	st, ok := k.stack.Station(bridge, netstack.HWAddr(a))
	if !ok {
		return k.fail(linux.ENOENT, "Fdb entry not found")
	}
	writeStation(&k.reply, linux.RTM_NEWNEIGH, bridge, &st)
	return nil
}
