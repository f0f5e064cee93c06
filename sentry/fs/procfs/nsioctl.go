package procfs

import (
	"encoding/binary"
	"fmt"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
	"cordon/sentry/vfs"
)

// Ioctl implements vfs.Ioctler (ioctl_nsfs(2)). There is one user namespace and
// one pid namespace, and who is inside a namespace does not see beyond it.
func (n *Namespace) Ioctl(c *vfs.Caller, mem usermem.Space, req uint32, arg uint64) (uintptr, error) {
	user := n.Kind == linux.CLONE_NEWUSER
	switch linux.IoctlCmd(req) {
	case linux.NS_GET_NSTYPE:
		return uintptr(n.Kind), nil
	case linux.NS_GET_USERNS:
		if user {
			return 0, linux.EPERM
		}
		return n.openUser(c)
	case linux.NS_GET_PARENT:
		if user || n.Kind == linux.CLONE_NEWPID {
			return 0, linux.EPERM
		}
		return 0, linux.EINVAL
	case linux.NS_GET_OWNER_UID:
		if !user {
			return 0, linux.EINVAL
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], c.Cred.UserNS.Owner)
		_, err := mem.CopyOut(arg, b[:])
		return 0, err
	}
	return 0, linux.ENOTTY
}

// openUser opens the user namespace that owns every other, and returns its
// descriptor.
func (n *Namespace) openUser(c *vfs.Caller) (uintptr, error) {
	t := callerTask(c)
	if t == nil {
		return 0, linux.EPERM
	}
	i := &nsInode{inode{fs: n.fs, ino: userInitNS, mode: regular | 0o444}, &Namespace{Kind: linux.CLONE_NEWUSER, fs: n.fs}}
	at := n.fs.sys.VFS.AnonPath(i, fmt.Sprintf("user:[%d]", userInitNS))
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
