// Package kernel joins the Sentry to the boot process: it builds a
// sentry.Kernel from a boot.Spec and offers it as a boot.Kernel.
package kernel

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/runsc/boot"
	"cordon/sentry"
	"cordon/sentry/cred"
	"cordon/sentry/task"

	"golang.org/x/sys/unix"
)

// A guest is a sentry.Container as the boot process sees it.
type guest struct{ *sentry.Container }

// A kernel is a sentry.Kernel as the boot process sees it.
type kernel struct {
	guest
	sentry *sentry.Kernel
}

// New builds the Sentry for a spec; it is a boot.NewKernel.
func New(s *boot.Spec) (boot.Kernel, error) {
	c, err := config(s)
	if err != nil {
		return nil, err
	}
	var k *sentry.Kernel
	if s.FDs.Image > 2 {
		k, err = sentry.Restore(c, bufio.NewReaderSize(boot.File(s.FDs.Image), imageBuffer))
		unix.Close(s.FDs.Image)
	} else {
		k, err = sentry.New(c)
	}
	if err != nil {
		return nil, startError(err)
	}
	return kernel{guest{k.Container}, k}, nil
}

func (k kernel) Start() error {
	k.sentry.Start()
	return nil
}

// Save implements boot.Saver.
func (k kernel) Save(w io.Writer) error { return k.sentry.Save(w) }

// CutOff and Reconnect implement boot.Saver.
func (k kernel) CutOff() {
	if s := k.sentry.Stack(); s != nil {
		s.CutOff()
	}
}

func (k kernel) Reconnect() {
	if s := k.sentry.Stack(); s != nil {
		s.Reconnect()
	}
}

const imageBuffer = 1 << 20

func (k kernel) Stop()          { k.sentry.Stop() }
func (k kernel) Stacks() string { return k.sentry.Stacks() }

