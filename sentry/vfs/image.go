package vfs

import (
	"cmp"
	"errors"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/ktime"
)

// The outside things that a restore supplies.
const (
	SlotClocks = "clocks" // *ktime.Clocks
	SlotFIFO   = "fifo"   // FIFOOpener
)

var errImage = errors.New("files that cannot be")

// A Regenerated file system holds nothing but what the kernel can tell anew
// (procfs, sysfs): a restore makes it by its type, and finds its inodes by name.
type Regenerated interface {
	// Regenerate returns the type's name and the mount data to make it from.
	Regenerate() (typ, data string)
	// SetDevice gives the new instance the old one's device number.
	SetDevice(dev uint64)
}

// A Reopened File keeps nothing that its Description and inode do not: a
// restore opens it again.
type Reopened interface{ Reopened() }

// An Alias is a value that is saved under the pointer Saved returns, whose
// Loaded returns the value again.
type (
	Alias   interface{ Saved() any }
	Aliased interface{ Loaded() any }
)

// SaveRef is s.Ref of what p is saved under.
func SaveRef(s *checkpoint.Saver, p any) checkpoint.Ref {
	if a, ok := p.(Alias); ok {
		p = a.Saved()
	}
	return s.Ref(p)
}

// LoadRef returns what SaveRef saved. The object must be filled.
func LoadRef[T any](l *checkpoint.Loader, r checkpoint.Ref) (T, error) {
	var zero T
	if r == 0 {
		return zero, nil
	}
	p, err := checkpoint.Get[any](l, r)
	if err != nil {
		return zero, err
	}
	if a, ok := p.(Aliased); ok {
		p = a.Loaded()
	}
	t, ok := p.(T)
	if !ok {
		return zero, errImage
	}
	return t, nil
}

// Loading goes in steps, each when the one before is done for every object.
const (
	stepSupers   = iota // file systems are there
	stepDentries        // names have their inodes
	stepFiles           // descriptions have their files
	stepWatches         // epoll, inotify, timers
	stepLast            // counters
)

func after(l *checkpoint.Loader, step int, f func() error) {
	if step == 0 {
		l.AfterLoad(f)
		return
	}
	l.AfterLoad(func() error { after(l, step-1, f); return nil })
}

// AfterNames runs f when names have their inodes, AfterFiles when descriptions
// have their files, AfterAll when everything else is done.
func AfterNames(l *checkpoint.Loader, f func() error) { after(l, stepFiles, f) }

// AfterFiles: see AfterNames.
func AfterFiles(l *checkpoint.Loader, f func() error) { after(l, stepWatches, f) }

// AfterAll: see AfterNames.
func AfterAll(l *checkpoint.Loader, f func() error) { after(l, stepLast, f) }

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("vfs.VFS", saveVFS, loadVFS),
		checkpoint.Object("vfs.superblock", saveSuper, loadSuper),
		checkpoint.Object("vfs.Mount", saveMount, loadMount),
		checkpoint.Object("vfs.MountNamespace", saveNamespace, loadNamespace),
		checkpoint.Object("vfs.Tree", saveTree, loadTree),
		checkpoint.Object("vfs.Ruleset", saveRuleset, loadRuleset),
		checkpoint.Object("vfs.Domain", saveDomain, loadDomain),
		checkpoint.Object("vfs.MountContext", saveMountContext, loadMountContext),
		checkpoint.Object("vfs.peerGroup", saveGroup, loadGroup),
		checkpoint.Object("vfs.anonFS", saveAnonFS, loadAnonFS),
		checkpoint.Object("vfs.AnonInode", saveAnonInode, loadAnonInode),
		checkpoint.Object("vfs.Dentry", saveDentry, loadDentry),
		checkpoint.Object("vfs.Description", saveDescription, loadDescription),
		checkpoint.Object("vfs.FDTable", saveFDTable, loadFDTable),
	}
}

// Image is a VFS in a checkpoint. What is registered with it is so again by
// whoever restores.
type Image struct {
	Clocks, FIFO string
	Anon         checkpoint.Ref
	NSFS         checkpoint.Ref
	Renames      uint64
	MountIDs     int32
	MountUnique  uint64
	GroupIDs     int32
	AnonInos     uint64
	DevMinors    uint32
	Cookies      uint32
	Sysctl       [5]int32
	CacheLimit   int
}

