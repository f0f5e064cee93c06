package linux

import "strconv"

// Signal is a signal number, 1 to 64.
type Signal int32

const (
	SIGHUP    Signal = 1
	SIGINT    Signal = 2
	SIGQUIT   Signal = 3
	SIGILL    Signal = 4
	SIGTRAP   Signal = 5
	SIGABRT   Signal = 6
	SIGBUS    Signal = 7
	SIGFPE    Signal = 8
	SIGKILL   Signal = 9
	SIGUSR1   Signal = 10
	SIGSEGV   Signal = 11
	SIGUSR2   Signal = 12
	SIGPIPE   Signal = 13
	SIGALRM   Signal = 14
	SIGTERM   Signal = 15
	SIGSTKFLT Signal = 16
	SIGCHLD   Signal = 17
	SIGCONT   Signal = 18
	SIGSTOP   Signal = 19
	SIGTSTP   Signal = 20
	SIGTTIN   Signal = 21
	SIGTTOU   Signal = 22
	SIGURG    Signal = 23
	SIGXCPU   Signal = 24
	SIGXFSZ   Signal = 25
	SIGVTALRM Signal = 26
	SIGPROF   Signal = 27
	SIGWINCH  Signal = 28
	SIGIO     Signal = 29
	SIGPWR    Signal = 30
	SIGSYS    Signal = 31

	SIGIOT  = SIGABRT
	SIGPOLL = SIGIO

	// Real-time signals, as the kernel counts them: glibc keeps the first two.
	SIGRTMIN Signal = 32
	SIGRTMAX Signal = 64

	// NSIG is the number of signals.
	NSIG = 64
)

var signalNames = [...]string{
	SIGHUP:    "SIGHUP",
	SIGINT:    "SIGINT",
	SIGQUIT:   "SIGQUIT",
	SIGILL:    "SIGILL",
	SIGTRAP:   "SIGTRAP",
	SIGABRT:   "SIGABRT",
	SIGBUS:    "SIGBUS",
	SIGFPE:    "SIGFPE",
	SIGKILL:   "SIGKILL",
	SIGUSR1:   "SIGUSR1",
	SIGSEGV:   "SIGSEGV",
	SIGUSR2:   "SIGUSR2",
	SIGPIPE:   "SIGPIPE",
	SIGALRM:   "SIGALRM",
	SIGTERM:   "SIGTERM",
	SIGSTKFLT: "SIGSTKFLT",
	SIGCHLD:   "SIGCHLD",
	SIGCONT:   "SIGCONT",
	SIGSTOP:   "SIGSTOP",
	SIGTSTP:   "SIGTSTP",
	SIGTTIN:   "SIGTTIN",
	SIGTTOU:   "SIGTTOU",
	SIGURG:    "SIGURG",
	SIGXCPU:   "SIGXCPU",
	SIGXFSZ:   "SIGXFSZ",
	SIGVTALRM: "SIGVTALRM",
	SIGPROF:   "SIGPROF",
	SIGWINCH:  "SIGWINCH",
	SIGIO:     "SIGIO",
	SIGPWR:    "SIGPWR",
	SIGSYS:    "SIGSYS",
}

// Valid reports whether s is a signal; zero, which kill(2) takes as a probe, is not.
func (s Signal) Valid() bool { return s > 0 && s <= NSIG }

// IsRealtime reports whether s queues every instance.
func (s Signal) IsRealtime() bool { return s >= SIGRTMIN && s <= SIGRTMAX }

func (s Signal) String() string {
	switch {
	case s > 0 && int(s) < len(signalNames):
		return signalNames[s]
	case s.IsRealtime():
		if s == SIGRTMIN {
			return "SIGRTMIN"
		}
		return "SIGRT_" + strconv.Itoa(int(s-SIGRTMIN))
	}
	return strconv.Itoa(int(s))
}

// SigSet is sigset_t: bit n-1 stands for signal n.
type SigSet uint64

// SigSetSize is the sigsetsize argument of the rt_ calls.
const SigSetSize = 8

// UnblockableSignals cannot be blocked, caught or ignored.
const UnblockableSignals = SigSet(1<<(SIGKILL-1) | 1<<(SIGSTOP-1))

// SigSetOf makes the set of some signals.
func SigSetOf(sigs ...Signal) SigSet {
	var s SigSet
	for _, n := range sigs {
		s.Add(n)
	}
	return s
}

// Has reports whether n, a valid signal, is in s.
func (s SigSet) Has(n Signal) bool { return s>>uint(n-1)&1 != 0 }

// Add puts n into s.
func (s *SigSet) Add(n Signal) { *s |= 1 << uint(n-1) }

// Del takes n out of s.
func (s *SigSet) Del(n Signal) { *s &^= 1 << uint(n-1) }

// String is strace's form: [HUP INT], or ~[KILL] where most are in the set.
func (s SigSet) String() string {
	pre, rest := "[", s
	n := 0
	for i := Signal(1); i <= NSIG; i++ {
		if s.Has(i) {
			n++
		}
	}
	if n > NSIG*2/3 {
		pre, rest = "~[", ^s
	}
	out := pre
	for i := Signal(1); i <= NSIG; i++ {
		if !rest.Has(i) {
			continue
		}
		if len(out) > len(pre) {
			out += " "
		}
		out += i.String()[3:]
	}
	return out + "]"
}

// SigAction is the kernel's struct sigaction. arm64 has no user-space use for
// Restorer, but the field is there.
type SigAction struct {
	Handler  uint64
	Flags    SigActionFlags
	Restorer uint64
	Mask     SigSet
}

// Handlers that are not addresses.
const (
	SIG_DFL = 0
	SIG_IGN = 1
)

