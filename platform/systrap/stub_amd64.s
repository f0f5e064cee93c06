#include "textflag.h"

// The code that a stub shares with its zygote, copied out of this binary into an
// ELF image (image.go), so it names nothing outside itself. Guests can read and
// run it: nothing here is secret, and no instruction gives a guest anything that
// the filter would not refuse it. The two words that the filter wants from the
// zygote and the leader live in their R14 and R15 only.
//
//	STUB   code page, then the configuration page; read-execute
//	OPS    the leader's orders, read-only here, written by the Sentry
//	DATA   the zygote's scratch page; a stub unmaps it at birth
//	WORDS  flags of open files, which guest and Sentry both write
//	BOOT   where execve puts the image; the page at SECRET is not copied to STUB
//
// A guest thread's slot (layout.go): a page of facts that it can only read, its
// header, at which GS points, an XSAVE area and its signal stack.
#define STUB 0x7fffffff8000
#define CONF 0x7fffffff9000
#define OPS  0x7fffffffb000
#define DATA 0x7fffffffc000
#define WORDS 0x7fffffffd000
#define SLOTS 0x7ffff0000000
#define BOOT 0x10000000
#define SECRET 0x10002000

// Of the looks for an answer, what letting others have the CPU counts for.
#define YIELD 32

// Offsets in a header, as layout.go has them.
#define hTurn    0x00
#define hRAX     0x08
#define hRDI     0x10
#define hRSI     0x18
#define hRDX     0x20
#define hR10     0x28
#define hR8      0x30
#define hR9      0x38
#define hSelf    0x40
#define hSentry  0x48
#define hStub    0x4c
#define hSpin    0x50
#define hCommand 0x54
#define hKind    0x58
#define hRCX     0x80
#define hRBX     0x88
#define hRBP     0x90
#define hRSP     0x98
#define hR12     0xa0
#define hR13     0xa8
#define hR14     0xb0
#define hR15     0xb8
#define hFS      0xc0
#define hGS      0xc8
#define hContext 0xd0
#define hInfo    0xd8
#define hStack   0xe0
#define hXSave   0x1000

// Offsets in the page of orders.
#define oWakes 0x28
#define oLooks 0x2c

// Where a leader says which orders it has done, and behind that whether it sleeps, in
// the first slot: hints, because guests can write there too.
#define DONE 0x7ffff0001100

// Facts lie in the page before the header.
#define fCalls 0xfffff000

#define kickSignal 28

// MARK names the instruction behind it for image.go: an 8 byte no-op with n in it.
#define MARK(n) BYTE $0x0f; BYTE $0x1f; BYTE $0x84; BYTE $0x00; BYTE $n; BYTE $0x00; BYTE $0xde; BYTE $0xc0

TEXT ·stubCode(SB), NOSPLIT|NOFRAME, $0-0
	// Entry of the zygote. execve clears R15; the moved copy comes back with 1.
	CMPQ R15, $1
	JEQ  moved

	// mmap(STUB, 2 pages, RW, PRIVATE|ANON|FIXED), and DATA the same way
	MOVQ $STUB, DI
	MOVQ $0x2000, SI
	MOVQ $3, DX
	MOVQ $0x32, R10
	MOVQ $-1, R8
	MOVQ $0, R9
	MOVQ $9, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $DATA, DI
	MOVQ $0x1000, SI
	MOVQ $9, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $BOOT, SI
	MOVQ $STUB, DI
	MOVQ $0x2000, CX
	CLD
	REP; MOVSB
	MOVQ $STUB, DI           // mprotect(STUB, 2 pages, RX)
	MOVQ $0x2000, SI
	MOVQ $5, DX
	MOVQ $10, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $1, R15
	MOVQ $STUB, AX
	JMP  AX

moved:
	MOVQ $CONF, R12
	MOVQ $39, AX             // getpid, for the stubs to compare with
	SYSCALL
	MOVQ AX, R13
	MOVQ $38, DI             // prctl(PR_SET_NO_NEW_PRIVS, 1)
	MOVQ $1, SI
	MOVQ $0, DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $157, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	LEAQ 0x18(R12), DI       // capset(none)
	LEAQ 0x20(R12), SI
	MOVQ $126, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	LEAQ 0x100(R12), BX      // the signals and what to do with them, ended by 0
