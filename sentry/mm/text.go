package mm

import (
	"cordon/internal/linux"
	"cordon/platform"
)

// Patcher returns what patches the space's text, or nil.
func (m *MemoryManager) Patcher() platform.Patcher { return m.patcher }

// ReadText reads executable memory as it is, patches and all, for the platform. It
// returns how many bytes there are at addr.
func (m *MemoryManager) ReadText(c platform.Context, addr uint64, b []byte) int {
	var rel release
	m.mapping.RLock()
	m.active.Lock()
	defer func() {
		m.active.Unlock()
		m.mapping.RUnlock()
		rel.run()
	}()
	done := 0
	for done < len(b) {
		at := addr + uint64(done)
		g, ok := m.vmas.Find(at)
		if !ok || g.Value.prot&linux.PROT_EXEC == 0 {
			break
		}
		if e := m.resolve(g, at, false, &rel); e.signal != 0 {
			break
		}
		n := min(len(b)-done, int(pageSize-at%pageSize))
		k, _ := m.readRaw(at, b[done:done+n], 0)
		done += k
		if k < n {
			break
		}
	}
	m.apply(c, &rel)
	return done
}
