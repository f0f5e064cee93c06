package netlink

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
)

// What unix_diag, packet_diag and netlink_diag requests ask for, and attributes they answer with.
const (
	unixShowName  = 0x01
	unixShowVFS   = 0x02
	unixShowPeer  = 0x04
	unixShowIcons = 0x08
	unixShowQueue = 0x10
	unixShowMem   = 0x20
	unixShowUID   = 0x40

	unixDiagName     = 0
	unixDiagVFS      = 1
	unixDiagPeer     = 2
	unixDiagIcons    = 3
	unixDiagQueue    = 4
	unixDiagMem      = 5
	unixDiagShutdown = 6
	unixDiagUID      = 7

	packetShowInfo    = 0x01
	packetShowMembers = 0x02
	packetShowRing    = 0x04
	packetShowMem     = 0x10
	packetShowFilter  = 0x20

	packetDiagInfo    = 0
	packetDiagMembers = 1
	packetDiagRing    = 2
	packetDiagUID     = 5
	packetDiagMem     = 6
	packetDiagFilter  = 7

	netlinkShowMem    = 0x01
	netlinkShowGroups = 0x02
	netlinkDiagMem    = 0
	netlinkDiagGroups = 1
	netlinkDiagAll    = 255
)

// meminfo are the numbers of SK_MEMINFO that are known.
func meminfo(queued, receive, send int) [9]uint32 {
	return [9]uint32{uint32(queued), uint32(receive), 0, uint32(send)}
}

func cookieOf(b *socket.Base) [2]uint32 {
	c := b.Cookie()
	return [2]uint32{uint32(c), uint32(c >> 32)}
}

func inodeOf(l socket.Listed) uint32 {
	if l == nil {
		return 0
	}
	ino, _ := l.Basis().Inode()
	return uint32(ino)
}

func (k *call) diagUnix(dump bool) error {
	const size = 24
	if len(k.r.body) < size {
		return linux.EINVAL
	}
	states, want, show := binary.LittleEndian.Uint32(k.r.body[4:]), binary.LittleEndian.Uint32(k.r.body[8:]), binary.LittleEndian.Uint32(k.r.body[12:])
	if dump {
		k.setDump()
	} else if want == 0 {
		return linux.EINVAL
	}
	for _, l := range k.ns().Sockets(linux.AF_UNIX) {
		u, ok := l.(socket.UnixDiagnosed)
		if !ok {
			continue
		}
		ino := inodeOf(l)
		if !dump {
			if ino == want {
				k.writeUnixDiag(l, u.UnixDiag(), show)
				return nil
			}
			continue
		}
		if d := u.UnixDiag(); states>>d.State&1 != 0 {
			k.writeUnixDiag(l, d, show)
		}
	}
	if !dump {
		return linux.ENOENT
	}
	return nil
}

func (k *call) writeUnixDiag(l socket.Listed, d socket.UnixDiag, show uint32) {
	p, b := &k.reply, l.Basis()
	_, uid := b.Inode()
	p.begin(sockDiagByFamily, &struct {
		Family, Type, State, _ uint8
		Inode                  uint32
		Cookie                 [2]uint32
	}{Family: uint8(linux.AF_UNIX), Type: uint8(l.Info().Type), State: uint8(d.State), Inode: inodeOf(l), Cookie: cookieOf(b)})
	if show&unixShowName != 0 && d.Name != "" {
		if d.Name[0] == 0 {
			p.attr(unixDiagName, []byte(d.Name))
		} else {
			p.attrString(unixDiagName, d.Name)
		}
	}
	if show&unixShowVFS != 0 && d.Ino != 0 {
		p.attrStruct(unixDiagVFS, &[2]uint32{uint32(d.Ino), uint32(d.Dev)})
	}
	if show&unixShowPeer != 0 && d.Peer != nil {
		p.attrU32(unixDiagPeer, inodeOf(d.Peer))
	}
	if show&unixShowIcons != 0 && d.State == netstack.StateListen {
		var b []byte
		for _, o := range d.Pending {
			b = binary.LittleEndian.AppendUint32(b, inodeOf(o))
		}
		p.attr(unixDiagIcons, b)
	}
	if show&unixShowQueue != 0 {
		p.attrStruct(unixDiagQueue, &[2]uint32{uint32(d.Receive), uint32(d.Send)})
	}
	if show&unixShowMem != 0 {
		m := meminfo(d.Receive, 2*socket.DefaultBuffer, 2*socket.DefaultBuffer)
		p.attrStruct(unixDiagMem, &m)
	}
	if show&unixShowUID != 0 {
		p.attrU32(unixDiagUID, uid)
	}
	p.attrU8(unixDiagShutdown, d.Shutdown)
	p.end()
}

