package mqueue

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A File is an open queue. It keeps nothing.
type File struct{ queue *Queue }

var (
	_ vfs.CallerReaderAt = (*File)(nil)
	_ vfs.Seeker         = (*File)(nil)
	_ vfs.Poller         = (*File)(nil)
	_ vfs.Flusher        = (*File)(nil)
	_ vfs.Syncer         = (*File)(nil)
	_ vfs.Reopened       = (*File)(nil)
)

// Of returns the queue.
func (f *File) Of() *Queue { return f.queue }

// Release implements vfs.File.
func (*File) Release() {}

// Reopened implements vfs.Reopened.
func (*File) Reopened() {}

// Flush implements vfs.Flusher: a process that closes any descriptor of the queue
// is not told any more.
func (f *File) Flush(from *vfs.FDTable) {
	f.queue.forget(func(r *registration) bool { return r.to.UsesFDs(from) })
}

// ReadAtAs implements vfs.CallerReaderAt: the queue's state as a line.
func (f *File) ReadAtAs(c *vfs.Caller, dst *usermem.Seq, off int64) (int, error) {
	q := f.queue
	q.mu.Lock()
	r, used := q.told, q.used
	q.mu.Unlock()
	var kind, signo, pid int32
	if r != nil {
		kind, pid = int32(r.Kind), r.to.ID()
		if c.Job != nil {
			pid = c.Job.FromRootPID(pid)
		}
		if r.Kind == linux.SIGEV_SIGNAL {
			signo = int32(r.Signo)
		}
	}
	line := fmt.Appendf(nil, "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", used, kind, signo, pid)
	if len(line) >= statusSize {
		line = line[:statusSize-1]
	}
	if off >= int64(len(line)) {
		return 0, nil
	}
	n, err := dst.CopyOut(line[off:])
	if n > 0 {
		q.touch()
	}
	return n, err
}

// SeekTo implements vfs.Seeker (Linux: default_llseek).
func (f *File) SeekTo(off int64, whence int, current int64) (int64, error) {
	f.queue.mu.Lock()
	size := int64(f.queue.size)
	f.queue.mu.Unlock()
	switch linux.Whence(whence) {
	case linux.SEEK_CUR:
		off += current
	case linux.SEEK_END:
		off += size
	case linux.SEEK_DATA:
		if off >= size {
			return 0, linux.ENXIO
		}
	case linux.SEEK_HOLE:
		if off >= size {
			return 0, linux.ENXIO
		}
		off = size
	}
	if off < 0 {
		return 0, linux.EINVAL
	}
	return off, nil
}

// Sync implements vfs.Syncer: there is nothing to write back, and no call for it.
func (*File) Sync(bool) error { return linux.EINVAL }

// Readiness implements vfs.Poller.
func (f *File) Readiness(mask wait.Events) wait.Events { return f.queue.readiness(mask) }

// Queue implements vfs.Poller.
func (f *File) Queue() *wait.Queue { return &f.queue.queue }
