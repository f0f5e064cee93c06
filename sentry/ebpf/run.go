package ebpf

import (
	"encoding/binary"
	"math/bits"

	"cordon/internal/linux"
)

// A Request is a use of a device that a program decides about.
type Request struct {
	Block        bool
	Access       uint32 // of linux.BPF_DEVCG_ACC_MKNOD, READ and WRITE
	Major, Minor uint32
}

// context is the request as programs read it: struct bpf_cgroup_dev_ctx.
func (r *Request) context() (b [contextSize]byte) {
	kind := uint32(linux.BPF_DEVCG_DEV_CHAR)
	if r.Block {
		kind = linux.BPF_DEVCG_DEV_BLOCK
	}
	binary.LittleEndian.PutUint32(b[0:], r.Access<<16|kind)
	binary.LittleEndian.PutUint32(b[4:], r.Major)
	binary.LittleEndian.PutUint32(b[8:], r.Minor)
	return b
}

const contextSize = 12

// Allows runs the program and says whether the request is granted.
func (p *Program) Allows(r *Request) bool {
	ctx := r.context()
	var regs [registers]uint64
	for pc := 0; ; pc++ {
		i := &p.ins[pc]
		switch i.Code & classMask {
		case classLD:
			regs[dst(i)] = imm64(p.ins[pc:])
			pc++
		case classLDX:
			regs[dst(i)] = load(ctx[i.Off:], loadSize(i))
		case classALU, classALU64:
			regs[dst(i)] = compute(i, regs[dst(i)], operand(i, &regs))
		default:
			if i.Code == classJMP|opEXIT {
				return regs[0] != 0
			}
			if jumps(i, regs[dst(i)], operand(i, &regs)) {
				pc += int(i.Off)
			}
		}
	}
}

func load(b []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	}
	return uint64(binary.LittleEndian.Uint32(b))
}

func imm64(two []linux.BPFInsn) uint64 {
	return uint64(uint32(two[0].Imm)) | uint64(uint32(two[1].Imm))<<32
}

// operand is an instruction's second one: a register, or the number in the instruction with its sign.
func operand(i *linux.BPFInsn, regs *[registers]uint64) uint64 {
	if i.Code&sourceReg != 0 {
		return regs[src(i)]
	}
	return uint64(int64(i.Imm))
}

// compute is what an instruction of classALU and classALU64 makes of a and b.
func compute(i *linux.BPFInsn, a, b uint64) uint64 {
	if i.Code&opMask == opEND {
		return inOrder(i, a)
	}
	if wide(i) {
		return compute64(i.Code&opMask, a, b)
	}
	x, y := uint32(a), uint32(b)
	switch i.Code & opMask {
	case opLSH:
		return uint64(x << (y & 31))
	case opRSH:
		return uint64(x >> (y & 31))
	case opARSH:
		return uint64(uint32(int32(x) >> (y & 31)))
	}
	return uint64(uint32(compute64(i.Code&opMask, uint64(x), uint64(y))))
}

// compute64: a quotient by 0 is 0, and the rest is the dividend.
func compute64(op uint8, a, b uint64) uint64 {
	switch op {
	case opADD:
		return a + b
	case opSUB:
		return a - b
	case opMUL:
		return a * b
	case opDIV:
		if b == 0 {
			return 0
		}
		return a / b
	case opMOD:
		if b == 0 {
			return a
		}
		return a % b
	case opOR:
		return a | b
	case opAND:
		return a & b
	case opXOR:
		return a ^ b
	case opLSH:
		return a << (b & 63)
	case opRSH:
		return a >> (b & 63)
	case opARSH:
		return uint64(int64(a) >> (b & 63))
	case opNEG:
		return -a
	}
	return b // opMOV
}

// inOrder is the lower bits of a number, in the order of bytes that an instruction asks for.
func inOrder(i *linux.BPFInsn, a uint64) uint64 {
	big := i.Code&sourceReg != 0
	switch i.Imm {
	case 16:
		if big {
			return uint64(bits.ReverseBytes16(uint16(a)))
		}
		return uint64(uint16(a))
	case 32:
		if big {
			return uint64(bits.ReverseBytes32(uint32(a)))
		}
		return uint64(uint32(a))
	}
	if big {
		return bits.ReverseBytes64(a)
	}
	return a
}

// jumps says whether an instruction of classJMP and classJMP32 jumps.
func jumps(i *linux.BPFInsn, a, b uint64) bool {
	if !wide(i) {
		a, b = uint64(int64(int32(a))), uint64(int64(int32(b))) // keeps both orders
	}
	switch i.Code & opMask {
	case opJEQ:
		return a == b
	case opJNE:
		return a != b
	case opJGT:
		return a > b
	case opJGE:
		return a >= b
	case opJLT:
		return a < b
	case opJLE:
		return a <= b
	case opJSET:
		return a&b != 0
	case opJSGT:
		return int64(a) > int64(b)
	case opJSGE:
		return int64(a) >= int64(b)
	case opJSLT:
		return int64(a) < int64(b)
	case opJSLE:
		return int64(a) <= int64(b)
	}
	return true // opJA
}
