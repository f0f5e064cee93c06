package nettext

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

func interfaces(ns *socket.Namespace) []netstack.Interface { return ns.Interfaces() }

func names(ns *socket.Namespace) map[int32]string {
	out := make(map[int32]string)
	for _, i := range interfaces(ns) {
		out[i.Index] = i.Name
	}
	return out
}

func dev(ns *socket.Namespace) []byte {
	b := []byte("Inter-|   Receive                                                |  Transmit\n" +
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n")
	for _, i := range interfaces(ns) {
		c := i.Counters
		b = fmt.Appendf(b, "%6s: %7d %7d %4d %4d %4d %5d %10d %9d %8d %7d %4d %4d %4d %5d %7d %10d\n", i.Name,
			c.RxBytes, c.RxPackets, c.RxErrors, c.RxDropped, 0, 0, 0, 0, c.TxBytes, c.TxPackets, 0, c.TxDropped, 0, 0, 0, 0)
	}
	return b
}

// Flags of routes.
const (
	rtfUp      = 0x1
	rtfGateway = 0x2
	rtfHost    = 0x4
	rtfLocal   = 0x80000000
)

func word(ip netip.Addr) uint32 {
	if !ip.Is4() {
		return 0
	}
	a := ip.As4()
	return binary.LittleEndian.Uint32(a[:])
}

// route lists the main table; Linux keeps loopback's routes in another.
func route(ns *socket.Namespace) []byte {
	b := pad([]byte("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"), 0, dataWidth)
	name := names(ns)
	for _, r := range ns.Fib() {
		if !r.Dst.Addr().Is4() || r.Table != linux.RT_TABLE_MAIN {
			continue
		}
		flags := rtfUp
		if r.Gateway.IsValid() {
			flags |= rtfGateway
		}
		if r.Dst.Bits() == 32 {
			flags |= rtfHost
		}
		start := len(b)
		b = fmt.Appendf(b, "%s\t%08X\t%08X\t%04X\t%d\t%d\t%d\t%08X\t%d\t%d\t%d", name[r.Index], word(r.Dst.Addr()), word(r.Gateway), flags,
			0, 0, r.Metric, word(socket.Netmask(r.Dst)), r.MTU, 0, 0)
		b = pad(b, start, dataWidth)
	}
	return b
}

func route6(ns *socket.Namespace) []byte {
	var b []byte
	name := names(ns)
	row := func(dst netip.Prefix, gw netip.Addr, metric, flags uint32, dev string) {
		d, g := dst.Addr().As16(), netip.IPv6Unspecified().As16()
		if gw.IsValid() {
			g = gw.As16()
		}
		b = fmt.Appendf(b, "%x %02x %032x 00 %x %08x %08x %08x %08x %8s\n", d, dst.Bits(), 0, g, metric, 1, 0, flags, dev)
	}
	for _, r := range ns.Fib() {
		if r.Dst.Addr().Is4() || r.Table != linux.RT_TABLE_MAIN {
			continue
		}
		flags := uint32(rtfUp)
		if r.Gateway.IsValid() {
			flags |= rtfGateway
		}
		row(r.Dst, r.Gateway, r.Metric, flags, name[r.Index])
	}
	for _, i := range interfaces(ns) {
		for _, a := range i.Addrs {
			if !a.Addr().Is4() {
				row(netip.PrefixFrom(a.Addr(), 128), netip.Addr{}, 0, rtfUp|rtfLocal|0x200000, i.Name)
			}
		}
	}
	return b
}

// Scopes and flags of IPv6 addresses.
const (
	scopeHost    = 0x10
	scopeLink    = 0x20
	ifaPermanent = 0x80
)

func ifInet6(ns *socket.Namespace) []byte {
	var b []byte
	for _, i := range interfaces(ns) {
		for _, a := range i.Addrs {
			ip := a.Addr()
			if ip.Is4() {
				continue
			}
			scope := 0
			switch {
			case ip.IsLoopback():
				scope = scopeHost
			case ip.IsLinkLocalUnicast():
				scope = scopeLink
			}
			b = fmt.Appendf(b, "%x %02x %02x %02x %02x %8s\n", ip.As16(), i.Index, a.Bits(), scope, ifaPermanent, i.Name)
		}
	}
	return b
}

func arp(ns *socket.Namespace) []byte {
	b := []byte("IP address       HW type     Flags       HW address            Mask     Device\n")
	name := names(ns)
	const complete, permanentFlag, permanent = 0x2, 0x4, 0x80
	for _, n := range ns.Neighbours() {
		if !n.Addr.Is4() {
			continue
		}
		h := n.HWAddr
		mac := fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", h[0], h[1], h[2], h[3], h[4], h[5])
		flags := complete
		if n.State == permanent {
			flags |= permanentFlag
		}
		b = fmt.Appendf(b, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", n.Addr, 1, flags, mac, name[n.Index])
	}
	return b
}
