package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/fs/procfs"
	"cordon/sentry/task"
)

// sysUnshare is unshare(2).
func sysUnshare(t *task.Task, flags linux.CloneFlags) (uintptr, error) { return ok(t.Unshare(flags)) }

// allNamespaces are the kinds that setns(2) knows.
const allNamespaces = linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWNET |
	linux.CLONE_NEWPID | linux.CLONE_NEWUSER | linux.CLONE_NEWCGROUP | linux.CLONE_NEWTIME

// sysSetns is setns(2). Of the kinds that a sandbox has one of, joining that
// one changes nothing.
func sysSetns(t *task.Task, fd linux.FD, kinds linux.CloneFlags) (uintptr, error) {
	kinds = linux.CloneFlags(uint32(kinds))
	d, err := get(t, fd)
	if err != nil {
		return 0, err
	}
	defer d.DecRef()
	var from *task.Namespaces
	var user *cred.UserNamespace
	switch f := d.File().(type) {
	case *procfs.Namespace:
		if kinds != 0 && kinds != f.Kind {
			return 0, linux.EINVAL
		}
		kinds, from = f.Kind, f.Namespaces(t.Namespaces())
		user, _ = f.Object.(*cred.UserNamespace)
	case *task.PidFD:
		if kinds == 0 || kinds&^allNamespaces != 0 {
			return 0, linux.EINVAL
		}
		if f.Group().Exited() {
			return 0, linux.ESRCH
		}
		leader := f.Group().Leader()
		if kinds&linux.CLONE_NEWUSER != 0 {
			user = leader.Cred().UserNS
		}
		if !mayInspect(t, leader) {
			return 0, linux.EPERM
		}
		if from = leader.Namespaces(); from != nil {
			own := *from
			own.PID = f.Group().PIDs() // as in Linux, not its children's
			from = &own
		}
	default:
		return 0, linux.EINVAL
	}
	return ok(t.Join(kinds&^linux.CLONE_NEWUSER, from, user))
}
