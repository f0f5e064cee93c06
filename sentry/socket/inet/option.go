package inet

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// Options is what inet sockets add to the common table. It does not change.
var Options = socket.NewTable(socketOptions, ipOptions, ipAbsent, ipv6Options, ipv6Absent, tcpOptions, tcpAbsent, otherOptions)

// GetOption implements socket.Optioner.
func (s *Socket) GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error) {
	if err := s.mayLevel(level); err != nil {
		if !s.v6() {
			err = linux.EOPNOTSUPP
		}
		return nil, err
	}
	call := &socket.OptionCall{Caller: c, Opt: opt, Size: size}
	return Options.GetOrCommon(s, &s.Base, level, call)
}

// SetOption implements socket.Optioner.
func (s *Socket) SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error {
	if err := s.mayLevel(level); err != nil {
		return err
	}
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value}
	if s.isTables(level, opt) {
		return s.setTables(call)
	}
	return Options.SetOrCommon(s, &s.Base, level, call)
}

// mayLevel refuses levels that the socket does not have.
func (s *Socket) mayLevel(level linux.SockLevel) error {
	k := s.ep().Kind()
	switch level {
	case linux.SOL_SOCKET, linux.SOL_IP:
		return nil
	case linux.SOL_IPV6:
		if s.v6() {
			return nil
		}
	case linux.SOL_TCP:
		if k == netstack.TCP {
			return nil
		}
	case linux.SOL_UDP:
		if k == netstack.UDP {
			return nil
		}
	case linux.SOL_RAW:
		if k == netstack.Raw && !s.v6() {
			return nil
		}
	case linux.SOL_ICMPV6:
		if s.v6() && (k == netstack.Raw || k == netstack.Ping) {
			return nil
		}
	}
	return linux.ENOPROTOOPT
}

// Changed implements socket.Hooks: the stack is told of what it acts on.
func (s *Socket) Changed(_ *vfs.Caller, opt linux.SockOpt, o *socket.Options) error {
	has := func(f socket.OptionFlags) bool { return o.Flags&f != 0 }
	switch opt {
	case linux.SO_REUSEADDR:
		s.ep().SetFlag(netstack.ReuseAddr, has(socket.ReuseAddr))
	case linux.SO_REUSEPORT:
		s.ep().SetFlag(netstack.ReusePort, has(socket.ReusePort))
	case linux.SO_KEEPALIVE:
		s.ep().SetFlag(netstack.KeepAlive, has(socket.KeepAlive))
	case linux.SO_BROADCAST:
		s.ep().SetFlag(netstack.Broadcast, has(socket.Broadcast))
	case linux.SO_NO_CHECK:
		s.ep().SetFlag(netstack.NoChecksum, has(socket.NoCheck))
	case linux.SO_SNDBUF, linux.SO_SNDBUFFORCE:
		s.ep().SetSendBuffer(2 * o.SendBuffer)
	case linux.SO_RCVBUF, linux.SO_RCVBUFFORCE:
		s.ep().SetReceiveBuffer(2 * o.ReceiveBuffer)
	case linux.SO_PASSCRED:
		if has(socket.PassCred) {
			return linux.EOPNOTSUPP // nobody's credentials come with a packet
		}
	}
	return nil
}

type row = socket.Row[*Socket]

var socketOptions = []row{
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_BINDTODEVICE), Name: "SO_BINDTODEVICE", Get: getDevice, Set: setDevice, Support: socket.Full},
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_BINDTOIFINDEX), Name: "SO_BINDTOIFINDEX", Get: getDeviceIndex, Set: setDeviceIndex, Support: socket.Full},
	{Level: linux.SOL_SOCKET, Opt: int32(linux.SO_PEERCRED), Name: "SO_PEERCRED", Get: getNobody, Support: socket.Full},
}

// getNobody: as in Linux, the peer of an inet socket has no credentials that are known.
func getNobody(_ *Socket, c *socket.OptionCall) error {
	return c.Put(socket.AppendUcred(nil, linux.Ucred{UID: ^uint32(0), GID: ^uint32(0)}))
}

func getDevice(s *Socket, c *socket.OptionCall) error {
	if c.Size < linux.IFNAMSIZ {
		return linux.EINVAL
	}
	i, ok := s.Namespace().Stack.Interface(s.ep().BoundDevice())
	if !ok {
		return c.Put(nil)
	}
	return c.Put(append([]byte(i.Name), 0))
}

func setDevice(s *Socket, c *socket.OptionCall) error {
	if s.ep().BoundDevice() != 0 && !s.Namespace().Capable(c.Caller, linux.CAP_NET_RAW) {
		return linux.EPERM
	}
	name := c.Value[:min(len(c.Value), linux.IFNAMSIZ-1)]
	for i, b := range name {
		if b == 0 {
			name = name[:i]
			break
		}
	}
	if len(name) == 0 {
		return s.ep().BindToDevice(0)
	}
	i, ok := s.Namespace().Stack.InterfaceByName(string(name))
	if !ok {
		return linux.ENODEV
	}
	return s.ep().BindToDevice(i.Index)
}

