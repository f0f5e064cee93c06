package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

const (
	rtmsgSize = 12
	// rtnhOnLink is RTNH_F_ONLINK: the gateway is on the link, whatever the tables say.
	rtnhOnLink = 4
	// rtcfLocal is RTCF_LOCAL, "cache <local>".
	rtcfLocal = 0x80000000
)

// dumpRoutes lists the routes: of a table and an interface only, if the request says so strictly.
func (k *call) dumpRoutes() error {
	family, table, index, proto, typ := k.r.body[0], uint32(0), uint32(0), uint8(0), uint8(0)
	if k.strict() {
		if len(k.r.body) < rtmsgSize {
			return k.fail(linux.EINVAL, "Invalid header for FIB dump request")
		}
		attrs, err := k.r.attributes(rtmsgSize)
		if err != nil {
			return err
		}
		table, proto, typ = uint32(k.r.body[4]), k.r.body[5], k.r.body[7]
		if v, ok := u32(attrs[linux.RTA_TABLE]); ok {
			table = v
		}
		if v, ok := u32(attrs[linux.RTA_OIF]); ok {
			if _, found := k.stack.Interface(int32(v)); !found {
				return linux.ENODEV
			}
			index = v
		}
		k.reply.filtered = table|index != 0 || proto|typ != 0
	}
	if table != 0 && table != linux.RT_TABLE_MAIN && table != linux.RT_TABLE_LOCAL && table != linux.RT_TABLE_DEFAULT {
		return k.fail(linux.ENOENT, "ipv4: FIB table does not exist")
	}
	for _, f := range k.ns().Fib() {
		if wants(family, f.Dst.Addr()) && (table == 0 || table == uint32(f.Table)) && (index == 0 || index == uint32(f.Index)) &&
			(proto == 0 || proto == f.Proto) && (typ == 0 || typ == f.Type) {
			writeRoute(&k.reply, linux.RTM_NEWROUTE, &f)
		}
	}
	return nil
}

func writeRoute(p *reply, typ linux.NlMsgType, f *socket.Route) {
	six := !f.Dst.Addr().Is4()
	m := linux.Rtmsg{
		Family: uint8(familyOf(f.Dst.Addr())), DstLen: uint8(f.Dst.Bits()), Table: f.Table, Protocol: f.Proto, Scope: f.Scope, Type: f.Type,
	}
	if f.OnLink {
		m.Flags |= rtnhOnLink
	}
	p.begin(typ, &m)
	p.attrU32(linux.RTA_TABLE, uint32(f.Table))
	if f.Dst.Bits() > 0 {
		p.attrIP(linux.RTA_DST, f.Dst.Addr())
	}
	if six || f.Metric != 0 {
		p.attrU32(linux.RTA_PRIORITY, f.Metric)
	}
	if f.MTU != 0 {
		nest := p.nest(linux.RTA_METRICS)
		p.attrU32(linux.RTAX_MTU, f.MTU)
		p.unnest(nest)
	}
	if f.Src.IsValid() {
		p.attrIP(linux.RTA_PREFSRC, f.Src)
	}
	if f.Gateway.IsValid() {
		p.attrIP(linux.RTA_GATEWAY, f.Gateway)
	}
	p.attrU32(linux.RTA_OIF, uint32(f.Index))
	if six {
		p.attrStruct(linux.RTA_CACHEINFO, &linux.RtaCacheinfo{})
		p.attrU8(linux.RTA_PREF, 0)
	}
	p.end()
}

