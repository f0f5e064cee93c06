//go:build lockcheck

package lock

import "testing"

func TestChecked(t *testing.T) {
	var task Mutex[Task]
	var mm RWMutex[MM]
	var pipe, pipe2 Mutex[Pipe]
	mustPanic(t, "taking Task while holding MM", func() {
		mm.RLock()
		defer mm.RUnlock()
		task.Lock()
	})
	mustPanic(t, "taking Pipe while holding Pipe", func() {
		pipe.Lock()
		defer pipe.Unlock()
		pipe2.Lock()
	})
	mustPanic(t, "already held", func() {
		pipe.Lock()
		defer pipe.Unlock()
		pipe.LockNested()
	})
	mustPanic(t, "not held", func() { task.AssertHeld() })
	mustPanic(t, "not held", func() {
		mm.RLock()
		defer mm.RUnlock()
		mm.AssertRHeld()
		mm.AssertHeld()
	})
	mustPanic(t, "does not hold", func() { task.Unlock() })
	task.Lock()
	pipe.Lock()
	pipe2.LockNested()
	mm.Lock()
	mm.AssertHeld()
	mm.Unlock()
	pipe2.Unlock()
	pipe.Unlock()
	task.Unlock()
	task.Lock()
	task.AssertHeld()
	task.Unlock()
}
