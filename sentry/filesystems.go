package sentry

import (
	"path"

	"cordon/internal/linux"
	"cordon/sentry/file/tty"
	"cordon/sentry/fs/devfs"
	"cordon/sentry/fs/devpts"
	"cordon/sentry/fs/overlay"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/fs/sysfs"
	"cordon/sentry/fs/tmpfs"
	"cordon/sentry/socket"
	"cordon/sentry/socket/nettext"
	"cordon/sentry/socket/tun"
	"cordon/sentry/vfs"
)

// registerFileSystems makes the file systems mountable by name and the devices
// openable.
func (k *Kernel) registerFileSystems() error {
	v := k.sys.VFS
	devfs.Register(v, devfs.Options{Random: k.random, Memory: k.sys.Memfds})
	v.RegisterDevice(linux.S_IFCHR, 5, 0, tty.OpenCurrent)
	tun.Register(v, func(c *vfs.Caller) *socket.Namespace { return k.networkOf(c)() })
	tmp := vfs.FileSystemType{NoDev: true, UserMount: true, New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		o := k.tmpfsOptions(data)
		if c != nil {
			o.UID, o.GID, o.User = c.Cred.FSUID, c.Cred.FSGID, c.Cred.UserNS
		}
		return tmpfs.New(o)
	}, Options: tmpfs.OptionNames(), Check: tmpfs.CheckOption}
	v.Register("tmpfs", tmp)
	v.Register("ramfs", tmp)
	v.Register("mqueue", vfs.FileSystemType{NoDev: true, UserMount: true, New: func(c *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		fs := k.queuesOf(c)
		if fs == nil {
			return nil, linux.ENODEV
		}
		return fs.For(c, data)
	}})
	overlay.Register(v)
	k.registerCgroups()
	dev := vfs.FileSystemType{NoDev: true, New: func(_ *vfs.Caller, source, data string) (vfs.FileSystem, error) {
		o := k.tmpfsOptions(data)
		o.Name, o.Mode = "devtmpfs", 0o755
		if source == "tmpfs" { // as the configuration of a container calls it
			o.Name = source
		}
		return devfs.New(o)
	}, Options: tmpfs.OptionNames(), Check: tmpfs.CheckOption}
	v.Register("dev", dev)
	v.Register("devtmpfs", dev)
	v.Register("sysfs", vfs.FileSystemType{NoDev: true, UserMount: true, New: func(c *vfs.Caller, _, _ string) (vfs.FileSystem, error) {
		return k.newSysfs(k.networkOf(c)), nil
	}})
	devpts.Register(v)
	defaults := devpts.Defaults(v, k.sys.Clocks.Monotonic, k.sys)
	v.Register("devpts", vfs.FileSystemType{NoDev: true, UserMount: true, New: func(_ *vfs.Caller, _, data string) (vfs.FileSystem, error) {
		o := defaults
		if err := o.Parse(data); err != nil {
			return nil, err
		}
		return devpts.New(o), nil
	}, Options: []string{"newinstance", "uid", "gid", "mode", "ptmxmode", "max"}, Check: func(option string) error {
		o := defaults
		return o.Parse(option)
	}})
	k.proc = procfs.New(k.sys, procfs.Options{CPUInfo: k.cfg.CPUInfo, CommandLine: "cordon", Net: nettext.Texts{}, Cgroup: cgroupOf})
	k.proc.Register(v)
	return nil
}

func (k *Kernel) newSysfs(net func() *socket.Namespace) vfs.FileSystem {
	total := k.cfg.MemoryLimit
	return sysfs.New(sysfs.Options{
		Device: k.sys.VFS.NextDevice(), Clock: k.sys.Clocks.Realtime.Now, CPUs: k.cfg.CPUs, MemoryTotal: total,
		MemoryFree: func() uint64 { return total - min(total, k.sys.MemoryUsed()) }, HugePages: "madvise",
		Net: func() []sysfs.NetDevice { return netDevices(net()) },
		SetNet: func(c *vfs.Caller, device, file, text string) error {
			return setNetDevice(net(), c, device, file, text)
		},
	})
}

// afterMounts does what a container's specification asks for once its tree is
// there.
func (c *Container) afterMounts() error {
	v := c.kernelCaller()
	for _, d := range c.conf.Devices {
		_, err := c.makePoint(path.Dir(d.Path), false)
		if err == nil {
			err = c.makeDevice(v, &d)
		}
		if err != nil {
			return &StartError{Message: "linux.devices: " + d.Path + ": " + err.Error()}
		}
	}
	for _, path := range c.conf.ReadOnly {
		if err := c.bindOver(v, path, linux.MS_RDONLY); err != nil {
			return &StartError{Message: "linux.readonlyPaths: " + path + ": " + err.Error()}
		}
	}
	for _, path := range c.conf.Masked {
		if err := c.mask(v, path); err != nil {
			return &StartError{Message: "linux.maskedPaths: " + path + ": " + err.Error()}
		}
	}
	c.spaces.Mount = c.mounts
	return nil
}

func (*Container) makeDevice(c *vfs.Caller, d *Device) error {
	if _, err := vfs.Resolve(c, c.Root, d.Path, vfs.NoFollow); err == nil {
		return nil // the usual ones are there
	}
	if err := vfs.Mknod(c, c.Root, d.Path, d.Mode, linux.MakeDev(d.Major, d.Minor)); err != nil {
		return err
	}
	p, err := vfs.Resolve(c, c.Root, d.Path, vfs.NoFollow)
	if err != nil {
		return err
	}
	return vfs.Chown(c, p, d.UID, d.GID)
}

// bindOver mounts path onto itself with flags; a path that does not exist is
// skipped.
func (*Container) bindOver(c *vfs.Caller, path string, flags linux.MountFlags) error {
	p, err := vfs.Resolve(c, c.Root, path, 0)
	if err != nil {
		return skipAbsent(err)
	}
	if err := vfs.BindPath(p, p, true); err != nil {
		return err
	}
	return vfs.DoMount(c, "", path, "", linux.MS_BIND|linux.MS_REMOUNT|flags, "")
}

func skipAbsent(err error) error {
	if err == error(linux.ENOENT) || err == error(linux.ENOTDIR) {
		return nil
	}
	return err
}

// mask makes path read as empty: a directory is covered by an empty one, a file
// by /dev/null.
func (ct *Container) mask(c *vfs.Caller, path string) error {
	p, err := vfs.Resolve(c, c.Root, path, 0)
	if err != nil {
		return skipAbsent(err)
	}
	if p.Dentry.IsDir() {
		empty, err := tmpfs.New(ct.kernel.tmpfsOptions("size=0"))
		if err != nil {
			return err
		}
		return ct.sys.VFS.Mount(empty, p, "tmpfs", linux.MS_RDONLY)
	}
	null, err := vfs.Resolve(c, c.Root, "/dev/null", 0)
	if err != nil {
		return err
	}
	return vfs.BindPath(null, p, false)
}
