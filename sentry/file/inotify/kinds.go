package inotify

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// SlotShared is a func() *Shared: what the restored instances share.
const SlotShared = "inotify"

// SavedWatch is a watch in a checkpoint.
type SavedWatch struct {
	WD   int32
	Path vfs.PathImage
	Mask linux.InotifyEvents
}

// SavedInstance is an Instance in a checkpoint.
type SavedInstance struct {
	Shared  string
	Queue   Image
	Watches []SavedWatch
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("inotify.Instance", saveInstance, loadInstance)}
}

func saveInstance(s *checkpoint.Saver, in *Instance) SavedInstance {
	im := SavedInstance{Shared: s.Slot(SlotShared), Queue: in.Image()}
	for _, w := range in.Watches() {
		im.Watches = append(im.Watches, SavedWatch{w.WD, w.Path.Image(s), w.Mask})
	}
	return im
}

func loadInstance(l *checkpoint.Loader, in *Instance, im SavedInstance) error {
	v, _ := l.Slot(im.Shared)
	shared, ok := v.(func() *Shared)
	if !ok || len(im.Queue.Events) > MaxQueuedEvents+1 {
		return linux.EINVAL
	}
	in.watches, in.byInode = make(map[int32]*watch), make(map[*vfs.InodeState]*watch)
	for _, e := range im.Queue.Events {
		ev := event{e.WD, e.Mask, e.Cookie, e.Name}
		in.events = append(in.events, ev)
		in.bytes += ev.size()
	}
	vfs.AfterFiles(l, func() error {
		in.shared = shared()
		in.shared.instances.Add(1)
		for _, w := range im.Watches {
			p, err := vfs.RestorePath(l, w.Path)
			if err != nil || !p.Valid() {
				return linux.EINVAL
			}
			in.lastWD = w.WD - 1
			if _, err := in.AddWatch(p, w.Mask); err != nil {
				return err
			}
		}
		in.lastWD = im.Queue.LastWD
		return nil
	})
	return nil
}
