package sentry

import (
	"cordon/sentry/cred"
	"cordon/sentry/fs/mqueue"
	"cordon/sentry/ipc"
	"cordon/sentry/memmap"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// newIPC makes an IPC namespace with its message queues (task.NewIPC).
func (k *Kernel) newIPC(by *cred.Credentials, user *cred.UserNamespace) *ipc.Namespace {
	ns := ipc.New(ipc.MemoryFile{Memory: memmap.Memory{File: k.sys.Memory}})
	if by != nil {
		ns.SetOwner(by, user)
	}
	mqueue.New(k.sys.VFS, k.messages, ns)
	return ns
}

// firstIPC makes the first container's.
func (k *Kernel) firstIPC() *ipc.Namespace {
	ns := k.newIPC(nil, nil)
	if k.cfg.HostIPC > 0 {
		ns.SetHost(ipc.NewHost(int(k.cfg.HostIPC), &k.hosts))
	}
	return ns
}

// queuesOf is the message queues of who mounts mqueue: of the first container for the
// kernel itself.
func (k *Kernel) queuesOf(c *vfs.Caller) *mqueue.FS {
	ns, _ := k.spaces.IPC.(*ipc.Namespace)
	if c != nil {
		if t, ok := c.Job.(*task.Task); ok && t.Namespaces() != nil {
			ns, _ = t.Namespaces().IPC.(*ipc.Namespace)
		}
	}
	return mqueue.Of(ns)
}
