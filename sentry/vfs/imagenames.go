package vfs

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
)

// LockImage is a fileLock in a checkpoint.
type LockImage struct {
	Owner      checkpoint.Ref
	PID        int32
	Write      bool
	Start, End int64
}

// StateImage is an InodeState in a checkpoint. Its holders and watches count
// and add themselves again.
type StateImage struct {
	Writers         int32
	Records, Flocks []LockImage
	FIFO            checkpoint.Ref
	Unnamed         bool
}

// Image returns the state's image, for the image of the inode that keeps it.
func (s *InodeState) Image(sv *checkpoint.Saver) StateImage {
	im := StateImage{Writers: s.writers.Load()}
	e := s.ext.Load()
	if e == nil {
		return im
	}
	e.locks.mu.Lock()
	defer e.locks.mu.Unlock()
	im.Records, im.Flocks = saveLocks(sv, e.locks.records), saveLocks(sv, e.locks.flocks)
	im.Unnamed = e.unnamed.Load()
	if p := e.fifo.Load(); p != nil {
		im.FIFO = sv.Ref(*p)
	}
	return im
}

func saveLocks(sv *checkpoint.Saver, list []fileLock) []LockImage {
	var out []LockImage
	for _, k := range list {
		out = append(out, LockImage{sv.Ref(k.owner), k.pid, k.write, k.start, k.end})
	}
	return out
}

// Restore gives a new inode's state what im says.
func (s *InodeState) Restore(l *checkpoint.Loader, im *StateImage) (err error) {
	s.writers.Store(im.Writers)
	if im.FIFO == 0 && len(im.Records)+len(im.Flocks) == 0 && !im.Unnamed {
		return nil
	}
	e := s.extended()
	e.unnamed.Store(im.Unnamed)
	if e.locks.records, err = loadLocks(l, im.Records); err != nil {
		return err
	}
	if e.locks.flocks, err = loadLocks(l, im.Flocks); err != nil {
		return err
	}
	if im.FIFO != 0 {
		p, err := checkpoint.Get[any](l, im.FIFO)
		if err != nil {
			return err
		}
		e.fifo.Store(&p)
	}
	return nil
}

func loadLocks(l *checkpoint.Loader, list []LockImage) ([]fileLock, error) {
	var out []fileLock
	for _, k := range list {
		owner, err := checkpoint.Get[any](l, k.Owner)
		if err != nil {
			return nil, err
		}
		switch owner.(type) {
		case *FDTable, *Description:
		default:
			return nil, errImage
		}
		out = append(out, fileLock{owner, k.PID, k.Write, k.Start, k.End})
	}
	return out, nil
}

// DentryImage is a Dentry in a checkpoint. Only those are saved that something
// refers to; absences and what only the cache knows are looked up again.
type DentryImage struct {
	SB      checkpoint.Ref
	Inode   checkpoint.Ref // 0: found by its name
	Kind    linux.FileMode
	Anon    string
	Held    bool // counted among the inode's holders
	Temp    bool
	NoLink  bool
	Parent  checkpoint.Ref
	Name    string
	Deleted bool
	Cached  bool // the parent knows it
	Own     StateImage
}

func saveDentry(s *checkpoint.Saver, d *Dentry) DentryImage {
	pl := d.place.Load()
	im := DentryImage{
		SB: s.Ref(d.sb), Kind: d.kind, Anon: d.anon, Held: d.hold.held.Load(),
		Temp: d.temp, NoLink: d.noLink, Name: pl.name, Deleted: pl.deleted,
	}
	if own := d.own.Load(); own != nil {
		im.Own = own.Image(s)
	}
	if pl.parent != d {
		im.Parent = s.Ref(pl.parent)
		im.Cached = pl.parent.knows(d, pl.name)
	}
	if _, ok := d.sb.fs.(Regenerated); !ok {
		im.Inode = SaveRef(s, d.inode)
	}
	return im
}

// knows reports whether c is d's child called name.
func (d *Dentry) knows(c *Dentry, name string) bool {
	k := d.kids
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.all[name] == c {
		return true
	}
	w, ok := k.ghosts[name]
	return ok && w.Value() == c
}

