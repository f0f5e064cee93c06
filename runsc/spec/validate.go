package spec

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Validate checks what the specification demands of a configuration, and that
// nothing in it is beyond a sandbox.
func Validate(s *specs.Spec) error {
	if err := validateVersion(s.Version); err != nil {
		return err
	}
	if s.Root == nil {
		return fmt.Errorf("root: missing")
	}
	if s.Root.Path == "" {
		return fmt.Errorf("root.path: missing")
	}
	if s.Process == nil {
		return fmt.Errorf("process: missing")
	}
	if err := validateProcess(s.Process); err != nil {
		return fmt.Errorf("process.%w", err)
	}
	for i, m := range s.Mounts {
		if m.Destination == "" {
			return fmt.Errorf("mounts[%d].destination: missing", i)
		}
		if err := validateMountIDs(&m); err != nil {
			return fmt.Errorf("mounts[%d].%w", i, err)
		}
	}
	if err := validateHooks(s.Hooks); err != nil {
		return fmt.Errorf("hooks.%w", err)
	}
	if s.Solaris != nil || s.Windows != nil || s.ZOS != nil || s.FreeBSD != nil || s.VM != nil {
		return fmt.Errorf("a configuration for another platform")
	}
	if s.Linux != nil {
		if err := validateLinux(s.Linux); err != nil {
			return fmt.Errorf("linux.%w", err)
		}
	}
	return nil
}

func validateVersion(v string) error {
	if v == "" {
		return fmt.Errorf("ociVersion: missing")
	}
	num, _, _ := strings.Cut(v, "-")
	num, _, _ = strings.Cut(num, "+")
	parts := strings.Split(num, ".")
	if len(parts) != 3 {
		return fmt.Errorf("ociVersion: %q is no version of the form 1.2.3", v)
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 10, 32); err != nil {
			return fmt.Errorf("ociVersion: %q is no version of the form 1.2.3", v)
		}
	}
	if parts[0] != "1" {
		return fmt.Errorf("ociVersion: %s is not supported, only 1.x", v)
	}
	return nil
}

// validateProcess checks a process; errors start with the field below it.
func validateProcess(p *specs.Process) error {
	switch {
	case len(p.Args) == 0:
		return fmt.Errorf("args: must not be empty")
	case p.Cwd == "":
		return fmt.Errorf("cwd: must not be empty")
	case !path.IsAbs(p.Cwd):
		return fmt.Errorf("cwd: %q is not an absolute path", p.Cwd)
	}
	if err := validateScheduling(p); err != nil {
		return err
	}
	for i, a := range p.Args {
		if strings.Contains(a, "\x00") {
			return fmt.Errorf("args[%d]: holds a NUL", i)
		}
	}
	for i, e := range p.Env {
		if strings.Contains(e, "\x00") {
			return fmt.Errorf("env[%d]: holds a NUL", i)
		}
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("env[%d]: %q is not NAME=VALUE", i, e)
		}
	}
	seen := map[string]bool{}
	for i, l := range p.Rlimits {
		if _, ok := rlimits[l.Type]; !ok {
			return fmt.Errorf("rlimits[%d].type: %q is no resource limit", i, l.Type)
		}
		if seen[l.Type] {
			return fmt.Errorf("rlimits[%d].type: %s is there twice", i, l.Type)
		}
		seen[l.Type] = true
		if l.Soft > l.Hard {
			return fmt.Errorf("rlimits[%d].soft: %d is above hard, %d", i, l.Soft, l.Hard)
		}
	}
	return nil
}

func validateHooks(h *specs.Hooks) error {
	if h == nil {
		return nil
	}
	for kind, list := range map[string][]specs.Hook{"prestart": h.Prestart, "createRuntime": h.CreateRuntime,
		"createContainer": h.CreateContainer, "startContainer": h.StartContainer, "poststart": h.Poststart, "poststop": h.Poststop} {
		for i, hook := range list {
			if !path.IsAbs(hook.Path) {
				return fmt.Errorf("%s[%d].path: %q is not an absolute path", kind, i, hook.Path)
			}
			if hook.Timeout != nil && *hook.Timeout <= 0 {
				return fmt.Errorf("%s[%d].timeout: %d is not above 0", kind, i, *hook.Timeout)
			}
		}
	}
	return nil
}

