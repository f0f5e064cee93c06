package sandbox

// enter.c is linked in because this file uses cgo: its constructor does the
// work.

// #cgo CFLAGS: -O2 -Wall
// unsigned long long cordon_descriptor_limit(void);
import "C"

// DescriptorLimit is the soft RLIMIT_NOFILE that this process was started
// with. The Go runtime raises it for itself.
func DescriptorLimit() uint64 { return uint64(C.cordon_descriptor_limit()) }
