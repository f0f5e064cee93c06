package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"cordon/runsc/container"

	"github.com/opencontainers/runtime-spec/specs-go"
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
	p.State.Poststart, p.State.Poststop = h.Poststart, h.Poststop
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
