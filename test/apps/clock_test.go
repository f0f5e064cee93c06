package apps

import (
	"os/exec"
	"testing"
)

// TestClockSet sets the sandbox's clock, which is its own, and reads it by the vDSO.
func TestClockSet(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("needs python3")
	}
	s := newSandbox(t)
	out, err := s.do(python, "-c", `import time
time.clock_settime(time.CLOCK_REALTIME, 1e9)
print(int(time.time()) // 100)
time.clock_settime(time.CLOCK_REALTIME, 2e9)
print(int(time.time()) // 100)`).CombinedOutput()
	if err != nil || string(out) != "10000000\n20000000\n" {
		t.Errorf("%v: %s", err, out)
	}
}
