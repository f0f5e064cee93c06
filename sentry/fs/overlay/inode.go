package overlay

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// Inode is an object of the merged tree that is no directory.
//
// Its data and metadata come from, the first that there is: upper and nlink;
// own, with the data of lower; lower.
type Inode struct {
	// immutable
	fs     *FS
	kind   linux.FileMode
	ino    uint64
	target string    // of a symbolic link made here
	below  []layered // the directories that it merges, if it is one

	// atomic
	vstate vfs.InodeState
	content

	// copying is held across the copy of the data.
	copying lock.Mutex[lock.InodeData]

	mu lock.Mutex[lock.Inode]

	// guarded by mu
	own     *vfs.Attr         // without Ino and Nlink
	xattrs  map[string][]byte // instead of lower's, if own is there
	nlink   uint32
	pinned  bool   // differs from lower: never evicted while it has a name
	parent  *Inode // with name, a place where it is
	name    string
	changes map[string]change // of a directory
	subdirs int               // directories among changes that lower layers do not have
}

// A change is what a directory has under a name instead of its lower layers.
type change struct {
	in     *Inode // nil: a whiteout
	covers bool   // a lower layer has the name
}

// FileSystem implements vfs.Inode.
func (in *Inode) FileSystem() vfs.FileSystem { return in.fs }

// Kind implements vfs.Kinded.
func (in *Inode) Kind() linux.FileMode { return in.kind }

// VFSState implements vfs.Stateful.
func (in *Inode) VFSState() *vfs.InodeState { return &in.vstate }

func (in *Inode) outer() vfs.Inode {
	if in.kind == linux.S_IFDIR {
		return (*Dir)(in)
	}
	return in
}

func inodeOf(i vfs.Inode) *Inode {
	switch i := i.(type) {
	case *Inode:
		return i
	case *Dir:
		return (*Inode)(i)
	}
	return nil
}

// holdLower keeps the lower inodes from being evicted.
func (in *Inode) holdLower() {
	vfs.HoldInode(in.lower)
	for i := 1; i < len(in.below); i++ {
		vfs.HoldInode(in.below[i].inode)
	}
}

// Evict implements vfs.Evicter.
func (in *Inode) Evict() {
	in.mu.Lock()
	keep := in.pinned
	gone := in.nlink == 0
	in.mu.Unlock()
	if keep {
		return
	}
	if in.lower != nil {
		in.fs.mu.Lock()
		known := in.fs.knownLocked(in.lower) == in
		if known {
			in.fs.knowLocked(in.lower, nil)
		}
		in.fs.mu.Unlock()
		if known {
			vfs.DropInode(in.lower)
			for i := 1; i < len(in.below); i++ {
				vfs.DropInode(in.below[i].inode)
			}
		}
	}
	if u := in.upper.Load(); u != nil && gone {
		vfs.DropInode(u.Inode)
	}
}

// pin keeps in, and the directories above, from being looked up anew in the
// lower layers: it differs from them now.
func (in *Inode) pin() {
	for in != nil {
		in.mu.Lock()
		done := in.pinned || in.nlink == 0
		if !done {
			in.pinned = true
		}
		p, name := in.parent, in.name
		in.mu.Unlock()
		if done || p == nil {
			return
		}
		p.mu.Lock()
		if _, ok := p.changes[name]; !ok {
			p.putLocked(name, change{in, true})
		}
		p.mu.Unlock()
		in = p
	}
}

func (in *Inode) putLocked(name string, c change) {
	if in.changes == nil {
		in.changes = make(map[string]change)
	}
	in.changes[name] = c
}

// Attr implements vfs.Inode.
func (in *Inode) Attr() (vfs.Attr, error) {
	in.mu.Lock()
	own := in.own != nil
	var a vfs.Attr
	if own {
		a = *in.own
	}
	nlink := in.nlink
	merged := in.kind == linux.S_IFDIR && len(in.below) > 0
	if in.kind == linux.S_IFDIR && !merged && nlink > 0 {
		nlink = 2 + uint32(in.subdirs)
	}
	pinned := in.pinned
	in.mu.Unlock()
	if u := in.upper.Load(); u != nil {
		b, err := u.Attr()
		b.Ino, b.Nlink = in.ino, nlink
		return b, err
	}
	if !own || in.kind == linux.S_IFREG {
		b, err := in.lower.Attr()
		if err != nil {
			return b, err
		}
		if own {
			a.Size, a.Blocks = b.Size, b.Blocks
		} else {
			a = b
		}
	}
	a.Ino, a.Nlink = in.ino, nlink
	if merged && pinned && nlink > 0 {
		// As in Linux, a merged directory does not count its subdirectories.
		a.Nlink = 1
	}
	return a, nil
}

