package vfs

import (
	"math/bits"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// An FDTable maps descriptors to descriptions. Tasks share one by CLONE_FILES;
// it is counted, and the last DecRef closes what is left.
//
// Get takes no lock: it loads the array, the slot and then a reference, which
// fails only if the description has just been closed; the slot is then looked
// at again.
type FDTable struct {
	// atomic
	refs  atomic.Int64
	slots atomic.Pointer[[]atomic.Pointer[Description]]

	mu lock.Mutex[lock.FDTable]
	// guarded by mu
	used    []uint64 // one bit per slot: taken or reserved
	full    []uint64 // one bit per word of used: all of it is
	cloexec []uint64
	next    int      // no free slot below
	words   []uint32 // shared with the guest that the table is lent to (lend.go), or nil
	loans   uint32   // how many there have been
}

// NewFDTable returns an empty table with one reference.
func NewFDTable() *FDTable {
	t := &FDTable{}
	t.refs.Store(1)
	t.growLocked(64)
	return t
}

// growLocked makes room for n descriptors.
func (t *FDTable) growLocked(n int) {
	n = (n + 63) &^ 63
	var old []atomic.Pointer[Description]
	if p := t.slots.Load(); p != nil {
		old = *p
	}
	if n <= len(old) {
		return
	}
	s := make([]atomic.Pointer[Description], n)
	for i := range old {
		s[i].Store(old[i].Load())
	}
	t.used = append(t.used, make([]uint64, n/64-len(t.used))...)
	t.full = append(t.full, make([]uint64, (n/64+63)/64-len(t.full))...)
	t.cloexec = append(t.cloexec, make([]uint64, n/64-len(t.cloexec))...)
	t.slots.Store(&s)
}

// Get returns fd's description with a reference, nil if there is none.
func (t *FDTable) Get(fd linux.FD) *Description {
	for {
		s := *t.slots.Load()
		if fd < 0 || int(fd) >= len(s) {
			return nil
		}
		d := s[fd].Load()
		if d == nil || d.TryIncRef() {
			return d
		}
	}
}

// A Borrowed description is in use by one call of a task that has it in its
// table, without a reference where no other task could close it meanwhile
// (Linux: fs/file.c fdget). Who keeps it for longer takes a reference.
type Borrowed struct {
	*Description
	counted bool
}

// Borrow returns fd's description, without one if there is none. It is for the
// task whose table t is, which closes nothing until DecRef.
func (t *FDTable) Borrow(fd linux.FD) Borrowed {
	if t.refs.Load() > 1 {
		return Borrowed{t.Get(fd), true}
	}
	if s := *t.slots.Load(); fd >= 0 && int(fd) < len(s) {
		return Borrowed{s[fd].Load(), false}
	}
	return Borrowed{}
}

// DecRef ends the use.
func (b Borrowed) DecRef() {
	if b.counted {
		b.Description.DecRef()
	}
}

// Install puts d at the lowest free descriptor from least on, below limit
// (RLIMIT_NOFILE; EMFILE). It keeps the caller's reference on success.
func (t *FDTable) Install(d *Description, least linux.FD, limit uint64, flags linux.FDFlags) (linux.FD, error) {
	if least < 0 || uint64(least) >= limit {
		return -1, linux.EINVAL
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	fd := t.freeLocked(int(least))
	if uint64(fd) >= min(limit, NROpen) {
		return -1, linux.EMFILE
	}
	if m := d.path.Mount; m != nil && m.vfs.descriptions.Load() > m.vfs.MaxOpen() {
		return -1, linux.ENFILE // what has no name is not asked when it is made
	}
	t.putLocked(fd, d, flags)
	return linux.FD(fd), nil
}

// Lowest returns the descriptor that Install would give next.
func (t *FDTable) Lowest() linux.FD {
	t.mu.Lock()
	defer t.mu.Unlock()
	return linux.FD(t.freeLocked(0))
}

// InstallTwo puts two descriptions at the two lowest free descriptors, or
// neither (pipe2, socketpair).
func (t *FDTable) InstallTwo(a, b *Description, limit uint64, flags linux.FDFlags) (x, y linux.FD, err error) {
	x, err = t.Install(a, 0, limit, flags)
	if err == error(linux.EINVAL) {
		err = linux.EMFILE
	}
	if err != nil {
		return -1, -1, err
	}
	y, err = t.Install(b, 0, limit, flags)
	if err != nil {
		a.IncRef()
		if d := t.take(x); d != nil {
			d.DecRef()
		}
		return -1, -1, err
	}
	return x, y, nil
}

// freeLocked returns the lowest free slot from least on, making room for it.
func (t *FDTable) freeLocked(least int) int {
	fd := max(least, t.next)
	w := fd / 64
	if w >= len(t.used) {
		return fd
	}
	if free := ^t.used[w] & (^uint64(0) << (fd % 64)); free != 0 {
		return w*64 + bits.TrailingZeros64(free)
	}
	for w++; w < len(t.used); w = (w/64 + 1) * 64 {
		free := ^t.full[w/64] & (^uint64(0) << (w % 64))
		if free == 0 {
			continue
		}
		if w = w&^63 + bits.TrailingZeros64(free); w < len(t.used) {
			return w*64 + bits.TrailingZeros64(^t.used[w])
		}
		break
	}
	return len(t.used) * 64
}

// markLocked says that fd is taken, or not.
func (t *FDTable) markLocked(fd int, taken bool) {
	w := fd / 64
	if taken {
		t.used[w] |= 1 << (fd % 64)
	} else {
		t.used[w] &^= 1 << (fd % 64)
	}
	if t.used[w] == ^uint64(0) {
		t.full[w/64] |= 1 << (w % 64)
	} else {
		t.full[w/64] &^= 1 << (w % 64)
	}
}

func (t *FDTable) putLocked(fd int, d *Description, flags linux.FDFlags) {
	if fd >= len(t.used)*64 {
		t.growLocked(max(fd+1, min(2*len(t.used)*64, NROpen)))
	}
	t.markLocked(fd, true)
	t.setCloexecLocked(fd, flags&linux.FD_CLOEXEC != 0)
	if fd == t.next {
		t.next++
	}
	(*t.slots.Load())[fd].Store(d)
	if t.words != nil {
		t.lendLocked(fd, d)
	}
}

func (t *FDTable) setCloexecLocked(fd int, on bool) {
	if on {
		t.cloexec[fd/64] |= 1 << (fd % 64)
	} else {
		t.cloexec[fd/64] &^= 1 << (fd % 64)
	}
}

// Replace is dup2: it puts d at fd, keeping the caller's reference, and closes
// what was there.
func (t *FDTable) Replace(fd linux.FD, d *Description, limit uint64, flags linux.FDFlags) error {
	if fd < 0 || uint64(fd) >= min(limit, NROpen) {
		return linux.EBADF
	}
	t.mu.Lock()
	var old *Description
	if s := *t.slots.Load(); int(fd) < len(s) {
		old = s[fd].Load()
	}
	if old != nil && t.words != nil {
		t.recallLocked(int(fd), old)
	}
	t.putLocked(int(fd), d, flags)
	t.mu.Unlock()
	if old != nil {
		t.closed(old)
	}
	return nil
}

// take removes fd and returns its description with the table's reference.
func (t *FDTable) take(fd linux.FD) *Description {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takeLocked(int(fd))
}

func (t *FDTable) takeLocked(fd int) *Description {
	s := *t.slots.Load()
	if fd < 0 || fd >= len(s) {
		return nil
	}
	d := s[fd].Swap(nil)
	if d == nil {
		return nil
	}
	if t.words != nil {
		t.recallLocked(fd, d)
	}
	t.markLocked(fd, false)
	t.setCloexecLocked(fd, false)
	t.next = min(t.next, fd)
	return d
}

// Close is close(2).
func (t *FDTable) Close(fd linux.FD) error {
	d := t.take(fd)
	if d == nil {
		return linux.EBADF
	}
	t.closed(d)
	return nil
}

// closed ends a descriptor's use of d: record locks of this table on the file
// go, whatever descriptor they were made by.
func (t *FDTable) closed(d *Description) {
	if f, ok := d.file.(Flusher); ok {
		f.Flush(t)
	}
	if d.mode&pathOnly == 0 {
		d.dropPosix(t)
	}
	d.DecRef()
}

// Flags returns fd's flags, Cloexec or none.
func (t *FDTable) Flags(fd linux.FD) (linux.FDFlags, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := *t.slots.Load()
	if fd < 0 || int(fd) >= len(s) || s[fd].Load() == nil {
		return 0, linux.EBADF
	}
	return linux.FDFlags(t.cloexec[fd/64] >> (fd % 64) & 1), nil
}

// SetFlags changes fd's flags.
func (t *FDTable) SetFlags(fd linux.FD, flags linux.FDFlags) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := *t.slots.Load()
	if fd < 0 || int(fd) >= len(s) || s[fd].Load() == nil {
		return linux.EBADF
	}
	t.setCloexecLocked(int(fd), flags&linux.FD_CLOEXEC != 0)
	return nil
}

// CloseRange closes the descriptors from first to last, or marks them to be
// closed on exec if cloexec (close_range(2)).
func (t *FDTable) CloseRange(first, last uint32, cloexec bool) {
	for fd := uint64(first); fd <= uint64(last); fd++ {
		t.mu.Lock()
		if fd >= uint64(len(t.used)*64) {
			t.mu.Unlock()
			return
		}
		if t.used[fd/64] == 0 {
			t.mu.Unlock()
			fd |= 63
			continue
		}
		var d *Description
		if !cloexec {
			d = t.takeLocked(int(fd))
		} else if t.used[fd/64]>>(fd%64)&1 != 0 {
			t.setCloexecLocked(int(fd), true)
		}
		t.mu.Unlock()
		if d != nil {
			t.closed(d)
		}
	}
}

// CloseOnExec closes what is marked so.
func (t *FDTable) CloseOnExec() {
	for w := 0; ; w++ {
		var gone [64]*Description
		t.mu.Lock()
		if w >= len(t.cloexec) {
			t.mu.Unlock()
			return
		}
		n := 0
		for b := t.cloexec[w] & t.used[w]; b != 0; b &= b - 1 {
			gone[n] = t.takeLocked(w*64 + bits.TrailingZeros64(b))
			n++
		}
		t.mu.Unlock()
		for _, d := range gone[:n] {
			if d != nil {
				t.closed(d)
			}
		}
	}
}

// Each calls fn for every descriptor in order until it returns false. fn does
// not keep d.
func (t *FDTable) Each(fn func(fd linux.FD, d *Description, flags linux.FDFlags) bool) {
	for fd := t.Next(0); fd >= 0; fd = t.Next(fd + 1) {
		d := t.Get(fd)
		if d == nil {
			continue
		}
		flags, _ := t.Flags(fd)
		ok := fn(fd, d, flags)
		d.DecRef()
		if !ok {
			return
		}
	}
}

// Next returns the lowest descriptor from fd on, -1 if there is none.
func (t *FDTable) Next(fd linux.FD) linux.FD {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := *t.slots.Load()
	for i := int(max(fd, 0)); i < len(s); i++ {
		if i%64 == 0 && t.used[i/64] == 0 {
			i += 63
			continue
		}
		if s[i].Load() != nil {
			return linux.FD(i)
		}
	}
	return -1
}

// Size returns the number of slots there is room for (FDSize in
// /proc/pid/status), and Count how many are taken.
func (t *FDTable) Size() int { return len(*t.slots.Load()) }

// Count returns the number of descriptors.
func (t *FDTable) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, w := range t.used {
		n += bits.OnesCount64(w)
	}
	return n
}

