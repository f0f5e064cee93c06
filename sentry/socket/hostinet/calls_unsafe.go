package hostinet

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/internal/host"
	"cordon/internal/linux"
)

// The host's socket calls with addresses and values as bytes, which is what guests give and get. All are made on
// descriptors that do not block.

// maxAddress is the size of struct sockaddr_storage.
const maxAddress = linux.SOCKADDR_STORAGE_SIZE

// call makes a call and repeats it when a signal came in between. Memory whose address is an argument stays where it is.
//
//go:uintptrescapes
func call(nr uintptr, a, b, c, d, e uintptr) (uintptr, error) {
	for {
		r, _, errno := unix.Syscall6(nr, a, b, c, d, e, 0)
		switch errno {
		case 0:
			return r, nil
		case unix.EINTR:
		default:
			return 0, host.Errno(errno)
		}
	}
}

func newSocket(family, typ, protocol int) (int, error) {
	fd, err := call(unix.SYS_SOCKET, uintptr(family), uintptr(typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), uintptr(protocol), 0, 0)
	return int(fd), full(err)
}

func bind(fd int, a []byte) error {
	_, err := call(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), 0, 0)
	return err
}

func connect(fd int, a []byte) error {
	_, err := call(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(a))), uintptr(len(a)), 0, 0)
	return err
}

func listen(fd, backlog int) error {
	_, err := call(unix.SYS_LISTEN, uintptr(fd), uintptr(backlog), 0, 0, 0)
	return err
}

func accept(fd int) (int, []byte, error) {
	var a [maxAddress]byte
	n := uint32(len(a))
	c, err := call(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&n)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, full(err)
	}
	return int(c), a[:min(n, maxAddress)], nil
}

// name is getsockname(2) or getpeername(2).
func name(nr uintptr, fd int) ([]byte, error) {
	var a [maxAddress]byte
	n := uint32(len(a))
	if _, err := call(nr, uintptr(fd), uintptr(unsafe.Pointer(&a)), uintptr(unsafe.Pointer(&n)), 0, 0); err != nil {
		return nil, err
	}
	return a[:min(n, maxAddress)], nil
}

func getOption(fd, level, opt int, b []byte) (int, error) {
	n := uint32(len(b))
	_, err := call(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
		uintptr(unsafe.Pointer(&n)))
	return int(min(n, uint32(len(b)))), err
}

func setOption(fd, level, opt int, b []byte) error {
	_, err := call(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(opt), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return err
}

// A message is struct msghdr.
type message struct {
	name, control []byte
	data          [][]byte
	flags         int // of a received one
}

// move is sendmsg(2) or recvmsg(2); m is then cut to what came. It waits for nothing, and what it copies is over before Go's
// monitor has given the caller's processor to another thread, which would be woken for nothing.
func move(nr uintptr, fd int, m *message, flags int) (int, error) {
	var few [64]unix.Iovec
	iovs := few[:0]
	for _, b := range m.data[:min(len(m.data), linux.IOV_MAX)] {
		if len(b) > 0 {
			iovs = append(iovs, unix.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))})
		}
	}
	h := unix.Msghdr{
		Name: unsafe.SliceData(m.name), Namelen: uint32(len(m.name)), Iov: unsafe.SliceData(iovs), Iovlen: uint64(len(iovs)),
		Control: unsafe.SliceData(m.control), Controllen: uint64(len(m.control)),
	}
	n, _, errno := unix.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(&h)), uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
	for errno == unix.EINTR {
		n, _, errno = unix.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(&h)), uintptr(flags|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
	}
	if errno != 0 {
		return 0, linux.Errno(errno)
	}
	if nr == unix.SYS_RECVMSG {
		m.name, m.control = m.name[:min(h.Namelen, uint32(len(m.name)))], m.control[:min(h.Controllen, uint64(len(m.control)))]
		m.flags = int(h.Flags)
	}
	return int(n), nil
}

// full tells a guest that the Sentry has no descriptors left, which are not its own.
func full(err error) error {
	if err == error(linux.EMFILE) {
		return linux.ENFILE
	}
	return err
}
