package overlay

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/ktime"
	"cordon/sentry/vfs"
)

var errImage = errors.New("an overlay that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("overlay.FS", saveFS, loadFS),
		checkpoint.Object("overlay.Inode", saveInode, loadInode),
		checkpoint.Object("overlay.Union", saveUnion, loadUnion),
		checkpoint.Object("overlay.Node", saveNode, loadNode),
	}
}

// Image is an FS in a checkpoint.
type Image struct {
	Lowers  []checkpoint.Ref
	Upper   checkpoint.Ref
	Dev     uint64
	Clock   string
	Limit   int64
	Root    checkpoint.Ref
	LastIno uint64
	Made    int64
}

func saveFS(s *checkpoint.Saver, f *FS) Image {
	im := Image{
		Upper: vfs.SaveRef(s, f.upper), Dev: f.dev, Clock: s.Slot(vfs.SlotClocks), Limit: f.limit, Root: s.Ref(f.root),
		LastIno: f.lastIno.Load(), Made: f.made.Load(),
	}
	for _, l := range f.lowers {
		im.Lowers = append(im.Lowers, vfs.SaveRef(s, l))
	}
	return im
}

func loadFS(l *checkpoint.Loader, f *FS, im Image) (err error) {
	v, _ := l.Slot(im.Clock)
	clocks, ok := v.(*ktime.Clocks)
	if f.root, err = checkpoint.Get[*Inode](l, im.Root); err != nil || f.root == nil || !ok || len(im.Lowers) == 0 {
		return errImage
	}
	f.dev, f.clock, f.limit, f.byLower = im.Dev, clocks.Stamp, im.Limit, make(map[vfs.Inode]*Inode)
	f.lastIno.Store(im.LastIno)
	f.made.Store(im.Made)
	l.AfterLoad(func() (err error) {
		for _, r := range im.Lowers {
			lower, err := vfs.LoadRef[vfs.FileSystem](l, r)
			if err != nil || lower == nil {
				return cmp.Or(err, errImage)
			}
			f.lowers = append(f.lowers, lower)
		}
		if f.upper, err = vfs.LoadRef[vfs.FileSystem](l, im.Upper); err != nil || f.upper == nil {
			return errImage
		}
		f.store, ok = f.upper.Root().(vfs.TempCreator)
		if !ok {
			return errImage
		}
		return nil
	})
	return nil
}

// LayerImage is a directory that another merges.
type LayerImage struct {
	Inode checkpoint.Ref
	Layer int
}

// ChangeImage is a change of a directory in a checkpoint.
type ChangeImage struct {
	Name   string
	In     checkpoint.Ref
	Covers bool
}

// XattrImage is an extended attribute in a checkpoint.
type XattrImage struct {
	Name  string
	Value []byte
}

// InodeImage is an Inode in a checkpoint.
type InodeImage struct {
	FS         checkpoint.Ref
	Kind       linux.FileMode
	Ino        uint64
	Target     string
	Lower      checkpoint.Ref
	Known      bool // found by its lower inode, which it holds
	Below      []LayerImage
	Upper      checkpoint.Ref
	VState     vfs.StateImage
	HasOwn     bool
	Own        vfs.Attr
	HasXattrs  bool
	Xattrs     []XattrImage
	NLink      uint32
	Pinned     bool
	Parent     checkpoint.Ref
	Name       string
	HasChanges bool
	Changes    []ChangeImage
	Subdirs    int
}

