package cgroup

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A host is what this process sees of the machine's control groups.
type host struct {
	// v1 has the mount point of each version 1 controller.
	v1 map[string]string
	// v2 is the mount point of the version 2 hierarchy, or empty, and
	// v2Controllers what it offers.
	v2            string
	v2Controllers map[string]bool
	// own is this process's cgroup by controller; "" is version 2.
	own map[string]string
}

// v1Controllers are those a container gets a cgroup in.
var v1Controllers = []string{"memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "devices", "freezer", "hugetlb"}

func readHost() (*host, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	h := &host{v1: map[string]string{}, v2Controllers: map[string]bool{}, own: map[string]string{}}
	for line := range strings.Lines(string(mounts)) {
		h.addMount(line)
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			h.own[c] = f[2]
		}
	}
	if h.v2 != "" {
		data, err := os.ReadFile(filepath.Join(h.v2, "cgroup.controllers"))
		if err != nil {
			return nil, fmt.Errorf("cgroup version 2: %w", err)
		}
		for c := range strings.FieldsSeq(string(data)) {
			h.v2Controllers[c] = true
		}
	}
	return h, nil
}

// addMount reads one line of mountinfo (proc_pid_mountinfo(5)).
func (h *host) addMount(line string) {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 5 || len(g) < 3 || f[3] != "/" {
		return
	}
	switch g[0] {
	case "cgroup2":
		h.v2 = f[4]
	case "cgroup":
		for opt := range strings.SplitSeq(g[2], ",") {
			for _, c := range v1Controllers {
				if opt == c {
					h.v1[c] = f[4]
				}
			}
		}
	}
}

// dir returns the directory that cgroup name has under controller ("" is
// version 2). A name without a leading slash is below this process's own.
func (h *host) dir(controller, name string) string {
	mount := h.v2
	if controller != "" {
		mount = h.v1[controller]
	}
	if !strings.HasPrefix(name, "/") {
		name = path.Join(h.own[controller], name)
	}
	return filepath.Join(mount, filepath.Clean("/"+name))
}
