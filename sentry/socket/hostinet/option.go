package hostinet

import (
	"encoding/binary"
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// A passed option goes to the host and back as it is.
type passed struct {
	level linux.SockLevel
	opt   int32
	name  string
	set   int // the most bytes of a value to set; 0: it cannot be set
	get   int // the most bytes of an answer; 0: it cannot be asked for
}

// Sizes of values.
const (
	sizeInt     = 4
	sizeMreqn   = 12
	sizeMreq6   = 20
	sizeGroup   = 136 // struct group_req
	sizeName    = 16
	sizeTCPInfo = 512 // struct tcp_info grows
	sizeOptions = 40
)

func ip(get, set int, opts ...linux.IPOpt) (out []passed) {
	for _, o := range opts {
		out = append(out, passed{linux.SOL_IP, int32(o), o.String(), set, get})
	}
	return out
}

func ip6(get, set int, opts ...linux.IPv6Opt) (out []passed) {
	for _, o := range opts {
		out = append(out, passed{linux.SOL_IPV6, int32(o), o.String(), set, get})
	}
	return out
}

func tcp(get, set int, opts ...linux.TCPOpt) (out []passed) {
	for _, o := range opts {
		out = append(out, passed{linux.SOL_TCP, int32(o), o.String(), set, get})
	}
	return out
}

func udp(get, set int, opts ...linux.UDPOpt) (out []passed) {
	for _, o := range opts {
		out = append(out, passed{linux.SOL_UDP, int32(o), o.String(), set, get})
	}
	return out
}

// passedOptions lists what goes to the host unchanged. What a value means is the host's to say; none names memory, a
// descriptor or a program.
func passedOptions() []passed {
	all := []passed{
		{linux.SOL_SOCKET, int32(linux.SO_BINDTODEVICE), "SO_BINDTODEVICE", sizeName, sizeName},
		{linux.SOL_SOCKET, int32(linux.SO_BINDTOIFINDEX), "SO_BINDTOIFINDEX", sizeInt, sizeInt},
		{linux.SOL_IP, linux.MCAST_JOIN_GROUP, "MCAST_JOIN_GROUP", sizeGroup, 0},
		{linux.SOL_IP, linux.MCAST_LEAVE_GROUP, "MCAST_LEAVE_GROUP", sizeGroup, 0},
		{linux.SOL_IPV6, linux.MCAST_JOIN_GROUP, "MCAST_JOIN_GROUP", sizeGroup, 0},
		{linux.SOL_IPV6, linux.MCAST_LEAVE_GROUP, "MCAST_LEAVE_GROUP", sizeGroup, 0},
	}
	for _, group := range [][]passed{
		ip(sizeInt, sizeInt, linux.IP_TOS, linux.IP_TTL, linux.IP_MTU_DISCOVER, linux.IP_PKTINFO, linux.IP_RECVTTL, linux.IP_RECVTOS,
			linux.IP_RECVERR, linux.IP_RECVORIGDSTADDR, linux.IP_MULTICAST_LOOP, linux.IP_MULTICAST_TTL, linux.IP_MULTICAST_ALL,
			linux.IP_FREEBIND, linux.IP_BIND_ADDRESS_NO_PORT, linux.IP_MINTTL, linux.IP_RECVOPTS, linux.IP_RETOPTS,
			linux.IP_UNICAST_IF, linux.IP_RECVFRAGSIZE, linux.IP_LOCAL_PORT_RANGE),
		ip(sizeInt, 0, linux.IP_MTU, linux.IP_PROTOCOL),
		ip(sizeOptions, 0, linux.IP_OPTIONS),
		ip(sizeInt, sizeMreqn, linux.IP_MULTICAST_IF),
		ip(0, sizeMreqn, linux.IP_ADD_MEMBERSHIP, linux.IP_DROP_MEMBERSHIP, linux.IP_ADD_SOURCE_MEMBERSHIP, linux.IP_DROP_SOURCE_MEMBERSHIP,
			linux.IP_BLOCK_SOURCE, linux.IP_UNBLOCK_SOURCE),
		ip6(sizeInt, sizeInt, linux.IPV6_V6ONLY, linux.IPV6_UNICAST_HOPS, linux.IPV6_MULTICAST_HOPS, linux.IPV6_MULTICAST_LOOP,
			linux.IPV6_MULTICAST_IF, linux.IPV6_MULTICAST_ALL, linux.IPV6_RECVPKTINFO, linux.IPV6_RECVHOPLIMIT, linux.IPV6_RECVTCLASS,
			linux.IPV6_TCLASS, linux.IPV6_MTU_DISCOVER, linux.IPV6_MTU, linux.IPV6_RECVERR, linux.IPV6_DONTFRAG,
			linux.IPV6_RECVORIGDSTADDR, linux.IPV6_AUTOFLOWLABEL, linux.IPV6_ADDR_PREFERENCES, linux.IPV6_MINHOPCOUNT,
			linux.IPV6_FREEBIND, linux.IPV6_UNICAST_IF, linux.IPV6_RECVPATHMTU),
		ip6(0, sizeMreq6, linux.IPV6_ADD_MEMBERSHIP, linux.IPV6_DROP_MEMBERSHIP),
		tcp(sizeInt, sizeInt, linux.TCP_NODELAY, linux.TCP_CORK, linux.TCP_QUICKACK, linux.TCP_MAXSEG, linux.TCP_KEEPCNT, linux.TCP_KEEPIDLE,
			linux.TCP_KEEPINTVL, linux.TCP_SYNCNT, linux.TCP_WINDOW_CLAMP, linux.TCP_USER_TIMEOUT, linux.TCP_LINGER2, linux.TCP_DEFER_ACCEPT,
			linux.TCP_NOTSENT_LOWAT, linux.TCP_INQ, linux.TCP_FASTOPEN),
		tcp(sizeName, sizeName, linux.TCP_CONGESTION),
		tcp(sizeTCPInfo, 0, linux.TCP_INFO),
		tcp(sizeInt, 0, linux.TCP_IS_MPTCP),
		udp(sizeInt, sizeInt, linux.UDP_CORK, linux.UDP_SEGMENT, linux.UDP_GRO, linux.UDP_NO_CHECK6_TX, linux.UDP_NO_CHECK6_RX),
	} {
		all = append(all, group...)
	}
	return all
}

// common are the options of SOL_SOCKET that this side keeps and the host is told of, with the value it gets.
var common = map[linux.SockOpt]func(o *socket.Options) []byte{
	linux.SO_REUSEADDR:   flag(socket.ReuseAddr),
	linux.SO_REUSEPORT:   flag(socket.ReusePort),
	linux.SO_KEEPALIVE:   flag(socket.KeepAlive),
	linux.SO_BROADCAST:   flag(socket.Broadcast),
	linux.SO_OOBINLINE:   flag(socket.OOBInline),
	linux.SO_NO_CHECK:    flag(socket.NoCheck),
	linux.SO_DONTROUTE:   flag(socket.DontRoute),
	linux.SO_TIMESTAMP:   flag(socket.TimestampUS),
	linux.SO_TIMESTAMPNS: flag(socket.TimestampNS),
	linux.SO_SNDBUF:      number(func(o *socket.Options) int { return o.SendBuffer }),
	linux.SO_RCVBUF:      number(func(o *socket.Options) int { return o.ReceiveBuffer }),
	linux.SO_RCVLOWAT:    number(func(o *socket.Options) int { return int(o.RcvLowat) }),
	linux.SO_PRIORITY:    number(func(o *socket.Options) int { return int(o.Priority) }),
	linux.SO_LINGER:      linger,
}

// commonOptions lists what common has, in order.
func commonOptions() []linux.SockOpt { return slices.Sorted(maps.Keys(common)) }

func flag(f socket.OptionFlags) func(*socket.Options) []byte {
	return number(func(o *socket.Options) int {
		if o.Flags&f != 0 {
			return 1
		}
		return 0
	})
}

func number(of func(*socket.Options) int) func(*socket.Options) []byte {
	return func(o *socket.Options) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(of(o))) }
}

