package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/container"
	"cordon/sentry"

	"github.com/moby/sys/userns"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Exit codes that are not a program's own.
const (
	exitFailure       = 1   // runc's for every failure
	exitNoCommand     = 3   // runc's
	exitTimeout       = 124 // timeout(1)'s
	exitNotExecutable = 126 // a shell's
	exitNotFound      = 127 // a shell's
	exitExecFailure   = 255 // runc's where `exec` cannot start the program
)

// globals are the flags before the command, and what they lead to.
type globals struct {
	root      string
	log       string
	logFormat string
	debug     bool
	platform  string
	network   string
	strace    bool
	straceOf  string
	noFilter  bool
	version   bool
	rootless  string
	criu      string

	systemdCgroup bool

	newKernel boot.NewKernel
	logger    *logger
	inherited map[int]bool // descriptors that the caller left open
}

func (g *globals) store() *container.Store { return &container.Store{Root: g.root} }

// A command is one of runsc's.
type command struct {
	name     string
	args     string // as in "[flags] ID"
	summary  string
	examples []string
	hidden   bool
	minArgs  int
	maxArgs  int // -1 is no bound

	// flags declares the command's flags and returns what runs it.
	flags func(fs *flag.FlagSet) runner
}

// A runner performs a command with the arguments after its flags. The code
// counts when err is nil or an exitError names none.
type runner func(g *globals, args []string) (code int, err error)

// An exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Run performs the command line args (without the program's name) and returns
// the exit code. newKernel builds the Sentry in the boot process.
func Run(args []string, newKernel boot.NewKernel) int {
	g := &globals{newKernel: newKernel, logger: &logger{}}
	fs := newFlagSet("runsc")
	g.declare(fs)
	err := fs.Parse(args)
	switch {
	case err == nil && g.version:
		printVersion(os.Stdout)
		return 0
	case errors.Is(err, flag.ErrHelp) || err == nil && fs.NArg() == 0:
		usage(os.Stdout, fs)
		return 0
	case err != nil:
		return fail(g, err)
	}
	if err := g.checkRootless(); err != nil {
		return fail(g, err)
	}
	if err := g.logger.open(g.log, g.logFormat, g.debug); err != nil {
		return fail(g, err)
	}
	name, rest := fs.Arg(0), fs.Args()[1:]
	if name == "help" {
		if len(rest) == 0 {
			usage(os.Stdout, fs)
			return 0
		}
		name, rest = rest[0], []string{"--help"}
	}
	for _, c := range commands() {
		if c.name == name {
			if !c.hidden {
				g.keepDescriptors()
			}
			return c.run(g, rest)
		}
	}
	return fail(g, &exitError{exitNoCommand, fmt.Errorf("unknown command %q; `runsc help` lists them", name)})
}

func (c *command) run(g *globals, args []string) int {
	fs := newFlagSet(c.name)
	run := c.flags(fs)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		c.help(os.Stdout, fs)
		return 0
	}
	if err == nil {
		err = c.checkArgs(fs.Args())
	}
	if err != nil {
		return fail(g, fmt.Errorf("%s: %w", c.name, err))
	}
	code, err := run(g, fs.Args())
	if err != nil {
		if code != 0 {
			err = &exitError{code, err}
		}
		return fail(g, err)
	}
	return code
}

func (c *command) checkArgs(args []string) error {
	switch {
	case len(args) < c.minArgs:
		return fmt.Errorf("expected at least %d argument(s) (%s), got %d", c.minArgs, c.args, len(args))
	case c.maxArgs >= 0 && len(args) > c.maxArgs:
		return fmt.Errorf("unexpected argument %q", args[c.maxArgs])
	}
	return nil
}

// fail prints the error's one line and returns its exit code.
func fail(g *globals, err error) int {
	line := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	g.logger.log("error", line)
	fmt.Fprintf(os.Stderr, "runsc: %s\n", line)
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailure
}

func newFlagSet(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	// Errors are printed once, by fail.
	fs.SetOutput(io.Discard)
	return fs
}

