package procfs

import (
	"sync"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// An entry is a name in a table and what it means. Which functions are there
// depends on the mode's type.
type entry struct {
	name string
	mode linux.FileMode // with type

	// Of files. open, if not nil, decides whether the file may be opened; file
	// makes a File of its own kind; otherwise text makes what is read, and
	// write takes what is written.
	open  func(o *opening) error
	file  func(o *opening) (vfs.File, error)
	text  func(o *opening) ([]byte, error)
	write func(o *opening, b []byte) error
	// atStart refuses a write anywhere else.
	atStart bool

	// Of links. follow, if not nil, leads straight to the target.
	readlink func(c *vfs.Caller, p *proc) (string, error)
	follow   func(c *vfs.Caller, p *proc) (vfs.Path, error)

	// Of directories.
	dir func(f *FileSystem, p *proc, ino uint64) names
	may func(p *proc, d *dirInode, c *cred.Credentials, want vfs.Access) error

	// permission, of files, if not nil, decides access instead of the mode.
	permission func(c *cred.Credentials, want vfs.Access) error
}

// make returns e's inode in the directory with number parent.
func (f *FileSystem) make(p *proc, parent uint64, e *entry) vfs.Inode {
	i := inode{fs: f, ino: inoOf(parent, e.name), mode: e.mode, p: p}
	switch e.mode.Type() {
	case linux.S_IFDIR:
		d := &dirInode{inode: i, parent: parent, names: e.dir(f, p, i.ino)}
		if e.may != nil {
			d.may = func(c *cred.Credentials, want vfs.Access) error { return e.may(p, d, c, want) }
		}
		return d
	case linux.S_IFLNK:
		if e.follow != nil {
			return &magicInode{linkInode{i, e}}
		}
		return &linkInode{i, e}
	}
	return &fileInode{i, e}
}

// A linkInode is a symbolic link.
type linkInode struct {
	inode
	e *entry
}

// Readlink implements vfs.Symlink.
func (l *linkInode) Readlink(c *vfs.Caller) (string, error) { return l.e.readlink(c, l.p) }

// A magicInode is a link that leads straight to its target.
type magicInode struct{ linkInode }

// Follow implements vfs.MagicLink.
func (l *magicInode) Follow(c *vfs.Caller) (vfs.Path, bool, error) {
	p, err := l.e.follow(c, l.p)
	return p, err == nil, err
}

// A fileInode is a file.
type fileInode struct {
	inode
	e *entry
}

// Permission implements vfs.Permissioner.
func (i *fileInode) Permission(c *cred.Credentials, want vfs.Access) error {
	if i.e.permission != nil {
		return i.e.permission(c, want)
	}
	return byMode(i, c, want)
}

// Open implements vfs.Inode.
func (i *fileInode) Open(c *vfs.Caller, _ vfs.Path, flags linux.OpenFlags) (vfs.File, error) {
	o := &opening{fs: i.fs, p: i.p, caller: callerTask(c), cred: c.Cred, root: c.Root, writing: flags.Writable()}
	if i.p != nil && i.p.task() == nil {
		return nil, linux.ESRCH
	}
	if i.e.open != nil {
		if err := i.e.open(o); err != nil {
			return nil, err
		}
	}
	if i.e.file != nil {
		return i.e.file(o)
	}
	if i.e.write != nil {
		return &writableFile{textFile{o: o, e: i.e}}, nil
	}
	return &textFile{o: o, e: i.e}, nil
}

// callerTask returns the task that calls, nil for the kernel itself.
func callerTask(c *vfs.Caller) *task.Task {
	t, _ := c.Job.(*task.Task)
	return t
}

// An opening is what a file knows of how it was opened.
type opening struct {
	// immutable
	fs      *FileSystem
	p       *proc
	caller  *task.Task // nil: the kernel
	cred    *cred.Credentials
	root    vfs.Path
	writing bool
	// mm is the address space at the time of opening, for files that keep it.
	mm *mm.MemoryManager
}

// task returns the task that the file is of, or ESRCH.
func (o *opening) task() (*task.Task, error) {
	t := o.p.task()
	if t == nil {
		return nil, linux.ESRCH
	}
	return t, nil
}

// maxWrite is the most that one write to a file takes.
const maxWrite = 64 << 10

// A textFile is an open file whose contents are made when it is read.
type textFile struct {
	// immutable
	o *opening
	e *entry

	mu sync.Mutex
	// guarded by mu
	data []byte
	have bool
}

// Release implements vfs.File.
func (f *textFile) Release() {}

// ReadAt implements vfs.ReaderAt.
func (f *textFile) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	if f.e.text == nil {
		return 0, linux.EINVAL
	}
	data, err := f.contents(off)
	if err != nil || off >= int64(len(data)) {
		return 0, err
	}
	n, err := dst.CopyOut(data[off:])
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// contents returns the text, which is made anew for a read at the start. It is
// never changed once made.
func (f *textFile) contents(off int64) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.have && off != 0 {
		return f.data, nil
	}
	data, err := f.e.text(f.o)
	if err != nil {
		return nil, err
	}
	f.data, f.have = data, true
	return data, nil
}

// A writableFile is a textFile that can be written, if only by one call for one
// value.
type writableFile struct{ textFile }

// WriteAt implements vfs.WriterAt.
func (f *writableFile) WriteAt(src *usermem.Seq, off int64) (int, error) {
	if f.e.atStart && off != 0 {
		return 0, linux.EINVAL
	}
	n := min(src.Len(), maxWrite)
	b := make([]byte, n)
	k, err := src.CopyIn(b)
	if err != nil {
		return 0, err
	}
	if err := f.e.write(f.o, b[:k]); err != nil {
		return 0, err
	}
	return k, nil
}

// A stringFile is a textFile that takes a value from whoever writes, wherever:
// the one who opened it does not count.
type stringFile struct {
	textFile
	// immutable
	write func(o *opening, b []byte) error
}

// byWriter returns an entry's file for such a value.
func byWriter(text func(*opening) ([]byte, error), write func(*opening, []byte) error) func(*opening) (vfs.File, error) {
	e := &entry{text: text}
	return func(o *opening) (vfs.File, error) {
		return &stringFile{textFile{o: o, e: e}, write}, nil
	}
}

// WriteAs implements vfs.CallerWriter.
func (f *stringFile) WriteAs(c *vfs.Caller, src *usermem.Seq) (int, error) {
	b := make([]byte, min(src.Len(), maxWrite))
	k, err := src.CopyIn(b)
	if err != nil {
		return 0, err
	}
	o := *f.o
	o.caller = callerTask(c)
	if err := f.write(&o, b[:k]); err != nil {
		return 0, err
	}
	return k, nil
}
