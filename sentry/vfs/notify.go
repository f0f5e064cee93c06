package vfs

import (
	"slices"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// A Watch is somebody's interest in an inode (inotify).
type Watch interface {
	// Event is called with no lock held but the directory's whose names
	// change. name is what changed in a watched directory, "" for the inode
	// itself; the directory bit is set in events. unlinked says that name's
	// file has no name any more (for IN_EXCL_UNLINK).
	Event(events linux.InotifyEvents, cookie uint32, name string, unlinked bool)
}

// watchList is the watches of one inode. The slice is replaced, not changed.
type watchList struct {
	mu   lock.Mutex[lock.Inode]
	list atomic.Pointer[[]Watch]
}

// AddWatch has w told of what happens to what p names, and to the names in it.
func AddWatch(p Path, w Watch) {
	l := &p.Dentry.State().extended().watches
	l.mu.Lock()
	defer l.mu.Unlock()
	var old []Watch
	if q := l.list.Load(); q != nil {
		old = *q
	}
	now := append(slices.Clip(old), w)
	l.list.Store(&now)
	p.Mount.vfs.watches.Add(1)
}

// RemoveWatch undoes an AddWatch. Events that have begun may still arrive.
func RemoveWatch(p Path, w Watch) {
	l := &p.Dentry.State().extended().watches
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.list.Load()
	if q == nil {
		return
	}
	i := slices.Index(*q, w)
	if i < 0 {
		return
	}
	now := slices.Delete(slices.Clone(*q), i, i+1)
	l.list.Store(&now)
	p.Mount.vfs.watches.Add(-1)
}

// notify tells the watches of s.
func (s *InodeState) notify(events linux.InotifyEvents, cookie uint32, name string, unlinked bool) {
	e := s.ext.Load()
	if e == nil {
		return
	}
	if q := e.watches.list.Load(); q != nil {
		for _, w := range *q {
			w.Event(events, cookie, name, unlinked)
		}
	}
}

// Modified tells the watches of an inode that the kernel itself has changed its
// contents, or, of a directory, those of the file called name (Linux:
// fs/kernfs/file.c kernfs_notify). It takes no lock before Inotify's.
func (s *InodeState) Modified(name string) { s.notify(linux.IN_MODIFY, 0, name, false) }

// event tells the watches of d and of the directory it is in.
func (d *Dentry) event(events linux.InotifyEvents) {
	if d.sb.vfs.watches.Load() == 0 {
		return
	}
	if d.IsDir() {
		events |= linux.IN_ISDIR
	}
	pl := d.place.Load()
	if pl.parent != d {
		pl.parent.State().notify(events, 0, pl.name, pl.deleted)
	}
	d.State().notify(events, 0, "", pl.deleted)
}

func (p Path) event(events linux.InotifyEvents) {
	if p.Dentry != nil && p.Dentry.anon == "" {
		p.Dentry.event(events)
	}
}

// childEvent tells the watches of directory d that name changed.
func (d *Dentry) childEvent(events linux.InotifyEvents, name string, child *Dentry) {
	if d.sb.vfs.watches.Load() == 0 {
		return
	}
	if child.IsDir() {
		events |= linux.IN_ISDIR
	}
	d.State().notify(events, 0, name, false)
}

// deletedEvent tells of a removed name: as in Linux, first the inode's watches.
func (d *Dentry) deletedEvent(name string, gone *Dentry) {
	if d.sb.vfs.watches.Load() == 0 {
		return
	}
	if !gone.IsDir() {
		gone.State().notify(linux.IN_ATTRIB, 0, "", false)
	}
	gone.unnamedEvent()
	d.childEvent(linux.IN_DELETE, name, gone)
}

// replacedEvent tells of an inode that has lost its name to another one.
func (d *Dentry) replacedEvent() {
	if d.sb.vfs.watches.Load() == 0 {
		return
	}
	events := linux.IN_ATTRIB
	if d.IsDir() {
		events |= linux.IN_ISDIR
	}
	d.State().notify(events, 0, "", false)
	d.unnamedEvent()
}

// unnamedEvent tells of the end of an inode that has no name any more, now or
// when its last holder lets it go.
func (d *Dentry) unnamedEvent() {
	if a, err := d.inode.Attr(); err == nil && a.Nlink > 0 && !d.IsDir() {
		return
	}
	s := d.State()
	if e := s.ext.Load(); e != nil {
		e.unnamed.Store(true)
		if !s.Held() {
			s.endedEvent()
		}
	}
}

// endedEvent tells of the end of an inode that nobody holds, if it has no name.
func (s *InodeState) endedEvent() {
	if e := s.ext.Load(); e != nil && e.unnamed.CompareAndSwap(true, false) {
		s.notify(linux.IN_DELETE_SELF, 0, "", true)
	}
}

// movedEvent tells of a rename.
func movedEvent(from, to *Dentry, oldName, newName string, moved *Dentry) {
	v := from.sb.vfs
	if v.watches.Load() == 0 {
		return
	}
	var dir linux.InotifyEvents
	if moved.IsDir() {
		dir = linux.IN_ISDIR
	}
	cookie := v.cookies.Add(1)
	from.State().notify(linux.IN_MOVED_FROM|dir, cookie, oldName, false)
	to.State().notify(linux.IN_MOVED_TO|dir, cookie, newName, false)
	moved.State().notify(linux.IN_MOVE_SELF, 0, "", false)
}

// unmounted tells the watches on m's root that it is shown no more. Linux tells
// those of a whole file system when its last mount goes.
func (m *Mount) unmounted() {
	if m.vfs.watches.Load() != 0 && m.root != nil {
		m.root.State().notify(linux.IN_UNMOUNT, 0, "", false)
	}
}
