package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/console"
	"cordon/runsc/container"
	"cordon/runsc/idle"
	"cordon/runsc/sandbox"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// createFlags are those of create and run.
type createFlags struct {
	bundle, consoleSocket, pidFile string
	noPivot, noNewKeyring          bool
	preserveFDs                    int
	detach, keep, noSubreaper      bool
	image                          string // of a checkpoint to restore
}

func (c *createFlags) declare(fs *flag.FlagSet) {
	both(fs.StringVar, &c.bundle, "bundle", "b", "", "`DIR` of the bundle (default: the working directory)")
	fs.StringVar(&c.consoleSocket, "console-socket", "", "`PATH` of a unix socket that gets the master of the container's terminal")
	fs.StringVar(&c.pidFile, "pid-file", "", "`FILE` to write the container's host pid to")
	fs.BoolVar(&c.noPivot, "no-pivot", false, "accepted for runc's sake: guests never see the host's root")
	fs.BoolVar(&c.noNewKeyring, "no-new-keyring", false, "accepted for runc's sake: guests never share the host's keyrings")
	fs.IntVar(&c.preserveFDs, "preserve-fds", 0, "`N` further descriptors to pass on, from 3 on")
}

// declareRun declares what run and restore have besides.
func (c *createFlags) declareRun(fs *flag.FlagSet) {
	c.declare(fs)
	both(fs.BoolVar, &c.detach, "detach", "d", false, "return when the container runs")
	fs.BoolVar(&c.noSubreaper, "no-subreaper", false, "accepted for runc's sake: no process of a sandbox is ever orphaned")
}

func createCommand() *command {
	return &command{
		name: "create", args: "[flags] ID", summary: "create a container that waits for `start`",
		examples: []string{"runsc create --bundle /containers/web web", "runsc create -b . --console-socket /tmp/tty.sock --pid-file pid web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			c := &createFlags{detach: true}
			c.declare(fs)
			return func(g *globals, args []string) (int, error) {
				_, _, err := c.create(g, args[0], nil)
				return 0, createError("runsc create failed", err)
			}
		},
	}
}

func runCommand() *command {
	return &command{
		name: "run", args: "[flags] ID", summary: "create and start a container, and wait for its end",
		examples: []string{"runsc run --bundle /containers/web web", "runsc run -d -b . --pid-file pid web"},
		minArgs:  1, maxArgs: 1,
		flags: func(fs *flag.FlagSet) runner {
			c := &createFlags{}
			c.declareRun(fs)
			fs.BoolVar(&c.keep, "keep", false, "do not delete the container after its end")
			return func(g *globals, args []string) (int, error) { return c.run(g, args[0]) }
		},
	}
}

// create makes a container that is held before its first process runs. With
// sigs, its parent stays and a signal ends it.
func (c *createFlags) create(g *globals, id string, sigs chan os.Signal) (*container.Container, *sandbox.Sandbox, error) {
	if err := g.checkPlatform(); err != nil {
		return nil, nil, err
	}
	bundle, err := filepath.Abs(c.bundle)
	if err != nil {
		return nil, nil, err
	}
	s, err := spec.Load(bundle)
	if err != nil {
		return nil, nil, err
	}
	p, err := c.params(g, id, bundle, s)
	if err != nil {
		return nil, nil, err
	}
	p.Sandbox.Spec.Hold = true
	p.State.Terminal = p.Sandbox.Spec.Process.Terminal
	p.Sandbox.Attached = !c.detach
	closeTTY, err := c.terminal(p)
	if err != nil {
		return nil, nil, err
	}
	defer closeTTY()
	if c.image != "" {
		f, err := openImage(c.image)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		p.Sandbox.Image = f
	}
	passed, err := g.pass(c.preserveFDs, p.State.Sandbox == "")
	if err != nil {
		return nil, nil, err
	}
	defer passed.close()
	passed.add(&p.Sandbox)
	if err := g.prepare(&p.Sandbox); err != nil {
		return nil, nil, err
	}
	store := g.store()
	store.Sweep()
	var k *container.Container
	var box *sandbox.Sandbox
	if sigs != nil {
		k, box, err = createAttached(g, p, sigs)
	} else {
		k, box, err = store.Create(p)
	}
	if err != nil && !errors.Is(err, container.ErrExist) {
		failedHooks(g, p)
	}
	if err == nil && p.Cgroups.Unbound() {
		g.logger.warn("linux.resources: no control group of the host can be made by this user: the limits bind inside the sandbox only")
	}
	return k, box, err
}

