package goferfs

import (
	"sync"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
)

// file is an open regular file: what all who opened it for the same have in
// common.
type file hostFile

func (x *file) host() *hostFile { return (*hostFile)(x) }

// open returns a File with flags' access mode.
func (in *Inode) open(flags linux.OpenFlags) (*file, error) {
	f, err := in.openHost(flags.Writable())
	if err != nil {
		return nil, err
	}
	return (*file)(f), nil
}

// openHost returns a host file that can do what is asked, counted in opens and
// with a reference.
func (in *Inode) openHost(write bool) (*hostFile, error) {
	if f := in.reuse(write); f != nil {
		return f, nil
	}
	for {
		fd, err := in.donate(write)
		if err == error(linux.ENFILE) && in.fs.shed() {
			continue
		}
		if err != nil {
			return nil, err
		}
		in.install(fd, write)
		// It may have been idle long enough to be given up already.
		if f := in.reuse(write); f != nil {
			return f, nil
		}
	}
}

// reuse returns a host file that in has already, counted.
func (in *Inode) reuse(write bool) *hostFile {
	in.mu.Lock()
	defer in.mu.Unlock()
	f := in.rw.Load()
	if f == nil && !write {
		f = in.ro.Load()
	}
	if f == nil {
		return nil
	}
	f.refs.Add(1)
	in.openedLocked()
	return f
}

// install keeps a donated descriptor, unless another came first.
func (in *Inode) install(fd int, write bool) {
	slot := &in.ro
	if write {
		slot = &in.rw
	}
	f := in.newFile(fd, write)
	in.mu.Lock()
	first := slot.Load() == nil
	if first {
		slot.Store(f)
	}
	in.mu.Unlock()
	if !first {
		f.unref()
	}
}

// donate asks the gofer for a descriptor: by the node if in has it, else by
// its name, in one round trip either way.
func (in *Inode) donate(write bool) (int, error) {
	mode := linux.O_RDONLY
	if write {
		mode = linux.O_RDWR
	}
	if n := in.held(); n != nil {
		defer n.release()
		fd, a, err := n.node.Open(mode)
		if err == nil && in.fs.shared {
			in.setAttr(&a)
		}
		return fd, err
	}
	step, fd, err := in.find(client.WalkOption{Open: true, Flag: mode})
	if err != nil {
		return -1, err
	}
	if step.Node != nil {
		step.Node.Clunk()
	}
	if fd >= 0 {
		return fd, nil
	}
	// The gofer could not open it; a node tells why.
	n, err := in.acquire()
	if err != nil {
		return -1, err
	}
	defer n.release()
	fd, _, err = n.node.Open(mode)
	return fd, err
}

// openFile returns a host file if in has one, for a short use.
func (in *Inode) openFile() *hostFile {
	in.mu.Lock()
	defer in.mu.Unlock()
	f := in.rw.Load()
	if f == nil {
		f = in.ro.Load()
	}
	if f != nil {
		f.refs.Add(1)
	}
	return f
}

// writable returns a host file that can be written if in has one.
func (in *Inode) writable() *hostFile {
	in.mu.Lock()
	defer in.mu.Unlock()
	f := in.rw.Load()
	if f != nil {
		f.refs.Add(1)
	}
	return f
}

// dropFiles gives up the descriptors if nobody has in open.
func (in *Inode) dropFiles() {
	in.mu.Lock()
	if in.opens > 0 {
		in.mu.Unlock()
		return
	}
	ro, rw := in.ro.Swap(nil), in.rw.Swap(nil)
	in.mu.Unlock()
	for _, f := range [...]*hostFile{ro, rw} {
		if f != nil {
			f.unref()
		}
	}
}

// Release implements vfs.File.
func (x *file) Release() {
	x.in.mu.Lock()
	x.in.opens--
	idle := x.in.opens == 0
	x.in.mu.Unlock()
	x.host().unref()
	if idle {
		x.in.fs.idled(x.in)
	}
}

// ReadAt implements vfs.ReaderAt.
func (x *file) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	m := movers.Get().(*mover)
	m.f, m.off = x.host(), off
	if n, ok, err := m.hot(dst); ok {
		m.put()
		return n, err
	}
	n, err := dst.Blocks(usermem.Write, m.read)
	m.put()
	return moved(n, err)
}