// getRoute answers "ip route get".
func (k *call) getRoute() error {
	attrs, err := k.r.attributes(rtmsgSize)
	if err != nil {
		return err
	}
	f := linux.AddressFamily(k.r.body[0])
	dst, ok := ipOf(attrs[linux.RTA_DST])
	switch {
	case f != linux.AF_INET && f != linux.AF_INET6:
		return linux.EOPNOTSUPP
	case attrs[linux.RTA_DST] == nil && f == linux.AF_INET:
		dst = netip.IPv4Unspecified()
	case !ok || familyOf(dst) != f:
		return linux.EINVAL
	}
	index, _ := u32(attrs[linux.RTA_OIF])
	p, err := k.stack.FindRoute(dst, int32(index))
	if err != nil {
		return linux.ENETUNREACH
	}
	m := linux.Rtmsg{
		Family: k.r.body[0], DstLen: uint8(dst.BitLen()), Table: linux.RT_TABLE_MAIN, Type: linux.RTN_UNICAST, Flags: linux.RTM_F_CLONED,
	}
	loop := p.Index == netstack.LoopbackIndex
	if p.Local || loop {
		m.Flags |= rtcfLocal
		if p.Local {
			m.Type = linux.RTN_LOCAL
		}
		p.Gateway, p.Index = netip.Addr{}, netstack.LoopbackIndex
		if p.Local {
			p.Src = dst
		}
	}
	p6 := !dst.Is4()
	k.reply.begin(linux.RTM_NEWROUTE, &m)
	k.reply.attrU32(linux.RTA_TABLE, uint32(m.Table))
	k.reply.attrIP(linux.RTA_DST, dst)
	if p.Gateway.IsValid() && p.Gateway != dst {
		k.reply.attrIP(linux.RTA_GATEWAY, p.Gateway)
	}
	k.reply.attrU32(linux.RTA_OIF, uint32(p.Index))
	if p.Src.IsValid() {
		k.reply.attrIP(linux.RTA_PREFSRC, p.Src)
	}
	if p6 {
		k.reply.attrU32(linux.RTA_PRIORITY, 0)
	} else {
		k.reply.attrU32(linux.RTA_UID, 0)
	}
	k.reply.attrStruct(linux.RTA_CACHEINFO, &linux.RtaCacheinfo{})
	if p6 {
		k.reply.attrU8(linux.RTA_PREF, 0)
	}
	k.reply.end()
	return nil
}

// A wanted route is what RTM_NEWROUTE and RTM_DELROUTE say.
type wantedRoute struct {
	socket.Route
	hasMetric bool
}

// readRoute reads a route: unicast, by one way, in the main table.
func (k *call) readRoute() (w wantedRoute, err error) {
	attrs, err := k.r.attributes(rtmsgSize)
	if err != nil {
		return w, err
	}
	b := k.r.body
	table := uint32(b[4])
	if v, ok := u32(attrs[linux.RTA_TABLE]); ok {
		table = v
	}
	if table != linux.RT_TABLE_MAIN && table != linux.RT_TABLE_UNSPEC || b[7] != linux.RTN_UNICAST && b[7] != linux.RTN_UNSPEC {
		return w, linux.EOPNOTSUPP
	}
	dst := netip.IPv4Unspecified()
	if linux.AddressFamily(b[0]) == linux.AF_INET6 {
		dst = netip.IPv6Unspecified()
	} else if linux.AddressFamily(b[0]) != linux.AF_INET {
		return w, linux.EAFNOSUPPORT
	}
	for _, a := range []uint16{linux.RTA_SRC, linux.RTA_IIF, linux.RTA_MULTIPATH, linux.RTA_VIA, linux.RTA_ENCAP, linux.RTA_NH_ID, linux.RTA_MARK, linux.RTA_EXPIRES} {
		if _, ok := attrs[a]; ok {
			if a != linux.RTA_MULTIPATH || k.onlyHop(attrs) != nil {
				return w, linux.EOPNOTSUPP
			}
		}
	}
	if b[2] != 0 || b[3] != 0 {
		return w, linux.EOPNOTSUPP // by source or type of service
	}
	w.Route = socket.Route{
		Table: linux.RT_TABLE_MAIN, Type: linux.RTN_UNICAST, Proto: b[5], Scope: b[6],
		OnLink: binary.LittleEndian.Uint32(b[8:])&rtnhOnLink != 0,
	}
	if v, ok := attrs[linux.RTA_DST]; ok {
		ip, ok := ipOf(v)
		if !ok || familyOf(ip) != familyOf(dst) {
			return w, linux.EINVAL
		}
		dst = ip
	}
	if int(b[1]) > dst.BitLen() {
		return w, k.fail(linux.EINVAL, "Invalid prefix length")
	}
	w.Dst = netip.PrefixFrom(dst, int(b[1]))
	if w.Dst != w.Dst.Masked() {
		if !dst.Is4() {
			w.Dst = w.Dst.Masked() // as in Linux, which takes it for IPv6
		} else {
			return w, k.fail(linux.EINVAL, "Invalid prefix for given prefix length")
		}
	}
	return w, k.readPath(attrs, &w)
}

// onlyHop replaces the attributes by those of the only way of RTA_MULTIPATH; an error if there are several.
func (k *call) onlyHop(attrs map[uint16][]byte) error {
	b := attrs[linux.RTA_MULTIPATH]
	if len(b) < 8 || int(binary.LittleEndian.Uint16(b)) != len(b) {
		return linux.EOPNOTSUPP
	}
	hop := request{body: b}
	inner, err := hop.attributes(8)
	if err != nil {
		return err
	}
	attrs[linux.RTA_OIF] = b[4:8]
	if g, ok := inner[linux.RTA_GATEWAY]; ok {
		attrs[linux.RTA_GATEWAY] = g
	}
	return nil
}

