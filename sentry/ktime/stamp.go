package ktime

import "cordon/platform/arch"

// A rate is CLOCK_REALTIME by the processor's counter.
type rate struct {
	tsc  uint64 // the counter when the clock told wall
	wall int64
	mult uint64 // see arch.Nanoseconds
}

// FollowCounter tells what CLOCK_REALTIME told when the counter was at tsc, and at
// which rate it goes since. It holds until it is told anew or the clock is set.
func (c *Clocks) FollowCounter(tsc uint64, wall int64, mult uint64) {
	c.counter.Store(&rate{tsc, wall, mult})
}

// Stamp returns the time for the timestamps of files: CLOCK_REALTIME as guests
// read it in the vDSO, so that a file is never older than what its writer read
// before, and cheaper than the host's clock.
func (c *Clocks) Stamp() int64 {
	if r := c.counter.Load(); r != nil {
		if now := arch.TSC(); now >= r.tsc {
			return r.wall + int64(arch.Nanoseconds(r.mult, now-r.tsc))
		}
	}
	return c.Realtime.Now()
}
