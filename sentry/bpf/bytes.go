package bpf

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// InstructionSize is the size of struct sock_filter.
const InstructionSize = 8

// Parse returns the instructions that b has as struct sock_filter; bytes at its end
// that are none are left out.
func Parse(b []byte) []linux.SockFilter {
	out := make([]linux.SockFilter, 0, len(b)/InstructionSize)
	for ; len(b) >= InstructionSize; b = b[InstructionSize:] {
		out = append(out, linux.SockFilter{
			Code: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:]),
		})
	}
	return out
}

// Bytes is the program as Parse takes it; nil has none.
func (p *Program) Bytes() []byte {
	if p == nil {
		return nil
	}
	b := make([]byte, 0, len(p.ins)*InstructionSize)
	for i := range p.ins {
		f := &p.ins[i]
		b = binary.LittleEndian.AppendUint16(b, f.Code)
		b = append(b, f.Jt, f.Jf)
		b = binary.LittleEndian.AppendUint32(b, f.K)
	}
	return b
}
