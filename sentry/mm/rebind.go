package mm

import (
	"cordon/internal/linux"
	"cordon/internal/seg"
	"cordon/platform"
	"cordon/sentry/memmap"
)

// Rebind puts the file to in the place of the mapped files that match, where they
// are mapped special ([vvar]) and as they are.
func (m *MemoryManager) Rebind(c platform.Context, match func(memmap.Mappable) bool, to memmap.Mappable) error {
	var rel release
	defer rel.run()
	m.mapping.Lock()
	defer m.mapping.Unlock()
	type place struct {
		r seg.Range
		v vma
	}
	var found []place
	for r, v := range m.vmas.All() {
		if v.flags&vmSpecial != 0 && v.mappable != nil && v.mappable != to && match(v.mappable) {
			found = append(found, place{r, *v})
		}
	}
	for _, p := range found {
		o := MMapOpts{Addr: p.r.Start, Len: p.r.Len(), Prot: p.v.prot, Flags: linux.MAP_SHARED | linux.MAP_FIXED, LockAnyway: true}
		p.v.mappable = to
		if _, err := m.mmapLocked(c, &o, p.v, p.r.Len(), &rel); err != nil {
			return err
		}
	}
	return nil
}
