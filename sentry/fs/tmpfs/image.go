package tmpfs

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/ktime"
	"cordon/sentry/memmap"
	"cordon/sentry/vfs"
)

// The outside things that a restore supplies.
const (
	slotMemory = "memory" // *memfile.File, restored: files claim their pages
	slotClocks = vfs.SlotClocks
)

var errImage = errors.New("a tmpfs that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("tmpfs.FS", saveFS, loadFS),
		checkpoint.Object("tmpfs.dir", saveDir, loadDir),
		checkpoint.Object("tmpfs.file", saveFile, loadFile),
		checkpoint.Object("tmpfs.link", saveLink, loadLink),
		checkpoint.Object("tmpfs.special", saveSpecial, loadSpecial),
		checkpoint.Object("tmpfs.zeroMap", saveZeroMap, loadZeroMap),
	}
}

// Image is an FS in a checkpoint.
type Image struct {
	Name      string
	Mem, Now  string
	Dev       uint64
	Root      checkpoint.Ref
	Opts      string
	MaxPages  uint64
	MaxInodes uint64
	Pages     uint64
	Inodes    uint64
	LastIno   uint64
}

func saveFS(s *checkpoint.Saver, f *FS) Image {
	return Image{
		Name: f.name, Mem: s.Slot(slotMemory), Now: s.Slot(slotClocks), Dev: f.dev, Root: s.Ref(f.root), Opts: *f.opts.Load(),
		MaxPages: f.maxPages.Load(), MaxInodes: f.maxInodes.Load(), Pages: f.pages.Load(), Inodes: f.inodes.Load(),
		LastIno: f.lastIno.Load(),
	}
}

func loadFS(l *checkpoint.Loader, f *FS, im Image) (err error) {
	m, _ := l.Slot(im.Mem)
	c, _ := l.Slot(im.Now)
	mem, ok1 := m.(*memfile.File)
	clocks, ok2 := c.(*ktime.Clocks)
	if !ok1 || !ok2 {
		return errors.New("the memory file or the clocks were not supplied")
	}
	if f.root, err = checkpoint.Get[*dir](l, im.Root); err != nil || f.root == nil {
		return errImage
	}
	f.name, f.mem, f.back, f.now, f.dev = im.Name, mem, memmap.Memory{File: mem}, clocks.Stamp, im.Dev
	f.opts.Store(&im.Opts)
	f.maxPages.Store(im.MaxPages)
	f.maxInodes.Store(im.MaxInodes)
	f.pages.Store(im.Pages)
	f.inodes.Store(im.Inodes)
	f.lastIno.Store(im.LastIno)
	return nil
}

// XattrImage is an extended attribute in a checkpoint.
type XattrImage struct {
	Name  string
	Value []byte
}

// NodeImage is a node in a checkpoint.
type NodeImage struct {
	FS                         checkpoint.Ref
	Ino                        uint64
	BTime, ATime, MTime, CTime int64
	Mode                       linux.FileMode
	UID, GID, NLink            uint32
	Xattrs                     []XattrImage
	Gone                       bool
	State                      vfs.StateImage
}

func (n *node) image(s *checkpoint.Saver) NodeImage {
	state := n.state.Image(s)
	n.mu.Lock()
	defer n.mu.Unlock()
	im := NodeImage{
		FS: s.Ref(n.fs), Ino: n.ino, BTime: n.btime, ATime: n.atime, MTime: n.mtime, CTime: n.ctime, Mode: n.mode,
		UID: n.uid, GID: n.gid, NLink: n.nlink, Gone: n.gone, State: state,
	}
	for _, k := range slices.Sorted(maps.Keys(n.xattrs)) {
		im.Xattrs = append(im.Xattrs, XattrImage{k, n.xattrs[k]})
	}
	return im
}

func (n *node) restore(l *checkpoint.Loader, im *NodeImage) (err error) {
	if n.fs, err = checkpoint.Get[*FS](l, im.FS); err != nil || n.fs == nil {
		return errImage
	}
	n.ino, n.kind, n.btime, n.atime, n.mtime, n.ctime = im.Ino, im.Mode.Type(), im.BTime, im.ATime, im.MTime, im.CTime
	n.mode, n.uid, n.gid, n.nlink, n.gone = im.Mode, im.UID, im.GID, im.NLink, im.Gone
	for _, x := range im.Xattrs {
		if n.xattrs == nil {
			n.xattrs = make(map[string][]byte)
		}
		n.xattrs[x.Name] = x.Value
	}
	return n.state.Restore(l, &im.State)
}

// EntryImage is a name in a directory in a checkpoint.
type EntryImage struct {
	Name   string
	Cookie int64
	Inode  checkpoint.Ref
}

// DirImage is a dir in a checkpoint.
type DirImage struct {
	Node   NodeImage
	Parent checkpoint.Ref
	Names  []EntryImage // by cookie
	Last   int64
}

