package cli

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/console"
	"cordon/runsc/container"
	"cordon/runsc/control"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
)

type execFlags struct {
	consoleSocket, cwd, user, process, pidFile string
	processLabel, apparmor                     string
	env, caps, gids, cgroup                    list
	tty, detach, noNewPrivs, ignorePaused      bool
	preserveFDs                                int

	passed *passing
}

func execCommand() *command {
	return &command{
		name: "exec", args: "[flags] ID COMMAND [arguments] | --process FILE ID", summary: "run another program in a running container",
		examples: []string{"runsc exec web ps ax", "runsc exec -t --cwd /srv --env A=b web sh", "runsc exec --process process.json -d --pid-file pid web"},
		minArgs:  1, maxArgs: -1,
		flags: func(fs *flag.FlagSet) runner {
			e := &execFlags{}
			fs.StringVar(&e.consoleSocket, "console-socket", "", "`PATH` of a unix socket that gets the master of the terminal")
			fs.StringVar(&e.cwd, "cwd", "", "`DIR`: working directory")
			fs.Var(&e.env, "env", "`NAME=VALUE`: a further variable")
			fs.Var(&e.env, "e", "short for --env")
			both(fs.BoolVar, &e.tty, "tty", "t", false, "give the program a terminal")
			both(fs.StringVar, &e.user, "user", "u", "", "`UID[:GID]`")
			fs.Var(&e.gids, "additional-gids", "`GID`: a further group")
			fs.Var(&e.gids, "g", "short for --additional-gids")
			both(fs.StringVar, &e.process, "process", "p", "", "`FILE` with the process as in config.json")
			both(fs.BoolVar, &e.detach, "detach", "d", false, "return when the program runs")
			fs.StringVar(&e.pidFile, "pid-file", "", "`FILE` to write a host pid to, whose end and exit code are the program's")
			fs.StringVar(&e.processLabel, "process-label", "", "accepted for runc's sake: no SELinux acts inside a sandbox")
			fs.StringVar(&e.apparmor, "apparmor", "", "accepted for runc's sake: no AppArmor acts inside a sandbox")
			fs.BoolVar(&e.noNewPrivs, "no-new-privs", false, "set no_new_privs")
			fs.Var(&e.caps, "cap", "`CAP`: a further capability")
			fs.Var(&e.caps, "c", "short for --cap")
			fs.IntVar(&e.preserveFDs, "preserve-fds", 0, "`N` further descriptors to pass on, from 3 on")
			fs.Var(&e.cgroup, "cgroup", "`PATH` of a group that the container has made below its own control group")
			fs.BoolVar(&e.ignorePaused, "ignore-paused", false, "start the program in a paused container, where it waits")
			return func(g *globals, args []string) (int, error) {
				code, err := e.run(g, args)
				if err != nil {
					return exitExecFailure, fmt.Errorf("exec failed: %w", err)
				}
				return code, nil
			}
		},
	}
}

func (e *execFlags) run(g *globals, args []string) (int, error) {
	var err error
	if e.passed, err = g.pass(e.preserveFDs, false); err != nil {
		return 0, err
	}
	defer e.passed.close()
	c, err := g.store().Load(args[0])
	if err != nil {
		return 0, err
	}
	switch s := c.Status(); s {
	case "running":
	case "paused":
		if e.ignorePaused {
			break
		}
		return 0, errors.New("cannot exec in a paused container (use --ignore-paused to override)")
	default:
		return 0, fmt.Errorf("cannot exec in a %s container", s)
	}
	p, err := e.build(c, args[1:])
	if err != nil {
		return 0, err
	}
	if e.detach {
		return 0, e.detached(g, c, p)
	}
	return e.attached(g, c, p)
}

