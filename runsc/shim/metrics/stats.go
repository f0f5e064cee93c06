package metrics

import (
	"encoding/json"
	"fmt"
	"math"

	v1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	v2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"
)

// A Version is which of the host's two kinds of cgroups the numbers come from,
// and so which message a client expects.
type Version int

// The two versions. A host with both mounted counts as the first.
const (
	V1 Version = 1
	V2 Version = 2
)

// HostVersion is what is mounted at /sys/fs/
func HostVersion() Version {
	var s unix.Statfs_t
	if unix.Statfs("/sys/fs/cgroup", &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
		return V2
	}
	return V1
}

// FromEvent turns a line of `events --stats` into containerd's message.
func FromEvent(line []byte, v Version) (proto.Message, error) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, fmt.Errorf("events --stats: %w", err)
	}
	if v == V2 {
		return second(&e.Data), nil
	}
	return first(&e.Data), nil
}

func first(s *stats) *v1.Metrics {
	raw := s.Memory.Raw
	entry := func(e memoryEntry) *v1.MemoryEntry {
		return &v1.MemoryEntry{Limit: e.Limit, Usage: e.Usage, Max: e.Max, Failcnt: e.Failcnt}
	}
	m := &v1.Metrics{
		Pids: &v1.PidsStat{Current: s.Pids.Current, Limit: s.Pids.Limit},
		CPU: &v1.CPUStat{
			Usage: &v1.CPUUsage{Total: s.CPU.Usage.Total, Kernel: s.CPU.Usage.Kernel, User: s.CPU.Usage.User, PerCPU: s.CPU.Usage.Percpu},
			Throttling: &v1.Throttle{Periods: s.CPU.Throttling.Periods, ThrottledPeriods: s.CPU.Throttling.ThrottledPeriods,
				ThrottledTime: s.CPU.Throttling.ThrottledTime},
		},
		Memory: &v1.MemoryStat{
			Cache: raw["cache"], RSS: raw["rss"], RSSHuge: raw["rss_huge"], MappedFile: raw["mapped_file"],
			Dirty: raw["dirty"], Writeback: raw["writeback"], PgPgIn: raw["pgpgin"], PgPgOut: raw["pgpgout"],
			PgFault: raw["pgfault"], PgMajFault: raw["pgmajfault"],
			InactiveAnon: raw["inactive_anon"], ActiveAnon: raw["active_anon"],
			InactiveFile: raw["inactive_file"], ActiveFile: raw["active_file"], Unevictable: raw["unevictable"],
			HierarchicalMemoryLimit: raw["hierarchical_memory_limit"], HierarchicalSwapLimit: raw["hierarchical_memsw_limit"],
			TotalCache: raw["total_cache"], TotalRSS: raw["total_rss"], TotalRSSHuge: raw["total_rss_huge"],
			TotalMappedFile: raw["total_mapped_file"], TotalDirty: raw["total_dirty"], TotalWriteback: raw["total_writeback"],
			TotalPgPgIn: raw["total_pgpgin"], TotalPgPgOut: raw["total_pgpgout"],
			TotalPgFault: raw["total_pgfault"], TotalPgMajFault: raw["total_pgmajfault"],
			TotalInactiveAnon: raw["total_inactive_anon"], TotalActiveAnon: raw["total_active_anon"],
			TotalInactiveFile: raw["total_inactive_file"], TotalActiveFile: raw["total_active_file"],
			TotalUnevictable: raw["total_unevictable"],
			Usage:            entry(s.Memory.Usage), Swap: entry(s.Memory.Swap), Kernel: entry(s.Memory.Kernel), KernelTCP: entry(s.Memory.KernelTCP),
		},
		MemoryOomControl: &v1.MemoryOomControl{OomKill: raw["oom_kill"]},
		Blkio: &v1.BlkIOStat{
			IoServiceBytesRecursive: blkio(s.Blkio.IOServiceBytesRecursive), IoServicedRecursive: blkio(s.Blkio.IOServicedRecursive),
			IoQueuedRecursive: blkio(s.Blkio.IOQueuedRecursive), IoServiceTimeRecursive: blkio(s.Blkio.IOServiceTimeRecursive),
			IoWaitTimeRecursive: blkio(s.Blkio.IOWaitTimeRecursive), IoMergedRecursive: blkio(s.Blkio.IOMergedRecursive),
			IoTimeRecursive: blkio(s.Blkio.IOTimeRecursive), SectorsRecursive: blkio(s.Blkio.SectorsRecursive),
		},
	}
	for size, h := range s.Hugetlb {
		m.Hugetlb = append(m.Hugetlb, &v1.HugetlbStat{Pagesize: size, Usage: h.Usage, Max: h.Max, Failcnt: h.Failcnt})
	}
	for _, n := range s.NetworkInterfaces {
		m.Network = append(m.Network, &v1.NetworkStat{Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors,
			RxDropped: n.RxDropped, TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped})
	}
	return m
}

