package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// A place is where a relative path starts. Its reference is to be dropped.
type place struct {
	at vfs.Path
	d  vfs.Borrowed
}

func (p *place) drop() { p.d.DecRef() }

// placeOf returns where path starts for dirfd. As in Linux, the descriptor does
// not count if the path is absolute.
func placeOf(t *task.Task, c *vfs.Caller, dir linux.FD, path string) (place, error) {
	if dir == linux.AT_FDCWD || path != "" && path[0] == '/' {
		return place{at: c.Cwd}, nil
	}
	d, err := borrow(t, dir)
	if err != nil {
		return place{}, err
	}
	return place{at: d.Path(), d: d}, nil
}

// loadAt reads a path and finds where it starts.
func loadAt(t *task.Task, dir linux.FD, path arg.Path) (string, place, error) {
	s, err := path.Load(t.MM())
	if err != nil {
		return "", place{}, err
	}
	p, err := placeOf(t, t.Caller(), dir, s)
	return s, p, err
}

// A named is a path and where it starts. It holds until drop, which has to be called.
type named struct {
	place
	path string
	text *scratch
}

// nameAt is loadAt without memory of the path's own.
func nameAt(t *task.Task, c *vfs.Caller, dir linux.FD, path arg.Path) (n named, err error) {
	n.text = getScratch()
	if n.path, err = n.text.loadPath(t, path); err == nil {
		n.place, err = placeOf(t, c, dir, n.path)
	}
	if err != nil {
		n.text.put()
	}
	return n, err
}

func (n *named) drop() {
	n.place.drop()
	n.text.put()
}

// openKnown are the flags that open(2) does not ignore.
const openKnown = linux.O_ACCMODE | linux.O_CREAT | linux.O_EXCL | linux.O_NOCTTY | linux.O_TRUNC | linux.O_APPEND |
	linux.O_NONBLOCK | linux.O_DSYNC | linux.O_SYNC | linux.O_ASYNC | linux.O_DIRECT | linux.O_LARGEFILE |
	linux.O_DIRECTORY | linux.O_NOFOLLOW | linux.O_NOATIME | linux.O_CLOEXEC | linux.O_PATH | linux.O_TMPFILE

// sysOpen is open(2).
func sysOpen(t *task.Task, path arg.Path, flags linux.OpenFlags, mode arg.Mode) (uintptr, error) {
	return open(t, linux.AT_FDCWD, path, vfs.OpenHow{Flags: flags & openKnown, Mode: linux.FileMode(mode)})
}

// sysCreat is creat(2).
func sysCreat(t *task.Task, path arg.Path, mode arg.Mode) (uintptr, error) {
	return open(t, linux.AT_FDCWD, path, vfs.OpenHow{Flags: linux.O_CREAT | linux.O_WRONLY | linux.O_TRUNC, Mode: linux.FileMode(mode)})
}

// sysOpenat is openat(2).
func sysOpenat(t *task.Task, dir linux.FD, path arg.Path, flags linux.OpenFlags, mode arg.Mode) (uintptr, error) {
	return open(t, dir, path, vfs.OpenHow{Flags: flags & openKnown, Mode: linux.FileMode(mode)})
}

// sysOpenat2 is openat2(2).
func sysOpenat2(t *task.Task, dir linux.FD, path arg.Path, how arg.In[linux.OpenHow], size arg.Size) (uintptr, error) {
	const v0, pageMax = 24, 4096
	if size < v0 {
		return 0, linux.EINVAL
	}
	if size > pageMax {
		return 0, linux.E2BIG
	}
	h, err := loadVersioned[linux.OpenHow](t.MM(), uint64(how), uint64(size))
	if err != nil {
		return 0, err
	}
	const resolveKnown = linux.RESOLVE_NO_XDEV | linux.RESOLVE_NO_MAGICLINKS | linux.RESOLVE_NO_SYMLINKS |
		linux.RESOLVE_BENEATH | linux.RESOLVE_IN_ROOT | linux.RESOLVE_CACHED
	flags := linux.OpenFlags(h.Flags)
	switch {
	case uint64(h.Flags)&^uint64(openKnown) != 0, linux.ResolveFlags(h.Resolve)&^resolveKnown != 0,
		h.Resolve&linux.RESOLVE_BENEATH != 0 && h.Resolve&linux.RESOLVE_IN_ROOT != 0,
		h.Mode != 0 && flags&(linux.O_CREAT|linux.O_TMPFILE&^linux.O_DIRECTORY) == 0,
		h.Mode&^0o7777 != 0,
		flags&linux.O_PATH != 0 && flags&^(linux.O_PATH|linux.O_DIRECTORY|linux.O_NOFOLLOW|linux.O_CLOEXEC) != 0:
		return 0, linux.EINVAL
	case h.Resolve&linux.RESOLVE_CACHED != 0 && flags&(linux.O_TRUNC|linux.O_CREAT|linux.O_TMPFILE&^linux.O_DIRECTORY) != 0:
		return 0, linux.EAGAIN
	}
	return open(t, dir, path, vfs.OpenHow{Flags: flags, Mode: linux.FileMode(h.Mode), Resolve: linux.ResolveFlags(h.Resolve)})
}

