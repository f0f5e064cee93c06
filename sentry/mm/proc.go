package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// A VMAInfo is a mapping as /proc/pid/maps shows it.
type VMAInfo struct {
	Start, End uint64
	Prot, Max  linux.Prot
	Shared     bool
	Offset     uint64
	Dev, Inode uint64
	// Path is a file's path or a name in brackets, empty for anonymous memory.
	Path      string
	Deleted   bool
	GrowsDown bool
	Locked    bool
	DontFork  bool
	WipeFork  bool
	DontDump  bool
	NoReserve bool
	Huge      bool
	NoHuge    bool
	Mergeable bool
	Random    bool
	Sequence  bool

	file memmap.File // to be named when the locks are given back
}

// PageCounts says how much of a mapping, or of several, has memory.
type PageCounts struct {
	// Anonymous is private memory that was touched, Shmem memory of tmpfs
	// files and shared mappings, File what host files are mapped with.
	Anonymous, Shmem, File uint64
	// Cow is the part of Anonymous that fork may still share.
	Cow uint64
	// Locked is the resident part of locked mappings.
	Locked uint64
}

// RSS is the resident set in bytes.
func (p *PageCounts) RSS() uint64 { return p.Anonymous + p.Shmem + p.File }

// PSS is the resident set with shared memory counted by half: how many share
// it is not recorded.
func (p *PageCounts) PSS() uint64 { return p.Anonymous - p.Cow/2 + (p.Shmem+p.File)/2 }

func (p *PageCounts) add(q PageCounts) {
	p.Anonymous += q.Anonymous
	p.Shmem += q.Shmem
	p.File += q.File
	p.Cow += q.Cow
	p.Locked += q.Locked
}

// Snapshot returns the mappings.
func (m *MemoryManager) Snapshot() []VMAInfo {
	m.mapping.RLock()
	out := make([]VMAInfo, 0, m.vmas.Len())
	for r, v := range m.vmas.All() {
		out = append(out, m.info(r, v))
	}
	m.mapping.RUnlock()
	nameFiles(out)
	return out
}

// nameFiles asks the files of mappings for their names: locks of files rank
// before those of mappings.
func nameFiles(list []VMAInfo) {
	for k := range list {
		i := &list[k]
		if i.file == nil {
			continue
		}
		i.Path, i.Deleted = i.file.MapName()
		i.Dev, i.Inode = i.file.DeviceInode()
		i.file.DecRef()
		i.file = nil
	}
}

// SnapshotPages returns the mappings and what memory each has.
func (m *MemoryManager) SnapshotPages() ([]VMAInfo, []PageCounts) {
	infos, counts := m.snapshotPages()
	nameFiles(infos)
	return infos, counts
}

func (m *MemoryManager) snapshotPages() ([]VMAInfo, []PageCounts) {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	m.active.RLock()
	defer m.active.RUnlock()
	infos := make([]VMAInfo, 0, m.vmas.Len())
	counts := make([]PageCounts, 0, m.vmas.Len())
	for r, v := range m.vmas.All() {
		infos = append(infos, m.info(r, v))
		c := m.countLocked(r)
		if v.flags&vmLocked != 0 {
			c.Locked = c.RSS()
		}
		counts = append(counts, c)
	}
	return infos, counts
}

func (m *MemoryManager) info(r seg.Range, v *vma) VMAInfo {
	has := func(f vmaFlags) bool { return v.flags&f != 0 }
	i := VMAInfo{
		Start: r.Start, End: r.End, Prot: v.prot, Max: v.may, Shared: v.shared(), Path: v.name,
		GrowsDown: has(vmGrowsDown), Locked: has(vmLocked), DontFork: has(vmDontFork), WipeFork: has(vmWipeOnFork),
		DontDump: has(vmDontDump), NoReserve: has(vmNoReserve), Huge: has(vmHuge), NoHuge: has(vmNoHuge),
		Mergeable: has(vmMergeable), Random: has(vmRandom), Sequence: has(vmSequential),
	}
	if v.mappable != nil && !has(vmSpecial) {
		i.Offset = v.off
	}
	shared, isShared := v.mappable.(*SharedMemory)
	l := &m.layout
	switch {
	case v.file != nil:
		i.file = v.file
		i.file.IncRef()
	case v.name != "":
	case isShared:
		i.Path, i.Deleted, i.Dev, i.Inode = "/dev/zero", true, 1, shared.pages.Start/pageSize+1
	case r.Start <= l.Brk && r.End >= l.StartBrk && l.Brk > l.StartBrk && v.anon():
		i.Path = "[heap]"
	case r.Start <= l.StartStack && r.End >= l.StartStack && l.StartStack != 0:
		i.Path = "[stack]"
	}
	return i
}

