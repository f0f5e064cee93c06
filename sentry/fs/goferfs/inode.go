package goferfs

import (
	"slices"
	"sync/atomic"
	"time"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/fs/mapset"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// Inode is an inode of the host that is no directory.
type Inode struct {
	// immutable
	fs   *FS
	key  inodeKey
	kind linux.FileMode
	ino  uint64
	born int64   // nanoseconds: a number that is used again is told by it
	link *string // what a symbolic link leads to

	// atomic
	size   atomic.Uint64
	stale  atomic.Bool   // attr is older than what the Sentry did since
	told   atomic.Uint32 // when a walk of a shared mount brought attr, see nowUS; 0: it was used
	ro, rw atomic.Pointer[hostFile]
	inline atomic.Pointer[contents]
	listed atomic.Bool // in fs.idle
	queued atomic.Bool // in fs.noded
	vstate vfs.InodeState
	maps   mapset.Set

	// above is what an overlay has made of it, which guards it.
	above vfs.Inode

	// tail orders appends.
	tail lock.Mutex[lock.InodeData]

	mu lock.Mutex[lock.Inode]

	// guarded by mu
	attr    attrs
	node    *nodeRef
	parent  *Inode // with name, a place where it is; nil for the root
	name    string
	names   *listing
	ahead   map[string]*Inode // looked up before they were asked for; nil: absent
	misses  int32             // lookups that went to the gofer
	opens   int32
	changed bool // since a listing may have shown attr
	adrift  bool // the name was taken away, though there are others
	looked  bool // asked about by name, and not opened since
	noXattr bool // an exclusive mount's file is known to have none
	big     bool // too many names to list for lookups
}

// target returns what a symbolic link leads to.
func (in *Inode) target() string {
	if in.link == nil {
		return ""
	}
	return *in.link
}

// FileSystem implements vfs.Inode.
func (in *Inode) FileSystem() vfs.FileSystem { return in.fs.self }

// Kind implements vfs.Kinded.
func (in *Inode) Kind() linux.FileMode { return in.kind }

// VFSState implements vfs.Stateful.
func (in *Inode) VFSState() *vfs.InodeState { return &in.vstate }

// is reports whether a describes in.
func (in *Inode) is(a *client.Attr) bool {
	return in.key == inodeKey{a.Dev, a.Ino} && in.kind == a.Mode.Type() && in.born == a.Btime.NS()
}

// setAttr notes what the host says now.
func (in *Inode) setAttr(a *client.Attr) {
	in.mu.Lock()
	in.setAttrLocked(a)
	in.mu.Unlock()
	if in.kind == linux.S_IFREG {
		in.resized(a.Size)
	} else {
		in.size.Store(a.Size)
	}
}

// resized notes the file's size on the host, and takes pages back that it has
// no longer.
func (in *Inode) resized(size uint64) {
	old := in.size.Swap(size)
	if size < old && in.maps.Mapped() {
		in.maps.Invalidate(in, memmap.Range{Start: pageUp(size), End: pageUp(old)}, true)
	}
}

// touched notes that the host's attributes have changed by what we did.
func (in *Inode) touched() {
	if !in.stale.Load() {
		in.stale.Store(true)
	}
}

// moved notes a place where in is.
func (in *Inode) moved(parent *Inode, name string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.parent != nil && parent != nil {
		in.parent, in.name, in.adrift = parent, name, false
	}
}

// adopt gives in a node, unless it has one.
func (in *Inode) adopt(n *client.Node) bool {
	in.mu.Lock()
	if in.node != nil {
		in.mu.Unlock()
		return false
	}
	in.node = &nodeRef{node: n}
	in.node.refs.Store(1)
	in.mu.Unlock()
	in.fs.boundNodes(in)
	return true
}

// dropNode gives up the node if it can be walked to again.
func (in *Inode) dropNode() bool {
	in.mu.Lock()
	if in.node != nil && (in.parent == nil || in.adrift || in.attr.nlink == 0) {
		in.mu.Unlock()
		return false
	}
	n := in.node
	in.node = nil
	in.mu.Unlock()
	if n != nil {
		n.release()
	}
	return true
}

// held returns the node if in has it, with a reference.
func (in *Inode) held() *nodeRef {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.node != nil {
		in.node.refs.Add(1)
	}
	return in.node
}

// acquire returns the node, walking to it if need be. The caller releases it.
func (in *Inode) acquire() (*nodeRef, error) {
	for {
		if n := in.held(); n != nil {
			return n, nil
		}
		in.mu.Lock()
		parent, name := in.parent, in.name
		in.mu.Unlock()
		step, _, err := in.find(client.WalkOption{Node: true})
		if err != nil {
			in.mu.Lock()
			renamed := in.parent != parent || in.name != name
			in.mu.Unlock()
			if renamed {
				continue
			}
			return nil, err
		}
		if !in.adopt(step.Node) {
			step.Node.Clunk()
		}
	}
}

// find walks to in from its parent, and checks that it is still there.
func (in *Inode) find(o client.WalkOption) (client.Step, int, error) {
	in.mu.Lock()
	parent, name := in.parent, in.name
	in.mu.Unlock()
	if parent == nil {
		return client.Step{}, -1, linux.ESTALE
	}
	steps, fd, err := parent.walk([]string{name}, o)
	if err != nil {
		return client.Step{}, -1, err
	}
	if !in.is(&steps[0].Attr) {
		closeFD(fd)
		if steps[0].Node != nil {
			steps[0].Node.Clunk()
		}
		return client.Step{}, -1, linux.ESTALE
	}
	return steps[0], fd, nil
}

// walk walks names from in, from the nearest directory that has a node, in one round
// trip. What it returns is as client's Walk says, except that there is a step if
// there is no error.
func (in *Inode) walk(names []string, o client.WalkOption) (steps []client.Step, fd int, err error) {
	n, way, path, err := in.nearest()
	if err != nil {
		return nil, -1, err
	}
	steps, fd, err = n.node.Walk(append(path, names...), o)
	n.release()
	// The directories on the way have nodes now too.
	there := len(way) == 0
	for i, dir := range way[:min(len(way), len(steps))] {
		s := &steps[i]
		there = dir.is(&s.Attr)
		if s.Node != nil && !(there && dir.adopt(s.Node)) {
			s.Node.Clunk()
		}
	}
	if there && len(steps) >= len(way) && (err != nil || len(steps) > len(way)) {
		return steps[len(way):], fd, err
	}
	// The way has changed, so these are not the names that were meant.
	closeFD(fd)
	for i := len(way); i < len(steps); i++ {
		if steps[i].Node != nil {
			steps[i].Node.Clunk()
		}
	}
	if len(way) == 0 {
		return nil, -1, linux.ESTALE
	}
	if n, err = in.acquire(); err != nil {
		return nil, -1, err
	}
	defer n.release()
	steps, fd, err = n.node.Walk(names, o)
	if err == nil && len(steps) == 0 {
		err = linux.ESTALE
	}
	return steps, fd, err
}

// maxWay is how far up nearest looks for a node.
const maxWay = 32

// nearest returns the node of in, or of a directory above it, with the Inodes
// and names that lead from there to in. The caller releases the node.
func (in *Inode) nearest() (n *nodeRef, way []*Inode, path []string, err error) {
	for range maxWay {
		if n = in.held(); n != nil {
			slices.Reverse(way)
			slices.Reverse(path)
			return n, way, path, nil
		}
		in.mu.Lock()
		parent, name := in.parent, in.name
		in.mu.Unlock()
		if parent == nil {
			return nil, nil, nil, linux.ESTALE
		}
		way, path = append(way, in), append(path, name)
		in = parent
	}
	n, err = in.acquire()
	if err != nil {
		return nil, nil, nil, err
	}
	slices.Reverse(way)
	slices.Reverse(path)
	return n, way, path, nil
}

// Evict implements vfs.Evicter.
func (in *Inode) Evict() {
	if in == in.fs.root {
		return
	}
	in.fs.forget(in)
	in.dropFiles()
	in.mu.Lock()
	n, parent, name, changed := in.node, in.parent, in.name, in.changed || in.stale.Load()
	gone := in.attr.nlink == 0
	in.node, in.names, in.ahead = nil, nil, nil
	in.inline.Store(nil)
	in.mu.Unlock()
	if n != nil {
		n.release()
	}
	if changed && parent != nil {
		parent.distrust(name)
	}
	if gone {
		in.fs.client.Flush()
	}
}

// Attr implements vfs.Inode.
func (in *Inode) Attr() (vfs.Attr, error) {
	if in.fs.shared && !in.justTold() || in.stale.Load() || in.kind == linux.S_IFREG && in.maps.Writable() {
		if err := in.refresh(); err != nil {
			return vfs.Attr{}, err
		}
	}
	in.mu.Lock()
	a := in.attrLocked()
	in.mu.Unlock()
	return vfs.Attr{
		Ino: in.ino, Mode: a.Mode, Nlink: a.Nlink, UID: a.UID, GID: a.GID,
		Size: a.Size, Blocks: a.Blocks, BlockSize: a.Blksize, Rdev: a.Rdev,
		ATime: timespec(a.Atime), MTime: timespec(a.Mtime), CTime: timespec(a.Ctime), BTime: timespec(a.Btime),
		Attributes: uint64(a.Attributes &^ linux.STATX_ATTR_MOUNT_ROOT),
	}, nil
}

// toldFor is how long, in microseconds, the attributes that a walk has brought
// are good for the one that the walk was made for.
const toldFor = 1000

// justTold reports whether attr came with the walk that this call has made,
// once.
func (in *Inode) justTold() bool {
	t := in.told.Swap(0)
	return t != 0 && nowUS()-t < toldFor
}

// nowUS returns a time in microseconds, never 0, that begins anew every hour.
func nowUS() uint32 { return uint32(time.Now().UnixMicro()) | 1 }

func timespec(t client.Time) linux.Timespec { return linux.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)} }

