package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/sentry/memmap"
)

// maxShared is how many shared texts a space has mapped at most.
const maxShared = 32

// A sharing is a shared text that a space has mapped. Its trampolines are an
// arena.
type sharing struct {
	text *sharedText // nil: the arena is this space's own
	bias uint64      // the address of the file's first byte
	code seg.Range   // has all pieces that are mapped
	// off: the pages are the file's own again. The arena stays as long as the
	// mapping does: somebody may be in it.
	off bool
}

// shares reports whether v's text could be shared.
func (m *MemoryManager) shares(v *vma) bool {
	return m.cfg.Texts != nil && m.patcher != nil && !m.plain.Load() && v.mappable != nil && v.patchable()
}

// shareNew prepares a new mapping of a file's text for being shared, if there is
// something to share: translate does it then.
func (m *MemoryManager) shareNew(r seg.Range, v *vma) {
	if !m.shares(v) {
		return
	}
	if s := m.cfg.Texts.find(v.mappable); s != nil {
		m.attach(s, r, v)
	}
}

// attach maps the trampolines of s where they are to be for the VMA at r, and notes
// which pieces of s the VMA can have. It returns nil where that cannot be.
func (m *MemoryManager) attach(s *sharedText, r seg.Range, v *vma) *arena {
	m.active.AssertHeld()
	if v.off > r.Start {
		return nil
	}
	bias := r.Start - v.off
	var code seg.Range
	for _, p := range s.all() {
		if at := p.at(bias); r.Covers(at) {
			if code.Len() == 0 {
				code = at
			}
			code.Start, code.End = min(code.Start, at.Start), max(code.End, at.End)
		}
	}
	if code.Len() == 0 {
		return nil
	}
	shared := 0
	for i := range m.arenas {
		a := &m.arenas[i]
		if a.text == s && a.bias == bias && !a.off && r.Covers(a.code) {
			a.code = code // there may be more pieces now
			return a
		}
		if a.text != nil {
			shared++
		}
		if a.text != nil && a.code.Overlaps(code) {
			return nil
		}
	}
	if shared == maxShared {
		return nil
	}
	pages, at, ok := s.join()
	if !ok {
		return nil
	}
	where := seg.Range{Start: at - textBase + bias}
	where.End = where.Start + pages.Len()
	if where.Start < m.min || where.End > m.max || where.End < where.Start || !m.freeAt(where) ||
		m.brkSpare.keptRange().Overlaps(where) || m.vacantAt(where) {
		s.leave()
		return nil
	}
	p := pma{back: m.memory, off: pages.Start, prot: linux.PROT_READ | linux.PROT_EXEC, hidden: true}
	m.memory.IncRef(memmap.Range(pages))
	m.mapOp(where, &p, platform.Populate, false)
	m.pmas.Insert(where, p)
	m.arenas = append(m.arenas, arena{r: where, sharing: sharing{text: s, bias: bias, code: code}})
	return &m.arenas[len(m.arenas)-1]
}

// sharingAt returns the sharing whose pieces are to be mapped at r, of a file's
// text, or nil. bias says where the file's first byte would be.
func (m *MemoryManager) sharingAt(r seg.Range, bias uint64) *sharing {
	for i := range m.arenas {
		x := &m.arenas[i].sharing
		if x.text != nil && !x.off && x.bias == bias && x.code.Overlaps(r) && !x.text.stale.Load() {
			return x
		}
	}
	return nil
}

// insertText adds a translation of a file's text at r, p, with what is shared in
// place of the file's own pages.
func (m *MemoryManager) insertText(x *sharing, r seg.Range, p pma) {
	own := func(end uint64) {
		if r.Start < end {
			q := p
			p.back.IncRef(memmap.Range{Start: q.off, End: q.off + end - r.Start})
			m.pmas.Insert(seg.Range{Start: r.Start, End: end}, q)
			p.off += end - r.Start
			r.Start = end
		}
	}
	for _, piece := range x.text.all() {
		at := piece.at(x.bias)
		part := at.Intersect(r)
		if part.Len() == 0 || !x.code.Covers(at) || m.anyPrivate(at) {
			continue
		}
		own(part.Start)
		q := piece.pma(x, part, p.prot)
		m.pmas.Insert(part, q)
		p.off += part.Len()
		r.Start = part.End
	}
	own(r.End)
}

