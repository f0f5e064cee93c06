package procfs

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/cred"
	"cordon/sentry/ipc"
	"cordon/sentry/socket"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Ioctl implements vfs.Ioctler (ioctl_nsfs(2)). Who is inside a namespace does
// not see beyond it.
func (n *Namespace) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	switch linux.IoctlCmd(req) {
	case linux.NS_GET_NSTYPE:
		return uintptr(n.Kind), nil
	case linux.NS_GET_USERNS:
		return n.openUser(c, n.owner())
	case linux.NS_GET_PARENT:
		switch o := n.Object.(type) {
		case *cred.UserNamespace:
			return n.openUser(c, o.Parent)
		case *task.PIDNamespace:
			return n.openPIDs(c, o.Parent())
		}
		return 0, linux.EINVAL
	case linux.NS_GET_OWNER_UID:
		user, ok := n.Object.(*cred.UserNamespace)
		if !ok {
			return 0, linux.EINVAL
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], c.Cred.UserNS.FromRootUID(user.Owner))
		_, err := mem.CopyOut(arg, b[:])
		return 0, err
	}
	return 0, linux.ENOTTY
}

// owner is the user namespace that owns n.
func (n *Namespace) owner() *cred.UserNamespace {
	switch o := n.Object.(type) {
	case *cred.UserNamespace:
		return o.Parent
	case *task.PIDNamespace:
		return o.UserNS()
	case *task.TimeNamespace:
		return o.UserNS(n.fs.sys)
	case *task.UTSNamespace:
		return o.UserNS(n.fs.sys)
	case *vfs.MountNamespace:
		return o.UserNS()
	case *socket.Namespace:
		return o.UserNS
	case *ipc.Namespace:
		if _, _, user := o.Owner(); user != nil {
			return user
		}
	}
	return n.fs.sys.UserNS
}

// openUser opens a user namespace, which has to be the caller's or below it, and
// returns its descriptor.
func (n *Namespace) openUser(c *vfs.Caller, user *cred.UserNamespace) (uintptr, error) {
	if user == nil || !user.Within(c.Cred.UserNS) {
		return 0, linux.EPERM
	}
	return n.open(c, "user", user)
}

func (n *Namespace) openPIDs(c *vfs.Caller, pids *task.PIDNamespace) (uintptr, error) {
	t := callerTask(c)
	if pids == nil || t == nil || !pids.Within(t.Group().PIDs()) {
		return 0, linux.EPERM
	}
	return n.open(c, "pid", pids)
}

// open opens a namespace of the kind with a name in /proc/pid/ns.
func (n *Namespace) open(c *vfs.Caller, name string, object any) (uintptr, error) {
	t := callerTask(c)
	if t == nil {
		return 0, linux.EPERM
	}
	k := kindOf(name)
	id := n.fs.nsID(k, object)
	at, i, err := k.place(n.fs, object, id)
	if err != nil {
		return 0, err
	}
	d := vfs.NewDescription(c, at, i.ns, linux.O_RDONLY)
	fd, err := t.FDs().Install(d, 0, t.Group().Limits().Soft(linux.RLIMIT_NOFILE), linux.FD_CLOEXEC)
	if err != nil {
		d.DecRef()
		if err == error(linux.EINVAL) {
			err = linux.EMFILE
		}
		return 0, err
	}
	return uintptr(fd), nil
}

func kindOf(name string) *nsKind {
	for i := range nsKinds {
		if nsKinds[i].name == name {
			return &nsKinds[i]
		}
	}
	return nil
}