func saveVFS(s *checkpoint.Saver, v *VFS) Image {
	y := &v.sysctl
	im := Image{
		Clocks: s.Slot(SlotClocks), Anon: s.Ref(v.anon), NSFS: s.Ref(v.nsfs), MountIDs: v.mountIDs.Load(),
		MountUnique: v.mountUnique.Load(), GroupIDs: v.groupIDs.Load(), AnonInos: v.anonInos.Load(),
		DevMinors: v.devMinors.Load(), Cookies: v.cookies.Load(), Renames: v.renames.Load(),
		Sysctl: [5]int32{
			y.ProtectedSymlinks.Load(), y.ProtectedHardlinks.Load(), y.ProtectedFIFOs.Load(),
			y.ProtectedRegular.Load(), y.NROpen.Load(),
		},
		CacheLimit: v.cache.limit,
	}
	if v.fifo != nil {
		im.FIFO = s.Slot(SlotFIFO)
	}
	return im
}

func slot[T any](l *checkpoint.Loader, name string) (T, error) {
	v, _ := l.Slot(name)
	t, ok := v.(T)
	if !ok {
		return t, errors.New(name + " was not supplied")
	}
	return t, nil
}

func loadVFS(l *checkpoint.Loader, v *VFS, im Image) error {
	clocks, err := slot[*ktime.Clocks](l, im.Clocks)
	if err != nil {
		return err
	}
	v.clock = clocks.Stamp
	if im.FIFO != "" {
		if v.fifo, err = slot[FIFOOpener](l, im.FIFO); err != nil {
			return err
		}
	}
	if v.nsfs, err = checkpoint.Get[*Mount](l, im.NSFS); err != nil || v.nsfs == nil {
		return errImage
	}
	if v.anon, err = checkpoint.Get[*Mount](l, im.Anon); err != nil || v.anon == nil || im.CacheLimit < 1 {
		return errImage
	}
	v.setUp()
	v.cache.limit = im.CacheLimit
	v.groupIDs.Store(im.GroupIDs)
	y, c := &v.sysctl, im.Sysctl
	y.ProtectedSymlinks.Store(c[0])
	y.ProtectedHardlinks.Store(c[1])
	y.ProtectedFIFOs.Store(c[2])
	y.ProtectedRegular.Store(c[3])
	y.NROpen.Store(c[4])
	// Restoring other objects counts some of these up.
	AfterAll(l, func() error {
		v.mountIDs.Store(im.MountIDs)
		v.mountUnique.Store(im.MountUnique)
		v.anonInos.Store(im.AnonInos)
		v.devMinors.Store(im.DevMinors)
		v.cookies.Store(im.Cookies)
		v.renames.Store(im.Renames)
		return nil
	})
	return nil
}

// setUp makes v's tables, unless somebody has registered something already.
func (v *VFS) setUp() {
	if v.types == nil {
		v.types = make(map[string]FileSystemType)
		v.devices = make(map[deviceKey]DeviceOpener)
		v.drivers = make(map[deviceKey]string)
	}
	if v.mounts == nil {
		v.mounts = make(map[mountKey]*Mount)
		v.supers = make(map[FileSystem]*superblock)
	}
}

// SuperImage is a superblock in a checkpoint.
type SuperImage struct {
	VFS, FS, Root checkpoint.Ref
	Type, Data    string // of a Regenerated one, instead of FS
	Dev           uint64
	Refs          int64
	ReadOnly      bool
	Flags         uint64
	User          checkpoint.Ref
	Layer         bool
}

func saveSuper(s *checkpoint.Saver, sb *superblock) SuperImage {
	im := SuperImage{
		VFS: s.Ref(sb.vfs), Root: s.Ref(sb.root), Dev: sb.dev, Refs: sb.refs.Load(),
		ReadOnly: sb.readOnly.Load(), Flags: sb.flags.Load(), User: s.Ref(sb.user), Layer: sb.layer.Load(),
	}
	if r, ok := sb.fs.(Regenerated); ok {
		im.Type, im.Data = r.Regenerate()
	} else {
		im.FS = SaveRef(s, sb.fs)
	}
	return im
}

