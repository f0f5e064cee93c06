package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

const (
	waitIn  = wait.In | wait.RdNorm | wait.RdHup
	waitOut = wait.Out | wait.WrNorm
)

// borrow returns fd's description for the time of the call.
func borrow(t *task.Task, fd linux.FD) (vfs.Borrowed, error) {
	d := t.FDs().Borrow(fd)
	if d.Description == nil {
		return d, linux.EBADF
	}
	return d, nil
}

// readable returns fd's description for reading.
func readable(t *task.Task, fd linux.FD) (vfs.Borrowed, error) {
	d, err := borrow(t, fd)
	if err == nil && !d.Readable() {
		d.DecRef()
		return vfs.Borrowed{}, linux.EBADF
	}
	return d, err
}

func writable(t *task.Task, fd linux.FD) (vfs.Borrowed, error) {
	d, err := borrow(t, fd)
	if err == nil && !d.Writable() {
		d.DecRef()
		return vfs.Borrowed{}, linux.EBADF
	}
	return d, err
}

// A sequence is memory of the guest's: a buffer, or a vector of them.
type sequence interface {
	Seq(m *mm.MemoryManager, n uint64) (usermem.Seq, error)
}

// lent returns fd's description, if it can be used so, and the memory to read into
// or to write from.
func lent[S sequence](t *task.Task, use func(*task.Task, linux.FD) (vfs.Borrowed, error), fd linux.FD, mem S, n arg.Size) (vfs.Borrowed, *usermem.Seq, error) {
	d, err := use(t, fd)
	if err != nil {
		return d, nil, err
	}
	seq := t.Buffers()
	if *seq, err = mem.Seq(t.MM(), uint64(n)); err != nil {
		d.DecRef()
		return vfs.Borrowed{}, nil, err
	}
	return d, seq, nil
}

