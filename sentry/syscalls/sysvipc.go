package syscalls

import (
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ipc"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/wait"
)

// ipcOf returns the task's IPC namespace and the task as its caller.
func ipcOf(t *task.Task) (*ipc.Namespace, *ipc.Caller, error) {
	ns, isIPC := t.Namespaces().IPC.(*ipc.Namespace)
	if !isIPC {
		return nil, nil, linux.ENOSYS
	}
	return ns, t.IPCCaller(), nil
}

// stored is the result of a call that fills *out.
func stored[T any](t *task.Task, out arg.Addr, v T, err error) (uintptr, error) {
	if err != nil {
		return 0, err
	}
	return 0, arg.StoreAt(t.MM(), uint64(out), &v)
}

// storedFor is stored for a call that returns id: an identifier, or the highest
// index in use.
func storedFor[T any](t *task.Task, out arg.Addr, v T, err error, id int32) (uintptr, error) {
	if _, err := stored(t, out, v, err); err != nil {
		return 0, err
	}
	return uintptr(id), nil
}

// sysShmget is shmget(2).
func sysShmget(t *task.Task, key int32, size arg.Size, flags linux.IPCFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if h := ns.Host(); h != nil {
		return hostPlain(h, c, ipc.HostShmget, [4]int64{int64(key), int64(size), int64(flags)}, nil)
	}
	id, err := ns.ShmGet(c, key, uint64(size), flags)
	return uintptr(id), err
}

// sysShmat is shmat(2).
func sysShmat(t *task.Task, id int32, addr arg.Addr, flags linux.ShmFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if id < 0 {
		return 0, linux.EINVAL
	}
	o := mm.MMapOpts{Addr: uint64(addr), Prot: linux.PROT_READ, Flags: linux.MAP_SHARED, LockAnyway: t.Cred().HasRoot(linux.CAP_IPC_LOCK)}
	if addr != 0 {
		if o.Addr%pageSize != 0 {
			if flags&linux.SHM_RND == 0 {
				return 0, linux.EINVAL
			}
			o.Addr &^= pageSize - 1
		}
		if o.Flags |= linux.MAP_FIXED; flags&linux.SHM_REMAP == 0 {
			o.Flags |= linux.MAP_FIXED_NOREPLACE
		}
	} else if flags&linux.SHM_REMAP != 0 {
		return 0, linux.EINVAL
	}
	want := linux.FileMode(0o444)
	if flags&linux.SHM_RDONLY == 0 {
		o.Prot |= linux.PROT_WRITE
		want |= 0o222
	}
	if flags&linux.SHM_EXEC != 0 {
		o.Prot |= linux.PROT_EXEC
		want |= 0o111
	}
	if h := ns.Host(); h != nil {
		return hostShmat(t, h, c, id, flags, o)
	}
	s, err := ns.ShmAttach(c, id, want)
	if err != nil {
		return 0, err
	}
	defer s.Detach()
	o.Len, o.Mappable, o.File = s.Size(), s, s
	return mapSegment(t, flags, o)
}

// mapSegment maps a segment that o names.
func mapSegment(t *task.Task, flags linux.ShmFlags, o mm.MMapOpts) (uintptr, error) {
	o.MaxProt = linux.PROT_READ | linux.PROT_WRITE | linux.PROT_EXEC
	if flags&linux.SHM_RDONLY != 0 {
		o.MaxProt &^= linux.PROT_WRITE
	}
	at, err := t.MM().MMap(t.Context(), o)
	if err == linux.EEXIST {
		err = linux.EINVAL
	}
	return uintptr(at), err
}

// sysShmdt is shmdt(2): it unmaps what is left of the attachment at addr.
func sysShmdt(t *task.Task, addr arg.Addr) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	var id int32
	found := false
	for _, v := range t.MM().Snapshot() {
		if !strings.HasPrefix(v.Path, "/SYSV") || v.Start-v.Offset != uint64(addr) || found && int32(v.Inode) != id {
			continue
		}
		id, found = int32(v.Inode), true
		if err := t.MM().MUnmap(t.Context(), v.Start, v.End-v.Start); err != nil {
			return 0, err
		}
	}
	if !found || addr%pageSize != 0 {
		return 0, linux.EINVAL
	}
	if ns.Host() != nil {
		return 0, nil
	}
	if s, err := ns.ShmAttach(c, id, 0); err == nil {
		s.Detach()
		s.Detached(c)
	}
	return 0, nil
}

