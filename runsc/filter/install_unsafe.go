package filter

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Install puts a compiled program on every thread of the process. The process
// has no_new_privs set already. There is no way back.
func Install(prog []byte) error {
	if err := Check(prog); err != nil {
		return err
	}
	insns := decode(prog)
	fprog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	tid, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(insns)
	if errno != 0 {
		return errno
	}
	if tid != 0 {
		return fmt.Errorf("thread %d cannot take the filter", tid)
	}
	return nil
}
