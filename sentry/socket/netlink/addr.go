package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

const ifaddrSize = 8

func familyOf(ip netip.Addr) linux.AddressFamily {
	if ip.Is4() {
		return linux.AF_INET
	}
	return linux.AF_INET6
}

// wants reports whether a dump for a family includes an address.
func wants(family byte, ip netip.Addr) bool {
	return family == byte(linux.AF_UNSPEC) || linux.AddressFamily(family) == familyOf(ip)
}

func scopeOf(ip netip.Addr) uint8 {
	switch {
	case ip.IsLoopback():
		return linux.RT_SCOPE_HOST
	case ip.IsLinkLocalUnicast():
		return linux.RT_SCOPE_LINK
	}
	return linux.RT_SCOPE_UNIVERSE
}

// dumpAddrs lists addresses: as in Linux, IPv4 before IPv6.
func (k *call) dumpAddrs() error {
	family, index := k.r.body[0], uint32(0)
	if k.strict() && len(k.r.body) >= ifaddrSize {
		index = binary.LittleEndian.Uint32(k.r.body[4:])
		if index != 0 {
			if _, ok := k.stack.Interface(int32(index)); !ok {
				return linux.ENODEV
			}
		}
	}
	links := k.stack.Interfaces()
	for _, f := range []linux.AddressFamily{linux.AF_INET, linux.AF_INET6} {
		for _, i := range links {
			if index != 0 && uint32(i.Index) != index {
				continue
			}
			for _, a := range i.Addrs {
				if familyOf(a.Addr()) == f && wants(family, a.Addr()) {
					writeAddr(&k.reply, linux.RTM_NEWADDR, &i, a)
				}
			}
		}
	}
	return nil
}

func writeAddr(p *reply, typ linux.NlMsgType, i *netstack.Interface, a netip.Prefix) {
	ip := a.Addr()
	p.begin(typ, &linux.Ifaddrmsg{
		Family: uint8(familyOf(ip)), Prefixlen: uint8(a.Bits()), Flags: linux.IFA_F_PERMANENT, Scope: scopeOf(ip), Index: uint32(i.Index),
	})
	p.attrIP(linux.IFA_ADDRESS, ip)
	if ip.Is4() {
		p.attrIP(linux.IFA_LOCAL, ip)
		if b := socket.Broadcast4(a); !b.IsUnspecified() {
			p.attrIP(linux.IFA_BROADCAST, b)
		}
		p.attrString(linux.IFA_LABEL, i.Name)
	}
	p.attrU32(linux.IFA_FLAGS, linux.IFA_F_PERMANENT)
	const forever = ^uint32(0)
	p.attrStruct(linux.IFA_CACHEINFO, &linux.IfaCacheinfo{Prefered: forever, Valid: forever})
	p.end()
}

// readAddr reads the address that RTM_NEWADDR and RTM_DELADDR are about.
func (k *call) readAddr() (i netstack.Interface, a netip.Prefix, err error) {
	attrs, err := k.r.attributes(ifaddrSize)
	if err != nil {
		return i, a, err
	}
	i, ok := k.stack.Interface(int32(binary.LittleEndian.Uint32(k.r.body[4:])))
	if !ok {
		return i, a, linux.ENODEV
	}
	b, ok := attrs[linux.IFA_LOCAL]
	if !ok {
		b = attrs[linux.IFA_ADDRESS]
	}
	ip, ok := ipOf(b)
	if !ok || familyOf(ip) != linux.AddressFamily(k.r.body[0]) || int(k.r.body[1]) > ip.BitLen() {
		return i, a, linux.EINVAL
	}
	return i, netip.PrefixFrom(ip, int(k.r.body[1])), nil
}

func groupOf(ip netip.Addr, v4, v6 int) int {
	if ip.Is4() {
		return v4
	}
	return v6
}

func (k *call) newAddr() error {
	i, a, err := k.readAddr()
	if err != nil {
		return err
	}
	if err := k.stack.AddAddress(i.Index, a); err != nil {
		return err
	}
	k.announce(groupOf(a.Addr(), linux.RTNLGRP_IPV4_IFADDR, linux.RTNLGRP_IPV6_IFADDR), func(p *reply) {
		writeAddr(p, linux.RTM_NEWADDR, &i, a)
	})
	return nil
}

func (k *call) delAddr() error {
	i, a, err := k.readAddr()
	if err != nil {
		return err
	}
	have := false
	for _, o := range i.Addrs {
		have = have || o == a
	}
	if !have {
		return linux.EADDRNOTAVAIL
	}
	if err := k.stack.RemoveAddress(i.Index, a); err != nil {
		return err
	}
	k.announce(groupOf(a.Addr(), linux.RTNLGRP_IPV4_IFADDR, linux.RTNLGRP_IPV6_IFADDR), func(p *reply) {
		writeAddr(p, linux.RTM_DELADDR, &i, a)
	})
	return nil
}
