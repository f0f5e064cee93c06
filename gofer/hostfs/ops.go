package hostfs

import (
	"strings"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// handler performs one operation on the node of the request's handle. The node
// is the caller's.
type handler func(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno

// handlers has an entry for every operation that is made on a handle; changes
// says which of them a read-only mount refuses.
func handlerOf(op donate.Op) (h handler, changes bool) {
	switch op {
	case donate.OpWalk:
		return walk, false
	case donate.OpStat:
		return stat, false
	case donate.OpOpen:
		return open, false
	case donate.OpOpenMany:
		return openMany, false
	case donate.OpReaddir:
		return readdir, false
	case donate.OpScan:
		return scan, false
	case donate.OpScanMore:
		return scanMore, false
	case donate.OpStatMany:
		return statMany, false
	case donate.OpGetXattr:
		return getXattr, false
	case donate.OpListXattr:
		return listXattr, false
	case donate.OpLock:
		return lock, false
	case donate.OpGetLock:
		return getLock, false
	case donate.OpUnlockAll:
		return unlockAll, false
	case donate.OpFsync:
		return fsync, false
	case donate.OpStatFS:
		return statFS, false
	case donate.OpConnect:
		return connect, false
	case donate.OpCreate:
		return create, true
	case donate.OpTmpfile:
		return tmpfile, true
	case donate.OpMkdir:
		return mkdir, true
	case donate.OpMknod:
		return mknod, true
	case donate.OpSymlink:
		return symlink, true
	case donate.OpLink:
		return link, true
	case donate.OpUnlink:
		return unlink, true
	case donate.OpRename:
		return rename, true
	case donate.OpSetAttr:
		return setAttr, true
	case donate.OpSetXattr:
		return setXattr, true
	case donate.OpRemoveXattr:
		return removeXattr, true
	case donate.OpFallocate:
		return fallocate, true
	}
	return nil, false
}

// Do performs q.
func (f *fsys) Do(q *donate.Request, r *donate.Reply) {
	if q.Op == donate.OpAttach {
		r.Errno = f.attach(q.Name, r)
		return
	}
	h, changes := handlerOf(q.Op)
	if h == nil {
		r.Errno = linux.EOPNOTSUPP
		return
	}
	n, e := f.table.get(q.Handle)
	if e != 0 {
		r.Errno = e
		return
	}
	defer n.release()
	if changes && n.m.readOnly {
		r.Errno = linux.EROFS
		return
	}
	r.Errno = h(f, n, q, r)
	if r.Errno != 0 && r.FD >= 0 {
		unix.Close(r.FD)
		r.FD = -1
	}
}

// attach returns the root of a mount.
func (f *fsys) attach(name string, r *donate.Reply) linux.Errno {
	m := f.mountOf(name)
	if m == nil {
		return linux.ENOENT
	}
	a, e := statNode(m.root.fd)
	if e != 0 {
		return e
	}
	m.root.refs.Add(1)
	h, e := f.table.add(m.root)
	if e != 0 {
		m.root.release()
		return e
	}
	r.Entries = []donate.Entry{{Handle: h, Attr: a}}
	return 0
}

// mountOf finds a mount: by its name, or, for a sandbox whose mounts had another order
// when it was saved, by the place in it, or, for one that was saved before names had
// places, by what comes before the place.
func (f *fsys) mountOf(name string) *mount {
	number, place, placed := strings.Cut(name, PlaceMark)
	var found *mount
	for _, m := range f.mounts {
		n, p, _ := strings.Cut(m.name, PlaceMark)
		switch {
		case m.name == name:
			return m
		case placed && p == place, !placed && n == number:
			found = m
		}
	}
	return found
}

// answer puts the entry of n in r, with a handle, which takes over the
// caller's reference to n.
func (f *fsys) answer(r *donate.Reply, n *node, ent donate.Entry) linux.Errno {
	h, e := f.table.add(n)
	if e != 0 {
		n.release()
		return e
	}
	ent.Handle = h
	r.Entries = append(r.Entries, ent)
	return 0
}

func walk(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if len(q.Names) > donate.MaxNames {
		return linux.EINVAL
	}
	cur := n
	cur.refs.Add(1)
	for i, name := range q.Names {
		if i == len(q.Names)-1 && q.Mode&donate.WalkHandle == 0 {
			if done, e := peek(cur, name, q, r); done {
				cur.release()
				return e
			}
		}
		next, ent, e := f.lookup(cur, name)
		cur.release()
		if e != 0 {
			return e
		}
		cur = next
		last := i == len(q.Names)-1
		if last && q.Mode&donate.WalkOpen != 0 && ent.Attr.Mode.IsRegular() {
			if r.FD, e = f.openData(cur, q.Flags); e != 0 {
				// The walk is good all the same: the caller asks
				// again, and gets the error, if it still wants to.
				r.FD = -1
			}
		}
		if q.Mode&donate.WalkBare == 0 && (ent.Attr.Mode.IsDir() || last && q.Mode&donate.WalkHandle != 0) {
			cur.refs.Add(1)
			if e := f.answer(r, cur, ent); e != 0 {
				cur.release()
				return e
			}
		} else {
			r.Entries = append(r.Entries, ent)
		}
		if !ent.Attr.Mode.IsDir() {
			break
		}
	}
	cur.release()
	return 0
}

// peek ends a walk with what name is in n, if no node of it has to be made for that.
func peek(n *node, name string, q *donate.Request, r *donate.Reply) (done bool, e linux.Errno) {
	if e := checkName(name); e != 0 {
		return true, e
	}
	if !n.mode.IsDir() {
		return true, linux.ENOTDIR
	}
	var ent donate.Entry
	fd := -1
	if q.Mode&donate.WalkOpen != 0 && q.Flags&unix.O_ACCMODE == unix.O_RDONLY && n.m.readOnly {
		fd, ent.Attr, e = openNamed(n, append([]byte(name), 0)[:len(name)], func(*donate.Attr) bool { return true })
		if e != 0 && e != linux.ENOENT {
			return false, 0
		}
	} else if ent.Attr, e = statAt(n.fd, name, 0); e == 0 && ent.Attr.Mode.IsRegular() && q.Mode&donate.WalkOpen != 0 {
		return false, 0
	}
	switch {
	case e != 0:
		return true, e
	case ent.Attr.Mode.IsDir() && q.Mode&donate.WalkBare == 0:
		return false, 0
	case ent.Attr.Mode.IsSymlink():
		if ent.Target, e = readlink(n.fd, name); e != 0 {
			return false, 0
		}
	}
	r.Entries, r.FD = append(r.Entries, ent), fd
	return true, 0
}

func stat(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	return f.statReply(n, r)
}

// statReply answers with n's attributes and no new handle.
func (f *fsys) statReply(n *node, r *donate.Reply) linux.Errno {
	a, e := statNode(n.fd)
	if e != 0 {
		return e
	}
	r.Entries = []donate.Entry{{Attr: a}}
	return 0
}

// openData opens a regular file for donation.
func (f *fsys) openData(n *node, flags uint32) (int, linux.Errno) {
	if !n.mode.IsRegular() {
		return -1, linux.EINVAL
	}
	acc := int(flags) & unix.O_ACCMODE
	if acc != unix.O_RDONLY && n.m.readOnly {
		return -1, linux.EROFS
	}
	return f.reopen(n, acc)
}

func open(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	fd, e := f.openData(n, q.Flags)
	if e != 0 {
		return e
	}
	r.FD = fd
	return f.statReply(n, r)
}

func fallocate(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	fd, e := f.openData(n, unix.O_RDWR)
	if e != 0 {
		return e
	}
	defer unix.Close(fd)
	if err := unix.Fallocate(fd, q.Mode, int64(q.Offset), int64(q.Length)); err != nil {
		return donate.Errno(err)
	}
	return f.statReply(n, r)
}

func fsync(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	var fd int
	var e linux.Errno
	switch {
	case n.mode.IsRegular():
		fd, e = f.reopen(n, unix.O_RDONLY)
	case n.mode.IsDir():
		fd, e = openat2(n.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	default:
		return linux.EINVAL
	}
	if e != 0 {
		return e
	}
	defer unix.Close(fd)
	if q.Flags != 0 {
		return donate.Errno(unix.Fdatasync(fd))
	}
	return donate.Errno(unix.Fsync(fd))
}

func statFS(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	var st unix.Statfs_t
	if err := unix.Fstatfs(n.fd, &st); err != nil {
		return donate.Errno(err)
	}
	r.StatFS = donate.StatFS{
		Type: uint64(st.Type), Bsize: uint32(st.Bsize), Frsize: uint32(st.Frsize), Namelen: uint32(st.Namelen),
		Blocks: st.Blocks, Bfree: st.Bfree, Bavail: st.Bavail, Files: st.Files, Ffree: st.Ffree,
		Fsid: uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32, Flags: linux.StatfsFlags(st.Flags),
	}
	return 0
}

// connect connects a new socket to the socket inode n. It does not block: a
// full backlog is EAGAIN.
func connect(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if !n.m.connect || !n.mode.IsSocket() {
		return linux.ECONNREFUSED
	}
	switch q.Mode {
	case unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET:
	default:
		return linux.EINVAL
	}
	s, err := unix.Socket(unix.AF_UNIX, int(q.Mode)|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return donate.Errno(err)
	}
	if err := unix.Connect(s, &unix.SockaddrUnix{Name: f.procPath + n.procName()}); err != nil {
		unix.Close(s)
		return donate.Errno(err)
	}
	r.FD = s
	return 0
}
