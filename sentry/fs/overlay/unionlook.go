package overlay

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// found is what layers have under a name.
type found struct {
	over  vfs.Path // in the upper layer; not valid: nothing
	below []layerPath
	ino   uint64
	nlink uint32
	kind  linux.FileMode
}

// Lookup implements vfs.Directory.
func (n *Node) Lookup(name string) (vfs.Inode, error) {
	f, err := n.find(name)
	if err != nil {
		return nil, err
	}
	return n.u.node(n, name, f)
}

// find looks name up in n's layers, the highest first, down to what is no directory or
// hides the rest.
func (n *Node) find(name string) (*found, error) {
	f := &found{}
	if p := n.over.Load(); p != nil {
		more, err := n.findIn(f, layerPath{*p, n.u.upperLayer()}, name, len(n.below) > 0)
		if err != nil || !more {
			return f.result(err)
		}
	}
	for i, b := range n.below {
		more, err := n.findIn(f, b, name, i+1 < len(n.below))
		if err != nil || !more {
			return f.result(err)
		}
	}
	return f.result(nil)
}

func (f *found) result(err error) (*found, error) {
	if err == nil && f.kind == 0 {
		err = linux.ENOENT
	}
	return f, err
}

// findIn adds what layer dir has under name. more says that layers below it matter too,
// if rest says that there are any.
func (n *Node) findIn(f *found, dir layerPath, name string, rest bool) (more bool, err error) {
	p, err := dir.Child(n.u.as(nil), name)
	if err == error(linux.ENOENT) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	a, err := p.Attr()
	switch {
	case err != nil:
		return false, err
	case isWhiteout(&a), f.kind != 0 && !a.Mode.IsDir():
		return false, nil
	}
	if err := n.u.refused(p, a.Mode, rest); err != nil {
		return false, err
	}
	upper := dir.layer == n.u.upperLayer()
	if f.kind == 0 || a.Mode.IsDir() && len(f.below) == 0 {
		// The number is that of what was copied, where it was.
		f.ino = n.u.ino(a.Ino, dir.layer)
		if !a.Mode.IsDir() && upper {
			f.ino = n.u.origin(p, f.ino)
		}
	}
	if f.kind == 0 {
		f.kind, f.nlink = a.Mode.Type(), a.Nlink
	}
	if upper {
		f.over = p
	} else {
		f.below = append(f.below, layerPath{p, dir.layer})
	}
	if !a.Mode.IsDir() || !rest {
		return false, nil
	}
	opaque, _ := n.u.marked(p, "opaque")
	return opaque != "y", nil
}

// refused reports what an overlay with redirect_dir or metacopy has left, which would
// be read for something else without them.
func (u *Union) refused(p vfs.Path, mode linux.FileMode, rest bool) error {
	name := "metacopy"
	switch {
	case !rest:
		return nil
	case mode.IsDir():
		name = "redirect"
	case !mode.IsRegular():
		return nil
	}
	if _, ok := u.marked(p, name); ok {
		return linux.EPERM
	}
	return nil
}

// covers reports whether layers below n's upper one have name.
func (n *Node) covers(name string) (bool, error) {
	f := &found{}
	for i, b := range n.below {
		more, err := n.findIn(f, b, name, i+1 < len(n.below))
		if err != nil {
			return false, err
		}
		if f.kind != 0 || !more {
			break
		}
	}
	return f.kind != 0, nil
}

// node returns the Node of what was found as name in parent.
func (u *Union) node(parent *Node, name string, f *found) (*Node, error) {
	n := &Node{u: u, kind: f.kind, ino: f.ino, below: f.below, parent: parent, name: name}
	if f.over.Valid() {
		n.over.Store(&f.over)
	}
	if f.kind == linux.S_IFREG {
		if len(f.below) > 0 {
			n.lower = f.below[0].Inode()
		} else {
			n.upper.Store(&upperFile{f.over.Inode()})
		}
	}
	// As in Linux, the names of a lower file are files of their own: a copy parts them.
	if f.kind != linux.S_IFDIR && !f.over.Valid() && f.nlink > 1 {
		n.hold()
		return n, nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if known := u.nodes[n.key()]; known != nil {
		return known, nil
	}
	n.hold()
	u.nodes[n.key()] = n
	return n, nil
}
