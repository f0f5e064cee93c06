package mm

import (
	"sync"

	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
	"cordon/sentry/usermem"
)

var _ usermem.Space = (*MemoryManager)(nil)

// maxRetries bounds how often a copy faults one page in again because another
// thread took it away in between.
const maxRetries = 64

// protOf is what a VMA must allow for an access of ours.
func protOf(a usermem.Access) linux.Prot {
	var p linux.Prot
	if a&usermem.Read != 0 {
		p |= linux.PROT_READ
	}
	if a&usermem.Write != 0 {
		p |= linux.PROT_WRITE
	}
	if a&usermem.Execute != 0 {
		p |= linux.PROT_EXEC
	}
	return p
}

// CopyIn implements usermem.Space.
func (m *MemoryManager) CopyIn(addr uint64, dst []byte) (int, error) {
	for done, tries := 0, 0; ; tries++ {
		m.active.RLock()
		n := m.readMapped(addr+uint64(done), dst[done:], linux.PROT_READ)
		m.active.RUnlock()
		if done += n; done == len(dst) {
			return done, nil
		}
		if n > 0 {
			tries = 0
		}
		if err := m.faultIn(addr+uint64(done), linux.PROT_READ, tries); err != nil {
			return done, err
		}
	}
}

// CopyOut implements usermem.Space.
func (m *MemoryManager) CopyOut(addr uint64, src []byte) (int, error) {
	for done, tries := 0, 0; ; tries++ {
		m.active.RLock()
		n := m.writeMapped(addr+uint64(done), src[done:], linux.PROT_WRITE)
		m.active.RUnlock()
		if done += n; done == len(src) {
			return done, nil
		}
		if n > 0 {
			tries = 0
		}
		if err := m.faultIn(addr+uint64(done), linux.PROT_WRITE, tries); err != nil {
			return done, err
		}
	}
}

// ZeroOut implements usermem.Space.
func (m *MemoryManager) ZeroOut(addr, n uint64) (uint64, error) {
	for done, tries := uint64(0), 0; ; tries++ {
		m.active.RLock()
		k := m.zeroMapped(addr+done, n-done)
		m.active.RUnlock()
		if done += k; done == n {
			return done, nil
		}
		if k > 0 {
			tries = 0
		}
		if err := m.faultIn(addr+done, linux.PROT_WRITE, tries); err != nil {
			return done, err
		}
	}
}

// mapped returns the pma at addr and how far it goes, if it serves prot as it
// is.
func (m *MemoryManager) mapped(addr uint64, prot linux.Prot) (p *pma, off, n uint64) {
	r, p := m.pmas.Ref(addr)
	if p == nil || p.hidden || p.prot&prot != prot || prot&linux.PROT_WRITE != 0 && !p.stores() {
		return nil, 0, 0
	}
	return p, p.at(r.Start, addr), r.End - addr
}

// window returns our mapping of at most n bytes at off, nil if there is none.
func (m *MemoryManager) window(p *pma, off, n uint64) []byte {
	if p.private {
		return m.cfg.Memory.Window(memfile.Range{Start: off, End: off + n})
	}
	return p.back.Window(memmap.Range{Start: off, End: off + n})
}

// readMapped copies as far as there are translations. Patched text reads as it was.
func (m *MemoryManager) readMapped(addr uint64, dst []byte, prot linux.Prot) int {
	n, text := m.readRaw(addr, dst, prot)
	if text && len(m.patches.pages) != 0 {
		m.patches.hide(addr, dst[:n])
	}
	return n
}

// readRaw is readMapped with patches. text says that some of it is executable.
func (m *MemoryManager) readRaw(addr uint64, dst []byte, prot linux.Prot) (done int, text bool) {
	for done < len(dst) {
		p, off, n := m.mapped(addr+uint64(done), prot)
		if p == nil {
			break
		}
		text = text || p.prot&linux.PROT_EXEC != 0
		n = min(n, uint64(len(dst)-done))
		if b := m.window(p, off, n); b != nil {
			if !memfile.Copy(dst[done:], b) {
				break
			}
			done += min(len(b), len(dst)-done)
			continue
		}
		k := readBack(p.back, dst[done:done+int(n)], off)
		if done += k; k == 0 {
			break
		}
	}
	return done, text
}

// readBack reads what has no window. It goes by a buffer of its own: what is
// given to an interface leaves the stack, and every copy's memory with it.
func readBack(b memmap.Backing, dst []byte, off uint64) int {
	buf := make([]byte, min(len(dst), bounceMax))
	k, _ := b.ReadAt(buf, off)
	return copy(dst, buf[:k])
}

