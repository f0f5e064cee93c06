package host

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// Close closes a descriptor. As in Linux, it is gone even if an error is returned.
func Close(fd int) error {
	_, err := once(unix.SYS_CLOSE, uintptr(fd), 0, 0, 0, 0, 0)
	return err
}

// Lseek moves or asks a file's offset.
func Lseek(fd int, off int64, whence linux.Whence) (int64, error) {
	n, err := call(unix.SYS_LSEEK, uintptr(fd), uintptr(off), uintptr(whence), 0, 0, 0)
	return int64(n), err
}

// Fcntl is fcntl(2) with an integer argument.
func Fcntl(fd int, cmd linux.FcntlCmd, arg uintptr) (int, error) {
	n, err := call(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), arg, 0, 0, 0)
	return int(n), err
}

// Dup duplicates a descriptor, to be closed on exec.
func Dup(fd int) (int, error) { return Fcntl(fd, linux.F_DUPFD_CLOEXEC, 0) }

// SetNonblock sets or clears O_NONBLOCK of the description.
func SetNonblock(fd int) error {
	fl, err := Fcntl(fd, linux.F_GETFL, 0)
	if err != nil {
		return err
	}
	_, err = Fcntl(fd, linux.F_SETFL, uintptr(fl)|uintptr(linux.O_NONBLOCK))
	return err
}

func Ftruncate(fd int, size int64) error {
	_, err := call(unix.SYS_FTRUNCATE, uintptr(fd), uintptr(size), 0, 0, 0, 0)
	return err
}

func Fallocate(fd int, mode linux.FallocateMode, off, size int64) error {
	_, err := call(unix.SYS_FALLOCATE, uintptr(fd), uintptr(mode), uintptr(off), uintptr(size), 0, 0)
	return err
}

func Fsync(fd int) error {
	_, err := call(unix.SYS_FSYNC, uintptr(fd), 0, 0, 0, 0, 0)
	return err
}

func Fdatasync(fd int) error {
	_, err := call(unix.SYS_FDATASYNC, uintptr(fd), 0, 0, 0, 0, 0)
	return err
}

// Ioctl is ioctl(2) with an integer argument.
func Ioctl(fd int, cmd linux.IoctlCmd, arg uintptr) (int, error) {
	n, err := call(unix.SYS_IOCTL, uintptr(fd), uintptr(cmd), arg, 0, 0, 0)
	return int(n), err
}

// Eventfd makes an event counter.
func Eventfd(initial uint32, flags linux.EventfdFlags) (int, error) {
	fd, err := quick(unix.SYS_EVENTFD2, uintptr(initial), uintptr(flags), 0, 0, 0, 0)
	return int(fd), err
}

// EpollCreate makes an epoll descriptor.
func EpollCreate(flags linux.EpollFlags) (int, error) {
	fd, err := quick(unix.SYS_EPOLL_CREATE1, uintptr(flags), 0, 0, 0, 0, 0)
	return int(fd), err
}

// Shutdown ends one or both directions of a socket.
func Shutdown(fd int, how linux.ShutdownHow) error {
	_, err := once(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0, 0, 0, 0)
	return err
}

// Mmap maps memory outside of Go's heap. Use Bytes to look at it.
func Mmap(addr, size uintptr, prot linux.Prot, flags linux.MapFlags, fd int, off int64) (uintptr, error) {
	return call(unix.SYS_MMAP, addr, size, uintptr(prot), uintptr(flags), uintptr(fd), uintptr(off))
}

func Munmap(addr, size uintptr) error {
	_, err := call(unix.SYS_MUNMAP, addr, size, 0, 0, 0, 0)
	return err
}

func Mprotect(addr, size uintptr, prot linux.Prot) error {
	_, err := call(unix.SYS_MPROTECT, addr, size, uintptr(prot), 0, 0, 0)
	return err
}

func Madvise(addr, size uintptr, advice linux.Madvice) error {
	_, err := call(unix.SYS_MADVISE, addr, size, uintptr(advice), 0, 0, 0)
	return err
}

func Mremap(addr, oldSize, newSize uintptr, flags linux.MremapFlags, to uintptr) (uintptr, error) {
	return call(unix.SYS_MREMAP, addr, oldSize, newSize, uintptr(flags), to, 0)
}

// Gettid is the calling thread; the caller has locked itself to it.
func Gettid() int {
	n, _ := quick(unix.SYS_GETTID, 0, 0, 0, 0, 0, 0)
	return int(n)
}

// Getpid is this process.
func Getpid() int {
	n, _ := quick(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	return int(n)
}

// Tgkill sends a signal to one thread.
func Tgkill(pid, tid int, sig linux.Signal) error {
	_, err := quick(unix.SYS_TGKILL, uintptr(pid), uintptr(tid), uintptr(sig), 0, 0, 0)
	return err
}

// MemoryTotal returns the host's memory in bytes (sysinfo(2)).
func MemoryTotal() uint64 {
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) != nil { // sysinfo

		return 1 << 30
	}
	return si.Totalram * uint64(si.Unit)
}

// MemoryAvailable returns what the host's /proc/meminfo, which fd is, says is
// available, and in all, in bytes; 0, 0 if it does not say.
func MemoryAvailable(fd int32) (available, total uint64) {
	var b [256]byte                        // the first lines
	n, err := unix.Pread(int(fd), b[:], 0) // pread64
	if err != nil {
		return 0, 0
	}
	for line := range strings.SplitSeq(string(b[:n]), "\n") {
		name, rest, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
		switch {
		case err != nil:
		case name == "MemTotal":
			total = kb << 10
		case name == "MemAvailable":
			available = kb << 10
		}
	}
	if available == 0 {
		return 0, 0
	}
	return available, total
}
