package mqueue

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/ipc"
	"cordon/sentry/vfs"
)

var errImage = errors.New("a message queue that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("mqueue.Users", saveUsers, loadUsers),
		checkpoint.Object("mqueue.FS", saveFS, loadFS),
		checkpoint.Object("mqueue.dir", saveDir, loadDir),
		checkpoint.Object("mqueue.Queue", saveQueue, loadQueue),
	}
}

// UsersImage is a Users in a checkpoint: queues count themselves.
type UsersImage struct{}

func saveUsers(*checkpoint.Saver, *Users) UsersImage { return UsersImage{} }

func loadUsers(*checkpoint.Loader, *Users, UsersImage) error { return nil }

// NameImage is a name in a checkpoint.
type NameImage struct {
	Name   string
	Number int64
	Queue  checkpoint.Ref
}

// FSImage is an FS in a checkpoint.
type FSImage struct {
	NS, VFS, Users, Root, Own checkpoint.Ref
	Dev                       uint64
	Ended                     bool
	Names                     []NameImage // by number
	Last                      int64
	LastIno                   uint64
}

func saveFS(s *checkpoint.Saver, fs *FS) FSImage {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	im := FSImage{
		NS: s.Ref(fs.ns), VFS: s.Ref(fs.vfs), Users: s.Ref(fs.users), Root: s.Ref(fs.root), Own: s.Ref(fs.own), Dev: fs.dev,
		Ended: fs.ended, Last: fs.last, LastIno: fs.lastIno,
	}
	for _, n := range slices.Sorted(maps.Keys(fs.order)) {
		name := fs.order[n]
		im.Names = append(im.Names, NameImage{name, n, s.Ref(fs.names[name])})
	}
	return im
}

func loadFS(l *checkpoint.Loader, fs *FS, im FSImage) error {
	ns, err1 := checkpoint.Get[*ipc.Namespace](l, im.NS)
	v, err2 := checkpoint.Get[*vfs.VFS](l, im.VFS)
	users, err3 := checkpoint.Get[*Users](l, im.Users)
	root, err4 := checkpoint.Get[*dir](l, im.Root)
	own, err5 := checkpoint.Get[*vfs.MountNamespace](l, im.Own)
	if err := cmp.Or(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	if ns == nil || v == nil || users == nil || root == nil {
		return errImage
	}
	fs.ns, fs.vfs, fs.users, fs.root, fs.own = ns, v, users, root, own
	fs.dev, fs.ended, fs.last, fs.lastIno = im.Dev, im.Ended, im.Last, im.LastIno
	fs.names, fs.order = map[string]*Queue{}, map[int64]string{}
	for _, n := range im.Names {
		q, err := checkpoint.Get[*Queue](l, n.Queue)
		if err != nil || q == nil || fs.names[n.Name] != nil || fs.order[n.Number] != "" || n.Name == "" {
			return cmp.Or(err, errImage)
		}
		q.number = n.Number
		fs.names[n.Name], fs.order[n.Number] = q, n.Name
	}
	return nil
}

// AttrsImage is what the directory and a queue have alike in a checkpoint.
type AttrsImage struct {
	FS                  checkpoint.Ref
	Ino                 uint64
	State               vfs.StateImage
	Mode                linux.FileMode
	UID, GID            uint32
	ATime, MTime, CTime int64
}

func (a *attrs) imageLocked(s *checkpoint.Saver) AttrsImage {
	return AttrsImage{
		FS: s.Ref(a.fs), Ino: a.ino, State: a.state.Image(s), Mode: a.mode, UID: a.uid, GID: a.gid,
		ATime: a.atime, MTime: a.mtime, CTime: a.ctime,
	}
}

func (a *attrs) restore(l *checkpoint.Loader, im *AttrsImage, kind linux.FileMode) (err error) {
	if a.fs, err = checkpoint.Get[*FS](l, im.FS); err != nil || a.fs == nil || im.Mode.Type() != kind {
		return cmp.Or(err, errImage)
	}
	a.ino, a.mode, a.uid, a.gid = im.Ino, im.Mode, im.UID, im.GID
	a.atime, a.mtime, a.ctime = im.ATime, im.MTime, im.CTime
	return a.state.Restore(l, &im.State)
}

// DirImage is the directory in a checkpoint.
type DirImage struct{ Attrs AttrsImage }

func saveDir(s *checkpoint.Saver, d *dir) DirImage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return DirImage{d.imageLocked(s)}
}

