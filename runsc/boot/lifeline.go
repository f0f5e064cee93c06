package boot

import "golang.org/x/sys/unix"

// The lifeline is the pipe from the parent: 'g' lets the boot process go on,
// 'd' detaches it, and an end of file before that ends it.

// awaitByte reads one byte and reports whether it is want.
func awaitByte(fd int, want byte) bool {
	var b [1]byte
	for {
		n, err := unix.Read(fd, b[:])
		if err == unix.EINTR {
			continue
		}
		return err == nil && n == 1 && b[0] == want
	}
}

// watchLifeline calls end when the parent goes away without having detached.
func watchLifeline(fd int, end func()) {
	if !awaitByte(fd, 'd') {
		end()
	}
	unix.Close(fd)
}
