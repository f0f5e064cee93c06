package host

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// Read and Write move as much as the host does at once; 0 from a read is the end of the
// file.
func Read(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_READ, fd, b)
}

func Write(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_WRITE, fd, b)
}

func transfer(nr uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, e := unix.Syscall(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, linux.Errno(e)
		}
	}
}

// FutexWake wakes up to n waiters, also of other processes.
func FutexWake(addr *uint32, n int) (int, error) {
	woken, _, e := unix.RawSyscall(unix.SYS_FUTEX, uintptr(unsafe.Pointer(addr)), uintptr(linux.FUTEX_WAKE), uintptr(n))
	return int(woken), result(e)
}

func EpollCtl(ep int, op linux.EpollOp, fd int, ev *linux.EpollEvent) error {
	_, _, e := unix.Syscall6(unix.SYS_EPOLL_CTL, uintptr(ep), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(ev)), 0, 0)
	return result(e)
}

// Poll waits for events of a few descriptors; a negative timeout has no end.
func Poll(fds []linux.PollFD, timeoutNS int64) (int, error) {
	var ts *linux.Timespec
	if timeoutNS >= 0 {
		t := linux.TimespecFromNS(timeoutNS)
		ts = &t
	}
	n, _, e := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)),
		uintptr(unsafe.Pointer(ts)), 0, 0, 0)
	return int(n), result(e)
}

// Getrandom fills b.
func Getrandom(b []byte) error {
	for len(b) > 0 {
		n, _, e := unix.Syscall(unix.SYS_GETRANDOM, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
		if e != 0 && e != unix.EINTR {
			return linux.Errno(e)
		}
		if e == 0 {
			b = b[n:]
		}
	}
	return nil
}
