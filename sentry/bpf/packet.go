package bpf

import "encoding/binary"

// A Packet is the Data of a socket's filter: bytes in the order of the network, and what there is beside them.
type Packet struct {
	Bytes   []byte
	Network int // where the network header begins in Bytes
	Link    int // where the link header begins

	// What ancillary loads read.
	Protocol uint16 // in the order of the host
	Type     uint8
	Device   uint32
	Hardware uint16
	Mark     uint32
	Random   func() uint32 // nil: always 0
}

// Ancillary loads: the offsets after AncillaryOffset that mean something here.
const (
	adProtocol    = 0
	adPktType     = 4
	adIfIndex     = 8
	adMark        = 20
	adQueue       = 24
	adHardware    = 28
	adRxHash      = 32
	adCPU         = 36
	adALUXorX     = 40
	adVLANTag     = 44
	adVLANPresent = 48
	adPayOffset   = 52
	adRandom      = 56
	adVLANTPID    = 60
)

// knownAncillary: as in Linux, one that does not exist is refused when a program is checked.
func knownAncillary(what uint32) bool {
	switch what {
	case adProtocol, adPktType, adIfIndex, adMark, adQueue, adHardware, adRxHash, adCPU, adALUXorX, adVLANTag, adVLANPresent,
		adPayOffset, adRandom, adVLANTPID:
		return true
	}
	return false
}

// Len implements Data.
func (p *Packet) Len() uint32 { return uint32(len(p.Bytes)) }

// Load implements Data.
func (p *Packet) Load(offset uint32, size int) (uint32, bool) {
	at := uint64(offset)
	switch {
	case offset >= AncillaryOffset:
		return p.ancillary(offset - AncillaryOffset)
	case offset >= NetworkOffset:
		at = uint64(p.Network) + uint64(offset-NetworkOffset)
	case offset >= LinkOffset:
		at = uint64(p.Link) + uint64(offset-LinkOffset)
	}
	if at+uint64(size) > uint64(len(p.Bytes)) {
		return 0, false
	}
	switch b := p.Bytes[at:]; size {
	case 1:
		return uint32(b[0]), true
	case 2:
		return uint32(binary.BigEndian.Uint16(b)), true
	default:
		return binary.BigEndian.Uint32(b), true
	}
}

// ancillary reads what is beside the packet. What a packet here never has reads as 0, as it does in Linux without it.
func (p *Packet) ancillary(what uint32) (uint32, bool) {
	switch what {
	case adProtocol:
		return uint32(p.Protocol), true
	case adPktType:
		return uint32(p.Type), true
	case adIfIndex:
		return p.Device, p.Device != 0
	case adHardware:
		return uint32(p.Hardware), p.Device != 0
	case adMark:
		return p.Mark, true
	case adPayOffset:
		return uint32(p.Network), true
	case adRandom:
		if p.Random == nil {
			return 0, true
		}
		return p.Random(), true
	case adQueue, adRxHash, adCPU, adVLANTag, adVLANPresent, adVLANTPID:
		return 0, true
	}
	return 0, false
}
