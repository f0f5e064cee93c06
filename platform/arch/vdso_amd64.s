#include "textflag.h"

// The vDSO's code, copied into the image by vdso.go. It names nothing but itself:
// the parameters lie at a fixed distance before it, VVAR bytes before the image,
// whose byte TEXTOFF is the first of this code. MARK precedes each entry and is
// how vdso.go finds it; the marks are never executed.
//
// Offsets in the parameters and the clock table are those of vvar_unsafe.go.
#define VVAR 4096
#define TEXTOFF 2048

#define MARK(n) \
	PCALIGN $16; \
	BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; BYTE $0xcc; \
	BYTE $0xf4; BYTE $0x76; BYTE $0x64; BYTE $0x73; BYTE $0x6f; BYTE $0xf4; BYTE $n; BYTE $0xcc

// PARAMETERS puts their address into R11.
#define PARAMETERS \
	LEAQ ·vdsoCode(SB), R11; \
	SUBQ $(VVAR+TEXTOFF), R11

// READ(again) reads the clock whose table entry R8 points to: seconds to CX and
// nanoseconds, which may be more than a second's worth, to AX. It uses DX, R9.
// A base in the future, by a hair on another processor, counts as now.
#define READ(again, wait, nope, positive, slow) \
again: \
	MOVL 0(R11), R9; \
	TESTL $1, R9; \
	JNE  wait; \
	CMPQ 0(R8), $0; \
	JEQ  nope; \
	LFENCE; \
	RDTSC; \
	SHLQ $32, DX; \
	ORQ  DX, AX; \
	SUBQ 8(R11), AX; \
	JCC  positive; \
	XORL AX, AX; \
positive: \
	MULQ 8(R8); \
	SHRQ $40, DX, AX; \
	MOVQ 16(R8), CX; \
	ADDQ 24(R8), AX; \
	CMPL R9, 0(R11); \
	JNE  again; \
	CMPQ AX, $1000000000; \
	JCC  slow

// SPLIT carries whole seconds of AX over to CX. It uses DX, R9.
#define SPLIT \
	XORL DX, DX; \
	MOVL $1000000000, R9; \
	DIVQ R9; \
	ADDQ AX, CX; \
	MOVQ DX, AX

// ASK(n, trap) makes system call n, by the platform's entry if there is one, and
// returns its result. The bytes are lea 3(%rip), %rcx and jmp *%r11.
#define ASK(n, trap) \
	MOVL $n, AX; \
	PARAMETERS; \
	MOVQ 16(R11), R11; \
	TESTQ R11, R11; \
	JEQ  trap; \
	BYTE $0x48; BYTE $0x8d; BYTE $0x0d; BYTE $3; BYTE $0; BYTE $0; BYTE $0; \
	BYTE $0x41; BYTE $0xff; BYTE $0xe3; \
	RET; \
trap: \
	SYSCALL; \
	RET

TEXT ·vdsoCode(SB), NOSPLIT|NOFRAME, $0-0
	MARK(1) // int clock_gettime(clockid_t DI, struct timespec *SI)
	CMPL DI, $11
	JHI  getSys
	PARAMETERS
	MOVL DI, R8
	SHLQ $5, R8
	LEAQ 64(R11)(R8*1), R8
	READ(getAgain, getWait, getSys, getPositive, getSlow)
getStore:
	MOVQ CX, 0(SI)
	MOVQ AX, 8(SI)
	XORL AX, AX
	RET
getSlow:
	SPLIT
	JMP  getStore
getWait:
	PAUSE
	JMP  getAgain
getSys:
	ASK(228, getTrap)

	MARK(2) // int gettimeofday(struct timeval *DI, struct timezone *SI)
	TESTQ SI, SI
	JNE  daySys
	TESTQ DI, DI
	JEQ  dayNone
	PARAMETERS
	LEAQ 64(R11), R8
	READ(dayAgain, dayWait, daySys, dayPositive, daySlow)
dayStore:
	MOVQ CX, 0(DI)
	XORL DX, DX
	MOVL $1000, R9
	DIVL R9
	MOVL AX, AX
	MOVQ AX, 8(DI)
dayNone:
	XORL AX, AX
	RET
daySlow:
	SPLIT
	JMP  dayStore
dayWait:
	PAUSE
	JMP  dayAgain
daySys:
	ASK(96, dayTrap)

	MARK(3) // time_t time(time_t *DI)
	PARAMETERS
	LEAQ 64(R11), R8
	READ(timeAgain, timeWait, timeSys, timePositive, timeSlow)
timeStore:
	TESTQ DI, DI
	JEQ  timeNone
	MOVQ CX, 0(DI)
timeNone:
	MOVQ CX, AX
	RET
timeSlow:
	SPLIT
	JMP  timeStore
timeWait:
	PAUSE
	JMP  timeAgain
timeSys:
	ASK(201, timeTrap)

	MARK(4) // int getcpu(unsigned *DI, unsigned *SI, void *)
	ASK(309, cpuTrap)

	MARK(5) // int clock_getres(clockid_t DI, struct timespec *SI)
	// REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME, TAI: one nanosecond.
	CMPL DI, $11
	JHI  resSys
	MOVL $0x893, AX
	BTL  DI, AX
	JCC  resSys
	PARAMETERS
	MOVL DI, R8
	SHLQ $5, R8
	CMPQ 64(R11)(R8*1), $0
	JEQ  resSys
	XORL AX, AX
	TESTQ SI, SI
	JEQ  resDone
	MOVQ AX, 0(SI)
	MOVQ $1, 8(SI)
resDone:
	RET
resSys:
	ASK(229, resTrap)

	MARK(6) // the end
	RET

// func vdsoCodeAddress() uintptr
TEXT ·vdsoCodeAddress(SB), NOSPLIT, $0-8
	LEAQ ·vdsoCode(SB), AX
	MOVQ AX, ret+0(FP)
	RET
