package vfs

import (
	"math"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/wait"
)

// A fileLock is one lock on a range of a file. Record locks of a table
// (fcntl(2)) belong to an FDTable, OFD locks and flock(2)'s to a Description.
type fileLock struct {
	owner      any // *FDTable or *Description
	pid        int32
	write      bool
	start, end int64 // [start, end), end is MaxInt64 for "to the end"
}

func (l *fileLock) overlaps(m *fileLock) bool { return l.start < m.end && m.start < l.end }

func (l *fileLock) conflicts(m *fileLock) bool {
	return l.owner != m.owner && (l.write || m.write) && l.overlaps(m)
}

// lockTable is the locks of one inode: record and OFD locks, sorted by start
// for each owner, and flock's, which do not know of each other.
type lockTable struct {
	mu lock.Mutex[lock.FileLocks]
	// guarded by mu
	records []fileLock
	flocks  []fileLock
	spare   []fileLock // room for the next records

	queue wait.Queue // notified (In) when a lock goes
}

// lockWaits is who waits for whose record locks, to find deadlocks.
type lockWaits struct {
	mu lock.Mutex[lock.LockWaits]
	// guarded by mu
	waits map[any]any // *FDTable waits for *FDTable
}

// A LockRequest is a record lock as fcntl(2) asks for it, its range resolved.
type LockRequest struct {
	Type       linux.LockType
	Start, End int64
	PID        int32
	OFD        bool
}

// LockRange resolves fl's range against the description.
func (d *Description) LockRange(fl *linux.Flock) (LockRequest, error) {
	r := LockRequest{Type: fl.Type}
	base := int64(0)
	switch linux.Whence(fl.Whence) {
	case linux.SEEK_SET:
	case linux.SEEK_CUR:
		base = d.Offset()
	case linux.SEEK_END:
		a, err := d.Inode().Attr()
		if err != nil {
			return r, err
		}
		base = int64(a.Size)
	default:
		return r, linux.EINVAL
	}
	if fl.Start > math.MaxInt64-base {
		return r, linux.EOVERFLOW
	}
	r.Start = base + fl.Start
	if r.Start < 0 {
		return r, linux.EINVAL
	}
	switch {
	case fl.Len > 0:
		if fl.Len-1 > math.MaxInt64-r.Start {
			return r, linux.EOVERFLOW
		}
		r.End = r.Start + fl.Len
		if r.End < 0 {
			r.End = math.MaxInt64
		}
	case fl.Len < 0:
		if r.Start+fl.Len < 0 {
			return r, linux.EINVAL
		}
		r.Start, r.End = r.Start+fl.Len, r.Start
	default:
		r.End = math.MaxInt64
	}
	return r, nil
}

func (d *Description) locksOf() *lockTable { return &d.path.Dentry.State().extended().locks }

func (r *LockRequest) lock(t *FDTable, d *Description) fileLock {
	l := fileLock{owner: t, pid: r.PID, write: r.Type == linux.F_WRLCK, start: r.Start, end: r.End}
	if r.OFD {
		l.owner, l.pid = d, -1
	}
	return l
}

// GetLock is F_GETLK and F_OFD_GETLK: the lock that would refuse r, with type
// F_UNLCK if there is none.
func (d *Description) GetLock(t *FDTable, r LockRequest) LockRequest {
	want := r.lock(t, d)
	tab := d.locksOf()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for i := range tab.records {
		if l := &tab.records[i]; l.conflicts(&want) {
			ty := linux.F_RDLCK
			if l.write {
				ty = linux.F_WRLCK
			}
			return LockRequest{Type: ty, Start: l.start, End: l.end, PID: l.pid}
		}
	}
	r.Type = linux.F_UNLCK
	return r
}

// SetLock is F_SETLK and F_OFD_SETLK: EAGAIN if another's lock is in the way.
// To wait (F_SETLKW), register with LockQueue, call SetLockWaiting until it
// returns something else, then EndLockWait.
func (d *Description) SetLock(t *FDTable, r LockRequest) error {
	_, err := d.setLock(t, r)
	return err
}

// setLock returns, with EAGAIN, whose lock is in the way.
func (d *Description) setLock(t *FDTable, r LockRequest) (any, error) {
	switch {
	case d.PathOnly():
		return nil, linux.EBADF
	case r.Type == linux.F_RDLCK && !d.Readable(), r.Type == linux.F_WRLCK && !d.Writable():
		return nil, linux.EBADF
	case r.Type < linux.F_RDLCK || r.Type > linux.F_UNLCK:
		return nil, linux.EINVAL
	}
	want := r.lock(t, d)
	tab := d.locksOf()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if r.Type != linux.F_UNLCK {
		for i := range tab.records {
			if l := &tab.records[i]; l.conflicts(&want) {
				return l.owner, linux.EAGAIN
			}
		}
		if len(tab.records) >= MaxLocks {
			return nil, linux.ENOLCK
		}
		if r.OFD {
			d.locks.Store(true)
		}
	}
	tab.replaceLocked(want, r.Type == linux.F_UNLCK)
	tab.queue.Notify(wait.In)
	return nil, nil
}

