package vfs

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/usermem"
)

// DescriptionImage is a Description in a checkpoint. Its references are counted
// by those who hold them, as they are restored.
type DescriptionImage struct {
	File  checkpoint.Ref // 0: opened again
	Path  PathImage
	Cred  checkpoint.Ref
	Mode  uint8
	Flags uint32
	Off   int64
	Owner OwnerImage
	Locks bool
}

// OwnerImage is whom F_SETOWN and F_SETSIG name.
type OwnerImage struct {
	Set, On bool
	Target  checkpoint.Ref
	Sig     linux.Signal
	FD      linux.FD
}

func saveDescription(s *checkpoint.Saver, d *Description) DescriptionImage {
	im := DescriptionImage{
		Path: d.path.Image(s), Cred: s.Ref(d.cred), Mode: uint8(d.mode), Flags: uint32(d.Flags()),
		Locks: d.locks.Load(),
	}
	d.pos.Lock()
	im.Off = d.off
	d.pos.Unlock()
	if o := d.owner.who.Load(); o != nil {
		im.Owner = OwnerImage{Set: true, Target: s.Ref(o.target), Sig: o.sig, FD: o.fd}
	}
	im.Owner.On = d.owner.on.Load()
	_, pathOnly := d.file.(pathFile)
	_, again := d.file.(Reopened)
	if !pathOnly && !again {
		im.File = s.Ref(d.file)
	}
	return im
}

func loadDescription(l *checkpoint.Loader, d *Description, im DescriptionImage) (err error) {
	g := &getter{l: l}
	d.cred = get[*cred.Credentials](g, im.Cred)
	if d.path, err = RestorePath(l, im.Path); err != nil {
		return err
	}
	d.mode, d.off = descMode(im.Mode), im.Off
	d.flags.Store(im.Flags)
	d.locks.Store(im.Locks)
	if o := im.Owner; o.Set {
		d.owner.who.Store(&owner{get[SignalTarget](g, o.Target), o.Sig, o.FD})
	}
	if im.File != 0 {
		d.file = get[File](g, im.File)
	}
	if g.err != nil || im.Off < 0 || d.path.Dentry == nil && d.file == nil {
		return cmp.Or(g.err, errImage)
	}
	after(l, stepFiles, d.settle)
	AfterFiles(l, func() error {
		if im.Owner.On {
			return d.setAsync(true)
		}
		return nil
	})
	return nil
}

// settle opens the file again and counts d. Names have their inodes.
func (d *Description) settle() error {
	p := d.path
	if p.Dentry != nil {
		d.dirAt = p.Dentry.IsDir()
		p.Mount.vfs.descriptions.Add(1)
		if d.mode&holdsInode != 0 {
			HoldInode(p.Dentry.inode)
		}
		if d.mode&countWrite != 0 {
			p.Mount.writers.Add(1)
			p.Mount.sb.writers.Add(1)
		}
	}
	switch {
	case d.file != nil:
	case d.mode&pathOnly != 0:
		d.file = pathFile{}
	default:
		f, err := d.openAgain()
		if err != nil {
			return err
		}
		d.file = f
	}
	if a, ok := d.file.(AnonReopener); ok {
		if i, ok := p.Dentry.inode.(*AnonInode); ok {
			i.open = a.OpenAgain
		}
	}
	if a, ok := d.file.(DescriptionAware); ok {
		a.SetDescription(d)
	}
	return nil
}

// An AnonReopener is a File without a name that /proc/self/fd can open again (a
// pipe).
type AnonReopener interface {
	OpenAgain(c *Caller, flags linux.OpenFlags) (File, error)
}

// openAgain makes the File of a restored description.
func (d *Description) openAgain() (File, error) {
	p := d.path
	c := &Caller{Cred: d.cred}
	if ns := p.Mount.ns; ns != nil {
		c.Root = Path{ns.root, ns.root.root}.throughLocked()
		c.Cwd = c.Root
	}
	var f File
	var err error
	flags := d.Flags() | linux.O_NOCTTY
	_, self := p.Dentry.inode.(selfOpener)
	switch kind := p.Dentry.kind; {
	case self, p.Dentry.anon != "", kind == linux.S_IFREG, kind == linux.S_IFDIR:
		f, err = p.Dentry.inode.Open(c, p, flags)
	case kind == linux.S_IFCHR, kind == linux.S_IFBLK:
		var a Attr
		if a, err = p.Dentry.inode.Attr(); err == nil {
			f, err = p.Mount.vfs.openDevice(c, p, a.Rdev, flags)
		}
	default:
		err = errImage
	}
	if _, ok := p.Dentry.sb.fs.(Regenerated); ok && err != nil {
		return goneFile{}, nil
	}
	return f, err
}

// goneFile is the open file of a goneInode, or of one that cannot be opened any
// more.
type goneFile struct{}

// Release implements File.
func (goneFile) Release() {}

// Reopened implements Reopened.
func (goneFile) Reopened() {}

// ReadAt implements ReaderAt.
func (goneFile) ReadAt(*usermem.Seq, int64) (int, error) { return 0, linux.ESRCH }

// WriteAt implements WriterAt.
func (goneFile) WriteAt(*usermem.Seq, int64) (int, error) { return 0, linux.ESRCH }

// ReadDir implements DirReader.
func (goneFile) ReadDir(int64, func(Dirent) bool) error { return linux.ENOENT }

// FDImage is a descriptor in a checkpoint.
type FDImage struct {
	FD      linux.FD
	File    checkpoint.Ref
	Cloexec bool
}

// FDTableImage is an FDTable in a checkpoint.
type FDTableImage struct {
	Refs  int64
	Size  int
	Slots []FDImage
}

func saveFDTable(s *checkpoint.Saver, t *FDTable) FDTableImage {
	im := FDTableImage{Refs: t.refs.Load(), Size: t.Size()}
	t.Each(func(fd linux.FD, d *Description, flags linux.FDFlags) bool {
		im.Slots = append(im.Slots, FDImage{fd, s.Ref(d), flags&linux.FD_CLOEXEC != 0})
		return true
	})
	return im
}

func loadFDTable(l *checkpoint.Loader, t *FDTable, im FDTableImage) error {
	if im.Size < 0 || im.Size > NROpen || im.Refs < 0 {
		return errImage
	}
	t.refs.Store(im.Refs)
	t.growLocked(max(im.Size, 64))
	last := linux.FD(-1)
	for _, f := range im.Slots {
		d, err := checkpoint.Get[*Description](l, f.File)
		if err != nil {
			return err
		}
		if f.FD <= last || f.FD >= NROpen || d == nil {
			return errImage
		}
		last = f.FD
		flags := linux.FDFlags(0)
		if f.Cloexec {
			flags = linux.FD_CLOEXEC
		}
		d.refs.Add(1)
		t.mu.Lock()
		t.putLocked(int(f.FD), d, flags)
		t.mu.Unlock()
	}
	t.next = 0
	return nil
}
