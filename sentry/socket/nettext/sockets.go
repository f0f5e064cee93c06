package nettext

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/socket/inet"
	"cordon/sentry/socket/netlink"
	"cordon/sentry/socket/unix"
)

const (
	inetHead = "local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	in6Head  = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
	tail     = " ref pointer drops"

	tcpWidth  = 149
	dataWidth = 127
)

// A kernelPointer is what stands in the place of one.
const kernelPointer = "0000000000000000"

// endpoints lists the endpoints of a kind and family.
func endpoints(ns *socket.Namespace, k netstack.Kind, f netstack.Family) []listed {
	return slices.DeleteFunc(allEndpoints(ns, f), func(e listed) bool { return e.Kind != k })
}

// allEndpoints lists the endpoints of a family: all that the stack has, or the sandbox's own and then the host's others.
func allEndpoints(ns *socket.Namespace, f netstack.Family) []listed {
	var out []listed
	if ns.Stack != nil {
		os := owners(ns, f)
		for _, e := range ns.Stack.Endpoints() {
			if e.Family == f {
				out = append(out, listed{e, os[e.Endpoint], e.Endpoint == nil})
			}
		}
		return out
	}
	for _, l := range ns.Sockets(addressFamily(f)) {
		s, ok := l.(socket.Listing)
		if !ok {
			continue
		}
		if e, ok := s.Listing(); ok {
			ino, uid := l.Basis().Inode()
			out = append(out, listed{e, owner{uid, ino}, false})
		}
	}
	if ns.Host != nil {
		out = append(out, others(ns.Host.Sockets(f), out)...)
	}
	return out
}

// others are the sockets of the host that are not among the sandbox's own.
func others(all []socket.HostSocket, own []listed) (out []listed) {
	type name struct {
		kind          netstack.Kind
		local, remote netstack.Addr
	}
	mine := make(map[name]bool)
	for _, e := range own {
		mine[name{e.Kind, e.Local, e.Remote}] = true
	}
	for _, s := range all {
		remote := s.Remote
		if remote.Port == 0 {
			remote = netstack.Addr{} // nobody
		}
		if !mine[name{s.Kind, s.Local, remote}] {
			out = append(out, listed{s.EndpointInfo, owner{s.UID, s.Inode}, false})
		}
	}
	return out
}

func addressFamily(f netstack.Family) linux.AddressFamily {
	if f == netstack.IPv6 {
		return linux.AF_INET6
	}
	return linux.AF_INET
}

// An owner is what the socket of an endpoint adds to its listing.
type owner struct {
	uid   uint32
	inode uint64
}

// A listed endpoint has its owner with it.
type listed struct {
	netstack.EndpointInfo
	owner  owner
	orphan bool // closed by its owner, or not accepted yet
}

// owners finds the sockets of a namespace's endpoints.
func owners(ns *socket.Namespace, f netstack.Family) map[*netstack.Endpoint]owner {
	out := make(map[*netstack.Endpoint]owner)
	for _, l := range ns.Sockets(addressFamily(f)) {
		if s, ok := l.(*inet.Socket); ok {
			ino, uid := s.Inode()
			out[s.Endpoint()] = owner{uid, ino}
		}
	}
	return out
}

// appendAddr writes an address and a port: 32-bit words in the machine's order.
func appendAddr(b []byte, a netstack.Addr, v6 bool) []byte {
	if !v6 {
		var ip [4]byte
		if u := a.IP.Unmap(); u.Is4() {
			ip = u.As4()
		}
		return fmt.Appendf(b, "%08X:%04X", binary.LittleEndian.Uint32(ip[:]), a.Port)
	}
	ip := netip.IPv6Unspecified().As16()
	if a.IP.IsValid() {
		ip = a.IP.As16()
	}
	for i := 0; i < 16; i += 4 {
		b = fmt.Appendf(b, "%08X", binary.LittleEndian.Uint32(ip[i:]))
	}
	return fmt.Appendf(b, ":%04X", a.Port)
}

// appendCommon writes what all rows of inet sockets have.
func appendCommon(b []byte, e *listed, v6 bool) []byte {
	b = appendAddr(b, e.Local, v6)
	b = append(b, ' ')
	b = appendAddr(b, e.Remote, v6)
	return fmt.Appendf(b, " %02X %08X:%08X 00:00000000 00000000 %5d %8d %d", e.State, 0, e.ReceiveQueue, e.owner.uid, 0, e.owner.inode)
}

func tcp4(ns *socket.Namespace) []byte {
	b := pad([]byte("  sl  "+inetHead), 0, tcpWidth)
	return tcpRows(ns, b, netstack.IPv4)
}

