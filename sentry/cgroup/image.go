package cgroup

import (
	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/sentry/ebpf"
)

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("cgroup.Hierarchy", saveHierarchy, loadHierarchy),
		checkpoint.Object("cgroup.Group", saveGroup, loadGroup),
	}
}

// HierarchyImage is a Hierarchy in a checkpoint.
type HierarchyImage struct {
	Root   checkpoint.Ref
	LastID uint64
	Count  int
}

func saveHierarchy(s *checkpoint.Saver, h *Hierarchy) HierarchyImage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HierarchyImage{s.Ref(h.root), h.lastID, h.count}
}

func loadHierarchy(l *checkpoint.Loader, h *Hierarchy, im HierarchyImage) (err error) {
	h.lastID, h.count = im.LastID, im.Count
	h.root, err = checkpoint.Get[*Group](l, im.Root)
	return err
}

// FileImage is the attributes of a file in a checkpoint.
type FileImage struct {
	Name string
	Attr Attr
}

// GroupImage is a Group in a checkpoint.
type GroupImage struct {
	H, Parent   checkpoint.Ref
	Name        string
	ID          uint64
	Depth       int
	Removed     bool
	Frozen      bool
	Tasks       TaskCounts
	Limits      [memoryLimits]int64
	OOMGroup    bool
	Files, Peak int64
	Events      [MemoryEvents]uint64
	Local       [MemoryEvents]uint64
	Weight      int64
	Idle        bool
	Outside     bool
	Quota       int64
	Period      int64
	Burst       int64
	Gone        [2]int64
	Throttling  Throttling
	Children    []checkpoint.Ref
	Subtree     Controllers
	Freeze      bool
	MaxDepth    int
	MaxBelow    int
	Attrs       []FileImage
	Silent      bool
	HasCPUs     bool
	CPUs        CPUs
	CPUsBind    bool
	Pressure    [Resources]PressureImage
	Devices     []checkpoint.Ref
	DeviceFlags linux.BPFAttachFlags
}

// PressureImage is a pressure in a checkpoint: its averages begin anew, and
// triggers are their files'.
type PressureImage struct{ Total [2]int64 }

func saveGroup(s *checkpoint.Saver, g *Group) GroupImage {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	im := GroupImage{
		H: s.Ref(g.h), Parent: s.Ref(g.parent), Name: g.name, ID: g.id, Depth: g.depth, Removed: g.removed.Load(), Frozen: g.frozen.Load(),
		Tasks: g.Tasks(), OOMGroup: g.OOMGroup(), Files: g.memory.files.Load(), Peak: g.memory.peak.Load(),
		Events: g.MemoryCounts(false), Local: g.MemoryCounts(true), Weight: g.Weight(), Idle: g.Idle(), Outside: g.QuotaOutside(),
		Gone: [2]int64{g.cpu.gone[0].Load(), g.cpu.gone[1].Load()}, Throttling: g.Throttling(),
		Subtree: g.subtree, Freeze: g.freeze, MaxDepth: g.maxDepth, MaxBelow: g.maxDescendants,
	}
	im.Quota, im.Period, im.Burst = g.Quota()
	for i := range im.Limits {
		im.Limits[i] = g.memory.limits[i].Load()
	}
	for _, c := range g.childrenLocked() {
		im.Children = append(im.Children, s.Ref(c))
	}
	for name, a := range g.attrs {
		im.Attrs = append(im.Attrs, FileImage{name, a})
	}
	sortFiles(im.Attrs)
	im.Silent = g.silent
	if own := g.cpus.Load(); own != nil {
		im.HasCPUs, im.CPUs, im.CPUsBind = true, *own, g.cpusBind.Load()
	}
	for i := range g.pressure {
		im.Pressure[i].Total = g.pressure[i].totalNS
	}
	if d := g.devices.Load(); d != nil {
		im.DeviceFlags = d.flags
		for _, p := range d.progs {
			im.Devices = append(im.Devices, s.Ref(p))
		}
	}
	return im
}

func loadGroup(l *checkpoint.Loader, g *Group, im GroupImage) (err error) {
	if g.h, err = checkpoint.Get[*Hierarchy](l, im.H); err != nil {
		return err
	}
	if g.parent, err = checkpoint.Get[*Group](l, im.Parent); err != nil {
		return err
	}
	g.name, g.id, g.depth = im.Name, im.ID, im.Depth
	g.removed.Store(im.Removed)
	g.frozen.Store(im.Frozen)
	// The tasks count themselves again.
	g.tasks.peak.Store(im.Tasks.Peak)
	g.tasks.max.Store(im.Tasks.Max)
	g.tasks.refused.Store(im.Tasks.Refused)
	g.tasks.refusedHere.Store(im.Tasks.Refuse)
	for i, n := range im.Limits {
		g.memory.limits[i].Store(n)
	}
	g.SetOOMGroup(im.OOMGroup)
	g.memory.files.Store(im.Files)
	g.memory.peak.Store(im.Peak)
	for i := range im.Events {
		g.memory.events[i].Store(im.Events[i])
		g.memory.local[i].Store(im.Local[i])
	}
	g.SetWeight(im.Weight)
	g.SetIdle(im.Idle)
	g.cpu.outside.Store(im.Outside)
	g.SetQuota(im.Quota, im.Period)
	g.SetBurst(im.Burst)
	g.AddTime(im.Gone[0], im.Gone[1])
	g.cpu.periods.Store(im.Throttling.Periods)
	g.cpu.short.Store(im.Throttling.Throttled)
	g.cpu.lostNS.Store(im.Throttling.LostNS)
	g.subtree, g.freeze, g.maxDepth, g.maxDescendants = im.Subtree&All, im.Freeze, im.MaxDepth, im.MaxBelow
	g.silent = im.Silent
	if im.HasCPUs {
		g.SetCPUs(&im.CPUs, im.CPUsBind)
	}
	for i := range im.Pressure {
		g.pressure[i].totalNS, g.pressure[i].then = im.Pressure[i].Total, im.Pressure[i].Total
	}
	programs, err := checkpoint.GetAll[*ebpf.Program](l, im.Devices)
	if err != nil {
		return err
	}
	if len(programs) > 0 {
		g.devices.Store(&deviceGuard{im.DeviceFlags, programs})
	}
	g.children, g.attrs = make(map[string]*Group), make(map[string]Attr)
	children, err := checkpoint.GetAll[*Group](l, im.Children)
	if err != nil {
		return err
	}
	g.adopt(children)
	for _, f := range im.Attrs {
		g.attrs[f.Name] = f.Attr
	}
	return nil
}
