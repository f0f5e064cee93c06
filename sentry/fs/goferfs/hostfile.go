package goferfs

import (
	"sync/atomic"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform"
	"cordon/sentry/memmap"

	"golang.org/x/sys/unix"
)

const (
	pageSize = 4096
	// windowSize is how much of a file the Sentry maps at once.
	windowSize = 2 << 20
)

func pageUp(n uint64) uint64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// A hostFile is a donated descriptor of a regular file, and the Backing of its
// mappings.
type hostFile struct {
	// immutable
	in       *Inode
	fd       int
	id       uint64
	writable bool

	// refs counts the Inode's own use, Files, short uses, and mapped bytes.
	refs atomic.Int64

	small atomic.Uint32 // small reads so far, up to hotAfter

	mu lock.Mutex[lock.Mappings]

	// guarded by mu
	windows map[uint64][]byte // by number
}

// newFile takes over fd with one reference.
func (in *Inode) newFile(fd int, writable bool) *hostFile {
	f := &hostFile{in: in, fd: fd, id: in.fs.hosts.NewHostFileID(), writable: writable}
	f.refs.Store(1)
	return f
}

func (f *hostFile) unref() { f.drop(1) }

func (f *hostFile) drop(n int64) {
	if f.refs.Add(-n) > 0 {
		return
	}
	f.in.fs.hosts.ForgetFile(f.HostFile())
	for _, w := range f.windows {
		_ = unix.Munmap(w)
	}
	closeFD(f.fd)
}

// HostFile implements memmap.Backing.
func (f *hostFile) HostFile() platform.HostFile { return platform.HostFile{ID: f.id, FD: int32(f.fd)} }

// IncRef implements memmap.Backing.
func (f *hostFile) IncRef(r memmap.Range) { f.refs.Add(int64(r.Len())) }

// DecRef implements memmap.Backing.
func (f *hostFile) DecRef(r memmap.Range) { f.drop(int64(r.Len())) }

// Window implements memmap.Backing. A shared mount's files have none: somebody
// on the host could cut off the page that the Sentry is about to touch.
func (f *hostFile) Window(r memmap.Range) []byte {
	end := min(r.End, pageUp(f.in.size.Load()))
	if f.in.fs.shared || r.Start >= end {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	i := r.Start / windowSize
	w := f.windows[i]
	if w == nil {
		prot := unix.PROT_READ
		if f.writable {
			prot |= unix.PROT_WRITE
		}
		var err error
		w, err = unix.Mmap(f.fd, int64(i*windowSize), windowSize, prot, unix.MAP_SHARED)
		if err != nil {
			return nil
		}
		if f.windows == nil {
			f.windows = make(map[uint64][]byte)
		}
		f.windows[i] = w
	}
	base := i * windowSize
	return w[r.Start-base : min(end-base, windowSize)]
}

// ReadAt implements memmap.Backing.
func (f *hostFile) ReadAt(p []byte, off uint64) (int, error) {
	n, err := f.readv([][]byte{p}, int64(off))
	return int(n), err
}

// WriteAt implements memmap.Backing.
func (f *hostFile) WriteAt(p []byte, off uint64) (int, error) {
	n, err := f.writev([][]byte{p}, int64(off))
	return int(n), err
}

// iovMax is the most buffers of one call (Linux: UIO_MAXIOV).
const iovMax = linux.IOV_MAX

// readv fills blocks from off on, short at the end of the file.
func (f *hostFile) readv(blocks [][]byte, off int64) (uint64, error) {
	if len(blocks) == 1 {
		return one(unix.Pread, f.fd, blocks[0], off)
	}
	return f.each(blocks, off, unix.Preadv)
}

// one is each for a single buffer.
func one(call func(int, []byte, int64) (int, error), fd int, b []byte, off int64) (uint64, error) {
	for {
		n, err := call(fd, b, off)
		if err == nil {
			return uint64(n), nil
		}
		if err != unix.EINTR {
			return 0, errno(err)
		}
	}
}

func (f *hostFile) writev(blocks [][]byte, off int64) (uint64, error) {
	if len(blocks) == 1 {
		return one(unix.Pwrite, f.fd, blocks[0], off)
	}
	return f.each(blocks, off, unix.Pwritev)
}

// each moves blocks by a call that may move less than it is given.
func (f *hostFile) each(blocks [][]byte, off int64, call func(int, [][]byte, int64) (int, error)) (uint64, error) {
	var done uint64
	for len(blocks) > 0 {
		some := blocks[:min(len(blocks), iovMax)]
		var want uint64
		for _, b := range some {
			want += uint64(len(b))
		}
		n, err := call(f.fd, some, off+int64(done))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, errno(err)
		}
		done += uint64(n)
		if uint64(n) < want {
			break
		}
		blocks = blocks[len(some):]
	}
	return done, nil
}

// appendv writes at the end that the file has on the host, and returns where
// the end is then.
func (f *hostFile) appendv(blocks [][]byte) (uint64, error) {
	n, err := unix.Pwritev2(f.fd, blocks[:min(len(blocks), iovMax)], 0, unix.RWF_APPEND)
	if err != nil {
		return 0, errno(err)
	}
	return uint64(n), nil
}

// stat brings a up to date.
func (f *hostFile) stat(a *client.Attr) error {
	var st unix.Stat_t
	if err := unix.Fstat(f.fd, &st); err != nil {
		return errno(err)
	}
	a.Mode, a.Nlink, a.UID, a.GID = linux.FileMode(st.Mode), uint32(st.Nlink), st.Uid, st.Gid
	a.Size, a.Blocks = uint64(max(st.Size, 0)), uint64(max(st.Blocks, 0))
	a.Atime, a.Mtime, a.Ctime = hostTime(st.Atim), hostTime(st.Mtim), hostTime(st.Ctim)
	return nil
}

func hostTime(t unix.Timespec) client.Time { return client.Time{Sec: t.Sec, Nsec: uint32(t.Nsec)} }

func (f *hostFile) truncate(size uint64) error {
	if size > 1<<63-1 {
		return linux.EFBIG
	}
	return errno(unix.Ftruncate(f.fd, int64(size)))
}

func (f *hostFile) sync(dataOnly bool) error {
	if dataOnly {
		return errno(unix.Fdatasync(f.fd))
	}
	return errno(unix.Fsync(f.fd))
}

func (f *hostFile) allocate(mode linux.FallocateMode, off, n int64) error {
	return errno(unix.Fallocate(f.fd, uint32(mode), off, n))
}

// errno converts an error of the host at this edge.
func errno(err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case unix.Errno:
		return linux.Errno(e)
	}
	return linux.EIO
}

func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
