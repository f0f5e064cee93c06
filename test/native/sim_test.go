package native

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/sim"
	"cordon/sentry"
	"cordon/test/prog"
	"cordon/test/prog/simvm"
)

// simSeconds is how long a program may take on sim.
const simSeconds = 8 * time.Second

// TestSim runs the programs on the Sentry in this process.
func TestSim(t *testing.T) {
	if *record || *onHost {
		t.Skip("the host is meant")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
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
}

// memFile returns a memory file of the test's own.
func memFile(name string) (int, error) { return unix.MemfdCreate(name, unix.MFD_CLOEXEC) }

// runSim runs one program in a kernel of its own.
func runSim(p *prog.Program, seed uint64) (string, error) {
	text, elf := simvm.Text()
	mem, err := memFile("memory")
	if err != nil {
		return "", err
	}
	// The memory file gives memory back in the background, so it is never
	// closed.
	out, err := memFile("output")
	if err != nil {
		return "", err
	}
	defer unix.Close(out)
	stdout, err := unix.Dup(out)
	if err != nil {
		return "", err
	}
	null := func() int32 {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return -1
		}
		return int32(fd)
	}
	k, err := sentry.New(sentry.Config{
		Hostname: "sim", MemoryLimit: 1 << 30, CPUs: 2, MemFile: int32(mem), Gofer9P: -1, GoferSide: -1, Network: "sandbox",
		Platform: sim.New(sim.Config{Text: text, Seed: seed}),
		Mounts: []sentry.Mount{
			{Destination: "/", Type: "tmpfs"},
			{Destination: "/proc", Type: "proc"},
			{Destination: "/dev", Type: "dev"},
		},
		Files: []sentry.File{{Path: "/vm", Mode: 0o755, Data: elf}, {Path: "/image", Mode: 0o644, Data: p.Image}},
		Process: sentry.Process{Args: []string{"/vm"}, Env: []string{}, Cwd: "/",
			Bounding: allCaps, Effective: allCaps, Permitted: allCaps,
			Limits: map[linux.Resource]linux.Rlimit{linux.RLIMIT_NOFILE: {Cur: 4096, Max: 4096}, linux.RLIMIT_STACK: {Cur: 8 << 20, Max: ^uint64(0)}}},
		Stdio: [3]int32{null(), int32(stdout), null()},
	})
	if err != nil {
		return "", err
	}
	defer k.Stop()
	k.Start()
	ended := make(chan struct{})
	go func() {
		k.Wait(1)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(simSeconds):
		return "", fmt.Errorf("no end in time\n%s", stacks(k))
	}
	return readOutput(p, out)
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