// pma returns the translation of a part of a piece, with its reference.
func (p *textPiece) pma(x *sharing, part seg.Range, prot linux.Prot) pma {
	off := p.off + (part.Start - x.bias - p.r.Start)
	x.text.IncRef(memmap.Range{Start: off, End: off + part.Len()})
	return pma{back: x.text, off: off, prot: prot}
}

// anyPrivate reports whether a page of r is the space's own.
func (m *MemoryManager) anyPrivate(r seg.Range) bool {
	for _, p := range m.pmas.Over(r) {
		if p.private {
			return true
		}
	}
	return false
}

// ShareText implements platform.Text.
func (m *MemoryManager) ShareText(c platform.Context, addr uint64) platform.Sharing {
	var rel release
	m.mapping.Lock()
	m.active.Lock()
	defer func() {
		m.active.Unlock()
		m.mapping.Unlock()
		rel.run()
	}()
	if _, p := m.pmas.Ref(addr); p.isShared() {
		return platform.SharedAlready
	}
	g, ok := m.vmas.Find(addr)
	if !ok || !m.shares(&g.Value) {
		return platform.NotShared
	}
	s := m.cfg.Texts.find(g.Value.mappable)
	if s == nil {
		return platform.NotShared
	}
	a := m.attach(s, g.Range, &g.Value)
	if a == nil {
		return platform.NotShared
	}
	for _, piece := range s.all() {
		if at := piece.at(a.bias); a.code.Covers(at) && !m.anyPrivate(at) {
			m.exchange(&a.sharing, &piece, at, &rel)
		}
	}
	m.apply(c, &rel) // or a fault will
	if _, p := m.pmas.Ref(addr); !p.isShared() {
		return platform.NotShared
	}
	return platform.SharedNow
}

// isShared reports whether p, which may be nil, is a translation to shared text.
func (p *pma) isShared() bool {
	if p == nil {
		return false
	}
	_, ok := p.back.(*sharedText)
	return ok
}

// exchange puts a piece in the place of the file's pages at r, all of which have
// the same contents.
func (m *MemoryManager) exchange(x *sharing, piece *textPiece, r seg.Range, rel *release) {
	var parts []seg.Range
	prot := linux.Prot(0)
	for g, p := range m.pmas.Over(r) {
		if p.back != x.text {
			parts = append(parts, g.Intersect(r))
			prot = p.prot
		}
	}
	for _, part := range parts {
		mapped := m.replacePMAs(part, rel)
		q := piece.pma(x, part, prot)
		if mapped {
			m.mapOp(part, &q, 0, true)
		}
		m.pmas.Insert(part, q)
	}
}

// unshare gives r the file's own pages again, and the rest of each text with a page
// in r: patches go together.
func (m *MemoryManager) unshare(r seg.Range, rel *release) {
	m.active.AssertHeld()
	for i := range m.arenas {
		if x := &m.arenas[i].sharing; x.text != nil && !x.off && x.code.Overlaps(r) {
			m.endSharing(x, rel)
		}
	}
}

// endSharing takes the shared pages away; faults bring the file's.
func (m *MemoryManager) endSharing(x *sharing, rel *release) {
	if x.off {
		return
	}
	x.off = true
	var parts []seg.Range
	for g, p := range m.pmas.Over(x.code) {
		if p.back == x.text {
			parts = append(parts, g.Intersect(x.code))
		}
	}
	for _, part := range parts {
		m.unmapPMAs(part, rel)
	}
}

