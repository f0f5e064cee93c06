package cgroup

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// limits turns the resources of a config.json into settings. What cannot be
// honoured on this host is an error that names the field.
func (g *Group) limits(h *host, r *specs.LinuxResources) error {
	if r == nil {
		return nil
	}
	if err := refuse(r); err != nil {
		return err
	}
	if err := g.memory(h, r.Memory); err != nil {
		return err
	}
	if err := g.cpu(h, r.CPU); err != nil {
		return err
	}
	if r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit != 0 {
		value := "max"
		if n := *r.Pids.Limit; n > 0 {
			value = strconv.FormatInt(n, 10)
		}
		if err := g.set(h, "pids", "pids.max", "pids.max", value, "linux.resources.pids.limit"); err != nil {
			return err
		}
	}
	for i, l := range r.HugepageLimits {
		field := fmt.Sprintf("linux.resources.hugepageLimits[%d]", i)
		name := "hugetlb." + l.Pagesize
		if err := g.set(h, "hugetlb", name+".limit_in_bytes", name+".max", strconv.FormatUint(l.Limit, 10), field); err != nil {
			return err
		}
	}
	for file, value := range r.Unified {
		field := fmt.Sprintf("linux.resources.unified[%q]", file)
		if h.v2 == "" || !h.v2Controllers[controllerV2(file)] && controllerV2(file) != "" {
			return fmt.Errorf("%s: this host's cgroup version 2 has no such controller", field)
		}
		g.settings = append(g.settings, setting{file: file, value: value, field: field})
	}
	return nil
}

// refuse names what no sandbox honours.
func refuse(r *specs.LinuxResources) error {
	field := ""
	switch b := r.BlockIO; {
	case b == nil:
	case b.Weight != nil && *b.Weight != 0, b.LeafWeight != nil && *b.LeafWeight != 0:
		field = "blockIO.weight"
	case len(b.WeightDevice) > 0:
		field = "blockIO.weightDevice"
	case len(b.ThrottleReadBpsDevice) > 0:
		field = "blockIO.throttleReadBpsDevice"
	case len(b.ThrottleWriteBpsDevice) > 0:
		field = "blockIO.throttleWriteBpsDevice"
	case len(b.ThrottleReadIOPSDevice) > 0:
		field = "blockIO.throttleReadIOPSDevice"
	case len(b.ThrottleWriteIOPSDevice) > 0:
		field = "blockIO.throttleWriteIOPSDevice"
	}
	switch n := r.Network; {
	case n == nil:
	case n.ClassID != nil && *n.ClassID != 0:
		field = "network.classID"
	case len(n.Priorities) > 0:
		field = "network.priorities"
	}
	if len(r.Rdma) > 0 {
		field = "rdma"
	}
	if c := r.CPU; c != nil && (c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 || c.RealtimePeriod != nil && *c.RealtimePeriod != 0) {
		field = "cpu.realtimeRuntime"
	}
	if field != "" {
		return fmt.Errorf("linux.resources.%s: not supported", field)
	}
	return nil
}

// set adds a setting in version 1's or 2's form, whichever has the controller.
func (g *Group) set(h *host, controller, v1, v2, value, field string) error {
	switch {
	case h.v1[controller] != "" && v1 != "":
		g.settings = append(g.settings, setting{controller: controller, file: v1, value: value, field: field})
	case h.v2Controllers[controller] && v2 != "":
		g.settings = append(g.settings, setting{file: v2, value: value, field: field})
	default:
		return fmt.Errorf("%s: this host has no cgroup controller %q for it", field, controller)
	}
	return nil
}

func limitValue(n int64) string {
	if n < 0 {
		return "max"
	}
	return strconv.FormatInt(n, 10)
}

