package ebpf

import (
	"fmt"
	"math"

	"cordon/internal/linux"
)

// kind is what a register holds.
type kind uint8

const (
	unset kind = iota
	number
	pointer // to the context
)

// A value is what is known of a register: of a number, between which it is.
type value struct {
	kind     kind
	min, max uint64
}

var anyNumber = value{number, 0, math.MaxUint64}

func constant(n uint64) value { return value{number, n, n} }

func (v value) known() bool { return v.kind == number && v.min == v.max }

// join is what is known where two ways meet.
func (v value) join(o value) value {
	if v.kind != o.kind {
		return value{}
	}
	return value{v.kind, min(v.min, o.min), max(v.max, o.max)}
}

// A rejection says why a program is not accepted (the log of BPF_PROG_LOAD), and with which errno.
type rejection struct {
	errno linux.Errno
	text  string
}

func reject(e linux.Errno, format string, args ...any) *rejection {
	return &rejection{e, fmt.Sprintf(format, args...)}
}

// A verifier follows all ways through a program at once: since none leads back, the registers at an instruction are known
// when it is reached.
type verifier struct {
	kind    linux.BPFProgType
	ins     []linux.BPFInsn
	states  [][registers]value
	reached []bool
	second  []bool // the second half of a load of 64 bits
}

// verify checks a program as Linux: kernel/bpf/verifier.c bpf_check does, as far as there are such programs here.
func verify(kind linux.BPFProgType, ins []linux.BPFInsn) *rejection {
	v := &verifier{kind: kind, ins: ins, states: make([][registers]value, len(ins)), reached: make([]bool, len(ins)), second: make([]bool, len(ins))}
	for pc := 0; pc < len(ins); pc++ {
		if ins[pc].Code != loadImm64 {
			continue
		}
		if pc+1 == len(ins) || ins[pc+1] != (linux.BPFInsn{Imm: ins[pc+1].Imm}) {
			return reject(linux.EINVAL, "invalid bpf_ld_imm64 insn")
		}
		pc++
		v.second[pc] = true
	}
	v.reached[0] = true
	v.states[0][1] = value{kind: pointer}
	for pc := range ins {
		if v.second[pc] {
			continue
		}
		if !v.reached[pc] {
			return reject(linux.EINVAL, "unreachable insn %d", pc)
		}
		if r := v.step(pc); r != nil {
			return r
		}
	}
	return nil
}

// step follows the instruction at pc.
func (v *verifier) step(pc int) *rejection {
	i, regs := &v.ins[pc], v.states[pc]
	next := pc + 1
	var r *rejection
	switch i.Code & classMask {
	case classLD:
		if i.Code != loadImm64 || src(i) != 0 || i.Off != 0 {
			return unknown(i)
		}
		next++
		r = assign(&regs, i, constant(imm64(v.ins[pc:])))
	case classLDX:
		r = v.checkLoad(&regs, i)
	case classST, classSTX:
		return reject(linux.EACCES, "insn %d stores to memory: there is none", pc)
	case classALU, classALU64:
		r = checkCompute(&regs, i)
	default:
		return v.branch(pc, &regs)
	}
	if r != nil {
		return r
	}
	return v.flow(pc, next, &regs)
}

// flow leads from the instruction at pc to another.
func (v *verifier) flow(pc, to int, regs *[registers]value) *rejection {
	switch {
	case to < 0 || to >= len(v.ins):
		return reject(linux.EINVAL, "jump out of range from insn %d to %d", pc, to)
	case v.second[to]:
		return reject(linux.EINVAL, "jump into the middle of ldimm64 insn %d", to)
	case to <= pc:
		return reject(linux.EINVAL, "back-edge from insn %d to %d", pc, to)
	case !v.reached[to]:
		v.reached[to], v.states[to] = true, *regs
		return nil
	}
	for n := range regs {
		v.states[to][n] = v.states[to][n].join(regs[n])
	}
	return nil
}

// branch follows a jump, or the end.
func (v *verifier) branch(pc int, regs *[registers]value) *rejection {
	i := &v.ins[pc]
	switch op := i.Code & opMask; {
	case i.Code == classJMP|opEXIT:
		if i.Regs != 0 || i.Off != 0 || i.Imm != 0 {
			return reject(linux.EINVAL, "BPF_EXIT uses reserved fields")
		}
		if r := mustRead(regs, 0); r != nil {
			return r
		}
		if regs[0].kind != number || regs[0].max > 1 {
			return reject(linux.EINVAL, "at program exit the register R0 may be other than 0 and 1")
		}
		return nil
	case i.Code == classJMP|opCALL:
		return reject(linux.EINVAL, "invalid func unknown#%d", i.Imm)
	case i.Code == classJMP|opJA:
		if i.Regs != 0 || i.Imm != 0 {
			return reject(linux.EINVAL, "BPF_JA uses reserved fields")
		}
	case op == opJA || op == opCALL || op == opEXIT || op > opJSLE:
		return unknown(i)
	default:
		if r := checkOperands(regs, i, true); r != nil {
			return r
		}
		if r := v.flow(pc, pc+1, regs); r != nil {
			return r
		}
	}
	return v.flow(pc, pc+1+int(i.Off), regs)
}

