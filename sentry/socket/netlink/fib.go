package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
)

const rtmsgSize = 12

// A fibRoute is a route as Linux lists it. The stack has one table; what Linux keeps in the table "local" is made of the
// addresses.
type fibRoute struct {
	netstack.Route
	table uint8
	typ   uint8
	scope uint8
	proto uint8
}

// fib lists all routes.
func (k *call) fib() []fibRoute {
	var out []fibRoute
	links := k.stack.Interfaces()
	source := func(r netstack.Route) netip.Addr {
		for _, i := range links {
			for _, a := range i.Addrs {
				if i.Index == r.Index && a.Masked() == r.Dst {
					return a.Addr()
				}
			}
		}
		return netip.Addr{}
	}
	for _, r := range k.stack.Routes() {
		if r.Dst.Addr().IsLoopback() {
			continue
		}
		f := fibRoute{Route: r, table: linux.RT_TABLE_MAIN, typ: linux.RTN_UNICAST, proto: linux.RTPROT_BOOT}
		if !r.Gateway.IsValid() {
			f.scope = linux.RT_SCOPE_LINK
			if !r.Src.IsValid() {
				if f.Src = source(r); f.Src.IsValid() {
					f.proto = linux.RTPROT_KERNEL
				}
			}
		}
		if !r.Dst.Addr().Is4() {
			f.scope, f.Src = linux.RT_SCOPE_UNIVERSE, netip.Addr{} // IPv6 has neither
		}
		out = append(out, f)
	}
	for _, i := range links {
		for _, a := range i.Addrs {
			out = append(out, localRoutes(i.Index, a)...)
		}
	}
	return out
}

// localRoutes are the routes of the table "local" that come with an address.
func localRoutes(index int32, a netip.Prefix) []fibRoute {
	ip := a.Addr()
	host := netip.PrefixFrom(ip, ip.BitLen())
	local := fibRoute{
		Route: netstack.Route{Dst: host, Index: index}, table: linux.RT_TABLE_LOCAL, typ: linux.RTN_LOCAL, proto: linux.RTPROT_KERNEL,
	}
	if !ip.Is4() {
		return []fibRoute{local}
	}
	local.scope, local.Src = linux.RT_SCOPE_HOST, ip
	out := []fibRoute{local}
	if ip.IsLoopback() && a.Bits() < 32 {
		net := local
		net.Dst = a.Masked()
		out = append([]fibRoute{net}, out...)
	}
	if a.Bits() < 31 {
		b := local
		b.Dst = netip.PrefixFrom(lastOf(a), 32)
		b.typ, b.scope = linux.RTN_BROADCAST, linux.RT_SCOPE_LINK
		out = append(out, b)
	}
	return out
}

func lastOf(a netip.Prefix) netip.Addr {
	b := a.Masked().Addr().As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|^uint32(0)>>a.Bits())
	return netip.AddrFrom4(b)
}

// dumpRoutes lists the routes: of a table and an interface only, if the request says so strictly.
func (k *call) dumpRoutes() error {
	family, table, index := k.r.body[0], uint32(0), uint32(0)
	if k.strict() && len(k.r.body) >= rtmsgSize {
		table = uint32(k.r.body[4])
		attrs, err := k.r.attributes(rtmsgSize)
		if err != nil {
			return err
		}
		if v, ok := u32(attrs[linux.RTA_TABLE]); ok {
			table = v
		}
		index, _ = u32(attrs[linux.RTA_OIF])
	}
	for _, f := range k.fib() {
		if wants(family, f.Dst.Addr()) && (table == 0 || table == uint32(f.table)) && (index == 0 || index == uint32(f.Index)) {
			writeRoute(&k.reply, linux.RTM_NEWROUTE, &f)
		}
	}
	return nil
}

