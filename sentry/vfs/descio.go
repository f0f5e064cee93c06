package vfs

import (
	"math"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

// Read is read(2) at the description's offset. 0 is the end.
func (d *Description) Read(c *Caller, dst *usermem.Seq) (int, error) {
	if d.mode&mayRead == 0 {
		return 0, linux.EBADF
	}
	switch f := d.file.(type) {
	case ReaderAt:
		n, err := 0, error(linux.EINVAL)
		d.pos.Lock()
		if d.off >= 0 {
			n, err = f.ReadAt(dst, d.off)
			d.off += int64(n)
		}
		d.pos.Unlock()
		return d.didRead(n, err)
	case CallerReader:
		return d.didRead(f.ReadAs(c, dst))
	case Reader:
		return d.didRead(f.Read(dst))
	case CallerReaderAt:
		d.pos.Lock()
		n, err := f.ReadAtAs(c, dst, d.off)
		d.off += int64(n)
		d.pos.Unlock()
		return d.didRead(n, err)
	}
	return 0, d.cannot()
}

// PRead is pread(2): at off, leaving the description's offset alone.
func (d *Description) PRead(c *Caller, dst *usermem.Seq, off int64) (int, error) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	f, ok := d.file.(ReaderAt)
	if d.mode&pathOnly != 0 {
		return 0, linux.EBADF
	}
	if !ok {
		if d.mode&mayRead == 0 {
			if d.mode&seekable == 0 {
				return 0, linux.ESPIPE
			}
			return 0, linux.EBADF
		}
		if p, positioned := d.file.(Positioned); positioned {
			return d.didRead(p.PReadAt(dst, off))
		}
		if _, dir := d.file.(DirReader); dir {
			return 0, linux.EISDIR
		}
		if a, by := d.file.(CallerReaderAt); by {
			return d.didRead(a.ReadAtAs(c, dst, off))
		}
		return 0, linux.ESPIPE
	}
	if d.mode&mayRead == 0 {
		return 0, linux.EBADF
	}
	return d.didRead(f.ReadAt(dst, off))
}

func (d *Description) didRead(n int, err error) (int, error) {
	if n > 0 {
		d.accessed()
		if v := d.path.Mount.vfs; v.watches.Load() != 0 {
			d.path.event(linux.IN_ACCESS)
		}
	}
	return n, err
}

// accessed lets the inode keep its access time.
func (d *Description) accessed() {
	if d.Flags()&linux.O_NOATIME == 0 {
		d.path.accessed(d.Flags())
	}
}

// accessed tells the inode that it has been read, as far as the mount lets
// access times change.
func (p Path) accessed(linux.OpenFlags) {
	t, ok := p.Dentry.inode.(AccessTimer)
	if !ok {
		return
	}
	m := p.Mount
	if m.has(linux.MS_NOATIME|linux.MS_RDONLY) || m.sb.readOnly.Load() || p.Dentry.IsDir() && m.has(linux.MS_NODIRATIME) {
		return
	}
	t.Accessed(!m.has(linux.MS_RELATIME))
}

// cannot is the errno of a file that is neither read nor written.
func (d *Description) cannot() error {
	if _, ok := d.file.(DirReader); ok {
		return linux.EISDIR
	}
	return linux.EINVAL
}

// Write is write(2) at the description's offset, or at the end for O_APPEND.
// Where RLIMIT_FSIZE refuses it, c.FileSizeHit is set: the caller raises
// SIGXFSZ.
func (d *Description) Write(c *Caller, src *usermem.Seq) (int, error) {
	if d.mode&mayWrite == 0 {
		return 0, linux.EBADF
	}
	switch f := d.file.(type) {
	case WriterAt:
		d.pos.Lock()
		defer d.pos.Unlock()
		if d.Flags()&linux.O_APPEND != 0 {
			n, off, err := d.append(c, src)
			if n > 0 {
				d.off = off + int64(n)
			}
			return d.didWrite(n, err)
		}
		n, err := d.writeAt(c, f, src, d.off)
		d.off += int64(n)
		return d.didWrite(n, err)
	case CallerWriter:
		return d.didWrite(f.WriteAs(c, src))
	case Writer:
		return d.didWrite(f.Write(src))
	}
	return 0, linux.EINVAL
}

// PWrite is pwrite(2). As in Linux, O_APPEND overrules off.
func (d *Description) PWrite(c *Caller, src *usermem.Seq, off int64) (int, error) {
	return d.pwrite(c, src, off, d.Flags()&linux.O_APPEND != 0)
}

// PWriteFlags is pwritev2(2) with RWF_APPEND or RWF_NOAPPEND decided.
func (d *Description) PWriteFlags(c *Caller, src *usermem.Seq, off int64, flags linux.RWFlags) (int, error) {
	app := d.Flags()&linux.O_APPEND != 0 && flags&linux.RWF_NOAPPEND == 0 || flags&linux.RWF_APPEND != 0
	if off == -1 {
		d.pos.Lock()
		defer d.pos.Unlock()
		n, err := d.pwrite(c, src, d.off, app)
		d.off += int64(n)
		return n, err
	}
	return d.pwrite(c, src, off, app)
}

