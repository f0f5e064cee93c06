package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cordon/gofer/hostfs"
	"cordon/runsc/boot"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rootName is the root's name in the gofer.
const rootName = "root"

// mounts fills in the guest's tree and what the gofer serves of it.
func (p *Plan) mounts(s *specs.Spec, bundle, rootfs string) error {
	p.Roots = []sandbox.Root{{Attach: rootName, Path: rootfs, ReadOnly: s.Root.Readonly}}
	p.Boot.Mounts = []boot.Mount{{Destination: "/", Type: boot.MountGofer, Attach: rootName, ReadOnly: s.Root.Readonly}}
	if s.Linux != nil {
		if slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace }) {
			p.userIDs = mappings{s.Linux.UIDMappings, s.Linux.GIDMappings}
		}
		kind := s.Linux.RootfsPropagation
		p.sharedRoot = strings.TrimPrefix(kind, "r") == "shared"
		p.Boot.Mounts[0].Propagation = propagation([]string{kind})
	}
	hasDev := slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return filepath.Clean(m.Destination) == "/dev" })
	if !hasDev {
		// The specification's default devices live there in any case.
		p.Boot.Mounts = append(p.Boot.Mounts, boot.Mount{Destination: "/dev", Type: boot.MountDev, NoSUID: true, NoExec: true})
	}
	for i, m := range s.Mounts {
		if err := p.mount(i, m, bundle); err != nil {
			return fmt.Errorf("mounts[%d].%w", i, err)
		}
	}
	return nil
}

// fileSystems are the types that the guest kernel provides itself.
var fileSystems = map[string]string{
	"tmpfs": boot.MountTmpfs, "proc": boot.MountProc, "sysfs": boot.MountSysfs, "devpts": boot.MountDevpts,
	"mqueue": boot.MountMqueue, "cgroup": boot.MountCgroup, "cgroup2": boot.MountCgroup, "devtmpfs": boot.MountDev,
}

func (p *Plan) mount(index int, m specs.Mount, bundle string) error {
	out := boot.Mount{Destination: filepath.Clean("/" + m.Destination), Propagation: propagation(m.Options)}
	b, err := mountOptions(&out, m.Options)
	if err != nil {
		return err
	}
	ids, err := p.mountIDs(&m, b.mapped)
	if err != nil {
		return err
	}
	if m.Type == "bind" || b.bind {
		b.ids = ids
		return p.bind(index, &out, m, bundle, &b)
	}
	typ, ok := fileSystems[m.Type]
	if !ok {
		return fmt.Errorf("type: %q is not supported", m.Type)
	}
	out.Type, out.Source = typ, m.Source
	if out.Destination == "/dev" && typ == boot.MountTmpfs {
		out.Type = boot.MountDev
	}
	p.mapIDs(&out, nil, &ids)
	p.Boot.Mounts = append(p.Boot.Mounts, out)
	return nil
}

// attachName is a mount's name in the gofer: its number among all, and a digest of where
// it is, by which a restored sandbox finds it in a configuration with another order.
func attachName(number, destination string) string {
	sum := sha256.Sum256([]byte(destination))
	return number + hostfs.PlaceMark + hex.EncodeToString(sum[:8])
}

