package host

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// Bytes is mapped memory as a slice; it must not be used after Munmap.
func Bytes(addr, size uintptr) []byte {
	// Not unsafe.Pointer(addr): the memory is none of the garbage collector's.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&addr)), size)
}

// Read, Write, Pread and Pwrite move as much as the host does at once; 0 from a
// read is the end of the file.
func Read(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_READ, fd, b, 0)
}

func Write(fd int, b []byte) (int, error) {
	return transfer(unix.SYS_WRITE, fd, b, 0)
}

func Pread(fd int, b []byte, off int64) (int, error) {
	return transfer(unix.SYS_PREAD64, fd, b, off)
}

func Pwrite(fd int, b []byte, off int64) (int, error) {
	return transfer(unix.SYS_PWRITE64, fd, b, off)
}

func transfer(nr uintptr, fd int, b []byte, off int64) (int, error) {
	for {
		n, _, e := unix.Syscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(off), 0, 0)
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, linux.Errno(e)
		}
	}
}

// Preadv and Pwritev move to and from several buffers, at most IOV_MAX of which
// count. Offset -1 is the description's own.
func Preadv(fd int, bufs [][]byte, off int64, flags linux.RWFlags) (int, error) {
	return vectored(unix.SYS_PREADV2, fd, bufs, off, flags)
}

func Pwritev(fd int, bufs [][]byte, off int64, flags linux.RWFlags) (int, error) {
	return vectored(unix.SYS_PWRITEV2, fd, bufs, off, flags)
}

func vectored(nr uintptr, fd int, bufs [][]byte, off int64, flags linux.RWFlags) (int, error) {
	var few [16]unix.Iovec
	iovs := few[:0]
	for _, b := range bufs[:min(len(bufs), linux.IOV_MAX)] {
		if len(b) > 0 {
			iovs = append(iovs, unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))})
		}
	}
	for {
		n, _, e := unix.Syscall6(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(iovs))), uintptr(len(iovs)),
			uintptr(off), 0, uintptr(flags))
		if e == 0 {
			return int(n), nil
		}
		if e != unix.EINTR {
			return 0, linux.Errno(e)
		}
	}
}

func Fstat(fd int) (linux.Stat, error) {
	var st linux.Stat
	_, _, e := unix.Syscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&st)), 0)
	return st, result(e)
}

// IoctlPtr is Ioctl with a structure that the request reads or writes.
func IoctlPtr[T any](fd int, cmd linux.IoctlCmd, arg *T) error {
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), uintptr(unsafe.Pointer(arg)))
	return result(e)
}

// MemfdCreate makes a memory file.
func MemfdCreate(name string, flags linux.MemfdFlags) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, linux.EINVAL
	}
	fd, _, e := unix.Syscall(unix.SYS_MEMFD_CREATE, uintptr(unsafe.Pointer(p)), uintptr(flags), 0)
	return int(fd), result(e)
}

// CopyFileRange copies between files at given offsets, which it leaves alone.
func CopyFileRange(in int, inOff int64, out int, outOff int64, n int) (int, error) {
	for {
		m, _, e := unix.Syscall6(unix.SYS_COPY_FILE_RANGE, uintptr(in), uintptr(unsafe.Pointer(&inOff)), uintptr(out),
			uintptr(unsafe.Pointer(&outOff)), uintptr(n), 0)
		if e == 0 {
			return int(m), nil
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

// EpollWait waits for events; a negative timeout has no end.
func EpollWait(ep int, evs []linux.EpollEvent, timeoutMS int) (int, error) {
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(unsafe.SliceData(evs))), uintptr(len(evs)),
		uintptr(timeoutMS), 0, 0)
	return int(n), result(e)
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

// ClockGettime is a clock in nanoseconds.
func ClockGettime(id linux.ClockID) (int64, error) {
	var ts linux.Timespec
	_, _, e := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(id), uintptr(unsafe.Pointer(&ts)), 0)
	return ts.ToNS(), result(e)
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

// A CPUSet has bit n%64 of word n/64 for CPU n.
type CPUSet [16]uint64

// SchedGetaffinity is the CPUs that a thread may use; 0 is the caller's.
func SchedGetaffinity(tid int) (CPUSet, error) {
	var set CPUSet
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	return set, result(e)
}

func SchedSetaffinity(tid int, set *CPUSet) error {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	return result(e)
}
