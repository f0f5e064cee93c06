package ebpf

import (
	"bytes"
	"strings"
	"testing"

	"cordon/internal/linux"
)

// insn is an instruction; regs is its destination and, above it, its source.
func insn(code, regs uint8, off int16, imm int32) linux.BPFInsn {
	return linux.BPFInsn{Code: code, Regs: regs, Off: off, Imm: imm}
}

func bytesOf(ins []linux.BPFInsn) []byte { return (&Program{ins: ins}).Insns() }

var (
	exit    = insn(classJMP|opEXIT, 0, 0, 0)
	mov0    = insn(classALU64|opMOV, 0, 0, 0)
	mov1    = insn(classALU64|opMOV, 0, 0, 1)
	major3  = insn(classLDX|sizeW|modeMEM, 0x13, 4, 0) // r3 = major
	accessA = insn(classLDX|sizeW|modeMEM, 0x14, 0, 0) // r4 = kind and accesses
)

func TestVerify(t *testing.T) {
	ifMajor1 := insn(classJMP|opJEQ, 0x03, 1, 1)
	tests := []struct {
		name string
		ins  []linux.BPFInsn
		want linux.Errno
		says string
	}{
		{"allows all", []linux.BPFInsn{mov1, exit}, 0, ""},
		{"asks for the major", []linux.BPFInsn{mov1, major3, ifMajor1, mov0, exit}, 0, ""},
		{"no exit", []linux.BPFInsn{mov1}, linux.EINVAL, "out of range"},
		{"r0 not set", []linux.BPFInsn{exit}, linux.EACCES, "R0 !read_ok"},
		{"r0 set on one way only", []linux.BPFInsn{major3, ifMajor1, mov0, exit}, linux.EACCES, "R0 !read_ok"},
		{"r0 any number", []linux.BPFInsn{insn(classLDX|sizeW|modeMEM, 0x10, 4, 0), exit}, linux.EINVAL, "R0"},
		{"r0 a bit", []linux.BPFInsn{insn(classLDX|sizeW|modeMEM, 0x10, 4, 0), insn(classALU64|opAND, 0, 0, 1), exit}, 0, ""},
		{"r0 the context", []linux.BPFInsn{insn(classALU64|opMOV|sourceReg, 0x10, 0, 0), exit}, linux.EINVAL, "R0"},
		{"a loop", []linux.BPFInsn{mov1, insn(classJMP|opJA, 0, -2, 0), exit}, linux.EINVAL, "unreachable|back-edge"},
		{"code that is never reached", []linux.BPFInsn{mov1, exit, mov0, exit}, linux.EINVAL, "unreachable"},
		{"a jump far away", []linux.BPFInsn{mov1, insn(classJMP|opJA, 0, 100, 0), exit}, linux.EINVAL, "out of range"},
		{"a read beyond the context", []linux.BPFInsn{insn(classLDX|sizeW|modeMEM, 0x10, 12, 0), mov1, exit}, linux.EACCES, "context"},
		{"a read before it", []linux.BPFInsn{insn(classLDX|sizeW|modeMEM, 0x10, -4, 0), mov1, exit}, linux.EACCES, "context"},
		{"a part of the major", []linux.BPFInsn{insn(classLDX|sizeH|modeMEM, 0x10, 4, 0), mov1, exit}, linux.EACCES, "context"},
		{"a part of the accesses", []linux.BPFInsn{insn(classLDX|sizeH|modeMEM, 0x10, 2, 0), mov1, exit}, 0, ""},
		{"a read through a number", []linux.BPFInsn{major3, insn(classLDX|sizeW|modeMEM, 0x30, 0, 0), mov1, exit}, linux.EACCES, "mem access"},
		{"a store", []linux.BPFInsn{insn(classSTX|sizeW|modeMEM, 0x11, 0, 0), mov1, exit}, linux.EACCES, "stores"},
		{"the stack", []linux.BPFInsn{insn(classALU64|opMOV|sourceReg, 0xa2, 0, 0), mov1, exit}, linux.EACCES, "stack"},
		{"the frame pointer changed", []linux.BPFInsn{insn(classALU64|opMOV, 10, 0, 0), mov1, exit}, linux.EACCES, "read only"},
		{"a register that does not exist", []linux.BPFInsn{insn(classALU64|opMOV, 11, 0, 0), mov1, exit}, linux.EINVAL, "R11"},
		{"a call", []linux.BPFInsn{insn(classJMP|opCALL, 0, 0, 14), mov1, exit}, linux.EINVAL, "func"},
		{"computing with the context", []linux.BPFInsn{insn(classALU64|opADD, 1, 0, 4), mov1, exit}, linux.EACCES, "pointer"},
		{"a division by zero", []linux.BPFInsn{mov1, insn(classALU64|opDIV, 0, 0, 0), exit}, linux.EINVAL, "zero"},
		{"a shift too far", []linux.BPFInsn{mov1, insn(classALU|opLSH, 0, 0, 32), exit}, linux.EINVAL, "shift"},
		{"half a wide load", []linux.BPFInsn{mov1, insn(loadImm64, 0, 0, 1)}, linux.EINVAL, "ld_imm64"},
		{"a jump into a wide load", []linux.BPFInsn{
			mov1, major3, insn(classJMP|opJEQ, 0x03, 1, 1), insn(loadImm64, 0, 0, 1), insn(0, 0, 0, 0), exit,
		}, linux.EINVAL, "middle"},
		{"an unknown code", []linux.BPFInsn{mov1, insn(0xff, 0, 0, 0), exit}, linux.EINVAL, "opcode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, log, e := new(Programs).Load(&Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: bytesOf(tt.ins)})
			if e != tt.want || (p != nil) != (e == 0) {
				t.Fatalf("%v (%q), want %v", e, log, tt.want)
			}
			said := tt.says == ""
			for _, s := range strings.Split(tt.says, "|") {
				said = said || strings.Contains(log, s)
			}
			if !said {
				t.Errorf("the log is %q, want %q", log, tt.says)
			}
		})
	}
	long := bytes.Repeat(bytesOf([]linux.BPFInsn{mov1}), MaxInsns)
	for _, b := range [][]byte{nil, append(long, bytesOf([]linux.BPFInsn{exit})...)} {
		if _, _, e := new(Programs).Load(&Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: b}); e != linux.E2BIG {
			t.Errorf("%d bytes: %v", len(b), e)
		}
	}
}

