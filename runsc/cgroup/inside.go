package cgroup

import (
	"math"
	"runtime"
	"strconv"
	"strings"

	"cordon/runsc/boot"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Inside is what resources mean inside the sandbox, where the guest sees its
// limits and where the number of its tasks is bounded.
func Inside(r *specs.LinuxResources) (in boot.Resources) {
	if r == nil {
		return in
	}
	if m := r.Memory; m != nil {
		in.MemoryMax, in.MemoryLow = value(m.Limit), value(m.Reservation)
		if swap := value(m.Swap); swap > 0 && in.MemoryMax > 0 {
			in.SwapMax = max(swap-in.MemoryMax, 1)
		}
	}
	if c := r.CPU; c != nil {
		in.CPUQuota, in.CPUPeriod, in.CPUBurst = value(c.Quota), int64(value(c.Period)), int64(value(c.Burst))
		in.CPUWeight = int64(cgroups.ConvertCPUSharesToCgroupV2Value(value(c.Shares)))
	}
	if r.Pids != nil {
		in.Tasks = value(r.Pids.Limit)
	}
	in.CPUs = CPUs(r)
	for file, text := range r.Unified {
		inside(&in, file, strings.TrimSpace(text))
	}
	return in
}

// inside takes a version 2 file.
func inside(in *boot.Resources, file, text string) {
	amount := func(to *int64) {
		if text == "max" {
			*to = -1
		} else if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			*to = max(n, 1) // nothing at all is the least there is
		}
	}
	switch file {
	case "memory.max":
		amount(&in.MemoryMax)
	case "memory.high":
		amount(&in.MemoryHigh)
	case "memory.low":
		amount(&in.MemoryLow)
	case "memory.min":
		amount(&in.MemoryMin)
	case "memory.swap.max":
		amount(&in.SwapMax)
	case "memory.oom.group":
		in.OOMGroup = text == "1"
	case "pids.max":
		amount(&in.Tasks)
	case "cpu.weight":
		amount(&in.CPUWeight)
	case "cpu.max":
		quota, period, _ := strings.Cut(text, " ")
		text = quota
		amount(&in.CPUQuota)
		if text = period; period != "" {
			amount(&in.CPUPeriod)
		}
	}
}

// CPUs is how many processors a container with these resources sees: those of
// its set, and no more than its quota is worth. 0 is all that the host has.
func CPUs(r *specs.LinuxResources) int {
	if r == nil {
		return 0
	}
	n := 0
	least := func(m int) {
		if m > 0 && (n == 0 || m < n) {
			n = m
		}
	}
	set := r.Unified["cpuset.cpus"]
	if r.CPU != nil && r.CPU.Cpus != "" {
		set = r.CPU.Cpus
	}
	least(countList(set))
	var in boot.Resources
	if c := r.CPU; c != nil {
		in.CPUQuota, in.CPUPeriod = value(c.Quota), int64(value(c.Period))
	}
	inside(&in, "cpu.max", r.Unified["cpu.max"])
	if in.CPUQuota > 0 {
		period := float64(defaultPeriodUS)
		if in.CPUPeriod > 0 {
			period = float64(in.CPUPeriod)
		}
		least(int(math.Ceil(float64(in.CPUQuota) / period)))
	}
	return min(n, runtime.NumCPU())
}

// defaultPeriodUS is the kernel's.
const defaultPeriodUS = 100000

// countList returns how many numbers a list such as "0-2,7" has.
func countList(s string) int {
	seen := map[int]bool{}
	for part := range strings.SplitSeq(s, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || b-a > 1<<16 {
			continue
		}
		for i := a; i <= b; i++ {
			seen[i] = true
		}
	}
	return len(seen)
}

// Bounds reports whether the group keeps the sandbox to the limits of memory and
// processor time that its resources have.
func (g *Group) Bounds() bool { return g.lib != nil && (g.bounds || asksAny(g.resources)) }
