package linux

import "math"

// Timespec is struct timespec with 64-bit members.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// Special nanosecond values of utimensat(2).
const (
	UTIME_NOW  = 0x3fffffff
	UTIME_OMIT = 0x3ffffffe
)

const nsPerSec = 1_000_000_000

// Valid reports whether ts is a time that Linux accepts: not negative, with
// less than a second of nanoseconds.
func (ts Timespec) Valid() bool { return ts.Sec >= 0 && uint64(ts.Nsec) < nsPerSec }

// ToNS is ts in nanoseconds. What lies outside an int64 becomes the nearest end,
// as in ktime_set.
func (ts Timespec) ToNS() int64 { return secToNS(ts.Sec, ts.Nsec) }

func secToNS(sec, nsec int64) int64 {
	switch {
	case sec >= math.MaxInt64/nsPerSec:
		return math.MaxInt64
	case sec < math.MinInt64/nsPerSec:
		return math.MinInt64
	}
	return sec*nsPerSec + nsec
}

// IsZero reports whether both members are zero.
func (ts Timespec) IsZero() bool { return ts == Timespec{} }

// TimespecFromNS converts nanoseconds; Nsec is never negative.
func TimespecFromNS(ns int64) Timespec {
	sec, nsec := ns/nsPerSec, ns%nsPerSec
	if nsec < 0 {
		sec--
		nsec += nsPerSec
	}
	return Timespec{Sec: sec, Nsec: nsec}
}

// Timeval is struct timeval with 64-bit members.
type Timeval struct {
	Sec  int64
	Usec int64
}

// Valid is Timespec's Valid.
func (tv Timeval) Valid() bool { return tv.Sec >= 0 && uint64(tv.Usec) < 1_000_000 }

// ToNS is tv in nanoseconds, saturating.
func (tv Timeval) ToNS() int64 { return secToNS(tv.Sec, tv.Usec*1000) }

// TimevalFromNS converts nanoseconds, rounding down; Usec is never negative.
func TimevalFromNS(ns int64) Timeval {
	ts := TimespecFromNS(ns)
	return Timeval{Sec: ts.Sec, Usec: ts.Nsec / 1000}
}

// Itimerval is struct itimerval.
type Itimerval struct {
	Interval Timeval
	Value    Timeval
}

// Itimerspec is struct itimerspec.
type Itimerspec struct {
	Interval Timespec
	Value    Timespec
}

// Timezone is struct timezone.
type Timezone struct {
	Minuteswest int32
	Dsttime     int32
}

// Tms is struct tms of times(2), in clock ticks.
type Tms struct {
	Utime  int64
	Stime  int64
	Cutime int64
	Cstime int64
}

// CLOCKS_PER_SEC is the unit of times(2) and /proc, USER_HZ.
const CLOCKS_PER_SEC = 100

// Utimbuf is struct utimbuf of utime(2).
type Utimbuf struct {
	Actime  int64
	Modtime int64
}

// Timex is struct timex of adjtimex(2), 208 bytes.
type Timex struct {
	Modes     uint32
	_         int32
	Offset    int64
	Freq      int64
	Maxerror  int64
	Esterror  int64
	Status    int32
	_         int32
	Constant  int64
	Precision int64
	Tolerance int64
	Time      Timeval
	Tick      int64
	Ppsfreq   int64
	Jitter    int64
	Shift     int32
	_         int32
	Stabil    int64
	Jitcnt    int64
	Calcnt    int64
	Errcnt    int64
	Stbcnt    int64
	Tai       int32
	_         [11]int32
}

// States that adjtimex(2) returns.
const (
	TIME_OK    = 0
	TIME_INS   = 1
	TIME_DEL   = 2
	TIME_OOP   = 3
	TIME_WAIT  = 4
	TIME_ERROR = 5
)

// STA_UNSYNC in Timex.Status: no clock discipline is running.
const STA_UNSYNC = 0x40

// ClockID names a clock. Negative values name the CPU-time clock of a process or
// thread, or a clock device.
type ClockID int32

