// Package patch decides whether and how a syscall instruction (0f 05) of a guest
// can be replaced by a jump to a trampoline, so that the kernel is not entered.
// It computes bytes; reading the guest's text and storing there is its caller's.
//
// # Objects
//
// Analyze reads the text around a Site through a Code and returns a Plan. An
// Arena gives the plan a trampoline and makes it a Patch: the trampoline's code,
// and the stores that switch it on in the order in which they are to be made.
// Patch.Undo returns those that switch it off. A Set holds the patches of one
// address space; through Set.Original Analyze sees the text without them, and
// gives no padding away twice. The trampoline is
//
//	[the instruction before the system call]   form A only
//	lea   S+2(%rip), %rcx
//	jmp   entry
//
// so at entry every register is as at the system call, but for rcx, which holds
// the address to return to, as behind a real one. r11 and the arithmetic flags
// are free, since a real system call loses them, or the program's compiler takes
// them as lost. The stack is not touched, a red zone stays whole, and nothing is
// called. Entry returns by jmp *%rcx.
//
// Form A replaces the instruction before the system call by a jump, if it has
// five bytes or more, runs on to the system call and can stand elsewhere (an
// operand relative to rip is adjusted). The syscall instruction stays: a branch
// to it takes the slow way, and a system call that is restarted finds it. If
// such branches are frequent, a second plan for the site is of form E.
//
// Form E replaces the system call by a short jump to padding that nobody
// reaches, and five bytes of the padding by a jump. Nothing moves.
//
// # Evidence
//
// Where the instruction before the system call begins is not written in the
// text. Decoding starts at each byte of a stretch some 300 bytes earlier; x86
// decodings fall in step after a few instructions. Form A needs that all of them
// agree, of which at least three began independently, that they arrive at the
// system call, and that for 64 bytes before it they met nothing that is not an
// instruction: behind that all of them could agree on a wrong boundary. Where they disagree, it still counts if the bytes before are
// an instruction that loads just the number which the call was made with, and
// cannot be read as one that loads another register. Padding is a run of nops up
// to an aligned address, or of int3, behind a ret, an unconditional jump or a
// trap, which all decodings agree on. In both forms no direct branch, and no lea
// that takes an address, may lead into what is replaced: those with 32-bit
// displacements are looked for at every byte of the pages around, short ones at
// the instructions around.
//
// What this cannot see are indirect branches into the middle: a jump table with
// an entry for an instruction that no decoding found, or for the padding behind
// a jump. No compiler makes these. Code that jumps into its own instructions on
// purpose can be broken by it: it breaks itself, not its sandbox.
//
// Never patched: rt_sigreturn, which unwinders recognize by its bytes.
//
// # Stores
//
// Each Store says whether it can be made while other threads run the code
// (Atomic: eight bytes at most, within a line of the cache, in one store),
// whether nobody runs these bytes at that moment anyway (Unreached: padding), and
// whether one aligned word holds it (Word). Where form A would cross a line,
// Analyze prefers form E. No thread's ip is ever inside
// of what is replaced, beyond its first byte.
//
// A patch whose stores are made by one thread at a time and in order is never
// seen in part: the padding first, and Undo the other way round. A Store that is
// neither Atomic nor Unreached needs every thread of the address space to be stopped.
//
// # Locking
//
// None: callers serialize what concerns one address space.
//
// # Checkpoint
//
// An image holds the original bytes (Undo), so nothing here is saved but, if
// threads may stand in trampolines, those pages and the arena's Used and Count;
// Patch.Resume instead takes a thread out of its trampoline.
//
// # Differences
//
// A program that reads its own text sees the patch: a checksum over it, a
// disassembler, a memory dump. Set.Overlay hides it from reads that go through
// the Sentry (ptrace, /proc/pid/mem), not from the program's own loads.
//
// A fault of the moved instruction, and a signal in the trampoline, happen at an
// ip of the trampoline. The caller must translate it (Resume) before anybody
// looks: unwinders, and libcs that compare ip with a range to decide whether a
// cancelled system call was made, know only the original code.
//
// r11 does not hold the flags behind a patched system call, and the arithmetic
// flags change, as behind none of Linux's.
package patch