action:
	MOVQ 0(BX), DI
	TESTQ DI, DI
	JEQ  actions_done
	LEAQ 8(BX), SI           // rt_sigaction(signal, action, NULL, 8)
	MOVQ $0, DX
	MOVQ $8, R10
	MOVQ $13, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	ADDQ $40, BX
	JMP  action
actions_done:
	MOVQ $2, DI              // rt_sigprocmask(SIG_SETMASK, all)
	LEAQ 0x58(R12), SI
	MOVQ $0, DX
	MOVQ $8, R10
	MOVQ $14, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $15, DI             // prctl(PR_SET_NAME)
	LEAQ 0x68(R12), SI
	MOVQ $0, DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $157, AX
	SYSCALL
	MOVQ $SECRET, BX
	MOVQ 0(BX), R14
	MOVQ 8(BX), R15
	MOVQ $22, DI             // prctl(PR_SET_SECCOMP, FILTER, prog)
	MOVQ $2, SI
	LEAQ 0x10(BX), DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $157, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $0, DI              // munmap all below: image, stack, vDSO
	MOVQ $STUB, SI
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $11, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $0, AX
	MOVQ $DATA, BX
	JMP  reply               // 0: ready

loop:
	MOVQ $DATA, BX
	MOVQ $0, 0x00(BX)        // msghdr
	MOVQ $0, 0x08(BX)
	LEAQ 0x40(BX), AX
	MOVQ AX, 0x10(BX)
	MOVQ $1, 0x18(BX)
	LEAQ 0xc0(BX), AX
	MOVQ AX, 0x20(BX)
	MOVQ $24, 0x28(BX)
	MOVQ $0, 0x30(BX)
	LEAQ 0x80(BX), AX        // iovec
	MOVQ AX, 0x40(BX)
	MOVQ $8, 0x48(BX)
	MOVQ 0(R12), DI          // recvmsg(socket, msghdr, 0)
	MOVQ BX, SI
	MOVQ $0, DX
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $47, AX
	SYSCALL
	CMPQ AX, $-4
	JEQ  loop
	CMPQ AX, $8
	JNE  quit                // the Sentry is gone
	MOVL 0x80(BX), CX
	CMPL CX, $1
	JEQ  fork
	CMPL CX, $2
	JEQ  donate
	CMPL CX, $3
	JEQ  close
	MOVQ $-22, AX

reply:
	MOVQ AX, 0x90(BX)
	MOVQ $0, BP              // where to go then: loop
send:
	MOVQ $0, 0x100(BX)       // sendmsg(socket, msghdr, MSG_NOSIGNAL)
	MOVQ $0, 0x108(BX)
	LEAQ 0x140(BX), AX
	MOVQ AX, 0x110(BX)
	MOVQ $1, 0x118(BX)
	MOVQ $0, 0x120(BX)
	MOVQ $0, 0x128(BX)
	MOVQ $0, 0x130(BX)
	LEAQ 0x90(BX), AX
	MOVQ AX, 0x140(BX)
	MOVQ $8, 0x148(BX)
	MOVQ 0(R12), DI
	LEAQ 0x100(BX), SI
	MOVQ $0x4000, DX
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $46, AX
	SYSCALL
	TESTQ BP, BP
	JEQ  loop
	JMP  born

donate:
	MOVQ $-9, AX
	CMPQ 0x28(BX), $20
	JCS  reply
	MOVLQSX 0xd0(BX), AX
	JMP  reply

close:
	MOVL 0x84(BX), DI
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $3, AX
	SYSCALL
	JMP  reply

fork:
	MOVQ $0x411, DI          // clone(CLONE_FILES|SIGCHLD)
	MOVQ $0, SI
	MOVQ $0, DX
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $56, AX
	SYSCALL
	CMPQ AX, $0
	JLT  reply
	JGT  loop                // the child answers

	// A new stub: die with the zygote, say hello, map the orders and the words.
	MOVQ $1, DI              // prctl(PR_SET_PDEATHSIG, SIGKILL)
	MOVQ $9, SI
	MOVQ $0, DX
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $157, AX
	SYSCALL
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $110, AX            // getppid: has it died before that?
	SYSCALL
	CMPQ AX, R13
	JNE  quit
	MOVQ $OPS, DI            // mmap(OPS, 1 page, READ, SHARED|FIXED, control, offset)
	MOVQ $4096, SI
	MOVQ $1, DX
	MOVQ $0x11, R10
	MOVL 8(R12), R8
	MOVL 0x84(BX), R9
	SHLQ $15, R9
	ORQ  R14, R10
	ORQ  R15, R8
	MOVQ $9, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  quit
	MOVQ $WORDS, DI          // mmap(WORDS, 1 page, READ|WRITE, SHARED|FIXED, control, offset + 1 page)
	MOVQ $3, DX
	ADDQ $4096, R9
	MOVQ $9, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  quit
	MOVQ $0, 0x90(BX)
	MOVQ $1, BP
	JMP  send