func TestVerify_packets(t *testing.T) {
	for _, tt := range []struct {
		ins  []linux.BPFInsn
		want linux.Errno
	}{{[]linux.BPFInsn{mov0, exit}, 0}, {[]linux.BPFInsn{mov0, major3, exit}, linux.EACCES}} {
		_, log, e := new(Programs).Load(&Source{Type: linux.BPF_PROG_TYPE_CGROUP_SKB, Insns: bytesOf(tt.ins)})
		if e != tt.want {
			t.Errorf("%v, want %v: %s", e, tt.want, log)
		}
	}
	if _, _, e := new(Programs).Load(&Source{Insns: bytesOf([]linux.BPFInsn{mov0, exit})}); e != linux.EINVAL {
		t.Errorf("no type: %v", e)
	}
}

// TestAllows runs a program as container runtimes make them: reading and writing 1:3, making any block device, and
// nothing else.
func TestAllows(t *testing.T) {
	p := loaded(t, []linux.BPFInsn{
		insn(classLDX|sizeW|modeMEM, 0x12, 0, 0),   // r2 = kind and accesses
		insn(classALU|opAND, 2, 0, 0xffff),         // the kind
		insn(classLDX|sizeW|modeMEM, 0x13, 0, 0),   //
		insn(classALU|opRSH, 3, 0, 16),             // r3 = accesses
		insn(classLDX|sizeW|modeMEM, 0x14, 4, 0),   // r4 = major
		insn(classLDX|sizeW|modeMEM, 0x15, 8, 0),   // r5 = minor
		insn(classJMP|opJNE, 2, 7, 2),              // a character device
		insn(classALU|opMOV|sourceReg, 0x31, 0, 0), //
		insn(classALU|opAND, 1, 0, 6),              // read and write
		insn(classJMP|opJNE|sourceReg, 0x31, 8, 0), // and nothing else
		insn(classJMP|opJNE, 4, 7, 1),              //
		insn(classJMP|opJNE, 5, 6, 3),              //
		mov1,                                       //
		exit,                                       //
		insn(classJMP|opJNE, 2, 3, 1),              // a block device
		insn(classJMP|opJNE, 3, 2, 1),              // made
		mov1,                                       //
		exit,                                       //
		mov0,                                       //
		exit,                                       //
	})
	tests := []struct {
		r    Request
		want bool
	}{
		{Request{Access: linux.BPF_DEVCG_ACC_READ, Major: 1, Minor: 3}, true},
		{Request{Access: linux.BPF_DEVCG_ACC_READ | linux.BPF_DEVCG_ACC_WRITE, Major: 1, Minor: 3}, true},
		{Request{Access: linux.BPF_DEVCG_ACC_MKNOD, Major: 1, Minor: 3}, false},
		{Request{Access: linux.BPF_DEVCG_ACC_READ, Major: 1, Minor: 5}, false},
		{Request{Access: linux.BPF_DEVCG_ACC_READ, Major: 2, Minor: 3}, false},
		{Request{Block: true, Access: linux.BPF_DEVCG_ACC_MKNOD, Major: 8}, true},
		{Request{Block: true, Access: linux.BPF_DEVCG_ACC_READ, Major: 8}, false},
	}
	for _, tt := range tests {
		if got := p.Allows(&tt.r); got != tt.want {
			t.Errorf("%+v: %v", tt.r, got)
		}
	}
}

