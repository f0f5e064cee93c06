package goferfs

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// SlotGofer is the *Outside of a restore: a connection to a gofer that knows
// the mounts by the names they were attached by.
const SlotGofer = "gofer"

// An Outside is what mounts need of their surroundings.
type Outside struct {
	Client *client.Client
	Hosts  HostFiles
}

var errImage = errors.New("files of a gofer that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("goferfs.FS", saveFS, loadFS),
		checkpoint.Object("goferfs.Inode", saveInode, loadInode),
	}
}

// DeviceImage is another device's place in inode numbers.
type DeviceImage struct{ Dev, Place uint64 }

// Image is an FS in a checkpoint.
type Image struct {
	Gofer, Attach string
	Place         string
	Shared        bool
	Dev, Host     uint64
	Root          checkpoint.Ref
	Devices       []DeviceImage
}

func saveFS(s *checkpoint.Saver, f *FS) Image {
	im := Image{Gofer: s.Slot(SlotGofer), Attach: f.attach, Place: f.place, Shared: f.shared, Dev: f.dev, Host: f.host, Root: s.Ref(f.root)}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range slices.Sorted(maps.Keys(f.devices)) {
		im.Devices = append(im.Devices, DeviceImage{d, f.devices[d]})
	}
	return im
}

func loadFS(l *checkpoint.Loader, f *FS, im Image) (err error) {
	v, _ := l.Slot(im.Gofer)
	o, ok := v.(*Outside)
	if !ok || o.Client == nil || o.Hosts == nil {
		return errors.New("the gofer was not supplied")
	}
	if f.root, err = checkpoint.Get[*Inode](l, im.Root); err != nil || f.root == nil {
		return errImage
	}
	f.client, f.hosts, f.attach, f.place, f.shared, f.dev, f.host = o.Client, o.Hosts, im.Attach, im.Place, im.Shared, im.Dev, im.Host
	f.inodes, f.devices = make(map[inodeKey]*Inode), make(map[uint64]uint64)
	for _, d := range im.Devices {
		f.devices[d.Dev] = d.Place
	}
	f.bound()
	f.self = f
	if f.shared {
		f.self = sharedFS{f}
	}
	return nil
}

// Saved implements vfs.Alias.
func (fs sharedFS) Saved() any { return fs.FS }

// Loaded implements vfs.Aliased.
func (fs *FS) Loaded() any { return fs.self }

// InodeImage is an Inode in a checkpoint: where it is. The host is asked for
// the rest again.
type InodeImage struct {
	FS     checkpoint.Ref
	Kind   linux.FileMode
	Ino    uint64
	Parent checkpoint.Ref
	Name   string
	VState vfs.StateImage
}

func saveInode(s *checkpoint.Saver, in *Inode) InodeImage {
	state := in.vstate.Image(s)
	if in.stale.Load() {
		_ = in.refresh() // to learn whether it has names still; the attributes are asked for again
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.attr.nlink == 0 {
		s.Fail(fmt.Errorf("the host's file %q has no name any more and is in use", in.name))
	}
	return InodeImage{FS: s.Ref(in.fs), Kind: in.kind, Ino: in.ino, Parent: s.Ref(in.parent), Name: in.name, VState: state}
}

func loadInode(l *checkpoint.Loader, in *Inode, im InodeImage) (err error) {
	if in.fs, err = checkpoint.Get[*FS](l, im.FS); err != nil || in.fs == nil {
		return errImage
	}
	if in.parent, err = checkpoint.Get[*Inode](l, im.Parent); err != nil {
		return err
	}
	in.kind, in.ino, in.name = im.Kind, im.Ino, im.Name
	if err := in.vstate.Restore(l, &im.VState); err != nil {
		return err
	}
	l.AfterLoad(func() error { return in.walkAgain(0) })
	return nil
}

// maxDepth bounds the way from a restored inode to the root.
const maxDepth = 1 << 12

// walkAgain finds a restored inode on the host.
func (in *Inode) walkAgain(depth int) error {
	if in.hasNode() {
		return nil
	}
	var step client.Step
	if in == in.fs.root {
		n, a, err := in.fs.client.Attach(in.fs.attach)
		if err != nil {
			return fmt.Errorf("attaching %s: %w", in.fs.attach, err)
		}
		in.fs.host = a.Dev
		step = client.Step{Attr: a, Node: n}
	} else {
		p := in.parent
		if p == nil || p.fs != in.fs || p.kind != linux.S_IFDIR || depth > maxDepth {
			return errImage
		}
		if err := p.walkAgain(depth + 1); err != nil {
			return err
		}
		var err error
		if step, err = (*Dir)(p).walk(in.name, client.WalkOption{Node: true}); err != nil {
			return fmt.Errorf("finding %s in %s again: %w", in.name, in.fs.attach, err)
		}
	}
	if step.Attr.Mode.Type() != in.kind || step.Node == nil {
		return fmt.Errorf("%s in %s is not what it was", in.name, in.fs.attach)
	}
	in.key = inodeKey{step.Attr.Dev, step.Attr.Ino}
	if target := step.Target; target != "" {
		in.link = &target
	}
	in.born = step.Attr.Btime.NS()
	in.setAttrLocked(&step.Attr)
	in.size.Store(step.Attr.Size)
	in.fs.mu.Lock()
	in.fs.inodes[in.key] = in
	in.fs.mu.Unlock()
	in.adopt(step.Node)
	return nil
}

// hasNode reports whether in has its node.
func (in *Inode) hasNode() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.node != nil
}

// Saved implements vfs.Alias.
func (d *Dir) Saved() any { return d.inode() }

// Loaded implements vfs.Aliased.
func (in *Inode) Loaded() any { return in.outer() }

// Reopened implements vfs.Reopened.
func (x *file) Reopened() {}

// Reopened implements vfs.Reopened.
func (x *dirFile) Reopened() {}
