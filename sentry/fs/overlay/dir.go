package overlay

import (
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// Dir is an Inode that is a directory.
type Dir Inode

func (d *Dir) inode() *Inode { return (*Inode)(d) }

// FileSystem implements vfs.Inode, like the methods after it.
func (d *Dir) FileSystem() vfs.FileSystem { return d.inode().FileSystem() }

func (d *Dir) Attr() (vfs.Attr, error) { return d.inode().Attr() }

func (d *Dir) Kind() linux.FileMode { return linux.S_IFDIR }

func (d *Dir) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		return linux.EISDIR
	}
	return d.inode().SetAttr(set)
}

func (d *Dir) VFSState() *vfs.InodeState { return d.inode().VFSState() }

func (d *Dir) Evict() { d.inode().Evict() }

func (d *Dir) GetXattr(name string) ([]byte, error) { return d.inode().GetXattr(name) }

func (d *Dir) SetXattr(name string, value []byte, flags linux.XattrFlags) error {
	return d.inode().SetXattr(name, value, flags)
}

func (d *Dir) RemoveXattr(name string) error { return d.inode().RemoveXattr(name) }

func (d *Dir) ListXattr() ([]string, error) { return d.inode().ListXattr() }

// Lookup implements vfs.Directory.
func (d *Dir) Lookup(name string) (vfs.Inode, error) {
	in := d.inode()
	in.mu.Lock()
	c, ok := in.changes[name]
	in.mu.Unlock()
	if ok {
		if c.in == nil {
			return nil, linux.ENOENT
		}
		return c.in.outer(), nil
	}
	found, dirs, err := in.lookupBelow(name)
	if err != nil {
		return nil, err
	}
	child, err := in.fs.fromLower(found, dirs, in, name)
	if err != nil {
		return nil, err
	}
	child.placed(in, name)
	return child.outer(), nil
}

// placed notes a place where a lower object is, as long as it has not been
// pinned in one.
func (in *Inode) placed(parent *Inode, name string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.pinned {
		in.parent, in.name = parent, name
	}
}

// lookupBelow looks name up in the lower directories. A directory is merged
// with those of lower layers, down to what is no directory or hides the rest.
func (in *Inode) lookupBelow(name string) (found layered, dirs []layered, err error) {
	for _, b := range in.below {
		i, err := b.inode.(vfs.Directory).Lookup(name)
		if err == error(linux.ENOENT) {
			continue
		}
		if err != nil {
			return layered{}, nil, err
		}
		dir, white, err := lowerKind(i)
		if err != nil {
			return layered{}, nil, err
		}
		if white || found.inode != nil && !dir {
			break
		}
		if found.inode == nil {
			found = layered{i, b.layer}
		}
		if !dir {
			return found, nil, nil
		}
		if len(in.below) == 1 {
			return found, nil, nil
		}
		dirs = append(dirs, layered{i, b.layer})
		if isOpaque(i) {
			break
		}
	}
	if found.inode == nil {
		return layered{}, nil, linux.ENOENT
	}
	return found, dirs, nil
}

// lowerKind says whether i is a directory, or hides the name in the layers below.
func lowerKind(i vfs.Inode) (dir, white bool, err error) {
	if k, ok := i.(vfs.Kinded); ok && k.Kind() != linux.S_IFCHR {
		return k.Kind() == linux.S_IFDIR, false, nil
	}
	a, err := i.Attr()
	return a.Mode.IsDir(), isWhiteout(&a), err
}

// isWhiteout reports whether a lower layer hides the name in those below it.
func isWhiteout(a *vfs.Attr) bool { return a.Mode.IsChar() && a.Rdev == 0 }

func isOpaque(d vfs.Inode) bool {
	s, ok := d.(vfs.XattrStore)
	if !ok {
		return false
	}
	v, err := s.GetXattr("trusted.overlay.opaque")
	return err == nil && string(v) == "y"
}

// Prefetch implements vfs.Prefetcher, where there is one layer and it can.
func (d *Dir) Prefetch(names []string, open bool) {
	in := d.inode()
	in.mu.Lock()
	_, changed := in.changes[names[0]]
	in.mu.Unlock()
	if changed || len(in.below) != 1 {
		return
	}
	if p, ok := in.below[0].inode.(vfs.Prefetcher); ok {
		p.Prefetch(names, open)
	}
}

// put makes name mean c, an object that has no name here yet.
func (in *Inode) put(name string, c *Inode) {
	in.mu.Lock()
	old := in.changes[name]
	in.putLocked(name, change{c, old.covers})
	if c.kind == linux.S_IFDIR {
		in.subdirs++
	}
	in.mu.Unlock()
	c.mu.Lock()
	c.parent, c.name = in, name
	c.mu.Unlock()
	in.touch()
}

