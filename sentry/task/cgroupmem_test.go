package task

import "testing"

// An access that the host had no memory for is tried again, and not for ever: one
// beyond the end of a file is refused each time.
func TestRefusedAccessIsTriedSomeTimes(t *testing.T) {
	var r refusal
	for _, addr := range []uint64{0x1000, 0x2000, 0x1000} {
		tries := 0
		for r.again(addr) {
			// On a slow machine it is another access by then, now and again.
			if tries++; tries > 50*refusalTries {
				t.Fatalf("%#x is tried for ever", addr)
			}
		}
		if tries == 0 {
			t.Errorf("%#x was given up at once", addr)
		}
	}
}
