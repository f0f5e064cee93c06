package ptrace

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Written in zygote_amd64.s. zygoteCode is never called: its bytes are copied.
func zygoteCode()
func zygoteCodeAddress() uintptr
func spawn(image, socket uintptr, empty *byte, argv, envp **byte) int64

// endMark follows the zygote's code in this binary.
var endMark = [...]byte{0xf4, 0xf4, 0xc0, 0xde, 0xf4, 0xf4, 0xc0, 0xde}

// codeBytes returns the zygote's code.
func codeBytes() []byte {
	text := unsafe.Slice((*byte)(textPointer(zygoteCodeAddress())), confOffset)
	end := bytes.Index(text, endMark[:])
	if end < 0 {
		return nil
	}
	return append([]byte(nil), text[:end]...)
}

// textPointer makes a pointer of an address in this binary's text, which the
// garbage collector does not move.
func textPointer(addr uintptr) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// runImage executes the image with nothing but socket. The calling thread's
// signals are blocked meanwhile, because the child shares its memory until it
// executes and must run no handler.
func runImage(image, socket int) (pid int, errno unix.Errno) {
	var empty byte
	name := [...]byte{'c', 'o', 'r', 'd', 'o', 'n', '-', 's', 't', 'u', 'b', 0}
	argv := [...]*byte{&name[0], nil}
	envp := [...]*byte{nil}
	all, old := ^uint64(0), uint64(0)
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&old)), 8, 0, 0)
	r := spawn(uintptr(image), uintptr(socket), &empty, &argv[0], &envp[0])
	unix.RawSyscall6(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, uintptr(unsafe.Pointer(&old)), 0, 8, 0, 0)
	if r < 0 {
		return 0, unix.Errno(-r)
	}
	return int(r), 0
}

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
