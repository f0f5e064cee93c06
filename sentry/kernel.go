package sentry

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"cordon/gofer/client"
	"cordon/internal/check"
	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/platform/ptrace"
	"cordon/platform/systrap"
	"cordon/sentry/cred"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/file/pipe"
	"cordon/sentry/futex"
	"cordon/sentry/ipc"
	"cordon/sentry/ktime"
	"cordon/sentry/loader"
	"cordon/sentry/memmap"
	"cordon/sentry/syscalls"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// A Kernel is one sandbox.
type Kernel struct {
	// immutable
	cfg      Config
	sys      *task.System
	gofer    *client.Client // nil: no mount needs one
	restored bool           // by Restore: Start goes on where Save was
	calls    *syscalls.Calls
	mounts   *vfs.MountNamespace
	spaces   task.Namespaces
	init     *task.ThreadGroup
	consoles map[int32]*console // guarded by mu

	notifier *hostfd.Notifier

	hosts hostFiles

	mu sync.Mutex
	// guarded by mu
	waited  map[int32]*task.ThreadGroup
	stopped bool
	vdso    *vdsoClock
}

// memFileID is the memory file's number among host files.
const memFileID = 1

// New makes a sandbox with its mounts, and loads its first process. The error
// is a *StartError where it is the program's or a mount's fault.
func New(cfg Config) (*Kernel, error) {
	if cfg.CPUs == 0 {
		cfg.CPUs = runtime.NumCPU()
	}
	if cfg.MemoryLimit == 0 {
		cfg.MemoryLimit = host.MemoryTotal()
	}
	k := &Kernel{cfg: cfg, waited: make(map[int32]*task.ThreadGroup), consoles: make(map[int32]*console)}
	k.hosts.next.Store(memFileID + 1)
	if err := k.assemble(); err != nil {
		k.release()
		return nil, err
	}
	if err := k.mountAll(); err != nil {
		k.release()
		return nil, err
	}
	if err := k.makeFiles(); err != nil {
		k.release()
		return nil, err
	}
	k.watchMemory()
	g, con, err := k.newProcess(&cfg.Process, cfg.Stdio)
	if err != nil {
		k.release()
		return nil, err
	}
	k.init = g
	k.waited[g.ID()] = g
	if con != nil {
		k.consoles[g.ID()] = con
	}
	k.vdso.start()
	return k, nil
}

// assemble makes the parts that every sandbox has.
func (k *Kernel) assemble() error {
	plat, err := k.platform()
	if err != nil {
		return err
	}
	k.hosts.platform = plat
	mem := memfile.NewHuge(k.cfg.MemFile, memFileID)
	clocks := k.cfg.Clocks
	if clocks == nil {
		clocks = ktime.NewHost()
	}
	if err := k.makeCalls(); err != nil {
		return err
	}
	v := vfs.New(clocks.Stamp, pipe.FIFOs{})
	vdso, errno := loader.NewVDSO(mem)
	if errno != 0 {
		return &StartError{Message: "guest memory: " + errno.Error()}
	}
	k.vdso = newVDSOClock(clocks, vdso, plat)
	k.sys = &task.System{
		Platform: plat, Memory: mem, VFS: v, Clocks: clocks, Futexes: futex.NewTable(func(tid int32) bool { return k.sys.Lives(tid) }),
		Calls: k.calls, Traced: k.cfg.Trace != nil, Loader: loader.New(vdso),
		UserNS: cred.NewRootNamespace(), Random: k.random, Turn: k.turn(),
		NumCPU: k.cfg.CPUs, MemoryLimit: k.cfg.MemoryLimit, NewIPC: func() any { return ipc.New(ipc.MemoryFile{Memory: memmap.Memory{File: mem}}) }, PlainInit: k.cfg.PlainInit,
	}
	k.sys.Init()
	var e linux.Errno
	if k.notifier, e = hostfd.NewNotifier(); e != 0 {
		return &StartError{Message: "watching the standard files: " + e.Error()}
	}
	k.spaces = task.Namespaces{UTS: task.NewUTS(k.cfg.Hostname, k.cfg.Domainname), IPC: k.sys.NewIPC()}
	if err := k.assembleObjects(); err != nil {
		return err
	}
	if k.cfg.Gofer9P >= 0 {
		if k.gofer, err = client.Dial(int(k.cfg.Gofer9P), int(k.cfg.GoferSide)); err != nil {
			return &StartError{Message: "connecting to the gofer: " + err.Error()}
		}
		go k.watchGofer()
	}
	return nil
}

// makeCalls makes the table of system calls.
func (k *Kernel) makeCalls() error {
	var tracer *syscalls.Tracer
	if k.cfg.Trace != nil {
		var unknown string
		var ok bool
		if tracer, unknown, ok = syscalls.NewTracer(k.cfg.Trace, k.cfg.TraceCalls); !ok {
			return &StartError{Message: "--strace: " + unknown + " is no system call"}
		}
	}
	k.calls = syscalls.NewCalls(tracer)
	return nil
}

// platform returns what runs guest code.
func (k *Kernel) platform() (platform.Platform, error) {
	if k.cfg.Platform != nil {
		return k.cfg.Platform, nil
	}
	name := k.cfg.PlatformName
	if name == "" {
		name = DefaultPlatform()
	}
	open := map[string]func(*Config) (platform.Platform, error){"ptrace": openPtrace, "systrap": openSystrap}[name]
	if open == nil {
		return nil, &StartError{Message: "there is no platform " + name}
	}
	plat, err := open(&k.cfg)
	if err != nil {
		return nil, &StartError{Message: "the " + name + " platform does not work here: " + err.Error()}
	}
	return plat, nil
}

