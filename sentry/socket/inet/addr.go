package inet

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// Sizes of the addresses; the older form of sockaddr_in6 has no scope.
const (
	sizeIn     = 16
	sizeIn6    = 28
	sizeIn6Old = 24
)

func familyOf(a socket.Address) linux.AddressFamily {
	return linux.AddressFamily(binary.LittleEndian.Uint16(a))
}

// parse reads an address for a socket of s's family. what says which errno a foreign family gets.
func (s *Socket) parse(a socket.Address, foreign linux.Errno) (netstack.Addr, error) {
	if len(a) < 2 {
		return netstack.Addr{}, linux.EINVAL
	}
	if !s.v6() {
		if len(a) < sizeIn {
			return netstack.Addr{}, linux.EINVAL
		}
		if f := familyOf(a); f != linux.AF_INET {
			return netstack.Addr{}, foreign
		}
		return parseIn(a), nil
	}
	switch familyOf(a) {
	case linux.AF_INET6:
		if len(a) < sizeIn6Old {
			return netstack.Addr{}, linux.EINVAL
		}
		return parseIn6(a), nil
	case linux.AF_INET:
		if len(a) < sizeIn {
			return netstack.Addr{}, linux.EINVAL
		}
		if s.ep().Kind() == netstack.TCP || s.ep().Flag(netstack.V6Only) {
			return netstack.Addr{}, foreign
		}
		n := parseIn(a)
		n.IP = netip.AddrFrom16(n.IP.As16())
		return n, nil
	}
	return netstack.Addr{}, foreign
}

func parseIn(a socket.Address) netstack.Addr {
	return netstack.Addr{IP: netip.AddrFrom4([4]byte(a[4:8])), Port: binary.BigEndian.Uint16(a[2:])}
}

func parseIn6(a socket.Address) netstack.Addr {
	n := netstack.Addr{IP: netip.AddrFrom16([16]byte(a[8:24])), Port: binary.BigEndian.Uint16(a[2:])}
	if len(a) >= sizeIn6 && (n.IP.IsLinkLocalUnicast() || n.IP.IsLinkLocalMulticast()) {
		n.Index = int32(binary.LittleEndian.Uint32(a[24:]))
	}
	return n
}

// format writes an address in the form of s's family.
func (s *Socket) format(n netstack.Addr) socket.Address { return format(n, s.v6()) }

func format(n netstack.Addr, v6 bool) socket.Address {
	if !v6 {
		a := make(socket.Address, sizeIn)
		binary.LittleEndian.PutUint16(a, uint16(linux.AF_INET))
		binary.BigEndian.PutUint16(a[2:], n.Port)
		if n.IP.IsValid() {
			b := n.IP.Unmap()
			if b.Is4() {
				ip := b.As4()
				copy(a[4:], ip[:])
			}
		}
		return a
	}
	a := make(socket.Address, sizeIn6)
	binary.LittleEndian.PutUint16(a, uint16(linux.AF_INET6))
	binary.BigEndian.PutUint16(a[2:], n.Port)
	if n.IP.IsValid() {
		ip := n.IP.As16()
		copy(a[8:], ip[:])
		if n.IP.IsLinkLocalUnicast() || n.IP.IsLinkLocalMulticast() {
			binary.LittleEndian.PutUint32(a[24:], uint32(n.Index))
		}
	}
	return a
}

// toPeer turns the unspecified address into loopback, which is where Linux sends it.
func toPeer(n netstack.Addr) netstack.Addr {
	switch {
	case !n.IP.IsValid():
	case n.IP.Is4() && n.IP.IsUnspecified():
		n.IP = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case n.IP.Is4In6() && n.IP.Unmap().IsUnspecified():
		n.IP = netip.AddrFrom16(netip.AddrFrom4([4]byte{127, 0, 0, 1}).As16())
	case n.IP.IsUnspecified():
		n.IP = netip.IPv6Loopback()
	}
	return n
}
