package vfs

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/sentry/cred"
)

// A Mount shows a file system, from one of its directories on, at a place.
//
// A mount is attached (it stands in its namespace's tree), detached (by
// umount2(MNT_DETACH), while something still holds it) or gone.
type Mount struct {
	// immutable
	vfs    *VFS
	sb     *superblock
	root   *Dentry
	id     int32
	unique uint64
	source string

	// atomic
	// idmap is the user namespace through whose map the mount shows ids; nil: as the
	// file system has them. Once set it stays.
	idmap atomic.Pointer[cred.UserNamespace]
	flags atomic.Uint64 // per-mount linux.MountFlags
	refs  atomic.Int64  // long-lived holders and being attached
	// writers are the descriptions of regular files that write through the mount.
	writers atomic.Int64

	// guarded by vfs.mountMu
	ns       *MountNamespace // nil: detached
	parent   *Mount          // nil: root of a namespace, or detached
	point    *Dentry         // where in parent
	children []*Mount
	group    *peerGroup // shared with
	master   *peerGroup // receives from
	unbind   bool
	expire   bool // marked by MNT_EXPIRE
	host     hostSide
}

type mountKey struct {
	parent *Mount
	point  *Dentry
}

// perMount are the flags that each mount has of its own.
const perMount = linux.MS_RDONLY | linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | linux.MS_NOATIME |
	linux.MS_NODIRATIME | linux.MS_RELATIME | linux.MS_NOSYMFOLLOW

// perSuper are the flags of the file system instance.
const perSuper = linux.MS_SYNCHRONOUS | linux.MS_DIRSYNC | linux.MS_MANDLOCK | linux.MS_LAZYTIME | linux.MS_I_VERSION

func newMount(sb *superblock, root *Dentry, source string, flags linux.MountFlags) *Mount {
	v := sb.vfs
	m := &Mount{vfs: v, sb: sb, root: root, source: source, id: v.mountIDs.Add(1) + 20, unique: v.mountUnique.Add(1) + 1<<31}
	m.flags.Store(uint64(flags & perMount))
	m.refs.Store(1)
	m.keepRoot()
	return m
}

// keepRoot has a mount of a namespace keep it, in place of the dentry, which would
// until it is collected.
func (m *Mount) keepRoot() {
	if m.root != nil && m.root.anon != "" {
		HoldInode(m.root.inode)
		m.root.DropHold()
	}
}

// ID returns the mount's number in mountinfo and statx.
func (m *Mount) ID() int32 { return m.id }

// UniqueID returns the number that is never used again (STATX_MNT_ID_UNIQUE).
func (m *Mount) UniqueID() uint64 { return m.unique }

// FileSystem returns what is mounted.
func (m *Mount) FileSystem() FileSystem { return m.sb.fs }

// Root returns the place that the mount shows at its mount point.
func (m *Mount) Root() Path { return Path{m, m.root} }

// Flags returns the flags that hold for files reached through m.
func (m *Mount) Flags() linux.MountFlags {
	f := linux.MountFlags(m.flags.Load()) | linux.MountFlags(m.sb.flags.Load())
	if m.sb.readOnly.Load() {
		f |= linux.MS_RDONLY
	}
	return f
}

// has reports whether the mount itself has one of flags.
func (m *Mount) has(flags linux.MountFlags) bool {
	return linux.MountFlags(m.flags.Load())&flags != 0
}

func (m *Mount) noSymFollow() bool { return m.has(linux.MS_NOSYMFOLLOW) }

// mayWrite is what every change of a file system through a mount asks first.
func (m *Mount) mayWrite() error {
	if m.has(linux.MS_RDONLY) || m.sb.readOnly.Load() {
		return linux.EROFS
	}
	return nil
}

func (m *Mount) incRef() { m.refs.Add(1) }

func (m *Mount) decRef() {
	if m.refs.Add(-1) == 0 {
		if m.root != nil && m.root.anon != "" {
			DropInode(m.root.inode)
		}
		m.sb.decRef()
	}
}