// DefaultPlatform names the best platform that works on this machine.
func DefaultPlatform() string {
	if systrap.Supported() {
		return "systrap"
	}
	return "ptrace"
}

func openPtrace(*Config) (platform.Platform, error) {
	zygote, err := ptrace.StartZygote()
	if err != nil {
		return nil, err
	}
	plat, err := ptrace.New(ptrace.Config{Zygote: zygote})
	if err != nil {
		zygote.Stop()
		return nil, err
	}
	return plat, nil
}

func openSystrap(c *Config) (platform.Platform, error) {
	zygote, err := systrap.StartZygote()
	if err != nil {
		return nil, err
	}
	plat, err := systrap.New(systrap.Config{Zygote: zygote, Loadavg: int(c.Loadavg)})
	if err != nil {
		zygote.Stop()
		return nil, err
	}
	return plat, nil
}

// watchGofer ends the sandbox in order when its gofer has died: the files that
// are open give EIO meanwhile.
func (k *Kernel) watchGofer() {
	<-k.gofer.Dead()
	k.sys.KillAll()
}

// Start lets the first process run, or the processes of a restored sandbox go
// on.
func (k *Kernel) Start() {
	k.settleTurn()
	if !k.restored {
		k.sys.StartProcess(k.init)
		return
	}
	k.sys.Clocks.Start()
	if d, ok := k.sys.Loader.(*loader.Loader); ok {
		vdso := newVDSOClock(k.sys.Clocks, d.VDSO(), k.sys.Platform)
		vdso.start()
		k.mu.Lock()
		k.vdso = vdso
		k.mu.Unlock()
	}
	k.sys.StartRestored()
}

// Exec starts another process; stdio are descriptors that the kernel takes over
// in any case.
func (k *Kernel) Exec(p *Process, stdio [3]int32) (int32, error) {
	g, con, err := k.newProcess(p, stdio)
	if err != nil {
		return 0, err
	}
	id := g.ID()
	k.mu.Lock()
	k.waited[id] = g
	if con != nil {
		k.consoles[id] = con
	}
	k.mu.Unlock()
	k.sys.StartProcess(g)
	return id, nil
}

// Wait returns the wait status of a process of Start or Exec once it has ended;
// ok is false for any other.
func (k *Kernel) Wait(pid int32) (status linux.WaitStatus, ok bool) {
	k.mu.Lock()
	g := k.waited[pid]
	con := k.consoles[pid]
	delete(k.waited, pid)
	k.mu.Unlock()
	if g == nil {
		return 0, false
	}
	status = k.sys.WaitProcess(g)
	if con != nil {
		con.flush()
		k.mu.Lock()
		delete(k.consoles, pid)
		k.mu.Unlock()
	}
	k.sys.Reap(g)
	return status, true
}

// Signal sends sig to a process, or with pid 0 to all.
func (k *Kernel) Signal(pid int32, sig linux.Signal) linux.Errno {
	if pid < 0 {
		k.sys.SignalProcessGroup(-pid, sig)
		return 0
	}
	if pid != 0 {
		g := k.sys.Process(pid)
		if g == nil || g.Exited() {
			return linux.ESRCH
		}
		return g.SendFromOutside(sig)
	}
	for _, g := range k.sys.Processes() {
		_ = g.SendFromOutside(sig) // some may be gone by now
	}
	return 0
}

// Resize tells the terminal of a process of Start or Exec its size; false: it
// has none.
func (k *Kernel) Resize(pid int32, rows, cols uint16) bool {
	k.mu.Lock()
	c := k.consoles[pid]
	k.mu.Unlock()
	if c == nil {
		return false
	}
	c.resize(rows, cols)
	return true
}

// Stacks describes every task and every goroutine (runsc debug stacks).
func (k *Kernel) Stacks() string {
	var b strings.Builder
	for _, t := range k.sys.Tasks() {
		call := "-"
		if nr := t.CurrentCall(); nr >= 0 {
			call = k.calls.Name(uintptr(nr))
		}
		fmt.Fprintf(&b, "task %d (process %d, %s): %c, in %s\n", t.TID(), t.PID(), t.Name(), t.State(), call)
	}
	buf := make([]byte, 8<<20)
	return b.String() + string(buf[:runtime.Stack(buf, true)])
}

// Pause stops all guest code; Resume lets it go on.
func (k *Kernel) Pause()  { k.sys.Freeze() }
func (k *Kernel) Resume() { k.sys.Thaw() }

// Stop ends every process and the platform.
func (k *Kernel) Stop() {
	k.mu.Lock()
	if k.stopped {
		k.mu.Unlock()
		return
	}
	k.stopped = true
	k.mu.Unlock()
	k.sys.KillAll()
	k.release()
}

func (k *Kernel) release() {
	k.mu.Lock()
	vdso := k.vdso
	k.mu.Unlock()
	if vdso != nil {
		vdso.stop()
	}
	if k.hosts.platform != nil {
		k.hosts.platform.Release()
	}
	if k.gofer != nil {
		k.gofer.Close()
	}
}

// random fills p from the host's generator.
func (k *Kernel) random(p []byte) {
	if k.cfg.Random != nil {
		k.cfg.Random(p)
		return
	}
	err := host.Getrandom(p)
	check.NoError(err, "the host's random numbers")
}