// sysRead is read(2).
func sysRead(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Size) (uintptr, error) {
	d, seq, err := lent(t, readable, fd, buf, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return read(t, d.Description, seq)
}

func read(t *task.Task, d *vfs.Description, dst *usermem.Seq) (uintptr, error) {
	if s, isSocket := d.File().(socket.Socket); isSocket {
		return readSocket(t, s, d, dst)
	}
	c := t.Caller()
	k, err := d.Read(c, dst)
	if err != linux.EAGAIN || k > 0 || d.Nonblocking() {
		return result1(k, err)
	}
	return t.IO(d, waitIn, func() (int, error) { return d.Read(t.Caller(), dst) })
}

// result1 is a count that wins over an error.
func result1(n int, err error) (uintptr, error) {
	if n > 0 {
		return uintptr(n), nil
	}
	return 0, restartable(err)
}

// restartable turns the file layer's wish to run a call again after a signal
// (a background read of a terminal) into a restart.
func restartable(err error) error {
	if err == vfs.ErrRestart {
		return task.RestartSys
	}
	return err
}

// sysReadv is readv(2).
func sysReadv(t *task.Task, fd linux.FD, iov arg.OutVec, n arg.Size) (uintptr, error) {
	d, seq, err := lent(t, readable, fd, iov, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return read(t, d.Description, seq)
}

// sysPread64 is pread(2).
func sysPread64(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Size, off arg.Off) (uintptr, error) {
	return pread(t, fd, buf, n, off, 0)
}

// sysPreadv is preadv(2). On amd64 the offset is one register.
func sysPreadv(t *task.Task, fd linux.FD, iov arg.OutVec, n arg.Size, off arg.Off, _ arg.Off) (uintptr, error) {
	return pread(t, fd, iov, n, off, 0)
}

// rwKnown are the flags of preadv2 and pwritev2 that need no support of the
// file: what they ask for is true of every file here.
const rwKnown = linux.RWF_HIPRI | linux.RWF_DSYNC | linux.RWF_SYNC | linux.RWF_NOWAIT | linux.RWF_APPEND | linux.RWF_NOAPPEND

// sysPreadv2 is preadv2(2).
func sysPreadv2(t *task.Task, fd linux.FD, iov arg.OutVec, n arg.Size, off arg.Off, _ arg.Off, flags linux.RWFlags) (uintptr, error) {
	if off == -1 {
		if flags&^rwKnown != 0 {
			return 0, linux.EOPNOTSUPP
		}
		d, seq, err := lent(t, readable, fd, iov, n)
		if err != nil {
			return 0, err
		}
		defer d.DecRef()
		if flags&linux.RWF_NOWAIT != 0 {
			k, err := d.Read(t.Caller(), seq)
			return result1(k, err)
		}
		return read(t, d.Description, seq)
	}
	return pread(t, fd, iov, n, off, flags)
}

func pread[S sequence](t *task.Task, fd linux.FD, mem S, n arg.Size, off arg.Off, flags linux.RWFlags) (uintptr, error) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	if flags&^rwKnown != 0 {
		return 0, linux.EOPNOTSUPP
	}
	d, seq, err := lent(t, readable, fd, mem, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	k, err := d.PRead(t.Caller(), seq, int64(off))
	return result1(k, err)
}

// sysWrite is write(2).
func sysWrite(t *task.Task, fd linux.FD, buf arg.InBytes, n arg.Size) (uintptr, error) {
	d, seq, err := lent(t, writable, fd, buf, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return write(t, d.Description, seq)
}

// write is a write at the description's offset. A blocking stream is written
// to until all has gone or something stops it.
func write(t *task.Task, d *vfs.Description, src *usermem.Seq) (uintptr, error) {
	if s, isSocket := d.File().(socket.Socket); isSocket {
		return writeSocket(t, s, d, src)
	}
	total := src.Len()
	c := t.Caller()
	if done := t.Begun(); done > 0 {
		src.Skip(done)
		return writeRest(t, c, d, src, done, total)
	}
	k, err := d.Write(c, src)
	if !d.Nonblocking() && (err == linux.EAGAIN || err == nil && uint64(k) < total && d.Queue() != nil && !d.Seekable()) {
		return writeRest(t, c, d, src, uint64(k), total)
	}
	return written(t, c, uint64(k), err)
}

// writeRest writes what is left of total bytes, of which done have gone.
func writeRest(t *task.Task, c *vfs.Caller, d *vfs.Description, src *usermem.Seq, done, total uint64) (uintptr, error) {
	_, err := t.IO(d, waitOut, func() (int, error) {
		k, err := d.Write(t.Caller(), src)
		done += uint64(k)
		if err == nil && done < total {
			err = linux.EAGAIN
		}
		if err == linux.EAGAIN {
			return 0, err
		}
		return int(done), err
	})
	if done > 0 && err == task.RestartSys {
		return t.CutShort(done)
	}
	return written(t, c, done, err)
}

// written is a write's result, with the signal that its error calls for.
func written(t *task.Task, c *vfs.Caller, done uint64, err error) (uintptr, error) {
	if done > 0 {
		return uintptr(done), nil
	}
	switch {
	case err == linux.EPIPE:
		t.Send(userInfo(t, linux.SIGPIPE, linux.SI_USER))
	case err == linux.EFBIG && c.FileSizeHit:
		t.Send(userInfo(t, linux.SIGXFSZ, linux.SI_USER))
	}
	return 0, restartable(err)
}

// sysWritev is writev(2).
func sysWritev(t *task.Task, fd linux.FD, iov arg.InVec, n arg.Size) (uintptr, error) {
	d, seq, err := lent(t, writable, fd, iov, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	return write(t, d.Description, seq)
}

// sysPwrite64 is pwrite(2).
func sysPwrite64(t *task.Task, fd linux.FD, buf arg.InBytes, n arg.Size, off arg.Off) (uintptr, error) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	return pwrite(t, fd, buf, n, off, 0)
}

// sysPwritev is pwritev(2).
func sysPwritev(t *task.Task, fd linux.FD, iov arg.InVec, n arg.Size, off arg.Off, _ arg.Off) (uintptr, error) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	return pwrite(t, fd, iov, n, off, 0)
}

// sysPwritev2 is pwritev2(2).
func sysPwritev2(t *task.Task, fd linux.FD, iov arg.InVec, n arg.Size, off arg.Off, _ arg.Off, flags linux.RWFlags) (uintptr, error) {
	if flags&^rwKnown != 0 {
		return 0, linux.EOPNOTSUPP
	}
	if flags&linux.RWF_APPEND != 0 && flags&linux.RWF_NOAPPEND != 0 || off < -1 {
		return 0, linux.EINVAL
	}
	return pwrite(t, fd, iov, n, off, flags)
}

func pwrite[S sequence](t *task.Task, fd linux.FD, mem S, n arg.Size, off arg.Off, flags linux.RWFlags) (uintptr, error) {
	d, seq, err := lent(t, writable, fd, mem, n)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	if off == -1 && !d.Seekable() {
		return write(t, d.Description, seq)
	}
	c := t.Caller()
	k, err := d.PWriteFlags(c, seq, int64(off), flags)
	if err == nil && flags&(linux.RWF_SYNC|linux.RWF_DSYNC) != 0 {
		err = d.Sync(flags&linux.RWF_SYNC == 0)
	}
	return written(t, c, uint64(k), err)
}

// sysLseek is lseek(2).
func sysLseek(t *task.Task, fd linux.FD, off arg.Off, whence linux.Whence) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	n, err := d.SeekTo(int64(off), whence)
	return uintptr(n), err
}
