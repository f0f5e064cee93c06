//go:build !lockcheck

package lock

import (
	"sync"
	"testing"
	"unsafe"
)

func TestUncheckedLocksAreNoLarger(t *testing.T) {
	if unsafe.Sizeof(Mutex[Task]{}) != unsafe.Sizeof(sync.Mutex{}) {
		t.Error("Mutex is larger than sync.Mutex")
	}
	if unsafe.Sizeof(RWMutex[Task]{}) != unsafe.Sizeof(sync.RWMutex{}) {
		t.Error("RWMutex is larger than sync.RWMutex")
	}
	var mu Mutex[Task]
	mu.AssertHeld()
}