// refresh asks the host for the attributes: through a descriptor if there is
// one, from the gofer otherwise.
func (in *Inode) refresh() error {
	// Before asking: what is done meanwhile makes it stale again.
	in.stale.Store(false)
	if f := in.openFile(); f != nil {
		defer f.unref()
		in.mu.Lock()
		a := in.attrLocked()
		in.changed = true
		in.mu.Unlock()
		if err := f.stat(&a); err != nil {
			return err
		}
		in.setAttr(&a)
		return nil
	}
	n, err := in.acquire()
	if err != nil {
		in.touched()
		return err
	}
	defer n.release()
	a, err := n.node.GetAttr()
	if err != nil {
		in.touched()
		return err
	}
	if a.Mode.Type() != in.kind {
		return linux.ESTALE
	}
	in.setAttr(&a)
	return nil
}

// SetAttr implements vfs.Inode.
func (in *Inode) SetAttr(set *vfs.SetAttr) error {
	s := client.SetAttr{
		Mode: uint32(set.Mode), UID: set.UID, GID: set.GID, Size: set.Size,
		Atime: client.Time{Sec: set.ATime.Sec, Nsec: uint32(set.ATime.Nsec)},
		Mtime: client.Time{Sec: set.MTime.Sec, Nsec: uint32(set.MTime.Nsec)},
	}
	for _, m := range [...]struct {
		from vfs.SetMask
		to   client.SetMask
	}{
		{vfs.SetMode, client.SetMode}, {vfs.SetUID, client.SetUID}, {vfs.SetGID, client.SetGID}, {vfs.SetSize, client.SetSize},
		{vfs.SetATime, client.SetAtime}, {vfs.SetMTime, client.SetMtime},
		{vfs.SetATimeNow, client.SetAtimeNow}, {vfs.SetMTimeNow, client.SetMtimeNow},
	} {
		if set.Mask&m.from != 0 {
			s.Mask |= m.to
		}
	}
	if set.Mask&vfs.ClearSetID != 0 && set.Mask&vfs.SetMode == 0 {
		a, err := in.Attr()
		if err != nil {
			return err
		}
		mode := a.Mode &^ linux.S_ISUID
		if mode&linux.S_IXGRP != 0 {
			mode &^= linux.S_ISGID
		}
		if mode != a.Mode {
			s.Mask |= client.SetMode
			s.Mode = uint32(mode.PermAndSticky())
		}
	}
	if s.Mask&client.SetSize != 0 {
		return in.truncate(s)
	}
	return in.change(s)
}