func loadSuper(l *checkpoint.Loader, sb *superblock, im SuperImage) (err error) {
	if sb.vfs, err = checkpoint.Get[*VFS](l, im.VFS); err != nil {
		return err
	}
	if sb.root, err = checkpoint.Get[*Dentry](l, im.Root); err != nil || sb.vfs == nil {
		return errImage
	}
	if sb.user, err = checkpoint.Get[*cred.UserNamespace](l, im.User); err != nil {
		return err
	}
	sb.dev = im.Dev
	sb.refs.Store(im.Refs)
	sb.readOnly.Store(im.ReadOnly)
	sb.layer.Store(im.Layer)
	sb.flags.Store(im.Flags)
	after(l, stepSupers, func() error {
		if err := sb.remake(l, im); err != nil {
			return err
		}
		sb.asserted()
		if sb.root != nil {
			sb.vfs.supers[sb.fs] = sb
		}
		return nil
	})
	return nil
}

// remake finds the file system that sb is of.
func (sb *superblock) remake(l *checkpoint.Loader, im SuperImage) (err error) {
	if im.Type == "" {
		if sb.fs, err = LoadRef[FileSystem](l, im.FS); err == nil && sb.fs == nil {
			err = errImage
		}
		return err
	}
	t, ok := sb.vfs.types[im.Type]
	if !ok {
		return errors.New("there is no file system " + im.Type)
	}
	if sb.fs, err = t.New(nil, im.Type, im.Data); err != nil {
		return err
	}
	r, ok := sb.fs.(Regenerated)
	if !ok {
		return errImage
	}
	r.SetDevice(im.Dev)
	return nil
}

// MountImage is a Mount in a checkpoint.
type MountImage struct {
	VFS, SB, Root checkpoint.Ref
	ID            int32
	Unique        uint64
	Source        string
	Flags         uint64
	Refs          int64
	NS            checkpoint.Ref
	Parent, Point checkpoint.Ref
	Children      []checkpoint.Ref
	Group, Master checkpoint.Ref
	Unbind        bool
	Expire        bool
	IDMap         checkpoint.Ref
}

func saveMount(s *checkpoint.Saver, m *Mount) MountImage {
	m.vfs.mountMu.RLock()
	defer m.vfs.mountMu.RUnlock()
	return MountImage{
		VFS: s.Ref(m.vfs), SB: s.Ref(m.sb), Root: s.Ref(m.root), ID: m.id, Unique: m.unique, Source: m.source,
		Flags: m.flags.Load(), Refs: m.refs.Load(), NS: s.Ref(m.ns), Parent: s.Ref(m.parent), Point: s.Ref(m.point),
		Children: refsTo(s, m.children), Group: s.Ref(m.group), Master: s.Ref(m.master), Unbind: m.unbind, Expire: m.expire, IDMap: s.Ref(m.idmap.Load()),
	}
}

func refsTo[T any](s *checkpoint.Saver, list []*T) []checkpoint.Ref {
	var out []checkpoint.Ref
	for _, p := range list {
		out = append(out, s.Ref(p))
	}
	return out
}

// A getter resolves Refs until the first error.
type getter struct {
	l   *checkpoint.Loader
	err error
}

func get[T any](g *getter, r checkpoint.Ref) T {
	v, err := checkpoint.Get[T](g.l, r)
	if g.err == nil {
		g.err = err
	}
	return v
}

func getAll[T any](g *getter, r []checkpoint.Ref) []T {
	v, err := checkpoint.GetAll[T](g.l, r)
	if g.err == nil {
		g.err = err
	}
	return v
}

func loadMount(l *checkpoint.Loader, m *Mount, im MountImage) error {
	g := &getter{l: l}
	m.vfs, m.sb, m.root = get[*VFS](g, im.VFS), get[*superblock](g, im.SB), get[*Dentry](g, im.Root)
	m.id, m.unique, m.source = im.ID, im.Unique, im.Source
	m.ns, m.parent, m.point = get[*MountNamespace](g, im.NS), get[*Mount](g, im.Parent), get[*Dentry](g, im.Point)
	m.children = getAll[*Mount](g, im.Children)
	m.group, m.master = get[*peerGroup](g, im.Group), get[*peerGroup](g, im.Master)
	m.unbind, m.expire = im.Unbind, im.Expire
	m.idmap.Store(get[*cred.UserNamespace](g, im.IDMap))
	m.flags.Store(im.Flags)
	m.refs.Store(im.Refs)
	if g.err != nil || m.vfs == nil || m.sb == nil || slices.Contains(m.children, nil) || (m.parent == nil) != (m.point == nil) {
		return cmp.Or(g.err, errImage)
	}
	after(l, stepSupers, func() error {
		if m.parent != nil {
			m.vfs.setMountLocked(mountKey{m.parent, m.point}, m)
			m.point.mounted.Add(1)
		}
		return nil
	})
	AfterNames(l, func() error { m.keepRoot(); return nil })
	return nil
}

