package packet

import "cordon/sentry/socket"

// Flags of struct packet_diag_info.
const (
	diagAuxdata = 2
	diagOrigDev = 4
)

// PacketDiag implements socket.PacketDiagnosed.
func (s *Socket) PacketDiag() socket.PacketDiag {
	s.mu.Lock()
	d := socket.PacketDiag{
		Index: s.index, Protocol: s.proto, Version: s.version, Reserve: s.reserve, Stamp: s.stamp, Room: int(s.room.Load()),
		Filter: s.FilterBytes(),
	}
	if s.origDev {
		d.Flags |= diagOrigDev
	}
	for _, m := range s.members {
		d.Members = append(d.Members, socket.PacketMember{Index: uint32(m.Index), Count: uint32(m.Count), Kind: m.Kind, Addr: m.Addr})
	}
	s.mu.Unlock()
	if s.auxdata.Load() {
		d.Flags |= diagAuxdata
	}
	s.in.Lock()
	defer s.in.Unlock()
	d.Queued = int(s.bytes)
	if r := s.ring; r != nil {
		d.Ring = &socket.PacketRing{
			BlockSize: uint32(r.blkSize), Blocks: uint32(r.blocks), FrameSize: uint32(r.frmSize), Frames: uint32(r.frames),
			RetireMS: uint32(r.retire.Milliseconds()), Private: uint32(r.private),
		}
	}
	return d
}