// change applies s on the host.
func (in *Inode) change(s client.SetAttr) error {
	if s.Mask == 0 {
		return nil
	}
	n, err := in.acquire()
	if err != nil {
		return err
	}
	defer n.release()
	a, err := n.node.SetAttr(s)
	if err != nil {
		in.touched() // a part of it may have been done
		return err
	}
	if a.Mode.Type() != in.kind {
		return linux.EIO
	}
	in.mu.Lock()
	in.changed = true
	in.mu.Unlock()
	in.setAttr(&a)
	return nil
}

// truncate changes the size, and what else s asks for. Pages beyond the new
// end are taken back first: nobody may touch them once the host has cut them
// off.
func (in *Inode) truncate(s client.SetAttr) error {
	if in.kind != linux.S_IFREG {
		return linux.EINVAL
	}
	old := in.size.Load()
	if s.Size < old {
		in.resized(s.Size)
	}
	err := in.cut(s)
	in.maps.Changed(in)
	if err != nil && s.Size < old {
		in.size.Store(old)
	}
	return err
}

// cut is truncate's part on the host: by descriptor if only the size changes.
func (in *Inode) cut(s client.SetAttr) error {
	if f := in.writable(); f != nil {
		defer f.unref()
		if err := f.truncate(s.Size); err != nil {
			return err
		}
		in.size.Store(s.Size)
		in.touched()
		s.Mask &^= client.SetSize
	}
	return in.change(s)
}

// Readlink implements vfs.Symlink.
func (in *Inode) Readlink(*vfs.Caller) (string, error) {
	if in.kind != linux.S_IFLNK {
		return "", linux.EINVAL
	}
	return in.target(), nil
}

// Open implements vfs.Inode.
func (in *Inode) Open(_ *vfs.Caller, _ vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if in.kind != linux.S_IFREG {
		return nil, linux.ENXIO
	}
	if !flags.Writable() && in.bring() {
		return (*inlineFile)(in), nil
	}
	return in.open(flags)
}