// writeBack is readBack's counterpart.
func writeBack(b memmap.Backing, src []byte, off uint64) int {
	buf := append([]byte(nil), src[:min(len(src), bounceMax)]...)
	k, _ := b.WriteAt(buf, off)
	return k
}

// writeMapped copies as far as there are translations.
func (m *MemoryManager) writeMapped(addr uint64, src []byte, prot linux.Prot) int {
	done := 0
	for done < len(src) {
		p, off, n := m.mapped(addr+uint64(done), prot)
		if p == nil {
			break
		}
		n = min(n, uint64(len(src)-done))
		if b := m.window(p, off, n); b != nil {
			if !memfile.Copy(b, src[done:]) {
				break
			}
			done += min(len(b), len(src)-done)
			continue
		}
		k := writeBack(p.back, src[done:done+int(n)], off)
		if done += k; k == 0 {
			break
		}
	}
	return done
}

func (m *MemoryManager) zeroMapped(addr, n uint64) uint64 {
	var done uint64
	for done < n {
		p, off, k := m.mapped(addr+done, linux.PROT_WRITE)
		if p == nil {
			break
		}
		k = min(k, n-done)
		if b := m.window(p, off, k); b != nil {
			if !memfile.Clear(b) {
				break
			}
			done += uint64(len(b))
			continue
		}
		w, err := p.back.WriteAt(make([]byte, min(k, pageSize)), off)
		done += uint64(w)
		if err != nil || w == 0 {
			break
		}
	}
	return done
}

// faultIn makes a translation for an access of ours at addr. When that was not enough
// the last time the host may have refused a page, and another try waits for room.
func (m *MemoryManager) faultIn(addr uint64, prot linux.Prot, tries int) error {
	if tries > maxRetries || m.fault(addr, prot, false) != nil {
		return linux.EFAULT
	}
	if tries > 0 && !m.dying.Load() {
		m.cfg.Memory.AwaitRoom()
	}
	return nil
}

// fault is faultIn's work; force is FOLL_FORCE.
func (m *MemoryManager) fault(addr uint64, prot linux.Prot, force bool) error {
	if addr >= m.max {
		return linux.EFAULT
	}
	var rel release
	for {
		m.mapping.RLock()
		g, ok := m.vmas.Find(addr)
		if ok {
			err := m.faultFound(g, addr, prot, force, &rel)
			m.mapping.RUnlock()
			rel.run()
			return err
		}
		m.mapping.RUnlock()
		if !m.growStack(addr) {
			return linux.EFAULT
		}
	}
}

func (m *MemoryManager) faultFound(g seg.Seg[vma], addr uint64, prot linux.Prot, force bool, rel *release) error {
	v := &g.Value
	if missing := prot &^ effective(v.prot); missing != 0 {
		// As in Linux, force reads what mprotect could make readable and
		// writes what is private and could be made writable.
		if !force || missing&^effective(v.may) != 0 || prot&linux.PROT_WRITE != 0 && v.shared() {
			return linux.EFAULT
		}
	}
	m.active.Lock()
	defer m.active.Unlock()
	e := m.resolve(g, addr, prot&linux.PROT_WRITE != 0, rel)
	m.apply(nil, rel)
	if e.signal != 0 {
		return linux.EFAULT
	}
	return nil
}

// CopyInString returns the bytes at addr up to a NUL. ENAMETOOLONG: there is
// none in max bytes.
func (m *MemoryManager) CopyInString(addr uint64, max int) (string, error) {
	var long []byte
	for tries := 0; len(long) < max; tries++ {
		at := addr + uint64(len(long))
		var found bool
		var s string
		m.active.RLock()
		long, s, found = m.stringMapped(at, max-len(long), long)
		m.active.RUnlock()
		switch {
		case found:
			return s, nil
		case addr+uint64(len(long)) != at:
			tries = 0
		default:
			if err := m.faultIn(at, linux.PROT_READ, tries); err != nil {
				return "", err
			}
		}
	}
	return "", linux.ENAMETOOLONG
}

