package boottest

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// A Kernel runs programs of this package: the first container's, and those of
// each that joins, a Kernel too.
type Kernel struct {
	// immutable
	spec *boot.Spec
	fds  boot.ContainerFDs // of a container that joined

	mu sync.Mutex
	// guarded by mu
	next   int32
	procs  map[int32]*proc
	paused bool
}

// A proc is a "process": a goroutine, its signals and its end.
type proc struct {
	// immutable
	pid     int32
	process boot.Process
	stdio   [3]int
	signals chan int
	done    chan struct{}

	status uint32 // before done is closed
}

// New is a boot.NewKernel.
func New(s *boot.Spec) (boot.Kernel, error) {
	if err := check(&s.Process); err != nil {
		return nil, err
	}
	k := &Kernel{spec: s, next: boot.InitPID, procs: map[int32]*proc{}}
	k.add(&s.Process, s.FDs.Stdio)
	return k, nil
}

// check says what is wrong with a program, as the Sentry would.
func check(p *boot.Process) error {
	switch p.Args[0] {
	case "not-there":
		return &boot.StartError{Kind: boot.ErrNotFound, Message: `exec: "not-there": executable file not found in $PATH`}
	case "not-executable":
		return &boot.StartError{Kind: boot.ErrNotExecutable, Message: `exec: "not-executable": permission denied`}
	case "slow-start":
		time.Sleep(5 * time.Minute)
	case "no-sandbox":
		return fmt.Errorf("mounting /: no such device")
	}
	if programs(p.Args[0]) == nil {
		return &boot.StartError{Kind: boot.ErrNotFound, Message: fmt.Sprintf("exec: %q: executable file not found in $PATH", p.Args[0])}
	}
	return nil
}

func (k *Kernel) add(p *boot.Process, stdio [3]int) *proc {
	k.mu.Lock()
	defer k.mu.Unlock()
	pr := &proc{pid: k.next, process: *p, stdio: stdio, signals: make(chan int, 16), done: make(chan struct{})}
	k.procs[k.next] = pr
	k.next++
	return pr
}

func (p *proc) run(k *Kernel) {
	defer close(p.done)
	p.status = programs(p.process.Args[0])(k, p)
}

// Add makes a container with processes of its own.
func (k *Kernel) Add(c *boot.Container, fds boot.ContainerFDs) (boot.Guest, error) {
	if err := check(&c.Process); err != nil {
		closeFDs(fds)
		return nil, err
	}
	g := &Kernel{spec: &boot.Spec{Container: *c}, fds: fds, next: boot.InitPID, procs: map[int32]*proc{}}
	g.add(&c.Process, fds.Stdio)
	return g, nil
}

// Remove lets go of what the container had. Its programs are told to end.
func (k *Kernel) Remove(g boot.Guest) {
	r := g.(*Kernel)
	_ = r.Signal(0, int(syscall.SIGKILL)) // they may be gone
	if r != k {
		closeFDs(r.fds)
	}
}

