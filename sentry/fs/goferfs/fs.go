package goferfs

import (
	"sync/atomic"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/platform"
	"cordon/sentry/vfs"
)

const (
	// maxIdle bounds the inodes whose descriptors are kept though nobody has them
	// open, and idleShare is the part of all descriptors that they may be.
	maxIdle   = 4096
	idleShare = 5
	// maxNodes is about how many nodes are kept: each is a descriptor of the
	// gofer's, which has as many as the Sentry, and nodeShare a part of them.
	maxNodes  = 4096
	nodeShare = 3
	// least is kept of either, however few descriptors there are.
	least = 32
)

// HostFiles is what the platform has to know of donated descriptors.
type HostFiles interface {
	// NewHostFileID returns a number no other host file of this sandbox has.
	NewHostFileID() uint64
	// ForgetFile is called before a descriptor that may have been mapped is
	// closed.
	ForgetFile(f platform.HostFile)
	// Descriptors returns how many descriptors the process may have.
	Descriptors() int
}

// Options say what to mount and how.
type Options struct {
	Client *client.Client
	Attach string // the gofer's name of the mount
	// Place is what mountinfo shows as the root's path in its file system; empty: "/".
	Place string
	// Shared says that others change the host directory meanwhile.
	Shared bool
	// Device is st_dev of the inodes.
	Device uint64
	Hosts  HostFiles
}

// FS is an attached mount.
type FS struct {
	// immutable
	client *client.Client
	attach string
	place  string
	shared bool
	dev    uint64
	hosts  HostFiles
	root   *Inode
	self   vfs.FileSystem // FS or sharedFS
	host   uint64         // the root's device on the host
	bounds struct{ idle, nodes int }

	// atomic
	changes atomic.Uint64 // of names, and of attributes that a listing may have
	reads   atomic.Int64  // directories that were read lately
	wanted  atomic.Int64  // those of which the files' attributes were wanted
	looked  atomic.Int64  // files that were asked about by name lately
	inlines atomic.Bool   // files have come as their contents
	opened  atomic.Int64  // those of them that were opened then
	habit   atomic.Int32  // 1 + the order that files were opened in last; 0: none

	mu lock.Mutex[lock.Inode]

	// guarded by mu
	listings []*listing   // oldest first
	listed   int          // bytes in them
	trees    []*tree      // scans in progress, oldest first; replaced, never changed
	ahead    []*openAhead // files that are being opened before they are asked for, oldest first
	brought  []*answer    // with contents, oldest first
	inodes   map[inodeKey]*Inode
	devices  map[uint64]uint64 // other devices' place in inode numbers
	idle     []*Inode          // have descriptors and were not open when put here
	noded    []*Inode          // have got a node, oldest first
}

// inodeKey is an inode's identity on the host.
type inodeKey struct{ dev, ino uint64 }

// sharedFS is an FS whose names others change.
type sharedFS struct{ *FS }

// Place implements vfs.Placed.
func (f *FS) Place() string { return f.place }

// New attaches a mount.
func New(o Options) (vfs.FileSystem, error) {
	n, a, err := o.Client.Attach(o.Attach)
	if err != nil {
		return nil, err
	}
	fs := &FS{
		client: o.Client, attach: o.Attach, place: o.Place, shared: o.Shared, dev: o.Device, hosts: o.Hosts, host: a.Dev,
		inodes: make(map[inodeKey]*Inode), devices: make(map[uint64]uint64),
	}
	fs.bound()
	fs.self = fs
	if o.Shared {
		fs.self = sharedFS{fs}
	}
	fs.root = fs.inode(nil, "", client.Step{Attr: a, Node: n}, fresh)
	return fs.self, nil
}

// bound says how many descriptors are kept.
func (fs *FS) bound() {
	all := fs.hosts.Descriptors()
	fs.bounds.idle = min(max(all/idleShare, least), maxIdle)
	fs.bounds.nodes = min(max(all/nodeShare, least), maxNodes)
}

// IDMappable implements vfs.IDMappable.
func (fs *FS) IDMappable() bool { return true }

// Type implements vfs.FileSystem: what gVisor and Linux call it in
// /proc/mounts.
func (fs *FS) Type() string { return "9p" }

// Root implements vfs.FileSystem.
func (fs *FS) Root() vfs.Inode {
	if fs.root.kind == linux.S_IFDIR {
		return (*Dir)(fs.root)
	}
	return fs.root
}

