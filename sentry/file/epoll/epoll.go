package epoll

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
	"cordon/sentry/wait"
)

// MaxWatches bounds the items of a sandbox (Linux: fs.epoll.max_user_watches).
const MaxWatches = 1 << 20

// Shared is what the instances of a sandbox share. The zero value is ready.
type Shared struct {
	// atomic
	watches atomic.Int64

	// nesting is held while an instance begins to watch another.
	nesting lock.Mutex[lock.EpollNesting]
}

// private are the input flags that are no events.
const private = linux.EPOLLET | linux.EPOLLONESHOT | linux.EPOLLEXCLUSIVE | linux.EPOLLWAKEUP

// An Instance is an epoll file.
type Instance struct {
	// immutable
	shared *Shared

	queue wait.Queue

	mu lock.Mutex[lock.Epoll]
	// guarded by mu
	items   map[key]*item
	cleanAt int // size of items at which the dead are looked for

	// atomic: there are watchers
	nested atomic.Bool

	readyMu lock.Mutex[lock.EpollReady]
	// guarded by readyMu
	first, last *item
	ready       int
	watchers    map[*Instance]int // instances that watch this one
}

// held is references to descriptions, to be dropped when no lock is held: most
// often few.
type held struct {
	n    int
	few  [8]*vfs.Description
	many []*vfs.Description
}

func (h *held) add(d *vfs.Description) {
	if h.n < len(h.few) {
		h.few[h.n] = d
		h.n++
		return
	}
	h.many = append(h.many, d)
}

func (h *held) drop() {
	for _, d := range h.few[:h.n] {
		d.DecRef()
	}
	for _, d := range h.many {
		d.DecRef()
	}
}

type key struct {
	fd linux.FD
	d  *vfs.Description
}

// An item is one watched file.
type item struct {
	// immutable
	in     *Instance
	key    key
	poller vfs.Poller
	entry  wait.Entry // its mask and being queued are guarded by in.mu

	// guarded by in.mu
	data [2]uint32

	// atomic
	events atomic.Uint32 // linux.EpollEvents; no events but private: disabled

	// guarded by in.readyMu
	onList     bool
	next, prev *item
}

var (
	_ vfs.Poller  = (*Instance)(nil)
	_ vfs.Ioctler = (*Instance)(nil)
)

// New returns an instance that watches nothing.
func New(s *Shared) *Instance {
	return &Instance{shared: s, items: make(map[key]*item), cleanAt: 32}
}

// Control is epoll_ctl(2) on fd, which means d. ev is nil for EPOLL_CTL_DEL.
// wakeup says that the caller has CAP_BLOCK_SUSPEND.
func (in *Instance) Control(op linux.EpollOp, fd linux.FD, d *vfs.Description, ev *linux.EpollEvent, wakeup bool) error {
	poller, ok := d.File().(vfs.Poller)
	if !ok {
		return linux.EPERM
	}
	other, nested := d.File().(*Instance)
	if other == in {
		return linux.EINVAL
	}
	var events linux.EpollEvents
	var data [2]uint32
	if op != linux.EPOLL_CTL_DEL {
		events, data = ev.Events, ev.Data
		if !wakeup {
			events &^= linux.EPOLLWAKEUP
		}
	}
	if events&linux.EPOLLEXCLUSIVE != 0 {
		const allowed = linux.EPOLLIN | linux.EPOLLOUT | linux.EPOLLERR | linux.EPOLLHUP |
			linux.EPOLLWAKEUP | linux.EPOLLET | linux.EPOLLEXCLUSIVE
		if op == linux.EPOLL_CTL_MOD || nested || events&^allowed != 0 {
			return linux.EINVAL
		}
	}
	if op == linux.EPOLL_CTL_ADD && nested {
		in.shared.nesting.Lock()
		defer in.shared.nesting.Unlock()
		if in.loops(other) {
			return linux.ELOOP
		}
	}
	return in.change(op, key{fd, d}, poller, events, data)
}