// take removes name, which means c.
func (in *Inode) take(name string, c *Inode) {
	in.mu.Lock()
	old, ok := in.changes[name]
	if old.covers || !ok {
		in.putLocked(name, change{nil, true})
	} else {
		delete(in.changes, name)
	}
	if c.kind == linux.S_IFDIR && in.subdirs > 0 {
		in.subdirs--
	}
	in.mu.Unlock()
	in.touch()
}

// Create implements vfs.Directory.
func (d *Dir) Create(name string, n *vfs.NewInode) (vfs.Inode, error) {
	in := d.inode()
	c, err := in.fs.create(n)
	if err != nil {
		return nil, err
	}
	in.put(name, c)
	return c.outer(), nil
}

// create makes an object without a name.
func (fs *FS) create(n *vfs.NewInode) (*Inode, error) {
	if err := fs.charge(); err != nil {
		return nil, err
	}
	c := fs.fresh(n)
	if c.kind == linux.S_IFREG {
		u, err := fs.store.CreateTemp(n)
		if err != nil {
			fs.made.Add(-1)
			return nil, err
		}
		vfs.HoldInode(u)
		c.upper.Store(&upperFile{u})
		c.own = nil
	}
	return c, nil
}

// CreateTemp implements vfs.TempCreator.
func (d *Dir) CreateTemp(n *vfs.NewInode) (vfs.Inode, error) {
	c, err := d.fs.create(n)
	if err != nil {
		return nil, err
	}
	d.fs.made.Add(-1)
	c.nlink, c.pinned = 0, false
	return c, nil
}

// Link implements vfs.Directory.
func (d *Dir) Link(name string, target vfs.Inode) error {
	t := inodeOf(target)
	if t == nil || t.fs != d.fs {
		return linux.EXDEV
	}
	if t.lower == nil {
		t.mu.Lock()
		unnamed := t.nlink == 0
		t.mu.Unlock()
		if unnamed {
			if err := d.fs.charge(); err != nil {
				return err
			}
		}
	}
	if t.upper.Load() == nil {
		if err := t.differ(); err != nil {
			return err
		}
	}
	t.relink(1)
	d.inode().put(name, t)
	return nil
}

// Unlink implements vfs.Directory.
func (d *Dir) Unlink(name string, victim vfs.Inode, rmdir bool) error {
	v := inodeOf(victim)
	if v == nil {
		return linux.ENOENT
	}
	if rmdir {
		if v.kind != linux.S_IFDIR {
			return linux.ENOTDIR
		}
		empty, err := v.empty()
		if err != nil {
			return err
		}
		if !empty {
			return linux.ENOTEMPTY
		}
	}
	v.relink(-1)
	d.inode().take(name, v)
	return nil
}

// Rename implements vfs.Directory.
func (d *Dir) Rename(name string, moved vfs.Inode, newDir vfs.Directory, newName string, replaced vfs.Inode, flags linux.RenameFlags) error {
	from, to, m, r := d.inode(), inodeOf(newDir), inodeOf(moved), inodeOf(replaced)
	if to == nil || to.fs != from.fs || m == nil {
		return linux.EXDEV
	}
	if flags&linux.RENAME_NOREPLACE != 0 && r != nil {
		return linux.EEXIST
	}
	exchange := flags&linux.RENAME_EXCHANGE != 0
	if r != nil && !exchange && r.kind == linux.S_IFDIR {
		empty, err := r.empty()
		if err != nil {
			return err
		}
		if !empty {
			return linux.ENOTEMPTY
		}
	}
	var white *Inode
	if flags&linux.RENAME_WHITEOUT != 0 {
		var err error
		if white, err = from.fs.create(&vfs.NewInode{Mode: linux.S_IFCHR}); err != nil {
			return err
		}
	}
	if exchange && r == nil {
		return linux.ENOENT
	}
	for _, i := range [...]*Inode{m, r} {
		if i != nil && i.upper.Load() == nil {
			if err := i.differ(); err != nil {
				return err
			}
		}
	}
	from.take(name, m)
	if r != nil {
		if !exchange {
			r.relink(-1)
		}
		to.take(newName, r)
	}
	to.put(newName, m)
	m.changedNow()
	switch {
	case exchange:
		from.put(name, r)
		r.changedNow()
	case white != nil:
		from.put(name, white)
	}
	return nil
}

// changedNow notes the time of a rename in what was renamed.
func (in *Inode) changedNow() {
	if u := in.upper.Load(); u != nil {
		_ = u.SetAttr(&vfs.SetAttr{})
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.own != nil {
		in.own.CTime = in.fs.now()
	}
}

// Open implements vfs.Inode.
func (d *Dir) Open(_ *vfs.Caller, p vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	return &dirFile{d: d.inode(), path: p}, nil
}
