package sentry

import (
	"runtime/metrics"
	"strings"

	"cordon/internal/host"
	"cordon/internal/linux"
	"cordon/sentry/cgroup"
	"cordon/sentry/fs/cgroupfs"
	"cordon/sentry/task"
	"cordon/sentry/wait"
)

// Resources bound a container inside, by its control group: zero is no change
// (at first: no bound), less than zero no bound. Memory is in bytes, times in
// microseconds.
type Resources struct {
	MemoryMax, MemoryHigh, MemoryLow, MemoryMin, SwapMax int64
	Tasks                                                int64
	CPUQuota, CPUPeriod, CPUBurst, CPUWeight             int64
	OOMGroup                                             bool
	// HostBound: the host bounds the sandbox's processes in the same way.
	HostBound bool
	// GuestMemory is what of MemoryMax the memory file can have; 0: no bound.
	GuestMemory int64
	// CPUs is how many processors the container has; at most those that the
	// sandbox began with.
	CPUs int
}

// An OOMEvent says that a process of a container was killed for memory.
type OOMEvent struct {
	ContainerID string
	PID         int32
	Name        string
}

// makeCgroup makes the container's control group and the view that has it as
// its root.
func (c *Container) makeCgroup() error {
	root := c.sys.Cgroups.Root()
	name := strings.ReplaceAll(c.conf.ID, "/", "-")
	if name == "" {
		name = "container"
	}
	g, e := root.Make(name, 0, 0, 0o755)
	if e != 0 {
		return &StartError{Message: "control group " + name + ": " + e.Error()}
	}
	c.cgroup = g
	// Shared or not, the view is the container's own: what it could see beyond is
	// the sandbox's.
	c.spaces.Cgroup = task.NewCgroupNamespace(g)
	c.SetResources(c.conf.Resources)
	return nil
}

// dropCgroup removes the container's control group and those that its
// processes, which are gone, made below it.
func (c *Container) dropCgroup() {
	if c.cgroup == nil {
		return
	}
	all := c.cgroup.Descendants()
	for i := len(all) - 1; i >= 0; i-- {
		all[i].Remove() // one that is not empty stays
	}
}

// SetResources changes the container's bounds.
func (c *Container) SetResources(r Resources) {
	g := c.cgroup
	for _, l := range [...]struct {
		k cgroup.MemoryLimit
		n int64
	}{
		{cgroup.MemoryMax, r.MemoryMax}, {cgroup.MemoryHigh, r.MemoryHigh}, {cgroup.MemoryLow, r.MemoryLow},
		{cgroup.MemoryMin, r.MemoryMin}, {cgroup.SwapMax, r.SwapMax},
	} {
		switch {
		case l.n > 0:
			g.SetMemoryLimit(l.k, l.n&^(linux.PageSize-1))
		case l.n < 0 && (l.k == cgroup.MemoryLow || l.k == cgroup.MemoryMin):
			g.SetMemoryLimit(l.k, 0)
		case l.n < 0:
			g.SetMemoryLimit(l.k, cgroup.NoLimit)
		}
	}
	if r.HostBound && c == c.kernel.Container { // the Sentry is in no other's group
		g.SetQuotaOutside()
	}
	if g.QuotaOutside() && r.MemoryMax != 0 {
		// The host's own limit is the same, for all that the sandbox is.
		c.sys.HostMemory.Store(max(0, r.MemoryMax&^(linux.PageSize-1)))
		c.sys.SetGuestMemory(r.GuestMemory)
		total := host.MemoryTotal()
		if r.MemoryMax > 0 {
			total = min(total, uint64(r.MemoryMax)&^(linux.PageSize-1))
		}
		c.sys.SetMemoryTotal(total)
		c.kernel.boundObjects()
	}
	switch {
	case r.Tasks > 0:
		g.SetMaxTasks(r.Tasks)
	case r.Tasks < 0:
		g.SetMaxTasks(cgroup.NoLimit)
	}
	quota, period, _ := g.Quota()
	switch {
	case r.CPUQuota > 0:
		quota = max(r.CPUQuota, cgroup.MinQuotaUS)
	case r.CPUQuota < 0:
		quota = cgroup.NoLimit
	}
	if r.CPUPeriod > 0 {
		period = min(max(r.CPUPeriod, cgroup.MinPeriodUS), cgroup.MaxPeriodUS)
	}
	g.SetQuota(quota, period)
	if r.CPUBurst > 0 {
		g.SetBurst(r.CPUBurst)
	}
	if r.CPUWeight > 0 {
		g.SetWeight(min(r.CPUWeight, cgroup.MaxWeight))
		c.sys.WeightChanged(g)
	}
	if r.OOMGroup {
		g.SetOOMGroup(true)
	}
	if r.CPUs > 0 {
		cpus := cgroup.FirstCPUs(r.CPUs)
		g.SetCPUs(&cpus, false)
	}
	c.sys.WatchCgroup(g)
}

