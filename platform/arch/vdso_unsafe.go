package arch

import (
	"sync/atomic"
	"unsafe"
)

// Written in vdso_amd64.s. vdsoCode is never called: its bytes are copied.
func vdsoCode()
func vdsoCodeAddress() uintptr

// vdsoText returns a view of the binary's text from the vDSO's code on.
func vdsoText(limit int) []byte {
	addr := vdsoCodeAddress()
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), limit)
}

// The parameters that the vDSO reads, at the start of their page. A sequence
// number that is odd says that they are being written.
type vvar struct {
	sequence uint32
	_        uint32
	baseTSC  uint64
	entry    uint64 // where calls go instead of the kernel, or 0
	_        [40]byte
	clocks   [vvarClocks]vvarClock // offset 64
}

// A vvarClock is one clock: at baseTSC it showed seconds and nanoseconds, and it
// goes mult/2^40 nanoseconds per tick.
type vvarClock struct {
	valid       uint64
	mult        uint64
	seconds     uint64
	nanoseconds uint64
}

const (
	vvarClocks = 12
	vvarShift  = 40
)

// UpdateParams writes p to the page at page, which guests may be reading.
// One goroutine writes a page at a time. page is a page's mapping, so it is
// aligned and large enough.
func UpdateParams(page []byte, p *VVAR) {
	_ = page[unsafe.Sizeof(vvar{})-1]
	v := (*vvar)(unsafe.Pointer(&page[0]))
	seq := atomic.LoadUint32(&v.sequence) | 1
	atomic.StoreUint32(&v.sequence, seq)
	atomic.StoreUint64(&v.baseTSC, p.BaseTSC)
	atomic.StoreUint64(&v.entry, p.CallEntry)
	for i := range p.Clocks {
		c, w := &p.Clocks[i], &v.clocks[i]
		atomic.StoreUint64(&w.valid, boolWord(c.Valid))
		atomic.StoreUint64(&w.mult, c.Mult)
		atomic.StoreUint64(&w.seconds, uint64(c.Seconds))
		atomic.StoreUint64(&w.nanoseconds, c.Nanoseconds)
	}
	atomic.StoreUint32(&v.sequence, seq+1)
}

func boolWord(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
