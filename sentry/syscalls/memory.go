package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

const pageSize = 4096

// sysMmap is mmap(2).
func sysMmap(t *task.Task, addr arg.Addr, n arg.Size, prot linux.Prot, flags linux.MapFlags, fd linux.FD, off arg.Off) (uintptr, error) {
	if off%pageSize != 0 {
		return 0, linux.EINVAL
	}
	o := mm.MMapOpts{
		Addr: uint64(addr), Len: uint64(n), Prot: prot, Flags: flags, Offset: uint64(off),
		LockAnyway: t.Cred().HasRoot(linux.CAP_IPC_LOCK),
	}
	if flags&linux.MAP_ANONYMOUS == 0 {
		d := t.FDs().Get(fd)
		if d == nil {
			return 0, linux.EBADF
		}
		defer d.DecRef()
		shared := flags&linux.MAP_TYPE != linux.MAP_PRIVATE
		var err error
		if o.Mappable, err = d.Mappable(prot, shared); err != nil {
			return 0, err
		}
		o.File = d
		o.MaxProt = linux.PROT_READ | linux.PROT_WRITE | linux.PROT_EXEC
		if shared && !d.Writable() {
			o.MaxProt &^= linux.PROT_WRITE
		}
		if d.Path().Mount.Flags()&linux.MS_NOEXEC != 0 {
			o.MaxProt &^= linux.PROT_EXEC
		}
	}
	at, err := t.MM().MMap(t.Context(), o)
	return uintptr(at), err
}

// sysMunmap is munmap(2).
func sysMunmap(t *task.Task, addr arg.Addr, n arg.Size) (uintptr, error) {
	return 0, t.MM().MUnmap(t.Context(), uint64(addr), uint64(n))
}

// sysMprotect is mprotect(2).
func sysMprotect(t *task.Task, addr arg.Addr, n arg.Size, prot linux.Prot) (uintptr, error) {
	return 0, t.MM().MProtect(t.Context(), uint64(addr), uint64(n), prot)
}

// sysMremap is mremap(2).
func sysMremap(t *task.Task, old arg.Addr, oldLen, newLen arg.Size, flags linux.MremapFlags, to arg.Addr) (uintptr, error) {
	at, err := t.MM().MRemap(t.Context(), uint64(old), uint64(oldLen), uint64(newLen), flags, uint64(to))
	return uintptr(at), err
}

// sysBrk is brk(2), which has no errors.
func sysBrk(t *task.Task, end arg.Addr) (uintptr, error) {
	return uintptr(t.MM().Brk(t.Context(), uint64(end))), nil
}

// sysMadvise is madvise(2).
func sysMadvise(t *task.Task, addr arg.Addr, n arg.Size, advice linux.Madvice) (uintptr, error) {
	return 0, t.MM().MAdvise(t.Context(), uint64(addr), uint64(n), advice)
}

// sysMincore is mincore(2).
func sysMincore(t *task.Task, addr arg.Addr, n arg.Size, vec arg.Out[byte]) (uintptr, error) {
	return 0, t.MM().MIncore(uint64(addr), uint64(n), uint64(vec))
}

// sysMsync is msync(2).
func sysMsync(t *task.Task, addr arg.Addr, n arg.Size, flags linux.MsyncFlags) (uintptr, error) {
	return 0, t.MM().MSync(uint64(addr), uint64(n), flags)
}

// sysMlock is mlock(2).
func sysMlock(t *task.Task, addr arg.Addr, n arg.Size) (uintptr, error) {
	return 0, t.MM().MLock(t.Context(), uint64(addr), uint64(n), 0, t.Cred().HasRoot(linux.CAP_IPC_LOCK))
}

// sysMlock2 is mlock2(2).
func sysMlock2(t *task.Task, addr arg.Addr, n arg.Size, flags linux.Mlock2Flags) (uintptr, error) {
	return 0, t.MM().MLock(t.Context(), uint64(addr), uint64(n), flags, t.Cred().HasRoot(linux.CAP_IPC_LOCK))
}

// sysMunlock is munlock(2).
func sysMunlock(t *task.Task, addr arg.Addr, n arg.Size) (uintptr, error) {
	return 0, t.MM().MUnlock(uint64(addr), uint64(n))
}

// sysMlockall is mlockall(2).
func sysMlockall(t *task.Task, flags linux.MlockFlags) (uintptr, error) {
	return 0, t.MM().MLockAll(t.Context(), flags, t.Cred().HasRoot(linux.CAP_IPC_LOCK))
}

// sysMunlockall is munlockall(2).
func sysMunlockall(t *task.Task) (uintptr, error) {
	t.MM().MUnlockAll()
	return 0, nil
}
