package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"cordon/runsc/boot"

	"golang.org/x/sys/unix"
)

// IDMaps are the user and group mappings the gofer runs under, as in
// user_namespaces(7). Empty maps mean that it stays in the caller's.
type IDMaps struct {
	UID, GID []syscall.SysProcIDMap
}

// apply gives a process a user namespace with the maps. It becomes the first
// user of the map, and keeps the capabilities over its namespace that enter.c
// needs when it executes the binary.
func (m IDMaps) apply(attr *syscall.SysProcAttr) {
	if len(m.UID) == 0 || len(m.GID) == 0 {
		return
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	if !m.needHelpers() {
		attr.UidMappings, attr.GidMappings = m.UID, m.GID
	}
	if os.Geteuid() == 0 {
		attr.GidMappingsEnableSetgroups = true
		attr.Credential = &syscall.Credential{Uid: uint32(m.UID[0].ContainerID), Gid: uint32(m.GID[0].ContainerID)}
	}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP, unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE,
		unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_MKNOD, unix.CAP_SETFCAP, unix.CAP_LEASE}
}

// A Config is what a sandbox is made from.
type Config struct {
	// Spec's FDs, Filter and Version are filled in by Start.
	Spec *boot.Spec
	// Roots are served by the gofer; without any there is no gofer.
	Roots []Root
	IDMaps
	// View is what the host finds in the mount namespace of the container's process.
	View []ViewMount

	// Passed are the first process's descriptors from 3 on.
	Passed []*os.File
	// Stdio are the first process's files. Control is the listening socket,
	// Log and Trace may be nil.
	Stdio   [3]*os.File
	Control *os.File
	Log     *os.File
	// Image is a checkpoint to restore; nil for a new sandbox.
	Image *os.File
	Trace *os.File
	// Errors is where the two processes' own crash reports go; nil is nowhere.
	Errors *os.File

	// Keeper gives the first container a keeper, so that the sandbox can go on without
	// it, where the rights of this process suffice.
	Keeper bool
	// SentryPID is the sandbox's boot process, for Join; 0 if that is not known.
	SentryPID int

	// Attached ends the container when this process ends.
	Attached bool
	// ControllingTerminal makes Stdio[0] the terminal of the container's process, so
	// that it learns of new sizes.
	ControllingTerminal bool
	// NetNS is the network namespace to run in; empty is the caller's for network "host", else a new one.
	NetNS string
	// OwnNet gives a container that joins a network of its own, that of NetNS or of a new
	// namespace, in which its keeper is then.
	OwnNet bool
	// Network says what the stack has beside its loopback; nil for nothing. It is called
	// after Started, with a process that is in the network namespace.
	Network func(pid int) (*boot.Network, error)

	// HostIPC puts the sandbox into the caller's IPC namespace.
	HostIPC HostIPC

	// Filters are the programs for the two processes; empty is none.
	SentryFilter, GoferFilter []byte

	// MemoryGroup is the directory of the memory cgroup that Started makes, if the
	// host is to see there what is killed for memory inside.
	MemoryGroup string

	// Started is called with the processes while they wait, to record them and put
	// them into a cgroup. An error ends them.
	Started func(p PIDs) error
}

// PIDs are the host's processes of a container; 0 is none.
type PIDs struct {
	// Container ends with the exit code of the container's first process: its keeper,
	// or the boot process.
	Container int
	// Boot is the boot process, if it was made for the container.
	Boot          int
	Gofer, Herald int
}

// A Sandbox is what was started for a container.
type Sandbox struct {
	// immutable
	attached bool

	boot, gofer *os.Process // nil for none
	keeper      *keeper     // nil for none
	herald      *herald     // nil for none
	lifeline    *os.File    // of boot
	network     *os.File    // nil when nothing waits for it
	pids        PIDs
	killed      bool
}

// PIDs are the processes as they were started.
func (s *Sandbox) PIDs() PIDs { return s.pids }

// Start makes the processes and returns when the sandbox stands. On an error
// no process is left. The error is a *boot.StartError when the program is at
// fault.
func Start(c *Config) (*Sandbox, error) {
	s := &Sandbox{attached: c.Attached}
	goferReady, bootReady, err := s.spawn(c)
	if goferReady != nil {
		defer goferReady.Close()
	}
	if bootReady != nil {
		defer bootReady.Close()
	}
	if err == nil && c.Started != nil {
		err = c.Started(s.pids)
	}
	if err == nil {
		s.herald.begin(s.pids.Boot)
	}
	if err == nil {
		err = s.sendNetwork(c, s.pids.Boot)
	}
	if err == nil {
		err = s.release(goferReady, bootReady)
	}
	if err != nil {
		s.Kill()
		s.Wait()
		return nil, err
	}
	return s, nil
}

