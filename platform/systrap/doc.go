// Package systrap runs guests in stub processes that hand themselves over: a
// seccomp filter turns every system call of a guest into a SIGSYS, whose handler,
// as that of every other signal, gives registers to the Sentry through memory that
// both share, and waits there for what to do next. No host thread traces another.
//
// # Objects
//
// StartZygote executes a tiny static program (stub_amd64.s) that stubs are forked
// from: empty address spaces with a code page, a configuration page and a page of
// orders at their top, and one of words for descriptors. A stub's first thread is
// its leader. It runs no guest code and makes the host calls that the Sentry writes
// into the page of orders, which the stub can only read: mmap, munmap, mprotect,
// clone. Each guest thread is another thread of the stub, with a slot: facts for the
// guest, a header of registers and commands, room for XSAVE, a signal stack.
//
// The janitor, a thread of the Sentry, makes stubs ahead and ends those that were
// released, behind the backs of those who asked.
//
// The control file holds all orders and slots; the Sentry maps it whole.
//
// # Trust
//
// A guest can read and write its slots and run the stub's code whenever it likes.
// So nothing that the Sentry reads from a slot is more than a claim by the guest
// about its own registers: addresses are checked to lie in the slot, and what is
// read is copied before it is looked at. What would reach beyond the guest's own
// process, mapping files above all, is done by leaders only: the filter wants a
// secret of 64 bits in unused halves of the arguments, which no guest thread ever
// has in a register or in memory, and kills a process that shows another. Leaders
// report through an eventfd, which the filter guards in the same way, because
// memory that was unmapped may be another guest's the moment the Sentry believes
// it. What a leader writes to the first slot, that it is done or asleep, is a hint. A stub that has been killed is waited for before its memory is used again,
// which ReleaseLate tells its caller. A new thread of a stub never looks at the
// orders: it would have the secret.
//
// A guest that keeps its turn for itself when it is interrupted is killed after
// two seconds.
//
// # Handing over
//
// The word turn says whose turn it is. Whoever waits looks at it for a while, if a
// CPU can be spared (stub.Placer), and sleeps on it as a futex otherwise, with both
// threads bound to one CPU.
//
// # Locking
//
// AddressSpace.applyMu, then the zygote's mu, AddressSpace.mu, janitor.mu,
// control.mu and reports.mu last. Nothing is held while a guest runs.
//
// # Differences
//
// The data segment selectors (DS, ES, FS, GS) are the host's and read as 0. After
// a call made by patched code R11 and the arithmetic flags are not the guest's: the
// instruction that was there destroys RCX and R11, and compilers take the flags for
// destroyed as well.
package systrap
