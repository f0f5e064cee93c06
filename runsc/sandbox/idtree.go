package sandbox

import (
	"errors"
	"fmt"
	"os"

	"cordon/runsc/userns"

	"golang.org/x/sys/unix"
)

// idTree clones what is at a root's path with its ids mapped, for a gofer that is in a
// user namespace and could do neither.
func (r *Root) idTree() (*os.File, error) {
	userNS, err := userns.New(r.IDs.UID, r.IDs.GID)
	if err != nil {
		return nil, fmt.Errorf("making a user namespace of the mappings for %s: %w", r.Path, err)
	}
	defer userNS.Close()
	fd, err := unix.OpenTree(unix.AT_FDCWD, r.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cloning the mount of %s: %w", r.Path, err)
	}
	tree := os.NewFile(uintptr(fd), r.Path)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userNS.Fd()), Propagation: unix.MS_PRIVATE}
	if r.ReadOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	} else if r.Writable {
		attr.Attr_clr = unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		tree.Close()
		if errors.Is(err, unix.EINVAL) {
			return nil, fmt.Errorf("the file system of %s does not support identity-mapped mounts: %w", r.Path, err)
		}
		return nil, fmt.Errorf("mapping the ids of %s: %w", r.Path, err)
	}
	return tree, nil
}
