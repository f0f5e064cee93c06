package packet

import (
	"encoding/binary"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/socket"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

type row = socket.Row[*Socket]

func option(o linux.PacketOpt, get, set func(*Socket, *socket.OptionCall) error, sup socket.Support, note string) row {
	return row{Level: linux.SOL_PACKET, Opt: int32(o), Name: o.String(), Get: get, Set: set, Support: sup, Note: note}
}

// Options is the table of SOL_PACKET. It does not change.
var Options = socket.NewTable([]row{
	option(linux.PACKET_ADD_MEMBERSHIP, nil, setMember(+1), socket.Partial, "counted: all frames of a link are seen without"),
	option(linux.PACKET_DROP_MEMBERSHIP, nil, setMember(-1), socket.Partial, "likewise"),
	option(linux.PACKET_RX_RING, nil, setRing, socket.Full, ""),
	option(linux.PACKET_STATISTICS, getStatistics, nil, socket.Full, ""),
	option(linux.PACKET_AUXDATA,
		func(s *Socket, c *socket.OptionCall) error { return c.PutFlag(s.auxdata.Load()) },
		flag(func(s *Socket, on bool) { s.auxdata.Store(on) }), socket.Full, ""),
	option(linux.PACKET_IGNORE_OUTGOING,
		func(s *Socket, c *socket.OptionCall) error { return c.PutFlag(s.ignoreOut.Load()) }, setIgnoreOutgoing, socket.Full, ""),
	option(linux.PACKET_ORIGDEV, locked(func(s *Socket) int { return boolInt(s.origDev) }),
		flag(func(s *Socket, on bool) { s.mu.Lock(); s.origDev = on; s.mu.Unlock() }), socket.Partial, "kept; no link stands behind another"),
	option(linux.PACKET_QDISC_BYPASS, locked(func(s *Socket) int { return boolInt(s.bypass) }),
		flag(func(s *Socket, on bool) { s.mu.Lock(); s.bypass = on; s.mu.Unlock() }), socket.Partial, "kept; there are no queues to go past"),
	option(linux.PACKET_TIMESTAMP, locked(func(s *Socket) int { return int(s.stamp) }), setStamp, socket.Partial, "kept; no link has a clock of its own"),
	option(linux.PACKET_VERSION, locked(func(s *Socket) int { return int(s.version) }), setVersion, socket.Full, ""),
	option(linux.PACKET_HDRLEN, getHeaderSize, nil, socket.Full, ""),
	option(linux.PACKET_RESERVE, locked(func(s *Socket) int { return int(s.reserve) }), setReserve, socket.Full, ""),
	option(linux.PACKET_TX_RING, nil, nil, socket.None, ""),
	option(linux.PACKET_FANOUT, nil, nil, socket.None, ""),
	option(linux.PACKET_VNET_HDR, nil, nil, socket.None, ""),
	option(linux.PACKET_COPY_THRESH, nil, nil, socket.None, ""),
	option(linux.PACKET_LOSS, nil, nil, socket.None, ""),
	option(linux.PACKET_TX_TIMESTAMP, nil, nil, socket.None, ""),
})

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func locked(of func(*Socket) int) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		s.mu.Lock()
		v := of(s)
		s.mu.Unlock()
		return c.PutInt(v)
	}
}

func flag(set func(*Socket, bool)) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		on, err := c.Flag()
		if err == nil {
			set(s, on)
		}
		return err
	}
}

func setIgnoreOutgoing(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < 0 || v > 1 {
		return linux.EINVAL
	}
	s.ignoreOut.Store(v != 0)
	return nil
}

func setStamp(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.stamp = int32(v)
	s.mu.Unlock()
	return nil
}

// maxMembers bounds the rows of PACKET_ADD_MEMBERSHIP: net.core.optmem_max's effect.
const maxMembers = 1024

