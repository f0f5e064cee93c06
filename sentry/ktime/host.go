package ktime

import (
	"sync"
	"sync/atomic"
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
	began time.Time

	// atomic
	zero  atomic.Int64 // what the sandbox's CLOCK_MONOTONIC told when it began
	shift atomic.Int64 // sandbox minus host
	held  atomic.Bool  // between goOn and start: alarms wait

	mu sync.Mutex
	// guarded by mu
	at      int64                // what goOn was given
	waiting map[*hostAlarm]int64 // to its deadline
}

// NewHost returns clocks that follow the host's.
func NewHost() *Clocks { return newClocks(newHostSource()) }

func newHostSource() *hostSource {
	h := &hostSource{began: time.Now()}
	// Each measurement is too small by the time between its two readings; the
	// largest is the nearest, and never ahead of the host's clock: a sleeper
	// woken by our clock never sees an earlier time on the host's.
	zero := int64(0)
	for range calibrations {
		host := readHost(unix.CLOCK_MONOTONIC)
		zero = max(zero, host-int64(time.Since(h.began)))
	}
	h.zero.Store(zero)
	return h
}

func readHost(id int32) int64 {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return ts.Nano()
}

func (h *hostSource) monotonic() int64 { return h.zero.Load() + int64(time.Since(h.began)) }
func (h *hostSource) boottime() int64  { return readHost(unix.CLOCK_BOOTTIME) + h.shift.Load() }
func (h *hostSource) wall() int64      { return time.Now().UnixNano() }
func (h *hostSource) offset() int64    { return h.shift.Load() }

// goOn sets the clock. From here to start it runs, but no alarm goes off, and
// start sets it back: making a sandbox of its image takes time that is none of
// the sandbox's.
func (h *hostSource) goOn(at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held.Store(true)
	h.at = at
	if h.waiting == nil {
		h.waiting = make(map[*hostAlarm]int64)
	}
	h.setLocked()
}

func (h *hostSource) setLocked() {
	by := h.at - h.monotonic()
	h.zero.Add(by)
	h.shift.Add(by)
}

func (h *hostSource) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.held.Load() {
		return
	}
	h.setLocked()
	h.held.Store(false)
	for a, deadline := range h.waiting {
		a.arm(deadline)
	}
	clear(h.waiting)
}

func (h *hostSource) alarm(fire func()) Alarm { return &hostAlarm{host: h, fire: fire} }

// A hostAlarm is a timer of the Go runtime.
type hostAlarm struct {
	// immutable
	host *hostSource
	fire func()

	// guarded by the user of the alarm, and by host.mu while the clock is held
	timer *time.Timer
}

func (a *hostAlarm) Set(deadline int64) {
	if h := a.host; h.held.Load() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.held.Load() {
			h.waiting[a] = deadline
			return
		}
	}
	a.arm(deadline)
}

func (a *hostAlarm) arm(deadline int64) {
	in := time.Duration(max(0, saturatingSub(deadline, a.host.monotonic())))
	if a.timer == nil {
		a.timer = time.AfterFunc(in, a.fire)
		return
	}
	a.timer.Reset(in)
}

func (a *hostAlarm) Stop() {
	if h := a.host; h.held.Load() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting, a)
	}
	if a.timer != nil {
		a.timer.Stop()
	}
}
