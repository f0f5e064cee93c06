// Package ptrace runs guests in stub processes that the Sentry traces with
// PTRACE_SYSEMU: every system call, fault and exception of a guest stops its
// thread and wakes the Sentry's thread for it; the host never executes a guest's
// call.
//
// # Objects
//
// StartZygote executes a tiny static program of ours (zygote_amd64.s) that lives
// in one page at the top of the address space and has nothing else mapped. A
// stub is a fork of it: an empty address space with two threads. The first never
// runs guest code; it stands stopped under the leader, one thread of the Sentry,
// so that host calls (a new thread, a mapping) can be injected into the stub
// whatever its guest threads do. Each guest thread has a further thread of the
// stub, traced by the OS thread that its owner is locked to. A thread that no
// context uses parks in pause(2), traced by nobody.
//
// The zygote and all stubs share one descriptor table, into which files to be
// mapped are donated once. None of the Sentry's descriptors is in it.
//
// A host call is injected by registers: the stopped thread is pointed at
// "syscall; int3" in the stub's page and goes on until the int3. Guest memory
// plays no part in it.
//
// # Locking
//
// AddressSpace.applyMu, then the zygote's mu (while the leader works for the
// holder), AddressSpace.mu last. The leader takes only zygote.mu and
// AddressSpace.mu. Nothing is held while a guest runs.
//
// # Lifetimes
//
// The zygote ends when its socket to the Sentry closes; its stubs ask to be killed
// with it and are killed with their tracers (PTRACE_O_EXITKILL). The zygote
// ignores SIGCHLD and every traced thread is waited for, so there are no zombies.
//
// # Differences
//
// ptrace shows no page fault error code: Event.Access is Execute or Unknown.
// 32-bit calls (int 0x80) are a protection fault. The time calls of the vsyscall
// page arrive as system calls with the return already made. The time that a guest's
// thread and its tracer need to hand over is nobody's processor time.
package ptrace
