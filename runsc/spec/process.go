package spec

import (
	"fmt"
	"slices"
	"strconv"
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

// policies are the scheduling policies by their names; ioClasses the classes of
// I/O priorities.
var (
	policies = map[specs.LinuxSchedulerPolicy]int{
		specs.SchedOther: unix.SCHED_NORMAL, specs.SchedFIFO: unix.SCHED_FIFO, specs.SchedRR: unix.SCHED_RR,
		specs.SchedBatch: unix.SCHED_BATCH, specs.SchedISO: schedISO, specs.SchedIdle: unix.SCHED_IDLE,
	}
	ioClasses = map[specs.IOPriorityClass]int{specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3}
)

// schedISO is a policy's number that Linux reserves and has no policy for.
const schedISO = 4

// validateScheduling checks what says how a process is to be scheduled. The
// guest can ask for it back; the Sentry's threads are scheduled as the host
// pleases.
func validateScheduling(p *specs.Process) error {
	if s := p.Scheduler; s != nil {
		n, ok := policies[s.Policy]
		switch {
		case s.Policy == specs.SchedDeadline:
			return fmt.Errorf("scheduler.policy: SCHED_DEADLINE is not supported")
		case !ok || n == schedISO:
			return fmt.Errorf("scheduler.policy: %q is no policy", s.Policy)
		case s.Nice < -20 || s.Nice > 19:
			return fmt.Errorf("scheduler.nice: %d is not between -20 and 19", s.Nice)
		case s.Runtime != 0 || s.Deadline != 0 || s.Period != 0:
			return fmt.Errorf("scheduler.runtime: only SCHED_DEADLINE has runtime, deadline and period")
		}
		real := n == unix.SCHED_FIFO || n == unix.SCHED_RR
		if real && (s.Priority < 1 || s.Priority > 99) || !real && s.Priority != 0 {
			return fmt.Errorf("scheduler.priority: %d is out of range for %s", s.Priority, s.Policy)
		}
		for i, f := range s.Flags {
			if f != specs.SchedFlagResetOnFork {
				return fmt.Errorf("scheduler.flags[%d]: %q is not supported", i, f)
			}
		}
	}
	if io := p.IOPriority; io != nil {
		if _, ok := ioClasses[io.Class]; !ok {
			return fmt.Errorf("ioPriority.class: %q is no class", io.Class)
		}
		if io.Priority < 0 || io.Priority > 7 {
			return fmt.Errorf("ioPriority.priority: %d is not between 0 and 7", io.Priority)
		}
	}
	if a := p.ExecCPUAffinity; a != nil {
		if _, err := ParseCPUs(a.Initial); err != nil {
			return fmt.Errorf("execCPUAffinity.initial: %w", err)
		}
		if _, err := ParseCPUs(a.Final); err != nil {
			return fmt.Errorf("execCPUAffinity.final: %w", err)
		}
	}
	return nil
}

// maxCPU is the highest number of a processor in a list.
const maxCPU = 1023

// ParseCPUs reads a list like "0-2,7".
func ParseCPUs(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || a < 0 || b < a || b > maxCPU {
			return nil, fmt.Errorf("%q is no list of processors", list)
		}
		for n := a; n <= b; n++ {
			cpus = append(cpus, n)
		}
	}
	return cpus, nil
}

// ToProcess turns a checked process into the boot process's form.
func ToProcess(p *specs.Process) *boot.Process {
	out := &boot.Process{
		Args:           p.Args,
		Env:            p.Env,
		Cwd:            p.Cwd,
		MakeCwd:        true,
		SetHome:        true,
		UID:            p.User.UID,
		GID:            p.User.GID,
		AdditionalGIDs: p.User.AdditionalGids,
		Umask:          p.User.Umask,
		NoNewPrivs:     p.NoNewPrivileges,
		OOMScoreAdj:    p.OOMScoreAdj,
		Terminal:       p.Terminal,
	}
	if s := p.Scheduler; s != nil {
		out.Scheduler = &boot.Scheduler{Policy: uint32(policies[s.Policy]), Nice: s.Nice, Priority: s.Priority,
			ResetOnFork: slices.Contains(s.Flags, specs.SchedFlagResetOnFork)}
	}
	if io := p.IOPriority; io != nil {
		out.IOPrio = uint16(ioClasses[io.Class])<<13 | uint16(io.Priority)
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