// readPath reads where a route leads.
func (k *call) readPath(attrs map[uint16][]byte, w *wantedRoute) error {
	dst := w.Dst.Addr()
	if v, ok := attrs[linux.RTA_GATEWAY]; ok {
		if w.Gateway, ok = ipOf(v); !ok || familyOf(w.Gateway) != familyOf(dst) {
			return linux.EINVAL
		}
		if w.Gateway.IsUnspecified() {
			w.Gateway = netip.Addr{}
		}
	}
	if v, ok := attrs[linux.RTA_PREFSRC]; ok {
		if w.Src, ok = ipOf(v); !ok {
			return linux.EINVAL
		}
		if k.r.typ == linux.RTM_NEWROUTE && !k.stack.IsLocal(w.Src) {
			return k.fail(linux.EINVAL, "Invalid prefsrc address")
		}
	}
	index, _ := u32(attrs[linux.RTA_OIF])
	w.Index = int32(index)
	w.Metric, w.hasMetric = u32(attrs[linux.RTA_PRIORITY])
	if !dst.Is4() {
		w.Scope = linux.RT_SCOPE_UNIVERSE
		if w.Metric == 0 {
			w.Metric = 1024
		}
	}
	if m, ok := attrs[linux.RTA_METRICS]; ok {
		inner := request{body: m}
		ms, err := inner.attributes(0)
		if err != nil {
			return err
		}
		for a, v := range ms {
			n, ok := u32(v)
			if a != linux.RTAX_MTU || !ok {
				return linux.EOPNOTSUPP
			}
			w.MTU = n
		}
	}
	return nil
}

// checkPath finds the interface and checks that the gateway can be reached, as Linux: net/ipv4/fib_semantics.c fib_check_nh.
func (k *call) checkPath(w *wantedRoute) error {
	if w.Index != 0 {
		i, ok := k.stack.Interface(w.Index)
		if !ok {
			return linux.ENODEV
		}
		if !i.Up {
			return k.fail(linux.ENETDOWN, "Device for nexthop is not up")
		}
	}
	if !w.Gateway.IsValid() {
		if w.Index == 0 {
			return linux.ENODEV
		}
		return nil
	}
	if w.OnLink {
		if w.Index == 0 {
			return k.fail(linux.ENODEV, "Nexthop device required for onlink")
		}
		return nil
	}
	via := w.Index
	if w.Gateway.Is6() && w.Gateway.IsLinkLocalUnicast() {
		if via == 0 {
			return k.fail(linux.EINVAL, "Gateway link local and no device")
		}
		return nil
	}
	for _, f := range k.ns().Fib() {
		if f.Dst.Contains(w.Gateway) && f.Dst.Bits() > 0 && !f.Gateway.IsValid() && (via == 0 || f.Index == via) {
			if f.Type == linux.RTN_LOCAL && f.Dst.IsSingleIP() {
				if w.Gateway.Is4() {
					return k.fail(linux.EINVAL, "Nexthop has invalid gateway")
				}
				return k.fail(linux.EINVAL, "Gateway can not be a local address")
			}
			w.Index = f.Index
			return nil
		}
	}
	if w.Gateway.Is4() {
		return k.fail(linux.ENETUNREACH, "Nexthop has invalid gateway")
	}
	return linux.EHOSTUNREACH
}

func (k *call) newRoute() error {
	w, err := k.readRoute()
	if err != nil {
		return err
	}
	if err := k.checkPath(&w); err != nil {
		return err
	}
	mode := socket.RouteMode(0)
	for _, m := range []struct {
		flag linux.NlMsgFlags
		mode socket.RouteMode
	}{
		{linux.NLM_F_CREATE, socket.RouteCreate}, {linux.NLM_F_EXCL, socket.RouteExcl},
		{linux.NLM_F_REPLACE, socket.RouteReplace}, {linux.NLM_F_APPEND, socket.RouteAppend},
	} {
		if k.r.flags&m.flag != 0 {
			mode |= m.mode
		}
	}
	return k.ns().AddRoute(w.Route, mode)
}

func (k *call) delRoute() error {
	w, err := k.readRoute()
	if err != nil {
		return err
	}
	return k.ns().RemoveRoute(func(o *socket.Route) bool {
		const nowhere = 255
		return o.Dst == w.Dst && (w.Index == 0 || o.Index == w.Index) && (!w.Gateway.IsValid() || o.Gateway == w.Gateway) &&
			(!w.Src.IsValid() || o.Src == w.Src) && (w.Proto == 0 || o.Proto == w.Proto) && (!w.hasMetric || o.Metric == w.Metric) &&
			(!o.Dst.Addr().Is4() || w.Scope == nowhere || w.Scope == o.Scope)
	})
}
