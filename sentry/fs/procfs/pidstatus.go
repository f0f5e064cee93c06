package procfs

import (
	"bytes"
	"fmt"
	"math/bits"

	"cordon/internal/linux"
	"cordon/sentry/limit"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

var stateNames = map[byte]string{
	'R': "R (running)", 'S': "S (sleeping)", 'D': "D (disk sleep)", 'T': "T (stopped)",
	't': "t (tracing stop)", 'X': "X (dead)", 'Z': "Z (zombie)",
}

// statusText is /proc/pid/status (Linux: fs/proc/array.c proc_pid_status).
func statusText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	b := identity(nil, o, t)
	memory := []byte(nil)
	withTaskMM(t, func(m *mm.MemoryManager) {
		memory = m.AppendStatus(memory)
		memory = append(memory, "HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n"...)
	})
	b = append(b, memory...)
	b = signalLines(b, t)
	b = capLines(b, t)
	b = cpuLines(b, t)
	u := t.Usage()
	return fmt.Appendf(b, "voluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t%d\n", u.Voluntary, u.Involuntary), nil
}

// identity are the lines up to the memory.
func identity(b []byte, o *opening, t *task.Task) []byte {
	g, c := t.Group(), t.Cred()
	state := t.State()
	ns := o.cred.UserNS
	fds := 0
	umask, haveFS := linux.FileMode(0), false
	if state != 'Z' && state != 'X' {
		_, _, umask = t.FS().Get()
		fds, haveFS = t.FDs().Size(), true
	}
	b = append(b, "Name:\t"...)
	b = appendComm(b, t.Name())
	b = append(b, '\n')
	if haveFS {
		b = fmt.Appendf(b, "Umask:\t%#04o\n", uint32(umask))
	}
	b = fmt.Appendf(b, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		stateNames[state], o.fs.shown(g.ID()), o.fs.shown(o.p.id), o.fs.shown(g.ParentID()), o.fs.shown(t.Tracer()))
	b = fmt.Appendf(b, "Uid:\t%d\t%d\t%d\t%d\nGid:\t%d\t%d\t%d\t%d\nFDSize:\t%d\nGroups:\t",
		ns.FromRootUID(c.RUID), ns.FromRootUID(c.EUID), ns.FromRootUID(c.SUID), ns.FromRootUID(c.FSUID),
		ns.FromRootGID(c.RGID), ns.FromRootGID(c.EGID), ns.FromRootGID(c.SGID), ns.FromRootGID(c.FSGID), fds)
	for i, gid := range c.Groups {
		if i > 0 {
			b = append(b, ' ')
		}
		b = fmt.Appendf(b, "%d", ns.FromRootGID(gid))
	}
	pgid, sid := job(t)
	return fmt.Appendf(b, " \nNStgid:%s\nNSpid:%s\nNSpgid:%s\nNSsid:%s\nKthread:\t0\n",
		o.fs.levels(g, g.ID()), o.fs.levels(g, o.p.id), o.fs.levels(g, pgid), o.fs.levels(g, sid))
}

// levels lists the numbers of an id from the instance's namespace to the one that
// g is in.
func (f *FileSystem) levels(g *task.ThreadGroup, id int32) []byte {
	var b []byte
	for _, n := range g.PIDs().Numbers(f.pids, id) {
		b = fmt.Appendf(b, "\t%d", n)
	}
	return b
}

// job returns the process group and the session, 0 for a process that has been
// reaped meanwhile.
func job(t *task.Task) (pgid, sid int32) {
	pgid, sid, e := t.GroupOf(0)
	if e != 0 {
		return 0, 0
	}
	return pgid, sid
}

// appendComm writes a command name with what would break a line escaped.
func appendComm(b []byte, name string) []byte {
	for i := range len(name) {
		switch c := name[i]; c {
		case '\n':
			b = append(b, `\n`...)
		case '\\':
			b = append(b, `\\`...)
		default:
			b = append(b, c)
		}
	}
	return b
}

