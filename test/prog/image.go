package prog

import (
	"encoding/binary"
)

// Op is an instruction's operation. Operands are offsets in the image of
// 8-byte cells, or immediate where the comment says "imm".
type Op uint16

const (
	OpSyscall   Op = iota + 1 // dst = call [a0] with [a1]..[a6]
	OpBin                     // dst = [a1] a0(imm) [a2]
	OpLoad                    // dst = a0(imm) bytes at [a1]
	OpStore                   // a0(imm) bytes at [a1] = [a2]
	OpJmp                     // to a0(imm)
	OpJz                      // to a0(imm) if [a1] is zero
	OpShow                    // record [a1]
	OpShowBytes               // record [a2] bytes at [a1]
	OpClone                   // dst = clone([a1], own stack if a2(imm), [a3], [a4]); the child goes to a0(imm)
	OpClone3                  // dst = clone3([a1], [a2]); the child goes to a0(imm)
	OpHandler                 // dst = rt_sigaction([a1], {a0(imm), flags [a2], mask [a3]})
	OpEnd                     // end of a handler
	OpSkip                    // make the handler return past the access
	OpSettle                  // until thread [a1] sleeps
	OpMov                     // dst = [a1]
)

// Traced in an instruction's Flags records the result.
const Traced = 1

// An Ins is one instruction, as in the image.
type Ins struct {
	Op    Op
	Flags uint16
	Site  uint32
	Dst   uint32
	A     [7]uint32
}

// InsSize is the size of an instruction.
const InsSize = 40

// Places of memory, the same for every machine.
const (
	Arena     = 0x20000000
	ArenaMax  = 0x400000
	Trace     = 0x30000000
	Slots     = 64
	SlotSize  = 65536
	TraceSize = SlotSize * (Slots + 1)
	StackSize = 32768

	TraceFD = 1000
	ImageFD = 1001
)

// Places in an image's header.
const (
	AtEntry    = 8
	AtSize     = 16
	AtSig      = 0x100
	AtInfo     = 0x108
	AtUctx     = 0x110
	AtArgc     = 0x118
	AtArgv     = 0x120
	AtVM       = 0x128
	AtBase     = 0x130
	AtHandlers = 0x200
	atData     = 0x500
)

// DecodeIns reads an instruction.
func DecodeIns(b []byte) Ins {
	le := binary.LittleEndian
	i := Ins{Op: Op(le.Uint16(b)), Flags: le.Uint16(b[2:]), Site: le.Uint32(b[4:]), Dst: le.Uint32(b[8:])}
	for k := range i.A {
		i.A[k] = le.Uint32(b[12+4*k:])
	}
	return i
}

func (i *Ins) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(i.Op))
	b = le.AppendUint16(b, i.Flags)
	b = le.AppendUint32(b, i.Site)
	b = le.AppendUint32(b, i.Dst)
	for _, a := range i.A {
		b = le.AppendUint32(b, a)
	}
	return b
}

// Bundle joins images into the file that interp/vm.c reads.
func Bundle(programs []*Program) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0x4c444e42)
	b = le.AppendUint32(b, uint32(len(programs)))
	at := uint64(8 + 16*len(programs))
	for _, p := range programs {
		b = le.AppendUint64(b, at)
		b = le.AppendUint64(b, uint64(len(p.Image)))
		at += uint64(len(p.Image))
	}
	for _, p := range programs {
		b = append(b, p.Image...)
	}
	return b
}
