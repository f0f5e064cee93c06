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

// Fcntl is fcntl(2) with an integer argument.
func Fcntl(fd int, cmd linux.FcntlCmd, arg uintptr) (int, error) {
	n, err := call(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), arg, 0, 0, 0)
	return int(n), err
}

// SetNonblock sets or clears O_NONBLOCK of the description.
func SetNonblock(fd int) error {
	fl, err := Fcntl(fd, linux.F_GETFL, 0)
	if err != nil {
		return err
	}
	_, err = Fcntl(fd, linux.F_SETFL, uintptr(fl)|uintptr(linux.O_NONBLOCK))
	return err
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
