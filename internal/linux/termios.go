package linux

// NCCS is the number of control characters in the kernel's struct termios.
const NCCS = 19

// Termios is the kernel's struct termios, 36 bytes; glibc's is larger.
type Termios struct {
	Iflag Iflag
	Oflag Oflag
	Cflag Cflag
	Lflag Lflag
	Line  uint8
	CC    [NCCS]uint8
}

// Termios2 is struct termios2, 44 bytes.
type Termios2 struct {
	Termios
	Ispeed uint32
	Ospeed uint32
}

// Termio is the old struct termio of TCGETA, 18 bytes with its padding.
type Termio struct {
	Iflag uint16
	Oflag uint16
	Cflag uint16
	Lflag uint16
	Line  uint8
	CC    [8]uint8
	_     uint8
}

// Winsize is struct winsize.
type Winsize struct {
	Row    uint16
	Col    uint16
	Xpixel uint16
	Ypixel uint16
}

// Indices into the control characters.
const (
	VINTR    = 0
	VQUIT    = 1
	VERASE   = 2
	VKILL    = 3
	VEOF     = 4
	VTIME    = 5
	VMIN     = 6
	VSWTC    = 7
	VSTART   = 8
	VSTOP    = 9
	VSUSP    = 10
	VEOL     = 11
	VREPRINT = 12
	VDISCARD = 13
	VWERASE  = 14
	VLNEXT   = 15
	VEOL2    = 16
)

// DISABLED_CHAR turns a control character off, _POSIX_VDISABLE.
const DISABLED_CHAR = 0

// Iflag are the input modes of a terminal.
type Iflag uint32

const (
	IGNBRK  Iflag = 0x1
	BRKINT  Iflag = 0x2
	IGNPAR  Iflag = 0x4
	PARMRK  Iflag = 0x8
	INPCK   Iflag = 0x10
	ISTRIP  Iflag = 0x20
	INLCR   Iflag = 0x40
	IGNCR   Iflag = 0x80
	ICRNL   Iflag = 0x100
	IUCLC   Iflag = 0x200
	IXON    Iflag = 0x400
	IXANY   Iflag = 0x800
	IXOFF   Iflag = 0x1000
	IMAXBEL Iflag = 0x2000
	IUTF8   Iflag = 0x4000
)

var iflagNames = [...]bitName{
	{uint64(IGNBRK), "IGNBRK"},
	{uint64(BRKINT), "BRKINT"},
	{uint64(IGNPAR), "IGNPAR"},
	{uint64(PARMRK), "PARMRK"},
	{uint64(INPCK), "INPCK"},
	{uint64(ISTRIP), "ISTRIP"},
	{uint64(INLCR), "INLCR"},
	{uint64(IGNCR), "IGNCR"},
	{uint64(ICRNL), "ICRNL"},
	{uint64(IUCLC), "IUCLC"},
	{uint64(IXON), "IXON"},
	{uint64(IXANY), "IXANY"},
	{uint64(IXOFF), "IXOFF"},
	{uint64(IMAXBEL), "IMAXBEL"},
	{uint64(IUTF8), "IUTF8"},
}

func (f Iflag) String() string { return formatBits(uint64(f), iflagNames[:]) }

// Oflag are the output modes of a terminal.
type Oflag uint32

const (
	OPOST  Oflag = 0x1
	OLCUC  Oflag = 0x2
	ONLCR  Oflag = 0x4
	OCRNL  Oflag = 0x8
	ONOCR  Oflag = 0x10
	ONLRET Oflag = 0x20
	OFILL  Oflag = 0x40
	OFDEL  Oflag = 0x80
	NLDLY  Oflag = 0x100
	CRDLY  Oflag = 0x600
	TABDLY Oflag = 0x1800
	BSDLY  Oflag = 0x2000
	VTDLY  Oflag = 0x4000
	FFDLY  Oflag = 0x8000
)

var oflagNames = [...]bitName{
	{uint64(CRDLY), "CRDLY"},
	{uint64(TABDLY), "TABDLY"},
	{uint64(OPOST), "OPOST"},
	{uint64(OLCUC), "OLCUC"},
	{uint64(ONLCR), "ONLCR"},
	{uint64(OCRNL), "OCRNL"},
	{uint64(ONOCR), "ONOCR"},
	{uint64(ONLRET), "ONLRET"},
	{uint64(OFILL), "OFILL"},
	{uint64(OFDEL), "OFDEL"},
	{uint64(NLDLY), "NLDLY"},
	{uint64(BSDLY), "BSDLY"},
	{uint64(VTDLY), "VTDLY"},
	{uint64(FFDLY), "FFDLY"},
}

func (f Oflag) String() string { return formatBits(uint64(f), oflagNames[:]) }

// Values under TABDLY; XTABS expands tabs to spaces.
const (
	TAB0  Oflag = 0x0000
	TAB1  Oflag = 0x0800
	TAB2  Oflag = 0x1000
	TAB3  Oflag = 0x1800
	XTABS       = TAB3
)

// Cflag are the control modes of a terminal, with the line speed.
type Cflag uint32

