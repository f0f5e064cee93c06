package spec

import (
	"fmt"
	"slices"
	"strings"

	"cordon/runsc/boot"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// rlimits are the resource limits by their names.
var rlimits = map[string]int{
	"RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_STACK": unix.RLIMIT_STACK, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_RSS": unix.RLIMIT_RSS,
	"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
	"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
	"RLIMIT_RTTIME": unix.RLIMIT_RTTIME,
}

// capabilities are all names in the order of their numbers.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
	"CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
	"CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// Capabilities are the names of all capabilities, in the order of their
// numbers.
func Capabilities() []string { return slices.Clone(capabilities) }

// CapabilityBit returns the bit of a capability's name, with or without its
// prefix, in any case.
func CapabilityBit(name string) (uint64, bool) {
	name = strings.ToUpper(name)
	if !strings.HasPrefix(name, "CAP_") {
		name = "CAP_" + name
	}
	i := slices.Index(capabilities, name)
	if i < 0 {
		return 0, false
	}
	return 1 << i, true
}

// capabilitySet is the mask of names. Unknown names are skipped: the
// configuration may be for a newer kernel (as in runc, which warns).
func capabilitySet(names []string) (mask uint64) {
	for _, n := range names {
		bit, _ := CapabilityBit(n)
		mask |= bit
	}
	return mask
}

// ToProcess turns a checked process into the boot process's form.
func ToProcess(p *specs.Process) *boot.Process {
	out := &boot.Process{
		Args:           p.Args,
		Env:            p.Env,
		Cwd:            p.Cwd,
		MakeCwd:        true,
		UID:            p.User.UID,
		GID:            p.User.GID,
		AdditionalGIDs: p.User.AdditionalGids,
		Umask:          p.User.Umask,
		NoNewPrivs:     p.NoNewPrivileges,
		OOMScoreAdj:    p.OOMScoreAdj,
		Terminal:       p.Terminal,
	}
	if c := p.Capabilities; c != nil {
		out.Capabilities = boot.Capabilities{
			Bounding:    capabilitySet(c.Bounding),
			Effective:   capabilitySet(c.Effective),
			Inheritable: capabilitySet(c.Inheritable),
			Permitted:   capabilitySet(c.Permitted),
			Ambient:     capabilitySet(c.Ambient),
		}
	}
	for _, l := range p.Rlimits {
		out.Rlimits = append(out.Rlimits, boot.Rlimit{Resource: rlimits[l.Type], Soft: l.Soft, Hard: l.Hard})
	}
	if b := p.ConsoleSize; b != nil && p.Terminal {
		out.Rows, out.Cols = uint16(min(b.Height, 0xffff)), uint16(min(b.Width, 0xffff))
	}
	return out
}

// ParseUser reads `exec --user`: UID[:GID].
func ParseUser(s string, p *specs.Process) error {
	uid, gid, hasGID := strings.Cut(s, ":")
	n, err := parseID(uid)
	if err != nil {
		return fmt.Errorf("parsing %s as int for uid failed: %w", uid, err)
	}
	p.User.UID = n
	if hasGID {
		if n, err = parseID(gid); err != nil {
			return fmt.Errorf("parsing %s as int for gid failed: %w", gid, err)
		}
		p.User.GID = n
	}
	return nil
}