// A Usage is what a container uses, as its control group counts it.
type Usage struct {
	MemoryBytes, MemoryPeakBytes, MemoryLimitBytes int64 // limit 0: none
	FileBytes                                      int64 // of memory, contents of files in memory
	OOMKills                                       uint64
	Tasks, MaxTasks                                int64 // 0: no bound
	UserNS, SystemNS                               int64
	Periods, Throttled, ThrottledNS                int64
}

// Usage counts what the container uses.
func (c *Container) Usage() Usage {
	g := c.cgroup
	m := c.sys.CgroupMemory(g)
	n, t := g.Tasks(), g.Throttling()
	u := Usage{
		MemoryBytes: m.Total(), MemoryPeakBytes: g.NotePeak(m.Total()), FileBytes: m.Files, OOMKills: g.MemoryCounts(false)[cgroup.EventOOMKill],
		Tasks: n.Now, Periods: t.Periods, Throttled: t.Throttled, ThrottledNS: t.LostNS,
	}
	if n.Max != cgroup.NoLimit {
		u.MaxTasks = n.Max
	}
	if l := g.MemoryLimit(cgroup.MemoryMax); l != cgroup.NoLimit {
		u.MemoryLimitBytes = l
	}
	u.UserNS, u.SystemNS = c.sys.CgroupTime(g)
	return u
}

// OnOOM has f told of processes that are killed for memory. It is called before
// Start, and f does not block.
func (k *Kernel) OnOOM(f func(OOMEvent)) {
	k.sys.OnOOM = func(e task.OOMEvent) {
		id := ""
		if e.Container != nil {
			id = e.Container.ID()
		}
		f(OOMEvent{id, e.PID, e.Name})
	}
}

// A reserve knows what the sandbox needs of its limit for itself.
type reserve struct{}

// What is not the Sentry's heap: of the Sentry and the gofer in bytes, and of
// each task its stub and its threads.
const (
	reserveFixed = 9 << 20
	reserveTask  = 256 << 10
)

// TaskBytes implements task.Reserve.
func (reserve) TaskBytes() int64 { return reserveTask }

// Bytes implements task.Reserve.
func (reserve) Bytes() int64 {
	sample := [...]metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(sample[:])
	n := sample[0].Value.Uint64() - sample[1].Value.Uint64() - sample[2].Value.Uint64()
	return reserveFixed + int64(n)
}

// registerCgroups makes the control groups' file system mountable.
func (k *Kernel) registerCgroups() { cgroupfs.Register(k.sys.VFS, k.sys) }

// cgroupOf is what /proc/pid/cgroup says of t to a reader whose view has the
// root from.
func cgroupOf(from *cgroup.Group, t *task.Task) string {
	g := t.Group().Cgroup()
	path := g.Path(from)
	if g.Removed() {
		path += " (deleted)"
	}
	return path
}

// watchAgain looks after the limits of a restored sandbox.
func (k *Kernel) watchAgain() {
	for _, g := range k.sys.Cgroups.Root().Descendants() {
		k.sys.WatchCgroup(g)
	}
}

// boundObjects sets how many tasks and open files there may be in all: as in
// Linux they follow from memory, here from what they cost the Sentry.
func (k *Kernel) boundObjects() {
	const perTask, perFile = 256 << 10, 10 << 10
	total := k.sys.MemoryTotal()
	k.sys.SetMaxTasks(int(min(task.MaxTasks, max(64, total/perTask))))
	k.sys.VFS.SetMaxOpen(int64(max(4096, total/perFile)))
}

// AwaitOOM returns how many of the container's processes were killed for memory,
// once they are more than seen or stop is closed.
func (c *Container) AwaitOOM(seen uint64, stop <-chan struct{}) uint64 {
	e, changed := wait.Channel(wait.Pri)
	q := c.cgroup.Signal(cgroup.MemoryEventsFile).Events()
	q.Add(e)
	defer q.Remove(e)
	for {
		if n := c.cgroup.MemoryCounts(false)[cgroup.EventOOMKill]; n > seen {
			return n
		}
		select {
		case <-changed:
		case <-stop:
			return seen
		}
	}
}
