package devpts

import "cordon/internal/linux"

// A cell is a byte of input, perhaps the last of a line.
type cell uint16

const (
	// lineEnd marks the byte that ends a line.
	lineEnd cell = 1 << 8
	// endOfFile marks a line's end that is not read itself (VEOF).
	endOfFile cell = 1 << 9
)

// input is what slaves will read. Bytes from edit on are of the line that is
// still being typed: they can be erased and, in canonical mode, not yet read.
type input struct {
	cells []cell
	head  int // first unread
	edit  int
	lines int // complete ones

	literal bool // the next character is taken as it is (VLNEXT)
	erasing bool // between ECHOPRT's backslash and slash

	last int64 // when input came last, on the file system's clock
}

// tenthNS is VTIME's unit.
const tenthNS = 100_000_000

// lastAt is when input came last plus tenths of a second.
func (q *input) lastAt(tenths int64) int64 { return q.last + tenths*tenthNS }

func (q *input) len() int { return len(q.cells) - q.head }

func (q *input) clear() {
	q.cells, q.head, q.edit, q.lines = q.cells[:0], 0, 0, 0
	q.literal, q.erasing = false, false
}

func (q *input) put(c cell) {
	if q.head > 0 && len(q.cells) == cap(q.cells) {
		n := copy(q.cells, q.cells[q.head:])
		q.cells = q.cells[:n]
		q.edit -= q.head
		q.head = 0
	}
	q.cells = append(q.cells, c)
}

// endLine completes the line with c.
func (q *input) endLine(c cell) {
	q.put(c | lineEnd)
	q.edit = len(q.cells)
	q.lines++
}

// typing returns the line being typed.
func (q *input) typing() []cell { return q.cells[q.edit:] }

// changeMode turns lines into bytes or, entering canonical mode, what is there
// into one line (Linux: n_tty_set_termios).
func (q *input) changeMode(canonical bool) {
	for i := q.head; i < len(q.cells); i++ {
		q.cells[i] &= 0xff
	}
	q.lines, q.edit, q.erasing = 0, q.head, false
	if canonical && q.len() > 0 {
		q.cells[len(q.cells)-1] |= lineEnd
		q.lines, q.edit = 1, len(q.cells)
	}
}

// takeLine moves up to len(b) bytes of the first line to b. ended says that the
// line, or the end of the file, is over.
func (q *input) takeLine(b []byte) (n int, ended bool) {
	for q.head < len(q.cells) {
		c := q.cells[q.head]
		if c&endOfFile != 0 {
			q.head++
			q.lines--
			ended = true
			break
		}
		if n == len(b) {
			break
		}
		b[n] = byte(c)
		n++
		q.head++
		if c&lineEnd != 0 {
			q.lines--
			ended = true
			break
		}
	}
	q.rewind()
	return n, ended
}

// takeBytes moves up to len(b) bytes to b.
func (q *input) takeBytes(b []byte) int {
	n := 0
	for n < len(b) && q.head < len(q.cells) {
		b[n] = byte(q.cells[q.head])
		n++
		q.head++
	}
	q.edit = max(q.edit, q.head)
	q.rewind()
	return n
}

// rewind starts over when all has been read.
func (q *input) rewind() {
	if q.head == len(q.cells) {
		q.cells, q.head, q.edit = q.cells[:0], 0, 0
	}
}

// complete is the number of bytes in complete lines: FIONREAD.
func (q *input) complete() int {
	n := 0
	for _, c := range q.cells[q.head:q.edit] {
		if c&endOfFile == 0 {
			n++
		}
	}
	return n
}

func isControl(c byte) bool { return c < 0x20 || c == 0x7f }

// isContinuation reports whether c is within a UTF-8 character, if t says that
// input is UTF-8.
func isContinuation(c byte, t *linux.Termios2) bool {
	return t.Iflag&linux.IUTF8 != 0 && c&0xc0 == 0x80
}

// Letters are those of Latin-1, as in Linux's ctype.
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 0xc0 && c <= 0xde && c != 0xd7 }
func isLower(c byte) bool { return c >= 'a' && c <= 'z' || c >= 0xdf && c != 0xf7 }

func isWord(c byte) bool { return c >= '0' && c <= '9' || isUpper(c) || isLower(c) || c == '_' }

func toLower(c byte) byte {
	if isUpper(c) {
		return c + 0x20
	}
	return c
}

func toUpper(c byte) byte {
	if isLower(c) {
		return c - 0x20
	}
	return c
}
