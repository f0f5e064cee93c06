package epoll

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// SlotShared is a func() *Shared: what the restored instances share.
const SlotShared = "epoll"

// SavedItem is an Item in a checkpoint.
type SavedItem struct {
	FD     linux.FD
	File   checkpoint.Ref
	Events linux.EpollEvents
	Data   [2]uint32
}

// SavedInstance is an Instance in a checkpoint. Items that are ready are so in
// the order in which they became it.
type SavedInstance struct {
	Shared string
	Items  []SavedItem
	Ready  []int // indices of Items
}

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{checkpoint.Object("epoll.Instance", saveInstance, loadInstance)}
}

func saveInstance(s *checkpoint.Saver, in *Instance) SavedInstance {
	im := SavedInstance{Shared: s.Slot(SlotShared)}
	index := make(map[key]int)
	for _, i := range in.Items() {
		if i.File.References() == 0 {
			continue // closed, and not cleared away yet
		}
		index[key{i.FD, i.File}] = len(im.Items)
		im.Items = append(im.Items, SavedItem{i.FD, s.Ref(i.File), i.Events, i.Data})
	}
	in.readyMu.Lock()
	defer in.readyMu.Unlock()
	for it := in.first; it != nil; it = it.next {
		if i, ok := index[it.key]; ok {
			im.Ready = append(im.Ready, i)
		}
	}
	return im
}

func loadInstance(l *checkpoint.Loader, in *Instance, im SavedInstance) error {
	v, _ := l.Slot(im.Shared)
	shared, ok := v.(func() *Shared)
	if !ok {
		return linux.EINVAL
	}
	in.items, in.cleanAt = make(map[key]*item), 32
	vfs.AfterFiles(l, func() error {
		in.shared = shared()
		items := make([]Item, len(im.Items))
		for i, it := range im.Items {
			d, err := checkpoint.Get[*vfs.Description](l, it.File)
			if err != nil || d == nil {
				return linux.EINVAL
			}
			items[i] = Item{FD: it.FD, File: d, Events: it.Events, Data: it.Data}
			if err := in.RestoreItem(items[i]); err != nil {
				return err
			}
		}
		return in.restoreReady(items, im.Ready)
	})
	return nil
}

// restoreReady makes the ready list what it was: restoring an item puts it there
// if its file is ready, though an edge may have been taken already.
func (in *Instance) restoreReady(items []Item, ready []int) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.readyMu.Lock()
	for in.first != nil {
		it := in.first
		in.first = it.next
		it.next, it.prev, it.onList = nil, nil, false
	}
	in.last, in.ready = nil, 0
	in.readyMu.Unlock()
	for _, i := range ready {
		if i < 0 || i >= len(items) {
			return linux.EINVAL
		}
		in.items[key{items[i].FD, items[i].File}].notified(nil, 0)
	}
	return nil
}
