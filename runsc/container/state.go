package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	stateFile   = "state.json"
	controlFile = "control.sock"
	networkFile = "network.json" // what to give back to a network namespace
)

// State is what is written down about a container.
type State struct {
	ID      string            `json:"id"`
	Bundle  string            `json:"bundle"`
	Rootfs  string            `json:"rootfs"`
	Created time.Time         `json:"created"`
	Owner   string            `json:"owner"`
	OCI     string            `json:"ociVersion"`
	Notes   map[string]string `json:"annotations,omitempty"`

	// Sandbox is the first container of the sandbox that the container joined;
	// empty: it has a sandbox of its own.
	Sandbox string `json:"sandbox,omitempty"`

	// Creating is set until the sandbox stands.
	Creating bool `json:"creating,omitempty"`
	// Ephemeral is set for a sandbox of `do`, whose directory goes with it.
	Ephemeral bool `json:"ephemeral,omitempty"`

	Boot  Proc `json:"boot"`
	Gofer Proc `json:"gofer"`

	// Cgroups are directories to remove, each made by us.
	Cgroups []string `json:"cgroups,omitempty"`
	// CgroupPath is what the configuration asked for.
	CgroupPath string `json:"cgroupPath,omitempty"`
	// Terminal is set if the first process has one.
	Terminal bool `json:"terminal,omitempty"`
	// Poststart and Poststop are hooks for start and delete to run.
	Poststart []specs.Hook `json:"poststart,omitempty"`
	Poststop  []specs.Hook `json:"poststop,omitempty"`
}

func writeState(dir string, st *State) error {
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, stateFile+".tmp")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stateFile))
}
