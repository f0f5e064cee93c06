package hostinet

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// Offsets in struct inet_diag_req_v2 and struct inet_diag_msg (linux/inet_diag.h), which have an inet_diag_sockid
// of 48 bytes, and their sizes.
const (
	sizeDiagRequest = 56
	sizeDiagMessage = 72

	diagState    = 1
	diagPorts    = 4
	diagLocal    = 8
	diagRemote   = 24
	diagReceived = 56
	diagUID      = 64
	diagInode    = 68
)

// Sockets implements socket.HostNetwork. What the host does not tell is not there.
func (Network) Sockets(f netstack.Family) []socket.HostSocket {
	family, size := uint8(unix.AF_INET), 4
	if f == netstack.IPv6 {
		family, size = unix.AF_INET6, 16
	}
	var out []socket.HostSocket
	for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		req := make([]byte, linux.NLMSG_HDRLEN+sizeDiagRequest)
		binary.LittleEndian.PutUint32(req, uint32(len(req)))
		binary.LittleEndian.PutUint16(req[4:], unix.SOCK_DIAG_BY_FAMILY)
		binary.LittleEndian.PutUint16(req[6:], uint16(linux.NLM_F_REQUEST|linux.NLM_F_DUMP))
		body := req[linux.NLMSG_HDRLEN:]
		body[0], body[1] = family, protocol
		binary.LittleEndian.PutUint32(body[4:], ^uint32(0)) // of all states
		datagrams, err := ask(unix.NETLINK_SOCK_DIAG, req, false)
		if err != nil {
			continue
		}
		eachMessage(datagrams, func(typ linux.NlMsgType, body []byte) {
			if typ == unix.SOCK_DIAG_BY_FAMILY && len(body) >= sizeDiagMessage && body[0] == family {
				out = append(out, hostSocket(body, f, protocol, size))
			}
		})
	}
	return out
}

// hostSocket reads a struct inet_diag_msg whose addresses have size bytes.
func hostSocket(b []byte, f netstack.Family, protocol uint8, size int) socket.HostSocket {
	addr := func(ip, port int) netstack.Addr {
		a, _ := netip.AddrFromSlice(b[ip : ip+size])
		return netstack.Addr{IP: a, Port: binary.BigEndian.Uint16(b[port:])}
	}
	s := socket.HostSocket{UID: binary.LittleEndian.Uint32(b[diagUID:]), Inode: uint64(binary.LittleEndian.Uint32(b[diagInode:]))}
	s.EndpointInfo = netstack.EndpointInfo{
		Kind: netstack.TCP, Family: f, Protocol: protocol, State: netstack.State(b[diagState]),
		Local: addr(diagLocal, diagPorts), Remote: addr(diagRemote, diagPorts+2),
		ReceiveQueue: int(binary.LittleEndian.Uint32(b[diagReceived:])),
	}
	if protocol == unix.IPPROTO_UDP {
		s.Kind = netstack.UDP
	}
	return s
}
