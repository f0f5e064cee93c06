package spec

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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

// toHost reports whether a mount's options ask for mounts made inside to come to the
// host, as runc has it for volumes where the root is shared too.
func (p *Plan) toHost(options []string) bool {
	return p.sharedRoot && strings.TrimPrefix(propagation(options), "r") == "shared"
}

// propagated finds the option that makes a mount shared.
func propagated(options []string) int {
	return slices.IndexFunc(options, func(o string) bool { return o == "shared" || o == "rshared" })
}

// sharedOnHost reports whether the host's mount that path is in has peers.
func sharedOnHost(path string) bool {
	var st unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, unix.AT_NO_AUTOMOUNT, unix.STATX_MNT_ID, &st) != nil {
		return false
	}
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	id := strconv.FormatUint(st.Mnt_id, 10)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); f[0] == id {
			end := slices.Index(f, "-")
			return end > 6 && slices.ContainsFunc(f[6:end], func(o string) bool { return strings.HasPrefix(o, "shared:") })
		}
	}
	return false
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
