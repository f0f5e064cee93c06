package netstack

import (
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
)

// Addr names one end of a connection. An invalid IP and the unspecified one both mean any address. Index is the interface
// that a scoped address belongs to, or 0.
type Addr struct {
	IP    netip.Addr
	Port  uint16
	Index int32
}

// Family is the network protocol of an endpoint.
type Family uint8

const (
	IPv4 Family = iota + 1
	IPv6
)

func (f Family) proto() tcpip.NetworkProtocolNumber {
	if f == IPv6 {
		return ipv6.ProtocolNumber
	}
	return ipv4.ProtocolNumber
}

func familyOf(p tcpip.NetworkProtocolNumber) Family {
	if p == header.IPv6ProtocolNumber {
		return IPv6
	}
	return IPv4
}

func toAddress(ip netip.Addr) tcpip.Address {
	switch {
	case ip.Is4():
		return tcpip.AddrFrom4(ip.As4())
	case ip.IsValid():
		return tcpip.AddrFrom16(ip.As16())
	}
	return tcpip.Address{}
}

func fromAddress(a tcpip.Address) netip.Addr {
	switch a.Len() {
	case 4:
		return netip.AddrFrom4(a.As4())
	case 16:
		return netip.AddrFrom16(a.As16())
	}
	return netip.Addr{}
}

// toFull keeps ::ffff:0.0.0.0 as it is: to tcpip it means any IPv4 address, which the empty address would widen to both
// families.
func toFull(a Addr) tcpip.FullAddress {
	out := tcpip.FullAddress{NIC: tcpip.NICID(a.Index), Port: a.Port}
	if a.IP.IsValid() && !a.IP.IsUnspecified() {
		out.Addr = toAddress(a.IP)
	}
	return out
}

func fromFull(a tcpip.FullAddress) Addr {
	return Addr{IP: fromAddress(a.Addr), Port: a.Port, Index: int32(a.NIC)}
}

func toPrefix(p tcpip.AddressWithPrefix) netip.Prefix {
	return netip.PrefixFrom(fromAddress(p.Address), p.PrefixLen)
}

func fromPrefix(p netip.Prefix) tcpip.AddressWithPrefix {
	return tcpip.AddressWithPrefix{Address: toAddress(p.Addr()), PrefixLen: p.Bits()}
}
