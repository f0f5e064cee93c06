package vfs

import "cordon/internal/linux"

// OpenHow is what open(2), openat(2) and openat2(2) ask for.
type OpenHow struct {
	Flags   linux.OpenFlags
	Mode    linux.FileMode
	Resolve linux.ResolveFlags
}

// Open opens path for c, starting at at. The flags have been checked for
// unknown bits (openat2) or had them dropped (open). A Description whose File
// is a PendingOpen has yet to wait.
func Open(c *Caller, at Path, path string, how OpenHow) (*Description, error) {
	how, err := how.normalized()
	if err != nil {
		return nil, err
	}
	if how.Flags&linux.O_TMPFILE == linux.O_TMPFILE {
		return openTemp(c, at, path, how)
	}
	var w walker
	if err := w.start(c, at, path, how.Resolve); err != nil {
		return nil, err
	}
	if how.Flags&linux.O_CREAT != 0 {
		return w.openCreate(how)
	}
	w.reads = how.Flags&(linux.O_PATH|linux.O_DIRECTORY) == 0 && !how.Flags.Writable()
	var flags WalkFlags
	if how.Flags&linux.O_NOFOLLOW != 0 {
		flags |= NoFollow
	}
	p, err := w.end(flags)
	if err != nil {
		return nil, err
	}
	return openFound(c, p, how)
}

// OpenPath opens what p names, for the kernel itself and for magic links.
func OpenPath(c *Caller, p Path, flags linux.OpenFlags) (*Description, error) {
	how, err := OpenHow{Flags: flags}.normalized()
	if err != nil {
		return nil, err
	}
	return openFound(c, p, how)
}

// normalized drops the flags that others overrule (Linux: build_open_flags).
func (h OpenHow) normalized() (OpenHow, error) {
	f := h.Flags
	if f&linux.O_PATH != 0 {
		f &= linux.O_PATH | linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_CLOEXEC
	}
	const tmp = linux.O_TMPFILE &^ linux.O_DIRECTORY
	if f&tmp != 0 {
		if f&linux.O_TMPFILE != linux.O_TMPFILE || !f.Writable() && f&linux.O_ACCMODE != linux.O_ACCMODE || f&linux.O_CREAT != 0 {
			return h, linux.EINVAL
		}
	}
	if f&(linux.O_CREAT|linux.O_DIRECTORY) == linux.O_CREAT|linux.O_DIRECTORY {
		return h, linux.EINVAL
	}
	if f&(linux.O_CREAT|tmp) == 0 {
		h.Mode = 0
	}
	h.Mode = h.Mode.PermAndSticky()
	h.Flags = f
	if f&linux.O_PATH == 0 {
		h.Flags |= linux.O_LARGEFILE
	}
	return h, nil
}

// accessFor is what opening with flags needs.
func accessFor(f linux.OpenFlags) Access {
	var a Access
	switch f & linux.O_ACCMODE {
	case linux.O_RDONLY:
		a = MayRead
	case linux.O_WRONLY:
		a = MayWrite
	default:
		a = MayRead | MayWrite
	}
	if f&linux.O_TRUNC != 0 {
		a |= MayWrite
	}
	return a
}

// openFound opens an existing object.
func openFound(c *Caller, p Path, how OpenHow) (*Description, error) {
	f := how.Flags
	kind := p.Dentry.kind
	if f&linux.O_DIRECTORY != 0 && !p.Dentry.IsDir() {
		return nil, linux.ENOTDIR
	}
	if f&linux.O_PATH != 0 {
		return NewDescription(c, p, pathFile{}, f), nil
	}
	if kind == linux.S_IFLNK {
		return nil, linux.ELOOP
	}
	return openChecked(c, p, f, true)
}

// openChecked does what follows the walk: permissions, the mount's refusals,
// truncation, and the inode's own Open. check is false for a file just created,
// which its creator may open whatever its mode.
func openChecked(c *Caller, p Path, f linux.OpenFlags, check bool) (*Description, error) {
	want := accessFor(f)
	if check {
		if err := mayOpen(c, p, f, want); err != nil {
			return nil, err
		}
	} else {
		f &^= linux.O_TRUNC
	}
	if err := c.landlockOpen(p, f); err != nil {
		return nil, err
	}
	state := p.Dentry.State()
	regular := p.Dentry.kind == linux.S_IFREG
	trunc := regular && f&linux.O_TRUNC != 0
	count := regular && f.Writable()
	if count || trunc {
		if !state.getWrite() {
			return nil, linux.ETXTBSY
		}
		if !count {
			defer state.putWrite()
		}
	}
	if count {
		if err := p.Mount.getWriter(); err != nil {
			state.putWrite()
			return nil, err
		}
	}
	d, err := openFile(c, p, f)
	if err != nil {
		if count {
			state.putWrite()
			p.Mount.putWriter()
		}
		return nil, err
	}
	if count {
		d.mode |= countWrite
	}
	if trunc {
		if err := truncate(c, p, 0); err != nil {
			d.DecRef()
			return nil, err
		}
	}
	p.event(linux.IN_OPEN)
	return d, nil
}

