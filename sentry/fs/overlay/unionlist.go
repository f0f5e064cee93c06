package overlay

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// list returns n's names.
func (n *Node) list() ([]vfs.Dirent, error) {
	c := n.u.as(nil)
	var names []vfs.Dirent
	seen := map[string]bool{}
	layers := n.below
	if p := n.over.Load(); p != nil {
		layers = append([]layerPath{{*p, n.u.upperLayer()}}, layers...)
	}
	for _, l := range layers {
		entries, err := namesOf(c, l.Path)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if seen[e.Name] {
				continue
			}
			seen[e.Name] = true
			if e.Type == uint8(linux.DT_CHR) && hides(c, l.Path, e.Name) {
				continue
			}
			e.Ino = n.inoOf(l, e, len(layers) > 1)
			names = append(names, e)
		}
	}
	return names, nil
}

// hides reports whether name in a directory of a layer is a whiteout.
func hides(c *vfs.Caller, dir vfs.Path, name string) bool {
	p, err := dir.Child(c, name)
	if err != nil {
		return false
	}
	a, err := p.Attr()
	return err == nil && isWhiteout(&a)
}

// inoOf returns the number of what an entry of layer l names.
func (n *Node) inoOf(l layerPath, e vfs.Dirent, merged bool) uint64 {
	own := n.u.ino(e.Ino, l.layer)
	if l.layer != n.u.upperLayer() {
		return own
	}
	if _, copies := n.u.marked(l.Path, "impure"); !merged && !copies {
		return own
	}
	if f, err := n.find(e.Name); err == nil {
		return f.ino
	}
	return own
}

// unionDir is an open directory: the names it had when it was last read from the start.
type unionDir struct {
	// immutable
	n    *Node
	path vfs.Path

	mu lock.Mutex[lock.CopyUp]

	// guarded by mu
	names []vfs.Dirent
	read  bool
}

// Release implements vfs.File.
func (x *unionDir) Release() {}

// Sync implements vfs.Syncer.
func (x *unionDir) Sync(bool) error { return nil }

// ReadDir implements vfs.DirReader.
func (x *unionDir) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	if off < 0 {
		return linux.EINVAL
	}
	names, err := x.snapshot(off == 0)
	if err != nil {
		return err
	}
	for i := off; i < int64(len(names)); i++ {
		e := names[i]
		e.Next = i + 1
		if !emit(e) {
			return nil
		}
	}
	return nil
}

// snapshot returns the names, taken anew if asked for or not taken yet.
func (x *unionDir) snapshot(anew bool) ([]vfs.Dirent, error) {
	x.mu.LockNested() // of an overlay whose layer this is
	defer x.mu.Unlock()
	if x.read && !anew {
		return x.names, nil
	}
	above := x.n.ino
	if x.path.Dentry != nil {
		if p, ok := x.path.Dentry.Parent().Inode().(*Node); ok {
			above = p.ino
		}
	}
	dir := uint8(linux.DT_DIR)
	names, err := x.n.list()
	if err != nil {
		return nil, err
	}
	x.names, x.read = append([]vfs.Dirent{{Name: ".", Ino: x.n.ino, Type: dir}, {Name: "..", Ino: above, Type: dir}}, names...), true
	return x.names, nil
}
