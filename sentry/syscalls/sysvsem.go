package syscalls

import (
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ipc"
	"cordon/sentry/task"
	"cordon/sentry/wait"
)

// sysSemget is semget(2).
func sysSemget(t *task.Task, key, n int32, flags linux.IPCFlags) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if h := ns.Host(); h != nil {
		return hostPlain(h, c, ipc.HostSemget, [4]int64{int64(key), int64(n), int64(flags)}, nil)
	}
	id, err := ns.SemGet(c, key, n, flags)
	return uintptr(id), err
}

// sysSemop is semop(2).
func sysSemop(t *task.Task, id int32, ops arg.In[linux.Sembuf], n uint32) (uintptr, error) {
	return semop(t, id, ops, n, task.NoDeadline)
}

// sysSemtimedop is semtimedop(2).
func sysSemtimedop(t *task.Task, id int32, ops arg.In[linux.Sembuf], n uint32, timeout arg.In[linux.Timespec]) (uintptr, error) {
	deadline, err := deadlineIn(t, timeout)
	if err != nil {
		return 0, err
	}
	return semop(t, id, ops, n, deadline)
}

func semop(t *task.Task, id int32, ops arg.In[linux.Sembuf], n uint32, deadline int64) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if n < 1 || id < 0 {
		return 0, linux.EINVAL
	}
	if uint64(n) > ns.OpsMax() {
		return 0, linux.E2BIG
	}
	list, err := ops.LoadAll(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	if h := ns.Host(); h != nil {
		return hostSemop(t, h, c, id, list, deadline)
	}
	var undo *ipc.Undo
	if slices.ContainsFunc(list, func(o linux.Sembuf) bool { return o.Flg&linux.SEM_UNDO != 0 }) {
		undo = t.SemUndo()
	}
	op, err := ns.NewSemOp(c, id, list, undo)
	if err != nil {
		return 0, err
	}
	if err = op.Try(); err != linux.EAGAIN {
		return 0, err
	}
	defer op.End()
	if op.NoWait() {
		return 0, err
	}
	e := t.Waker(wait.All)
	op.Queue().Add(e)
	defer op.Queue().Remove(e)
	switch t.Sleep(t.System().Clocks.Monotonic, deadline, func() bool {
		err = op.Try()
		return err != linux.EAGAIN
	}) {
	case nil:
		return 0, err
	case linux.ETIMEDOUT:
		return 0, linux.EAGAIN
	}
	// As in Linux a handler ends the wait whatever its flags, and so does a stop.
	return 0, task.RestartNoStop
}

// semInfo is IPC_INFO and SEM_INFO; what Linux does not have a limit for is
// computed as there.
func semInfo(t *task.Task, ns *ipc.Namespace, cmd linux.IPCCmd, out arg.Addr) (uintptr, error) {
	const structSize = 20 // of sem_undo, once
	highest, n := ns.Sem.Used()
	info := linux.SemInfo{
		Map: linux.SEMMNS, Mni: int32(ns.Limit(ipc.SemMNI)), Mns: int32(ns.Limit(ipc.SemMNS)), Mnu: linux.SEMMNS, Msl: int32(ns.Limit(ipc.SemMSL)),
		Opm: int32(ns.Limit(ipc.SemOPM)), Ume: linux.SEMOPM, Usz: structSize, Vmx: linux.SEMVMX, Aem: linux.SEMAEM,
	}
	if cmd == linux.SEM_INFO {
		info.Usz, info.Aem = int32(n), 0
		for _, s := range ns.Sem.All() {
			info.Aem += int32(s.Stat().Nsems)
		}
	}
	return storedFor(t, out, info, nil, highest)
}

// sysSemctl is semctl(2).
func sysSemctl(t *task.Task, id, num int32, cmd linux.IPCCmd, value arg.Addr) (uintptr, error) {
	ns, c, err := ipcOf(t)
	if err != nil {
		return 0, err
	}
	if id < 0 {
		return 0, linux.EINVAL
	}
	cmd &^= linux.IPC_64
	if h := ns.Host(); h != nil {
		return hostSemctl(t, h, c, id, num, cmd, value)
	}
	switch cmd {
	case linux.IPC_RMID:
		return 0, ns.SemRemove(c, id)
	case linux.IPC_STAT:
		d, err := ns.SemStat(c, id, false)
		return stored(t, value, d, err)
	case linux.SEM_STAT, linux.SEM_STAT_ANY:
		at, err := ns.Sem.At(id)
		if err != nil {
			return 0, err
		}
		d, err := ns.SemStat(c, at, cmd == linux.SEM_STAT_ANY)
		return storedFor(t, value, d, err, at)
	case linux.IPC_INFO, linux.SEM_INFO:
		return semInfo(t, ns, cmd, value)
	case linux.IPC_SET:
		d, err := arg.LoadAt[linux.SemidDS](t.MM(), uint64(value))
		if err != nil {
			return 0, err
		}
		return 0, ns.SemSet(c, id, &d.Perm)
	case linux.GETVAL, linux.GETPID, linux.GETNCNT, linux.GETZCNT:
		v, err := ns.SemValue(c, id, num, cmd)
		if cmd == linux.GETPID {
			v = t.FromRootPID(v)
		}
		return uintptr(v), err
	case linux.GETALL:
		vs, err := ns.SemValues(c, id)
		if err != nil {
			return 0, err
		}
		return 0, arg.Out[uint16](value).StoreAll(t.MM(), vs)
	case linux.SETVAL:
		return 0, ns.SemSetValue(c, id, num, int32(value))
	case linux.SETALL:
		return 0, ns.SemSetValues(c, id, func(n int) ([]uint16, error) { return arg.In[uint16](value).LoadAll(t.MM(), n) })
	}
	return 0, linux.EINVAL
}
