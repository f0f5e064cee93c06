package sentry

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"cordon/internal/check"
	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/platform/ptrace"
	"cordon/platform/systrap"
	"cordon/sentry/cred"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/file/pipe"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/futex"
	"cordon/sentry/ktime"
	"cordon/sentry/loader"
	"cordon/sentry/syscalls"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// A Kernel is one sandbox, and its first container.
type Kernel struct {
	// immutable
	*Container
	cfg      Config
	calls    *syscalls.Calls
	notifier *hostfd.Notifier
	proc     *procfs.FileSystem // of which others are instances

	hosts hostFiles
	stack *netstack.Stack // the first network namespace's; nil where that is the host's

	messages *mqueue.Users // who has message queues

	mu sync.Mutex
	// guarded by mu
	waited   map[int32]*task.ThreadGroup
	consoles map[int32]*console
	joined   []*Container
	stopped  bool
	vdso     *vdsoClock
}

// memFileID is the memory file's number among host files.
const memFileID = 1

// newKernel returns a Kernel of nothing yet.
func newKernel(cfg Config) *Kernel {
	if cfg.CPUs == 0 {
		cfg.CPUs = runtime.NumCPU()
	}
	if cfg.MemoryLimit == 0 {
		cfg.MemoryLimit = host.MemoryTotal()
	}
	k := &Kernel{cfg: cfg, messages: &mqueue.Users{}, waited: make(map[int32]*task.ThreadGroup), consoles: make(map[int32]*console)}
	k.Container = &Container{kernel: k, conf: cfg.ContainerConfig, label: task.NewContainer(cfg.ID)}
	k.hosts.next.Store(memFileID + 1)
	k.hosts.measure()
	return k
}

// New makes a sandbox with its mounts, and loads its first process. The error
// is a *StartError where it is the program's or a mount's fault.
func New(cfg Config) (*Kernel, error) {
	k := newKernel(cfg)
	if err := k.makeFirst(); err != nil {
		k.release()
		return nil, err
	}
	k.vdso.start()
	return k, nil
}

func (k *Kernel) makeFirst() error {
	if err := k.assemble(); err != nil {
		return err
	}
	if err := k.registerFileSystems(); err != nil {
		return &StartError{Message: "file systems: " + err.Error()}
	}
	if err := k.mountAll(); err != nil {
		return err
	}
	k.watchMemory()
	return k.load()
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
	k.Container.sys = &task.System{
		Platform: plat, Memory: mem, VFS: v, Clocks: clocks, Futexes: futex.NewTable(func(tid int32) bool { return k.sys.Lives(tid) }),
		Calls: k.calls, Traced: k.cfg.Trace != nil, Loader: loader.New(vdso),
		UserNS: k.users(), Random: k.random, Turn: k.turn(),
		NumCPU: k.cfg.CPUs, MemoryLimit: k.cfg.MemoryLimit, NewIPC: k.newIPC, PlainInit: k.cfg.PlainInit, NewNet: k.newNet,
	}
	k.sys.Init()
	var e linux.Errno
	if k.notifier, e = hostfd.NewNotifier(); e != 0 {
		return &StartError{Message: "watching the standard files: " + e.Error()}
	}
	k.spaces = task.Namespaces{UTS: task.NewUTS(k.conf.Hostname, k.conf.Domainname), IPC: k.firstIPC()}
	if err := k.makeTime(); err != nil {
		return err
	}
	if err := k.assembleObjects(); err != nil {
		return err
	}
	return k.dial()
}

// users makes the first user namespace.
func (k *Kernel) users() *cred.UserNamespace {
	if k.cfg.UIDs == nil || k.cfg.GIDs == nil {
		return cred.NewRootNamespace()
	}
	return cred.NewBoundedNamespace(k.cfg.UIDs, k.cfg.GIDs)
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

// Start lets the first process run, or the processes of a restored sandbox go
// on.
func (k *Kernel) Start() {
	k.settleTurn()
	if !k.restored {
		k.Container.Start()
		return
	}
	k.started.Store(true)
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

// Pause stops all guest code of the sandbox; Resume lets it go on.
func (k *Kernel) Pause() { k.sys.Freeze() }

// Resume undoes Pause.
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
