package hostfs

import (
	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// inDir checks that name may be made in n.
func inDir(n *node, name string) linux.Errno {
	if !n.mode.IsDir() {
		return linux.ENOTDIR
	}
	return checkName(name)
}

// own gives the new inode fd to the requested owner with exactly the requested
// mode: the host may have applied a default ACL or a set-group-ID parent, and
// a change of owner clears set-ID bits.
func (f *fsys) own(fd int, q *donate.Request) linux.Errno {
	a, e := statNode(fd)
	if e != 0 {
		return e
	}
	uid, gid := -1, -1
	if q.UID != donate.NoID && q.UID != a.UID {
		uid = int(q.UID)
	}
	if q.GID != donate.NoID && q.GID != a.GID {
		gid = int(q.GID)
	}
	chown := f.canChown && (uid >= 0 || gid >= 0)
	if chown {
		if err := unix.Fchownat(fd, "", uid, gid, unix.AT_EMPTY_PATH); err != nil {
			return donate.Errno(err)
		}
	}
	if a.Mode.IsSymlink() {
		return 0
	}
	mode := linux.FileMode(q.Mode).PermAndSticky()
	if a.Mode.PermAndSticky() == mode && !(chown && mode&(linux.S_ISUID|linux.S_ISGID) != 0) {
		return 0
	}
	n := node{fd: fd}
	return donate.Errno(unix.Fchmodat(f.procFD, n.procName(), uint32(mode), 0))
}

// finishNamed opens the inode just made as name in n, gives it to its owner
// and answers with it. want is its type: something else there means that
// somebody on the host replaced it.
func (f *fsys) finishNamed(n *node, q *donate.Request, want linux.FileMode, r *donate.Reply) linux.Errno {
	c, ent, e := f.lookup(n, q.Name)
	if e != 0 {
		return e
	}
	if ent.Attr.Mode.Type() != want {
		c.release()
		return linux.EEXIST
	}
	if e := f.own(c.fd, q); e != 0 {
		c.release()
		return e
	}
	if ent.Attr, e = statNode(c.fd); e != 0 {
		c.release()
		return e
	}
	return f.answer(r, c, ent)
}

// finishOpen does the same for a file that was created open, as fd, which it
// takes over, and donates it.
func (f *fsys) finishOpen(n *node, q *donate.Request, fd int, r *donate.Reply) linux.Errno {
	r.FD = fd // closed by Do on failure
	if e := f.own(fd, q); e != 0 {
		return e
	}
	data := node{fd: fd}
	path, e := f.reopen(&data, unix.O_PATH)
	if e != 0 {
		return e
	}
	c, ent, e := f.newNode(path, n.m)
	if e != 0 {
		return e
	}
	return f.answer(r, c, ent)
}

func create(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	acc := uint64(q.Flags) & unix.O_ACCMODE
	fd, e := openat2(n.fd, q.Name, unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_NOCTTY|acc, q.Mode&0o7777)
	if e != 0 {
		return e
	}
	e = f.finishOpen(n, q, fd, r)
	if e != 0 {
		unix.Unlinkat(n.fd, q.Name, 0)
	}
	return e
}

func tmpfile(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if !n.mode.IsDir() {
		return linux.ENOTDIR
	}
	flags := uint64(unix.O_TMPFILE | unix.O_RDWR)
	if linux.OpenFlags(q.Flags)&linux.O_EXCL != 0 {
		flags |= unix.O_EXCL
	}
	fd, e := openat2(n.fd, ".", flags, q.Mode&0o7777)
	if e != 0 {
		return e
	}
	return f.finishOpen(n, q, fd, r)
}

func mkdir(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	if err := unix.Mkdirat(n.fd, q.Name, q.Mode&0o1777); err != nil {
		return donate.Errno(err)
	}
	e := f.finishNamed(n, q, linux.S_IFDIR, r)
	if e != 0 {
		unix.Unlinkat(n.fd, q.Name, unix.AT_REMOVEDIR)
	}
	return e
}

func mknod(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	typ := linux.FileMode(q.Mode).Type()
	switch typ {
	case linux.S_IFREG, linux.S_IFIFO, linux.S_IFSOCK:
	case linux.S_IFCHR:
		if q.Dev != 0 {
			return linux.EPERM
		}
	case linux.S_IFBLK:
		return linux.EPERM
	default:
		return linux.EINVAL
	}
	if err := unix.Mknodat(n.fd, q.Name, uint32(typ)|q.Mode&0o7777, 0); err != nil {
		return donate.Errno(err)
	}
	e := f.finishNamed(n, q, typ, r)
	if e != 0 {
		unix.Unlinkat(n.fd, q.Name, 0)
	}
	return e
}

func symlink(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	if err := unix.Symlinkat(q.Target, n.fd, q.Name); err != nil {
		return donate.Errno(err)
	}
	e := f.finishNamed(n, q, linux.S_IFLNK, r)
	if e != 0 {
		unix.Unlinkat(n.fd, q.Name, 0)
	}
	return e
}

// link names the inode through /proc/self/fd: AT_EMPTY_PATH would ask for a
// capability.
func link(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	t, e := f.table.get(q.Handle2)
	if e != 0 {
		return e
	}
	defer t.release()
	if t.m != n.m {
		return linux.EXDEV
	}
	if err := unix.Linkat(f.procFD, t.procName(), n.fd, q.Name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return donate.Errno(err)
	}
	return f.statReply(t, r)
}

func unlink(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	if linux.AtFlags(q.Flags)&^linux.AT_REMOVEDIR != 0 {
		return linux.EINVAL
	}
	return donate.Errno(unix.Unlinkat(n.fd, q.Name, int(q.Flags)))
}

func rename(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if e := inDir(n, q.Name); e != 0 {
		return e
	}
	d, e := f.table.get(q.Handle2)
	if e != 0 {
		return e
	}
	defer d.release()
	if e := inDir(d, q.Name2); e != 0 {
		return e
	}
	if d.m != n.m {
		return linux.EXDEV
	}
	return donate.Errno(unix.Renameat2(n.fd, q.Name, d.fd, q.Name2, uint(q.Flags)))
}
