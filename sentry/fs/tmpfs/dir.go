package tmpfs

import (
	"sort"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// A dir is a directory. Every entry has a number that only grows, which is its
// offset in listings: what is made or removed meanwhile moves no other.
type dir struct {
	node

	// guarded by node.mu
	parent *dir
	names  map[string]*entry
	order  []*entry // by cookie; removed ones stay until there are many
	dead   int
	last   int64
}

// An entry is a name in a directory.
type entry struct {
	name   string
	cookie int64
	inode  inode // nil: removed
}

// Cookies 0 and 1 are "." and "..".
const firstCookie = 2

// Attr implements vfs.Inode.
func (d *dir) Attr() (vfs.Attr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.attrLocked()
	a.Size = uint64(len(d.names)+2) * direntSize
	return a, nil
}

// SetAttr implements vfs.Inode.
func (d *dir) SetAttr(set *vfs.SetAttr) error {
	if set.Mask&vfs.SetSize != 0 {
		return linux.EISDIR
	}
	return d.setAttr(set)
}

// Lookup implements vfs.Directory.
func (d *dir) Lookup(name string) (vfs.Inode, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.names[name]; e != nil {
		return e.inode, nil
	}
	return nil, linux.ENOENT
}

// add makes name mean i.
func (d *dir) add(name string, i inode) {
	now := d.fs.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = max(d.last+1, firstCookie)
	e := &entry{name: name, cookie: d.last, inode: i}
	d.names[name] = e
	d.order = append(d.order, e)
	if i.base().kind.IsDir() {
		d.nlink++
	}
	d.modifiedLocked(now)
}

// drop removes name.
func (d *dir) drop(name string) {
	now := d.fs.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.names[name]
	if e == nil {
		return
	}
	if e.inode.base().kind.IsDir() {
		d.nlink--
	}
	e.inode = nil
	delete(d.names, name)
	d.modifiedLocked(now)
	if d.dead++; d.dead > 32 && d.dead > len(d.order)/2 {
		kept := d.order[:0:0]
		for _, e := range d.order {
			if e.inode != nil {
				kept = append(kept, e)
			}
		}
		d.order, d.dead = kept, 0
	}
}

// get returns what name means, nil if nothing.
func (d *dir) get(name string) inode {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.names[name]; e != nil {
		return e.inode
	}
	return nil
}

func (d *dir) isEmpty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.names) == 0
}

func (d *dir) setParent(p *dir) {
	d.mu.Lock()
	d.parent = p
	d.mu.Unlock()
}

// removed reports whether the directory has been removed.
func (d *dir) removed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nlink == 0
}

// Create implements vfs.Directory.
func (d *dir) Create(name string, n *vfs.NewInode) (vfs.Inode, error) {
	if d.removed() {
		return nil, linux.ENOENT
	}
	if d.get(name) != nil {
		return nil, linux.EEXIST
	}
	i, err := d.fs.newInode(n)
	if err != nil {
		return nil, err
	}
	b := i.base()
	b.nlink = 1
	if k, ok := i.(*dir); ok {
		k.nlink, k.parent = 2, d
	}
	d.add(name, i)
	return i, nil
}

// CreateTemp implements vfs.TempCreator.
func (d *dir) CreateTemp(n *vfs.NewInode) (vfs.Inode, error) { return d.fs.newInode(n) }

// Link implements vfs.Directory.
func (d *dir) Link(name string, target vfs.Inode) error {
	i, ok := target.(inode)
	if !ok || i.base().fs != d.fs {
		return linux.EXDEV
	}
	if i.base().kind.IsDir() {
		return linux.EPERM
	}
	if d.get(name) != nil {
		return linux.EEXIST
	}
	b := i.base()
	b.mu.Lock()
	if b.gone {
		b.gone = false // an O_TMPFILE file whose holders went meanwhile
		d.fs.inodes.Add(1)
	}
	b.mu.Unlock()
	b.linked(1)
	d.add(name, i)
	return nil
}

// Unlink implements vfs.Directory.
func (d *dir) Unlink(name string, victim vfs.Inode, rmdir bool) error {
	i := d.get(name)
	if i == nil {
		return linux.ENOENT
	}
	if i != victim {
		return linux.ESTALE
	}
	if err := removable(i, rmdir); err != nil {
		return err
	}
	d.drop(name)
	unname(i)
	return nil
}

func removable(i inode, rmdir bool) error {
	k, isDir := i.(*dir)
	switch {
	case isDir && !rmdir:
		return linux.EISDIR
	case !isDir && rmdir:
		return linux.ENOTDIR
	case isDir && !k.isEmpty():
		return linux.ENOTEMPTY
	}
	return nil
}

// unname takes one name off i, all of them off a directory.
func unname(i inode) {
	if k, ok := i.(*dir); ok {
		now := k.fs.now()
		k.mu.Lock()
		k.nlink = 0
		k.changedLocked(now)
		k.mu.Unlock()
		return
	}
	i.base().linked(-1)
}

