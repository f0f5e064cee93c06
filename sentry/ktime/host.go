package ktime

import (
	"time"

	"golang.org/x/sys/unix"
)

// calibrations is how often the distance between Go's monotonic time and the
// host's is measured at the start.
const calibrations = 32

// A hostSource reads the host's clocks. Go's own reading goes through the vDSO
// and is CLOCK_MONOTONIC with another zero, so one constant makes it the host's.
type hostSource struct {
	// immutable
	start time.Time
	zero  int64 // what the sandbox's CLOCK_MONOTONIC told at start
	shift int64 // sandbox minus host
}

// NewHost returns clocks that follow the host's.
func NewHost() *Clocks { return newClocks(newHostSource()) }

func newHostSource() *hostSource {
	h := &hostSource{start: time.Now()}
	// Each measurement is too small by the time between its two readings; the
	// largest is the nearest, and never ahead of the host's clock: a sleeper
	// woken by our clock never sees an earlier time on the host's.
	for range calibrations {
		host := readHost(unix.CLOCK_MONOTONIC)
		h.zero = max(h.zero, host-int64(time.Since(h.start)))
	}
	return h
}

func readHost(id int32) int64 {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

func (h *hostSource) monotonic() int64 { return h.zero + int64(time.Since(h.start)) }
func (h *hostSource) boottime() int64  { return readHost(unix.CLOCK_BOOTTIME) + h.shift }
func (h *hostSource) wall() int64      { return time.Now().UnixNano() }
func (h *hostSource) offset() int64    { return h.shift }

func (h *hostSource) alarm(fire func()) Alarm { return &hostAlarm{host: h, fire: fire} }

// A hostAlarm is a timer of the Go runtime.
type hostAlarm struct {
	// immutable
	host *hostSource
	fire func()

	// guarded by the user of the alarm
	timer *time.Timer
}

func (a *hostAlarm) Set(deadline int64) {
	in := time.Duration(max(0, saturatingSub(deadline, a.host.monotonic())))
	if a.timer == nil {
		a.timer = time.AfterFunc(in, a.fire)
		return
	}
	a.timer.Reset(in)
}

func (a *hostAlarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