func (in *Instance) change(op linux.EpollOp, k key, poller vfs.Poller, events linux.EpollEvents, data [2]uint32) error {
	var refs held
	defer in.drop(&refs)
	in.mu.Lock()
	defer in.mu.Unlock()
	it := in.items[k]
	switch op {
	case linux.EPOLL_CTL_ADD:
		if it != nil {
			return linux.EEXIST
		}
		return in.addLocked(k, poller, events, data, &refs)
	case linux.EPOLL_CTL_MOD:
		if it == nil {
			return linux.ENOENT
		}
		if linux.EpollEvents(it.events.Load())&linux.EPOLLEXCLUSIVE != 0 {
			return linux.EINVAL
		}
		q := it.poller.Queue()
		q.Remove(&it.entry)
		it.data = data
		it.armLocked(events)
		return nil
	case linux.EPOLL_CTL_DEL:
		if it == nil {
			return linux.ENOENT
		}
		in.removeLocked(it)
		return nil
	}
	return linux.EINVAL
}

func (in *Instance) addLocked(k key, poller vfs.Poller, events linux.EpollEvents, data [2]uint32, refs *held) error {
	if in.shared.watches.Add(1) > MaxWatches {
		in.shared.watches.Add(-1)
		return linux.ENOSPC
	}
	if len(in.items) >= in.cleanAt {
		in.cleanLocked(refs)
	}
	it := &item{in: in, key: k, poller: poller, data: data}
	it.entry.Callback = it.notified
	it.entry.Exclusive = events&linux.EPOLLEXCLUSIVE != 0
	in.items[k] = it
	if o, ok := poller.(*Instance); ok {
		o.watchedBy(in, 1)
	}
	it.armLocked(events)
	return nil
}

// armLocked begins to wait for events, and makes the item ready if some hold.
func (it *item) armLocked(events linux.EpollEvents) {
	it.events.Store(uint32(events | linux.EPOLLERR | linux.EPOLLHUP))
	it.entry.Mask = wait.Events(events&^private) | wait.Always
	it.poller.Queue().Add(&it.entry)
	if it.pollLocked() != 0 {
		it.notified(nil, 0)
	}
}

// pollLocked asks the file what holds of what the item waits for.
func (it *item) pollLocked() linux.EpollEvents {
	want := wait.Events(linux.EpollEvents(it.events.Load()) &^ private)
	if want == 0 {
		return 0
	}
	return linux.EpollEvents(it.poller.Readiness(want) & want)
}

// notified puts the item on the ready list: the entry's callback.
func (it *item) notified(*wait.Entry, wait.Events) {
	if linux.EpollEvents(it.events.Load())&^private == 0 {
		return
	}
	if it.in.push(it) {
		it.in.queue.Notify(wait.In | wait.RdNorm)
	}
}

func (in *Instance) removeLocked(it *item) {
	it.poller.Queue().Remove(&it.entry)
	it.events.Store(0)
	in.readyMu.Lock()
	if it.onList {
		in.takeLocked(it)
	}
	in.readyMu.Unlock()
	delete(in.items, it.key)
	if o, ok := it.poller.(*Instance); ok {
		o.watchedBy(in, -1)
	}
	in.shared.watches.Add(-1)
}

// cleanLocked drops the items of descriptions that have gone.
func (in *Instance) cleanLocked(refs *held) {
	for k, it := range in.items {
		if k.d.TryIncRef() {
			refs.add(k.d)
		} else {
			in.removeLocked(it)
		}
	}
	in.cleanAt = max(32, 2*len(in.items))
}

// drop drops references that were taken under mu, after it: the last one may
// close a file. Where another instance's mu may be held, that has to happen
// elsewhere.
func (in *Instance) drop(refs *held) {
	if refs.n == 0 {
		return
	}
	if in.nested.Load() {
		h := *refs
		go h.drop()
		return
	}
	refs.drop()
}