const (
	CLOCK_REALTIME           ClockID = 0
	CLOCK_MONOTONIC          ClockID = 1
	CLOCK_PROCESS_CPUTIME_ID ClockID = 2
	CLOCK_THREAD_CPUTIME_ID  ClockID = 3
	CLOCK_MONOTONIC_RAW      ClockID = 4
	CLOCK_REALTIME_COARSE    ClockID = 5
	CLOCK_MONOTONIC_COARSE   ClockID = 6
	CLOCK_BOOTTIME           ClockID = 7
	CLOCK_REALTIME_ALARM     ClockID = 8
	CLOCK_BOOTTIME_ALARM     ClockID = 9
	CLOCK_TAI                ClockID = 11
)

var clockIDNames = [...]enumName{
	{int64(CLOCK_REALTIME), "CLOCK_REALTIME"},
	{int64(CLOCK_MONOTONIC), "CLOCK_MONOTONIC"},
	{int64(CLOCK_PROCESS_CPUTIME_ID), "CLOCK_PROCESS_CPUTIME_ID"},
	{int64(CLOCK_THREAD_CPUTIME_ID), "CLOCK_THREAD_CPUTIME_ID"},
	{int64(CLOCK_MONOTONIC_RAW), "CLOCK_MONOTONIC_RAW"},
	{int64(CLOCK_REALTIME_COARSE), "CLOCK_REALTIME_COARSE"},
	{int64(CLOCK_MONOTONIC_COARSE), "CLOCK_MONOTONIC_COARSE"},
	{int64(CLOCK_BOOTTIME), "CLOCK_BOOTTIME"},
	{int64(CLOCK_REALTIME_ALARM), "CLOCK_REALTIME_ALARM"},
	{int64(CLOCK_BOOTTIME_ALARM), "CLOCK_BOOTTIME_ALARM"},
	{int64(CLOCK_TAI), "CLOCK_TAI"},
}

func (f ClockID) String() string { return formatEnum(int64(f), clockIDNames[:]) }

// TimerFlags are the flags of timer_settime(2) and clock_nanosleep(2).
type TimerFlags int32

const (
	TIMER_ABSTIME TimerFlags = 0x1
)

var timerFlagsNames = [...]bitName{
	{uint64(TIMER_ABSTIME), "TIMER_ABSTIME"},
}

func (f TimerFlags) String() string { return formatBits(uint64(uint32(f)), timerFlagsNames[:]) }

// TimerfdFlags are the flags of timerfd_settime(2) and timerfd_create(2).
type TimerfdFlags int32

const (
	TFD_TIMER_ABSTIME       TimerfdFlags = 0x1
	TFD_TIMER_CANCEL_ON_SET TimerfdFlags = 0x2
	TFD_NONBLOCK            TimerfdFlags = 0x800
	TFD_CLOEXEC             TimerfdFlags = 0x80000
)

var timerfdFlagsNames = [...]bitName{
	{uint64(TFD_TIMER_ABSTIME), "TFD_TIMER_ABSTIME"},
	{uint64(TFD_TIMER_CANCEL_ON_SET), "TFD_TIMER_CANCEL_ON_SET"},
	{uint64(TFD_NONBLOCK), "TFD_NONBLOCK"},
	{uint64(TFD_CLOEXEC), "TFD_CLOEXEC"},
}

func (f TimerfdFlags) String() string { return formatBits(uint64(uint32(f)), timerfdFlagsNames[:]) }

// ItimerWhich names an interval timer.
type ItimerWhich int32

const (
	ITIMER_REAL    ItimerWhich = 0
	ITIMER_VIRTUAL ItimerWhich = 1
	ITIMER_PROF    ItimerWhich = 2
)

var itimerWhichNames = [...]enumName{
	{int64(ITIMER_REAL), "ITIMER_REAL"},
	{int64(ITIMER_VIRTUAL), "ITIMER_VIRTUAL"},
	{int64(ITIMER_PROF), "ITIMER_PROF"},
}

func (f ItimerWhich) String() string { return formatEnum(int64(f), itimerWhichNames[:]) }

// TimerID names a POSIX timer of one process.
type TimerID int32
