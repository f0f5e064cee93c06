package devpts

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/ktime"
	"cordon/sentry/vfs"
)

var errImage = errors.New("terminals that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("devpts.FileSystem", saveFS, loadFS),
		checkpoint.Object("devpts.node", saveNode, loadNode),
		checkpoint.Object("devpts.pair", savePair, loadPair),
		checkpoint.Object("devpts.Master", saveMaster, loadMaster),
		checkpoint.Object("devpts.Slave", saveSlave, loadSlave),
	}
}

// FSImage is a FileSystem in a checkpoint.
type FSImage struct {
	VFS, Groups    checkpoint.Ref
	Clock          string
	Mode, PtmxMode linux.FileMode
	GID            uint32
	HasGID         bool
	Max            uint32
	Device         uint64
	Root, Ptmx     checkpoint.Ref
	Pairs, Slaves  []checkpoint.Ref // by index
}

func saveFS(s *checkpoint.Saver, f *FileSystem) FSImage {
	o := &f.options
	im := FSImage{
		VFS: s.Ref(o.VFS), Groups: s.Ref(o.Groups), Clock: s.Slot(vfs.SlotClocks), Mode: o.Mode, PtmxMode: o.PtmxMode,
		GID: o.GID, HasGID: o.HasGID, Max: o.Max, Device: f.device, Root: s.Ref(f.root), Ptmx: s.Ref(f.ptmx),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, i := range slices.Sorted(maps.Keys(f.pairs)) {
		im.Pairs = append(im.Pairs, s.Ref(f.pairs[i]))
		im.Slaves = append(im.Slaves, s.Ref(f.slaves[i]))
	}
	return im
}

func loadFS(l *checkpoint.Loader, f *FileSystem, im FSImage) error {
	v, err1 := checkpoint.Get[*vfs.VFS](l, im.VFS)
	groups, err2 := checkpoint.Get[tty.Groups](l, im.Groups)
	root, err3 := checkpoint.Get[*node](l, im.Root)
	ptmx, err4 := checkpoint.Get[*node](l, im.Ptmx)
	pairs, err5 := checkpoint.GetAll[*pair](l, im.Pairs)
	slaves, err6 := checkpoint.GetAll[*node](l, im.Slaves)
	c, _ := l.Slot(im.Clock)
	clocks, ok := c.(*ktime.Clocks)
	if err := cmp.Or(err1, err2, err3, err4, err5, err6); err != nil || !ok || v == nil || root == nil || ptmx == nil || len(pairs) != len(slaves) {
		return cmp.Or(err, errImage)
	}
	f.options = Options{
		VFS: v, Clock: clocks.Monotonic, Groups: groups, Mode: im.Mode, GID: im.GID, HasGID: im.HasGID, PtmxMode: im.PtmxMode,
		Max: min(im.Max, MaxTerminals),
	}
	f.device, f.root, f.ptmx = im.Device, root, ptmx
	f.pairs, f.slaves = make(map[uint32]*pair), make(map[uint32]*node)
	l.AfterLoad(func() error {
		for i, p := range pairs {
			if p == nil || slaves[i] == nil || f.pairs[p.index] != nil || p.fs != f {
				return errImage
			}
			f.pairs[p.index], f.slaves[p.index] = p, slaves[i]
		}
		return nil
	})
	return nil
}

// NodeImage is a node in a checkpoint.
type NodeImage struct {
	FS, Pair  checkpoint.Ref
	Ino, Rdev uint64
	State     vfs.StateImage
	Mode      uint32
	UID, GID  uint32
	Times     [3]int64
}

func saveNode(s *checkpoint.Saver, n *node) NodeImage {
	im := NodeImage{
		FS: s.Ref(n.fs), Pair: s.Ref(n.pair), Ino: n.ino, Rdev: n.rdev, State: n.state.Image(s), Mode: n.mode.Load(),
		UID: n.uid.Load(), GID: n.gid.Load(),
	}
	for i := range n.times {
		im.Times[i] = n.times[i].Load()
	}
	return im
}

func loadNode(l *checkpoint.Loader, n *node, im NodeImage) (err error) {
	if n.fs, err = checkpoint.Get[*FileSystem](l, im.FS); err != nil || n.fs == nil {
		return errImage
	}
	if n.pair, err = checkpoint.Get[*pair](l, im.Pair); err != nil {
		return err
	}
	n.ino, n.rdev = im.Ino, im.Rdev
	n.mode.Store(im.Mode)
	n.uid.Store(im.UID)
	n.gid.Store(im.GID)
	for i := range n.times {
		n.times[i].Store(im.Times[i])
	}
	return n.state.Restore(l, &im.State)
}

// Saved implements vfs.Alias.
func (d directory) Saved() any { return d.node }

// Loaded implements vfs.Aliased.
func (n *node) Loaded() any {
	if linux.FileMode(n.mode.Load()).IsDir() {
		return directory{n}
	}
	return n
}

// SavedPair is a pair with its file system in a checkpoint.
type SavedPair struct {
	FS   checkpoint.Ref
	Pair PairImage
}

func savePair(s *checkpoint.Saver, p *pair) SavedPair { return SavedPair{s.Ref(p.fs), p.image()} }

func loadPair(l *checkpoint.Loader, p *pair, im SavedPair) error {
	fs, err := checkpoint.Get[*FileSystem](l, im.FS)
	c, _ := l.Slot(vfs.SlotClocks)
	clocks, ok := c.(*ktime.Clocks)
	if err != nil || fs == nil || !ok || !im.Pair.possible() {
		return cmp.Or(err, errImage)
	}
	p.fs, p.index = fs, im.Pair.Index
	p.timer = ktime.NewTimer(clocks.Monotonic, func() { p.slaveQueue.Notify(readable) })
	// The file system knows its groups when it is filled.
	l.AfterLoad(func() error {
		p.job.Init(p, fs.options.Groups)
		p.job.Restore(im.Pair.Session, im.Pair.Foreground)
		return nil
	})
	p.fill(&im.Pair)
	return nil
}

// MasterImage is a Master in a checkpoint.
type MasterImage struct{ Pair checkpoint.Ref }

func saveMaster(s *checkpoint.Saver, m *Master) MasterImage { return MasterImage{s.Ref(m.pair)} }

func loadMaster(l *checkpoint.Loader, m *Master, im MasterImage) (err error) {
	if m.pair, err = checkpoint.Get[*pair](l, im.Pair); err == nil && m.pair == nil {
		err = errImage
	}
	return err
}

// SavedSlave is a Slave with its pair in a checkpoint.
type SavedSlave struct {
	Pair    checkpoint.Ref
	Slave   SlaveImage
	EmptyAt int64
}

func saveSlave(s *checkpoint.Saver, k *Slave) SavedSlave {
	return SavedSlave{s.Ref(k.pair), k.Image(), k.emptyAt.Load()}
}

func loadSlave(l *checkpoint.Loader, k *Slave, im SavedSlave) (err error) {
	if k.pair, err = checkpoint.Get[*pair](l, im.Pair); err != nil || k.pair == nil {
		return errImage
	}
	k.emptyAt.Store(im.EmptyAt)
	// The pair knows how often it was hung up when it is filled.
	l.AfterLoad(func() error { k.fill(im.Slave); return nil })
	return nil
}

// Reopened implements vfs.Reopened.
func (listing) Reopened() {}
