package linux

// ElfPrstatus is struct elf_prstatus of amd64 without its registers: before
// them 112 bytes, behind them an int that says whether NT_PRFPREG follows.
type ElfPrstatus struct {
	Signo  int32
	Code   int32
	Errno  int32
	Cursig int16
	_      int16
	Pend   SigSet
	Hold   SigSet
	PID    int32
	PPID   int32
	PGrp   int32
	SID    int32
	Utime  Timeval
	Stime  Timeval
	CUtime Timeval
	CStime Timeval
}

// ElfPrpsinfo is struct elf_prpsinfo, 136 bytes.
type ElfPrpsinfo struct {
	State  int8
	Sname  byte
	Zombie int8
	Nice   int8
	_      int32
	Flag   uint64
	UID    uint32
	GID    uint32
	PID    int32
	PPID   int32
	PGrp   int32
	SID    int32
	Fname  [16]byte
	Psargs [80]byte
}
