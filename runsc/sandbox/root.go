package sandbox

// A Root is a tree or file that the gofer serves.
type Root struct {
	// Attach is its name in the 9P attach.
	Attach string
	// Path is the host's, absolute and free of symbolic links.
	Path string
	// ReadOnly is enforced by the mount, the gofer and the Sentry.
	ReadOnly bool
	// Connect lets the guest connect to unix sockets below it.
	Connect bool
	// Alone leaves out what is mounted below it.
	Alone bool
	// Writable makes the mount so, whatever it is on the host.
	Writable bool
	// Follow has mounts appear in it that are made on the host later; such a tree is
	// not alone.
	Follow bool
	// ToHost has mounts that the guest makes in it come to the host, if it follows.
	ToHost bool
	// IDs are the maps by which its ids are shown, for a gofer in a user namespace; nil:
	// as they are. Such a tree is alone and does not follow.
	IDs *IDMaps
}

// kind is what enter.c and GoferMain read before the path.
func (r *Root) kind() string {
	kind := "rw"
	if r.ReadOnly {
		kind = "ro"
	}
	if r.Writable {
		kind = "rW"
	}
	switch {
	case r.IDs != nil:
		return kind + "="
	case r.Follow && r.ToHost:
		return kind + ">"
	case r.Follow:
		return kind + "<"
	case r.Alone:
		return kind + "."
	}
	return kind + ":"
}
