package cgroupfs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
)

// An entry is a file that each group has, or those with a controller.
type entry struct {
	name string
	mode linux.FileMode
	// of is the controller that the file belongs to, 0 for the core's.
	of cgroup.Controllers
	// inRoot: the root group has it too.
	inRoot bool
	// delegated: it can be written in the root of a namespace from inside.
	delegated bool
	// tells of changes: of these.
	tells  bool
	events cgroup.EventFile
	read   func(s *task.System, g *cgroup.Group) ([]byte, error)
	// readFor is read for files whose text depends on who reads.
	readFor func(t *task.Task, g *cgroup.Group) ([]byte, error)
	// pressure files have triggers.
	pressure bool
	resource cgroup.Resource
	write    func(w *writer, g *cgroup.Group, text string) error
}

// shown reports whether g has the file.
func (e *entry) shown(g *cgroup.Group) bool {
	return (e.inRoot || g.Parent() != nil) && e.of&^g.Controllers() == 0 && !(e.pressure && g.Silent())
}

func find(name string) *entry {
	for i := range entries {
		if entries[i].name == name {
			return &entries[i]
		}
	}
	return nil
}

const (
	readOnly  = 0o444
	writeOnly = 0o200
	both      = 0o644
)

var entries = [...]entry{
	{name: "cgroup.type", mode: both, read: constant("domain"), write: setType},
	{name: "cgroup.procs", mode: both, inRoot: true, delegated: true, read: readProcs, readFor: readProcsFor, write: writeProcs},
	{name: "cgroup.threads", mode: both, inRoot: true, delegated: true, read: readThreads, readFor: readThreadsFor, write: writeThreads},
	{name: "cgroup.controllers", mode: readOnly, inRoot: true, read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(g.Controllers()) }},
	{name: "cgroup.subtree_control", mode: both, inRoot: true, delegated: true,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(g.Subtree()) }, write: writeSubtree},
	{name: "cgroup.events", mode: readOnly, tells: true, events: cgroup.CoreEvents, read: readEvents},
	{name: "cgroup.max.descendants", mode: both, inRoot: true,
		read:  func(_ *task.System, g *cgroup.Group) ([]byte, error) { return orMax(int64(g.MaxDescendants()), -1) },
		write: func(_ *writer, g *cgroup.Group, s string) error { return setCount(s, g.SetMaxDescendants) }},
	{name: "cgroup.max.depth", mode: both, inRoot: true,
		read:  func(_ *task.System, g *cgroup.Group) ([]byte, error) { return orMax(int64(g.MaxDepth()), -1) },
		write: func(_ *writer, g *cgroup.Group, s string) error { return setCount(s, g.SetMaxDepth) }},
	{name: "cgroup.stat", mode: readOnly, inRoot: true, read: readStat},
	{name: "cgroup.freeze", mode: both,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return flag(g.Freeze()) },
		write: func(w *writer, g *cgroup.Group, s string) error {
			on, err := parseFlag(s)
			if err == nil {
				w.sys.FreezeCgroup(g, on)
			}
			return err
		}},
	{name: "cgroup.kill", mode: writeOnly, write: writeKill},

	{name: "io.pressure", mode: both, inRoot: true, pressure: true, resource: cgroup.IOPressure},
	{name: "memory.pressure", mode: both, inRoot: true, pressure: true, resource: cgroup.MemoryPressure},
	{name: "cpu.pressure", mode: both, inRoot: true, pressure: true, resource: cgroup.CPUPressure},
	{name: "cgroup.pressure", mode: both, inRoot: true,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return flag(!g.Silent()) },
		write: func(_ *writer, g *cgroup.Group, s string) error {
			on, err := parseFlag(s)
			if err == nil {
				g.SetSilent(!on)
			}
			return err
		}},

	{name: "cpu.stat", mode: readOnly, inRoot: true, read: readCPUStat},
	{name: "cpuset.cpus", mode: both, of: cgroup.CPUSet, read: readCPUs, write: writeCPUs},
	{name: "cpuset.cpus.effective", mode: readOnly, of: cgroup.CPUSet, inRoot: true,
		read: func(s *task.System, g *cgroup.Group) ([]byte, error) { return line(g.EffectiveCPUs(s.CPUs())) }},
	{name: "cpuset.mems", mode: both, of: cgroup.CPUSet, read: constant(""), write: writeMems},
	{name: "cpuset.mems.effective", mode: readOnly, of: cgroup.CPUSet, inRoot: true, read: constant("0")},
	{name: "cpu.stat.local", mode: readOnly, of: cgroup.CPU,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) {
			return keyed("throttled_usec", g.Throttling().LostNS/1000)
		}},
	{name: "cpu.weight", mode: both, of: cgroup.CPU,
		read:  func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(weightOf(g)) },
		write: writeWeight},
	{name: "cpu.weight.nice", mode: both, of: cgroup.CPU,
		read:  func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(niceOf(g.Weight())) },
		write: writeWeightNice},
	{name: "cpu.max", mode: both, of: cgroup.CPU, read: readCPUMax, write: writeCPUMax},
	{name: "cpu.max.burst", mode: both, of: cgroup.CPU,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) {
			_, _, burst := g.Quota()
			return line(burst)
		}, write: writeBurst},
	{name: "cpu.idle", mode: both, of: cgroup.CPU,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return flag(g.Idle()) },
		write: func(w *writer, g *cgroup.Group, s string) error {
			on, err := parseFlag(s)
			if err != nil {
				return linux.EINVAL
			}
			g.SetIdle(on)
			w.sys.WeightChanged(g)
			return nil
		}},

	{name: "memory.current", mode: readOnly, of: cgroup.Memory, read: readCurrent},
	{name: "memory.peak", mode: readOnly, of: cgroup.Memory, read: readPeak},
	{name: "memory.min", mode: both, of: cgroup.Memory, read: readLimit(cgroup.MemoryMin), write: writeLimit(cgroup.MemoryMin)},
	{name: "memory.low", mode: both, of: cgroup.Memory, read: readLimit(cgroup.MemoryLow), write: writeLimit(cgroup.MemoryLow)},
	{name: "memory.high", mode: both, of: cgroup.Memory, read: readLimit(cgroup.MemoryHigh), write: writeLimit(cgroup.MemoryHigh)},
	{name: "memory.max", mode: both, of: cgroup.Memory, read: readLimit(cgroup.MemoryMax), write: writeLimit(cgroup.MemoryMax)},
	{name: "memory.events", mode: readOnly, of: cgroup.Memory, tells: true, events: cgroup.MemoryEventsFile, read: memoryEvents(false)},
	{name: "memory.events.local", mode: readOnly, of: cgroup.Memory, tells: true, events: cgroup.MemoryLocalFile, read: memoryEvents(true)},
	{name: "memory.stat", mode: readOnly, of: cgroup.Memory, inRoot: true, read: readMemoryStat},
	{name: "memory.oom.group", mode: both, of: cgroup.Memory, delegated: true,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return flag(g.OOMGroup()) },
		write: func(_ *writer, g *cgroup.Group, s string) error {
			on, err := parseFlag(s)
			if err != nil {
				return linux.EINVAL
			}
			g.SetOOMGroup(on)
			return nil
		}},
	{name: "memory.reclaim", mode: writeOnly, of: cgroup.Memory, inRoot: true, delegated: true, write: writeReclaim},
	{name: "memory.swap.current", mode: readOnly, of: cgroup.Memory, read: constant("0")},
	{name: "memory.swap.peak", mode: readOnly, of: cgroup.Memory, read: constant("0")},
	{name: "memory.swap.high", mode: both, of: cgroup.Memory, read: readLimit(cgroup.SwapHigh), write: writeLimit(cgroup.SwapHigh)},
	{name: "memory.swap.max", mode: both, of: cgroup.Memory, read: readLimit(cgroup.SwapMax), write: writeLimit(cgroup.SwapMax)},
	{name: "memory.swap.events", mode: readOnly, of: cgroup.Memory, tells: true, events: cgroup.SwapEvents, read: constant("high 0\nmax 0\nfail 0")},

	{name: "pids.current", mode: readOnly, of: cgroup.PIDs, read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(g.Tasks().Now) }},
	{name: "pids.peak", mode: readOnly, of: cgroup.PIDs, read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return line(g.Tasks().Peak) }},
	{name: "pids.max", mode: both, of: cgroup.PIDs,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return orMax(g.Tasks().Max, cgroup.NoLimit) }, write: writePIDsMax},
	{name: "pids.events", mode: readOnly, of: cgroup.PIDs, tells: true, events: cgroup.PIDsEvents,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return keyed("max", g.Tasks().Refused) }},
	{name: "pids.events.local", mode: readOnly, of: cgroup.PIDs, tells: true, events: cgroup.PIDsLocalFile,
		read: func(_ *task.System, g *cgroup.Group) ([]byte, error) { return keyed("max", g.Tasks().Refuse) }},
}