func (g *Group) memory(h *host, m *specs.LinuxMemory) error {
	if m == nil {
		return nil
	}
	const prefix = "linux.resources.memory."
	v1 := h.v1["memory"] != ""
	text := func(n int64) string {
		if v1 {
			return strconv.FormatInt(n, 10)
		}
		return limitValue(n)
	}
	if m.Limit != nil && *m.Limit != 0 {
		if err := g.set(h, "memory", "memory.limit_in_bytes", "memory.max", text(*m.Limit), prefix+"limit"); err != nil {
			return err
		}
	}
	if m.Reservation != nil && *m.Reservation != 0 {
		if err := g.set(h, "memory", "memory.soft_limit_in_bytes", "memory.low", text(*m.Reservation), prefix+"reservation"); err != nil {
			return err
		}
	}
	if m.Swap != nil && *m.Swap != 0 {
		swap := *m.Swap
		// Version 1 counts memory and swap together, version 2 swap alone.
		if !v1 && swap > 0 && m.Limit != nil && *m.Limit > 0 {
			if swap -= *m.Limit; swap < 0 {
				return fmt.Errorf("%sswap: less than the limit of memory", prefix)
			}
		}
		if err := g.set(h, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", text(swap), prefix+"swap"); err != nil {
			return err
		}
		// A kernel without swap accounting has no file for it.
		g.settings[len(g.settings)-1].optional = true
	}
	if m.Swappiness != nil {
		if err := g.set(h, "memory", "memory.swappiness", "", strconv.FormatUint(*m.Swappiness, 10), prefix+"swappiness"); err != nil {
			return err
		}
	}
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		return g.set(h, "memory", "memory.oom_control", "", "1", prefix+"disableOOMKiller")
	}
	return nil
}

func (g *Group) cpu(h *host, c *specs.LinuxCPU) error {
	if c == nil {
		return nil
	}
	const prefix = "linux.resources.cpu."
	if c.Shares != nil && *c.Shares != 0 {
		if h.v1["cpu"] != "" {
			g.settings = append(g.settings, setting{controller: "cpu", file: "cpu.shares", value: strconv.FormatUint(*c.Shares, 10), field: prefix + "shares"})
		} else if err := g.set(h, "cpu", "", "cpu.weight", strconv.FormatUint(weight(*c.Shares), 10), prefix+"shares"); err != nil {
			return err
		}
	}
	if err := g.cpuQuota(h, c, prefix); err != nil {
		return err
	}
	if c.Cpus != "" {
		if err := g.set(h, "cpuset", "cpuset.cpus", "cpuset.cpus", c.Cpus, prefix+"cpus"); err != nil {
			return err
		}
	}
	if c.Mems != "" {
		return g.set(h, "cpuset", "cpuset.mems", "cpuset.mems", c.Mems, prefix+"mems")
	}
	return nil
}

// defaultPeriodUS is the kernel's.
const defaultPeriodUS = 100000

func (g *Group) cpuQuota(h *host, c *specs.LinuxCPU, prefix string) error {
	hasQuota := c.Quota != nil && *c.Quota != 0
	hasPeriod := c.Period != nil && *c.Period != 0
	if h.v1["cpu"] != "" {
		if hasPeriod {
			g.settings = append(g.settings, setting{controller: "cpu", file: "cpu.cfs_period_us", value: strconv.FormatUint(*c.Period, 10), field: prefix + "period"})
		}
		if hasQuota {
			g.settings = append(g.settings, setting{controller: "cpu", file: "cpu.cfs_quota_us", value: strconv.FormatInt(*c.Quota, 10), field: prefix + "quota"})
		}
		return nil
	}
	if !hasQuota && !hasPeriod {
		return nil
	}
	quota, period := "max", uint64(defaultPeriodUS)
	if hasQuota {
		quota = limitValue(*c.Quota)
	}
	if hasPeriod {
		period = *c.Period
	}
	return g.set(h, "cpu", "", "cpu.max", fmt.Sprintf("%s %d", quota, period), prefix+"quota")
}

// weight converts version 1's shares (2 to 262144) to version 2's (1 to 10000).
func weight(shares uint64) uint64 {
	shares = min(max(shares, 2), 262144)
	return 1 + (shares-2)*9999/262142
}
