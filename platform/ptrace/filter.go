package ptrace

import (
	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// Everything a guest asks for is caught by PTRACE_SYSEMU before the host's
// filter sees it, so the filter is the second wall: what is left to code that got
// past the first.

const (
	allBits    = stub.AllBits
	threadBits = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND |
		unix.CLONE_THREAD | unix.CLONE_SYSVSEM
	forkBits = unix.CLONE_FILES | uint64(unix.SIGCHLD)
)

// StubSyscalls is what the zygote and its stubs may ask the host for. socket is
// the zygote's end of its command socket.
func StubSyscalls(socket uint64) []stub.Rule {
	const prot = ^uint64(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC)
	const shared = unix.MAP_SHARED | unix.MAP_FIXED
	return []stub.Rule{
		{Number: unix.SYS_MMAP, Name: "mmap", Why: "injected: maps a donated file into the guest",
			Args: []stub.ArgRule{stub.Arg(2, prot, 0), stub.Arg(3, allBits, shared, shared|unix.MAP_POPULATE)}},
		{Number: unix.SYS_MUNMAP, Name: "munmap", Why: "injected: unmaps guest memory; a new stub drops the zygote's page"},
		{Number: unix.SYS_MPROTECT, Name: "mprotect", Why: "injected: changes the protection of guest memory",
			Args: []stub.ArgRule{stub.Arg(2, prot, 0)}},
		{Number: unix.SYS_MADVISE, Name: "madvise", Why: "injected: huge pages where a mapping asks for them",
			Args: []stub.ArgRule{stub.Arg(2, allBits, unix.MADV_HUGEPAGE, unix.MADV_POPULATE_READ)}},
		{Number: unix.SYS_CLONE, Name: "clone", Why: "injected: a host thread for a guest thread; in the zygote: a new stub",
			Args: []stub.ArgRule{stub.Arg(0, allBits, threadBits, forkBits)}},
		{Number: unix.SYS_PAUSE, Name: "pause", Why: "a thread without a guest thread parks"},
		{Number: unix.SYS_EXIT, Name: "exit", Why: "injected: ends a host thread"},
		{Number: unix.SYS_EXIT_GROUP, Name: "exit_group", Why: "the zygote ends when the Sentry has gone"},
		{Number: unix.SYS_RECVMSG, Name: "recvmsg", Why: "the zygote's commands and donated files",
			Args: []stub.ArgRule{stub.Arg(0, allBits, socket), stub.Arg(1, allBits, dataAddress)}},
		{Number: unix.SYS_SENDTO, Name: "sendto", Why: "the zygote's answers; a new stub's hello",
			Args: []stub.ArgRule{stub.Arg(0, allBits, socket), stub.Arg(1, allBits, dataAddress+0x90, confAddress+confZero), stub.Arg(2, allBits, 8)}},
		{Number: unix.SYS_CLOSE, Name: "close", Why: "the zygote drops a donated file"},
		{Number: unix.SYS_PRCTL, Name: "prctl", Why: "a new stub asks to die with the zygote",
			Args: []stub.ArgRule{stub.Arg(0, allBits, unix.PR_SET_PDEATHSIG), stub.Arg(1, allBits, uint64(unix.SIGKILL))}},
		{Number: unix.SYS_GETPPID, Name: "getppid", Why: "a new stub makes sure that the zygote lives"},

		// A call of the vsyscall page is emulated by the host's page fault
		// handler, which asks the filter and not the tracer.
		{Number: unix.SYS_GETTIMEOFDAY, Name: "gettimeofday", Why: "vsyscall page: handed to the Sentry", Trap: true},
		{Number: unix.SYS_TIME, Name: "time", Why: "vsyscall page: handed to the Sentry", Trap: true},
		{Number: unix.SYS_GETCPU, Name: "getcpu", Why: "vsyscall page: handed to the Sentry", Trap: true},
	}
}