// A mover moves data between user memory and a host file, from off on. Its
// functions are made once for many moves.
type mover struct {
	f           *hostFile
	off         int64
	read, write func(blocks [][]byte) (uint64, error)
	buf         [smallRead]byte
}

var movers = sync.Pool{New: func() any {
	m := &mover{}
	m.read, m.write = m.readBlocks, m.writeBlocks
	return m
}}

func (m *mover) put() {
	m.f = nil
	movers.Put(m)
}

func (m *mover) readBlocks(blocks [][]byte) (uint64, error) {
	n, err := m.f.readv(blocks, m.off)
	m.off += int64(n)
	return n, err
}

func (m *mover) writeBlocks(blocks [][]byte) (uint64, error) {
	n, err := m.f.writev(blocks, m.off)
	m.off += int64(n)
	return n, err
}

// moved gives the part that was done precedence over the error that ended it.
func moved(n uint64, err error) (int, error) {
	if n > 0 {
		err = nil
	}
	return int(n), err
}

// WriteAt implements vfs.WriterAt.
func (x *file) WriteAt(src *usermem.Seq, off int64) (int, error) {
	m := movers.Get().(*mover)
	m.f, m.off = x.host(), off
	n, err := src.Blocks(usermem.Read, m.write)
	m.put()
	if n > 0 {
		x.in.grown(uint64(off) + n)
		x.in.maps.Changed(x.in)
	}
	return moved(n, err)
}

// grown notes a write that ended at end.
func (in *Inode) grown(end uint64) {
	for {
		size := in.size.Load()
		if end <= size || in.size.CompareAndSwap(size, end) {
			in.touched()
			return
		}
	}
}

// Append implements vfs.Appender. On a shared mount the host says where the
// end is.
func (x *file) Append(src *usermem.Seq) (int, int64, error) {
	x.in.tail.Lock()
	defer x.in.tail.Unlock()
	if !x.in.fs.shared {
		off := int64(x.in.size.Load())
		n, err := x.WriteAt(src, off)
		return n, off, err
	}
	n, err := src.Blocks(usermem.Read, x.host().appendv)
	x.in.touched()
	x.in.maps.Changed(x.in)
	k, err := moved(n, err)
	if rerr := x.in.refresh(); rerr != nil && k == 0 && err == nil {
		err = rerr
	}
	return k, max(int64(x.in.size.Load())-int64(k), 0), err
}

// Sync implements vfs.Syncer.
func (x *file) Sync(dataOnly bool) error { return x.host().sync(dataOnly) }

// Allocate implements vfs.Allocator.
func (x *file) Allocate(mode linux.FallocateMode, off, n int64) error {
	if mode&linux.FALLOC_FL_COLLAPSE_RANGE != 0 {
		// The pages behind move.
		x.in.maps.Invalidate(x.in, memmap.Range{Start: uint64(off), End: pageUp(x.in.size.Load())}, false)
	}
	if err := x.host().allocate(mode, off, n); err != nil {
		return err
	}
	x.in.touched()
	x.in.maps.Changed(x.in)
	return x.in.refresh()
}

// DirectIO implements vfs.DirectIO: reads and writes go to the host's cache all
// the same.
func (x *file) DirectIO() {}

// Translate implements memmap.Mappable: the file's own pages on the host.
func (in *Inode) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	f := in.rw.Load()
	if f == nil {
		f = in.ro.Load()
	}
	if f == nil {
		return nil, linux.EFAULT
	}
	end := pageUp(in.size.Load())
	if required.End > end && in.fs.shared {
		var a client.Attr
		if f.stat(&a) == nil {
			in.size.Store(a.Size)
			end = pageUp(a.Size)
		}
	}
	if write {
		in.touched()
	}
	src := memmap.Range{Start: optional.Start, End: min(optional.End, end)}
	if src.Start >= src.End {
		return nil, linux.EFAULT
	}
	var err error
	if required.End > end {
		err = linux.EFAULT
	}
	return []memmap.Translation{{Source: src, File: f, Offset: src.Start, Writable: f.writable}}, err
}

// AddMapping implements memmap.Mappable.
func (in *Inode) AddMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) error {
	in.maps.Add(ms, addr, r, writable)
	return nil
}

// RemoveMapping implements memmap.Mappable.
func (in *Inode) RemoveMapping(ms memmap.MappingSpace, addr uint64, r memmap.Range, writable bool) {
	in.maps.Remove(ms, addr, r, writable)
	if writable {
		in.touched()
	}
}