// Fork returns a copy with references of its own.
func (t *FDTable) Fork() *FDTable { return t.ForkBelow(NROpen) }

// ForkBelow is Fork with the descriptors below last only (close_range with
// CLOSE_RANGE_UNSHARE).
func (t *FDTable) ForkBelow(last uint32) *FDTable {
	c := NewFDTable()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := *t.slots.Load()
	n := len(s)
	for n > 64 && t.used[n/64-1] == 0 {
		n -= 64
	}
	c.growLocked(n)
	to := *c.slots.Load()
	for i := 0; i < n && i < int(last); i++ {
		d := s[i].Load()
		if d == nil {
			continue
		}
		d.IncRef() // the slot holds a reference while mu is held
		to[i].Store(d)
		c.markLocked(i, true)
	}
	for w := range c.cloexec {
		c.cloexec[w] = t.cloexec[w] & c.used[w]
	}
	c.next = 0
	return c
}

// IncRef counts another task that uses t.
func (t *FDTable) IncRef() { t.refs.Add(1) }

// DecRef undoes an IncRef or the making of t; the last closes everything.
func (t *FDTable) DecRef() {
	if t.refs.Add(-1) > 0 {
		return
	}
	// Who still looks (/proc) finds nothing from here on.
	t.mu.Lock()
	old := *t.slots.Load()
	if t.words != nil {
		for i := range old {
			if d := old[i].Load(); d != nil {
				t.recallLocked(i, d)
			}
		}
		t.words = nil
	}
	t.slots.Store(new([]atomic.Pointer[Description]))
	t.used, t.full, t.cloexec, t.next = nil, nil, nil, 0
	t.mu.Unlock()
	for i := range old {
		if d := old[i].Load(); d != nil {
			t.closed(d)
		}
	}
}

// Users is how many tasks use t.
func (t *FDTable) Users() int64 { return t.refs.Load() }

// Shared reports whether more than one task uses t.
func (t *FDTable) Shared() bool { return t.refs.Load() > 1 }
