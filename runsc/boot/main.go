package boot

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"cordon/runsc/control"
	"cordon/runsc/filter"
	"cordon/runsc/idle"

	"golang.org/x/sys/unix"
)

// Main is the boot process after enter.c has taken its rights away. It returns
// the exit code.
func Main(newKernel NewKernel) int {
	s, err := readSpec(FDSpec)
	if err != nil {
		reportOf(err).send(FDReady)
		return 1
	}
	closeOnExec(s)
	if !awaitByte(s.FDs.Lifeline, 'g') {
		return 1
	}
	// A parent that dies while the kernel is being made takes it along.
	var made atomic.Pointer[box]
	go watchLifeline(s.FDs.Lifeline, func() {
		if b := made.Load(); b != nil {
			b.end()
		}
		os.Exit(128 + int(syscall.SIGKILL))
	})
	k, err := newKernel(s)
	if err != nil {
		reportOf(err).send(FDReady)
		return 1
	}
	if len(s.Filter) > 0 {
		if err := filter.Install(s.Filter); err != nil {
			k.Stop()
			reportOf(fmt.Errorf("installing the system call filter: %w", err)).send(FDReady)
			return 1
		}
	}
	idle.Pace()
	idle.Settle()
	b := newBox(k, s)
	b.first.herald = newHerald(s.FDs.Herald, k)
	made.Store(b)
	if b.first.keeper >= 0 {
		go b.first.watchKeeper()
	}
	b.forwardSignals()
	if s.FDs.Control >= 0 {
		go control.Serve(s.FDs.Control, 0, b.handle)
	}
	return b.run()
}

// A box is the running sandbox as the control socket sees it.
type box struct {
	// immutable
	kernel Kernel
	spec   *Spec
	first  *tenant

	mu sync.Mutex
	// guarded by mu
	joined map[string]*tenant // further containers, by their ID; nil while one is made
	ended  bool               // no more can join

	fewer *sync.Cond // of mu: a further container has gone, or is not to be
}

func newBox(k Kernel, s *Spec) *box {
	b := &box{kernel: k, spec: s, joined: make(map[string]*tenant)}
	b.fewer = sync.NewCond(&b.mu)
	b.first = &tenant{member: newMember(s.ID, k), keeper: s.FDs.Keeper, tty: -1, gone: make(chan struct{})}
	if s.Process.Terminal {
		b.first.tty = s.FDs.Stdio[0]
	}
	return b
}

// run reports, starts the first process when it is time, and returns its
// status as an exit code.
func (b *box) run() int {
	if !b.spec.Hold {
		if err := b.first.startGuest(); err != nil {
			reportOf(err).send(FDReady)
			b.kernel.Stop()
			return 1
		}
	}
	Report{}.send(FDReady)
	code := b.first.await()
	if b.goOn() {
		b.kernel.Remove(b.first.guest)
		b.first.herald.leave()
		b.first.tell(code)
		close(b.first.gone)
		b.outlast()
		b.kernel.Stop()
		return code
	}
	b.endJoined()
	b.kernel.Stop()
	b.first.herald.end()
	b.first.tell(code)
	return code
}

// ExitCode returns what a shell shows for a wait status.
func ExitCode(status uint32) int {
	if ws := syscall.WaitStatus(status); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return int(status>>8) & 0xff
}

// end kills the sandbox because its parent is gone.
func (b *box) end() {
	b.kernel.Stop()
	os.Exit(128 + int(syscall.SIGKILL))
}

// forwardSignals passes what a host process sends to this one on to the
// container's first process, and a terminal's new size to the kernel.
func (b *box) forwardSignals() {
	ch := make(chan os.Signal, 32)
	signal.Notify(ch, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	go func() {
		for sig := range ch {
			if sig == syscall.SIGWINCH {
				if b.first.tty >= 0 {
					resizeFrom(b.first.tty, b.kernel)
				}
				continue
			}
			// Gone already: nobody is left to tell.
			_ = b.kernel.Signal(InitPID, int(sig.(syscall.Signal)))
		}
	}()
}

// resizeFrom gives a guest's first terminal the size of the host's at tty.
func resizeFrom(tty int, g Guest) {
	r, ok := g.(Resizer)
	if !ok {
		return
	}
	ws, err := unix.IoctlGetWinsize(tty, unix.TIOCGWINSZ)
	if err == nil {
		_ = r.Resize(InitPID, ws.Row, ws.Col)
	}
}

// ErrNoProcess is what Kernel.Signal returns for a process that is gone.
var ErrNoProcess = errors.New("no such process")

// closeOnExec keeps the descriptors out of the platform's zygote.
func closeOnExec(s *Spec) {
	f := &s.FDs
	for _, fd := range []int{FDReady, f.Stdio[0], f.Stdio[1], f.Stdio[2], f.Gofer9P, f.GoferDonate, f.MemFile, f.Meminfo, f.Loadavg, f.Control, f.Log, f.Lifeline, f.Network, f.Image, f.Keeper, f.Herald, f.Porter, f.Mounter, s.Trace.FD} {
		if fd >= 0 {
			unix.CloseOnExec(fd)
		}
	}
	for _, fd := range f.Passed {
		unix.CloseOnExec(fd)
	}
}
