package mm

import "cordon/internal/seg"

// Resident sets vec[i] to 1 for each page from addr on that has memory, for a
// core file. False: something there is not mapped.
func (m *MemoryManager) Resident(addr uint64, vec []byte) bool {
	return m.residence(seg.Range{Start: addr, End: addr + uint64(len(vec))*pageSize}, vec)
}