born:
	MOVQ $DATA, DI           // munmap(DATA)
	MOVQ $4096, SI
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $11, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  quit

	// The leader: wait for orders, carry them out, say so. R13 is the last one.
	MOVQ $0, R13
	MOVQ $OPS, R12
orders:
	MOVL oLooks(R12), BX     // the next ones may come at once
look:
	MOVL 0(R12), AX
	CMPL AX, R13
	JNE  obey
	DECL BX
	JLT  rest
	MOVQ $24, AX             // sched_yield
	SYSCALL
	JMP  look
rest:
	CMPL oLooks(R12), $0
	JEQ  slumber
	MOVQ $DONE, AX
	MOVL $1, CX
	XCHGL CX, 4(AX)          // before the host looks at the sequence
slumber:
	MOVQ R12, DI             // futex(sequence, FUTEX_WAIT, last, NULL)
	MOVQ $0, SI
	MOVL R13, DX
	MOVQ $0, R10
	MOVQ $202, AX
	SYSCALL
	JMP  orders
obey:
	MOVL AX, R13
	MOVL 4(R12), BX          // how many
	LEAQ 0x40(R12), BP
order:
	TESTL BX, BX
	JEQ  obeyed
	MOVQ 0x00(BP), AX
	MOVQ 0x08(BP), DI
	MOVQ 0x10(BP), SI
	MOVQ 0x18(BP), DX
	MOVQ 0x20(BP), R10
	MOVQ 0x28(BP), R8
	MOVQ 0x30(BP), R9
	ORQ  R14, R10
	ORQ  R15, R8
	MOVQ AX, SP              // a new thread must not look at the orders: by the time
	SYSCALL                  // it runs they may be the next ones
	CMPQ SP, $56
	JNE  ordered
	TESTQ AX, AX
	JEQ  thread
ordered:
	CMPQ AX, $-4095
	JCS  next
	CMPQ 0x38(BP), $0        // may it fail?
	JEQ  failed
next:
	ADDQ $64, BP
	DECL BX
	JMP  order
failed:
	LEAQ 0x18(R12), SI
	CMPQ AX, $-13            // EACCES
	JNE  report
	LEAQ 0x20(R12), SI
	JMP  report
obeyed:
	LEAQ 0x10(R12), SI
report:
	MOVL 8(R12), DI          // write(eventfd, what became of it, 8)
	MOVQ $8, DX
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $1, AX
	SYSCALL
	CMPL oLooks(R12), $0
	JEQ  orders
	MOVQ $DONE, AX
	MOVL $0, 4(AX)
	MOVL R13, 0(AX)
	JMP  orders

	// A new guest thread: R9 is its slot. It forgets the secret first.
thread:
	XORL R14, R14
	XORL R15, R15
	XORL R10, R10
	XORL R8, R8
	LEAQ 0x1000(R9), R12
	WRGSBASEQ R12
	LEAQ hStack(R12), DI     // sigaltstack(stack, NULL)
	XORL SI, SI
	MOVQ $131, AX
	SYSCALL
	JMP  wait

quit:
	MOVQ $0, DI
	MOVQ R14, R10
	MOVQ R15, R8
	MOVQ $231, AX
	SYSCALL
fail:
	MOVQ AX, DI
	NEGQ DI
	MOVQ $231, AX
	SYSCALL
	INT  $3

	// Where patched code enters: RAX the call's number, RCX the address after
	// the syscall instruction; R11 and the flags are free. No stack.
	MARK(1)
	CMPL (hSelf+4)(GS), $0x7fff // is GS ours? If not, this or the next traps
	JNE  foreign
	CMPQ AX, $448
	JCC  ask
	BYTE $0x65; BYTE $0x4c; BYTE $0x8b; BYTE $0x1c; BYTE $0xc5 // mov %gs:fCalls(,%rax,8), %r11
	LONG $fCalls
	TESTQ R11, R11
	JEQ  ask
	JGT  special
	MOVL R11, AX             // the page of facts has the answer
	JMP  CX