func constant(text string) func(*task.System, *cgroup.Group) ([]byte, error) {
	return func(*task.System, *cgroup.Group) ([]byte, error) { return []byte(text + "\n"), nil }
}

func line(v any) ([]byte, error)               { return fmt.Appendln(nil, v), nil }
func keyed(name string, v any) ([]byte, error) { return fmt.Appendln(nil, name, v), nil }

func orMax(n, none int64) ([]byte, error) {
	if n == none {
		return []byte("max\n"), nil
	}
	return line(n)
}

func flag(on bool) ([]byte, error) {
	if on {
		return []byte("1\n"), nil
	}
	return []byte("0\n"), nil
}

// parseFlag reads 0 or 1.
func parseFlag(s string) (bool, error) {
	n, err := strconv.ParseInt(s, 0, 32)
	switch {
	case err != nil:
		return false, linux.EINVAL
	case n != 0 && n != 1:
		return false, linux.ERANGE
	}
	return n == 1, nil
}

// setCount reads a number of groups or levels.
func setCount(s string, set func(int)) error {
	if s == "max" {
		set(-1)
		return nil
	}
	n, err := strconv.ParseInt(s, 0, 32)
	switch {
	case err != nil:
		return linux.EINVAL
	case n < 0:
		return linux.ERANGE
	}
	set(int(n))
	return nil
}

// parseBytes reads an amount of memory, which is cut to pages (Linux:
// lib/cmdline.c memparse, mm/page_counter.c page_counter_memparse).
func parseBytes(s string) (int64, error) {
	if s == "max" {
		return cgroup.NoLimit, nil
	}
	shift := 0
	if s != "" {
		if i := strings.IndexByte("kmgtpe", s[len(s)-1]|0x20); i >= 0 {
			shift, s = 10*(i+1), s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return 0, linux.EINVAL
	}
	if n > math.MaxInt64>>shift {
		return cgroup.NoLimit, nil
	}
	return int64(n<<shift) &^ (linux.PageSize - 1), nil
}
