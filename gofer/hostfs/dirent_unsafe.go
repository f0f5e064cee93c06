package hostfs

import (
	"unsafe"

	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// statName is statx(2) of the name in dir, which ends with its NUL in the
// buffer that it was read into.
func statName(dir int, name []byte, st *unix.Statx_t) linux.Errno {
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
		flags, statMask, uintptr(unsafe.Pointer(st)), 0)
	return linux.Errno(e)
}

// statFD is statx(2) of what fd is.
func statFD(fd int, st *unix.Statx_t) linux.Errno {
	var empty [1]byte
	_, _, e := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		unix.AT_EMPTY_PATH|unix.AT_NO_AUTOMOUNT, statMask, uintptr(unsafe.Pointer(st)), 0)
	return linux.Errno(e)
}

// openDir opens the directory called name, which ends with its NUL in its
// buffer, in dir, by openat2 as everything is opened.
func openDir(dir int, name []byte) (int, linux.Errno) {
	for {
		fd, e := openName(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW)
		// EAGAIN: a rename raced with the walk.
		if e == linux.EINTR || e == linux.EAGAIN {
			continue
		}
		return fd, e
	}
}

// openName is openat2(2) of the name in dir, which ends with its NUL in its buffer,
// without leaving dir.
func openName(dir int, name []byte, flags uint64) (int, linux.Errno) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	fd, _, e := unix.Syscall6(unix.SYS_OPENAT2, uintptr(dir), uintptr(unsafe.Pointer(unsafe.SliceData(name))),
		uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
	if e != 0 {
		return -1, linux.Errno(e)
	}
	return int(fd), 0
}
