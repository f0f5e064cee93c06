package mm

import (
	"encoding/binary"
	"maps"
	"slices"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
)

// A patch is a store of the platform's into a program's text, which the program
// is not to notice: whoever reads the text through the Sentry sees old.
type patch struct {
	addr     uint64
	n        uint8
	old, new [8]byte
}

// patches are the patches of a space, by page and there in the order they were
// made. Spaces that fork made share a table until one changes it.
type patches struct {
	pages  map[uint64][]patch
	shared bool
}

// inherit gives a forked space the same patches.
func (x *patches) inherit() patches {
	if len(x.pages) == 0 {
		return patches{}
	}
	x.shared = true
	return *x
}

func (x *patches) change() {
	switch {
	case x.pages == nil:
		x.pages = map[uint64][]patch{}
	case x.shared:
		x.pages = maps.Clone(x.pages)
		x.shared = false
	}
}

func (x *patches) add(p patch) {
	x.change()
	page := pageDown(p.addr)
	// Never into an array that another space may append to.
	x.pages[page] = append(slices.Clip(x.pages[page]), p)
}

// forget drops the records of r.
func (x *patches) forget(r seg.Range) {
	for _, page := range x.in(r) {
		x.change()
		delete(x.pages, page)
	}
}

// in returns the patched pages of r.
func (x *patches) in(r seg.Range) []uint64 {
	var found []uint64
	if r.Len()/pageSize < uint64(len(x.pages)) {
		for page := pageDown(r.Start); page < r.End; page += pageSize {
			if x.pages[page] != nil {
				found = append(found, page)
			}
		}
		return found
	}
	for page := range x.pages {
		if r.Contains(page) {
			found = append(found, page)
		}
	}
	slices.Sort(found)
	return found
}

// any reports whether a page of [addr, addr+n) is patched.
func (x *patches) any(addr, n uint64) bool {
	return len(x.pages) != 0 && len(x.in(seg.Range{Start: pageDown(addr), End: addr + n})) != 0
}

// hide puts the original bytes into b, a copy of what is at addr.
func (x *patches) hide(addr uint64, b []byte) {
	r := seg.Range{Start: addr, End: addr + uint64(len(b))}
	for _, page := range x.in(seg.Range{Start: pageDown(r.Start), End: r.End}) {
		for _, p := range slices.Backward(x.pages[page]) {
			for i := range uint64(p.n) {
				if r.Contains(p.addr + i) {
					b[p.addr+i-addr] = p.old[i]
				}
			}
		}
	}
}

// PatchText replaces old by new at addr, as a debugger would, for guests that run
// there at the same time: one atomic store, which must not cross a line of 64
// bytes (EINVAL). EACCES: the mapping is not private, executable and
// read-only. EAGAIN: the bytes there are not old. The program's own loads see new;
// everything that asks the Sentry, and a checkpoint, sees what was there before.
func (m *MemoryManager) PatchText(c platform.Context, addr uint64, old, new []byte) linux.Errno {
	n := uint64(len(new))
	if n == 0 || n > 8 || len(old) != len(new) || addr%line+n > line {
		return linux.EINVAL
	}
	var rel release
	m.mapping.RLock()
	defer func() {
		m.mapping.RUnlock()
		rel.run()
	}()
	g, ok := m.vmas.Find(addr)
	if !ok || m.plain.Load() || !g.Value.patchable() {
		return linux.EACCES
	}
	m.active.Lock()
	defer m.active.Unlock()
	err := m.patchLocked(c, g, addr, old, new, &rel)
	if err == 0 {
		p := patch{addr: addr, n: uint8(n)}
		copy(p.old[:], old)
		copy(p.new[:], new)
		m.patches.add(p)
	}
	return err
}

// line is the size of the processor's cache lines.
const line = 64

// patchable says whose text may be patched: what the guest cannot change and no
// other mapping shows.
func (v *vma) patchable() bool {
	return v.prot&(linux.PROT_EXEC|linux.PROT_WRITE) == linux.PROT_EXEC && v.flags&(vmShared|vmSpecial) == 0
}

