package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// resolve finds the place of a path, or of the descriptor itself for an empty
// path with AT_EMPTY_PATH. The place's drop is to be called.
func resolve(t *task.Task, dir linux.FD, path arg.Path, flags vfs.WalkFlags) (vfs.Path, place, error) {
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return vfs.Path{}, place{}, err
	}
	p, err := vfs.Resolve(c, n.at, n.path, flags)
	n.text.put()
	if err != nil {
		n.place.drop()
		return vfs.Path{}, place{}, err
	}
	return p, n.place, nil
}

// walkFlags turns AT_ flags into those of a walk, refusing unknown ones.
func walkFlags(flags, known linux.AtFlags) (w vfs.WalkFlags, err error) {
	if flags&^known != 0 {
		return 0, linux.EINVAL
	}
	if flags&linux.AT_SYMLINK_NOFOLLOW != 0 {
		w |= vfs.NoFollow
	}
	if flags&linux.AT_EMPTY_PATH != 0 {
		w |= vfs.EmptyPath
	}
	return w, nil
}

const cwd = linux.FD(linux.AT_FDCWD)

// sysStat is stat(2).
func sysStat(t *task.Task, path arg.Path, out arg.Out[linux.Stat]) (uintptr, error) {
	return stat(t, cwd, path, 0, out)
}

// sysLstat is lstat(2).
func sysLstat(t *task.Task, path arg.Path, out arg.Out[linux.Stat]) (uintptr, error) {
	return stat(t, cwd, path, vfs.NoFollow, out)
}

// sysNewfstatat is fstatat(2).
func sysNewfstatat(t *task.Task, dir linux.FD, path arg.Path, out arg.Out[linux.Stat], flags linux.AtFlags) (uintptr, error) {
	w, err := walkFlags(flags, linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH|linux.AT_NO_AUTOMOUNT)
	if err != nil {
		return 0, err
	}
	return stat(t, dir, path, w, out)
}

func stat(t *task.Task, dir linux.FD, path arg.Path, w vfs.WalkFlags, out arg.Out[linux.Stat]) (uintptr, error) {
	p, at, err := resolve(t, dir, path, w)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	st, err := vfs.Stat(t.Caller(), p)
	if err != nil {
		return 0, err
	}
	return 0, out.Store(t.MM(), &st)
}

// sysFstat is fstat(2).
func sysFstat(t *task.Task, fd linux.FD, out arg.Out[linux.Stat]) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	st, err := vfs.Stat(t.Caller(), d.Path())
	if err != nil {
		return 0, err
	}
	return 0, out.Store(t.MM(), &st)
}

// sysStatx is statx(2).
func sysStatx(t *task.Task, dir linux.FD, path arg.Path, flags linux.AtFlags, mask linux.StatxMask, out arg.Out[linux.Statx]) (uintptr, error) {
	const sync = linux.AT_STATX_FORCE_SYNC | linux.AT_STATX_DONT_SYNC
	if mask&linux.STATX__RESERVED != 0 || flags&sync == sync {
		return 0, linux.EINVAL
	}
	w, err := walkFlags(flags, linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH|linux.AT_NO_AUTOMOUNT|sync)
	if err != nil {
		return 0, err
	}
	if path == 0 && flags&linux.AT_EMPTY_PATH == 0 {
		return 0, linux.EFAULT
	}
	var p vfs.Path
	if path == 0 { // as of Linux 6.11, NULL means the empty path
		d, err := borrow(t, dir)
		if err != nil {
			return 0, err
		}
		defer d.DecRef()
		p = d.Path()
	} else {
		var at place
		if p, at, err = resolve(t, dir, path, w); err != nil {
			return 0, err
		}
		defer at.drop()
	}
	st, err := vfs.Statx(t.Caller(), p, mask)
	if err != nil {
		return 0, err
	}
	return 0, out.Store(t.MM(), &st)
}

// sysAccess is access(2).
func sysAccess(t *task.Task, path arg.Path, mode linux.AccessMode) (uintptr, error) {
	return access(t, cwd, path, mode, 0)
}

