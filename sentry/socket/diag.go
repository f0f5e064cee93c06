package socket

import "cordon/netstack"

// UnixDiag is what unix_diag tells of a socket.
type UnixDiag struct {
	State    netstack.State
	Name     string // "" unbound, a path, or NUL and an abstract name
	Dev, Ino uint64 // of a path
	Peer     Listed // nil: none
	Pending  []Listed
	Receive  int // bytes that wait, of a listener connections
	Send     int // bytes in others' queues, of a listener its backlog
	Shutdown uint8
}

// A UnixDiagnosed socket is of AF_UNIX.
type UnixDiagnosed interface{ UnixDiag() UnixDiag }

// PacketDiag is what packet_diag tells of a socket.
type PacketDiag struct {
	Index    int32
	Protocol uint16
	Version  int32
	Reserve  uint32
	Flags    uint32
	Stamp    int32
	Queued   int
	Room     int
	Ring     *PacketRing
	Members  []PacketMember
	Filter   []byte
}

// PacketRing and PacketMember are parts of a PacketDiag.
type PacketRing struct{ BlockSize, Blocks, FrameSize, Frames, RetireMS, Private uint32 }

type PacketMember struct {
	Index, Count uint32
	Kind         uint16
	Addr         []byte
}

// A PacketDiagnosed socket is of AF_PACKET.
type PacketDiagnosed interface{ PacketDiag() PacketDiag }

// An Endpointed socket has an endpoint in its namespace's stack.
type Endpointed interface{ Endpoint() *netstack.Endpoint }

// Cookie is SO_COOKIE.
func (b *Base) Cookie() uint64 { return b.cookie.Load() }

// FilterBytes are the instructions of SO_ATTACH_FILTER as the guest gave them.
func (b *Base) FilterBytes() []byte { return b.filter.Load().Bytes() }
