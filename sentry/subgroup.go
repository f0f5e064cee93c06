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
		// One that guests have made inner takes none: where process 1 is, as in
		// runc.
		if first := ct.init; g.MayHost() != 0 && first != nil && first.Cgroup().Within(g) && first.Cgroup().MayHost() == 0 {
			g = first.Cgroup()
		}
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