// Collect fills dst with events that hold now and returns how many. It does not
// wait: whoever does sleeps on Queue.
func (in *Instance) Collect(dst []linux.EpollEvent) int {
	turns := in.Ready()
	if turns == 0 {
		return 0
	}
	var refs held
	in.mu.Lock()
	n := 0
	for ; turns > 0 && n < len(dst); turns-- {
		it := in.pop()
		if it == nil {
			break
		}
		got := in.checkLocked(it, &refs)
		if got == 0 {
			continue
		}
		dst[n] = linux.EpollEvent{Events: got, Data: it.data}
		n++
		switch ev := linux.EpollEvents(it.events.Load()); {
		case ev&linux.EPOLLONESHOT != 0:
			it.events.Store(uint32(ev & private))
		case ev&linux.EPOLLET == 0:
			in.push(it)
		}
	}
	in.mu.Unlock()
	in.drop(&refs)
	return n
}

// checkLocked polls an item while its description lives, and drops it if it has
// gone.
func (in *Instance) checkLocked(it *item, refs *held) linux.EpollEvents {
	if !it.key.d.TryIncRef() {
		in.removeLocked(it)
		return 0
	}
	refs.add(it.key.d)
	return it.pollLocked()
}

// Ready is how many files are on the list of those that may be ready.
func (in *Instance) Ready() int {
	in.readyMu.Lock()
	n := in.ready
	in.readyMu.Unlock()
	return n
}

// push appends an item to the ready list; false if it is there already.
func (in *Instance) push(it *item) bool {
	in.readyMu.Lock()
	if it.onList {
		in.readyMu.Unlock()
		return false
	}
	it.onList = true
	it.prev, it.next = in.last, nil
	if in.last != nil {
		in.last.next = it
	} else {
		in.first = it
	}
	in.last = it
	in.ready++
	in.readyMu.Unlock()
	return true
}

func (in *Instance) pop() *item {
	in.readyMu.Lock()
	it := in.first
	if it != nil {
		in.takeLocked(it)
	}
	in.readyMu.Unlock()
	return it
}

// takeLocked takes an item off the ready list, under readyMu.
func (in *Instance) takeLocked(it *item) {
	in.readyMu.AssertHeld()
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		in.first = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		in.last = it.prev
	}
	it.next, it.prev, it.onList = nil, nil, false
	in.ready--
}

// Readiness implements vfs.Poller: an instance is readable while Collect would
// find something. Items that are not ready after all leave the list.
func (in *Instance) Readiness(mask wait.Events) wait.Events {
	if mask&(wait.In|wait.RdNorm) == 0 || in.Ready() == 0 {
		return 0
	}
	var refs held
	defer in.drop(&refs)
	in.mu.LockNested()
	defer in.mu.Unlock()
	for turns := in.Ready(); turns > 0; turns-- {
		it := in.pop()
		if it == nil {
			break
		}
		if in.checkLocked(it, &refs) != 0 {
			in.push(it)
			return mask & (wait.In | wait.RdNorm)
		}
	}
	return 0
}

// Queue implements vfs.Poller.
func (in *Instance) Queue() *wait.Queue { return &in.queue }

// SeekTo implements vfs.Seeker: there is nothing to seek in (Linux: noop_llseek).
func (*Instance) SeekTo(_ int64, _ int, current int64) (int64, error) { return current, nil }

// Release implements vfs.File.
func (in *Instance) Release() {
	in.mu.LockNested()
	defer in.mu.Unlock()
	for _, it := range in.items {
		in.removeLocked(it)
	}
}

// Ioctl implements vfs.Ioctler.
func (in *Instance) Ioctl(_ *vfs.Caller, _ usermem.Space, req uint32, _ uint64) (uintptr, error) {
	switch linux.IoctlCmd(req) {
	case linux.EPIOCSPARAMS, linux.EPIOCGPARAMS:
		return 0, linux.EOPNOTSUPP
	}
	return 0, linux.EINVAL
}
