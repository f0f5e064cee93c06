package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
)

// sysGetrlimit is getrlimit(2).
func sysGetrlimit(t *task.Task, r linux.Resource, out arg.Out[linux.Rlimit]) (uintptr, error) {
	if r < 0 || r >= linux.RLIM_NLIMITS {
		return 0, linux.EINVAL
	}
	l := t.Group().Limits().Get(r)
	return 0, out.Store(t.MM(), &l)
}

// sysSetrlimit is setrlimit(2).
func sysSetrlimit(t *task.Task, r linux.Resource, in arg.In[linux.Rlimit]) (uintptr, error) {
	l, err := in.Load(t.MM())
	if err != nil {
		return 0, err
	}
	_, err = setLimit(t, t.Group(), r, l)
	return 0, err
}

// sysPrlimit64 is prlimit(2).
func sysPrlimit64(t *task.Task, pid arg.PID, r linux.Resource, in arg.In[linux.Rlimit], out arg.Out[linux.Rlimit]) (uintptr, error) {
	var to linux.Rlimit
	if in != 0 {
		var err error
		if to, err = in.Load(t.MM()); err != nil {
			return 0, err
		}
	}
	g := t.Group()
	if pid != 0 && int32(pid) != t.OwnPID() {
		target := t.Find(int32(pid))
		if target == nil {
			return 0, linux.ESRCH
		}
		c, o := t.Cred(), target.Cred()
		if !sameIDs(c, o) && !c.HasIn(linux.CAP_SYS_RESOURCE, o.UserNS) {
			return 0, linux.EPERM
		}
		g = target.Group()
	}
	if r < 0 || r >= linux.RLIM_NLIMITS {
		return 0, linux.EINVAL
	}
	was := g.Limits().Get(r)
	if in != 0 {
		var err error
		if was, err = setLimit(t, g, r, to); err != nil {
			return 0, err
		}
	}
	if out != 0 {
		return 0, out.Store(t.MM(), &was)
	}
	return 0, nil
}

// maxFiles is fs.nr_open, which RLIMIT_NOFILE cannot exceed.
const maxFiles = 1 << 20

func setLimit(t *task.Task, g *task.ThreadGroup, r linux.Resource, to linux.Rlimit) (linux.Rlimit, error) {
	if r < 0 || r >= linux.RLIM_NLIMITS || to.Cur > to.Max {
		return linux.Rlimit{}, linux.EINVAL
	}
	if r == linux.RLIMIT_NOFILE && to.Max > maxFiles {
		return linux.Rlimit{}, linux.EPERM
	}
	was, err := g.Limits().Swap(r, to, func(old linux.Rlimit) error {
		if to.Max > old.Max && !t.Cred().HasRoot(linux.CAP_SYS_RESOURCE) {
			return linux.EPERM
		}
		return nil
	})
	if err == nil && r == linux.RLIMIT_CPU {
		g.SetCPULimit()
	}
	return was, err
}
