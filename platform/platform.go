// Package platform is the seam between the Sentry and whatever runs guest
// code: ptrace stubs, systrap stubs, KVM or, in tests, Go functions.
//
// # Objects
//
// A Platform makes address spaces and contexts. An AddressSpace is one set of
// guest mappings; a Context is what one guest thread needs to run: a host
// thread, its registers' home and its extended state. Neither knows tasks,
// files or VMAs: the Sentry decides what is mapped and the platform does it.
//
// # Locking
//
// Switch, and the methods marked "owner only", are called by one goroutine for
// the whole life of a Context, locked to its OS thread by the caller. Interrupt
// may be called from any goroutine. AddressSpace methods may be called from any
// goroutine; they take the platform's locks only, never the Sentry's.
//
// # Lifetimes
//
// An AddressSpace lives until Release; the caller makes sure that no Context
// runs in it then. A Context lives until its Release.
package platform

import (
	"cordon/internal/linux"
	"cordon/platform/arch"
)

// A Platform runs guest code.
type Platform interface {
	// Name is the name users select the platform by ("ptrace", "sim").
	Name() string

	// NewAddressSpace returns an address space with nothing mapped but the
	// platform's own pages, which lie outside [MinAddress, MaxAddress).
	NewAddressSpace() (AddressSpace, linux.Errno)

	// NewContext returns a context with zero extended state. The host thread
	// behind it is made when it first runs.
	NewContext() Context

	// Bounds returns the range of addresses that guest mappings may use.
	Bounds() (minAddress, maxAddress uint64)

	// ForgetFile drops what the platform keeps for a host file (a stub's
	// descriptor). Called when the Sentry closes the file; no mapping of it is
	// left by then.
	ForgetFile(f HostFile)

	// Release ends every process and thread the platform made.
	Release()
}

// A HostFile names a host file that an address space can map: the memory file
// or a descriptor that the gofer donated. ID is unique for the life of the
// platform and never reused; FD is the Sentry's descriptor.
type HostFile struct {
	ID uint64
	FD int32
}

// OpKind says what an Op does.
type OpKind uint8

const (
	// OpMap maps [Addr, Addr+Len) shared from File at Offset, replacing what
	// was there.
	OpMap OpKind = iota + 1
	// OpUnmap removes every mapping in [Addr, Addr+Len).
	OpUnmap
	// OpProtect gives the mappings in [Addr, Addr+Len) protection Prot. Holes
	// are left holes.
	OpProtect
	// OpReserve maps [Addr, Addr+Len) inaccessible, so that a touch faults.
	// An address space may treat it as OpUnmap.
	OpReserve
)

// OpFlags refine an OpMap.
type OpFlags uint8

const (
	// Populate makes page table entries at once for pages that are present.
	Populate OpFlags = 1 << iota
	// Huge asks for huge pages where the backing can give them.
	Huge
)

// An Op is one change of an address space. Addr, Len and Offset are multiples
// of the page size.
type Op struct {
	Kind   OpKind
	Prot   linux.Prot
	Flags  OpFlags
	Addr   uint64
	Len    uint64
	File   HostFile
	Offset uint64
}

// An AddressSpace is a set of mappings that contexts run in.
type AddressSpace interface {
	// Apply performs ops in order. c is the calling thread's own context when
	// its guest thread runs in this address space (the fast way), else nil.
	// When Apply returns, no guest thread can use a translation that ops
	// removed or weakened. On an error (ENOMEM: the host refuses more
	// mappings) the ops before the failing one have been done.
	Apply(c Context, ops []Op) linux.Errno

	// Release ends the address space. Its mappings are gone when it returns.
	Release()
}

// A LateReleaser is an address space whose end nobody has to wait for.
type LateReleaser interface {
	// ReleaseLate is Release, but returns before the mappings are gone. done is
	// called when they are, by any goroutine.
	ReleaseLate(done func())
}

// A Reusable is an address space that another program can run in.
type Reusable interface {
	// Reusable reports whether, once its mappings are gone, nothing of what ran in
	// it can disturb what runs next more than a program may its successor: only
	// one guest thread ever has. Others might be where nobody sees them.
	Reusable() bool
}

// A Settler is a platform with such address spaces, and with a thread for what they
// leave to be done.
type Settler interface {
	// Behind calls f, soon and by that thread, or before it returns.
	Behind(f func())
	// Settle waits until what ReleaseLate and Behind were given has been called.
	Settle()
}

// A Clocked is an address space that knows for how long processors have run what
// guests run in, with what the platform does there.
type Clocked interface {
	// CPUTime returns that in nanoseconds, from some moment on. ok is false when it
	// is not known any more.
	CPUTime() (ns int64, ok bool)
}