func loadDir(l *checkpoint.Loader, d *dir, im DirImage) error {
	return d.restore(l, &im.Attrs, linux.S_IFDIR)
}

// MessageImage is a message in a checkpoint.
type MessageImage struct {
	Priority uint32
	Data     []byte
}

// TellImage is who is to be told in a checkpoint.
type TellImage struct {
	To     checkpoint.Ref // 0: nobody
	Execs  uint32
	Kind   linux.SigevNotify
	Signo  linux.Signal
	Value  uint64
	Socket checkpoint.Ref
	Cookie []byte
}

// QueueImage is a Queue in a checkpoint.
type QueueImage struct {
	Attrs       AttrsImage
	User        uint32
	Bytes       uint64
	Max, Each   uint64
	Size        uint64
	Named, Gone bool
	Messages    []MessageImage // as they are to be received
	Told        TellImage
}

func saveQueue(s *checkpoint.Saver, q *Queue) QueueImage {
	q.mu.Lock()
	defer q.mu.Unlock()
	im := QueueImage{
		Attrs: q.imageLocked(s), User: q.user, Bytes: q.bytes, Max: q.max, Each: q.each, Size: q.size, Named: q.named, Gone: q.gone,
	}
	for _, l := range slices.Backward(q.levels) {
		for _, m := range l.messages {
			im.Messages = append(im.Messages, MessageImage{l.priority, m})
		}
	}
	if r := q.told; r != nil {
		im.Told = TellImage{
			To: s.Ref(r.to), Execs: r.execs, Kind: r.Kind, Signo: r.Signo, Value: r.Value, Socket: s.Ref(r.Socket), Cookie: r.Cookie[:],
		}
	}
	return im
}

func loadQueue(l *checkpoint.Loader, q *Queue, im QueueImage) error {
	if err := q.restore(l, &im.Attrs, linux.S_IFREG); err != nil {
		return err
	}
	if im.Max > linux.HARD_MSGMAX || im.Each > linux.HARD_MSGSIZEMAX || uint64(len(im.Messages)) > im.Max {
		return errImage
	}
	q.user, q.bytes, q.max, q.each, q.size, q.named, q.gone = im.User, im.Bytes, im.Max, im.Each, im.Size, im.Named, im.Gone
	for _, m := range im.Messages {
		if m.Priority >= linux.MQ_PRIO_MAX || uint64(len(m.Data)) > im.Each {
			return errImage
		}
		q.putLocked(Message{m.Data, m.Priority})
	}
	if t := &im.Told; t.To != 0 {
		to, err1 := checkpoint.Get[Process](l, t.To)
		socket, err2 := checkpoint.Get[CookieSocket](l, t.Socket)
		if err := cmp.Or(err1, err2); err != nil {
			return err
		}
		if to == nil || t.Kind == linux.SIGEV_THREAD && socket == nil || t.Signo < 0 || t.Signo > linux.NSIG {
			return errImage
		}
		q.told = &registration{Notice{Kind: t.Kind, Signo: t.Signo, Value: t.Value, Socket: socket}, to, t.Execs}
		copy(q.told.Cookie[:], t.Cookie)
	}
	l.AfterLoad(func() error {
		if !q.gone {
			q.fs.users.again(q.user, q.bytes)
			q.fs.queues++
		}
		return nil
	})
	return nil
}
