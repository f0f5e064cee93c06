package ptrace

import "cordon/internal/linux"

// Host signals that stubs meet.
const (
	sigILL  = uint(linux.SIGILL)
	sigTRAP = uint(linux.SIGTRAP)
	sigBUS  = uint(linux.SIGBUS)
	sigFPE  = uint(linux.SIGFPE)
	sigSEGV = uint(linux.SIGSEGV)
	sigSYS  = uint(linux.SIGSYS)

	// kickSignal interrupts a guest. It is one whose default is to be
	// ignored, so that it is harmless to a thread that nobody traces, and a
	// standard one, so that no more than one is ever queued.
	kickSignal = uint(linux.SIGWINCH)
)
