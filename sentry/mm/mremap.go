package mm

import (
	"cordon/internal/linux"
	"cordon/platform"
)

// MRemap is mremap(2).
func (m *MemoryManager) MRemap(c platform.Context, old, oldLen, newLen uint64, flags linux.MremapFlags, to uint64) (uint64, error) {
	return 0, linux.EINVAL
}
