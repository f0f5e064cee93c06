package packet

import (
	"sync/atomic"
	"unsafe"
)

// loadWord and storeWord move a word of memory that a guest's other threads look at: what was written before a store is seen
// with it. b is in a page of guest memory, aligned to four bytes.
func loadWord(b []byte) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(b))))
}

func storeWord(b []byte, v uint32) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), v)
}
