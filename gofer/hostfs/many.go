package hostfs

import (
	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// openMany donates several files of n for reading, or reads them.
func openMany(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	groups, ok := q.OpenGroups()
	if !ok {
		return linux.EINVAL
	}
	r.Entries = make([]donate.Entry, 0, len(q.Names))
	w := descent{base: n}
	defer w.up(0)
	for _, g := range groups {
		all, e := openSome(f, &w, g[0], g[1], r)
		if e != 0 && len(r.Entries) == 0 {
			return e
		}
		if !all {
			break
		}
	}
	return 0
}

// A descent is a way down from base, of which what the next has in common is kept.
type descent struct {
	base  *node
	names []string
	nodes []*node // good to look something up in
	name  []byte  // of the file that is being opened, with its NUL
}

// to goes to the directory that way leads to from the base. It stays w's.
func (w *descent) to(way []string) (*node, linux.Errno) {
	k := 0
	for k < len(way) && k < len(w.names) && way[k] == w.names[k] {
		k++
	}
	w.up(k)
	n := w.base
	if k > 0 {
		n = w.nodes[k-1]
	}
	for _, name := range way[k:] {
		var e linux.Errno
		if n, e = passing(n, name); e != 0 {
			return nil, e
		}
		w.names, w.nodes = append(w.names, name), append(w.nodes, n)
	}
	return n, 0
}

// up goes back to the first k names.
func (w *descent) up(k int) {
	for _, n := range w.nodes[k:] {
		n.release()
	}
	w.names, w.nodes = w.names[:k], w.nodes[:k]
}

// openSome adds the files called names, in the directory that way leads to, to r,
// up to the first that cannot be had or for which there is no room.
func openSome(f *fsys, w *descent, way, names []string, r *donate.Reply) (all bool, e linux.Errno) {
	n, e := w.to(way)
	if e != 0 {
		return false, e
	}
	for _, name := range names {
		if ok, e := openOne(f, w, n, name, len(r.Entries), r); !ok {
			return false, e
		}
	}
	return true, 0
}

// openOne adds the file called name in n to r. False: it cannot be had, or there is no
// room.
func openOne(f *fsys, w *descent, n *node, name string, i int, r *donate.Reply) (bool, linux.Errno) {
	if e := checkName(name); e != 0 {
		return false, e
	}
	var ent donate.Entry
	var e linux.Errno
	fd := -1
	if n.m.readOnly {
		fd, ent.Attr, e = openNamed(n, w.terminated(name), func(a *donate.Attr) bool { return i == 0 || hasRoom(n.m, a, r) })
	} else {
		var c *node
		if c, ent, e = f.lookup(n, name); e == 0 {
			if i == 0 || hasRoom(n.m, &ent.Attr, r) {
				fd, e = f.openData(c, unix.O_RDONLY)
			}
			c.release()
		}
	}
	if e != 0 || fd < 0 {
		return false, e
	}
	r.Entries = append(r.Entries, ent)
	if comesInline(n.m, &ent.Attr) && inline(fd, int(ent.Attr.Size), r) {
		r.Inline |= 1 << i
		unix.Close(fd)
	} else {
		r.FDs = append(r.FDs, fd)
	}
	return true, 0
}

// terminated returns name with a NUL behind its end, until the next.
func (w *descent) terminated(name string) []byte {
	w.name = append(append(w.name[:0], name...), 0)
	return w.name[:len(name)]
}

// openNamed opens the regular file called name in n, of a mount that cannot be written,
// for reading, if wanted says so of its attributes; -1 if not. Unlike openData it opens
// by name, which ends with its NUL in its buffer, after a look at what is there; it
// takes what it got for the same file only if that is what it is. Who puts a device in place of a file of such a mount in between
// has it opened and closed, without being waited for.
func openNamed(n *node, name []byte, wanted func(*donate.Attr) bool) (int, donate.Attr, linux.Errno) {
	if !n.mode.IsDir() {
		return -1, donate.Attr{}, linux.ENOTDIR
	}
	var now unix.Statx_t
	e := statName(n.fd, name, &now)
	a := attrOf(&now)
	switch {
	case e != 0:
		return -1, a, e
	case !a.Mode.IsRegular():
		return -1, a, linux.EINVAL
	case !wanted(&a):
		return -1, a, 0
	}
	// Once: a lease of the host's, which somebody may keep for long, is not waited for.
	fd, e := openName(n.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY)
	if e != 0 {
		return -1, a, e
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Ino != a.Ino || st.Dev != a.Dev || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return -1, a, linux.EAGAIN
	}
	return fd, a, 0
}

// comesInline reports whether a file of m is to be read rather than donated: one of a
// mount that cannot be written, small enough, and on a disk, for what takes no room
// there may be made by a kernel when it is read.
func comesInline(m *mount, a *donate.Attr) bool {
	return m.readOnly && a.Mode.IsRegular() && a.Size <= donate.MaxInline && a.Blocks > 0
}

// hasRoom reports whether there is room for a file of m in r in the form that it has
// there. A file whose contents turn out to be unfit needs a descriptor's.
func hasRoom(m *mount, a *donate.Attr, r *donate.Reply) bool {
	return len(r.FDs) < donate.MaxFDs && (!comesInline(m, a) || len(r.Data)+int(a.Size) <= donate.MaxContents)
}

// inline appends what is in fd to r's contents, if it is as long as it should be.
func inline(fd, size int, r *donate.Reply) bool {
	used := len(r.Data)
	if used+size > donate.MaxContents {
		return false
	}
	if cap(r.Data) < used+size+1 {
		r.Data = append(make([]byte, 0, donate.MaxContents+1), r.Data...)
	}
	// A byte more than there should be tells a file that has grown.
	got, err := unix.Pread(fd, r.Data[used:used+size+1], 0)
	if err != nil || got != size {
		return false
	}
	r.Data = r.Data[:used+size]
	return true
}