// LetExecute has d, which nobody else has yet, not keep its file from being executed
// though it can be written, as what memfd_create(2) returns.
func (d *Description) LetExecute() {
	if d.mode&countWrite != 0 {
		d.mode &^= countWrite
		d.path.Dentry.State().putWrite()
		d.path.Mount.putWriter()
	}
}

// mayOpen is Linux's may_open.
func mayOpen(c *Caller, p Path, f linux.OpenFlags, want Access) error {
	switch p.Dentry.kind {
	case linux.S_IFDIR:
		if want&MayWrite != 0 {
			return linux.EISDIR
		}
	case linux.S_IFBLK, linux.S_IFCHR:
		if p.Mount.has(linux.MS_NODEV) || !p.Mount.sb.first() {
			return linux.EACCES
		}
	case linux.S_IFREG:
		if want&MayWrite != 0 {
			if err := p.Mount.mayWrite(); err != nil {
				return err
			}
		}
	}
	if err := May(c, p, want); err != nil {
		return err
	}
	if f&linux.O_NOATIME == 0 {
		if _, ok := p.Dentry.inode.(Permissioner); ok || want&MayWrite == 0 {
			return nil
		}
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if a.Attributes&uint64(linux.STATX_ATTR_APPEND) != 0 && (f.Writable() && f&linux.O_APPEND == 0 || f&linux.O_TRUNC != 0) {
		return linux.EPERM
	}
	if f&linux.O_NOATIME != 0 && !ownerOrCapable(c.Cred, &a) {
		return linux.EPERM
	}
	return nil
}

// openFile makes the File: the inode's own, or the device's or FIFO's behind a
// special inode.
func openFile(c *Caller, p Path, f linux.OpenFlags) (*Description, error) {
	if p.Mount.vfs.descriptions.Load() >= p.Mount.vfs.MaxOpen() {
		return nil, linux.ENFILE
	}
	var file File
	var err error
	_, self := p.Dentry.inode.(selfOpener)
	switch kind := p.Dentry.kind; {
	case self:
		file, err = p.Dentry.inode.Open(c, p, f)
	case kind == linux.S_IFCHR || kind == linux.S_IFBLK:
		var a Attr
		if a, err = p.Dentry.inode.Attr(); err == nil {
			file, err = p.Mount.vfs.openDevice(c, p, a.Rdev, f)
		}
	case kind == linux.S_IFIFO:
		if p.Mount.vfs.fifo == nil {
			return nil, linux.ENXIO
		}
		file, err = p.Mount.vfs.fifo.OpenFIFO(c, p.Dentry.State(), f)
	case kind == linux.S_IFSOCK:
		return nil, linux.ENXIO
	default:
		file, err = p.Dentry.inode.Open(c, p, f)
	}
	if err != nil {
		return nil, err
	}
	if f&linux.O_DIRECT != 0 {
		if _, ok := file.(DirectIO); !ok {
			file.Release()
			return nil, linux.EINVAL
		}
	}
	return NewDescription(c, p, file, f), nil
}

// pathFile is the File of O_PATH descriptions.
type pathFile struct{}

func (pathFile) Release() {}

// openCreate is Open with O_CREAT (Linux: open_last_lookups, lookup_open).
func (w *walker) openCreate(how OpenHow) (*Description, error) {
	for {
		if err := w.parent(); err != nil {
			return nil, err
		}
		if w.last.Kind != LastName {
			if how.Flags&linux.O_EXCL != 0 {
				return nil, linux.EEXIST
			}
			if _, _, err := w.final(0); err != nil {
				return nil, err
			}
			return nil, linux.EISDIR
		}
		if w.last.Slash {
			return nil, linux.EISDIR
		}
		if err := w.maySearch(); err != nil {
			return nil, err
		}
		d, created, err := w.lookupOrCreate(how)
		if err != nil {
			return nil, err
		}
		if created {
			p := Path{w.cur.Mount, d}
			return openChecked(w.c, p, how.Flags, false)
		}
		if how.Flags&linux.O_EXCL != 0 {
			return nil, linux.EEXIST
		}
		p, err := w.enter(d)
		if err != nil {
			return nil, err
		}
		if p.Dentry.kind == linux.S_IFLNK {
			if how.Flags&linux.O_NOFOLLOW != 0 {
				return nil, linux.ELOOP
			}
			if err := w.followFinal(p); err != nil {
				return nil, err
			}
			if w.rest != "" || w.depth > 0 {
				continue
			}
			p = w.cur // a magic link
		} else if err := w.protected(p); err != nil {
			return nil, err
		}
		if p.Dentry.IsDir() {
			return nil, linux.EISDIR
		}
		return openFound(w.c, p, how)
	}
}

// lookupOrCreate finds the last component or makes a regular file of it.
func (w *walker) lookupOrCreate(how OpenHow) (*Dentry, bool, error) {
	dir := w.cur.Dentry
	if c := dir.cachedChild(w.last.Name); c != nil && c.inode != nil {
		return c, false, nil
	}
	if w.resolve&linux.RESOLVE_CACHED != 0 {
		return nil, false, linux.EAGAIN
	}
	defer lockDir(dir).Unlock()
	d, err := dir.lookupLocked(w.last.Name)
	if err != nil {
		return nil, false, err
	}
	if d.inode != nil {
		return d, false, nil
	}
	if err := w.cur.Mount.mayWrite(); err != nil {
		return nil, false, err
	}
	if err := w.c.landlocked(w.cur, linux.LANDLOCK_ACCESS_FS_MAKE_REG); err != nil {
		return nil, false, err
	}
	if err := mayCreate(w.c, w.cur); err != nil {
		return nil, false, err
	}
	n := NewInode{Mode: linux.S_IFREG | how.Mode&^w.c.Umask}
	d, err = w.c.createLocked(w.cur, d, &n)
	if err == error(linux.EEXIST) { // another client of a shared file system
		dir.dropLocked(w.last.Name)
		d, err = dir.lookupLocked(w.last.Name)
		if err == nil && d.inode == nil {
			err = linux.EEXIST
		}
		return d, false, err
	}
	return d, err == nil, err
}

// protected is fs.protected_fifos and fs.protected_regular: O_CREAT does not
// open another's file in a sticky directory that the world or the group may
// write (Linux: may_create_in_sticky).
func (w *walker) protected(p Path) error {
	sys := &w.cur.Mount.vfs.sysctl
	var level int32
	switch p.Dentry.kind {
	case linux.S_IFREG:
		level = sys.ProtectedRegular.Load()
	case linux.S_IFIFO:
		level = sys.ProtectedFIFOs.Load()
	}
	if level == 0 {
		return nil
	}
	da, err := w.cur.attr()
	if err != nil || da.Mode&linux.S_ISVTX == 0 {
		return err
	}
	a, err := p.attr()
	if err != nil {
		return err
	}
	if a.UID == da.UID || a.UID == w.c.Cred.FSUID {
		return nil
	}
	if da.Mode&linux.S_IWOTH != 0 || da.Mode&linux.S_IWGRP != 0 && level >= 2 {
		return linux.EACCES
	}
	return nil
}

// openTemp is O_TMPFILE.
func openTemp(c *Caller, at Path, path string, how OpenHow) (*Description, error) {
	p, err := ResolveHow(c, at, path, WantDir, how.Resolve)
	if err != nil {
		return nil, err
	}
	t, ok := p.Dentry.inode.(TempCreator)
	if !ok {
		return nil, linux.EOPNOTSUPP
	}
	if err := p.Mount.mayWrite(); err != nil {
		return nil, err
	}
	if err := May(c, p, MayWrite|MayExec); err != nil {
		return nil, err
	}
	if err := p.Mount.mayOwn(c); err != nil {
		return nil, err
	}
	da, err := p.Dentry.inode.Attr()
	if err != nil {
		return nil, err
	}
	n := NewInode{Mode: linux.S_IFREG | how.Mode&^c.Umask}
	newOwner(c, p, &da, &n)
	inode, err := t.CreateTemp(&n)
	if err != nil {
		return nil, err
	}
	a, err := inode.Attr()
	if err != nil {
		return nil, err
	}
	d, err := newDentry(p.Dentry.sb, p.Dentry, "#"+utoa(a.Ino), inode)
	if err != nil {
		return nil, err
	}
	d.first.deleted = true
	d.armLocked()
	d.temp, d.noLink = true, how.Flags&linux.O_EXCL != 0
	q := Path{p.Mount, d}
	desc, err := openChecked(c, q, how.Flags&^linux.O_TMPFILE|linux.O_LARGEFILE, false)
	d.dropHold() // the description keeps it from here on
	return desc, err
}

func utoa(n uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}
