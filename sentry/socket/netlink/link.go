package netlink

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

const (
	ifinfoSize = 16
	txQueueLen = 1000
	// maxLoopbackMTU is what loopback takes; other links take 65535 at most.
	maxLoopbackMTU = 1<<31 - 1
)

func cString(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// dumpLinks lists the interfaces; a strict request may want those of a kind only.
func (k *call) dumpLinks() error {
	kind, master := "", int32(0)
	if len(k.r.body) >= ifinfoSize {
		attrs, err := k.r.attributes(ifinfoSize)
		if err != nil {
			return err
		}
		if m, ok := u32(attrs[linux.IFLA_MASTER]); ok && m != 0 {
			master = int32(m)
			k.reply.filtered = true
		}
		if li, ok := attrs[linux.IFLA_LINKINFO]; ok {
			inner := request{body: li}
			if as, err := inner.attributes(0); err == nil {
				kind = cString(as[linux.IFLA_INFO_KIND])
				k.reply.filtered = kind != ""
			}
		}
	}
	for _, i := range k.stack.Interfaces() {
		const none = -1
		if master != 0 && i.Master != max(master, 0) || master == none && i.Master != 0 {
			continue
		}
		if kind == "" || kind == k.ns().DriverOf(&i) {
			writeLink(&k.reply, linux.RTM_NEWLINK, k.ns(), &i)
		}
	}
	return nil
}

// findLink finds the interface that a request is about, by number or by name.
func (k *call) findLink(attrs map[uint16][]byte) (i netstack.Interface, err error) {
	if index := int32(binary.LittleEndian.Uint32(k.r.body[4:])); index != 0 {
		if index < 0 {
			return i, k.fail(linux.EINVAL, "ifindex can't be negative")
		}
		if i, ok := k.stack.Interface(index); ok {
			return i, nil
		}
		return i, linux.ENODEV
	}
	for _, a := range []uint16{linux.IFLA_IFNAME, linux.IFLA_ALT_IFNAME} {
		if b, ok := attrs[a]; ok {
			if i, ok := k.stack.InterfaceByName(cString(b)); ok {
				return i, nil
			}
			return i, linux.ENODEV
		}
	}
	return i, linux.EINVAL
}

// namedLink returns the attributes of a request and the interface that it names.
func (k *call) namedLink() (attrs map[uint16][]byte, i netstack.Interface, err error) {
	if attrs, err = k.r.attributes(ifinfoSize); err == nil {
		i, err = k.findLink(attrs)
	}
	return attrs, i, err
}

func (k *call) getLink() error {
	_, i, err := k.namedLink()
	if err != nil {
		return err
	}
	writeLink(&k.reply, linux.RTM_NEWLINK, k.ns(), &i)
	return nil
}

// newLink is RTM_NEWLINK: a change if the interface is there, else a new one.
func (k *call) newLink() error {
	attrs, err := k.r.attributes(ifinfoSize)
	if err != nil {
		return err
	}
	i, err := k.findLink(attrs)
	byName := binary.LittleEndian.Uint32(k.r.body[4:]) == 0
	if err == nil {
		if k.r.flags&linux.NLM_F_EXCL != 0 {
			return linux.EEXIST
		}
		if k.r.flags&linux.NLM_F_REPLACE != 0 {
			return linux.EOPNOTSUPP
		}
		return k.changeLink(&i, attrs, byName)
	}
	if !byName {
		return err
	}
	if k.r.flags&linux.NLM_F_CREATE == 0 {
		return linux.ENODEV
	}
	return k.createLink(attrs)
}

func (k *call) setLink() error {
	attrs, i, err := k.namedLink()
	if err != nil {
		return err
	}
	return k.changeLink(&i, attrs, binary.LittleEndian.Uint32(k.r.body[4:]) == 0)
}

// changeLink changes what a request says of an interface; what cannot be had is refused before anything has changed.
func (k *call) changeLink(i *netstack.Interface, attrs map[uint16][]byte, byName bool) error {
	for a, b := range attrs {
		switch a {
		case linux.IFLA_IFNAME, linux.IFLA_ALT_IFNAME, linux.IFLA_MTU, linux.IFLA_EXT_MASK, linux.IFLA_ADDRESS:
		case linux.IFLA_TXQLEN, linux.IFLA_GROUP, linux.IFLA_OPERSTATE, linux.IFLA_LINKMODE:
			v, ok := u32(append(bytes.Clone(b), 0, 0, 0))
			if !ok || v != 0 && v != txQueueLen {
				return linux.EOPNOTSUPP
			}
		case linux.IFLA_AF_SPEC, linux.IFLA_LINKINFO, linux.IFLA_MASTER:
		case linux.IFLA_NET_NS_PID, linux.IFLA_NET_NS_FD:
		default:
			return linux.EOPNOTSUPP
		}
	}
	if err := k.moveLink(i, attrs); err != nil {
		return err
	}
	ns := k.ns()
	want, change := linux.IfFlags(binary.LittleEndian.Uint32(k.r.body[8:])), linux.IfFlags(binary.LittleEndian.Uint32(k.r.body[12:]))
	if change == 0 && want != 0 {
		change = ^linux.IfFlags(0) // as in Linux, an old program that does not know the mask
	}
	if b, ok := attrs[linux.IFLA_LINKINFO]; ok {
		if err := k.changeInfo(i, b); err != nil {
			return err
		}
	}
	if b, ok := attrs[linux.IFLA_ADDRESS]; ok {
		if len(b) != len(netstack.HWAddr{}) {
			return linux.EINVAL
		}
		if err := k.stack.SetHWAddr(i.Index, netstack.HWAddr(b)); err != nil {
			return err
		}
	}
	if b, ok := attrs[linux.IFLA_MTU]; ok {
		if err := k.setMTU(i, b); err != nil {
			return err
		}
	}
	if b, ok := attrs[linux.IFLA_IFNAME]; ok && !byName && cString(b) != i.Name {
		if err := k.stack.Rename(i.Index, cString(b)); err != nil {
			return err
		}
	}
	if change&linux.IFF_PROMISC != 0 && (want&linux.IFF_PROMISC != 0) != i.Promisc {
		if err := k.stack.SetPromiscuous(i.Index, want&linux.IFF_PROMISC != 0); err != nil {
			return err
		}
	}
	if b, ok := attrs[linux.IFLA_MASTER]; ok {
		if err := k.setMaster(i.Index, b); err != nil {
			return err
		}
	}
	if up := want&linux.IFF_UP != 0; change&linux.IFF_UP != 0 && up != i.Up {
		return ns.SetLinkUp(i.Index, up)
	}
	ns.LinkChanged(i.Index)
	return nil
}

func (k *call) setMTU(i *netstack.Interface, b []byte) error {
	mtu, ok := u32(b)
	if !ok {
		return linux.EINVAL
	}
	if !i.Loopback {
		if mtu < netstack.MinMTU {
			return k.fail(linux.EINVAL, "mtu less than device minimum")
		}
		if mtu > netstack.MaxMTU {
			return k.fail(linux.EINVAL, "mtu greater than device maximum")
		}
	} else if mtu > maxLoopbackMTU {
		return k.fail(linux.EINVAL, "mtu greater than device maximum")
	}
	return k.stack.SetMTU(i.Index, mtu)
}

// createLink makes an interface of a kind that there is.
func (k *call) createLink(attrs map[uint16][]byte) error {
	li, ok := attrs[linux.IFLA_LINKINFO]
	if !ok {
		return k.fail(linux.EOPNOTSUPP, "Unknown device type")
	}
	inner := request{body: li}
	info, err := inner.attributes(0)
	if err != nil {
		return err
	}
	if _, ok := attrs[linux.IFLA_LINK]; ok {
		return linux.EOPNOTSUPP
	}
	to, err := k.target(attrs)
	if err != nil {
		return err
	}
	defer to.DecRef()
	a, err := linkSpec(to, attrs)
	if err != nil {
		return err
	}
	prefix := cString(info[linux.IFLA_INFO_KIND])
	if a.Name == "" {
		a.Name = freeName(to, prefix)
	}
	switch prefix {
	case "dummy":
		err = to.Stack.AddDummy(a)
	case "bridge":
		err = k.createBridge(a, to, info)
	case "veth":
		err = k.createPair(a, to, info)
	case "tun":
		return k.fail(linux.EOPNOTSUPP, "tun/tap creation via rtnetlink is not supported.")
	default:
		return k.fail(linux.EOPNOTSUPP, "Unknown device type")
	}
	if err != nil {
		return err
	}
	return k.made(to, a.Name, attrs)
}

// made tells of a new interface and does to it what else was asked for.
func (k *call) made(ns *socket.Namespace, name string, attrs map[uint16][]byte) error {
	madeLink(ns, name, linux.IfFlags(binary.LittleEndian.Uint32(k.r.body[8:])))
	b, ok := attrs[linux.IFLA_MASTER]
	if !ok {
		return nil
	}
	i, ok := ns.Stack.InterfaceByName(name)
	if !ok {
		return linux.ENODEV
	}
	k.at, k.stack = ns, ns.Stack
	return k.setMaster(i.Index, b)
}

// createPair makes a pair with a in the namespace to and the peer in the caller's, or where it says.
func (k *call) createPair(a netstack.LinkSpec, to *socket.Namespace, info map[uint16][]byte) error {
	attrs, flags, err := peerOf(info)
	if err != nil {
		return err
	}
	over, err := k.target(attrs)
	if err != nil {
		return err
	}
	defer over.DecRef()
	b, err := linkSpec(over, attrs)
	if err != nil {
		return err
	}
	if b.Name == "" {
		b.Name = freeName(over, "veth", a.Name)
	}
	if a.Name == b.Name && over == to {
		return linux.EEXIST
	}
	if err := to.Stack.AddPair(a, b, over.Stack); err != nil {
		return err
	}
	madeLink(over, b.Name, flags)
	return nil
}

// peerOf returns what a request says of a pair's peer, and the flags it is to have.
func peerOf(info map[uint16][]byte) (attrs map[uint16][]byte, flags linux.IfFlags, err error) {
	data, ok := info[linux.IFLA_INFO_DATA]
	if !ok {
		return nil, 0, nil
	}
	inner := request{body: data}
	as, err := inner.attributes(0)
	if err != nil {
		return nil, 0, err
	}
	peer, ok := as[linux.VETH_INFO_PEER]
	if !ok {
		return nil, 0, nil
	}
	pr := request{body: peer}
	if attrs, err = pr.attributes(ifinfoSize); err != nil {
		return nil, 0, err
	}
	return attrs, linux.IfFlags(binary.LittleEndian.Uint32(peer[8:])), nil
}

// madeLink tells of a new interface, and sets it up if that was asked for.
func madeLink(ns *socket.Namespace, name string, flags linux.IfFlags) {
	i, ok := ns.Stack.InterfaceByName(name)
	if !ok {
		return
	}
	ns.LinkChanged(i.Index)
	if flags&linux.IFF_UP != 0 {
		ns.SetLinkUp(i.Index, true) // it was just made: nothing is in the way
	}
}

// linkSpec reads name, address and MTU of an interface to make.
func linkSpec(ns *socket.Namespace, attrs map[uint16][]byte) (s netstack.LinkSpec, err error) {
	if b, ok := attrs[linux.IFLA_IFNAME]; ok {
		s.Name = cString(b)
		if _, taken := ns.Stack.InterfaceByName(s.Name); taken {
			return s, linux.EEXIST
		}
	}
	if b, ok := attrs[linux.IFLA_ADDRESS]; ok {
		if len(b) != len(s.HWAddr) {
			return s, linux.EINVAL
		}
		s.HWAddr = netstack.HWAddr(b)
		if s.HWAddr.Group() || s.HWAddr == (netstack.HWAddr{}) {
			return s, linux.EADDRNOTAVAIL
		}
	}
	if b, ok := attrs[linux.IFLA_MTU]; ok {
		if s.MTU, ok = u32(b); !ok || s.MTU < netstack.MinMTU || s.MTU > netstack.MaxMTU {
			return s, linux.EINVAL
		}
	}
	return s, nil
}

// freeName is the first name of a kind that no interface has.
func freeName(ns *socket.Namespace, prefix string, not ...string) string {
	for n := 0; ; n++ {
		name := prefix + strconv.Itoa(n)
		if _, ok := ns.Stack.InterfaceByName(name); !ok && (len(not) == 0 || not[0] != name) {
			return name
		}
	}
}

func (k *call) delLink() error {
	_, i, err := k.namedLink()
	if err != nil {
		return err
	}
	k.ns().RemovePeer(i.Index)
	return k.ns().RemoveLink(i)
}

func writeLink(p *reply, typ linux.NlMsgType, ns *socket.Namespace, i *netstack.Interface) {
	p.begin(typ, &linux.Ifinfomsg{Type: socket.HardwareType(i), Index: i.Index, Flags: socket.IfFlagsOf(i)})
	p.attrString(linux.IFLA_IFNAME, i.Name)
	p.attrU32(linux.IFLA_TXQLEN, socket.QueueLength(i))
	p.attrU8(linux.IFLA_OPERSTATE, operState(i))
	p.attrU8(linux.IFLA_LINKMODE, 0)
	p.attrU32(linux.IFLA_MTU, i.MTU)
	minMTU, maxMTU := uint32(0), uint32(0)
	if !i.Loopback {
		minMTU, maxMTU = netstack.MinMTU, netstack.MaxMTU
		if i.Kind == "tun" && !i.Bare {
			maxMTU -= netstack.LinkHeaderSize
		}
	}
	p.attrU32(linux.IFLA_MIN_MTU, minMTU)
	p.attrU32(linux.IFLA_MAX_MTU, maxMTU)
	p.attrU32(linux.IFLA_GROUP, 0)
	promiscuity := oneIf(i.Promisc) + oneIf(i.Master != 0)
	p.attrU32(linux.IFLA_PROMISCUITY, uint32(promiscuity))
	p.attrU32(linux.IFLA_NUM_TX_QUEUES, 1)
	p.attrU32(linux.IFLA_NUM_RX_QUEUES, 1)
	writePeer(p, ns, i)
	if i.Master != 0 {
		p.attrU32(linux.IFLA_MASTER, uint32(i.Master))
	}
	p.attrU8(linux.IFLA_CARRIER, oneIf(i.Carrier))
	qdisc := "noqueue"
	switch {
	case !i.Started:
		qdisc = "noop"
	case i.Kind == "tun":
		qdisc = "pfifo_fast"
	}
	p.attrString(linux.IFLA_QDISC, qdisc)
	p.attrU32(linux.IFLA_CARRIER_CHANGES, 0)
	p.attrU32(linux.IFLA_CARRIER_UP_COUNT, 0)
	p.attrU32(linux.IFLA_CARRIER_DOWN_COUNT, 0)
	p.attr(linux.IFLA_MAP, make([]byte, 32))
	switch {
	case i.Bare:
	case i.Loopback:
		p.attr(linux.IFLA_ADDRESS, i.HWAddr[:])
		p.attr(linux.IFLA_BROADCAST, make([]byte, 6))
	default:
		p.attr(linux.IFLA_ADDRESS, i.HWAddr[:])
		p.attr(linux.IFLA_BROADCAST, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	writeStats(p, &i.Counters)
	if kind := ns.DriverOf(i); kind != "" {
		nest := p.nest(linux.IFLA_LINKINFO)
		p.attrString(linux.IFLA_INFO_KIND, kind)
		writeBridge(p, ns, i)
		writeTun(p, ns, i)
		if port, ok := ns.Stack.Port(i.Index); ok {
			p.attrString(linux.IFLA_INFO_SLAVE_KIND, "bridge")
			writePort(p, ns, linux.IFLA_INFO_SLAVE_DATA, &port)
		}
		p.unnest(nest)
	}
	p.end()
}

func writeStats(p *reply, c *netstack.InterfaceCounters) {
	st := linux.RtnlLinkStats64{
		RxPackets: c.RxPackets, TxPackets: c.TxPackets, RxBytes: c.RxBytes, TxBytes: c.TxBytes,
		RxErrors: c.RxErrors, RxDropped: c.RxDropped, TxDropped: c.TxDropped,
	}
	p.attrStruct(linux.IFLA_STATS64, &st)
	// The older form has the first 24 counters in 32 bits.
	p.attrStruct(linux.IFLA_STATS, &[24]uint32{
		uint32(st.RxPackets), uint32(st.TxPackets), uint32(st.RxBytes), uint32(st.TxBytes),
		uint32(st.RxErrors), uint32(st.TxErrors), uint32(st.RxDropped), uint32(st.TxDropped),
	})
}

func operState(i *netstack.Interface) uint8 {
	switch {
	case !i.Up:
		return linux.IF_OPER_DOWN
	case !i.Carrier && i.Link == i.Index: // as in Linux, also when that is the peer's in another namespace
		return linux.IF_OPER_DOWN
	case !i.Carrier:
		return linux.IF_OPER_LOWERLAYERDOWN
	case i.Loopback || i.Steady:
		return linux.IF_OPER_UNKNOWN
	}
	return linux.IF_OPER_UP
}