func loaded(t *testing.T, ins []linux.BPFInsn) *Program {
	t.Helper()
	p, log, e := new(Programs).Load(&Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: bytesOf(ins)})
	if e != 0 {
		t.Fatalf("%v: %s", e, log)
	}
	return p
}

// TestCompute: r0 is 1 if the operation on a and b has the result that the instruction set (RFC 9669) says.
func TestCompute(t *testing.T) {
	tests := []struct {
		name      string
		code      uint8
		a, b, out uint64
	}{
		{"add", classALU64 | opADD, 1 << 40, 5, 1<<40 + 5},
		{"add 32", classALU | opADD, 1<<40 + 1, 0xffffffff, 0},
		{"sub", classALU64 | opSUB, 1, 2, ^uint64(0)},
		{"sub 32", classALU | opSUB, 1, 2, 0xffffffff},
		{"mul", classALU64 | opMUL, 1 << 33, 4, 1 << 35},
		{"div", classALU64 | opDIV, 100, 7, 14},
		{"div by zero", classALU64 | opDIV, 100, 0, 0},
		{"div 32 by zero", classALU | opDIV, 100, 1 << 32, 0},
		{"mod", classALU64 | opMOD, 100, 7, 2},
		{"mod by zero", classALU64 | opMOD, 100, 0, 100},
		{"or", classALU64 | opOR, 6, 9, 15},
		{"and", classALU64 | opAND, 6, 12, 4},
		{"xor", classALU64 | opXOR, 6, 12, 10},
		{"lsh", classALU64 | opLSH, 1, 65, 2},
		{"lsh 32", classALU | opLSH, 1, 33, 2},
		{"rsh", classALU64 | opRSH, 1 << 63, 63, 1},
		{"rsh 32", classALU | opRSH, 1<<63 | 4, 1, 2},
		{"arsh", classALU64 | opARSH, 1 << 63, 63, ^uint64(0)},
		{"arsh 32", classALU | opARSH, 1 << 31, 31, 0xffffffff},
		{"mov 32", classALU | opMOV, 0, 1<<40 | 7, 7},
	}
	for _, tt := range tests {
		i := insn(tt.code|sourceReg, 0, 0, 0)
		if got := compute(&i, tt.a, tt.b); got != tt.out {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.out)
		}
	}
	for _, tt := range []struct {
		code uint8
		bits int32
		out  uint64
	}{
		{classALU | opEND, 16, 0x0708}, {classALU | opEND | sourceReg, 16, 0x0807}, {classALU | opEND | sourceReg, 32, 0x08070605},
		{classALU | opEND | sourceReg, 64, 0x0807060504030201}, {classALU | opEND, 64, 0x0102030405060708},
	} {
		i := insn(tt.code, 0, 0, tt.bits)
		if got := compute(&i, 0x0102030405060708, 0); got != tt.out {
			t.Errorf("end %d: %#x, want %#x", tt.bits, got, tt.out)
		}
	}
}