// A Forker is an address space that can make a copy of itself cheaply.
type Forker interface {
	// Fork returns an address space with the same mappings.
	Fork() (AddressSpace, linux.Errno)
}

// A Text is a program's text as a Patcher sees it: package mm says what its
// methods promise.
type Text interface {
	ReadText(c Context, addr uint64, b []byte) int
	PatchText(c Context, addr uint64, old, new []byte) linux.Errno
	TextArena(c Context, near, size uint64) (uint64, linux.Errno)
	ArenaWrite(addr uint64, b []byte) linux.Errno

	// SharedText returns the text around addr as other address spaces could
	// have it too, nil if they cannot; bias is what is to be added to its
	// addresses. ShareText makes this space use it. SharedAt returns what is at
	// addr of what this space uses, or has used.
	SharedText(addr uint64) (s SharedText, bias uint64)
	ShareText(c Context, addr uint64) Sharing
	SharedAt(addr uint64) (s SharedText, bias uint64)
}

// A SharedText is the text of a file that address spaces share, with patches that
// all of them have. Its addresses are the same for all; each space sees them
// elsewhere, by its own bias. A guest never stores to it. Another guest, though, may
// have asked for what the patcher does here: it must not depend on what a guest says.
type SharedText interface {
	// Keep returns what the patcher keeps with the text, making it first.
	Keep(make func() any) any

	// ReadText reads the text as the file has it.
	ReadText(at uint64, b []byte) int
	// Prepare makes [at, end) ready for PatchText, which stores there at once,
	// under guests that run it, within a line of 64 bytes. An address space has
	// either all of a prepared part mapped or the file's own bytes.
	Prepare(at, end uint64) linux.Errno
	PatchText(at uint64, old, new []byte) linux.Errno

	// Arena returns where there is memory for the patcher's own code, which
	// ArenaWrite fills.
	Arena() (at, size uint64, err linux.Errno)
	ArenaWrite(at uint64, b []byte) linux.Errno
}

// Sharing says whether an address space uses a shared text.
type Sharing uint8

const (
	// NotShared: it has its own, and will.
	NotShared Sharing = iota
	// SharedAlready: it has used it before.
	SharedAlready
	// SharedNow: from now on.
	SharedNow
)

// A Patcher replaces system call instructions of one address space by jumps to
// the platform's code.
type Patcher interface {
	// Trapped is told of each call whose Event says so, before the call is
	// carried out. r are its registers.
	Trapped(c Context, text Text, r *arch.Registers)

	// Resume returns where in the program's own text a thread stands that was
	// interrupted at rip.
	Resume(text Text, rip uint64) uint64

	// Fork returns a patcher for a copy of the address space.
	Fork() Patcher
}

// Patching is a platform that can patch.
type Patching interface {
	NewPatcher() Patcher
}

// A CallEntry is a platform with an address, in every address space, that code of the
// guest can jump to in place of a system call instruction: with the call's number in
// RAX and the address to go on at in RCX.
type CallEntry interface {
	CallEntry() uint64
}

// EventKind says why the guest stopped.
type EventKind uint8

const (
	// EventSyscall: the guest executed a system call instruction. Regs hold
	// the state after the instruction, with OrigRAX the number and RAX not
	// yet changed to a result (as Linux shows it to a tracer, RAX is -ENOSYS).
	EventSyscall EventKind = iota + 1
	// EventFault: a memory access could not be done. Fault is filled.
	EventFault
	// EventException: the processor raised another exception, for which the
	// guest is due Signal with Code.
	EventException
	// EventInterrupt: Interrupt was called; the guest is between two
	// instructions.
	EventInterrupt
	// EventDied: the guest thread's host thread is gone (killed from outside).
	EventDied
)

// An Event is what ended a Switch.
type Event struct {
	Kind EventKind

	// For EventFault and EventException: what the host would deliver.
	Signal linux.Signal
	Code   int32
	Addr   uint64

	// For EventFault: the access that failed. Where the platform cannot tell
	// reads from writes it sets Unknown.
	Access Access
	TrapNo uint64
	ErrNo  uint64

	// For EventSyscall: the instruction entered the host's kernel, and a
	// Patcher may spare the next ones that.
	Trapped bool

	// For EventSyscall: of the registers only RAX, OrigRAX and the arguments
	// have been written. A Completer writes the others.
	Partial bool

	// The guest ran for so short a time, some ten microseconds at most, that
	// it need not be measured.
	Quick bool
}

// Access is a kind of memory access.
type Access uint8

const (
	Unknown Access = iota
	Read
	Write
	Execute
)

