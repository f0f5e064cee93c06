package ipc

import (
	"fmt"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// Memory is where segments live: the memory file.
type Memory interface {
	memmap.Backing
	// Alloc returns n bytes, a page multiple, that read as zeros.
	Alloc(n uint64) (memmap.Range, linux.Errno)
	// Resident returns how many bytes of r there are.
	Resident(r memmap.Range) uint64
}

// MemoryFile makes a Memory of the sandbox's memory file.
type MemoryFile struct{ memmap.Memory }

// Alloc implements Memory. Pages cost nothing until they are touched.
func (m MemoryFile) Alloc(n uint64) (memmap.Range, linux.Errno) {
	r, _, err := m.File.Alloc(n, memfile.Options{Kind: memfile.Shared})
	return memmap.Range(r), err
}

// Resident implements Memory.
func (m MemoryFile) Resident(r memmap.Range) uint64 { return m.File.Committed(memfile.Range(r)) }

// A Segment is shared memory. It is its own Mappable, and the memmap.File of
// each mapping, whose references count the attachments.
type Segment struct {
	// immutable
	perm
	ns    *Namespace
	size  uint64
	pages memmap.Range // in ns.memory

	// guarded by perm.mu
	attached     int64
	dest, locked bool  // SHM_DEST, SHM_LOCKED
	maker        int32 // Caller.Maker, 0 when that has ended
	atime, dtime int64
	cpid, lpid   int32

	// atomic
	now atomic.Int64 // the time of the last call, for what has no caller
}

var (
	_ memmap.Mappable = (*Segment)(nil)
	_ memmap.File     = (*Segment)(nil)
)

// ShmGet is shmget(2).
func (ns *Namespace) ShmGet(c *Caller, key int32, size uint64, flags linux.IPCFlags) (int32, error) {
	return ns.Shm.get(c, key, flags, func(s *Segment) error {
		if size > s.size {
			return linux.EINVAL
		}
		return nil
	}, func() (*Segment, error) {
		if size < linux.SHMMIN || size > ns.Limit(ShmMax) {
			return nil, linux.EINVAL
		}
		n := (size + linux.PageSize - 1) &^ (linux.PageSize - 1)
		if n < size {
			return nil, linux.ENOSPC
		}
		if all := ns.Limit(ShmAll); n/linux.PageSize > all || ns.pagesLocked() > all-n/linux.PageSize {
			return nil, linux.ENOSPC
		}
		r, errno := ns.memory.Alloc(n)
		if errno != 0 {
			return nil, linux.ENOMEM
		}
		s := &Segment{ns: ns, size: size, pages: r, cpid: c.PID, maker: c.Maker}
		s.now.Store(c.Now)
		ns.made.Store(true)
		return s, nil
	})
}

// ShmAttach is shmat(2) as far as permissions go. The caller maps the segment,
// and calls Detach when that is done or has failed.
func (ns *Namespace) ShmAttach(c *Caller, id int32, want linux.FileMode) (*Segment, error) {
	s, err := ns.Shm.find(id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLocked(c, want); err != nil {
		return nil, err
	}
	if s.removed {
		return nil, linux.EIDRM
	}
	s.now.Store(c.Now)
	s.attached++
	s.atime, s.lpid = c.Now, c.PID
	return s, nil
}

// Detach ends the attachment of ShmAttach.
func (s *Segment) Detach() { s.DecRef() }

// Detached notes who called shmdt(2).
func (s *Segment) Detached(c *Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Store(c.Now)
	s.dtime, s.lpid = c.Now, c.PID
}

// Size is the size as given to shmget(2).
func (s *Segment) Size() uint64 { return s.size }

// Maker is who made it (Caller.Maker), 0 when that has ended.
func (s *Segment) Maker() int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maker
}

// IncRef implements memmap.File: another mapping.
func (s *Segment) IncRef() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached++
}

// DecRef implements memmap.File: a mapping has gone.
func (s *Segment) DecRef() {
	s.mu.Lock()
	s.attached--
	s.dtime = max(s.dtime, s.now.Load())
	last := s.attached == 0 && (s.dest || s.ns.rmidForced.Load()) && !s.removed
	if last {
		s.removed = true
	}
	s.mu.Unlock()
	if last {
		s.destroy()
	}
}

func (s *Segment) destroy() {
	s.ns.Shm.drop(s)
	s.ns.memory.DecRef(s.pages)
}

// MapName implements memmap.File.
func (s *Segment) MapName() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("/SYSV%08x", uint32(s.key)), true
}

// DeviceInode implements memmap.File: the inode is the identifier, as in Linux.
func (s *Segment) DeviceInode() (dev, ino uint64) { return 1, uint64(s.id) }

// Msync implements memmap.File.
func (s *Segment) Msync(memmap.Range) linux.Errno { return 0 }

