package sentry

import (
	"sync/atomic"

	"cordon/gofer/client"
	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/hostmount"
	"cordon/sentry/ipc"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// A Container is one container of a sandbox: a tree of mounts, a first process
// and those put beside it, and the namespaces that they are in. The first
// container is part of its Kernel.
type Container struct {
	// immutable
	kernel   *Kernel
	sys      *task.System
	conf     ContainerConfig
	label    *task.Container
	gofer    *client.Client     // nil: no mount needs one
	mounter  *hostmount.Mounter // nil: no mount comes to the host
	mounts   *vfs.MountNamespace
	spaces   task.Namespaces
	init     *task.ThreadGroup
	cgroup   *cgroup.Group
	restored bool
	ownIPC   bool              // it has made its IPC namespace
	ownNet   *socket.Namespace // that it has made, or nil

	// atomic
	started atomic.Bool
}

// ID is the container's name.
func (c *Container) ID() string { return c.conf.ID }

// Add makes a further container, with its mounts, and loads its first process.
// It takes over the descriptors of cfg, in a failure too. The error is a
// *StartError where it is the program's or a mount's fault.
func (k *Kernel) Add(cfg ContainerConfig) (c *Container, err error) {
	c = &Container{kernel: k, sys: k.sys, conf: cfg, label: task.NewContainer(cfg.ID)}
	if !k.sys.Hold() {
		c.closeStdio()
		closeGofer(&cfg)
		return nil, &StartError{Message: "the sandbox has ended"}
	}
	// Until Remove.
	defer func() {
		if err != nil {
			k.sys.Release()
		}
	}()
	if err = c.join(); err != nil {
		closeGofer(&cfg)
	} else if err = c.dial(); err == nil {
		err = c.mountAll()
	}
	if err != nil {
		c.closeStdio()
		c.release()
		return nil, err
	}
	if err := c.load(); err != nil {
		c.release()
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped {
		return nil, &StartError{Message: "the sandbox is ending"}
	}
	k.joined = append(k.joined, c)
	return c, nil
}

// load makes the first process.
func (c *Container) load() error {
	g, con, err := c.newProcess(&c.conf.Process, c.conf.Stdio)
	if err != nil {
		return err
	}
	c.init = g
	if err := c.setSysctls(); err != nil {
		c.sys.KillContainer(c.label)
		c.sys.StartProcess(g)
		c.sys.EndContainer(c.label)
		return err
	}
	c.kernel.keep(g, con)
	return nil
}

// dial connects to the container's gofer, whose end ends the container, and to its mounter.
// It takes the sockets over.
func (c *Container) dial() (err error) {
	if c.conf.Gofer9P < 0 {
		return nil
	}
	if c.conf.Mounter > 0 {
		c.mounter = hostmount.New(int(c.conf.Mounter))
	}
	if c.gofer, err = client.Dial(int(c.conf.Gofer9P), int(c.conf.GoferSide)); err != nil {
		return &StartError{Message: "connecting to the gofer: " + err.Error()}
	}
	go c.watchGofer()
	return nil
}

// join finds the namespaces that the container is in.
func (c *Container) join() error {
	k := c.kernel
	c.spaces = task.Namespaces{UTS: task.NewUTS(c.conf.Hostname, c.conf.Domainname)}
	from := func(kind, id string) (*task.Namespaces, error) {
		o := k.Find(id)
		if o == nil {
			return nil, &StartError{Message: "linux.namespaces: " + kind + ": the sandbox has no container " + id}
		}
		return o.current(), nil
	}
	if id := c.conf.Join.UTS; id != "" {
		n, err := from("uts", id)
		if err != nil {
			return err
		}
		c.spaces.UTS = n.UTS
	}
	if id := c.conf.Join.Net; id != "" {
		n, err := from("network", id)
		if err != nil {
			return err
		}
		if c.spaces.Net = n.Net; n.Net == nil { // its first process has ended
			c.spaces.Net = k.Find(id).spaces.Net
		}
	} else {
		n, err := k.containerNet(c.conf.Attach)
		if err != nil {
			return err
		}
		c.spaces.Net, c.ownNet = n, n // until dropSpaces
	}
	if id := c.conf.Join.PID; id != "" {
		o := k.Find(id)
		if o == nil {
			return &StartError{Message: "linux.namespaces: pid: the sandbox has no container " + id}
		}
		c.spaces.PID = o.init.PIDs()
	} else {
		n := k.sys.NewContainerPIDs()
		if c.conf.PlainInit {
			n.SetPlainInit()
		}
		c.spaces.PID = n
	}
	if id := c.conf.Join.IPC; id != "" {
		n, err := from("ipc", id)
		if err != nil {
			return err
		}
		c.spaces.IPC = n.IPC
	} else {
		c.spaces.IPC, c.ownIPC = k.newIPC(nil, nil), true
	}
	if id := c.conf.Join.Time; id != "" {
		n, err := from("time", id)
		if err != nil {
			return err
		}
		c.spaces.Time, c.spaces.TimeForChildren = n.Time, n.Time
	}
	return c.makeTime()
}

// makeTime makes the time namespace that the configuration asks for.
func (c *Container) makeTime() error {
	if c.conf.Time == nil {
		return nil
	}
	ns := task.NewTimeNamespace(nil, task.TimeOffsets{})
	for _, o := range c.conf.Time {
		if err := c.sys.SetTimeOffsets(ns, []task.TimeOffset{{Boottime: o.Clock == "boottime", Sec: o.Sec, Nsec: o.Nsec}}); err != 0 {
			return &StartError{Message: "linux.timeOffsets." + o.Clock + ": " + err.Error()}
		}
	}
	c.spaces.Time, c.spaces.TimeForChildren = ns, ns
	return nil
}

// pids is the PID namespace of the container's processes.
func (c *Container) pids() *task.PIDNamespace {
	if c.spaces.PID != nil {
		return c.spaces.PID
	}
	return c.sys.FirstPIDs()
}

// current are the namespaces that the first process is in now.
func (c *Container) current() *task.Namespaces {
	if n := c.init.Leader().Namespaces(); n != nil {
		return n
	}
	return &c.spaces
}

// Find returns the container with an ID, nil if there is none.
func (k *Kernel) Find(id string) *Container {
	if id == k.conf.ID {
		return k.Container
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.joined {
		if c.conf.ID == id {
			return c
		}
	}
	return nil
}

// Remove ends all processes of a container and lets go of its mounts. Others go on,
// without the first too.
func (k *Kernel) Remove(c *Container) {
	if !c.started.Swap(true) {
		// It ends before its program's first instruction.
		k.sys.KillContainer(c.label)
		k.sys.StartProcess(c.init)
	}
	k.sys.EndContainer(c.label)
	if c != k.Container {
		k.sys.Release()
	}
	k.mu.Lock()
	for i, o := range k.joined {
		if o == c {
			k.joined = append(k.joined[:i:i], k.joined[i+1:]...)
			break
		}
	}
	for pid, g := range k.waited {
		if g.Container() == c.label && g != c.init {
			delete(k.waited, pid)
		}
	}
	k.mu.Unlock()
	c.release()
}

// release lets go of the container's tree.
func (c *Container) release() {
	c.dropCgroup()
	if c.mounts != nil {
		c.mounts.DecRef()
	}
	c.dropSpaces()
	if c.gofer != nil {
		c.gofer.Close()
	}
	if c.mounter != nil {
		c.mounter.Close()
	}
}

// dropSpaces lets go of the namespaces that the container has made.
func (c *Container) dropSpaces() {
	if ns, ok := c.spaces.IPC.(*ipc.Namespace); ok && c.ownIPC {
		ns.DecRef()
	}
	if c.ownNet != nil {
		c.ownNet.DecRef()
	}
}

// watchGofer ends the container in order when its gofer has died: the files
// that are open give EIO meanwhile.
func (c *Container) watchGofer() {
	<-c.gofer.Dead()
	c.sys.KillContainer(c.label)
}

// Lost is closed when the container's gofer has died; nil without one.
func (c *Container) Lost() <-chan struct{} {
	if c.gofer == nil {
		return nil
	}
	return c.gofer.Dead()
}

// closeStdio closes descriptors that no process got.
func (c *Container) closeStdio() {
	for _, fd := range c.conf.Stdio {
		closeHost(fd)
	}
	closePassed(&c.conf.Process)
}

func closeGofer(cfg *ContainerConfig) {
	closeHost(cfg.Gofer9P)
	closeHost(cfg.GoferSide)
	if cfg.Mounter > 0 {
		closeHost(cfg.Mounter)
	}
}

func closeHost(fd int32) {
	if fd >= 0 {
		_ = host.Close(int(fd)) // it was only read from
	}
}

// Start lets the first process run.
func (c *Container) Start() {
	if !c.started.Swap(true) {
		c.sys.StartProcess(c.init)
	}
}

// first translates the number that names the first process.
func (c *Container) first(pid int32) int32 {
	if pid == 1 || pid == -1 {
		return pid * c.init.ID()
	}
	return pid
}

// Exec starts another process; stdio are descriptors that the kernel takes over
// in any case.
func (c *Container) Exec(p *Process, stdio [3]int32) (int32, error) {
	g, con, err := c.newProcess(p, stdio)
	if err != nil {
		return 0, err
	}
	c.kernel.keep(g, con)
	c.sys.StartProcess(g)
	return g.ID(), nil
}

// keep makes a process one that Wait knows.
func (k *Kernel) keep(g *task.ThreadGroup, con *console) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waited[g.ID()] = g
	if con != nil {
		k.consoles[g.ID()] = con
	}
}

// Wait returns the wait status of a process of Start or Exec once it has ended;
// ok is false for any other. pid 1 is the container's first process.
func (c *Container) Wait(pid int32) (status linux.WaitStatus, ok bool) {
	k := c.kernel
	pid = c.first(pid)
	k.mu.Lock()
	g := k.waited[pid]
	con := k.consoles[pid]
	if g == nil || g.Container() != c.label {
		k.mu.Unlock()
		return 0, false
	}
	delete(k.waited, pid)
	k.mu.Unlock()
	status = c.sys.WaitProcess(g)
	if con != nil {
		con.flush()
		k.mu.Lock()
		delete(k.consoles, pid)
		k.mu.Unlock()
	}
	c.sys.Reap(g)
	return status, true
}

// Signal sends sig to a process, with pid 0 to all of the container, with a
// negative pid to a process group. pid 1 is the first process.
func (c *Container) Signal(pid int32, sig linux.Signal) linux.Errno {
	pid = c.first(pid)
	if pid < 0 {
		for _, g := range c.sys.ContainerProcesses(c.label) {
			if g.InProcessGroup(-pid) {
				c.sys.SignalProcessGroup(-pid, sig)
				break
			}
		}
		return 0
	}
	if pid != 0 {
		g := c.sys.Process(pid)
		if g == nil || g.Exited() || g.Container() != c.label {
			return linux.ESRCH
		}
		return g.SendFromOutside(sig)
	}
	for _, g := range c.sys.ContainerProcesses(c.label) {
		_ = g.SendFromOutside(sig) // some may be gone by now
	}
	return 0
}

// Resize tells the terminal of a process of Start or Exec its size; false: it
// has none.
func (c *Container) Resize(pid int32, rows, cols uint16) bool {
	k := c.kernel
	pid = c.first(pid)
	k.mu.Lock()
	con := k.consoles[pid]
	k.mu.Unlock()
	if con == nil {
		return false
	}
	con.resize(rows, cols)
	return true
}

// Pause stops all code of the container; Resume lets it go on.
func (c *Container) Pause()  { c.sys.FreezeContainer(c.label) }
func (c *Container) Resume() { c.sys.ThawContainer(c.label) }
