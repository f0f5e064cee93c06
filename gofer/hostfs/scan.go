package hostfs

import (
	"bytes"
	"encoding/binary"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// maxScanDepth bounds how far below the directories it was asked for a scan
// goes: it holds a descriptor for each level.
const maxScanDepth = 16

// A scan is one request's listing of many directories.
type scanner struct {
	r    *donate.Reply
	room int
	buf  []byte
}

// scan lists the directories q.Names in n and those below them. What cannot be
// opened or does not fit is left out: the Sentry lists it by itself.
func scan(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	n, names, e := f.dirAt(n, q)
	if e != 0 {
		return e
	}
	defer n.release()
	s := scanner{r: r, room: replyRoom, buf: make([]byte, 32<<10)}
	if q.Length < uint64(s.room) {
		s.room = int(q.Length)
	}
	for i, name := range names {
		if e := checkName(name); e != 0 {
			return e
		}
		if !s.dir(n.fd, name, donate.ScanTop|uint32(i), n.dev, maxScanDepth) {
			break
		}
	}
	return 0
}

// dirAt walks the names of q that come first to a directory, and returns it with
// a reference and the other names.
func (f *fsys) dirAt(n *node, q *donate.Request) (*node, []string, linux.Errno) {
	if q.Offset > uint64(len(q.Names)) {
		return nil, nil, linux.EINVAL
	}
	n.refs.Add(1)
	for _, name := range q.Names[:q.Offset] {
		next, _, e := f.lookup(n, name)
		n.release()
		if e != 0 {
			return nil, nil, e
		}
		n = next
	}
	if !n.mode.IsDir() {
		n.release()
		return nil, nil, linux.ENOTDIR
	}
	return n, q.Names[q.Offset:], 0
}

// dir lists name in parent and then what is below it, and reports whether there
// is room for more. The directory is opened by openat2, as everything is.
func (s *scanner) dir(parent int, name string, of uint32, dev uint64, depth int) bool {
	fd, e := openat2(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if e != 0 {
		return true
	}
	defer unix.Close(fd)
	first := len(s.r.Dirents)
	if len(s.r.Dirs) == donate.MaxDirs {
		return false
	}
	s.room -= dirSize
	if !s.list(fd) {
		s.r.Dirents = s.r.Dirents[:first]
		return false
	}
	last := len(s.r.Dirents)
	s.r.Dirs = append(s.r.Dirs, donate.Dir{Of: of, Count: uint32(last - first)})
	if depth == 0 {
		return true
	}
	for i := first; i < last; i++ {
		d := &s.r.Dirents[i]
		if d.Attr.Mode.IsDir() && d.Attr.Dev == dev && !s.dir(fd, d.Name, uint32(i), dev, depth-1) {
			return false
		}
	}
	return true
}

// dirSize is what a directory takes in a reply beside its entries.
const dirSize = 8

// list appends all entries of the open directory fd. False: there is no room.
func (s *scanner) list(fd int) bool {
	for {
		k, err := unix.Getdents(fd, s.buf)
		if err != nil {
			return false
		}
		if k == 0 {
			return true
		}
		if !s.addDirents(fd, s.buf[:k]) {
			return false
		}
	}
}

func (s *scanner) addDirents(fd int, b []byte) bool {
	for len(b) >= linux.DirentHeaderSize {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size < linux.DirentHeaderSize || size > len(b) {
			return true
		}
		name := b[linux.DirentHeaderSize:size]
		b = b[size:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		d := donate.Dirent{Name: string(name)}
		if s.room < donate.DirentSize(&d) || len(s.r.Dirents) == donate.MaxDirents {
			return false
		}
		var e linux.Errno
		if d.Attr, e = statAt(fd, d.Name, 0); e != 0 {
			continue // gone since, or not to be seen
		}
		if d.Attr.Mode.IsSymlink() {
			if d.Target, e = readlink(fd, d.Name); e != 0 {
				continue
			}
		}
		if s.room -= donate.DirentSize(&d); s.room < 0 {
			return false
		}
		s.r.Dirents = append(s.r.Dirents, d)
	}
	return true
}
