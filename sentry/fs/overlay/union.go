package overlay

import (
	"slices"
	"strings"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// A Union is an overlay that a program has mounted: its layers are directories of other
// file systems.
type Union struct {
	// immutable
	opts   mountOptions
	cred   *cred.Credentials // of who mounted it
	dev    uint64
	upper  vfs.Path   // not valid: there is none
	base   vfs.Path   // workdir itself
	work   vfs.Path   // where things are made before they are in upper
	lowers []vfs.Path // the highest first
	groups []int      // of the layers, upper last: those of one file system have one number
	root   *Node

	mu lock.Mutex[lock.Inode]

	// guarded by mu
	nodes map[nodeKey]*Node
	temps uint64 // names given in work
}

// A nodeKey is by what a Node is found again: what it is in the highest layer that has it.
type nodeKey struct {
	inode vfs.Inode
	layer int
}

// layerPath is a place in a layer.
type layerPath struct {
	vfs.Path
	layer int
}

// Mount returns the overlay that data, mount(2)'s, asks for.
func Mount(c *vfs.Caller, v *vfs.VFS, data string) (*Union, error) {
	o, err := parseOptions(data)
	if err != nil {
		return nil, err
	}
	u := &Union{opts: o, cred: c.Cred, dev: v.NextDevice(), nodes: make(map[nodeKey]*Node)}
	if err := u.open(c); err != nil {
		u.Release()
		return nil, err
	}
	return u, nil
}

// open finds the layers.
func (u *Union) open(c *vfs.Caller) error {
	var upper, work vfs.Path
	var err error
	if u.opts.upper != "" {
		if upper, err = layerDir(c, u.opts.upper); err != nil {
			return err
		}
		if upper.Flags()&linux.MS_RDONLY != 0 {
			return linux.EINVAL
		}
		if work, err = layerDir(c, u.opts.work); err != nil {
			return err
		}
		if same, apart := upper.SameMount(work); !same || !apart {
			return linux.EINVAL
		}
	}
	var lowers []vfs.Path
	for _, name := range u.opts.lowers {
		p, err := layerDir(c, name)
		if err != nil {
			return err
		}
		lowers = append(lowers, p)
	}
	if overlapping(upper, work, lowers) {
		return linux.ELOOP
	}
	for _, p := range lowers {
		u.lowers = append(u.lowers, vfs.AsLayer(p, linux.MS_RDONLY|linux.MS_NOATIME))
	}
	if upper.Valid() {
		u.upper = vfs.AsLayer(upper, 0)
		u.base = vfs.Path{Mount: u.upper.Mount, Dentry: work.Dentry}
		if err := u.makeWork(); err != nil {
			return err
		}
	}
	u.group()
	return u.makeRoot()
}

func layerDir(c *vfs.Caller, name string) (vfs.Path, error) {
	p, err := vfs.Resolve(c, c.Cwd, name, 0)
	switch {
	case err != nil:
		return p, err
	case !p.Dentry.IsDir() || depthOf(p) >= maxDepth:
		return p, linux.EINVAL
	}
	return p, nil
}

// maxDepth is how many overlays may lie on one another (Linux:
// FILESYSTEM_MAX_STACK_DEPTH).
const maxDepth = 2

// depthOf counts the Unions that p is in.
func depthOf(p vfs.Path) int {
	u, ok := p.Dentry.FileSystem().(*Union)
	if !ok {
		return 0
	}
	n := 0
	for _, l := range append(slices.Clone(u.lowers), u.upper) {
		if l.Valid() {
			n = max(n, depthOf(l))
		}
	}
	return n + 1
}

// overlapping reports whether a layer is another one or below it.
func overlapping(upper, work vfs.Path, lowers []vfs.Path) bool {
	all := slices.Clone(lowers)
	if upper.Valid() {
		all = append(all, upper, work)
	}
	for i, p := range all {
		for j, q := range all {
			if i != j && p.Within(q) {
				return true
			}
		}
	}
	return false
}

// group finds out which layers are of one file system.
func (u *Union) group() {
	all := slices.Clone(u.lowers)
	if u.upper.Valid() {
		all = append(all, u.upper)
	}
	var seen []vfs.FileSystem
	for _, p := range slices.Backward(all) {
		fs := p.Dentry.FileSystem()
		i := slices.Index(seen, fs)
		if i < 0 {
			i = len(seen)
			seen = append(seen, fs)
		}
		u.groups = append(u.groups, i)
	}
	slices.Reverse(u.groups)
}

// upperLayer is the number of the upper layer.
func (u *Union) upperLayer() int { return len(u.lowers) }

func (u *Union) ino(ino uint64, layer int) uint64 { return inoOf(ino, u.groups[layer]) }

func (u *Union) makeRoot() error {
	root := &Node{u: u, kind: linux.S_IFDIR}
	for i, p := range u.lowers {
		root.below = append(root.below, layerPath{p, i})
	}
	first := root.below[0]
	if u.upper.Valid() {
		first = layerPath{u.upper, u.upperLayer()}
		root.over.Store(&first.Path)
	}
	a, err := first.Attr()
	if err != nil {
		return err
	}
	root.ino = u.ino(a.Ino, first.layer)
	root.hold()
	u.nodes[nodeKey{first.Inode(), first.layer}] = root
	u.root = root
	return nil
}

// as is the caller that layers see: whoever mounted the overlay.
func (u *Union) as(c *vfs.Caller) *vfs.Caller {
	k := &vfs.Caller{Cred: u.cred}
	if c != nil {
		k.Job, k.FileSizeLimit, k.FileSizeLimited = c.Job, c.FileSizeLimit, c.FileSizeLimited
	}
	return k
}

// Type implements vfs.FileSystem.
func (u *Union) Type() string { return "overlay" }

// Root implements vfs.FileSystem.
func (u *Union) Root() vfs.Inode { return u.root }

// Device implements vfs.FileSystem.
func (u *Union) Device() uint64 { return u.dev }

// ReadOnly implements vfs.AlwaysReadOnly.
func (u *Union) ReadOnly() bool { return !u.upper.Valid() }

// StatFS implements vfs.FileSystem: the room there is to write.
func (u *Union) StatFS() (linux.Statfs, error) {
	p := u.lowers[0]
	if u.upper.Valid() {
		p = u.upper
	}
	s, err := vfs.StatFS(p)
	s.Type, s.Fsid = overlayMagic, [2]int32{}
	return s, err
}

// Release implements vfs.FileSystem.
func (u *Union) Release() {
	for _, p := range u.lowers {
		p.DecRef()
	}
	u.upper.DecRef()
}

// xattr is the name of an attribute of the overlay's own.
func (u *Union) xattr(name string) string { return u.xattrs() + name }

// xattrs is what the names of the overlay's own attributes begin with.
func (u *Union) xattrs() string {
	if u.opts.userXattr {
		return "user.overlay."
	}
	return "trusted.overlay."
}

// mark sets an attribute of the overlay's own.
func (u *Union) mark(p vfs.Path, name, value string) error {
	return vfs.SetXattr(u.as(nil), p, u.xattr(name), []byte(value), 0)
}

// marked reads one.
func (u *Union) marked(p vfs.Path, name string) (string, bool) {
	v, err := vfs.GetXattr(u.as(nil), p, u.xattr(name))
	return string(v), err == nil
}

func (u *Union) isOwn(name string) bool { return strings.HasPrefix(name, u.xattrs()) }
