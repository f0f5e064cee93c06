package hostfs

import (
	"encoding/binary"
	"sync"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

const (
	// maxScanDepth bounds how far below the directories it was asked for a
	// scan goes: it holds a descriptor for each level.
	maxScanDepth = 16
	// scanSlack is what is left of a packet when no other directory is begun.
	scanSlack = 8 << 10
)

// A scanner lists many directories, in pieces: what it has come to is kept from
// one to the next.
type scanner struct {
	// immutable
	base  *node // has the names; referenced
	names []string

	mu sync.Mutex

	// guarded by mu
	at     int     // the first of names to come
	levels []level // the way down to where it is
	buf    []byte
}

// A level is a directory that was listed, and has directories to come.
type level struct {
	fd   int
	todo []byte // for each: which entry it is 4, length of the name 1, name, NUL
	at   int
}

// scan lists the directories q.Names in n and those below them.
func scan(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	n, names, e := f.dirAt(n, q)
	if e != 0 {
		return e
	}
	for _, name := range names {
		if e := checkName(name); e != 0 {
			n.release()
			return e
		}
	}
	s := &scanner{base: n, names: names}
	if !s.list(q, r) {
		s.close()
		return 0
	}
	// The rest is named by a handle, as inodes are: who clunks it ends it.
	c := &node{fd: -1, m: n.m, scan: s}
	c.refs.Store(1)
	if r.Next, e = f.table.add(c); e != 0 {
		c.release()
		r.Next = 0
	}
	return 0
}

// scanMore goes on with the scan that n is.
func scanMore(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if n.scan == nil {
		return linux.EINVAL
	}
	if n.scan.list(q, r) {
		r.Next = q.Handle
	}
	return 0
}

// dirAt walks the names of q that come first to a directory, and returns it with
// a reference and the other names.
func (f *fsys) dirAt(n *node, q *donate.Request) (*node, []string, linux.Errno) {
	if q.Offset > uint64(len(q.Names)) {
		return nil, nil, linux.EINVAL
	}
	n, e := f.dirAlong(n, q.Names[:q.Offset])
	return n, q.Names[q.Offset:], e
}

// dirAlong walks names from n to a directory, and returns it with a reference.
func (f *fsys) dirAlong(n *node, names []string) (*node, linux.Errno) {
	n.refs.Add(1)
	for i, name := range names {
		var next *node
		var e linux.Errno
		if i == len(names)-1 {
			next, _, e = f.lookup(n, name)
		} else {
			next, e = passing(n, name)
		}
		n.release()
		if e != 0 {
			return nil, e
		}
		n = next
	}
	if !n.mode.IsDir() {
		n.release()
		return nil, linux.ENOTDIR
	}
	return n, 0
}

// passing returns the directory called name in n as a node that is only good to look
// something up in: its attributes are not asked for.
func passing(n *node, name string) (*node, linux.Errno) {
	if e := checkName(name); e != 0 {
		return nil, e
	}
	if !n.mode.IsDir() {
		return nil, linux.ENOTDIR
	}
	fd, e := openat2(n.fd, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if e != 0 {
		return nil, e
	}
	c := &node{fd: fd, m: n.m, mode: linux.S_IFDIR}
	c.refs.Store(1)
	return c, 0
}

// list makes the next piece, of about q.Length bytes, and reports whether there
// is more. What cannot be opened, or is larger than a packet, is left out: the
// Sentry lists it by itself.
func (s *scanner) list(q *donate.Request, r *donate.Reply) (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := replyRoom - scanSlack
	if q.Length < uint64(room) {
		room = int(q.Length)
	}
	if s.buf == nil {
		s.buf = make([]byte, direntsSize)
	}
	attrs := q.Flags&donate.ListAttrs != 0
	out := r.Data[:0]
	for len(out) < room || len(out) == 0 {
		parent, which, name, depth := s.nextLocked()
		if name == nil {
			break
		}
		some, fits := s.dirLocked(out, parent, which, name, depth, attrs)
		if !fits && len(out) > 0 {
			break
		}
		s.passLocked(depth)
		if fits {
			out = some
		}
	}
	r.Data = out
	_, _, name, _ := s.nextLocked()
	return name != nil
}

// nextLocked returns the directory to list next, which is an entry of parent;
// nil if there is none. Its name ends with a NUL in its buffer.
func (s *scanner) nextLocked() (parent int, which uint32, name []byte, depth int) {
	for len(s.levels) > 0 {
		l := &s.levels[len(s.levels)-1]
		if l.at < len(l.todo) {
			b := l.todo[l.at:]
			return l.fd, binary.NativeEndian.Uint32(b), b[5 : 5+int(b[4])], len(s.levels)
		}
		s.popLocked()
	}
	if s.at < len(s.names) {
		return s.base.fd, uint32(s.at), append([]byte(s.names[s.at]), 0)[:len(s.names[s.at])], 0
	}
	return 0, 0, nil, 0
}

func (s *scanner) popLocked() {
	last := len(s.levels) - 1
	unix.Close(s.levels[last].fd)
	s.levels = s.levels[:last]
}

// passLocked notes that the directory that nextLocked has returned at depth is done
// with. What is below it was begun meanwhile.
func (s *scanner) passLocked(depth int) {
	if depth == 0 {
		s.at++
		return
	}
	l := &s.levels[depth-1]
	l.at += 4 + 1 + int(l.todo[l.at+4]) + 1
}

// dirLocked appends the directory called name, and makes what is below it come
// next. False: it does not fit in a packet any more.
func (s *scanner) dirLocked(out []byte, parent int, which uint32, name []byte, depth int, attrs bool) ([]byte, bool) {
	fd, e := openDir(parent, name)
	if e != 0 {
		return out, true
	}
	var st unix.Statx_t
	if statFD(fd, &st) != 0 {
		unix.Close(fd)
		return out, true
	}
	a := attrOf(&st)
	dev := s.base.m.root.dev
	head := len(out)
	out = donate.AppendHead(out, depth, which, &a, dev)
	below := depth < maxScanDepth && a.Dev == s.base.dev
	l := s.levelLocked(fd)
	count := uint32(0)
	for {
		k, err := unix.Getdents(fd, s.buf)
		if err != nil {
			unix.Close(fd)
			return out[:head], true
		}
		var d dirent
		for b, ok := d.take(s.buf[:k]); ok; b, ok = d.take(b) {
			if len(out)+donate.MaxItem > replyRoom {
				unix.Close(fd)
				return out[:head], false
			}
			var added bool
			if out, added = addItem(out, fd, &d, attrs, dev); !added {
				continue
			}
			if below && d.typ == linux.DT_DIR {
				l.todo = binary.NativeEndian.AppendUint32(l.todo, count)
				l.todo = append(append(append(l.todo, uint8(len(d.name))), d.name...), 0)
			}
			count++
		}
		if k == 0 || d.last() {
			break
		}
	}
	donate.SetCount(out[head:], count)
	if len(l.todo) == 0 {
		unix.Close(fd)
	} else {
		s.levels = s.levels[:len(s.levels)+1]
	}
	return out, true
}

// levelLocked returns the level after the last, of the directory fd. It is among the
// levels only when the caller says so.
func (s *scanner) levelLocked(fd int) *level {
	k := len(s.levels)
	if k == cap(s.levels) {
		s.levels = append(s.levels, level{})[:k]
	}
	l := &s.levels[:k+1][k]
	*l = level{fd: fd, todo: l.todo[:0]}
	return l
}

// close ends the scan.
func (s *scanner) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.levels) > 0 {
		s.popLocked()
	}
	s.base.release()
}

// statMany tells the attributes of several names of n.
func statMany(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	n, names, e := f.dirAt(n, q)
	if e != 0 {
		return e
	}
	defer n.release()
	out := r.Data[:0]
	for _, name := range names {
		if len(out)+donate.MaxItem > replyRoom {
			break
		}
		if e := checkName(name); e != 0 {
			return e
		}
		a, e := statAt(n.fd, name, 0)
		var target string
		if e == 0 && a.Mode.IsSymlink() {
			target, e = readlink(n.fd, name)
		}
		if e != 0 {
			out = donate.AppendItem(out, nil, linux.DT_UNKNOWN, 0, nil, 0, "")
			continue
		}
		out = donate.AppendItem(out, nil, a.Mode.DirentType(), a.Ino, &a, n.m.root.dev, target)
	}
	r.Data = out
	return 0
}
