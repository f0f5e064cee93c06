package ptrace

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A Rule allows one host system call to the zygote and its stubs. Everything a
// guest asks for is caught by PTRACE_SYSEMU before the host's filter sees it, so
// the filter is the second wall: what is left to code that got past the first.
type Rule struct {
	Number uint32
	Name   string
	Why    string
	Args   []ArgRule

	// Trap makes the call a SIGSYS, which the Sentry takes as the guest's own
	// call, instead of running it.
	Trap bool
}

// An ArgRule holds for an argument when argument & Mask is one of Values.
// Index 6 is the instruction pointer after the call.
type ArgRule struct {
	Index  int
	Mask   uint64
	Values []uint64
}

const (
	allBits    = ^uint64(0)
	argIP      = 6
	threadBits = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND |
		unix.CLONE_THREAD | unix.CLONE_SYSVSEM
	forkBits = unix.CLONE_FILES | uint64(unix.SIGCHLD)
)

// StubSyscalls is what the zygote and its stubs may ask the host for. socket is
// the zygote's end of its command socket.
func StubSyscalls(socket uint64) []Rule {
	const prot = ^uint64(unix.PROT_READ | unix.PROT_WRITE | unix.PROT_EXEC)
	const shared = unix.MAP_SHARED | unix.MAP_FIXED
	return []Rule{
		{Number: unix.SYS_MMAP, Name: "mmap", Why: "injected: maps a donated file into the guest",
			Args: []ArgRule{{2, prot, []uint64{0}}, {3, allBits, []uint64{shared, shared | unix.MAP_POPULATE}}}},
		{Number: unix.SYS_MUNMAP, Name: "munmap", Why: "injected: unmaps guest memory; a new stub drops the zygote's page"},
		{Number: unix.SYS_MPROTECT, Name: "mprotect", Why: "injected: changes the protection of guest memory",
			Args: []ArgRule{{2, prot, []uint64{0}}}},
		{Number: unix.SYS_MADVISE, Name: "madvise", Why: "injected: huge pages where a mapping asks for them",
			Args: []ArgRule{{2, allBits, []uint64{unix.MADV_HUGEPAGE, unix.MADV_POPULATE_READ}}}},
		{Number: unix.SYS_CLONE, Name: "clone", Why: "injected: a host thread for a guest thread; in the zygote: a new stub",
			Args: []ArgRule{{0, allBits, []uint64{threadBits, forkBits}}}},
		{Number: unix.SYS_PAUSE, Name: "pause", Why: "a thread without a guest thread parks"},
		{Number: unix.SYS_EXIT, Name: "exit", Why: "injected: ends a host thread"},
		{Number: unix.SYS_EXIT_GROUP, Name: "exit_group", Why: "the zygote ends when the Sentry has gone"},
		{Number: unix.SYS_RECVMSG, Name: "recvmsg", Why: "the zygote's commands and donated files",
			Args: []ArgRule{{0, allBits, []uint64{socket}}, {1, allBits, []uint64{dataAddress}}}},
		{Number: unix.SYS_SENDTO, Name: "sendto", Why: "the zygote's answers; a new stub's hello",
			Args: []ArgRule{{0, allBits, []uint64{socket}}, {1, allBits, []uint64{dataAddress + 0x90, confAddress + confZero}}, {2, allBits, []uint64{8}}}},
		{Number: unix.SYS_CLOSE, Name: "close", Why: "the zygote drops a donated file"},
		{Number: unix.SYS_PRCTL, Name: "prctl", Why: "a new stub asks to die with the zygote",
			Args: []ArgRule{{0, allBits, []uint64{unix.PR_SET_PDEATHSIG}}, {1, allBits, []uint64{uint64(unix.SIGKILL)}}}},
		{Number: unix.SYS_GETPPID, Name: "getppid", Why: "a new stub makes sure that the zygote lives"},

		// A call of the vsyscall page is emulated by the host's page fault
		// handler, which asks the filter and not the tracer.
		{Number: unix.SYS_GETTIMEOFDAY, Name: "gettimeofday", Why: "vsyscall page: handed to the Sentry", Trap: true},
		{Number: unix.SYS_TIME, Name: "time", Why: "vsyscall page: handed to the Sentry", Trap: true},
		{Number: unix.SYS_GETCPU, Name: "getcpu", Why: "vsyscall page: handed to the Sentry", Trap: true},
	}
}

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataIP     = 8
	dataArgs   = 16
)

type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// compileFilter returns rules as a seccomp filter in the host's byte form. What
// no rule allows kills the whole process.
func compileFilter(rules []Rule) []byte {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		and  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	prog := []instruction{
		{load, 0, 0, dataArch},
		{jeq, 1, 0, unix.AUDIT_ARCH_X86_64},
		{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS},
	}
	for _, r := range rules {
		// The body is built first, so that the test before it knows how far
		// to jump. A failed argument ends in the kill at the body's end.
		var body []instruction
		for _, a := range r.Args {
			offset := uint32(dataArgs + 8*a.Index)
			if a.Index == argIP {
				offset = dataIP
			}
			var match []instruction
			for i, v := range a.Values {
				// Per value: 6 instructions; the last one that fails falls
				// into the kill, a match jumps over the rest.
				rest := uint8(6*(len(a.Values)-1-i) + 1)
				match = append(match,
					instruction{load, 0, 0, offset},
					instruction{and, 0, 0, uint32(a.Mask)},
					instruction{jeq, 0, 3, uint32(v)},
					instruction{load, 0, 0, offset + 4},
					instruction{and, 0, 0, uint32(a.Mask >> 32)},
					instruction{jeq, rest, 0, uint32(v >> 32)},
				)
			}
			match = append(match, instruction{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS})
			body = append(body, match...)
		}
		verdict := uint32(unix.SECCOMP_RET_ALLOW)
		if r.Trap {
			verdict = unix.SECCOMP_RET_TRAP
		}
		body = append(body, instruction{ret, 0, 0, verdict})
		prog = append(prog,
			instruction{load, 0, 0, dataNumber},
			instruction{jeq, 0, uint8(len(body)), r.Number},
		)
		prog = append(prog, body...)
	}
	prog = append(prog, instruction{ret, 0, 0, unix.SECCOMP_RET_KILL_PROCESS})

	out := make([]byte, 0, 8*len(prog))
	for _, i := range prog {
		out = binary.LittleEndian.AppendUint16(out, i.code)
		out = append(out, i.jt, i.jf)
		out = binary.LittleEndian.AppendUint32(out, i.k)
	}
	return out
}