// OwnersKept implements vfs.OwnersKept.
func (fs *FS) OwnersKept() bool { return !fs.shared }

// Device implements vfs.FileSystem.
func (fs *FS) Device() uint64 { return fs.dev }

// Release implements vfs.FileSystem.
func (fs *FS) Release() {
	fs.mu.Lock()
	trees, ahead := fs.trees, fs.ahead
	fs.trees, fs.ahead, fs.brought = nil, nil, nil
	fs.mu.Unlock()
	for _, t := range trees {
		t.end()
	}
	for _, o := range ahead {
		o.drop()
	}
	fs.mu.Lock()
	all := make([]*Inode, 0, len(fs.inodes))
	for _, in := range fs.inodes {
		all = append(all, in)
	}
	fs.mu.Unlock()
	for _, in := range all {
		in.Evict()
	}
	fs.client.Flush()
}

// MountOptions implements vfs.MountOptioner.
func (fs *FS) MountOptions() string {
	s := ",trans=fd,version=9p2000.L"
	if !fs.shared {
		s += ",cache=loose"
	}
	return s
}

// StatFS implements vfs.FileSystem.
func (fs *FS) StatFS() (linux.Statfs, error) {
	n, err := fs.root.acquire()
	if err != nil {
		return linux.Statfs{}, err
	}
	defer n.release()
	s, err := n.node.StatFS()
	if err != nil {
		return linux.Statfs{}, err
	}
	return linux.Statfs{
		Type: s.Type, Bsize: int64(s.Bsize), Blocks: s.Blocks, Bfree: s.Bfree, Bavail: s.Bavail,
		Files: s.Files, Ffree: s.Ffree, Fsid: [2]int32{int32(s.Fsid), int32(s.Fsid >> 32)},
		Namelen: int64(s.Namelen), Frsize: int64(s.Frsize),
	}, nil
}

// Revalidate implements vfs.Revalidator.
func (fs sharedFS) Revalidate(parent vfs.Inode, name string, child vfs.Inode) bool {
	p, ok := parent.(*Dir)
	if !ok {
		return false
	}
	step, err := p.walk(name, client.WalkOption{})
	if err != nil {
		return child == nil && err == error(linux.ENOENT)
	}
	in := inodeOf(child)
	same := in != nil && in.is(&step.Attr)
	if same {
		in.setAttr(&step.Attr)
	}
	if step.Node != nil {
		if !same || !in.adopt(step.Node) {
			step.Node.Clunk()
		}
	}
	return same
}

// RevalidatePath implements vfs.PathRevalidator.
func (fs sharedFS) RevalidatePath(parent vfs.Inode, names []string, children []vfs.Inode) int {
	p, ok := parent.(*Dir)
	if !ok {
		return 0
	}
	n, err := p.inode().acquire()
	if err != nil {
		return 0
	}
	steps, _, _ := n.node.Walk(names, client.WalkOption{Bare: true})
	n.release()
	for i := range steps {
		in := inodeOf(children[i])
		if in == nil || !in.is(&steps[i].Attr) {
			return i
		}
		in.setAttr(&steps[i].Attr)
		in.told.Store(nowUS())
	}
	return len(steps)
}

// inodeOf returns what is behind either form of an inode.
func inodeOf(i vfs.Inode) *Inode {
	switch i := i.(type) {
	case *Inode:
		return i
	case *Dir:
		return (*Inode)(i)
	}
	return nil
}

// outer returns the form of in that vfs sees.
func (in *Inode) outer() vfs.Inode {
	if in.kind == linux.S_IFDIR {
		return (*Dir)(in)
	}
	return in
}

// freshness says how an attribute came to us.
type freshness bool

const (
	fresh freshness = true  // from the host just now
	kept  freshness = false // from a listing: what an Inode knows is better
)

// inode returns the Inode of a step in parent, which may be known already.
// The step's node is taken over.
func (fs *FS) inode(parent *Inode, name string, s client.Step, how freshness) *Inode {
	fs.mu.Lock()
	in := fs.knownLocked(&s.Attr)
	known := in != nil
	if !known {
		in = fs.newInodeLocked(parent, name, &s.Attr, s.Target)
	}
	fs.mu.Unlock()
	if known {
		in.moved(parent, name)
		if how == fresh {
			in.setAttr(&s.Attr)
		}
	}
	if s.Node != nil && !in.adopt(s.Node) {
		s.Node.Clunk()
	}
	return in
}