// linger tells the host only of a time of 0, which resets: with any other its close would wait, and we with it.
func linger(o *socket.Options) []byte {
	b := make([]byte, 8)
	if o.LingerOn && o.LingerSec == 0 {
		b[0] = 1
	}
	return b
}

// Options is what these sockets add to the common table. It does not change.
var Options = socket.NewTable(rows(), []row{{
	Level: linux.SOL_SOCKET, Opt: int32(linux.SO_PEERCRED), Name: "SO_PEERCRED", Support: socket.Full,
	// As in Linux, the peer of an inet socket has no credentials that are known.
	Get: func(_ *Socket, c *socket.OptionCall) error {
		return c.Put(socket.AppendUcred(nil, linux.Ucred{UID: ^uint32(0), GID: ^uint32(0)}))
	},
}})

type row = socket.Row[*Socket]

func rows() []row {
	var out []row
	for _, p := range passedOptions() {
		r := row{Level: p.level, Opt: p.opt, Name: p.name, Support: socket.Full}
		if p.get > 0 {
			r.Get = func(s *Socket, c *socket.OptionCall) error {
				b := make([]byte, min(c.Size, p.get))
				n, err := getOption(s.fd, int(p.level), int(p.opt), b)
				if err != nil {
					return err
				}
				return c.Put(b[:n])
			}
		}
		if p.set > 0 {
			r.Set = func(s *Socket, c *socket.OptionCall) error {
				return setOption(s.fd, int(p.level), int(p.opt), c.Value[:min(len(c.Value), p.set)])
			}
		}
		out = append(out, r)
	}
	return out
}

