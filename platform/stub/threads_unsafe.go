package stub

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tgkill sends a signal to one thread.
func Tgkill(tgid, tid int32, sig uint) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_TGKILL, uintptr(tgid), uintptr(tid), uintptr(sig))
	return e
}

// SetAffinity binds a thread (0: the caller) to one CPU of the first 1024.
func SetAffinity(tid int32, cpu int) unix.Errno {
	var set [16]uint64
	set[cpu/64] = 1 << (cpu % 64)
	return SetAffinitySet(tid, &set)
}

// SetAffinitySet binds a thread (0: the caller) to a set of CPUs.
func SetAffinitySet(tid int32, set *[16]uint64) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	return e
}

// AffinitySet reads the set of CPUs a thread is bound to.
func AffinitySet(tid int32, set *[16]uint64) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
	return e
}

// CurrentCPU returns the CPU that the caller runs on.
func CurrentCPU() int {
	var cpu uint32
	unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	return int(cpu)
}

// CurrentThread returns the host's number of the calling thread.
func CurrentThread() int32 {
	r, _, _ := unix.RawSyscall(unix.SYS_GETTID, 0, 0, 0)
	return int32(r)
}

// ThreadTime returns the CPU time of a thread of this process, in nanoseconds.
func ThreadTime(tid int32) int64 {
	var ts unix.Timespec
	const perThread, scheduler = 4, 2
	clock := ^tid<<3 | perThread | scheduler
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// ProcessTime returns the CPU time of a process (0: this one), in nanoseconds. A
// thread's the host tells its own process only.
func ProcessTime(pid int32) (int64, unix.Errno) {
	var ts unix.Timespec
	const scheduler = 2
	_, _, e := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, uintptr(^pid<<3|scheduler), uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano(), e
}

// Yield lets another thread have the CPU, if one wants it.
func Yield() { unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }

// WakeWord wakes all who sleep on a futex that the Sentry shares with a stub.
func WakeWord(w *uint32) {
	const futexWake = 1
	unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), futexWake, 8, 0, 0, 0)
}

// SetBatch makes a thread (0: the caller) one that takes no other's CPU when it is woken,
// or again one that does (sched(7)).
func SetBatch(tid int32, on bool) {
	const normal, batch = 0, 3
	policy, param := normal, int32(0)
	if on {
		policy = batch
	}
	unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(tid), uintptr(policy), uintptr(unsafe.Pointer(&param)))
}
