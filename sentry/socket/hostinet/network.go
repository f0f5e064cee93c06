package hostinet

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

const (
	// maxAnswer bounds an answer of the host, in bytes.
	maxAnswer = 16 << 20
	// answerSize is the longest datagram the host makes when its reader has that much room.
	answerSize = 32 << 10
)

// A Network is the host's network as far as a guest may ask about it.
type Network struct{}

var _ socket.HostNetwork = Network{}

// Ask implements socket.HostNetwork. The host answers before its send returns, and goes on with a dump while it is read, so
// that nothing here waits.
func (Network) Ask(request []byte, strict bool) ([][]byte, error) {
	return ask(unix.NETLINK_ROUTE, request, strict)
}

func ask(protocol int, request []byte, strict bool) ([][]byte, error) {
	fd, err := newSocket(unix.AF_NETLINK, unix.SOCK_RAW, protocol)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if strict {
		if err := setOption(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, []byte{1, 0, 0, 0}); err != nil {
			return nil, err
		}
	}
	if _, err := move(unix.SYS_SENDMSG, fd, &message{data: [][]byte{request}}, 0); err != nil {
		return nil, err
	}
	var out [][]byte
	total := 0
	buf := make([]byte, answerSize)
	for {
		m := message{data: [][]byte{buf}}
		n, err := move(unix.SYS_RECVMSG, fd, &m, 0)
		if err == error(linux.EAGAIN) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if total += n; total > maxAnswer {
			return nil, linux.ENOBUFS
		}
		out = append(out, bytes.Clone(buf[:n]))
	}
}

// dump asks for all of a kind and calls each with the parts of every message: the fixed part and the attributes.
func dump(typ linux.NlMsgType, answer linux.NlMsgType, size int, each func(fixed []byte, attrs map[uint16][]byte)) {
	req := make([]byte, linux.NLMSG_HDRLEN+16) // all fixed parts fit in 16 bytes of zeros
	binary.LittleEndian.PutUint32(req, uint32(len(req)))
	binary.LittleEndian.PutUint16(req[4:], uint16(typ))
	binary.LittleEndian.PutUint16(req[6:], uint16(linux.NLM_F_REQUEST|linux.NLM_F_DUMP))
	datagrams, err := Network{}.Ask(req, false)
	if err != nil {
		return // nothing is known then
	}
	eachMessage(datagrams, func(typ linux.NlMsgType, body []byte) {
		if typ == answer && len(body) >= size {
			each(body[:size], attributes(body[size:]))
		}
	})
}

// eachMessage calls each with the type and the body of every message.
func eachMessage(datagrams [][]byte, each func(typ linux.NlMsgType, body []byte)) {
	for _, d := range datagrams {
		for len(d) >= linux.NLMSG_HDRLEN {
			n := int(binary.LittleEndian.Uint32(d))
			if n < linux.NLMSG_HDRLEN || n > len(d) {
				break
			}
			each(linux.NlMsgType(binary.LittleEndian.Uint16(d[4:])), d[linux.NLMSG_HDRLEN:n])
			d = d[min(linux.NlAlign(n), len(d)):]
		}
	}
}

func attributes(b []byte) map[uint16][]byte {
	out := make(map[uint16][]byte)
	for len(b) >= linux.NLA_HDRLEN {
		n := int(binary.LittleEndian.Uint16(b))
		if n < linux.NLA_HDRLEN || n > len(b) {
			break
		}
		out[binary.LittleEndian.Uint16(b[2:])&linux.NLA_TYPE_MASK] = b[linux.NLA_HDRLEN:n]
		b = b[min(linux.NlAlign(n), len(b)):]
	}
	return out
}

// Sizes of the fixed parts.
const (
	sizeIfinfomsg = 16
	sizeIfaddrmsg = 8
	sizeRtmsg     = 12
	sizeNdmsg     = 12
)

