package systrap

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// The filter is the wall between a guest and the host. Every call that is not made
// from the stub's code page is a SIGSYS. From that page any thread may wait and
// wake on a futex, return from a signal handler, name its signal stack and end:
// a guest that jumps there can do no more than harm itself. What maps memory or
// speaks to the Sentry also has to show the secret, in bits of the arguments that
// the kernel ignores.

// threadFlags are those of a guest thread's clone, forkFlags those of a stub's.
const (
	threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND |
		unix.CLONE_THREAD | unix.CLONE_SYSVSEM | unix.CLONE_PARENT_SETTID
	forkFlags = unix.CLONE_FILES | uint64(unix.SIGCHLD)
)

// OpenSyscalls are what any thread may call from the stub's code page.
func OpenSyscalls() []stub.Rule {
	return []stub.Rule{
		{Number: unix.SYS_FUTEX, Name: "futex", Why: "hands over to the Sentry and waits for its answer",
			Args: []stub.ArgRule{stub.Arg(1, stub.AllBits, futexWait, futexWake)}},
		{Number: unix.SYS_SCHED_YIELD, Name: "sched_yield", Why: "lets another guest have the CPU while it waits"},
		{Number: unix.SYS_RT_SIGRETURN, Name: "rt_sigreturn", Why: "loads the guest's registers"},
		{Number: unix.SYS_SIGALTSTACK, Name: "sigaltstack", Why: "a new guest thread's signal stack"},
		{Number: unix.SYS_EXIT, Name: "exit", Why: "ends a guest thread that nobody needs"},
	}
}

// SecretSyscalls are what the leader and the zygote may call, with the secret.
func SecretSyscalls() []stub.Rule {
	const prot = ^uint64(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC)
	const shared = unix.MAP_SHARED | unix.MAP_FIXED
	const low = 0xffffffff // the upper half of the fourth argument is the secret's
	return []stub.Rule{
		{Number: unix.SYS_MMAP, Name: "mmap", Why: "leader: maps a donated file into the guest, or a slot; a new stub: its orders",
			Args: []stub.ArgRule{stub.Arg(2, prot, 0), stub.Arg(3, low, shared, shared|unix.MAP_POPULATE)}},
		{Number: unix.SYS_MUNMAP, Name: "munmap", Why: "leader: unmaps guest memory; zygote: drops what it does not need"},
		{Number: unix.SYS_MPROTECT, Name: "mprotect", Why: "leader: changes the protection of guest memory",
			Args: []stub.ArgRule{stub.Arg(2, prot, 0)}},
		{Number: unix.SYS_MADVISE, Name: "madvise", Why: "leader: huge pages where a mapping asks for them",
			Args: []stub.ArgRule{stub.Arg(2, stub.AllBits, unix.MADV_HUGEPAGE)}},
		{Number: unix.SYS_CLONE, Name: "clone", Why: "leader: a host thread for a guest thread; zygote: a new stub",
			Args: []stub.ArgRule{stub.Arg(0, stub.AllBits, threadFlags, forkFlags)}},
		{Number: unix.SYS_WRITE, Name: "write", Why: "leader: reports that orders have been carried out",
			Args: []stub.ArgRule{stub.Arg(1, stub.AllBits, opsAddress+opsDone, opsAddress+opsFailed, opsAddress+opsDenied), stub.Arg(2, stub.AllBits, 8)}},
		{Number: unix.SYS_RECVMSG, Name: "recvmsg", Why: "zygote: commands and donated files",
			Args: []stub.ArgRule{stub.Arg(1, stub.AllBits, dataAddress)}},
		{Number: unix.SYS_SENDMSG, Name: "sendmsg", Why: "zygote: answers; a new stub's hello",
			Args: []stub.ArgRule{stub.Arg(1, stub.AllBits, dataAddress+0x100)}},
		{Number: unix.SYS_CLOSE, Name: "close", Why: "zygote: drops a donated file"},
		{Number: unix.SYS_PRCTL, Name: "prctl", Why: "a new stub asks to die with the zygote",
			Args: []stub.ArgRule{stub.Arg(0, stub.AllBits, unix.PR_SET_PDEATHSIG), stub.Arg(1, stub.AllBits, uint64(unix.SIGKILL))}},
		{Number: unix.SYS_GETPPID, Name: "getppid", Why: "a new stub makes sure that the zygote lives"},
		{Number: unix.SYS_EXIT_GROUP, Name: "exit_group", Why: "the zygote ends when the Sentry has gone"},
	}
}

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataIP     = 8
	dataArgs   = 16
)

const (
	bpfLoad = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	bpfJEQ  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfJGE  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	bpfRet  = unix.BPF_RET | unix.BPF_K
)

// compileFilter returns the filter in the kernel's form.
func compileFilter(s secret) []byte {
	low := uint32(stubAddress & 0xffffffff)
	var out []byte
	emit := func(code uint16, jt, jf uint8, k uint32) {
		out = binary.LittleEndian.AppendUint16(out, code)
		out = append(out, jt, jf)
		out = binary.LittleEndian.AppendUint32(out, k)
	}
	// Guests first: whatever is not in the code page of a 64-bit call traps.
	emit(bpfLoad, 0, 0, dataIP+4)
	emit(bpfJEQ, 0, 6, stubAddress>>32)
	emit(bpfLoad, 0, 0, dataIP)
	emit(bpfJGE, 0, 4, low)
	emit(bpfJGE, 3, 0, low+codeSize)
	emit(bpfLoad, 0, 0, dataArch)
	emit(bpfJEQ, 2, 0, unix.AUDIT_ARCH_X86_64)
	emit(bpfRet, 0, 0, unix.SECCOMP_RET_KILL_PROCESS)
	emit(bpfRet, 0, 0, unix.SECCOMP_RET_TRAP)
	out = append(out, stub.CompileRules(OpenSyscalls())...)
	for i, word := range s {
		emit(bpfLoad, 0, 0, dataArgs+8*(3+uint32(i))+4)
		emit(bpfJEQ, 1, 0, word)
		emit(bpfRet, 0, 0, unix.SECCOMP_RET_KILL_PROCESS)
	}
	out = append(out, stub.CompileRules(SecretSyscalls())...)
	emit(bpfRet, 0, 0, unix.SECCOMP_RET_KILL_PROCESS)
	return out
}
