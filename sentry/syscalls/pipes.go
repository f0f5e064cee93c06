package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/pipe"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// sysPipe is pipe(2).
func sysPipe(t *task.Task, out arg.Out[[2]int32]) (uintptr, error) { return sysPipe2(t, out, 0) }

// sysPipe2 is pipe2(2).
//
// Partial: O_NOTIFICATION_PIPE is EINVAL
func sysPipe2(t *task.Task, out arg.Out[[2]int32], flags linux.OpenFlags) (uintptr, error) {
	if flags&^(linux.O_CLOEXEC|linux.O_DIRECT|linux.O_NONBLOCK) != 0 {
		return 0, linux.EINVAL
	}
	r, w := pipe.New(flags)
	c, v := t.Caller(), t.System().VFS
	status := flags & (linux.O_DIRECT | linux.O_NONBLOCK)
	in := v.NewAnonInode(c, linux.S_IFIFO|0o600, func(_ *vfs.Caller, f linux.OpenFlags) (vfs.File, error) { return r.Reopen(f) })
	rd := v.NewPseudoFile(c, r, "pipe", in, linux.O_RDONLY|status)
	wd := v.NewPseudoFile(c, w, "pipe", in, linux.O_WRONLY|status)
	return installTwo(t, rd, wd, flags&linux.O_CLOEXEC != 0, out)
}

// installTwo gives two descriptions descriptors and stores them.
func installTwo(t *task.Task, a, b *vfs.Description, cloexec bool, out arg.Out[[2]int32]) (uintptr, error) {
	var f linux.FDFlags
	if cloexec {
		f = linux.FD_CLOEXEC
	}
	x, y, err := t.FDs().InstallTwo(a, b, t.Group().Limits().Soft(linux.RLIMIT_NOFILE), f)
	if err != nil {
		a.DecRef()
		b.DecRef()
		return 0, err
	}
	fds := [2]int32{int32(x), int32(y)}
	if err := out.Store(t.MM(), &fds); err != nil {
		t.FDs().Close(x)
		t.FDs().Close(y)
		return 0, err
	}
	return 0, nil
}
