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
		if e := checkName(name); e != 0 {
			return some(i, e)
		}
		if n.m.readOnly {
			switch a, got := inline(n, name, r); {
			case got == isInline:
				r.Inline |= 1 << i
				r.Entries = append(r.Entries, donate.Entry{Attr: a})
				continue
			case got == noRoom && i > 0:
				return 0
			}
		}
		if len(r.FDs) == donate.MaxFDs {
			return 0
		}
		c, ent, e := f.lookup(n, name)
		fd := -1
		if e == 0 {
			fd, e = f.openData(c, unix.O_RDONLY)
			c.release()
		}
		if e != 0 {
			return some(i, e)
		}
		r.Entries = append(r.Entries, ent)
		r.FDs = append(r.FDs, fd)
	}
	return 0
}

// some makes an error of what has done i things already a short answer.
func some(i int, e linux.Errno) linux.Errno {
	if i > 0 {
		return 0
	}
	return e
}

// A reading is what became of an attempt to read a file.
type reading int

const (
	isInline  reading = iota
	notInline         // it is to be opened, or refused, as others are
	noRoom
)

// inline appends the contents of the file called name in n to r's if it is small
// enough and regular, in fewer calls than a node takes. It opens nothing that has not
// just been seen to be regular: to open a device can do something. If another file
// has taken the name since, or its size has changed, the contents are not used. What
// takes no room on a disk may be made by a kernel when it is read: it is left alone.
func inline(n *node, name string, r *donate.Reply) (donate.Attr, reading) {
	a, e := statAt(n.fd, name, 0)
	if e != 0 || !a.Mode.IsRegular() || a.Size > donate.MaxInline || a.Blocks == 0 {
		return a, notInline
	}
	used, size := len(r.Data), int(a.Size)
	if used+size > donate.MaxContents {
		return a, noRoom
	}
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC, Resolve: resolve}
	fd, err := unix.Openat2(n.fd, name, &how)
	if err != nil {
		return a, notInline
	}
	defer unix.Close(fd)
	if cap(r.Data) < used+size+1 {
		r.Data = append(make([]byte, 0, donate.MaxContents+1), r.Data...)
	}
	// A byte more than there should be tells a file that has grown.
	got, err := unix.Pread(fd, r.Data[used:used+size+1], 0)
	var st unix.Stat_t
	if err != nil || got != size || unix.Fstat(fd, &st) != nil || st.Ino != a.Ino || st.Dev != a.Dev {
		return a, notInline
	}
	r.Data = r.Data[:used+size]
	return a, isInline
}
