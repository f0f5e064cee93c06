package cgroup

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/cgroups"
)

// A host is what this process sees of the machine's control groups.
type host struct {
	// unified: version 2 alone. Else v1 says which controllers have a hierarchy.
	unified bool
	v1      map[string]bool
	v2      map[string]bool // controllers that version 2 offers
}

func readHost() (*host, error) {
	h := &host{unified: cgroups.IsCgroup2UnifiedMode(), v1: map[string]bool{}, v2: map[string]bool{}}
	if h.unified {
		data, err := os.ReadFile(filepath.Join(mountPoint, "cgroup.controllers"))
		if err != nil {
			return nil, err
		}
		for c := range strings.FieldsSeq(string(data)) {
			h.v2[c] = true
		}
		return h, nil
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		h.addMount(line)
	}
	return h, nil
}

// mountPoint is where control groups are by convention.
const mountPoint = "/sys/fs/cgroup"

// addMount reads one line of mountinfo (proc_pid_mountinfo(5)).
func (h *host) addMount(line string) {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 5 || len(g) < 3 || g[0] != "cgroup" {
		return
	}
	for opt := range strings.SplitSeq(g[2], ",") {
		h.v1[opt] = true // options that are no controllers do no harm
	}
}

// has reports whether there is a controller, by version 1's name.
func (h *host) has(controller string) bool {
	if !h.unified {
		return h.v1[controller]
	}
	switch controller {
	case "blkio":
		return h.v2["io"]
	case "freezer", "devices":
		return true
	}
	return h.v2[controller]
}
