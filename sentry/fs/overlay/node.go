package overlay

import (
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// A Node is one object of a Union.
type Node struct {
	// immutable
	u      *Union
	kind   linux.FileMode
	ino    uint64
	below  []layerPath // what it is in lower layers: several directories merge
	parent *Node       // with name, where it is until it is copied
	name   string

	// atomic
	over   atomic.Pointer[vfs.Path] // what it is in the upper layer; once set it stays
	vstate vfs.InodeState
	content

	// copying is held while the object is copied or its name removed.
	copying lock.Mutex[lock.CopyUp]

	// guarded by copying
	gone bool // it has no name any more
}

// real is where the object is: in the highest layer that has it.
func (n *Node) real() vfs.Path {
	if p := n.over.Load(); p != nil {
		return *p
	}
	return n.below[0].Path
}

// key is by what n is found.
func (n *Node) key() nodeKey {
	if p := n.over.Load(); p != nil {
		return nodeKey{p.Inode(), n.u.upperLayer()}
	}
	return nodeKey{n.below[0].Inode(), n.below[0].layer}
}

// hold keeps what n is in its layers from being evicted.
func (n *Node) hold() {
	for _, b := range n.below {
		vfs.HoldInode(b.Inode())
	}
	if p := n.over.Load(); p != nil {
		vfs.HoldInode(p.Inode())
	}
}

// Evict implements vfs.Evicter.
func (n *Node) Evict() {
	n.u.mu.Lock()
	if k := n.key(); n.u.nodes[k] == n {
		delete(n.u.nodes, k)
	}
	n.u.mu.Unlock()
	for _, b := range n.below {
		vfs.DropInode(b.Inode())
	}
	if p := n.over.Load(); p != nil {
		vfs.DropInode(p.Inode())
	}
}

// FileSystem implements vfs.Inode.
func (n *Node) FileSystem() vfs.FileSystem { return n.u }

// Kind implements vfs.Kinded.
func (n *Node) Kind() linux.FileMode { return n.kind }

// VFSState implements vfs.Stateful.
func (n *Node) VFSState() *vfs.InodeState { return &n.vstate }

// merges reports whether n is a directory of several layers.
func (n *Node) merges() bool {
	return len(n.below) > 1 || len(n.below) == 1 && n.over.Load() != nil
}

// Attr implements vfs.Inode.
func (n *Node) Attr() (vfs.Attr, error) {
	a, err := n.real().Attr()
	a.Ino = n.ino
	if n.kind == linux.S_IFDIR && n.merges() {
		a.Nlink = 1 // as in Linux, its subdirectories are not counted
	}
	return a, err
}

// SetAttr implements vfs.Inode.
func (n *Node) SetAttr(set *vfs.SetAttr) error {
	limit := uint64(wholeFile)
	if set.Mask&vfs.SetSize != 0 {
		limit = set.Size
	}
	if err := n.copyUp(limit); err != nil {
		return err
	}
	return n.real().SetAttr(set)
}

// Readlink implements vfs.Symlink.
func (n *Node) Readlink(c *vfs.Caller) (string, error) {
	l, ok := n.real().Inode().(vfs.Symlink)
	if !ok {
		return "", linux.EINVAL
	}
	return l.Readlink(c)
}

// Accessed implements vfs.AccessTimer.
func (n *Node) Accessed(strict bool) {
	if p := n.over.Load(); p != nil {
		if t, ok := p.Inode().(vfs.AccessTimer); ok {
			t.Accessed(strict)
		}
	}
}

// Open implements vfs.Inode.
func (n *Node) Open(c *vfs.Caller, p vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if n.kind == linux.S_IFDIR {
		return &unionDir{n: n, path: p}, nil
	}
	if n.kind != linux.S_IFREG {
		return nil, linux.ENXIO
	}
	want := vfs.MayRead
	if flags.Writable() {
		limit := uint64(wholeFile)
		if flags&linux.O_TRUNC != 0 {
			limit = 0
		}
		if err := n.copyUp(limit); err != nil {
			return nil, err
		}
		want = vfs.MayWrite
	}
	// Whoever mounted the overlay has to be allowed too.
	if err := vfs.May(n.u.as(c), n.real(), want); err != nil {
		return nil, err
	}
	if u := n.upper.Load(); u != nil {
		return u.Open(c, p, flags)
	}
	f, err := n.lower.Open(c, p, flags)
	if err != nil {
		return nil, err
	}
	x := files.Get().(*file)
	x.of, x.path, x.flags, x.lower = &n.content, p, flags, f
	return x, nil
}

// Mappable implements vfs.Mapped.
func (n *Node) Mappable() memmap.Mappable {
	if n.kind != linux.S_IFREG {
		return nil
	}
	if n.lower == nil {
		return mappableOf(n.upper.Load().Inode)
	}
	return n
}

// Translate implements memmap.Mappable.
func (n *Node) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	return n.translate(required, optional, write)
}

// AddMapping implements memmap.Mappable.
func (n *Node) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	return n.addMapping(n, ms, addr, r, writable)
}

// RemoveMapping implements memmap.Mappable.
func (n *Node) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	n.removeMapping(n, ms, addr, r, writable)
}

// inLayer is the name that attribute name has in a layer: the overlay's own have
// another prefix before them, for overlays on overlays.
func (u *Union) inLayer(name string) string {
	if rest, ok := strings.CutPrefix(name, u.xattrs()); ok {
		return u.xattrs() + "overlay." + rest
	}
	return name
}

// GetXattr implements vfs.XattrStore.
func (n *Node) GetXattr(name string) ([]byte, error) {
	s, ok := n.real().Inode().(vfs.XattrStore)
	if !ok {
		return nil, linux.EOPNOTSUPP
	}
	return s.GetXattr(n.u.inLayer(name))
}

// ListXattr implements vfs.XattrStore.
func (n *Node) ListXattr() ([]string, error) {
	s, ok := n.real().Inode().(vfs.XattrStore)
	if !ok {
		return nil, nil
	}
	all, err := s.ListXattr()
	var names []string
	for _, name := range all {
		if rest, own := strings.CutPrefix(name, n.u.xattrs()); own {
			if rest, ok = strings.CutPrefix(rest, "overlay."); !ok {
				continue
			}
			name = n.u.xattrs() + rest
		}
		names = append(names, name)
	}
	return names, err
}

// SetXattr implements vfs.XattrStore.
func (n *Node) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	return n.changeXattr(func(s vfs.XattrStore) error { return s.SetXattr(n.u.inLayer(name), value, flags) })
}

// RemoveXattr implements vfs.XattrStore.
func (n *Node) RemoveXattr(name string) error {
	if _, err := n.GetXattr(name); err != nil {
		return err // nothing is copied for what is not there
	}
	return n.changeXattr(func(s vfs.XattrStore) error { return s.RemoveXattr(n.u.inLayer(name)) })
}

func (n *Node) changeXattr(f func(vfs.XattrStore) error) error {
	if err := n.copyUp(wholeFile); err != nil {
		return err
	}
	s, ok := n.real().Inode().(vfs.XattrStore)
	if !ok {
		return linux.EOPNOTSUPP
	}
	return f(s)
}
