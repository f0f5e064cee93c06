package procfs

import (
	"encoding/binary"
	"hash/fnv"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// inode is what files, directories and links have in common.
type inode struct {
	// immutable
	fs   *FileSystem
	ino  uint64
	mode linux.FileMode
	p    *proc // whose it is; nil: the system's
}

// inoOf makes the inode number of name in the directory with number parent.
// Collisions would do no harm: nothing here has two names.
func inoOf(parent uint64, name string) uint64 {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], parent)
	h.Write(b[:])
	h.Write([]byte(name))
	return h.Sum64()&(1<<48-1) | 1<<32
}

// FileSystem implements vfs.Inode.
func (i *inode) FileSystem() vfs.FileSystem { return i.fs }

// Attr implements vfs.Inode.
func (i *inode) Attr() (vfs.Attr, error) {
	now := i.fs.sys.VFS.Now()
	a := vfs.Attr{Ino: i.ino, Mode: i.mode, Nlink: 1, BlockSize: 1024, ATime: now, MTime: now, CTime: now}
	if i.p != nil {
		a.UID, a.GID = i.p.owner(i.mode)
	}
	return a, nil
}

// SetAttr implements vfs.Inode: sizes and times change without effect, as in
// Linux, and nothing else does.
func (i *inode) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&(vfs.SetMode|vfs.SetUID|vfs.SetGID) != 0 {
		return linux.EPERM
	}
	return nil
}

// Open implements vfs.Inode for what has no contents.
func (i *inode) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return nil, linux.ELOOP
}

// names is what a directory has.
type names interface {
	// find returns what name means, ENOENT if nothing.
	find(name string) (vfs.Inode, error)
	// each lists from key on, in order of keys, which begin with 2 and do not
	// change while a name stays.
	each(from int64, emit func(key int64, d vfs.Dirent) bool)
	// valid reports whether name still means child, nil: nothing.
	valid(name string, child vfs.Inode) bool
}

// A dirInode is a directory.
type dirInode struct {
	inode

	// immutable
	parent uint64
	names  names
	// may, if not nil, decides access instead of the mode.
	may func(c *cred.Credentials, want vfs.Access) error
}

// Permission implements vfs.Permissioner.
func (d *dirInode) Permission(c *cred.Credentials, want vfs.Access) error {
	if d.may != nil {
		return d.may(c, want)
	}
	return byMode(d, c, want)
}

// Attr implements vfs.Inode.
func (d *dirInode) Attr() (vfs.Attr, error) {
	a, err := d.inode.Attr()
	switch n := d.names.(type) {
	case linkCounter:
		a.Nlink = 2 + n.directories()
	case sizer:
		a.Nlink, a.Size = 2, n.size()
	}
	return a, err
}

// A linkCounter knows how many directories it has; a sizer is a flat directory
// that shows how many names it has.
type (
	linkCounter interface{ directories() uint32 }
	sizer       interface{ size() uint64 }
)

func byMode(i vfs.Inode, c *cred.Credentials, want vfs.Access) error {
	a, err := i.Attr()
	if err != nil {
		return err
	}
	return vfs.MayByMode(c, &a, want)
}

// Lookup implements vfs.Directory.
func (d *dirInode) Lookup(name string) (vfs.Inode, error) { return d.names.find(name) }

// Create implements vfs.Directory: Linux does not find the name, and so says
// that there is none.
func (d *dirInode) Create(string, *vfs.NewInode) (vfs.Inode, error) { return nil, linux.ENOENT }

// Link implements vfs.Directory.
func (d *dirInode) Link(string, vfs.Inode) error { return linux.ENOENT }

// Unlink implements vfs.Directory.
func (d *dirInode) Unlink(string, vfs.Inode, bool) error { return linux.EPERM }

// Rename implements vfs.Directory.
func (d *dirInode) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EPERM
}

// Open implements vfs.Inode.
func (d *dirInode) Open(c *vfs.Caller, _ vfs.Path, _ linux.OpenFlags) (vfs.File, error) {
	f := &dirFile{d: d}
	if n, ok := d.names.(*sysctlNames); ok {
		f.links = d.fs.linkNames(c, n.prefix)
	}
	return f, nil
}

// A dirFile is an open directory.
type dirFile struct {
	d     *dirInode
	links []string // further directories, of the interfaces of who opened it
}

// Release implements vfs.File.
func (f *dirFile) Release() {}

// ProcessOf returns the process whose directory f is, nil if it is none.
// pidfd_send_signal(2) takes such a descriptor, too.
func ProcessOf(f vfs.File) *task.ThreadGroup {
	if d, ok := f.(*dirFile); ok && d.d.p != nil && !d.d.p.thread && d.d.parent == rootIno {
		return d.d.p.group
	}
	return nil
}

// ReadDir implements vfs.DirReader.
func (f *dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	d := f.d
	if d.p != nil && d.p.task() == nil {
		return linux.ENOENT
	}
	for i, dot := range [...]vfs.Dirent{{Name: ".", Ino: d.ino}, {Name: "..", Ino: d.parent}} {
		if off <= int64(i) {
			dot.Type, dot.Next = uint8(linux.DT_DIR), int64(i)+1
			if !emit(dot) {
				return nil
			}
		}
	}
	more := true
	d.names.each(max(off, 2), func(key int64, e vfs.Dirent) bool {
		e.Next = key + 1
		more = emit(e)
		return more
	})
	const firstLink = 1 << 16 // behind all other names
	for i := max(off-firstLink, 0); more && i < int64(len(f.links)); i++ {
		name := f.links[i]
		more = emit(vfs.Dirent{Name: name, Ino: inoOf(d.ino, name), Type: uint8(linux.DT_DIR), Next: firstLink + i + 1})
	}
	return nil
}

// A table is a directory with fixed names, the system's or a process's.
type table struct {
	fs      *FileSystem
	p       *proc
	ino     uint64
	entries []entry
	made    map[string]vfs.Inode // of the system's: they live as long as the table
}

func (f *FileSystem) newTable(p *proc, ino uint64, entries []entry) *table {
	t := &table{fs: f, p: p, ino: ino, entries: entries}
	if p == nil {
		t.made = make(map[string]vfs.Inode, len(entries))
		for i := range entries {
			t.made[entries[i].name] = f.make(p, ino, &entries[i])
		}
	}
	return t
}

func (t *table) find(name string) (vfs.Inode, error) {
	if t.made != nil {
		if i := t.made[name]; i != nil {
			return i, nil
		}
		return nil, linux.ENOENT
	}
	if t.p.task() == nil {
		return nil, linux.ENOENT
	}
	for i := range t.entries {
		if t.entries[i].name == name {
			return t.fs.make(t.p, t.ino, &t.entries[i]), nil
		}
	}
	return nil, linux.ENOENT
}

func (t *table) each(from int64, emit func(int64, vfs.Dirent) bool) {
	for i := max(from-2, 0); i < int64(len(t.entries)); i++ {
		e := &t.entries[i]
		if !emit(i+2, vfs.Dirent{Name: e.name, Ino: inoOf(t.ino, e.name), Type: uint8(e.mode.DirentType())}) {
			return
		}
	}
}

func (t *table) valid(_ string, child vfs.Inode) bool {
	return t.p == nil || child != nil && t.p.task() != nil
}

func (t *table) directories() (n uint32) {
	for i := range t.entries {
		if t.entries[i].mode.IsDir() {
			n++
		}
	}
	return n
}