func writeRoute(p *reply, typ linux.NlMsgType, f *fibRoute) {
	p.begin(typ, &linux.Rtmsg{
		Family: uint8(familyOf(f.Dst.Addr())), DstLen: uint8(f.Dst.Bits()), Table: f.table, Protocol: f.proto, Scope: f.scope, Type: f.typ,
	})
	p.attrU32(linux.RTA_TABLE, uint32(f.table))
	if f.Dst.Bits() > 0 {
		p.attrIP(linux.RTA_DST, f.Dst.Addr())
	}
	if !f.Dst.Addr().Is4() {
		p.attrU32(linux.RTA_PRIORITY, metric6(f))
	}
	if f.Gateway.IsValid() {
		p.attrIP(linux.RTA_GATEWAY, f.Gateway)
	}
	p.attrU32(linux.RTA_OIF, uint32(f.Index))
	if f.Src.IsValid() {
		p.attrIP(linux.RTA_PREFSRC, f.Src)
	}
	if !f.Dst.Addr().Is4() {
		p.attrStruct(linux.RTA_CACHEINFO, &linux.RtaCacheinfo{})
		p.attrU8(linux.RTA_PREF, 0)
	}
	p.end()
}

func metric6(f *fibRoute) uint32 {
	switch {
	case f.table == linux.RT_TABLE_LOCAL:
		return 0
	case f.proto == linux.RTPROT_KERNEL:
		return 256
	}
	return 1024
}

// rtcfLocal is RTCF_LOCAL, "cache <local>".
const rtcfLocal = 0x80000000

// getRoute answers "ip route get".
func (k *call) getRoute() error {
	attrs, err := k.r.attributes(rtmsgSize)
	if err != nil {
		return err
	}
	dst, ok := ipOf(attrs[linux.RTA_DST])
	if !ok || familyOf(dst) != linux.AddressFamily(k.r.body[0]) {
		return linux.EINVAL
	}
	index, _ := u32(attrs[linux.RTA_OIF])
	p, err := k.stack.FindRoute(dst, int32(index))
	if err != nil {
		return err
	}
	m := linux.Rtmsg{
		Family: k.r.body[0], DstLen: uint8(dst.BitLen()), Table: linux.RT_TABLE_MAIN, Type: linux.RTN_UNICAST, Flags: linux.RTM_F_CLONED,
	}
	if p.Local || dst.IsLoopback() {
		// As in Linux, the table is told only to who asks for it.
		m.Type, m.Flags = linux.RTN_LOCAL, m.Flags|rtcfLocal
		if binary.LittleEndian.Uint32(k.r.body[8:])&linux.RTM_F_LOOKUP_TABLE != 0 {
			m.Table = linux.RT_TABLE_LOCAL
		}
		p.Gateway = netip.Addr{}
	}
	k.reply.begin(linux.RTM_NEWROUTE, &m)
	k.reply.attrU32(linux.RTA_TABLE, uint32(m.Table))
	k.reply.attrIP(linux.RTA_DST, dst)
	k.reply.attrU32(linux.RTA_OIF, uint32(p.Index))
	if p.Src.IsValid() {
		k.reply.attrIP(linux.RTA_PREFSRC, p.Src)
	}
	if p.Gateway.IsValid() && p.Gateway != dst {
		k.reply.attrIP(linux.RTA_GATEWAY, p.Gateway)
	}
	k.reply.attrU32(linux.RTA_UID, 0)
	k.reply.attrStruct(linux.RTA_CACHEINFO, &linux.RtaCacheinfo{})
	k.reply.end()
	return nil
}

// readRoute reads the route that RTM_NEWROUTE and RTM_DELROUTE are about: unicast, in the main table.
func (k *call) readRoute() (netstack.Route, error) {
	var r netstack.Route
	attrs, err := k.r.attributes(rtmsgSize)
	if err != nil {
		return r, err
	}
	b := k.r.body
	table := uint32(b[4])
	if v, ok := u32(attrs[linux.RTA_TABLE]); ok {
		table = v
	}
	if table != linux.RT_TABLE_MAIN && table != linux.RT_TABLE_UNSPEC || b[7] != linux.RTN_UNICAST && b[7] != linux.RTN_UNSPEC {
		return r, linux.EOPNOTSUPP
	}
	dst := netip.IPv4Unspecified()
	if linux.AddressFamily(b[0]) == linux.AF_INET6 {
		dst = netip.IPv6Unspecified()
	} else if linux.AddressFamily(b[0]) != linux.AF_INET {
		return r, linux.EAFNOSUPPORT
	}
	if v, ok := attrs[linux.RTA_DST]; ok {
		ip, ok := ipOf(v)
		if !ok || familyOf(ip) != familyOf(dst) {
			return r, linux.EINVAL
		}
		dst = ip
	}
	if int(b[1]) > dst.BitLen() {
		return r, linux.EINVAL
	}
	r.Dst = netip.PrefixFrom(dst, int(b[1]))
	if r.Dst != r.Dst.Masked() {
		return r, linux.EINVAL
	}
	if v, ok := attrs[linux.RTA_GATEWAY]; ok {
		if r.Gateway, ok = ipOf(v); !ok || familyOf(r.Gateway) != familyOf(dst) {
			return r, linux.EINVAL
		}
	}
	if v, ok := attrs[linux.RTA_PREFSRC]; ok {
		if r.Src, ok = ipOf(v); !ok {
			return r, linux.EINVAL
		}
	}
	index, _ := u32(attrs[linux.RTA_OIF])
	r.Index = int32(index)
	if r.Index == 0 && r.Gateway.IsValid() {
		p, err := k.stack.FindRoute(r.Gateway, 0)
		if err != nil {
			return r, linux.ENETUNREACH
		}
		r.Index = p.Index
	}
	return r, nil
}