// sysShmctl is shmctl(2).
func sysShmctl(t *task.Task, id int32, cmd linux.IPCCmd, buf arg.Addr) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if cmd < 0 || id < 0 {
		return 0, linux.EINVAL
	}
	cmd &^= linux.IPC_64
	if h := ns.Host(); h != nil {
		return hostShmctl(t, h, c, id, cmd, buf)
	}
	switch cmd {
	case linux.IPC_RMID:
		return 0, ns.ShmRemove(c, id)
	case linux.SHM_STAT, linux.SHM_STAT_ANY:
		at, err := ns.Shm.At(id)
		if err != nil {
			return 0, err
		}
		d, err := ns.ShmStat(c, at, cmd == linux.SHM_STAT_ANY)
		d.CPID, d.LPID = t.FromRootPID(d.CPID), t.FromRootPID(d.LPID)
		return storedFor(t, buf, d, err, at)
	case linux.IPC_INFO:
		highest, _ := ns.Shm.Used()
		info := linux.ShmInfo64{
			Max: ns.Limit(ipc.ShmMax), Min: linux.SHMMIN, Mni: ns.Limit(ipc.ShmMNI), Seg: ns.Limit(ipc.ShmMNI), All: ns.Limit(ipc.ShmAll),
		}
		return storedFor(t, buf, info, nil, highest)
	case linux.SHM_INFO:
		highest, n := ns.Shm.Used()
		tot, rss := ns.ShmTotals()
		return storedFor(t, buf, linux.ShmInfo{UsedIDs: int32(n), Tot: tot, Rss: rss}, nil, highest)
	case linux.IPC_STAT:
		d, err := ns.ShmStat(c, id, false)
		d.CPID, d.LPID = t.FromRootPID(d.CPID), t.FromRootPID(d.LPID)
		return stored(t, buf, d, err)
	case linux.IPC_SET:
		d, err := arg.LoadAt[linux.ShmidDS](t.MM(), uint64(buf))
		if err != nil {
			return 0, err
		}
		return 0, ns.ShmSet(c, id, &d.Perm)
	case linux.SHM_LOCK, linux.SHM_UNLOCK:
		limited := t.Group().Limits().Soft(linux.RLIMIT_MEMLOCK) == 0
		return 0, ns.ShmLock(c, id, cmd == linux.SHM_LOCK, limited)
	}
	return 0, linux.EINVAL
}

// sysMsgget is msgget(2).
func sysMsgget(t *task.Task, key int32, flags linux.IPCFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if h := ns.Host(); h != nil {
		return hostPlain(h, c, ipc.HostMsgget, [4]int64{int64(key), 0, int64(flags)}, nil)
	}
	id, err := ns.MsgGet(c, key, flags)
	return uintptr(id), err
}

