// Package arch holds what depends on the processor: registers, extended
// state, the signal frame's layout, the vDSO image.
package arch

// Registers are an amd64 thread's general registers in the order and widths of
// Linux's struct user_regs_struct (PTRACE_GETREGS).
type Registers struct {
	R15, R14, R13, R12, RBP, RBX, R11, R10 uint64
	R9, R8, RAX, RCX, RDX, RSI, RDI        uint64
	OrigRAX                                uint64
	RIP                                    uint64
	CS                                     uint64
	RFlags                                 uint64
	RSP                                    uint64
	SS                                     uint64
	FSBase, GSBase                         uint64
	DS, ES, FS, GS                         uint64
}

// SyscallNumber returns the number of the system call that the thread made.
func (r *Registers) SyscallNumber() uintptr { return uintptr(r.OrigRAX) }

// SyscallArgs returns the six argument registers.
func (r *Registers) SyscallArgs() [6]uintptr {
	return [6]uintptr{uintptr(r.RDI), uintptr(r.RSI), uintptr(r.RDX), uintptr(r.R10), uintptr(r.R8), uintptr(r.R9)}
}

// debuggerFlags are those of RFLAGS that a debugger may change, but for the trap flag, which
// is the platform's (Linux: arch/x86/kernel/ptrace.c FLAG_MASK).
const debuggerFlags = 0x54cd5

// Replace takes the registers that a debugger wants, and reports whether a program can
// have them; if not, nothing changes.
func (r *Registers) Replace(n *Registers) bool {
	if n.CS != r.CS && n.CS != userCS || n.SS != r.SS && n.SS != userDS {
		return false
	}
	if n.DS != r.DS || n.ES != r.ES || n.FS != r.FS || n.GS != r.GS || n.FSBase >= TaskSize || n.GSBase >= TaskSize {
		return false
	}
	flags := r.RFlags&^debuggerFlags | n.RFlags&debuggerFlags
	*r = *n
	r.RFlags = flags
	return true
}
