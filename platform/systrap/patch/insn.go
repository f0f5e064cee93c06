package patch

import "encoding/binary"

// A kind says what an instruction does to the flow of control.
type kind uint8

const (
	// kindBad is no instruction, one of another mode, or one that user code
	// cannot execute.
	kindBad kind = iota
	// kindPlain runs on to the next instruction wherever it stands.
	kindPlain
	// kindNop does nothing and is what assemblers align with.
	kindNop
	// kindBranch is a conditional direct branch or a direct call.
	kindBranch
	// kindJump is an unconditional direct branch.
	kindJump
	// kindLeave never runs on: ret, indirect jumps, ud2, hlt, int3.
	kindLeave
	// kindFixed runs on, but its own address is seen by somebody: indirect
	// calls, int n, syscall, xbegin.
	kindFixed
)

// insn is one decoded instruction.
type insn struct {
	size int
	kind kind
	// rel is the displacement of a direct branch, from the instruction's end.
	rel int64
	// ripAt is where in the instruction the displacement of a rip-relative
	// operand stands, 0 without one.
	ripAt int
}

// Operand shapes, by opcode. A shape is what follows the opcode byte.
const (
	shBad   = '.' // no such instruction in user mode
	shNone  = '0' // nothing
	shImm8  = '1' // 8-bit immediate
	shImm16 = '2' // 16-bit immediate
	shEnter = '3' // 16-bit and 8-bit immediates
	shImmZ  = '4' // 32-bit immediate, 16-bit with the prefix 66
	shImmV  = '8' // as shImmZ, 64-bit with REX.W
	shMoffs = 'o' // absolute address
	shRM    = 'm' // ModRM
	shRM8   = 'b' // ModRM and an 8-bit immediate
	shRMZ   = 'z' // ModRM and a 32-bit immediate
	shGroup = 'g' // ModRM, and an immediate if its reg field says test
	shRel8  = 'j' // 8-bit branch displacement
	shRel32 = 'J' // 32-bit branch displacement
	shPfx   = 'p' // prefix or escape, handled before the tables
)

// map0 are the one-byte opcodes, sixteen a line, map1 those after 0f.
const (
	map0 = "mmmm14..mmmm14.p" +
		"mmmm14..mmmm14.." +
		"mmmm14p.mmmm14p." +
		"mmmm14p.mmmm14p." +
		"pppppppppppppppp" +
		"0000000000000000" +
		"..pmpppp4z1b...." +
		"jjjjjjjjjjjjjjjj" +
		"bz.bmmmmmmmmmmmm" +
		"0000000000.00000" +
		"oooo000014000000" +
		"1111111188888888" +
		"bb20ppbz302001.0" +
		"mmmm...0mmmmmmmm" +
		"jjjj....JJ.j...." +
		"p0pp00gg00..00mm"
	map1 = "..mm.0.....0.m.." +
		"mmmmmmmmmmmmmmmm" +
		"........mmmmmmmm" +
		".0.0....p.p....." +
		"mmmmmmmmmmmmmmmm" +
		"mmmmmmmmmmmmmmmm" +
		"mmmmmmmmmmmmmmmm" +
		"bbbbmmm0....mmmm" +
		"JJJJJJJJJJJJJJJJ" +
		"mmmmmmmmmmmmmmmm" +
		"000mbm..00.mbmmm" +
		"mmmmmmmmmmbmmmmm" +
		"mmbmbbbm00000000" +
		"mmmmmmmmmmmmmmmm" +
		"mmmmmmmmmmmmmmmm" +
		"mmmmmmmmmmmmmmm."
)

// maxInsn is the longest an instruction can be.
const maxInsn = 15

// prefixes are what stands before an opcode.
type prefixes struct {
	size int

	word, addr, rep, lock bool // 66, 67, f2 or f3, f0
	isRex, rexW, rexB     bool
}

