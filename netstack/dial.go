package netstack

import (
	"context"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"

	"cordon/internal/linux"
)

// DialLoopback connects to a TCP port of the stack's own loopback, of IPv4 or else of IPv6, for somebody who is no program of
// the guest.
func (s *Stack) DialLoopback(port uint16) (Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialPatience)
	defer cancel()
	for _, ip := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		c, err := gonet.DialContextTCP(ctx, s.s, tcpip.FullAddress{Addr: toAddress(ip), Port: port}, neighbourProto(ip))
		if err == nil {
			return c, nil
		}
	}
	return nil, linux.ECONNREFUSED
}