// stringMapped looks for a NUL in at most max bytes of one translation. It
// returns the string, which long begins, or long with what is there.
func (m *MemoryManager) stringMapped(addr uint64, max int, long []byte) (_ []byte, s string, found bool) {
	p, off, n := m.mapped(addr, linux.PROT_READ)
	if p == nil {
		return long, "", false
	}
	n = min(n, uint64(max))
	b := m.window(p, off, n)
	if b == nil {
		b = make([]byte, min(n, pageSize-addr&pageMask))
		k, err := p.back.ReadAt(b, off)
		if err != nil {
			return long, "", false
		}
		b = b[:k]
	}
	i, ok := memfile.IndexByte(b, 0)
	switch {
	case !ok:
		return long, "", false
	case i < 0:
		return append(long, b...), "", false
	case long == nil:
		return nil, string(b[:i]), true
	}
	return nil, string(append(long, b[:i]...)), true
}

// Blocks implements usermem.Space.
func (m *MemoryManager) Blocks(addr, n uint64, a usermem.Access, fn func(blocks [][]byte) (uint64, error)) (uint64, error) {
	prot := protOf(a)
	var done uint64
	arr := blockArrays.Get().(*[maxBlocks][]byte)
	defer blockArrays.Put(arr)
	for tries, refusals := 0, 0; done < n; tries++ {
		blocks, size, bounce := m.pin(addr+done, n-done, prot, arr[:0])
		if size == 0 && !bounce {
			if err := m.faultIn(addr+done, prot, tries); err != nil {
				return done, err
			}
			continue
		}
		tries = 0
		if bounce {
			used, size, err := m.bounce(addr+done, n-done, a, fn)
			done += used
			if err != nil || used < size {
				return done, err
			}
			continue
		}
		used, err := fn(blocks)
		m.unpin()
		if used == 0 && err == linux.EFAULT {
			// The host refused a page to a call of ours.
			if refusals++; m.faultIn(addr+done, prot, refusals) == nil {
				continue
			}
		}
		done += used
		refusals = 0
		if err != nil || used < size {
			return done, err
		}
	}
	return done, nil
}

// maxBlocks is how many pieces of memory one call of the host's may be about: a private mapping that was stored to little
// by little lies in pieces of a page.
const maxBlocks = 64

// blockArrays spares each Blocks an allocation.
var blockArrays = sync.Pool{New: func() any { return new([maxBlocks][]byte) }}

// pin returns windows of memory at addr that stay as they are until unpin,
// which the caller owes if size is not zero. bounce says that the memory at
// addr has no window.
func (m *MemoryManager) pin(addr, n uint64, prot linux.Prot, blocks [][]byte) (_ [][]byte, size uint64, bounce bool) {
	m.active.RLock()
	defer m.active.RUnlock()
	for size < n && len(blocks) < cap(blocks) {
		p, off, k := m.mapped(addr+size, prot)
		if p == nil {
			break
		}
		b := m.window(p, off, min(k, n-size))
		if b == nil || p.prot&linux.PROT_EXEC != 0 && m.patches.any(addr+size, uint64(len(b))) {
			bounce = size == 0
			break
		}
		blocks = append(blocks, b)
		size += uint64(len(b))
	}
	if size > 0 {
		m.pins.Add(1)
	}
	return blocks, size, bounce
}

// unpin ends a pin and drops what had to wait for it.
func (m *MemoryManager) unpin() {
	if m.pins.Add(-1) > 0 {
		return
	}
	var drop []backRange
	m.active.RLock()
	waiting := len(m.deferred) > 0
	m.active.RUnlock()
	if !waiting {
		return
	}
	m.active.Lock()
	if m.pins.Load() == 0 && !m.lost {
		drop, m.deferred = m.deferred, nil
	}
	m.active.Unlock()
	for _, p := range drop {
		p.back.DecRef(p.r)
	}
}

// bounceMax is the most that one bounce buffer holds.
const bounceMax = 64 << 10

// bounce gives fn a buffer in place of memory without a window. A translation
// is there.
func (m *MemoryManager) bounce(addr, n uint64, a usermem.Access, fn func(blocks [][]byte) (uint64, error)) (used, size uint64, err error) {
	buf := make([]byte, min(n, bounceMax, pageSize-addr&pageMask+bounceMax-pageSize))
	if a&usermem.Read != 0 || a&usermem.Write == 0 {
		k, err := m.CopyIn(addr, buf)
		if k == 0 {
			return 0, 0, err
		}
		buf = buf[:k]
	}
	used, err = fn([][]byte{buf})
	size = uint64(len(buf))
	if a&usermem.Write != 0 {
		k, werr := m.CopyOut(addr, buf[:used])
		if uint64(k) < used {
			return uint64(k), size, werr
		}
	}
	return used, size, err
}