// Rename implements vfs.Directory.
func (d *dir) Rename(name string, moved vfs.Inode, newDir vfs.Directory, newName string, replaced vfs.Inode, flags linux.RenameFlags) error {
	to, ok := newDir.(*dir)
	if !ok || to.fs != d.fs {
		return linux.EXDEV
	}
	i := d.get(name)
	if i == nil || i != moved {
		return linux.ENOENT
	}
	there := to.get(newName)
	if flags&linux.RENAME_NOREPLACE != 0 && there != nil {
		return linux.EEXIST
	}
	if flags&linux.RENAME_EXCHANGE != 0 {
		return d.exchange(name, i, to, newName, there)
	}
	var white inode
	if flags&linux.RENAME_WHITEOUT != 0 {
		w, err := d.fs.newInode(&vfs.NewInode{Mode: linux.S_IFCHR})
		if err != nil {
			return err
		}
		w.base().nlink = 1
		white = w
	}
	if there != nil {
		if err := removable(there, i.base().kind.IsDir()); err != nil {
			return err
		}
		to.drop(newName)
		unname(there)
	}
	d.drop(name)
	to.add(newName, i)
	if k, ok := i.(*dir); ok {
		k.setParent(to)
	}
	if white != nil {
		d.add(name, white)
	}
	i.base().linked(0)
	return nil
}

func (d *dir) exchange(name string, a inode, to *dir, newName string, b inode) error {
	if b == nil {
		return linux.ENOENT
	}
	d.drop(name)
	to.drop(newName)
	d.add(name, b)
	to.add(newName, a)
	if k, ok := a.(*dir); ok {
		k.setParent(to)
	}
	if k, ok := b.(*dir); ok {
		k.setParent(d)
	}
	a.base().linked(0)
	b.base().linked(0)
	return nil
}

// Open implements vfs.Inode.
func (d *dir) Open(*vfs.Caller, vfs.Path, linux.OpenFlags) (vfs.File, error) {
	return dirFile{d}, nil
}

// Evict implements vfs.Evicter.
func (d *dir) Evict() { d.uncount() }

// releaseTree gives up the pages of everything below d.
func (d *dir) releaseTree() {
	d.mu.Lock()
	var all []inode
	for _, e := range d.names {
		all = append(all, e.inode)
	}
	d.mu.Unlock()
	for _, i := range all {
		switch i := i.(type) {
		case *dir:
			i.releaseTree()
		case *file:
			i.releasePages()
		}
	}
}

// A dirFile is an open directory.
type dirFile struct{ d *dir }

// Release implements vfs.File.
func (dirFile) Release() {}

// readBatch is how many entries are looked at before the lock is let go.
const readBatch = 64

// ReadDir implements vfs.DirReader.
func (f dirFile) ReadDir(off int64, emit func(vfs.Dirent) bool) error {
	d := f.d
	if off < 1 {
		if !emit(vfs.Dirent{Name: ".", Ino: d.ino, Type: uint8(linux.DT_DIR), Next: 1}) {
			return nil
		}
		off = 1
	}
	if off < firstCookie {
		d.mu.Lock()
		up := d.parent.ino
		d.mu.Unlock()
		if !emit(vfs.Dirent{Name: "..", Ino: up, Type: uint8(linux.DT_DIR), Next: firstCookie}) {
			return nil
		}
		off = firstCookie
	}
	for {
		var batch [readBatch]vfs.Dirent
		n := d.batch(off, batch[:])
		for _, e := range batch[:n] {
			if !emit(e) {
				return nil
			}
			off = e.Next
		}
		if n < len(batch) {
			return nil
		}
	}
}

// batch fills to with entries from cookie off on.
func (d *dir) batch(off int64, to []vfs.Dirent) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	i := sort.Search(len(d.order), func(i int) bool { return d.order[i].cookie >= off })
	for ; i < len(d.order) && n < len(to); i++ {
		e := d.order[i]
		if e.inode == nil {
			continue
		}
		b := e.inode.base()
		to[n] = vfs.Dirent{Name: e.name, Ino: b.ino, Type: uint8(b.kind.DirentType()), Next: e.cookie + 1}
		n++
	}
	return n
}

// SeekTo implements vfs.Seeker.
func (f dirFile) SeekTo(off int64, whence int, cur int64) (int64, error) {
	switch linux.Whence(whence) {
	case linux.SEEK_CUR:
		off += cur
	case linux.SEEK_SET:
	default:
		return 0, linux.EINVAL
	}
	if off < 0 {
		return 0, linux.EINVAL
	}
	return off, nil
}

// Sync implements vfs.Syncer.
func (dirFile) Sync(bool) error { return nil }

// InMemory implements vfs.InMemory.
func (dirFile) InMemory() {}
