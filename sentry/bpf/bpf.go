// Package bpf checks and runs classic BPF programs: the filters of sockets and of seccomp(2).
//
// # Objects
//
// A Program is made by Compile from what the guest gave, and does not change. Whoever runs it says by a Data what its loads
// mean: a packet, or a struct seccomp_data.
//
// # Differences
//
// Programs are interpreted. There is no eBPF, and no load that searches netlink attributes (EINVAL).
package bpf

import "cordon/internal/linux"

// Instruction classes, sizes, modes, operations and sources of an instruction's code.
const (
	classMask = 0x07
	classLD   = 0x00
	classLDX  = 0x01
	classST   = 0x02
	classSTX  = 0x03
	classALU  = 0x04
	classJMP  = 0x05
	classRET  = 0x06
	classMISC = 0x07

	sizeMask = 0x18
	sizeW    = 0x00
	sizeH    = 0x08
	sizeB    = 0x10

	modeMask = 0xe0
	modeIMM  = 0x00
	modeABS  = 0x20
	modeIND  = 0x40
	modeMEM  = 0x60
	modeLEN  = 0x80
	modeMSH  = 0xa0

	opMask = 0xf0
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

	opJA   = 0x00
	opJEQ  = 0x10
	opJGT  = 0x20
	opJGE  = 0x30
	opJSET = 0x40

	sourceX = 0x08

	returnMask = 0x18
	returnK    = 0x00
	returnX    = 0x08
	returnA    = 0x10

	miscTXA = 0x80
)

// memWords is how many words of scratch memory a program has: BPF_MEMWORDS.
const memWords = 16

// Where a load's offset has a meaning of its own (SKF_AD_OFF, SKF_NET_OFF and SKF_LL_OFF of filter.h).
const (
	AncillaryOffset = ^uint32(0x1000) + 1
	NetworkOffset   = ^uint32(0x100000) + 1
	LinkOffset      = ^uint32(0x200000) + 1
)

// Data is what a program looks at.
type Data interface {
	// Load reads size bytes (1, 2 or 4) at an offset, in the order of bytes that the data has; false ends the program with
	// 0. Offsets from LinkOffset on are negative to the guest and mean what filter.h says.
	Load(offset uint32, size int) (uint32, bool)
	// Len is the length of the packet.
	Len() uint32
}

// A Program is one that has been checked.
type Program struct {
	// immutable
	ins []linux.SockFilter
}

// Compile checks a program as Linux: net/core/filter.c bpf_check_classic does: EINVAL for one that could jump out of itself,
// use scratch memory before it was written, or has an instruction that does not exist.
func Compile(prog []linux.SockFilter) (*Program, linux.Errno) {
	if len(prog) == 0 || len(prog) > linux.BPF_MAXINSNS {
		return nil, linux.EINVAL
	}
	for pc := range prog {
		if !valid(prog, pc) {
			return nil, linux.EINVAL
		}
	}
	if prog[len(prog)-1].Code&classMask != classRET || !storesBeforeLoads(prog) {
		return nil, linux.EINVAL
	}
	return &Program{ins: append([]linux.SockFilter(nil), prog...)}, 0
}

// valid checks one instruction.
func valid(prog []linux.SockFilter, pc int) bool {
	f := &prog[pc]
	if f.Code > 0xff {
		return false
	}
	switch f.Code & classMask {
	case classLD, classLDX:
		return validLoad(f)
	case classST, classSTX:
		return f.Code&^classMask == 0 && f.K < memWords
	case classALU:
		return validALU(f)
	case classJMP:
		left := uint64(len(prog) - pc - 1)
		switch op := f.Code &^ classMask; op {
		case opJA:
			return uint64(f.K) < left
		case opJEQ, opJGT, opJGE, opJSET, opJEQ | sourceX, opJGT | sourceX, opJGE | sourceX, opJSET | sourceX:
			return uint64(f.Jt) < left && uint64(f.Jf) < left
		}
	case classRET:
		return f.Code == classRET|returnK || f.Code == classRET|returnA
	case classMISC:
		return f.Code == classMISC || f.Code == classMISC|miscTXA
	}
	return false
}

func validLoad(f *linux.SockFilter) bool {
	switch mode := f.Code & modeMask; {
	case f.Code&classMask == classLDX:
		switch f.Code {
		case classLDX | modeMSH | sizeB, classLDX | modeIMM, classLDX | modeLEN:
			return true
		}
		return f.Code == classLDX|modeMEM && f.K < memWords
	case mode == modeABS:
		// As in Linux, an ancillary load that does not exist is refused now, not when it is met.
		return f.Code&sizeMask != sizeMask && (f.K < AncillaryOffset || knownAncillary(f.K-AncillaryOffset))
	case mode == modeIND:
		return f.Code&sizeMask != sizeMask
	case mode == modeMEM:
		return f.Code == classLD|modeMEM && f.K < memWords
	}
	return f.Code == classLD|modeIMM || f.Code == classLD|modeLEN
}

