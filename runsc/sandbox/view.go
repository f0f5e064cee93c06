package sandbox

import "strings"

// A ViewMount is a directory or file of the host that a container sees at a path.
type ViewMount struct {
	Path, Destination string
	ReadOnly          bool
}

// viewEnv describes what tools of the host find in the mount namespace of a
// container's process (view.c), the root first. Without mounts, or with paths that
// the description cannot have, they find an empty directory.
func viewEnv(mounts []ViewMount) []string {
	var b strings.Builder
	for _, m := range mounts {
		if strings.ContainsAny(m.Path+m.Destination, "\x00\x01\x02") {
			return nil
		}
		kind := "rw"
		if m.ReadOnly {
			kind = "ro"
		}
		b.WriteString(kind + m.Path + "\x01" + m.Destination + "\x02")
	}
	if b.Len() == 0 || b.Len() > maxView {
		return nil
	}
	return []string{"CORDON_VIEW=" + b.String()}
}

// maxView is what one variable of the environment can have (MAX_ARG_STRLEN),
// nearly.
const maxView = 120 << 10
