package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/opencontainers/cgroups"
)

// Move moves all processes of one container's groups to another's, if pid is among
// them: a sandbox that goes on without its first container.
func Move(pid int, from, to *Record) error {
	if from == nil || to == nil {
		return nil
	}
	f, err := Load(from)
	if err != nil {
		return err
	}
	t, err := Load(to)
	if err != nil {
		return err
	}
	if f.lib == nil || t.lib == nil || !slices.Contains(f.all(), pid) {
		return nil
	}
	// While they are moved they make others.
	const rounds = 100
	for range rounds {
		pids := f.all()
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			if err := t.Add(pid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return errors.New("processes keep coming")
}

// all are the processes of all of the group's hierarchies, those of groups below it too.
func (g *Group) all() []int {
	seen := map[int]bool{}
	var all []int
	note := func(pids []int) {
		for _, pid := range pids {
			if !seen[pid] {
				seen[pid] = true
				all = append(all, pid)
			}
		}
	}
	for _, dir := range g.dirs() {
		pids, err := cgroups.GetAllPids(dir)
		if err == nil { // else it is gone
			note(pids)
		}
	}
	if g.tasks != "" {
		note(procs(g.tasks))
	}
	return all
}

func procs(dir string) (pids []int) {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs")) // without it nobody is in it
	for f := range strings.FieldsSeq(string(data)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
