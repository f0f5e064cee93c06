package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"cordon/runsc/userns"

	"golang.org/x/sys/unix"
)

// A snapshotter that keeps one copy of an image for containers with different user
// namespaces asks for its layers with their ids mapped: by "uidmap=" and "gidmap="
// beside an overlay's or a bind mount's options.

// maxRanges bounds the lines of a map.
const maxRanges = 340

// idMaps are from a layer's ids to the host's.
type idMaps struct{ uids, gids []syscall.SysProcIDMap }

// mountMaps takes the maps out of a mount's options; nil: there are none.
func mountMaps(options []string) (rest []string, maps *idMaps, err error) {
	var m idMaps
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		to := map[string]*[]syscall.SysProcIDMap{"uidmap": &m.uids, "gidmap": &m.gids}[key]
		if to == nil {
			rest = append(rest, o)
			continue
		}
		if *to, err = parseMap(value); err != nil {
			return nil, nil, fmt.Errorf("option %s: %w", o, err)
		}
	}
	switch {
	case len(m.uids) == 0 && len(m.gids) == 0:
		return rest, nil, nil
	case len(m.uids) == 0 || len(m.gids) == 0:
		return nil, nil, errors.New("options uidmap and gidmap: one without the other")
	}
	return rest, &m, nil
}

// parseMap reads "container:host:size", several separated by commas.
func parseMap(s string) (out []syscall.SysProcIDMap, err error) {
	for line := range strings.SplitSeq(s, ",") {
		f := strings.Split(line, ":")
		if len(f) != 3 || len(out) == maxRanges {
			return nil, errors.New("no id map")
		}
		var n [3]int
		for i := range n {
			v, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return nil, errors.New("no id map")
			}
			n[i] = int(v)
		}
		out = append(out, syscall.SysProcIDMap{ContainerID: n[0], HostID: n[1], Size: n[2]})
	}
	return out, nil
}

// mountMapped is mountOne with ids mapped: of a bind mount the mount itself, of an
// overlay its lower layers, which are shown at places of their own until it is made.
func mountMapped(target string, source string, fsType string, flags uintptr, data []string, maps *idMaps) error {
	user, err := userns.New(maps.uids, maps.gids)
	if err != nil {
		return fmt.Errorf("making a user namespace of the maps: %w", err)
	}
	defer user.Close()
	if flags&unix.MS_BIND != 0 {
		if err := showMapped(source, target, user, flags&unix.MS_REC != 0); err != nil {
			return err
		}
		if flags&unix.MS_RDONLY != 0 {
			return os.NewSyscallError("mount", unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}
		return nil
	}
	if fsType != "overlay" {
		return fmt.Errorf("uidmap and gidmap for %s are not supported", fsType)
	}
	dir, err := os.MkdirTemp("", "runsc-layers-")
	if err != nil {
		return err
	}
	var shown []string
	defer func() {
		for _, at := range shown { // the overlay has its own of them
			unix.Unmount(at, unix.MNT_DETACH)
			os.Remove(at)
		}
		os.Remove(dir)
	}()
	mapped := make([]string, len(data))
	for i, o := range data {
		mapped[i] = o
		lower, ok := strings.CutPrefix(o, "lowerdir=")
		if !ok {
			continue
		}
		for n, layer := range strings.Split(lower, ":") {
			at := filepath.Join(dir, strconv.Itoa(n))
			if err := os.Mkdir(at, 0o700); err != nil {
				return err
			}
			shown = append(shown, at)
			if err := showMapped(layer, at, user, false); err != nil {
				return err
			}
		}
		mapped[i] = "lowerdir=" + strings.Join(shown, ":")
	}
	return mountPlain(target, source, fsType, flags, mapped)
}

// showMapped mounts what is at source on target with its ids mapped by a user
// namespace.
func showMapped(source, target string, user *os.File, rec bool) error {
	var all uint
	if rec {
		all = unix.AT_RECURSIVE
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, source, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|all)
	if err != nil {
		return &os.PathError{Op: "open_tree", Path: source, Err: err}
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(user.Fd()), Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|all, &attr); err != nil {
		return &os.PathError{Op: "mapping the ids of", Path: source, Err: err}
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: target, Err: err}
	}
	return nil
}
