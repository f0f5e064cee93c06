package ptrace

import (
	"golang.org/x/sys/unix"

	"cordon/platform/stub"
)

// SentrySyscalls is what the platform asks the host for after StartZygote, for the
// Sentry's own filter. Arguments are the Sentry's own values, never a guest's.
func SentrySyscalls() []stub.Rule {
	return []stub.Rule{
		{Number: unix.SYS_PTRACE, Name: "ptrace", Why: "traces stub threads", Args: []stub.ArgRule{stub.Arg(0, allBits,
			unix.PTRACE_SEIZE, unix.PTRACE_INTERRUPT, unix.PTRACE_CONT, unix.PTRACE_DETACH, ptraceSysemu, ptraceSysemuSingleStep,
			unix.PTRACE_GETREGS, unix.PTRACE_POKEUSR, unix.PTRACE_GETREGSET, unix.PTRACE_SETREGSET,
			unix.PTRACE_GETSIGINFO, unix.PTRACE_GET_SYSCALL_INFO)}},
		{Number: unix.SYS_WAIT4, Name: "wait4", Why: "waits for stub threads to stop"},
		{Number: unix.SYS_WAITID, Name: "waitid", Why: "looks whether the zygote is alive"},
		{Number: unix.SYS_TGKILL, Name: "tgkill", Why: "interrupts or ends a stub thread"},
		{Number: unix.SYS_KILL, Name: "kill", Why: "ends a stub or the zygote"},
		{Number: unix.SYS_SCHED_SETAFFINITY, Name: "sched_setaffinity", Why: "keeps a stub thread on its tracer's CPU"},
		{Number: unix.SYS_SCHED_GETAFFINITY, Name: "sched_getaffinity", Why: "learns which CPUs may be used"},
		{Number: unix.SYS_GETCPU, Name: "getcpu", Why: "starts a guest thread on its maker's CPU"},
		{Number: unix.SYS_GETTID, Name: "gettid", Why: "names a tracer for sched_setaffinity"},
		{Number: unix.SYS_CLOCK_GETTIME, Name: "clock_gettime", Why: "CPU time of a guest thread's owner"},
		{Number: unix.SYS_SENDMSG, Name: "sendmsg", Why: "commands the zygote and donates files to it"},
		{Number: unix.SYS_RECVMSG, Name: "recvmsg", Why: "reads the zygote's answers"},
		{Number: unix.SYS_CLOSE, Name: "close", Why: "ends the zygote by closing its socket"},
	}
}
