package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A Group is the control groups of one container.
type Group struct {
	// immutable
	host      *host
	config    *cgroups.Cgroup
	resources *specs.LinuxResources
	lib       cgroups.Manager // nil: the host has none that we can use
	warnings  []string
	parents   []string // made by us if they are made, uppermost first
	bounds    bool     // some limit is set
	tasks     string   // the sandbox's group of version 1's pids hierarchy, or empty

	// task-only: New's and Create's caller
	unbound bool // limits are asked for, and the host has no group for them
}

// A Record is what a container's state keeps of its Group.
type Record struct {
	Config *cgroups.Cgroup   `json:"config"`
	Paths  map[string]string `json:"paths"`
	Tasks  string            `json:"tasks,omitempty"`
	Bounds bool              `json:"bounds,omitempty"`
}

// New plans control groups. What the host cannot honour is an error that names
// the field.
func New(o Options) (*Group, error) {
	h, err := readHost()
	if err != nil {
		return nil, err
	}
	if err := h.check(o.Resources); err != nil {
		return nil, err
	}
	g := &Group{host: h, resources: o.Resources, warnings: warnings(o.Resources)}
	if g.config, err = o.config(); err != nil {
		return nil, err
	}
	if !h.unified && len(h.v1) == 0 {
		return g, nil // nothing to limit with, and nothing is asked for
	}
	g.config.SkipDevices = !h.has("devices")
	if g.lib, err = manager.New(g.config); err != nil {
		if o.Rootless && !asksAny(o.Resources) && !o.Systemd {
			return g, nil
		}
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	if o.Rootless && o.Path == "" && !o.Systemd && asksAny(o.Resources) && !mayMake(g.dirs()) {
		g.lib, g.unbound = nil, true
		return g, nil
	}
	seen := map[string]bool{}
	for _, dir := range g.dirs() {
		g.addParents(dir, seen)
	}
	if dir := g.lib.Path("pids"); dir != "" && !h.unified && value(g.config.PidsLimit) != 0 {
		g.tasks = besideName(dir)
	}
	g.config.Resources = g.forHost(g.config.Resources)
	return g, nil
}

// doPrefix begins the names of ForMemory's groups.
const doPrefix = "cordon-"

// ForMemory is New for a limit of memory alone. It removes what those have left that were
// killed before they could remove their own.
func ForMemory(id string, limit uint64) (*Group, error) {
	n := int64(limit)
	if n <= 0 {
		return nil, fmt.Errorf("%d bytes are out of range", limit)
	}
	name := doPrefix + id
	g, err := New(Options{ID: name, Path: name, Resources: &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}}})
	if err == nil {
		reclaim(g.dirs())
	}
	return g, err
}

// Load returns the Group of a Record.
func Load(r *Record) (*Group, error) {
	h, err := readHost()
	if err != nil {
		return nil, err
	}
	g := &Group{host: h, config: r.Config, tasks: r.Tasks, bounds: r.Bounds}
	if len(r.Paths) == 0 {
		return g, nil
	}
	if g.config.Resources == nil {
		g.config.Resources = new(cgroups.Resources)
	}
	g.config.SkipDevices = !h.has("devices")
	if g.lib, err = manager.NewWithPaths(g.config, r.Paths); err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	return g, nil
}

// Record returns what Load takes.
func (g *Group) Record() *Record {
	r := &Record{Config: g.config, Tasks: g.tasks, Bounds: g.Bounds()}
	if g.lib != nil {
		r.Paths = g.lib.GetPaths()
	}
	return r
}

// Warnings are settings that have no effect.
func (g *Group) Warnings() []string { return g.warnings }

// Unbound reports whether limits are asked for that no group of the host has: they
// bind inside only.
func (g *Group) Unbound() bool { return g.unbound }

// Version is that of the host's control groups: 1 or 2.
func (g *Group) Version() int {
	if g.host.unified {
		return 2
	}
	return 1
}