special:
	BTQ  $34, R11
	JCS  flags
	BTQ  $35, R11
	JCS  watch
	BTQ  $36, R11
	JCS  sync
	BTQ  $32, R11
	JCC  wake
	TESTQ DI, DI             // getcpu: a fault here is a call not yet made
	JEQ  node
	MOVL R11, 0(DI)
node:
	TESTQ SI, SI
	JEQ  zero
	MOVL $0, 0(SI)
	JMP  zero
wake:                            // futex: FUTEX_WAKE|FUTEX_PRIVATE_FLAG of a good address
	CMPL SI, $0x81
	JNE  ask
	TESTL $3, DI
	JNE  ask
	MOVQ $SLOTS, R11
	CMPQ DI, R11
	JCC  ask
	MFENCE                   // the guest's stores before the look
	MOVQ $OPS, R11
	CMPL oWakes(R11), $1
	JNE  ask
zero:
	XORL AX, AX
	JMP  CX
sync:                            // fsync, fdatasync of a file in memory
	CMPQ DI, $1024
	JCC  ask
	MOVQ $WORDS, R11
	TESTL $0x800000, 0(R11)(DI*4)
	JNE  zero
	JMP  ask
flags:                           // fcntl: F_GETFL or F_SETFL of a file whose word has the flags
	CMPQ DI, $1024
	JCC  ask
	MOVQ $WORDS, R11
	CMPL SI, $4
	JEQ  set
	CMPL SI, $3
	JNE  ask
	MOVL 0(R11)(DI*4), R11
	TESTL R11, R11
	JGE  ask
	ANDL $0x7fffff, R11
	MOVL R11, AX
	JMP  CX
set:
	MOVQ DX, hRDX(GS)
	MOVL 0(R11)(DI*4), AX
	TESTL AX, AX
	JGE  unset
	XORL AX, DX
	TESTL $0x46400, DX       // O_APPEND, O_ASYNC, O_DIRECT, O_NOATIME stay
	JNE  unset
	ANDL $0x800, DX          // O_NONBLOCK; the rest cannot be set
	XORL AX, DX
	LOCK
	CMPXCHGL DX, 0(R11)(DI*4)
	JNE  unset
	MOVQ hRDX(GS), DX
	XORL AX, AX
	JMP  CX
unset:
	MOVQ hRDX(GS), DX
	MOVL $72, AX
	JMP  ask
watch:                           // epoll_ctl: EPOLL_CTL_ADD of a file that cannot be waited for
	CMPL SI, $1
	JNE  ask
	CMPQ DI, $1024
	JCC  ask
	CMPQ DX, $1024
	JCC  ask
	MOVQ $WORDS, R11
	TESTL $0x40000000, 0(R11)(DI*4)
	JEQ  ask
	CMPL 0(R11)(DX*4), $0
	JGE  ask
	CMPB 0(R10), $0          // a fault here is a call not yet made
	CMPB 11(R10), $0
	MOVQ $-1, AX             // EPERM
	JMP  CX
ask:
	MOVQ R12, hR12(GS)
	MOVQ hSelf(GS), R12
	MOVQ CX, hRCX(R12)
	MOVQ BX, hRBX(R12)
	MOVQ BP, hRBP(R12)
	MOVQ SP, hRSP(R12)
	MOVQ R13, hR13(R12)
	MOVQ R14, hR14(R12)
	MOVQ R15, hR15(R12)
	RDFSBASEQ R11
	MOVQ R11, hFS(R12)
	CMPL hKind(R12), $1
	JEQ  call
	MOVL $1, hKind(R12)
call:
	MOVQ AX, hRAX(R12)
	MOVQ DI, hRDI(R12)
	MOVQ SI, hRSI(R12)
	MOVQ DX, hRDX(R12)
	MOVQ R10, hR10(R12)
	MOVQ R8, hR8(R12)
	MOVQ R9, hR9(R12)

	// Hand over to the Sentry and wait for its answer. R12 is the header.
handoff:
	MOVL $1, AX
	XCHGL AX, hTurn(R12)
	CMPL hSentry(R12), $0
	JEQ  wait
	LEAQ hTurn(R12), DI      // futex(turn, FUTEX_WAKE, 1)
	MOVQ $1, SI
	MOVQ $1, DX
	MOVQ $202, AX
	SYSCALL
wait:
	MOVL hSpin(R12), CX
