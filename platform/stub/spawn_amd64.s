#include "textflag.h"

// func spawn(image, socket uintptr, empty *byte, argv, envp **byte) int64
//
// vforks and executes the file image, keeping only socket open. The child runs
// on the parent's stack, which stands still, and writes nothing to it. All
// signals are blocked by the caller.
TEXT ·spawn(SB), NOSPLIT, $0-48
	MOVQ image+0(FP), R12
	MOVQ socket+8(FP), R13
	MOVQ empty+16(FP), R8
	MOVQ argv+24(FP), R9
	MOVQ envp+32(FP), BX
	MOVQ R8, R15
	MOVQ R9, R14
	MOVQ $0x4111, DI         // CLONE_VM|CLONE_VFORK|SIGCHLD
	MOVQ $0, SI
	MOVQ $0, DX
	MOVQ $0, R10
	MOVQ $0, R8
	MOVQ $56, AX
	SYSCALL
	CMPQ AX, $0
	JNE  parent
	MOVQ $0, DI              // close_range(0, ~0, CLOSE_RANGE_CLOEXEC)
	MOVL $0xffffffff, SI
	MOVQ $4, DX
	MOVQ $436, AX
	SYSCALL
	MOVQ R13, DI             // fcntl(socket, F_SETFD, 0)
	MOVQ $2, SI
	MOVQ $0, DX
	MOVQ $72, AX
	SYSCALL
	MOVQ R12, DI             // execveat(image, "", argv, envp, AT_EMPTY_PATH)
	MOVQ R15, SI
	MOVQ R14, DX
	MOVQ BX, R10
	MOVQ $0x1000, R8
	MOVQ $322, AX
	SYSCALL
	MOVQ AX, DI
	NEGQ DI
	MOVQ $231, AX
	SYSCALL
	INT  $3
parent:
	MOVQ AX, ret+40(FP)
	RET
