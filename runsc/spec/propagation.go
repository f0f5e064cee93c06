package spec

// follows says whether a mount's options ask for mounts that are made on the host
// later: the last of the propagations counts.
func follows(options []string) bool {
	follow := false
	for _, o := range options {
		switch o {
		case "slave", "rslave":
			follow = true
		case "private", "rprivate", "unbindable", "runbindable":
			follow = false
		}
	}
	return follow
}
