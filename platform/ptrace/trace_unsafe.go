package ptrace

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"cordon/platform/arch"
)

// Requests and constants of ptrace(2) that x/sys lacks for amd64.
const (
	ptraceSysemu           = 31
	ptraceSysemuSingleStep = 32
	noteRegisters          = 1     // NT_PRSTATUS
	noteXState             = 0x202 // NT_X86_XSTATE
)

// Offsets of struct user_regs_struct, in words.
const (
	wordCS     = 17
	wordFSBase = 21
	wordGSBase = 22
	wordDS     = 23
	wordES     = 24
	wordFS     = 25
	wordGS     = 26

	// Words before fs_base: what setGeneral writes.
	generalWords = 21
)

// ptrace makes a request that passes no pointer. Those that do are system calls
// in place, where the compiler keeps what is pointed at from moving.
func ptrace(request int, tid int32, addr, data uintptr) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

// getRegisters reads all registers of a stopped thread.
func getRegisters(tid int32, r *arch.Registers) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(tid), 0, uintptr(unsafe.Pointer(r)), 0, 0)
	return e
}

// setGeneral writes the registers before fs_base of a thread in 64-bit mode.
func setGeneral(tid int32, r *arch.Registers) unix.Errno {
	iov := unix.Iovec{Base: (*byte)(unsafe.Pointer(r)), Len: generalWords * 8}
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), noteRegisters, uintptr(unsafe.Pointer(&iov)), 0, 0)
	return e
}

// pokeWord writes one word of struct user_regs_struct.
func pokeWord(tid int32, word uintptr, v uint64) unix.Errno {
	return ptrace(unix.PTRACE_POKEUSR, tid, word*8, uintptr(v))
}

// getXState reads the extended state into buf and returns its length.
func getXState(tid int32, buf []byte) (int, unix.Errno) {
	iov := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETREGSET, uintptr(tid), noteXState, uintptr(unsafe.Pointer(&iov)), 0, 0)
	return int(iov.Len), e
}

func setXState(tid int32, buf []byte) unix.Errno {
	iov := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(tid), noteXState, uintptr(unsafe.Pointer(&iov)), 0, 0)
	return e
}

// A sigInfo is a host siginfo_t, of which a stop needs these fields.
type sigInfo struct {
	signo int32
	errno int32
	code  int32
	_     int32
	addr  uint64 // SIGSYS: the instruction after the call
	sysNr int32  // SIGSYS
	arch  uint32 // SIGSYS
	_     [96]byte
}

func getSigInfo(tid int32, info *sigInfo) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GETSIGINFO, uintptr(tid), 0, uintptr(unsafe.Pointer(info)), 0, 0)
	return e
}

// syscallArch returns the audit architecture of the call a thread is stopped in.
func syscallArch(tid int32) (uint32, unix.Errno) {
	var info [88]byte // struct ptrace_syscall_info
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid), unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	return *(*uint32)(unsafe.Pointer(&info[4])), e
}

// waitThread waits for a thread's next stop or its end. It goes through the
// scheduler's system call entry: the guest may run for long.
func waitThread(tid int32) (unix.WaitStatus, unix.Errno) {
	var status int32
	for {
		_, _, e := unix.Syscall6(unix.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&status)), unix.WALL, 0, 0, 0)
		if e != unix.EINTR {
			return unix.WaitStatus(status), e
		}
	}
}

// pollThread is waitThread without waiting; ok says that something was reported.
func pollThread(tid int32) (status unix.WaitStatus, ok bool, errno unix.Errno) {
	var s int32
	n, _, e := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&s)), unix.WALL|unix.WNOHANG, 0, 0, 0)
	return unix.WaitStatus(s), n != 0 && e == 0, e
}