const (
	CBAUD    Cflag = 0x100f
	B0       Cflag = 0
	B50      Cflag = 1
	B75      Cflag = 2
	B110     Cflag = 3
	B134     Cflag = 4
	B150     Cflag = 5
	B200     Cflag = 6
	B300     Cflag = 7
	B600     Cflag = 8
	B1200    Cflag = 9
	B1800    Cflag = 10
	B2400    Cflag = 11
	B4800    Cflag = 12
	B9600    Cflag = 13
	B19200   Cflag = 14
	B38400   Cflag = 15
	B57600   Cflag = 0x1001
	B115200  Cflag = 0x1002
	B230400  Cflag = 0x1003
	B460800  Cflag = 0x1004
	B500000  Cflag = 0x1005
	B921600  Cflag = 0x1007
	B1000000 Cflag = 0x1008
	B1500000 Cflag = 0x100a
	B2000000 Cflag = 0x100b
	B3000000 Cflag = 0x100d
	B4000000 Cflag = 0x100f
	CSIZE    Cflag = 0x30
	CS5      Cflag = 0
	CS6      Cflag = 0x10
	CS7      Cflag = 0x20
	CS8      Cflag = 0x30
	CSTOPB   Cflag = 0x40
	CREAD    Cflag = 0x80
	PARENB   Cflag = 0x100
	PARODD   Cflag = 0x200
	HUPCL    Cflag = 0x400
	CLOCAL   Cflag = 0x800
	CBAUDEX  Cflag = 0x1000
	BOTHER   Cflag = 0x1000
	CIBAUD   Cflag = 0x100f0000
	CMSPAR   Cflag = 0x40000000
	CRTSCTS  Cflag = 0x80000000
)

// Lflag are the local modes of a terminal.
type Lflag uint32

const (
	ISIG    Lflag = 0x1
	ICANON  Lflag = 0x2
	XCASE   Lflag = 0x4
	ECHO    Lflag = 0x8
	ECHOE   Lflag = 0x10
	ECHOK   Lflag = 0x20
	ECHONL  Lflag = 0x40
	NOFLSH  Lflag = 0x80
	TOSTOP  Lflag = 0x100
	ECHOCTL Lflag = 0x200
	ECHOPRT Lflag = 0x400
	ECHOKE  Lflag = 0x800
	FLUSHO  Lflag = 0x1000
	PENDIN  Lflag = 0x4000
	IEXTEN  Lflag = 0x8000
	EXTPROC Lflag = 0x10000
)

var lflagNames = [...]bitName{
	{uint64(ISIG), "ISIG"},
	{uint64(ICANON), "ICANON"},
	{uint64(XCASE), "XCASE"},
	{uint64(ECHO), "ECHO"},
	{uint64(ECHOE), "ECHOE"},
	{uint64(ECHOK), "ECHOK"},
	{uint64(ECHONL), "ECHONL"},
	{uint64(NOFLSH), "NOFLSH"},
	{uint64(TOSTOP), "TOSTOP"},
	{uint64(ECHOCTL), "ECHOCTL"},
	{uint64(ECHOPRT), "ECHOPRT"},
	{uint64(ECHOKE), "ECHOKE"},
	{uint64(FLUSHO), "FLUSHO"},
	{uint64(PENDIN), "PENDIN"},
	{uint64(IEXTEN), "IEXTEN"},
	{uint64(EXTPROC), "EXTPROC"},
}

func (f Lflag) String() string { return formatBits(uint64(f), lflagNames[:]) }

// Arguments of TCFLSH, TCXONC and TIOCPKT.
const (
	TCIFLUSH  = 0
	TCOFLUSH  = 1
	TCIOFLUSH = 2

	TCOOFF = 0
	TCOON  = 1
	TCIOFF = 2
	TCION  = 3

	TIOCPKT_DATA       = 0
	TIOCPKT_FLUSHREAD  = 1
	TIOCPKT_FLUSHWRITE = 2
	TIOCPKT_STOP       = 4
	TIOCPKT_START      = 8
	TIOCPKT_NOSTOP     = 16
	TIOCPKT_DOSTOP     = 32
	TIOCPKT_IOCTL      = 64
)

// N_TTY is the standard line discipline.
const N_TTY = 0

// DefaultTermios is what a new terminal starts with, tty_std_termios.
func DefaultTermios() Termios {
	return Termios{
		Iflag: ICRNL | IXON,
		Oflag: OPOST | ONLCR,
		Cflag: B38400 | CS8 | CREAD | HUPCL,
		Lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		CC: [NCCS]uint8{
			VINTR:    'C' & 0x1f,
			VQUIT:    '\\' & 0x1f,
			VERASE:   0x7f,
			VKILL:    'U' & 0x1f,
			VEOF:     'D' & 0x1f,
			VMIN:     1,
			VSTART:   'Q' & 0x1f,
			VSTOP:    'S' & 0x1f,
			VSUSP:    'Z' & 0x1f,
			VREPRINT: 'R' & 0x1f,
			VDISCARD: 'O' & 0x1f,
			VWERASE:  'W' & 0x1f,
			VLNEXT:   'V' & 0x1f,
		},
	}
}
