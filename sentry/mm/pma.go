package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// stubMapped marks that the stub has a mapping, with the protection in the
// bits below.
const stubMapped = 0x80

// A pma says where the bytes of a range are.
type pma struct {
	back memmap.Backing
	off  uint64
	// prot is the effective protection of the VMA, kept here so that copies
	// need not look at VMAs.
	prot linux.Prot
	// private pages belong to this space (in the memory file). Others are a
	// Mappable's translation, to which stores go only if writable.
	private bool
	// cow: other spaces may have the private pages too.
	cow      bool
	writable bool
	// hidden is an arena's: no VMA is over it.
	hidden bool
	// stub is what the platform has mapped: zero is nothing.
	stub uint8
}

func newPMAs() seg.Set[pma] {
	return seg.New(seg.Funcs[pma]{
		Merge: func(r1 seg.Range, v1 pma, _ seg.Range, v2 pma) (pma, bool) {
			next := v1
			next.off += r1.Len()
			return v1, next == v2
		},
		Split: func(r seg.Range, v pma, at uint64) (pma, pma) {
			w := v
			w.off += at - r.Start
			return v, w
		},
	})
}

// stores reports whether a store to the pages may be done without any
// preparation (protection aside).
func (p *pma) stores() bool {
	if p.private {
		return !p.cow
	}
	return p.writable
}

// want is what the stub may have mapped.
func (p *pma) want() uint8 {
	prot := p.prot
	if !p.stores() {
		prot &^= linux.PROT_WRITE
	}
	return stubMapped | uint8(prot)
}

// at returns the place of the byte at addr in the backing.
func (p *pma) at(start, addr uint64) uint64 { return p.off + (addr - start) }

// backRange is a reference to give up.
type backRange struct {
	back memmap.Backing
	r    memmap.Range
}

// A release collects what a change gives up, to be dropped when the platform
// has unmapped it and no lock is held.
type release struct {
	// one is the first of the pages: mostly there are no more.
	one   backRange
	pages []backRange
	files []memmap.File
}

func (x *release) add(p backRange) {
	if x.one.back == nil {
		x.one = p
		return
	}
	x.pages = append(x.pages, p)
}

// wait hands the pages over to a list that waits.
func (x *release) wait(list []backRange) []backRange {
	if x.one.back != nil {
		list = append(list, x.one)
	}
	list = append(list, x.pages...)
	x.one, x.pages = backRange{}, nil
	return list
}

func (x *release) run() {
	if x.one.back != nil {
		x.one.back.DecRef(x.one.r)
	}
	for _, p := range x.pages {
		p.back.DecRef(p.r)
	}
	for _, f := range x.files {
		f.DecRef()
	}
	*x = release{}
}

// op adds a change of the platform's mappings, if there are any.
func (m *MemoryManager) op(o platform.Op) {
	if m.as.Load() != nil {
		m.ops = append(m.ops, o)
	}
}

// mapOp brings the stub's mapping of all of a pma up to what it may have.
// replaced says that the stub may have other pages there.
func (m *MemoryManager) mapOp(r seg.Range, p *pma, f platform.OpFlags, replaced bool) {
	if m.as.Load() == nil {
		return
	}
	want := p.want()
	switch {
	case p.stub == 0 && want == stubMapped:
		if replaced {
			m.op(platform.Op{Kind: platform.OpUnmap, Addr: r.Start, Len: r.Len()})
		}
		return
	case p.stub == 0 || replaced:
		if p.private && r.Len() >= hugeSize && m.hugeOK {
			f |= platform.Huge
		}
		m.op(platform.Op{Kind: platform.OpMap, Prot: linux.Prot(want &^ stubMapped), Flags: f, Addr: r.Start, Len: r.Len(), File: p.back.HostFile(), Offset: p.off})
	case p.stub != want:
		m.protectOp(r, want)
	}
	p.stub = want
}

