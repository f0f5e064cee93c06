package sim

import "encoding/binary"

// ELF returns an executable file whose segment covers t and whose entry is
// Blocks[entry], with room bytes of zeroed memory at the address data.
func (t *Text) ELF(entry int, data, room uint64) []byte {
	le := binary.LittleEndian
	b := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	u16 := func(v ...uint16) {
		for _, x := range v {
			b = le.AppendUint16(b, x)
		}
	}
	u64 := func(v ...uint64) {
		for _, x := range v {
			b = le.AppendUint64(b, x)
		}
	}
	u16(2, 62)
	b = le.AppendUint32(b, 1)
	u64(t.Address(entry), 64, 0)
	b = le.AppendUint32(b, 0)
	u16(64, 56, 2, 64, 0, 0)
	start := t.Base &^ (pageSize - 1)
	size := (t.End() - start + pageSize - 1) &^ (pageSize - 1)
	segment := func(flags uint32, offset, addr, filesz, memsz uint64) {
		b = le.AppendUint32(b, 1)
		b = le.AppendUint32(b, flags)
		u64(offset, addr, addr, filesz, memsz, pageSize)
	}
	segment(5, pageSize, start, size, size)
	segment(6, 0, data, 0, room)
	out := make([]byte, pageSize+size)
	copy(out, b)
	return out
}
