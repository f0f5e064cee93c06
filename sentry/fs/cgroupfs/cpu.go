package cgroupfs

import (
	"fmt"
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/task"
)

func readCPUStat(s *task.System, g *cgroup.Group) ([]byte, error) {
	user, system := s.CgroupTime(g)
	out := fmt.Appendf(nil, "usage_usec %d\nuser_usec %d\nsystem_usec %d\nnice_usec 0\n", (user+system)/1000, user/1000, system/1000)
	if g.Parent() != nil && g.Controllers()&cgroup.CPU != 0 {
		t := g.Throttling()
		out = fmt.Appendf(out, "nr_periods %d\nnr_throttled %d\nthrottled_usec %d\nnr_bursts 0\nburst_usec 0\n", t.Periods, t.Throttled, t.LostNS/1000)
	}
	return out, nil
}

func readCPUMax(_ *task.System, g *cgroup.Group) ([]byte, error) {
	quota, period, _ := g.Quota()
	if quota == cgroup.NoLimit {
		return fmt.Appendf(nil, "max %d\n", period), nil
	}
	return fmt.Appendf(nil, "%d %d\n", quota, period), nil
}

// writeCPUMax reads "QUOTA [PERIOD]" (Linux: kernel/sched/core.c cpu_max_write).
func writeCPUMax(w *writer, g *cgroup.Group, s string) error {
	quota, period, burst := g.Quota()
	f := strings.Fields(s)
	if len(f) < 1 || len(f) > 2 {
		return linux.EINVAL
	}
	var err error
	if quota = cgroup.NoLimit; f[0] != "max" {
		if quota, err = strconv.ParseInt(f[0], 10, 64); err != nil || quota < cgroup.MinQuotaUS {
			return linux.EINVAL
		}
	}
	if len(f) == 2 {
		if period, err = strconv.ParseInt(f[1], 10, 64); err != nil || period < cgroup.MinPeriodUS || period > cgroup.MaxPeriodUS {
			return linux.EINVAL
		}
	}
	if quota != cgroup.NoLimit && burst > quota {
		return linux.EINVAL
	}
	g.SetQuota(quota, period)
	w.sys.WatchCgroup(g)
	return nil
}

func writeBurst(_ *writer, g *cgroup.Group, s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if quota, _, _ := g.Quota(); err != nil || n < 0 || n > quota {
		return linux.EINVAL
	}
	g.SetBurst(n)
	return nil
}

// weightOf is 0 for an idle group.
func weightOf(g *cgroup.Group) int64 {
	if g.Idle() {
		return 0
	}
	return g.Weight()
}

func writeWeight(w *writer, g *cgroup.Group, s string) error {
	n, err := strconv.ParseInt(s, 0, 64)
	switch {
	case err != nil, g.Idle():
		return linux.EINVAL
	case n < cgroup.MinWeight || n > cgroup.MaxWeight:
		return linux.ERANGE
	}
	g.SetWeight(n)
	w.sys.WeightChanged(g)
	return nil
}

// niceWeights are the shares of nice values from -20 on (Linux:
// kernel/sched/core.c sched_prio_to_weight).
var niceWeights = [40]int64{
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
	1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
	110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
}

// niceOf is the nice value nearest to a weight.
func niceOf(weight int64) int {
	shares := (weight*1024 + cgroup.DefaultWeight/2) / cgroup.DefaultWeight
	best, nice := int64(1<<62), 0
	for i, w := range niceWeights {
		if d := max(w-shares, shares-w); d < best {
			best, nice = d, i-20
		}
	}
	return nice
}

func writeWeightNice(w *writer, g *cgroup.Group, s string) error {
	n, err := strconv.ParseInt(s, 0, 64)
	switch {
	case err != nil, g.Idle():
		return linux.EINVAL
	case n < -20 || n > 19:
		return linux.ERANGE
	}
	const base = 1024
	g.SetWeight(min(cgroup.MaxWeight, max(cgroup.MinWeight, (niceWeights[n+20]*cgroup.DefaultWeight+base/2)/base)))
	w.sys.WeightChanged(g)
	return nil
}

func readCPUs(_ *task.System, g *cgroup.Group) ([]byte, error) {
	if own := g.OwnCPUs(); own != nil {
		return line(own)
	}
	return line("")
}

// writeCPUs is cpuset.cpus (Linux: kernel/cgroup/cpuset.c update_cpumask).
func writeCPUs(w *writer, g *cgroup.Group, s string) error {
	if s == "" {
		g.SetCPUs(nil, false)
		w.sys.WeightChanged(g)
		return nil
	}
	cpus, e := cgroup.ParseCPUs(s)
	if e != 0 {
		return e
	}
	if cpus.And(cgroup.FirstCPUs(w.sys.CPUs())) != cpus {
		return linux.EINVAL
	}
	g.SetCPUs(&cpus, true)
	w.sys.WeightChanged(g)
	return nil
}

// writeMems is cpuset.mems: there is one node.
func writeMems(_ *writer, _ *cgroup.Group, s string) error {
	if s != "" && s != "0" {
		return linux.EINVAL
	}
	return nil
}