func loadDentry(l *checkpoint.Loader, d *Dentry, im DentryImage) (err error) {
	if d.sb, err = checkpoint.Get[*superblock](l, im.SB); err != nil || d.sb == nil {
		return errImage
	}
	parent := d
	if im.Parent != 0 {
		if parent, err = checkpoint.Get[*Dentry](l, im.Parent); err != nil {
			return err
		}
	}
	d.kind, d.anon, d.temp, d.noLink = im.Kind, im.Anon, im.Temp, im.NoLink
	if d.kind == linux.S_IFDIR {
		d.kids = &children{}
	}
	d.place.Store(&place{parent: parent, name: im.Name, deleted: im.Deleted})
	own := &InodeState{}
	if err := own.Restore(l, &im.Own); err != nil {
		return err
	}
	d.own.Store(own)
	after(l, stepDentries, func() error {
		if err := d.findInode(l, im.Inode, 0); err != nil {
			return err
		}
		if im.Held {
			d.holdInode()
		}
		if im.Cached {
			return parent.adopt(d)
		}
		d.armLocked()
		return nil
	})
	return nil
}

// maxDepth bounds the way from a restored dentry to its root.
const maxDepth = 1 << 16

// findInode gives d what it names.
func (d *Dentry) findInode(l *checkpoint.Loader, r checkpoint.Ref, depth int) (err error) {
	if d.inode != nil {
		return nil
	}
	if r != 0 {
		d.inode, err = LoadRef[Inode](l, r)
	} else {
		err = d.lookAgain(depth)
	}
	if err != nil {
		return err
	}
	if d.kind == linux.S_IFDIR {
		dir, ok := d.inode.(Directory)
		if !ok {
			return errImage
		}
		d.kids.names = dir
	}
	return nil
}

// lookAgain finds the inode of a Regenerated file system by its name. What is
// not there any more (a process's directory that is open still) gets an inode
// that answers nothing.
func (d *Dentry) lookAgain(depth int) error {
	p := d.Parent()
	if _, ok := d.sb.fs.(Regenerated); !ok || depth > maxDepth {
		return errImage
	}
	if p == d {
		d.inode = d.sb.fs.Root()
	} else {
		if p.kids == nil || p.sb != d.sb {
			return errImage
		}
		if err := p.findInode(nil, 0, depth+1); err != nil {
			return err
		}
		if i, err := p.kids.names.Lookup(d.Name()); err == nil && !d.Deleted() {
			d.inode = i
		}
	}
	if d.inode != nil {
		if a, err := d.inode.Attr(); err == nil && a.Mode.Type() == d.kind {
			return nil
		}
	}
	d.inode = &goneInode{fs: d.sb.fs, mode: d.kind}
	return nil
}

// adopt puts a restored child back where it was.
func (d *Dentry) adopt(c *Dentry) error {
	if d.kids == nil || d.sb != c.sb || c.Deleted() {
		return errImage
	}
	d.kids.dir.Lock()
	defer d.kids.dir.Unlock()
	d.insertLocked(c.Name(), c)
	return nil
}

// A goneInode stands for what a restored name meant and is no more.
type goneInode struct {
	fs   FileSystem
	mode linux.FileMode
}

// FileSystem implements Inode.
func (i *goneInode) FileSystem() FileSystem { return i.fs }

// Attr implements Inode.
func (i *goneInode) Attr() (Attr, error) { return Attr{Mode: i.mode, BlockSize: linux.PageSize}, nil }

// SetAttr implements Inode.
func (i *goneInode) SetAttr(*SetAttr) error { return linux.ENOENT }

// Open implements Inode.
func (i *goneInode) Open(*Caller, Path, linux.OpenFlags) (File, error) { return nil, linux.ENOENT }

// Lookup implements Directory.
func (i *goneInode) Lookup(string) (Inode, error) { return nil, linux.ENOENT }

// Create implements Directory.
func (i *goneInode) Create(string, *NewInode) (Inode, error) { return nil, linux.ENOENT }

// Link implements Directory.
func (i *goneInode) Link(string, Inode) error { return linux.ENOENT }

// Unlink implements Directory.
func (i *goneInode) Unlink(string, Inode, bool) error { return linux.ENOENT }

// Rename implements Directory.
func (i *goneInode) Rename(string, Inode, Directory, string, Inode, linux.RenameFlags) error {
	return linux.ENOENT
}

// PathImage is a Path in a checkpoint.
type PathImage struct{ Mount, Dentry checkpoint.Ref }

// Image returns p's image, for the image of what holds it. Mounts are saved
// with the references they have: who restores a Path does not count it.
func (p Path) Image(s *checkpoint.Saver) PathImage {
	return PathImage{s.Ref(p.Mount), s.Ref(p.Dentry)}
}

// RestorePath returns the Path of an image.
func RestorePath(l *checkpoint.Loader, im PathImage) (Path, error) {
	m, err := checkpoint.Get[*Mount](l, im.Mount)
	d, err2 := checkpoint.Get[*Dentry](l, im.Dentry)
	if (m == nil) != (d == nil) {
		return Path{}, cmp.Or(err, err2, errImage)
	}
	return Path{m, d}, cmp.Or(err, err2)
}
