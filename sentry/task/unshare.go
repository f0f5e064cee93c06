package task

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/vfs"
)

// newNamespaces returns t's namespaces with those of f made anew, for a task
// with the context fs, which owns the references to those among them that are counted.
// Permission is the caller's to check.
func (t *Task) newNamespaces(f linux.CloneFlags, fs *FSContext, user *cred.UserNamespace) (*Namespaces, linux.Errno) {
	old := t.Namespaces()
	if f&madeNamespaces == 0 {
		old.hold()
		return old, 0
	}
	n := *old
	if f&linux.CLONE_NEWPID != 0 {
		if t.pidsForChildren() != t.group.pids {
			return nil, linux.EINVAL
		}
		var e linux.Errno
		if n.PID, e = t.sys.NewPIDNamespace(t.group.pids, user); e != 0 {
			return nil, e
		}
	}
	if f&linux.CLONE_NEWUTS != 0 {
		n.UTS = n.UTS.Fork()
		n.UTS.user = user
	}
	if f&linux.CLONE_NEWCGROUP != 0 {
		n.Cgroup = NewCgroupNamespace(t.group.Cgroup())
	}
	if f&linux.CLONE_NEWTIME != 0 {
		n.TimeForChildren = NewTimeNamespace(user, n.TimeForChildren.Offsets())
	}
	if f&linux.CLONE_NEWNET != 0 {
		net, e := t.sys.NewNet(user)
		if e != 0 {
			return nil, e
		}
		n.Net = net
	} else {
		n.holdNet()
	}
	if f&linux.CLONE_NEWIPC != 0 {
		n.IPC = t.sys.NewIPC(t.Cred(), user)
	} else {
		n.holdIPC()
	}
	if f&linux.CLONE_NEWNS != 0 {
		fs.rebase(func(paths ...*vfs.Path) { n.Mount = old.Mount.Clone(user, paths...) })
	}
	return &n, 0
}

// madeNamespaces are the kinds that clone and unshare make.
const madeNamespaces = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWCGROUP | linux.CLONE_NEWPID |
	linux.CLONE_NEWTIME | linux.CLONE_NEWNET

// pidsForChildren is the PID namespace that t's children are put into.
func (t *Task) pidsForChildren() *PIDNamespace { return t.pidsFrom(t.group.pids) }

// pidsFrom is pidsForChildren for a task without a group, whose maker is in own.
func (t *Task) pidsFrom(own *PIDNamespace) *PIDNamespace {
	if n := t.Namespaces(); n != nil && n.PID != nil {
		return n.PID
	}
	return own
}

// Unshare is unshare(2). Task-only.
func (t *Task) Unshare(f linux.CloneFlags) linux.Errno {
	const (
		made  = madeNamespaces
		parts = linux.CLONE_FS | linux.CLONE_FILES | linux.CLONE_SYSVSEM | linux.CLONE_THREAD | linux.CLONE_SIGHAND | linux.CLONE_VM
	)
	if f&^(made|parts|linux.CLONE_NEWUSER) != 0 {
		return linux.EINVAL // other namespaces too, as in a kernel without them
	}
	if f&linux.CLONE_NEWUSER != 0 {
		f |= linux.CLONE_THREAD | linux.CLONE_FS
	}
	if f&(linux.CLONE_THREAD|linux.CLONE_SIGHAND|linux.CLONE_VM) != 0 && t.group.Count() > 1 ||
		f&linux.CLONE_VM != 0 && t.MM().Users() > 1 {
		return linux.EINVAL
	}
	cr := t.Cred()
	if f&linux.CLONE_NEWUSER != 0 {
		var e linux.Errno
		if cr, e = t.newUserCred(); e != 0 {
			return e
		}
	}
	if f&made != 0 && !cr.Has(linux.CAP_SYS_ADMIN) {
		return linux.EPERM
	}
	if f&(linux.CLONE_FS|linux.CLONE_NEWNS) != 0 && t.FS().Shared() {
		old := t.FS()
		t.fs.Store(old.Fork())
		old.Drop()
	}
	if f&linux.CLONE_FILES != 0 {
		t.UnshareFDs()
	}
	if f&linux.CLONE_NEWIPC != 0 {
		t.leaveIPC()
	} else if f&linux.CLONE_SYSVSEM != 0 {
		t.dropUndo()
	}
	n, e := t.newNamespaces(f, t.FS(), cr.UserNS)
	if e != 0 {
		return e
	}
	if cr != t.Cred() {
		t.SetCred(cr)
	}
	t.setNamespaces(n)
	return 0
}

// Join puts t into namespaces of another set, those that f names, and into a user
// namespace if user is not nil (setns(2)). Task-only.
func (t *Task) Join(f linux.CloneFlags, from *Namespaces, user *cred.UserNamespace) linux.Errno {
	as := t.Cred()
	if f&linux.CLONE_NEWTIME != 0 && (t.group.Count() > 1 || t.MM().Users() > 1) {
		return linux.EUSERS // who shares the memory would see its clocks
	}
	if user != nil {
		if user == as.UserNS {
			return linux.EINVAL
		}
		if !as.HasIn(linux.CAP_SYS_ADMIN, user) {
			return linux.EPERM
		}
		as = as.In(user)
	}
	if f != 0 && !t.sys.mayJoin(as, f, from) {
		return linux.EPERM
	}
	if user != nil {
		if e := t.JoinUser(user); e != 0 {
			return e
		}
	}
	n := *t.Namespaces()
	if f&linux.CLONE_NEWPID != 0 {
		if !from.PID.Within(t.group.pids) {
			return linux.EINVAL
		}
		n.PID = from.PID
	}
	if f&linux.CLONE_NEWNS != 0 {
		if t.FS().Shared() {
			return linux.EINVAL
		}
		n.Mount = from.Mount
		root := n.Mount.Root()
		t.FS().SetRoot(root)
		t.FS().SetCwd(root)
	}
	if f&linux.CLONE_NEWUTS != 0 {
		n.UTS = from.UTS
	}
	if f&linux.CLONE_NEWIPC != 0 {
		t.leaveIPC()
		n.IPC = from.IPC
	}
	if f&linux.CLONE_NEWNET != 0 {
		n.Net = from.Net
	}
	if f&linux.CLONE_NEWCGROUP != 0 {
		n.Cgroup = from.Cgroup
	}
	if !n.hold() {
		return linux.EINVAL // it ends just now
	}
	if f&linux.CLONE_NEWTIME != 0 {
		if e := t.sys.enterTime(t.MM(), from.Time); e != 0 {
			n.drop()
			return e
		}
		n.Time, n.TimeForChildren = from.Time, from.Time
	}
	t.setNamespaces(&n)
	return 0
}
