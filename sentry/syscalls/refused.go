package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/task"
	"cordon/sentry/vfs"
)

// What a guest may never do here is refused as Linux refuses those without the
// privilege, whatever capabilities the guest's root has.

// sysSwapon is swapon(2).
//
// Partial: always EPERM
func sysSwapon(t *task.Task, _ arg.Path, _ uint32) (uintptr, error) { return 0, linux.EPERM }

// sysSwapoff is swapoff(2).
//
// Partial: always EPERM
func sysSwapoff(t *task.Task, _ arg.Path) (uintptr, error) { return 0, linux.EPERM }

// sysIopl is iopl(2).
//
// Partial: EPERM for any level but 0
func sysIopl(t *task.Task, level uint32) (uintptr, error) {
	switch {
	case level > 3:
		return 0, linux.EINVAL
	case level == 0:
		return 0, nil
	}
	return 0, linux.EPERM
}

// sysIoperm is ioperm(2).
//
// Partial: ports can only be given up; to get one is EPERM
func sysIoperm(t *task.Task, from, n uint64, on int32) (uintptr, error) {
	const ports = 65536
	if from+n <= from || from+n > ports {
		return 0, linux.EINVAL
	}
	if on != 0 {
		return 0, linux.EPERM
	}
	return 0, nil
}

// sysVhangup is vhangup(2).
//
// Partial: always EPERM
func sysVhangup(t *task.Task) (uintptr, error) { return 0, linux.EPERM }

// sysNameToHandleAt is name_to_handle_at(2).
//
// Partial: always EOPNOTSUPP, as of file systems that have no handles
func sysNameToHandleAt(t *task.Task, dir linux.FD, path arg.Path, _, _ arg.Addr, flags linux.AtFlags) (uintptr, error) {
	const fid = 0x200 // AT_HANDLE_FID
	if flags&^(linux.AT_SYMLINK_FOLLOW|linux.AT_EMPTY_PATH|fid) != 0 {
		return 0, linux.EINVAL
	}
	w := vfs.NoFollow
	if flags&linux.AT_SYMLINK_FOLLOW != 0 {
		w = 0
	}
	if flags&linux.AT_EMPTY_PATH != 0 {
		w |= vfs.EmptyPath
	}
	_, at, err := resolve(t, dir, path, w)
	if err != nil {
		return 0, err
	}
	at.drop()
	return 0, linux.EOPNOTSUPP
}

// sysOpenByHandleAt is open_by_handle_at(2).
//
// Partial: always EPERM
func sysOpenByHandleAt(t *task.Task, _ linux.FD, _ arg.Addr, _ linux.OpenFlags) (uintptr, error) {
	return 0, linux.EPERM
}

// sysPkeyAlloc is pkey_alloc(2) on a processor without protection keys.
//
// Partial: there are no keys: ENOSPC
func sysPkeyAlloc(t *task.Task, flags, rights uint64) (uintptr, error) {
	if flags != 0 || rights&^3 != 0 {
		return 0, linux.EINVAL
	}
	return 0, linux.ENOSPC
}

// sysPkeyFree is pkey_free(2).
//
// Partial: there are no keys: EINVAL
func sysPkeyFree(t *task.Task, _ int32) (uintptr, error) { return 0, linux.EINVAL }

// sysPkeyMprotect is pkey_mprotect(2), which without a key is mprotect.
//
// Partial: there are no keys: EINVAL for any but -1
func sysPkeyMprotect(t *task.Task, addr arg.Addr, n arg.Size, prot linux.Prot, key int32) (uintptr, error) {
	if key != -1 {
		return 0, linux.EINVAL
	}
	return sysMprotect(t, addr, n, prot)
}

// kernelLogSize is the size of the kernel's log as Linux has it by default.
const kernelLogSize = 1 << 18

// sysSyslog is syslog(2) with an empty log.
//
// Partial: the log is empty
func sysSyslog(t *task.Task, action linux.SyslogAction, buf arg.OutBytes, n arg.Count) (uintptr, error) {
	if action < linux.SYSLOG_ACTION_CLOSE || action > linux.SYSLOG_ACTION_SIZE_BUFFER {
		return 0, linux.EINVAL
	}
	if !t.Cred().HasRoot(linux.CAP_SYSLOG) {
		return 0, linux.EPERM
	}
	switch action {
	case linux.SYSLOG_ACTION_READ, linux.SYSLOG_ACTION_READ_ALL, linux.SYSLOG_ACTION_READ_CLEAR:
		if buf == 0 || n < 0 {
			return 0, linux.EINVAL
		}
		if n > 0 && action == linux.SYSLOG_ACTION_READ {
			// Nothing will ever come.
			err := t.Sleep(nil, task.NoDeadline, func() bool { return false })
			_ = err // an interruption is the only way out
			return 0, task.RestartSys
		}
	case linux.SYSLOG_ACTION_CONSOLE_LEVEL:
		if n < 1 || n > 8 {
			return 0, linux.EINVAL
		}
	case linux.SYSLOG_ACTION_SIZE_BUFFER:
		return kernelLogSize, nil
	}
	return 0, nil
}

// sysAdjtimex is adjtimex(2).
//
// Partial: the clock can be read; any change is EPERM
func sysAdjtimex(t *task.Task, tx arg.InOut[linux.Timex]) (uintptr, error) {
	return sysClockAdjtime(t, linux.CLOCK_REALTIME, tx)
}

// sysClockAdjtime is clock_adjtime(2).
//
// Partial: the clock can be read; any change is EPERM
func sysClockAdjtime(t *task.Task, id linux.ClockID, tx arg.InOut[linux.Timex]) (uintptr, error) {
	v, err := tx.Load(t.MM())
	if err != nil {
		return 0, err
	}
	if id != linux.CLOCK_REALTIME {
		if _, err := clockOf(t, id); err != nil {
			return 0, err
		}
		return 0, linux.EOPNOTSUPP
	}
	const readOffset = 0xa001 // ADJ_OFFSET_SS_READ
	if v.Modes != 0 && v.Modes != readOffset {
		return 0, linux.EPERM
	}
	const tick, tolerance, maxError = 10000, 32768000, 16000000
	v = linux.Timex{
		Modes: v.Modes, Maxerror: maxError, Esterror: maxError, Status: linux.STA_UNSYNC, Constant: 2, Precision: 1,
		Tolerance: tolerance, Tick: tick, Time: linux.TimevalFromNS(t.System().Clocks.Realtime.Now()),
	}
	return linux.TIME_ERROR, tx.Store(t.MM(), &v)
}

// sysFutexRequeue is futex_requeue(2): two futexes of struct futex_waitv.
//
// Partial: both futexes have to be private, or neither
func sysFutexRequeue(t *task.Task, list arg.In[linux.FutexWaitv], flags uint32, wake, move int32) (uintptr, error) {
	if flags != 0 || list == 0 {
		return 0, linux.EINVAL
	}
	w, err := list.LoadAll(t.MM(), 2)
	if err != nil {
		return 0, err
	}
	private, err := isPrivate(w[0].Flags)
	if err != nil {
		return 0, err
	}
	other, err := isPrivate(w[1].Flags)
	if err != nil {
		return 0, err
	}
	if private != other || wake < 0 || move < 0 {
		return 0, linux.EINVAL
	}
	val := uint32(w[0].Val)
	return count(t.System().Futexes.Requeue(t.MM(), w[0].Uaddr, w[1].Uaddr, private, int(wake), int(move), &val))
}
