package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// MMapOpts are the arguments of MMap.
type MMapOpts struct {
	Addr, Len uint64
	Prot      linux.Prot
	Flags     linux.MapFlags

	// Mappable is nil for anonymous memory. MMap takes a reference of its own
	// to File.
	Mappable memmap.Mappable
	File     memmap.File
	Offset   uint64
	// MaxProt limits what mprotect may give later; zero is everything. The
	// caller has checked it against the file's open mode.
	MaxProt linux.Prot

	// Name is shown by /proc/pid/maps for a mapping without a file.
	Name string
	// LockAnyway says that RLIMIT_MEMLOCK does not apply (CAP_IPC_LOCK).
	LockAnyway bool
}

const (
	// legacyFlags are what MAP_SHARED and MAP_PRIVATE know; others they
	// ignore, as before Linux 4.15.
	legacyFlags = linux.MAP_SHARED | linux.MAP_PRIVATE | linux.MAP_FIXED | linux.MAP_ANONYMOUS |
		linux.MAP_DENYWRITE | linux.MAP_EXECUTABLE | linux.MAP_UNINITIALIZED | linux.MAP_GROWSDOWN |
		linux.MAP_LOCKED | linux.MAP_NORESERVE | linux.MAP_POPULATE | linux.MAP_NONBLOCK |
		linux.MAP_STACK | linux.MAP_HUGETLB | linux.MAP_32BIT |
		linux.MAP_HUGE_MASK<<linux.MAP_HUGE_SHIFT
	// validFlags are what MAP_SHARED_VALIDATE knows of a file without DAX.
	validFlags = legacyFlags
)

// MMap is mmap(2). c, here and below, is the calling task's context when its
// guest thread runs in this space, else nil.
func (m *MemoryManager) MMap(c platform.Context, o MMapOpts) (uint64, error) {
	v, err := m.checkMMap(&o)
	if err != nil {
		return 0, err
	}
	n, _ := pageUp(o.Len)
	var rel release
	m.mapping.Lock()
	addr, err := m.mmapLocked(c, &o, v, n, &rel)
	m.mapping.Unlock()
	rel.run()
	return addr, err
}

// checkMMap checks what needs no look at the space, in Linux's order.
func (m *MemoryManager) checkMMap(o *MMapOpts) (vma, error) {
	var v vma
	anon := o.Flags&linux.MAP_ANONYMOUS != 0 || o.Mappable == nil
	if o.Offset&pageMask != 0 {
		return v, linux.EINVAL
	}
	if o.Len == 0 {
		return v, linux.EINVAL
	}
	if o.Flags&linux.MAP_HUGETLB != 0 {
		if !anon {
			return v, linux.EINVAL
		}
		return v, linux.ENOMEM // no huge pages are reserved
	}
	n, ok := pageUp(o.Len)
	if !ok || n == 0 {
		return v, linux.ENOMEM
	}
	if !anon && o.Offset+n < o.Offset {
		return v, linux.EOVERFLOW
	}
	if o.Flags&linux.MAP_FIXED_NOREPLACE != 0 {
		o.Flags |= linux.MAP_FIXED
	}
	v.prot, v.may = o.Prot&protAll, protAll
	if o.MaxProt != 0 {
		v.may = effective(o.MaxProt)
	}
	if err := checkMapType(o, &v, anon); err != nil {
		return v, err
	}
	if v.prot&^v.may != 0 {
		return v, linux.EACCES
	}
	if o.Flags&linux.MAP_NORESERVE != 0 {
		v.flags |= vmNoReserve
	}
	if o.Flags&linux.MAP_STACK != 0 {
		v.flags |= vmNoHuge
	}
	if o.Name == "[vdso]" || o.Name == "[vvar]" {
		// As in Linux these show as private, though nobody can change them.
		v.flags = v.flags&^vmShared | vmSpecial
	}
	v.mappable, v.file, v.off, v.name = o.Mappable, o.File, o.Offset, o.Name
	return v, nil
}

func checkMapType(o *MMapOpts, v *vma, anon bool) error {
	kind := o.Flags & linux.MAP_TYPE
	down := o.Flags&linux.MAP_GROWSDOWN != 0
	switch {
	case kind == linux.MAP_PRIVATE && anon:
		if down {
			v.flags |= vmGrowsDown
		}
		return nil
	case kind == linux.MAP_PRIVATE && !down:
		return nil
	case kind == linux.MAP_SHARED && !down, kind == linux.MAP_SHARED_VALIDATE && !anon && !down:
		if kind == linux.MAP_SHARED_VALIDATE && o.Flags&^validFlags != 0 {
			return linux.EOPNOTSUPP // MAP_SYNC needs DAX
		}
		v.flags |= vmShared
		return nil
	}
	return linux.EINVAL
}

