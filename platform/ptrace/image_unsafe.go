package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// Written in zygote_amd64.s. zygoteCode is never called: its bytes are copied.
func zygoteCode()
func zygoteCodeAddress() uintptr

// codeBytes returns the zygote's code.
func codeBytes() []byte { return stub.CopyCode(zygoteCodeAddress(), confOffset) }

// quietStops keeps the kernel from sending the process a SIGCHLD for every stop
// of every stub thread: the Go runtime has a handler for it, which would run at
// each system call of a guest. Ends of children are reported as before.
func quietStops() {
	const noChildStop = 1 // SA_NOCLDSTOP
	var action struct {
		handler, flags, restorer, mask uint64
	}
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
	action.flags |= noChildStop
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGCHLD), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}