func saveDir(s *checkpoint.Saver, d *dir) DirImage {
	im := DirImage{Node: d.image(s)}
	d.mu.Lock()
	defer d.mu.Unlock()
	im.Parent, im.Last = s.Ref(d.parent), d.last
	for _, e := range d.order {
		if e.inode != nil {
			im.Names = append(im.Names, EntryImage{e.name, e.cookie, s.Ref(e.inode)})
		}
	}
	return im
}

func loadDir(l *checkpoint.Loader, d *dir, im DirImage) (err error) {
	if err := d.restore(l, &im.Node); err != nil {
		return err
	}
	if d.parent, err = checkpoint.Get[*dir](l, im.Parent); err != nil || d.parent == nil || d.kind != linux.S_IFDIR {
		return errImage
	}
	d.names, d.last = make(map[string]*entry), im.Last
	at := int64(firstCookie)
	for _, e := range im.Names {
		i, err := checkpoint.Get[inode](l, e.Inode)
		if err != nil || i == nil || e.Cookie < at || e.Cookie > im.Last || d.names[e.Name] != nil {
			return cmp.Or(err, errImage)
		}
		at = e.Cookie + 1
		n := &entry{e.Name, e.Cookie, i}
		d.names[e.Name] = n
		d.order = append(d.order, n)
	}
	return nil
}

// PagesImage is memory of a file in a checkpoint: the file's bytes from Start to
// End are at Off of the memory file.
type PagesImage struct{ Start, End, Off uint64 }

// FileImage is a file in a checkpoint. Its mappings are added again by those
// who map it.
type FileImage struct {
	Node  NodeImage
	Size  uint64
	Pages []PagesImage
	Seals linux.Seals
	// Charge has been charged for Pages.
	Charge checkpoint.Ref
}

func saveFile(s *checkpoint.Saver, f *file) FileImage {
	im := FileImage{Node: f.image(s)}
	f.mu.Lock()
	defer f.mu.Unlock()
	// What is reserved for writes to come is not worth saving.
	f.dropAheadLocked()
	im.Size, im.Seals = f.size.Load(), f.seals
	if f.charge != nil {
		im.Charge = s.Ref(f.charge)
	}
	for r, v := range f.pages.All() {
		im.Pages = append(im.Pages, PagesImage{r.Start, r.End, *v})
	}
	return im
}

func loadFile(l *checkpoint.Loader, f *file, im FileImage) error {
	if err := f.restore(l, &im.Node); err != nil {
		return err
	}
	m, _ := l.Slot(slotMemory)
	mem, ok := m.(*memfile.File)
	if !ok || f.kind != linux.S_IFREG || im.Size > maxSize {
		return errImage
	}
	charge, err := checkpoint.Get[vfs.Charger](l, im.Charge)
	if err != nil {
		return err
	}
	f.charge, f.seals, f.pages = charge, im.Seals, newPages()
	f.size.Store(im.Size)
	at := uint64(0)
	for _, p := range im.Pages {
		n := p.End - p.Start
		if p.Start < at || p.End <= p.Start || (p.Start|p.End|p.Off)%pageSize != 0 || p.Off+n < p.Off {
			return errImage
		}
		at = p.End
		if mem.Claim(memfile.Range{Start: p.Off, End: p.Off + n}, memfile.Files) != 0 {
			return errImage
		}
		f.pages.Insert(seg.Range{Start: p.Start, End: p.End}, p.Off)
	}
	return nil
}

// LinkImage is a link in a checkpoint.
type LinkImage struct {
	Node   NodeImage
	Target string
}

func saveLink(s *checkpoint.Saver, k *link) LinkImage { return LinkImage{k.image(s), k.target} }

func loadLink(l *checkpoint.Loader, k *link, im LinkImage) error {
	k.target = im.Target
	return k.restore(l, &im.Node)
}

// SpecialImage is a special in a checkpoint.
type SpecialImage struct {
	Node NodeImage
	Rdev uint64
}

func saveSpecial(s *checkpoint.Saver, k *special) SpecialImage {
	return SpecialImage{k.image(s), k.rdev}
}

func loadSpecial(l *checkpoint.Loader, k *special, im SpecialImage) error {
	k.rdev = im.Rdev
	return k.restore(l, &im.Node)
}

// ZeroMapImage is a zeroMap in a checkpoint.
type ZeroMapImage struct{ File checkpoint.Ref }

func saveZeroMap(s *checkpoint.Saver, z *zeroMap) ZeroMapImage { return ZeroMapImage{s.Ref(z.file)} }

func loadZeroMap(l *checkpoint.Loader, z *zeroMap, im ZeroMapImage) (err error) {
	if z.file, err = checkpoint.Get[*file](l, im.File); err == nil && z.file == nil {
		err = errImage
	}
	return err
}

// Reopened implements vfs.Reopened.
func (openFile) Reopened() {}

// Reopened implements vfs.Reopened.
func (dirFile) Reopened() {}
