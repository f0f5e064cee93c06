package container

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	// Join is a container of the sandbox that State.Sandbox names; nil for a sandbox
	// of its own.
	Join *Container
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

// JoinSandbox has the container be made in the sandbox of p.Join, if there is one.
func (p *Params) JoinSandbox() {
	if p.Join != nil {
		p.State.Sandbox, p.State.Sentry = p.Join.SandboxID(), p.Join.State.Sentry
	}
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
	p.Sandbox.Started = func(pids sandbox.PIDs) error { return c.started(p, pids) }
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
	p.Sandbox.OwnNet = p.Join != nil && p.Sandbox.Spec.Namespaces.Net == ""
	if p.TakeOver && (p.Join == nil || p.Sandbox.OwnNet) {
		p.Sandbox.Network = func(pid int) (*boot.Network, error) { return c.takeOver(p, pid) }
	}
	if p.Join != nil {
		return c.join(p)
	}
	fd, err := control.Listen(c.controlPath())
	if err != nil {
		return nil, err
	}
	p.Sandbox.Control = os.NewFile(uintptr(fd), "control")
	defer p.Sandbox.Control.Close()
	return sandbox.Start(&p.Sandbox)
}

// started records the processes of a sandbox and lets the host act on them,
// before they have done anything.
func (c *Container) started(p *Params, pids sandbox.PIDs) (err error) {
	if c.State.Boot, err = FindProc(pids.Container); err != nil {
		return err
	}
	if c.State.Gofer, err = FindProc(pids.Gofer); err != nil {
		return err
	}
	if pids.Boot != 0 {
		if c.State.Sentry, err = FindProc(pids.Boot); err != nil {
			return err
		}
	}
	if err := c.save(); err != nil {
		return err
	}
	if p.Cgroups != nil {
		first, others := scored(pids)
		if err := cgroup.Score(p.Sandbox.Spec.Process.OOMScoreAdj, first, others...); err != nil {
			return err
		}
		if err := p.Cgroups.Create(members(pids)...); err != nil {
			return err
		}
	}
	if p.BeforeRun != nil {
		return p.BeforeRun(c)
	}
	return nil
}

// members are the processes that a container's cgroups get.
func members(p sandbox.PIDs) []int {
	var all []int
	for _, pid := range []int{p.Container, p.Boot, p.Gofer, p.Herald} {
		if pid != 0 && !slices.Contains(all, pid) {
			all = append(all, pid)
		}
	}
	return all
}

// scored are the processes that have an OOM score, the one with stubs first.
func scored(p sandbox.PIDs) (first int, others []int) {
	first = cmp.Or(p.Boot, p.Container)
	for _, pid := range []int{p.Container, p.Gofer} {
		if pid != 0 && pid != first {
			others = append(others, pid)
		}
	}
	return first, others
}

// takeOver takes the interfaces of the namespace that the sandbox has joined, or was
// made for it: that one goes with it, the other gets them back.
func (c *Container) takeOver(p *Params, pid int) (*boot.Network, error) {
	netns, record := p.Sandbox.NetNS, c.networkPath()
	if netns == "" {
		netns, record = fmt.Sprintf("/proc/%d/ns/net", pid), ""
		if same, err := hasNetwork(os.Getpid(), netns); err != nil || same {
			return network.None(), err // nobody had the right to make one
		}
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
		if err := WritePIDFile(p.PIDFile, box.PIDs().Container); err != nil {
			return err
		}
	}
	c.State.Creating = false
	if p.Cgroups != nil {
		first, others := scored(box.PIDs())
		cgroup.Protect(p.Sandbox.Spec.Process.OOMScoreAdj, first, others...)
	}
	if err := c.save(); err != nil {
		return err
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

// controlPath is the sandbox's socket, of which each of its containers has a name.
func (c *Container) controlPath() string {
	if c.State.Sandbox != "" && c.State.Sentry.PID == 0 {
		return filepath.Join(c.store.dir(c.State.Sandbox), controlFile)
	}
	return filepath.Join(c.dir(), controlFile)
}

func (c *Container) networkPath() string { return filepath.Join(c.dir(), networkFile) }
func (c *Container) save() error         { return writeState(c.dir(), &c.State) }
