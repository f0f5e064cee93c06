package ipc

import (
	"cmp"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/memmap"
)

// SegmentImage is a Segment in a checkpoint. Its pages are in the memory file's
// image; attachments are counted again as mappings are restored.
type SegmentImage struct {
	ID     int32
	Stat   linux.ShmidDS
	Pages  memmap.Range
	Locked bool
	Dest   bool
	Maker  int32
}

// SetImage is a SemSet in a checkpoint.
type SetImage struct {
	ID     int32
	Stat   linux.SemidDS
	Values []int32
	PIDs   []int32
	// Undos are by whom, the oldest first, and Adjust is each one's.
	Undos  []checkpoint.Ref
	Adjust [][]int16
}

// QueueImage is a MsgQueue in a checkpoint.
type QueueImage struct {
	ID    int32
	Stat  linux.MsqidDS
	Kinds []int64
	Data  [][]byte
}

// TableImage is where identifiers go on.
type TableImage struct{ Next, Seq int32 }

// Image is a Namespace in a checkpoint.
type Image struct {
	Segments      []SegmentImage
	Sets          []SetImage
	Queues        []QueueImage
	Shm, Sem, Msg TableImage
	RmidForced    bool
	Limits        []uint64
}

// Image returns ns's image. ref names an Undo.
func (ns *Namespace) Image(ref func(*Undo) checkpoint.Ref) Image {
	im := Image{Shm: ns.Shm.image(), Sem: ns.Sem.image(), Msg: ns.Msg.image(), RmidForced: ns.rmidForced.Load(), Limits: ns.limits.image()}
	for _, s := range ns.Shm.All() {
		st := s.Stat()
		im.Segments = append(im.Segments, SegmentImage{
			ID: s.id, Stat: st, Pages: s.pages,
			Locked: st.Perm.Mode&linux.SHM_LOCKED != 0, Dest: st.Perm.Mode&linux.SHM_DEST != 0, Maker: s.Maker(),
		})
	}
	for _, s := range ns.Sem.All() {
		i := SetImage{ID: s.id, Stat: s.Stat()}
		s.mu.Lock()
		for _, sem := range s.sems {
			i.Values, i.PIDs = append(i.Values, sem.value), append(i.PIDs, sem.pid)
		}
		for _, u := range s.undosLocked() {
			i.Undos, i.Adjust = append(i.Undos, ref(u)), append(i.Adjust, slices.Clone(s.undos[u].by))
		}
		s.mu.Unlock()
		im.Sets = append(im.Sets, i)
	}
	for _, q := range ns.Msg.All() {
		i := QueueImage{ID: q.id, Stat: q.Stat()}
		q.mu.Lock()
		for _, m := range q.messages {
			i.Kinds, i.Data = append(i.Kinds, m.kind), append(i.Data, m.data)
		}
		q.mu.Unlock()
		im.Queues = append(im.Queues, i)
	}
	return im
}

func (t *table[T]) image() TableImage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TableImage{t.next, t.seq}
}

// Restore makes a Namespace of its image; EINVAL if none can be so. undo finds
// an Undo by its name.
func Restore(m Memory, im *Image, undo func(checkpoint.Ref) (*Undo, error)) (*Namespace, error) {
	ns := New(m)
	for i := range im.Segments {
		s := &Segment{}
		if err := s.fill(ns, &im.Segments[i]); err != nil {
			return nil, err
		}
		ns.Shm.restore(s)
	}
	if err := ns.fill(im, undo); err != nil {
		return nil, err
	}
	return ns, nil
}

// fill makes s what im says.
func (s *Segment) fill(ns *Namespace, i *SegmentImage) error {
	if i.ID < 0 || i.Pages.End < i.Pages.Start || i.Pages.Len()%linux.PageSize != 0 || i.Stat.Segsz > i.Pages.Len() {
		return linux.EINVAL
	}
	s.ns, s.size, s.pages, s.dest, s.locked, s.maker = ns, i.Stat.Segsz, i.Pages, i.Dest, i.Locked, i.Maker
	s.atime, s.dtime, s.cpid, s.lpid = i.Stat.Atime, i.Stat.Dtime, i.Stat.CPID, i.Stat.LPID
	s.restorePerm(i.ID, &i.Stat.Perm, i.Stat.Ctime)
	return nil
}

// fill gives ns what im says beside the segments.
func (ns *Namespace) fill(im *Image, undo func(checkpoint.Ref) (*Undo, error)) error {
	ns.restoreLimits(im.Limits)
	for _, i := range im.Sets {
		s := &SemSet{ns: ns}
		if err := s.fill(&i, undo); err != nil {
			return err
		}
		ns.Sem.restore(s)
	}
	for _, i := range im.Queues {
		if i.ID < 0 || len(i.Kinds) != len(i.Data) {
			return linux.EINVAL
		}
		q := &MsgQueue{
			ns: ns, limit: min(i.Stat.Qbytes, maxQueueBytes), stime: i.Stat.Stime, rtime: i.Stat.Rtime,
			lspid: i.Stat.LSPID, lrpid: i.Stat.LRPID,
		}
		for k, kind := range i.Kinds {
			q.messages = append(q.messages, message{kind, i.Data[k]})
			q.bytes += uint64(len(i.Data[k]))
		}
		q.restorePerm(i.ID, &i.Stat.Perm, i.Stat.Ctime)
		ns.Msg.restore(q)
	}
	ns.rmidForced.Store(im.RmidForced)
	ns.made.Store(true)
	ns.Shm.next, ns.Shm.seq = im.Shm.Next, im.Shm.Seq
	ns.Sem.next, ns.Sem.seq = im.Sem.Next, im.Sem.Seq
	ns.Msg.next, ns.Msg.seq = im.Msg.Next, im.Msg.Seq
	return nil
}

func (s *SemSet) fill(i *SetImage, undo func(checkpoint.Ref) (*Undo, error)) error {
	n := len(i.Values)
	if i.ID < 0 || n == 0 || n > linux.SEMMSL || n != len(i.PIDs) || len(i.Undos) != len(i.Adjust) {
		return linux.EINVAL
	}
	s.otime = i.Stat.Otime
	for k, v := range i.Values {
		s.sems = append(s.sems, semaphore{min(max(v, 0), linux.SEMVMX), i.PIDs[k]})
	}
	s.restorePerm(i.ID, &i.Stat.Perm, i.Stat.Ctime)
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, r := range i.Undos {
		u, err := undo(r)
		if err != nil || u == nil || s.undos[u] != nil || len(i.Adjust[k]) != n {
			return cmp.Or(err, error(linux.EINVAL))
		}
		copy(s.adjustmentsLocked(u), i.Adjust[k])
	}
	return nil
}

func (p *perm) restorePerm(id int32, im *linux.IPCPerm, ctime int64) {
	p.id, p.key, p.ctime = id, im.Key, ctime
	p.uid, p.gid, p.cuid, p.cgid = im.UID, im.GID, im.CUID, im.CGID
	p.mode = linux.FileMode(im.Mode) & 0o777
}

func (t *table[T]) restore(o T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.putLocked(o)
}