func unknown(i *linux.BPFInsn) *rejection {
	return reject(linux.EINVAL, "unknown opcode %02x", i.Code)
}

// mustRead checks that an instruction may use register n.
func mustRead(regs *[registers]value, n int) *rejection {
	switch {
	case n >= registers:
		return reject(linux.EINVAL, "R%d is invalid", n)
	case n == registers-1:
		return reject(linux.EACCES, "R%d points to a stack: there is none", n)
	case regs[n].kind == unset:
		return reject(linux.EACCES, "R%d !read_ok", n)
	}
	return nil
}

// mustNumber is mustRead for what is to be computed or compared.
func mustNumber(regs *[registers]value, n int) *rejection {
	if r := mustRead(regs, n); r != nil {
		return r
	}
	if regs[n].kind == pointer {
		return reject(linux.EACCES, "R%d is a pointer, which cannot be computed with", n)
	}
	return nil
}

// assign sets an instruction's destination.
func assign(regs *[registers]value, i *linux.BPFInsn, to value) *rejection {
	n := dst(i)
	switch {
	case n >= registers:
		return reject(linux.EINVAL, "R%d is invalid", n)
	case n == registers-1:
		return reject(linux.EACCES, "frame pointer is read only")
	}
	regs[n] = to
	return nil
}

// checkLoad checks a load from the context: the kind and accesses of the request in parts too, the rest whole (Linux:
// kernel/bpf/cgroup.c cgroup_dev_is_valid_access).
func (v *verifier) checkLoad(regs *[registers]value, i *linux.BPFInsn) *rejection {
	if i.Code&modeMask != modeMEM || i.Imm != 0 {
		return unknown(i)
	}
	if r := mustRead(regs, src(i)); r != nil {
		return r
	}
	off, size := int(i.Off), loadSize(i)
	if regs[src(i)].kind != pointer {
		return reject(linux.EACCES, "R%d invalid mem access 'scalar'", src(i))
	}
	if v.kind != linux.BPF_PROG_TYPE_CGROUP_DEVICE || off < 0 || off+size > contextSize || off%size != 0 || size > 4 || off >= 4 && size != 4 {
		return reject(linux.EACCES, "invalid bpf_context access off=%d size=%d", off, size)
	}
	return assign(regs, i, value{number, 0, 1<<(8*size) - 1})
}

// checkOperands checks the registers of an instruction that computes (or compares: both are used), and its unused fields.
func checkOperands(regs *[registers]value, i *linux.BPFInsn, both bool) *rejection {
	if i.Code&sourceReg != 0 {
		if i.Imm != 0 {
			return reject(linux.EINVAL, "BPF_X uses reserved fields")
		}
		if r := mustNumber(regs, src(i)); r != nil {
			return r
		}
	} else if src(i) != 0 {
		return reject(linux.EINVAL, "BPF_K uses reserved fields")
	}
	if both {
		return mustNumber(regs, dst(i))
	}
	return nil
}

// checkCompute checks an instruction of classALU or classALU64.
func checkCompute(regs *[registers]value, i *linux.BPFInsn) *rejection {
	op := i.Code & opMask
	switch {
	case op > opEND || i.Off != 0:
		return unknown(i)
	case op == opNEG && (i.Code&sourceReg != 0 || i.Regs>>4 != 0 || i.Imm != 0):
		return reject(linux.EINVAL, "BPF_NEG uses reserved fields")
	case op == opEND:
		if wide(i) || i.Regs>>4 != 0 || i.Imm != 16 && i.Imm != 32 && i.Imm != 64 {
			return reject(linux.EINVAL, "BPF_END uses reserved fields")
		}
		if r := mustNumber(regs, dst(i)); r != nil {
			return r
		}
		return assign(regs, i, anyNumber)
	case op == opMOV && i.Code == classALU64|opMOV|sourceReg && i.Imm == 0 && src(i) < registers-1 && regs[src(i)].kind == pointer:
		return assign(regs, i, regs[src(i)])
	}
	if r := checkOperands(regs, i, op != opMOV); r != nil {
		return r
	}
	bits := int32(32)
	if wide(i) {
		bits = 64
	}
	if i.Code&sourceReg == 0 {
		switch {
		case (op == opDIV || op == opMOD) && i.Imm == 0:
			return reject(linux.EINVAL, "div by zero")
		case (op == opLSH || op == opRSH || op == opARSH) && (i.Imm < 0 || i.Imm >= bits):
			return reject(linux.EINVAL, "invalid shift %d", i.Imm)
		}
	}
	return assign(regs, i, result(regs, i))
}

// result is what is known of what an instruction computes.
func result(regs *[registers]value, i *linux.BPFInsn) value {
	b := constant(uint64(int64(i.Imm)))
	if i.Code&sourceReg != 0 {
		b = regs[src(i)]
	}
	var a value
	if n := dst(i); n < registers {
		a = regs[n]
	}
	op := i.Code & opMask
	switch {
	case b.known() && (a.known() || op == opMOV):
		return constant(compute(i, a.min, b.min))
	case op == opMOV && wide(i):
		return b
	case op == opAND && b.known() && b.min <= math.MaxInt32:
		return value{number, 0, b.min}
	case !wide(i):
		return value{number, 0, math.MaxUint32}
	}
	return anyNumber
}