// patchLocked stores new where old is, in a page of this space's own.
func (m *MemoryManager) patchLocked(c platform.Context, g seg.Seg[vma], addr uint64, old, new []byte, rel *release) linux.Errno {
	m.active.AssertHeld()
	if e := m.resolve(g, addr, false, rel); e.signal != 0 {
		m.apply(c, rel)
		return linux.EFAULT
	}
	if _, p := m.pmas.Ref(addr); p.isShared() {
		m.apply(c, rel)
		return linux.EACCES
	}
	var have [8]byte
	if n, _ := m.readRaw(addr, have[:len(old)], 0); n < len(old) {
		m.apply(c, rel)
		return linux.EFAULT
	}
	if string(have[:len(old)]) != string(old) {
		m.apply(c, rel)
		return linux.EAGAIN
	}
	if e := m.resolve(g, addr, true, rel); e.signal != 0 {
		m.apply(c, rel)
		return linux.ENOMEM
	}
	r, p := m.pmas.Ref(addr)
	base := wordFor(addr)
	storeBytes(m.window(p, p.at(r.Start, base), 8), addr-base, new)
	// Where the stub had the old page it gets the new one; if it cannot, it has
	// none, and a fault will map it.
	_ = m.apply(c, rel)
	return 0
}

// wordFor returns where eight bytes with those at addr begin that are in one line.
func wordFor(addr uint64) uint64 { return min(addr, addr&^(line-1)+line-8) }

// storeBytes replaces the bytes from at on of the eight that b is. They are
// unaligned, but within a line: the processor stores them at once.
func storeBytes(b []byte, at uint64, new []byte) {
	var w [8]byte
	binary.LittleEndian.PutUint64(w[:], loadWord(b))
	copy(w[at:], new)
	storeWord(b, binary.LittleEndian.Uint64(w[:]))
}

// restore gives the text of r its original bytes back. Pages are made this
// space's own first where fork shared them. ENOMEM: there is no memory for that,
// and what is left stays patched.
func (m *MemoryManager) restore(c platform.Context, r seg.Range, rel *release) linux.Errno {
	m.active.AssertHeld()
	m.unshare(r, rel)
	return m.restoreOwn(c, r, rel)
}

// restoreOwn is restore for the patches of this space alone.
func (m *MemoryManager) restoreOwn(c platform.Context, r seg.Range, rel *release) linux.Errno {
	for _, page := range m.patches.in(r) {
		list := m.patches.pages[page]
		for i, p := range slices.Backward(list) {
			g, ok := m.vmas.Find(p.addr)
			if !ok {
				break
			}
			err := m.patchLocked(c, g, p.addr, p.new[:p.n], p.old[:p.n], rel)
			if err == linux.ENOMEM {
				m.patches.change()
				m.patches.pages[page] = slices.Clip(list[:i+1])
				return err
			}
		}
		m.patches.change()
		delete(m.patches.pages, page)
	}
	return 0
}

// UnpatchAll gives all text its original bytes back.
func (m *MemoryManager) UnpatchAll(c platform.Context) linux.Errno {
	var rel release
	m.mapping.RLock()
	m.active.Lock()
	err := m.restore(c, seg.Range{Start: 0, End: m.max}, &rel)
	m.active.Unlock()
	m.mapping.RUnlock()
	rel.run()
	return err
}

// KeepText gives all text its original bytes back and lets nobody patch it any more:
// the space is debugged.
func (m *MemoryManager) KeepText(c platform.Context) linux.Errno {
	if m.patcher == nil || m.plain.Swap(true) {
		return 0
	}
	return m.UnpatchAll(c)
}

// Patches returns how many patches there are.
func (m *MemoryManager) Patches() int {
	m.active.RLock()
	defer m.active.RUnlock()
	n := 0
	for _, list := range m.patches.pages {
		n += len(list)
	}
	return n
}

// hidePatches tells the memory file what a checkpoint is to see in place of
// patched text.
func (m *MemoryManager) hidePatches() {
	m.active.AssertRHeld()
	for _, list := range m.patches.pages {
		for _, p := range slices.Backward(list) {
			if r, q := m.pmas.Ref(p.addr); q != nil && q.private {
				m.cfg.Memory.HideInImage(q.at(r.Start, p.addr), p.new[:p.n], p.old[:p.n])
			}
		}
	}
}
