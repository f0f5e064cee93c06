package sentry

import (
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/goferfs"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/vfs"
)

// mountError names the mount that failed.
func mountError(m *Mount, err error) error {
	return &StartError{Message: "mounting " + m.Type + " at " + m.Destination + ": " + err.Error()}
}

// kernelCaller is the kernel acting for itself: as root, seeing all of the
// first mount namespace.
func (k *Kernel) kernelCaller() *vfs.Caller {
	c := &vfs.Caller{Cred: cred.Root(k.sys.UserNS, cred.AllCaps), Umask: 0}
	if k.mounts != nil {
		c.Root = k.mounts.Root()
		c.Cwd = c.Root
	}
	return c
}

// mountAll makes the guest's tree.
func (k *Kernel) mountAll() error {
	if err := k.registerFileSystems(); err != nil {
		return &StartError{Message: "file systems: " + err.Error()}
	}
	for i := range k.cfg.Mounts {
		m := &k.cfg.Mounts[i]
		fs, err := k.makeFileSystem(m)
		if err != nil {
			return mountError(m, err)
		}
		if i == 0 {
			ns, err := k.sys.VFS.NewNamespace(k.sys.UserNS, fs, m.Type, m.Flags&^linux.MS_RDONLY)
			if err != nil {
				return mountError(m, err)
			}
			k.mounts = ns
			continue
		}
		if err := k.mountAt(m, fs); err != nil {
			return mountError(m, err)
		}
	}
	if err := k.afterMounts(); err != nil {
		return err
	}
	// The root becomes read-only once every mount point is there.
	if root := &k.cfg.Mounts[0]; root.Flags&linux.MS_RDONLY != 0 {
		if err := vfs.DoMount(k.kernelCaller(), "", "/", "", linux.MS_BIND|linux.MS_REMOUNT|root.Flags, ""); err != nil {
			return mountError(root, err)
		}
	}
	return nil
}

// makeFileSystem makes the instance that m shows.
func (k *Kernel) makeFileSystem(m *Mount) (vfs.FileSystem, error) {
	v := k.sys.VFS
	if m.Type != "gofer" {
		t, ok := v.Type(m.Type)
		if !ok {
			return nil, linux.ENODEV
		}
		return t.New(k.kernelCaller(), m.Type, m.Options)
	}
	if k.gofer == nil {
		return nil, linux.ENODEV
	}
	lower, err := goferfs.New(goferfs.Options{
		Client: k.gofer, Attach: m.Attach, Shared: m.Shared, Device: v.NextDevice(), Hosts: &k.hosts,
	})
	// A root that is only read gets a layer of its own too: mount points that
	// it lacks are made there.
	points := m.Destination == "/" && m.Flags&linux.MS_RDONLY != 0
	if err != nil || !m.Overlay && !points {
		return lower, err
	}
	upper, err := k.newTmpfs("")
	if err != nil {
		return nil, err
	}
	return overlay.New(overlay.Options{
		Lowers: []vfs.FileSystem{lower}, Upper: upper, Device: v.NextDevice(), Clock: k.sys.Clocks.Stamp,
	})
}

func (k *Kernel) newTmpfs(data string) (*tmpfs.FS, error) {
	return tmpfs.New(k.tmpfsOptions(data))
}

func (k *Kernel) tmpfsOptions(data string) tmpfs.Options {
	return tmpfs.Options{
		Memory: k.sys.Memory, Clock: k.sys.Clocks.Stamp, Device: k.sys.VFS.NextDevice(),
		Total: k.cfg.MemoryLimit, Data: data,
	}
}

// mountAt mounts fs at its destination, which is made if it is not there.
func (k *Kernel) mountAt(m *Mount, fs vfs.FileSystem) error {
	p, err := k.makePoint(m.Destination, m.File)
	if err != nil {
		return err
	}
	return k.sys.VFS.Mount(fs, p, m.Type, m.Flags)
}

// makePoint resolves a mount point, making the directories on the way, and the
// last as a file if file is set.
func (k *Kernel) makePoint(path string, file bool) (vfs.Path, error) {
	c := k.kernelCaller()
	at := ""
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range parts {
		at += "/" + name
		_, err := vfs.Resolve(c, c.Root, at, 0)
		if err == error(linux.ENOENT) {
			if file && i == len(parts)-1 {
				err = vfs.Mknod(c, c.Root, at, linux.S_IFREG|0o644, 0)
			} else {
				err = vfs.Mkdir(c, c.Root, at, 0o755)
			}
		}
		if err != nil {
			return vfs.Path{}, err
		}
	}
	return vfs.Resolve(c, c.Root, "/"+strings.Join(parts, "/"), 0)
}
