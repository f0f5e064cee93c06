package netlink

import (
	"encoding/binary"
	"net/netip"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// Messages of NETLINK_SOCK_DIAG (sock_diag.h).
const (
	sockDiagByFamily = 20
	sockDestroy      = 21
	tcpDiagGetSock   = 18
)

// Attributes of inet_diag.
const (
	inetDiagMemInfo   = 1
	inetDiagInfo      = 2
	inetDiagCong      = 4
	inetDiagTOS       = 5
	inetDiagTClass    = 6
	inetDiagSKMemInfo = 7
	inetDiagShutdown  = 8
	inetDiagProtocol  = 10
	inetDiagSKV6Only  = 11
	inetDiagMark      = 15

	inetDiagReqBytecode = 1
	inetDiagReqProtocol = 3
)

const inetDiagReqSize = 56

// inetDiagSockID is struct inet_diag_sockid.
type inetDiagSockID struct {
	SPort, DPort [2]byte
	Src, Dst     [16]byte
	If           uint32
	Cookie       [2]uint32
}

// inetDiagMsg is struct inet_diag_msg.
type inetDiagMsg struct {
	Family, State, Timer, Retrans uint8
	ID                            inetDiagSockID
	Expires, RQueue, WQueue       uint32
	UID, Inode                    uint32
}

// diagnose answers a request of NETLINK_SOCK_DIAG (sock_diag(7)).
func (k *call) diagnose() error {
	switch k.r.typ {
	case sockDiagByFamily:
	case sockDestroy:
		if !k.ns().Capable(k.c, linux.CAP_NET_ADMIN) {
			return linux.EPERM
		}
		return linux.EOPNOTSUPP
	default:
		return linux.EINVAL
	}
	if len(k.r.body) < 2 {
		return linux.EINVAL
	}
	dump := k.r.flags&linux.NLM_F_DUMP == linux.NLM_F_DUMP
	switch linux.AddressFamily(k.r.body[0]) {
	case linux.AF_INET, linux.AF_INET6:
		return k.diagInet(dump)
	case linux.AF_UNIX:
		return k.diagUnix(dump)
	case linux.AF_PACKET:
		return k.diagPacket(dump)
	case linux.AF_NETLINK:
		return k.diagNetlink(dump)
	}
	return linux.ENOENT
}

// A diagFilter is what an inet_diag request wants.
type diagFilter struct {
	family netstack.Family
	kind   netstack.Kind
	proto  uint8
	states uint32
	ext    uint8
	code   []byte
}

func (k *call) readInetDiag() (f diagFilter, err error) {
	if len(k.r.body) < inetDiagReqSize {
		return f, linux.EINVAL
	}
	attrs, err := k.r.attributes(inetDiagReqSize)
	if err != nil {
		return f, err
	}
	f.family = netstack.IPv4
	if linux.AddressFamily(k.r.body[0]) == linux.AF_INET6 {
		f.family = netstack.IPv6
	}
	f.ext, f.states = k.r.body[2], binary.LittleEndian.Uint32(k.r.body[4:])
	f.proto = k.r.body[1]
	switch linux.IPProto(f.proto) {
	case linux.IPPROTO_TCP:
		f.kind = netstack.TCP
	case linux.IPPROTO_UDP:
		f.kind = netstack.UDP
	case linux.IPPROTO_RAW:
		f.kind, f.proto = netstack.Raw, k.r.body[3]
		if f.proto == uint8(linux.IPPROTO_RAW) {
			f.proto = 0
		}
	default:
		return f, linux.ENOENT
	}
	if c, ok := attrs[inetDiagReqBytecode]; ok {
		if !soundBytecode(c) {
			return f, linux.EINVAL
		}
		f.code = c
	}
	return f, nil
}

func (k *call) diagInet(dump bool) error {
	f, err := k.readInetDiag()
	if err != nil {
		return err
	}
	owners := make(map[*netstack.Endpoint]socket.Listed)
	for _, fam := range []linux.AddressFamily{linux.AF_INET, linux.AF_INET6} {
		for _, l := range k.ns().Sockets(fam) {
			if e, ok := l.(socket.Endpointed); ok {
				owners[e.Endpoint()] = l
			}
		}
	}
	if dump {
		k.setDump()
	}
	for _, e := range k.stack.Endpoints() {
		if e.Kind != f.kind || e.Family != f.family || f.kind == netstack.Raw && f.proto != 0 && e.Protocol != f.proto {
			continue
		}
		owner := owners[e.Endpoint]
		if !dump {
			if k.isAsked(&e, owner) {
				k.writeInetDiag(&f, &e, owner)
				return nil
			}
			continue
		}
		if f.states>>e.State&1 == 0 || f.code != nil && !runBytecode(f.code, &e) {
			continue
		}
		k.writeInetDiag(&f, &e, owner)
	}
	if !dump {
		return linux.ENOENT
	}
	return nil
}

// isAsked says whether an endpoint is the one that a request names.
func (k *call) isAsked(e *netstack.EndpointInfo, owner socket.Listed) bool {
	b := k.r.body[8:]
	if cookie := binary.LittleEndian.Uint64(b[40:]); cookie != ^uint64(0) && (owner == nil || owner.Basis().Cookie() != cookie) {
		return false
	}
	var id inetDiagSockID
	fillSockID(&id, e, nil)
	return [2]byte(b) == id.SPort && [2]byte(b[2:]) == id.DPort && [16]byte(b[4:]) == id.Src && [16]byte(b[20:]) == id.Dst
}

func fillSockID(id *inetDiagSockID, e *netstack.EndpointInfo, owner socket.Listed) {
	binary.BigEndian.PutUint16(id.SPort[:], e.Local.Port)
	binary.BigEndian.PutUint16(id.DPort[:], e.Remote.Port)
	if e.Kind == netstack.Raw {
		binary.BigEndian.PutUint16(id.SPort[:], uint16(e.Protocol))
		id.DPort = [2]byte{}
	}
	put := func(to *[16]byte, ip netip.Addr) {
		if !ip.IsValid() {
			return
		}
		if e.Family == netstack.IPv4 {
			b := ip.Unmap().As4()
			copy(to[:], b[:])
			return
		}
		*to = ip.As16()
	}
	put(&id.Src, e.Local.IP)
	put(&id.Dst, e.Remote.IP)
	id.If = uint32(e.Local.Index)
	if owner != nil {
		c := owner.Basis().Cookie()
		id.Cookie = [2]uint32{uint32(c), uint32(c >> 32)}
	}
}

func (k *call) writeInetDiag(f *diagFilter, e *netstack.EndpointInfo, owner socket.Listed) {
	m := inetDiagMsg{Family: uint8(linux.AF_INET), State: uint8(e.State), RQueue: uint32(e.ReceiveQueue)}
	if f.family == netstack.IPv6 {
		m.Family = uint8(linux.AF_INET6)
	}
	fillSockID(&m.ID, e, owner)
	if owner != nil {
		ino, uid := owner.Basis().Inode()
		m.Inode, m.UID = uint32(ino), uid
		if l, ok := owner.(interface{ Backlog() int }); ok && e.State == netstack.StateListen {
			m.WQueue = uint32(l.Backlog())
		}
	}
	k.reply.begin(sockDiagByFamily, &m)
	if owner != nil {
		k.writeInetExtras(f, e, owner)
	}
	k.reply.end()
}

// writeInetExtras adds what an endpoint's socket has to say, as far as it was asked for.
func (k *call) writeInetExtras(f *diagFilter, e *netstack.EndpointInfo, owner socket.Listed) {
	p, wants := &k.reply, func(a int) bool { return f.ext>>(a-1)&1 != 0 }
	shut := uint8(0)
	if s, ok := owner.(interface{ Shut() uint8 }); ok {
		shut = s.Shut()
	}
	p.attrU8(inetDiagShutdown, shut)
	option := func(level linux.SockLevel, opt int32, size int) []byte {
		b, err := owner.GetOption(nil, level, opt, size)
		if err != nil {
			return nil
		}
		return b
	}
	if wants(inetDiagTOS) {
		if b := option(linux.SOL_IP, int32(linux.IP_TOS), 4); len(b) > 0 {
			p.attrU8(inetDiagTOS, b[0])
		}
	}
	if f.family == netstack.IPv6 {
		if b := option(linux.SOL_IPV6, int32(linux.IPV6_TCLASS), 4); len(b) > 0 && wants(inetDiagTClass) {
			p.attrU8(inetDiagTClass, b[0])
		}
		if b := option(linux.SOL_IPV6, int32(linux.IPV6_V6ONLY), 4); len(b) > 0 && (e.State == netstack.StateListen || e.State == netstack.StateClose) {
			p.attrU8(inetDiagSKV6Only, b[0])
		}
	}
	if e.Kind == netstack.Raw {
		p.attrU8(inetDiagProtocol, e.Protocol)
	}
	o := owner.Basis().Options()
	if wants(inetDiagSKMemInfo) || wants(inetDiagMemInfo) {
		sndbuf, rcvbuf := option(linux.SOL_SOCKET, int32(linux.SO_SNDBUF), 4), option(linux.SOL_SOCKET, int32(linux.SO_RCVBUF), 4)
		var mem [9]uint32
		mem[0] = uint32(e.ReceiveQueue)
		mem[1], _ = u32(rcvbuf)
		mem[3], _ = u32(sndbuf)
		if wants(inetDiagSKMemInfo) {
			p.attrStruct(inetDiagSKMemInfo, &mem)
		}
		if wants(inetDiagMemInfo) {
			p.attrStruct(inetDiagMemInfo, &[4]uint32{mem[0], 0, 0, 0})
		}
	}
	if o.Mark != 0 && k.ns().Capable(k.c, linux.CAP_NET_ADMIN) {
		p.attrU32(inetDiagMark, o.Mark)
	}
	if e.Kind == netstack.TCP && wants(inetDiagInfo) {
		if b := option(linux.SOL_TCP, int32(linux.TCP_INFO), 1024); b != nil {
			p.attr(inetDiagInfo, b)
		}
	}
	if e.Kind == netstack.TCP && wants(inetDiagCong) {
		if b := option(linux.SOL_TCP, int32(linux.TCP_CONGESTION), 16); b != nil {
			p.attrString(inetDiagCong, cString(b))
		}
	}
}
