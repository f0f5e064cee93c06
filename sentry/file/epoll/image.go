package epoll

import (
	"cmp"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// An Item is an entry of the interest list, for /proc/pid/fdinfo and
// checkpoints.
type Item struct {
	FD     linux.FD
	File   *vfs.Description // not counted: may have gone
	Events linux.EpollEvents
	Data   [2]uint32
	Ready  bool
}

// Items returns the interest list in order of descriptors.
func (in *Instance) Items() []Item {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []Item
	for k, it := range in.items {
		in.readyMu.Lock()
		ready := it.onList
		in.readyMu.Unlock()
		list = append(list, Item{
			FD: k.fd, File: k.d, Events: linux.EpollEvents(it.events.Load()), Data: it.data, Ready: ready,
		})
	}
	slices.SortFunc(list, func(a, b Item) int { return cmp.Compare(a.FD, b.FD) })
	return list
}

// Watches reports whether d is the file watched under fd, the one after skip others of
// the same number. ENOENT: there is none.
func (in *Instance) Watches(fd linux.FD, skip int, d *vfs.Description) (bool, error) {
	for _, it := range in.Items() {
		if it.FD != fd {
			continue
		}
		if skip == 0 {
			return it.File == d, nil
		}
		skip--
	}
	return false, linux.ENOENT
}

// RestoreItem puts an entry back once its file has been restored.
func (in *Instance) RestoreItem(i Item) error {
	poller, ok := i.File.File().(vfs.Poller)
	if !ok {
		return linux.EINVAL
	}
	var refs held
	defer in.drop(&refs)
	in.mu.Lock()
	defer in.mu.Unlock()
	k := key{i.FD, i.File}
	if in.items[k] != nil {
		return linux.EINVAL
	}
	if err := in.addLocked(k, poller, i.Events, i.Data, &refs); err != nil {
		return err
	}
	it := in.items[k]
	if i.Events&^private == 0 {
		it.events.Store(uint32(i.Events)) // spent (EPOLLONESHOT): stays so
	}
	if i.Ready {
		it.notified(nil, 0)
	}
	return nil
}