// release lets the boot process go on and waits until it is ready.
func (s *Sandbox) release(goferReady, bootReady *os.File) error {
	// EPIPE: it failed before; its report says why.
	if _, err := s.lifeline.Write([]byte{'g'}); err != nil && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	err := readReport(bootReady)
	if err == nil {
		return nil
	}
	if gerr := goferFailure(goferReady, nil); gerr != nil {
		return gerr
	}
	if err == errNoReport {
		return fmt.Errorf("the sandbox ended before it was ready (%v)", s.bootState())
	}
	return err
}

// goferFailure returns what the gofer says of its own failure, or err: when it
// failed, the Sentry only noticed a closed socket.
func goferFailure(ready *os.File, err error) error {
	if ready == nil {
		return err
	}
	ready.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if gerr := readReport(ready); gerr != nil && !errors.Is(gerr, os.ErrDeadlineExceeded) && gerr != errNoReport {
		return fmt.Errorf("gofer: %w", gerr)
	}
	return err
}

// bootState says how the boot process ended, for a message.
func (s *Sandbox) bootState() string {
	s.boot.Kill()
	st, err := s.boot.Wait()
	s.boot = nil
	if err != nil {
		return err.Error()
	}
	return st.String()
}

// spawn starts both processes at once.
func (s *Sandbox) spawn(c *Config) (goferReady, bootReady *os.File, err error) {
	var ends sockets
	defer ends.close()
	if len(c.Roots) > 0 {
		if err := ends.open(); err != nil {
			return nil, nil, err
		}
	}
	if s.network, ends.network, err = networkSocket(c); err != nil {
		return nil, nil, err
	}
	var wg sync.WaitGroup
	var goferErr, bootErr, keeperErr error
	var own, theirs, keeperReady *os.File // the ends of the keeper's socket
	if c.Keeper && mayKeep() {
		if own, theirs, err = socketPair(unix.SOCK_STREAM, "keeper"); err != nil {
			return nil, nil, err
		}
		defer own.Close()
		defer theirs.Close()
		ends.keeper = own
	}
	if s.herald, err = startHerald(c); err != nil {
		return nil, nil, err
	}
	defer s.herald.release()
	if ends.mounter, err = startMounter(c); err != nil {
		return nil, nil, err
	}
	if ends.porter, err = startPorter(c); err != nil {
		return nil, nil, err
	}
	if len(c.Roots) > 0 {
		wg.Go(func() {
			s.gofer, goferReady, goferErr = startGofer(c, &ends)
		})
	}
	s.boot, s.lifeline, bootReady, bootErr = startBoot(c, &ends, s.herald.sentryEnd())
	if bootErr == nil && theirs != nil {
		if s.keeper, keeperReady, keeperErr = startKeeper(c, theirs, s.boot.Pid); keeperErr == nil {
			theirs.Close()
			keeperErr = keeperFailure(keeperReady)
			keeperReady.Close()
		}
	}
	wg.Wait()
	s.number()
	return goferReady, bootReady, errors.Join(goferErr, bootErr, keeperErr)
}

// number notes the pids.
func (s *Sandbox) number() {
	if s.boot != nil {
		s.pids.Boot, s.pids.Container = s.boot.Pid, s.boot.Pid
	}
	if s.keeper != nil {
		s.pids.Container = s.keeper.p.Pid
	}
	if s.gofer != nil {
		s.pids.Gofer = s.gofer.Pid
	}
	s.pids.Herald = s.herald.pid()
}

// sockets are the two channels between Sentry and gofer; index 0 is the
// Sentry's end.
type sockets struct {
	nineP, donate [2]*os.File
	network       *os.File // the Sentry's end of what its network comes from; nil for none
	keeper        *os.File // the Sentry's end of the keeper's socket; nil for none
	porter        *os.File // the Sentry's end of the porter's socket; nil for none
	mounter       *os.File // the Sentry's end of the mounter's socket; nil for none
}

func (k *sockets) open() error {
	var err error
	if k.nineP[0], k.nineP[1], err = socketPair(unix.SOCK_STREAM, "9p"); err == nil {
		k.donate[0], k.donate[1], err = socketPair(unix.SOCK_SEQPACKET, "donate")
	}
	return err
}

func (k *sockets) close() {
	for i := range 2 {
		k.nineP[i].Close()
		k.donate[i].Close()
	}
	k.network.Close()
	k.porter.Close()
	k.mounter.Close()
}

