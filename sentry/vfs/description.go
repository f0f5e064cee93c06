package vfs

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/internal/refs"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
	"cordon/sentry/wait"
)

// A Description is an open file. It is counted by the descriptors, mappings
// and messages in flight that hold it; the last DecRef releases its File.
type Description struct {
	// immutable
	file  File
	path  Path
	cred  *cred.Credentials // the opener's
	mode  descMode
	dirAt bool // a directory

	// atomic
	refs  atomic.Int64
	flags atomic.Uint32          // linux.OpenFlags that F_GETFL shows
	lent  atomic.Pointer[uint32] // the word that has O_NONBLOCK (lend.go), or nil

	pos lock.Mutex[lock.FilePos]
	// guarded by pos
	off int64

	owner ownerBox
	locks atomic.Bool // it may hold flock or OFD locks
}

// descMode is what a description may do, fixed when it is made.
type descMode uint8

const (
	mayRead descMode = 1 << iota
	mayWrite
	pathOnly   // O_PATH
	seekable   // has offsets
	countWrite // counted in its inode's and its mount's writers
	denyWrite  // of a program: its inode is not opened for writing
	holdsInode // counted in its inode's holders
)

// NewDescription returns a description of f with one reference. p is where it
// was found; it is counted.
func NewDescription(c *Caller, p Path, f File, flags linux.OpenFlags) *Description {
	d := &Description{file: f, path: p}
	if c != nil {
		d.cred = c.Cred
	}
	d.refs.Store(1)
	const forOpenOnly = linux.O_CREAT | linux.O_EXCL | linux.O_NOCTTY | linux.O_TRUNC | linux.O_CLOEXEC
	d.flags.Store(uint32(flags &^ forOpenOnly))
	if flags&linux.O_PATH != 0 {
		d.mode = pathOnly
	} else {
		if flags.Readable() {
			d.mode |= mayRead
		}
		if flags.Writable() {
			d.mode |= mayWrite
		}
	}
	_, ra := f.(ReaderAt)
	_, wa := f.(WriterAt)
	_, dr := f.(DirReader)
	_, sk := f.(Seeker)
	if ra || wa || dr || sk {
		d.mode |= seekable
	}
	d.dirAt = p.Dentry != nil && p.Dentry.IsDir()
	p.IncRef()
	if p.Dentry != nil {
		if _, ok := p.Dentry.inode.(Evicter); ok {
			d.mode |= holdsInode
			HoldInode(p.Dentry.inode)
		}
		p.Mount.vfs.descriptions.Add(1)
	}
	if a, ok := f.(DescriptionAware); ok {
		a.SetDescription(d)
	}
	return d
}

// File returns what was opened, for the packages that know its type.
func (d *Description) File() File { return d.file }

// Path returns where the file was opened.
func (d *Description) Path() Path { return d.path }

// Inode returns what was opened.
func (d *Description) Inode() Inode { return d.path.Dentry.inode }

// Cred returns the credentials of whoever opened the file.
func (d *Description) Cred() *cred.Credentials { return d.cred }

// Flags returns what F_GETFL does.
func (d *Description) Flags() linux.OpenFlags {
	f := d.flags.Load()
	if w, v := d.lentWord(); w != nil {
		f = withLent(d.flags.Load(), v)
	}
	return linux.OpenFlags(f)
}

// Nonblocking reports O_NONBLOCK.
func (d *Description) Nonblocking() bool { return d.Flags()&linux.O_NONBLOCK != 0 }

// Readable and Writable report what the file was opened for.
func (d *Description) Readable() bool { return d.mode&mayRead != 0 }

// Writable reports whether the file was opened for writing.
func (d *Description) Writable() bool { return d.mode&mayWrite != 0 }

// PathOnly reports O_PATH.
func (d *Description) PathOnly() bool { return d.mode&pathOnly != 0 }

// Seekable reports whether the file has offsets.
func (d *Description) Seekable() bool { return d.mode&seekable != 0 }

