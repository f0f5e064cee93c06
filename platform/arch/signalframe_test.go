package arch

import (
	"bytes"
	"encoding/binary"
	"testing"

	"cordon/internal/linux"
)

func testFrame() *Frame {
	fpu := InitialFPU()
	binary.LittleEndian.PutUint64(fpu[offHeader:], xfeatureX87|xfeatureSSE)
	for i := 160; i < 416; i++ { // XMM registers
		fpu[i] = byte(i)
	}
	f := &Frame{
		Regs:   Registers{RSP: 0x7fff_0000_1238, RIP: 0x401000, RAX: 7, RBX: 8, R15: 15, R8: 88, CS: userCS, SS: userDS, RFlags: 0x246 | flagDF},
		FPU:    fpu,
		Info:   linux.SigInfo{Signo: linux.SIGSEGV, Code: linux.SEGV_MAPERR},
		Action: linux.SigAction{Handler: 0x402000, Restorer: 0x403000, Flags: linux.SA_SIGINFO | linux.SA_RESTORER},
		Mask:   0x1234, CR2: 0xdead, TrapNo: 14, ErrNo: 6,
		AltStack: linux.StackT{Flags: linux.SS_DISABLE},
	}
	return f
}

func parse(sp uint64, image []byte) (Frame, bool) {
	return ParseFrame(image[:FrameReadSize()], sp, func(addr uint64, p []byte) bool {
		if addr < sp || addr+uint64(len(p)) > sp+uint64(len(image)) {
			return false
		}
		copy(p, image[addr-sp:])
		return true
	})
}

func TestFrameRoundTrip(t *testing.T) {
	f := testFrame()
	sp, image, regs, ok := BuildFrame(f)
	if !ok {
		t.Fatal("no frame")
	}
	if sp%16 != 8 || regs.RSP != sp {
		t.Errorf("frame at %#x, RSP %#x", sp, regs.RSP)
	}
	if end := sp + uint64(len(image)); end > f.Regs.RSP-redZone {
		t.Errorf("frame ends at %#x, in the red zone below %#x", end, f.Regs.RSP)
	}
	if regs.RIP != f.Action.Handler || regs.RDI != 11 || regs.RSI != sp+frameInfo || regs.RDX != sp+8 || regs.RFlags&flagDF != 0 {
		t.Errorf("handler starts with %+v", regs)
	}
	g, ok := parse(sp, image)
	if !ok {
		t.Fatal("frame refused")
	}
	want := f.Regs
	want.OrigRAX = ^uint64(0)
	if g.Regs != want {
		t.Errorf("registers\n%+v, want\n%+v", g.Regs, want)
	}
	if g.Mask != f.Mask || g.AltStack != f.AltStack {
		t.Errorf("mask %x, stack %+v", g.Mask, g.AltStack)
	}
	if !bytes.Equal(g.FPU[:swReserved], f.FPU[:swReserved]) || !bytes.Equal(g.FPU[fxsaveSize:], f.FPU[fxsaveSize:]) {
		t.Error("extended state changed")
	}
	if !ValidFPU(g.FPU) {
		t.Error("extended state is not valid")
	}
}

func TestFrameOnAlternateStack(t *testing.T) {
	f := testFrame()
	f.Action.Flags |= linux.SA_ONSTACK
	f.AltStack = linux.StackT{Sp: 0x100000, Size: 0x4000}
	sp, image, _, ok := BuildFrame(f)
	if !ok || sp < 0x100000 || sp+uint64(len(image)) > 0x104000 {
		t.Errorf("frame at %#x, ok %v", sp, ok)
	}
	f.AltStack.Size = 1024
	if _, _, _, ok := BuildFrame(f); ok {
		t.Error("a frame larger than the stack was built")
	}
	// On the stack already, without room for another frame.
	f.AltStack.Size = 0x4000
	f.Regs.RSP = 0x100100
	if _, _, _, ok := BuildFrame(f); ok {
		t.Error("a frame below the stack was built")
	}
}

func TestFrameWithoutRestorer(t *testing.T) {
	f := testFrame()
	f.Action.Flags &^= linux.SA_RESTORER
	if _, _, _, ok := BuildFrame(f); ok {
		t.Error("built")
	}
}

func TestFrameHostileState(t *testing.T) {
	le := binary.LittleEndian
	sp, image, _, _ := BuildFrame(testFrame())
	fp := int(le.Uint64(image[frameUContext+ucContext+scFPState:]) - sp)
	for name, spoil := range map[string]func(b []byte) (ok bool){
		"reserved bits of MXCSR": func(b []byte) bool { le.PutUint32(b[fp+offMXCSR:], ^uint32(0)); return false },
		"compacted format":       func(b []byte) bool { le.PutUint64(b[fp+offXComp:], 1<<63); return false },
		"unknown features":       func(b []byte) bool { le.PutUint64(b[fp+offHeader:], 1<<60); return false },
		"reserved header":        func(b []byte) bool { b[fp+offHeader+40] = 1; return false },
		"misaligned": func(b []byte) bool {
			le.PutUint64(b[frameUContext+ucContext+scFPState:], sp+uint64(fp)+1)
			return false
		},
		"out of memory":           func(b []byte) bool { le.PutUint64(b[frameUContext+ucContext+scFPState:], 0x10); return false },
		"wrong magic is FXSAVE":   func(b []byte) bool { b[fp+swReserved] = 0; return true },
		"huge size is FXSAVE":     func(b []byte) bool { le.PutUint32(b[fp+swReserved+16:], ^uint32(0)); return true },
		"missing end is FXSAVE":   func(b []byte) bool { b[len(b)-1]++; return true },
		"none is initial":         func(b []byte) bool { le.PutUint64(b[frameUContext+ucContext+scFPState:], 0); return true },
		"selectors of the kernel": func(b []byte) bool { le.PutUint16(b[frameUContext+ucContext+scCS:], 0x10); return true },
	} {
		b := append([]byte(nil), image...)
		want := spoil(b)
		f, ok := parse(sp, b)
		if ok && f.FPU != nil {
			ok = ValidFPU(f.FPU)
		}
		if ok != want {
			t.Errorf("%s: accepted %v, want %v", name, ok, want)
		}
		if ok && f.Regs.CS&3 != 3 {
			t.Errorf("%s: CS %#x", name, f.Regs.CS)
		}
	}
}
