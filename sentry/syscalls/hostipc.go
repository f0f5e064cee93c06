package syscalls

import (
	"encoding/binary"
	"slices"

	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/ipc"
	"cordon/sentry/mm"
	"cordon/sentry/task"
)

// System V calls of a sandbox in the host's IPC namespace. Who waits asks again, at
// longer and longer intervals.

const (
	hostFirstNS = 200_000
	hostMostNS  = 50_000_000
)

// Lengths of what the control calls fill, and where process ids are in it: these are
// numbers of the host, which nobody in the sandbox knows.
const (
	shmidSize, shmPIDs           = 112, 80
	msqidSize, msgPIDs           = 120, 96
	semidSize                    = 104
	shmInfo64Size, shmInfoSize   = 72, 48
	msgInfoSize, semInfoSize     = 32, 40
	sembufSize, pidsSize, noPIDs = 6, 8, -1
)

// hostLoad reads n bytes of the guest's.
func hostLoad(t *task.Task, addr arg.Addr, n int) ([]byte, error) {
	return arg.InBytes(addr).Bytes(t.MM(), n)
}

// hostFilled makes a control call that fills n bytes at addr.
func hostFilled(t *task.Task, h *ipc.Host, c *ipc.Caller, op ipc.HostOp, a [4]int64, addr arg.Addr, n, pids int) (uintptr, error) {
	ret, data, err := h.Call(c, op, a, nil, n)
	if err != nil {
		return 0, err
	}
	if pids >= 0 {
		clear(data[pids : pids+pidsSize])
	}
	return uintptr(ret), arg.OutBytes(addr).Store(t.MM(), data)
}

// hostGiven makes a control call that takes n bytes from addr.
func hostGiven(t *task.Task, h *ipc.Host, c *ipc.Caller, op ipc.HostOp, a [4]int64, addr arg.Addr, n int) (uintptr, error) {
	in, err := hostLoad(t, addr, n)
	if err != nil {
		return 0, err
	}
	return hostPlain(h, c, op, a, in)
}

func hostPlain(h *ipc.Host, c *ipc.Caller, op ipc.HostOp, a [4]int64, in []byte) (uintptr, error) {
	ret, _, err := h.Call(c, op, a, in, 0)
	return uintptr(ret), err
}

func hostShmctl(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, cmd linux.IPCCmd, buf arg.Addr) (uintptr, error) {
	a := [4]int64{int64(id), 0, int64(cmd)}
	switch cmd {
	case linux.IPC_STAT, linux.SHM_STAT, linux.SHM_STAT_ANY:
		return hostFilled(t, h, c, ipc.HostShmctl, a, buf, shmidSize, shmPIDs)
	case linux.IPC_INFO:
		return hostFilled(t, h, c, ipc.HostShmctl, a, buf, shmInfo64Size, noPIDs)
	case linux.SHM_INFO:
		return hostFilled(t, h, c, ipc.HostShmctl, a, buf, shmInfoSize, noPIDs)
	case linux.IPC_SET:
		return hostGiven(t, h, c, ipc.HostShmctl, a, buf, shmidSize)
	case linux.IPC_RMID, linux.SHM_LOCK, linux.SHM_UNLOCK:
		return hostPlain(h, c, ipc.HostShmctl, a, nil)
	}
	return 0, linux.EINVAL
}

func hostMsgctl(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, cmd linux.IPCCmd, buf arg.Addr) (uintptr, error) {
	a := [4]int64{int64(id), 0, int64(cmd)}
	switch cmd {
	case linux.IPC_STAT, linux.MSG_STAT, linux.MSG_STAT_ANY:
		return hostFilled(t, h, c, ipc.HostMsgctl, a, buf, msqidSize, msgPIDs)
	case linux.IPC_INFO, linux.MSG_INFO:
		return hostFilled(t, h, c, ipc.HostMsgctl, a, buf, msgInfoSize, noPIDs)
	case linux.IPC_SET:
		return hostGiven(t, h, c, ipc.HostMsgctl, a, buf, msqidSize)
	case linux.IPC_RMID:
		return hostPlain(h, c, ipc.HostMsgctl, a, nil)
	}
	return 0, linux.EINVAL
}