func (k *call) newRoute() error {
	r, err := k.readRoute()
	if err != nil {
		return err
	}
	if r.Index == 0 {
		return linux.ENODEV
	}
	if k.r.flags&linux.NLM_F_REPLACE != 0 {
		k.stack.RemoveRoute(netstack.Route{Dst: r.Dst}) // there may be none
	}
	if err := k.stack.AddRoute(r); err != nil {
		return err
	}
	k.announceRoute(linux.RTM_NEWROUTE, r)
	return nil
}

func (k *call) delRoute() error {
	r, err := k.readRoute()
	if err != nil {
		return err
	}
	if err := k.stack.RemoveRoute(r); err != nil {
		return err
	}
	k.announceRoute(linux.RTM_DELROUTE, r)
	return nil
}

func (k *call) announceRoute(typ linux.NlMsgType, r netstack.Route) {
	f := fibRoute{Route: r, table: linux.RT_TABLE_MAIN, typ: linux.RTN_UNICAST, proto: linux.RTPROT_BOOT}
	k.announce(groupOf(r.Dst.Addr(), linux.RTNLGRP_IPV4_ROUTE, linux.RTNLGRP_IPV6_ROUTE), func(p *reply) { writeRoute(p, typ, &f) })
}

func (k *call) dumpNeighbours() error {
	for _, n := range k.stack.Neighbours() {
		if !wants(k.r.body[0], n.Addr) {
			continue
		}
		k.reply.begin(linux.RTM_NEWNEIGH, &linux.Ndmsg{
			Family: uint8(familyOf(n.Addr)), Ifindex: n.Index, State: uint16(n.State), Type: linux.RTN_UNICAST,
		})
		k.reply.attrIP(linux.NDA_DST, n.Addr)
		k.reply.attr(linux.NDA_LLADDR, n.HWAddr[:])
		k.reply.end()
	}
	return nil
}

// fibRuleHdr is struct fib_rule_hdr.
type fibRuleHdr struct {
	Family, DstLen, SrcLen, Tos, Table, _, _, Action uint8
	Flags                                            uint32
}

const (
	fraPriority          = 6
	fraSuppressPrefixLen = 14
	fraTable             = 15
	frActToTable         = 1
)

// dumpRules lists the rules that every kernel begins with; there are no others.
func (k *call) dumpRules() error {
	for _, f := range []linux.AddressFamily{linux.AF_INET, linux.AF_INET6} {
		if b := k.r.body[0]; b != byte(linux.AF_UNSPEC) && b != byte(f) {
			continue
		}
		for _, r := range []struct {
			priority uint32
			table    uint8
		}{{0, linux.RT_TABLE_LOCAL}, {32766, linux.RT_TABLE_MAIN}, {32767, linux.RT_TABLE_DEFAULT}} {
			if f == linux.AF_INET6 && r.table == linux.RT_TABLE_DEFAULT {
				continue
			}
			k.reply.begin(linux.RTM_NEWRULE, &fibRuleHdr{Family: uint8(f), Table: r.table, Action: frActToTable})
			k.reply.attrU32(fraTable, uint32(r.table))
			k.reply.attrU32(fraSuppressPrefixLen, ^uint32(0))
			if r.priority != 0 {
				k.reply.attrU32(fraPriority, r.priority)
			}
			k.reply.end()
		}
	}
	return nil
}
