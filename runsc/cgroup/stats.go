package cgroup

import (
	"github.com/opencontainers/cgroups"
)

// An Event is a line of `events`. Type is "stats" with a *Stats, or "oom".
type Event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"`
}

// Stats is what a container uses, in the form that runc prints.
type Stats struct {
	CPU               CPU                 `json:"cpu"`
	CPUSet            cgroups.CPUSetStats `json:"cpuset"`
	Memory            Memory              `json:"memory"`
	Pids              Pids                `json:"pids"`
	Blkio             Blkio               `json:"blkio"`
	Hugetlb           map[string]Hugetlb  `json:"hugetlb"`
	IntelRDT          struct{}            `json:"intel_rdt"`
	NetworkInterfaces []NetworkInterface  `json:"network_interfaces"`
}

// CPU is processor time in nanoseconds.
type CPU struct {
	Usage      CPUUsage          `json:"usage"`
	Throttling Throttling        `json:"throttling"`
	PSI        *cgroups.PSIStats `json:"psi,omitempty"`
}

// CPUUsage is the time by kind and processor.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	Percpu       []uint64 `json:"percpu,omitempty"`
	PercpuKernel []uint64 `json:"percpu_kernel,omitempty"`
	PercpuUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling says how often a quota was used up.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
}

// Memory is in bytes.
type Memory struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *cgroups.PSIStats `json:"psi,omitempty"`
}

// MemoryEntry is one kind of memory.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// Pids counts tasks.
type Pids struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// Blkio is what was read from and written to devices.
type Blkio struct {
	IOServiceBytesRecursive []BlkioEntry      `json:"ioServiceBytesRecursive,omitempty"`
	IOServicedRecursive     []BlkioEntry      `json:"ioServicedRecursive,omitempty"`
	IOQueuedRecursive       []BlkioEntry      `json:"ioQueueRecursive,omitempty"`
	IOServiceTimeRecursive  []BlkioEntry      `json:"ioServiceTimeRecursive,omitempty"`
	IOWaitTimeRecursive     []BlkioEntry      `json:"ioWaitTimeRecursive,omitempty"`
	IOMergedRecursive       []BlkioEntry      `json:"ioMergedRecursive,omitempty"`
	IOTimeRecursive         []BlkioEntry      `json:"ioTimeRecursive,omitempty"`
	SectorsRecursive        []BlkioEntry      `json:"sectorsRecursive,omitempty"`
	PSI                     *cgroups.PSIStats `json:"psi,omitempty"`
}

// BlkioEntry is a counter of a device.
type BlkioEntry struct {
	Major uint64 `json:"major,omitempty"`
	Minor uint64 `json:"minor,omitempty"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value,omitempty"`
}

// Hugetlb is huge pages of one size, in bytes.
type Hugetlb struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	Failcnt uint64 `json:"failcnt"`
}

// NetworkInterface counts what an interface carried.
type NetworkInterface struct {
	Name                                    string
	RxBytes, RxPackets, RxErrors, RxDropped uint64
	TxBytes, TxPackets, TxErrors, TxDropped uint64
}

// Raw returns the counters as the library has them, for other forms (the
// metrics of containerd).
func (g *Group) Raw() (*cgroups.Stats, error) {
	if g.lib == nil {
		return cgroups.NewStats(), nil
	}
	return g.lib.GetStats()
}

// Stats returns what the group uses. The number of tasks is the host's: who
// knows the guest's puts it in place of that.
func (g *Group) Stats() (*Stats, error) {
	s, err := g.Raw()
	if err != nil {
		return nil, err
	}
	return FromRaw(s), nil
}

// FromRaw turns the library's counters into runc's form.
func FromRaw(s *cgroups.Stats) *Stats {
	c, m, b := &s.CpuStats, &s.MemoryStats, &s.BlkioStats
	out := &Stats{CPUSet: s.CPUSetStats, Hugetlb: map[string]Hugetlb{}, NetworkInterfaces: []NetworkInterface{}}
	out.CPU = CPU{
		Usage: CPUUsage{
			Total: c.CpuUsage.TotalUsage, Percpu: c.CpuUsage.PercpuUsage, PercpuKernel: c.CpuUsage.PercpuUsageInKernelmode,
			PercpuUser: c.CpuUsage.PercpuUsageInUsermode, Kernel: c.CpuUsage.UsageInKernelmode, User: c.CpuUsage.UsageInUsermode,
		},
		Throttling: Throttling{c.ThrottlingData.Periods, c.ThrottlingData.ThrottledPeriods, c.ThrottlingData.ThrottledTime},
		PSI:        c.PSI,
	}
	entry := func(d cgroups.MemoryData) MemoryEntry { return MemoryEntry{d.Limit, d.Usage, d.MaxUsage, d.Failcnt} }
	out.Memory = Memory{
		Cache: m.Cache, Usage: entry(m.Usage), Swap: entry(m.SwapUsage), Kernel: entry(m.KernelUsage),
		KernelTCP: entry(m.KernelTCPUsage), Raw: m.Stats, PSI: m.PSI,
	}
	out.Pids = Pids{s.PidsStats.Current, s.PidsStats.Limit}
	out.Blkio = Blkio{
		IOServiceBytesRecursive: entries(b.IoServiceBytesRecursive), IOServicedRecursive: entries(b.IoServicedRecursive),
		IOQueuedRecursive: entries(b.IoQueuedRecursive), IOServiceTimeRecursive: entries(b.IoServiceTimeRecursive),
		IOWaitTimeRecursive: entries(b.IoWaitTimeRecursive), IOMergedRecursive: entries(b.IoMergedRecursive),
		IOTimeRecursive: entries(b.IoTimeRecursive), SectorsRecursive: entries(b.SectorsRecursive), PSI: b.PSI,
	}
	for size, h := range s.HugetlbStats {
		out.Hugetlb[size] = Hugetlb{h.Usage, h.MaxUsage, h.Failcnt}
	}
	return out
}

func entries(list []cgroups.BlkioStatEntry) (out []BlkioEntry) {
	for _, e := range list {
		out = append(out, BlkioEntry{e.Major, e.Minor, e.Op, e.Value})
	}
	return out
}
