package native

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/sentry"
	"cordon/test/prog"
)

// simSeconds is how long a program may take on sim.
const simSeconds = 30 * time.Second

// TestSim runs the programs on the Sentry in this process.
func TestSim(t *testing.T) {
	simOnly(t)
	programs := load(t)
	got := map[string]string{}
	for _, p := range programs {
		trace, err := runSim(p, *seed)
		if err != nil {
			t.Logf("%s: %v", p.Name, err)
			continue
		}
		got[p.Name] = trace
	}
	compare(t, programs, got, knownIn(t, "known-sim.txt"))
	if t.Failed() {
		t.Logf("the seed was %d: go test ./test/native -run '^TestSim$' -args -seed %d", *seed, *seed)
	}
}

// memFile returns a memory file of the test's own.
func memFile(name string) (int, error) { return unix.MemfdCreate(name, unix.MFD_CLOEXEC) }

// runSim runs one program in a kernel of its own.
func runSim(p *prog.Program, seed uint64) (string, error) {
	trace, _, err := (&savedRun{p: p, seed: seed, at: never}).run()
	return trace, err
}

// stacks is the part of the kernel's state that says who waits for what.
func stacks(k *sentry.Kernel) string {
	s, _, _ := strings.Cut(k.Stacks(), "goroutine ")
	return s
}

const allCaps = 1<<41 - 1

// readOutput reads what simvm's first process wrote: a status and the trace.
func readOutput(p *prog.Program, fd int) (string, error) {
	b := make([]byte, 4+prog.TraceSize)
	n, err := unix.Pread(fd, b, 0)
	if err != nil || n < 4+2*prog.SlotSize {
		return "", fmt.Errorf("%d bytes of output, %v", n, err)
	}
	r := prog.ReadTrace(b[4:], int32(binary.LittleEndian.Uint32(b)))
	return p.Format(&r), nil
}