// sharesAny reports whether some of [addr, addr+n) is shared text.
func (m *MemoryManager) sharesAny(addr, n uint64) bool {
	r := seg.Range{Start: addr, End: addr + n}
	for i := range m.arenas {
		if x := &m.arenas[i].sharing; x.text != nil && !x.off && x.code.Overlaps(r) {
			return true
		}
	}
	return false
}

// A textView is a shared text as the patcher of one space sees it.
type textView struct {
	*sharedText
	near memmap.Range // of the file, mapped as one
}

var _ platform.SharedText = (*textView)(nil)

// SharedText implements platform.Text.
func (m *MemoryManager) SharedText(addr uint64) (s platform.SharedText, bias uint64) {
	if m.cfg.Texts == nil {
		return nil, 0
	}
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	g, ok := m.vmas.Find(addr)
	if !ok || !m.shares(&g.Value) || g.Value.off > g.Start {
		return nil, 0
	}
	t := m.cfg.Texts.provide(g.Value.mappable)
	if t == nil {
		return nil, 0
	}
	v := &g.Value
	return &textView{t, memmap.Range{Start: v.off, End: v.off + g.Len()}}, g.Start - v.off - textBase
}

// SharedAt implements platform.Text.
func (m *MemoryManager) SharedAt(addr uint64) (s platform.SharedText, bias uint64) {
	m.active.RLock()
	defer m.active.RUnlock()
	for i := range m.arenas {
		if a := &m.arenas[i]; a.text != nil && (a.r.Contains(addr) || a.code.Contains(addr)) {
			return &a.text.view, a.bias - textBase
		}
	}
	return nil, 0
}

// Keep implements platform.SharedText.
func (v *textView) Keep(make func() any) any {
	for {
		if p := v.kept.Load(); p != nil {
			return *p
		}
		x := make()
		v.kept.CompareAndSwap(nil, &x)
	}
}

// ReadText implements platform.SharedText.
func (v *textView) ReadText(at uint64, b []byte) int {
	if at < textBase {
		return 0
	}
	off := at - textBase
	if off < v.near.Start || off >= v.near.End {
		return 0
	}
	b = b[:min(uint64(len(b)), v.near.End-off)]
	if p, ok := v.piece(off); ok && off+uint64(len(b)) <= p.r.End {
		n, _ := v.ReadAt(b, p.off+(off-p.r.Start))
		return n
	}
	return v.readFile(b, off)
}

// PatchText implements platform.SharedText.
func (v *textView) PatchText(at uint64, old, new []byte) linux.Errno {
	return v.patch(at, old, new)
}

// Prepare implements platform.SharedText.
func (v *textView) Prepare(at, end uint64) linux.Errno {
	if at < textBase || end <= at {
		return linux.EINVAL
	}
	err := v.grow(at-textBase, v.near)
	if p, ok := v.piece(at - textBase); !ok || end-textBase > p.r.End {
		return max(err, linux.ENOMEM)
	}
	return 0
}

// Arena implements platform.SharedText.
func (v *textView) Arena() (at, size uint64, err linux.Errno) {
	at, err = v.arenaRange()
	return at, sharedArena, err
}

// ArenaWrite implements platform.SharedText.
func (v *textView) ArenaWrite(at uint64, b []byte) linux.Errno { return v.arenaWrite(at, b) }

// leave ends what is shared, whose arena is going.
func (x *sharing) leave() {
	if x.text != nil {
		x.text.leave()
	}
}

// cut ends what is shared if some of it is at r, which is not mapped any more. It
// reports whether nothing of the file's text is left where it was.
func (x *sharing) cut(m *MemoryManager, r seg.Range, rel *release) bool {
	if !x.code.Overlaps(r) {
		return false
	}
	if r.Covers(x.code) {
		return true
	}
	m.endSharing(x, rel)
	for g, v := range m.vmas.Over(x.code) {
		if v.mappable != nil && g.Start-v.off == x.bias && v.prot&linux.PROT_EXEC != 0 {
			return false
		}
	}
	return true
}
