package textfs

import (
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/vfs"
)

// readOnlyNames refuses what a directory of the kernel's values cannot do.
type readOnlyNames struct{}

func (readOnlyNames) Create(string, *vfs.NewInode) (vfs.Inode, error) { return nil, linux.EPERM }
func (readOnlyNames) Link(string, vfs.Inode) error                    { return linux.EPERM }
func (readOnlyNames) Unlink(string, vfs.Inode, bool) error            { return linux.EPERM }
func (readOnlyNames) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EPERM
}

// A Dir is a directory with fixed names, in the order of their Add.
type Dir struct {
	Node
	readOnlyNames

	mu lock.Mutex[lock.FileData]
	// guarded by mu
	names map[string]vfs.Inode
	order []string
	subs  uint32
}

// NewDir returns an empty directory with these permission bits.
func (fs *FS) NewDir(perm linux.FileMode) *Dir {
	d := &Dir{names: make(map[string]vfs.Inode)}
	fs.init(&d.Node, linux.S_IFDIR|perm)
	return d
}

// Add gives i a name in d and returns i's directory if it is one, for building
// in a row. A name that is there is replaced.
func (d *Dir) Add(name string, i vfs.Inode) *Dir {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.names[name]; !ok {
		d.order = append(d.order, name)
	}
	d.names[name] = i
	k, _ := i.(*Dir)
	if k != nil {
		d.subs++
	}
	return k
}

// Sub adds a directory.
func (d *Dir) Sub(name string, perm linux.FileMode) *Dir { return d.Add(name, d.fs.NewDir(perm)) }

// Remove takes a name out of d. Names that the cache holds stay until the
// inode's Valid says no.
func (d *Dir) Remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, dir := d.names[name].(*Dir); dir {
		d.subs--
	}
	delete(d.names, name)
	d.order = slices.DeleteFunc(d.order, func(n string) bool { return n == name })
}

// Attr implements vfs.Inode.
func (d *Dir) Attr() (vfs.Attr, error) {
	a, err := d.Node.Attr()
	d.mu.Lock()
	a.Nlink = 2 + d.subs
	d.mu.Unlock()
	return a, err
}

// Lookup implements vfs.Directory.
func (d *Dir) Lookup(name string) (vfs.Inode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := d.names[name]; i != nil {
		return i, nil
	}
	return nil, linux.ENOENT
}

// Open implements vfs.Inode.
func (d *Dir) Open(_ *vfs.Caller, p vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	return OpenDir(d.ino, p, d.List), nil
}

// List emits d's entries from offset off on, the first being firstName.
func (d *Dir) List(off int64, emit func(vfs.Dirent) bool) error {
	d.mu.Lock()
	order := slices.Clone(d.order)
	d.mu.Unlock()
	for k := int(off - firstName); k < len(order); k++ {
		i, err := d.Lookup(order[k])
		if err != nil {
			continue
		}
		if !emit(Entry(order[k], i, firstName+int64(k)+1)) {
			break
		}
	}
	return nil
}

// firstName is the offset of the first entry after "." and "..".
const firstName = 2

// FirstName is the offset of the first entry after "." and "..", where List
// functions begin.
const FirstName = firstName

// Entry makes a directory entry for i.
func Entry(name string, i vfs.Inode, next int64) vfs.Dirent {
	e := vfs.Dirent{Name: name, Next: next}
	if a, err := i.Attr(); err == nil {
		e.Ino, e.Type = a.Ino, uint8(a.Mode.DirentType())
	}
	return e
}

// A Dynamic is a directory whose names functions know.
type Dynamic struct {
	Node
	readOnlyNames

	// LookupName returns what name means, or ENOENT.
	LookupName func(name string) (vfs.Inode, error)
	// ListNames emits entries from offset off on (FirstName at the start)
	// until emit returns false. Each entry's Next is the offset after it.
	ListNames func(off int64, emit func(vfs.Dirent) bool) error
	// Links counts the subdirectories for st_nlink; nil means none.
	Links func() uint32
	// IsValid says whether the directory still exists; nil means yes.
	IsValid func() bool
}

// NewDynamic returns a directory with these permission bits.
func (fs *FS) NewDynamic(perm linux.FileMode, lookup func(name string) (vfs.Inode, error),
	list func(off int64, emit func(vfs.Dirent) bool) error) *Dynamic {
	d := &Dynamic{LookupName: lookup, ListNames: list}
	fs.init(&d.Node, linux.S_IFDIR|perm)
	d.born = fs.o.Clock()
	return d
}

// Valid implements Validator.
func (d *Dynamic) Valid() bool { return d.IsValid == nil || d.IsValid() }

// Attr implements vfs.Inode.
func (d *Dynamic) Attr() (vfs.Attr, error) {
	a, err := d.Node.Attr()
	a.Nlink = 2
	if d.Links != nil {
		a.Nlink += d.Links()
	}
	return a, err
}

// Lookup implements vfs.Directory.
func (d *Dynamic) Lookup(name string) (vfs.Inode, error) { return d.LookupName(name) }

// Open implements vfs.Inode.
func (d *Dynamic) Open(_ *vfs.Caller, p vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	return OpenDir(d.ino, p, d.ListNames), nil
}

// OpenDir returns an open directory with "." and ".." that lists by list. p is
// where it was opened, for the number of "..".
func OpenDir(ino uint64, p vfs.Path, list func(off int64, emit func(vfs.Dirent) bool) error) vfs.File {
	up := ino
	if p.Valid() {
		if i := p.Dentry.Parent().Inode(); i != nil {
			if a, err := i.Attr(); err == nil {
				up = a.Ino
			}
		}
	}
	return &dirFile{ino: ino, up: up, list: list}
}

type dirFile struct {
	ino, up uint64
	list    func(off int64, emit func(vfs.Dirent) bool) error
}

func (*dirFile) Release() {}

// ReadDir implements vfs.DirReader.
func (f *dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	if off < 1 {
		if !emit(vfs.Dirent{Name: ".", Ino: f.ino, Type: uint8(linux.DT_DIR), Next: 1}) {
			return nil
		}
	}
	if off < firstName {
		if !emit(vfs.Dirent{Name: "..", Ino: f.up, Type: uint8(linux.DT_DIR), Next: firstName}) {
			return nil
		}
		off = firstName
	}
	return f.list(off, emit)
}

// SeekTo implements vfs.Seeker.
func (f *dirFile) SeekTo(off int64, whence int, cur int64) (int64, error) {
	return seekSet(off, whence, cur)
}

// seekSet is what files without a size do.
func seekSet(off int64, whence int, cur int64) (int64, error) {
	switch linux.Whence(whence) {
	case linux.SEEK_SET:
	case linux.SEEK_CUR:
		off += cur
	default:
		return 0, linux.EINVAL
	}
	if off < 0 {
		return 0, linux.EINVAL
	}
	return off, nil
}