// protectOp adds an OpProtect, joined to the one before where they touch.
func (m *MemoryManager) protectOp(r seg.Range, want uint8) {
	prot := linux.Prot(want &^ stubMapped)
	if n := len(m.ops); n > 0 {
		if o := &m.ops[n-1]; o.Kind == platform.OpProtect && o.Prot == prot && o.Addr+o.Len == r.Start {
			o.Len += r.Len()
			return
		}
	}
	m.op(platform.Op{Kind: platform.OpProtect, Prot: prot, Addr: r.Start, Len: r.Len()})
}

// dropPMAs forgets the translations of r and reports whether the stub had any
// of it mapped. The caller unmaps or replaces that in the same batch.
func (m *MemoryManager) dropPMAs(r seg.Range, rel *release) (mapped bool) {
	m.patches.forget(r)
	return m.replacePMAs(r, rel)
}

// replacePMAs is dropPMAs for pages that others with the same contents follow.
func (m *MemoryManager) replacePMAs(r seg.Range, rel *release) (mapped bool) {
	m.active.AssertHeld()
	m.pmas.Remove(r, func(g seg.Range, p pma) {
		mapped = mapped || p.stub != 0
		rel.add(backRange{p.back, memmap.Range{Start: p.off, End: p.off + g.Len()}})
	})
	return mapped
}

// unmapPMAs is dropPMAs with the stub's part done.
func (m *MemoryManager) unmapPMAs(r seg.Range, rel *release) {
	if m.dropPMAs(r, rel) {
		m.op(platform.Op{Kind: platform.OpUnmap, Addr: r.Start, Len: r.Len()})
	}
}

// apply performs the collected changes. Where the host refuses (too many
// mappings), the stub is emptied instead: everything comes back by faults. If
// even that fails the stub is lost, and what it may still map is kept until the
// space's end.
func (m *MemoryManager) apply(c platform.Context, rel *release) linux.Errno {
	m.active.AssertHeld()
	if m.held.r.Len() > 0 {
		m.let(rel)
	}
	as := m.as.Load()
	var err linux.Errno
	if as != nil && len(m.ops) > 0 {
		m.generation++
		if err = (*as).Apply(c, m.ops); err != 0 {
			m.emptyStub(*as, c)
		}
	}
	clear(m.ops)
	m.ops = m.ops[:0]
	if m.lost || m.pins.Load() > 0 {
		m.deferred = rel.wait(m.deferred)
	}
	return err
}

func (m *MemoryManager) emptyStub(as platform.AddressSpace, c platform.Context) {
	all := platform.Op{Kind: platform.OpUnmap, Addr: m.min, Len: m.max - m.min}
	if as.Apply(c, []platform.Op{all}) != 0 {
		m.lost = true
	}
	m.brkSpare.mapped = false
	for i := range m.vacant {
		m.vacant[i].mapped = false
	}
	m.pmas.Update(seg.Range{Start: m.min, End: m.max}, func(_ seg.Range, p *pma) { p.stub = 0 })
}

// allocAnon gives r, where there are no pmas, new private memory.
func (m *MemoryManager) allocAnon(r seg.Range, v *vma) linux.Errno {
	m.active.AssertHeld()
	o := memfile.Options{Kind: memfile.Anonymous, Phase: r.Start, Recycle: true}
	o.Huge = r.Len() >= hugeSize && v.flags&(vmNoHuge|vmGrowsDown) == 0
	if g, ok := m.pmas.Before(r.Start); ok && g.End == r.Start && g.Value.private && !g.Value.cow {
		o.After = g.Value.off + g.Len()
	}
	at, committed, err := m.cfg.Memory.Alloc(r.Len(), o)
	if err != 0 {
		return err
	}
	var f platform.OpFlags
	if committed && r.Len() >= 16*pageSize {
		f = platform.Populate
	}
	m.insertPrivate(r, at.Start, effective(v.prot), f)
	return 0
}

// insertPrivate adds a pma of private memory and, where it is accessible, maps
// it.
func (m *MemoryManager) insertPrivate(r seg.Range, off uint64, prot linux.Prot, f platform.OpFlags) {
	p := pma{back: m.memory, off: off, prot: prot, private: true}
	m.mapOp(r, &p, f, false)
	m.pmas.Insert(r, p)
}
