package hostfs

import (
	"bytes"
	"encoding/binary"
	"sync"

	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// listing is the open directory behind a node's listings.
type listing struct {
	mu sync.Mutex

	// guarded by mu
	fd   int // valid if open
	open bool
	pos  int64 // of fd
}

func (l *listing) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		unix.Close(l.fd)
		l.open = false
	}
}

// replyRoom is what a listing's reply may take, without its header.
const replyRoom = donate.MaxPacket - 64

// readdir lists n from the cookie q.Offset on, at most q.Length bytes of reply
// if that is not 0, with the attributes of every entry.
func readdir(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if !n.mode.IsDir() {
		return linux.ENOTDIR
	}
	room := replyRoom
	if q.Length > 0 && q.Length < uint64(room) {
		room = max(int(q.Length), donate.DirentSize(&donate.Dirent{})+linux.NAME_MAX+linux.PATH_MAX)
	}
	l := &n.dir
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		fd, e := openat2(n.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if e != 0 {
			return e
		}
		l.fd, l.open, l.pos = fd, true, 0
	}
	// Position 0 is always sought, to see entries made since.
	if l.pos != int64(q.Offset) || q.Offset == 0 {
		if _, err := unix.Seek(l.fd, int64(q.Offset), 0); err != nil {
			return donate.Errno(err)
		}
	}
	// Not known until the loop is through.
	l.pos = -1
	buf := make([]byte, 32<<10)
	for {
		k, err := unix.Getdents(l.fd, buf)
		if err != nil {
			return donate.Errno(err)
		}
		if k == 0 {
			r.End = true
			unix.Close(l.fd)
			l.open = false
			return 0
		}
		if full := f.addDirents(n, buf[:k], &room, r); full {
			return 0
		}
	}
}

// addDirents appends the entries in b to r while they fit in room, and reports
// whether one did not.
func (f *fsys) addDirents(n *node, b []byte, room *int, r *donate.Reply) bool {
	for len(b) >= linux.DirentHeaderSize {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size < linux.DirentHeaderSize || size > len(b) {
			return false
		}
		next := binary.NativeEndian.Uint64(b[8:])
		name := b[linux.DirentHeaderSize:size]
		b = b[size:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		if string(name) == "." || string(name) == ".." {
			continue
		}
		d := donate.Dirent{Name: string(name), Next: next}
		a, e := statAt(n.fd, d.Name, 0)
		if e != 0 {
			// Gone since, or not to be seen.
			continue
		}
		d.Attr = a
		if a.Mode.IsSymlink() {
			if d.Target, e = readlink(n.fd, d.Name); e != 0 {
				continue
			}
		}
		if len(r.Dirents) == donate.MaxDirents || donate.DirentSize(&d) > *room {
			return true
		}
		*room -= donate.DirentSize(&d)
		r.Dirents = append(r.Dirents, d)
	}
	return false
}
