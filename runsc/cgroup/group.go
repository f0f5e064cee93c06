package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A Group is the plan for one container's control groups.
type Group struct {
	// immutable
	leaves   []leaf
	parents  []string // made by us if they are made, uppermost first
	settings []setting
}

// A leaf is the container's directory in one hierarchy.
type leaf struct {
	controller string // "" is version 2
	dir        string
}

// A setting is a value to write. Field names it in messages.
type setting struct {
	controller, file, value, field string
	// optional settings are skipped where the file does not exist.
	optional bool
}

// Plan returns what a container called name needs for its resources, which may
// be nil. name is absolute, or below this process's own cgroup.
func Plan(name string, r *specs.LinuxResources) (*Group, error) {
	h, err := readHost()
	if err != nil {
		return nil, err
	}
	g := &Group{}
	seen := map[string]bool{}
	add := func(controller string) {
		dir := h.dir(controller, name)
		if !seen[dir] {
			seen[dir] = true
			g.leaves = append(g.leaves, leaf{controller, dir})
			g.addParents(dir, seen)
		}
	}
	for _, c := range v1Controllers {
		if h.v1[c] != "" {
			add(c)
		}
	}
	if h.v2 != "" {
		add("")
	}
	if err := g.limits(h, r); err != nil {
		return nil, err
	}
	for i, s := range g.settings {
		dir := h.dir(s.controller, name)
		g.settings[i].file = filepath.Join(dir, s.file)
	}
	return g, nil
}

// ForMemory is the plan for a limit of memory alone.
func ForMemory(id string, limit uint64) (*Group, error) {
	n := int64(limit)
	if n <= 0 {
		return nil, fmt.Errorf("%d bytes are out of range", limit)
	}
	return Plan("cordon-"+id, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &n}})
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
// nobody else uses them.
const parentMark = "/"

// Paths are the directories that Create may make, in order.
func (g *Group) Paths() []string {
	var all []string
	for _, p := range g.parents {
		all = append(all, p+parentMark)
	}
	for _, l := range g.leaves {
		all = append(all, l.dir)
	}
	return all
}

// Remove undoes Create.
func (g *Group) Remove() error { return Remove(g.Paths()) }

// Create makes the directories, writes the limits and moves processes in. A
// user who may not make cgroups gets none, as long as no limit is asked for.
func (g *Group) Create(pids ...int) error {
	for _, l := range g.leaves {
		err := g.makeLeaf(l)
		if len(g.settings) == 0 && (errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS)) {
			continue
		}
		if err != nil {
			return err
		}
		for _, s := range g.settings {
			if s.controller == l.controller || filepath.Dir(s.file) == l.dir {
				if err := s.apply(); err != nil {
					return err
				}
			}
		}
		for _, pid := range pids {
			if err := write(filepath.Join(l.dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
				return fmt.Errorf("joining cgroup %s: %w", l.dir, err)
			}
		}
	}
	return nil
}

func (g *Group) makeLeaf(l leaf) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return fmt.Errorf("making a cgroup: %w", err)
	}
	procs, err := os.ReadFile(filepath.Join(l.dir, "cgroup.procs"))
	if err != nil {
		return fmt.Errorf("cgroup %s: %w", l.dir, err)
	}
	if n := len(bytes.Fields(procs)); n > 0 {
		return fmt.Errorf("container's cgroup is not empty: %d process(es) found in %s", n, l.dir)
	}
	switch l.controller {
	case "cpuset":
		return inheritCPUSet(l.dir)
	case "":
		return g.enableV2(l.dir)
	}
	return nil
}

// inheritCPUSet gives a version 1 cpuset its parent's processors and memory
// nodes: a new one has none, and then takes no process.
func inheritCPUSet(dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(own)) > 0 {
			continue
		}
		up := filepath.Dir(dir)
		above, err := os.ReadFile(filepath.Join(up, file))
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(above)) == 0 {
			if err := inheritCPUSet(up); err != nil {
				return err
			}
			if above, err = os.ReadFile(filepath.Join(up, file)); err != nil {
				return err
			}
		}
		if err := write(filepath.Join(dir, file), string(bytes.TrimSpace(above))); err != nil {
			return err
		}
	}
	return nil
}

// enableV2 switches the needed controllers on from the nearest cgroup that has
// them down to dir's parent.
func (g *Group) enableV2(dir string) error {
	var need []string
	seen := map[string]bool{}
	for _, s := range g.settings {
		if c := controllerV2(s.file); s.controller == "" && c != "" && !seen[c] {
			seen[c] = true
			need = append(need, c)
		}
	}
	if len(need) == 0 {
		return nil
	}
	var chain []string
	for up := filepath.Dir(dir); ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, "cgroup.subtree_control")); err != nil {
			break
		}
		chain = append([]string{up}, chain...)
	}
	for _, up := range chain {
		have, err := os.ReadFile(filepath.Join(up, "cgroup.subtree_control"))
		if err != nil {
			return err
		}
		for _, c := range need {
			if strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+c+" ") {
				continue
			}
			if err := write(filepath.Join(up, "cgroup.subtree_control"), "+"+c); err != nil {
				return fmt.Errorf("enabling cgroup controller %s in %s: %w", c, up, err)
			}
		}
	}
	return nil
}

// controllerV2 is the controller that a version 2 file belongs to.
func controllerV2(file string) string {
	c, _, _ := strings.Cut(filepath.Base(file), ".")
	if c == "cgroup" {
		return ""
	}
	return c
}

func (s setting) apply() error {
	err := write(s.file, s.value)
	if s.optional && errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: writing %q: %w", s.field, s.value, err)
	}
	return nil
}

func write(file, value string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}
