package mm

import (
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"cordon/internal/linux"
	"cordon/sentry/memmap"
)

// word gives fn the aligned word of n bytes at addr. fn runs under the lock
// for reading and only touches the word.
func (m *MemoryManager) word(addr uint64, n uint64, prot linux.Prot, fn func(p unsafe.Pointer)) error {
	if addr&(n-1) != 0 {
		return linux.EINVAL
	}
	for tries := 0; ; tries++ {
		m.active.RLock()
		if p, off, _ := m.mapped(addr, prot); p != nil {
			if b := m.window(p, off, n); b != nil {
				ok := touchWord(b, fn)
				m.active.RUnlock()
				if ok {
					return nil
				}
				if err := m.faultIn(addr, prot, tries); err != nil {
					return err
				}
				continue
			}
			err := wordAt(p.back, off, n, prot, fn)
			m.active.RUnlock()
			return err
		}
		m.active.RUnlock()
		if err := m.faultIn(addr, prot, tries); err != nil {
			return err
		}
	}
}

// touchWord calls fn with b. It reports false if the host refused the page.
func touchWord(b []byte, fn func(p unsafe.Pointer)) (ok bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if !ok {
			_ = recover()
		}
	}()
	fn(unsafe.Pointer(&b[0]))
	return true
}

// wordAt serves a file without windows. It is not atomic against guests that
// map the file, which is the best that reads and writes can do.
func wordAt(back memmap.Backing, off, n uint64, prot linux.Prot, fn func(p unsafe.Pointer)) error {
	var buf, was [8]byte
	if k, err := back.ReadAt(buf[:n], off); err != nil || k < int(n) {
		return linux.EFAULT
	}
	was = buf
	fn(unsafe.Pointer(&buf[0]))
	if prot&linux.PROT_WRITE == 0 || was == buf {
		return nil
	}
	if k, err := back.WriteAt(buf[:n], off); err != nil || k < int(n) {
		return linux.EFAULT
	}
	return nil
}

// loadWord and storeWord access an aligned word of 8 bytes in one go.
func loadWord(b []byte) uint64 { return atomic.LoadUint64((*uint64)(unsafe.Pointer(&b[0]))) }

func storeWord(b []byte, v uint64) { atomic.StoreUint64((*uint64)(unsafe.Pointer(&b[0])), v) }

// LoadUint32 reads an aligned word atomically (EINVAL where it is not aligned).
func (m *MemoryManager) LoadUint32(addr uint64) (v uint32, err error) {
	err = m.word(addr, 4, linux.PROT_READ, func(p unsafe.Pointer) { v = atomic.LoadUint32((*uint32)(p)) })
	return v, err
}

// LoadUint64 reads an aligned doubleword atomically.
func (m *MemoryManager) LoadUint64(addr uint64) (v uint64, err error) {
	err = m.word(addr, 8, linux.PROT_READ, func(p unsafe.Pointer) { v = atomic.LoadUint64((*uint64)(p)) })
	return v, err
}

// StoreUint32 stores an aligned word atomically.
func (m *MemoryManager) StoreUint32(addr uint64, v uint32) error {
	return m.word(addr, 4, linux.PROT_READ|linux.PROT_WRITE, func(p unsafe.Pointer) { atomic.StoreUint32((*uint32)(p), v) })
}

// CompareAndSwapUint32 stores new where the word is old, and returns the word's
// value before.
func (m *MemoryManager) CompareAndSwapUint32(addr uint64, old, new uint32) (was uint32, err error) {
	err = m.word(addr, 4, linux.PROT_READ|linux.PROT_WRITE, func(p unsafe.Pointer) {
		for {
			if was = atomic.LoadUint32((*uint32)(p)); was != old || atomic.CompareAndSwapUint32((*uint32)(p), old, new) {
				return
			}
		}
	})
	return was, err
}