// NamespaceImage is a MountNamespace in a checkpoint.
type NamespaceImage struct {
	VFS, User, Root checkpoint.Ref
	Refs            int64
	Count           int
	Event           uint64
	Unnamed         bool
}

func saveNamespace(s *checkpoint.Saver, n *MountNamespace) NamespaceImage {
	n.vfs.mountMu.RLock()
	defer n.vfs.mountMu.RUnlock()
	return NamespaceImage{
		VFS: s.Ref(n.vfs), User: s.Ref(n.user), Root: s.Ref(n.root), Refs: n.refs.Load(), Count: n.count, Event: n.event.Load(),
		Unnamed: n.unnamed,
	}
}

func loadNamespace(l *checkpoint.Loader, n *MountNamespace, im NamespaceImage) error {
	g := &getter{l: l}
	n.vfs, n.user, n.root = get[*VFS](g, im.VFS), get[*cred.UserNamespace](g, im.User), get[*Mount](g, im.Root)
	n.count, n.unnamed = im.Count, im.Unnamed
	n.refs.Store(im.Refs)
	n.event.Store(im.Event)
	if n.vfs == nil || n.root == nil && !n.unnamed {
		return cmp.Or(g.err, errImage)
	}
	return g.err
}

// TreeImage is a Tree in a checkpoint.
type TreeImage struct{ NS checkpoint.Ref }

func saveTree(s *checkpoint.Saver, t *Tree) TreeImage { return TreeImage{s.Ref(t.ns)} }

func loadTree(l *checkpoint.Loader, t *Tree, im TreeImage) (err error) {
	if t.ns, err = checkpoint.Get[*MountNamespace](l, im.NS); err == nil && t.ns == nil {
		err = errImage
	}
	return err
}

// GroupImage is a peerGroup in a checkpoint.
type GroupImage struct {
	ID           int32
	Peers, Slave []checkpoint.Ref
}

func saveGroup(s *checkpoint.Saver, p *peerGroup) GroupImage {
	return GroupImage{ID: p.id, Peers: refsTo(s, p.peers), Slave: refsTo(s, p.slave)}
}

func loadGroup(l *checkpoint.Loader, p *peerGroup, im GroupImage) error {
	g := &getter{l: l}
	p.id, p.peers, p.slave = im.ID, getAll[*Mount](g, im.Peers), getAll[*Mount](g, im.Slave)
	return g.err
}

// AnonFSImage is the file system of nameless files in a checkpoint.
type AnonFSImage struct {
	VFS  checkpoint.Ref
	Dev  uint64
	NSFS bool
}

func saveAnonFS(s *checkpoint.Saver, f *anonFS) AnonFSImage {
	return AnonFSImage{s.Ref(f.vfs), f.dev, f.nsfs}
}

func loadAnonFS(l *checkpoint.Loader, f *anonFS, im AnonFSImage) (err error) {
	f.dev, f.nsfs = im.Dev, im.NSFS
	f.vfs, err = checkpoint.Get[*VFS](l, im.VFS)
	return err
}

// AnonInodeImage is an AnonInode in a checkpoint.
type AnonInodeImage struct {
	FS       checkpoint.Ref
	Ino      uint64
	CTime    linux.Timespec
	Mode     uint32
	UID, GID uint32
	State    StateImage
}

func saveAnonInode(s *checkpoint.Saver, i *AnonInode) AnonInodeImage {
	return AnonInodeImage{
		FS: s.Ref(i.fs), Ino: i.ino, CTime: i.ctime, Mode: i.mode.Load(), UID: i.uid.Load(), GID: i.gid.Load(),
		State: i.state.Image(s),
	}
}

func loadAnonInode(l *checkpoint.Loader, i *AnonInode, im AnonInodeImage) (err error) {
	i.ino, i.ctime = im.Ino, im.CTime
	i.mode.Store(im.Mode)
	i.uid.Store(im.UID)
	i.gid.Store(im.GID)
	if i.fs, err = checkpoint.Get[*anonFS](l, im.FS); err != nil || i.fs == nil {
		return errImage
	}
	return i.state.Restore(l, &im.State)
}
