package packet

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// maxFrame is the longest frame that is sent: of an interface with the largest MTU.
const maxFrame = 65536 + netstack.LinkHeaderSize

// Send implements socket.Mover.
func (s *Socket) Send(_ *vfs.Caller, m *socket.Outgoing) (int, error) {
	defer m.Control.Release()
	if m.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EOPNOTSUPP
	}
	index, proto := s.Bound()
	var to netstack.HWAddr
	if len(m.To) > 0 {
		l, err := parse(m.To)
		if err != nil {
			return 0, err
		}
		if int(l.Halen) > len(l.Addr) {
			return 0, linux.EINVAL
		}
		index, proto = l.Ifindex, binary.BigEndian.Uint16(l.Protocol[:])
		copy(to[:], l.Addr[:])
	} else if !s.raw() && index != 0 {
		return 0, linux.EINVAL // nobody says to whom
	}
	if index == 0 {
		return 0, linux.ENXIO
	}
	if m.Data.Len() > maxFrame {
		return 0, linux.EMSGSIZE
	}
	b := make([]byte, m.Data.Len())
	if _, err := m.Data.CopyIn(b); err != nil {
		return 0, err
	}
	var err error
	if s.raw() {
		err = s.Namespace().Stack.SendFrame(index, b)
	} else {
		err = s.Namespace().Stack.SendPacket(index, proto, to, b)
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// Receive implements socket.Mover.
func (s *Socket) Receive(_ *vfs.Caller, in *socket.Incoming) (int, error) {
	if in.Flags&linux.MSG_ERRQUEUE != 0 {
		return 0, linux.EAGAIN // nothing is ever told of what was sent
	}
	if in.Flags&linux.MSG_OOB != 0 {
		return 0, linux.EINVAL
	}
	f, err := s.take(in.Flags&linux.MSG_PEEK != 0)
	if err != nil {
		return 0, err
	}
	n, err := in.Data.CopyOut(f.data)
	if err != nil {
		return 0, err
	}
	if n < len(f.data) {
		in.OutFlags |= linux.MSG_TRUNC
		if in.Flags&linux.MSG_TRUNC != 0 {
			n = len(f.data)
		}
	}
	in.From = format(f.index, f.proto, f.hwType, f.typ, f.source[:])
	socket.AddTimestamp(&s.Base, &in.Control, f.timeNS)
	if s.auxdata.Load() {
		aux := linux.TpacketAuxdata{
			Status: linux.TP_STATUS_USER, Len: uint32(f.size), Snaplen: uint32(len(f.data)), Net: uint16(f.net),
		}
		if b, err := binary.Append(nil, binary.LittleEndian, &aux); err == nil {
			in.Control.Add(linux.SOL_PACKET, int32(linux.PACKET_AUXDATA), b)
		}
	}
	return n, nil
}

// take takes the oldest frame, or looks at it.
func (s *Socket) take(peek bool) (frame, error) {
	s.in.Lock()
	defer s.in.Unlock()
	if e := s.err; e != 0 {
		s.err = 0
		return frame{}, e
	}
	if len(s.queue) == 0 {
		return frame{}, linux.EAGAIN
	}
	f := s.queue[0]
	if !peek {
		s.queue[0] = frame{}
		s.queue = s.queue[1:]
		s.bytes -= int64(len(f.data) + frameCost)
	}
	return f, nil
}