func (g *globals) declare(fs *flag.FlagSet) {
	fs.StringVar(&g.root, "root", defaultRoot(), "directory for the state of containers")
	fs.StringVar(&g.log, "log", "", "file for log lines; standard error gets errors in any case")
	fs.StringVar(&g.logFormat, "log-format", "text", "format of log lines: text or json")
	fs.BoolVar(&g.debug, "debug", false, "log debug messages")
	fs.BoolVar(&g.systemdCgroup, "systemd-cgroup", false, "let systemd make cgroups: linux.cgroupsPath is \"slice:prefix:name\"")
	fs.StringVar(&g.rootless, "rootless", "auto", "go on without cgroups where they may not be made: true, false or auto (not root)")
	fs.StringVar(&g.criu, "criu", "criu", "accepted for runc's sake: a checkpoint is the sandbox's own")
	both(fs.BoolVar, &g.version, "version", "v", false, "print the version")
	fs.StringVar(&g.platform, "platform", "", "what runs guest code: systrap or ptrace; the default is the faster that works")
	fs.StringVar(&g.network, "network", "", "what sockets stand on: none, sandbox, user or host")
	fs.BoolVar(&g.strace, "strace", false, "log every system call of the guest")
	fs.StringVar(&g.straceOf, "strace-syscalls", "", "log these system calls only, separated by commas")
	fs.BoolVar(&g.noFilter, "unsafe-no-filter", false, "run without the host's system call filters (to debug cordon itself)")
}

// rootless reports whether the caller is not the host's root, though he may be that
// of a user namespace, as Podman makes one for an ordinary user.
func rootless() bool { return os.Geteuid() != 0 || userns.RunningInUserNS() }

// defaultRoot is runc's choice: who is root by name is so where he is.
func defaultRoot() string {
	if name, ok := os.LookupEnv("USER"); os.Geteuid() != 0 || rootless() && (!ok || name != "root") {
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			return filepath.Join(dir, "runsc")
		}
		return filepath.Join(os.TempDir(), fmt.Sprintf("runsc-%d", os.Geteuid()))
	}
	return "/run/runsc"
}

// checkRootless checks --rootless.
func (g *globals) checkRootless() error {
	if g.rootless == "auto" {
		return nil
	}
	if _, err := strconv.ParseBool(g.rootless); err != nil {
		return fmt.Errorf("--rootless: %q is none of true, false, auto", g.rootless)
	}
	return nil
}

// tolerant reports whether a container may go without the cgroups that cannot be
// made for it.
func (g *globals) tolerant() bool {
	if yes, err := strconv.ParseBool(g.rootless); err == nil {
		return yes
	}
	return rootless()
}

// Version is what `runsc --version` says.
const Version = "1.1.0+cordon"

// printVersion prints the lines that clients of runc read.
func printVersion(w io.Writer) {
	fmt.Fprintf(w, "runsc version %s\nspec: %s\ngo: %s\n", Version, specs.Version, runtime.Version())
}

// ownName is the caller's name, as runc shows it.
func ownName() string {
	id := os.Geteuid()
	if u, err := user.LookupId(strconv.Itoa(id)); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(id)
}

// trace is what the flags ask of the boot process.
func (g *globals) trace() boot.Trace {
	t := boot.Trace{Enabled: g.strace || g.straceOf != "", FD: -1}
	if g.straceOf != "" {
		t.Calls = strings.Split(g.straceOf, ",")
	}
	return t
}

// networkMode checks --network.
func (g *globals) networkMode() (boot.NetworkMode, error) {
	switch m := boot.NetworkMode(g.network); m {
	case "":
		return boot.NetworkSandbox, nil
	case boot.NetworkNone, boot.NetworkSandbox, boot.NetworkUser, boot.NetworkHost:
		return m, nil
	}
	return "", fmt.Errorf("--network: %q is none of none, sandbox, user, host", g.network)
}

// checkPlatform settles what runs guest code.
func (g *globals) checkPlatform() error {
	switch g.platform {
	case "":
		g.platform = sentry.DefaultPlatform()
	case "ptrace", "systrap":
	default:
		return fmt.Errorf("--platform: %q is no platform; there are systrap and ptrace", g.platform)
	}
	return nil
}
