package netlink_test

import (
	"testing"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/usermem"
)

// FuzzProtocols sends anything to the kernel by each protocol that answers. It may do what it likes to its own network.
func FuzzProtocols(f *testing.F) {
	f.Add(uint8(0), message(linux.RTM_NEWADDR, linux.NLM_F_REQUEST|linux.NLM_F_ACK, 1, append([]byte{2, 8, 0, 0, 1, 0, 0, 0}, attr(linux.IFA_LOCAL, []byte{10, 0, 0, 1})...)))
	f.Add(uint8(0), message(linux.RTM_GETROUTE, linux.NLM_F_REQUEST|linux.NLM_F_DUMP, 1, make([]byte, 12)))
	f.Add(uint8(0), message(linux.RTM_NEWLINK, linux.NLM_F_REQUEST|linux.NLM_F_CREATE, 1, append(make([]byte, 16), attr(linux.IFLA_LINKINFO, attr(linux.IFLA_INFO_KIND, []byte("veth")))...)))
	f.Add(uint8(1), message(20, linux.NLM_F_REQUEST|linux.NLM_F_DUMP, 1, append([]byte{2, 6}, make([]byte, 54)...)))
	f.Add(uint8(2), message(10<<8, linux.NLM_F_REQUEST, 1, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, proto uint8, b []byte) {
		w := newWorld(t)
		protos := []linux.NetlinkProto{linux.NETLINK_ROUTE, linux.NETLINK_SOCK_DIAG, linux.NETLINK_NETFILTER}
		s, err := netlink.Provider{}.NewSocket(w.root, w.ns, linux.AF_NETLINK, linux.SOCK_RAW, int32(protos[int(proto)%len(protos)]))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		for range 2 {
			seq := usermem.OfBytes(b)
			s.Send(w.root, &socket.Outgoing{Data: &seq})
		}
	})
}