func hostSemctl(t *task.Task, h *ipc.Host, c *ipc.Caller, id, num int32, cmd linux.IPCCmd, value arg.Addr) (uintptr, error) {
	a := [4]int64{int64(id), int64(num), int64(cmd), int64(int32(value))}
	switch cmd {
	case linux.IPC_STAT, linux.SEM_STAT, linux.SEM_STAT_ANY:
		return hostFilled(t, h, c, ipc.HostSemctl, a, value, semidSize, noPIDs)
	case linux.IPC_INFO, linux.SEM_INFO:
		return hostFilled(t, h, c, ipc.HostSemctl, a, value, semInfoSize, noPIDs)
	case linux.IPC_SET:
		return hostGiven(t, h, c, ipc.HostSemctl, a, value, semidSize)
	case linux.GETALL, linux.SETALL:
		n, err := hostSemaphores(h, c, id)
		if err != nil {
			return 0, err
		}
		if cmd == linux.SETALL {
			return hostGiven(t, h, c, ipc.HostSemctl, a, value, 2*n)
		}
		return hostFilled(t, h, c, ipc.HostSemctl, a, value, 2*n, noPIDs)
	case linux.GETPID:
		_, err := hostPlain(h, c, ipc.HostSemctl, a, nil)
		return 0, err
	case linux.IPC_RMID, linux.GETVAL, linux.GETNCNT, linux.GETZCNT, linux.SETVAL:
		return hostPlain(h, c, ipc.HostSemctl, a, nil)
	}
	return 0, linux.EINVAL
}

// hostSemaphores returns how many semaphores a set has.
func hostSemaphores(h *ipc.Host, c *ipc.Caller, id int32) (int, error) {
	const nsems = 80
	_, d, err := h.Call(c, ipc.HostSemctl, [4]int64{int64(id), 0, int64(linux.SEM_STAT_ANY)}, nil, semidSize)
	if err != nil {
		return 0, err
	}
	n := binary.LittleEndian.Uint64(d[nsems:])
	if n > ipc.HostData/2 {
		return 0, linux.ENOMEM
	}
	return int(n), nil
}

func hostShmat(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, flags linux.ShmFlags, o mm.MMapOpts) (uintptr, error) {
	s, err := h.Attach(c, id, flags)
	if err != nil {
		return 0, err
	}
	defer s.DecRef()
	o.Len, o.Mappable, o.File = s.Size(), s, s
	return mapSegment(t, flags, o)
}

// hostWait makes a call again and again until it is not busy.
func hostWait(t *task.Task, deadline int64, busy linux.Errno, try func() error) error {
	clock := t.System().Clocks.Monotonic
	for pause := int64(hostFirstNS); ; pause = min(2*pause, hostMostNS) {
		err := try()
		if err != busy {
			return err
		}
		now := clock.Now()
		if now >= deadline {
			return linux.EAGAIN
		}
		if err := t.Sleep(clock, min(deadline, now+pause), func() bool { return false }); err != linux.ETIMEDOUT {
			return task.RestartNoHand
		}
	}
}

func hostSemop(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, list []linux.Sembuf, deadline int64) (uintptr, error) {
	in := make([]byte, 0, sembufSize*len(list))
	for _, o := range list {
		if o.Flg&linux.SEM_UNDO != 0 {
			return 0, linux.ENOSPC // there is no room for what is to be undone
		}
		in = binary.LittleEndian.AppendUint16(in, uint16(o.Num))
		in = binary.LittleEndian.AppendUint16(in, uint16(o.Op))
		in = binary.LittleEndian.AppendUint16(in, uint16(o.Flg))
	}
	if slices.ContainsFunc(list, func(o linux.Sembuf) bool { return linux.IPCFlags(o.Flg)&linux.IPC_NOWAIT != 0 }) {
		deadline = 0
	}
	return 0, hostWait(t, deadline, linux.EAGAIN, func() error {
		_, err := hostPlain(h, c, ipc.HostSemop, [4]int64{int64(id), int64(len(list))}, in)
		return err
	})
}

func hostMsgsnd(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, kind int64, data []byte, nowait bool) (uintptr, error) {
	if len(data) > ipc.HostData-8 {
		return 0, linux.EINVAL
	}
	in := append(binary.LittleEndian.AppendUint64(nil, uint64(kind)), data...)
	return 0, hostWait(t, hostDeadline(nowait), linux.EAGAIN, func() error {
		_, err := hostPlain(h, c, ipc.HostMsgsnd, [4]int64{int64(id), int64(len(data))}, in)
		return err
	})
}

func hostDeadline(nowait bool) int64 {
	if nowait {
		return 0
	}
	return task.NoDeadline
}

func hostMsgrcv(t *task.Task, h *ipc.Host, c *ipc.Caller, id int32, msg arg.Addr, n uint64, kind int64, flags linux.MsgrcvFlags) (uintptr, error) {
	const nowait = linux.MsgrcvFlags(linux.IPC_NOWAIT)
	n = min(n, ipc.HostData-8)
	var got int64
	var data []byte
	err := hostWait(t, hostDeadline(flags&nowait != 0), linux.ENOMSG, func() (err error) {
		got, data, err = h.Call(c, ipc.HostMsgrcv, [4]int64{int64(id), int64(n), int64(flags), kind}, nil, int(n)+8)
		return err
	})
	if err != nil {
		if err == linux.EAGAIN {
			err = linux.ENOMSG
		}
		return 0, err
	}
	return uintptr(got), arg.OutBytes(msg).Store(t.MM(), data[:8+min(uint64(got), n)])
}
