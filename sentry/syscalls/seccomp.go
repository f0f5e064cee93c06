package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/bpf"
	"cordon/sentry/task"
)

// sysSeccomp is seccomp(2).
func sysSeccomp(t *task.Task, op linux.SeccompOp, flags linux.SeccompFilterFlags, args arg.Addr) (uintptr, error) {
	switch op {
	case linux.SECCOMP_SET_MODE_STRICT:
		if flags != 0 || args != 0 {
			return 0, linux.EINVAL
		}
		return strictMode(t)
	case linux.SECCOMP_SET_MODE_FILTER:
		return addFilter(t, flags, uint64(args))
	case linux.SECCOMP_GET_ACTION_AVAIL:
		if flags != 0 {
			return 0, linux.EINVAL
		}
		var a linux.SeccompAction
		if _, err := t.MM().CopyIn(uint64(args), arg.Bytes(&a)); err != nil {
			return 0, err
		}
		switch a {
		case linux.SECCOMP_RET_KILL_PROCESS, linux.SECCOMP_RET_KILL_THREAD, linux.SECCOMP_RET_TRAP, linux.SECCOMP_RET_ERRNO,
			linux.SECCOMP_RET_USER_NOTIF, linux.SECCOMP_RET_TRACE, linux.SECCOMP_RET_LOG, linux.SECCOMP_RET_ALLOW:
			return 0, nil
		}
		return 0, linux.EOPNOTSUPP
	case linux.SECCOMP_GET_NOTIF_SIZES:
		if flags != 0 {
			return 0, linux.EINVAL
		}
		z := linux.SeccompNotifSizes{
			Notif:     uint16(len(arg.Bytes(new(linux.SeccompNotif)))),
			NotifResp: uint16(len(arg.Bytes(new(linux.SeccompNotifResp)))),
			Data:      uint16(len(arg.Bytes(new(linux.SeccompData)))),
		}
		return 0, arg.Out[linux.SeccompNotifSizes](args).Store(t.MM(), &z)
	}
	return 0, linux.EINVAL
}

func strictMode(t *task.Task) (uintptr, error) {
	if e := t.SetSeccompStrict(); e != 0 {
		return 0, e
	}
	return 0, nil
}

// prctlSeccomp is prctl(PR_SET_SECCOMP).
func prctlSeccomp(t *task.Task, mode, filter uint64) (uintptr, error) {
	switch mode {
	case linux.SECCOMP_MODE_STRICT:
		return strictMode(t)
	case linux.SECCOMP_MODE_FILTER:
		return addFilter(t, 0, filter)
	}
	return 0, linux.EINVAL
}

const filterFlags = linux.SECCOMP_FILTER_FLAG_TSYNC | linux.SECCOMP_FILTER_FLAG_LOG |
	linux.SECCOMP_FILTER_FLAG_SPEC_ALLOW | linux.SECCOMP_FILTER_FLAG_NEW_LISTENER |
	linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH | linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

// addFilter installs the struct sock_fprog at addr (Linux: kernel/seccomp.c
// seccomp_set_mode_filter).
func addFilter(t *task.Task, flags linux.SeccompFilterFlags, addr uint64) (uintptr, error) {
	listen := flags&linux.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0
	// With both, a result would be a thread or a descriptor.
	const both = linux.SECCOMP_FILTER_FLAG_TSYNC | linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	if flags&^filterFlags != 0 || listen && flags&both == linux.SECCOMP_FILTER_FLAG_TSYNC ||
		!listen && flags&linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV != 0 {
		return 0, linux.EINVAL
	}
	var fprog linux.SockFprog
	if _, err := t.MM().CopyIn(addr, arg.Bytes(&fprog)); err != nil {
		return 0, err
	}
	if fprog.Len == 0 || fprog.Len > linux.BPF_MAXINSNS {
		return 0, linux.EINVAL
	}
	if c := t.Cred(); !c.NoNewPrivs && !c.Has(linux.CAP_SYS_ADMIN) {
		return 0, linux.EACCES
	}
	b := make([]byte, int(fprog.Len)*bpf.InstructionSize)
	if _, err := t.MM().CopyIn(fprog.Filter, b); err != nil {
		return 0, err
	}
	p, ok := task.ParseFilter(b)
	if !ok {
		return 0, linux.EINVAL
	}
	if listen {
		l, fd, err := newListener(t, flags)
		if err != nil {
			return 0, err
		}
		if _, err = attachFilter(t, p, flags, l); err != nil {
			t.FDs().Close(fd)
		}
		return uintptr(fd), err
	}
	return attachFilter(t, p, flags, nil)
}

func attachFilter(t *task.Task, p *bpf.Program, flags linux.SeccompFilterFlags, l *task.Listener) (uintptr, error) {
	thread, e := t.AddSeccompFilter(p, flags, l)
	switch {
	case e != 0:
		return 0, e
	case thread != 0 && flags&linux.SECCOMP_FILTER_FLAG_TSYNC_ESRCH != 0:
		return 0, linux.ESRCH
	}
	return uintptr(thread), nil
}
