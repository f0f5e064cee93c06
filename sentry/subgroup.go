package sentry

import (
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cgroup"
)

// subgroup returns the control group at a path below the container's own, which
// guests have made.
func (ct *Container) subgroup(path string) (*cgroup.Group, error) {
	g := ct.cgroup
	if path == "" {
		return g, nil
	}
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
			continue
		case "..":
			return nil, &StartError{Message: "cgroup " + path + ": is not below the container's"}
		}
		if g = g.Child(name); g == nil {
			return nil, &StartError{Message: "cgroup " + path + ": " + linux.ENOENT.Error()}
		}
	}
	if e := g.MayHost(); e != 0 {
		return nil, &StartError{Message: "cgroup " + path + ": " + e.Error()}
	}
	return g, nil
}
