package overlay

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// DefaultInodes is how many objects may be made where Options do not say.
const DefaultInodes = 4 << 20

// firstIno numbers what is made here, above what host file systems use.
const firstIno = 1 << 44

// Options say what to put over what.
type Options struct {
	// Lowers are the read-only layers, the highest first.
	Lowers []vfs.FileSystem
	// Upper makes the files that are written.
	Upper vfs.FileSystem
	// Device is st_dev.
	Device uint64
	Clock  vfs.Clock
	// MaxInodes bounds what is made here; 0 is DefaultInodes.
	MaxInodes int64
}

// FS is an overlay.
type FS struct {
	// immutable
	lowers []vfs.FileSystem
	upper  vfs.FileSystem
	store  vfs.TempCreator
	dev    uint64
	clock  vfs.Clock
	limit  int64
	root   *Inode

	// atomic
	lastIno atomic.Uint64
	made    atomic.Int64 // objects that exist here only

	mu lock.Mutex[lock.Inode]

	// guarded by mu
	byLower map[vfs.Inode]*Inode // of lower inodes that have no room for it themselves
}

// New returns an overlay, which takes over the layers: they are released with
// it.
func New(o Options) (*FS, error) {
	store, ok := o.Upper.Root().(vfs.TempCreator)
	if !ok || len(o.Lowers) == 0 {
		return nil, linux.EINVAL
	}
	fs := &FS{
		lowers: o.Lowers, upper: o.Upper, store: store, dev: o.Device, clock: o.Clock,
		limit: o.MaxInodes, byLower: make(map[vfs.Inode]*Inode),
	}
	if fs.limit == 0 {
		fs.limit = DefaultInodes
	}
	fs.lastIno.Store(firstIno)
	var dirs []layered
	for i, l := range o.Lowers {
		d, ok := l.Root().(vfs.Directory)
		if !ok {
			return nil, linux.ENOTDIR
		}
		dirs = append(dirs, layered{d, i})
	}
	root, err := fs.fromLower(dirs[0], dirs, nil, "")
	if err != nil {
		return nil, err
	}
	root.pinned = true
	fs.root = root
	return fs, nil
}

// IDMappable implements vfs.IDMappable.
func (fs *FS) IDMappable() bool { return true }

// Type implements vfs.FileSystem.
func (fs *FS) Type() string { return "overlay" }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode { return (*Dir)(fs.root) }

// OwnersKept implements vfs.OwnersKept.
func (fs *FS) OwnersKept() bool {
	for _, l := range fs.lowers {
		if k, ok := l.(vfs.OwnersKept); !ok || !k.OwnersKept() {
			return false
		}
	}
	return true
}

// Device implements vfs.FileSystem.
func (fs *FS) Device() uint64 { return fs.dev }

const overlayMagic = 0x794c7630

// StatFS implements vfs.FileSystem: the room there is to write.
func (fs *FS) StatFS() (linux.Statfs, error) {
	s, err := fs.upper.StatFS()
	s.Type = overlayMagic
	return s, err
}

// Shrink implements vfs.Shrinker.
func (fs *FS) Shrink() {
	for _, l := range fs.lowers {
		if s, ok := l.(vfs.Shrinker); ok {
			s.Shrink()
		}
	}
}

// Release implements vfs.FileSystem.
func (fs *FS) Release() {
	fs.upper.Release()
	for _, l := range fs.lowers {
		l.Release()
	}
}

func (fs *FS) now() linux.Timespec { return linux.TimespecFromNS(fs.clock()) }

// charge counts an object that is made here.
func (fs *FS) charge() error {
	if fs.made.Add(1) > fs.limit {
		fs.made.Add(-1)
		return linux.ENOSPC
	}
	return nil
}

// layered is an inode of a lower layer.
type layered struct {
	inode vfs.Inode
	layer int
}

// inoOf is the number programs see of a lower inode.
func inoOf(ino uint64, layer int) uint64 { return ino ^ uint64(layer)<<52 }

// fromLower returns the Inode of a lower inode, which may be known already.
// dirs are the directories that it merges, itself first, if it is one; nil if that is all.
func (fs *FS) fromLower(l layered, dirs []layered, parent *Inode, name string) (*Inode, error) {
	fs.mu.Lock()
	in := fs.knownLocked(l.inode)
	fs.mu.Unlock()
	if in != nil {
		return in, nil
	}
	a, err := l.inode.Attr()
	if err != nil {
		return nil, err
	}
	if a.Mode.IsDir() && dirs == nil {
		d := &single{one: [1]layered{l}}
		in, dirs = &d.Inode, d.one[:]
	} else {
		in = &Inode{}
	}
	in.fs, in.kind, in.ino, in.lower, in.below, in.nlink = fs, a.Mode.Type(), inoOf(a.Ino, l.layer), l.inode, dirs, a.Nlink
	in.parent, in.name = parent, name
	fs.mu.Lock()
	other := fs.knownLocked(l.inode)
	if other == nil {
		fs.knowLocked(l.inode, in)
	}
	fs.mu.Unlock()
	if other != nil {
		return other, nil
	}
	in.holdLower()
	return in, nil
}

// single is a directory that merges no other, with what it has below.
type single struct {
	Inode
	one [1]layered
}

// knownLocked returns what a lower inode is here, nil if it has not been looked up.
func (fs *FS) knownLocked(lower vfs.Inode) *Inode {
	if o, ok := lower.(vfs.Overlaid); ok {
		return inodeOf(*o.Overlay())
	}
	return fs.byLower[lower]
}

// knowLocked notes what a lower inode is here: nothing any more if in is nil.
func (fs *FS) knowLocked(lower vfs.Inode, in *Inode) {
	o, ok := lower.(vfs.Overlaid)
	switch {
	case ok && in == nil:
		*o.Overlay() = nil
	case ok:
		*o.Overlay() = in
	case in == nil:
		delete(fs.byLower, lower)
	default:
		fs.byLower[lower] = in
	}
}

// fresh returns an Inode that is made here.
func (fs *FS) fresh(n *vfs.NewInode) *Inode {
	now := fs.now()
	in := &Inode{fs: fs, kind: n.Mode.Type(), ino: fs.lastIno.Add(1), target: n.Target, pinned: true}
	in.own = &vfs.Attr{
		Mode: n.Mode, UID: n.UID, GID: n.GID, BlockSize: 4096, Rdev: n.Rdev, Size: uint64(len(n.Target)),
		ATime: now, MTime: now, CTime: now, BTime: now,
	}
	in.nlink = 1
	if in.kind == linux.S_IFDIR {
		in.nlink = 2
	}
	return in
}