// SetFlags is F_SETFL.
func (d *Description) SetFlags(c *Caller, flags linux.OpenFlags) error {
	const settable = linux.O_APPEND | linux.O_NONBLOCK | linux.O_ASYNC | linux.O_DIRECT | linux.O_NOATIME
	old := d.Flags()
	flags = old&^settable | flags&settable
	if flags&linux.O_NOATIME&^old != 0 {
		a, err := d.path.attr()
		if err != nil {
			return err
		}
		if !ownerOrCapable(c.Cred, &a) {
			return linux.EPERM
		}
	}
	if flags&linux.O_DIRECT&^old != 0 {
		if _, ok := d.file.(DirectIO); !ok {
			return linux.EINVAL
		}
	}
	if s, ok := d.file.(FlagSetter); ok {
		if err := s.SetFlags(flags); err != nil {
			return err
		}
	}
	if (flags^old)&linux.O_ASYNC != 0 {
		if err := d.setAsync(flags&linux.O_ASYNC != 0); err != nil {
			return err
		}
	}
	d.storeFlags(flags)
	return nil
}

// A DirectIO file accepts O_DIRECT.
type DirectIO interface {
	DirectIO()
}

// IncRef adds a reference to a description that the caller has one of.
func (d *Description) IncRef() { d.refs.Add(1) }

// TryIncRef adds a reference unless the last has gone.
func (d *Description) TryIncRef() bool { return refs.Try(&d.refs) }

// DecRef drops a reference; the last one closes the file.
func (d *Description) DecRef() {
	n := d.refs.Add(-1)
	if n > 0 {
		return
	}
	if n < 0 {
		panicRefs()
	}
	d.release()
}

func (d *Description) release() {
	if d.owner.on.Load() {
		d.setAsync(false)
	}
	p := d.path
	if p.Dentry == nil {
		d.file.Release()
		return
	}
	if d.locks.Load() {
		d.releaseLocks()
	}
	if d.mode&pathOnly == 0 {
		if d.Writable() {
			p.event(linux.IN_CLOSE_WRITE)
		} else {
			p.event(linux.IN_CLOSE_NOWRITE)
		}
	}
	d.file.Release()
	if d.mode&countWrite != 0 {
		p.Dentry.State().putWrite()
		p.Mount.putWriter()
	}
	d.EndExec()
	if d.mode&holdsInode != 0 {
		DropInode(p.Dentry.inode)
	}
	p.Mount.vfs.descriptions.Add(-1)
	p.DecRef()
}

// Readiness returns which of mask's events hold. Files that cannot be waited
// for are always ready.
func (d *Description) Readiness(mask wait.Events) wait.Events {
	if p, ok := d.file.(Poller); ok {
		return p.Readiness(mask)
	}
	return mask & (wait.In | wait.Out | wait.RdNorm | wait.WrNorm)
}

// Queue returns what is notified when the file becomes ready, nil if it always
// is.
func (d *Description) Queue() *wait.Queue {
	if p, ok := d.file.(Poller); ok {
		return p.Queue()
	}
	return nil
}

// Mappable returns the contents to map, with the checks of mmap(2) that depend
// on the file (EACCES, EPERM, ENODEV).
func (d *Description) Mappable(prot linux.Prot, shared bool) (memmap.Mappable, error) {
	if d.PathOnly() {
		return nil, linux.EBADF
	}
	if !d.Readable() || shared && prot&linux.PROT_WRITE != 0 && !d.Writable() {
		return nil, linux.EACCES
	}
	if prot&linux.PROT_EXEC != 0 && d.path.Mount.has(linux.MS_NOEXEC) {
		return nil, linux.EPERM
	}
	if m, ok := d.file.(Mapper); ok {
		return m.Mappable(prot, shared)
	}
	if p, ok := d.file.(MapPreparer); ok {
		if err := p.PrepareMap(); err != nil {
			return nil, err
		}
	}
	if m, ok := d.Inode().(Mapped); ok && d.path.Dentry.kind == linux.S_IFREG {
		return m.Mappable(), nil
	}
	return nil, linux.ENODEV
}

// MapName implements memmap.File.
func (d *Description) MapName() (string, bool) {
	s, _ := d.path.text(Path{})
	return s, d.path.Dentry.Deleted()
}

// DeviceInode implements memmap.File.
func (d *Description) DeviceInode() (dev, ino uint64) {
	a, err := d.Inode().Attr()
	if err != nil {
		return 0, 0
	}
	return d.path.Dentry.sb.dev, a.Ino
}

// Msync implements memmap.File.
func (d *Description) Msync(r memmap.Range) linux.Errno {
	err := d.Sync(true)
	if e, ok := err.(linux.Errno); ok && e != linux.EINVAL {
		return e
	}
	return 0
}
