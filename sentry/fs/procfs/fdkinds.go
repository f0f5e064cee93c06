package procfs

import (
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/file/epoll"
	"cordon/sentry/file/eventfd"
	"cordon/sentry/file/inotify"
	"cordon/sentry/file/signalfd"
	"cordon/sentry/file/timerfd"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// An FDInfoer is a vfs.File that has lines of its own in /proc/pid/fdinfo/N,
// each with its newline.
type FDInfoer interface {
	FDInfo() string
}

// appendKind writes what kinds of files add to fdinfo.
func (fs *FileSystem) appendKind(b []byte, f vfs.File) []byte {
	switch f := f.(type) {
	case FDInfoer:
		return append(b, f.FDInfo()...)
	case *eventfd.Event:
		n, semaphore := f.Count()
		on := 0
		if semaphore {
			on = 1
		}
		return fmt.Appendf(b, "eventfd-count: %16x\neventfd-semaphore: %d\n", n, on)
	case *timerfd.Timer:
		id, ticks, flags, spec := f.Info()
		return fmt.Appendf(b, "clockid: %d\nticks: %d\nsettime flags: 0%o\nit_value: (%d, %d)\nit_interval: (%d, %d)\n",
			id, ticks, uint32(flags), spec.Value.Sec, spec.Value.Nsec, spec.Interval.Sec, spec.Interval.Nsec)
	case *signalfd.File:
		return fmt.Appendf(b, "sigmask:\t%016x\n", uint64(f.Mask()))
	case *epoll.Instance:
		return appendEpoll(b, f)
	case *inotify.Instance:
		for _, w := range f.Watches() {
			dev, ino := identityOf(w.Path)
			b = fmt.Appendf(b, "inotify wd:%x ino:%x sdev:%x mask:%x ignored_mask:0\n", w.WD, ino, dev, uint32(w.Mask))
		}
		return b
	case *task.PidFD:
		g := f.Group()
		if g.Exited() {
			return append(b, "Pid:\t-1\nNSpid:\t-1\n"...)
		}
		return fmt.Appendf(b, "Pid:\t%d\nNSpid:%s\n", fs.shown(g.ID()), fs.levels(g, g.ID()))
	}
	return b
}

func appendEpoll(b []byte, in *epoll.Instance) []byte {
	for _, i := range in.Items() {
		if !i.File.TryIncRef() {
			continue
		}
		dev, ino := identityOf(i.File.Path())
		events := i.Events | linux.EPOLLERR | linux.EPOLLHUP
		b = fmt.Appendf(b, "tfd: %8d events: %8x data: %16x  pos:%d ino:%x sdev:%x\n",
			i.FD, uint32(events), uint64(i.Data[1])<<32|uint64(i.Data[0]), i.File.Offset(), ino, dev)
		i.File.DecRef()
	}
	return b
}

// identityOf returns the device, as the kernel keeps it, and the inode of p.
func identityOf(p vfs.Path) (dev, ino uint64) {
	a, err := p.Inode().Attr()
	if err != nil {
		return 0, 0
	}
	d := p.Dentry.FileSystem().Device()
	return uint64(linux.DevMajor(d))<<20 | uint64(linux.DevMinor(d)), a.Ino
}
