package hostfs

import (
	"bytes"
	"encoding/binary"
	"math"
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

// replyRoom is what a list may take of a reply.
const replyRoom = donate.MaxPacket - 64

// direntsSize is how much of a directory is read at once.
const direntsSize = 32 << 10

// A dirent is what getdents64(2) says of a name. The name ends with its NUL in
// the buffer.
type dirent struct {
	name []byte
	typ  linux.DirentType
	ino  uint64
	next uint64
}

// take takes the next name off b, apart from "." and "..".
func (d *dirent) take(b []byte) (rest []byte, ok bool) {
	for len(b) > linux.DirentHeaderSize {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= linux.DirentHeaderSize || size > len(b) {
			return nil, false
		}
		name := b[linux.DirentHeaderSize:size]
		i := bytes.IndexByte(name, 0)
		if i < 0 {
			return nil, false
		}
		*d = dirent{name[:i], linux.DirentType(b[18]), binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])}
		b = b[size:]
		if i > linux.NAME_MAX || string(d.name) == "." || string(d.name) == ".." || i == 0 {
			continue
		}
		return b, true
	}
	return nil, false
}

// last reports whether no name can come after d: ext4 and others give the last
// one the highest position there is, which spares asking for an empty rest.
func (d *dirent) last() bool { return d.next == math.MaxInt64 }

// addItem appends what dir has as d to a list, with attributes if asked for.
// What is gone, or not to be seen, is left out.
func addItem(out []byte, dir int, d *dirent, attrs bool, dev uint64) (_ []byte, ok bool) {
	if !attrs && d.typ != linux.DT_UNKNOWN && d.typ != linux.DT_WHT {
		return donate.AppendItem(out, d.name, d.typ, d.ino, nil, dev, ""), true
	}
	var st unix.Statx_t
	if statName(dir, d.name, &st) != 0 {
		return out, false
	}
	a := attrOf(&st)
	d.typ = a.Mode.DirentType()
	if !attrs {
		return donate.AppendItem(out, d.name, d.typ, d.ino, nil, dev, ""), true
	}
	var target string
	if a.Mode.IsSymlink() {
		var e linux.Errno
		if target, e = readlink(dir, string(d.name)); e != 0 {
			return out, false
		}
	}
	return donate.AppendItem(out, d.name, d.typ, d.ino, &a, dev, target), true
}

// readdir lists n from the cookie q.Offset on, about q.Length bytes of list if
// that is not 0.
func readdir(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	if !n.mode.IsDir() {
		return linux.ENOTDIR
	}
	room := replyRoom
	if q.Length > 0 && q.Length < uint64(room) {
		room = max(int(q.Length), donate.MaxItem)
	}
	out, attrs := r.Data[:0], q.Flags&donate.ListAttrs != 0
	next, e := n.dir.read(n.fd, q.Offset, func(d *dirent) bool {
		if len(out)+donate.MaxItem > room && len(out) > 0 {
			return false
		}
		out, _ = addItem(out, n.fd, d, attrs, n.m.root.dev)
		return true
	})
	r.Data, r.Next = out, next
	return e
}

// read gives each name of the directory of handle fd after the cookie off to
// emit, until that returns false. It returns the cookie to go on with, 0 at
// the end.
func (l *listing) read(handle int, off uint64, emit func(d *dirent) bool) (next uint64, e linux.Errno) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		fd, e := openat2(handle, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if e != 0 {
			return 0, e
		}
		l.fd, l.open, l.pos = fd, true, 0
	}
	// Position 0 is always sought, to see entries made since.
	if l.pos != int64(off) || off == 0 {
		if _, err := unix.Seek(l.fd, int64(off), 0); err != nil {
			return 0, donate.Errno(err)
		}
	}
	// Not known until the loop is through.
	l.pos = -1
	buf := make([]byte, direntsSize)
	at := off
	for {
		k, err := unix.Getdents(l.fd, buf)
		if err != nil {
			return 0, donate.Errno(err)
		}
		var d dirent
		for b, ok := d.take(buf[:k]); ok; b, ok = d.take(b) {
			if !emit(&d) {
				return at, 0
			}
			at = d.next
		}
		if k == 0 || d.last() {
			unix.Close(l.fd)
			l.open = false
			return 0, 0
		}
	}
}
