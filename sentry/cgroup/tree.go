package cgroup

import (
	"slices"
	"strings"
	"sync/atomic"

	"cordon/internal/linux"
	"cordon/internal/lock"
)

// Controllers is a set of controllers.
type Controllers uint8

// The controllers that there are.
const (
	CPU Controllers = 1 << iota
	Memory
	PIDs
	CPUSet

	All = CPU | Memory | PIDs | CPUSet
)

// names are the controllers' in the order that files list them in.
var names = [...]struct {
	c    Controllers
	name string
}{{CPUSet, "cpuset"}, {CPU, "cpu"}, {Memory, "memory"}, {PIDs, "pids"}}

// String lists the set as cgroup.controllers does.
func (c Controllers) String() string {
	var list []string
	for _, n := range names {
		if c&n.c != 0 {
			list = append(list, n.name)
		}
	}
	return strings.Join(list, " ")
}

// Parse returns the controller called name.
func Parse(name string) (Controllers, bool) {
	for _, n := range names {
		if n.name == name {
			return n.c, true
		}
	}
	return 0, false
}

// Bounds of the tree, beside what cgroup.max.depth and cgroup.max.descendants
// say: the memory of groups is the Sentry's.
const (
	maxDepth  = 64
	maxGroups = 4096
)

// A Hierarchy is the tree of groups of a sandbox.
type Hierarchy struct {
	mu lock.Mutex[lock.Cgroups]
	// guarded by mu
	root   *Group
	lastID uint64
	count  int
}

// New returns a tree with a root, which has all controllers on for its
// children.
func New() *Hierarchy {
	h := new(Hierarchy)
	h.root = h.newGroupLocked(nil, "")
	h.root.subtree = All
	return h
}

// Root returns the root.
func (h *Hierarchy) Root() *Group { return h.root }

// A Group is one control group.
type Group struct {
	// immutable
	h      *Hierarchy
	parent *Group // nil: the root
	name   string
	id     uint64
	depth  int

	// atomic
	removed   atomic.Bool
	processes atomic.Int64 // of its own that have a thread
	populated atomic.Int64 // likewise, those of its descendants too
	frozen    atomic.Bool  // its own or an ancestor's freeze is on
	throttled atomic.Bool
	slowed    atomic.Bool
	cpus      atomic.Pointer[CPUs] // cpuset.cpus; nil: not set
	cpusBind  atomic.Bool
	devices   atomic.Pointer[deviceGuard] // nil: none
	tasks     tasks
	memory    memory
	cpu       cpu

	// signals tell of changes of files.
	signals [eventFiles]Signal

	// guarded by h.mu
	children       map[string]*Group
	subtree        Controllers // on for the children
	freeze         bool
	maxDepth       int // -1: none
	maxDescendants int // -1: none
	attrs          map[string]Attr
	loaded         []*Group // children that a restore has not named yet
	silent         bool     // no pressure is counted
	pressure       [Resources]pressure
}

// Attr is the owner and the mode of a group's file, which its directory's
// owner can change. The directory itself is the name "".
type Attr struct {
	UID, GID uint32
	Mode     linux.FileMode // permission bits; HasMode: it was changed
	HasMode  bool
}

func (h *Hierarchy) newGroupLocked(parent *Group, name string) *Group {
	h.lastID++
	h.count++
	g := &Group{h: h, parent: parent, name: name, id: h.lastID, children: make(map[string]*Group), maxDepth: -1, maxDescendants: -1,
		attrs: make(map[string]Attr)}
	if parent != nil {
		g.depth = parent.depth + 1
		g.frozen.Store(parent.frozen.Load())
	}
	g.tasks.max.Store(NoLimit)
	g.memory.reset()
	g.cpu.reset()
	return g
}

// Parent returns the group above, nil for the root.
func (g *Group) Parent() *Group { return g.parent }

// Name is the directory's name, ID a number that no other group has had.
func (g *Group) Name() string { return g.name }

// ID returns it.
func (g *Group) ID() uint64 { return g.id }

// Removed reports whether the group is out of the tree.
func (g *Group) Removed() bool { return g.removed.Load() }

// Within reports whether g is root or below it.
func (g *Group) Within(root *Group) bool {
	for ; g != nil; g = g.parent {
		if g == root {
			return true
		}
	}
	return false
}

// Path returns g's path as somebody sees it whose root is from: "/" for that
// itself, with "/.." for each level above (Linux: kernfs_path_from_node).
func (g *Group) Path(from *Group) string {
	up := 0
	for !g.Within(from) {
		from = from.parent
		up++
	}
	var parts []string
	for ; g != from; g = g.parent {
		parts = append(parts, g.name)
	}
	slices.Reverse(parts)
	return "/" + strings.Join(append(slices.Repeat([]string{".."}, up), parts...), "/")
}

// Child returns the group called name, or nil.
func (g *Group) Child(name string) *Group {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.children[name]
}

// Children returns the groups right below, in order of their making.
func (g *Group) Children() []*Group {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.childrenLocked()
}

func (g *Group) childrenLocked() []*Group {
	list := make([]*Group, 0, len(g.children))
	for _, c := range g.children {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *Group) int { return int(a.id) - int(b.id) })
	return list
}

