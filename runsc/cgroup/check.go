package cgroup

import (
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A need is a controller that a field of linux.resources takes. Where a version
// has no file for the field, only says which version has.
type need struct {
	field      string
	controller string // in version 1's name
	only       int
}

// needs lists what resources ask of a host.
func needs(r *specs.LinuxResources) (list []need) {
	if r == nil {
		return nil
	}
	ask := func(asked bool, field, controller string, only int) {
		if asked {
			list = append(list, need{field, controller, only})
		}
	}
	if m := r.Memory; m != nil {
		ask(value(m.Limit) != 0, "memory.limit", "memory", 0)
		ask(value(m.Reservation) != 0, "memory.reservation", "memory", 0)
		ask(value(m.Swap) != 0, "memory.swap", "memory", 0)
		ask(m.Swappiness != nil, "memory.swappiness", "memory", 1)
		ask(value(m.DisableOOMKiller), "memory.disableOOMKiller", "memory", 1)
	}
	if c := r.CPU; c != nil {
		ask(value(c.Shares) != 0, "cpu.shares", "cpu", 0)
		ask(value(c.Quota) != 0, "cpu.quota", "cpu", 0)
		ask(value(c.Period) != 0, "cpu.period", "cpu", 0)
		ask(c.Burst != nil, "cpu.burst", "cpu", 0)
		ask(value(c.RealtimeRuntime) != 0, "cpu.realtimeRuntime", "cpu", 1)
		ask(value(c.RealtimePeriod) != 0, "cpu.realtimePeriod", "cpu", 1)
		ask(c.Cpus != "", "cpu.cpus", "cpuset", 0)
		ask(c.Mems != "", "cpu.mems", "cpuset", 0)
		ask(c.Idle != nil, "cpu.idle", "cpu", 0)
	}
	ask(r.Pids != nil && value(r.Pids.Limit) != 0, "pids.limit", "pids", 0)
	if b := r.BlockIO; b != nil {
		ask(value(b.Weight) != 0, "blockIO.weight", "blkio", 0)
		ask(value(b.LeafWeight) != 0, "blockIO.leafWeight", "blkio", 1)
		ask(len(b.WeightDevice) > 0, "blockIO.weightDevice", "blkio", 0)
		ask(len(b.ThrottleReadBpsDevice) > 0, "blockIO.throttleReadBpsDevice", "blkio", 0)
		ask(len(b.ThrottleWriteBpsDevice) > 0, "blockIO.throttleWriteBpsDevice", "blkio", 0)
		ask(len(b.ThrottleReadIOPSDevice) > 0, "blockIO.throttleReadIOPSDevice", "blkio", 0)
		ask(len(b.ThrottleWriteIOPSDevice) > 0, "blockIO.throttleWriteIOPSDevice", "blkio", 0)
	}
	for i := range r.HugepageLimits {
		ask(true, fmt.Sprintf("hugepageLimits[%d]", i), "hugetlb", 0)
	}
	if n := r.Network; n != nil {
		ask(value(n.ClassID) != 0, "network.classID", "net_cls", 1)
		ask(len(n.Priorities) > 0, "network.priorities", "net_prio", 1)
	}
	ask(len(r.Rdma) > 0, "rdma", "rdma", 0)
	return list
}

// check refuses what this host cannot honour, with the field's name.
func (h *host) check(r *specs.LinuxResources) error {
	for _, n := range needs(r) {
		if n.only == 1 && h.unified {
			return fmt.Errorf("linux.resources.%s: cgroup version 2, which this host has, has nothing for it", n.field)
		}
		if !h.has(n.controller) {
			return fmt.Errorf("linux.resources.%s: this host has no cgroup controller %q for it", n.field, n.controller)
		}
	}
	if r == nil {
		return nil
	}
	for file := range r.Unified {
		field := fmt.Sprintf("linux.resources.unified[%q]", file)
		controller, _, ok := strings.Cut(file, ".")
		switch {
		case strings.Contains(file, "/"):
			return fmt.Errorf("%s: must be a file name (no slashes)", field)
		case !ok:
			return fmt.Errorf("%s: must be in the form CONTROLLER.PARAMETER", field)
		case !h.unified:
			return fmt.Errorf("%s: cannot use unified on cgroup version 1, which this host has", field)
		case controller != "cgroup" && !h.v2[controller]:
			return fmt.Errorf("%s: controller %q not available on this host", field, controller)
		}
	}
	return nil
}

// warnings are what is accepted without effect, as runc does.
func warnings(r *specs.LinuxResources) (list []string) {
	if r == nil {
		return nil
	}
	if m := r.Memory; m != nil {
		if m.Kernel != nil {
			list = append(list, "linux.resources.memory.kernel: kernel memory settings are ignored and will be removed")
		}
		if m.KernelTCP != nil {
			list = append(list, "linux.resources.memory.kernelTCP: kernel memory settings are ignored and will be removed")
		}
	}
	return list
}

// asksAny reports whether resources limit anything on the host.
func asksAny(r *specs.LinuxResources) bool {
	return len(needs(r)) > 0 || r != nil && len(r.Unified) > 0
}