// decode decodes the instruction at the start of b, which is 64-bit user code.
// It refuses some that a processor would run but no compiler emits (a REX
// before another prefix, 16-bit branches): such a reading of the bytes is more
// likely the reading of a wrong boundary.
func decode(b []byte) insn {
	b = b[:min(len(b), maxInsn)]
	p := readPrefixes(b)
	if p.size >= len(b) {
		return insn{}
	}
	i := p.size
	op := b[i]
	i++
	switch op {
	case 0xc4, 0xc5, 0x62:
		if p.isRex || p.word || p.rep || p.lock {
			return insn{}
		}
		return decodeVector(b, i, op, p)
	case 0x8f:
		// Half of it is pop, the rest are AMD's XOP instructions.
		if i < len(b) && b[i]&0x38 != 0 {
			return decodeXOP(b, i, p)
		}
	case 0x0f:
		return decodeTwo(b, i, p)
	}
	in := finish(b, i, map0[op], p)
	if in.kind == kindBad {
		return insn{}
	}
	return classify(b, i, op, in, p)
}

func readPrefixes(b []byte) (p prefixes) {
	for p.size < len(b) {
		switch c := b[p.size]; c {
		case 0x66:
			p.word = true
		case 0x67:
			p.addr = true
		case 0xf2, 0xf3:
			p.rep = true
		case 0xf0:
			p.lock = true
		case 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65:
		default:
			if c&0xf0 == 0x40 {
				p.isRex, p.rexW, p.rexB = true, c&8 != 0, c&1 != 0
				p.size++
			}
			return p
		}
		p.size++
	}
	return p
}

// finish measures the operands of shape sh at b[i:]. kindPlain stands for
// anything that is an instruction.
func finish(b []byte, i int, sh byte, p prefixes) insn {
	in := insn{kind: kindPlain}
	switch sh {
	case shBad, shPfx:
		return insn{}
	case shRM, shRM8, shRMZ, shGroup:
		reg := byte(0)
		if i < len(b) {
			reg = b[i] >> 3 & 7
		}
		n, rip := modRM(b, i)
		if n == 0 || rip && p.addr {
			return insn{}
		}
		if rip {
			in.ripAt = i + 1
		}
		i += n
		switch {
		case sh == shRM8 || sh == shGroup && reg < 2 && b[i-n-1]&1 == 0:
			i++
		case sh == shRMZ || sh == shGroup && reg < 2:
			i += immZ(p)
		}
	case shImm8, shRel8:
		i++
	case shImm16:
		i += 2
	case shEnter:
		i += 3
	case shImmZ:
		i += immZ(p)
	case shImmV:
		if i += immZ(p); p.rexW {
			i += 4
		}
	case shMoffs:
		if i += 8; p.addr {
			i -= 4
		}
	case shRel32:
		i += 4
		if p.word {
			return insn{}
		}
	}
	if i > len(b) {
		return insn{}
	}
	switch in.size = i; sh {
	case shRel8:
		in.kind, in.rel = kindBranch, int64(int8(b[i-1]))
	case shRel32:
		in.kind, in.rel = kindBranch, int64(int32(binary.LittleEndian.Uint32(b[i-4:])))
	}
	return in
}

func immZ(p prefixes) int {
	if p.word && !p.rexW {
		return 2
	}
	return 4
}

// modRM measures ModRM, SIB and displacement at b[i:], and tells whether the
// operand is relative to rip.
func modRM(b []byte, i int) (n int, rip bool) {
	if i >= len(b) {
		return 0, false
	}
	m := b[i]
	mod, rm := m>>6, m&7
	n = 1
	if mod == 3 {
		return n, false
	}
	if rm == 4 {
		if i+1 >= len(b) {
			return 0, false
		}
		n++
		if mod == 0 && b[i+1]&7 == 5 {
			n += 4
		}
	}
	switch {
	case mod == 1:
		n++
	case mod == 2:
		n += 4
	case rm == 5:
		return n + 4, true
	}
	return n, false
}