// Translate implements memmap.Mappable.
func (s *Segment) Translate(required, optional memmap.Range, _ bool) ([]memmap.Translation, error) {
	var err error
	if required.End > s.pages.Len() {
		err = linux.EFAULT
	}
	optional.End = min(optional.End, s.pages.Len())
	if optional.Start >= optional.End {
		return nil, linux.EFAULT
	}
	return []memmap.Translation{{
		Source: optional, File: s.ns.memory, Offset: s.pages.Start + optional.Start, Writable: true,
	}}, err
}

// AddMapping implements memmap.Mappable: pages never move.
func (s *Segment) AddMapping(memmap.MappingSpace, uint64, memmap.Range, bool) error { return nil }

// RemoveMapping implements memmap.Mappable.
func (s *Segment) RemoveMapping(memmap.MappingSpace, uint64, memmap.Range, bool) {}

// ShmStat is IPC_STAT and SHM_STAT; any is SHM_STAT_ANY, which needs no
// permission.
func (ns *Namespace) ShmStat(c *Caller, id int32, any bool) (linux.ShmidDS, error) {
	s, err := ns.Shm.find(id)
	if err != nil {
		return linux.ShmidDS{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !any {
		if err := s.checkLocked(c, 0o444); err != nil {
			return linux.ShmidDS{}, err
		}
	}
	return s.statLocked(), nil
}

// Stat is what IPC_STAT shows, for /proc/sysvipc/shm.
func (s *Segment) Stat() linux.ShmidDS {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statLocked()
}

func (s *Segment) statLocked() linux.ShmidDS {
	d := linux.ShmidDS{
		Perm: s.imageLocked(), Segsz: s.size, Atime: s.atime, Dtime: s.dtime, Ctime: s.ctime,
		CPID: s.cpid, LPID: s.lpid, Nattch: uint64(s.attached),
	}
	if s.dest {
		d.Perm.Mode |= linux.SHM_DEST
	}
	if s.locked {
		d.Perm.Mode |= linux.SHM_LOCKED
	}
	return d
}

// ShmSet is IPC_SET.
func (ns *Namespace) ShmSet(c *Caller, id int32, to *linux.IPCPerm) error {
	s, err := ns.Shm.find(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ownerLocked(c); err != nil {
		return err
	}
	s.setLocked(c, to)
	return nil
}

// ShmRemove is IPC_RMID: the segment goes with its last attachment, its key at
// once.
func (ns *Namespace) ShmRemove(c *Caller, id int32) error {
	s, err := ns.Shm.find(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if err := s.ownerLocked(c); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.removed {
		s.mu.Unlock()
		return linux.EIDRM
	}
	s.dest, s.key = true, linux.IPC_PRIVATE
	last := s.attached == 0
	s.removed = last
	s.mu.Unlock()
	ns.Shm.dropKey(s)
	if last {
		s.destroy()
	}
	return nil
}

// ShmRmidForced is the sysctl kernel.shm_rmid_forced: segments go with their last
// attachment, and those that were never attached with who made them.
func (ns *Namespace) ShmRmidForced() bool { return ns.rmidForced.Load() }

// SetShmRmidForced sets it. Segments that nobody has, and whose maker has ended, go at once.
func (ns *Namespace) SetShmRmidForced(on bool) {
	ns.rmidForced.Store(on)
	if on {
		ns.shmOrphans(0)
	}
}

// ShmLeft says that a maker of segments has ended, or left the namespace.
func (ns *Namespace) ShmLeft(maker int32) {
	if ns.made.Load() {
		ns.shmOrphans(maker)
	}
}

// shmOrphans removes what a maker leaves unattached, if that is to be.
func (ns *Namespace) shmOrphans(maker int32) {
	for _, s := range ns.Shm.All() {
		s.mu.Lock()
		mine := s.maker == maker
		if mine {
			s.maker = 0
		}
		last := mine && s.attached == 0 && ns.rmidForced.Load() && !s.removed
		if last {
			s.removed = true
		}
		s.mu.Unlock()
		if last {
			s.destroy()
		}
	}
}

// ShmLock is SHM_LOCK and SHM_UNLOCK: a mark, since nothing here is swapped.
// limited says that RLIMIT_MEMLOCK is 0.
func (ns *Namespace) ShmLock(c *Caller, id int32, on, limited bool) error {
	s, err := ns.Shm.find(id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !c.capable(linux.CAP_IPC_LOCK) {
		if c.Cred.EUID != s.uid && c.Cred.EUID != s.cuid || on && limited {
			return linux.EPERM
		}
	}
	s.locked = on
	return nil
}

// ShmTotals is what SHM_INFO adds up: the pages of all segments, and those of
// them that there are.
func (ns *Namespace) ShmTotals() (pages, resident uint64) {
	for _, s := range ns.Shm.All() {
		pages += s.pages.Len() / linux.PageSize
		resident += ns.memory.Resident(s.pages) / linux.PageSize
	}
	return pages, resident
}
