package host

import (
	"errors"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
)

// Errno turns an error of a host call into the guest's. An error that carries no
// errno is an I/O error; nil is zero.
func Errno(err error) linux.Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(linux.Errno); ok {
		return e
	}
	var he unix.Errno
	if errors.As(err, &he) && he > 0 && he <= linux.MaxErrno {
		return linux.Errno(he)
	}
	var le linux.Errno
	if errors.As(err, &le) {
		return le
	}
	return linux.EIO
}

// Error is err with an Errno in it, or nil.
func Error(err error) error {
	if err == nil {
		return nil
	}
	return Errno(err)
}

func result(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return linux.Errno(e)
}

// call makes a call that may block.
func call(nr, a, b, c, d, e, f uintptr) (uintptr, error) {
	for {
		r, _, errno := unix.Syscall6(nr, a, b, c, d, e, f)
		if errno != unix.EINTR {
			return r, result(errno)
		}
	}
}

// once is call without repetition.
func once(nr, a, b, c, d, e, f uintptr) (uintptr, error) {
	r, _, errno := unix.Syscall6(nr, a, b, c, d, e, f)
	return r, result(errno)
}

// quick makes a call that cannot block, without telling Go's scheduler.
func quick(nr, a, b, c, d, e, f uintptr) (uintptr, error) {
	r, _, errno := unix.RawSyscall6(nr, a, b, c, d, e, f)
	return r, result(errno)
}