spin:
	MOVL hTurn(R12), DX
	TESTL DX, DX
	JEQ  got
	CMPL DX, $1
	JNE  yield
	PAUSE
	DECL CX
	JGT  spin
	CMPL hSpin(R12), $0
	JEQ  sleep
	LEAQ hTurn(R12), DI      // nobody looks: futex(turn, FUTEX_WAKE, 1)
	MOVQ $1, SI
	MOVQ $1, DX
	MOVQ $202, AX
	SYSCALL
	JMP  sleep
yield:                           // other guests want the CPU
	CMPL DX, $3              // more of them than may wait so
	JEQ  sleep
	SUBL $YIELD, CX
	JLE  sleep
	MOVL CX, SI
	MOVQ $24, AX             // sched_yield
	SYSCALL
	MOVL SI, CX
	JMP  spin
sleep:
	MOVL $1, AX
	XCHGL AX, hStub(R12)
	MOVL hTurn(R12), DX
	TESTL DX, DX
	JEQ  got
	LEAQ hTurn(R12), DI      // futex(turn, FUTEX_WAIT, turn, NULL)
	MOVQ $0, SI
	MOVQ $0, R10
	MOVQ $202, AX
	SYSCALL
	MOVL $0, hStub(R12)      // it looks again: nobody has to wake it
	JMP  wait
got:
	CMPL hStub(R12), $0
	JEQ  awake
	MOVL $0, hStub(R12)
awake:
	MOVL hCommand(R12), AX
	CMPL AX, $1
	JEQ  reload
	CMPL AX, $2
	JEQ  store
	CMPL AX, $3
	JEQ  leave
	MOVQ hRAX(R12), AX
	MOVQ hRCX(R12), CX
	MOVQ hRDX(R12), DX
	MOVQ hRSI(R12), SI
	MOVQ hRDI(R12), DI
	MOVQ hR10(R12), R10
	MOVQ hR12(R12), R12
	MOVL $0x246, R11
	JMP  CX

	// Load all registers from the signal frame that the Sentry prepared.
reload:
	MOVQ hFS(R12), AX
	WRFSBASEQ AX
	MOVQ hContext(R12), SP
	MOVQ hGS(R12), AX
	WRGSBASEQ AX
sigreturn:
	MOVQ $15, AX
	SYSCALL
	INT  $3

	// Store the extended state, which is still the guest's.
store:
	MOVQ $CONF, DI
	MOVL 0x80(DI), AX
	MOVL 0x84(DI), DX
	XSAVE64 hXSave(R12)
	JMP  handoff

leave:
	MOVQ $0, DI
	MOVQ $60, AX
	SYSCALL
	INT  $3

foreign:
	MARK(2)
	UD2

	// The handler of every signal, on the signal stack, all signals blocked. A
	// kick that hits this code is forgotten: the Sentry repeats it.
	MARK(3)
	MOVQ 168(DX), AX         // the interrupted instruction
	MOVQ $STUB, CX
	SUBQ CX, AX
	CMPQ AX, $0x1000
	JCS  inside
handle:
	MOVQ SP, R12
	ANDQ $~0x7fff, R12
	ADDQ $0x1000, R12
	MOVQ DX, hContext(R12)
	MOVQ SI, hInfo(R12)
	RDFSBASEQ AX
	MOVQ AX, hFS(R12)
	RDGSBASEQ AX
	MOVQ AX, hGS(R12)
	WRGSBASEQ R12
	MOVL $2, hKind(R12)
	JMP  handoff
inside:
	CMPL DI, $kickSignal
	JNE  handle
	MOVQ DX, SP
	JMP  sigreturn

	// The end mark that stub.CopyCode looks for.
	BYTE $0xf4; BYTE $0xf4; BYTE $0xc0; BYTE $0xde
	BYTE $0xf4; BYTE $0xf4; BYTE $0xc0; BYTE $0xde

// func stubCodeAddress() uintptr
TEXT ·stubCodeAddress(SB), NOSPLIT, $0-8
	LEAQ ·stubCode(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func spinWhile(addr *uint32, value uint32, turns int32) bool
//
// spinWhile looks at *addr at most turns times, pausing in between, and returns
// whether it differs from value.
TEXT ·spinWhile(SB), NOSPLIT, $0-17
	MOVQ addr+0(FP), DI
	MOVL value+8(FP), AX
	MOVL turns+12(FP), CX
look:
	CMPL 0(DI), AX
	JNE  differs
	PAUSE
	DECL CX
	JGT  look
	MOVB $0, ret+16(FP)
	RET
differs:
	MOVB $1, ret+16(FP)
	RET
