package task

import (
	"cmp"
	"errors"

	"cordon/checkpoint"
	"cordon/internal/linux"
	"cordon/platform"
	"cordon/platform/memfile"
	"cordon/sentry/cgroup"
	"cordon/sentry/cred"
	"cordon/sentry/ebpf"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/futex"
	"cordon/sentry/ktime"
	"cordon/sentry/mm"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// SlotParts is the *Parts of a restored system. Slots of mm and vfs supply the
// platform, the memory and the clocks.
const SlotParts = "parts"

// Parts are what of a System is not saved.
type Parts struct {
	Calls   Calls
	Traced  bool
	Loader  Loader
	Random  func(p []byte)
	NewIPC  NewIPC
	NewNet  func(user *cred.UserNamespace) (*socket.Namespace, linux.Errno)
	Sockets *socket.Registry
	Turn    Turn
	// Assemble registers file systems and devices with s.VFS. It runs when all
	// objects are filled, before any file is looked up or opened again.
	Assemble func(s *System) error
}

var errImage = errors.New("processes that cannot be")

// Kinds lists the objects of this package for a checkpoint.
func Kinds() []checkpoint.Kind {
	return []checkpoint.Kind{
		checkpoint.Object("task.System", saveSystem, loadSystem),
		checkpoint.Object("task.Task", saveTask, loadTask),
		checkpoint.Object("task.ThreadGroup", saveGroup, loadGroup),
		checkpoint.Object("task.ProcessGroup", saveProcessGroup, loadProcessGroup),
		checkpoint.Object("task.PIDNamespace", savePIDs, loadPIDs),
		checkpoint.Object("task.Container", saveContainer, loadContainer),
		checkpoint.Object("task.Session", saveSession, loadSession),
		checkpoint.Object("task.FSContext", saveFSContext, loadFSContext),
		checkpoint.Object("task.Namespaces", saveNamespaces, loadNamespaces),
		checkpoint.Object("task.UTSNamespace", saveUTS, loadUTS),
		checkpoint.Object("task.CgroupNamespace", saveCgroupNamespace, loadCgroupNamespace),
		checkpoint.Object("task.TimeNamespace", saveTimeNamespace, loadTimeNamespace),
		checkpoint.Object("task.PidFD", savePidFD, loadPidFD),
		checkpoint.Object("task.ioTarget", saveTarget, loadTarget),
		checkpoint.Object("task.Filter", saveFilter, loadFilter),
		checkpoint.Object("task.Listener", saveListener, loadListener),
	}
}

// A getter resolves Refs until the first error.
type getter struct {
	l   *checkpoint.Loader
	err error
}

func get[T any](g *getter, r checkpoint.Ref) T {
	v, err := checkpoint.Get[T](g.l, r)
	g.err = cmp.Or(g.err, err)
	return v
}

func getAll[T any](g *getter, r []checkpoint.Ref) []T {
	v, err := checkpoint.GetAll[T](g.l, r)
	g.err = cmp.Or(g.err, err)
	return v
}

func slot[T any](g *getter, name string) T {
	v, _ := g.l.Slot(name)
	t, ok := v.(T)
	if !ok && g.err == nil {
		g.err = errors.New(name + " was not supplied")
	}
	return t
}

func refs[T any](s *checkpoint.Saver, list []*T) []checkpoint.Ref {
	var out []checkpoint.Ref
	for _, p := range list {
		out = append(out, s.Ref(p))
	}
	return out
}

// SystemImage is a System in a checkpoint.
type SystemImage struct {
	Platform, Memory, Clocks, Parts string

	VFS, UserNS, Memfds checkpoint.Ref
	Loader              checkpoint.Ref // 0: one of Parts
	PlainInit           bool
	NumCPU              int
	MemoryLimit         uint64
	HostMemory          int64
	Cgroups, Programs   checkpoint.Ref
	First               checkpoint.Ref // *Namespaces

	Tasks   []checkpoint.Ref // by tid
	LastPID int32
	PIDs    checkpoint.Ref
	Started uint64
	LoadAt  int64
	LoadAvg [3]float64
}

func saveSystem(s *checkpoint.Saver, y *System) SystemImage {
	im := SystemImage{
		Platform: s.Slot(mm.SlotPlatform), Memory: s.Slot(mm.SlotMemory), Clocks: s.Slot(vfs.SlotClocks), Parts: s.Slot(SlotParts),
		VFS: s.Ref(y.VFS), UserNS: s.Ref(y.UserNS), Memfds: s.Ref(y.Memfds),
		PlainInit: y.PlainInit, NumCPU: y.NumCPU, MemoryLimit: y.MemoryLimit, Started: y.started.Load(),
		HostMemory: y.HostMemory.Load(), Cgroups: s.Ref(y.Cgroups), Programs: s.Ref(y.Programs),
	}
	im.First = s.Ref(y.first.Load())
	if _, ok := y.Loader.(vfs.Alias); ok {
		im.Loader = vfs.SaveRef(s, y.Loader)
	}
	y.tree.RLock()
	im.Tasks = refs(s, sortedByTID(y.tasks))
	im.LastPID, im.PIDs = y.lastPID, s.Ref(y.pids)
	y.tree.RUnlock()
	y.load.mu.Lock()
	im.LoadAt, im.LoadAvg = y.load.at, y.load.avg
	y.load.mu.Unlock()
	return im
}

func loadSystem(l *checkpoint.Loader, y *System, im SystemImage) error {
	g := &getter{l: l}
	parts := slot[*Parts](g, im.Parts)
	if g.err != nil {
		return g.err
	}
	y.Platform, y.Memory = slot[platform.Platform](g, im.Platform), slot[*memfile.File](g, im.Memory)
	y.Clocks = slot[*ktime.Clocks](g, im.Clocks)
	y.VFS, y.UserNS = get[*vfs.VFS](g, im.VFS), get[*cred.UserNamespace](g, im.UserNS)
	y.Memfds = get[*tmpfs.FS](g, im.Memfds)
	y.Calls, y.Traced, y.Loader, y.Random, y.NewIPC, y.NewNet, y.Sockets, y.Turn = parts.Calls, parts.Traced, parts.Loader, parts.Random, parts.NewIPC, parts.NewNet, parts.Sockets, parts.Turn
	if y.Calls != nil {
		y.Calls = &resumedCalls{Calls: y.Calls}
	}
	if im.Loader != 0 {
		y.Loader = get[Loader](g, im.Loader)
	}
	y.PlainInit, y.NumCPU, y.MemoryLimit = im.PlainInit, im.NumCPU, im.MemoryLimit
	y.Futexes = futex.NewTable(y.Lives)
	y.Cgroups = get[*cgroup.Hierarchy](g, im.Cgroups)
	y.Programs = get[*ebpf.Programs](g, im.Programs)
	y.HostMemory.Store(im.HostMemory)
	y.first.Store(get[*Namespaces](g, im.First))
	y.Init()
	y.lastPID, y.pids = im.LastPID, get[*PIDNamespace](g, im.PIDs)
	y.started.Store(im.Started)
	y.load.at, y.load.avg = im.LoadAt, im.LoadAvg
	tasks := getAll[*Task](g, im.Tasks)
	if g.err != nil || y.VFS == nil || y.UserNS == nil || y.pids == nil || im.NumCPU < 1 || im.NumCPU > MaxCPUs || len(tasks) > 2*MaxTasks {
		return cmp.Or(g.err, errImage)
	}
	l.AfterLoad(func() error { return y.reassemble(parts, tasks) })
	return nil
}

// reassemble fills the tables, every object being filled.
func (y *System) reassemble(parts *Parts, tasks []*Task) error {
	users := make(map[*vfs.FDTable]int64)
	y.Cgroups.Restored()
	for _, t := range tasks {
		if t == nil || t.sys != y || t.group == nil || y.tasks[t.TID()] != nil || t.TID() <= 0 || t.TID() >= MaxPID {
			return errImage
		}
		y.tasks[t.TID()] = t
		if p := t.group.pgrp; p != nil {
			y.groups[p.id] = p
			y.sessions[p.session.id] = p.session
		}
		if fds := t.FDs(); fds != nil {
			users[fds]++
		}
		if !t.countAgain() {
			return errImage
		}
	}
	for fds, n := range users {
		if fds.Users() != n { // whoever is alone takes no references (FDTable.Borrow)
			return errImage
		}
	}
	if parts.Assemble != nil {
		return parts.Assemble(y)
	}
	return nil
}

// Frozen runs f with every task frozen, where none is in the middle of
// something that only its goroutine knows: the end of an exec's or a vfork's
// wait is let pass first.
func (y *System) Frozen(f func() error) error {
	for {
		y.Freeze()
		if y.settled() {
			break
		}
		y.Thaw()
	}
	defer y.Thaw()
	return f()
}

// Freezing reports whether somebody freezes the system, or holds it frozen: all
// tasks have been told by then.
func (y *System) Freezing() bool {
	y.tree.RLock()
	defer y.tree.RUnlock()
	return y.freezing > 0
}

func (y *System) settled() bool {
	for _, t := range y.Tasks() {
		g := t.group
		g.mu.Lock()
		execing := g.execing != nil
		g.mu.Unlock()
		if execing || t.runState == Frozen && t.frozenIn == WaitVfork && !t.vforkPending.Load() {
			return false
		}
	}
	return true
}

// FSContextImage is an FSContext in a checkpoint.
type FSContextImage struct {
	Root, Cwd vfs.PathImage
	Umask     linux.FileMode
	Users     int
}

func saveFSContext(s *checkpoint.Saver, f *FSContext) FSContextImage {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.places.Load()
	return FSContextImage{p.root.Image(s), p.cwd.Image(s), p.umask, f.users}
}

func loadFSContext(l *checkpoint.Loader, f *FSContext, im FSContextImage) error {
	root, err := vfs.RestorePath(l, im.Root)
	cwd, err2 := vfs.RestorePath(l, im.Cwd)
	f.users = im.Users
	f.places.Store(&places{root, cwd, im.Umask & 0o777})
	if !root.Valid() || !cwd.Valid() || im.Users < 0 {
		return cmp.Or(err, err2, errImage)
	}
	return nil
}

// NamespacesImage is a Namespaces in a checkpoint.
type NamespacesImage struct{ Mount, UTS, IPC, Net, Cgroup, PID, Time, TimeForChildren checkpoint.Ref }

func saveNamespaces(s *checkpoint.Saver, n *Namespaces) NamespacesImage {
	return NamespacesImage{
		s.Ref(n.Mount), s.Ref(n.UTS), s.Ref(n.IPC), s.Ref(n.Net), s.Ref(n.Cgroup), s.Ref(n.PID), s.Ref(n.Time), s.Ref(n.TimeForChildren),
	}
}

func loadNamespaces(l *checkpoint.Loader, n *Namespaces, im NamespacesImage) error {
	g := &getter{l: l}
	n.Mount, n.UTS, n.IPC, n.Net = get[*vfs.MountNamespace](g, im.Mount), get[*UTSNamespace](g, im.UTS), get[any](g, im.IPC), get[any](g, im.Net)
	n.Cgroup, n.PID = get[*CgroupNamespace](g, im.Cgroup), get[*PIDNamespace](g, im.PID)
	n.Time, n.TimeForChildren = get[*TimeNamespace](g, im.Time), get[*TimeNamespace](g, im.TimeForChildren)
	return g.err
}

// UTSImage is a UTSNamespace in a checkpoint.
type UTSImage struct {
	Host, Domain string
	User         checkpoint.Ref
}

func saveUTS(s *checkpoint.Saver, u *UTSNamespace) UTSImage {
	h, d := u.Names()
	return UTSImage{h, d, s.Ref(u.user)}
}

func loadUTS(l *checkpoint.Loader, u *UTSNamespace, im UTSImage) (err error) {
	u.user, err = checkpoint.Get[*cred.UserNamespace](l, im.User)
	u.host, u.domain = im.Host, im.Domain
	return err
}

// PidFDImage is a PidFD in a checkpoint.
type PidFDImage struct{ Group, Thread checkpoint.Ref }

func savePidFD(s *checkpoint.Saver, p *PidFD) PidFDImage {
	return PidFDImage{s.Ref(p.group), s.Ref(p.thread)}
}

func loadPidFD(l *checkpoint.Loader, p *PidFD, im PidFDImage) error {
	g := &getter{l: l}
	p.group, p.thread = get[*ThreadGroup](g, im.Group), get[*Task](g, im.Thread)
	if p.group == nil {
		return cmp.Or(g.err, errImage)
	}
	return g.err
}

// TargetImage is an ioTarget in a checkpoint.
type TargetImage struct {
	Sys   checkpoint.Ref
	Owner linux.FOwnerEx
	Cred  checkpoint.Ref
}

func saveTarget(s *checkpoint.Saver, o *ioTarget) TargetImage {
	return TargetImage{s.Ref(o.sys), o.owner, s.Ref(o.cred)}
}

func loadTarget(l *checkpoint.Loader, o *ioTarget, im TargetImage) error {
	g := &getter{l: l}
	o.sys, o.owner, o.cred = get[*System](g, im.Sys), im.Owner, get[*cred.Credentials](g, im.Cred)
	if o.sys == nil || o.cred == nil {
		return cmp.Or(g.err, errImage)
	}
	return g.err
}
