package container

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

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

// Pod says which sandbox, named by its first container, a configuration's
// container joins, and whose namespaces there it shares. The empty string is a
// sandbox of its own.
func (s *Store) Pod(c *specs.Spec) (string, boot.Namespaces, error) {
	none := boot.Namespaces{}
	shared, err := s.sharedBy(c)
	if err != nil {
		return "", none, err
	}
	id, err := s.podOf(c, shared)
	if err != nil {
		return "", none, err
	}
	if id == "" {
		return "", none, checkOwn(c)
	}
	// What is not listed is inherited: the sandbox's own.
	n := boot.Namespaces{PID: id, IPC: id, UTS: id, User: id, Cgroup: id, Time: id}
	field := map[specs.LinuxNamespaceType]*string{
		specs.PIDNamespace: &n.PID, specs.IPCNamespace: &n.IPC, specs.UTSNamespace: &n.UTS, specs.UserNamespace: &n.User,
		specs.CgroupNamespace: &n.Cgroup, specs.TimeNamespace: &n.Time,
	}
	for i, ns := range namespaces(c) {
		f := field[ns.Type]
		switch {
		case f == nil:
			// The network is the sandbox's; mounts are each container's own.
		case ns.Path == "":
			*f = ""
		case shared[i] == nil:
			return "", none, fmt.Errorf("linux.namespaces[%d]: %s is of no container of sandbox %s", i, ns.Path, id)
		default:
			*f = shared[i].State.ID
		}
	}
	return id, n, nil
}

// checkOwn refuses namespaces that a sandbox of its own cannot be put into.
func checkOwn(c *specs.Spec) error {
	for i, ns := range namespaces(c) {
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

// podOf returns the sandbox to join.
func (s *Store) podOf(c *specs.Spec, shared []*Container) (string, error) {
	for _, n := range podNotes {
		if c.Annotations[n.kind] != "container" {
			continue
		}
		id := c.Annotations[n.sandbox]
		if id == "" {
			return "", fmt.Errorf("annotations: %s without %s", n.kind, n.sandbox)
		}
		o, err := s.Load(id)
		if err != nil {
			return "", fmt.Errorf("annotations: %s: sandbox %s: %w", n.sandbox, id, err)
		}
		return o.sandboxID(), nil
	}
	id := ""
	for i, o := range shared {
		switch {
		case o == nil:
		case id == "":
			id = o.sandboxID()
		case id != o.sandboxID():
			return "", fmt.Errorf("linux.namespaces[%d]: the namespaces are those of two sandboxes, %s and %s", i, id, o.sandboxID())
		}
	}
	return id, nil
}

// sandboxID is the first container of the container's sandbox.
func (c *Container) sandboxID() string {
	if c.State.Sandbox != "" {
		return c.State.Sandbox
	}
	return c.State.ID
}

// join makes the container in the sandbox that State.Sandbox names.
func (c *Container) join(p *Params) (*sandbox.Sandbox, error) {
	cl, err := c.Dial()
	if errors.Is(err, control.ErrClosed) {
		return nil, fmt.Errorf("sandbox %s is not running", c.State.Sandbox)
	}
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	cl.To = "" // the container is not there yet
	return sandbox.Join(&p.Sandbox, cl)
}

// leave ends the container in its sandbox, if that is still there.
func (c *Container) leave() error {
	if c.State.Sandbox == "" {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- c.Call(boot.OpDestroy, nil, nil) }()
	select {
	case err := <-done:
		if errors.Is(err, control.ErrClosed) {
			return nil
		}
		return err
	case <-time.After(killTimeout):
		return fmt.Errorf("container %s does not end within %v", c.State.ID, killTimeout)
	}
}
