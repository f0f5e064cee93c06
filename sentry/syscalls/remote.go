package syscalls

import (
	"cordon/internal/linux"
	"cordon/sentry/arg"
	"cordon/sentry/file/epoll"
	"cordon/sentry/mm"
	"cordon/sentry/task"
	"cordon/sentry/usermem"
)

// memoryOf returns another process's memory with a user added, which the caller
// takes away.
func memoryOf(t *task.Task, pid arg.PID) (*mm.MemoryManager, error) {
	return memoryOfTask(t, t.Find(int32(pid)))
}

func memoryOfTask(t, target *task.Task) (*mm.MemoryManager, error) {
	if target == nil {
		return nil, linux.ESRCH
	}
	m := target.MM()
	if m == nil {
		return nil, linux.ESRCH
	}
	if !mayInspect(t, target) {
		return nil, linux.EPERM
	}
	if !m.IncUsers() {
		return nil, linux.ESRCH
	}
	return m, nil
}

// remoteVec reads iovecs of the caller's that name another's memory.
func remoteVec(t *task.Task, of *mm.MemoryManager, addr arg.Addr, n arg.Size) (usermem.Seq, error) {
	if n > arg.MaxIOV {
		return usermem.Seq{}, linux.EINVAL
	}
	iov, err := arg.In[linux.Iovec](addr).LoadAll(t.MM(), int(n))
	if err != nil {
		return usermem.Seq{}, err
	}
	var ranges []usermem.Range
	total := uint64(0)
	for _, v := range iov {
		if int64(v.Len) < 0 || v.Base+v.Len < v.Base {
			return usermem.Seq{}, linux.EINVAL
		}
		k := min(v.Len, usermem.MaxIO-total)
		if total += k; k > 0 {
			ranges = append(ranges, usermem.Range{Start: v.Base, End: v.Base + k})
		}
	}
	return usermem.OfRanges(of, ranges), nil
}

// sysProcessVmReadv is process_vm_readv(2).
func sysProcessVmReadv(t *task.Task, pid arg.PID, local arg.OutVec, n arg.Size, remote arg.Addr, m arg.Size, flags uint64) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	dst, err := local.Seq(t.MM(), uint64(n))
	if err != nil {
		return 0, err
	}
	return moveRemote(t, pid, remote, m, func(theirs *usermem.Seq) (int, error) { return moveBytes(&dst, theirs) })
}

// sysProcessVmWritev is process_vm_writev(2).
func sysProcessVmWritev(t *task.Task, pid arg.PID, local arg.InVec, n arg.Size, remote arg.Addr, m arg.Size, flags uint64) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	src, err := local.Seq(t.MM(), uint64(n))
	if err != nil {
		return 0, err
	}
	return moveRemote(t, pid, remote, m, func(theirs *usermem.Seq) (int, error) { return moveBytes(theirs, &src) })
}

func moveRemote(t *task.Task, pid arg.PID, remote arg.Addr, n arg.Size, move func(*usermem.Seq) (int, error)) (uintptr, error) {
	// As in Linux, the vector is read before the process is looked for.
	if _, err := remoteVec(t, t.MM(), remote, n); err != nil {
		return 0, err
	}
	m, err := memoryOf(t, pid)
	if err != nil {
		return 0, err
	}
	defer m.DecUsers()
	theirs, err := remoteVec(t, m, remote, n)
	if err != nil {
		return 0, err
	}
	k, err := move(&theirs)
	return result1(k, err)
}

// moveBytes copies until either side ends.
func moveBytes(dst, src *usermem.Seq) (int, error) {
	buf := make([]byte, min(copyChunk, dst.Len(), src.Len()))
	done := 0
	for dst.Len() > 0 && src.Len() > 0 {
		n, inErr := src.CopyIn(buf[:min(uint64(len(buf)), dst.Len(), src.Len())])
		k, outErr := dst.CopyOut(buf[:n])
		done += k
		if outErr != nil {
			return done, outErr
		}
		if inErr != nil {
			return done, inErr
		}
	}
	return done, nil
}