func (p *Plan) bind(index int, out *boot.Mount, m specs.Mount, bundle string, how *bindOption) error {
	source := m.Source
	if source == "" {
		return fmt.Errorf("source: missing")
	}
	if !filepath.IsAbs(source) {
		source = filepath.Join(bundle, source)
	}
	st, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	out.ToHost = p.toHost(m.Options)
	if i := propagated(m.Options); out.ToHost && real == "/" {
		return fmt.Errorf("options[%d]: %q of the host's root with linux.rootfsPropagation is not supported", i, m.Options[i])
	}
	for _, o := range out.Options { // as in Linux, which does not look at them
		p.Warnings = append(p.Warnings, fmt.Sprintf("mounts[%d].options: %q has no effect on a bind mount", index, o))
	}
	out.ToHost = out.ToHost && len(p.userIDs.uids) == 0 && sandbox.MayMount() && sharedOnHost(real)
	out.Options = nil
	out.Type, out.Place = boot.MountGofer, real
	out.Attach = attachName(fmt.Sprintf("mount%d", index), out.Destination)
	out.File = !st.IsDir()
	out.Shared = true
	// With the host's root its kernel's own file systems would come.
	follow := follows(m.Options) && real != "/"
	root := sandbox.Root{Attach: out.Attach, Path: real, ReadOnly: out.ReadOnly, Connect: !out.ReadOnly, Writable: !out.ReadOnly && how.below.writable()}
	p.mapIDs(out, &root, &how.ids)
	if follow && root.IDs != nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("mounts[%d].options: later mounts of the host do not come to a mount with mapped ids in a user namespace", index))
		follow = false
	}
	root.Alone, root.Follow, root.ToHost = !follow, follow, out.ToHost
	p.Roots = append(p.Roots, root)
	p.Boot.Mounts = append(p.Boot.Mounts, *out)
	// What comes and goes below a mount that follows the host is the gofer's to see.
	if !how.nested || out.File || follow {
		return nil
	}
	if how.mapped != "ridmap" {
		how.ids = mappings{}
	}
	return p.bindBelow(out, real, how)
}

// A bindOption says how a mount's source is shown, if it is another's tree.
type bindOption struct {
	bind   bool
	nested bool // with the mounts below it
	below  recursive
	mapped string // "idmap", "ridmap" or empty
	ids    mappings
}

// mountOptions sorts options into flags and what remains for the file system.
func mountOptions(out *boot.Mount, options []string) (b bindOption, err error) {
	for i, o := range options {
		if setFlag(out, o) {
			continue
		}
		if plain, ok := strings.CutPrefix(o, "r"); ok && setFlag(out, plain) {
			b.below.options = append(b.below.options, plain)
			continue
		}
		switch o {
		case "bind":
			b.bind = true
		case "rbind":
			b.bind, b.nested = true, true
		case "idmap", "ridmap":
			b.mapped = o
		case "defaults", "async", "sync", "dirsync", "nolazytime", "lazytime", "newinstance", "silent", "loud",
			"iversion", "noiversion", "acl", "noacl", "mand", "nomand", "remount":
			// What there is anyway.
		case "private", "rprivate", "slave", "rslave", "unbindable", "runbindable", "shared", "rshared":
			// See propagation.
		default:
			if err := checkOption(o); err != nil {
				return b, fmt.Errorf("options[%d]: %w", i, err)
			}
			out.Options = append(out.Options, o)
		}
	}
	return b, nil
}

// setFlag sets or clears the flag that an option is about.
func setFlag(m *boot.Mount, option string) bool {
	switch option {
	case "ro", "rw":
		m.ReadOnly = option == "ro"
	case "noexec", "exec":
		m.NoExec = option == "noexec"
	case "nosuid", "suid":
		m.NoSUID = option == "nosuid"
	case "nodev", "dev":
		m.NoDev = option == "nodev"
	case "noatime":
		m.NoAtime = true
	case "atime", "relatime", "norelatime", "strictatime", "nostrictatime":
		m.NoAtime = false
	case "nodiratime", "diratime":
		m.NoDirAtime = option == "nodiratime"
	case "nosymfollow", "symfollow":
		m.NoSymFollow = option == "nosymfollow"
	default:
		return false
	}
	return true
}

// checkOption refuses what no file system of a sandbox knows.
func checkOption(o string) error {
	key, _, hasValue := strings.Cut(o, "=")
	switch key {
	case "size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "huge", "ptmxmode", "max", "hidepid", "subset":
		if hasValue {
			return nil
		}
	case "tmpcopyup", "nsdelegate", "memory_recursiveprot":
		return nil
	}
	return fmt.Errorf("%q is not supported", o)
}