func validALU(f *linux.SockFilter) bool {
	op, x := f.Code&opMask, f.Code&sourceX != 0
	switch op {
	case opDIV, opMOD:
		return x || f.K != 0
	case opLSH, opRSH:
		return x || f.K < 32
	case opADD, opSUB, opMUL, opOR, opAND, opXOR:
		return true
	}
	return op == opNEG && !x
}

// storesBeforeLoads says whether every word of scratch memory is written on each way to where it is read.
func storesBeforeLoads(prog []linux.SockFilter) bool {
	// written[pc] are the words that are written on every jump to pc; all, while none was seen.
	written := make([]uint16, len(prog))
	for i := range written {
		written[i] = ^uint16(0)
	}
	now := uint16(0)
	for pc := range prog {
		f := &prog[pc]
		now &= written[pc]
		switch f.Code & classMask {
		case classST, classSTX:
			now |= 1 << f.K
		case classLD, classLDX:
			if f.Code&modeMask == modeMEM && now>>f.K&1 == 0 {
				return false
			}
		case classJMP:
			if f.Code&opMask == opJA {
				written[pc+1+int(f.K)] &= now
			} else {
				written[pc+1+int(f.Jt)] &= now
				written[pc+1+int(f.Jf)] &= now
			}
			now = ^uint16(0)
		case classRET:
			now = ^uint16(0)
		}
	}
	return true
}

// Run runs a program and returns what it returned. Jumps go forward only, so that it ends.
func (p *Program) Run(d Data) uint32 {
	var mem [memWords]uint32
	var a, x uint32
	for pc := 0; pc < len(p.ins); pc++ {
		f := &p.ins[pc]
		switch f.Code & classMask {
		case classLD, classLDX:
			v, ok := load(f, d, a, x, &mem)
			if !ok {
				return 0
			}
			if f.Code&classMask == classLD {
				a = v
			} else {
				x = v
			}
		case classST:
			mem[f.K] = a
		case classSTX:
			mem[f.K] = x
		case classALU:
			v, ok := compute(f, a, x)
			if !ok {
				return 0
			}
			a = v
		case classJMP:
			pc += jump(f, a, x)
		case classRET:
			if f.Code&returnMask == returnA {
				return a
			}
			return f.K
		case classMISC:
			if f.Code&^classMask == miscTXA {
				a = x
			} else {
				x = a
			}
		}
	}
	return 0
}

func load(f *linux.SockFilter, d Data, a, x uint32, mem *[memWords]uint32) (uint32, bool) {
	size := 4
	switch f.Code & sizeMask {
	case sizeH:
		size = 2
	case sizeB:
		size = 1
	}
	switch f.Code & modeMask {
	case modeIMM:
		return f.K, true
	case modeABS:
		if f.K == AncillaryOffset+adALUXorX {
			return a ^ x, true
		}
		return d.Load(f.K, size)
	case modeIND:
		return d.Load(f.K+x, size)
	case modeMEM:
		return mem[f.K], true
	case modeLEN:
		return d.Len(), true
	}
	v, ok := d.Load(f.K, 1) // modeMSH: the length of an IPv4 header
	return (v & 0xf) * 4, ok
}

func compute(f *linux.SockFilter, a, x uint32) (uint32, bool) {
	k := f.K
	if f.Code&sourceX != 0 {
		k = x
	}
	switch f.Code & opMask {
	case opADD:
		return a + k, true
	case opSUB:
		return a - k, true
	case opMUL:
		return a * k, true
	case opDIV:
		if k == 0 {
			return 0, false
		}
		return a / k, true
	case opMOD:
		if k == 0 {
			return 0, false
		}
		return a % k, true
	case opOR:
		return a | k, true
	case opAND:
		return a & k, true
	case opXOR:
		return a ^ k, true
	case opLSH:
		return a << (k & 31), true
	case opRSH:
		return a >> (k & 31), true
	}
	return -a, true
}

func jump(f *linux.SockFilter, a, x uint32) int {
	k := f.K
	if f.Code&sourceX != 0 {
		k = x
	}
	var yes bool
	switch f.Code & opMask {
	case opJA:
		return int(f.K)
	case opJEQ:
		yes = a == k
	case opJGT:
		yes = a > k
	case opJGE:
		yes = a >= k
	case opJSET:
		yes = a&k != 0
	}
	if yes {
		return int(f.Jt)
	}
	return int(f.Jf)
}
