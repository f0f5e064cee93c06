package linux

// SigContext64 is struct sigcontext of amd64, 256 bytes.
type SigContext64 struct {
	R8      uint64
	R9      uint64
	R10     uint64
	R11     uint64
	R12     uint64
	R13     uint64
	R14     uint64
	R15     uint64
	Rdi     uint64
	Rsi     uint64
	Rbp     uint64
	Rbx     uint64
	Rdx     uint64
	Rax     uint64
	Rcx     uint64
	Rsp     uint64
	Rip     uint64
	Eflags  uint64
	Cs      uint16
	Gs      uint16
	Fs      uint16
	Ss      uint16
	Err     uint64
	Trapno  uint64
	Oldmask uint64
	Cr2     uint64
	Fpstate uint64
	_       [8]uint64
}

// UContext64 is struct ucontext of amd64 with the signal mask last, 304 bytes.
type UContext64 struct {
	Flags    uint64
	Link     uint64
	Stack    StackT
	MContext SigContext64
	SigMask  SigSet
}

// Flags of UContext64.
const (
	UC_FP_XSTATE         = 0x1
	UC_SIGCONTEXT_SS     = 0x2
	UC_STRICT_RESTORE_SS = 0x4
)

// Words that mark extended state in a signal frame's FPU area.
const (
	FP_XSTATE_MAGIC1      = 0x46505853
	FP_XSTATE_MAGIC2      = 0x46505845
	FP_XSTATE_MAGIC2_SIZE = 4
)

// FpxSwBytes is struct _fpx_sw_bytes, 48 bytes at offset 464 of the FXSAVE image
// in a signal frame.
type FpxSwBytes struct {
	Magic1       uint32
	ExtendedSize uint32
	Xfeatures    uint64
	XstateSize   uint32
	_            [7]uint32
}
