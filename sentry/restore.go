package sentry

import (
	"errors"
	"io"

	"cordon/gofer/client"
	"cordon/internal/linux"
	"cordon/netstack"
	"cordon/platform/memfile"
	"cordon/sentry/file/hostfd"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/ipc"
	"cordon/sentry/loader"
	"cordon/sentry/task"
)

// Save writes the sandbox's state; it goes on afterwards.
func (k *Kernel) Save(w io.Writer) error {
	k.mu.Lock()
	joined, pod := len(k.consoles) > 0, len(k.joined) > 0
	k.mu.Unlock()
	if joined {
		return errors.New("a sandbox whose process is joined to the host's terminal cannot be saved")
	}
	if pod {
		return errors.New("a sandbox that further containers have joined cannot be saved")
	}
	if k.mounter != nil {
		return errors.New("a sandbox whose mounts come to the host cannot be saved")
	}
	if k.cfg.HostIPC > 0 {
		return errors.New("a sandbox in the host's IPC namespace cannot be saved")
	}
	return Save(w, k.sys)
}

// Freezing reports whether a Save or a Pause has told all tasks to stop: a
// platform that runs a test waits for it where the state is to be saved.
func (k *Kernel) Freezing() bool { return k.sys.Freezing() }

// Restore makes a sandbox of what Save has written. Of cfg counts what is not
// in it: descriptors (those of the standard files have their names), the
// platform, the trace, and what file systems show of the host. Start lets its
// processes go on; Wait knows those that have no parent, and Exec puts others
// beside process 1.
func Restore(cfg Config, r io.Reader) (*Kernel, error) {
	k := newKernel(cfg)
	k.restored = true
	if err := k.restore(r); err != nil {
		k.release()
		return nil, err
	}
	return k, nil
}

func (k *Kernel) restore(r io.Reader) (err error) {
	plat, err := k.platform()
	if err != nil {
		return err
	}
	k.hosts.platform = plat
	if err := k.makeCalls(); err != nil {
		return err
	}
	var e linux.Errno
	if k.notifier, e = hostfd.NewNotifier(); e != 0 {
		return &StartError{Message: "watching the standard files: " + e.Error()}
	}
	if k.conf.Mounter > 0 {
		return &StartError{Message: "restoring: no mount of a saved sandbox comes to the host"}
	}
	if k.conf.Gofer9P >= 0 {
		if k.gofer, err = client.Dial(int(k.conf.Gofer9P), int(k.conf.GoferSide)); err != nil {
			return &StartError{Message: "connecting to the gofer: " + err.Error()}
		}
	}
	mem := memfile.NewHuge(k.cfg.MemFile, memFileID)
	o := &Outside{
		Platform: plat, Memory: mem, Gofer: k.gofer, Hosts: &k.hosts, Notifier: k.notifier, Files: make(map[string]int),
		Clocks: k.cfg.Clocks,
		Parts: task.Parts{
			Calls: k.calls, Traced: k.cfg.Trace != nil, Random: k.random, Turn: k.turn(), NewNet: k.newNet, NewIPC: k.newIPC,
			Assemble: func(s *task.System) error {
				k.Container.sys = s
				return k.registerFileSystems()
			},
		},
	}
	o.Attach = func(s *netstack.Stack) error {
		k.stack = s
		if k.cfg.Attach == nil {
			return nil
		}
		return k.cfg.Attach(s)
	}
	for i, name := range [...]string{"stdin", "stdout", "stderr"} {
		if fd := k.conf.Stdio[i]; fd >= 0 {
			o.Files[name] = int(fd)
		}
	}
	if _, err := Load(r, o); err != nil {
		return &StartError{Message: "restoring: " + err.Error()}
	}
	if k.stack != nil && k.cfg.Attach != nil {
		k.lookOut()
	}
	return k.adopt()
}

// adopt finds what a Kernel knows of its system in a restored one.
func (k *Kernel) adopt() error {
	d, ok := k.sys.Loader.(*loader.Loader)
	k.init = k.sys.InitGroup()
	if !ok || d.VDSO() == nil || k.init == nil {
		return &StartError{Message: "restoring: the image holds no sandbox"}
	}
	if n := k.init.Leader().Namespaces(); n != nil {
		k.spaces, k.mounts = *n, n.Mount
	}
	if ns, ok := k.spaces.IPC.(*ipc.Namespace); ok && mqueue.Of(ns) != nil {
		k.messages = mqueue.Of(ns).Users()
	}
	k.cgroup = k.init.Cgroup()
	if k.spaces.Cgroup != nil {
		k.cgroup = k.spaces.Cgroup.Root()
	}
	k.watchAgain()
	if l := k.init.Container(); l != nil {
		k.label = l
	}
	for _, g := range k.sys.Processes() {
		if g.ParentID() == 0 {
			k.waited[g.ID()] = g
		}
	}
	k.watchMemory()
	if k.gofer != nil {
		go k.watchGofer()
	}
	return nil
}
