package linux

import "encoding/binary"

// SigInfo is siginfo_t, 128 bytes. What follows the code depends on the signal
// and the code; the accessors name each reading of it.
type SigInfo struct {
	Signo  Signal
	Errno  int32
	Code   SigCode
	_      int32
	Fields [112]byte
}

// SigCode says why a signal was sent. Positive codes come from the kernel and
// mean different things for different signals.
type SigCode int32

// Codes that any signal can have.
const (
	SI_USER     SigCode = 0
	SI_KERNEL   SigCode = 0x80
	SI_QUEUE    SigCode = -1
	SI_TIMER    SigCode = -2
	SI_MESGQ    SigCode = -3
	SI_ASYNCIO  SigCode = -4
	SI_SIGIO    SigCode = -5
	SI_TKILL    SigCode = -6
	SI_DETHREAD SigCode = -7
	SI_ASYNCNL  SigCode = -60
)

// Codes of SIGILL.
const (
	ILL_ILLOPC SigCode = 1
	ILL_ILLOPN SigCode = 2
	ILL_ILLADR SigCode = 3
	ILL_ILLTRP SigCode = 4
	ILL_PRVOPC SigCode = 5
	ILL_PRVREG SigCode = 6
	ILL_COPROC SigCode = 7
	ILL_BADSTK SigCode = 8
)

// Codes of SIGFPE.
const (
	FPE_INTDIV SigCode = 1
	FPE_INTOVF SigCode = 2
	FPE_FLTDIV SigCode = 3
	FPE_FLTOVF SigCode = 4
	FPE_FLTUND SigCode = 5
	FPE_FLTRES SigCode = 6
	FPE_FLTINV SigCode = 7
	FPE_FLTSUB SigCode = 8
)

// Codes of SIGSEGV.
const (
	SEGV_MAPERR SigCode = 1
	SEGV_ACCERR SigCode = 2
	SEGV_BNDERR SigCode = 3
	SEGV_PKUERR SigCode = 4
)

// Codes of SIGBUS.
const (
	BUS_ADRALN    SigCode = 1
	BUS_ADRERR    SigCode = 2
	BUS_OBJERR    SigCode = 3
	BUS_MCEERR_AR SigCode = 4
	BUS_MCEERR_AO SigCode = 5
)

// Codes of SIGTRAP.
const (
	TRAP_BRKPT  SigCode = 1
	TRAP_TRACE  SigCode = 2
	TRAP_BRANCH SigCode = 3
	TRAP_HWBKPT SigCode = 4
	TRAP_UNK    SigCode = 5
	TRAP_PERF   SigCode = 6
)

// Codes of SIGCHLD.
const (
	CLD_EXITED    SigCode = 1
	CLD_KILLED    SigCode = 2
	CLD_DUMPED    SigCode = 3
	CLD_TRAPPED   SigCode = 4
	CLD_STOPPED   SigCode = 5
	CLD_CONTINUED SigCode = 6
)

// Codes of SIGPOLL.
const (
	POLL_IN  SigCode = 1
	POLL_OUT SigCode = 2
	POLL_MSG SigCode = 3
	POLL_ERR SigCode = 4
	POLL_PRI SigCode = 5
	POLL_HUP SigCode = 6
)

// Codes of SIGSYS.
const (
	SYS_SECCOMP       SigCode = 1
	SYS_USER_DISPATCH SigCode = 2
)

// FromUser reports whether a process sent the signal, rather than the kernel.
func (c SigCode) FromUser() bool { return c <= 0 }

func (i *SigInfo) u32(off int) uint32      { return binary.LittleEndian.Uint32(i.Fields[off:]) }
func (i *SigInfo) u64(off int) uint64      { return binary.LittleEndian.Uint64(i.Fields[off:]) }
func (i *SigInfo) set32(off int, v uint32) { binary.LittleEndian.PutUint32(i.Fields[off:], v) }
func (i *SigInfo) set64(off int, v uint64) { binary.LittleEndian.PutUint64(i.Fields[off:], v) }

// PID is the sender: kill, rt_sigqueueinfo and SIGCHLD.
func (i *SigInfo) PID() int32     { return int32(i.u32(0)) }
func (i *SigInfo) SetPID(v int32) { i.set32(0, uint32(v)) }

// UID is the sender's real user: kill, rt_sigqueueinfo and SIGCHLD.
func (i *SigInfo) UID() uint32     { return i.u32(4) }
func (i *SigInfo) SetUID(v uint32) { i.set32(4, v) }

// Value is the sigval of rt_sigqueueinfo, timers and message queues.
func (i *SigInfo) Value() uint64     { return i.u64(8) }
func (i *SigInfo) SetValue(v uint64) { i.set64(8, v) }

// TimerID and Overrun are a POSIX timer's.
func (i *SigInfo) TimerID() TimerID     { return TimerID(i.u32(0)) }
func (i *SigInfo) SetTimerID(v TimerID) { i.set32(0, uint32(v)) }
func (i *SigInfo) Overrun() int32       { return int32(i.u32(4)) }
func (i *SigInfo) SetOverrun(v int32)   { i.set32(4, uint32(v)) }

// SysPrivate is a timer's word that Linux keeps between user space and kernel.
func (i *SigInfo) SysPrivate() int32     { return int32(i.u32(16)) }
func (i *SigInfo) SetSysPrivate(v int32) { i.set32(16, uint32(v)) }

// Status, Utime and Stime are SIGCHLD's; the times count CLOCKS_PER_SEC.
func (i *SigInfo) Status() int32     { return int32(i.u32(8)) }
func (i *SigInfo) SetStatus(v int32) { i.set32(8, uint32(v)) }
func (i *SigInfo) Utime() int64      { return int64(i.u64(16)) }
func (i *SigInfo) SetUtime(v int64)  { i.set64(16, uint64(v)) }
func (i *SigInfo) Stime() int64      { return int64(i.u64(24)) }
func (i *SigInfo) SetStime(v int64)  { i.set64(24, uint64(v)) }

// Addr is where a fault happened: SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP.
func (i *SigInfo) Addr() uint64     { return i.u64(0) }
func (i *SigInfo) SetAddr(v uint64) { i.set64(0, v) }

// AddrLsb is the size of what SIGBUS with BUS_MCEERR lost, as a power of two.
func (i *SigInfo) AddrLsb() int16     { return int16(i.u32(8)) }
func (i *SigInfo) SetAddrLsb(v int16) { i.set32(8, uint32(uint16(v))) }

// Pkey is the protection key of SEGV_PKUERR.
func (i *SigInfo) Pkey() uint32     { return i.u32(16) }
func (i *SigInfo) SetPkey(v uint32) { i.set32(16, v) }

// Band and FD are SIGPOLL's.
func (i *SigInfo) Band() int64     { return int64(i.u64(0)) }
func (i *SigInfo) SetBand(v int64) { i.set64(0, uint64(v)) }
func (i *SigInfo) FD() FD          { return FD(i.u32(8)) }
func (i *SigInfo) SetFD(v FD)      { i.set32(8, uint32(v)) }

// CallAddr, Syscall and Arch are SIGSYS's.
func (i *SigInfo) CallAddr() uint64     { return i.u64(0) }
func (i *SigInfo) SetCallAddr(v uint64) { i.set64(0, v) }
func (i *SigInfo) Syscall() int32       { return int32(i.u32(8)) }
func (i *SigInfo) SetSyscall(v int32)   { i.set32(8, uint32(v)) }
func (i *SigInfo) Arch() uint32         { return i.u32(12) }
func (i *SigInfo) SetArch(v uint32)     { i.set32(12, v) }
