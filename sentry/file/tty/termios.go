package tty

import (
	"encoding/binary"

	"cordon/internal/linux"
	"cordon/sentry/usermem"
)

// Sizes of the structures of terminal requests.
const (
	termiosSize  = 36
	termios2Size = 44
	termioSize   = 18
	winsizeSize  = 8
)

var le = binary.LittleEndian

// PutTermios stores t at addr as the request req (TCGETS, TCGETS2, TCGETA)
// wants it.
func PutTermios(mem usermem.Space, addr uint64, req linux.IoctlCmd, t *linux.Termios2) error {
	var b [termios2Size]byte
	n := termiosSize
	switch req {
	case linux.TCGETA:
		le.PutUint16(b[0:], uint16(t.Iflag))
		le.PutUint16(b[2:], uint16(t.Oflag))
		le.PutUint16(b[4:], uint16(t.Cflag))
		le.PutUint16(b[6:], uint16(t.Lflag))
		b[8] = t.Line
		copy(b[9:17], t.CC[:8])
		n = termioSize
	default:
		le.PutUint32(b[0:], uint32(t.Iflag))
		le.PutUint32(b[4:], uint32(t.Oflag))
		le.PutUint32(b[8:], uint32(t.Cflag))
		le.PutUint32(b[12:], uint32(t.Lflag))
		b[16] = t.Line
		copy(b[17:36], t.CC[:])
		if req == linux.TCGETS2 {
			le.PutUint32(b[36:], t.Ispeed)
			le.PutUint32(b[40:], t.Ospeed)
			n = termios2Size
		}
	}
	_, err := mem.CopyOut(addr, b[:n])
	return err
}

// GetTermios loads what the request req (TCSETS*, TCSETS*2, TCSETA*) carries
// into t, which has the present setting: the old form leaves part of it.
func GetTermios(mem usermem.Space, addr uint64, req linux.IoctlCmd, t *linux.Termios2) error {
	var b [termios2Size]byte
	n := termiosSize
	switch req {
	case linux.TCSETA, linux.TCSETAW, linux.TCSETAF:
		n = termioSize
	case linux.TCSETS2, linux.TCSETSW2, linux.TCSETSF2:
		n = termios2Size
	}
	if _, err := mem.CopyIn(addr, b[:n]); err != nil {
		return err
	}
	if n == termioSize {
		const low = 0xffff
		t.Iflag = t.Iflag&^low | linux.Iflag(le.Uint16(b[0:]))
		t.Oflag = t.Oflag&^low | linux.Oflag(le.Uint16(b[2:]))
		t.Cflag = t.Cflag&^low | linux.Cflag(le.Uint16(b[4:]))
		t.Lflag = t.Lflag&^low | linux.Lflag(le.Uint16(b[6:]))
		t.Line = b[8]
		copy(t.CC[:8], b[9:17])
		return nil
	}
	t.Iflag = linux.Iflag(le.Uint32(b[0:]))
	t.Oflag = linux.Oflag(le.Uint32(b[4:]))
	t.Cflag = linux.Cflag(le.Uint32(b[8:]))
	t.Lflag = linux.Lflag(le.Uint32(b[12:]))
	t.Line = b[16]
	copy(t.CC[:], b[17:36])
	if n == termios2Size {
		t.Ispeed, t.Ospeed = le.Uint32(b[36:]), le.Uint32(b[40:])
	} else {
		t.Ispeed, t.Ospeed = Speed(t.Cflag), Speed(t.Cflag)
	}
	return nil
}

// speeds are the line speeds under CBAUD without CBAUDEX, and with it.
var speeds = [2][16]uint32{
	{0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400},
	{0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000},
}

// Speed is the line speed that cflag names, 0 for BOTHER.
func Speed(cflag linux.Cflag) uint32 {
	ex := 0
	if cflag&linux.CBAUDEX != 0 {
		ex = 1
	}
	return speeds[ex][cflag&0xf]
}

// PutWinsize stores w at addr.
func PutWinsize(mem usermem.Space, addr uint64, w linux.Winsize) error {
	var b [winsizeSize]byte
	le.PutUint16(b[0:], w.Row)
	le.PutUint16(b[2:], w.Col)
	le.PutUint16(b[4:], w.Xpixel)
	le.PutUint16(b[6:], w.Ypixel)
	_, err := mem.CopyOut(addr, b[:])
	return err
}

// GetWinsize loads a struct winsize from addr.
func GetWinsize(mem usermem.Space, addr uint64) (linux.Winsize, error) {
	var b [winsizeSize]byte
	_, err := mem.CopyIn(addr, b[:])
	return linux.Winsize{
		Row: le.Uint16(b[0:]), Col: le.Uint16(b[2:]),
		Xpixel: le.Uint16(b[4:]), Ypixel: le.Uint16(b[6:]),
	}, err
}
