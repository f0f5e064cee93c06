package ipc

import (
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
	"cordon/sentry/cred"
)

// maxObjects bounds each table (Linux: IPCMNI); an identifier is
// sequence*maxObjects + index.
const (
	maxObjects = 32768
	maxSeq     = 65535
)

// A Caller is on whose behalf a call is made.
type Caller struct {
	Cred *cred.Credentials
	PID  int32
	// Maker is the thread as the whole sandbox numbers it: its end may be that of what it has made.
	Maker int32
	// Now is the wall time in seconds.
	Now int64
	// User is the user namespace that owns the caller's IPC namespace; nil: the first.
	User *cred.UserNamespace
}

func (c *Caller) capable(p linux.Capability) bool {
	if c.User == nil {
		return c.Cred.HasRoot(p)
	}
	return c.Cred.HasIn(p, c.User)
}

// A Namespace is an IPC namespace.
type Namespace struct {
	// immutable
	memory   Memory
	uid, gid uint32              // of who made it
	user     *cred.UserNamespace // that owns it; nil: the first
	posix    Posix               // nil: no POSIX message queues
	host     *Host               // where System V objects are instead; nil: here

	limits limits

	Shm table[*Segment]
	Sem table[*SemSet]
	Msg table[*MsgQueue]

	// atomic
	refs       atomic.Int64
	rmidForced atomic.Bool // kernel.shm_rmid_forced
	made       atomic.Bool // a segment, at any time
}

// New returns an empty namespace whose segments live in m, with one reference.
func New(m Memory) *Namespace {
	ns := &Namespace{}
	ns.setUp(m)
	ns.refs.Store(1)
	return ns
}

func (ns *Namespace) setUp(m Memory) {
	ns.memory = m
	ns.limits.reset()
	ns.Shm.limit = func() uint64 { return ns.Limit(ShmMNI) }
	ns.Sem.limit = func() uint64 { return ns.Limit(SemMNI) }
	ns.Msg.limit = func() uint64 { return ns.Limit(MsgMNI) }
}

// object is what a table knows of its entries.
type object interface {
	head() *perm
}

// perm is the identity and permissions of an object.
type perm struct {
	// immutable
	id         int32
	cuid, cgid uint32

	mu lock.Mutex[lock.IPC]
	// guarded by mu
	key      int32
	uid, gid uint32
	mode     linux.FileMode // permission bits
	ctime    int64
	removed  bool
}

func (p *perm) head() *perm { return p }

// checkLocked is permission to do what the bits of want say, in any of the
// three places (Linux: ipcperms).
func (p *perm) checkLocked(c *Caller, want linux.FileMode) error {
	want = (want>>6 | want>>3 | want) & 7
	granted := p.mode
	switch {
	case c.Cred.EUID == p.cuid || c.Cred.EUID == p.uid:
		granted >>= 6
	case inGroup(c.Cred, p.cgid) || inGroup(c.Cred, p.gid):
		granted >>= 3
	}
	if want&^granted != 0 && !c.capable(linux.CAP_IPC_OWNER) {
		return linux.EACCES
	}
	return nil
}

func inGroup(c *cred.Credentials, gid uint32) bool { return c.EGID == gid || c.InGroup(gid) }

