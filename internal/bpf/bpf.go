// Package bpf checks and runs classic BPF programs as the kernel's seccomp
// does.
//
// # Objects
//
// A Program is a list of instructions that Check has found to end: jumps go
// forward and stay inside, every path ends in a return, and no word of scratch
// memory is read before it was written. It holds no state and may be run by
// anyone at any time.
package bpf

// An Insn is struct sock_filter.
type Insn struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// Sizes of a program and of what it works on.
const (
	MaxInsns  = 4096
	scratch   = 16
	DataWords = 16 // struct seccomp_data
)

// Words of struct seccomp_data.
const (
	WordNr   = 0
	WordArch = 1
)

// Classes, sizes, modes, operations and sources of instructions.
const (
	classLD, classLDX, classST, classSTX = 0, 1, 2, 3
	classALU, classJMP, classRET         = 4, 5, 6
	classMISC                            = 7

	modeIMM, modeABS, modeMEM, modeLEN = 0x00, 0x20, 0x60, 0x80

	opADD, opSUB, opMUL, opDIV       = 0x00, 0x10, 0x20, 0x30
	opOR, opAND, opLSH, opRSH, opNEG = 0x40, 0x50, 0x60, 0x70, 0x80
	opXOR                            = 0xa0
	opJA, opJEQ, opJGT, opJGE, opSET = 0x00, 0x10, 0x20, 0x30, 0x40
	srcK, srcX                       = 0x00, 0x08
	retK, retA                       = 0x00, 0x10
	miscTAX, miscTXA                 = 0x00, 0x80
)

// A Program is a checked filter.
type Program struct {
	insns []Insn // immutable
}

// KernelLen is about how long Linux's own form of the program is: registers are
// set up first, and a return takes two instructions.
func (p *Program) KernelLen() int {
	const setUp = 3
	n := setUp + len(p.insns)
	for _, i := range p.insns {
		if i.Code&7 == classRET {
			n++
		}
	}
	return n
}

// Insns are the instructions; the caller does not change them.
func (p *Program) Insns() []Insn { return p.insns }

// CheckSeccomp returns the program, or false if seccomp(2) refuses it (Linux:
// net/core/filter.c bpf_check_classic, kernel/seccomp.c seccomp_check_filter).
func CheckSeccomp(insns []Insn) (*Program, bool) {
	if len(insns) == 0 || len(insns) > MaxInsns {
		return nil, false
	}
	for pc, i := range insns {
		if !valid(i) || !landsInside(i, pc, len(insns)) {
			return nil, false
		}
	}
	if insns[len(insns)-1].Code&7 != classRET || !scratchWritten(insns) {
		return nil, false
	}
	return &Program{append([]Insn(nil), insns...)}, true
}

// valid checks one instruction by itself.
func valid(i Insn) bool {
	switch i.Code {
	case classLD | modeABS:
		return i.K < 4*DataWords && i.K%4 == 0
	case classLD | modeMEM, classLDX | modeMEM, classST, classSTX:
		return i.K < scratch
	case classALU | opDIV | srcK:
		return i.K != 0
	case classALU | opLSH | srcK, classALU | opRSH | srcK:
		return i.K < 32
	case classLD | modeIMM, classLDX | modeIMM, classLD | modeLEN, classLDX | modeLEN,
		classRET | retK, classRET | retA, classMISC | miscTAX, classMISC | miscTXA,
		classALU | opADD | srcK, classALU | opADD | srcX, classALU | opSUB | srcK, classALU | opSUB | srcX,
		classALU | opMUL | srcK, classALU | opMUL | srcX, classALU | opDIV | srcX,
		classALU | opAND | srcK, classALU | opAND | srcX, classALU | opOR | srcK, classALU | opOR | srcX,
		classALU | opXOR | srcK, classALU | opXOR | srcX, classALU | opLSH | srcX, classALU | opRSH | srcX, classALU | opNEG,
		classJMP | opJA,
		classJMP | opJEQ | srcK, classJMP | opJEQ | srcX, classJMP | opJGT | srcK, classJMP | opJGT | srcX,
		classJMP | opJGE | srcK, classJMP | opJGE | srcX, classJMP | opSET | srcK, classJMP | opSET | srcX:
		return true
	}
	return false
}

