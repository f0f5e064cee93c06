package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
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

// dumpAddrs lists addresses: as in Linux, IPv4 before IPv6.
func (k *call) dumpAddrs() error {
	family, index := k.r.body[0], uint32(0)
	if k.strict() {
		if len(k.r.body) < ifaddrSize {
			return k.fail(linux.EINVAL, "ipv4: Invalid header for address dump request")
		}
		index = binary.LittleEndian.Uint32(k.r.body[4:])
		if index != 0 {
			if _, ok := k.stack.Interface(int32(index)); !ok {
				return linux.ENODEV
			}
			k.reply.filtered = true
		}
	}
	links := k.stack.Interfaces()
	for _, f := range []linux.AddressFamily{linux.AF_INET, linux.AF_INET6} {
		for _, i := range links {
			if index != 0 && uint32(i.Index) != index {
				continue
			}
			for _, a := range k.ns().AddressesOf(&i) {
				if familyOf(a.Prefix.Addr()) == f && wants(family, a.Prefix.Addr()) {
					writeAddr(&k.reply, linux.RTM_NEWADDR, &a)
				}
			}
		}
	}
	return nil
}

func writeAddr(p *reply, typ linux.NlMsgType, a *socket.Addr) {
	ip := a.Prefix.Addr()
	flags := uint32(linux.IFA_F_PERMANENT)
	if a.Secondary {
		flags |= linux.IFA_F_SECONDARY
	}
	to := a.Prefix
	if a.Peer.IsValid() {
		to = a.Peer
	}
	p.begin(typ, &linux.Ifaddrmsg{
		Family: uint8(familyOf(ip)), Prefixlen: uint8(to.Bits()), Flags: uint8(flags), Scope: a.Scope, Index: uint32(a.Index),
	})
	p.attrIP(linux.IFA_ADDRESS, to.Addr())
	if ip.Is4() || a.Peer.IsValid() {
		p.attrIP(linux.IFA_LOCAL, ip)
	}
	if ip.Is4() {
		if a.Broadcast.IsValid() {
			p.attrIP(linux.IFA_BROADCAST, a.Broadcast)
		}
		p.attrString(linux.IFA_LABEL, a.Label)
	}
	if a.Proto != 0 {
		p.attrU8(linux.IFA_PROTO, a.Proto)
	}
	p.attrU32(linux.IFA_FLAGS, flags)
	const forever = ^uint32(0)
	p.attrStruct(linux.IFA_CACHEINFO, &linux.IfaCacheinfo{Prefered: forever, Valid: forever})
	p.end()
}

// readAddr reads the address that RTM_NEWADDR and RTM_DELADDR are about.
func (k *call) readAddr() (a socket.Addr, attrs map[uint16][]byte, err error) {
	if attrs, err = k.r.attributes(ifaddrSize); err != nil {
		return a, nil, err
	}
	f := linux.AddressFamily(k.r.body[0])
	if f != linux.AF_INET && f != linux.AF_INET6 {
		return a, nil, linux.EOPNOTSUPP
	}
	v := "ipv4"
	if f == linux.AF_INET6 {
		v = "ipv6"
	}
	i, ok := k.stack.Interface(int32(binary.LittleEndian.Uint32(k.r.body[4:])))
	if !ok {
		return a, nil, k.fail(linux.ENODEV, v+": Unable to find the interface")
	}
	b, ok := attrs[linux.IFA_LOCAL]
	var peer netip.Addr
	if to := attrs[linux.IFA_ADDRESS]; !ok {
		b = to
	} else if len(to) == len(b) && string(to) != string(b) {
		peer, _ = ipOf(to)
	}
	ip, ok := ipOf(b)
	if !ok || familyOf(ip) != f || int(k.r.body[1]) > ip.BitLen() {
		return a, nil, k.fail(linux.EINVAL, v+": Invalid address")
	}
	a = socket.Addr{Index: i.Index, Prefix: netip.PrefixFrom(ip, int(k.r.body[1])), Label: i.Name, Scope: k.r.body[3]}
	if peer.IsValid() {
		a.Peer, a.Prefix = netip.PrefixFrom(peer, a.Prefix.Bits()), netip.PrefixFrom(ip, ip.BitLen())
	}
	if f == linux.AF_INET6 {
		a.Scope = socket.ScopeOf(ip)
	}
	if l, ok := attrs[linux.IFA_LABEL]; ok {
		a.Label = cString(l)
	}
	if bc, ok := attrs[linux.IFA_BROADCAST]; ok {
		if a.Broadcast, ok = ipOf(bc); !ok || !a.Broadcast.Is4() {
			return a, nil, linux.EINVAL
		}
	}
	if p, ok := attrs[linux.IFA_PROTO]; ok && len(p) == 1 {
		a.Proto = p[0]
	}
	return a, attrs, nil
}