// setFlags gives m flags of its own: EBUSY where it becomes read-only while files are
// open for writing through it.
func (m *Mount) setFlags(f linux.MountFlags) error {
	// First the refusal of new writers, then the question whether there are any.
	old := linux.MountFlags(m.flags.Swap(uint64(f)))
	if f&linux.MS_RDONLY != 0 && old&linux.MS_RDONLY == 0 && m.writers.Load() > 0 {
		m.flags.Store(uint64(old))
		return linux.EBUSY
	}
	return nil
}

// getWriter counts a description that writes through m, which keeps m from becoming
// read-only.
func (m *Mount) getWriter() error {
	m.writers.Add(1)
	m.sb.writers.Add(1)
	if err := m.mayWrite(); err != nil {
		m.putWriter()
		return err
	}
	return nil
}

func (m *Mount) putWriter() {
	m.writers.Add(-1)
	m.sb.writers.Add(-1)
}

// attachLocked puts m on top of what is at p.
func (m *Mount) attachLocked(p Path) {
	p = p.throughLocked()
	m.parent, m.point, m.ns = p.Mount, p.Dentry, p.Mount.ns
	p.Mount.children = append(p.Mount.children, m)
	p.Dentry.mounted.Add(1)
	m.vfs.setMountLocked(mountKey{p.Mount, p.Dentry}, m)
	for t := range m.treeLocked() {
		t.ns = p.Mount.ns
		if t.ns != nil {
			t.ns.count++
		}
	}
}

// setMountLocked notes what is mounted at k, nil for nothing.
func (v *VFS) setMountLocked(k mountKey, m *Mount) {
	v.treeGen.Add(1)
	if m != nil {
		v.mounts[k] = m
		return
	}
	delete(v.mounts, k)
	// What remembers the way to it is not to keep it.
	for at := (Path{k.parent, k.point}); ; at = (Path{at.Mount.parent, at.Mount.point}) {
		if at.Dentry.kids != nil {
			at.Dentry.kids.crossed.Store(nil)
		}
		if at.Dentry != at.Mount.root || at.Mount.parent == nil {
			return
		}
	}
}

// unhookLocked takes m out of its parent, leaving its own tree as it is.
func (m *Mount) unhookLocked() {
	for t := range m.treeLocked() {
		if t.ns != nil {
			t.ns.count--
		}
	}
	if m.parent == nil {
		return
	}
	m.vfs.setMountLocked(mountKey{m.parent, m.point}, nil)
	m.point.mounted.Add(-1)
	i := slices.Index(m.parent.children, m)
	m.parent.children = slices.Delete(m.parent.children, i, i+1)
	m.parent, m.point = nil, nil
}

// treeLocked iterates over m and everything mounted below it, parents first.
func (m *Mount) treeLocked() func(yield func(*Mount) bool) {
	return func(yield func(*Mount) bool) { m.eachLocked(yield) }
}

func (m *Mount) eachLocked(yield func(*Mount) bool) bool {
	if !yield(m) {
		return false
	}
	for _, c := range m.children {
		if !c.eachLocked(yield) {
			return false
		}
	}
	return true
}

// releaseTreeLocked detaches m, already unhooked, with everything below it,
// and returns what the caller has to decRef when the lock is gone.
func (m *Mount) releaseTreeLocked() []*Mount {
	var gone []*Mount
	for t := range m.treeLocked() {
		gone = append(gone, t)
	}
	for _, t := range gone {
		if t.parent != nil {
			t.vfs.setMountLocked(mountKey{t.parent, t.point}, nil)
			t.point.mounted.Add(-1)
			t.parent, t.point = nil, nil
		}
		t.ns, t.children = nil, nil
		t.leaveGroupsLocked()
	}
	return gone
}

// busyLocked reports whether something besides being attached holds m.
func (m *Mount) busyLocked() bool { return m.refs.Load() > 1 }

// newAnonMount returns a mount that shows what has no place.
func newAnonMount(v *VFS, source string) *Mount {
	fs := &anonFS{vfs: v, dev: v.NextDevice(), nsfs: source == "nsfs"}
	sb := &superblock{fs: fs, vfs: v, dev: fs.dev}
	sb.refs.Store(1)
	return newMount(sb, nil, source, 0)
}
