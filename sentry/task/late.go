package task

import (
	"sync"
	"sync/atomic"
)

// lateNudges holds wake-ups back while the one that exits has the tree's lock: whom
// it wakes wants that lock first of all, and a thread that finds it taken gives its
// turn of Go's scheduler away, which costs 30 us to get back. Others' wake-ups may
// be held back too, for as long.
type lateNudges struct {
	// atomic
	on atomic.Bool

	// guarded by mu
	mu    sync.Mutex
	tasks []*Task
}

// begin is called with the tree's lock held, end when it has been released.
func (l *lateNudges) begin() { l.on.Store(true) }

func (l *lateNudges) end() {
	var buf [4]*Task
	l.mu.Lock()
	l.on.Store(false)
	tasks := append(buf[:0], l.tasks...)
	clear(l.tasks)
	l.tasks = l.tasks[:0]
	l.mu.Unlock()
	for _, t := range tasks {
		t.Nudge()
	}
}

// add holds a wake-up back. It is false when none is.
func (l *lateNudges) add(t *Task) bool {
	if !l.on.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on.Load() {
		return false
	}
	l.tasks = append(l.tasks, t)
	return true
}