func setMember(by int) func(*Socket, *socket.OptionCall) error {
	return func(s *Socket, c *socket.OptionCall) error {
		if len(c.Value) < linux.SizePacketMreq {
			return linux.EINVAL
		}
		m := member{
			Index: int32(binary.LittleEndian.Uint32(c.Value)), Kind: binary.LittleEndian.Uint16(c.Value[4:]), Count: 1,
			Addr: slices.Clone(c.Value[8:16]),
		}
		if n := binary.LittleEndian.Uint16(c.Value[6:]); int(n) > len(m.Addr) {
			return linux.EINVAL
		}
		if m.Kind > linux.PACKET_MR_UNICAST {
			return linux.EINVAL
		}
		if _, ok := s.Namespace().Stack.Interface(m.Index); !ok && by > 0 {
			return linux.ENODEV
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		at := slices.IndexFunc(s.members, func(o member) bool {
			return o.Index == m.Index && o.Kind == m.Kind && slices.Equal(o.Addr, m.Addr)
		})
		switch {
		case at >= 0:
			if s.members[at].Count += by; s.members[at].Count == 0 {
				s.members = slices.Delete(s.members, at, at+1)
			}
		case by < 0:
			return linux.EADDRNOTAVAIL
		case len(s.members) == maxMembers:
			return linux.ENOBUFS
		default:
			s.members = append(s.members, m)
		}
		return nil
	}
}

// getStatistics is PACKET_STATISTICS, which begins to count anew.
func getStatistics(s *Socket, c *socket.OptionCall) error {
	s.mu.Lock()
	version := s.version
	s.mu.Unlock()
	s.in.Lock()
	seen, drops, freezes := s.seen, s.drops, s.freezes
	s.seen, s.drops, s.freezes = 0, 0, 0
	s.in.Unlock()
	b := binary.LittleEndian.AppendUint32(nil, seen+drops)
	b = binary.LittleEndian.AppendUint32(b, drops)
	if version == linux.TPACKET_V3 {
		b = binary.LittleEndian.AppendUint32(b, freezes)
	}
	return c.Put(b)
}

func (s *Socket) hasRing() bool {
	s.in.Lock()
	defer s.in.Unlock()
	return s.ring != nil
}

func setVersion(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < linux.TPACKET_V1 || v > linux.TPACKET_V3 {
		return linux.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasRing() {
		return linux.EBUSY
	}
	s.version = int32(v)
	return nil
}

func setReserve(s *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	if v < 0 {
		return linux.EINVAL
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hasRing() {
		return linux.EBUSY
	}
	s.reserve = uint32(v)
	return nil
}

// getHeaderSize is asked with a version.
func getHeaderSize(_ *Socket, c *socket.OptionCall) error {
	v, err := c.Int()
	if err != nil {
		return err
	}
	n, ok := headerSizes[int32(v)]
	if !ok {
		return linux.EINVAL
	}
	return c.PutInt(n)
}

// GetOption implements socket.Optioner.
func (s *Socket) GetOption(c *vfs.Caller, level linux.SockLevel, opt int32, size int) ([]byte, error) {
	return s.AskOption(c, level, opt, nil, size)
}

// Asks implements socket.Asker.
func (s *Socket) Asks(level linux.SockLevel, opt int32) bool {
	return level == linux.SOL_PACKET && linux.PacketOpt(opt) == linux.PACKET_HDRLEN
}

// AskOption implements socket.Asker.
func (s *Socket) AskOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte, size int) ([]byte, error) {
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value, Size: size}
	return Options.GetOrCommon(s, &s.Base, level, call)
}

// SetOption implements socket.Optioner.
func (s *Socket) SetOption(c *vfs.Caller, level linux.SockLevel, opt int32, value []byte) error {
	call := &socket.OptionCall{Caller: c, Opt: opt, Value: value}
	if level == linux.SOL_SOCKET && linux.SockOpt(opt) == linux.SO_BINDTODEVICE {
		return linux.ENOPROTOOPT // bind(2) is for that
	}
	return Options.SetOrCommon(s, &s.Base, level, call)
}

// Changed, TakeError and Buffers implement socket.Hooks.
func (s *Socket) Changed(_ *vfs.Caller, opt linux.SockOpt, o *socket.Options) error {
	if opt == linux.SO_RCVBUF || opt == linux.SO_RCVBUFFORCE {
		s.room.Store(2 * int64(o.ReceiveBuffer))
	}
	return nil
}

func (s *Socket) TakeError() error {
	s.in.Lock()
	defer s.in.Unlock()
	if e := s.err; e != 0 {
		s.err = 0
		return e
	}
	return nil
}

func (s *Socket) Buffers(o *socket.Options) (send, receive int) {
	send = o.SendBuffer
	if send == 0 {
		send = socket.DefaultBuffer
	}
	return send, int(s.room.Load() / 2)
}

// Ioctl implements vfs.Ioctler.
func (s *Socket) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	n := 0
	switch linux.IoctlCmd(req) {
	case linux.FIONREAD:
		s.in.Lock()
		if len(s.queue) > 0 {
			n = len(s.queue[0].data)
		}
		s.in.Unlock()
	case linux.TIOCOUTQ: // SIOCOUTQ: what is sent has gone
	default:
		return socket.DeviceIoctl(s.Namespace(), c, mem, req, arg)
	}
	_, err := mem.CopyOut(arg, socket.SizeOf(n))
	return 0, err
}
