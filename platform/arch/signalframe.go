package arch

import (
	"encoding/binary"

	"cordon/internal/linux"
)

// A Frame is what a signal frame holds: the interrupted state, and why.
type Frame struct {
	Regs     Registers
	FPU      []byte // standard XSAVE format; nil in a parsed frame: the initial state
	Info     linux.SigInfo
	Action   linux.SigAction
	Mask     linux.SigSet
	AltStack linux.StackT

	// Of the last fault, for sigcontext.
	TrapNo, ErrNo, CR2 uint64
}

// The layout of struct rt_sigframe and the structs in it.
const (
	frameUContext = 8
	frameInfo     = frameUContext + 304
	frameSize     = frameInfo + 128

	ucFlags    = 0
	ucStack    = 16
	ucContext  = 40
	ucMask     = 296
	scFlags    = 17 * 8
	scCS       = 18 * 8
	scSS       = 18*8 + 6
	scErr      = 19 * 8
	scTrapNo   = 20 * 8
	scOldMask  = 21 * 8
	scCR2      = 22 * 8
	scFPState  = 23 * 8
	swReserved = 464 // in the FXSAVE image

	redZone = 128
)

// Bits of RFLAGS.
const (
	flagTF = 1 << 8
	flagDF = 1 << 10
	flagRF = 1 << 16

	// frameFlags are those that a signal frame restores (Linux: FIX_EFLAGS).
	frameFlags = 0x50dd5
)

// Selectors of a 64-bit program.
const (
	userCS = 0x33
	userDS = 0x2b
)

// scRegisters are the general registers in sigcontext's order.
func scRegisters(r *Registers) [17]*uint64 {
	return [17]*uint64{
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15,
		&r.RDI, &r.RSI, &r.RBP, &r.RBX, &r.RDX, &r.RAX, &r.RCX, &r.RSP, &r.RIP,
	}
}

// onStack says whether sp is on the alternate stack (Linux: on_sig_stack).
func onStack(s *linux.StackT, sp uint64) bool {
	return s.Flags&(linux.SS_AUTODISARM|linux.SS_DISABLE) == 0 && s.Contains(sp)
}

// frameAddresses places the frame and the extended state (Linux:
// arch/x86/kernel/signal.c get_sigframe).
func frameAddresses(f *Frame) (frame, fp uint64, ok bool) {
	sp := f.Regs.RSP
	alt := &f.AltStack
	checked := onStack(alt, sp)
	sp -= redZone
	if f.Action.Flags&linux.SA_ONSTACK != 0 && alt.Size != 0 && alt.Flags&linux.SS_DISABLE == 0 && !onStack(alt, sp) {
		sp = alt.Sp + alt.Size
		checked = true
	}
	fp = (sp - uint64(FPUSize()) - linux.FP_XSTATE_MAGIC2_SIZE) &^ 63
	frame = (fp-frameSize)&^15 - 8
	if checked && !alt.Contains(frame) || frame > sp {
		return 0, 0, false
	}
	return frame, fp, true
}

// BuildFrame lays out the frame for a handler. image goes to the guest's memory
// at sp; regs start the handler, with the extended state InitialFPU. It is not ok
// when the stack has no room or the action has no restorer, for which Linux
// raises SIGSEGV.
func BuildFrame(f *Frame) (sp uint64, image []byte, regs Registers, ok bool) {
	sp, fp, ok := frameAddresses(f)
	if !ok || f.Action.Flags&linux.SA_RESTORER == 0 {
		return 0, nil, Registers{}, false
	}
	size := uint64(FPUSize())
	image = make([]byte, fp-sp+size+linux.FP_XSTATE_MAGIC2_SIZE)
	le := binary.LittleEndian
	le.PutUint64(image, f.Action.Restorer)

	uc := image[frameUContext:]
	le.PutUint64(uc[ucFlags:], linux.UC_FP_XSTATE|linux.UC_SIGCONTEXT_SS|linux.UC_STRICT_RESTORE_SS)
	le.PutUint64(uc[ucStack:], f.AltStack.Sp)
	le.PutUint32(uc[ucStack+8:], uint32(f.AltStack.Flags))
	le.PutUint64(uc[ucStack+16:], f.AltStack.Size)
	le.PutUint64(uc[ucMask:], uint64(f.Mask))
	sc := uc[ucContext:]
	for i, r := range scRegisters(&f.Regs) {
		le.PutUint64(sc[8*i:], *r)
	}
	le.PutUint64(sc[scFlags:], f.Regs.RFlags)
	le.PutUint16(sc[scCS:], uint16(f.Regs.CS))
	le.PutUint16(sc[scSS:], uint16(f.Regs.SS))
	le.PutUint64(sc[scErr:], f.ErrNo)
	le.PutUint64(sc[scTrapNo:], f.TrapNo)
	le.PutUint64(sc[scOldMask:], uint64(f.Mask))
	le.PutUint64(sc[scCR2:], f.CR2)
	le.PutUint64(sc[scFPState:], fp)
	if f.Action.Flags&linux.SA_SIGINFO != 0 {
		putInfo(image[frameInfo:], &f.Info)
	}
	putFPU(image[fp-sp:], f.FPU)

	regs = f.Regs
	regs.RDI = uint64(f.Info.Signo)
	regs.RSI = sp + frameInfo
	regs.RDX = sp + frameUContext
	regs.RAX = 0
	regs.RIP = f.Action.Handler
	regs.RSP = sp
	regs.CS, regs.SS = userCS, userDS
	regs.RFlags &^= flagDF | flagRF | flagTF
	regs.OrigRAX = ^uint64(0)
	return sp, image, regs, true
}

