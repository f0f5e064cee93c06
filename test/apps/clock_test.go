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

// TestProcessorTime has many processes and threads compute at once: together they have
// no more time than there are processors, and each some.
func TestProcessorTime(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("needs python3")
	}
	s := newSandbox(t)
	out, err := s.do(python, "-c", `import os, time, resource, threading, sys
cpus = len(os.sched_getaffinity(0))
def compute(until):
    while time.monotonic() < until:
        for i in range(20000): pass
begin = time.monotonic()
until = begin + 0.5
for i in range(4 * cpus):
    if os.fork() == 0:
        other = threading.Thread(target=compute, args=(until,))
        other.start()
        compute(until)
        other.join()
        mine, all = time.thread_time(), time.process_time()
        os._exit(not 0 < mine <= all)
bad = 0
for i in range(4 * cpus):
    bad += os.wait()[1]
spent = resource.getrusage(resource.RUSAGE_CHILDREN)
spent, wall = spent.ru_utime + spent.ru_stime, time.monotonic() - begin
sys.exit(bad or not 0 < spent < 1.2 * cpus * wall and (spent, cpus, wall))`).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