func (m *MemoryManager) mmapLocked(c platform.Context, o *MMapOpts, v vma, n uint64, rel *release) (uint64, error) {
	m.mapping.AssertHeld()
	if m.vmas.Len() >= MaxMapCount {
		return 0, linux.ENOMEM
	}
	addr, err := m.place(o, n)
	if err != nil {
		return 0, err
	}
	r := seg.Range{Start: addr, End: addr + n}
	if o.Flags&linux.MAP_FIXED_NOREPLACE != 0 && !m.vmas.IsEmpty(r) {
		return 0, linux.EEXIST
	}
	v.flags |= m.lockNew
	if o.Flags&linux.MAP_LOCKED != 0 {
		v.flags |= vmLocked
	}
	if err := m.checkRoom(r, &v, o); err != nil {
		return 0, err
	}
	if v.shared() && v.mappable == nil {
		shared, err := NewShared(m.cfg.Memory, n, memfile.Shared)
		if err != nil {
			return 0, err
		}
		// Its mappings keep it from here on.
		defer shared.DecRef()
		v.mappable, v.off = shared, 0
	}
	if v.mappable != nil {
		if err := v.mappable.AddMapping(m, addr, memmap.Range{Start: v.off, End: v.off + n}, v.tracksWrites()); err != nil {
			return 0, err
		}
	}
	if v.file != nil {
		v.file.IncRef()
	}
	m.removeVMAs(r, rel)
	m.vmas.Insert(r, v)
	m.sizes.account(&v, n, 1)
	m.peak = max(m.peak, m.sizes.total)

	m.active.Lock()
	defer m.active.Unlock()
	m.evictArenas(c, r, rel)
	if m.moveIn(r, &v) {
		m.apply(c, rel)
		return addr, nil
	}
	stale := m.clearKept(r, rel)
	stale = m.dropPMAs(r, rel) || stale
	waits := m.holds(r, &v, o, stale)
	if waits && stale {
		m.trimOps(r)
		stale = false
	}
	m.populateNew(r, &v, o, stale, rel)
	if waits {
		m.hold(r, rel)
		return addr, nil
	}
	m.apply(c, rel)
	return addr, nil
}

// checkRoom applies the limits to a new mapping, which replaces what is at r.
func (m *MemoryManager) checkRoom(r seg.Range, v *vma, o *MMapOpts) error {
	n := r.Len()
	if v.flags&vmLocked != 0 && !o.LockAnyway {
		most := m.soft(linux.RLIMIT_MEMLOCK)
		if o.Flags&linux.MAP_LOCKED != 0 && most == 0 {
			return linux.EPERM
		}
		if m.sizes.locked+n > most {
			return linux.EAGAIN
		}
	}
	var gone sizes
	for g, w := range m.vmas.Over(r) {
		gone.account(w, g.Intersect(r).Len(), 1)
	}
	if m.sizes.total-gone.total+n > m.soft(linux.RLIMIT_AS) {
		return linux.ENOMEM
	}
	if v.data() && m.sizes.data-gone.data+n > m.soft(linux.RLIMIT_DATA) {
		return linux.ENOMEM
	}
	return m.checkCommit(v, n)
}

// checkCommit refuses what could never be used (overcommit_memory 0).
func (m *MemoryManager) checkCommit(v *vma, n uint64) error {
	counts := v.prot&linux.PROT_WRITE != 0 && !v.shared() || v.shared() && v.mappable == nil
	if counts && v.flags&vmNoReserve == 0 && m.cfg.TotalMemory != 0 && n > m.cfg.TotalMemory {
		return linux.ENOMEM
	}
	return nil
}

// populateNew gives a new mapping its translations as far as they cost
// nothing, and maps them. stale says that the stub has something else at r.
func (m *MemoryManager) populateNew(r seg.Range, v *vma, o *MMapOpts, stale bool, rel *release) {
	populate := o.Flags&(linux.MAP_POPULATE|linux.MAP_NONBLOCK) == linux.MAP_POPULATE || v.flags&(vmLocked|vmLockOnFault) == vmLocked
	switch {
	case v.prot == 0:
	case v.anon():
		// A mapping takes the place of what was there.
		stale = m.allocAnon(r, v) != 0 && stale
	default:
		m.shareNew(r, v)
		// An error here is one that the first access will see again.
		_ = m.translate(r, v, seg.Range{Start: r.Start, End: r.Start + pageSize}, r, v.shared() && v.prot&linux.PROT_WRITE != 0 && populate)
		if o.Flags&linux.MAP_FIXED != 0 && v.writable() && !v.shared() && r.Len() <= cowLarge {
			m.copyData(r, v, rel)
		}
		for g, p := range m.pmas.Over(r) {
			m.mapOp(g, p, 0, stale)
		}
		if stale {
			for gap := range m.pmas.Gaps(r) {
				m.op(platform.Op{Kind: platform.OpUnmap, Addr: gap.Start, Len: gap.Len()})
			}
			stale = false
		}
	}
	if stale {
		m.op(platform.Op{Kind: platform.OpUnmap, Addr: r.Start, Len: r.Len()})
	}
	if populate {
		m.populate(r)
	}
}

