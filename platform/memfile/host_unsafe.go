package memfile

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/internal/check"
	"cordon/internal/linux"
)

// The host calls of this package: ftruncate, fallocate, mmap, munmap, madvise,
// mincore, pwrite, fstat, lseek, close.

func mapChunk(fd int32, off uint64, huge bool) *byte {
	p, err := unix.MmapPtr(int(fd), int64(off), nil, chunkSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	b := unsafe.Slice((*byte)(p), chunkSize)
	if huge {
		// A wish: the host may have no huge pages.
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	}
	_ = unix.Madvise(b, unix.MADV_DONTDUMP)
	return (*byte)(p)
}

func unmapChunk(p *byte) {
	check.NoError(unix.MunmapPtr(unsafe.Pointer(p), chunkSize), "memfile: unmapping a window")
}

func sliceOf(p *byte, off, n uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(p), off)), n)
}

// resident fills vec with bit 0 set for each page of b that is present. b
// begins at a page.
func resident(b []byte, vec []byte) {
	for {
		_, _, e := unix.RawSyscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&vec[0])))
		if e == unix.EAGAIN {
			continue
		}
		check.That(e == 0, "memfile: mincore: %v", e)
		return
	}
}

func truncate(fd int32, size uint64) linux.Errno {
	for {
		switch err := unix.Ftruncate(int(fd), int64(size)); err {
		case nil:
			return 0
		case unix.EINTR:
		default:
			return linux.Errno(err.(unix.Errno))
		}
	}
}

func punchHole(fd int32, r Range) {
	for {
		err := unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(r.Start), int64(r.Len()))
		if err == unix.EINTR {
			continue
		}
		check.NoError(err, "memfile: punching a hole")
		return
	}
}

// write stores b at off, all of it or an error.
func write(fd int32, b []byte, off uint64) linux.Errno {
	for len(b) > 0 {
		n, err := unix.Pwrite(int(fd), b, int64(off))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return linux.ENOMEM
		default:
			b = b[n:]
			off += uint64(n)
		}
	}
	return 0
}

func blocks(fd int32) uint64 {
	var st unix.Stat_t
	if unix.Fstat(int(fd), &st) != nil {
		return 0
	}
	return uint64(st.Blocks) * 512
}

func closeFile(fd int32) { _ = unix.Close(int(fd)) }

// populate makes the pages of b present.
func populate(b []byte) {
	for {
		if err := unix.Madvise(b, unix.MADV_POPULATE_WRITE); err != unix.EINTR {
			return
		}
	}
}

// nextData returns where data begins at or after off; the largest number if
// there is none.
func nextData(fd int32, off uint64) uint64 {
	at, err := unix.Seek(int(fd), int64(off), unix.SEEK_DATA)
	if err != nil {
		return ^uint64(0)
	}
	return uint64(at) &^ (pageSize - 1)
}
