package mm

import (
	"cordon/platform/memfile"
	"cordon/sentry/memmap"
)

// AppendOwn appends to list where in the memory file the space's own memory is:
// private pages, and those that are shared without a file's name. What fork
// shares is in the lists of several spaces.
func (m *MemoryManager) AppendOwn(list []memfile.Range) []memfile.Range {
	m.active.RLock()
	defer m.active.RUnlock()
	for r, p := range m.pmas.All() {
		if p.hidden {
			continue
		}
		if _, ours := p.back.(memmap.Memory); !ours {
			continue
		}
		if !p.private && m.cfg.Memory.KindAt(p.off) != memfile.Shared {
			continue
		}
		next := memfile.Range{Start: p.off, End: p.off + r.Len()}
		if k := len(list) - 1; k >= 0 && list[k].End == next.Start {
			list[k].End = next.End
			continue
		}
		list = append(list, next)
	}
	return list
}
