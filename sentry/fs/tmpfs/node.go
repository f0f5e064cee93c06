package tmpfs

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// An inode is any of this package's inodes.
type inode interface {
	vfs.Inode
	base() *node
}

// A node is what all inodes have.
type node struct {
	// immutable
	fs    *FS
	ino   uint64
	kind  linux.FileMode // type bits
	btime int64

	state vfs.InodeState

	// atomic: reading changes no time until then (0: look at the times)
	readUntil atomic.Int64

	mu lock.Mutex[lock.FileData]
	// guarded by mu
	mode         linux.FileMode
	uid, gid     uint32
	nlink        uint32
	atime        int64
	mtime, ctime int64
	xattrs       map[string][]byte
	gone         bool // counted in the FS's inodes no more
}

// init makes n of a template, which has no lock yet.
func (n *node) init(t *node) {
	n.fs, n.ino, n.btime = t.fs, t.ino, t.btime
	n.kind = t.mode.Type()
	n.mode, n.uid, n.gid = t.mode, t.uid, t.gid
	n.atime, n.mtime, n.ctime = t.atime, t.mtime, t.ctime
}

func (n *node) base() *node { return n }

// FileSystem implements vfs.Inode.
func (n *node) FileSystem() vfs.FileSystem { return n.fs }

// Kind implements vfs.Kinded.
func (n *node) Kind() linux.FileMode { return n.kind }

// VFSState implements vfs.Stateful.
func (n *node) VFSState() *vfs.InodeState { return &n.state }

// attr returns the attributes that every inode has.
func (n *node) attr() vfs.Attr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.attrLocked()
}

func (n *node) attrLocked() vfs.Attr {
	return vfs.Attr{
		Ino: n.ino, Mode: n.mode, Nlink: n.nlink, UID: n.uid, GID: n.gid, BlockSize: pageSize,
		ATime: linux.TimespecFromNS(n.atime), MTime: linux.TimespecFromNS(n.mtime),
		CTime: linux.TimespecFromNS(n.ctime), BTime: linux.TimespecFromNS(n.btime),
	}
}

// setLocked changes what set names but for the size.
func (n *node) setLocked(set *vfs.SetAttr) {
	now := n.fs.now()
	if set.Mask&vfs.SetUID != 0 {
		n.uid = set.UID
	}
	if set.Mask&vfs.SetGID != 0 {
		n.gid = set.GID
	}
	if set.Mask&vfs.SetMode != 0 {
		n.mode = n.mode.Type() | set.Mode.PermAndSticky()
	}
	if set.Mask&vfs.ClearSetID != 0 {
		n.mode &^= linux.S_ISUID
		if n.mode&linux.S_IXGRP != 0 {
			n.mode &^= linux.S_ISGID
		}
	}
	switch {
	case set.Mask&vfs.SetATimeNow != 0:
		n.atime = now
	case set.Mask&vfs.SetATime != 0:
		n.atime = set.ATime.ToNS()
	}
	switch {
	case set.Mask&vfs.SetMTimeNow != 0:
		n.mtime = now
	case set.Mask&vfs.SetMTime != 0:
		n.mtime = set.MTime.ToNS()
	}
	n.changedLocked(now)
}

// setAttr implements SetAttr for everything without a size.
func (n *node) setAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		return linux.EINVAL
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.setLocked(set)
	return nil
}

const dayNS = 24 * 3600 * 1_000_000_000

// Accessed implements vfs.AccessTimer. Unless strict, a time of access that is
// later than the others holds for a day (relatime).
func (n *node) Accessed(strict bool) {
	now := n.fs.now()
	if !strict && now < n.readUntil.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if strict || n.atime <= n.mtime || n.atime <= n.ctime || now-n.atime >= dayNS {
		n.atime = now
	}
	if n.atime > n.mtime && n.atime > n.ctime {
		n.readUntil.Store(n.atime + dayNS)
	}
}

// changedLocked notes a change of the inode.
func (n *node) changedLocked(now int64) {
	n.ctime = now
	if n.readUntil.Load() != 0 {
		n.readUntil.Store(0)
	}
}

// modifiedLocked notes a change of the contents.
func (n *node) modifiedLocked(now int64) {
	n.mtime = now
	n.changedLocked(now)
}

// linked changes the number of names by by.
func (n *node) linked(by int) {
	now := n.fs.now()
	n.mu.Lock()
	n.nlink += uint32(by)
	n.changedLocked(now)
	n.mu.Unlock()
}

// unlinked reports, once, that the inode has no names, and uncounts it.
func (n *node) uncount() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nlink > 0 || n.gone {
		return false
	}
	n.gone = true
	n.fs.inodes.Add(^uint64(0))
	return true
}

// GetXattr implements vfs.XattrStore.
func (n *node) GetXattr(name string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, ok := n.xattrs[name]
	if !ok {
		return nil, linux.ENODATA
	}
	return slices.Clone(v), nil
}

// SetXattr implements vfs.XattrStore.
func (n *node) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.xattrs[name]
	if ok && flags&linux.XATTR_CREATE != 0 {
		return linux.EEXIST
	}
	if !ok && flags&linux.XATTR_REPLACE != 0 {
		return linux.ENODATA
	}
	size := len(name) + len(value)
	for k, v := range n.xattrs {
		if k != name {
			size += len(k) + len(v)
		}
	}
	if size > maxXattrs {
		return linux.ENOSPC
	}
	if n.xattrs == nil {
		n.xattrs = make(map[string][]byte)
	}
	n.xattrs[name] = append(make([]byte, 0, len(value)), value...)
	n.changedLocked(n.fs.now())
	return nil
}

// RemoveXattr implements vfs.XattrStore.
func (n *node) RemoveXattr(name string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.xattrs[name]; !ok {
		return linux.ENODATA
	}
	delete(n.xattrs, name)
	n.changedLocked(n.fs.now())
	return nil
}

// ListXattr implements vfs.XattrStore.
func (n *node) ListXattr() ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]string, 0, len(n.xattrs))
	for k := range n.xattrs {
		out = append(out, k)
	}
	slices.Sort(out)
	return out, nil
}

// A link is a symbolic link.
type link struct {
	node
	target string // immutable
}

// Attr implements vfs.Inode.
func (l *link) Attr() (vfs.Attr, error) {
	a := l.attr()
	a.Size = uint64(len(l.target))
	return a, nil
}

// SetAttr implements vfs.Inode.
func (l *link) SetAttr(set *vfs.SetAttr) error { return l.setAttr(set) }

// Open implements vfs.Inode: nobody opens a link.
func (l *link) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return nil, linux.ELOOP
}

// Readlink implements vfs.Symlink.
func (l *link) Readlink(*vfs.Caller) (string, error) { return l.target, nil }

// Evict implements vfs.Evicter.
func (l *link) Evict() { l.uncount() }

// A special is a device, a FIFO or a socket. The VFS opens what it stands for.
type special struct {
	node
	rdev uint64 // immutable
}

// Attr implements vfs.Inode.
func (s *special) Attr() (vfs.Attr, error) {
	a := s.attr()
	a.Rdev = s.rdev
	return a, nil
}

// SetAttr implements vfs.Inode.
func (s *special) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		set.Mask &^= vfs.SetSize // O_TRUNC of a FIFO or device does nothing
	}
	return s.setAttr(set)
}

// Open implements vfs.Inode.
func (s *special) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return nil, linux.ENXIO
}

// Evict implements vfs.Evicter.
func (s *special) Evict() { s.uncount() }
