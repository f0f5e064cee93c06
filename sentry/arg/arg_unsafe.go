package arg

import (
	"unsafe"

	"cordon/internal/linux"
	"cordon/sentry/mm"
)

// bytesOf returns v's memory. T is plain data (the table's construction checks
// it), so any bytes are a valid T.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

func load[T any](m *mm.MemoryManager, addr uint64) (T, error) {
	var v T
	_, err := m.CopyIn(addr, bytesOf(&v))
	return v, err
}

func store[T any](m *mm.MemoryManager, addr uint64, v *T) error {
	_, err := m.CopyOut(addr, bytesOf(v))
	return err
}

func loadAll[T any](m *mm.MemoryManager, addr uint64, n int) ([]T, error) {
	if n <= 0 {
		return nil, nil
	}
	v := make([]T, n)
	if err := loadInto(m, addr, v); err != nil {
		return nil, err
	}
	return v, nil
}

// loadInto fills v.
func loadInto[T any](m *mm.MemoryManager, addr uint64, v []T) error {
	if len(v) == 0 {
		return nil
	}
	if _, err := m.CopyIn(addr, unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), uintptr(len(v))*unsafe.Sizeof(v[0]))); err != nil {
		return linux.EFAULT
	}
	return nil
}

func storeAll[T any](m *mm.MemoryManager, addr uint64, v []T) error {
	if len(v) == 0 {
		return nil
	}
	_, err := m.CopyOut(addr, unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), uintptr(len(v))*unsafe.Sizeof(v[0])))
	return err
}

// Bytes returns v's memory as a guest sees it.
func Bytes[T any](v *T) []byte { return bytesOf(v) }
