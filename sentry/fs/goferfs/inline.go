package goferfs

import (
	"slices"
	"sync/atomic"
	"time"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

const (
	// goodFor is how long contents that came with an answer are what is in the file.
	// Nobody should change it, but who does on the host is seen a second later.
	goodFor = time.Second
	// maxBrought is how many answers' contents are kept.
	maxBrought = 4
)

// contents is a small file that the gofer has read instead of opening it.
type contents struct {
	data  []byte
	until time.Time
	of    *answer // that data is in, or nil
}

// An answer has brought contents. Its room is used again when nobody has a reference:
// FS.brought has one, and who reads has one meanwhile.
type answer struct {
	call *client.Opening
	read []*Inode
	refs atomic.Int32
}

// hold takes a reference unless the room has been given back.
func (a *answer) hold() bool {
	for a != nil {
		n := a.refs.Load()
		if n == 0 {
			return false
		}
		if a.refs.CompareAndSwap(n, n+1) {
			break
		}
	}
	return true
}

func (a *answer) release() {
	if a != nil && a.refs.Add(-1) == 0 {
		a.call.Free()
	}
}

// read copies from off on, and reports whether c was there still.
func (c *contents) read(dst *usermem.Seq, off int64) (n int, ok bool, err error) {
	if c == nil || !c.of.hold() {
		return 0, false, nil
	}
	defer c.of.release()
	if off >= int64(len(c.data)) {
		return 0, true, nil
	}
	n, err = dst.CopyOut(c.data[off:])
	if n > 0 {
		err = nil
	}
	return n, true, err
}

// good reports whether c is what is in the file.
func (c *contents) good() bool { return c != nil && time.Now().Before(c.until) }

// inlineFile is a file that is open without a descriptor, of a mount that cannot be
// written. It gets one when it is mapped, or read later.
type inlineFile Inode

func (x *inlineFile) inode() *Inode { return (*Inode)(x) }

// bring has the files behind in, which is opened for reading, opened with it if a
// program goes through them, and opens in if its contents are there then.
func (in *Inode) bring() bool {
	if in.fs.shared || in.ro.Load() != nil || in.rw.Load() != nil {
		return false
	}
	if !in.inline.Load().good() {
		in.openBatch()
		if in.inline.Load() == nil {
			return false
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.inline.Load().good() {
		return false
	}
	in.openedLocked()
	return true
}

// boundContents notes an answer that has brought contents, and gives up those that
// came long ago. What is open gets a descriptor, or keeps them if there is none.
func (fs *FS) boundContents(a *answer) {
	fs.mu.Lock()
	old := pushBounded(&fs.brought, a, maxBrought)
	fs.mu.Unlock()
	if old == nil {
		return
	}
	for _, in := range old.read {
		in.giveUp(old)
	}
	old.release()
}

// giveUp drops in's contents that came with a unless they are all that somebody has
// of it.
func (in *Inode) giveUp(a *answer) {
	for range 2 {
		in.mu.Lock()
		c := in.inline.Load()
		if c != nil && c.of == a && (in.opens == 0 || in.ro.Load() != nil) {
			in.inline.Store(nil)
			c = nil
		}
		in.mu.Unlock()
		if c == nil || c.of != a {
			return
		}
		if in.descriptor() != nil {
			// Only these bytes are kept, not the whole answer.
			in.inline.CompareAndSwap(c, &contents{data: slices.Clone(c.data)})
			return
		}
	}
}

// descriptor gets a descriptor of in.
func (in *Inode) descriptor() error {
	if in.ro.Load() != nil {
		return nil
	}
	fd, err := in.donate(false)
	if err != nil {
		return err
	}
	in.install(fd, false)
	return nil
}

// ReadAt implements vfs.ReaderAt.
func (x *inlineFile) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	in := x.inode()
	if c := in.inline.Load(); c.good() {
		if n, ok, err := c.read(dst, off); ok {
			return n, err
		}
	}
	err := in.descriptor()
	if f := in.openFile(); f != nil {
		defer f.unref()
		return (*file)(f).ReadAt(dst, off)
	}
	// What cannot be found any more goes on as it was.
	if n, ok, rerr := in.inline.Load().read(dst, off); ok {
		return n, rerr
	}
	if err == nil {
		err = linux.EIO
	}
	return 0, err
}

// PrepareMap implements vfs.MapPreparer.
func (x *inlineFile) PrepareMap() error { return x.inode().descriptor() }

// Release implements vfs.File.
func (x *inlineFile) Release() {
	in := x.inode()
	in.mu.Lock()
	in.opens--
	idle := in.opens == 0
	if idle && !in.inline.Load().good() {
		in.inline.Store(nil)
	}
	in.mu.Unlock()
	if idle && in.ro.Load() != nil {
		in.fs.idled(in)
	}
}

// Sync implements vfs.Syncer: nothing was written.
func (x *inlineFile) Sync(bool) error { return nil }

// DirectIO implements vfs.DirectIO, as for other files.
func (x *inlineFile) DirectIO() {}

// Reopened implements vfs.Reopened.
func (x *inlineFile) Reopened() {}
