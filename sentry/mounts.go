package sentry

import (
	"cmp"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/cgroupfs"
	"cordon/sentry/fs/goferfs"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/hostmount"
	"cordon/sentry/ipc"
	"cordon/sentry/socket"
	"cordon/sentry/vfs"
)

// mountError names the mount that failed.
func mountError(m *Mount, err error) error {
	return &StartError{Message: "mounting " + m.Type + " at " + m.Destination + ": " + err.Error()}
}

// kernelCaller is the kernel acting for itself: as root, seeing all of the
// container's mounts.
func (c *Container) kernelCaller() *vfs.Caller {
	v := &vfs.Caller{Cred: cred.Root(c.sys.UserNS, cred.AllCaps), Umask: 0}
	if c.mounts != nil {
		v.Root = c.mounts.Root()
		v.Cwd = v.Root
	}
	return v
}

// mountAll makes the container's tree.
func (c *Container) mountAll() error {
	if len(c.conf.Mounts) == 0 {
		return &StartError{Message: "the container has no root"}
	}
	if err := c.makeCgroup(); err != nil {
		return err
	}
	for i := range c.conf.Mounts {
		m := &c.conf.Mounts[i]
		fs, err := c.makeFileSystem(m)
		if err != nil {
			return mountError(m, err)
		}
		if i == 0 {
			ns, err := c.sys.VFS.NewNamespace(c.sys.UserNS, fs, m.Type, m.Flags&^linux.MS_RDONLY)
			if err != nil {
				return mountError(m, err)
			}
			c.mounts = ns
			continue
		}
		if err := c.mountAt(m, fs); err != nil {
			return mountError(m, err)
		}
		if err := c.mapIDs(m); err != nil {
			return mountError(m, err)
		}
	}
	if err := c.afterMounts(); err != nil {
		return err
	}
	if err := c.propagations(); err != nil {
		return err
	}
	// The root becomes read-only once every mount point is there.
	if root := &c.conf.Mounts[0]; root.Flags&linux.MS_RDONLY != 0 {
		if err := vfs.DoMount(c.kernelCaller(), "", "/", "", linux.MS_BIND|linux.MS_REMOUNT|root.Flags, ""); err != nil {
			return mountError(root, err)
		}
	}
	return c.makeFiles()
}

// mapIDs has a mount show ids as the configuration says.
func (c *Container) mapIDs(m *Mount) error {
	if len(m.UIDs) == 0 {
		return nil
	}
	v := c.kernelCaller()
	p, err := vfs.Resolve(v, v.Root, m.Destination, 0)
	if err != nil {
		return err
	}
	user := c.sys.UserNS.Child(v.Cred)
	user.SetUIDs(m.UIDs)
	user.SetGIDs(m.GIDs)
	p.Mount.SetIDMap(user)
	return nil
}

// propagations has mounts spread inside as the configuration says.
func (c *Container) propagations() error {
	for i := range c.conf.Mounts {
		m := &c.conf.Mounts[i]
		kind := m.Propagation &^ linux.MS_REC
		if kind == 0 {
			continue
		}
		v := c.kernelCaller()
		p, err := vfs.Resolve(v, v.Root, m.Destination, 0)
		if err != nil {
			return mountError(m, err)
		}
		vfs.SetPropagation(p.Mount, kind, m.Propagation&linux.MS_REC != 0)
		// Something else may have been mounted there since.
		if at, ok := vfs.HostPlaceOf(p.Inode()); m.ToHost && c.mounter != nil && ok && at.Path == m.Attach {
			vfs.SetHost(p.Mount, c.mounter, m.Attach+hostmount.Target)
		}
	}
	return nil
}

// makeFileSystem makes the instance that m shows.
func (c *Container) makeFileSystem(m *Mount) (vfs.FileSystem, error) {
	v := c.sys.VFS
	if m.Type == "proc" {
		return c.kernel.proc.Instance(m.Options, c.pids())
	}
	if m.Type == "mqueue" {
		ns, _ := c.spaces.IPC.(*ipc.Namespace)
		return mqueue.Of(ns).For(nil, m.Options)
	}
	if m.Type == "sysfs" {
		return c.kernel.newSysfs(func() *socket.Namespace {
			n, _ := c.spaces.Net.(*socket.Namespace) // the first container's is made later
			return n
		}), nil
	}
	if m.Type != "gofer" {
		t, ok := v.Type(m.Type)
		if !ok {
			return nil, linux.ENODEV
		}
		options, _ := takeCopyUp(m.Options)
		if m.Type == "cgroup" {
			options = cgroupfs.RootOption + c.spaces.Cgroup.Root().Path(c.sys.Cgroups.Root())
		}
		return t.New(c.kernelCaller(), cmp.Or(m.Source, m.Type), options)
	}
	if c.gofer == nil {
		return nil, linux.ENODEV
	}
	lower, err := goferfs.New(goferfs.Options{
		Client: c.gofer, Attach: m.Attach, Place: m.Place, Shared: m.Shared, Device: v.NextDevice(), Hosts: &c.kernel.hosts,
	})
	// A root that is only read gets a layer of its own too: mount points that
	// it lacks are made there.
	points := m.Destination == "/" && m.Flags&linux.MS_RDONLY != 0
	if err != nil || !m.Overlay && !points {
		return lower, err
	}
	upper, err := c.kernel.newTmpfs("")
	if err != nil {
		return nil, err
	}
	return overlay.New(overlay.Options{
		Lowers: []vfs.FileSystem{lower}, Upper: upper, Device: v.NextDevice(), Clock: c.sys.Clocks.Stamp,
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
func (c *Container) mountAt(m *Mount, fs vfs.FileSystem) error {
	p, err := c.makePoint(m.Destination, m.File)
	if err != nil {
		return err
	}
	if _, copied := takeCopyUp(m.Options); !copied {
		return c.sys.VFS.Mount(fs, p, cmp.Or(m.Source, m.Type), m.Flags)
	}
	if err := c.sys.VFS.Mount(fs, p, cmp.Or(m.Source, m.Type), m.Flags&^linux.MS_RDONLY); err != nil {
		return err
	}
	v := c.kernelCaller()
	to, err := vfs.Resolve(v, v.Root, m.Destination, 0)
	if err != nil {
		return err
	}
	if err := copyUp(v, p, to, 0); err != nil {
		return err
	}
	return vfs.DoMount(v, "", m.Destination, "", linux.MS_BIND|linux.MS_REMOUNT|m.Flags, "")
}

// makePoint resolves a mount point, making the directories on the way, and the
// last as a file if file is set.
func (c *Container) makePoint(path string, file bool) (vfs.Path, error) {
	v := c.kernelCaller()
	at := ""
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range parts {
		at += "/" + name
		_, err := vfs.Resolve(v, v.Root, at, 0)
		if err == error(linux.ENOENT) {
			if file && i == len(parts)-1 {
				err = vfs.Mknod(v, v.Root, at, linux.S_IFREG|0o644, 0)
			} else {
				err = vfs.Mkdir(v, v.Root, at, 0o755)
			}
		}
		if err != nil {
			return vfs.Path{}, err
		}
	}
	return vfs.Resolve(v, v.Root, "/"+strings.Join(parts, "/"), 0)
}