// SigActionFlags are the SA_ flags.
type SigActionFlags uint64

const (
	SA_NOCLDSTOP      SigActionFlags = 0x1
	SA_NOCLDWAIT      SigActionFlags = 0x2
	SA_SIGINFO        SigActionFlags = 0x4
	SA_UNSUPPORTED    SigActionFlags = 0x400
	SA_EXPOSE_TAGBITS SigActionFlags = 0x800
	SA_RESTORER       SigActionFlags = 0x4000000
	SA_ONSTACK        SigActionFlags = 0x8000000
	SA_RESTART        SigActionFlags = 0x10000000
	SA_NODEFER        SigActionFlags = 0x40000000
	SA_RESETHAND      SigActionFlags = 0x80000000
)

var sigActionFlagsNames = [...]bitName{
	{uint64(SA_NOCLDSTOP), "SA_NOCLDSTOP"},
	{uint64(SA_NOCLDWAIT), "SA_NOCLDWAIT"},
	{uint64(SA_SIGINFO), "SA_SIGINFO"},
	{uint64(SA_UNSUPPORTED), "SA_UNSUPPORTED"},
	{uint64(SA_EXPOSE_TAGBITS), "SA_EXPOSE_TAGBITS"},
	{uint64(SA_RESTORER), "SA_RESTORER"},
	{uint64(SA_ONSTACK), "SA_ONSTACK"},
	{uint64(SA_RESTART), "SA_RESTART"},
	{uint64(SA_NODEFER), "SA_NODEFER"},
	{uint64(SA_RESETHAND), "SA_RESETHAND"},
}

func (f SigActionFlags) String() string { return formatBits(uint64(f), sigActionFlagsNames[:]) }

// SigHow is the first argument of sigprocmask(2).
type SigHow int32

const (
	SIG_BLOCK   SigHow = 0
	SIG_UNBLOCK SigHow = 1
	SIG_SETMASK SigHow = 2
)

var sigHowNames = [...]enumName{
	{int64(SIG_BLOCK), "SIG_BLOCK"},
	{int64(SIG_UNBLOCK), "SIG_UNBLOCK"},
	{int64(SIG_SETMASK), "SIG_SETMASK"},
}

func (f SigHow) String() string { return formatEnum(int64(f), sigHowNames[:]) }

// SigStackFlags are the flags of sigaltstack(2).
type SigStackFlags uint32

const (
	SS_ONSTACK    SigStackFlags = 0x1
	SS_DISABLE    SigStackFlags = 0x2
	SS_AUTODISARM SigStackFlags = 0x80000000
)

var sigStackFlagsNames = [...]bitName{
	{uint64(SS_ONSTACK), "SS_ONSTACK"},
	{uint64(SS_DISABLE), "SS_DISABLE"},
	{uint64(SS_AUTODISARM), "SS_AUTODISARM"},
}

func (f SigStackFlags) String() string { return formatBits(uint64(f), sigStackFlagsNames[:]) }

// Smallest alternate stack that sigaltstack(2) takes: amd64 and arm64. With
// large vector state the kernel asks for AT_MINSIGSTKSZ instead.
const (
	MINSIGSTKSZ       = 2048
	MINSIGSTKSZ_ARM64 = 5120
)

// StackT is stack_t, 24 bytes.
type StackT struct {
	Sp    uint64
	Flags SigStackFlags
	_     int32
	Size  uint64
}

// Contains reports whether sp lies on the stack.
func (s *StackT) Contains(sp uint64) bool { return sp > s.Sp && sp-s.Sp <= s.Size }

// Sigevent is struct sigevent, 64 bytes.
type Sigevent struct {
	Value  uint64
	Signo  Signal
	Notify SigevNotify
	TID    int32
	_      [11]int32
}

// SigevNotify says how a Sigevent is delivered.
type SigevNotify int32

const (
	SIGEV_SIGNAL    SigevNotify = 0
	SIGEV_NONE      SigevNotify = 1
	SIGEV_THREAD    SigevNotify = 2
	SIGEV_THREAD_ID SigevNotify = 4
)

var sigevNotifyNames = [...]enumName{
	{int64(SIGEV_SIGNAL), "SIGEV_SIGNAL"},
	{int64(SIGEV_NONE), "SIGEV_NONE"},
	{int64(SIGEV_THREAD), "SIGEV_THREAD"},
	{int64(SIGEV_THREAD_ID), "SIGEV_THREAD_ID"},
}

func (f SigevNotify) String() string { return formatEnum(int64(f), sigevNotifyNames[:]) }

// SignalfdSiginfo is struct signalfd_siginfo, 128 bytes.
type SignalfdSiginfo struct {
	Signo    uint32
	Errno    int32
	Code     int32
	PID      uint32
	UID      uint32
	FD       int32
	TID      uint32
	Band     uint32
	Overrun  uint32
	Trapno   uint32
	Status   int32
	Int      int32
	Ptr      uint64
	Utime    uint64
	Stime    uint64
	Addr     uint64
	AddrLsb  uint16
	_        uint16
	Syscall  int32
	CallAddr uint64
	Arch     uint32
	_        [28]byte
}

// SignalfdFlags are the flags of signalfd4(2).
type SignalfdFlags int32

const (
	SFD_NONBLOCK SignalfdFlags = 0x800
	SFD_CLOEXEC  SignalfdFlags = 0x80000
)

var signalfdFlagsNames = [...]bitName{
	{uint64(SFD_NONBLOCK), "SFD_NONBLOCK"},
	{uint64(SFD_CLOEXEC), "SFD_CLOEXEC"},
}

func (f SignalfdFlags) String() string { return formatBits(uint64(uint32(f)), signalfdFlagsNames[:]) }
