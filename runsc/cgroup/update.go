package cgroup

import (
	"errors"
	"fmt"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Set changes the limits of a group that exists: what r does not name stays. The
// caller records the Group again (Record).
func (g *Group) Set(r *specs.LinuxResources) error {
	if g.lib == nil {
		if asksAny(r) {
			return errors.New("linux.resources: this container has no cgroups")
		}
		return nil
	}
	if err := g.host.check(r); err != nil {
		return err
	}
	g.warnings = warnings(r)
	changed := convert(r)
	pids := value(changed.PidsLimit)
	next := merge(g.config.Resources, g.forHost(changed))
	next.SkipDevices = true // rules are not ours to change
	next.SkipFreezeOnSet = true
	if err := g.lib.Set(next); err != nil {
		// What was set before the failure is put back as far as possible.
		return fmt.Errorf("linux.resources: %w", errors.Join(err, g.restore()))
	}
	next.SkipDevices, next.MemoryCheckBeforeUpdate = g.config.SkipDevices, false
	g.config.Resources = next
	g.bounds = g.bounds || asksAny(r)
	if pids != 0 && g.tasks == "" && !g.host.unified {
		// The first limit of a container without one: the sandbox moves out.
		if dir := g.lib.Path("pids"); dir != "" {
			g.tasks = besideName(dir)
			all, err := g.PIDs()
			if err != nil {
				return err
			}
			return g.joinTasks(all)
		}
	}
	if pids != 0 && g.tasks != "" {
		return g.limitTasks(pids)
	}
	return nil
}

func (g *Group) restore() error {
	old := *g.config.Resources
	old.SkipDevices, old.SkipFreezeOnSet = true, true
	if err := g.lib.Set(&old); err != nil {
		return fmt.Errorf("and the old values could not be set again: %w", err)
	}
	return nil
}

func take[T comparable](to *T, from T) {
	var none T
	if from != none {
		*to = from
	}
}

// merge returns old with what is set in r.
func merge(old, r *cgroups.Resources) *cgroups.Resources {
	x := *old
	take(&x.Memory, r.Memory)
	take(&x.MemoryReservation, r.MemoryReservation)
	take(&x.MemorySwap, r.MemorySwap)
	take(&x.MemorySwappiness, r.MemorySwappiness)
	take(&x.OomKillDisable, r.OomKillDisable)
	x.MemoryCheckBeforeUpdate = r.MemoryCheckBeforeUpdate
	take(&x.CpuShares, r.CpuShares)
	take(&x.CpuWeight, r.CpuWeight)
	take(&x.CpuQuota, r.CpuQuota)
	take(&x.CpuPeriod, r.CpuPeriod)
	take(&x.CpuBurst, r.CpuBurst)
	take(&x.CpuRtRuntime, r.CpuRtRuntime)
	take(&x.CpuRtPeriod, r.CpuRtPeriod)
	take(&x.CpusetCpus, r.CpusetCpus)
	take(&x.CpusetMems, r.CpusetMems)
	take(&x.CPUIdle, r.CPUIdle)
	if value(r.PidsLimit) != 0 {
		x.PidsLimit = r.PidsLimit
	}
	take(&x.BlkioWeight, r.BlkioWeight)
	take(&x.BlkioLeafWeight, r.BlkioLeafWeight)
	replace(&x.BlkioWeightDevice, r.BlkioWeightDevice)
	replace(&x.BlkioThrottleReadBpsDevice, r.BlkioThrottleReadBpsDevice)
	replace(&x.BlkioThrottleWriteBpsDevice, r.BlkioThrottleWriteBpsDevice)
	replace(&x.BlkioThrottleReadIOPSDevice, r.BlkioThrottleReadIOPSDevice)
	replace(&x.BlkioThrottleWriteIOPSDevice, r.BlkioThrottleWriteIOPSDevice)
	replace(&x.HugetlbLimit, r.HugetlbLimit)
	replace(&x.NetPrioIfpriomap, r.NetPrioIfpriomap)
	take(&x.NetClsClassid, r.NetClsClassid)
	if len(r.Rdma) > 0 {
		x.Rdma = r.Rdma
	}
	if len(r.Unified) > 0 {
		all := map[string]string{}
		for k, v := range old.Unified {
			all[k] = v
		}
		for k, v := range r.Unified {
			all[k] = v
		}
		x.Unified = all
	}
	return &x
}

func replace[T any](to *[]T, from []T) {
	if len(from) > 0 {
		*to = from
	}
}
