package hostfs

import (
	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// setAttr applies every change that q asks for, in the order that keeps them
// from undoing each other, and stops at the first that fails.
func setAttr(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	s := &q.SetAttr
	if s.Mask&donate.SetSize != 0 {
		if e := f.truncate(n, s.Size); e != 0 {
			return e
		}
	}
	if s.Mask&(donate.SetUID|donate.SetGID) != 0 {
		uid, gid := -1, -1
		if s.Mask&donate.SetUID != 0 {
			uid = int(s.UID)
		}
		if s.Mask&donate.SetGID != 0 {
			gid = int(s.GID)
		}
		if err := unix.Fchownat(n.fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return donate.Errno(err)
		}
	}
	if s.Mask&donate.SetMode != 0 {
		if n.mode.IsSymlink() {
			return linux.EOPNOTSUPP
		}
		if err := unix.Fchmodat(f.procFD, n.procName(), s.Mode&0o7777, 0); err != nil {
			return donate.Errno(err)
		}
	}
	if s.Mask&(donate.SetAtime|donate.SetAtimeNow|donate.SetMtime|donate.SetMtimeNow) != 0 {
		ts := []unix.Timespec{
			timespec(s.Mask, donate.SetAtime, donate.SetAtimeNow, s.Atime),
			timespec(s.Mask, donate.SetMtime, donate.SetMtimeNow, s.Mtime),
		}
		if err := unix.UtimesNanoAt(f.procFD, n.procName(), ts, 0); err != nil {
			return donate.Errno(err)
		}
	}
	return f.statReply(n, r)
}

// timespec is one of utimensat(2)'s times.
func timespec(mask, set, now donate.SetMask, t donate.Time) unix.Timespec {
	switch {
	case mask&now != 0:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	case mask&set != 0:
		return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
	}
	return unix.Timespec{Nsec: unix.UTIME_OMIT}
}

func (f *fsys) truncate(n *node, size uint64) linux.Errno {
	if size > 1<<63-1 {
		return linux.EFBIG
	}
	fd, e := f.openData(n, unix.O_WRONLY)
	if e != 0 {
		return e
	}
	defer unix.Close(fd)
	return donate.Errno(unix.Ftruncate(fd, int64(size)))
}
