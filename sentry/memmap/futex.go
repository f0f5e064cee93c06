package memmap

// A FutexKey names a futex word by where it lives. Object is the address
// space for private words and the Mappable for words in shared memory; Offset
// is the address or the offset in the Mappable. Keys compare with ==.
type FutexKey struct {
	Object any
	Offset uint64
}
