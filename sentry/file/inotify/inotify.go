// Package inotify is queues of file system events (inotify(7)).
//
// # Objects
//
// An Instance is the queue and the file at once. A watch is its interest in one
// inode, known by a watch descriptor; the VFS tells it of events. Shared counts
// the instances of a sandbox.
//
// # Locking
//
// mu (rank Inotify) is a leaf: events come with a directory's lock held. The
// VFS's lists of watches are changed without it.
//
// # Lifetimes
//
// A watch keeps its inode's dentry, not the mount. It ends by inotify_rm_watch,
// when its inode is deleted or unmounted, after one event with IN_ONESHOT, or
// with its instance.
//
// # Checkpoint
//
// Saved: watches and events that nobody has read.
//
// # Differences
//
// Limits are per sandbox, not per user.
package inotify

import (
	"encoding/binary"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/file/tty"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// Limits, as in /proc/sys/fs/inotify.
const (
	MaxQueuedEvents  = 16384
	MaxUserInstances = 1024
	MaxUserWatches   = 65536
)

// Shared is what the instances of a sandbox share. The zero value is ready.
type Shared struct {
	// atomic
	instances, watches atomic.Int64
}

// An event is one struct inotify_event.
type event struct {
	wd     int32
	mask   linux.InotifyEvents
	cookie uint32
	name   string
}

// headSize is the size of struct inotify_event without the name, and what the
// name is padded to.
const headSize = 16

func (e *event) size() int {
	if e.name == "" {
		return headSize
	}
	return headSize + (len(e.name)+headSize)/headSize*headSize
}

// An Instance is an inotify file.
type Instance struct {
	// immutable
	shared *Shared

	queue wait.Queue

	mu lock.Mutex[lock.Inotify]
	// guarded by mu
	lastWD  int32
	watches map[int32]*watch
	byInode map[*vfs.InodeState]*watch
	events  []event
	bytes   int // of the events, as read(2) gives them
}

// A watch is an instance's interest in an inode.
type watch struct {
	// immutable
	in   *Instance
	wd   int32
	path vfs.Path
	key  *vfs.InodeState

	// guarded by in.mu
	mask linux.InotifyEvents // with IN_ONESHOT and IN_EXCL_UNLINK
	gone bool
}

var (
	_ vfs.Reader  = (*Instance)(nil)
	_ vfs.Poller  = (*Instance)(nil)
	_ vfs.Ioctler = (*Instance)(nil)
	_ vfs.Watch   = (*watch)(nil)
)

// New returns an instance without watches, or EMFILE.
func New(s *Shared) (*Instance, error) {
	if s.instances.Add(1) > MaxUserInstances {
		s.instances.Add(-1)
		return nil, linux.EMFILE
	}
	return &Instance{shared: s, watches: make(map[int32]*watch), byInode: make(map[*vfs.InodeState]*watch)}, nil
}

// events that a watch can ask for, and what it can say beside.
const (
	watchable = linux.IN_ALL_EVENTS
	keptFlags = linux.IN_ONESHOT | linux.IN_EXCL_UNLINK
	known     = watchable | keptFlags | linux.IN_ONLYDIR | linux.IN_DONT_FOLLOW | linux.IN_MASK_ADD |
		linux.IN_MASK_CREATE | linux.IN_ISDIR | linux.IN_UNMOUNT | linux.IN_Q_OVERFLOW | linux.IN_IGNORED
)

// CheckMask is what inotify_add_watch(2) refuses before it looks at the path.
func CheckMask(mask linux.InotifyEvents) error {
	const both = linux.IN_MASK_ADD | linux.IN_MASK_CREATE
	if mask&known == 0 || mask&both == both {
		return linux.EINVAL
	}
	return nil
}

// AddWatch watches what p names, or changes the watch that is there already.
// The caller has checked the mask and that it may read p.
func (in *Instance) AddWatch(p vfs.Path, mask linux.InotifyEvents) (wd int32, err error) {
	key := p.Dentry.State()
	in.mu.Lock()
	if w := in.byInode[key]; w != nil {
		defer in.mu.Unlock()
		if mask&linux.IN_MASK_CREATE != 0 {
			return 0, linux.EEXIST
		}
		if mask&linux.IN_MASK_ADD == 0 {
			w.mask = 0
		}
		w.mask |= mask & (watchable | keptFlags)
		return w.wd, nil
	}
	if in.shared.watches.Add(1) > MaxUserWatches {
		in.shared.watches.Add(-1)
		in.mu.Unlock()
		return 0, linux.ENOSPC
	}
	in.lastWD++
	w := &watch{in: in, wd: in.lastWD, path: p, key: key, mask: mask & (watchable | keptFlags)}
	in.watches[w.wd], in.byInode[key] = w, w
	in.mu.Unlock()
	vfs.AddWatch(p, w)
	return w.wd, nil
}

// RemoveWatch is inotify_rm_watch(2).
func (in *Instance) RemoveWatch(wd int32) error {
	in.mu.Lock()
	w := in.watches[wd]
	if w == nil {
		in.mu.Unlock()
		return linux.EINVAL
	}
	in.endLocked(w)
	in.mu.Unlock()
	w.detach()
	in.queue.Notify(wait.In | wait.RdNorm)
	return nil
}

// endLocked forgets w and says so. detach must follow, without the lock.
func (in *Instance) endLocked(w *watch) {
	w.gone = true
	delete(in.watches, w.wd)
	delete(in.byInode, w.key)
	in.shared.watches.Add(-1)
	in.putLocked(event{wd: w.wd, mask: linux.IN_IGNORED})
}

func (w *watch) detach() { vfs.RemoveWatch(w.path, w) }

// Event implements vfs.Watch.
func (w *watch) Event(events linux.InotifyEvents, cookie uint32, name string, unlinked bool) {
	in := w.in
	in.mu.Lock()
	if w.gone || w.mask&linux.IN_EXCL_UNLINK != 0 && unlinked && name != "" {
		in.mu.Unlock()
		return
	}
	const always = linux.IN_UNMOUNT
	hit := events & (w.mask&watchable | always)
	if hit != 0 {
		in.putLocked(event{wd: w.wd, mask: hit | events&linux.IN_ISDIR, cookie: cookie, name: name})
	}
	// A deleted directory's last event is not marked as one, as in Linux.
	last := hit != 0 && w.mask&linux.IN_ONESHOT != 0 || name == "" && events&(linux.IN_DELETE_SELF|linux.IN_UNMOUNT) != 0
	if last {
		in.endLocked(w)
	}
	in.mu.Unlock()
	if last {
		w.detach()
	}
	if hit != 0 || last {
		in.queue.Notify(wait.In | wait.RdNorm)
	}
}

// putLocked queues an event unless it repeats the last one.
func (in *Instance) putLocked(e event) {
	in.mu.AssertHeld()
	if n := len(in.events); n > 0 {
		last := &in.events[n-1]
		if last.mask&linux.IN_IGNORED == 0 && last.wd == e.wd && last.mask == e.mask && last.name == e.name {
			return
		}
		if n >= MaxQueuedEvents {
			if last.mask&linux.IN_Q_OVERFLOW != 0 {
				return
			}
			e = event{wd: -1, mask: linux.IN_Q_OVERFLOW}
		}
	}
	in.events = append(in.events, e)
	in.bytes += e.size()
}

// Release implements vfs.File.
func (in *Instance) Release() {
	in.mu.Lock()
	var all []*watch
	for _, w := range in.watches {
		w.gone = true
		all = append(all, w)
	}
	clear(in.watches)
	clear(in.byInode)
	in.events = nil
	in.mu.Unlock()
	in.shared.watches.Add(-int64(len(all)))
	for _, w := range all {
		w.detach()
	}
	in.shared.instances.Add(-1)
}

// Read implements vfs.Reader: whole events, as many as fit.
func (in *Instance) Read(dst *usermem.Seq) (int, error) {
	done := 0
	for {
		e, err := in.take(dst.Len())
		if err != nil {
			if done > 0 {
				return done, nil
			}
			return 0, err
		}
		n, err := dst.CopyOut(e.encode())
		done += n
		if err != nil {
			if done == n { // nothing whole
				return 0, err
			}
			return done, nil
		}
	}
}

// take removes the first event if room has space for it: EINVAL if not.
func (in *Instance) take(room uint64) (event, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.events) == 0 {
		return event{}, linux.EAGAIN
	}
	e := in.events[0]
	if uint64(e.size()) > room {
		return event{}, linux.EINVAL
	}
	in.events[0] = event{}
	in.events = in.events[1:]
	in.bytes -= e.size()
	return e, nil
}

func (e *event) encode() []byte {
	b := make([]byte, e.size())
	le := binary.LittleEndian
	le.PutUint32(b[0:], uint32(e.wd))
	le.PutUint32(b[4:], uint32(e.mask))
	le.PutUint32(b[8:], e.cookie)
	le.PutUint32(b[12:], uint32(len(b)-headSize))
	copy(b[headSize:], e.name)
	return b
}

// Readiness implements vfs.Poller.
func (in *Instance) Readiness(mask wait.Events) wait.Events {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.events) > 0 {
		return mask & (wait.In | wait.RdNorm)
	}
	return 0
}

// Queue implements vfs.Poller.
func (in *Instance) Queue() *wait.Queue { return &in.queue }

// Ioctl implements vfs.Ioctler.
func (in *Instance) Ioctl(_ *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	if linux.IoctlCmd(req) != linux.FIONREAD {
		return 0, linux.ENOTTY
	}
	in.mu.Lock()
	n := in.bytes
	in.mu.Unlock()
	return 0, tty.PutInt(mem, arg, int32(n))
}
