package spec

import (
	"slices"
	"strings"
)

// propagation is the last that a mount's options name; empty for none or private.
func propagation(options []string) (kind string) {
	for _, o := range options {
		switch o {
		case "shared", "rshared", "slave", "rslave", "unbindable", "runbindable":
			kind = o
		case "private", "rprivate":
			kind = ""
		}
	}
	return kind
}

// toHost finds the option by which mounts made inside would come to the host, as
// runc has it for volumes where the root is shared too; below 0 is none.
func (p *Plan) toHost(options []string) int {
	if !p.sharedRoot || strings.TrimPrefix(propagation(options), "r") != "shared" {
		return -1
	}
	return slices.IndexFunc(options, func(o string) bool { return o == "shared" || o == "rshared" })
}

// follows says whether a mount's options ask for mounts that are made on the host
// later: the last of the propagations counts.
func follows(options []string) bool {
	follow := false
	for _, o := range options {
		switch o {
		case "slave", "rslave", "shared", "rshared":
			follow = true
		case "private", "rprivate", "unbindable", "runbindable":
			follow = false
		}
	}
	return follow
}
