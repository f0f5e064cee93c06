package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cordon/runsc/boot"
	"cordon/runsc/sandbox"
)

// mounts returns the guest's tree for `do` and what the gofer serves for it.
func (d *doFlags) mounts() ([]boot.Mount, []sandbox.Root, error) {
	mounts := []boot.Mount{
		{Destination: "/", Type: boot.MountGofer, Attach: "root", Overlay: true},
		{Destination: "/proc", Type: boot.MountProc, NoSUID: true, NoDev: true, NoExec: true},
		{Destination: "/sys", Type: boot.MountSysfs, ReadOnly: true, NoSUID: true, NoDev: true, NoExec: true},
		{Destination: "/dev", Type: boot.MountDev, NoSUID: true, NoExec: true},
		{Destination: "/dev/pts", Type: boot.MountDevpts, NoSUID: true, NoExec: true, Options: []string{"mode=620", "ptmxmode=666"}},
		{Destination: "/dev/shm", Type: boot.MountTmpfs, NoSUID: true, NoDev: true, Options: []string{"mode=1777"}},
	}
	roots := []sandbox.Root{{Attach: "root", Path: "/", ReadOnly: true}}
	for _, t := range d.tmpfs {
		if !filepath.IsAbs(t) {
			return nil, nil, fmt.Errorf("--tmpfs: %q is not an absolute path", t)
		}
		mounts = append(mounts, boot.Mount{Destination: filepath.Clean(t), Type: boot.MountTmpfs, NoSUID: true, NoDev: true, Options: []string{"mode=1777"}})
	}
	add := func(flag, value string, writable bool) error {
		b, err := parseBind(value, writable)
		if err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		name := fmt.Sprintf("bind%d", len(roots))
		roots = append(roots, sandbox.Root{Attach: name, Path: b.source, ReadOnly: !writable, Connect: writable})
		mounts = append(mounts, boot.Mount{
			Destination: b.target, Type: boot.MountGofer, Attach: name, File: b.file,
			ReadOnly: b.readOnly, Overlay: !writable && !b.readOnly && !b.file, Shared: writable,
			NoSUID: true, NoDev: true,
		})
		return nil
	}
	for _, v := range d.binds {
		if err := add("--bind", v, false); err != nil {
			return nil, nil, err
		}
	}
	for _, v := range d.rwBinds {
		if err := add("--rw-bind", v, true); err != nil {
			return nil, nil, err
		}
	}
	return mounts, roots, nil
}

type bind struct {
	source, target string
	readOnly, file bool
}

// parseBind reads SRC[:DST][:ro]. The source has to exist.
func parseBind(value string, writable bool) (bind, error) {
	parts := strings.Split(value, ":")
	var b bind
	if n := len(parts); n > 1 && parts[n-1] == "ro" && !writable {
		b.readOnly = true
		parts = parts[:n-1]
	}
	if len(parts) > 2 || parts[0] == "" {
		return b, fmt.Errorf("%q is not SRC[:DST]", value)
	}
	abs, err := filepath.Abs(parts[0])
	if err != nil {
		return b, err
	}
	b.target = abs
	st, err := os.Stat(abs)
	if err != nil {
		return b, err
	}
	if b.source, err = filepath.EvalSymlinks(abs); err != nil {
		return b, err
	}
	b.file = !st.IsDir()
	// A single file has no layer to write to.
	b.readOnly = b.readOnly || b.file && !writable
	if len(parts) == 2 {
		b.target = parts[1]
	}
	if !filepath.IsAbs(b.target) {
		return b, fmt.Errorf("%q is not an absolute path", b.target)
	}
	b.target = filepath.Clean(b.target)
	return b, nil
}
