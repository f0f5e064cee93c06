package container

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cordon/runsc/cgroup"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const (
	stateFile   = "state.json"
	controlFile = "control.sock"
	networkFile = "network.json" // what to give back to a network namespace
	configFile  = "config.json"
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

	// Boot is the process that others know the container by. It ends with the exit
	// code of the container's first process.
	Boot  Proc `json:"boot"`
	Gofer Proc `json:"gofer"`
	// Sentry is the boot process of the container's sandbox; without one it is Boot,
	// or that of the sandbox's first container.
	Sentry Proc `json:"sentry,omitzero"`

	// Cgroups are directories to remove, each made by us.
	Cgroups []string `json:"cgroups,omitempty"`
	// Groups are the cgroups themselves; nil without any.
	Groups *cgroup.Record `json:"cgroupRecord,omitempty"`
	// Terminal is set if the first process has one.
	Terminal bool `json:"terminal,omitempty"`
	// StartContainer, Poststart and Poststop are hooks for start and delete to
	// run.
	StartContainer []specs.Hook `json:"startContainer,omitempty"`
	Poststart      []specs.Hook `json:"poststart,omitempty"`
	Poststop       []specs.Hook `json:"poststop,omitempty"`
}

// runcState are the fields of runc's state.json that others read.
type runcState struct {
	PID            int               `json:"init_process_pid"`
	Start          uint64            `json:"init_process_start"`
	Rootless       bool              `json:"rootless"`
	CgroupPaths    map[string]string `json:"cgroup_paths"`
	NamespacePaths map[string]string `json:"namespace_paths"`
	Descriptors    []string          `json:"external_descriptors"`
	RDTPath        string            `json:"intel_rdt_path"`
	Config         runcConfig        `json:"config"`
}

type runcConfig struct {
	Rootfs  string   `json:"rootfs"`
	Labels  []string `json:"labels"`
	Version string   `json:"version"`
	Cgroups any      `json:"cgroups"`
}

// asRunc is what runc would say of the container.
func (st *State) asRunc() runcState {
	// As runc has it: root of a user namespace is not, and who has cgroups is not.
	rootless := os.Geteuid() != 0 && (st.Groups == nil || st.Groups.Config.Rootless)
	r := runcState{PID: st.Boot.PID, Start: st.Boot.Start, Rootless: rootless, NamespacePaths: map[string]string{}, Config: runcConfig{
		Rootfs: st.Rootfs, Version: st.OCI, Labels: []string{"bundle=" + st.Bundle},
	}}
	for k, v := range st.Notes {
		r.Config.Labels = append(r.Config.Labels, k+"="+v)
	}
	slices.Sort(r.Config.Labels[1:])
	if st.Groups != nil {
		r.CgroupPaths, r.Config.Cgroups = st.Groups.Paths, st.Groups.Config
	}
	if r.PID != 0 {
		for _, ns := range []string{"ipc", "net", "pid", "user", "uts", "cgroup", "mnt"} {
			name := "NEW" + strings.ToUpper(ns)
			if ns == "mnt" {
				name = "NEWNS"
			}
			r.NamespacePaths[name] = fmt.Sprintf("/proc/%d/ns/%s", r.PID, ns)
		}
	}
	return r
}

func writeState(dir string, st *State) error {
	data, err := json.Marshal(struct {
		*State
		runcState
	}{st, st.asRunc()})
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, stateFile+".tmp")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stateFile))
}