// startGofer executes `runsc gofer` with its descriptors in the order that
// enter.c and GoferMain expect.
func startGofer(c *Config, ends *sockets) (*os.Process, *os.File, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer w.Close()
	filter, err := memFile("gofer-filter", c.GoferFilter)
	if err != nil {
		return nil, nil, err
	}
	defer filter.Close()

	errs := c.errorsOr(null)
	// The number after the filter is fdProc's place, which enter.c fills.
	files := []*os.File{null, null, errs, w, ends.nineP[1], ends.donate[1], null}
	argv := []string{"runsc", "gofer"}
	for _, root := range c.Roots {
		argv = append(argv, root.kind()+root.Path)
		tree := null
		if root.IDs != nil {
			if tree, err = root.idTree(); err != nil {
				return nil, nil, err
			}
			defer tree.Close()
		}
		files = append(files, tree)
	}
	files = append(files, filter)
	names := make([]string, len(c.Roots))
	for i, root := range c.Roots {
		names[i] = root.Attach
		if root.Connect {
			names[i] += "+connect"
		}
	}
	attr := &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
	}
	c.IDMaps.apply(attr)
	zone := "CORDON_ZONE=gofer"
	if c.Attached {
		zone += "+"
	}
	env := append(passedEnv(), zone, "CORDON_TREES="+strings.Join(names, ","))
	p, err := startOnOwnThread("", argv, env, files, attr)
	if err == nil {
		err = c.IDMaps.write(p)
	}
	if err != nil {
		r.Close()
		return p, nil, fmt.Errorf("starting the gofer: %w", err)
	}
	return p, r, nil
}

// errorsOr is where crash reports go.
func (c *Config) errorsOr(null *os.File) *os.File {
	if c.Errors == nil {
		return null
	}
	return c.Errors
}

// firstSpecFD is the first of boot's descriptors that Spec.FDs numbers.
const firstSpecFD = 6

// startBoot executes `runsc boot`.
func startBoot(c *Config, ends *sockets, herald *os.File) (p *os.Process, lifeline, ready *os.File, err error) {
	if r := &c.Spec.Resources; r.HostBound && r.MemoryMax > 0 {
		r.GuestMemory = boot.GuestMemory(r.MemoryMax)
	}
	t, err := newTether()
	if err != nil {
		return nil, nil, nil, err
	}
	defer t.closeChilds()
	defer func() {
		if err != nil {
			t.closeOwn()
		}
	}()

	files := []*os.File{t.null, t.null, c.errorsOr(t.null), t.report, nil, t.null}
	add := func(f *os.File) int {
		if f == nil {
			return -1
		}
		files = append(files, f)
		return len(files) - 1
	}
	c.Spec.Version, c.Spec.Filter = boot.SpecVersion, c.SentryFilter
	c.Spec.CPUInfo, _ = os.ReadFile("/proc/cpuinfo") // without it the guest's names no model
	meminfo, _ := os.Open("/proc/meminfo")           // nil if it is not there, as below
	defer meminfo.Close()
	loadavg, _ := os.Open("/proc/loadavg")
	defer loadavg.Close()
	c.Spec.FDs = boot.FDs{
		Stdio:       [3]int{add(c.Stdio[0]), add(c.Stdio[1]), add(c.Stdio[2])},
		Gofer9P:     add(ends.nineP[0]),
		GoferDonate: add(ends.donate[0]),
		Network:     add(ends.network),
		Keeper:      add(ends.keeper),
		Herald:      add(herald),
		Porter:      add(ends.porter),
		Mounter:     add(ends.mounter),
		MemFile:     boot.FDMemFile,
		Meminfo:     add(meminfo),
		Control:     add(c.Control),
		Loadavg:     add(loadavg),
		Image:       add(c.Image),
		Log:         add(c.Log),
		Lifeline:    add(t.life),
		Ready:       boot.FDReady,
	}
	for _, f := range c.Passed {
		c.Spec.FDs.Passed = append(c.Spec.FDs.Passed, add(f))
	}
	c.Spec.Trace.FD, c.Spec.TiedToParent = add(c.Trace), c.Attached
	data, err := c.Spec.Encode()
	if err != nil {
		return nil, nil, nil, err
	}
	spec, err := memFile("spec", data)
	if err != nil {
		return nil, nil, nil, err
	}
	defer spec.Close()
	files[boot.FDSpec] = spec

	attr, zone := bootAttr(c)
	p, err = startOnOwnThread(c.NetNS, append([]string{"runsc", "boot", "--"}, shownArgs(c)...), append(bootEnv(c, ends), zone), files, attr)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("starting the sandbox: %w", err)
	}
	return p, t.lifeline, t.ready, nil
}

// bootAttr says which namespaces the Sentry gets and what it is called there.
func bootAttr(c *Config) (*syscall.SysProcAttr, string) {
	attr, id := unprivilegedAttr()
	if c.Spec.Network != boot.NetworkHost && c.NetNS == "" {
		attr.Cloneflags |= unix.CLONE_NEWNET
	}
	keeper := c.Keeper && mayKeep()
	if c.ControllingTerminal && !keeper {
		attr.Setctty = true
		attr.Ctty = firstSpecFD
	}
	zone := "CORDON_ZONE=boot" + id
	if c.Attached && !keeper {
		zone += "+"
	}
	return attr, zone
}

// passedEnv is what the two processes get of the caller's environment: the
// knobs of the Go runtime, and nothing else.
func passedEnv() []string {
	env := []string{"GOTRACEBACK=all"}
	for _, k := range []string{"GODEBUG", "GOCOVERDIR", "GORACE", "GOMAXPROCS"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}
