package container

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/control"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Several containers share a sandbox (a pod) where their configurations say so:
// by the annotations that containerd's and CRI-O's CRI put on them, or, as in a
// pod of podman's and with docker's --network=container:ID, by a namespace that
// is named by the path of another container's process.

// podNotes are the annotations for a container's kind and its sandbox.
var podNotes = [...]struct{ kind, sandbox string }{
	{"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
	{"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
}

// Pod returns a container whose sandbox a configuration's container joins, and says
// whose namespaces there it shares. nil is a sandbox of its own.
func (s *Store) Pod(c *specs.Spec) (*Container, boot.Namespaces, error) {
	none := boot.Namespaces{}
	shared, err := s.sharedBy(c)
	if err != nil {
		return nil, none, err
	}
	member, err := s.podOf(c, shared)
	if err != nil {
		return nil, none, err
	}
	if member == nil {
		return nil, none, checkOwn(c)
	}
	id := member.SandboxID()
	// What is not listed is inherited: the sandbox's own.
	n := boot.Namespaces{PID: id, IPC: id, UTS: id, Net: id, User: id, Cgroup: id, Time: id}
	field := map[specs.LinuxNamespaceType]*string{
		specs.PIDNamespace: &n.PID, specs.IPCNamespace: &n.IPC, specs.UTSNamespace: &n.UTS, specs.UserNamespace: &n.User,
		specs.CgroupNamespace: &n.Cgroup, specs.TimeNamespace: &n.Time, specs.NetworkNamespace: &n.Net,
	}
	for i, ns := range namespaces(c) {
		f := field[ns.Type]
		switch {
		case f == nil:
			// Mounts are each container's own.
		case ns.Path == "":
			*f = ""
		case shared[i] == nil && ns.Type == specs.NetworkNamespace:
			same, err := hasNetwork(member.sentry().PID, ns.Path)
			if err != nil {
				return nil, none, fmt.Errorf("linux.namespaces[%d].path: %w", i, err)
			}
			if !same {
				*f = ""
			}
		case shared[i] == nil:
			return nil, none, fmt.Errorf("linux.namespaces[%d]: %s is of no container of sandbox %s", i, ns.Path, id)
		default:
			*f = shared[i].State.ID
		}
	}
	return member, n, nil
}

// hasNetwork reports whether a process is in the network namespace of the host that a
// path names.
func hasNetwork(pid int, path string) (bool, error) {
	asked, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	own, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	return err == nil && os.SameFile(asked, own), err
}

// checkOwn refuses namespaces that a sandbox of its own cannot be put into.
func checkOwn(c *specs.Spec) error {
	for i, ns := range namespaces(c) {
		if ns.Type == specs.IPCNamespace && sandbox.IsHostIPC(ns.Path) {
			continue
		}
		if ns.Path != "" && ns.Type != specs.NetworkNamespace {
			return fmt.Errorf("linux.namespaces[%d].path: joining a %s namespace that is no container's is not supported", i, ns.Type)
		}
	}
	return nil
}

func namespaces(c *specs.Spec) []specs.LinuxNamespace {
	if c.Linux == nil {
		return nil
	}
	return c.Linux.Namespaces
}

// sharedBy finds the container whose process each namespace's path names, nil
// for none.
func (s *Store) sharedBy(c *specs.Spec) ([]*Container, error) {
	out := make([]*Container, len(namespaces(c)))
	var all []*Container
	for i, ns := range namespaces(c) {
		pid := processOf(ns.Path)
		if pid == 0 {
			continue
		}
		if all == nil {
			var err error
			if all, err = s.List(); err != nil {
				return nil, err
			}
		}
		for _, o := range all {
			if o.State.Boot.PID == pid && o.State.Boot.Alive() {
				out[i] = o
			}
		}
	}
	return out, nil
}

// processOf returns the process in a path like /proc/12/ns/ipc, 0 for another.
func processOf(path string) int {
	f := strings.Split(filepath.Clean(path), "/")
	if len(f) != 5 || f[0] != "" || f[1] != "proc" || f[3] != "ns" {
		return 0
	}
	pid, err := strconv.Atoi(f[2])
	if err != nil {
		return 0
	}
	return pid
}

// podOf returns a container of the sandbox to join.
func (s *Store) podOf(c *specs.Spec, shared []*Container) (*Container, error) {
	for _, n := range podNotes {
		if c.Annotations[n.kind] != "container" {
			continue
		}
		id := c.Annotations[n.sandbox]
		if id == "" {
			return nil, fmt.Errorf("annotations: %s without %s", n.kind, n.sandbox)
		}
		o, err := s.Load(id)
		if err != nil {
			return nil, fmt.Errorf("annotations: %s: sandbox %s: %w", n.sandbox, id, err)
		}
		return o, nil
	}
	var member *Container
	for i, o := range shared {
		switch {
		case o == nil:
		case member == nil:
			member = o
		case member.sentry() != o.sentry():
			return nil, fmt.Errorf("linux.namespaces[%d]: the namespaces are those of two sandboxes, %s and %s", i, member.SandboxID(), o.SandboxID())
		}
	}
	return member, nil
}

// SandboxID is the first container of the container's sandbox, which may be gone.
func (c *Container) SandboxID() string {
	if c.State.Sandbox != "" {
		return c.State.Sandbox
	}
	return c.State.ID
}

// sentry is the boot process of the container's sandbox.
func (c *Container) sentry() Proc {
	if c.State.Sentry.PID != 0 {
		return c.State.Sentry
	}
	if c.State.Sandbox == "" {
		return c.State.Boot
	}
	// Of another version of this program.
	if first, err := c.store.Load(c.State.Sandbox); err == nil {
		return first.sentry()
	}
	return Proc{}
}

// join makes the container in the sandbox of p.Join.
func (c *Container) join(p *Params) (*sandbox.Sandbox, error) {
	cl, err := p.Join.Dial()
	if errors.Is(err, control.ErrClosed) {
		return nil, fmt.Errorf("sandbox %s is not running", c.State.Sandbox)
	}
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	cl.To = "" // the container is not there yet
	if c.State.Sentry.PID != 0 {
		if err := os.Link(p.Join.controlPath(), c.controlPath()); err != nil {
			return nil, fmt.Errorf("joining sandbox %s: %w", c.State.Sandbox, err)
		}
		p.Sandbox.SentryPID = c.State.Sentry.PID
	}
	return sandbox.Join(&p.Sandbox, cl)
}
