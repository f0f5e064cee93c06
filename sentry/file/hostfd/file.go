package hostfd

import (
	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

const (
	// maxVec is the most buffers of one host call (IOV_MAX).
	maxVec = linux.IOV_MAX
	// maxBlindWrite is what a file without RWF_NOWAIT is given at once after
	// poll(2) said that it takes something: a pipe then has a page free.
	maxBlindWrite = linux.PageSize
)

// An open is a description of an inherited descriptor.
type open struct {
	// immutable
	inode *Inode
}

// A File is a descriptor that can be waited for.
type File struct{ open }

// A Regular is a descriptor with an offset, which is the host's.
type Regular struct{ open }

var (
	_ vfs.Reader  = (*File)(nil)
	_ vfs.Writer  = (*File)(nil)
	_ vfs.Poller  = (*File)(nil)
	_ vfs.Ioctler = (*File)(nil)
	_ vfs.Seeker  = (*Regular)(nil)
	_ vfs.Syncer  = (*Regular)(nil)

	_ vfs.Positioned = (*Regular)(nil)
)

// Release implements vfs.File.
func (f *open) Release() { f.inode.drop() }

// Read implements vfs.Reader.
func (f *open) Read(dst *usermem.Seq) (int, error) {
	if dst.Len() == 0 {
		return 0, nil
	}
	n, err := dst.Blocks(usermem.Write, func(blocks [][]byte) (uint64, error) {
		n, err := retry(func() (int, error) { return f.inode.readv(blocks[:min(len(blocks), maxVec)]) })
		return uint64(n), err
	})
	if n > 0 {
		return int(n), nil
	}
	return 0, err
}

// Write implements vfs.Writer.
func (f *open) Write(src *usermem.Seq) (int, error) {
	if src.Len() == 0 {
		return 0, nil
	}
	n, err := src.Blocks(usermem.Read, func(blocks [][]byte) (uint64, error) {
		n, err := retry(func() (int, error) { return f.inode.writev(blocks[:min(len(blocks), maxVec)]) })
		return uint64(n), err
	})
	if n > 0 {
		return int(n), nil
	}
	return 0, err
}

// retry repeats a host call that a signal of the Sentry's own interrupted. The
// error is an Errno.
func retry(call func() (int, error)) (int, error) {
	for {
		switch n, err := call(); err {
		case nil:
			return n, nil
		case unix.EINTR:
		default:
			return 0, errno(err)
		}
	}
}

// readv reads what is there, EAGAIN if that is nothing.
func (i *Inode) readv(b [][]byte) (int, error) {
	switch i.kind {
	case regular:
		return unix.Readv(i.fd, b)
	case socket:
		n, _, _, _, err := unix.RecvmsgBuffers(i.fd, b, nil, unix.MSG_DONTWAIT)
		return n, err
	}
	if !i.noNowait.Load() {
		n, err := unix.Preadv2(i.fd, b, -1, unix.RWF_NOWAIT)
		if !unsupported(err) {
			return n, err
		}
		i.noNowait.Store(true)
	}
	if i.poll(unix.POLLIN) == 0 && !i.returnsAtOnce() {
		return 0, unix.EAGAIN
	}
	return unix.Readv(i.fd, b)
}

// writev writes what is taken without waiting, EAGAIN if that is nothing.
func (i *Inode) writev(b [][]byte) (int, error) {
	switch i.kind {
	case regular:
		return unix.Writev(i.fd, b)
	case socket:
		return unix.SendmsgBuffers(i.fd, b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	}
	if !i.noNowait.Load() {
		n, err := unix.Pwritev2(i.fd, b, -1, unix.RWF_NOWAIT)
		if !unsupported(err) {
			return n, err
		}
		i.noNowait.Store(true)
	}
	if i.poll(unix.POLLOUT) == 0 {
		return 0, unix.EAGAIN
	}
	for _, part := range b {
		if len(part) > 0 {
			return unix.Write(i.fd, part[:min(len(part), maxBlindWrite)])
		}
	}
	return 0, nil
}

func unsupported(err error) bool {
	return err == unix.EOPNOTSUPP || err == unix.ENOSYS || err == unix.EINVAL || err == unix.ESPIPE
}

// returnsAtOnce reports whether a read without input does not wait: a terminal
// with VMIN 0, for VTIME at most.
func (i *Inode) returnsAtOnce() bool {
	if i.kind != terminal {
		return false
	}
	t, err := unix.IoctlGetTermios(i.fd, unix.TCGETS)
	return err == nil && t.Lflag&unix.ICANON == 0 && t.Cc[unix.VMIN] == 0
}

// poll asks the host which of events hold now, with errors and hangups.
func (i *Inode) poll(events int16) int16 {
	p := [1]unix.PollFd{{Fd: int32(i.fd), Events: events}}
	for {
		_, err := unix.Poll(p[:], 0)
		if err == unix.EINTR {
			continue
		}
		return p[0].Revents
	}
}

// Readiness implements vfs.Poller.
func (f *File) Readiness(mask wait.Events) wait.Events {
	const host = wait.In | wait.Pri | wait.Out | wait.RdNorm | wait.RdBand | wait.WrNorm | wait.WrBand | wait.RdHup
	got := f.inode.poll(int16(mask & host))
	return wait.Events(uint16(got)) & (mask | wait.Always)
}

// Queue implements vfs.Poller.
func (f *File) Queue() *wait.Queue { return &f.inode.queue }

// Ioctl implements vfs.Ioctler for what is not a terminal.
func (f *open) Ioctl(_ *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	switch linux.IoctlCmd(req) {
	case linux.FIONREAD:
		n, err := unix.IoctlGetInt(f.inode.fd, unix.TIOCINQ)
		if err != nil {
			return 0, errno(err)
		}
		return 0, tty.PutInt(mem, arg, int32(n))
	}
	return 0, linux.ENOTTY
}

// PReadAt implements vfs.Positioned.
func (f *Regular) PReadAt(dst *usermem.Seq, off int64) (int, error) {
	return f.at(dst, usermem.Write, off, unix.Preadv)
}

// PWriteAt implements vfs.Positioned. The host appends if that is how the
// descriptor was opened, as pwrite(2) does.
func (f *Regular) PWriteAt(src *usermem.Seq, off int64) (int, error) {
	return f.at(src, usermem.Read, off, unix.Pwritev)
}

// at moves s by a call with an offset; what has been moved wins over an error.
func (f *Regular) at(s *usermem.Seq, a usermem.Access, off int64, call func(int, [][]byte, int64) (int, error)) (int, error) {
	if s.Len() == 0 {
		return 0, nil
	}
	n, err := s.Blocks(a, func(blocks [][]byte) (uint64, error) {
		n, err := retry(func() (int, error) { return call(f.inode.fd, blocks[:min(len(blocks), maxVec)], off) })
		off += int64(n)
		return uint64(n), err
	})
	if n > 0 {
		return int(n), nil
	}
	return 0, err
}

// SeekTo implements vfs.Seeker: the offset is the host's.
func (f *Regular) SeekTo(off int64, whence int, _ int64) (int64, error) {
	n, err := unix.Seek(f.inode.fd, off, whence)
	if err != nil {
		return 0, errno(err)
	}
	return n, nil
}

// Sync implements vfs.Syncer.
func (f *Regular) Sync(dataOnly bool) error {
	sync := unix.Fsync
	if dataOnly {
		sync = unix.Fdatasync
	}
	if err := sync(f.inode.fd); err != nil {
		return errno(err)
	}
	return nil
}
