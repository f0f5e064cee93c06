package arch

import "math/bits"

// VVARSize is the size of the parameters, which are mapped read-only directly
// before the vDSO's image.
const VVARSize = 4096

// A VVAR is what the vDSO tells the time from. The zero value makes every call a
// system call.
type VVAR struct {
	// CallEntry is where code of the guest can make a system call without a trap
	// (platform.CallEntry), or 0.
	CallEntry uint64

	// BaseTSC is the counter at which the clocks showed their values.
	BaseTSC uint64

	// Clocks is indexed by clock id.
	Clocks [vvarClocks]VVARClock
}

// A VVARClock is one clock's value at BaseTSC and its rate.
type VVARClock struct {
	Valid       bool
	Seconds     int64
	Nanoseconds uint64 // less than 1e9
	Mult        uint64 // from Mult
}

// Shift makes the clock show ns more.
func (c *VVARClock) Shift(ns int64) {
	const second = 1_000_000_000
	n := int64(c.Nanoseconds) + ns%second
	c.Seconds += ns / second
	if n < 0 {
		n, c.Seconds = n+second, c.Seconds-1
	} else if n >= second {
		n, c.Seconds = n-second, c.Seconds+1
	}
	c.Nanoseconds = uint64(n)
}

// TSC reads the processor's time stamp counter.
func TSC() uint64 { return rdtsc() }

// TSCUsable says whether the counter can serve as a clock: it goes at one rate
// in every state of the processor.
func TSCUsable() bool {
	if top, _, _, _ := cpuid(0x80000000, 0); top < 0x80000007 {
		return false
	}
	_, _, _, d := cpuid(0x80000007, 0)
	return d&(1<<8) != 0
}

// Mult returns the rate of a clock that went ns nanoseconds in ticks of the
// counter. It is 0, no rate, when they cannot be a clock's.
func Mult(ns, ticks uint64) uint64 {
	hi, lo := bits.Mul64(ns, 1<<vvarShift)
	if hi >= ticks {
		return 0
	}
	q, _ := bits.Div64(hi, lo, ticks)
	return q
}

// Nanoseconds returns how long a clock of rate mult takes for ticks.
func Nanoseconds(mult, ticks uint64) uint64 {
	hi, lo := bits.Mul64(ticks, mult)
	return hi<<(64-vvarShift) | lo>>vvarShift
}
