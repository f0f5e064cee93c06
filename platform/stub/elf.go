package stub

import "encoding/binary"

// pageSize is the host's.
const pageSize = 4096

// BuildELF wraps pages, a multiple of the page size, into an executable with one
// read-execute segment at address boot, entered at offset entry.
func BuildELF(pages []byte, boot, entry uint64) []byte {
	const ehsize, phsize = 64, 56
	elf := make([]byte, pageSize, pageSize+len(pages))
	length := uint64(len(pages))
	le := binary.LittleEndian
	copy(elf, "\x7fELF\x02\x01\x01")
	le.PutUint16(elf[16:], 2)  // ET_EXEC
	le.PutUint16(elf[18:], 62) // EM_X86_64
	le.PutUint32(elf[20:], 1)
	le.PutUint64(elf[24:], boot+entry)
	le.PutUint64(elf[32:], ehsize)
	le.PutUint16(elf[52:], ehsize)
	le.PutUint16(elf[54:], phsize)
	le.PutUint16(elf[56:], 2)
	load := elf[ehsize:]
	le.PutUint32(load[0:], 1) // PT_LOAD
	le.PutUint32(load[4:], 5) // R+X
	le.PutUint64(load[8:], pageSize)
	le.PutUint64(load[16:], boot)
	le.PutUint64(load[24:], boot)
	le.PutUint64(load[32:], length)
	le.PutUint64(load[40:], length)
	le.PutUint64(load[48:], pageSize)
	stack := elf[ehsize+phsize:]
	le.PutUint32(stack[0:], 0x6474e551) // PT_GNU_STACK
	le.PutUint32(stack[4:], 6)          // RW
	return append(elf, pages...)
}