// Add makes a container that joins.
func (k kernel) Add(c *boot.Container, f boot.ContainerFDs) (boot.Guest, error) {
	cfg, err := container(c, f)
	if err != nil {
		for _, fd := range append(append(f.Stdio[:], f.Gofer9P, f.GoferDonate, f.Mounter, f.Network), f.Passed...) {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
		return nil, err
	}
	g, err := k.sentry.Add(cfg)
	if err != nil {
		return nil, startError(err)
	}
	return guest{g}, nil
}

// Remove ends a container.
func (k kernel) Remove(g boot.Guest) {
	c := k.sentry.Container
	if joined, is := g.(guest); is {
		c = joined.Container
	}
	k.sentry.Remove(c)
}

// startError turns the Sentry's StartError into boot's.
func startError(err error) error {
	var se *sentry.StartError
	if !errors.As(err, &se) {
		return &boot.StartError{Kind: boot.ErrOther, Message: err.Error()}
	}
	kind := boot.ErrOther
	switch se.Kind {
	case sentry.NotFound:
		kind = boot.ErrNotFound
	case sentry.NotExecutable:
		kind = boot.ErrNotExecutable
	}
	return &boot.StartError{Kind: kind, Message: se.Message}
}

func (k guest) Start() error {
	k.Container.Start()
	return nil
}

func (k guest) Lost() <-chan struct{} { return k.Container.Lost() }

func (k guest) Exec(p *boot.Process, stdio [3]int, passed []int) (int32, error) {
	q, err := process(p)
	if err != nil {
		for _, fd := range append(stdio[:], passed...) {
			unix.Close(fd)
		}
		return 0, err
	}
	q.Passed = numbers(passed)
	pid, err := k.Container.Exec(q, fds(stdio))
	if err != nil {
		return 0, startError(err)
	}
	return pid, nil
}

func (k guest) Wait(pid int32) (uint32, error) {
	w, ok := k.Container.Wait(pid)
	if !ok {
		return 0, fmt.Errorf("process %d was not started from outside, or has been waited for", pid)
	}
	return uint32(w), nil
}

func (k guest) Signal(pid int32, sig int) error {
	if sig < 0 || sig > linux.NSIG {
		return fmt.Errorf("%d is no signal", sig)
	}
	if e := k.Container.Signal(pid, linux.Signal(sig)); e == linux.ESRCH {
		return boot.ErrNoProcess
	} else if e != 0 {
		return e
	}
	return nil
}

func (k guest) Pause() error {
	k.Container.Pause()
	return nil
}

func (k guest) Resume() error {
	k.Container.Resume()
	return nil
}

func (k guest) Resize(pid int32, rows, cols uint16) error {
	if !k.Container.Resize(pid, rows, cols) {
		return fmt.Errorf("process %d has no terminal of its own", pid)
	}
	return nil
}

func (k guest) Processes() []boot.ProcessInfo {
	var out []boot.ProcessInfo
	for _, p := range k.Container.Processes() {
		out = append(out, boot.ProcessInfo(p))
	}
	return out
}

func numbers(in []int) (out []int32) {
	for _, fd := range in {
		out = append(out, int32(fd))
	}
	return out
}

func fds(in [3]int) (out [3]int32) {
	for i, fd := range in {
		out[i] = int32(fd)
	}
	return out
}

// config turns a spec into the Sentry's configuration.
func config(s *boot.Spec) (sentry.Config, error) {
	first, err := container(&s.Container, boot.ContainerFDs{Stdio: s.FDs.Stdio, Passed: s.FDs.Passed, Gofer9P: s.FDs.Gofer9P, GoferDonate: s.FDs.GoferDonate, Mounter: s.FDs.Mounter,
		Network: s.FDs.Network})
	if err != nil {
		return sentry.Config{}, err
	}
	c := sentry.Config{
		MemoryLimit: s.MemoryLimit, CPUs: s.CPUs, MemFile: int32(s.FDs.MemFile), Loadavg: int32(max(s.FDs.Loadavg, 0)),
		Network: string(s.Network), ContainerConfig: first, PlatformName: s.Platform, CPUInfo: s.CPUInfo,
	}
	for _, m := range s.UIDs {
		c.UIDs = append(c.UIDs, cred.IDMap(m))
	}
	for _, m := range s.GIDs {
		c.GIDs = append(c.GIDs, cred.IDMap(m))
	}
	c.Process.Sockets = true
	c.HostIPC = int32(max(s.FDs.Porter, 0))
	if fd := int32(s.FDs.Meminfo); fd >= 0 {
		c.HostMemory = func() (available, total uint64) { return host.MemoryAvailable(fd) }
	}
	if s.Trace.Enabled {
		fd := s.Trace.FD
		if fd < 0 {
			fd = s.FDs.Log
		}
		c.TraceCalls = s.Trace.Calls
		c.Trace = func(line []byte) {
			for len(line) > 0 {
				n, err := unix.Write(fd, line)
				if err == unix.EINTR {
					continue
				}
				if err != nil {
					return // whoever wanted the trace has gone
				}
				line = line[n:]
			}
		}
	}
	return c, nil
}

// container turns a container's part of a spec into the Sentry's.
func container(s *boot.Container, f boot.ContainerFDs) (sentry.ContainerConfig, error) {
	p, err := process(&s.Process)
	if err != nil {
		return sentry.ContainerConfig{}, err
	}
	c := sentry.ContainerConfig{
		ID: s.ID, Hostname: s.Hostname, Domainname: s.Domainname, Gofer9P: int32(f.Gofer9P), GoferSide: int32(f.GoferDonate),
		Masked: s.MaskedPaths, ReadOnly: s.ReadonlyPaths, Sysctl: s.Sysctl, Process: *p, Stdio: fds(f.Stdio), PlainInit: s.PlainInit,
		Join: sentry.Join(s.Namespaces), Resources: sentry.Resources(s.Resources), Mounter: int32(max(f.Mounter, 0)),
	}
	if f.Network >= 0 {
		c.Attach = attach(f.Network)
	}
	if s.Time != nil {
		c.Time = []sentry.TimeOffset{}
	}
	for _, o := range s.Time {
		c.Time = append(c.Time, sentry.TimeOffset(o))
	}
	c.Process.Passed = numbers(f.Passed)
	for i := range s.Mounts {
		c.Mounts = append(c.Mounts, mount(&s.Mounts[i]))
	}
	for _, d := range s.Devices {
		kind := linux.S_IFCHR
		switch d.Type {
		case "b":
			kind = linux.S_IFBLK
		case "p":
			kind = linux.S_IFIFO
		}
		c.Devices = append(c.Devices, sentry.Device{Path: d.Path, Mode: kind | linux.FileMode(d.Mode).PermAndSticky(),
			Major: uint32(d.Major), Minor: uint32(d.Minor), UID: d.UID, GID: d.GID})
	}
	return c, nil
}

func mount(m *boot.Mount) sentry.Mount {
	out := sentry.Mount{Destination: m.Destination, Type: m.Type, Source: m.Source, Attach: m.Attach, Place: m.Place, File: m.File, Overlay: m.Overlay, Shared: m.Shared, ToHost: m.ToHost}
	for flag, on := range map[linux.MountFlags]bool{
		linux.MS_RDONLY: m.ReadOnly, linux.MS_NOEXEC: m.NoExec, linux.MS_NOSUID: m.NoSUID,
		linux.MS_NODEV: m.NoDev, linux.MS_NOATIME: m.NoAtime,
		linux.MS_NODIRATIME: m.NoDirAtime, linux.MS_NOSYMFOLLOW: m.NoSymFollow,
	} {
		if on {
			out.Flags |= flag
		}
	}
	for _, e := range m.UIDs {
		out.UIDs = append(out.UIDs, cred.IDMap(e))
	}
	for _, e := range m.GIDs {
		out.GIDs = append(out.GIDs, cred.IDMap(e))
	}
	kind, all := strings.CutPrefix(m.Propagation, "r")
	out.Propagation = map[string]linux.MountFlags{"shared": linux.MS_SHARED, "slave": linux.MS_SLAVE, "unbindable": linux.MS_UNBINDABLE}[kind]
	if all {
		out.Propagation |= linux.MS_REC
	}
	for i, o := range m.Options {
		if i > 0 {
			out.Options += ","
		}
		out.Options += o
	}
	return out
}

func process(p *boot.Process) (*sentry.Process, error) {
	q := &sentry.Process{
		Args: p.Args, Path: p.Path, Env: p.Env, Cwd: p.Cwd, MakeCwd: p.MakeCwd, SetHome: p.SetHome, UID: p.UID, GID: p.GID, Groups: p.AdditionalGIDs,
		Umask: 0o022, NoNewPrivs: p.NoNewPrivs,
		Bounding: p.Capabilities.Bounding, Effective: p.Capabilities.Effective, Inheritable: p.Capabilities.Inheritable,
		Permitted: p.Capabilities.Permitted, Ambient: p.Capabilities.Ambient,
		Limits: make(map[linux.Resource]linux.Rlimit), Terminal: p.Terminal, Rows: p.Rows, Cols: p.Cols, Seccomp: p.Filter, Cgroup: p.Cgroup,
	}
	if p.Umask != nil {
		q.Umask = linux.FileMode(*p.Umask) & 0o777
	}
	q.Personality, q.IOPrio, q.CPUs = linux.Personality(p.Personality), p.IOPrio, p.CPUs
	if s := p.Scheduler; s != nil {
		q.Sched = &task.Scheduling{Policy: linux.SchedPolicy(s.Policy), Priority: s.Priority, Nice: s.Nice, ResetOn: s.ResetOnFork}
	}
	if p.OOMScoreAdj != nil {
		q.OOMAdj = int32(*p.OOMScoreAdj)
	}
	for _, r := range p.Rlimits {
		if r.Resource < 0 || r.Resource >= int(linux.RLIM_NLIMITS) {
			return nil, &boot.StartError{Kind: boot.ErrOther, Message: fmt.Sprintf("process.rlimits: no resource %d", r.Resource)}
		}
		q.Limits[linux.Resource(r.Resource)] = linux.Rlimit{Cur: r.Soft, Max: r.Hard}
	}
	return q, nil
}
