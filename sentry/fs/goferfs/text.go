package goferfs

import (
	"time"

	"cordon/gofer/client"
	"cordon/internal/refs"
	"cordon/sentry/memmap"
)

// settled is how long ago the host must have changed a file last for its times to
// tell all further changes: its clock for them may stand still for some
// milliseconds.
const settled = 2 * time.Second

// Text implements memmap.TextSource.
func (in *Inode) Text() memmap.TextFile { return in }

// TextPlace implements memmap.TextFile.
func (in *Inode) TextPlace() *memmap.TextPlace { return in.maps.TextPlace() }

// TextVersion implements memmap.TextFile. What the sandbox does to the file is
// known anyway; others on the host give it other times. It is asked with locks of the
// memory manager held, as Translate is.
func (in *Inode) TextVersion() (v memmap.TextVersion, ok bool) {
	if in.maps.Writable() {
		return v, false
	}
	f := in.rw.Load()
	if f == nil {
		f = in.ro.Load()
	}
	if f == nil || !f.tryRef() {
		return v, false
	}
	defer f.unref()
	var a client.Attr
	if f.stat(&a) != nil {
		return v, false
	}
	v = memmap.TextVersion{Size: a.Size, MTime: a.Mtime.NS(), CTime: a.Ctime.NS()}
	return v, isSettled(v, time.Now())
}

func isSettled(v memmap.TextVersion, now time.Time) bool {
	return max(v.MTime, v.CTime) < now.Add(-settled).UnixNano()
}

// tryRef takes a reference unless the file is being closed.
func (f *hostFile) tryRef() bool { return refs.Try(&f.refs) }
