package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"cordon/runsc/boot"
	"cordon/runsc/container"
	"cordon/runsc/spec"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ociState is a container's state in the specification's form.
func ociState(c *container.Container, status container.Status) *specs.State {
	s := &specs.State{
		Version:     c.State.OCI,
		ID:          c.State.ID,
		Status:      specs.ContainerState(status),
		Bundle:      c.State.Bundle,
		Annotations: c.State.Notes,
	}
	if status != "stopped" {
		s.Pid = c.State.Boot.PID
	}
	return s
}

// addHooks arranges for a configuration's hooks.
func addHooks(p *container.Params, s *specs.Spec) error {
	h := s.Hooks
	if h == nil {
		return nil
	}
	p.State.Poststart, p.State.Poststop, p.State.StartContainer = h.Poststart, h.Poststop, h.StartContainer
	p.BeforeRun = func(c *container.Container) error {
		state := ociState(c, "creating")
		for kind, hooks := range [...][]specs.Hook{h.Prestart, h.CreateRuntime, h.CreateContainer} {
			name := [...]string{"prestart", "createRuntime", "createContainer"}[kind]
			if err := runHooks(name, hooks, state); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// runHooks runs hooks in the runtime's own namespaces, in order, up to the
// first that fails.
func runHooks(kind string, hooks []specs.Hook, state *specs.State) error {
	input, err := json.Marshal(state)
	if err != nil {
		return err
	}
	for i, h := range hooks {
		if err := runHook(h, input); err != nil {
			return fmt.Errorf("error running %s hook #%d: %w", kind, i, err)
		}
	}
	return nil
}

func runHook(h specs.Hook, input []byte) error {
	ctx := context.Background()
	if h.Timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(*h.Timeout)*time.Second)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, h.Path)
	if len(h.Args) > 0 {
		cmd.Args = h.Args
	}
	// Not nil, which would be our own.
	cmd.Env = append([]string{}, h.Env...)
	cmd.Stdin = bytes.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w, output: %s", h.Path, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// failedHooks runs the hooks for the end of a container that could not be made.
func failedHooks(g *globals, p *container.Params) {
	if len(p.State.Poststop) == 0 {
		return
	}
	state := &specs.State{Version: p.State.OCI, ID: p.State.ID, Status: specs.StateStopped, Bundle: p.State.Bundle, Annotations: p.State.Notes}
	if err := runHooks("poststop", p.State.Poststop, state); err != nil {
		g.logger.warn(err.Error())
	}
}

// startHooks runs the hooks that belong into the container, before its program:
// as processes of the guest, with the state on their standard input.
func startHooks(c *container.Container) error {
	state := ociState(c, "created")
	input, err := json.Marshal(state)
	if err != nil {
		return err
	}
	for i, h := range c.State.StartContainer {
		if err := guestHook(c, h, input); err != nil {
			return fmt.Errorf("error running startContainer hook #%d: %w", i, err)
		}
	}
	return nil
}

// hookPatience bounds a hook of a guest without a timeout of its own.
const hookPatience = 10 * time.Minute

func guestHook(c *container.Container, h specs.Hook, input []byte) error {
	s, err := c.Config()
	if err != nil || s == nil {
		return fmt.Errorf("%s: no configuration: %w", h.Path, err)
	}
	p := *s.Process
	p.Args, p.Env, p.Terminal, p.Cwd = h.Args, h.Env, false, "/"
	p.User = specs.User{}
	if len(p.Args) == 0 {
		p.Args = []string{h.Path}
	}
	proc := spec.ToProcess(&p)
	proc.Early, proc.Path = true, h.Path
	in, out, err := hookFiles(input)
	if err != nil {
		return err
	}
	defer in.Close()
	defer out.Close()
	cl, pid, err := execIn(c, proc, [3]*os.File{in, out, out})
	if err != nil {
		return fmt.Errorf("%s: %w", h.Path, err)
	}
	defer cl.Close()
	patience := hookPatience
	if h.Timeout != nil {
		patience = time.Duration(*h.Timeout) * time.Second
	}
	timer := time.AfterFunc(patience, func() {
		_ = c.Call(boot.OpSignal, boot.SignalArgs{PID: pid, Signal: int(syscall.SIGKILL)}, nil)
	})
	code, err := waitIn(cl, pid)
	if !timer.Stop() {
		return fmt.Errorf("%s: not within %v", h.Path, patience)
	}
	if err == nil && code != 0 {
		text := make([]byte, maxHookOutput)
		n, _ := out.ReadAt(text, 0)
		err = fmt.Errorf("exit status %d, output: %s", code, strings.TrimSpace(string(text[:n])))
	}
	return err
}

// maxHookOutput is how much of a hook's output a message has.
const maxHookOutput = 4096

// hookFiles are a hook's input and output: memory, since nobody reads a pipe
// meanwhile.
func hookFiles(input []byte) (in, out *os.File, err error) {
	open := func(name string) (*os.File, error) {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
	if in, err = open("hook-input"); err != nil {
		return nil, nil, err
	}
	if _, err = in.WriteAt(input, 0); err == nil {
		out, err = open("hook-output")
	}
	if err != nil {
		in.Close()
		return nil, nil, err
	}
	return in, out, nil
}
