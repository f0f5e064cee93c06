package ktime

// TimerImage is a Timer in a checkpoint. Its clock and listener come from its
// owner.
type TimerImage struct {
	Armed, Fired bool
	Deadline     int64
	Interval     int64
}

// Image returns t's image.
func (t *Timer) Image() TimerImage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TimerImage{Armed: t.state == armed, Fired: t.state == fired, Deadline: t.deadline, Interval: t.interval}
}

// RestoreTimer makes a Timer of its image. What has become due in between fires
// at once.
func RestoreTimer(c Clock, listen func(), im TimerImage) *Timer {
	t := NewTimer(c, listen)
	t.deadline, t.interval = im.Deadline, max(0, im.Interval)
	switch {
	case im.Fired:
		t.state = fired
	case im.Armed:
		t.state = armed
		t.alarm.Set(t.deadline)
	}
	return t
}

// ClocksImage is what the clocks told at a checkpoint.
type ClocksImage struct {
	Monotonic      int64
	RealtimeOffset int64
	TAIOffset      int64
}

// Image returns the clocks' image.
func (c *Clocks) Image() ClocksImage {
	return ClocksImage{
		Monotonic:      c.Monotonic.Now(),
		RealtimeOffset: c.wall.offset.Load(),
		TAIOffset:      c.taiOffset.Load(),
	}
}

// RestoreHost returns clocks that follow the host's, CLOCK_MONOTONIC going on
// from the image. No alarm goes off before Start, and none of the time until
// then counts.
func RestoreHost(im ClocksImage) *Clocks {
	c := NewHost()
	c.GoOn(im)
	return c
}
