package idle

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 1 << 20: 400, 8 << 20: 200, 10 << 20: 150, 16 << 20: 100, 1 << 30: 100} {
		if got := percent(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", live, got, want)
		}
	}
}

// TestPaceFollowsTheHeap lets a heap grow beyond the room, and shrink again.
func TestPaceFollowsTheHeap(t *testing.T) {
	old := debug.SetGCPercent(usual)
	defer debug.SetGCPercent(old)
	Pace()
	wait := func(want int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
			runtime.GC()
			got := debug.SetGCPercent(want)
			if got == want {
				return
			}
			debug.SetGCPercent(got)
			if time.Now().After(deadline) {
				t.Fatalf("the pace is %d %%, want %d", got, want)
			}
		}
	}
	big := make([]byte, 40<<20)
	wait(usual)
	runtime.KeepAlive(big)
	big = nil
	wait(fastest)
}
