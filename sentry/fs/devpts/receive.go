package devpts

import "cordon/internal/linux"

// roomLocked reports whether the master may write: bytes or lines that nobody
// reads stop it, an unfinished line does not (what is too much of it is lost).
func (p *pair) roomLocked() bool {
	return p.in.len() < inputSize || p.termios.Lflag&linux.ICANON != 0 && p.in.lines == 0
}

// receiveLocked takes one character that the master wrote (Linux:
// n_tty_receive_char and what it calls).
func (p *pair) receiveLocked(c byte) {
	t := &p.termios
	if t.Iflag&linux.ISTRIP != 0 {
		c &= 0x7f
	}
	if t.Iflag&linux.IUCLC != 0 && t.Lflag&linux.IEXTEN != 0 {
		c = toLower(c)
	}
	if p.in.literal {
		p.in.literal = false
		p.storeLocked(c)
		return
	}
	if t.Lflag&linux.EXTPROC != 0 {
		p.keepLocked(cell(c))
		return
	}
	if p.stopped && !p.stoppedTC && t.Iflag&(linux.IXON|linux.IXANY) == linux.IXON|linux.IXANY {
		p.startLocked()
	}
	if p.flowLocked(c) || p.signalCharLocked(c) {
		return
	}
	switch {
	case c == '\r' && t.Iflag&linux.IGNCR != 0:
		return
	case c == '\r' && t.Iflag&linux.ICRNL != 0:
		if t.Lflag&linux.ICANON == 0 {
			p.storeNewlineLocked()
			return
		}
		c = '\n'
	case c == '\n' && t.Iflag&linux.INLCR != 0:
		c = '\r'
	}
	if t.Lflag&linux.ICANON != 0 && p.canonicalLocked(c) {
		return
	}
	p.storeLocked(c)
}

// is reports whether c is the control character i, which may be turned off.
func (p *pair) is(c byte, i int) bool {
	return p.termios.CC[i] == c && c != linux.DISABLED_CHAR
}

// isExtended is is for characters that need IEXTEN.
func (p *pair) isExtended(c byte, i int) bool {
	return p.termios.Lflag&linux.IEXTEN != 0 && p.is(c, i)
}

// flowLocked does VSTART and VSTOP.
func (p *pair) flowLocked(c byte) bool {
	if p.termios.Iflag&linux.IXON == 0 {
		return false
	}
	switch {
	case p.is(c, linux.VSTART):
		if !p.stoppedTC {
			p.startLocked()
		}
		return true
	case p.is(c, linux.VSTOP):
		p.stopLocked()
		return true
	}
	return false
}

// signalCharLocked does VINTR, VQUIT and VSUSP.
func (p *pair) signalCharLocked(c byte) bool {
	t := &p.termios
	if t.Lflag&linux.ISIG == 0 {
		return false
	}
	var sig linux.Signal
	switch {
	case p.is(c, linux.VINTR):
		sig = linux.SIGINT
	case p.is(c, linux.VQUIT):
		sig = linux.SIGQUIT
	case p.is(c, linux.VSUSP):
		sig = linux.SIGTSTP
	default:
		return false
	}
	p.signals |= 1 << sig
	if t.Lflag&linux.NOFLSH == 0 {
		p.flushOutputLocked()
		p.flushInputLocked()
	}
	if t.Iflag&linux.IXON != 0 && !p.stoppedTC {
		p.startLocked()
	}
	if t.Lflag&linux.ECHO != 0 {
		p.echoLocked(c)
	}
	return true
}

// canonicalLocked does line editing; false: c is an ordinary character.
func (p *pair) canonicalLocked(c byte) bool {
	lflag := p.termios.Lflag
	switch {
	case p.is(c, linux.VERASE), p.is(c, linux.VKILL), p.isExtended(c, linux.VWERASE):
		p.eraseLocked(c)
	case p.isExtended(c, linux.VLNEXT):
		p.in.literal = true
		if lflag&linux.ECHO != 0 {
			p.finishErasingLocked()
			if lflag&linux.ECHOCTL != 0 {
				p.emitLocked('^')
				p.emitLocked('\b')
			}
		}
	case lflag&linux.ECHO != 0 && p.isExtended(c, linux.VREPRINT):
		p.finishErasingLocked()
		p.echoLocked(c)
		p.emitLocked('\n')
		for _, old := range p.in.typing() {
			p.echoLocked(byte(old))
		}
	case c == '\n':
		if lflag&(linux.ECHO|linux.ECHONL) != 0 {
			p.emitLocked('\n')
		}
		p.lineLocked(cell(c))
	case p.is(c, linux.VEOF):
		p.lineLocked(endOfFile)
	case p.is(c, linux.VEOL), p.isExtended(c, linux.VEOL2):
		if lflag&linux.ECHO != 0 {
			p.beginEchoLocked()
			p.echoLocked(c)
		}
		p.lineLocked(cell(c))
	default:
		return false
	}
	return true
}