func (k *call) newAddr() error {
	a, attrs, err := k.readAddr()
	if err != nil {
		return err
	}
	flags := uint32(k.r.body[2])
	if f, ok := u32(attrs[linux.IFA_FLAGS]); ok {
		flags = f
	}
	// A network without its route, and lives that end, are not to be had.
	if flags&linux.IFA_F_NOPREFIXROUTE != 0 {
		return linux.EOPNOTSUPP
	}
	if c := attrs[linux.IFA_CACHEINFO]; len(c) >= 8 {
		if binary.LittleEndian.Uint32(c) != ^uint32(0) || binary.LittleEndian.Uint32(c[4:]) != ^uint32(0) {
			return linux.EOPNOTSUPP
		}
	}
	if a.Prefix.Addr().IsMulticast() || a.Prefix.Addr().IsUnspecified() && !a.Prefix.Addr().Is4() {
		return k.fail(linux.EADDRNOTAVAIL, "ipv6: Cannot assign requested address")
	}
	err = k.ns().AddAddr(a)
	if err == error(linux.EEXIST) {
		if k.r.flags&linux.NLM_F_REPLACE != 0 && k.r.flags&linux.NLM_F_EXCL == 0 {
			return k.ns().ChangeAddr(a)
		}
		if a.Prefix.Addr().Is4() {
			return k.fail(linux.EEXIST, "ipv4: Address already assigned")
		}
		return k.fail(linux.EEXIST, "ipv6: address already assigned")
	}
	return err
}

func (k *call) delAddr() error {
	a, _, err := k.readAddr()
	if err != nil {
		return err
	}
	err = k.ns().RemoveAddr(a.Index, a.Prefix)
	if err == error(linux.EADDRNOTAVAIL) {
		if a.Prefix.Addr().Is4() {
			return k.fail(linux.EADDRNOTAVAIL, "ipv4: Address not found")
		}
		return k.fail(linux.EADDRNOTAVAIL, "ipv6: address not found")
	}
	return err
}

func groupOf(ip netip.Addr, v4, v6 int) int {
	if ip.Is4() {
		return v4
	}
	return v6
}

// NetworkChanged implements socket.Observer: it tells the members of rtnetlink's groups.
func (s *Socket) NetworkChanged(c *socket.Change) {
	if linux.NetlinkProto(s.Info().Protocol) != linux.NETLINK_ROUTE {
		return
	}
	groups := s.Groups()
	if groups == 0 {
		return
	}
	var p reply
	group, typ := 0, linux.NlMsgType(0)
	pick := func(made linux.NlMsgType) linux.NlMsgType {
		if c.Gone {
			return made + 1 // RTM_DELx follows RTM_NEWx
		}
		return made
	}
	switch c.Kind {
	case socket.LinkChange:
		group, typ = linux.RTNLGRP_LINK, pick(linux.RTM_NEWLINK)
	case socket.AddrChange:
		group, typ = groupOf(c.Addr.Prefix.Addr(), linux.RTNLGRP_IPV4_IFADDR, linux.RTNLGRP_IPV6_IFADDR), pick(linux.RTM_NEWADDR)
	case socket.RouteChange:
		group, typ = groupOf(c.Route.Dst.Addr(), linux.RTNLGRP_IPV4_ROUTE, linux.RTNLGRP_IPV6_ROUTE), pick(linux.RTM_NEWROUTE)
	case socket.StationChange:
		group, typ = linux.RTNLGRP_NEIGH, pick(linux.RTM_NEWNEIGH)
	case socket.NeighbourChange:
		group, typ = linux.RTNLGRP_NEIGH, pick(linux.RTM_NEWNEIGH)
	}
	if groups>>(group-1)&1 == 0 {
		return
	}
	switch c.Kind {
	case socket.LinkChange:
		writeLink(&p, typ, s.Namespace(), &c.Link)
	case socket.AddrChange:
		writeAddr(&p, typ, &c.Addr)
	case socket.RouteChange:
		writeRoute(&p, typ, &c.Route)
	case socket.StationChange:
		writeStation(&p, typ, c.Bridge, &c.Station)
	case socket.NeighbourChange:
		writeNeighbour(&p, typ, &c.Neighbour)
	}
	for _, d := range p.datagrams() {
		s.push(d)
	}
}