// dirs are the container's own directories, each once.
func (g *Group) dirs() []string {
	if g.lib == nil {
		return nil
	}
	var all []string
	for name, dir := range g.lib.GetPaths() {
		if dir != "" && (name != "devices" || !g.config.SkipDevices) {
			all = append(all, dir)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mayMake reports whether one of the directories at least can be made.
func mayMake(dirs []string) bool {
	for _, dir := range dirs {
		for up := filepath.Dir(dir); ; up = filepath.Dir(up) {
			if _, err := os.Lstat(up); err == nil || up == "/" {
				if unix.Access(up, unix.W_OK) == nil {
					return true
				}
				break
			}
		}
	}
	return false
}

func (g *Group) addParents(dir string, seen map[string]bool) {
	for up := filepath.Dir(dir); !seen[up]; up = filepath.Dir(up) {
		if _, err := os.Lstat(up); err == nil {
			return
		}
		seen[up] = true
		g.parents = append([]string{up}, g.parents...)
	}
}

// parentMark ends the names of directories that Remove only removes when
// nobody else uses them; sandboxMark ends the name of the sandbox's own group
// beside a container's.
const (
	parentMark  = "/"
	sandboxMark = ".sandbox"
)

// Paths are the directories that Create may make, in order.
func (g *Group) Paths() []string {
	var all []string
	for _, p := range g.parents {
		all = append(all, p+parentMark)
	}
	all = append(all, g.dirs()...)
	if g.tasks != "" {
		all = append(all, g.tasks)
	}
	return all
}

// Create makes the directories, moves processes in and sets the limits. A user
// who may not make cgroups gets none, as long as no limit is asked for.
func (g *Group) Create(pids ...int) error {
	if g.lib == nil || len(pids) == 0 {
		return nil
	}
	if err := g.checkUnused(); err != nil {
		return err
	}
	err := g.lib.Apply(pids[0])
	for _, pid := range pids[1:] {
		if err == nil {
			err = g.lib.AddPid("", pid)
		}
	}
	switch {
	case err == nil:
	case errors.Is(err, cgroups.ErrRootless), !asksAny(g.resources) && noRight(err):
		if asksAny(g.resources) {
			g.unbound = true
		}
		return nil
	default:
		return fmt.Errorf("joining cgroup: %w", err)
	}
	if err := g.lib.Set(g.config.Resources); err != nil {
		return fmt.Errorf("linux.resources: %w", err)
	}
	return g.joinTasks(pids)
}

func noRight(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, errReadOnly)
}

// checkUnused refuses directories that somebody else uses.
func (g *Group) checkUnused() error {
	for _, dir := range g.dirs() {
		pids, err := cgroups.GetAllPids(dir)
		if err == nil && len(pids) > 0 {
			return fmt.Errorf("container's cgroup is not empty: %d process(es) found in %s", len(pids), dir)
		}
	}
	if state, err := g.lib.GetFreezerState(); err == nil && state == cgroups.Frozen {
		return errors.New("container's cgroup unexpectedly frozen")
	}
	return nil
}

// Add moves a process in.
func (g *Group) Add(pid int) error {
	if g.lib == nil {
		return nil
	}
	if err := g.lib.AddPid("", pid); err != nil && !errors.Is(err, cgroups.ErrRootless) {
		return fmt.Errorf("joining cgroup: %w", err)
	}
	return g.joinTasks([]int{pid})
}

// PIDs are the host's processes in the group, those of groups below it too.
func (g *Group) PIDs() ([]int, error) {
	for _, dir := range g.dirs() {
		if pids, err := cgroups.GetAllPids(dir); err == nil {
			return pids, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, nil
}

// MemoryDir is the directory with the limit of memory, or empty.
func (g *Group) MemoryDir() string {
	if g.lib == nil || !g.host.has("memory") {
		return ""
	}
	return g.lib.Path("memory")
}

// OOMKills is how often the host killed a process of the group for memory.
func (g *Group) OOMKills() (uint64, error) {
	if g.lib == nil {
		return 0, nil
	}
	return g.lib.OOMKillCount()
}

// Freeze stops every process of the group, Thaw lets them go on.
func (g *Group) Freeze() error { return g.freeze(cgroups.Frozen) }

// Thaw undoes Freeze.
func (g *Group) Thaw() error { return g.freeze(cgroups.Thawed) }

func (g *Group) freeze(to cgroups.FreezerState) error {
	if g.lib == nil {
		return errors.New("cannot toggle freezer: cgroups not configured for container")
	}
	return g.lib.Freeze(to)
}

// Frozen reports whether the group is frozen.
func (g *Group) Frozen() (bool, error) {
	if g.lib == nil {
		return false, nil
	}
	state, err := g.lib.GetFreezerState()
	return state == cgroups.Frozen, err
}

// Remove undoes Create.
func (g *Group) Remove() error {
	err := Remove(g.Paths())
	if g.lib != nil && g.config.Systemd {
		// The directories are gone; the unit is to go too.
		err = errors.Join(err, g.lib.Destroy())
	}
	return err
}

// hostTasks is how many tasks of the host a sandbox may have whose guest may have
// so many: each has a thread of the Sentry, and a stub with a thread or two.
func hostTasks(guest int64) int64 {
	const own, each = 256, 4
	if guest <= 0 || guest > (1<<31)/each-own {
		return -1
	}
	return own + each*guest
}

// forHost returns the resources with the bound of tasks that version 2 of the
// host is to have.
func (g *Group) forHost(r *cgroups.Resources) *cgroups.Resources {
	if !g.host.unified {
		return r
	}
	x := *r
	if n := value(x.PidsLimit); n > 0 {
		n = hostTasks(n)
		x.PidsLimit = &n
	}
	if text, ok := x.Unified["pids.max"]; ok {
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
			x.Unified["pids.max"] = strings.Replace(strconv.FormatInt(hostTasks(n), 10), "-1", "max", 1)
		}
	}
	return &x
}

// besideName is the name of the sandbox's own group beside the container's. That of an
// engine's container, which has an identifier, is shorter than the container's: Podman
// looks for what the process uses in the group with the longest path of all.
func besideName(dir string) string {
	const identifier = 64
	parent, base := filepath.Split(dir)
	if len(base) < identifier {
		return dir + sandboxMark
	}
	return filepath.Join(parent, "~"+base[2:])
}

// joinTasks moves processes into the sandbox's own group of version 1's pids
// hierarchy.
func (g *Group) joinTasks(pids []int) error {
	if g.tasks == "" {
		return nil
	}
	if err := os.Mkdir(g.tasks, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := g.limitTasks(value(g.config.PidsLimit)); err != nil {
		return err
	}
	for _, pid := range pids {
		if err := cgroups.WriteCgroupProc(g.tasks, pid); err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) limitTasks(guest int64) error {
	text := "max"
	if n := hostTasks(guest); n > 0 {
		text = strconv.FormatInt(n, 10)
	}
	return cgroups.WriteFile(g.tasks, "pids.max", text)
}
