package devpts

import "cordon/internal/linux"

// output is what the master will read, and where the cursor is.
type output struct {
	bytes      []byte
	head       int
	column     int
	lineColumn int    // where the line being typed begins
	held       []byte // echo while output is stopped
}

func (o *output) len() int  { return len(o.bytes) - o.head }
func (o *output) room() int { return outputSize - o.len() }
func (o *output) clear()    { o.bytes, o.held, o.head = o.bytes[:0], o.held[:0], 0 }

func (o *output) put(c byte) {
	if o.head > 0 && len(o.bytes) == cap(o.bytes) {
		n := copy(o.bytes, o.bytes[o.head:])
		o.bytes, o.head = o.bytes[:n], 0
	}
	o.bytes = append(o.bytes, c)
}

func (o *output) take(b []byte) int {
	n := copy(b, o.bytes[o.head:])
	if o.head += n; o.head == len(o.bytes) {
		o.bytes, o.head = o.bytes[:0], 0
	}
	return n
}

// maxHeld bounds the echo that waits for VSTART (Linux: N_TTY_BUF_SIZE).
const maxHeld = 4096

// putOutLocked gives the master a byte. Echo that does not fit is lost.
func (p *pair) putOutLocked(c byte) {
	if p.stopped {
		if len(p.out.held) < maxHeld {
			p.out.held = append(p.out.held, c)
		}
		return
	}
	if p.out.room() <= 0 {
		return
	}
	p.out.put(c)
	p.wakeMaster |= readable
}

// maxExpansion is the most bytes that one character becomes (a tab).
const maxExpansion = 8

// emitLocked writes a character with output processing (Linux: do_output_char).
func (p *pair) emitLocked(c byte) {
	t, o := &p.termios, &p.out
	if t.Oflag&linux.OPOST == 0 {
		p.putOutLocked(c)
		return
	}
	switch c {
	case '\n':
		if t.Oflag&linux.ONLRET != 0 {
			o.column = 0
		}
		if t.Oflag&linux.ONLCR != 0 {
			o.column = 0
			p.putOutLocked('\r')
		}
		o.lineColumn = o.column
	case '\r':
		if t.Oflag&linux.ONOCR != 0 && o.column == 0 {
			return
		}
		if t.Oflag&linux.OCRNL != 0 {
			c = '\n'
			if t.Oflag&linux.ONLRET != 0 {
				o.column, o.lineColumn = 0, 0
			}
			break
		}
		o.column, o.lineColumn = 0, 0
	case '\t':
		n := 8 - o.column&7
		o.column += n
		if t.Oflag&linux.TABDLY == linux.XTABS {
			for range n {
				p.putOutLocked(' ')
			}
			return
		}
	case '\b':
		if o.column > 0 {
			o.column--
		}
	default:
		if isControl(c) {
			break
		}
		if t.Oflag&linux.OLCUC != 0 {
			c = toUpper(c)
		}
		if !isContinuation(c, t) {
			o.column++
		}
	}
	p.putOutLocked(c)
}

// beginEchoLocked notes where the line begins, at its first character.
func (p *pair) beginEchoLocked() {
	if len(p.in.typing()) == 0 {
		p.out.lineColumn = p.out.column
	}
}

// echoLocked shows a character, control characters as ^X with ECHOCTL.
func (p *pair) echoLocked(c byte) {
	if p.termios.Lflag&linux.ECHOCTL != 0 && isControl(c) && c != '\t' {
		p.putOutLocked('^')
		p.putOutLocked(c ^ 0x40)
		p.out.column += 2
		return
	}
	if c == 0xff { // not subject to output processing, as in Linux
		p.putOutLocked(c)
		p.out.column++
		return
	}
	p.emitLocked(c)
}
