package hostfd

import (
	"errors"

	"cordon/checkpoint"
	"cordon/sentry/file/tty"
	"cordon/sentry/vfs"
)

// SlotNotifier is the *Notifier of a restored sandbox. Descriptors are slots
// (int) of their own names.
const SlotNotifier = "notifier"

// SavedInode is an Inode in a checkpoint.
type SavedInode struct {
	Notifier string
	Groups   checkpoint.Ref
	State    vfs.StateImage
	Inode    Image
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("hostfd.Inode", saveInode, loadInode)}
}

func saveInode(s *checkpoint.Saver, i *Inode) SavedInode {
	im := SavedInode{Notifier: s.Slot(SlotNotifier), Groups: s.Ref(i.job.Groups()), State: i.state.Image(s), Inode: i.Image()}
	s.Slot(im.Inode.Slot)
	return im
}

func loadInode(l *checkpoint.Loader, i *Inode, im SavedInode) error {
	nv, _ := l.Slot(im.Notifier)
	n, ok1 := nv.(*Notifier)
	fv, _ := l.Slot(im.Inode.Slot)
	fd, ok2 := fv.(int)
	if !ok1 || !ok2 {
		return errors.New("the descriptor " + im.Inode.Slot + " was not supplied")
	}
	groups, err := checkpoint.Get[tty.Groups](l, im.Groups)
	if err != nil {
		return err
	}
	if e := i.fill(n, groups, fd, im.Inode.Slot); e != 0 {
		return e
	}
	i.Restore(im.Inode)
	return i.state.Restore(l, &im.State)
}

// Reopened implements vfs.Reopened.
func (f *open) Reopened() {}
