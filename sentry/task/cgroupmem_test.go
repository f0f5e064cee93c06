package task

import (
	"testing"
	"time"
)

// An access that the host had no memory for is tried again, and not for ever: one
// beyond the end of a file is refused each time. After a while it is another access.
func TestRefusedAccessIsTriedSomeTimes(t *testing.T) {
	var r refusal
	now := time.Unix(1, 0)
	for _, addr := range []uint64{0x1000, 0x2000, 0x1000} {
		for range 2 {
			tries := 0
			for ; r.again(addr, now) && tries < 100; tries++ {
				now = now.Add(time.Millisecond)
			}
			if tries != refusalTries {
				t.Errorf("%#x is tried %d times, want %d", addr, tries, refusalTries)
			}
			now = now.Add(refusalTime + 1)
		}
	}
}
