package host

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// Go's runtime lets packages name these two (go.dev/issue/67401).

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// FutexWait waits while *addr is val: EAGAIN if it was not, EINTR. It is for long
// waits: the processor that Go's scheduler has for the caller is given up before, not
// when Go's monitor notices, which takes 20 us and more and lets others wait.
func FutexWait(addr *uint32, val uint32) error {
	return result(futexWait(unsafe.Pointer(addr), val))
}

// EpollRest waits for events without end, as FutexWait does. events does not lie on a Go stack.
func EpollRest(ep int, events *[2]linux.EpollEvent) (int, error) {
	n, e := epollRest(ep, unsafe.Pointer(events), len(events))
	return n, result(e)
}

//go:nosplit
func epollRest(ep int, events unsafe.Pointer, n int) (int, unix.Errno) {
	entersyscallblock()
	r, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(events), uintptr(n), ^uintptr(0), 0, 0)
	exitsyscall()
	return int(r), e
}

// futexWait has its stack alone between the two calls: nothing may grow it, and it
// may not return.
//
//go:nosplit
func futexWait(addr unsafe.Pointer, val uint32) unix.Errno {
	entersyscallblock()
	_, _, e := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(addr), uintptr(linux.FUTEX_WAIT), uintptr(val), 0, 0, 0)
	exitsyscall()
	return e
}