// GetOption implements socket.Optioner.
func (s *Socket) GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error) {
	call := &socket.OptionCall{Caller: c, Opt: opt, Size: size}
	return Options.GetOrCommon(s, &s.Base, level, call)
}

// SetOption implements socket.Optioner.
func (s *Socket) SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error {
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value}
	return Options.SetOrCommon(s, &s.Base, level, call)
}

// Changed implements socket.Hooks: the host is told.
func (s *Socket) Changed(_ *vfs.Caller, opt linux.SockOpt, o *socket.Options) error {
	switch opt {
	case linux.SO_MARK, linux.SO_SNDBUFFORCE, linux.SO_RCVBUFFORCE:
		return linux.EPERM // as to a process without capabilities over the network
	case linux.SO_PASSCRED:
		return linux.EOPNOTSUPP // nobody's credentials come with a packet
	}
	value, ok := common[opt]
	if !ok {
		return nil // a time-out: who sleeps keeps it
	}
	return setOption(s.fd, int(linux.SOL_SOCKET), int(opt), value(o))
}

// intOption asks the host for an int; 0 when it does not say.
func (s *Socket) intOption(opt linux.SockOpt) int {
	var b [4]byte
	if _, err := getOption(s.fd, int(linux.SOL_SOCKET), int(opt), b[:]); err != nil {
		return 0
	}
	return int(int32(binary.LittleEndian.Uint32(b[:])))
}

// TakeError implements socket.Hooks.
func (s *Socket) TakeError() error {
	if err := s.lateError(); err != nil {
		return err
	}
	if e := s.intOption(linux.SO_ERROR); e != 0 {
		return linux.Errno(e)
	}
	return nil
}

// Listening implements socket.Hooks.
func (s *Socket) Listening() bool { return s.intOption(linux.SO_ACCEPTCONN) != 0 }

// Buffers implements socket.Hooks.
func (s *Socket) Buffers(*socket.Options) (send, receive int) {
	return s.intOption(linux.SO_SNDBUF) / 2, s.intOption(linux.SO_RCVBUF) / 2
}