// countLocked counts the memory of r.
func (m *MemoryManager) countLocked(r seg.Range) PageCounts {
	m.active.AssertRHeld()
	var c PageCounts
	for g, p := range m.pmas.Over(r) {
		part := g.Intersect(r)
		if p.hidden {
			continue
		}
		back, ours := p.back.(memmap.Memory)
		if !ours {
			if p.stub != 0 {
				c.File += part.Len()
			}
			continue
		}
		off := p.at(g.Start, part.Start)
		pages := memfile.Range{Start: off, End: off + part.Len()}
		if p.cow {
			// What fork shares stays as it is until one side has its own.
			n := back.File.CommittedLately(pages)
			c.Anonymous, c.Cow = c.Anonymous+n, c.Cow+n
			continue
		}
		n := back.File.Committed(pages)
		if !p.private {
			c.Shmem += n
			continue
		}
		c.Anonymous += n
	}
	return c
}

// Pages counts the memory of the whole space.
func (m *MemoryManager) Pages() PageCounts {
	m.active.RLock()
	c := m.countLocked(seg.Range{Start: m.min, End: m.max})
	m.active.RUnlock()
	m.active.Lock()
	m.rssPeak = max(m.rssPeak, c.RSS())
	m.active.Unlock()
	return c
}

// MaxRSS returns the largest resident set in bytes of those that were measured
// (now, and whenever /proc was read): ask it before the last DecUsers.
func (m *MemoryManager) MaxRSS() uint64 {
	m.Pages()
	m.active.RLock()
	defer m.active.RUnlock()
	return m.rssPeak
}

// Sizes are the sizes in bytes that /proc/pid/status shows.
type Sizes struct {
	Peak, Size, Locked         uint64
	Data, Stack, Exec, Lib     uint64
	HighWater                  uint64
	Pages                      PageCounts
	PageTables                 uint64
	Mappings                   int
	TextStart, TextEnd, MapTop uint64
}

// Sizes returns them.
func (m *MemoryManager) Sizes() Sizes {
	pages := m.Pages()
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	s := Sizes{Pages: pages, Peak: m.peak, Size: m.sizes.total, Locked: m.sizes.locked, Data: m.sizes.data, Stack: m.sizes.stack, Mappings: m.vmas.Len()}
	up, _ := pageUp(m.layout.EndCode)
	s.TextStart, s.TextEnd, s.MapTop = m.layout.StartCode, m.layout.EndCode, m.mmapBase
	s.Exec = min(up-pageDown(m.layout.StartCode), m.sizes.exec)
	s.Lib = m.sizes.exec - s.Exec
	m.active.RLock()
	s.HighWater = max(m.rssPeak, pages.RSS())
	m.active.RUnlock()
	// One table for each 2 MiB with memory, and the upper levels.
	s.PageTables = (pages.RSS()/hugeSize+uint64(m.vmas.Len())/8+4)*pageSize + pageSize
	return s
}

// VMSize returns the size of all mappings in bytes.
func (m *MemoryManager) VMSize() uint64 {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	return m.sizes.total
}

// SetAnonName is prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME); an empty name takes
// it away.
func (m *MemoryManager) SetAnonName(addr, n uint64, name string) error {
	up, ok := pageUp(n)
	if addr&pageMask != 0 || !ok || addr+up < addr {
		return linux.EINVAL
	}
	r := seg.Range{Start: addr, End: addr + up}
	m.mapping.Lock()
	defer m.mapping.Unlock()
	for _, v := range m.vmas.Over(r) {
		if v.file != nil || v.flags&vmSpecial != 0 {
			return linux.EBADF
		}
	}
	covered := m.vmas.Covered(r)
	m.vmas.Update(r, func(_ seg.Range, v *vma) {
		switch {
		case name == "":
			v.name = ""
		case v.mappable != nil:
			v.name = "[anon_shmem:" + name + "]"
		default:
			v.name = "[anon:" + name + "]"
		}
	})
	if !covered {
		return linux.ENOMEM
	}
	return nil
}

// Bits of /proc/pid/pagemap. Frame numbers are never shown.
const (
	pagePresent = 1 << 63
	pageFile    = 1 << 61
)

// PageMap fills out with /proc/pid/pagemap's words from address addr on.
func (m *MemoryManager) PageMap(addr uint64, out []uint64) {
	clear(out)
	vec := make([]byte, len(out))
	all := seg.Range{Start: addr, End: min(m.max, addr+uint64(len(out))*pageSize)}
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	m.active.RLock()
	defer m.active.RUnlock()
	for r, v := range m.vmas.Over(all) {
		part := r.Intersect(all)
		first := (part.Start - addr) / pageSize
		w := vec[:part.Len()/pageSize]
		m.residenceLocked(part, w)
		for i, x := range w {
			if x != 0 {
				out[first+uint64(i)] = pagePresent
				if v.mappable != nil {
					out[first+uint64(i)] |= pageFile
				}
			}
		}
	}
}
