// Package signalfd is files that signals are read from (signalfd(2)).
//
// # Objects
//
// A File is a mask. Whose signals it takes is decided at each read: the
// caller's, as in Linux. The caller's Job has to be a Source.
//
// # Locking
//
// The mask is atomic; the Source has its own locks.
//
// # Checkpoint
//
// Saved: the mask.
//
// # Differences
//
// Readiness is that of the process that made the file, not of whoever polls: an
// epoll instance handed to a child tells of the parent's signals, as in Linux,
// and so does poll(2) there, unlike Linux.
package signalfd

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A Source is a task as far as its pending signals go. task.Task implements it.
type Source interface {
	// TakeSignal removes and returns a pending signal of those in set, the
	// thread's own before the process's.
	TakeSignal(set linux.SigSet) (linux.SigInfo, bool)
	// HasSignal reports whether TakeSignal would find one.
	HasSignal(set linux.SigSet) bool
	// SignalQueue is notified (wait.In) when a signal becomes pending for the
	// process or one of its threads, blocked or not.
	SignalQueue() *wait.Queue
}

// A File is a description's signalfd.
type File struct {
	// immutable
	source Source // who made it

	// atomic
	mask atomic.Uint64 // linux.SigSet
}

var (
	_ vfs.CallerReader = (*File)(nil)
	_ vfs.Poller       = (*File)(nil)
)

// recordSize is the size of struct signalfd_siginfo.
const recordSize = 128

// New returns a signalfd of the signals in mask.
func New(source Source, mask linux.SigSet) *File {
	f := &File{source: source}
	f.SetMask(mask)
	return f
}

// SetMask replaces the signals. SIGKILL and SIGSTOP are left out silently, as
// in Linux.
func (f *File) SetMask(mask linux.SigSet) {
	mask.Del(linux.SIGKILL)
	mask.Del(linux.SIGSTOP)
	f.mask.Store(uint64(mask))
	f.source.SignalQueue().Notify(wait.In | wait.RdNorm)
}

// Mask returns the signals, for /proc/pid/fdinfo.
func (f *File) Mask() linux.SigSet { return linux.SigSet(f.mask.Load()) }

// SeekTo implements vfs.Seeker: there is nothing to seek in (Linux: noop_llseek).
func (*File) SeekTo(_ int64, _ int, current int64) (int64, error) { return current, nil }

// Release implements vfs.File.
func (*File) Release() {}

// ReadAs implements vfs.CallerReader: as many whole records as fit and are
// there.
func (f *File) ReadAs(c *vfs.Caller, dst *usermem.Seq) (int, error) {
	if dst.Len() < recordSize {
		return 0, linux.EINVAL
	}
	source := f.source
	if s, ok := c.Job.(Source); ok {
		source = s
	}
	done := 0
	for dst.Len() >= recordSize {
		info, ok := source.TakeSignal(f.Mask())
		if !ok {
			break
		}
		b := record(&info)
		if _, err := dst.CopyOut(b[:]); err != nil {
			if done == 0 {
				return 0, err
			}
			break
		}
		done += recordSize
	}
	if done == 0 {
		return 0, linux.EAGAIN
	}
	return done, nil
}

// Readiness implements vfs.Poller.
func (f *File) Readiness(mask wait.Events) wait.Events {
	if f.source.HasSignal(f.Mask()) {
		return (wait.In | wait.RdNorm) & mask
	}
	return 0
}

// Queue implements vfs.Poller.
func (f *File) Queue() *wait.Queue { return f.source.SignalQueue() }

// record lays info out as struct signalfd_siginfo (Linux: fs/signalfd.c
// signalfd_copyinfo).
func record(i *linux.SigInfo) (b [recordSize]byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(i.Signo))
	le.PutUint32(b[4:], uint32(i.Errno))
	le.PutUint32(b[8:], uint32(i.Code))
	pidUID := func() {
		le.PutUint32(b[12:], uint32(i.PID()))
		le.PutUint32(b[16:], i.UID())
	}
	switch {
	case i.Code == linux.SI_TIMER:
		le.PutUint32(b[24:], uint32(i.TimerID()))
		le.PutUint32(b[32:], uint32(i.Overrun()))
		le.PutUint64(b[48:], i.Value())
		le.PutUint32(b[44:], uint32(i.Value()))
	case i.Code == linux.SI_SIGIO || i.Signo == linux.SIGPOLL && !i.Code.FromUser():
		le.PutUint32(b[28:], uint32(i.Band()))
		le.PutUint32(b[20:], uint32(i.FD()))
	case i.Code.FromUser():
		pidUID()
		if i.Code != linux.SI_USER && i.Code != linux.SI_TKILL {
			le.PutUint64(b[48:], i.Value())
			le.PutUint32(b[44:], uint32(i.Value()))
		}
	case i.Code == linux.SI_KERNEL:
		pidUID()
	case i.Signo == linux.SIGCHLD:
		pidUID()
		le.PutUint32(b[40:], uint32(i.Status()))
		le.PutUint64(b[56:], uint64(i.Utime()))
		le.PutUint64(b[64:], uint64(i.Stime()))
	case i.Signo == linux.SIGSYS:
		le.PutUint32(b[84:], uint32(i.Syscall()))
		le.PutUint64(b[88:], i.CallAddr())
		le.PutUint32(b[96:], i.Arch())
	case i.Signo == linux.SIGSEGV || i.Signo == linux.SIGBUS || i.Signo == linux.SIGILL || i.Signo == linux.SIGFPE || i.Signo == linux.SIGTRAP:
		le.PutUint64(b[72:], i.Addr())
		if i.Signo == linux.SIGBUS && (i.Code == linux.BUS_MCEERR_AO || i.Code == linux.BUS_MCEERR_AR) {
			le.PutUint16(b[80:], uint16(i.AddrLsb()))
		}
	default:
		pidUID()
	}
	return b
}
