package network

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"syscall"

	"cordon/netstack"

	"golang.org/x/sys/unix"
)

// A view is what a namespace has: its Ethernet interfaces and the main table's routes over them.
type view struct {
	links  map[int32]linkView
	routes map[routeView]bool
}

func (v view) copy() view { return view{maps.Clone(v.links), maps.Clone(v.routes)} }

type linkView struct {
	name   string
	hw     [6]byte
	mtu    uint32
	gsoMax uint32
	up     bool
	addrs  map[netip.Prefix]bool
}

type routeView struct {
	dst          netip.Prefix
	gateway, src netip.Addr
	link         int32
	mtu          uint32
	metric       uint32
}

func (r routeView) route(at int32) netstack.Route {
	return netstack.Route{Dst: r.dst, Gateway: r.gateway, Src: r.src, Index: at, MTU: r.mtu}
}

func comparePrefix(a, b netip.Prefix) int { return cmp.Compare(a.String(), b.String()) }

// compareRoute sorts by whether there is a gateway, then by metric.
func compareRoute(a, b routeView) int {
	return cmp.Or(btoi(a.gateway.IsValid())-btoi(b.gateway.IsValid()), cmp.Compare(a.metric, b.metric), comparePrefix(a.dst, b.dst))
}

// hear waits for a change. It is false when there is nothing to hear any more.
func hear(conn syscall.RawConn) bool {
	buf := make([]byte, 64<<10)
	heard := false
	err := conn.Read(func(fd uintptr) bool {
		for {
			n, err := receive(int(fd), buf)
			switch {
			case err == unix.EAGAIN:
				return heard
			case err == unix.ENOBUFS: // more than it could keep: something has changed
				heard = true
			case err != nil || n == 0:
				heard = false
				return true
			default:
				heard = true
			}
		}
	})
	return err == nil && heard
}

// drain forgets what has come.
func drain(fd int) {
	buf := make([]byte, 64<<10)
	for {
		n, _, _, _, err := unix.Recvmsg(fd, buf, nil, unix.MSG_DONTWAIT)
		if err != nil && err != unix.EINTR || n == 0 {
			return
		}
	}
}

// look returns what the namespace of a netlink socket has.
func look(fd int) (view, error) {
	v := view{make(map[int32]linkView), make(map[routeView]bool)}
	for _, q := range []struct {
		kind uint16
		take func([]byte)
	}{{unix.RTM_GETLINK, v.link}, {unix.RTM_GETADDR, v.addr}, {unix.RTM_GETROUTE, v.route}} {
		if err := dump(fd, q.kind, q.take); err != nil {
			return view{}, err
		}
	}
	return v, nil
}

// maxDump bounds the messages of an answer.
const maxDump = 1 << 16

// dump asks for everything of a kind.
func dump(fd int, kind uint16, take func([]byte)) error {
	req := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg)
	binary.NativeEndian.PutUint32(req, uint32(len(req)))
	binary.NativeEndian.PutUint16(req[4:], kind)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	if err := unix.Sendmsg(fd, req, nil, nil, 0); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	buf := make([]byte, 64<<10)
	for range maxDump {
		n, err := receive(fd, buf)
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		msgs, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		for _, m := range msgs {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				if len(m.Data) >= 4 {
					return unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data)))
				}
				return errors.New("netlink: an error")
			case unix.RTM_NEWLINK, unix.RTM_NEWADDR, unix.RTM_NEWROUTE:
				take(m.Data)
			}
		}
	}
	return errors.New("netlink: no end")
}

