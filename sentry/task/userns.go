package task

import (
	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/socket"
)

// newUserCred returns t's identity in a new user namespace of its making (Linux:
// kernel/user_namespace.c create_user_ns).
func (t *Task) newUserCred() (*cred.Credentials, linux.Errno) {
	c := t.Cred()
	root, _, _ := t.FS().Get()
	switch ns := c.UserNS; {
	case ns.Level > maxUserLevel:
		return nil, linux.ENOSPC
	case root != t.Namespaces().Mount.Root():
		return nil, linux.EPERM // a chroot could be left in it
	case !ns.HasUID(c.EUID) || !ns.HasGID(c.EGID):
		return nil, linux.EPERM
	}
	return c.In(c.UserNS.Child(c)), 0
}

// maxUserLevel bounds the nesting.
const maxUserLevel = 32

// JoinUser puts t into a user namespace, with all capabilities there (setns(2)).
// Task-only.
func (t *Task) JoinUser(ns *cred.UserNamespace) linux.Errno {
	switch c := t.Cred(); {
	case ns == c.UserNS, t.group.Count() > 1, t.FS().Shared():
		return linux.EINVAL
	case !c.HasIn(linux.CAP_SYS_ADMIN, ns):
		return linux.EPERM
	}
	t.SetCred(t.Cred().In(ns))
	return 0
}

// mayJoin reports whether c may enter the namespaces of from that f names: it
// needs CAP_SYS_ADMIN over each and over its own user namespace.
func (s *System) mayJoin(c *cred.Credentials, f linux.CloneFlags, from *Namespaces) bool {
	over := func(kind linux.CloneFlags, owner *cred.UserNamespace) bool {
		return f&kind == 0 || c.HasIn(linux.CAP_SYS_ADMIN, owner)
	}
	owners := map[linux.CloneFlags]*cred.UserNamespace{}
	if from.Mount != nil {
		owners[linux.CLONE_NEWNS] = from.Mount.UserNS()
	}
	if from.UTS != nil {
		owners[linux.CLONE_NEWUTS] = from.UTS.UserNS(s)
	}
	if from.PID != nil {
		owners[linux.CLONE_NEWPID] = from.PID.user
	}
	owners[linux.CLONE_NEWTIME] = from.Time.UserNS(s)
	if n, ok := from.Net.(*socket.Namespace); ok {
		owners[linux.CLONE_NEWNET] = n.UserNS
	}
	if n := from.ipc(); n != nil {
		owners[linux.CLONE_NEWIPC] = s.UserNS
		if _, _, u := n.Owner(); u != nil {
			owners[linux.CLONE_NEWIPC] = u
		}
	}
	for kind, owner := range owners {
		if !over(kind, owner) {
			return false
		}
	}
	if f&linux.CLONE_NEWNS != 0 && !c.Has(linux.CAP_SYS_CHROOT) {
		return false
	}
	return c.Has(linux.CAP_SYS_ADMIN)
}

// UserNS returns the user namespace that owns u.
func (u *UTSNamespace) UserNS(s *System) *cred.UserNamespace {
	if u.user == nil {
		return s.UserNS
	}
	return u.user
}
