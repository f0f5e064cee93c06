package stub

import (
	"bytes"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Written in spawn_amd64.s.
func spawn(image, socket uintptr, empty *byte, argv, envp **byte) int64

// endMark follows code that is to be copied out of this binary.
var endMark = [...]byte{0xf4, 0xf4, 0xc0, 0xde, 0xf4, 0xf4, 0xc0, 0xde}

// CopyCode returns the code at addr in this binary's text up to the end mark
// (f4 f4 c0 de, twice), which has to come within limit bytes; else nil.
func CopyCode(addr uintptr, limit int) []byte {
	text := unsafe.Slice((*byte)(textPointer(addr)), limit)
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
