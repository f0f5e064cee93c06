package ipc

import (
	"cmp"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/cred"
	"cordon/sentry/memmap"
)

// slotMemory is the restored memory file: segments claim their pages.
const slotMemory = "memory"

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("ipc.Namespace", saveNamespace, loadNamespace),
		checkpoint.Object("ipc.Segment", saveSegment, loadSegment),
		checkpoint.Object("ipc.Undo", saveUndo, loadUndo),
	}
}

// SavedNamespace is a Namespace in a checkpoint: its segments are objects of
// their own, because address spaces map them.
type SavedNamespace struct {
	Memory   string
	Segments []checkpoint.Ref
	Rest     Image
	Refs     int64
	UID, GID uint32
	User     checkpoint.Ref
	Posix    checkpoint.Ref
}

func saveNamespace(s *checkpoint.Saver, ns *Namespace) SavedNamespace {
	im := SavedNamespace{
		Memory: s.Slot(slotMemory), Rest: ns.Image(func(u *Undo) checkpoint.Ref { return s.Ref(u) }), Refs: ns.refs.Load(),
		UID: ns.uid, GID: ns.gid, User: s.Ref(ns.user), Posix: s.Ref(ns.posix),
	}
	im.Rest.Segments = nil
	for _, g := range ns.Shm.All() {
		im.Segments = append(im.Segments, s.Ref(g))
	}
	return im
}

func memoryOf(l *checkpoint.Loader) (*memfile.File, bool) {
	v, _ := l.Slot(slotMemory)
	f, ok := v.(*memfile.File)
	return f, ok
}

func loadNamespace(l *checkpoint.Loader, ns *Namespace, im SavedNamespace) error {
	f, ok := memoryOf(l)
	if !ok {
		return linux.EINVAL
	}
	ns.setUp(MemoryFile{memmap.Memory{File: f}})
	segments, err := checkpoint.GetAll[*Segment](l, im.Segments)
	user, err2 := checkpoint.Get[*cred.UserNamespace](l, im.User)
	posix, err3 := checkpoint.Get[Posix](l, im.Posix)
	if err := cmp.Or(err, err2, err3); err != nil {
		return err
	}
	ns.refs.Store(im.Refs)
	ns.uid, ns.gid, ns.user, ns.posix = im.UID, im.GID, user, posix
	l.AfterLoad(func() error {
		for _, g := range segments {
			if g == nil || g.ns != ns {
				return linux.EINVAL
			}
			ns.Shm.restore(g)
		}
		// Last: it says where numbers go on.
		return ns.fill(&im.Rest, func(r checkpoint.Ref) (*Undo, error) { return checkpoint.Get[*Undo](l, r) })
	})
	return nil
}

// SavedSegment is a Segment in a checkpoint.
type SavedSegment struct {
	NS      checkpoint.Ref
	Segment SegmentImage
	Now     int64
}

func saveSegment(s *checkpoint.Saver, g *Segment) SavedSegment {
	st := g.Stat()
	st.Nattch = 0 // counted again
	return SavedSegment{s.Ref(g.ns), SegmentImage{
		ID: g.id, Stat: st, Pages: g.pages,
		Locked: st.Perm.Mode&linux.SHM_LOCKED != 0, Dest: st.Perm.Mode&linux.SHM_DEST != 0, Maker: g.Maker(),
	}, g.now.Load()}
}

func loadSegment(l *checkpoint.Loader, g *Segment, im SavedSegment) error {
	ns, err := checkpoint.Get[*Namespace](l, im.NS)
	f, ok := memoryOf(l)
	if err != nil || ns == nil || !ok {
		return cmp.Or(err, error(linux.EINVAL))
	}
	g.now.Store(im.Now)
	if err := g.fill(ns, &im.Segment); err != nil {
		return err
	}
	if f.Claim(memfile.Range(g.pages), memfile.Shared) != 0 {
		return linux.EINVAL
	}
	return nil
}

// SavedUndo is an Undo in a checkpoint: its adjustments are with the sets.
type SavedUndo struct{ Refs int }

func saveUndo(_ *checkpoint.Saver, u *Undo) SavedUndo {
	u.mu.Lock()
	defer u.mu.Unlock()
	return SavedUndo{u.refs}
}

func loadUndo(_ *checkpoint.Loader, u *Undo, im SavedUndo) error {
	if im.Refs < 1 {
		return linux.EINVAL
	}
	u.refs = im.Refs
	return nil
}
