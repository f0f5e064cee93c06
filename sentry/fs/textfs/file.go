package textfs

import (
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// MaxWrite is the most that one write(2) to a file takes, as for sysctls.
const MaxWrite = linux.PageSize

// A File is a file whose text a function makes.
type File struct {
	Node

	// Text makes the contents for somebody with the credentials of the
	// opener. nil: the file cannot be read (EIO on read, as in Linux).
	Text func(opener *cred.Credentials) ([]byte, error)
	// TextFor, if not nil, returns what Text is for somebody who opens the file.
	TextFor func(opener *vfs.Caller) func(*cred.Credentials) ([]byte, error)
	// Take is given what one write(2) brought. nil: EIO on write.
	Take func(c *vfs.Caller, text []byte) error
	// MayOpen refuses an open for reasons beyond the mode; nil allows.
	MayOpen func(c *vfs.Caller, flags linux.OpenFlags) error
	// Other makes another open file than one of these; nil does not.
	Other func(c *vfs.Caller) vfs.File
	// IsValid says whether the file still exists; nil means yes.
	IsValid func() bool
	// Changes is notified, and counts up, when an open file is to tell that the
	// text is another (EPOLLPRI); nil: it cannot be waited for.
	Changes Changes
}

// Changes is something whose changes can be waited for.
type Changes interface {
	Events() *wait.Queue
	Changes() uint64
}

// NewFile returns a file with these permission bits and this text.
func (fs *FS) NewFile(perm linux.FileMode, text func(opener *cred.Credentials) ([]byte, error)) *File {
	f := &File{Text: text}
	fs.init(&f.Node, linux.S_IFREG|perm)
	return f
}

// NewText returns a file that anybody may read and whose text never changes.
func (fs *FS) NewText(text string) *File {
	return fs.NewFile(0o444, func(*cred.Credentials) ([]byte, error) { return []byte(text), nil })
}

// NewWritable returns a file that can be read and written.
func (fs *FS) NewWritable(perm linux.FileMode, text func(*cred.Credentials) ([]byte, error),
	take func(c *vfs.Caller, text []byte) error) *File {
	f := fs.NewFile(perm, text)
	f.Take = take
	return f
}

// Valid implements Validator.
func (f *File) Valid() bool { return f.IsValid == nil || f.IsValid() }

// Open implements vfs.Inode.
func (f *File) Open(c *vfs.Caller, _ vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	if f.MayOpen != nil {
		if err := f.MayOpen(c, flags); err != nil {
			return nil, err
		}
	}
	if f.Other != nil {
		return f.Other(c), nil
	}
	p := &polledText{openText{f: f, opener: c.Cred}}
	if f.TextFor != nil {
		p.own = f.TextFor(c)
	}
	if f.Changes == nil {
		return &p.openText, nil
	}
	p.seen = f.Changes.Changes()
	return p, nil
}

// A polledText is an open File that tells of changes (Linux:
// fs/kernfs/file.c kernfs_generic_poll).
type polledText struct{ openText }

// Readiness implements vfs.Poller.
func (o *polledText) Readiness(mask wait.Events) wait.Events {
	ready := wait.In | wait.Out | wait.RdNorm | wait.WrNorm
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.f.Changes.Changes() != o.seen {
		ready |= wait.Pri | wait.Err
	}
	return ready & (mask | wait.Err)
}

// Queue implements vfs.Poller.
func (o *polledText) Queue() *wait.Queue { return o.f.Changes.Events() }

// An openText is an open File with the text of the pass that is going on.
type openText struct {
	// immutable
	f      *File
	opener *cred.Credentials
	own    func(*cred.Credentials) ([]byte, error) // instead of f.Text

	mu lock.Mutex[lock.TextFile]
	// guarded by mu
	text []byte
	made bool
	seen uint64 // of Changes
}

// Release implements vfs.File.
func (*openText) Release() {}

// ReadAt implements vfs.ReaderAt.
func (o *openText) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	text, err := o.pass(off)
	if err != nil || off >= int64(len(text)) {
		return 0, err
	}
	n, err := dst.CopyOut(text[off:])
	if n > 0 {
		err = nil
	}
	return n, err
}

// pass returns the text of this pass over the file; a read at 0 begins one.
func (o *openText) pass(off int64) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.made && off != 0 {
		return o.text, nil
	}
	if o.f.Text == nil {
		return nil, linux.EIO
	}
	if o.f.Changes != nil {
		o.seen = o.f.Changes.Changes()
	}
	from := o.f.Text
	if o.own != nil {
		from = o.own
	}
	text, err := from(o.opener)
	if err != nil {
		return nil, err
	}
	o.text, o.made = text, true
	return text, nil
}

// SeekTo implements vfs.Seeker.
func (o *openText) SeekTo(off int64, whence int, cur int64) (int64, error) {
	if linux.Whence(whence) == linux.SEEK_END && o.f.fs.o.FileSize > 0 {
		return seekSet(off+int64(o.f.fs.o.FileSize), int(linux.SEEK_SET), 0)
	}
	return seekSet(off, whence, cur)
}

// WriteAs implements vfs.CallerWriter.
func (o *openText) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	if o.f.Take == nil {
		return 0, linux.EIO
	}
	n := min(src.Len(), MaxWrite)
	buf := make([]byte, n)
	k, err := src.CopyIn(buf)
	if k < len(buf) {
		if err == nil {
			err = linux.EFAULT
		}
		return 0, err
	}
	if err := o.f.Take(c, buf); err != nil {
		return 0, err
	}
	return k, nil
}

// A Link is a symbolic link.
type Link struct {
	Node
	// Target makes what readlink(2) shows.
	Target func(c *vfs.Caller) (string, error)
	// Jump, if not nil, makes the link a magic one: it returns where the link
	// leads, ok false to follow the text.
	Jump func(c *vfs.Caller) (p vfs.Path, ok bool, err error)
	// IsValid says whether the link still exists; nil means yes.
	IsValid func() bool
}

// NewLink returns a link whose target a function makes.
func (fs *FS) NewLink(target func(c *vfs.Caller) (string, error)) *Link {
	l := &Link{Target: target}
	fs.init(&l.Node, linux.S_IFLNK|0o777)
	return l
}

// NewLinkTo returns a link to a fixed target.
func (fs *FS) NewLinkTo(target string) *Link {
	return fs.NewLink(func(*vfs.Caller) (string, error) { return target, nil })
}

// NewLinkMode is NewLink with permission bits that show (/proc/pid/fd).
func (fs *FS) NewLinkMode(perm linux.FileMode, target func(c *vfs.Caller) (string, error)) *Link {
	l := fs.NewLink(target)
	l.mode = linux.S_IFLNK | perm
	return l
}

// Valid implements Validator.
func (l *Link) Valid() bool { return l.IsValid == nil || l.IsValid() }

// Open implements vfs.Inode.
func (l *Link) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) { return noOpen() }

// Readlink implements vfs.Symlink.
func (l *Link) Readlink(c *vfs.Caller) (string, error) { return l.Target(c) }

// Follow implements vfs.MagicLink.
func (l *Link) Follow(c *vfs.Caller) (vfs.Path, bool, error) {
	if l.Jump == nil {
		return vfs.Path{}, false, nil
	}
	return l.Jump(c)
}