// sysFaccessat is the kernel's faccessat, which has no flags.
func sysFaccessat(t *task.Task, dir linux.FD, path arg.Path, mode linux.AccessMode) (uintptr, error) {
	return access(t, dir, path, mode, 0)
}

// sysFaccessat2 is faccessat(2).
func sysFaccessat2(t *task.Task, dir linux.FD, path arg.Path, mode linux.AccessMode, flags linux.AtFlags) (uintptr, error) {
	if flags&^(linux.AT_EACCESS|linux.AT_SYMLINK_NOFOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	return access(t, dir, path, mode, flags)
}

func access(t *task.Task, dir linux.FD, path arg.Path, mode linux.AccessMode, flags linux.AtFlags) (uintptr, error) {
	if mode&^7 != 0 {
		return 0, linux.EINVAL
	}
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return 0, err
	}
	defer n.drop()
	return 0, vfs.AccessPath(c, n.at, n.path, mode, flags)
}

// sysMkdir is mkdir(2).
func sysMkdir(t *task.Task, path arg.Path, mode arg.Mode) (uintptr, error) {
	return sysMkdirat(t, cwd, path, mode)
}

// sysMkdirat is mkdirat(2).
func sysMkdirat(t *task.Task, dir linux.FD, path arg.Path, mode arg.Mode) (uintptr, error) {
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return 0, err
	}
	defer n.drop()
	return 0, vfs.Mkdir(c, n.at, n.path, linux.FileMode(mode))
}

// sysMknod is mknod(2).
func sysMknod(t *task.Task, path arg.Path, mode arg.Mode, dev arg.Dev) (uintptr, error) {
	return sysMknodat(t, cwd, path, mode, dev)
}

// sysMknodat is mknodat(2).
func sysMknodat(t *task.Task, dir linux.FD, path arg.Path, mode arg.Mode, dev arg.Dev) (uintptr, error) {
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return 0, err
	}
	defer n.drop()
	return 0, vfs.Mknod(c, n.at, n.path, linux.FileMode(mode), uint64(dev))
}

// sysUnlink is unlink(2).
func sysUnlink(t *task.Task, path arg.Path) (uintptr, error) { return sysUnlinkat(t, cwd, path, 0) }

// sysRmdir is rmdir(2).
func sysRmdir(t *task.Task, path arg.Path) (uintptr, error) {
	return sysUnlinkat(t, cwd, path, linux.AT_REMOVEDIR)
}

// sysUnlinkat is unlinkat(2).
func sysUnlinkat(t *task.Task, dir linux.FD, path arg.Path, flags linux.AtFlags) (uintptr, error) {
	if flags&^linux.AT_REMOVEDIR != 0 {
		return 0, linux.EINVAL
	}
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return 0, err
	}
	defer n.drop()
	if flags != 0 {
		return 0, vfs.Rmdir(c, n.at, n.path)
	}
	return 0, vfs.Unlink(c, n.at, n.path)
}

// sysRename is rename(2).
func sysRename(t *task.Task, from, to arg.Path) (uintptr, error) {
	return sysRenameat2(t, cwd, from, cwd, to, 0)
}

// sysRenameat is renameat(2).
func sysRenameat(t *task.Task, fromDir linux.FD, from arg.Path, toDir linux.FD, to arg.Path) (uintptr, error) {
	return sysRenameat2(t, fromDir, from, toDir, to, 0)
}

// sysRenameat2 is renameat2(2).
func sysRenameat2(t *task.Task, fromDir linux.FD, from arg.Path, toDir linux.FD, to arg.Path, flags linux.RenameFlags) (uintptr, error) {
	const known = linux.RENAME_NOREPLACE | linux.RENAME_EXCHANGE | linux.RENAME_WHITEOUT
	if flags&^known != 0 || flags&linux.RENAME_EXCHANGE != 0 && flags != linux.RENAME_EXCHANGE {
		return 0, linux.EINVAL
	}
	a, at, err := loadAt(t, fromDir, from)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	b, bt, err := loadAt(t, toDir, to)
	if err != nil {
		return 0, err
	}
	defer bt.drop()
	return 0, vfs.Rename(t.Caller(), at.at, a, bt.at, b, flags)
}