// sysMsgsnd is msgsnd(2).
func sysMsgsnd(t *task.Task, id int32, msg arg.Addr, n arg.Size, flags linux.IPCFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	kind, err := arg.LoadAt[int64](t.MM(), uint64(msg))
	if err != nil {
		return 0, err
	}
	if uint64(n) > ns.MessageMax() || id < 0 || kind < 1 {
		return 0, linux.EINVAL
	}
	data, err := arg.InBytes(msg+8).Bytes(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	if h := ns.Host(); h != nil {
		return hostMsgsnd(t, h, c, id, kind, data, flags&linux.IPC_NOWAIT != 0)
	}
	q, err := ns.MsgFind(c, id, 0o222)
	if err != nil {
		return 0, err
	}
	return 0, ipcWait(t, q.Queue(), wait.Out, flags&linux.IPC_NOWAIT != 0, linux.EAGAIN, func() error { return q.Send(c, kind, data) })
}

// ipcWait runs try until it is not busy, the error that means to wait. As in
// Linux, a message call starts again only if no handler ran.
func ipcWait(t *task.Task, q *wait.Queue, mask wait.Events, nowait bool, busy linux.Errno, try func() error) error {
	err := try()
	if err != busy || nowait {
		return err
	}
	e := t.Waker(mask)
	q.Add(e)
	defer q.Remove(e)
	if t.Sleep(nil, task.NoDeadline, func() bool {
		err = try()
		return err != busy
	}) != nil {
		return task.RestartNoHand
	}
	return err
}

// sysMsgrcv is msgrcv(2).
func sysMsgrcv(t *task.Task, id int32, msg arg.Addr, n arg.Size, kind int64, flags linux.MsgrcvFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	const nowait = linux.MsgrcvFlags(linux.IPC_NOWAIT)
	if int64(n) < 0 || id < 0 {
		return 0, linux.EINVAL
	}
	if flags&linux.MSG_COPY != 0 && (flags&linux.MSG_EXCEPT != 0 || flags&nowait == 0) {
		return 0, linux.EINVAL
	}
	if h := ns.Host(); h != nil {
		return hostMsgrcv(t, h, c, id, msg, uint64(n), kind, flags)
	}
	q, err := ns.MsgFind(c, id, 0o444)
	if err != nil {
		return 0, err
	}
	var got int64
	var data []byte
	if err := ipcWait(t, q.Queue(), wait.In, flags&nowait != 0, linux.ENOMSG, func() (err error) {
		got, data, err = q.Receive(c, uint64(n), kind, flags)
		return err
	}); err != nil {
		return 0, err
	}
	if err := arg.StoreAt(t.MM(), uint64(msg), &got); err != nil {
		return 0, err
	}
	return uintptr(len(data)), arg.OutBytes(msg+8).Store(t.MM(), data)
}

// sysMsgctl is msgctl(2).
func sysMsgctl(t *task.Task, id int32, cmd linux.IPCCmd, buf arg.Addr) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if cmd < 0 || id < 0 {
		return 0, linux.EINVAL
	}
	cmd &^= linux.IPC_64
	if h := ns.Host(); h != nil {
		return hostMsgctl(t, h, c, id, cmd, buf)
	}
	switch cmd {
	case linux.IPC_RMID:
		return 0, ns.MsgRemove(c, id)
	case linux.MSG_STAT, linux.MSG_STAT_ANY:
		at, err := ns.Msg.At(id)
		if err != nil {
			return 0, err
		}
		d, err := ns.MsgStat(c, at, cmd == linux.MSG_STAT_ANY)
		d.LSPID, d.LRPID = t.FromRootPID(d.LSPID), t.FromRootPID(d.LRPID)
		return storedFor(t, buf, d, err, at)
	case linux.IPC_INFO, linux.MSG_INFO:
		return msgInfo(t, ns, cmd, buf)
	case linux.IPC_STAT:
		d, err := ns.MsgStat(c, id, false)
		d.LSPID, d.LRPID = t.FromRootPID(d.LSPID), t.FromRootPID(d.LRPID)
		return stored(t, buf, d, err)
	case linux.IPC_SET:
		d, err := arg.LoadAt[linux.MsqidDS](t.MM(), uint64(buf))
		if err != nil {
			return 0, err
		}
		return 0, ns.MsgSet(c, id, &d.Perm, d.Qbytes)
	}
	return 0, linux.EINVAL
}

// msgInfo is IPC_INFO and MSG_INFO; the fields that mean nothing are Linux's
// constants.
func msgInfo(t *task.Task, ns *ipc.Namespace, cmd linux.IPCCmd, out arg.Addr) (uintptr, error) {
	const pool, segment, segments = linux.MSGMNI * linux.MSGMNB / 1024, 16, 0xffff
	highest, n := ns.Msg.Used()
	info := linux.MsgInfo{
		Pool: pool, Map: linux.MSGMNB, Max: int32(ns.Limit(ipc.MsgMax)), Mnb: int32(ns.Limit(ipc.MsgMNB)), Mni: int32(ns.Limit(ipc.MsgMNI)),
		Ssz: segment, Tql: linux.MSGMNB, Seg: segments,
	}
	if cmd == linux.MSG_INFO {
		messages, bytes := ns.MsgTotals()
		info.Pool, info.Map, info.Tql = int32(n), int32(messages), int32(bytes)
	}
	return storedFor(t, out, info, nil, highest)
}