// landsInside checks where a jump goes.
func landsInside(i Insn, pc, n int) bool {
	switch {
	case i.Code&7 != classJMP:
		return true
	case i.Code == classJMP|opJA:
		return uint64(i.K) < uint64(n-pc-1)
	}
	return pc+1+int(i.Jt) < n && pc+1+int(i.Jf) < n
}

// scratchWritten reports whether every load of scratch memory follows a store
// on all paths.
func scratchWritten(insns []Insn) bool {
	// What is surely written when each instruction is reached; jumps only go
	// forward, so one pass is enough.
	reached := make([]uint16, len(insns))
	for i := range reached {
		reached[i] = 0xffff
	}
	have := uint16(0)
	for pc, i := range insns {
		have &= reached[pc]
		switch {
		case i.Code&7 == classST || i.Code&7 == classSTX:
			have |= 1 << i.K
		case i.Code == classLD|modeMEM || i.Code == classLDX|modeMEM:
			if have&(1<<i.K) == 0 {
				return false
			}
		case i.Code == classJMP|opJA:
			reached[pc+1+int(i.K)] &= have
			have = 0xffff
		case i.Code&7 == classJMP:
			reached[pc+1+int(i.Jt)] &= have
			reached[pc+1+int(i.Jf)] &= have
			have = 0xffff
		}
	}
	return true
}

// Run returns what the program says of a call: data is struct seccomp_data as
// words.
func (p *Program) Run(data *[DataWords]uint32) uint32 {
	v, _ := p.run(data, 1<<DataWords-1)
	return v
}

// RunKnown is Run where only the number and the architecture are known. It
// reports false if the program asks for more.
func (p *Program) RunKnown(nr, arch uint32) (uint32, bool) {
	return p.run(&[DataWords]uint32{WordNr: nr, WordArch: arch}, 1<<WordNr|1<<WordArch)
}

// run interprets the program; known are the words that it may load.
func (p *Program) run(data *[DataWords]uint32, known uint32) (uint32, bool) {
	var a, x uint32
	var mem [scratch]uint32
	for pc := 0; ; pc++ {
		i := p.insns[pc]
		operand := i.K
		if i.Code&srcX != 0 {
			operand = x
		}
		switch i.Code & 7 {
		case classRET:
			if i.Code&retA != 0 {
				return a, true
			}
			return i.K, true
		case classLD:
			switch i.Code {
			case classLD | modeABS:
				if known&(1<<(i.K/4)) == 0 {
					return 0, false
				}
				a = data[i.K/4]
			case classLD | modeMEM:
				a = mem[i.K]
			case classLD | modeLEN:
				a = 4 * DataWords
			default:
				a = i.K
			}
		case classLDX:
			switch i.Code {
			case classLDX | modeMEM:
				x = mem[i.K]
			case classLDX | modeLEN:
				x = 4 * DataWords
			default:
				x = i.K
			}
		case classST:
			mem[i.K] = a
		case classSTX:
			mem[i.K] = x
		case classMISC:
			if i.Code == classMISC|miscTXA {
				a = x
			} else {
				x = a
			}
		case classJMP:
			pc += jump(i, a, operand)
		case classALU:
			if i.Code == classALU|opDIV|srcX && x == 0 {
				return 0, true // as in Linux, the program ends
			}
			a = alu(i.Code&0xf0, a, operand)
		}
	}
}

// jump is how far an instruction jumps beyond the next one.
func jump(i Insn, a, operand uint32) int {
	var yes bool
	switch i.Code & 0xf0 {
	case opJA:
		return int(i.K)
	case opJEQ:
		yes = a == operand
	case opJGT:
		yes = a > operand
	case opJGE:
		yes = a >= operand
	case opSET:
		yes = a&operand != 0
	}
	if yes {
		return int(i.Jt)
	}
	return int(i.Jf)
}

func alu(op uint16, a, b uint32) uint32 {
	switch op {
	case opADD:
		return a + b
	case opSUB:
		return a - b
	case opMUL:
		return a * b
	case opDIV:
		return a / b
	case opOR:
		return a | b
	case opAND:
		return a & b
	case opXOR:
		return a ^ b
	case opLSH:
		return a << (b & 31)
	case opRSH:
		return a >> (b & 31)
	}
	return -a // opNEG
}
