package overlay

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// memFS is a store of upper files, and a lower layer made of maps.
type memFS struct {
	root    *memDir
	lastIno uint64
}

func newMemFS() *memFS {
	m := &memFS{}
	m.root = &memDir{memInode: m.inode(linux.S_IFDIR | 0o755), kids: map[string]vfs.Inode{}}
	return m
}

func (m *memFS) Type() string                  { return "mem" }
func (m *memFS) Root() vfs.Inode               { return m.root }
func (m *memFS) StatFS() (linux.Statfs, error) { return linux.Statfs{Bsize: 4096}, nil }
func (m *memFS) Device() uint64                { return 7 }
func (m *memFS) Release()                      {}

func (m *memFS) inode(mode linux.FileMode) *memInode {
	m.lastIno++
	return &memInode{fs: m, a: vfs.Attr{Ino: m.lastIno, Mode: mode, Nlink: 1, BlockSize: 4096}, x: map[string][]byte{}}
}

type memInode struct {
	fs      *memFS
	a       vfs.Attr
	data    []byte
	target  string
	x       map[string][]byte
	state   vfs.InodeState
	evicted bool
	spaces  []memmap.Range
	place   memmap.TextPlace
}

func (i *memInode) FileSystem() vfs.FileSystem { return i.fs }
func (i *memInode) VFSState() *vfs.InodeState  { return &i.state }
func (i *memInode) Evict()                     { i.evicted = true }
func (i *memInode) Attr() (vfs.Attr, error) {
	a := i.a
	if a.Mode.IsRegular() {
		a.Size = uint64(len(i.data))
	}
	return a, nil
}
func (i *memInode) SetAttr(s *vfs.SetAttr) error {
	applyAttr(&i.a, s, linux.Timespec{})
	if s.Mask&vfs.SetSize != 0 {
		i.data = append(i.data, make([]byte, s.Size)...)[:s.Size]
	}
	return nil
}
func (i *memInode) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return &memFile{i}, nil
}
func (i *memInode) Readlink(*vfs.Caller) (string, error) { return i.target, nil }
func (i *memInode) GetXattr(n string) ([]byte, error) {
	v, ok := i.x[n]
	if !ok {
		return nil, linux.ENODATA
	}
	return v, nil
}
func (i *memInode) SetXattr(n string, v []byte, _ linux.XattrFlags) error { i.x[n] = v; return nil }
func (i *memInode) RemoveXattr(n string) error                            { delete(i.x, n); return nil }
func (i *memInode) ListXattr() ([]string, error) {
	var out []string
	for n := range i.x {
		out = append(out, n)
	}
	return out, nil
}
func (i *memInode) Mappable() memmap.Mappable { return i }
func (i *memInode) Translate(required, optional memmap.Range, write bool) ([]memmap.Translation, error) {
	return []memmap.Translation{{Source: required, Offset: i.a.Ino << 32, Writable: true}}, nil
}
func (i *memInode) AddMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) error {
	i.spaces = append(i.spaces, r)
	return nil
}
func (i *memInode) RemoveMapping(_ memmap.MappingSpace, _ uint64, r memmap.Range, _ bool) {
	if n := slices.Index(i.spaces, r); n >= 0 {
		i.spaces = slices.Delete(i.spaces, n, n+1)
	}
}

type memFile struct{ i *memInode }

func (f *memFile) Release() {}
func (f *memFile) ReadAt(dst *usermem.Seq, off int64) (int, error) {
	if off >= int64(len(f.i.data)) {
		return 0, nil
	}
	return dst.CopyOut(f.i.data[off:])
}
func (f *memFile) WriteAt(src *usermem.Seq, off int64) (int, error) {
	if end := int(off) + int(src.Len()); end > len(f.i.data) {
		f.i.data = append(f.i.data, make([]byte, end-len(f.i.data))...)
	}
	return src.CopyIn(f.i.data[off:])
}

// memDir is a directory of a lower layer; the root also makes upper files.
type memDir struct {
	*memInode
	kids map[string]vfs.Inode
}

func (d *memDir) Lookup(name string) (vfs.Inode, error) {
	if i, ok := d.kids[name]; ok {
		return i, nil
	}
	return nil, linux.ENOENT
}
func (d *memDir) Create(string, *vfs.NewInode) (vfs.Inode, error) { return nil, linux.EROFS }
func (d *memDir) Link(string, vfs.Inode) error                    { return linux.EROFS }
func (d *memDir) Unlink(string, vfs.Inode, bool) error            { return linux.EROFS }
func (d *memDir) Rename(string, vfs.Inode, vfs.Directory, string, vfs.Inode, linux.RenameFlags) error {
	return linux.EROFS
}
func (d *memDir) CreateTemp(n *vfs.NewInode) (vfs.Inode, error) {
	i := d.fs.inode(n.Mode)
	i.a.UID, i.a.GID = n.UID, n.GID
	return i, nil
}
func (d *memDir) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return &memDirFile{d}, nil
}

type memDirFile struct{ d *memDir }

func (f *memDirFile) Release() {}
func (f *memDirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	names := []string{".", ".."}
	for n := range f.d.kids {
		names = append(names, n)
	}
	slices.Sort(names[2:])
	for i := off; i < int64(len(names)); i++ {
		e := vfs.Dirent{Name: names[i], Next: i + 1}
		if k := f.d.kids[names[i]]; k != nil {
			a, _ := k.Attr()
			e.Ino, e.Type = a.Ino, uint8(a.Mode.DirentType())
		}
		if !emit(e) {
			return nil
		}
	}
	return nil
}

// dir and file fill a lower layer.
func (d *memDir) dir(name string) *memDir {
	k := &memDir{memInode: d.fs.inode(linux.S_IFDIR | 0o755), kids: map[string]vfs.Inode{}}
	d.kids[name] = k
	return k
}

func (d *memDir) file(name, data string) *memInode {
	k := d.fs.inode(linux.S_IFREG | 0o644)
	k.data = []byte(data)
	d.kids[name] = k
	return k
}
