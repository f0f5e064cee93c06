package netlink

import (
	"bytes"
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

const (
	ifinfoSize  = 16
	txQueueLen  = 1000
	loopbackTop = 65536
)

func (k *call) dumpLinks() error {
	for _, i := range k.stack.Interfaces() {
		writeLink(&k.reply, linux.RTM_NEWLINK, &i)
	}
	return nil
}

// findLink finds the interface that a request is about, by number or by name.
func (k *call) findLink() (netstack.Interface, map[uint16][]byte, error) {
	var none netstack.Interface
	attrs, err := k.r.attributes(ifinfoSize)
	if err != nil {
		return none, nil, err
	}
	if index := int32(binary.LittleEndian.Uint32(k.r.body[4:])); index != 0 {
		if index < 0 {
			return none, nil, linux.EINVAL
		}
		if i, ok := k.stack.Interface(index); ok {
			return i, attrs, nil
		}
		return none, nil, linux.ENODEV
	}
	for _, a := range []uint16{linux.IFLA_IFNAME, linux.IFLA_ALT_IFNAME} {
		if b, ok := attrs[a]; ok {
			name, _, _ := bytes.Cut(b, []byte{0})
			if i, ok := k.stack.InterfaceByName(string(name)); ok {
				return i, attrs, nil
			}
			return none, nil, linux.ENODEV
		}
	}
	return none, nil, linux.EINVAL
}

func (k *call) getLink() error {
	i, _, err := k.findLink()
	if err != nil {
		return err
	}
	writeLink(&k.reply, linux.RTM_NEWLINK, &i)
	return nil
}

// setLink changes an interface: up or down, and its MTU. Everything else is refused.
func (k *call) setLink() error {
	i, attrs, err := k.findLink()
	if err == error(linux.ENODEV) && k.r.flags&linux.NLM_F_CREATE != 0 {
		return linux.EOPNOTSUPP
	}
	if err != nil {
		return err
	}
	if k.r.flags&linux.NLM_F_EXCL != 0 {
		return linux.EEXIST
	}
	for a := range attrs {
		switch a {
		case linux.IFLA_IFNAME, linux.IFLA_ALT_IFNAME, linux.IFLA_MTU, linux.IFLA_EXT_MASK:
		default:
			return linux.EOPNOTSUPP
		}
	}
	if b, ok := attrs[linux.IFLA_MTU]; ok {
		mtu, ok := u32(b)
		if !ok || mtu < 68 || mtu > loopbackTop {
			return linux.EINVAL
		}
		if err := k.stack.SetMTU(i.Index, mtu); err != nil {
			return err
		}
	}
	want, change := linux.IfFlags(binary.LittleEndian.Uint32(k.r.body[8:])), linux.IfFlags(binary.LittleEndian.Uint32(k.r.body[12:]))
	if up := want&linux.IFF_UP != 0; change&linux.IFF_UP != 0 && up != i.Up {
		if err := k.stack.SetUp(i.Index, up); err != nil {
			return err
		}
	}
	if now, ok := k.stack.Interface(i.Index); ok {
		k.announce(linux.RTNLGRP_LINK, func(p *reply) { writeLink(p, linux.RTM_NEWLINK, &now) })
	}
	return nil
}

func writeLink(p *reply, typ linux.NlMsgType, i *netstack.Interface) {
	p.begin(typ, &linux.Ifinfomsg{Type: socket.HardwareType(i), Index: i.Index, Flags: socket.IfFlagsOf(i)})
	p.attrString(linux.IFLA_IFNAME, i.Name)
	p.attrU32(linux.IFLA_TXQLEN, txQueueLen)
	p.attrU8(linux.IFLA_OPERSTATE, operState(i))
	p.attrU8(linux.IFLA_LINKMODE, 0)
	p.attrU32(linux.IFLA_MTU, i.MTU)
	p.attrU32(linux.IFLA_MIN_MTU, 0)
	p.attrU32(linux.IFLA_MAX_MTU, 0)
	p.attrU32(linux.IFLA_GROUP, 0)
	p.attrU32(linux.IFLA_PROMISCUITY, 0)
	p.attrU32(linux.IFLA_NUM_TX_QUEUES, 1)
	p.attrU32(linux.IFLA_NUM_RX_QUEUES, 1)
	p.attrU8(linux.IFLA_CARRIER, 1)
	p.attrString(linux.IFLA_QDISC, "noqueue")
	p.attrU32(linux.IFLA_CARRIER_CHANGES, 0)
	p.attrU32(linux.IFLA_CARRIER_UP_COUNT, 0)
	p.attrU32(linux.IFLA_CARRIER_DOWN_COUNT, 0)
	p.attr(linux.IFLA_MAP, make([]byte, 32))
	p.attr(linux.IFLA_ADDRESS, i.HWAddr[:])
	if i.Loopback {
		p.attr(linux.IFLA_BROADCAST, make([]byte, 6))
	} else {
		p.attr(linux.IFLA_BROADCAST, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	c := i.Counters
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
	p.end()
}

func operState(i *netstack.Interface) uint8 {
	switch {
	case !i.Up:
		return linux.IF_OPER_DOWN
	case i.Loopback:
		return linux.IF_OPER_UNKNOWN
	}
	return linux.IF_OPER_UP
}