func (k *call) diagPacket(dump bool) error {
	const size = 20
	if len(k.r.body) < size || k.r.body[1] != 0 {
		return linux.EINVAL
	}
	if !dump {
		return linux.EOPNOTSUPP
	}
	show := binary.LittleEndian.Uint32(k.r.body[8:])
	k.setDump()
	for _, l := range k.ns().Sockets(linux.AF_PACKET) {
		if u, ok := l.(socket.PacketDiagnosed); ok {
			k.writePacketDiag(l, u.PacketDiag(), show)
		}
	}
	return nil
}

func (k *call) writePacketDiag(l socket.Listed, d socket.PacketDiag, show uint32) {
	p, b := &k.reply, l.Basis()
	p.begin(sockDiagByFamily, &struct {
		Family, Type uint8
		Num          uint16
		Inode        uint32
		Cookie       [2]uint32
	}{uint8(linux.AF_PACKET), uint8(l.Info().Type), d.Protocol, inodeOf(l), cookieOf(b)})
	if show&packetShowInfo != 0 {
		p.attrStruct(packetDiagInfo, &[6]uint32{uint32(d.Index), uint32(d.Version), d.Reserve, 0, uint32(d.Stamp), d.Flags})
		_, uid := b.Inode()
		p.attrU32(packetDiagUID, uid)
	}
	if show&packetShowMembers != 0 {
		nest := p.nest(packetDiagMembers)
		for _, m := range d.Members {
			b := binary.LittleEndian.AppendUint32(nil, m.Index)
			b = binary.LittleEndian.AppendUint32(b, m.Count)
			b = binary.LittleEndian.AppendUint16(b, m.Kind)
			b = binary.LittleEndian.AppendUint16(b, 6)
			b = append(append(b, m.Addr...), make([]byte, 32)...)
			p.attr(linux.NLA_TYPE_MASK&1, b[:12+32])
		}
		p.unnest(nest)
	}
	if r := d.Ring; r != nil && show&packetShowRing != 0 {
		p.attrStruct(packetDiagRing, &[7]uint32{r.BlockSize, r.Blocks, r.FrameSize, r.Frames, r.RetireMS, r.Private, 0})
	}
	if show&packetShowMem != 0 {
		m := meminfo(d.Queued, d.Room, 2*socket.DefaultBuffer)
		p.attrStruct(packetDiagMem, &m)
	}
	if show&packetShowFilter != 0 && d.Filter != nil && k.ns().Capable(k.c, linux.CAP_NET_ADMIN) {
		p.attr(packetDiagFilter, d.Filter)
	}
	p.end()
}

func (k *call) diagNetlink(dump bool) error {
	const size = 20
	if len(k.r.body) < size {
		return linux.EINVAL
	}
	if !dump {
		return linux.EOPNOTSUPP
	}
	proto, show := k.r.body[1], binary.LittleEndian.Uint32(k.r.body[8:])
	k.setDump()
	for _, l := range k.ns().Sockets(linux.AF_NETLINK) {
		s, ok := l.(*Socket)
		if !ok || proto != netlinkDiagAll && int32(proto) != s.Info().Protocol {
			continue
		}
		state := uint8(netstack.StateClose)
		s.mu.Lock()
		port, groups, peer, to, queued := s.port, s.groups, s.peer, s.peerTo, s.bytes
		s.mu.Unlock()
		k.reply.begin(sockDiagByFamily, &struct {
			Family, Type, Protocol, State uint8
			Port, DstPort, DstGroup       uint32
			Inode                         uint32
			Cookie                        [2]uint32
		}{uint8(linux.AF_NETLINK), uint8(s.Info().Type), uint8(s.Info().Protocol), state, port, peer, to, inodeOf(s), cookieOf(&s.Base)})
		if show&netlinkShowGroups != 0 && groups != 0 {
			k.reply.attrStruct(netlinkDiagGroups, &groups)
		}
		if show&netlinkShowMem != 0 {
			m := meminfo(queued, 2*socket.DefaultBuffer, 2*socket.DefaultBuffer)
			k.reply.attrStruct(netlinkDiagMem, &m)
		}
		k.reply.end()
	}
	return nil
}