// Interfaces implements socket.HostNetwork.
func (Network) Interfaces() []netstack.Interface {
	var out []netstack.Interface
	dump(linux.RTM_GETLINK, linux.RTM_NEWLINK, sizeIfinfomsg, func(f []byte, attrs map[uint16][]byte) {
		flags := linux.IfFlags(binary.LittleEndian.Uint32(f[8:]))
		name, _, _ := bytes.Cut(attrs[linux.IFLA_IFNAME], []byte{0})
		i := netstack.Interface{
			Index: int32(binary.LittleEndian.Uint32(f[4:])), Name: string(name), MTU: word(attrs[linux.IFLA_MTU]),
			Loopback: flags&linux.IFF_LOOPBACK != 0, Up: flags&linux.IFF_UP != 0, Carrier: flags&linux.IFF_LOWER_UP != 0, Started: true, Promisc: flags&linux.IFF_PROMISC != 0,
			Counters: counters(attrs[linux.IFLA_STATS64]),
		}
		i.Link = i.Index
		copy(i.HWAddr[:], attrs[linux.IFLA_ADDRESS])
		out = append(out, i)
	})
	dump(linux.RTM_GETADDR, linux.RTM_NEWADDR, sizeIfaddrmsg, func(f []byte, attrs map[uint16][]byte) {
		b, ok := attrs[linux.IFA_LOCAL]
		if !ok {
			b = attrs[linux.IFA_ADDRESS]
		}
		ip, ok := netip.AddrFromSlice(b)
		if !ok || int(f[1]) > ip.BitLen() {
			return
		}
		index := int32(binary.LittleEndian.Uint32(f[4:]))
		for k := range out {
			if out[k].Index == index {
				out[k].Addrs = append(out[k].Addrs, netip.PrefixFrom(ip, int(f[1])))
			}
		}
	})
	slices.SortFunc(out, func(a, b netstack.Interface) int { return cmp.Compare(a.Index, b.Index) })
	return out
}

func word(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func counters(b []byte) (c netstack.InterfaceCounters) {
	var st linux.RtnlLinkStats64
	if n := binary.Size(&st); len(b) < n { // older hosts have fewer
		b = append(bytes.Clone(b), make([]byte, n-len(b))...)
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &st); err != nil {
		return c
	}
	return netstack.InterfaceCounters{
		RxBytes: st.RxBytes, RxPackets: st.RxPackets, RxDropped: st.RxDropped, RxErrors: st.RxErrors,
		TxBytes: st.TxBytes, TxPackets: st.TxPackets, TxDropped: st.TxDropped,
	}
}

// Routes implements socket.HostNetwork: the unicast routes of the main table.
func (Network) Routes() []netstack.Route {
	var out []netstack.Route
	dump(linux.RTM_GETROUTE, linux.RTM_NEWROUTE, sizeRtmsg, func(f []byte, attrs map[uint16][]byte) {
		if f[4] != linux.RT_TABLE_MAIN || f[7] != linux.RTN_UNICAST {
			return
		}
		dst, ok := netip.AddrFromSlice(attrs[linux.RTA_DST])
		if !ok {
			dst = netip.IPv4Unspecified()
			if linux.AddressFamily(f[0]) == linux.AF_INET6 {
				dst = netip.IPv6Unspecified()
			}
		}
		if int(f[1]) > dst.BitLen() {
			return
		}
		r := netstack.Route{Dst: netip.PrefixFrom(dst, int(f[1])), Index: int32(word(attrs[linux.RTA_OIF]))}
		r.Gateway, _ = netip.AddrFromSlice(attrs[linux.RTA_GATEWAY])
		r.Src, _ = netip.AddrFromSlice(attrs[linux.RTA_PREFSRC])
		out = append(out, r)
	})
	return out
}

// Neighbours implements socket.HostNetwork.
func (Network) Neighbours() []netstack.Neighbour {
	var out []netstack.Neighbour
	dump(linux.RTM_GETNEIGH, linux.RTM_NEWNEIGH, sizeNdmsg, func(f []byte, attrs map[uint16][]byte) {
		n := netstack.Neighbour{
			Index: int32(binary.LittleEndian.Uint32(f[4:])), State: netstack.NeighbourState(binary.LittleEndian.Uint16(f[8:])),
		}
		var ok bool
		if n.Addr, ok = netip.AddrFromSlice(attrs[linux.NDA_DST]); !ok {
			return
		}
		copy(n.HWAddr[:], attrs[linux.NDA_LLADDR])
		out = append(out, n)
	})
	return out
}
