package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/containerd/containerd/api/types"
	"golang.org/x/sys/unix"
)

// mountFlags are the options that are flags of mount(2), and whether they are
// set or cleared.
var mountFlags = map[string]struct {
	flag  uintptr
	clear bool
}{
	"ro": {unix.MS_RDONLY, false}, "rw": {unix.MS_RDONLY, true},
	"bind": {unix.MS_BIND, false}, "rbind": {unix.MS_BIND | unix.MS_REC, false},
	"nosuid": {unix.MS_NOSUID, false}, "suid": {unix.MS_NOSUID, true},
	"nodev": {unix.MS_NODEV, false}, "dev": {unix.MS_NODEV, true},
	"noexec": {unix.MS_NOEXEC, false}, "exec": {unix.MS_NOEXEC, true},
	"noatime": {unix.MS_NOATIME, false}, "atime": {unix.MS_NOATIME, true},
	"relatime": {unix.MS_RELATIME, false}, "norelatime": {unix.MS_RELATIME, true},
	"nodiratime": {unix.MS_NODIRATIME, false}, "diratime": {unix.MS_NODIRATIME, true},
	"strictatime": {unix.MS_STRICTATIME, false}, "nostrictatime": {unix.MS_STRICTATIME, true},
	"sync": {unix.MS_SYNCHRONOUS, false}, "async": {unix.MS_SYNCHRONOUS, true},
	"dirsync": {unix.MS_DIRSYNC, false}, "remount": {unix.MS_REMOUNT, false},
	"defaults": {0, false},
}

// mountRootfs makes the mounts that a snapshotter asks for, and undoes those made
// when one fails.
func mountRootfs(rootfs string, mounts []*types.Mount) error {
	for _, m := range mounts {
		if err := mountOne(filepath.Join(rootfs, m.Target), m); err != nil {
			return errors.Join(fmt.Errorf("mounting the root file system (%s): %w", m.Type, err), unmountRootfs(rootfs))
		}
	}
	return nil
}

func mountOne(target string, m *types.Mount) error {
	var flags uintptr
	var data []string
	options, maps, err := mountMaps(m.Options)
	if err != nil {
		return err
	}
	source, loop := m.Source, false
	for _, o := range options {
		f, isFlag := mountFlags[o]
		switch {
		case isFlag && f.clear:
			flags &^= f.flag
		case isFlag:
			flags |= f.flag
		case o == "loop":
			loop = true
		default:
			data = append(data, o)
		}
	}
	if maps != nil {
		return mountMapped(target, source, m.Type, flags, data, maps)
	}
	if loop {
		// Open until it is mounted: then it stays as long as that.
		device, err := openLoop(source, flags&unix.MS_RDONLY != 0)
		if err != nil {
			return err
		}
		defer device.Close()
		source = device.Name()
	}
	return mountPlain(target, source, m.Type, flags, data)
}

func mountPlain(target, source, fsType string, flags uintptr, data []string) error {
	if flags&unix.MS_BIND != 0 {
		fsType = ""
	}
	text := strings.Join(data, ",")
	if fsType == "overlay" && len(text) >= os.Getpagesize()-1 {
		if err := mountShortened(target, source, data, flags); err != nil {
			return err
		}
	} else if err := unix.Mount(source, target, fsType, flags, text); err != nil {
		return os.NewSyscallError("mount", err)
	}
	// A bind mount takes other flags only afterwards.
	const both = unix.MS_BIND | unix.MS_RDONLY
	if flags&both == both {
		return os.NewSyscallError("mount", unix.Mount("", target, "", flags|unix.MS_REMOUNT, ""))
	}
	return nil
}

// mountShortened makes an overlay of so many layers that their names do not fit
// into the page that mount(2) takes, from a directory that most are below.
func mountShortened(target, source string, data []string, flags uintptr) error {
	var lower string
	for _, o := range data {
		if l, ok := strings.CutPrefix(o, "lowerdir="); ok {
			lower = l
		}
	}
	layers := strings.Split(lower, ":")
	dir := commonDir(layers)
	if dir == "/" {
		return errors.New("the overlay's layers have names too long for mount(2)")
	}
	for i, l := range layers {
		layers[i], _ = filepath.Rel(dir, l)
	}
	short := make([]string, len(data))
	for i, o := range data {
		if short[i] = o; strings.HasPrefix(o, "lowerdir=") {
			short[i] = "lowerdir=" + strings.Join(layers, ":")
		}
	}
	done := make(chan error)
	go func() {
		// The thread's working directory becomes its own; the thread ends with
		// the goroutine, as it stays locked.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Chdir(dir)
		}
		if err == nil {
			err = unix.Mount(source, target, "overlay", flags, strings.Join(short, ","))
		}
		done <- os.NewSyscallError("mount", err)
	}()
	return <-done
}

// commonDir is the deepest directory that all paths are below.
func commonDir(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, p := range paths[1:] {
		for dir != "/" && !strings.HasPrefix(p, dir+"/") {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// maxMounts bounds the mounts on top of each other that are undone.
const maxMounts = 128

// unmountRootfs undoes all mounts of a root. One that is in use goes when it is
// not any more.
func unmountRootfs(rootfs string) error {
	for range maxMounts {
		err := unix.Unmount(rootfs, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil || errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT):
			return nil // no mount is left
		default:
			return &os.PathError{Op: "unmount", Path: rootfs, Err: err}
		}
	}
	return fmt.Errorf("%s: more than %d mounts", rootfs, maxMounts)
}
