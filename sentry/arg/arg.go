// Package arg holds the types of system call arguments: each says what the
// register means, which way the data goes and how large it is. The syscall
// table's handlers declare their parameters with them; dispatch, the trace, the
// documentation and the fuzzer's grammar are derived from the declarations.
package arg

import (
	"cordon/internal/linux"
	"cordon/sentry/mm"
	"cordon/sentry/usermem"
)

// A Value is any type that fits one argument register.
type Value interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~uintptr | ~int | ~uint
}

// Pointers. In is const T*, Out is T* to be filled, InOut is both; the address
// may be 0 where the call allows NULL.
type (
	In[T any]    uintptr
	Out[T any]   uintptr
	InOut[T any] uintptr
)

// Load reads the T at p.
func (p In[T]) Load(m *mm.MemoryManager) (T, error) { return load[T](m, uint64(p)) }

// Load reads the T at p.
func (p InOut[T]) Load(m *mm.MemoryManager) (T, error) { return load[T](m, uint64(p)) }

// Store writes v at p.
func (p Out[T]) Store(m *mm.MemoryManager, v *T) error { return store(m, uint64(p), v) }

// Store writes v at p.
func (p InOut[T]) Store(m *mm.MemoryManager, v *T) error { return store(m, uint64(p), v) }

// LoadAll reads n consecutive T from p. The caller has bounded n.
func (p In[T]) LoadAll(m *mm.MemoryManager, n int) ([]T, error) { return loadAll[T](m, uint64(p), n) }

// LoadAll reads n consecutive T from p. The caller has bounded n.
func (p InOut[T]) LoadAll(m *mm.MemoryManager, n int) ([]T, error) {
	return loadAll[T](m, uint64(p), n)
}

// StoreAll writes v from p on.
func (p Out[T]) StoreAll(m *mm.MemoryManager, v []T) error { return storeAll(m, uint64(p), v) }

// StoreAll writes v from p on.
func (p InOut[T]) StoreAll(m *mm.MemoryManager, v []T) error { return storeAll(m, uint64(p), v) }

// LoadAt reads a T at any address.
func LoadAt[T any](m *mm.MemoryManager, addr uint64) (T, error) { return load[T](m, addr) }

// StoreAt writes v at any address.
func StoreAt[T any](m *mm.MemoryManager, addr uint64, v *T) error { return store(m, addr, v) }

// A Path is a NUL-terminated path name.
type Path uintptr

// PathMax is the longest path with its NUL.
const PathMax = 4096

// Load reads the path: EFAULT, or ENAMETOOLONG without a NUL in PathMax bytes.
func (p Path) Load(m *mm.MemoryManager) (string, error) {
	s, err := m.CopyInString(uint64(p), PathMax)
	if err == linux.E2BIG || err == linux.EINVAL {
		err = linux.ENAMETOOLONG
	}
	return s, err
}

// A CString is another NUL-terminated string.
type CString uintptr

// Load reads at most max bytes with the NUL; without one the error is
// ENAMETOOLONG.
func (p CString) Load(m *mm.MemoryManager, max int) (string, error) {
	return m.CopyInString(uint64(p), max)
}

// A StringVec is a NULL-terminated array of strings (argv, envp).
type StringVec uintptr

// Buffers whose length is the next argument. InBytes is read by the call,
// OutBytes filled.
type (
	InBytes  uintptr
	OutBytes uintptr
)

// Seq returns the buffer's n bytes. A range that is no user memory at all is
// EFAULT.
func (p InBytes) Seq(m *mm.MemoryManager, n uint64) (usermem.Seq, error) {
	return seq(m, uint64(p), n)
}

// Seq is InBytes' Seq for a buffer to fill.
func (p OutBytes) Seq(m *mm.MemoryManager, n uint64) (usermem.Seq, error) {
	return seq(m, uint64(p), n)
}

// UserMax is the first address that is not a user's (TASK_SIZE_MAX).
const UserMax = 0x7ffffffff000

func seq(m *mm.MemoryManager, addr, n uint64) (usermem.Seq, error) {
	if int64(n) < 0 {
		return usermem.Seq{}, linux.EINVAL
	}
	if addr > UserMax || n > UserMax-addr {
		return usermem.Seq{}, linux.EFAULT
	}
	return usermem.Of(m, addr, min(n, usermem.MaxIO)), nil
}

// Bytes reads n bytes. The caller has bounded n.
func (p InBytes) Bytes(m *mm.MemoryManager, n int) ([]byte, error) {
	b := make([]byte, n)
	k, err := m.CopyIn(uint64(p), b)
	if err != nil {
		return nil, err
	}
	return b[:k], nil
}

// Store writes b at p.
func (p OutBytes) Store(m *mm.MemoryManager, b []byte) error {
	_, err := m.CopyOut(uint64(p), b)
	return err
}

// Arrays of iovec whose count is the next argument.
type (
	InVec  uintptr
	OutVec uintptr
)

// MaxIOV is UIO_MAXIOV.
const MaxIOV = 1024

// Seq reads the iovecs (readv(2)).
func (p InVec) Seq(m *mm.MemoryManager, n uint64) (usermem.Seq, error) { return vec(m, uint64(p), n) }

// Seq reads the iovecs (writev(2)).
func (p OutVec) Seq(m *mm.MemoryManager, n uint64) (usermem.Seq, error) { return vec(m, uint64(p), n) }

// IOVec reads n iovecs at addr as a Seq (msghdr, vmsplice).
func IOVec(m *mm.MemoryManager, addr, n uint64) (usermem.Seq, error) { return vec(m, addr, n) }

func vec(m *mm.MemoryManager, addr, n uint64) (usermem.Seq, error) {
	if n > MaxIOV {
		return usermem.Seq{}, linux.EINVAL
	}
	var few [8]linux.Iovec // most often enough
	iov := few[:]
	if n > uint64(len(few)) {
		iov = make([]linux.Iovec, n)
	}
	iov = iov[:n]
	if err := loadInto(m, addr, iov); err != nil {
		return usermem.Seq{}, err
	}
	ranges := make([]usermem.Range, 0, len(iov))
	var total uint64
	for _, v := range iov {
		if int64(v.Len) < 0 {
			return usermem.Seq{}, linux.EINVAL
		}
		if v.Base > UserMax || v.Len > UserMax-v.Base {
			return usermem.Seq{}, linux.EFAULT
		}
		k := min(v.Len, usermem.MaxIO-total)
		total += k
		if k > 0 {
			ranges = append(ranges, usermem.Range{Start: v.Base, End: v.Base + k})
		}
	}
	return usermem.OfRanges(m, ranges), nil
}

// Plain registers that the trace prints in a certain way.
type (
	Addr  uint64 // an address, in hexadecimal
	Hex   uint64
	Mode  uint32 // permission bits, in octal
	Size  uint64
	Off   int64
	Sig   int32
	PID   int32
	UID   uint32
	Dev   uint32
	Count int32
)

// Elem returns a zero T: what the pointer points at, for whoever reads the
// declarations by reflection.
func (p In[T]) Elem() (v T)    { return v }
func (p Out[T]) Elem() (v T)   { return v }
func (p InOut[T]) Elem() (v T) { return v }
