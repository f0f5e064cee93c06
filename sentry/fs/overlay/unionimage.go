package overlay

import (
	"cmp"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// UnionImage is a Union in a checkpoint.
type UnionImage struct {
	Lower, UpperDir, Workdir      string
	UserXattr, Volatile, Defaults bool

	Cred   checkpoint.Ref
	Dev    uint64
	Upper  vfs.PathImage
	Base   vfs.PathImage
	Work   vfs.PathImage
	Lowers []vfs.PathImage
	Groups []int
	Root   checkpoint.Ref
	Temps  uint64
}

func saveUnion(s *checkpoint.Saver, u *Union) UnionImage {
	u.mu.Lock()
	defer u.mu.Unlock()
	o := &u.opts
	im := UnionImage{
		Lower: o.lower, UpperDir: o.upper, Workdir: o.work, UserXattr: o.userXattr, Volatile: o.volatile, Defaults: o.defaults,
		Cred: s.Ref(u.cred), Dev: u.dev, Upper: u.upper.Image(s), Base: u.base.Image(s), Work: u.work.Image(s),
		Groups: u.groups, Root: s.Ref(u.root), Temps: u.temps,
	}
	for _, p := range u.lowers {
		im.Lowers = append(im.Lowers, p.Image(s))
	}
	return im
}

func loadUnion(l *checkpoint.Loader, u *Union, im UnionImage) (err error) {
	u.opts = mountOptions{
		lower: im.Lower, lowers: splitPaths(im.Lower), upper: im.UpperDir, work: im.Workdir,
		userXattr: im.UserXattr, volatile: im.Volatile, defaults: im.Defaults,
	}
	u.dev, u.groups, u.temps, u.nodes = im.Dev, im.Groups, im.Temps, make(map[nodeKey]*Node)
	if u.cred, err = checkpoint.Get[*cred.Credentials](l, im.Cred); err != nil || u.cred == nil {
		return errImage
	}
	for _, p := range []struct {
		to   *vfs.Path
		from vfs.PathImage
	}{{&u.upper, im.Upper}, {&u.base, im.Base}, {&u.work, im.Work}} {
		if *p.to, err = vfs.RestorePath(l, p.from); err != nil {
			return err
		}
	}
	for _, p := range im.Lowers {
		lower, err := vfs.RestorePath(l, p)
		if err != nil || !lower.Valid() {
			return cmp.Or(err, errImage)
		}
		u.lowers = append(u.lowers, lower)
	}
	layers := len(u.lowers)
	if u.upper.Valid() {
		layers++
	}
	if len(u.groups) != layers || u.upper.Valid() != u.work.Valid() || u.upper.Valid() != u.base.Valid() {
		return errImage
	}
	if u.root, err = checkpoint.Get[*Node](l, im.Root); err != nil || u.root == nil {
		return errImage
	}
	return nil
}

// BelowImage is what an object is in a lower layer.
type BelowImage struct {
	Path  vfs.PathImage
	Layer int
}

// NodeImage is a Node in a checkpoint.
type NodeImage struct {
	U      checkpoint.Ref
	Kind   linux.FileMode
	Ino    uint64
	Below  []BelowImage
	Parent checkpoint.Ref
	Name   string
	Over   vfs.PathImage
	VState vfs.StateImage
	Lower  checkpoint.Ref
	Upper  checkpoint.Ref
	Known  bool
	Gone   bool
}

func saveNode(s *checkpoint.Saver, n *Node) NodeImage {
	im := NodeImage{
		U: s.Ref(n.u), Kind: n.kind, Ino: n.ino, Parent: s.Ref(n.parent), Name: n.name, VState: n.vstate.Image(s),
		Lower: vfs.SaveRef(s, n.lower), Gone: n.gone,
	}
	for _, b := range n.below {
		im.Below = append(im.Below, BelowImage{b.Path.Image(s), b.layer})
	}
	if p := n.over.Load(); p != nil {
		im.Over = p.Image(s)
	}
	if u := n.upper.Load(); u != nil {
		im.Upper = vfs.SaveRef(s, u.Inode)
	}
	n.u.mu.Lock()
	im.Known = n.u.nodes[n.key()] == n
	n.u.mu.Unlock()
	return im
}

func loadNode(l *checkpoint.Loader, n *Node, im NodeImage) (err error) {
	if n.u, err = checkpoint.Get[*Union](l, im.U); err != nil || n.u == nil {
		return errImage
	}
	if n.parent, err = checkpoint.Get[*Node](l, im.Parent); err != nil {
		return err
	}
	n.kind, n.ino, n.name, n.gone = im.Kind, im.Ino, im.Name, im.Gone
	for _, b := range im.Below {
		p, err := vfs.RestorePath(l, b.Path)
		if err != nil || !p.Valid() || b.Layer < 0 {
			return cmp.Or(err, errImage)
		}
		n.below = append(n.below, layerPath{p, b.Layer})
	}
	over, err := vfs.RestorePath(l, im.Over)
	if err != nil {
		return err
	}
	if over.Valid() {
		n.over.Store(&over)
	}
	if n.kind == linux.S_IFREG {
		if err := n.loadContent(l, &im); err != nil {
			return err
		}
	}
	if len(n.below) == 0 && !over.Valid() {
		return errImage
	}
	if err := n.vstate.Restore(l, &im.VState); err != nil {
		return err
	}
	vfs.AfterNames(l, func() error {
		if slices.ContainsFunc(n.below, func(b layerPath) bool { return b.Inode() == nil || b.layer >= len(n.u.lowers) }) {
			return errImage
		}
		if p := n.over.Load(); p != nil && (p.Inode() == nil || !n.u.upper.Valid()) {
			return errImage
		}
		n.hold()
		if im.Known {
			n.u.nodes[n.key()] = n
		}
		return nil
	})
	return nil
}

// loadContent finds a file's layers, which are there at once for those who map it.
func (n *Node) loadContent(l *checkpoint.Loader, im *NodeImage) (err error) {
	if n.lower, err = checkpoint.Get[vfs.Inode](l, im.Lower); err != nil {
		return err
	}
	if im.Upper != 0 {
		u, err := checkpoint.Get[vfs.Inode](l, im.Upper)
		if err != nil {
			return err
		}
		n.upper.Store(&upperFile{u})
	}
	if n.lower == nil && im.Upper == 0 {
		return errImage
	}
	return nil
}

// Reopened implements vfs.Reopened.
func (x *unionDir) Reopened() {}
