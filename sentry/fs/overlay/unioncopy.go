package overlay

import (
	"encoding/binary"
	"strconv"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// workName is the directory in workdir where things are made.
const workName = "work"

// maxLeftovers bounds how deep directories lie in each other that were left in work.
const maxLeftovers = 16

// makeWork makes the work directory, without what an earlier mount left there.
func (u *Union) makeWork() error {
	c := u.as(nil)
	if p, err := u.base.Child(c, workName); err == nil {
		if f, err := p.Child(c, "incompat"); err == nil && f.Valid() {
			return linux.EINVAL // of a mount that may have lost data: volatile
		}
		if err := u.remove(u.base, workName, maxLeftovers); err != nil {
			return err
		}
	}
	a, err := u.base.Attr()
	if err != nil {
		return err
	}
	mk := func(in vfs.Path, name string, kind linux.FileMode) (vfs.Path, error) {
		return vfs.MakeIn(c, in, name, &vfs.NewInode{Mode: kind, UID: a.UID, GID: a.GID})
	}
	if u.work, err = mk(u.base, workName, linux.S_IFDIR); err != nil || !u.opts.volatile {
		return err
	}
	p := u.work
	for _, name := range []string{"incompat", "volatile"} {
		if p, err = mk(p, name, linux.S_IFDIR); err != nil {
			return err
		}
	}
	_, err = mk(p, "dirty", linux.S_IFREG)
	return err
}

// remove removes name from directory dir of the upper layer, with all that is in it.
func (u *Union) remove(dir vfs.Path, name string, depth int) error {
	c := u.as(nil)
	p, err := dir.Child(c, name)
	if err != nil {
		return err
	}
	if !p.Dentry.IsDir() {
		return vfs.Unlink(c, dir, name)
	}
	names, err := namesOf(c, p)
	if err != nil {
		return err
	}
	for _, e := range names {
		if depth == 0 {
			return linux.ENOTEMPTY
		}
		if err := u.remove(p, e.Name, depth-1); err != nil {
			return err
		}
	}
	return vfs.Rmdir(c, dir, name)
}

// namesOf lists a directory of a layer, without "." and "..".
func namesOf(c *vfs.Caller, p vfs.Path) (names []vfs.Dirent, err error) {
	if err := vfs.May(c, p, vfs.MayRead); err != nil {
		return nil, err
	}
	f, err := p.Inode().Open(c, p, linux.O_RDONLY|linux.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer f.Release()
	r, ok := f.(vfs.DirReader)
	if !ok {
		return nil, linux.ENOTDIR
	}
	err = r.ReadDir(0, func(e vfs.Dirent) bool {
		if e.Name != "." && e.Name != ".." {
			names = append(names, e)
		}
		return true
	})
	return names, err
}

// temp returns a name for something in work.
func (u *Union) temp() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.temps++
	return "#" + strconv.FormatUint(u.temps, 16)
}

// copyUp makes n be in the upper layer, and its parents, with at most limit bytes of its
// data: the caller truncates it to that.
func (n *Node) copyUp(limit uint64) error {
	if n.over.Load() != nil {
		return nil
	}
	if n.u.ReadOnly() {
		return linux.EROFS
	}
	for {
		// The highest parent that is not there yet, so that no two are locked at once.
		at := n
		for at.parent != nil && at.parent.over.Load() == nil {
			at = at.parent
		}
		of := uint64(wholeFile)
		if at == n {
			of = limit
		}
		if err := at.copyOne(of); err != nil || at == n {
			return err
		}
	}
}

// copyOne is copyUp where the parent is in the upper layer.
func (n *Node) copyOne(limit uint64) error {
	n.copying.LockNested() // of an overlay whose layer this is
	defer n.copying.Unlock()
	if n.over.Load() != nil {
		return nil
	}
	c, low := n.u.as(nil), n.below[0]
	a, err := low.Attr()
	if err != nil {
		return err
	}
	made := &vfs.NewInode{Mode: a.Mode, UID: a.UID, GID: a.GID, Rdev: a.Rdev}
	if n.kind == linux.S_IFREG {
		if err := vfs.May(c, low.Path, vfs.MayRead); err != nil {
			return err
		}
	}
	if l, ok := low.Inode().(vfs.Symlink); ok && n.kind == linux.S_IFLNK {
		if made.Target, err = l.Readlink(c); err != nil {
			return err
		}
	}
	name := n.u.temp()
	p, err := vfs.MakeIn(c, n.u.work, name, made)
	if err != nil {
		return err
	}
	vfs.HoldInode(p.Inode())
	if err = n.fill(p, &a, limit); err == nil {
		err = n.place(c, name)
	}
	if err != nil {
		_ = n.u.remove(n.u.work, name, 0)
		vfs.DropInode(p.Inode())
		return err
	}
	n.rise(p)
	return nil
}

// fill copies what n is below to p, which was made for it.
func (n *Node) fill(p vfs.Path, a *vfs.Attr, limit uint64) error {
	if n.kind == linux.S_IFREG {
		if err := copyData(n.lower, p.Inode(), limit); err != nil {
			return err
		}
	}
	x, err := copyXattrs(n.below[0].Inode())
	if err != nil {
		return err
	}
	s, ok := p.Inode().(vfs.XattrStore)
	for name, v := range x {
		if n.u.isOwn(name) {
			continue
		}
		if !ok {
			return linux.EOPNOTSUPP
		}
		if err := s.SetXattr(name, v, 0); err != nil {
			return err
		}
	}
	if n.kind != linux.S_IFDIR {
		n.u.setOrigin(p, n.ino)
	}
	set := vfs.SetAttr{
		Mask: vfs.SetATime | vfs.SetMTime, Mode: a.Mode.PermAndSticky(), ATime: a.ATime, MTime: a.MTime,
	}
	if n.kind != linux.S_IFLNK {
		set.Mask |= vfs.SetMode // writing may have cleared bits
	}
	return p.SetAttr(&set)
}

// place gives the copy, called temp in work, its name. What has none any more gets none.
func (n *Node) place(c *vfs.Caller, temp string) error {
	if n.gone {
		return n.u.remove(n.u.work, temp, 0)
	}
	dir := n.parent.real()
	a, err := dir.Attr()
	if err != nil {
		return err
	}
	if err := vfs.Rename(c, n.u.work, temp, dir, n.name, 0); err != nil {
		return err
	}
	// The directory has not changed.
	return dir.SetAttr(&vfs.SetAttr{Mask: vfs.SetATime | vfs.SetMTime, ATime: a.ATime, MTime: a.MTime})
}

// rise makes p, which is held, what n is in the upper layer.
func (n *Node) rise(p vfs.Path) {
	if n.kind == linux.S_IFREG {
		n.switchTo(n, p.Inode(), func() {})
	}
	u := n.u
	u.mu.Lock()
	defer u.mu.Unlock()
	if k := n.key(); u.nodes[k] == n {
		delete(u.nodes, k)
	}
	n.over.Store(&p)
	u.nodes[n.key()] = n
}

// An origin tells the number of the file that one was copied from, so that it keeps
// it. It has the form of Linux's (struct ovl_fb), with a kind of handle that no kernel
// takes for a file of its own.
const (
	originMagic = 0xfb
	originType  = 0xcd
	originSize  = 21 + 8
)

func (u *Union) setOrigin(p vfs.Path, ino uint64) {
	b := make([]byte, originSize)
	b[1], b[2], b[4] = originMagic, originSize, originType
	binary.LittleEndian.PutUint64(b[21:], ino)
	// Where it cannot be kept, the number may change when the file is found anew.
	_ = u.mark(p, "origin", string(b))
}

// origin returns the number of what p was copied from, own if it was not.
func (u *Union) origin(p vfs.Path, own uint64) uint64 {
	v, ok := u.marked(p, "origin")
	if !ok || len(v) != originSize || v[1] != originMagic || v[4] != originType {
		return own
	}
	return binary.LittleEndian.Uint64([]byte(v[21:]))
}