func TestJumps(t *testing.T) {
	const minus = ^uint64(0)
	tests := []struct {
		code uint8
		a, b uint64
		want bool
	}{
		{classJMP | opJEQ, 1, 1, true}, {classJMP | opJNE, 1, 1, false}, {classJMP | opJGT, minus, 1, true},
		{classJMP | opJSGT, minus, 1, false}, {classJMP | opJGE, 1, 1, true}, {classJMP | opJSGE, 1, minus, true},
		{classJMP | opJLT, 1, minus, true}, {classJMP | opJSLT, 1, minus, false}, {classJMP | opJLE, 2, 1, false},
		{classJMP | opJSLE, minus, minus, true}, {classJMP | opJSET, 6, 4, true}, {classJMP | opJSET, 6, 1, false},
		{classJMP32 | opJEQ, 1 << 32, 0, true}, {classJMP32 | opJGT, 0x80000000, 1, true}, {classJMP32 | opJSGT, 0x80000000, 1, false},
	}
	for _, tt := range tests {
		i := insn(tt.code, 0, 0, 0)
		if got := jumps(&i, tt.a, tt.b); got != tt.want {
			t.Errorf("%#x of %#x and %#x: %v", tt.code, tt.a, tt.b, got)
		}
	}
}

func TestPrograms_numbers(t *testing.T) {
	all := new(Programs)
	src := &Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: bytesOf([]linux.BPFInsn{mov1, exit})}
	a, _, _ := all.Load(src)
	b, _, _ := all.Load(src)
	if a.ID() == b.ID() || a.Tag() != b.Tag() {
		t.Errorf("numbers %d and %d, tags %x and %x", a.ID(), b.ID(), a.Tag(), b.Tag())
	}
	if all.Next(0) != a.ID() || all.Next(a.ID()) != b.ID() || all.Next(b.ID()) != 0 {
		t.Error("Next does not go through the numbers")
	}
	if got := all.Get(b.ID()); got != b {
		t.Errorf("found %v", got)
	}
	b.DecRef()
	if all.Get(b.ID()) == nil {
		t.Error("gone with a reference left")
	}
	b.DecRef()
	b.DecRef()
	if all.Get(b.ID()) != nil {
		t.Error("there after the last reference")
	}
}

// FuzzVerify: what is accepted can be run, whatever is asked.
func FuzzVerify(f *testing.F) {
	f.Add(bytesOf([]linux.BPFInsn{mov1, major3, accessA, insn(classJMP|opJEQ, 0x03, 1, 1), mov0, exit}), uint32(1), uint32(3))
	f.Fuzz(func(t *testing.T, b []byte, major, minor uint32) {
		p, _, e := new(Programs).Load(&Source{Type: linux.BPF_PROG_TYPE_CGROUP_DEVICE, Insns: b})
		if e != 0 {
			return
		}
		p.Allows(&Request{Block: major&1 != 0, Access: minor & 7, Major: major, Minor: minor})
		if got := p.Insns(); !bytes.Equal(got, b[:len(b)/InsnSize*InsnSize]) {
			t.Errorf("%x became %x", b, got)
		}
	})
}
