package hostfs

import (
	"runtime"
	"unsafe"

	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// xattrArgs is struct xattr_args (Linux: include/uapi/linux/xattr.h).
type xattrArgs struct {
	value uint64
	size  uint32
	flags uint32
}

// The calls below name the inode by its entry in /proc/self/fd, which is
// followed: there are no forms of them that take an O_PATH descriptor.

func xattrCall(nr uintptr, dir int, path, name string, value []byte, flags uint32) (int, linux.Errno) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return 0, linux.EINVAL
	}
	k, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, linux.EINVAL
	}
	// The kernel gets the address as a number, so value must be kept where it
	// is: a heap object of this size does not move, and is used below.
	args := &xattrArgs{size: uint32(len(value)), flags: flags}
	if len(value) > 0 {
		args.value = uint64(uintptr(unsafe.Pointer(&value[0])))
	}
	var r uintptr
	var e unix.Errno
	if nr == unix.SYS_REMOVEXATTRAT {
		_, _, e = unix.Syscall6(nr, uintptr(dir), uintptr(unsafe.Pointer(p)), 0, uintptr(unsafe.Pointer(k)), 0, 0)
	} else {
		r, _, e = unix.Syscall6(nr, uintptr(dir), uintptr(unsafe.Pointer(p)), 0, uintptr(unsafe.Pointer(k)),
			uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args))
	}
	runtime.KeepAlive(value)
	return int(r), linux.Errno(e)
}

func getxattrat(dir int, path, name string, value []byte) (int, linux.Errno) {
	return xattrCall(unix.SYS_GETXATTRAT, dir, path, name, value, 0)
}

func setxattrat(dir int, path, name string, value []byte, flags uint32) linux.Errno {
	_, e := xattrCall(unix.SYS_SETXATTRAT, dir, path, name, value, flags)
	return e
}

func removexattrat(dir int, path, name string) linux.Errno {
	_, e := xattrCall(unix.SYS_REMOVEXATTRAT, dir, path, name, nil, 0)
	return e
}

func listxattrat(dir int, path string, list []byte) (int, linux.Errno) {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return 0, linux.EINVAL
	}
	r, _, e := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dir), uintptr(unsafe.Pointer(p)), 0,
		uintptr(unsafe.Pointer(&list[0])), uintptr(len(list)), 0)
	return int(r), linux.Errno(e)
}
