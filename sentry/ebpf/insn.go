package ebpf

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// The parts of an instruction's code: its class, and for each class the rest.
const (
	classMask  = 0x07
	classLD    = 0x00
	classLDX   = 0x01
	classST    = 0x02
	classSTX   = 0x03
	classALU   = 0x04
	classJMP   = 0x05
	classJMP32 = 0x06
	classALU64 = 0x07

	sizeMask = 0x18
	sizeW    = 0x00
	sizeH    = 0x08
	sizeB    = 0x10

	modeMask = 0xe0
	modeMEM  = 0x60

	loadImm64 = 0x18 // the one load of classLD that there is

	sourceReg = 0x08
	opMask    = 0xf0

	opADD  = 0x00
	opSUB  = 0x10
	opMUL  = 0x20
	opDIV  = 0x30
	opOR   = 0x40
	opAND  = 0x50
	opLSH  = 0x60
	opRSH  = 0x70
	opNEG  = 0x80
	opMOD  = 0x90
	opXOR  = 0xa0
	opMOV  = 0xb0
	opARSH = 0xc0
	opEND  = 0xd0

	opJA   = 0x00
	opJEQ  = 0x10
	opJGT  = 0x20
	opJGE  = 0x30
	opJSET = 0x40
	opJNE  = 0x50
	opJSGT = 0x60
	opJSGE = 0x70
	opCALL = 0x80
	opEXIT = 0x90
	opJLT  = 0xa0
	opJLE  = 0xb0
	opJSLT = 0xc0
	opJSLE = 0xd0
)

// registers is how many there are; the last one is the frame's.
const registers = 11

// InsnSize is the size of struct bpf_insn.
const InsnSize = 8

// parse returns the instructions that b has as struct bpf_insn.
func parse(b []byte) []linux.BPFInsn {
	out := make([]linux.BPFInsn, 0, len(b)/InsnSize)
	for ; len(b) >= InsnSize; b = b[InsnSize:] {
		out = append(out, linux.BPFInsn{
			Code: b[0], Regs: b[1], Off: int16(binary.LittleEndian.Uint16(b[2:])), Imm: int32(binary.LittleEndian.Uint32(b[4:])),
		})
	}
	return out
}

// Insns is the program as Load took it.
func (p *Program) Insns() []byte {
	b := make([]byte, 0, len(p.ins)*InsnSize)
	for _, i := range p.ins {
		b = append(b, i.Code, i.Regs)
		b = binary.LittleEndian.AppendUint16(b, uint16(i.Off))
		b = binary.LittleEndian.AppendUint32(b, uint32(i.Imm))
	}
	return b
}

func dst(i *linux.BPFInsn) int { return int(i.Regs & 15) }
func src(i *linux.BPFInsn) int { return int(i.Regs >> 4) }

// loadSize is how many bytes an instruction of classLDX loads.
func loadSize(i *linux.BPFInsn) int {
	switch i.Code & sizeMask {
	case sizeW:
		return 4
	case sizeH:
		return 2
	case sizeB:
		return 1
	}
	return 8
}

// wide says whether the instruction computes or compares with 64 bits.
func wide(i *linux.BPFInsn) bool {
	c := i.Code & classMask
	return c == classALU64 || c == classJMP
}
