package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform/memfile"
)

// Remote is the space as a debugger reaches it (/proc/pid/mem, ptrace(2)).
// Protections do not stop it (FOLL_FORCE): it reads what could be made
// readable, and stores to read-only private memory by copying the page first.
type Remote struct{ m *MemoryManager }

// Remote returns the space with force.
func (m *MemoryManager) Remote() Remote { return Remote{m} }

// ReadAt copies from addr; EIO where nothing could be read (as /proc/pid/mem).
func (x Remote) ReadAt(addr uint64, dst []byte) (int, error) {
	return x.each(addr, len(dst), linux.PROT_READ, func(at uint64, done int) int {
		return x.m.readMapped(at, dst[done:], 0)
	})
}

// WriteAt copies to addr.
func (x Remote) WriteAt(addr uint64, src []byte) (int, error) {
	if err := x.unpatch(addr, uint64(len(src))); err != nil {
		return 0, err
	}
	return x.each(addr, len(src), linux.PROT_READ|linux.PROT_WRITE, func(at uint64, done int) int {
		return x.m.pokeMapped(at, src[done:])
	})
}

// unpatch makes what a debugger stores into the program's own text again.
func (x Remote) unpatch(addr, n uint64) error {
	m := x.m
	m.active.RLock()
	none := len(m.patches.pages) == 0 && !m.sharesAny(addr, n)
	m.active.RUnlock()
	if none || addr+n < addr {
		return nil
	}
	var rel release
	m.mapping.RLock()
	m.active.Lock()
	err := m.restore(nil, seg.Range{Start: pageDown(addr), End: addr + n}, &rel)
	m.active.Unlock()
	m.mapping.RUnlock()
	rel.run()
	if err != 0 {
		return err
	}
	return nil
}

func (x Remote) each(addr uint64, n int, prot linux.Prot, move func(at uint64, done int) int) (int, error) {
	m := x.m
	for done, tries := 0, 0; done < n; tries++ {
		at := addr + uint64(done)
		if at < addr || tries > maxRetries || m.fault(at, prot, true) != nil {
			if done > 0 {
				return done, nil
			}
			return 0, linux.EIO
		}
		m.active.RLock()
		k := move(at, done)
		m.active.RUnlock()
		if k > 0 {
			tries = 0
		}
		done += k
	}
	return n, nil
}

// pokeMapped stores to one page whose VMA may be read-only. The page is ready
// for stores.
func (m *MemoryManager) pokeMapped(addr uint64, src []byte) int {
	n := min(len(src), int(pageSize-addr&pageMask))
	r, p := m.pmas.Ref(addr)
	if p == nil || !p.stores() {
		return 0
	}
	off := p.at(r.Start, addr)
	q := *p
	q.prot = effective(linux.PROT_WRITE)
	if b := m.window(&q, off, uint64(n)); b != nil {
		if !memfile.Copy(b, src[:n]) {
			return 0
		}
		return n
	}
	k, _ := p.back.WriteAt(src[:n], off)
	return k
}

// Mapped reports whether anything is mapped in [addr, addr+n).
func (m *MemoryManager) Mapped(addr, n uint64) bool {
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	return !m.vmas.IsEmpty(seg.Range{Start: addr, End: addr + n})
}