// replaceLocked makes want the owner's lock in its range, or no lock if unlock.
// Neighbours of one kind are joined.
func (tab *lockTable) replaceLocked(want fileLock, unlock bool) {
	out := tab.spare[:0]
	for _, l := range tab.records {
		if l.owner != want.owner || l.end < want.start || want.end < l.start {
			out = insertLock(out, l)
			continue
		}
		if !unlock && l.write == want.write { // touches or overlaps: one lock
			want.start, want.end = min(want.start, l.start), max(want.end, l.end)
			continue
		}
		if l.start < want.start {
			left := l
			left.end = min(l.end, want.start)
			out = insertLock(out, left)
		}
		if l.end > want.end {
			right := l
			right.start = max(l.start, want.end)
			out = insertLock(out, right)
		}
	}
	if !unlock {
		out = insertLock(out, want)
	}
	clear(tab.records)
	tab.records, tab.spare = out, tab.records
}

// insertLock adds l to locks sorted by start, after those that start where it
// does. It mostly belongs at the end.
func insertLock(ls []fileLock, l fileLock) []fileLock {
	i := len(ls)
	for i > 0 && ls[i-1].start > l.start {
		i--
	}
	return slices.Insert(ls, i, l)
}

// LockQueue is notified (In) when a lock on the file goes.
func (d *Description) LockQueue() *wait.Queue { return &d.locksOf().queue }

// SetLockWaiting is SetLock for a caller that sleeps on EAGAIN: it records
// whom it waits for and returns EDEADLK where that would never end.
func (d *Description) SetLockWaiting(t *FDTable, r LockRequest) error {
	holder, err := d.setLock(t, r)
	if err != error(linux.EAGAIN) || r.OFD {
		return err
	}
	w := &d.path.Mount.vfs.waits
	w.mu.Lock()
	defer w.mu.Unlock()
	for o, n := holder, 0; o != nil && n < 1000; o, n = w.waits[o], n+1 {
		if o == any(t) {
			delete(w.waits, any(t))
			return linux.EDEADLK
		}
	}
	if w.waits == nil {
		w.waits = make(map[any]any)
	}
	w.waits[t] = holder
	return err
}

// EndLockWait ends t's wait for a lock, however it ended.
func (d *Description) EndLockWait(t *FDTable) {
	w := &d.path.Mount.vfs.waits
	w.mu.Lock()
	delete(w.waits, any(t))
	w.mu.Unlock()
}

// Flock is flock(2) without waiting: EAGAIN if another's lock is in the way
// (wait on LockQueue).
func (d *Description) Flock(op linux.FlockOp, pid int32) error {
	if d.PathOnly() {
		return linux.EBADF
	}
	const mandatory = 32 // LOCK_MAND: accepted and without effect since Linux 5.18
	if op&mandatory != 0 {
		return nil
	}
	op &^= linux.LOCK_NB
	if op != linux.LOCK_SH && op != linux.LOCK_EX && op != linux.LOCK_UN {
		return linux.EINVAL
	}
	tab := d.locksOf()
	tab.mu.Lock()
	defer tab.mu.Unlock()
	want := fileLock{owner: d, pid: pid, write: op == linux.LOCK_EX, end: math.MaxInt64}
	mine := slices.IndexFunc(tab.flocks, func(l fileLock) bool { return l.owner == any(d) })
	if mine >= 0 {
		if op != linux.LOCK_UN && tab.flocks[mine].write == want.write {
			return nil
		}
		// A conversion is not atomic: the old lock goes first.
		tab.flocks = slices.Delete(tab.flocks, mine, mine+1)
		tab.queue.Notify(wait.In)
	}
	if op == linux.LOCK_UN {
		return nil
	}
	for i := range tab.flocks {
		if tab.flocks[i].conflicts(&want) {
			return linux.EAGAIN
		}
	}
	d.locks.Store(true)
	tab.flocks = append(tab.flocks, want)
	return nil
}

// dropPosix removes the record locks of table t on the file (close(2) of any
// descriptor does).
func (d *Description) dropPosix(t *FDTable) { d.dropLocks(t) }

// releaseLocks removes the description's own locks.
func (d *Description) releaseLocks() { d.dropLocks(d) }

func (d *Description) dropLocks(owner any) {
	e := d.path.Dentry.State().ext.Load()
	if e == nil {
		return
	}
	tab := &e.locks
	tab.mu.Lock()
	defer tab.mu.Unlock()
	n := len(tab.records) + len(tab.flocks)
	of := func(l fileLock) bool { return l.owner == owner }
	tab.records = slices.DeleteFunc(tab.records, of)
	tab.flocks = slices.DeleteFunc(tab.flocks, of)
	if len(tab.records)+len(tab.flocks) < n {
		tab.queue.Notify(wait.In)
	}
}

// A LockInfo is one line of /proc/locks.
type LockInfo struct {
	Kind       string // POSIX, OFDLCK, FLOCK
	Write      bool
	PID        int32
	Start, End int64
}

// Locks lists the locks on the file.
func (d *Description) Locks() []LockInfo {
	e := d.path.Dentry.State().ext.Load()
	if e == nil {
		return nil
	}
	e.locks.mu.Lock()
	defer e.locks.mu.Unlock()
	var out []LockInfo
	for _, l := range e.locks.records {
		kind := "POSIX"
		if _, ofd := l.owner.(*Description); ofd {
			kind = "OFDLCK"
		}
		out = append(out, LockInfo{kind, l.write, l.pid, l.start, l.end})
	}
	for _, l := range e.locks.flocks {
		out = append(out, LockInfo{"FLOCK", l.write, l.pid, l.start, l.end})
	}
	return out
}
