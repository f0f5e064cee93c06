package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/control"
	"cordon/runsc/network"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A Container is one of a Store's, as it was when it was loaded.
type Container struct {
	State State

	store *Store
}

// Cgroups are the host's resource groups of a container.
type Cgroups interface {
	// Paths are the directories that Create may make.
	Paths() []string
	// Record is what finds them again.
	Record() *cgroup.Record
	// Create makes them, sets their limits and puts processes into them.
	Create(pids ...int) error
	// Unbound reports whether Create could not have the limits that are asked for.
	Unbound() bool
	// Remove removes what Create made, killing what is left inside.
	Remove() error
}

// Params say what to create.
type Params struct {
	State   State
	Sandbox sandbox.Config
	// Config is the configuration, kept for commands to come; it may be nil.
	Config *specs.Spec
	// Cgroups may be nil.
	Cgroups Cgroups
	// TakeOver gives the sandbox the interfaces of its network namespace, when the
	// hooks of the runtime have run.
	TakeOver bool
	// ResolvConf is the host's file that the guest sees as /etc/resolv.conf, if there
	// is one: the hooks write to it.
	ResolvConf string
	// PIDFile gets the pid of the boot process; empty is none.
	PIDFile string
	// BeforeRun is called while the processes exist and wait (hooks of the
	// runtime); it may be nil.
	BeforeRun func(c *Container) error
}

// Create makes a container and its sandbox. On an error nothing is left. A
// sandbox that is not attached has been detached.
func (s *Store) Create(p *Params) (*Container, *sandbox.Sandbox, error) {
	if err := checkID(p.State.ID); err != nil {
		return nil, nil, err
	}
	c := &Container{State: p.State, store: s}
	c.State.Creating = true
	c.State.Created = time.Now().UTC()
	if p.Cgroups != nil {
		c.State.Cgroups, c.State.Groups = p.Cgroups.Paths(), p.Cgroups.Record()
	}
	lock, err := s.claim(&c.State)
	if err != nil {
		return nil, nil, err
	}
	defer lock.Close()
	var box *sandbox.Sandbox
	if err = c.keepConfig(p.Config); err == nil {
		box, err = c.start(p)
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.clear())
	}
	return c, box, nil
}

// claim makes the directory. A sandbox of `do` is named after a process, whose
// number another may have had whose sandbox is still ending, or may have in another
// PID namespace: it takes the next name.
func (s *Store) claim(st *State) (lock *os.File, err error) {
	const names = 10
	first := st.ID
	for n := 1; ; n++ {
		lock, err = s.newDir(st)
		if err != ErrExist || !st.Ephemeral || n == names {
			return lock, err
		}
		st.ID = fmt.Sprintf("%s.%d", first, n)
	}
}

// keepConfig writes the configuration down.
func (c *Container) keepConfig(s *specs.Spec) error {
	if s == nil {
		return nil
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir(), configFile), data, 0o600)
}

// Config is the configuration that the container was made from; nil if there was
// none.
func (c *Container) Config() (*specs.Spec, error) {
	data, err := os.ReadFile(filepath.Join(c.dir(), configFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := new(specs.Spec)
	return s, json.Unmarshal(data, s)
}

// start makes the sandbox of a container that is only a directory.
func (c *Container) start(p *Params) (*sandbox.Sandbox, error) {
	p.Sandbox.Started = func(boot, gofer, herald int) error { return c.started(p, boot, gofer, herald) }
	box, err := c.makeBox(p)
	if err != nil {
		return nil, err
	}
	if err := c.finish(p, box); err != nil {
		box.Kill()
		box.Wait()
		return nil, err
	}
	return box, nil
}

// makeBox starts a sandbox, or joins one.
func (c *Container) makeBox(p *Params) (*sandbox.Sandbox, error) {
	if c.State.Sandbox != "" {
		return c.join(p)
	}
	fd, err := control.Listen(c.controlPath())
	if err != nil {
		return nil, err
	}
	p.Sandbox.Control = os.NewFile(uintptr(fd), "control")
	defer p.Sandbox.Control.Close()
	if p.TakeOver {
		p.Sandbox.Network = func(boot int) (*boot.Network, error) { return c.takeOver(p, boot) }
	}
	return sandbox.Start(&p.Sandbox)
}

// started records the processes of a sandbox and lets the host act on them,
// before they have done anything.
func (c *Container) started(p *Params, boot, gofer, herald int) (err error) {
	if c.State.Boot, err = FindProc(boot); err != nil {
		return err
	}
	if c.State.Gofer, err = FindProc(gofer); err != nil {
		return err
	}
	if err := c.save(); err != nil {
		return err
	}
	if p.Cgroups != nil {
		pids := []int{boot}
		if gofer != 0 {
			pids = append(pids, gofer)
		}
		if herald != 0 {
			pids = append(pids, herald)
		}
		if err := cgroup.Score(p.Sandbox.Spec.Process.OOMScoreAdj, boot, gofer); err != nil {
			return err
		}
		if err := p.Cgroups.Create(pids...); err != nil {
			return err
		}
	}
	if p.BeforeRun != nil {
		return p.BeforeRun(c)
	}
	return nil
}

// takeOver takes the interfaces of the namespace that the sandbox has joined, or was
// made for it: that one goes with it, the other gets them back.
func (c *Container) takeOver(p *Params, pid int) (*boot.Network, error) {
	netns, record := p.Sandbox.NetNS, c.networkPath()
	if netns == "" {
		netns, record = fmt.Sprintf("/proc/%d/ns/net", pid), ""
	}
	n, err := network.TakeOver(netns, record)
	if record == "" && errors.Is(err, unix.EPERM) {
		return network.None(), nil // an ordinary user's: nobody had the right to put anything into it
	}
	if err != nil || !network.NamesDockerResolver(p.ResolvConf) {
		return n, err
	}
	if err := network.AddResolver(n, netns, p.Sandbox.Log, len(p.Sandbox.SentryFilter) > 0); err != nil {
		n.CloseFDs()
		return nil, err
	}
	return n, nil
}

// finish makes a container that stands visible as such.
func (c *Container) finish(p *Params, box *sandbox.Sandbox) error {
	if p.PIDFile != "" {
		if err := WritePIDFile(p.PIDFile, box.BootPID); err != nil {
			return err
		}
	}
	c.State.Creating = false
	if p.Cgroups != nil {
		cgroup.Protect(p.Sandbox.Spec.Process.OOMScoreAdj, box.BootPID, box.GoferPID)
	}
	if err := c.save(); err != nil {
		return err
	}
	if p.Sandbox.Attached {
		return nil
	}
	return box.Detach()
}

// WritePIDFile writes a pid so that a reader sees all of it or nothing.
func WritePIDFile(path string, pid int) error {
	tmp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	if err := os.WriteFile(tmp, []byte(strconv.Itoa(pid)), 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	return nil
}

func (c *Container) dir() string { return c.store.dir(c.State.ID) }
func (c *Container) controlPath() string {
	return filepath.Join(c.store.dir(c.sandboxID()), controlFile)
}
func (c *Container) networkPath() string { return filepath.Join(c.dir(), networkFile) }
func (c *Container) save() error         { return writeState(c.dir(), &c.State) }
