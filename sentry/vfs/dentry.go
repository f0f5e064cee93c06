package vfs

import (
	"runtime"
	"strings"
	"sync/atomic"
	"weak"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A Dentry is a name in the cache and what it means. A negative one, without an
// inode, says that the name is absent; it is never part of a Path.
//
// A dentry is born by a lookup or a creation, in its parent's children. It
// leaves them when its name is removed (deleted), or when the cache is full and
// it is cold; then the parent keeps a weak pointer, so that whoever still holds
// the dentry and whoever looks the name up again share one dentry.
type Dentry struct {
	// immutable
	sb     *superblock
	inode  Inode          // nil: negative
	state  *InodeState    // the inode's if it keeps one; nil: ask State
	kids   *children      // if it is a directory
	kind   linux.FileMode // type bits
	anon   string         // the text of a dentry without a place ("pipe:[7]")
	first  place          // where it was made: place begins there
	temp   bool           // an O_TMPFILE file's
	noLink bool           // O_TMPFILE with O_EXCL: linkat refuses it
	hold   inodeHold      // if the inode is told of its eviction

	// atomic
	place   atomic.Pointer[place]
	own     atomic.Pointer[InodeState] // where the inode does not keep one; nil: not used yet
	mounted atomic.Int32               // mounts on it, in every namespace
	used    atomic.Bool                // since the cache's hand last passed

	// guarded by the cache's mu
	slot int // 1 + index in the cache's ring; 0: not there
}

// A place is where a dentry is. It is replaced, never changed.
type place struct {
	parent  *Dentry // itself for a root
	name    string
	deleted bool
}

// children is what a directory has more.
type children struct {
	// names is the inode: immutable.
	names Directory

	// atomic: what is mounted on the directory; the child that was looked up last,
	// one of all, set and cleared with mu held
	crossed atomic.Pointer[crossing]
	recent  atomic.Pointer[Dentry]

	// dir is held across the file system's calls on names.
	dir lock.Mutex[lock.DentryDir]

	mu lock.RWMutex[lock.Dentry]
	// guarded by mu; changed only with dir held too, except by the cache,
	// which moves names from all to ghosts. setLocked changes all.
	all    map[string]*Dentry
	ghosts map[string]weak.Pointer[Dentry]
}

// A dirDentry is the Dentry of a directory with its children, in one piece.
type dirDentry struct {
	Dentry
	kids children
}

// setLocked makes name mean c among the children, nothing if c is nil.
func (k *children) setLocked(name string, c *Dentry) {
	k.recent.Store(nil)
	if c == nil {
		delete(k.all, name)
		return
	}
	if k.all == nil {
		k.all = make(map[string]*Dentry)
	}
	k.all[name] = c
}

// newDentry returns a dentry for inode (nil: negative) that is not yet in its
// parent's children.
func newDentry(sb *superblock, parent *Dentry, name string, inode Inode) (*Dentry, error) {
	kind := linux.FileMode(0)
	if inode != nil {
		var err error
		if kind, err = typeOf(inode); err != nil {
			return nil, err
		}
	}
	var d *Dentry
	if kind == linux.S_IFDIR {
		dir, ok := inode.(Directory)
		if !ok {
			return nil, linux.EIO
		}
		w := &dirDentry{kids: children{names: dir}}
		d = &w.Dentry
		d.kids = &w.kids
	} else {
		d = &Dentry{}
	}
	d.sb, d.inode, d.kind = sb, inode, kind
	if s, ok := inode.(Stateful); ok {
		d.state = s.VFSState()
	}
	if inode != nil {
		d.holdInode()
	}
	if parent == nil {
		parent = d
		d.armLocked()
	}
	d.putAt(parent, name)
	return d, nil
}

// putAt gives d, which is new, its first place.
func (d *Dentry) putAt(parent *Dentry, name string) {
	d.first = place{parent: parent, name: name}
	d.place.Store(&d.first)
}

// newNegative returns a dentry that says that name, which it keeps, is absent in d.
func newNegative(d *Dentry, name string) *Dentry {
	c := &Dentry{sb: d.sb}
	c.putAt(d, name)
	return c
}

func typeOf(i Inode) (linux.FileMode, error) {
	if k, ok := i.(Kinded); ok {
		return k.Kind(), nil
	}
	a, err := i.Attr()
	return a.Mode.Type(), err
}

// An inodeHold is a dentry's share in keeping its inode. It ends when the name
// is removed, or when the collector finds that nobody has the dentry any more. That
// is asked of it when the cache gives the dentry up, for the cache is what has most
// of them, and at once where a whole tree may lose its place.
type inodeHold struct {
	held atomic.Bool

	// guarded by the parent's mu once it is there
	armed   bool
	cleanup runtime.Cleanup
}

// armLocked has the collector end d's share.
func (d *Dentry) armLocked() {
	if h := &d.hold; h.held.Load() && !h.armed {
		h.armed, h.cleanup = true, runtime.AddCleanup(d, DropInode, d.inode)
	}
}

// dropHold ends d's share before the collector does.
func (d *Dentry) dropHold() {
	if d.hold.held.CompareAndSwap(true, false) {
		if d.hold.armed {
			d.hold.cleanup.Stop()
		}
		DropInode(d.inode)
		runtime.KeepAlive(d) // up to here: what is being cleaned up cannot be stopped
	}
}

// holdInode counts the dentry among what keeps its inode.
func (d *Dentry) holdInode() {
	if _, ok := d.inode.(Evicter); !ok {
		return
	}
	if s, ok := d.inode.(Stateful); ok {
		s.VFSState().hold()
		d.hold.held.Store(true)
		if d.sb.revalidate != nil {
			d.armLocked()
		}
	}
}

// Inode returns what the name means, nil if it is absent.
func (d *Dentry) Inode() Inode { return d.inode }

// FileSystem returns the file system the dentry belongs to.
func (d *Dentry) FileSystem() FileSystem { return d.sb.fs }

// Kind returns the type bits of the inode's mode.
func (d *Dentry) Kind() linux.FileMode { return d.kind }

// IsDir reports whether the dentry is a directory.
func (d *Dentry) IsDir() bool { return d.kids != nil }

// Name returns the last component of the name.
func (d *Dentry) Name() string { return d.place.Load().name }

// Parent returns the directory the dentry is in, itself for a root.
func (d *Dentry) Parent() *Dentry { return d.place.Load().parent }

// Deleted reports whether the name has been removed.
func (d *Dentry) Deleted() bool { return d.place.Load().deleted }

// State returns what the VFS keeps for the inode.
func (d *Dentry) State() *InodeState {
	if d.state != nil {
		return d.state
	}
	if s, ok := d.inode.(Stateful); ok {
		return s.VFSState()
	}
	if own := d.own.Load(); own != nil {
		return own
	}
	d.own.CompareAndSwap(nil, &InodeState{})
	return d.own.Load()
}

// cachedChild returns the dentry of name if it is in the cache.
func (d *Dentry) cachedChild(name string) *Dentry {
	c := d.peek(name)
	if c == nil {
		return nil
	}
	if r := d.sb.revalidate; r != nil && c.mounted.Load() == 0 && !r.Revalidate(d.inode, name, c.inode) {
		return nil
	}
	if !c.used.Load() {
		c.used.Store(true)
	}
	return c
}

// peek is cachedChild without asking whether the name still means it. Most walks
// through a directory go the way of the last one.
func (d *Dentry) peek(name string) *Dentry {
	k := d.kids
	if c := k.recent.Load(); c != nil {
		if p := c.place.Load(); p.parent == d && p.name == name {
			return c
		}
	}
	k.mu.RLock()
	c := k.all[name]
	if c != nil {
		k.recent.Store(c)
	}
	k.mu.RUnlock()
	return c
}

// lookupAhead is lookup during a walk that goes on as ahead says.
func (d *Dentry) lookupAhead(name string, ahead *walker) (*Dentry, error) {
	if c := d.cachedChild(name); c != nil {
		return c, nil
	}
	defer lockDir(d).Unlock()
	return d.lookupAheadLocked(name, ahead)
}

// lookupLocked is lookup with d.kids.dir held.
func (d *Dentry) lookupLocked(name string) (*Dentry, error) { return d.lookupAheadLocked(name, nil) }

func (d *Dentry) lookupAheadLocked(name string, ahead *walker) (*Dentry, error) {
	d.kids.dir.AssertHeld()
	if len(name) > linux.NAME_MAX {
		return nil, linux.ENAMETOOLONG
	}
	if c := d.cachedChild(name); c != nil {
		return c, nil
	}
	if d.Deleted() {
		return nil, linux.ENOENT
	}
	d.forgetStale(name)
	if g := d.ghost(name); g != nil {
		return g, nil
	}
	// The name may be part of a longer path, which may not last.
	name = strings.Clone(name)
	if p, ok := d.kids.names.(Prefetcher); ok && ahead.goesOn() {
		if names, open := ahead.names(name); len(names) > 1 || open {
			p.Prefetch(names, open)
		}
	}
	inode, err := d.kids.names.Lookup(name)
	if err != nil && err != error(linux.ENOENT) {
		return nil, err
	}
	if err != nil {
		inode = nil
	}
	return d.addLocked(name, inode)
}

// forgetStale drops a cached child that Revalidate has refused.
func (d *Dentry) forgetStale(name string) {
	k := d.kids
	k.mu.Lock()
	c := k.all[name]
	k.setLocked(name, nil)
	k.mu.Unlock()
	if c != nil && c.inode != nil {
		p := *c.place.Load()
		p.deleted = true
		c.place.Store(&p)
	}
}

// ghost brings back a dentry that the cache gave up and somebody still holds.
func (d *Dentry) ghost(name string) *Dentry {
	k := d.kids
	k.mu.Lock()
	w, ok := k.ghosts[name]
	if !ok {
		k.mu.Unlock()
		return nil
	}
	delete(k.ghosts, name)
	c := w.Value()
	if c != nil && (d.sb.revalidate == nil || d.sb.revalidate.Revalidate(d.inode, name, c.inode)) {
		// Under its own name: the caller's may be part of a path that does not last.
		k.setLocked(c.place.Load().name, c)
	} else {
		c = nil
	}
	k.mu.Unlock()
	if c != nil {
		d.sb.vfs.cache.add(c)
	}
	return c
}

// addLocked puts a new dentry for name, which it keeps, into d's children.
func (d *Dentry) addLocked(name string, inode Inode) (*Dentry, error) {
	c, err := newDentry(d.sb, d, name, inode)
	if err != nil {
		return nil, err
	}
	d.insertLocked(name, c)
	return c, nil
}

func (d *Dentry) insertLocked(name string, c *Dentry) {
	k := d.kids
	k.mu.Lock()
	k.setLocked(name, c)
	delete(k.ghosts, name)
	k.mu.Unlock()
	d.sb.vfs.cache.add(c)
	d.sb.vfs.cached()
}

// standInLocked puts c, new and of the same name, where child old is: in d and on the
// cache's ring.
func (d *Dentry) standInLocked(old, c *Dentry) {
	k, name := d.kids, c.Name()
	k.mu.Lock()
	k.setLocked(name, c)
	delete(k.ghosts, name)
	k.mu.Unlock()
	d.sb.vfs.cache.replace(old, c)
}

// removeLocked takes child c out of d and marks it deleted.
func (d *Dentry) removeLocked(c *Dentry) {
	c.markDeletedLocked()
	d.dropLocked(c.Name())
	d.sb.vfs.cache.remove(c)
	c.dropHold()
}

// expungeLocked is removeLocked for a name that is absent from now on. A negative
// dentry stands in for c, where the file system's names change only here.
func (d *Dentry) expungeLocked(c *Dentry) {
	if d.sb.revalidate != nil {
		d.removeLocked(c)
		return
	}
	c.markDeletedLocked()
	d.standInLocked(c, newNegative(d, c.Name()))
	c.dropHold()
}

func (d *Dentry) markDeletedLocked() {
	p := *d.place.Load()
	p.deleted = true
	d.sb.vfs.renames.Add(1)
	d.place.Store(&p)
}

// dropLocked takes name out of d's children without saying that it is deleted.
func (d *Dentry) dropLocked(name string) {
	k := d.kids
	k.mu.Lock()
	k.setLocked(name, nil)
	delete(k.ghosts, name)
	k.mu.Unlock()
}

// moveLocked gives c a new place. Both directories are locked.
func (c *Dentry) moveLocked(to *Dentry, name string) {
	c.sb.vfs.renames.Add(1)
	c.place.Store(&place{parent: to, name: name})
}

// isAncestorOf reports whether d is c or above it.
func (d *Dentry) isAncestorOf(c *Dentry) bool {
	for {
		if c == d {
			return true
		}
		p := c.Parent()
		if p == c {
			return false
		}
		c = p
	}
}