// build makes the process from the file, or from the container's own process
// and the flags.
func (e *execFlags) build(c *container.Container, args []string) (*boot.Process, error) {
	s, err := c.Config()
	if err != nil {
		return nil, err
	}
	p := &specs.Process{Cwd: "/", Env: os.Environ()} // of `do`
	if s != nil {
		p = s.Process
	}
	if e.process != "" {
		data, err := spec.ReadFile(e.process)
		if err != nil {
			return nil, err
		}
		if p, err = spec.DecodeProcess(data); err != nil {
			return nil, fmt.Errorf("%s: %w", e.process, err)
		}
	} else if err := e.apply(p, args); err != nil {
		return nil, err
	}
	out := spec.ToProcess(p)
	out.IgnorePaused, out.MakeCwd = e.ignorePaused, false
	if out.Cgroup, err = e.subgroup(); err != nil {
		return nil, err
	}
	if a := p.ExecCPUAffinity; a != nil {
		if out.CPUs, err = spec.ParseCPUs(cmp.Or(a.Final, a.Initial)); err != nil {
			return nil, fmt.Errorf("execCPUAffinity: %w", err)
		}
	}
	if s != nil && s.Linux != nil && s.Linux.Seccomp != nil {
		if out.Filter, err = spec.CompileSeccomp(s.Linux.Seccomp); err != nil {
			return nil, fmt.Errorf("linux.seccomp: %w", err)
		}
	}
	if e.process != "" {
		return out, nil
	}
	for _, name := range e.caps {
		bit, ok := spec.CapabilityBit(name)
		if !ok {
			return nil, fmt.Errorf("--cap: %q is no capability", name)
		}
		out.Capabilities.Bounding |= bit
		out.Capabilities.Effective |= bit
		out.Capabilities.Permitted |= bit
	}
	return out, nil
}

// subgroup reads --cgroup. There is one tree, as with cgroup v2, so that no
// controllers can be named before the path.
func (e *execFlags) subgroup() (string, error) {
	if len(e.cgroup) == 0 {
		return "", nil
	}
	path := e.cgroup[len(e.cgroup)-1]
	if len(e.cgroup) > 1 || strings.Contains(path, ":") {
		return "", fmt.Errorf("invalid --cgroup argument: %s (there is one tree for all controllers)", path)
	}
	return path, nil
}

// apply changes the container's process to what the flags say.
func (e *execFlags) apply(p *specs.Process, args []string) error {
	if len(args) == 0 {
		return errors.New("process args cannot be empty")
	}
	p.Args = args
	p.Terminal, p.ConsoleSize = e.tty, nil
	if e.cwd != "" {
		p.Cwd = e.cwd
	}
	p.Env = slices.Concat(p.Env, e.env)
	if e.user != "" {
		if err := spec.ParseUser(e.user, p); err != nil {
			return err
		}
	}
	p.NoNewPrivileges = p.NoNewPrivileges || e.noNewPrivs
	for _, s := range e.gids {
		gid, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return fmt.Errorf("parsing %s as int for gid failed: %w", s, err)
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids, uint32(gid))
	}
	return nil
}

// attached runs the program with our own standard files and waits for it.
func (e *execFlags) attached(g *globals, c *container.Container, p *boot.Process) (int, error) {
	if e.consoleSocket != "" {
		return 0, errors.New("cannot use console socket if runsc will not detach or allocate tty")
	}
	stdio := [3]*os.File{os.Stdin, os.Stdout, os.Stderr}
	if p.Terminal {
		if !console.IsTerminal(os.Stdin) || !console.IsTerminal(os.Stdout) {
			return 0, errors.New("--tty: standard input and output are not a terminal")
		}
		p.Rows, p.Cols = console.Size(os.Stdin)
		restore, err := console.MakeRaw(os.Stdin)
		if err != nil {
			return 0, err
		}
		defer restore()
	}
	sigs := catchSignals()
	cl, pid, err := execIn(c, p, stdio, e.passed.files...)
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	if e.pidFile != "" {
		if err := container.WritePIDFile(e.pidFile, os.Getpid()); err != nil {
			return 0, err
		}
	}
	stop := forwardSignals(sigs, c, pid, p.Terminal)
	defer stop()
	return waitIn(cl, pid)
}

// execIn starts a program in a container; passed are its descriptors from 3 on. The
// client is for waiting.
func execIn(c *container.Container, p *boot.Process, stdio [3]*os.File, passed ...*os.File) (*control.Client, int32, error) {
	cl, err := c.Dial()
	if err != nil {
		return nil, 0, err
	}
	var pid int32
	var fds []int
	for _, f := range append(stdio[:], passed...) {
		fds = append(fds, int(f.Fd()))
	}
	if err := cl.Call(boot.OpExec, p, &pid, fds...); err != nil {
		cl.Close()
		return nil, 0, programError(err)
	}
	return cl, pid, nil
}

// waitIn waits for a program; when this process ends first, so does the
// program.
func waitIn(cl *control.Client, pid int32) (int, error) {
	var status uint32
	err := cl.Call(boot.OpWait, boot.WaitArgs{PID: pid, Tied: true}, &status)
	if errors.Is(err, control.ErrClosed) {
		// The container ended, and the program with it.
		return boot.ExitCode(9), nil
	}
	return boot.ExitCode(status), err
}
