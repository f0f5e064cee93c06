package syscalls

import (
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/pipe"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// copyChunk is how much one step of a copy between two files moves.
const copyChunk = 128 << 10

// copyBuffers are used again: most copies are small, and fresh memory is zeroed.
var copyBuffers = sync.Pool{New: func() any { return new([copyChunk]byte) }}

// A cursor is a file and where a copy stands in it: at an offset that the
// caller keeps, or at the description's own.
type cursor struct {
	by  *vfs.Caller
	d   *vfs.Description
	ptr arg.InOut[int64] // the caller's offset; 0: the description's
	at  int64
}

// load reads the caller's offset. EINVAL: it is negative.
func (c *cursor) load(t *task.Task) (err error) {
	if c.ptr == 0 {
		return nil
	}
	if c.at, err = c.ptr.Load(t.MM()); err == nil && c.at < 0 {
		err = linux.EINVAL
	}
	return err
}

// store writes the caller's offset back.
func (c *cursor) store(t *task.Task) error {
	if c.ptr == 0 {
		return nil
	}
	return c.ptr.Store(t.MM(), &c.at)
}

func (c *cursor) read(b []byte) (int, error) {
	s := usermem.OfBytes(b)
	if c.ptr == 0 {
		return c.d.Read(c.by, &s)
	}
	n, err := c.d.PRead(c.by, &s, c.at)
	c.at += int64(max(n, 0))
	return n, err
}

func (c *cursor) write(b []byte) (int, error) {
	s := usermem.OfBytes(b)
	if c.ptr == 0 {
		return c.d.Write(c.by, &s)
	}
	n, err := c.d.PWrite(c.by, &s, c.at)
	c.at += int64(max(n, 0))
	return n, err
}

// transfer runs try until it moves something or fails, sleeping in between
// until one of the files has something to say. by is whom try acts for.
func transfer(t *task.Task, by *vfs.Caller, in, out *vfs.Description, nonblock bool, try func() (int, error)) (uintptr, error) {
	n, err := try()
	if err == linux.EAGAIN && !nonblock {
		for d, mask := range map[*vfs.Description]wait.Events{in: waitIn, out: waitOut} {
			if d == nil || d.Queue() == nil {
				continue
			}
			e := t.Waker(mask)
			d.Queue().Add(e)
			defer d.Queue().Remove(e)
		}
		if t.Sleep(nil, task.NoDeadline, func() bool {
			n, err = try()
			return err != linux.EAGAIN
		}) != nil {
			return 0, task.RestartSys
		}
	}
	return written(t, by, uint64(max(n, 0)), err)
}

// twoFiles looks up a source and a sink.
func twoFiles(t *task.Task, from, to linux.FD) (in, out vfs.Borrowed, err error) {
	if in, err = readable(t, from); err != nil {
		return in, out, err
	}
	if out, err = writable(t, to); err != nil {
		in.DecRef()
	}
	return in, out, err
}

// sysSendfile is sendfile(2).
func sysSendfile(t *task.Task, to, from linux.FD, off arg.InOut[int64], n arg.Size) (uintptr, error) {
	src := cursor{ptr: off}
	if off != 0 {
		var err error
		if src.at, err = off.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	in, out, err := twoFiles(t, from, to)
	if err != nil {
		return 0, err
	}
	defer in.DecRef()
	defer out.DecRef()
	switch {
	case off != 0 && !in.Seekable():
		return 0, linux.ESPIPE
	case !in.Seekable(), in.Path().Dentry.IsDir(), int64(n) < 0, src.at < 0, out.Flags()&linux.O_APPEND != 0:
		return 0, linux.EINVAL
	}
	src.d = in.Description
	if off == 0 {
		src.at = in.Offset()
	}
	done, err := sendAll(t, &src, out.Description, min(uint64(n), usermem.MaxIO))
	if off != 0 {
		if err := src.store(t); err != nil {
			return 0, err
		}
	} else if done > 0 {
		_ = in.WithOffset(func(int64) (int64, error) { return src.at, nil })
	}
	return result1(done, err)
}

// sendAll moves n bytes from src.at on to out, at its own offset. src.at ends
// behind the last byte that out took.
func sendAll(t *task.Task, src *cursor, out *vfs.Description, n uint64) (int, error) {
	buf := copyBuffers.Get().(*[copyChunk]byte)
	defer copyBuffers.Put(buf)
	done := 0
	for uint64(done) < n {
		b := buf[:min(uint64(len(buf)), n-uint64(done))]
		seq := usermem.OfBytes(b)
		got, err := src.d.PRead(t.Caller(), &seq, src.at)
		if got <= 0 {
			return done, err
		}
		seq = usermem.OfBytes(b[:got])
		put, err := write(t, out, &seq)
		if err != nil {
			return done, err
		}
		done += int(put)
		src.at += int64(put)
		if int(put) < got || t.Pressing() {
			break
		}
	}
	return done, nil
}

const (
	spliceNonblock = 2
	spliceKnown    = 0xf // MOVE, NONBLOCK, MORE, GIFT
)

// pipeOf returns the pipe end behind d, nil for another file.
func pipeOf(d *vfs.Description) *pipe.End {
	e, _ := d.File().(*pipe.End)
	return e
}

// sysSplice is splice(2).
func sysSplice(t *task.Task, from linux.FD, inOff arg.InOut[int64], to linux.FD, outOff arg.InOut[int64], n arg.Size, flags linux.SpliceFlags) (uintptr, error) {
	if n == 0 {
		return 0, nil
	}
	if flags&^spliceKnown != 0 {
		return 0, linux.EINVAL
	}
	in, out, err := twoFiles(t, from, to)
	if err != nil {
		return 0, err
	}
	defer in.DecRef()
	defer out.DecRef()
	r, w := pipeOf(in.Description), pipeOf(out.Description)
	switch {
	case r != nil && inOff != 0, w != nil && outOff != 0:
		return 0, linux.ESPIPE
	case r == nil && w == nil, inOff != 0 && !in.Seekable(), outOff != 0 && !out.Seekable(),
		w == nil && out.Flags()&linux.O_APPEND != 0, w == nil && out.Path().Dentry.IsDir(), r == nil && in.Path().Dentry.IsDir():
		return 0, linux.EINVAL
	}
	nonblock := flags&spliceNonblock != 0 || in.Nonblocking() || out.Nonblocking()
	k := int(min(uint64(n), usermem.MaxIO))
	by := t.Caller()
	src, dst := cursor{by: by, d: in.Description, ptr: inOff}, cursor{by: by, d: out.Description, ptr: outOff}
	if err := src.load(t); err != nil {
		return 0, err
	}
	if err := dst.load(t); err != nil {
		return 0, err
	}
	done, err := transfer(t, by, in.Description, out.Description, nonblock, func() (int, error) {
		switch {
		case r != nil && w != nil:
			return pipe.Move(r, w, k)
		case r != nil:
			return r.SpliceTo(k, dst.write)
		}
		return w.SpliceFrom(k, src.read)
	})
	if err == nil {
		if err = src.store(t); err == nil {
			err = dst.store(t)
		}
	}
	return done, err
}

// sysTee is tee(2).
func sysTee(t *task.Task, from, to linux.FD, n arg.Size, flags linux.SpliceFlags) (uintptr, error) {
	if flags&^spliceKnown != 0 {
		return 0, linux.EINVAL
	}
	if n == 0 {
		return 0, nil
	}
	in, out, err := twoFiles(t, from, to)
	if err != nil {
		return 0, err
	}
	defer in.DecRef()
	defer out.DecRef()
	r, w := pipeOf(in.Description), pipeOf(out.Description)
	if r == nil || w == nil {
		return 0, linux.EINVAL
	}
	nonblock := flags&spliceNonblock != 0 || in.Nonblocking() || out.Nonblocking()
	return transfer(t, t.Caller(), in.Description, out.Description, nonblock, func() (int, error) { return pipe.Tee(r, w, int(min(uint64(n), usermem.MaxIO))) })
}

// sysVmsplice is vmsplice(2). Unlike Linux it copies: a later change of the
// memory does not show in the pipe.
func sysVmsplice(t *task.Task, fd linux.FD, iov arg.InVec, n arg.Size, flags linux.SpliceFlags) (uintptr, error) {
	if flags&^spliceKnown != 0 {
		return 0, linux.EINVAL
	}
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	e := pipeOf(d)
	if e == nil || !d.Writable() && !d.Readable() {
		return 0, linux.EBADF
	}
	mem, err := iov.Seq(t.MM(), uint64(n))
	if err != nil || mem.Len() == 0 {
		return 0, err
	}
	nonblock := flags&spliceNonblock != 0 || d.Nonblocking()
	k := int(mem.Len())
	if d.Writable() {
		return transfer(t, t.Caller(), nil, d, nonblock, func() (int, error) { return e.SpliceFrom(k, mem.CopyIn) })
	}
	return transfer(t, t.Caller(), d, nil, nonblock, func() (int, error) { return e.SpliceTo(k, mem.CopyOut) })
}

// sysCopyFileRange is copy_file_range(2), between any two file systems.
func sysCopyFileRange(t *task.Task, from linux.FD, inOff arg.InOut[int64], to linux.FD, outOff arg.InOut[int64], n arg.Size, flags uint32) (uintptr, error) {
	in, out, err := twoGiven(t, from, to)
	if err != nil {
		return 0, err
	}
	defer in.DecRef()
	defer out.DecRef()
	by := t.Caller()
	src, dst := cursor{by: by, d: in, ptr: inOff}, cursor{by: by, d: out, ptr: outOff}
	for _, c := range []*cursor{&src, &dst} {
		if c.ptr == 0 {
			c.at = c.d.Offset()
		} else if c.at, err = c.ptr.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	if flags != 0 {
		return 0, linux.EINVAL
	}
	count, err := copyCheck(&src, &dst, uint64(n))
	if err != nil || count == 0 {
		return 0, err
	}
	done, err := copyRange(t, &src, &dst, count)
	if done > 0 {
		for _, c := range []*cursor{&src, &dst} {
			if c.ptr == 0 {
				err = c.d.WithOffset(func(int64) (int64, error) { return c.at, nil })
			} else {
				err = c.store(t)
			}
			if err != nil {
				return 0, err
			}
		}
		return uintptr(done), nil
	}
	return written(t, by, 0, err)
}

// twoGiven looks two descriptors up whatever they were opened for.
func twoGiven(t *task.Task, from, to linux.FD) (in, out *vfs.Description, err error) {
	if in, err = get(t, from); err != nil {
		return nil, nil, err
	}
	if out, err = get(t, to); err != nil {
		in.DecRef()
		return nil, nil, err
	}
	return in, out, nil
}

// copyCheck returns how much of n bytes there is to copy (Linux: fs/read_write.c
// generic_copy_file_checks).
func copyCheck(src, dst *cursor, n uint64) (uint64, error) {
	for _, c := range []*cursor{src, dst} {
		if c.d.Path().Dentry.IsDir() {
			return 0, linux.EISDIR
		}
	}
	for _, c := range []*cursor{src, dst} {
		if !c.d.Path().Dentry.Kind().IsRegular() {
			return 0, linux.EINVAL
		}
	}
	if !src.d.Readable() || !dst.d.Writable() || dst.d.Flags()&linux.O_APPEND != 0 {
		return 0, linux.EBADF
	}
	if src.at < 0 || dst.at < 0 {
		return 0, linux.EINVAL
	}
	if int64(n) < 0 || src.at+int64(n) < 0 || dst.at+int64(n) < 0 {
		return 0, linux.EOVERFLOW
	}
	a, err := src.d.Inode().Attr()
	if err != nil {
		return 0, err
	}
	if uint64(src.at) >= a.Size {
		return 0, nil
	}
	n = min(n, a.Size-uint64(src.at), usermem.MaxIO)
	if src.d.Inode() == dst.d.Inode() && uint64(dst.at) < uint64(src.at)+n && uint64(src.at) < uint64(dst.at)+n {
		return 0, linux.EINVAL
	}
	return n, nil
}

func copyRange(t *task.Task, src, dst *cursor, n uint64) (int, error) {
	buf := copyBuffers.Get().(*[copyChunk]byte)
	defer copyBuffers.Put(buf)
	done := 0
	for uint64(done) < n {
		b := buf[:min(uint64(len(buf)), n-uint64(done))]
		seq := usermem.OfBytes(b)
		got, err := src.d.PRead(src.by, &seq, src.at)
		if got <= 0 {
			return done, err
		}
		seq = usermem.OfBytes(b[:got])
		put, err := dst.d.PWrite(dst.by, &seq, dst.at)
		if put <= 0 {
			return done, err
		}
		done += put
		src.at += int64(put)
		dst.at += int64(put)
		if put < got || t.Pressing() {
			break
		}
	}
	return done, nil
}