func signalLines(b []byte, t *task.Task) []byte {
	g := t.Group()
	own, shared := t.PendingSets()
	ignored, caught := g.Actions().Sets()
	queue := g.Limits().Soft(linux.RLIMIT_SIGPENDING)
	threads := g.Count()
	return fmt.Appendf(b, "Threads:\t%d\nSigQ:\t%d/%d\nSigPnd:\t%016x\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\n",
		max(threads, 1), bits.OnesCount64(uint64(own|shared)), queue,
		uint64(own), uint64(shared), uint64(t.Mask()), uint64(ignored), uint64(caught))
}

func capLines(b []byte, t *task.Task) []byte {
	c := t.Cred()
	mode, filters := t.Seccomp()
	nnp := 0
	if c.NoNewPrivs {
		nnp = 1
	}
	return fmt.Appendf(b, "CapInh:\t%016x\nCapPrm:\t%016x\nCapEff:\t%016x\nCapBnd:\t%016x\nCapAmb:\t%016x\n"+
		"NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%d\n"+
		"Speculation_Store_Bypass:\tthread vulnerable\nSpeculationIndirectBranch:\tconditional enabled\n",
		uint64(c.Inheritable), uint64(c.Permitted), uint64(c.Effective), uint64(c.Bounding), uint64(c.Ambient), nnp, mode, filters)
}

func cpuLines(b []byte, t *task.Task) []byte {
	mask, n := t.Affinity(), t.System().CPUs()
	b = append(b, "Cpus_allowed:\t"...)
	b = appendCPUMask(b, mask[:], n)
	b = append(b, "\nCpus_allowed_list:\t"...)
	b = appendCPUList(b, mask[:], n)
	return append(b, "\nMems_allowed:\t00000001\nMems_allowed_list:\t0\n"...)
}

// appendCPUMask writes the first n bits of mask in comma-separated words of 32
// bits, the highest first.
func appendCPUMask(b []byte, mask []uint64, n int) []byte {
	words := (n + 31) / 32
	for w := words - 1; w >= 0; w-- {
		v := uint32(mask[w/2] >> (32 * (w % 2)))
		width := 8
		if w == words-1 {
			width = (n - 32*w + 3) / 4
			if used := n - 32*w; used < 32 {
				v &= 1<<used - 1
			}
		}
		b = fmt.Appendf(b, "%0*x", width, v)
		if w > 0 {
			b = append(b, ',')
		}
	}
	return b
}

// appendCPUList writes the first n bits of mask as ranges.
func appendCPUList(b []byte, mask []uint64, n int) []byte {
	has := func(i int) bool { return i < n && mask[i/64]>>(i%64)&1 != 0 }
	first := true
	for i := 0; i < n; i++ {
		if !has(i) {
			continue
		}
		end := i
		for has(end + 1) {
			end++
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = fmt.Appendf(b, "%d", i)
		if end > i {
			b = fmt.Appendf(b, "-%d", end)
		}
		i = end
	}
	return b
}

// limitRows are the lines of /proc/pid/limits, in the order of resources.
var limitRows = [linux.RLIM_NLIMITS]struct{ name, unit string }{
	{"Max cpu time", "seconds"}, {"Max file size", "bytes"}, {"Max data size", "bytes"}, {"Max stack size", "bytes"},
	{"Max core file size", "bytes"}, {"Max resident set", "bytes"}, {"Max processes", "processes"}, {"Max open files", "files"},
	{"Max locked memory", "bytes"}, {"Max address space", "bytes"}, {"Max file locks", "locks"}, {"Max pending signals", "signals"},
	{"Max msgqueue size", "bytes"}, {"Max nice priority", ""}, {"Max realtime priority", ""}, {"Max realtime timeout", "us"},
}

func limitsText(o *opening) ([]byte, error) {
	t, err := o.task()
	if err != nil {
		return nil, err
	}
	number := func(n uint64) string {
		if n == limit.Infinity {
			return "unlimited"
		}
		return fmt.Sprint(n)
	}
	b := fmt.Appendf(nil, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	for i, l := range t.Group().Limits().All() {
		r := limitRows[i]
		b = fmt.Appendf(b, "%-25s %-20s %-20s ", r.name, number(l.Cur), number(l.Max))
		if r.unit != "" {
			b = fmt.Appendf(b, "%-10s", r.unit)
		}
		b = append(b, '\n')
	}
	return b, nil
}

// trimNewline drops the newline at the end of what was written.
func trimNewline(b []byte) []byte { return bytes.TrimSuffix(b, []byte("\n")) }