func getDeviceIndex(s *Socket, c *socket.OptionCall) error {
	return c.PutInt(int(s.ep().BoundDevice()))
}

func setDeviceIndex(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < 0 {
		return linux.EINVAL
	}
	if s.ep().BoundDevice() != 0 && !s.Namespace().Capable(c.Caller, linux.CAP_NET_RAW) {
		return linux.EPERM
	}
	return s.ep().BindToDevice(int32(v))
}

// flagRow is an option that is on or off in the stack.
func flagRow(level linux.SockLevel, opt int32, name string, f netstack.Flag) row {
	return row{
		Level: level, Opt: opt, Name: name, Support: socket.Full,
		Get: func(s *Socket, c *socket.OptionCall) error { return putInt(s, c, boolInt(s.ep().Flag(f))) },
		Set: func(s *Socket, c *socket.OptionCall) error {
			v, err := c.ByteOrInt()
			if err != nil {
				return err
			}
			s.ep().SetFlag(f, v != 0)
			return nil
		},
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// putInt is getsockopt of SOL_IP: a value that fits a byte is given as one when there is no room for more.
func putInt(_ *Socket, c *socket.OptionCall, v int) error {
	if c.Size > 0 && c.Size < 4 && v >= 0 && v <= 255 {
		return c.Put([]byte{byte(v)})
	}
	return c.PutInt(v)
}

// intRow is an option with a number in the stack, between lo and hi; reset, if it is not zero, is what a value of -1 means.
func intRow(level linux.SockLevel, opt int32, name string, o netstack.Int, lo, hi int) row {
	return row{
		Level: level, Opt: opt, Name: name, Support: socket.Full,
		Get: func(s *Socket, c *socket.OptionCall) error {
			v, err := s.ep().Int(o)
			if err != nil {
				return err
			}
			return putInt(s, c, v)
		},
		Set: func(s *Socket, c *socket.OptionCall) error {
			v, err := c.ByteOrInt()
			if err != nil {
				return err
			}
			if v < lo || v > hi {
				return linux.EINVAL
			}
			return s.ep().SetInt(o, v)
		},
	}
}

func absent(level linux.SockLevel, names map[int32]string) []row {
	rows := make([]row, 0, len(names))
	for opt, name := range names {
		rows = append(rows, row{Level: level, Opt: opt, Name: name})
	}
	return rows
}

var otherOptions = []row{
	{Level: linux.SOL_RAW, Opt: linux.ICMP_FILTER, Name: "ICMP_FILTER", Get: getICMPFilter, Set: setICMPFilter, Support: socket.Full},
	{Level: linux.SOL_ICMPV6, Opt: linux.ICMPV6_FILTER, Name: "ICMPV6_FILTER", Get: getICMP6Filter, Set: setICMP6Filter, Support: socket.Full},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_CORK), Name: "UDP_CORK"},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_ENCAP), Name: "UDP_ENCAP"},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_SEGMENT), Name: "UDP_SEGMENT"},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_GRO), Name: "UDP_GRO"},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_NO_CHECK6_TX), Name: "UDP_NO_CHECK6_TX"},
	{Level: linux.SOL_UDP, Opt: int32(linux.UDP_NO_CHECK6_RX), Name: "UDP_NO_CHECK6_RX"},
}

func (s *Socket) rawICMP() bool {
	return s.ep().Kind() == netstack.Raw && linux.IPProto(s.Info().Protocol) == linux.IPPROTO_ICMP
}

func getICMPFilter(s *Socket, c *socket.OptionCall) error {
	if !s.rawICMP() {
		return linux.EOPNOTSUPP
	}
	return c.PutInt(int(s.icmpFilter.Load()))
}

func setICMPFilter(s *Socket, c *socket.OptionCall) error {
	if !s.rawICMP() {
		return linux.EOPNOTSUPP
	}
	var b [4]byte
	copy(b[:], c.Value)
	s.icmpFilter.Store(binary.LittleEndian.Uint32(b[:]))
	return nil
}

func getICMP6Filter(s *Socket, c *socket.OptionCall) error {
	f, err := s.ep().ICMP6Filter()
	if err != nil {
		return linux.EOPNOTSUPP
	}
	return c.Put(f[:])
}

func setICMP6Filter(s *Socket, c *socket.OptionCall) error {
	if s.ep().Kind() != netstack.Raw {
		return linux.EOPNOTSUPP
	}
	var f netstack.ICMP6Filter
	copy(f[:], c.Value)
	return s.ep().SetICMP6Filter(f)
}
