package arch

import (
	"encoding/binary"
	"unsafe"
)

// Written in cpuid_amd64.s.
func cpuid(leaf, sub uint32) (a, b, c, d uint32)
func xgetbv() uint64
func fxsave(area *byte)
func rdtsc() uint64

// mxcsrMask returns the bits of MXCSR that the processor lets be set.
func mxcsrMask() uint32 {
	var buf [fxsaveSize + 16]byte
	start := -uintptr(unsafe.Pointer(&buf[0])) & 15
	fxsave(&buf[start])
	if m := binary.LittleEndian.Uint32(buf[start+offMXCSRMask:]); m != 0 {
		return m
	}
	return defaultMXMask
}