// attributes calls f for each attribute of a message after its head.
func attributes(data []byte, head int, f func(kind uint16, v []byte)) {
	if len(data) < head {
		return
	}
	for data = data[head:]; len(data) >= unix.SizeofRtAttr; {
		n := int(binary.NativeEndian.Uint16(data))
		if n < unix.SizeofRtAttr || n > len(data) {
			return
		}
		f(binary.NativeEndian.Uint16(data[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), data[unix.SizeofRtAttr:n])
		data = data[min(len(data), (n+3)&^3):]
	}
}

func number(v []byte) uint32 {
	if len(v) != 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(v)
}

// link takes struct ifinfomsg.
func (v view) link(data []byte) {
	if len(data) < unix.SizeofIfInfomsg || binary.NativeEndian.Uint16(data[2:]) != unix.ARPHRD_ETHER {
		return
	}
	l := linkView{up: binary.NativeEndian.Uint32(data[8:])&unix.IFF_UP != 0, addrs: make(map[netip.Prefix]bool)}
	whole := false
	attributes(data, unix.SizeofIfInfomsg, func(kind uint16, a []byte) {
		switch kind {
		case unix.IFLA_IFNAME:
			if len(a) > 1 {
				l.name = string(a[:len(a)-1])
			}
		case unix.IFLA_ADDRESS:
			whole = len(a) == len(l.hw)
			copy(l.hw[:], a)
		case unix.IFLA_MTU:
			l.mtu = number(a)
		case unix.IFLA_GSO_MAX_SIZE:
			l.gsoMax = number(a)
		}
	})
	if whole && l.name != "" {
		v.links[int32(binary.NativeEndian.Uint32(data[4:]))] = l
	}
}

// addr takes struct ifaddrmsg.
func (v view) addr(data []byte) {
	if len(data) < unix.SizeofIfAddrmsg {
		return
	}
	l, ok := v.links[int32(binary.NativeEndian.Uint32(data[4:]))]
	if !ok {
		return
	}
	var ip, local netip.Addr
	flags := uint32(data[2])
	attributes(data, unix.SizeofIfAddrmsg, func(kind uint16, a []byte) {
		switch kind {
		case unix.IFA_ADDRESS:
			ip, _ = netip.AddrFromSlice(a)
		case unix.IFA_LOCAL: // of a tunnel with two ends the other is IFA_ADDRESS
			local, _ = netip.AddrFromSlice(a)
		case unix.IFA_FLAGS:
			flags = number(a)
		}
	})
	if local.IsValid() {
		ip = local
	}
	if p := netip.PrefixFrom(ip, int(data[1])); p.IsValid() && flags&unix.IFA_F_DADFAILED == 0 {
		l.addrs[p] = true
	}
}

// route takes struct rtmsg. Of a route with several next hops nothing is taken.
func (v view) route(data []byte) {
	if len(data) < unix.SizeofRtMsg || data[7] != unix.RTN_UNICAST {
		return
	}
	family, bits, table := data[0], int(data[1]), uint32(data[4])
	var r routeView
	dst := netip.IPv4Unspecified()
	if family == unix.AF_INET6 {
		dst = netip.IPv6Unspecified()
	}
	attributes(data, unix.SizeofRtMsg, func(kind uint16, a []byte) {
		switch kind {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(a)
		case unix.RTA_GATEWAY:
			r.gateway, _ = netip.AddrFromSlice(a)
		case unix.RTA_PREFSRC:
			r.src, _ = netip.AddrFromSlice(a)
		case unix.RTA_OIF:
			r.link = int32(number(a))
		case unix.RTA_TABLE:
			table = number(a)
		case unix.RTA_PRIORITY:
			r.metric = number(a)
		case unix.RTA_METRICS:
			attributes(a, 0, func(kind uint16, a []byte) {
				if kind == unix.RTAX_MTU {
					r.mtu = number(a)
				}
			})
		}
	})
	r.dst = netip.PrefixFrom(dst, bits)
	if _, ok := v.links[r.link]; ok && table == unix.RT_TABLE_MAIN && r.dst.IsValid() && !dst.IsMulticast() {
		v.routes[r] = true
	}
}

// receive is recvmsg(2) that goes on after signals, which Go's runtime sends itself.
func receive(fd int, b []byte) (int, error) {
	for {
		n, _, _, _, err := unix.Recvmsg(fd, b, nil, 0)
		if err != unix.EINTR {
			return n, err
		}
	}
}
