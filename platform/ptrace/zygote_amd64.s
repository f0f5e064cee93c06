#include "textflag.h"

// The code page that the zygote and every stub share. It is copied out of this
// binary into an ELF image (image_unsafe.go), so it names nothing outside itself
// and reaches its own data by absolute addresses:
//
//	STUB       the page that holds this code, mapped read-execute
//	STUB+0x800 the configuration (layout in image_unsafe.go), same page
//	DATA       the zygote's scratch page; a stub unmaps it at birth
//	BOOT       where execve puts the page before it moves itself to STUB
//
// It uses no stack: everything but STUB and DATA is unmapped.
#define STUB 0x7fffffffd000
#define CONF 0x7fffffffd800
#define DATA 0x7fffffffe000
#define BOOT 0x10000000

TEXT ·zygoteCode(SB), NOSPLIT|NOFRAME, $0-0
	// 0x00, offInject: syscall; int3. The Sentry points a stopped thread here
	// with a call in its registers; int3 hands the result back.
	BYTE $0x0f; BYTE $0x05; BYTE $0xcc
	BYTE $0x90; BYTE $0x90; BYTE $0x90; BYTE $0x90; BYTE $0x90

	// 0x08, offClone: syscall; test eax,eax; jz 0x10; int3; nop. The same for
	// clone: the new thread, which nobody traces yet, goes to park.
	BYTE $0x0f; BYTE $0x05; BYTE $0x85; BYTE $0xc0
	BYTE $0x74; BYTE $0x02; BYTE $0xcc; BYTE $0x90

	// 0x10, offPark: mov eax,34 (pause); syscall; jmp 0x10.
	BYTE $0xb8; BYTE $0x22; BYTE $0x00; BYTE $0x00; BYTE $0x00
	BYTE $0x0f; BYTE $0x05; BYTE $0xeb; BYTE $0xf7
	BYTE $0x90; BYTE $0x90; BYTE $0x90; BYTE $0x90
	BYTE $0x90; BYTE $0x90; BYTE $0x90

	// 0x20, offEntry. execve clears R15; the moved copy comes back with 1.
	CMPQ R15, $1
	JEQ  moved

	// mmap(STUB, 2 pages, RW, PRIVATE|ANON|FIXED)
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
	MOVQ $BOOT, SI
	MOVQ $STUB, DI
	MOVQ $4096, CX
	CLD
	REP; MOVSB
	MOVQ $STUB, DI           // mprotect(STUB, 1 page, RX)
	MOVQ $4096, SI
	MOVQ $5, DX
	MOVQ $10, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $1, R15
	MOVQ $(STUB+0x20), AX
	JMP  AX

moved:
	MOVQ $0, DI              // munmap all below: image, stack, vDSO
	MOVQ $STUB, SI
	MOVQ $11, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
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
	MOVQ $17, DI             // rt_sigaction(SIGCHLD, SIG_IGN): no zombies
	LEAQ 0x38(R12), SI
	MOVQ $0, DX
	MOVQ $8, R10
	MOVQ $13, AX
	SYSCALL
	CMPQ AX, $-4095
	JCC  fail
	MOVQ $2, DI              // rt_sigprocmask(SIG_SETMASK)
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
	MOVQ $22, DI             // prctl(PR_SET_SECCOMP, FILTER, prog)
	MOVQ $2, SI
	LEAQ 0x08(R12), DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $157, AX
	SYSCALL
	MOVQ $DATA, BX
	JMP  reply               // 0: ready; else the reason

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
	MOVQ $47, AX
	SYSCALL
	CMPQ AX, $-4
	JEQ  loop
	CMPQ AX, $8
	JNE  exit                // the Sentry is gone
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
	MOVQ 0(R12), DI          // sendto(socket, result, 8, MSG_NOSIGNAL)
	LEAQ 0x90(BX), SI
	MOVQ $8, DX
	MOVQ $0x4000, R10
	MOVQ $0, R8
	MOVQ $0, R9
	MOVQ $44, AX
	SYSCALL
	JMP  loop

donate:
	MOVQ $-9, AX
	CMPQ 0x28(BX), $20
	JCS  reply
	MOVLQSX 0xd0(BX), AX
	JMP  reply

close:
	MOVL 0x84(BX), DI
	MOVQ $3, AX
	SYSCALL
	JMP  reply

fork:
	MOVQ $0x411, DI          // clone(CLONE_FILES|SIGCHLD)
	MOVQ $0, SI
	MOVQ $0, DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $56, AX
	SYSCALL
	CMPQ AX, $0
	JLT  reply
	JGT  loop                // the child answers

	// A new stub: die with the zygote, drop its page, say hello, park.
	MOVQ $1, DI              // prctl(PR_SET_PDEATHSIG, SIGKILL)
	MOVQ $9, SI
	MOVQ $0, DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $157, AX
	SYSCALL
	MOVQ $110, AX            // getppid: has it died before that?
	SYSCALL
	CMPQ AX, R13
	JNE  exit
	MOVQ $DATA, DI           // munmap(DATA)
	MOVQ $4096, SI
	MOVQ $11, AX
	SYSCALL
	MOVQ 0(R12), DI          // sendto(socket, zero, 8, MSG_NOSIGNAL)
	LEAQ 0x60(R12), SI
	MOVQ $8, DX
	MOVQ $0x4000, R10
	MOVQ $0, R8
	MOVQ $0, R9
	MOVQ $44, AX
	SYSCALL
	MOVQ $(STUB+0x10), AX
	JMP  AX

exit:
	MOVQ $0, DI
	MOVQ $231, AX
	SYSCALL
fail:
	MOVQ AX, DI
	NEGQ DI
	MOVQ $231, AX
	SYSCALL

	// The end mark that image_unsafe.go looks for.
	BYTE $0xf4; BYTE $0xf4; BYTE $0xc0; BYTE $0xde
	BYTE $0xf4; BYTE $0xf4; BYTE $0xc0; BYTE $0xde

// func zygoteCodeAddress() uintptr
TEXT ·zygoteCodeAddress(SB), NOSPLIT, $0-8
	LEAQ ·zygoteCode(SB), AX
	MOVQ AX, ret+0(FP)
	RET