// newInodeLocked makes the Inode of what is not known.
func (fs *FS) newInodeLocked(parent *Inode, name string, a *client.Attr, target string) *Inode {
	key := inodeKey{a.Dev, a.Ino}
	in := &Inode{fs: fs, key: key, kind: a.Mode.Type(), born: a.Btime.NS(), ino: fs.inoLocked(key)}
	if target != "" {
		in.link = linkTo(target)
	}
	in.parent, in.name = parent, name
	in.setAttrLocked(a)
	in.size.Store(a.Size)
	fs.inodes[key] = in
	return in
}

func linkTo(target string) *string { return &target }

// knownLocked returns the Inode of what has the attributes a, if there is one: none if the
// host has used the number again.
func (fs *FS) knownLocked(a *client.Attr) *Inode {
	in := fs.inodes[inodeKey{a.Dev, a.Ino}]
	if in != nil && in.is(a) {
		return in
	}
	return nil
}

// ofListing returns the Inode of name, of which a listing has attributes, and whether it was
// made for that. If it is not known, and may not be made of these, it is nil.
func (fs *FS) ofListing(parent *Inode, name string, a *client.Attr, target string, good bool) (in *Inode, o origin) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	in = fs.knownLocked(a)
	if in != nil || !good {
		return in, found
	}
	return fs.newInodeLocked(parent, name, a, target), made
}

// has reports whether in is the Inode of what it stands for.
func (fs *FS) has(in *Inode) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.inodes[in.key] == in
}

// inoLocked is the number programs see: that of the host, with the device's
// place in the top bits if it is another than the root's.
func (fs *FS) inoLocked(k inodeKey) uint64 {
	if k.dev == fs.host {
		return k.ino
	}
	p, ok := fs.devices[k.dev]
	if !ok {
		p = uint64(len(fs.devices) + 1)
		fs.devices[k.dev] = p
	}
	return k.ino ^ p<<48
}

// inoIn is inoLocked for a name in the directory in. A mount below has the number of
// what it hides, as on Linux.
func (fs *FS) inoIn(in *Inode, ino uint64) uint64 {
	if in.key.dev == fs.host {
		return ino
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.inoLocked(inodeKey{in.key.dev, ino})
}

// forget takes in out of the table.
func (fs *FS) forget(in *Inode) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.inodes[in.key] == in {
		delete(fs.inodes, in.key)
	}
}

// idled notes that nobody has in open, and gives up the descriptors of what
// has been idle longest if there are too many.
func (fs *FS) idled(in *Inode) {
	var old *Inode
	fs.mu.Lock()
	if !in.listed.Swap(true) {
		fs.idle = append(fs.idle, in)
	}
	if len(fs.idle) > fs.bounds.idle {
		old = fs.idle[0]
		fs.idle[0] = nil
		fs.idle = fs.idle[1:]
		old.listed.Store(false)
	}
	fs.mu.Unlock()
	if old != nil {
		old.outstayed()
	}
}

// outstayed gives up the descriptors of in, and in if nobody came for it who was opened
// ahead.
func (in *Inode) outstayed() {
	in.dropFiles()
	if !in.vstate.Held() {
		in.Evict()
	}
}

// shed gives up all descriptors of what nobody has open, because there are no others,
// and reports whether there were any.
func (fs *FS) shed() bool {
	fs.mu.Lock()
	all := fs.idle
	fs.idle = nil
	for _, in := range all {
		in.listed.Store(false)
	}
	fs.mu.Unlock()
	for _, in := range all {
		in.outstayed()
	}
	return len(all) > 0
}

// boundNodes notes that in has got a node, and gives up those that were got
// longest ago if there are too many. What cannot be found again keeps its node.
func (fs *FS) boundNodes(in *Inode) {
	const tries = 4
	for range tries {
		var old *Inode
		fs.mu.Lock()
		if in != nil && !in.queued.Swap(true) {
			fs.noded = append(fs.noded, in)
		}
		if len(fs.noded) > fs.bounds.nodes {
			old = fs.noded[0]
			fs.noded[0] = nil
			fs.noded = fs.noded[1:]
			old.queued.Store(false)
		}
		fs.mu.Unlock()
		if old == nil || old.dropNode() {
			return
		}
		in = old
	}
}

// A nodeRef is a gofer's node that is clunked when nobody uses it any more: its
// number could be another inode's then.
type nodeRef struct {
	node *client.Node
	refs atomic.Int32
}

func (n *nodeRef) release() {
	if n.refs.Add(-1) == 0 {
		n.node.Clunk()
	}
}