func blkio(list []blkioEntry) (out []*v1.BlkIOEntry) {
	for _, e := range list {
		out = append(out, &v1.BlkIOEntry{Op: e.Op, Major: e.Major, Minor: e.Minor, Value: e.Value})
	}
	return out
}

func second(s *stats) *v2.Metrics {
	raw := s.Memory.Raw
	m := &v2.Metrics{
		Pids: &v2.PidsStat{Current: s.Pids.Current, Limit: s.Pids.Limit},
		CPU: &v2.CPUStat{
			UsageUsec: s.CPU.Usage.Total / 1000, UserUsec: s.CPU.Usage.User / 1000, SystemUsec: s.CPU.Usage.Kernel / 1000,
			NrPeriods: s.CPU.Throttling.Periods, NrThrottled: s.CPU.Throttling.ThrottledPeriods, ThrottledUsec: s.CPU.Throttling.ThrottledTime / 1000,
		},
		Memory: &v2.MemoryStat{
			Anon: raw["anon"], File: raw["file"], KernelStack: raw["kernel_stack"], Slab: raw["slab"], Sock: raw["sock"], Shmem: raw["shmem"],
			FileMapped: raw["file_mapped"], FileDirty: raw["file_dirty"], FileWriteback: raw["file_writeback"], AnonThp: raw["anon_thp"],
			InactiveAnon: raw["inactive_anon"], ActiveAnon: raw["active_anon"], InactiveFile: raw["inactive_file"], ActiveFile: raw["active_file"],
			Unevictable: raw["unevictable"], SlabReclaimable: raw["slab_reclaimable"], SlabUnreclaimable: raw["slab_unreclaimable"],
			Pgfault: raw["pgfault"], Pgmajfault: raw["pgmajfault"],
			WorkingsetRefault: raw["workingset_refault"], WorkingsetActivate: raw["workingset_activate"], WorkingsetNodereclaim: raw["workingset_nodereclaim"],
			Pgrefill: raw["pgrefill"], Pgscan: raw["pgscan"], Pgsteal: raw["pgsteal"], Pgactivate: raw["pgactivate"], Pgdeactivate: raw["pgdeactivate"],
			Pglazyfree: raw["pglazyfree"], Pglazyfreed: raw["pglazyfreed"],
			ThpFaultAlloc: raw["thp_fault_alloc"], ThpCollapseAlloc: raw["thp_collapse_alloc"],
			Usage: s.Memory.Usage.Usage, UsageLimit: limit(s.Memory.Usage.Limit), MaxUsage: s.Memory.Usage.Max,
			SwapUsage: s.Memory.Swap.Usage, SwapLimit: limit(s.Memory.Swap.Limit), SwapMaxUsage: s.Memory.Swap.Max,
		},
		MemoryEvents: &v2.MemoryEvents{OomKill: raw["oom_kill"]},
		Io:           &v2.IOStat{Usage: devices(&s.Blkio)},
	}
	for size, h := range s.Hugetlb {
		m.Hugetlb = append(m.Hugetlb, &v2.HugeTlbStat{Pagesize: size, Current: h.Usage, Max: h.Max, Failcnt: h.Failcnt})
	}
	for _, n := range s.NetworkInterfaces {
		m.Network = append(m.Network, &v2.NetworkStat{Name: n.Name, RxBytes: n.RxBytes, RxPackets: n.RxPackets, RxErrors: n.RxErrors,
			RxDropped: n.RxDropped, TxBytes: n.TxBytes, TxPackets: n.TxPackets, TxErrors: n.TxErrors, TxDropped: n.TxDropped})
	}
	return m
}

// limit is a limit as the second version shows the absence of one.
func limit(n uint64) uint64 {
	if n == 0 {
		return math.MaxUint64
	}
	return n
}

// devices gathers the counters of each device.
func devices(b *blkioStats) (list []*v2.IOEntry) {
	all := map[[2]uint64]*v2.IOEntry{}
	of := func(e blkioEntry) *v2.IOEntry {
		key := [2]uint64{e.Major, e.Minor}
		if all[key] == nil {
			all[key] = &v2.IOEntry{Major: e.Major, Minor: e.Minor}
			list = append(list, all[key])
		}
		return all[key]
	}
	for _, e := range b.IOServiceBytesRecursive {
		switch e.Op {
		case "Read":
			of(e).Rbytes = e.Value
		case "Write":
			of(e).Wbytes = e.Value
		}
	}
	for _, e := range b.IOServicedRecursive {
		switch e.Op {
		case "Read":
			of(e).Rios = e.Value
		case "Write":
			of(e).Wios = e.Value
		}
	}
	return list
}
