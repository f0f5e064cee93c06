package spec

import (
	"fmt"
	"slices"

	"cordon/runsc/boot"
	"cordon/runsc/sandbox"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A mount's mappings say which id of its file system (containerID) is shown as which
// of the host's (hostID). Without a user namespace the guest's ids are the host's, and
// the guest kernel maps them. In a user namespace the gofer sees none but the
// namespace's: what lies on the host is mapped there (mount_setattr(2)), before the
// gofer sees it, which takes root of the host.

// mappings are a mount's, empty for none.
type mappings struct{ uids, gids []specs.LinuxIDMapping }

func (m *mappings) none() bool { return len(m.uids) == 0 }

// validateMountIDs checks a mount's own mappings.
func validateMountIDs(m *specs.Mount) error {
	if len(m.UIDMappings) == 0 && len(m.GIDMappings) > 0 {
		return fmt.Errorf("uidMappings: missing, where gidMappings are given")
	}
	if len(m.GIDMappings) == 0 && len(m.UIDMappings) > 0 {
		return fmt.Errorf("gidMappings: missing, where uidMappings are given")
	}
	if err := validateIDs(m.UIDMappings); err != nil {
		return fmt.Errorf("uidMappings%w", err)
	}
	if err := validateIDs(m.GIDMappings); err != nil {
		return fmt.Errorf("gidMappings%w", err)
	}
	return nil
}

// mountIDs are the mappings that a mount asks for: its own, or by an option the
// container's.
func (p *Plan) mountIDs(m *specs.Mount, by string) (mappings, error) {
	switch {
	case len(m.UIDMappings) > 0:
		return mappings{m.UIDMappings, m.GIDMappings}, nil
	case by == "":
		return mappings{}, nil
	case len(p.userIDs.uids) == 0:
		i := slices.Index(m.Options, by)
		return mappings{}, fmt.Errorf("options[%d]: %q without uidMappings, in a container without a user namespace", i, by)
	}
	return p.userIDs, nil
}

// mapIDs has the mount show its file system's ids by a map, and root, nil if the
// guest kernel itself has the file system, be the tree for it.
func (p *Plan) mapIDs(out *boot.Mount, root *sandbox.Root, ids *mappings) {
	switch {
	case ids.none():
	case p.userIDs.none():
		out.UIDs, out.GIDs = guestIDs(ids.uids), guestIDs(ids.gids)
	case root == nil:
		out.UIDs, out.GIDs = within(ids.uids, p.userIDs.uids), within(ids.gids, p.userIDs.gids)
	default:
		root.IDs = &sandbox.IDMaps{UID: idMap(ids.uids), GID: idMap(ids.gids)}
	}
}

// within is a map to the host's ids as one to those that a user namespace has for
// them.
func within(ids, user []specs.LinuxIDMapping) (out []boot.IDMap) {
	for _, m := range ids {
		for _, u := range user {
			first := max(m.HostID, u.HostID)
			end := min(uint64(m.HostID)+uint64(m.Size), uint64(u.HostID)+uint64(u.Size))
			if uint64(first) < end {
				out = append(out, boot.IDMap{Inside: m.ContainerID + (first - m.HostID), Outside: u.ContainerID + (first - u.HostID), Count: uint32(end - uint64(first))})
			}
		}
	}
	return out
}