// A Context is one guest thread's place in the platform.
type Context interface {
	// Switch runs the guest in as from r until an event, and leaves the
	// registers in r. Owner only. singleStep stops with SIGTRAP/TRAP_TRACE
	// after one instruction.
	Switch(as AddressSpace, r *arch.Registers, singleStep bool) Event

	// FPU returns the guest's extended state in the XSAVE standard format.
	// The slice is valid until the next Switch; changes take effect only
	// through SetFPU. Owner only.
	FPU() []byte

	// SetFPU replaces the extended state before the next Switch. The state
	// may be the guest's own bytes (from a signal frame): what the processor
	// would refuse is EINVAL and changes nothing. Owner only.
	SetFPU(state []byte) linux.Errno

	// Interrupt makes a running Switch, or the next one, return
	// EventInterrupt. It never blocks.
	Interrupt()

	// Release ends the context's host thread. Owner only.
	Release()
}

// A Completer is a Context whose events may be Partial.
type Completer interface {
	// Complete writes the registers that the last Switch left out. Without it
	// the next Switch takes nothing but RAX. Owner only; it may be called more
	// than once.
	Complete(r *arch.Registers)
}

// A Fact is a system call whose answer is a number that the guest may know.
type Fact struct {
	Call  uint32
	Value uint32
	Kind  FactKind
}

// A FactKind says how a call is answered.
type FactKind uint8

const (
	// Answer: the call has no arguments and returns Value.
	Answer FactKind = iota

	// StoreCPU: it is getcpu, which stores Value and node 0 where its first two
	// arguments point, unless they are 0.
	StoreCPU

	// WakeNobody: it is futex. FUTEX_WAKE of a private word wakes nobody while
	// the AddressSpace answers wakes (WakeAnswerer); everything else is asked for.
	WakeNobody

	// KeepFlags: it is fcntl. F_GETFL and F_SETFL of O_NONBLOCK alone are answered
	// by the words of a FlagKeeper where they have the flags.
	KeepFlags

	// RefuseWatch: it is epoll_ctl. EPOLL_CTL_ADD of what the words have the flags of
	// is EPERM.
	RefuseWatch

	// SyncMemory: it is fsync or fdatasync, of which nothing comes where the words say
	// that the file is in memory.
	SyncMemory
)

// A FlagKeeper is an AddressSpace whose guests answer for flags of open files themselves.
type FlagKeeper interface {
	// FlagWords returns a word for each of the lowest descriptors, in memory that the
	// guest can read and write at any time: bits 0 to 22 are the flags that F_GETFL
	// shows and bit 31 says that they are there, for a file that cannot be waited for;
	// bit 30 says that the descriptor is open, bit 23 that its file is in memory and has
	// nothing to write back. They are 0 at first. All loads and stores
	// are atomic. It may be called until Release, and the words last until then.
	FlagWords() []uint32
}

// A WakeAnswerer is an AddressSpace whose guests need not ask the Sentry to wake
// those who sleep on a private futex when there are none.
type WakeAnswerer interface {
	// AnswerWakes says whether there are none. From the return of a call with
	// false on, wakes are asked for that follow a store the caller cannot see.
	AnswerWakes(on bool)
}

// An Informer is a Context that can answer calls without an event.
type Informer interface {
	// Inform replaces what may be answered so, from the guest's next call on.
	// It may be called from any goroutine.
	Inform(facts []Fact)
}

// A Relay is a Context that needs no owner while its guest sleeps in a call, and may have
// another one from then on.
type Relay interface {
	// HandOver is Rester.Rest for an owner that lets go of the context: whoever calls
	// TakeOver next has it. It returns what the thread needs to own another context.
	// ok is false, and nothing has been done, where the owner had better stay.
	HandOver() (f Footing, ok bool)

	// TakeOver makes the caller, whose footing f is, the owner. A thread without one
	// has nil. It ends HandOver as Rester.Risen ends Rest.
	TakeOver(f Footing)

	// Together says whether the guest shares a CPU with others, so that its owner had
	// better go on in the place of one that it wakes. Owner only.
	Together() bool

	// OnLinger has f called whenever the guest of such an owner has not come back for a
	// moment, or may be long. It is called before the context is used.
	OnLinger(f func())
}

// A Footing is what the platform has done to a thread that has owned a context.
type Footing interface {
	// Leave undoes it. The thread only.
	Leave()
}

// A Rester is a Context that wants to know when its owner is about to sleep, with
// the guest stopped in a system call: it need not be quick to answer it.
type Rester interface {
	// Rest is called before the owner sleeps, and Risen when it has. Where Rest
	// returns true, what wakes the owner is likely to come soon, from another owner
	// on its CPU: it may call Yield, which lets that one run, and look whether it
	// has come, as often as that returns true. Owner only.
	Rest() bool
	Yield() bool
	Risen()

	// Bulk says that the guest's call has moved much to or from outside the sandbox,
	// where somebody needs a CPU for as much. Owner only.
	Bulk()

	// Roused is called when another thread wakes the owner. Anyone calls it.
	Roused()
}
