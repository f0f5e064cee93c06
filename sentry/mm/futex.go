package mm

import (
	"cordon/internal/linux"
	"cordon/sentry/memmap"
)

// FutexKey names the futex word at addr. private is FUTEX_PRIVATE_FLAG.
func (m *MemoryManager) FutexKey(addr uint64, private bool) (memmap.FutexKey, error) {
	if addr&3 != 0 {
		return memmap.FutexKey{}, linux.EINVAL
	}
	if addr >= m.max {
		return memmap.FutexKey{}, linux.EFAULT
	}
	if private {
		return memmap.FutexKey{Object: m, Offset: addr}, nil
	}
	m.mapping.RLock()
	defer m.mapping.RUnlock()
	g, ok := m.vmas.Find(addr)
	if !ok || g.Value.prot == 0 {
		return memmap.FutexKey{}, linux.EFAULT
	}
	if g.Value.shared() {
		return memmap.FutexKey{Object: g.Value.mappable, Offset: g.Value.offAt(g.Start, addr)}, nil
	}
	return memmap.FutexKey{Object: m, Offset: addr}, nil
}
