package spec

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"cordon/runsc/boot"
	"cordon/runsc/cgroup"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A Plan is what a sandbox is made from.
type Plan struct {
	Boot   *boot.Spec
	Roots  []sandbox.Root
	IDMaps sandbox.IDMaps
	// userIDs are those of the container's user namespace, if it has one.
	userIDs mappings
	// NetNS is the network namespace to join; empty is a new one where OwnNetwork
	// is set, else the host's.
	NetNS      string
	OwnNetwork bool
	HostIPC    sandbox.HostIPC
	// Rootfs is the root directory's path.
	Rootfs     string
	sharedRoot bool // linux.rootfsPropagation is shared

	// Warnings say what has no effect in a sandbox.
	Warnings []string
}

// Options choose what a configuration does not.
type Options struct {
	ID       string
	Platform string
	Network  boot.NetworkMode
	Trace    boot.Trace
}

// Convert turns a checked configuration of a bundle into a plan.
func Convert(s *specs.Spec, bundle string, o Options) (*Plan, error) {
	rootfs := s.Root.Path
	if !filepath.IsAbs(rootfs) {
		rootfs = filepath.Join(bundle, rootfs)
	}
	if st, err := os.Stat(rootfs); err != nil {
		return nil, fmt.Errorf("root.path: %w", err)
	} else if !st.IsDir() {
		return nil, fmt.Errorf("root.path: %s is not a directory", rootfs)
	}
	real, err := filepath.EvalSymlinks(rootfs)
	if err != nil {
		return nil, fmt.Errorf("root.path: %w", err)
	}
	p := &Plan{
		Rootfs: rootfs,
		Boot: &boot.Spec{
			Platform: o.Platform,
			Network:  o.Network,
			Trace:    o.Trace,
			Container: boot.Container{
				ID:         o.ID,
				Hostname:   s.Hostname,
				Domainname: s.Domainname,
				Process:    *ToProcess(s.Process),
			},
		},
	}
	p.labels(s)
	if err := p.mounts(s, bundle, real); err != nil {
		return nil, err
	}
	host, domain := hostNames()
	if s.Hostname == "" {
		p.Boot.Hostname = host
	}
	if s.Domainname == "" {
		p.Boot.Domainname = domain
	}
	if s.Linux == nil {
		return p, nil
	}
	return p, p.linux(s.Linux, o)
}

// labels warns of labels for security modules of the host, which see no guest.
func (p *Plan) labels(s *specs.Spec) {
	warn := func(field, label string) {
		if label != "" {
			p.Warnings = append(p.Warnings, field+": "+label+" has no effect: the host's security modules do not see a sandbox's programs")
		}
	}
	warn("process.apparmorProfile", s.Process.ApparmorProfile)
	warn("process.selinuxLabel", s.Process.SelinuxLabel)
	if s.Linux != nil {
		warn("linux.mountLabel", s.Linux.MountLabel)
	}
}

func (p *Plan) linux(l *specs.Linux, o Options) error {
	b := p.Boot
	b.MaskedPaths, b.ReadonlyPaths, b.Sysctl = l.MaskedPaths, l.ReadonlyPaths, l.Sysctl
	for _, d := range l.Devices {
		dev := boot.Device{Path: d.Path, Type: d.Type, Major: d.Major, Minor: d.Minor, Mode: 0o666}
		if dev.Type == "u" {
			dev.Type = "c"
		}
		if d.FileMode != nil {
			dev.Mode = uint32(d.FileMode.Perm())
		}
		if d.UID != nil {
			dev.UID = *d.UID
		}
		if d.GID != nil {
			dev.GID = *d.GID
		}
		b.Devices = append(b.Devices, dev)
	}
	if r := l.Resources; r != nil {
		if m := r.Memory; m != nil && m.Limit != nil && *m.Limit > 0 {
			b.MemoryLimit = uint64(*m.Limit)
		}
		b.Resources, b.CPUs = cgroup.Inside(r), cgroup.CPUs(r)
	}
	if l.Personality != nil && l.Personality.Domain == specs.PerLinux32 {
		b.Process.Personality = perLinux32
	}
	if l.Seccomp != nil {
		prog, err := CompileSeccomp(l.Seccomp)
		if err != nil {
			return fmt.Errorf("linux.seccomp: %w", err)
		}
		b.Process.Filter = prog
	}
	p.HostIPC = hostIPC(l, b.Process.Capabilities.Bounding)
	p.hostNamespaces(l)
	for _, n := range l.Namespaces {
		switch {
		case n.Type == specs.UserNamespace:
			p.IDMaps = sandbox.IDMaps{UID: idMap(l.UIDMappings), GID: idMap(l.GIDMappings)}
			b.UIDs, b.GIDs = guestIDs(l.UIDMappings), guestIDs(l.GIDMappings)
		case n.Type == specs.NetworkNamespace:
			p.NetNS, p.OwnNetwork = n.Path, true
		case n.Type == specs.TimeNamespace && n.Path == "":
			b.Time = []boot.TimeOffset{}
			for clock, o := range l.TimeOffsets {
				b.Time = append(b.Time, boot.TimeOffset{Clock: clock, Sec: o.Secs, Nsec: int64(o.Nanosecs)})
			}
		}
	}
	return p.IDMaps.Check()
}

// perLinux32 is PER_LINUX32: uname names the machine as a 32-bit kernel does.
const perLinux32 = 8

// hostNames are those that the host's user of the runtime sees: a new UTS
// namespace starts with its maker's.
func hostNames() (host, domain string) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "", ""
	}
	return unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Domainname[:])
}

// hostNamespaces warns of namespaces that a configuration leaves out: for runc
// they are the host's, which no sandbox can be in, with the exception of hostIPC.
func (p *Plan) hostNamespaces(l *specs.Linux) {
	for _, ns := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.IPCNamespace} {
		if ns == specs.IPCNamespace && p.HostIPC != sandbox.OwnIPC {
			continue
		}
		if !slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == ns }) {
			p.Warnings = append(p.Warnings, fmt.Sprintf("linux.namespaces: no %s namespace: the sandbox has one of its own, the host's cannot be shared", ns))
		}
	}
}

func idMap(in []specs.LinuxIDMapping) (out []syscall.SysProcIDMap) {
	for _, m := range in {
		out = append(out, syscall.SysProcIDMap{ContainerID: int(m.ContainerID), HostID: int(m.HostID), Size: int(m.Size)})
	}
	return out
}

// guestIDs are the maps as guests see them.
func guestIDs(in []specs.LinuxIDMapping) (out []boot.IDMap) {
	for _, m := range in {
		out = append(out, boot.IDMap{Inside: m.ContainerID, Outside: m.HostID, Count: m.Size})
	}
	return out
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