func (d *Description) pwrite(c *Caller, src *usermem.Seq, off int64, app bool) (int, error) {
	if off < 0 {
		return 0, linux.EINVAL
	}
	if d.mode&pathOnly != 0 {
		return 0, linux.EBADF
	}
	f, ok := d.file.(WriterAt)
	if !ok {
		_, stream := d.file.(CallerWriter) // read with offsets, written without
		if d.mode&seekable == 0 || stream {
			return 0, linux.ESPIPE
		}
		if d.mode&mayWrite == 0 {
			return 0, linux.EBADF
		}
		if p, positioned := d.file.(Positioned); positioned {
			return d.didWrite(p.PWriteAt(src, off))
		}
		return 0, linux.EINVAL
	}
	if d.mode&mayWrite == 0 {
		return 0, linux.EBADF
	}
	if app {
		n, _, err := d.append(c, src)
		return d.didWrite(n, err)
	}
	return d.didWrite(d.writeAt(c, f, src, off))
}

func (d *Description) writeAt(c *Caller, f WriterAt, src *usermem.Seq, off int64) (int, error) {
	if d.path.Dentry.kind != linux.S_IFREG {
		return f.WriteAt(src, off)
	}
	n, err := d.roomFor(c, src.Len(), off)
	if err != nil || n == 0 {
		return 0, err
	}
	if err := d.dropSetID(c); err != nil {
		return 0, err
	}
	if n == src.Len() {
		return f.WriteAt(src, off)
	}
	part := src.Take(n)
	done, err := f.WriteAt(&part, off)
	src.Skip(uint64(done))
	return done, err
}

// append writes at the end. Without an Appender the inode's size is asked
// first, under the description's own lock only.
func (d *Description) append(c *Caller, src *usermem.Seq) (int, int64, error) {
	f := d.file.(WriterAt)
	if d.path.Dentry.kind != linux.S_IFREG {
		n, err := f.WriteAt(src, d.off)
		return n, d.off, err
	}
	a, err := d.Inode().Attr()
	if err != nil {
		return 0, 0, err
	}
	ap, ok := d.file.(Appender)
	room, err := d.roomFor(c, src.Len(), int64(a.Size))
	if err != nil || room == 0 {
		return 0, int64(a.Size), err
	}
	if !ok || room != src.Len() {
		n, err := d.writeAt(c, f, src, int64(a.Size))
		return n, int64(a.Size), err
	}
	if err := d.dropSetID(c); err != nil {
		return 0, 0, err
	}
	return ap.Append(src)
}

// roomFor returns how much of n bytes may be written at off: as far as
// RLIMIT_FSIZE and the file system's largest file go (Linux:
// generic_write_checks).
func (d *Description) roomFor(c *Caller, n uint64, off int64) (uint64, error) {
	if n == 0 {
		return 0, nil
	}
	if off < 0 {
		return 0, linux.EINVAL
	}
	if c != nil && c.FileSizeLimit != 0 || c != nil && c.FileSizeLimited {
		if uint64(off) >= c.FileSizeLimit {
			c.FileSizeHit = true
			return 0, linux.EFBIG
		}
		n = min(n, c.FileSizeLimit-uint64(off))
	}
	most := int64(math.MaxInt64)
	if s, ok := d.file.(SizeLimiter); ok {
		most = s.MaxSize()
	}
	if off >= most {
		return 0, linux.EFBIG
	}
	return min(n, uint64(most-off)), nil
}

// dropSetID clears the set-id bits of a file that somebody without CAP_FSETID
// writes to.
func (d *Description) dropSetID(c *Caller) error {
	if c == nil || c.Cred.Has(linux.CAP_FSETID) {
		return nil
	}
	a, err := d.Inode().Attr()
	if err != nil {
		return err
	}
	if !killsSetID(a.Mode) {
		return nil
	}
	return d.path.setAttr(&SetAttr{Mask: ClearSetID})
}

// killsSetID reports whether mode has bits that a write by another clears:
// set-user-ID, and set-group-ID where the group may execute.
func killsSetID(mode linux.FileMode) bool {
	return mode.IsRegular() && (mode&linux.S_ISUID != 0 || mode&(linux.S_ISGID|linux.S_IXGRP) == linux.S_ISGID|linux.S_IXGRP)
}

func (d *Description) didWrite(n int, err error) (int, error) {
	if n > 0 {
		if d.Flags()&(linux.O_DSYNC|linux.O_SYNC) != 0 {
			if s, ok := d.file.(Syncer); ok {
				if e := s.Sync(d.Flags()&linux.O_SYNC != linux.O_SYNC); e != nil {
					return n, e
				}
			}
		}
		if d.path.Mount.vfs.watches.Load() != 0 {
			d.path.event(linux.IN_MODIFY)
		}
	}
	return n, err
}

