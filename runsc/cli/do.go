package cli

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"time"

	"cordon/internal/linux"
	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/console"
	"cordon/runsc/container"
	"cordon/runsc/idle"
	"cordon/runsc/sandbox"

	"golang.org/x/sys/unix"
)

type doFlags struct {
	binds, rwBinds, tmpfs, env list
	cwd, user, hostname        string
	network, memory            string
	net                        netFlags
	timeout                    time.Duration
	clearEnv                   bool
	platform                   string
	strace                     bool
}

func doCommand() *command {
	return &command{
		name:    "do",
		args:    "[flags] COMMAND [arguments]",
		summary: "run a command on the host's files, read-only below a layer in memory",
		examples: []string{
			"runsc do ls -l /",
			"runsc do --network none --memory 512m python3 script.py",
			"runsc do --bind ~/src:/src:ro --rw-bind ~/out:/out --cwd /src make O=/out",
			"runsc do --timeout 10s --strace sh -c 'echo hello > /tmp/x'",
		},
		minArgs: 1,
		maxArgs: -1,
		flags: func(fs *flag.FlagSet) runner {
			d := &doFlags{}
			fs.Var(&d.binds, "bind", "`SRC[:DST][:ro]`: show SRC at DST; writes stay in memory, or fail with :ro")
			fs.Var(&d.rwBinds, "rw-bind", "`SRC[:DST]`: show SRC at DST; writes reach the host")
			fs.Var(&d.tmpfs, "tmpfs", "`DST`: an empty directory in memory at DST")
			fs.Var(&d.env, "env", "`NAME=VALUE`: set, or with NAME alone unset, a variable; the rest is the caller's")
			fs.BoolVar(&d.clearEnv, "clear-env", false, "start from an empty environment")
			fs.StringVar(&d.cwd, "cwd", "", "`DIR`: working directory (default: the caller's)")
			fs.StringVar(&d.user, "user", "", "`USER[:GROUP]`: by name or number (default: the caller)")
			fs.StringVar(&d.hostname, "hostname", "", "`NAME`: host name (default: the host's)")
			fs.StringVar(&d.network, "network", "", "`MODE`: none, sandbox (a stack of its own with loopback), user (and a way out by the host's sockets) or host (default sandbox, for ordinary users user)")
			d.net.declare(fs)
			fs.StringVar(&d.memory, "memory", "", "`SIZE`: limit of memory, as 64m or 2g")
			fs.DurationVar(&d.timeout, "timeout", 0, "`DURATION`: end the sandbox after this time, with exit code 124")
			fs.BoolVar(&d.strace, "strace", false, "print every system call to standard error")
			fs.StringVar(&d.platform, "platform", "", "`NAME`: what runs guest code: systrap or ptrace")
			return d.run
		},
	}
}

func (d *doFlags) run(g *globals, args []string) (int, error) {
	if d.network != "" {
		g.network = d.network
	}
	if d.platform != "" {
		g.platform = d.platform
	}
	g.strace = g.strace || d.strace
	if err := g.checkPlatform(); err != nil {
		return 0, err
	}
	if d.timeout < 0 {
		return 0, fmt.Errorf("--timeout: %v is negative", d.timeout)
	}
	if err := d.net.choose(g); err != nil {
		return 0, err
	}
	spec, roots, err := d.spec(g, args)
	if err != nil {
		return 0, err
	}
	p := &container.Params{
		State: container.State{ID: fmt.Sprintf("do-%d", os.Getpid()), Ephemeral: true, Owner: fmt.Sprint(os.Geteuid())},
		Sandbox: sandbox.Config{
			Spec:     spec,
			Roots:    roots,
			IDMaps:   ownIDMaps(),
			Stdio:    [3]*os.File{os.Stdin, os.Stdout, os.Stderr},
			Errors:   os.Stderr,
			Attached: true,
		},
	}
	if d.net.wanted(spec.Network) {
		p.Sandbox.Network = d.net.start(g, spec.Network, cmp.Or(d.hostname, p.State.ID))
	}
	if spec.MemoryLimit != 0 {
		if rootless() {
			g.logger.warn("--memory: an ordinary user has no cgroup here: the limit binds the guest, not the sandbox itself")
		} else if p.Cgroups, err = cgroup.ForMemory(p.State.ID, spec.MemoryLimit); err != nil {
			return 0, fmt.Errorf("--memory: %w", err)
		}
		spec.Resources = boot.Resources{MemoryMax: int64(spec.MemoryLimit), HostBound: true}
	}
	return d.runAttached(g, p)
}