// differ makes in keep its own metadata.
func (in *Inode) differ() error {
	in.mu.Lock()
	done := in.own != nil
	in.mu.Unlock()
	if !done {
		a, err := in.lower.Attr()
		if err != nil {
			return err
		}
		x, err := copyXattrs(in.lower)
		if err != nil {
			return err
		}
		in.mu.Lock()
		if in.own == nil {
			in.own, in.xattrs = &a, x
		}
		in.mu.Unlock()
	}
	in.pin()
	return nil
}

// SetAttr implements vfs.Inode.
func (in *Inode) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		if in.kind != linux.S_IFREG {
			return linux.EINVAL
		}
		if err := in.copyUp(set.Size, nil); err != nil {
			return err
		}
	}
	if u := in.upper.Load(); u != nil {
		return u.SetAttr(set)
	}
	if err := in.differ(); err != nil {
		return err
	}
	in.copying.Lock()
	defer in.copying.Unlock()
	if u := in.upper.Load(); u != nil {
		return u.SetAttr(set) // copied meanwhile
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	applyAttr(in.own, set, in.fs.now())
	return nil
}

// applyAttr makes the changes that set names, apart from the size.
func applyAttr(a *vfs.Attr, set *vfs.SetAttr, now linux.Timespec) {
	m := set.Mask
	if m&vfs.SetMode != 0 {
		a.Mode = a.Mode.Type() | set.Mode.PermAndSticky()
	}
	if m&vfs.ClearSetID != 0 {
		a.Mode &^= linux.S_ISUID
		if a.Mode&linux.S_IXGRP != 0 {
			a.Mode &^= linux.S_ISGID
		}
	}
	if m&vfs.SetUID != 0 {
		a.UID = set.UID
	}
	if m&vfs.SetGID != 0 {
		a.GID = set.GID
	}
	if m&vfs.SetATime != 0 {
		a.ATime = set.ATime
	}
	if m&vfs.SetATimeNow != 0 {
		a.ATime = now
	}
	if m&vfs.SetMTime != 0 {
		a.MTime = set.MTime
	}
	if m&vfs.SetMTimeNow != 0 {
		a.MTime = now
	}
	a.CTime = now
}

// touch notes that names of the directory have changed.
func (in *Inode) touch() {
	if in.differ() != nil {
		return // the lower layer fails: its times are nobody's concern
	}
	in.mu.Lock()
	now := in.fs.now()
	in.own.MTime, in.own.CTime = now, now
	in.mu.Unlock()
}

// relink adds by to the names that in has.
func (in *Inode) relink(by int) {
	if in.upper.Load() == nil && in.differ() != nil {
		return
	}
	in.mu.Lock()
	n := int(in.nlink) + by
	if in.kind == linux.S_IFDIR && by < 0 {
		n = 0
	}
	in.nlink = uint32(max(n, 0))
	if in.own != nil {
		in.own.CTime = in.fs.now()
	}
	if in.nlink == 0 {
		in.pinned = false
	} else {
		in.pinned = true
	}
	charged := in.nlink == 0 && in.lower == nil
	in.mu.Unlock()
	if charged {
		in.fs.made.Add(-1)
	}
	if u := in.upper.Load(); u != nil {
		// The time of change is the upper file's to keep.
		_ = u.SetAttr(&vfs.SetAttr{})
	}
}

// Readlink implements vfs.Symlink.
func (in *Inode) Readlink(c *vfs.Caller) (string, error) {
	if in.kind != linux.S_IFLNK {
		return "", linux.EINVAL
	}
	if in.lower == nil {
		return in.target, nil
	}
	l, ok := in.lower.(vfs.Symlink)
	if !ok {
		return "", linux.EINVAL
	}
	return l.Readlink(c)
}

// Accessed implements vfs.AccessTimer.
func (in *Inode) Accessed(strict bool) {
	if u := in.upper.Load(); u != nil {
		if t, ok := u.Inode.(vfs.AccessTimer); ok {
			t.Accessed(strict)
		}
	}
}

// ConnectHost connects to a host process through a lower socket (see goferfs).
func (in *Inode) ConnectHost(sockType int) (int, error) {
	if c, ok := in.lower.(interface{ ConnectHost(int) (int, error) }); ok {
		return c.ConnectHost(sockType)
	}
	return -1, linux.ECONNREFUSED
}
