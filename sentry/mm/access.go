package mm

import (
	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

var _ usermem.Space = (*MemoryManager)(nil)

// CopyIn implements usermem.Space.
func (m *MemoryManager) CopyIn(addr uint64, dst []byte) (int, error) { return 0, linux.EFAULT }

// CopyOut implements usermem.Space.
func (m *MemoryManager) CopyOut(addr uint64, src []byte) (int, error) { return 0, linux.EFAULT }

// ZeroOut implements usermem.Space.
func (m *MemoryManager) ZeroOut(addr, n uint64) (uint64, error) { return 0, linux.EFAULT }

// Blocks implements usermem.Space.
func (m *MemoryManager) Blocks(addr, n uint64, a usermem.Access, fn func(blocks [][]byte) (uint64, error)) (uint64, error) {
	return 0, linux.EFAULT
}

// CopyInString returns the bytes at addr up to a NUL. ENAMETOOLONG: there is
// none in max bytes.
func (m *MemoryManager) CopyInString(addr uint64, max int) (string, error) {
	return "", linux.EFAULT
}

// LoadUint32 reads an aligned word atomically (EINVAL where it is not aligned).
func (m *MemoryManager) LoadUint32(addr uint64) (uint32, error) { return 0, linux.EFAULT }

// StoreUint32 stores an aligned word atomically.
func (m *MemoryManager) StoreUint32(addr uint64, v uint32) error { return linux.EFAULT }

// CompareAndSwapUint32 returns the word's value before.
func (m *MemoryManager) CompareAndSwapUint32(addr uint64, old, new uint32) (uint32, error) {
	return 0, linux.EFAULT
}

// LoadUint64 reads an aligned doubleword atomically.
func (m *MemoryManager) LoadUint64(addr uint64) (uint64, error) { return 0, linux.EFAULT }

// Remote is the space as a debugger reaches it (/proc/pid/mem, ptrace(2),
// process_vm_readv(2)).
type Remote struct{ m *MemoryManager }

// Remote returns the space with force: protections do not stop reads, nor
// writes to private mappings (FOLL_FORCE), which are copied first.
func (m *MemoryManager) Remote() Remote { return Remote{m} }