// runAttached creates the sandbox and stays with it to its end.
func (d *doFlags) runAttached(g *globals, p *container.Params) (int, error) {
	if err := g.prepare(&p.Sandbox); err != nil {
		return 0, err
	}
	// Before the sandbox exists, so that no signal is lost.
	sigs := catchSignals()
	if p.Sandbox.Spec.Process.Terminal {
		restore, err := console.MakeRaw(os.Stdin)
		if err != nil {
			return 0, err
		}
		defer restore()
	}
	c, box, err := createAttached(g, p, sigs)
	if err != nil {
		return 0, startFailure(err)
	}
	stop := forwardSignals(sigs, c, boot.InitPID, p.Sandbox.Spec.Process.Terminal)
	defer stop()
	timedOut := make(chan struct{})
	if d.timeout > 0 {
		timer := time.AfterFunc(d.timeout, func() {
			close(timedOut)
			box.Kill()
		})
		defer timer.Stop()
	}
	idle.Settle()
	code, err := box.Wait()
	select {
	case <-timedOut:
		code = exitTimeout
	default:
	}
	if ferr := c.Forget(); err == nil {
		err = ferr
	}
	return code, err
}

// spec builds what the boot process is told.
func (d *doFlags) spec(g *globals, args []string) (*boot.Spec, []sandbox.Root, error) {
	network, err := g.networkMode()
	if err != nil {
		return nil, nil, err
	}
	var limit uint64
	if d.memory != "" {
		if limit, err = parseSize(d.memory); err != nil {
			return nil, nil, fmt.Errorf("--memory: %w", err)
		}
	}
	hostname := d.hostname
	if hostname == "" {
		if hostname, err = os.Hostname(); err != nil {
			return nil, nil, err
		}
	}
	proc, err := d.process(args)
	if err != nil {
		return nil, nil, err
	}
	mounts, roots, err := d.mounts()
	if err != nil {
		return nil, nil, err
	}
	return &boot.Spec{
		Platform:    g.platform,
		Network:     network,
		MemoryLimit: limit,
		Container: boot.Container{
			ID: "do", Hostname: hostname, Mounts: mounts, Process: *proc, Sysctl: d.net.sysctls, PlainInit: true,
			Devices: []boot.Device{{Path: "/dev/net/tun", Type: "c", Major: 10, Minor: linux.MISC_NET_TUN_MINOR, Mode: 0o666}},
		},
		Trace: g.trace(),
	}, roots, nil
}

func (d *doFlags) process(args []string) (*boot.Process, error) {
	p := &boot.Process{Args: args, Cwd: d.cwd, Capabilities: boot.Capabilities{}}
	if p.Cwd == "" {
		wd, err := os.Getwd()
		if err != nil {
			return nil, fmt.Errorf("working directory: %w", err)
		}
		p.Cwd = wd
	} else if p.Cwd[0] != '/' {
		return nil, fmt.Errorf("--cwd: %q is not an absolute path", p.Cwd)
	}
	if err := setUser(p, d.user); err != nil {
		return nil, fmt.Errorf("--user: %w", err)
	}
	if p.UID == 0 {
		// Root inside: the capabilities are over the sandbox only.
		all := uint64(1)<<(unix.CAP_LAST_CAP+1) - 1
		p.Capabilities = boot.Capabilities{Bounding: all, Effective: all, Permitted: all}
	} else {
		p.Capabilities.Bounding = uint64(1)<<(unix.CAP_LAST_CAP+1) - 1
	}
	if !d.clearEnv {
		p.Env = os.Environ()
	}
	p.Env = setEnv(p.Env, d.env)
	p.Rlimits, p.Scheduler = ownRlimits(), ownScheduler()
	umask := uint32(unix.Umask(0))
	unix.Umask(int(umask))
	p.Umask = &umask
	if console.IsTerminal(os.Stdin) && console.IsTerminal(os.Stdout) && console.IsTerminal(os.Stderr) {
		p.Terminal = true
		p.Rows, p.Cols = console.Size(os.Stdin)
	}
	return p, nil
}
