package ktime

import (
	"container/heap"

	"cordon/internal/lock"
)

// Virtual is time that stands still until it is told to move. Alarms fire in
// the order of their deadlines, then of their setting, in the goroutine that
// moves the time.
type Virtual struct {
	// immutable
	wallStart int64

	mu lock.Mutex[lock.VirtualTime]
	// guarded by mu
	now    int64
	seq    uint64
	alarms alarmHeap
}

// NewVirtual returns clocks of virtual time: CLOCK_MONOTONIC begins at 0 and
// CLOCK_REALTIME at wall.
func NewVirtual(wall int64) (*Clocks, *Virtual) {
	v := &Virtual{wallStart: wall}
	return newClocks(v), v
}

// Next returns the earliest deadline that is set, by CLOCK_MONOTONIC.
func (v *Virtual) Next() (deadline int64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.alarms) == 0 {
		return 0, false
	}
	return v.alarms[0].deadline, true
}

// AdvanceTo moves CLOCK_MONOTONIC to t, firing on the way what is due, each at
// its own time. Time does not go back.
func (v *Virtual) AdvanceTo(t int64) {
	for {
		v.mu.Lock()
		if len(v.alarms) == 0 || v.alarms[0].deadline > t {
			v.now = max(v.now, t)
			v.mu.Unlock()
			return
		}
		a := heap.Pop(&v.alarms).(*virtualAlarm)
		v.now = max(v.now, a.deadline)
		v.mu.Unlock()
		a.fire()
	}
}

// Advance moves the time by ns.
func (v *Virtual) Advance(ns int64) { v.AdvanceTo(saturatingAdd(v.monotonic(), ns)) }

func (v *Virtual) monotonic() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// goOn moves the time without firing.
func (v *Virtual) goOn(at int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = max(v.now, at)
}

func (v *Virtual) start() {}

func (v *Virtual) boottime() int64 { return v.monotonic() }
func (v *Virtual) wall() int64     { return saturatingAdd(v.wallStart, v.monotonic()) }
func (v *Virtual) offset() int64   { return 0 }

func (v *Virtual) alarm(fire func()) Alarm {
	return &virtualAlarm{time: v, fire: fire, index: -1}
}

type virtualAlarm struct {
	// immutable
	time *Virtual
	fire func()

	// guarded by time.mu
	deadline int64
	seq      uint64
	index    int // in the heap, -1 when not set
}

func (a *virtualAlarm) Set(deadline int64) {
	v := a.time
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seq++
	a.deadline, a.seq = deadline, v.seq
	if a.index < 0 {
		heap.Push(&v.alarms, a)
	} else {
		heap.Fix(&v.alarms, a.index)
	}
}

func (a *virtualAlarm) Stop() {
	v := a.time
	v.mu.Lock()
	defer v.mu.Unlock()
	if a.index >= 0 {
		heap.Remove(&v.alarms, a.index)
	}
}

type alarmHeap []*virtualAlarm

func (h alarmHeap) Len() int { return len(h) }

func (h alarmHeap) Less(i, j int) bool {
	if h[i].deadline != h[j].deadline {
		return h[i].deadline < h[j].deadline
	}
	return h[i].seq < h[j].seq
}

func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *alarmHeap) Push(x any) {
	a := x.(*virtualAlarm)
	a.index = len(*h)
	*h = append(*h, a)
}

func (h *alarmHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	a.index = -1
	*h = old[:len(old)-1]
	return a
}
