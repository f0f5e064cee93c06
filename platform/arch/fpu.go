package arch

import (
	"encoding/binary"
	"sync"
)

// Offsets in the standard format of XSAVE.
const (
	fxsaveSize    = 512
	offMXCSR      = 24
	offMXCSRMask  = 28
	offHeader     = 512
	offXComp      = 520
	headerSize    = 64
	xsaveMinimum  = fxsaveSize + headerSize
	xfeatureX87   = 1 << 0
	xfeatureSSE   = 1 << 1
	xfeatureTile  = 1 << 18
	initialFCW    = 0x37f
	initialMXCSR  = 0x1f80
	defaultMXMask = 0xffbf
)

// An fpuLayout is what the processor says of the extended state.
type fpuLayout struct {
	features uint64
	size     int
	mxcsr    uint32
}

// layout asks once: CPUID is slow, most of all in a virtual machine.
var layout = sync.OnceValue(func() fpuLayout {
	l := fpuLayout{xfeatureX87 | xfeatureSSE, xsaveMinimum, mxcsrMask()}
	if _, _, c, _ := cpuid(1, 0); c&(1<<27) == 0 { // OSXSAVE
		return l
	}
	// XCR0 without tile data, which Linux gives only to threads that asked.
	l.features = xgetbv() &^ xfeatureTile
	for i := uint32(2); i < 63; i++ {
		if l.features&(1<<i) == 0 {
			continue
		}
		n, offset, _, _ := cpuid(0xd, i)
		l.size = max(l.size, int(offset+n))
	}
	return l
})

// FPUFeatures returns the mask of the extended states that guests have.
func FPUFeatures() uint64 { return layout().features }

// FPUSize returns the size of the extended state of a thread.
func FPUSize() int { return layout().size }

// InitialFPU returns the extended state that a program starts with: everything
// in its initial configuration, exceptions masked.
func InitialFPU() []byte {
	state := make([]byte, FPUSize())
	le := binary.LittleEndian
	le.PutUint16(state, initialFCW)
	le.PutUint32(state[offMXCSR:], initialMXCSR)
	le.PutUint32(state[offMXCSRMask:], defaultMXMask)
	return state
}

// ValidFPU says whether the processor would load state: reserved bits of MXCSR
// are clear, the header names only states that exist and the standard format.
func ValidFPU(state []byte) bool {
	if len(state) < xsaveMinimum || len(state) > FPUSize() {
		return false
	}
	le := binary.LittleEndian
	if le.Uint32(state[offMXCSR:])&^layout().mxcsr != 0 {
		return false
	}
	if le.Uint64(state[offHeader:])&^layout().features != 0 {
		return false
	}
	for _, b := range state[offXComp : offHeader+headerSize] {
		if b != 0 {
			return false
		}
	}
	return true
}