// sysProcessMadvise is process_madvise(2).
func sysProcessMadvise(t *task.Task, fd linux.FD, iov arg.InVec, n arg.Size, advice linux.Madvice, flags uint32) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	if n > arg.MaxIOV {
		return 0, linux.EINVAL
	}
	list, err := arg.In[linux.Iovec](iov).LoadAll(t.MM(), int(n))
	if err != nil {
		return 0, err
	}
	p, err := pidFD(t, fd)
	if err != nil {
		return 0, err
	}
	switch advice {
	case linux.MADV_COLD, linux.MADV_PAGEOUT, linux.MADV_WILLNEED:
	default:
		return 0, linux.EINVAL
	}
	if p.Group().Exited() {
		return 0, linux.ESRCH
	}
	m, err := memoryOfTask(t, p.Group().Leader())
	if err != nil {
		return 0, err
	}
	defer m.DecUsers()
	if p.Group() != t.Group() && !t.Cred().HasRoot(linux.CAP_SYS_NICE) {
		return 0, linux.EPERM
	}
	done := 0
	for _, v := range list {
		if err := m.MAdvise(t.Context(), v.Base, v.Len, advice); err != nil {
			return result1(done, err)
		}
		done += int(v.Len)
	}
	return uintptr(done), nil
}

// sysProcessMrelease is process_mrelease(2): memory goes as soon as its last
// user has, so there is nothing to hurry.
func sysProcessMrelease(t *task.Task, fd linux.FD, flags uint32) (uintptr, error) {
	if flags != 0 {
		return 0, linux.EINVAL
	}
	p, err := pidFD(t, fd)
	if err != nil {
		return 0, err
	}
	if p.Group().Exited() {
		return 0, linux.ESRCH
	}
	if own, shared := p.Group().Leader().PendingSets(); !(own | shared).Has(linux.SIGKILL) {
		return 0, linux.EINVAL
	}
	return 0, nil
}

// unordered is kcmp(2)'s answer for two objects that differ and have no order.
const unordered = 3

// sysKcmp is kcmp(2). Objects that differ have no order: the result is 3, which
// Linux allows.
func sysKcmp(t *task.Task, pid1, pid2 arg.PID, kind linux.KcmpType, i1, i2 uint64) (uintptr, error) {
	a, b := t.Find(int32(pid1)), t.Find(int32(pid2))
	if a == nil || b == nil {
		return 0, linux.ESRCH
	}
	if !mayInspect(t, a) || !mayInspect(t, b) {
		return 0, linux.EPERM
	}
	same := false
	switch kind {
	case linux.KCMP_FILE:
		x, y := a.FileOf(linux.FD(i1)), b.FileOf(linux.FD(i2))
		same = x == y
		missing := x == nil || y == nil
		if x != nil {
			x.DecRef()
		}
		if y != nil {
			y.DecRef()
		}
		if missing {
			return 0, linux.EBADF
		}
	case linux.KCMP_VM:
		same = a.MM() == b.MM()
	case linux.KCMP_FILES:
		same = a.FDs() == b.FDs()
	case linux.KCMP_FS:
		same = a.FS() == b.FS()
	case linux.KCMP_SIGHAND:
		same = a.Group().Actions() == b.Group().Actions()
	case linux.KCMP_IO:
		same = a == b || a.IOPrio() == 0 && b.IOPrio() == 0 // both have no I/O context
	case linux.KCMP_SYSVSEM:
		same = a.SharesSemUndo(b)
	case linux.KCMP_EPOLL_TFD:
		var err error
		if same, err = isWatched(t, a, b, linux.FD(i1), i2); err != nil {
			return 0, err
		}
	default:
		return 0, linux.EINVAL
	}
	if same {
		return 0, nil
	}
	return unordered, nil
}

// isWatched reports whether a's file fd is the one that an epoll instance of b's watches under a
// number that struct kcmp_epoll_slot at addr says.
func isWatched(t, a, b *task.Task, fd linux.FD, addr uint64) (bool, error) {
	slot, err := arg.In[linux.KcmpEpollSlot](addr).Load(t.MM())
	if err != nil {
		return false, err
	}
	file := a.FileOf(fd)
	if file == nil {
		return false, linux.EBADF
	}
	defer file.DecRef()
	ep := b.FileOf(linux.FD(slot.EFD))
	if ep == nil {
		return false, linux.EBADF
	}
	defer ep.DecRef()
	in, ok := ep.File().(*epoll.Instance)
	if !ok {
		return false, linux.EINVAL
	}
	return in.Watches(linux.FD(slot.TFD), int(slot.TOff), file)
}