// sysLink is link(2).
func sysLink(t *task.Task, from, to arg.Path) (uintptr, error) {
	return sysLinkat(t, cwd, from, cwd, to, 0)
}

// sysLinkat is linkat(2).
func sysLinkat(t *task.Task, fromDir linux.FD, from arg.Path, toDir linux.FD, to arg.Path, flags linux.AtFlags) (uintptr, error) {
	if flags&^(linux.AT_SYMLINK_FOLLOW|linux.AT_EMPTY_PATH) != 0 {
		return 0, linux.EINVAL
	}
	a, at, err := loadAt(t, fromDir, from)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	b, bt, err := loadAt(t, toDir, to)
	if err != nil {
		return 0, err
	}
	defer bt.drop()
	return 0, vfs.Link(t.Caller(), at.at, a, bt.at, b, flags)
}

// sysSymlink is symlink(2).
func sysSymlink(t *task.Task, target, path arg.Path) (uintptr, error) {
	return sysSymlinkat(t, target, cwd, path)
}

// sysSymlinkat is symlinkat(2).
func sysSymlinkat(t *task.Task, target arg.Path, dir linux.FD, path arg.Path) (uintptr, error) {
	text, err := target.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if text == "" {
		return 0, linux.ENOENT
	}
	s, at, err := loadAt(t, dir, path)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	return 0, vfs.MakeSymlink(t.Caller(), text, at.at, s)
}

// sysReadlink is readlink(2).
func sysReadlink(t *task.Task, path arg.Path, buf arg.OutBytes, n arg.Count) (uintptr, error) {
	return sysReadlinkat(t, cwd, path, buf, n)
}

// sysReadlinkat is readlinkat(2).
func sysReadlinkat(t *task.Task, dir linux.FD, path arg.Path, buf arg.OutBytes, size arg.Count) (uintptr, error) {
	if size <= 0 {
		return 0, linux.EINVAL
	}
	c := t.Caller()
	n, err := nameAt(t, c, dir, path)
	if err != nil {
		return 0, err
	}
	defer n.drop()
	text, err := vfs.Readlink(c, n.at, n.path)
	if err != nil {
		return 0, err
	}
	b := []byte(text)[:min(len(text), int(size))]
	return uintptr(len(b)), buf.Store(t.MM(), b)
}

// sysTruncate is truncate(2).
func sysTruncate(t *task.Task, path arg.Path, size arg.Off) (uintptr, error) {
	if size < 0 {
		return 0, linux.EINVAL
	}
	p, at, err := resolve(t, cwd, path, 0)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	c := t.Caller()
	_, err = written(t, c, 0, vfs.Truncate(c, p, int64(size)))
	return 0, err
}

// sysFtruncate is ftruncate(2).
func sysFtruncate(t *task.Task, fd linux.FD, size arg.Off) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	c := t.Caller()
	_, err = written(t, c, 0, d.Truncate(c, int64(size)))
	return 0, err
}

// sysStatfs is statfs(2).
func sysStatfs(t *task.Task, path arg.Path, out arg.Out[linux.Statfs]) (uintptr, error) {
	p, at, err := resolve(t, cwd, path, 0)
	if err != nil {
		return 0, err
	}
	defer at.drop()
	st, err := vfs.StatFS(p)
	if err != nil {
		return 0, err
	}
	return 0, out.Store(t.MM(), &st)
}

// sysFstatfs is fstatfs(2).
func sysFstatfs(t *task.Task, fd linux.FD, out arg.Out[linux.Statfs]) (uintptr, error) {
	d, err := borrow(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	st, err := vfs.StatFS(d.Path())
	if err != nil {
		return 0, err
	}
	return 0, out.Store(t.MM(), &st)
}