func (p *pair) lineLocked(c cell) {
	p.in.endLine(c)
	p.wakeSlave |= readable
}

// storeLocked echoes and keeps an ordinary character.
func (p *pair) storeLocked(c byte) {
	t := &p.termios
	if t.Lflag&linux.ICANON != 0 && len(p.in.typing()) >= lineSize-1 {
		if t.Iflag&linux.IMAXBEL != 0 {
			p.emitLocked('\a')
		}
		return
	}
	if t.Lflag&linux.ECHO != 0 {
		p.finishErasingLocked()
		p.beginEchoLocked()
		p.echoLocked(c)
	}
	if c == 0xff && t.Iflag&linux.PARMRK != 0 {
		p.keepLocked(cell(c))
	}
	p.keepLocked(cell(c))
}

// storeNewlineLocked keeps a newline that was a carriage return, outside
// canonical mode. As in Linux it shows as a new line, where one that was typed
// shows as ^J.
func (p *pair) storeNewlineLocked() {
	if p.termios.Lflag&linux.ECHO != 0 {
		p.emitLocked('\n')
	}
	p.keepLocked('\n')
}

func (p *pair) keepLocked(c cell) {
	p.in.put(c)
	if p.termios.Lflag&linux.ICANON == 0 || p.termios.Lflag&linux.EXTPROC != 0 {
		p.in.edit = len(p.in.cells)
		p.wakeSlave |= readable
	}
}

// eraseLocked does VERASE, VWERASE and VKILL (Linux: eraser).
func (p *pair) eraseLocked(c byte) {
	q, t := &p.in, &p.termios
	if len(q.typing()) == 0 {
		return
	}
	word, kill := p.isExtended(c, linux.VWERASE), p.is(c, linux.VKILL)
	if kill {
		if t.Lflag&linux.ECHO == 0 {
			q.cells = q.cells[:q.edit]
			return
		}
		if visual := linux.ECHOK | linux.ECHOKE | linux.ECHOE; t.Lflag&visual != visual {
			q.cells = q.cells[:q.edit]
			p.finishErasingLocked()
			p.echoLocked(c)
			if t.Lflag&linux.ECHOK != 0 {
				p.emitLocked('\n')
			}
			return
		}
	}
	seenWord := false
	for len(q.typing()) > 0 {
		// A character of UTF-8 goes as a whole.
		i := len(q.cells) - 1
		for i > q.edit && isContinuation(byte(q.cells[i]), t) {
			i--
		}
		last := byte(q.cells[i])
		if isContinuation(last, t) {
			break
		}
		if word {
			if isWord(last) {
				seenWord = true
			} else if seenWord {
				break
			}
		}
		size := len(q.cells) - i
		gone := q.cells[i:]
		q.cells = q.cells[:i]
		if t.Lflag&linux.ECHO != 0 {
			p.echoEraseLocked(c, last, gone[:size], !word && !kill)
		}
		if !word && !kill {
			break
		}
	}
	if len(q.typing()) == 0 && t.Lflag&linux.ECHO != 0 {
		p.finishErasingLocked()
	}
}

// echoEraseLocked shows that the character last was erased.
func (p *pair) echoEraseLocked(c, last byte, gone []cell, single bool) {
	t := &p.termios
	switch {
	case t.Lflag&linux.ECHOPRT != 0:
		if !p.in.erasing {
			p.emitLocked('\\')
			p.in.erasing = true
		}
		p.echoLocked(last)
		for _, more := range gone[1:] {
			p.putOutLocked(byte(more))
		}
	case single && t.Lflag&linux.ECHOE == 0:
		p.echoLocked(c)
	case last == '\t':
		for n := p.tabWidthLocked(); n > 0; n-- {
			p.putOutLocked('\b')
			if p.out.column > 0 {
				p.out.column--
			}
		}
	default:
		if isControl(last) && t.Lflag&linux.ECHOCTL != 0 {
			p.rubLocked()
		}
		if !isControl(last) || t.Lflag&linux.ECHOCTL != 0 {
			p.rubLocked()
		}
	}
}

func (p *pair) rubLocked() {
	p.emitLocked('\b')
	p.emitLocked(' ')
	p.emitLocked('\b')
}

// tabWidthLocked is how far the tab went that has just been taken off the end
// of the line.
func (p *pair) tabWidthLocked() int {
	t := &p.termios
	column := p.out.lineColumn
	for _, c := range p.in.typing() {
		switch c := byte(c); {
		case c == '\t':
			column += 8 - column&7
		case isControl(c):
			if t.Lflag&linux.ECHOCTL != 0 {
				column += 2
			}
		case !isContinuation(c, t):
			column++
		}
	}
	return 8 - column&7
}

// finishErasingLocked ends ECHOPRT's display.
func (p *pair) finishErasingLocked() {
	if p.in.erasing {
		p.emitLocked('/')
		p.in.erasing = false
	}
}