func tcp6(ns *socket.Namespace) []byte {
	return tcpRows(ns, []byte(in6Head+"\n"), netstack.IPv6)
}

func tcpRows(ns *socket.Namespace, b []byte, f netstack.Family) []byte {
	v6 := f == netstack.IPv6
	for i, e := range endpoints(ns, netstack.TCP, f) {
		start := len(b)
		b = fmt.Appendf(b, "%4d: ", i)
		b = appendCommon(b, &e, v6)
		switch e.State {
		case netstack.StateTimeWait:
			b = append(b, " 3 "+kernelPointer...)
		case netstack.StateListen:
			b = append(b, " 1 "+kernelPointer+" 100 0 0 10 0"...)
		default:
			b = append(b, " 1 "+kernelPointer+" 20 4 30 10 -1"...)
		}
		if v6 {
			b = append(b, '\n')
		} else {
			b = pad(b, start, tcpWidth)
		}
	}
	return b
}

func dataRows(ns *socket.Namespace, k netstack.Kind, f netstack.Family, index string) []byte {
	var b []byte
	v6 := f == netstack.IPv6
	if v6 {
		b = []byte(in6Head + tail + "\n")
	} else {
		b = []byte("   sl  " + inetHead + tail)
		if k == netstack.Raw {
			b = append([]byte("  sl  "+inetHead+tail), '\n')
		} else {
			b = pad(b, 0, dataWidth)
		}
	}
	for i, e := range endpoints(ns, k, f) {
		start := len(b)
		if k == netstack.Raw {
			e.Local.Port = uint16(e.Protocol)
		}
		b = fmt.Appendf(b, index, i)
		b = appendCommon(b, &e, v6)
		b = append(b, " 2 "+kernelPointer+" 0"...)
		if v6 || k == netstack.Raw {
			b = append(b, '\n')
		} else {
			b = pad(b, start, dataWidth)
		}
	}
	return b
}

func udp4(ns *socket.Namespace) []byte  { return dataRows(ns, netstack.UDP, netstack.IPv4, "%5d: ") }
func udp6(ns *socket.Namespace) []byte  { return dataRows(ns, netstack.UDP, netstack.IPv6, "%5d: ") }
func ping4(ns *socket.Namespace) []byte { return dataRows(ns, netstack.Ping, netstack.IPv4, "%5d: ") }
func ping6(ns *socket.Namespace) []byte { return dataRows(ns, netstack.Ping, netstack.IPv6, "%5d: ") }
func raw4(ns *socket.Namespace) []byte  { return dataRows(ns, netstack.Raw, netstack.IPv4, "%4d: ") }
func raw6(ns *socket.Namespace) []byte  { return dataRows(ns, netstack.Raw, netstack.IPv6, "%5d: ") }

// States of sockets in /proc/net/unix, and the flag of a listener.
const (
	ssUnconnected   = 1
	ssConnecting    = 2
	ssConnected     = 3
	ssDisconnecting = 4
	soAcceptCon     = 0x10000
)

func unixText(ns *socket.Namespace) []byte {
	b := []byte("Num       RefCount Protocol Flags    Type St Inode Path\n")
	for _, l := range ns.Sockets(linux.AF_UNIX) {
		s, ok := l.(*unix.Socket)
		if !ok {
			continue
		}
		i := s.List()
		flags, state := 0, ssUnconnected
		if i.Listening {
			flags = soAcceptCon
		}
		switch {
		case !i.Accepted && i.Connected:
			state = ssConnecting
		case !i.Accepted:
			state = ssDisconnecting
		case i.Connected:
			state = ssConnected
		}
		ino, _ := s.Inode()
		b = fmt.Appendf(b, "%s: %08X %08X %08X %04X %02X %5d", kernelPointer, i.References, 0, flags, int(s.Info().Type), state, ino)
		if i.Name != "" {
			b = append(b, ' ')
			b = append(b, i.Name...)
		}
		b = append(b, '\n')
	}
	return b
}

func netlinkText(ns *socket.Namespace) []byte {
	b := []byte("sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode            \n")
	for _, l := range ns.Sockets(linux.AF_NETLINK) {
		s, ok := l.(*netlink.Socket)
		if !ok {
			continue
		}
		ino, _ := s.Inode()
		b = fmt.Appendf(b, "%s %-3d %-10d %08x %-8d %-8d %-5d %-8d %-8d %-8d\n",
			kernelPointer, s.Info().Protocol, s.Port(), uint32(s.Groups()), s.Queued(), 0, 0, 2, 0, ino)
	}
	return b
}