func saveInode(s *checkpoint.Saver, in *Inode) InodeImage {
	im := InodeImage{
		FS: s.Ref(in.fs), Kind: in.kind, Ino: in.ino, Target: in.target, Lower: vfs.SaveRef(s, in.lower), VState: in.vstate.Image(s),
	}
	if in.lower != nil {
		in.fs.mu.Lock()
		im.Known = in.fs.knownLocked(in.lower) == in
		in.fs.mu.Unlock()
	}
	for _, b := range in.below {
		im.Below = append(im.Below, LayerImage{vfs.SaveRef(s, b.inode), b.layer})
	}
	if u := in.upper.Load(); u != nil {
		im.Upper = vfs.SaveRef(s, u.Inode)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.own != nil {
		im.HasOwn, im.Own = true, *in.own
	}
	im.HasXattrs = in.xattrs != nil
	for _, n := range slices.Sorted(maps.Keys(in.xattrs)) {
		im.Xattrs = append(im.Xattrs, XattrImage{n, in.xattrs[n]})
	}
	im.NLink, im.Pinned, im.Parent, im.Name, im.Subdirs = in.nlink, in.pinned, s.Ref(in.parent), in.name, in.subdirs
	for _, n := range slices.Sorted(maps.Keys(in.changes)) {
		c := in.changes[n]
		im.Changes = append(im.Changes, ChangeImage{n, s.Ref(c.in), c.covers})
	}
	im.HasChanges = in.changes != nil
	return im
}

func loadInode(l *checkpoint.Loader, in *Inode, im InodeImage) (err error) {
	if in.fs, err = checkpoint.Get[*FS](l, im.FS); err != nil || in.fs == nil {
		return errImage
	}
	if in.parent, err = checkpoint.Get[*Inode](l, im.Parent); err != nil {
		return err
	}
	in.kind, in.ino, in.target, in.nlink, in.pinned, in.name, in.subdirs = im.Kind, im.Ino, im.Target, im.NLink, im.Pinned, im.Name, im.Subdirs
	if im.HasOwn {
		in.own = &im.Own
	}
	if im.HasXattrs {
		in.xattrs = make(map[string][]byte)
	}
	for _, x := range im.Xattrs {
		in.xattrs[x.Name] = x.Value
	}
	if im.HasChanges {
		in.changes = make(map[string]change)
	}
	for _, c := range im.Changes {
		k, err := checkpoint.Get[*Inode](l, c.In)
		if err != nil || in.changes == nil {
			return cmp.Or(err, errImage)
		}
		in.changes[c.Name] = change{k, c.Covers}
	}
	if err := in.vstate.Restore(l, &im.VState); err != nil {
		return err
	}
	if err := in.loadLayers(l, &im); err != nil {
		return err
	}
	if im.HasOwn || in.lower != nil || im.Lower != 0 || in.upper.Load() != nil {
		return nil
	}
	return errImage
}

// loadLayers finds what in is made of. A file's layers are there at once, for
// those who map it; a directory's have another form, known when they are filled.
func (in *Inode) loadLayers(l *checkpoint.Loader, im *InodeImage) (err error) {
	if im.Upper != 0 {
		u, err := checkpoint.Get[vfs.Inode](l, im.Upper)
		if err != nil {
			return err
		}
		in.upper.Store(&upperFile{u})
	}
	if in.kind != linux.S_IFDIR {
		if in.lower, err = checkpoint.Get[vfs.Inode](l, im.Lower); err != nil {
			return err
		}
	}
	l.AfterLoad(func() error {
		if in.kind == linux.S_IFDIR {
			if in.lower, err = vfs.LoadRef[vfs.Inode](l, im.Lower); err != nil {
				return err
			}
		}
		for _, b := range im.Below {
			i, err := vfs.LoadRef[vfs.Inode](l, b.Inode)
			if _, dir := i.(vfs.Directory); err != nil || !dir {
				return cmp.Or(err, errImage)
			}
			in.below = append(in.below, layered{i, b.Layer})
		}
		if u := in.upper.Load(); u != nil {
			vfs.HoldInode(u.Inode)
		}
		if im.Known && in.lower != nil {
			in.fs.knowLocked(in.lower, in)
			in.holdLower()
		}
		return nil
	})
	return nil
}

// Saved implements vfs.Alias.
func (d *Dir) Saved() any { return d.inode() }

// Loaded implements vfs.Aliased.
func (in *Inode) Loaded() any { return in.outer() }

// Reopened implements vfs.Reopened.
func (x *file) Reopened() {}

// Reopened implements vfs.Reopened.
func (x *dirFile) Reopened() {}