// classify gives a one-byte opcode its kind; i is where its operands begin.
func classify(b []byte, i int, op byte, in insn, p prefixes) insn {
	reg := byte(0)
	if i < len(b) {
		reg = b[i] >> 3 & 7
	}
	switch op {
	case 0xe9, 0xeb:
		in.kind = kindJump
	case 0xc2, 0xc3, 0xf4, 0xcc, 0xca, 0xcb, 0xcf:
		in.kind = kindLeave
	case 0x90:
		// With REX.B it exchanges r8 and rax, with f3 it is pause.
		if !p.rexB && !p.rep && !p.lock {
			in.kind = kindNop
		}
	case 0xcd, 0xf1:
		in.kind = kindFixed
	case 0xc6, 0xc7:
		if reg != 0 {
			if b[i] != 0xf8 {
				return insn{}
			}
			in.kind = kindFixed // xabort, xbegin
		}
	case 0xfe:
		if reg > 1 {
			return insn{}
		}
	case 0xff:
		switch reg {
		case 2, 3:
			in.kind = kindFixed
		case 4, 5:
			in.kind = kindLeave
		case 7:
			return insn{}
		}
	}
	return in
}

// decodeTwo decodes what follows 0f.
func decodeTwo(b []byte, i int, p prefixes) insn {
	if i >= len(b) {
		return insn{}
	}
	op := b[i]
	i++
	switch op {
	case 0x38, 0x3a:
		if i >= len(b) {
			return insn{}
		}
		sh := byte(shRM)
		if op == 0x3a {
			sh = shRM8
		}
		return finish(b, i+1, sh, p)
	case 0x01:
		// Of this group user code has those in register form (xgetbv, rdtscp,
		// rdpkru) and smsw, which nobody uses.
		if i >= len(b) || b[i]>>6 != 3 {
			return insn{}
		}
		return finish(b, i, shRM, p)
	}
	in := finish(b, i, map1[op], p)
	switch {
	case in.kind == kindBad:
		return insn{}
	case op == 0x05:
		in.kind = kindFixed
	case op == 0x0b, op == 0xb9:
		in.kind = kindLeave
	case op == 0x1f && b[i]>>3&7 == 0 && !p.lock:
		in.kind = kindNop
		in.ripAt = 0
	}
	return in
}

// decodeVector decodes VEX and EVEX instructions; i is behind their first byte.
func decodeVector(b []byte, i int, op byte, p prefixes) insn {
	payload := 1
	if op == 0xc4 {
		payload = 2
	} else if op == 0x62 {
		payload = 3
	}
	if i+payload >= len(b) {
		return insn{}
	}
	table := byte(1)
	switch op {
	case 0xc4:
		table = b[i] & 0x1f
	case 0x62:
		table = b[i] & 7
		if b[i]&8 != 0 || b[i+1]&4 == 0 {
			return insn{}
		}
	}
	i += payload
	code := b[i]
	i++
	sh := byte(shRM)
	switch table {
	case 1:
		if sh = map1[code]; op == 0x62 && code >= 0x78 && code <= 0x7b {
			sh = shRM
		}
		if sh != shRM && sh != shRM8 && (code != 0x77 || op == 0x62) {
			return insn{}
		}
	case 2:
	case 3:
		sh = shRM8
	case 5, 6:
		if op != 0x62 {
			return insn{}
		}
	default:
		return insn{}
	}
	return finish(b, i, sh, p)
}

// decodeXOP decodes AMD's vector instructions; i is behind their first byte.
func decodeXOP(b []byte, i int, p prefixes) insn {
	if p.isRex || p.word || p.rep || p.lock || i+2 >= len(b) {
		return insn{}
	}
	switch b[i] & 0x1f {
	case 8:
		return finish(b, i+3, shRM8, p)
	case 9:
		return finish(b, i+3, shRM, p)
	case 10:
		return finish(b, i+3, shRMZ, p)
	}
	return insn{}
}