// ownerLocked is permission for IPC_SET and IPC_RMID.
func (p *perm) ownerLocked(c *Caller) error {
	if c.Cred.EUID != p.cuid && c.Cred.EUID != p.uid && !c.capable(linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	return nil
}

func (p *perm) setLocked(c *Caller, to *linux.IPCPerm) {
	p.uid, p.gid = to.UID, to.GID
	p.mode = p.mode&^0o777 | linux.FileMode(to.Mode)&0o777
	p.ctime = c.Now
}

func (p *perm) imageLocked() linux.IPCPerm {
	return linux.IPCPerm{
		Key: p.key, UID: p.uid, GID: p.gid, CUID: p.cuid, CGID: p.cgid,
		Mode: uint32(p.mode), Seq: uint16(p.id / maxObjects),
	}
}

// A table finds objects of one kind.
type table[T object] struct {
	// immutable
	limit func() uint64 // on the number of objects

	mu lock.Mutex[lock.IPCTable]
	// guarded by mu
	byIndex map[int32]T
	byKey   map[int32]T
	next    int32 // index to try first
	seq     int32
}

// get is the common part of shmget, semget and msgget. fits checks an object
// that is there already; make makes one.
func (t *table[T]) get(c *Caller, key int32, flags linux.IPCFlags, fits func(T) error, make func() (T, error)) (int32, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.byKey[key]; ok && key != linux.IPC_PRIVATE {
		if flags&(linux.IPC_CREAT|linux.IPC_EXCL) == linux.IPC_CREAT|linux.IPC_EXCL {
			return -1, linux.EEXIST
		}
		p := old.head()
		p.mu.Lock()
		defer p.mu.Unlock()
		if err := fits(old); err != nil {
			return -1, err
		}
		return p.id, p.checkLocked(c, linux.FileMode(flags)&0o777)
	}
	if key != linux.IPC_PRIVATE && flags&linux.IPC_CREAT == 0 {
		return -1, linux.ENOENT
	}
	if uint64(len(t.byIndex)) >= t.limit() {
		return -1, linux.ENOSPC
	}
	o, err := make()
	if err != nil {
		return -1, err
	}
	p := o.head()
	p.key, p.mode, p.ctime = key, linux.FileMode(flags)&0o777, c.Now
	p.uid, p.cuid, p.gid, p.cgid = c.Cred.EUID, c.Cred.EUID, c.Cred.EGID, c.Cred.EGID
	p.id = t.newIDLocked()
	t.putLocked(o)
	return p.id, nil
}

// newIDLocked finds a free index, going on from the last one, so that
// identifiers are used again late.
func (t *table[T]) newIDLocked() int32 {
	for {
		i := t.next
		if t.next++; t.next >= maxObjects {
			t.next = 0
			t.seq = (t.seq + 1) % maxSeq
		}
		if _, used := t.byIndex[i]; !used {
			return t.seq*maxObjects + i
		}
	}
}

func (t *table[T]) putLocked(o T) {
	if t.byIndex == nil {
		t.byIndex, t.byKey = map[int32]T{}, map[int32]T{}
	}
	p := o.head()
	t.byIndex[p.id%maxObjects] = o
	if p.key != linux.IPC_PRIVATE {
		t.byKey[p.key] = o
	}
}

// find returns the object id, EINVAL if there is none.
func (t *table[T]) find(id int32) (o T, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.byIndex[id%maxObjects]
	if id < 0 || !ok || o.head().id != id {
		return o, linux.EINVAL
	}
	return o, nil
}

// At returns the identifier at an index (SHM_STAT and its like), EINVAL if there
// is none. As in Linux, the sequence number in an identifier does not matter.
func (t *table[T]) At(index int32) (id int32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o, ok := t.byIndex[index%maxObjects]; ok {
		return o.head().id, nil
	}
	return -1, linux.EINVAL
}

// Used returns the highest index in use and how many are; the index is 0 for an
// empty table.
func (t *table[T]) Used() (highest int32, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.byIndex {
		highest = max(highest, i)
	}
	return highest, len(t.byIndex)
}

// All returns every object, in order of index, for /proc/sysvipc.
func (t *table[T]) All() []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []T
	for i := int32(0); len(all) < len(t.byIndex); i++ {
		if o, ok := t.byIndex[i]; ok {
			all = append(all, o)
		}
	}
	return all
}

// drop takes o out of the table: no more to be found by identifier or key.
func (t *table[T]) drop(o T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := o.head()
	if q, ok := t.byIndex[p.id%maxObjects]; ok && q.head() == p {
		delete(t.byIndex, p.id%maxObjects)
	}
	t.dropKeyLocked(p)
}

// dropKey makes o's key free, for a removed segment that is still mapped.
func (t *table[T]) dropKey(o T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropKeyLocked(o.head())
}

func (t *table[T]) dropKeyLocked(p *perm) {
	for k, q := range t.byKey {
		if q.head() == p {
			delete(t.byKey, k)
		}
	}
}