func validateLinux(l *specs.Linux) error {
	seen := map[specs.LinuxNamespaceType]bool{}
	for i, n := range l.Namespaces {
		switch n.Type {
		case specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace,
			specs.UTSNamespace, specs.UserNamespace, specs.CgroupNamespace, specs.TimeNamespace:
		default:
			return fmt.Errorf("namespaces[%d].type: %q is no namespace", i, n.Type)
		}
		if seen[n.Type] {
			return fmt.Errorf("namespaces[%d].type: %s is there twice", i, n.Type)
		}
		seen[n.Type] = true
		if n.Path == "" {
			continue
		}
		if !path.IsAbs(n.Path) {
			return fmt.Errorf("namespaces[%d].path: %q is not an absolute path", i, n.Path)
		}
		// Others are joined where they are another container's (Store.Pod).
		if n.Type == specs.MountNamespace {
			return fmt.Errorf("namespaces[%d].path: joining a %s namespace is not supported", i, n.Type)
		}
	}
	if !seen[specs.UserNamespace] && len(l.UIDMappings)+len(l.GIDMappings) > 0 {
		return fmt.Errorf("uidMappings: user namespace mappings specified, but USER namespace isn't enabled in the config")
	}
	if seen[specs.UserNamespace] && (len(l.UIDMappings) == 0 || len(l.GIDMappings) == 0) {
		return fmt.Errorf("uidMappings: a user namespace needs uidMappings and gidMappings")
	}
	if err := validateIDs(l.UIDMappings); err != nil {
		return fmt.Errorf("uidMappings%w", err)
	}
	if err := validateIDs(l.GIDMappings); err != nil {
		return fmt.Errorf("gidMappings%w", err)
	}
	if err := validateTime(l, seen[specs.TimeNamespace]); err != nil {
		return err
	}
	if err := validateSettings(l); err != nil {
		return err
	}
	if err := validateDevices(l); err != nil {
		return err
	}
	for i, p := range l.MaskedPaths {
		if !path.IsAbs(p) {
			return fmt.Errorf("maskedPaths[%d]: %q is not an absolute path", i, p)
		}
	}
	for i, p := range l.ReadonlyPaths {
		if !path.IsAbs(p) {
			return fmt.Errorf("readonlyPaths[%d]: %q is not an absolute path", i, p)
		}
	}
	return nil
}

// validateSettings refuses what no sandbox has.
func validateSettings(l *specs.Linux) error {
	switch {
	case l.IntelRdt != nil:
		return fmt.Errorf("intelRdt: not supported")
	case l.MemoryPolicy != nil:
		return fmt.Errorf("memoryPolicy: not supported")
	case len(l.NetDevices) > 0:
		return fmt.Errorf("netDevices: not supported")
	case l.Personality != nil && l.Personality.Domain != specs.PerLinux && l.Personality.Domain != specs.PerLinux32:
		return fmt.Errorf("personality.domain: %q is not supported", l.Personality.Domain)
	case l.Personality != nil && len(l.Personality.Flags) > 0:
		return fmt.Errorf("personality.flags: not supported")
	}
	switch l.RootfsPropagation {
	case "", "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable":
	default:
		return fmt.Errorf("rootfsPropagation: %q is no propagation", l.RootfsPropagation)
	}
	return nil
}

// validateIDs refuses what the kernel would in a map.
func validateIDs(maps []specs.LinuxIDMapping) error {
	if len(maps) > maxIDMaps {
		return fmt.Errorf(": more than %d lines", maxIDMaps)
	}
	overlap := func(a, na, b, nb uint32) bool {
		return uint64(a) < uint64(b)+uint64(nb) && uint64(b) < uint64(a)+uint64(na)
	}
	for i, m := range maps {
		if m.Size == 0 || uint64(m.ContainerID)+uint64(m.Size) > math.MaxUint32 || uint64(m.HostID)+uint64(m.Size) > math.MaxUint32 {
			return fmt.Errorf("[%d].size: %d ids from %d and %d on are no range", i, m.Size, m.ContainerID, m.HostID)
		}
		for _, o := range maps[:i] {
			if overlap(m.ContainerID, m.Size, o.ContainerID, o.Size) || overlap(m.HostID, m.Size, o.HostID, o.Size) {
				return fmt.Errorf("[%d]: overlaps with another", i)
			}
		}
	}
	return nil
}

// maxIDMaps is Linux's bound (UID_GID_MAP_MAX_EXTENTS).
const maxIDMaps = 340

// validateTime checks the offsets, which are for a new namespace.
func validateTime(l *specs.Linux, listed bool) error {
	if len(l.TimeOffsets) == 0 {
		return nil
	}
	if !listed {
		return fmt.Errorf("timeOffsets: time namespace offsets specified, but TIME namespace isn't enabled in the config")
	}
	for i, n := range l.Namespaces {
		if n.Type == specs.TimeNamespace && n.Path != "" {
			return fmt.Errorf("timeOffsets: namespaces[%d] has a path: a time namespace that is joined has its offsets", i)
		}
	}
	for clock, o := range l.TimeOffsets {
		if clock != "monotonic" && clock != "boottime" {
			return fmt.Errorf("timeOffsets: %q is none of monotonic, boottime", clock)
		}
		if o.Nanosecs >= 1e9 {
			return fmt.Errorf("timeOffsets.%s.nanosecs: %d is not below a second", clock, o.Nanosecs)
		}
	}
	return nil
}

func validateDevices(l *specs.Linux) error {
	for i, d := range l.Devices {
		switch d.Type {
		case "c", "u", "b", "p":
		default:
			return fmt.Errorf("devices[%d].type: %q is none of c, u, b, p", i, d.Type)
		}
		if !path.IsAbs(d.Path) {
			return fmt.Errorf("devices[%d].path: %q is not an absolute path", i, d.Path)
		}
	}
	return nil
}