func open(t *task.Task, dir linux.FD, path arg.Path, how vfs.OpenHow) (uintptr, error) {
	c := t.Caller()
	sc := getScratch()
	defer sc.put()
	s, err := sc.loadPath(t, path)
	if err != nil {
		return 0, err
	}
	start := s
	if how.Resolve&linux.RESOLVE_IN_ROOT != 0 {
		start = "." // the descriptor is what "/" means
	}
	at, err := placeOf(t, c, dir, start)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	d, err := vfs.Open(c, at.at, s, how)
	if err != nil {
		return 0, err
	}
	if err := finishOpen(t, d); err != nil {
		d.DecRef()
		return 0, err
	}
	return install(t, d, how.Flags)
}

// finishOpen waits for the other end of a FIFO.
func finishOpen(t *task.Task, d *vfs.Description) error {
	p, pending := d.File().(vfs.PendingOpen)
	if !pending || d.Nonblocking() || p.Opened() {
		return nil
	}
	e := t.Waker(wait.All)
	p.OpenQueue().Add(e)
	defer p.OpenQueue().Remove(e)
	if err := t.Sleep(nil, task.NoDeadline, p.Opened); err != nil {
		return task.RestartSys
	}
	return nil
}

// sysGetcwd is getcwd(2).
func sysGetcwd(t *task.Task, buf arg.OutBytes, n arg.Size) (uintptr, error) {
	s, err := vfs.Getcwd(t.Caller())
	if err != nil {
		return 0, err
	}
	if len(s)+1 > arg.PathMax {
		return 0, linux.ENAMETOOLONG
	}
	if uint64(len(s)+1) > uint64(n) {
		return 0, linux.ERANGE
	}
	return uintptr(len(s) + 1), buf.Store(t.MM(), append([]byte(s), 0))
}

// sysChdir is chdir(2).
func sysChdir(t *task.Task, path arg.Path) (uintptr, error) {
	p, err := searchable(t, path)
	if err != nil {
		return 0, err
	}
	t.FS().SetCwd(p)
	return 0, nil
}

// searchable resolves a directory that the caller may search.
func searchable(t *task.Task, path arg.Path) (vfs.Path, error) {
	s, at, err := loadAt(t, linux.AT_FDCWD, path)
	if err != nil {
		return vfs.Path{}, err
	}
	c := t.Caller()
	p, err := vfs.Resolve(c, at.at, s, vfs.WantDir)
	if err == nil {
		err = vfs.May(c, p, vfs.MayExec)
	}
	return p, err
}

// sysFchdir is fchdir(2).
func sysFchdir(t *task.Task, fd linux.FD) (uintptr, error) {
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	p := d.Path()
	if !p.Dentry.IsDir() {
		return 0, linux.ENOTDIR
	}
	if err := vfs.May(t.Caller(), p, vfs.MayExec); err != nil {
		return 0, err
	}
	t.FS().SetCwd(p)
	return 0, nil
}

// sysChroot is chroot(2).
func sysChroot(t *task.Task, path arg.Path) (uintptr, error) {
	p, err := searchable(t, path)
	if err != nil {
		return 0, err
	}
	if !t.Cred().Has(linux.CAP_SYS_CHROOT) {
		return 0, linux.EPERM
	}
	t.FS().SetRoot(p)
	return 0, nil
}

// sysUmask is umask(2).
func sysUmask(t *task.Task, mode arg.Mode) (uintptr, error) {
	return uintptr(t.FS().SetUmask(linux.FileMode(mode))), nil
}

// sysGetdents64 is getdents64(2).
func sysGetdents64(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Count) (uintptr, error) {
	return getdents(t, fd, buf, n, appendDirent64)
}

// sysGetdents is getdents(2), with the type behind the name.
func sysGetdents(t *task.Task, fd linux.FD, buf arg.OutBytes, n arg.Count) (uintptr, error) {
	return getdents(t, fd, buf, n, appendDirent)
}
