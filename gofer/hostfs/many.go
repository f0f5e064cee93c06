package hostfs

import (
	"cordon/gofer/donate"
	"cordon/internal/linux"

	"golang.org/x/sys/unix"
)

// openMany donates several files of n for reading, or reads them.
func openMany(f *fsys, n *node, q *donate.Request, r *donate.Reply) linux.Errno {
	n, names, e := f.dirAt(n, q)
	if e != 0 {
		return e
	}
	defer n.release()
	if len(names) > donate.MaxOpen {
		return linux.EINVAL
	}
	r.Entries = make([]donate.Entry, 0, len(names))
	for i, name := range names {
		c, ent, e := f.lookup(n, name)
		fd := -1
		if e == 0 {
			if !hasRoom(c, &ent.Attr, r) && i > 0 {
				c.release()
				return 0
			}
			fd, e = f.openData(c, unix.O_RDONLY)
			c.release()
		}
		if e != 0 {
			if i == 0 {
				return e
			}
			return 0
		}
		r.Entries = append(r.Entries, ent)
		if comesInline(c, &ent.Attr) && inline(fd, int(ent.Attr.Size), r) {
			r.Inline |= 1 << i
			unix.Close(fd)
		} else {
			r.FDs = append(r.FDs, fd)
		}
	}
	return 0
}

// comesInline reports whether the file n is to be read rather than donated: one of a
// mount that cannot be written, small enough, and on a disk, for what takes no room
// there may be made by a kernel when it is read.
func comesInline(n *node, a *donate.Attr) bool {
	return n.m.readOnly && a.Mode.IsRegular() && a.Size <= donate.MaxInline && a.Blocks > 0
}

// hasRoom reports whether there is room for the file n in r in the form that it has
// there. A file whose contents turn out to be unfit needs a descriptor's.
func hasRoom(n *node, a *donate.Attr, r *donate.Reply) bool {
	return len(r.FDs) < donate.MaxFDs && (!comesInline(n, a) || len(r.Data)+int(a.Size) <= donate.MaxContents)
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