// Offset returns the description's offset.
func (d *Description) Offset() int64 {
	d.pos.Lock()
	defer d.pos.Unlock()
	return d.offLocked()
}

// offLocked returns the offset, which a Positioned file has itself.
func (d *Description) offLocked() int64 {
	if p, own := d.file.(Positioned); own {
		if n, err := p.SeekTo(0, int(linux.SEEK_CUR), 0); err == nil {
			return n
		}
	}
	return d.off
}

// WithOffset calls fn with the offset locked and stores what it returns
// (sendfile, splice and copy_file_range without an offset of their own).
func (d *Description) WithOffset(fn func(off int64) (int64, error)) error {
	d.pos.Lock()
	defer d.pos.Unlock()
	was := d.offLocked()
	off, err := fn(was)
	if p, own := d.file.(Positioned); own && off != was {
		if _, failed := p.SeekTo(off, int(linux.SEEK_SET), was); err == nil {
			err = failed
		}
	}
	d.off = off
	return err
}

// ReadDir emits the directory's entries from the description's offset on and
// moves the offset after those that emit took.
func (d *Description) ReadDir(c *Caller, emit func(Dirent) bool) error {
	var s DirSink
	s.Emit = func(e Dirent) bool {
		if !emit(e) {
			return false
		}
		s.Off = e.Next
		return true
	}
	return d.ReadDirTo(&s)
}

// ReadDirTo is ReadDir to a sink.
func (d *Description) ReadDirTo(s *DirSink) error {
	if d.PathOnly() {
		return linux.EBADF
	}
	f, ok := d.file.(DirReader)
	if !ok {
		return linux.ENOTDIR
	}
	d.pos.Lock()
	defer d.pos.Unlock()
	if d.path.Dentry.Deleted() {
		return linux.ENOENT
	}
	s.Off = d.off
	err := f.ReadDir(s.Off, s.Emit)
	d.off = s.Off
	d.accessed()
	d.path.event(linux.IN_ACCESS)
	return err
}

// Sync is fsync(2), or fdatasync(2) if dataOnly.
func (d *Description) Sync(dataOnly bool) error {
	if d.PathOnly() {
		return linux.EBADF
	}
	if s, ok := d.file.(Syncer); ok {
		return s.Sync(dataOnly)
	}
	switch d.path.Dentry.kind {
	case linux.S_IFREG, linux.S_IFDIR:
		return nil
	}
	return linux.EINVAL
}

// Allocate is fallocate(2).
func (d *Description) Allocate(c *Caller, mode linux.FallocateMode, off, n int64) error {
	if off < 0 || n <= 0 {
		return linux.EINVAL
	}
	const known = linux.FALLOC_FL_KEEP_SIZE | linux.FALLOC_FL_PUNCH_HOLE | linux.FALLOC_FL_COLLAPSE_RANGE |
		linux.FALLOC_FL_ZERO_RANGE | linux.FALLOC_FL_INSERT_RANGE | linux.FALLOC_FL_UNSHARE_RANGE
	if mode&^known != 0 {
		return linux.EOPNOTSUPP
	}
	if err := allocateMode(mode); err != nil {
		return err
	}
	if d.mode&mayWrite == 0 {
		return linux.EBADF
	}
	switch d.path.Dentry.kind {
	case linux.S_IFREG:
	case linux.S_IFIFO:
		return linux.ESPIPE
	case linux.S_IFDIR:
		return linux.EISDIR
	default:
		return linux.ENODEV
	}
	if n > math.MaxInt64-off {
		return linux.EFBIG
	}
	f, ok := d.file.(Allocator)
	if !ok {
		return linux.EOPNOTSUPP
	}
	if mode&linux.FALLOC_FL_KEEP_SIZE == 0 && c != nil && (c.FileSizeLimit != 0 || c.FileSizeLimited) &&
		uint64(off+n) > c.FileSizeLimit {
		if a, err := d.Inode().Attr(); err == nil && uint64(off+n) > a.Size {
			c.FileSizeHit = true
			return linux.EFBIG
		}
	}
	if err := d.dropSetID(c); err != nil {
		return err
	}
	if err := f.Allocate(mode, off, n); err != nil {
		return err
	}
	d.path.event(linux.IN_MODIFY)
	return nil
}

func allocateMode(mode linux.FallocateMode) error {
	const keep = linux.FALLOC_FL_KEEP_SIZE
	switch mode &^ keep {
	case linux.FALLOC_FL_PUNCH_HOLE:
		if mode&keep == 0 {
			return linux.EOPNOTSUPP
		}
	case 0, linux.FALLOC_FL_ZERO_RANGE, linux.FALLOC_FL_UNSHARE_RANGE:
	case linux.FALLOC_FL_COLLAPSE_RANGE, linux.FALLOC_FL_INSERT_RANGE:
		if mode&keep != 0 {
			return linux.EINVAL
		}
	default:
		return linux.EINVAL
	}
	return nil
}
