package syscalls

import "unsafe"

// stringOf returns b as a string, without a copy. It changes when b does.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