// Descendants returns g and all groups below it, parents first.
func (g *Group) Descendants() []*Group {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.descendantsLocked(nil)
}

func (g *Group) descendantsLocked(list []*Group) []*Group {
	list = append(list, g)
	for _, c := range g.childrenLocked() {
		list = c.descendantsLocked(list)
	}
	return list
}

// Make makes a group below g (mkdir(2)).
func (g *Group) Make(name string, uid, gid uint32, mode linux.FileMode) (*Group, linux.Errno) {
	if strings.ContainsRune(name, '\n') {
		return nil, linux.EINVAL
	}
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	if g.removed.Load() {
		return nil, linux.ENODEV
	}
	if g.children[name] != nil {
		return nil, linux.EEXIST
	}
	if g.depth >= maxDepth || g.h.count >= maxGroups {
		return nil, linux.EAGAIN
	}
	level := 1
	for up := g; up != nil; up = up.parent {
		if up.maxDescendants >= 0 && len(up.descendantsLocked(nil))-1 >= up.maxDescendants || up.maxDepth >= 0 && level > up.maxDepth {
			return nil, linux.EAGAIN
		}
		level++
	}
	c := g.h.newGroupLocked(g, name)
	c.attrs[""] = Attr{UID: uid, GID: gid, Mode: mode, HasMode: true}
	g.children[name] = c
	return c, 0
}

// Remove takes a group without processes and children out of the tree.
func (g *Group) Remove() linux.Errno {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	switch {
	case g.parent == nil:
		return linux.EBUSY
	case g.removed.Load():
		return linux.ENOENT
	case len(g.children) > 0 || g.populated.Load() > 0:
		return linux.EBUSY
	}
	g.removed.Store(true)
	delete(g.parent.children, g.name)
	g.h.count--
	g.dropDevicesLocked()
	g.parent.memory.files.Add(g.memory.files.Swap(0))
	g.parent.cpu.gone[0].Add(g.cpu.gone[0].Load())
	g.parent.cpu.gone[1].Add(g.cpu.gone[1].Load())
	g.tell(CoreEvents)
	return 0
}

// Controllers are those that g has files of: its parent's choice.
func (g *Group) Controllers() Controllers {
	if g.parent == nil {
		return All
	}
	return g.parent.Subtree()
}

// Subtree returns the controllers that are on for the children.
func (g *Group) Subtree() Controllers {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return g.subtree
}

// SetSubtree switches controllers of the children on and off (Linux:
// kernel/cgroup/cgroup.c cgroup_subtree_control_write).
func (g *Group) SetSubtree(on, off Controllers) linux.Errno {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	if g.removed.Load() {
		return linux.ENODEV
	}
	have := All
	if g.parent != nil {
		have = g.parent.subtree
	}
	on &^= g.subtree
	if on&^have != 0 {
		return linux.ENOENT
	}
	for _, c := range g.children {
		if c.subtree&off&g.subtree != 0 {
			return linux.EBUSY
		}
	}
	// What competes with the children would be the group's own processes; only
	// threads could, of controllers that know threads.
	if on != 0 && g.parent != nil && g.processes.Load() > 0 && (on&Memory != 0 || !g.mayMixLocked()) {
		return linux.EBUSY
	}
	g.subtree = (g.subtree | on) &^ off
	for _, c := range g.children {
		if g.subtree&CPUSet == 0 {
			c.SetCPUs(nil, false)
		}
	}
	return 0
}

// MayHost reports whether processes may be put into g: not while it has
// controllers on for its children.
func (g *Group) MayHost() linux.Errno {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	switch {
	case g.removed.Load():
		return linux.ENODEV
	case g.parent != nil && g.subtree != 0 && !g.mayMixLocked():
		return linux.EBUSY
	}
	return 0
}

// mayMixLocked reports whether processes could be both in g and, as threads,
// below it (Linux: kernel/cgroup/cgroup.c cgroup_can_be_thread_root).
func (g *Group) mayMixLocked() bool {
	for _, c := range g.children {
		if c.Populated() {
			return false
		}
	}
	return g.subtree&Memory == 0
}

// MaxDepth and MaxDescendants bound what is made below; -1 is no bound.
func (g *Group) MaxDepth() int { return g.read(&g.maxDepth) }

// MaxDescendants returns the bound.
func (g *Group) MaxDescendants() int { return g.read(&g.maxDescendants) }

// SetMaxDepth sets the bound.
func (g *Group) SetMaxDepth(n int) { g.write(&g.maxDepth, n) }

// SetMaxDescendants sets the bound.
func (g *Group) SetMaxDescendants(n int) { g.write(&g.maxDescendants, n) }

func (g *Group) read(p *int) int {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	return *p
}

func (g *Group) write(p *int, n int) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	*p = n
}

// Attr returns the attributes of a file, of the directory for "".
func (g *Group) Attr(file string) (a Attr, ok bool) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	a, ok = g.attrs[file]
	if !ok && file != "" {
		// A new group's files are its maker's.
		a = g.attrs[""]
		a.HasMode = false
	}
	return a, ok
}

// SetAttr sets them.
func (g *Group) SetAttr(file string, a Attr) {
	g.h.mu.Lock()
	defer g.h.mu.Unlock()
	g.attrs[file] = a
}
