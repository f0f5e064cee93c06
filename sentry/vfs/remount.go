package vfs

import "cordon/internal/linux"

// remountBind changes a mount's own flags.
func remountBind(c *Caller, p Path, flags linux.MountFlags) error {
	if p.Dentry != p.Mount.root {
		return linux.EINVAL
	}
	f := mountFlags(flags)
	old := linux.MountFlags(p.Mount.flags.Load())
	if flags&(linux.MS_NOATIME|linux.MS_NODIRATIME|linux.MS_RELATIME|linux.MS_STRICTATIME) == 0 {
		f = f&^linux.MS_RELATIME | old&(linux.MS_NOATIME|linux.MS_NODIRATIME|linux.MS_RELATIME)
	}
	if err := p.Mount.setFlags(f); err != nil {
		return err
	}
	p.Mount.ns.changed()
	return nil
}

// reconfigure gives sb flags and changes its options.
func (sb *superblock) reconfigure(c *Caller, flags linux.MountFlags, data string) error {
	if !c.Cred.HasIn(linux.CAP_SYS_ADMIN, sb.fsUser(c.Cred.UserNS)) {
		return linux.EPERM
	}
	if r, ok := sb.fs.(AlwaysReadOnly); ok && r.ReadOnly() && flags&linux.MS_RDONLY == 0 {
		return linux.EROFS
	}
	was := sb.readOnly.Load()
	if flags&linux.MS_RDONLY != 0 && !was {
		// First the refusal of new writers, then the question whether there are any.
		sb.readOnly.Store(true)
		if sb.writers.Load() > 0 {
			sb.readOnly.Store(false)
			return linux.EBUSY
		}
	}
	if r, ok := sb.fs.(Reconfigurer); ok {
		if err := r.Reconfigure(data); err != nil {
			sb.readOnly.Store(was)
			return err
		}
	}
	sb.readOnly.Store(flags&linux.MS_RDONLY != 0)
	sb.flags.Store(uint64(flags & perSuper))
	return nil
}

// remount changes the file system's options and the mount's flags.
func remount(c *Caller, p Path, flags linux.MountFlags, data string) error {
	if p.Dentry != p.Mount.root {
		return linux.EINVAL
	}
	if err := p.Mount.sb.reconfigure(c, flags, data); err != nil {
		return err
	}
	return remountBind(c, p, flags)
}
