package native

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cordon/internal/linux"
	"cordon/platform/sim"
	"cordon/sentry"
	"cordon/sentry/ktime"
	"cordon/test/prog"
	"cordon/test/prog/simvm"
)

// A savedRun is one run of a program on sim, saved and restored before a call.
type savedRun struct {
	p    *prog.Program
	seed uint64
	at   uint64 // the call; never: none
	// restoring is held while a network stack is loaded: gVisor's wait for a
	// process-wide group, which takes one at a time.
	restoring *sync.Mutex
	// log gets each line of the system calls if not nil.
	log func([]byte)
}

// never is a call that does not come.
const never = ^uint64(0)

// run returns the trace and how many calls were made before the restore.
func (s *savedRun) run() (trace string, calls uint64, err error) {
	out, err := memFile("output")
	if err != nil {
		return "", 0, err
	}
	defer unix.Close(out)
	var k *sentry.Kernel
	reached := make(chan struct{})
	before := func(n uint64) {
		calls = n + 1
		if n == s.at {
			close(reached)
			for !k.Freezing() {
				runtime.Gosched()
			}
		}
	}
	cfg, err := s.config(before, out)
	if err != nil {
		return "", 0, err
	}
	if k, err = sentry.New(cfg); err != nil {
		return "", 0, err
	}
	defer discard(k)
	k.Start()
	ended := waitFor(k)
	select {
	case <-ended:
		trace, err = readOutput(s.p, out)
		return trace, calls, err
	case <-time.After(simSeconds):
		return "", calls, fmt.Errorf("no end in time\n%s", stacks(k))
	case <-reached:
	}
	trace, err = s.goOn(k, out)
	return trace, calls, err
}

// goOn saves k, ends it, and runs what was saved to its end.
func (s *savedRun) goOn(k *sentry.Kernel, out int) (string, error) {
	var image bytes.Buffer
	k.Pause() // what was saved goes on in the copy only
	if err := k.Save(&image); err != nil {
		k.Resume()
		return "", fmt.Errorf("saving: %w", err)
	}
	k.Stop()
	k.Resume()
	cfg, err := s.config(nil, out)
	if err != nil {
		return "", err
	}
	s.restoring.Lock()
	r, err := sentry.Restore(cfg, &image)
	s.restoring.Unlock()
	if err != nil {
		return "", err
	}
	defer discard(r)
	r.Start()
	select {
	case <-waitFor(r):
		return readOutput(s.p, out)
	case <-time.After(simSeconds):
		return "", fmt.Errorf("no end in time after the restore\n%s", stacks(r))
	}
}

// discard ends k and gives back what it holds of this process.
func discard(k *sentry.Kernel) {
	k.Stop()
	k.Free()
}

func waitFor(k *sentry.Kernel) chan struct{} {
	ended := make(chan struct{})
	go func() {
		k.Wait(1)
		close(ended)
	}()
	return ended
}

// wallStart is when all runs begin.
const wallStart = 1_700_000_000_000_000_000

// config is the configuration that programs on sim run in: its time and its
// random numbers are the run's own.
func (s *savedRun) config(before func(uint64), out int) (sentry.Config, error) {
	mem, err := memFile("memory")
	if err != nil {
		return sentry.Config{}, err
	}
	stdout, err := unix.Dup(out)
	if err != nil {
		return sentry.Config{}, err
	}
	var null [2]int32
	for i := range null {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return sentry.Config{}, err
		}
		null[i] = int32(fd)
	}
	text, elf := simvm.Text()
	clocks, virtual := ktime.NewVirtual(wallStart)
	virtual.Advance(bootNS)
	random := rand.NewChaCha8([32]byte{byte(s.seed), byte(s.seed >> 8)})
	var mu sync.Mutex
	return sentry.Config{
		MemoryLimit: 1 << 30, CPUs: 2, MemFile: int32(mem), Network: "sandbox",
		Platform: sim.New(sim.Config{Text: text, Seed: s.seed, Clock: virtual, BeforeSyscall: before}), Clocks: clocks, Trace: s.log,
		Random: func(p []byte) {
			mu.Lock()
			defer mu.Unlock()
			random.Read(p)
		},
		ContainerConfig: sentry.ContainerConfig{
			Hostname: "sim", Gofer9P: -1, GoferSide: -1,
			Mounts: []sentry.Mount{
				{Destination: "/", Type: "tmpfs"},
				{Destination: "/proc", Type: "proc"},
				{Destination: "/dev", Type: "dev"},
			},
			Files: []sentry.File{{Path: "/vm", Mode: 0o755, Data: elf}, {Path: "/image", Mode: 0o644, Data: s.p.Image}},
			Process: sentry.Process{Args: []string{"/vm"}, Env: []string{}, Cwd: "/",
				Bounding: allCaps, Effective: allCaps, Permitted: allCaps,
				Limits: map[linux.Resource]linux.Rlimit{linux.RLIMIT_NOFILE: {Cur: 4096, Max: 4096}, linux.RLIMIT_STACK: {Cur: 8 << 20, Max: ^uint64(0)}}},
			Stdio: [3]int32{null[0], int32(stdout), null[1]},
		},
	}, nil
}

// bootNS is for how long a sandbox has been running when its first program
// starts.
const bootNS = 60_000_000_000