// params turns a checked configuration into what a container is made from.
func (c *createFlags) params(g *globals, id, bundle string, s *specs.Spec) (*container.Params, error) {
	network, err := g.networkMode()
	if err != nil {
		return nil, err
	}
	plan, err := spec.Convert(s, bundle, spec.Options{ID: id, Platform: g.platform, Network: network, Trace: g.trace()})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, spec.ConfigFile), err)
	}
	if g.network == "" && !plan.OwnNetwork {
		plan.Boot.Network = boot.NetworkHost // as the configuration says, by naming no network namespace
	}
	for _, w := range plan.Warnings {
		g.logger.log("warning", w)
	}
	if len(plan.IDMaps.UID) == 0 {
		plan.IDMaps = ownIDMaps()
	}
	p := &container.Params{
		State:  container.State{ID: id, Bundle: bundle, Rootfs: plan.Rootfs, OCI: s.Version, Notes: s.Annotations, Owner: ownName()},
		Config: s,
		Sandbox: sandbox.Config{
			Spec:    plan.Boot,
			Roots:   plan.Roots,
			IDMaps:  plan.IDMaps,
			View:    plan.View(),
			NetNS:   plan.NetNS,
			HostIPC: plan.HostIPC,
			Stdio:   [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
			Keeper:  true,
		},
		PIDFile:  c.pidFile,
		TakeOver: plan.OwnNetwork && plan.Boot.Network == boot.NetworkSandbox,
	}
	if plan.Boot.Network == boot.NetworkUser {
		p.Sandbox.Network = (&netFlags{detached: c.detach}).start(g, boot.NetworkUser, id)
	}
	for _, m := range s.Mounts {
		if m.Destination == "/etc/resolv.conf" {
			p.ResolvConf = m.Source
		}
	}
	if p.Join, plan.Boot.Namespaces, err = g.store().Pod(s); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(bundle, spec.ConfigFile), err)
	}
	p.JoinSandbox()
	if !c.detach {
		p.Sandbox.Errors = os.Stderr
	} else if g.logger.file != nil {
		p.Sandbox.Errors = g.logger.file
	}
	if err := addCgroups(g, p, s); err != nil {
		return nil, err
	}
	return p, addHooks(p, s)
}

func addCgroups(g *globals, p *container.Params, s *specs.Spec) error {
	o := cgroup.Options{ID: p.State.ID, Systemd: g.systemdCgroup, Rootless: g.tolerant(), Annotations: s.Annotations}
	if s.Linux != nil {
		o.Resources, o.Path = s.Linux.Resources, s.Linux.CgroupsPath
	}
	group, err := cgroup.New(o)
	if err != nil {
		return err
	}
	for _, w := range group.Warnings() {
		g.logger.log("warning", w)
	}
	p.Cgroups = group
	p.Sandbox.Spec.Resources.HostBound = group.Bounds()
	if p.Sandbox.Spec.Resources.MemoryMax > 0 {
		p.Sandbox.MemoryGroup = group.MemoryDir()
	}
	return nil
}

// terminal gives the container the terminal its configuration asks for. The
// returned function closes what only the sandbox keeps.
func (c *createFlags) terminal(p *container.Params) (done func(), err error) {
	done = func() {}
	proc := &p.Sandbox.Spec.Process
	switch {
	case !proc.Terminal && c.consoleSocket != "":
		return done, errors.New("cannot use console socket if runsc will not detach or allocate tty")
	case !proc.Terminal:
		return done, nil
	case c.consoleSocket == "" && c.detach:
		return done, errors.New("cannot allocate tty if runsc will detach without setting console socket")
	case c.consoleSocket == "":
		if !console.IsTerminal(os.Stdin) || !console.IsTerminal(os.Stdout) {
			return done, errors.New("process.terminal: standard input and output are not a terminal, and there is no --console-socket")
		}
		proc.Rows, proc.Cols = console.Size(os.Stdin)
		return done, nil
	case !c.detach:
		return done, errors.New("cannot use console socket if runsc will not detach or allocate tty")
	}
	master, slave, err := console.NewPTY(proc.Rows, proc.Cols)
	if err != nil {
		return done, err
	}
	defer master.Close()
	if err := console.Send(c.consoleSocket, master); err != nil {
		slave.Close()
		return done, err
	}
	p.Sandbox.Stdio = [3]*os.File{slave, slave, slave}
	p.Sandbox.ControllingTerminal = true
	return func() { slave.Close() }, nil
}

// run is `run`.
func (c *createFlags) run(g *globals, id string) (int, error) {
	var sigs chan os.Signal
	if !c.detach {
		sigs = catchSignals()
	}
	k, box, err := c.create(g, id, sigs)
	if err != nil {
		return 0, createError("runsc run failed", err)
	}
	if err := startContainer(g, k); err != nil {
		if !c.detach {
			box.Kill()
			box.Wait()
		}
		return 0, errors.Join(err, deleteContainer(g, k, true))
	}
	if c.detach {
		return 0, nil
	}
	if k.State.Terminal {
		restore, err := console.MakeRaw(os.Stdin)
		if err != nil {
			g.logger.warn(err.Error())
		} else {
			defer restore()
		}
	}
	stop := forwardSignals(sigs, k, boot.InitPID, k.State.Terminal)
	defer stop()
	idle.Settle()
	code, err := box.Wait()
	if c.keep {
		return code, err
	}
	if derr := deleteContainer(g, k, true); err == nil {
		err = derr
	}
	return code, err
}

// specCommand is `spec`.
func specCommand() *command {
	return &command{
		name: "spec", args: "[flags]", summary: "write a config.json to start from",
		examples: []string{"runsc spec", "runsc spec --bundle /containers/web --rootless"},
		maxArgs:  0,
		flags: func(fs *flag.FlagSet) runner {
			var bundle string
			var rootless bool
			both(fs.StringVar, &bundle, "bundle", "b", "", "`DIR` of the bundle (default: the working directory)")
			fs.BoolVar(&rootless, "rootless", false, "for an ordinary user")
			return func(*globals, []string) (int, error) { return 0, writeSpec(bundle, rootless) }
		},
	}
}

func writeSpec(bundle string, rootless bool) error {
	s := spec.Template()
	if rootless {
		spec.MakeRootless(s, uint32(os.Geteuid()), uint32(os.Getegid()))
	}
	data, err := indented(s)
	if err != nil {
		return err
	}
	path := filepath.Join(bundle, spec.ConfigFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("file %s exists. Remove it first", path)
	}
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
