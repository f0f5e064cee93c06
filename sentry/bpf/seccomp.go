package bpf

import "cordon/internal/linux"

// CallWords is how many words of 32 bits struct seccomp_data has.
const CallWords = 16

// A Call is the Data of a seccomp filter: struct seccomp_data as words.
type Call [CallWords]uint32

// Words of a Call.
const (
	callNr   = 0
	callArch = 1
)

// Len implements Data.
func (c *Call) Len() uint32 { return 4 * CallWords }

// Load implements Data. CompileSeccomp lets whole words through only.
func (c *Call) Load(offset uint32, _ int) (uint32, bool) {
	if offset/4 >= CallWords {
		return 0, false
	}
	return c[offset/4], true
}

// CompileSeccomp is Compile for a seccomp filter, which may do less (Linux:
// kernel/seccomp.c seccomp_check_filter).
func CompileSeccomp(prog []linux.SockFilter) (*Program, linux.Errno) {
	for i := range prog {
		if !forCalls(&prog[i]) {
			return nil, linux.EINVAL
		}
	}
	return Compile(prog)
}

// forCalls says whether a seccomp filter may have an instruction, where that exists.
func forCalls(f *linux.SockFilter) bool {
	switch f.Code & classMask {
	case classLD, classLDX:
		switch f.Code & modeMask {
		case modeIMM, modeMEM, modeLEN:
			return true
		}
		return f.Code == classLD|modeABS|sizeW && f.K < 4*CallWords && f.K%4 == 0
	case classALU:
		return f.Code&opMask != opMOD
	}
	return true
}

// A knownCall is a Call of which only the number and the architecture are known.
type knownCall struct {
	nr, arch uint32
	asked    bool // for more
}

func (k *knownCall) Len() uint32 { return 4 * CallWords }

func (k *knownCall) Load(offset uint32, _ int) (uint32, bool) {
	switch offset {
	case 4 * callNr:
		return k.nr, true
	case 4 * callArch:
		return k.arch, true
	}
	k.asked = true
	return 0, false
}

// RunKnown runs a seccomp filter where only the number and the architecture are
// known. It reports false if the program asks for more.
func (p *Program) RunKnown(nr, arch uint32) (uint32, bool) {
	k := knownCall{nr: nr, arch: arch}
	v := p.Run(&k)
	return v, !k.asked
}

// KernelLen is about how long Linux's own form of the program is: registers are
// set up first, and a return takes two instructions.
func (p *Program) KernelLen() int {
	const setUp = 3
	n := setUp + len(p.ins)
	for i := range p.ins {
		if p.ins[i].Code&classMask == classRET {
			n++
		}
	}
	return n
}
