package mqueue

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// attrs is what the directory and the queues have alike.
type attrs struct {
	// immutable
	fs  *FS
	ino uint64

	state vfs.InodeState

	mu lock.Mutex[lock.Inode]
	// guarded by mu
	mode                linux.FileMode
	uid, gid            uint32
	atime, mtime, ctime int64
}

func newAttrs(fs *FS, ino uint64, mode linux.FileMode, uid, gid uint32) attrs {
	now := fs.now()
	return attrs{fs: fs, ino: ino, mode: mode, uid: uid, gid: gid, atime: now, mtime: now, ctime: now}
}

// VFSState implements vfs.Stateful.
func (a *attrs) VFSState() *vfs.InodeState { return &a.state }

// FileSystem implements vfs.Inode.
func (a *attrs) FileSystem() vfs.FileSystem { return a.fs }

func (a *attrs) attr() vfs.Attr {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.attrLocked()
}

func (a *attrs) attrLocked() vfs.Attr {
	return vfs.Attr{
		Ino: a.ino, Mode: a.mode, UID: a.uid, GID: a.gid, BlockSize: linux.PageSize,
		ATime: linux.TimespecFromNS(a.atime), MTime: linux.TimespecFromNS(a.mtime), CTime: linux.TimespecFromNS(a.ctime),
	}
}

// set changes all but the size.
func (a *attrs) set(s *vfs.SetAttr) {
	now := a.fs.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.Mask&vfs.SetMode != 0 {
		a.mode = a.mode.Type() | s.Mode.PermAndSticky()
	}
	if s.Mask&vfs.SetUID != 0 {
		a.uid = s.UID
	}
	if s.Mask&vfs.SetGID != 0 {
		a.gid = s.GID
	}
	if s.Mask&vfs.ClearSetID != 0 {
		a.mode &^= linux.S_ISUID | linux.S_ISGID
	}
	setTime(&a.atime, s.Mask, vfs.SetATime, vfs.SetATimeNow, s.ATime, now)
	setTime(&a.mtime, s.Mask, vfs.SetMTime, vfs.SetMTimeNow, s.MTime, now)
	a.ctime = now
}

func setTime(at *int64, mask, to, toNow vfs.SetMask, t linux.Timespec, now int64) {
	switch {
	case mask&toNow != 0:
		*at = now
	case mask&to != 0:
		*at = t.ToNS()
	}
}

// changed is for a directory that has got or lost a name.
func (a *attrs) changed() {
	now := a.fs.now()
	a.mu.Lock()
	a.atime, a.mtime, a.ctime = now, now, now
	a.mu.Unlock()
}
