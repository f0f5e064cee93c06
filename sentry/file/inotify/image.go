package inotify

import (
	"cmp"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/vfs"
)

// A WatchInfo is a watch, for /proc/pid/fdinfo and checkpoints.
type WatchInfo struct {
	WD   int32
	Path vfs.Path // not counted
	Mask linux.InotifyEvents
}

// Watches returns the watches in order of their descriptors.
func (in *Instance) Watches() []WatchInfo {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []WatchInfo
	for wd, w := range in.watches {
		list = append(list, WatchInfo{wd, w.path, w.mask})
	}
	slices.SortFunc(list, func(a, b WatchInfo) int { return cmp.Compare(a.WD, b.WD) })
	return list
}

// EventImage is an unread event in a checkpoint.
type EventImage struct {
	WD     int32
	Mask   linux.InotifyEvents
	Cookie uint32
	Name   string
}

// Image is an Instance in a checkpoint; Watches come beside it.
type Image struct {
	LastWD int32
	Events []EventImage
}

// Image returns in's image.
func (in *Instance) Image() Image {
	in.mu.Lock()
	defer in.mu.Unlock()
	im := Image{LastWD: in.lastWD}
	for _, e := range in.events {
		im.Events = append(im.Events, EventImage{e.wd, e.mask, e.cookie, e.name})
	}
	return im
}

// Restore makes an Instance of its image and watches.
func Restore(s *Shared, im *Image, watches []WatchInfo) (*Instance, error) {
	in, err := New(s)
	if err != nil {
		return nil, err
	}
	for _, w := range watches {
		in.mu.Lock()
		in.lastWD = w.WD - 1
		in.mu.Unlock()
		if _, err := in.AddWatch(w.Path, w.Mask); err != nil {
			in.Release()
			return nil, err
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.lastWD = im.LastWD
	for _, e := range im.Events[:min(len(im.Events), MaxQueuedEvents+1)] {
		ev := event{e.WD, e.Mask, e.Cookie, e.Name}
		in.events = append(in.events, ev)
		in.bytes += ev.size()
	}
	return in, nil
}
