package filter

import "golang.org/x/sys/unix"

// threadFlags are those the C library makes a thread with.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND |
	unix.CLONE_THREAD | unix.CLONE_SYSVSEM | unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID |
	unix.CLONE_CHILD_CLEARTID

// prSetVMA names a mapping for /proc/PID/maps.
const prSetVMA = 0x53564d61

// Operations of futex(2).
const (
	futexWait        = 0
	futexWake        = 1
	futexWaitBitset  = 9
	futexPrivateFlag = 128
	futexClockRT     = 256
)

// Memory that the Go runtime and the C library map is private and never
// executable.
var privateMemory = []Arg{
	{3, unix.MAP_ANONYMOUS | unix.MAP_SHARED, unix.MAP_ANONYMOUS},
	Only(2, unix.PROT_READ|unix.PROT_WRITE),
}

// runtimeRules are what the Go runtime and the C library below it need in both
// the Sentry and the gofer.
func runtimeRules() []Rule {
	var r []Rule
	r = append(r,
		Rule{Name: "mmap", Args: privateMemory, Reason: "runtime: heap and thread stacks"},
		Rule{Name: "mprotect", Args: []Arg{Only(2, unix.PROT_READ|unix.PROT_WRITE)}, Reason: "libc: stack guards; runtime: arenas"},
		Rule{Name: "clone", Args: []Arg{Eq(0, threadFlags)}, Reason: "libc: threads, with these flags only"},
		Rule{Name: "clone3", Errno: unix.ENOSYS, Reason: "libc: answered with ENOSYS, so that it uses clone"},
		Rule{Name: "prctl", Args: []Arg{Eq32(0, prSetVMA), Eq(1, 0)}, Reason: "runtime, libc: names of anonymous memory"},
	)
	r = append(r, Allow("runtime, libc: memory", "munmap", "madvise", "brk")...)
	r = append(r, Allow("libc: a thread's start and end", "rseq", "set_robust_list", "exit", "sigaltstack", "arch_prctl")...)
	r = append(r, Allow("runtime: ends the process", "exit_group")...)
	r = append(r, Allow("runtime: signals", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "restart_syscall")...)
	r = append(r, Allow("runtime: who am I, for signals to its own threads", "getpid", "gettid")...)
	r = append(r, Allow("runtime: preemption and fatal signals; the PID namespace bounds it", "tgkill")...)
	r = append(r, Allow("runtime: scheduler", "sched_yield", "sched_getaffinity", "nanosleep", "getrandom",
		"clock_gettime", "clock_nanosleep", "gettimeofday")...)
	for _, op := range []uint64{futexWait, futexWake, futexWait | futexPrivateFlag, futexWake | futexPrivateFlag,
		futexWaitBitset | futexPrivateFlag, futexWaitBitset | futexPrivateFlag | futexClockRT, futexWaitBitset | futexClockRT} {
		r = append(r, Rule{Name: "futex", Args: []Arg{Eq32(1, uint32(op))}, Reason: "runtime, libc: sleeping and waking"})
	}
	r = append(r, Allow("runtime: poller", "epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2")...)
	r = append(r, Allow("descriptors it has", "read", "write", "close")...)
	r = append(r, AllowEach("runtime, libc: descriptor flags", "fcntl", 1, unix.F_GETFL, unix.F_SETFL, unix.F_GETFD, unix.F_SETFD)...)
	return r
}
