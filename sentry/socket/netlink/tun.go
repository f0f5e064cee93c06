package netlink

import (
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// writeTun adds what is special of an interface of tun(4).
func writeTun(p *reply, ns *socket.Namespace, i *netstack.Interface) {
	t := ns.Stack.TunOf(i.Index)
	if t == nil {
		return
	}
	c := t.Conf()
	nest := p.nest(linux.IFLA_INFO_DATA)
	kind := uint8(linux.IFF_TAP)
	if i.Bare {
		kind = linux.IFF_TUN
	}
	p.attrU8(linux.IFLA_TUN_TYPE, kind)
	const anybody = ^uint32(0)
	if c.Owner != anybody {
		p.attrU32(linux.IFLA_TUN_OWNER, c.Owner)
	}
	if c.Group != anybody {
		p.attrU32(linux.IFLA_TUN_GROUP, c.Group)
	}
	p.attrU8(linux.IFLA_TUN_PI, oneIf(c.Flags&linux.IFF_NO_PI == 0))
	p.attrU8(linux.IFLA_TUN_VNET_HDR, oneIf(c.Flags&linux.IFF_VNET_HDR != 0))
	p.attrU8(linux.IFLA_TUN_PERSIST, oneIf(c.Persistent))
	p.attrU8(linux.IFLA_TUN_MULTI_QUEUE, 0)
	p.unnest(nest)
}
