package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// hostAsks are the requests that are passed on where the namespace's network is the host's. None changes anything.
var hostAsks = map[linux.NlMsgType]bool{
	linux.RTM_GETLINK: true, linux.RTM_GETADDR: true, linux.RTM_GETROUTE: true, linux.RTM_GETNEIGH: true, linux.RTM_GETRULE: true,
}

// maxHostAsk is the longest request that is passed on.
const maxHostAsk = 4096

// askHost answers a request with what the host says. Whatever would change the host's network is refused, as to a process
// without CAP_NET_ADMIN over it.
func (s *Socket) askHost(r *request) {
	s.mu.Lock()
	port, capped, strict := s.port, s.flags&capAck != 0, s.flags&strictCheck != 0
	s.mu.Unlock()
	if r.flags&linux.NLM_F_REQUEST == 0 || r.typ < linux.NLMSG_MIN_TYPE {
		if r.flags&linux.NLM_F_ACK != 0 {
			s.push(acknowledgement{port: port, capped: capped}.write(r))
		}
		return
	}
	if !hostAsks[r.typ] || len(r.raw) > maxHostAsk {
		const getKind = 2
		err := linux.EPERM
		if (r.typ-linux.NLMSG_MIN_TYPE)%4 == getKind || r.typ > rtmMax {
			err = linux.EOPNOTSUPP
		}
		s.push(acknowledgement{port: port, err: err, capped: capped}.write(r))
		return
	}
	answer, err := s.Namespace().Host.Ask(r.raw, strict)
	if err != nil {
		s.push(acknowledgement{port: port, err: err, capped: capped}.write(r))
		return
	}
	for _, d := range answer {
		readdress(d, port)
		s.push(d)
	}
}

// readdress makes the messages of a datagram out to port, instead of the host socket that asked.
func readdress(d []byte, port uint32) {
	for len(d) >= linux.NLMSG_HDRLEN {
		n := int(binary.LittleEndian.Uint32(d))
		if n < linux.NLMSG_HDRLEN || n > len(d) {
			return
		}
		binary.LittleEndian.PutUint32(d[12:], port)
		d = d[min(linux.NlAlign(n), len(d)):]
	}
}