// copyData copies a small part of a file that is mapped for stores at a fixed
// address: it is the data of a program or library, and relocation stores to all of
// it at once.
func (m *MemoryManager) copyData(r seg.Range, v *vma, rel *release) {
	if g, p := m.pmas.Ref(r.Start); p != nil && !p.private && g.Covers(r) {
		// If there is no memory for that, a fault will see it again.
		_ = m.copyOnWrite(seg.Seg[vma]{Range: r, Value: *v}, r.Start, rel)
	}
}

// populate asks that pages which are mapped by the ops just collected be made.
func (m *MemoryManager) populate(r seg.Range) {
	for i := range m.ops {
		if o := &m.ops[i]; o.Kind == platform.OpMap && o.Addr >= r.Start && o.Addr < r.End {
			o.Flags |= platform.Populate
		}
	}
}

// translate asks v's mappable for required and as much of optional as it likes,
// both parts of vr, the VMA's range. What is there already of optional, beyond
// required, is not replaced.
func (m *MemoryManager) translate(vr seg.Range, v *vma, required, optional seg.Range, write bool) error {
	m.active.AssertHeld()
	if g, ok := m.pmas.Before(required.Start); ok {
		optional.Start = max(optional.Start, g.End)
	}
	if g, ok := m.pmas.From(required.End); ok {
		optional.End = min(optional.End, max(g.Start, required.End))
	}
	src := func(r seg.Range) memmap.Range {
		return memmap.Range{Start: v.offAt(vr.Start, r.Start), End: v.offAt(vr.Start, r.End)}
	}
	ts, err := v.mappable.Translate(src(required), src(optional), write)
	found := src(optional)
	for _, t := range ts {
		s := memmap.Range{Start: max(t.Source.Start, found.Start), End: min(t.Source.End, found.End)}
		if s.Start >= s.End {
			continue
		}
		off := t.Offset + (s.Start - t.Source.Start)
		r := seg.Range{Start: vr.Start + (s.Start - v.off), End: vr.Start + (s.End - v.off)}
		p := pma{back: t.File, off: off, prot: effective(v.prot), writable: t.Writable && v.shared()}
		if x := m.sharingAt(r, r.Start-s.Start); x != nil && v.patchable() {
			m.insertText(x, r, p)
			continue
		}
		t.File.IncRef(memmap.Range{Start: off, End: off + r.Len()})
		m.pmas.Insert(r, p)
	}
	return err
}

// removeVMAs forgets the VMAs of r and splits those at its ends.
func (m *MemoryManager) removeVMAs(r seg.Range, rel *release) {
	m.mapping.AssertHeld()
	m.vmas.Remove(r, func(g seg.Range, v vma) {
		m.sizes.account(&v, g.Len(), -1)
		if v.mappable != nil {
			v.mappable.RemoveMapping(m, g.Start, memmap.Range{Start: v.off, End: v.off + g.Len()}, v.tracksWrites())
		}
		if v.file != nil {
			rel.files = append(rel.files, v.file)
		}
	})
}

// MUnmap is munmap(2).
func (m *MemoryManager) MUnmap(c platform.Context, addr, n uint64) error {
	n, ok := pageUp(n)
	if addr&pageMask != 0 || !ok || n == 0 || addr > linux.TASK_SIZE || n > linux.TASK_SIZE-addr {
		return linux.EINVAL
	}
	r := seg.Range{Start: addr, End: addr + n}
	var rel release
	m.mapping.Lock()
	err := m.unmapLocked(c, r, &rel)
	m.mapping.Unlock()
	rel.run()
	return err
}

func (m *MemoryManager) unmapLocked(c platform.Context, r seg.Range, rel *release) error {
	return m.unmapWith(c, r, rel, func() {
		m.clearKept(r, rel)
		if !m.leave(r, rel) {
			m.unmapPMAs(r, rel)
		}
	})
}

// unmapWith takes r from the guest; pages, with active held, lets go of what is there
// or keeps it.
func (m *MemoryManager) unmapWith(c platform.Context, r seg.Range, rel *release, pages func()) error {
	if !m.mayUnmap(r) {
		return linux.ENOMEM
	}
	m.removeVMAs(r, rel)
	m.active.Lock()
	defer m.active.Unlock()
	m.evictArenas(c, r, rel)
	pages()
	m.apply(c, rel)
	return nil
}

// mayUnmap reports whether there may be one mapping more, where r is the middle of
// one.
func (m *MemoryManager) mayUnmap(r seg.Range) bool {
	g, ok := m.vmas.Find(r.Start)
	return !ok || g.Start >= r.Start || g.End <= r.End || m.vmas.Len() < MaxMapCount
}
