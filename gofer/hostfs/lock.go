package hostfs

import (
	"sync"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// lockKey is one owner of locks on one inode. An owner has an open file
// description of its own there, which is what flock(2) and F_OFD_SETLK lock
// for, so the locks of two owners exclude each other and host processes.
type lockKey struct {
	dev, ino, owner uint64
}

type lockTable struct {
	mu sync.Mutex

	// guarded by mu
	files map[lockKey]int
}

// maxLockFiles bounds the descriptors that locks hold.
const maxLockFiles = 1 << 16

func (t *lockTable) closeAll() {
	for _, fd := range t.files {
		unix.Close(fd)
	}
}

// withFile calls fn with the owner's description, made if need be. The table
// is locked meanwhile: nothing here waits.
func (f *fsys) withFile(n *node, owner uint64, fn func(fd int) error) linux.Errno {
	if !n.mode.IsRegular() {
		return linux.EINVAL
	}
	t := &f.locks
	t.mu.Lock()
	defer t.mu.Unlock()
	key := lockKey{n.dev, n.ino, owner}
	fd, ok := t.files[key]
	if !ok {
		if len(t.files) >= maxLockFiles {
			return linux.ENOLCK
		}
		var e linux.Errno
		fd, e = f.openData(n, unix.O_RDWR)
		if e != 0 {
			// A write lock on a range then fails with EBADF.
			fd, e = f.openData(n, unix.O_RDONLY)
		}
		if e != 0 {
			return e
		}
		t.files[key] = fd
	}
	return donate.Errno(fn(fd))
}

func flockT(q *donate.Request) *unix.Flock_t {
	return &unix.Flock_t{Type: int16(q.Mode), Start: int64(q.Offset), Len: int64(q.Length)}
}

func lock(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	switch q.Mode {
	case unix.F_RDLCK, unix.F_WRLCK, unix.F_UNLCK:
	default:
		return linux.EINVAL
	}
	return f.withFile(n, q.Owner, func(fd int) error {
		if q.Flags == donate.LockFlock {
			how := map[uint32]int{unix.F_RDLCK: unix.LOCK_SH, unix.F_WRLCK: unix.LOCK_EX, unix.F_UNLCK: unix.LOCK_UN}
			return unix.Flock(fd, how[q.Mode]|unix.LOCK_NB)
		}
		return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, flockT(q))
	})
}

func getLock(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	l := flockT(q)
	e := f.withFile(n, q.Owner, func(fd int) error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, l) })
	r.Lock = donate.Lock{Type: uint32(l.Type), Offset: uint64(l.Start), Length: uint64(l.Len)}
	return e
}

func unlockAll(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	f.locks.mu.Lock()
	defer f.locks.mu.Unlock()
	key := lockKey{n.dev, n.ino, q.Owner}
	if fd, ok := f.locks.files[key]; ok {
		unix.Close(fd)
		delete(f.locks.files, key)
	}
	return 0
}