func closeFDs(f boot.ContainerFDs) {
	for _, fd := range append(f.Stdio[:], f.Gofer9P, f.GoferDonate, f.Mounter, f.Network) {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Start runs the first process.
func (k *Kernel) Start() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	go k.procs[boot.InitPID].run(k)
	return nil
}

// Exec runs another.
func (k *Kernel) Exec(p *boot.Process, stdio [3]int, passed []int) (int32, error) {
	for _, fd := range passed {
		unix.Close(fd)
	}
	if err := check(p); err != nil {
		for _, fd := range stdio {
			unix.Close(fd)
		}
		return 0, err
	}
	pr := k.add(p, stdio)
	go func() {
		pr.run(k)
		for _, fd := range stdio {
			unix.Close(fd)
		}
	}()
	return pr.pid, nil
}

func (k *Kernel) find(pid int32) *proc {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.procs[pid]
}

// Wait waits for a process's end.
func (k *Kernel) Wait(pid int32) (uint32, error) {
	p := k.find(pid)
	if p == nil {
		return 0, boot.ErrNoProcess
	}
	<-p.done
	if pid != boot.InitPID {
		k.mu.Lock()
		delete(k.procs, pid)
		k.mu.Unlock()
	}
	return p.status, nil
}

// Signal delivers to a program, which sees it when it next looks.
func (k *Kernel) Signal(pid int32, sig int) error {
	targets := []*proc{k.find(max(pid, -pid))}
	if pid == 0 {
		targets = nil
		k.mu.Lock()
		for _, p := range k.procs {
			targets = append(targets, p)
		}
		k.mu.Unlock()
	}
	for _, p := range targets {
		if p == nil {
			return boot.ErrNoProcess
		}
		select {
		case <-p.done:
			return boot.ErrNoProcess
		default:
		}
		if sig != 0 {
			p.signals <- sig
		}
	}
	return nil
}

// Processes lists them.
func (k *Kernel) Processes() []boot.ProcessInfo {
	k.mu.Lock()
	defer k.mu.Unlock()
	var all []boot.ProcessInfo
	for pid := int32(1); pid < k.next; pid++ {
		if p := k.procs[pid]; p != nil {
			all = append(all, boot.ProcessInfo{PID: pid, UID: p.process.UID, Threads: 1, State: "S", TTY: "?",
				Command: p.process.Args[0], Args: p.process.Args})
		}
	}
	return all
}

// Pause, Resume, Resize and Stacks are the optional abilities.
func (k *Kernel) Pause() error { return k.setPaused(true) }

// Resume undoes Pause.
func (k *Kernel) Resume() error { return k.setPaused(false) }

func (k *Kernel) setPaused(to bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paused = to
	return nil
}

// Resize tells the program by a signal.
func (k *Kernel) Resize(pid int32, rows, cols uint16) error {
	return k.Signal(pid, int(syscall.SIGWINCH))
}

// Stacks names the programs.
func (k *Kernel) Stacks() string {
	var b strings.Builder
	for _, p := range k.Processes() {
		fmt.Fprintf(&b, "task %d %s\n", p.PID, strings.Join(p.Args, " "))
	}
	return b.String()
}

// Stop has nothing to end: programs end with the process.
func (k *Kernel) Stop() {}

func exited(code int) uint32 { return uint32(code) << 8 }

// programs returns the program with a name, or nil.
func programs(name string) func(k *Kernel, p *proc) uint32 {
	switch name {
	case "true":
		return func(*Kernel, *proc) uint32 { return 0 }
	case "exit":
		return func(_ *Kernel, p *proc) uint32 { n, _ := strconv.Atoi(p.process.Args[1]); return exited(n) }
	case "die":
		return func(_ *Kernel, p *proc) uint32 { n, _ := strconv.Atoi(p.process.Args[1]); return uint32(n) }
	case "echo":
		return func(_ *Kernel, p *proc) uint32 {
			unix.Write(p.stdio[1], []byte(strings.Join(p.process.Args[1:], " ")+"\n"))
			return 0
		}
	case "cat":
		return cat
	case "wait":
		return waitForSignal
	case "panic":
		return func(*Kernel, *proc) uint32 { panic("the program asked for it") }
	case "spec":
		return func(k *Kernel, p *proc) uint32 {
			data, _ := k.spec.Encode()
			unix.Write(p.stdio[1], append(data, '\n'))
			return 0
		}
	case "syscall":
		return func(_ *Kernel, p *proc) uint32 { return rawSyscall(p.process.Args[1:]) }
	}
	return nil
}

func cat(_ *Kernel, p *proc) uint32 {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(p.stdio[0], buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return 0
		}
		unix.Write(p.stdio[1], buf[:n])
	}
}

// waitForSignal says that it is there and dies by the first signal but
// SIGWINCH, which it prints. An argument is the exit code to end with instead.
func waitForSignal(_ *Kernel, p *proc) uint32 {
	unix.Write(p.stdio[1], []byte("ready\n"))
	for {
		select {
		case sig := <-p.signals:
			if sig == int(syscall.SIGWINCH) {
				unix.Write(p.stdio[1], []byte("resized\n"))
				continue
			}
			if len(p.process.Args) > 1 {
				n, _ := strconv.Atoi(p.process.Args[1])
				return exited(n)
			}
			return uint32(sig)
		case <-time.After(5 * time.Minute):
			return exited(99)
		}
	}
}

// rawSyscall makes a host system call by number, for tests of the filter.
func rawSyscall(args []string) uint32 {
	var a [4]uintptr
	for i := range min(len(args), len(a)) {
		n, _ := strconv.ParseInt(args[i], 0, 64)
		a[i] = uintptr(n)
	}
	_, _, errno := unix.RawSyscall(a[0], a[1], a[2], a[3])
	return exited(int(errno) & 0xff)
}