func putInfo(b []byte, info *linux.SigInfo) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(info.Signo))
	le.PutUint32(b[4:], uint32(info.Errno))
	le.PutUint32(b[8:], uint32(info.Code))
	copy(b[16:], info.Fields[:])
}

// putFPU writes extended state with the words that say its extent.
func putFPU(b, state []byte) {
	copy(b[:FPUSize()], state)
	SealFPU(b)
}

// SealFPU puts around the extended state at the start of b, which has room for 4
// bytes more, the words by which the kernel knows it.
func SealFPU(b []byte) {
	size := FPUSize()
	le := binary.LittleEndian
	sw := b[swReserved:fxsaveSize]
	clear(sw)
	le.PutUint32(sw[0:], linux.FP_XSTATE_MAGIC1)
	le.PutUint32(sw[4:], uint32(size+linux.FP_XSTATE_MAGIC2_SIZE))
	le.PutUint64(sw[8:], FPUFeatures())
	le.PutUint32(sw[16:], uint32(size))
	bv := le.Uint64(b[offHeader:])
	le.PutUint64(b[offHeader:], bv|xfeatureX87|xfeatureSSE)
	le.PutUint32(b[size:], linux.FP_XSTATE_MAGIC2)
}

// CleanFPU takes out of an extended state what SealFPU or the kernel wrote beside
// the registers.
func CleanFPU(state []byte) { clear(state[swReserved:fxsaveSize]) }

// FrameReadSize is how many bytes at the frame's address ParseFrame needs.
func FrameReadSize() int { return frameSize }

// ParseFrame reads the frame at sp that rt_sigreturn(2) was given. image is what
// could be read there; read fetches the extended state from where the frame
// points. Segment bases are not in a frame. What it is not ok for, Linux raises
// SIGSEGV for.
func ParseFrame(image []byte, sp uint64, read func(addr uint64, p []byte) bool) (f Frame, ok bool) {
	if len(image) < frameInfo {
		return f, false
	}
	le := binary.LittleEndian
	uc := image[frameUContext:]
	flags := le.Uint64(uc[ucFlags:])
	f.AltStack = linux.StackT{
		Sp:    le.Uint64(uc[ucStack:]),
		Flags: linux.SigStackFlags(le.Uint32(uc[ucStack+8:])),
		Size:  le.Uint64(uc[ucStack+16:]),
	}
	f.Mask = linux.SigSet(le.Uint64(uc[ucMask:]))
	sc := uc[ucContext:]
	for i, r := range scRegisters(&f.Regs) {
		*r = le.Uint64(sc[8*i:])
	}
	f.Regs.OrigRAX = ^uint64(0)
	f.Regs.RFlags = le.Uint64(sc[scFlags:])&frameFlags | initialFlags
	f.Regs.CS = uint64(le.Uint16(sc[scCS:])) | 3
	f.Regs.SS = userDS
	if flags&linux.UC_STRICT_RESTORE_SS != 0 {
		f.Regs.SS = uint64(le.Uint16(sc[scSS:])) | 3
	}
	if at := le.Uint64(sc[scFPState:]); at != 0 {
		f.FPU, ok = parseFPU(at, read)
		return f, ok
	}
	return f, true
}

// parseFPU reads the extended state of a frame. Without its magic words only the
// FXSAVE part counts, and the rest becomes initial (Linux:
// arch/x86/kernel/fpu/signal.c __fpu_restore_sig).
func parseFPU(at uint64, read func(uint64, []byte) bool) ([]byte, bool) {
	state := InitialFPU()
	if at&15 != 0 || !read(at, state[:fxsaveSize]) {
		return nil, false
	}
	le := binary.LittleEndian
	sw := state[swReserved:]
	magic, extended := le.Uint32(sw[0:]), le.Uint32(sw[4:])
	features, size := le.Uint64(sw[8:]), le.Uint32(sw[16:])
	clear(state[swReserved:fxsaveSize])
	whole := magic == linux.FP_XSTATE_MAGIC1 && size >= xsaveMinimum && int(size) <= len(state) && size <= extended
	var end [4]byte
	if whole {
		if !read(at+uint64(size), end[:]) {
			return nil, false
		}
		whole = le.Uint32(end[:]) == linux.FP_XSTATE_MAGIC2
	}
	if !whole {
		le.PutUint64(state[offHeader:], xfeatureX87|xfeatureSSE)
		return state, true
	}
	if at&63 != 0 || !read(at+fxsaveSize, state[fxsaveSize:size]) {
		return nil, false
	}
	bv := le.Uint64(state[offHeader:])
	if bv&^FPUFeatures() != 0 {
		return nil, false
	}
	le.PutUint64(state[offHeader:], bv&features)
	return state, true
}

// MinSigStackSize is AT_MINSIGSTKSZ: the most that a frame may take.
func MinSigStackSize() uint64 {
	const alignment = 64 + 16 + 8
	return (frameSize + uint64(FPUSize()) + linux.FP_XSTATE_MAGIC2_SIZE + alignment + 15) &^ 15
}
